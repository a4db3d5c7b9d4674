"""``run_inject``: every file against the formula, nothing else changed, and mapped end to end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import yaml
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.warp import Resampling, reproject, transform_bounds
from shapely.geometry import box

import headscarp as hs
from headscarp.errors import EventError, GridError, HeadscarpError, OptionsError
from headscarp.ingest.raster import to_power
from headscarp.pipeline.inject import run_inject
from headscarp.simulate.zones import label_of
from headscarp.vocabulary import BackscatterScale
from tests.conftest import WriteScene
from tests.inject.conftest import inject_options
from tests.pipeline.conftest import EVENT_DATE, TIMES, acquired, backscatter, scene_path

LEFT, TOP = 580_000.0, 4_730_000.0
SIZES = {"inject__sizes_ha": "0.5,2", "inject__landslides": 8}


def expected_factor(path: Path, inventory: gpd.GeoDataFrame, column: str) -> np.ndarray:
    """Naive: the landslide of each of 16 points of each pixel of the file's own grid."""
    with rasterio.open(path) as source:
        grid, crs = source.transform, source.crs
        rows, cols = source.shape
    own = inventory.to_crs(crs)
    factor = np.ones((rows, cols))
    for outline, change in zip(own.geometry, own[column], strict=True):
        left, bottom, right, top = outline.bounds
        for row in range(
            max(int((top - grid.f) / grid.e), 0), min(int((bottom - grid.f) / grid.e) + 1, rows)
        ):
            for col in range(
                max(int((left - grid.c) / grid.a), 0), min(int((right - grid.c) / grid.a) + 1, cols)
            ):
                down, across = np.divmod(np.arange(16), 4)
                x = grid.c + grid.a * (col + (across + 0.5) / 4)
                y = grid.f + grid.e * (row + (down + 0.5) / 4)
                share = float(shapely.contains_xy(outline, x, y).sum()) / 16
                factor[row, col] += share * (10 ** (change / 10) - 1)
    return factor


def assert_planted(before: Path, after: Path, inventory: gpd.GeoDataFrame, scale: BackscatterScale) -> None:
    """Hold both polarisations of a file against the formula, and all else against the original."""
    with rasterio.open(before) as one, rasterio.open(after) as two:
        assert (one.transform, one.crs, one.dtypes, one.descriptions) == (
            two.transform, two.crs, two.dtypes, two.descriptions,
        )  # fmt: skip
        assert one.tags() == two.tags()
        assert one.nodata == two.nodata or np.isnan([one.nodata, two.nodata]).all()
        for band, column in ((1, "vv_db"), (2, "vh_db")):
            stored = one.read(band), two.read(band)
            powers = [to_power(values, one.nodata, scale).astype(float) for values in stored]
            factor = expected_factor(before, inventory, column)
            valid = np.isfinite(powers[0])
            np.testing.assert_allclose((powers[1] / powers[0])[valid], factor[valid], rtol=4e-6)
            same = (stored[0] == stored[1]) | (np.isnan(stored[0]) & np.isnan(stored[1]))
            assert same[~valid | (factor == 1)].all()
            assert (factor < 1).sum() > 100 or (factor > 1).sum() > 100


def test_every_file_after_the_event_follows_the_formula(quiet_stack: Path, tmp_path: Path) -> None:
    record = run_inject(inject_options(quiet_stack, **SIZES), tmp_path / "out")
    inventory = gpd.read_file(tmp_path / "out" / "inventory.gpkg")
    assert record.landslides == len(inventory) == 8
    assert sum(file.planted for file in record.files) == 4
    for orbit in TIMES:
        for step in range(2):
            before = scene_path(quiet_stack, orbit, step)
            assert_planted(
                before, tmp_path / "out" / "scenes" / before.name, inventory, BackscatterScale.POWER
            )


def test_nothing_before_the_event_changes(quiet_stack: Path, tmp_path: Path) -> None:
    originals = {path.name: path.read_bytes() for path in quiet_stack.iterdir()}
    run_inject(inject_options(quiet_stack, **SIZES), tmp_path / "out")
    planted = {path.name: path.read_bytes() for path in (tmp_path / "out" / "scenes").iterdir()}
    assert planted.keys() == originals.keys()
    changed = {name for name in originals if originals[name] != planted[name]}
    assert changed == {scene_path(quiet_stack, orbit, step).name for orbit in TIMES for step in range(2)}
    assert {path.name: path.read_bytes() for path in quiet_stack.iterdir()} == originals


@pytest.mark.parametrize("nothing", [{"inject__landslides": 0}, {"inject__vh_db": 0.0}], ids=["none", "0 dB"])
def test_nothing_planted_changes_no_bit(
    quiet_stack: Path, tmp_path: Path, nothing: dict[str, object]
) -> None:
    still = {"inject__vv_db": 0.0, "inject__vv_spread_db": 0.0, "inject__vh_spread_db": 0.0}
    run_inject(inject_options(quiet_stack, **still, **nothing), tmp_path / "out")
    for before in quiet_stack.iterdir():
        with rasterio.open(before) as one, rasterio.open(tmp_path / "out" / "scenes" / before.name) as two:
            assert one.read().tobytes() == two.read().tobytes()


@pytest.mark.parametrize("scale", [BackscatterScale.DECIBEL, BackscatterScale.AMPLITUDE])
def test_files_keep_their_scale(tmp_path: Path, write_scene: WriteScene, scale: BackscatterScale) -> None:
    for step in range(-2, 1):
        rng = np.random.default_rng(step + 9)
        bands = {}
        for name, mean in (("VV", 0.12), ("VH", 0.03)):
            power = backscatter(rng, mean)
            power[:5] = np.nan
            stored = 10 * np.log10(power) if scale is BackscatterScale.DECIBEL else np.sqrt(power)
            bands[name] = np.nan_to_num(stored, nan=-9999.0).astype(np.float32)
        path = scene_path(tmp_path / "scenes", "ASC", step)
        write_scene(path, bands, nodata=-9999.0, tags={"NOTE": "kept"})
    declared = "db" if scale is BackscatterScale.DECIBEL else "amplitude"
    options = inject_options(tmp_path / "scenes", ingest__scale=declared, **SIZES)
    run_inject(options, tmp_path / "out")
    inventory = gpd.read_file(tmp_path / "out" / "inventory.gpkg")
    assert_planted(path, tmp_path / "out" / "scenes" / path.name, inventory, scale)
    event = yaml.safe_load((tmp_path / "out" / "event.yaml").read_text())
    assert event["ingest"] == {"scale": declared}


def test_a_file_of_another_zone_is_planted_on_its_own_grid(quiet_stack: Path, tmp_path: Path) -> None:
    for path in quiet_stack.glob("*_DSC_*"):
        with rasterio.open(path) as source:
            values, profile = source.read(), source.profile
        left, _, _, top = transform_bounds("EPSG:32654", "EPSG:32653", LEFT, TOP - 2560.0, LEFT + 2560.0, TOP)
        other = GeoBox((140, 140), Affine(20, 0, left - 3, 0, -20, top + 5), "EPSG:32653")
        out = np.full((2, *other.shape), np.nan, np.float32)
        reproject(
            values, out, src_transform=profile["transform"], src_crs=profile["crs"], src_nodata=np.nan,
            dst_transform=other.transform, dst_crs="EPSG:32653", dst_nodata=np.nan,
            resampling=Resampling.bilinear,
        )  # fmt: skip
        profile.update(
            height=other.shape[0], width=other.shape[1], transform=other.transform, crs="EPSG:32653"
        )
        with rasterio.open(path, "w", **profile) as target:
            target.write(out)
            target.descriptions = ("VV", "VH")
    run_inject(inject_options(quiet_stack, area__crs="EPSG:32654", **SIZES), tmp_path / "out")
    inventory = gpd.read_file(tmp_path / "out" / "inventory.gpkg")
    assert inventory.crs.to_epsg() == 32654
    before = scene_path(quiet_stack, "DSC", 0)
    assert_planted(before, tmp_path / "out" / "scenes" / before.name, inventory, BackscatterScale.POWER)


def test_in_a_file_of_many_dates_only_those_after_change(tmp_path: Path, write_scene: WriteScene) -> None:
    rng = np.random.default_rng(3)
    steps = (-3, -2, -1, 0, 1)
    bands = {
        f"{pol} {acquired('ASC', step):%Y-%m-%d}": backscatter(rng, mean)
        for step in steps
        for pol, mean in (("VV", 0.12), ("VH", 0.03))
    }
    path = write_scene(tmp_path / "scenes" / "stack.tif", bands)
    options = inject_options(tmp_path / "scenes", ingest__orbit_state="ascending", **SIZES)
    record = run_inject(options, tmp_path / "out")
    assert record.landslides == 8
    with rasterio.open(path) as one, rasterio.open(tmp_path / "out" / "scenes" / "stack.tif") as two:
        changed = [bool((one.read(i) != two.read(i)).any()) for i in one.indexes]
    assert changed == [step >= 0 for step in steps for _ in range(2)]


def test_a_cloud_optimised_file_keeps_its_overviews_up_to_date(quiet_stack: Path, tmp_path: Path) -> None:
    path = scene_path(quiet_stack, "ASC", 0)
    plain = tmp_path / "plain.tif"
    shutil.move(path, plain)
    rasterio.shutil.copy(
        plain, path, driver="COG", blocksize=128, overviews="IGNORE_EXISTING", resampling="average"
    )
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
        raster.build_overviews([2], Resampling.average)
    run_inject(inject_options(quiet_stack, **SIZES), tmp_path / "out")
    target = tmp_path / "out" / "scenes" / path.name
    with rasterio.open(target) as full, rasterio.open(target, overview_level=0) as half:
        means = full.read(2).reshape(64, 2, 64, 2).mean(axis=(1, 3))
        np.testing.assert_allclose(half.read(2), means, rtol=1e-5)
    with rasterio.open(plain) as before:
        assert (before.read(2) != rasterio.open(target).read(2)).any()


def test_the_folder_is_mapped_as_it_is_and_finds_what_was_planted(
    quiet_stack: Path, tmp_path: Path, write_scene: WriteScene
) -> None:
    x = np.arange(148) * 20.0
    height = np.broadcast_to(300.0 + 0.5 * x, (148, 148)).astype(np.float32)
    dem = write_scene(
        tmp_path / "dem.tif", {"height": height}, left=LEFT - 200, top=TOP + 200, nodata=-9999.0
    )
    planted = tmp_path / "out"
    more = {"inject__sizes_ha": "2", "inject__landslides": 4, "inject__vh_db": -6.0, "inject__vv_db": -3.0}
    spread = {"inject__vh_spread_db": 0.0, "inject__vv_spread_db": 0.0}
    options = inject_options(quiet_stack, terrain__dem=dem, terrain__min_slope_deg=10.0, **more, **spread)
    run_inject(options, planted)
    found = hs.load_options(None, {"scenes": [planted]})
    assert (found.event.date, found.terrain.dem, found.terrain.min_slope_deg) == (EVENT_DATE, dem, 10.0)
    hs.run_map(found, tmp_path / "run")
    mapped = gpd.read_file(tmp_path / "run" / "landslides.gpkg")
    truth = gpd.read_file(planted / "inventory.gpkg")
    assert shapely.intersects(truth.geometry.to_numpy(), mapped.geometry.union_all()).all()
    with rasterio.open(planted / "label.tif") as label:
        grid = GeoBox(label.shape, label.transform, label.crs.to_wkt())
        assert (label.read(1) == label_of(truth, grid)).all()
        assert label.dtypes == ("uint8",)
    assert (planted / "overview.png").stat().st_size > 5000


def test_landslides_lie_on_steep_ground_that_every_orbit_saw(
    quiet_stack: Path, tmp_path: Path, write_scene: WriteScene
) -> None:
    for path in quiet_stack.glob("*_DSC_*"):
        with rasterio.open(path, "r+") as raster:
            values = raster.read()
            values[:, 70:] = np.nan
            raster.write(values)
    x = np.arange(148)
    height = np.broadcast_to(np.where(x > 60, (x - 60) * 10.0, 0.0), (148, 148)).astype(np.float32)
    dem = write_scene(
        tmp_path / "dem.tif", {"height": height}, left=LEFT - 200, top=TOP + 200, nodata=-9999.0
    )
    options = inject_options(quiet_stack, terrain__dem=dem, inject__sizes_ha="0.2", inject__landslides=30)
    record = run_inject(options, tmp_path / "out")
    inventory = gpd.read_file(tmp_path / "out" / "inventory.gpkg")
    west, south, _, _ = inventory.total_bounds
    assert south >= TOP - 70 * 20.0  # the descending orbit sees nothing farther south
    assert west >= LEFT + (60 - 10 - 1) * 20.0  # the DEM is flat farther west
    assert 20 < record.landslides <= 30
    assert record.room_km2 == pytest.approx(70 * 79 * 400 / 1e6, abs=70 * 2 * 400 / 1e6)


def test_the_record_tells_what_found_no_room(quiet_stack: Path, tmp_path: Path) -> None:
    options = inject_options(
        quiet_stack, inject__sizes_ha="0.3,50", inject__landslides=20, inject__gap_m=50.0
    )
    record = run_inject(options, tmp_path / "out")
    stored = json.loads((tmp_path / "out" / "injection.json").read_text())
    inventory = gpd.read_file(tmp_path / "out" / "inventory.gpkg")
    sizes = {size.size_ha: (size.asked, size.planted) for size in record.sizes}
    assert sizes[50.0][0] == sizes[0.3][0] == 10
    assert sizes[50.0][1] < 10
    assert sizes[50.0][1] + sizes[0.3][1] == record.landslides == len(inventory)
    assert record.landslides_without_room == 20 - record.landslides
    assert record.notes == [f"{record.landslides_without_room} of 20 landslides found no room."]
    assert stored["landslides_km2"] == pytest.approx(inventory.geometry.area.sum() / 1e6, abs=1e-5)
    np.testing.assert_allclose(inventory["area_m2"], inventory.geometry.area)
    assert set(inventory["area_m2"].round(3)) == {3000.0, 500_000.0}
    assert {len(file["sha256"]) for file in stored["files"]} == {64}
    assert stored["options"]["inject"]["seed"] == 7
    pairs = shapely.distance(inventory.geometry.to_numpy()[:, None], inventory.geometry.to_numpy()[None, :])
    assert pairs[~np.eye(len(inventory), dtype=bool)].min() >= 50.0 - 1e-6


def test_one_seed_gives_one_event(quiet_stack: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 4), ("again", 4), ("other", 5)):
        run_inject(inject_options(quiet_stack, inject__seed=seed, **SIZES), tmp_path / name)
    path = scene_path(Path("scenes"), "ASC", 1)
    one, again, other = (rasterio.open(tmp_path / name / path).read() for name in ("one", "again", "other"))
    assert (one == again).all()
    assert (one != other).any()
    texts = [(tmp_path / name / "injection.json").read_text() for name in ("one", "again")]
    assert texts[0] == texts[1]


def test_changes_are_drawn_as_asked(quiet_stack: Path, tmp_path: Path) -> None:
    options = inject_options(quiet_stack, inject__sizes_ha="0.01", inject__landslides=150, inject__gap_m=5.0)
    run_inject(options, tmp_path / "out")
    inventory = gpd.read_file(tmp_path / "out" / "inventory.gpkg")
    assert len(inventory) == 150
    assert inventory["vh_db"].mean() == pytest.approx(-3.0, abs=0.3)
    assert inventory["vh_db"].std() == pytest.approx(1.0, abs=0.2)
    assert inventory["vv_db"].mean() == pytest.approx(-0.5, abs=0.5)
    assert inventory["vv_db"].std() == pytest.approx(2.0, abs=0.4)
    assert abs(np.corrcoef(inventory["vv_db"], inventory["vh_db"])[0, 1]) < 0.25


def test_given_outlines_are_planted_as_they_are(quiet_stack: Path, tmp_path: Path) -> None:
    outlines = gpd.GeoDataFrame(
        {"vv_db": [0.0], "vh_db": [-10.0]},
        geometry=[box(LEFT + 400, TOP - 600, LEFT + 500, TOP - 400)],
        crs="EPSG:32654",
    )
    record = run_inject(inject_options(quiet_stack), tmp_path / "out", outlines=outlines.to_crs("EPSG:4326"))
    assert (record.outlines, record.landslides, record.room_km2) == ("given", 1, None)
    path = scene_path(Path("scenes"), "ASC", 0)
    before, after = (rasterio.open(tmp_path / part / path).read() for part in (".", "out"))
    assert (before[0] == after[0]).all()
    ratio = after[1] / before[1]
    np.testing.assert_allclose(ratio[20:30, 20:25], 0.1, rtol=1e-5)
    assert (ratio != 1).sum() == 50


@pytest.mark.parametrize(
    ("change", "given"),
    [
        (lambda f: f.drop(columns="vv_db"), "no vv_db"),
        (lambda f: f.set_crs(None, allow_override=True), "no CRS"),
        (lambda f: f.assign(vh_db=np.nan), "1 without a change"),
        (lambda f: f.set_geometry(f.geometry.centroid), "1 of 1 that are no valid polygons"),
    ],
)
def test_outlines_that_cannot_be_planted_are_refused(
    quiet_stack: Path, tmp_path: Path, change: object, given: str
) -> None:
    frame = gpd.GeoDataFrame({"vv_db": [0.0], "vh_db": [-3.0]}, geometry=[box(0, 0, 1, 1)], crs="EPSG:32654")
    with pytest.raises(OptionsError) as refused:
        run_inject(inject_options(quiet_stack), tmp_path / "out", outlines=change(frame))  # type: ignore[operator]
    assert refused.value.given == given
    assert not (tmp_path / "out").exists()


def test_bad_input_leaves_nothing_behind(quiet_stack: Path, tmp_path: Path, write_scene: WriteScene) -> None:
    flat = write_scene(
        tmp_path / "flat.tif", {"h": np.ones((148, 148), np.float32)}, left=LEFT - 200, top=TOP + 200
    )
    cases: list[tuple[dict[str, object], type[HeadscarpError]]] = [
        ({"event__post": ("2024-06-15", "2024-06-16")}, EventError),
        ({"inject__shapes": tmp_path / "nowhere.gpkg"}, GridError),
        ({"terrain__dem": flat}, GridError),
    ]
    stood = {path.name for path in tmp_path.iterdir()}
    for wrong, error in cases:
        with pytest.raises(error):
            run_inject(inject_options(quiet_stack, **wrong), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == stood


def test_files_that_no_map_reads_are_left_out(
    quiet_stack: Path, tmp_path: Path, write_scene: WriteScene
) -> None:
    rng = np.random.default_rng(1)
    for step in (12, 13):
        write_scene(scene_path(quiet_stack, "ASC", step), {"VV": backscatter(rng, 0.12)})
    record = run_inject(inject_options(quiet_stack), tmp_path / "out")
    assert record.left_out == sorted(scene_path(quiet_stack, "ASC", step).name for step in (12, 13))
    assert len(list((tmp_path / "out" / "scenes").iterdir())) == len(record.files) == 16


def test_earlier_dates_of_the_pseudo_event_are_kept(quiet_stack: Path, tmp_path: Path) -> None:
    early = inject_options(quiet_stack, event__pre=("2024-05-20", "2024-06-14"))
    record = run_inject(early, tmp_path / "out")
    assert len(record.files) == 16
    before, after = (
        hs.run_map(hs.load_options(None, {"scenes": [scenes], **more}), tmp_path / name)
        for name, scenes, more in (
            ("untouched", quiet_stack, {"event.date": EVENT_DATE, "event.pre": ("2024-05-20", "2024-06-14")}),
            ("planted", tmp_path / "out", {}),
        )
    )
    assert before.pseudo_event == after.pseudo_event
    assert before.pseudo_event.pre_dates
