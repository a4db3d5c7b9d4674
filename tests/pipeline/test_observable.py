"""What the orbits can see of a map: tile by tile as in one piece, in the run folder, on the polygons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

import headscarp as hs
from headscarp.features.channels import VISIBILITY_NEEDS
from headscarp.features.terrain import TerrainOptions
from headscarp.geometry.incidence import grid_look_azimuth_deg
from headscarp.geometry.observable import Observable, observable
from headscarp.grid import Tile, expand, spacing_m, tiles
from headscarp.ingest.dem import read_height, read_relief
from headscarp.ingest.raster import read_header
from headscarp.pipeline.map.detect import orbits_text
from headscarp.pipeline.map.observe import observe, read_land
from headscarp.pipeline.map.plan import make_plan
from headscarp.pipeline.map.redraw import observable_shares, redraw_polygons
from headscarp.pipeline.map.view import plan_view
from headscarp.record import RunRecord
from headscarp.vocabulary import OrbitState
from tests.pipeline.conftest import EVENT_DATE, SIZE_PX, SmallEvent, read_band, small_event

__all__ = ["small_event"]

PAD = 40
CELL_M = 20.0


def ridge_m() -> NDArray[np.float32]:
    """A ridge that runs north, steeper than any look on both sides, on a gentle slope."""
    x = (np.arange(SIZE_PX + 2 * PAD) - PAD) * CELL_M
    profile = 300.0 + 0.2 * x + np.maximum(0.0, 400.0 - np.abs(x - 1300.0) * 1.6)
    return np.broadcast_to(profile, (len(x), len(x))).astype(np.float32)


@pytest.fixture
def ridge(tmp_path: Path, write_scene: Callable[..., Path]) -> Path:
    return write_scene(
        tmp_path / "ridge.tif", {"height": ridge_m()}, left=580000.0 - PAD * CELL_M,
        top=4730000.0 + PAD * CELL_M, nodata=-9999.0,
    )  # fmt: skip


@pytest.fixture
def mapped(small_event: SmallEvent, ridge: Path, tmp_path: Path) -> tuple[Path, RunRecord]:
    values = {"scenes": [small_event.scenes], "event.date": EVENT_DATE, "terrain.dem": ridge}
    return tmp_path / "run", hs.run_map(hs.load_options(None, values), tmp_path / "run")


def test_the_run_folder_holds_the_view_of_the_whole(mapped: tuple[Path, RunRecord], ridge: Path) -> None:
    folder, _ = mapped
    geobox = read_header(folder / "observable.tif").geobox
    wide = expand(geobox, PAD)
    looks = [grid_look_azimuth_deg(geobox, state) for state in OrbitState]
    expected = observable(read_height(ridge, wide), spacing_m(wide), *looks, 39.0)
    found = read_band(folder / "observable.tif")
    reach = 30  # the array's own edge is unknown ground to the oracle as well
    assert np.array_equal(found, expected[PAD:-PAD, PAD:-PAD])
    assert set(np.unique(found[reach:-reach])) >= {0, 1, 2, 3}
    with rasterio.open(folder / "observable.tif") as raster:
        assert raster.nodata == 255
        assert raster.tags()["class_1"] == "ascending only"


def test_each_side_of_a_ridge_is_seen_by_the_orbit_that_does_not_face_it(
    mapped: tuple[Path, RunRecord],
) -> None:
    """58° slopes: one that faces the radar is in layover, and one that turns away in shadow at 39°."""
    folder, record = mapped
    found = read_band(folder / "observable.tif")
    west, east = found[64, 50:62], found[64, 68:80]
    assert set(west) | set(east) <= {Observable.NEITHER, Observable.ASCENDING, Observable.DESCENDING}
    assert np.all(found[64, :20] == Observable.BOTH)
    assert record.terrain is not None
    seen = record.terrain.steep_seen_km2
    assert sum(seen.values()) == pytest.approx(record.terrain.steep_km2)
    steep = read_band(folder / "terrain.tif") >= 5.0
    open_ground = read_band(folder / "terrain.tif", 3) == 0
    nobody = (found == Observable.NEITHER) & steep & open_ground
    assert seen["neither"] == pytest.approx(nobody.sum() * CELL_M**2 * 1e-6)
    assert seen["neither"] > 0


def test_tiles_see_what_the_whole_sees(mapped: tuple[Path, RunRecord], ridge: Path) -> None:
    folder, _ = mapped
    geobox = read_header(folder / "observable.tif").geobox
    view = plan_view(TerrainOptions(dem=ridge), geobox)
    assert view is not None
    whole = read_band(folder / "observable.tif")
    for tile in tiles(geobox, 48):
        assert np.array_equal(view.of_tile(tile), whole[tile.rows, tile.cols])


def test_polygons_say_which_share_an_orbit_can_see(mapped: tuple[Path, RunRecord]) -> None:
    folder, _ = mapped
    first = gpd.read_file(folder / "landslides.gpkg")
    assert {"observable_ascending", "observable_descending"} <= set(first.columns)
    assert first[["observable_ascending", "observable_descending"]].stack().between(0, 1).all()
    redraw_polygons(folder, threshold=0.5)
    again = gpd.read_file(folder / "landslides.gpkg")
    assert {"observable_ascending", "observable_descending"} <= set(again.columns)
    page = (folder / "report.html").read_text()
    assert "layover or shadow" in page
    assert "observable.tif" in page
    assert 'id="show-observable"' in page


def test_without_a_dem_nothing_is_claimed(small_event: SmallEvent, tmp_path: Path) -> None:
    values = {"scenes": [small_event.scenes], "event.date": EVENT_DATE}
    hs.run_map(hs.load_options(None, values), tmp_path / "run")
    assert not (tmp_path / "run" / "observable.tif").exists()
    page = (tmp_path / "run" / "report.html").read_text()
    assert "layover or shadow" not in page
    assert 'id="show-observable"' not in page


def test_shares_are_unknown_where_no_height_is() -> None:
    shares = observable_shares(np.array([[0, 1, 2, 3, 255]], dtype=np.uint8))
    np.testing.assert_array_equal(shares["observable_ascending"], [[0, 1, 0, 1, np.nan]])
    np.testing.assert_array_equal(shares["observable_descending"], [[0, 0, 1, 1, np.nan]])


def test_codes_have_words() -> None:
    words = ["neither", "ascending only", "descending only", "both", "unknown"]
    assert [orbits_text(code) for code in Observable] == words


def test_relief_is_that_of_the_ground_around(ridge: Path) -> None:
    whole = read_header(ridge).geobox
    geobox = whole[PAD:-PAD, PAD:-PAD]
    assert read_relief(ridge, geobox) == pytest.approx(float(np.ptp(ridge_m())), rel=1e-6)
    far = geobox.translate_pix(10_000, 10_000)
    assert read_relief(ridge, far) == 0.0


def test_visibility_is_asked_for_by_name_and_0_in_layover_and_shadow(
    small_event: SmallEvent, ridge: Path
) -> None:
    """Gentle ground: sin(39° less the slope towards the radar); the steep sides: what each state sees."""
    values = {"scenes": [small_event.scenes], "event.date": EVENT_DATE, "terrain.dem": ridge}
    plan = make_plan(hs.load_options(None, values))
    tile = Tile(plan.geobox, slice(0, plan.geobox.shape[0]), slice(0, plan.geobox.shape[1]))
    change = observe(plan, tile, 0).change(plan.splits)
    assert "visibility_ascending" not in read_land(plan, tile, change, 0, ())
    land = read_land(plan, tile, change, 0, VISIBILITY_NEEDS)
    code = land["observable"][64]
    for state, bit in ((OrbitState.ASCENDING, 1), (OrbitState.DESCENDING, 2)):
        found = land[f"visibility_{state.value}"][64]
        look = np.deg2rad(grid_look_azimuth_deg(plan.geobox, state))
        gentle = np.sin(np.deg2rad(39.0) - np.arctan(0.2 * np.sin(look)))
        assert found[5:15] == pytest.approx(gentle, abs=1e-3)
        assert np.all(found[(code & bit) == 0] == 0)
        assert np.all(found[50:80][(code[50:80] & bit) > 0] > 0)
