"""Simulated patches in the release's format, read with our code and with plain xarray and numpy."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import shapely
import xarray as xr

from headscarp.errors import GridError, OptionsError, OutputError
from headscarp.ingest.sen12.facts import PatchFacts, Release
from headscarp.ingest.sen12.patch import read_patch
from headscarp.ingest.sen12landslides import read_task_splits
from headscarp.pipeline.sen12 import (
    PatchSimulateOptions,
    PatchSimulation,
    check_patches,
    make_patch_chips,
    official_splits,
    simulate_patches,
)
from headscarp.simulate.radar.passes import ORBITS, footprint_cols
from headscarp.simulate.sen12 import observe_places, patch_facts, patch_ground, window_of, write_patch
from headscarp.split import SplitFile
from tests.sen12.made import file_of, optical, place, power, split_of, square, to_db, write

PLACES = {"s1asc": [(1, 0, 0), (2, 1, 0)], "s1dsc": [(2, 1, 0), (3, 1, 1)]}
SMALL = PatchSimulateOptions(pre=3, post=2, landslides=60, dim_order="time x y")


@pytest.fixture(scope="module")
def splits() -> list[SplitFile]:
    return [split_of([place(*own, series=sensor) for own in places]) for sensor, places in PLACES.items()]


@pytest.fixture(scope="module")
def simulated(splits: list[SplitFile], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sim") / "out"
    simulate_patches(splits, out, SMALL)
    return out


def test_the_layout_is_the_release_s(simulated: Path) -> None:
    files = sorted(path.relative_to(simulated).as_posix() for path in simulated.rglob("*.*"))
    assert files == [
        "data_harmonized/s1asc/hokkaido_s1asc_1.nc",
        "data_harmonized/s1asc/hokkaido_s1asc_2.nc",
        "data_harmonized/s1dsc/hokkaido_s1dsc_2.nc",
        "data_harmonized/s1dsc/hokkaido_s1dsc_3.nc",
        "patches.json",
    ]
    record = PatchSimulation.model_validate_json((simulated / "patches.json").read_text())
    assert record.simulated
    assert record.patches == {"s1asc": 2, "s1dsc": 2}
    label = [read_patch(path)["label"].values for path in sorted(simulated.rglob("*s1asc*.nc"))]
    assert record.landslide_share["s1asc"] == round(float(np.mean(label)), 5)
    assert record.landslide_share["s1asc"] > 0


def test_both_readers_agree(simulated: Path) -> None:
    path = simulated / "data_harmonized" / "s1dsc" / "hokkaido_s1dsc_2.nc"
    found, place_ = read_patch(path), place(2, 1, 0)
    with xr.open_dataset(path) as opened:
        plain = opened.load()
    assert plain["VV"].dims == ("time", "x", "y")
    assert (float(plain.x[0]), float(plain.y[0])) == (place_.bounds[0], place_.bounds[3])
    assert (plain.x.values - found.x.values == -5).all()
    assert (plain.y.values - found.y.values == 5).all()
    assert (plain["MASK"].dtype, plain["DEM"].dtype, plain["VV"].dtype) == (np.uint8, np.int16, np.float32)
    for time in range(5):
        np.testing.assert_array_equal(plain["MASK"].values[time].T, found["label"].values)
        np.testing.assert_array_equal(plain["DEM"].values[time].T, found["height_m"].values)
    assert all(isinstance(value, str) for value in plain.attrs.values())
    assert plain.attrs["satellite"] == "s1-dsc"
    assert plain.attrs["pre_post_dates"] == "{'pre': 2, 'post': 3}"
    assert plain.attrs["event_date"] == "2018-09-06"
    assert float(plain.attrs["center_lat"]) == place_.bounds[3] - 640
    assert plain.attrs["annotated"] == str(bool(found["label"].any()))
    vh = plain["VH"].values.swapaxes(1, 2)
    seen = vh != -9999
    assert seen.mean() > 0.9
    assert ((vh[seen] >= -50) & (vh[seen] <= 10)).all()
    np.testing.assert_allclose(found["VH"].values[seen], 10 ** (vh[seen] / 10), rtol=2e-6)
    assert np.isnan(found["VH"].values[~seen]).all()
    assert (plain.time.values < np.datetime64("2018-09-06")).sum() == 3
    boxes = found.attrs["facts"].ann_boxes
    assert len(boxes) == len(found.attrs["facts"].ann_ids)
    assert all(shapely.box(*box).intersects(shapely.box(*place_.bounds)) for box in boxes)


def test_ground_that_two_patches_share_is_the_same(
    splits: list[SplitFile], simulated: Path, tmp_path: Path
) -> None:
    """The label of a place is one for both orbits; values of a place hang on nothing else."""
    folder = simulated / "data_harmonized"
    both = [read_patch(folder / s / f"hokkaido_{s}_2.nc") for s in ("s1asc", "s1dsc")]
    np.testing.assert_array_equal(both[0]["label"].values, both[1]["label"].values)
    np.testing.assert_array_equal(both[0]["height_m"].values, both[1]["height_m"].values)
    assert not np.array_equal(both[0]["VV"].values, both[1]["VV"].values)
    rise = np.diff(both[0]["height_m"].values, axis=0)
    assert np.abs(rise).max() > 0


def test_official_splits_and_chips_fit(splits: list[SplitFile], simulated: Path, tmp_path: Path) -> None:
    root = simulated / "data_harmonized"
    store = make_patch_chips(root, ["s1asc"], "group2", splits, tmp_path / "a.zarr")
    assert [chip.id for chip in official_splits(store.facts, splits[:1])["s1asc"].chips] == [
        "hokkaido_1",
        "hokkaido_2",
    ]
    report = check_patches(root, "s1dsc", splits)
    assert (report.written, report.date_sources) == (2, {"event_date": 2})
    x, label, _ = store.read([0, 1])
    slid = label == 1
    assert np.nanmedian(x[:, 1][slid]) > np.nanmedian(x[:, 1][~slid]) + 0.5  # VH falls where forest went


def test_what_stands_there_is_kept(splits: list[SplitFile], simulated: Path) -> None:
    with pytest.raises(OutputError, match="overwrite"):
        simulate_patches(splits, simulated, SMALL)
    with pytest.raises(OptionsError, match="sensors among s1asc, s1dsc, s2"):
        simulate_patches(splits, simulated, SMALL.model_copy(update={"sensors": ("s3",)}), overwrite=True)
    with pytest.raises(OptionsError, match="inventories"):
        simulate_patches(splits, simulated, SMALL.model_copy(update={"inventory": "noto"}), overwrite=True)
    assert len(list(simulated.rglob("*.nc"))) == 4


def test_the_ground_holds_every_place_and_both_swaths() -> None:
    places = [place(1, 0, 0), place(2, 15, 16)]
    geobox = patch_ground(places)
    rows, cols = window_of(geobox, places[0].bounds)
    assert (rows.stop - rows.start, cols.stop - cols.start) == (128, 128)
    assert rows.start == 64
    last = window_of(geobox, places[1].bounds)
    assert (last[0].stop, last[1].stop) == (geobox.shape[0] - 64, geobox.shape[1] - 64)
    assert all(footprint_cols(geobox.shape[1], orbit).start <= cols.start for orbit in ORBITS)
    with pytest.raises(GridError, match="simulated ground"):
        window_of(geobox, place(3, 17, 0).bounds)
    off = place(4, 1, 0).model_copy(update={"bounds": (570885.0, 4747520.0, 572165.0, 4748800.0)})
    with pytest.raises(GridError, match="step"):
        window_of(geobox, off.bounds)
    with pytest.raises(GridError, match="multiples of 10 m"):
        patch_ground([*places, off])


RELEASES = [(Release.RAW, "raw"), (Release.HARMONIZED, "harmonized")]


@pytest.mark.parametrize(("release", "folder"), RELEASES)
def test_the_writer_gives_back_what_was_read(tmp_path: Path, release: Release, folder: str) -> None:
    values = power(3)
    values[0, 0, 0, 0] = -9999
    stored = values if release is Release.RAW else np.where(values < 0, -9999, to_db(np.abs(values)))
    path = write(
        tmp_path / folder / "s1asc" / "hokkaido_s1asc_1.nc", file_of(bands={"VV": stored[0], "VH": stored[1]})
    )
    first = read_patch(path)
    again = tmp_path / folder / "again" / "hokkaido_s1asc_1.nc"
    again.parent.mkdir()
    write_patch(again, first, first.attrs["facts"])
    assert [p.name for p in again.parent.iterdir()] == [again.name]
    second = read_patch(again)
    assert second.attrs["facts"] == first.attrs["facts"]
    for name in ("VV", "VH", "label", "height_m"):
        np.testing.assert_allclose(second[name].values, first[name].values, rtol=2e-6)
    with xr.open_dataset(path) as one, xr.open_dataset(again) as other:
        assert other["VV"].values[0, 0, 0] == -9999
        assert {k: v for k, v in one.attrs.items() if k != "ann_bbox"} == {
            k: v for k, v in other.attrs.items() if k != "ann_bbox"
        }
        assert one["spatial_ref"].attrs["GeoTransform"] == other["spatial_ref"].attrs["GeoTransform"]


def test_the_writer_clips_as_the_releases_do(tmp_path: Path) -> None:
    vv = np.full((6, 128, 128), 0.01, np.float32)
    vv[0, 0, :3] = [3.0, 20.0, 1e-7]
    for release, expected in ((Release.RAW, [1, 1, 1e-7]), (Release.HARMONIZED, [4.7712, 10, -50])):
        path = write(
            tmp_path / "raw" / "s1asc" / "hokkaido_s1asc_1.nc",
            file_of(bands={"VV": vv * 0.01, "VH": vv * 0.01}),
        )
        patch = read_patch(path)
        patch["VV"] = patch["VV"].copy(data=vv)
        facts: PatchFacts = patch.attrs["facts"].model_copy(update={"release": release})
        out = tmp_path / f"{release}_s1asc_1.nc"
        write_patch(out, patch, facts)
        with xr.open_dataset(out) as plain:
            np.testing.assert_allclose(plain["VV"].values[0, 0, :3], expected, rtol=1e-4)


def test_sentinel_2_goes_there_and_back(tmp_path: Path) -> None:
    bands = optical()
    bands["B03"][0, 0, 0] = -9999
    path = write(tmp_path / "raw" / "s2" / "hokkaido_s2_1.nc", file_of("s2", bands=bands, mask=square()))
    patch = read_patch(path)
    out = tmp_path / "hokkaido_s2_1.nc"
    write_patch(out, patch, patch.attrs["facts"], "time x y")
    with xr.open_dataset(path) as one, xr.open_dataset(out) as other:
        for name in (*bands, "MASK", "DEM"):
            np.testing.assert_array_equal(one[name].values, other[name].transpose("time", "y", "x").values)
            assert one[name].dtype == other[name].dtype


def test_a_place_is_a_window_of_the_event(splits: list[SplitFile]) -> None:
    """Observed alone or with others, and written day by day, a patch is the event's own values."""
    from headscarp.simulate.event import simulate_event
    from headscarp.simulate.options import SimulateOptions

    event = simulate_event(SimulateOptions(size_px=288, pre=1, post=1, landslides=20, date="2018-09-06"))
    left, top = 580000.0 + 1000.0, 4730000.0 - 200.0
    one = place(1, 0, 0).model_copy(update={"bounds": (left, top - 1280.0, left + 1280.0, top)})
    far = place(2, 0, 0).model_copy(update={"bounds": (left + 300, top - 2500, left + 1580, top - 1220)})
    alone, (together, _) = (
        observe_places(event, "s1dsc", [one])[0],
        observe_places(event, "s1dsc", [one, far]),
    )
    passes = [p for p in event.passes if p.orbit.state.value == "descending"]
    for patch in (alone, together):
        for time, acquisition in enumerate(passes):
            expected = event.observe(acquisition, slice(20, 148), slice(100, 228))
            np.testing.assert_array_equal(patch["VV"].values[time], expected[0])
            np.testing.assert_array_equal(patch["VH"].values[time], expected[1])
        np.testing.assert_array_equal(patch["label"].values, event.label[20:148, 100:228])
    facts = patch_facts(event, one, "s1dsc", Release.RAW, date(2018, 9, 6))
    inside = [p for p in event.inventory.geometry if p.intersects(shapely.box(*one.bounds))]
    assert len(facts.ann_ids) == len(inside)
    assert facts.brackets[0] == tuple(p.acquired.date() for p in passes)


@pytest.mark.slow
def test_a_simulated_hokkaido_stands_at_the_official_places(real_data: Path, tmp_path: Path) -> None:
    task = real_data / "sen12landslides/tasks/S12LS-LD/harmonized"
    official = [found.split for found in read_task_splits(task)]
    record = simulate_patches(official, tmp_path / "sim", PatchSimulateOptions(pre=1, post=1))
    assert record.patches == {"s1asc": 144, "s1dsc": 144}
    for sensor, split in (("s1asc", official[0]), ("s1dsc", official[1])):
        report = check_patches(tmp_path / "sim/data_harmonized", sensor, official, inventories=["hokkaido"])
        assert (report.asked, report.written, report.foreign) == (144, 144, ())
        for chip in (chip for chip in split.chips if chip.event == "hokkaido"):
            name = f"hokkaido_{sensor}_{chip.id.rsplit('_', 1)[1]}.nc"
            with xr.open_dataset(tmp_path / "sim/data_harmonized" / sensor / name) as plain:
                assert (float(plain.x[0]), float(plain.y[0])) == (chip.bounds[0], chip.bounds[3])
                assert (plain["VV"].values != -9999).mean() > 0.9
