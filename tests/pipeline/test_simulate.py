"""``headscarp simulate``: files that a real event has, the same for one seed, and mapped as they are."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

import headscarp as hs
from headscarp.errors import GridError, HeadscarpError, OutputError
from headscarp.ingest.categories import read_class_names
from headscarp.ingest.files import read_scene_files
from headscarp.ingest.passes import group_scenes
from headscarp.ingest.stack import open_stacks
from headscarp.pipeline.simulate import run_simulate
from headscarp.simulate.event import SimulatedEvent
from headscarp.simulate.ground import LandCover
from headscarp.simulate.landslides import plan
from headscarp.simulate.options import SimulateOptions
from headscarp.vocabulary import OrbitState
from tests.simulate.conftest import SMALL, small

__all__ = ["small"]

FILES = {
    "dem.tif",
    "landcover.tif",
    "ndvi_pre.tif",
    "ndvi_post.tif",
    "local_incidence_asc.tif",
    "local_incidence_desc.tif",
    "layover_shadow_asc.tif",
    "layover_shadow_desc.tif",
    "inventory.gpkg",
    "label.tif",
    "distractors.gpkg",
    "event.yaml",
    "simulation.json",
    "overview.png",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "event"
    run_simulate(SMALL, out)
    return out


def read(path: Path, band: int = 1) -> np.ndarray:
    with rasterio.open(path) as raster:
        values: np.ndarray = raster.read(band)
    return values


def test_the_folder_holds_what_it_should(folder: Path) -> None:
    assert {p.name for p in folder.iterdir()} == FILES | {"scenes"}
    assert len(list((folder / "scenes").glob("*.tif"))) == 2 * (SMALL.pre + SMALL.post)


def test_files_hold_what_the_library_returns(folder: Path, small: SimulatedEvent) -> None:
    pairs = {
        "landcover.tif": small.cover,
        "label.tif": small.label,
        "ndvi_pre.tif": small.ndvi_pre,
        "ndvi_post.tif": small.ndvi_post,
        "dem.tif": small.ground.wide_height_m,
        "local_incidence_asc.tif": small.looks[OrbitState.ASCENDING].local_incidence_deg,
        "layover_shadow_desc.tif": small.looks[OrbitState.DESCENDING].view,
    }
    for name, values in pairs.items():
        assert np.array_equal(read(folder / name), values, equal_nan=values.dtype.kind == "f"), name
    named = read_class_names(folder / "landcover.tif")
    assert (named[LandCover.FOREST], named[LandCover.SHRUB_GRASS], len(named)) == ("forest", "shrub grass", 6)
    inventory = gpd.read_file(folder / "inventory.gpkg")
    assert len(inventory) == len(small.inventory) > 10
    assert inventory.crs.to_epsg() == 32654
    assert inventory.geometry.area.sum() == pytest.approx(small.inventory.geometry.area.sum())


def test_the_readers_give_the_stacks_of_the_library(folder: Path, small: SimulatedEvent) -> None:
    files = read_scene_files([folder / "scenes"]).files
    stacks = open_stacks(group_scenes(files), small.geobox)
    assert stacks.keys() == small.stacks.keys()
    for label, stack in stacks.items():
        assert np.array_equal(stack["time"], small.stacks[label]["time"])
        for pol in ("VV", "VH"):
            expected = small.stacks[label][pol].values
            assert np.array_equal(stack[pol].values, expected, equal_nan=True)


@pytest.mark.parametrize("tile_px", [64, 101])
def test_one_seed_gives_the_same_bytes_whatever_the_tile(folder: Path, tmp_path: Path, tile_px: int) -> None:
    again = tmp_path / "again"
    run_simulate(SMALL, again, tile_px=tile_px)
    names = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    differing = [str(name) for name in names if (folder / name).read_bytes() != (again / name).read_bytes()]
    assert differing == []


def test_map_and_evaluate_need_nothing_else(folder: Path, tmp_path: Path) -> None:
    record = hs.run_map(hs.load_options(None, {"scenes": [folder]}), tmp_path / "run")
    assert [len(orbit.post_utc) for orbit in record.orbits] == [SMALL.post] * 2
    assert record.results.observed_km2 > 10.0
    grounds = [
        {"prediction": tmp_path / "run", "truth": [folder / "inventory.gpkg"], "dem": folder / "dem.tif"}
    ]
    evaluation = hs.run_evaluate(hs.load(hs.EvaluateOptions, None, {"grounds": grounds}), tmp_path / "scores")
    assert evaluation.blocks.count > 1


def test_the_record_says_what_is_there(folder: Path, small: SimulatedEvent) -> None:
    record = json.loads((folder / "simulation.json").read_text())
    assert record["options"]["seed"] == SMALL.seed
    assert record["landslides_drawn"] == len(small.landslides) == SMALL.landslides
    assert record["landslides_without_room"] == 0
    assert record["landslides"] == len(small.inventory)
    assert sum(record["cover_shares"].values()) == pytest.approx(1.0, abs=0.001)
    assert record["equivalent_looks"] == pytest.approx(5.8, abs=0.1)
    assert [look["label"] for look in record["looks"]] == ["ascending 68", "descending 46"]
    assert sum(record["distractors"].values()) == len(gpd.read_file(folder / "distractors.gpkg"))


def test_a_dem_with_a_hole_gives_scenes_with_that_hole(tmp_path: Path) -> None:
    dem = write_dem(tmp_path / "dem.tif", hole=True)
    out = tmp_path / "event"
    record = run_simulate(SimulateOptions(dem=dem, spacing_m=20.0, pre=1, post=1, landslides=5), out)
    assert (record.rows, record.columns) == (120, 180)
    scene = next((out / "scenes").glob("*ASC*.tif"))
    missing = np.isnan(read(scene))
    assert missing[60:80, 60:80].all()
    assert 0.01 < missing.mean() < 0.3
    assert (read(out / "landcover.tif")[60:80, 60:80] == 0).all()
    assert not read(out / "label.tif")[60:80, 60:80].any()


def test_a_size_is_cut_from_the_middle_of_a_dem(tmp_path: Path) -> None:
    dem = write_dem(tmp_path / "dem.tif")
    options = SimulateOptions(dem=dem, spacing_m=20.0, size_px=100, pre=1, post=1, landslides=0)
    record = run_simulate(options, tmp_path / "event")
    assert (record.rows, record.columns) == (100, 100)
    with rasterio.open(tmp_path / "event" / "label.tif") as label:
        assert label.transform.c == 400_000.0 + 40 * 20.0
    with pytest.raises(GridError, match="fits into the DEM"):
        run_simulate(options.model_copy(update={"size_px": 121}), tmp_path / "other")


def test_landslides_without_room_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "ATTEMPTS", 1)
    y, x = np.mgrid[0:64, 0:64] * 20.0
    rough = 600.0 + 25.0 * np.sin(x / 16.0) * np.cos(y / 18.0)
    drawn = {}
    for name, height in {"plain": np.full((64, 64), 100.0), "rough": rough}.items():
        dem = write_heights(tmp_path / f"{name}.tif", height)
        run_simulate(SimulateOptions(dem=dem, spacing_m=20.0, pre=1, post=1, landslides=30), tmp_path / name)
        record = json.loads((tmp_path / name / "simulation.json").read_text())
        drawn[name] = record["landslides_drawn"]
        assert record["landslides_without_room"] == 30 - record["landslides_drawn"]
    assert drawn["plain"] == 0
    assert 0 < drawn["rough"] < 30


def write_dem(path: Path, hole: bool = False) -> Path:
    """Rolling hills of 120 × 180 pixels."""
    y, x = np.mgrid[0:120, 0:180] * 20.0
    height = 600.0 + 250.0 * np.sin(x / 300.0) * np.cos(y / 350.0) + 0.05 * y
    if hole:
        height[60:80, 60:80] = -9999.0
    return write_heights(path, height)


def write_heights(path: Path, height: np.ndarray) -> Path:
    """A DEM at 20 m, nodata -9999."""
    transform = Affine(20.0, 0.0, 400_000.0, 0.0, -20.0, 3_900_000.0)
    rows, cols = height.shape
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", **profile, crs="EPSG:32611", transform=transform, nodata=-9999.0) as dem:
        dem.write(height.astype(np.float32), 1)
    return path


def test_a_folder_that_is_no_simulation_is_never_replaced(tmp_path: Path) -> None:
    precious = tmp_path / "event"
    precious.mkdir()
    (precious / "event.yaml").write_text("event: {date: 2024-01-01}\n")
    with pytest.raises(OutputError, match="choose another folder"):
        run_simulate(SMALL, precious, overwrite=True)
    assert [p.name for p in precious.iterdir()] == ["event.yaml"]


def test_a_failure_leaves_what_stood_there(folder: Path, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    with pytest.raises(HeadscarpError):
        run_simulate(SMALL, folder)
    with pytest.raises(HeadscarpError):
        run_simulate(SimulateOptions(dem=tmp_path / "nowhere.tif"), folder, overwrite=True)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
    assert [p.name for p in folder.parent.iterdir()] == ["event"]


def test_shapes_of_an_inventory_take_the_place_of_drawn_landslides(tmp_path: Path) -> None:
    boxes = [shapely.box(582_000 + 300 * k, 4_728_000, 582_080 + 300 * k, 4_728_120) for k in (0, 1, 90)]
    gpd.GeoDataFrame(geometry=boxes, crs="EPSG:32654").to_file(tmp_path / "mapped.gpkg")
    options = SMALL.model_copy(update={"shapes": tmp_path / "mapped.gpkg", "pre": 1, "post": 1})
    record = run_simulate(options, tmp_path / "event")
    assert (record.landslides, record.landslides_without_room) == (2, 1)
    assert record.shapes_moved_m == (0.0, 0.0)
    inventory = gpd.read_file(tmp_path / "event" / "inventory.gpkg")
    assert shapely.equals(inventory.geometry.union_all(), shapely.union_all(boxes[:2]))
    assert read(tmp_path / "event" / "label.tif").sum() == pytest.approx(2 * 80 * 120 / 20.0**2, abs=12)
