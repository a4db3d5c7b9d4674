"""Patches as chips of a store."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from headscarp.chips.draw import split_places
from headscarp.chips.store import ChipError, ChipStore, open_store
from headscarp.chips.writer import StoreWriter
from headscarp.errors import OptionsError, OutputError
from headscarp.geometry.terrain import slope_deg
from headscarp.pipeline.sen12 import make_patch_chips, official_splits, read_patch_report
from headscarp.split import SplitFile
from tests.sen12.conftest import stored_power, write_patch_of
from tests.sen12.made import height, square, to_db

BOTH = ("s1asc", "s1dsc")


@pytest.fixture
def root(made_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_root, tmp_path / "data_harmonized"))


def decibels(number: int, sensor: str) -> np.ndarray:
    """Stored values, in float64."""
    return to_db(stored_power(number, sensor)).astype(np.float64)


def naive_change(number: int, sensor: str) -> np.ndarray:
    """Median of linear power before minus after, dB, on (polarisation, y, x)."""
    linear = 10 ** (decibels(number, sensor) / 10)
    return 10 * np.log10(np.median(linear[:, :3], axis=1) / np.median(linear[:, 3:], axis=1))


@pytest.fixture(scope="module")
def store(
    made_root: Path, made_splits: list[SplitFile], tmp_path_factory: pytest.TempPathFactory
) -> ChipStore:
    return make_patch_chips(made_root, BOTH, "group1", made_splits, tmp_path_factory.mktemp("g") / "a.zarr")


def test_a_chip_is_a_patch(store: ChipStore) -> None:
    assert [chip.id for chip in store.facts.chips] == [f"hokkaido_{n}" for n in range(6)]
    assert {(chip.event, chip.landslide_px, chip.ignored_px) for chip in store.facts.chips} == {
        ("hokkaido", 144, 0)
    }
    assert store.facts.chips[4].bounds == (572160.0, 4746240.0, 573440.0, 4747520.0)
    assert (store.facts.spacing_m, store.facts.size_px, store.facts.pooling) == (10.0, 128, "orbit_state")
    (event,) = store.facts.events
    assert (event.name, event.pre_dates, event.post_dates) == ("hokkaido", (3, 3), (3, 3))
    assert len({chip.content_sha256 for chip in store.facts.chips}) == 6
    report = read_patch_report(store.path)
    assert (report.asked, report.written, report.date_sources) == (6, 6, {"event_date": 12})


def test_features_are_the_medians_of_plain_numpy(store: ChipStore) -> None:
    x, label, days = store.read([2, 5])
    for place, number in enumerate((2, 5)):
        fused = (naive_change(number, "s1asc") + naive_change(number, "s1dsc")) / 2
        np.testing.assert_allclose(x[place], fused, atol=2e-4)
        np.testing.assert_array_equal(label[place], square(10 * number))
    assert days is None


def test_orbits_dates_and_land_keep_apart(
    made_root: Path, made_splits: list[SplitFile], tmp_path: Path
) -> None:
    from headscarp.features.sets import FeatureSet

    own = FeatureSet(
        name="own", channels=("change_vh_descending_db", "pre_vv_ascending_db", "slope_deg", "height_m")
    )
    x, _, _ = make_patch_chips(made_root, BOTH, own, made_splits, tmp_path / "a.zarr").read([1])
    np.testing.assert_allclose(x[0, 0], naive_change(1, "s1dsc")[1], atol=2e-4)
    before = 10 * np.log10(np.median(10 ** (decibels(1, "s1asc")[0, :3] / 10), axis=0))
    np.testing.assert_allclose(x[0, 1], before, atol=2e-4)
    np.testing.assert_allclose(x[0, 2], slope_deg(height(), (10.0, 10.0)), atol=1e-4)
    np.testing.assert_array_equal(x[0, 3], height())
    series = make_patch_chips(made_root, ["s1dsc"], "series_descending", made_splits, tmp_path / "s.zarr")
    x, _, days = series.read([3])
    assert x.shape == (1, 15, 2, 128, 128)
    assert days is not None
    assert days[0, :6].tolist() == [-42.0, -30.0, -18.0, 0.0, 12.0, 24.0]
    assert np.isnan(days[0, 6:]).all()
    np.testing.assert_allclose(x[0, :6], decibels(3, "s1dsc").transpose(1, 0, 2, 3), atol=2e-4)
    assert np.isnan(x[0, 6:]).all()


def test_what_no_orbit_saw_is_ignored(root: Path, made_splits: list[SplitFile], tmp_path: Path) -> None:
    for sensor in BOTH:
        vv, vh = to_db(stored_power(0, sensor))
        vv[:3, :10], vh[:3, :10] = -9999, -9999
        if sensor == "s1asc":
            vv[:, :20], vh[:, :20] = -9999, -9999
        write_patch_of(root, 0, sensor, bands={"VV": vv, "VH": vh})
    store = make_patch_chips(root, BOTH, "group1", made_splits, tmp_path / "a.zarr")
    x, label, _ = store.read([0])
    assert np.flatnonzero((label[0] == 255).all(axis=1)).tolist() == list(range(10))
    np.testing.assert_allclose(x[0][:, 10:20], naive_change(0, "s1dsc")[:, 10:20], atol=2e-4)
    assert store.facts.chips[0].ignored_px == 1280


def test_whatever_is_left_out_is_named(root: Path, made_splits: list[SplitFile], tmp_path: Path) -> None:
    (root / "s1dsc" / "hokkaido_s1dsc_0.nc").unlink()
    (root / "s1asc" / "hokkaido_s1asc_1.nc").write_bytes(b"corrupt")
    write_patch_of(root, 2, "s1dsc", mask=square(21))
    write_patch_of(root, 3, "s1asc", corner=(570880.0, 4747530.0))
    nothing = np.full((6, 128, 128), -9999, np.float32)
    for sensor in BOTH:
        write_patch_of(root, 4, sensor, bands={"VV": nothing, "VH": nothing})
    path = tmp_path / "a.zarr"
    store = make_patch_chips(root, BOTH, "group1", made_splits, path)
    report = read_patch_report(path)
    assert [chip.id for chip in store.facts.chips] == ["hokkaido_5"]
    assert (report.asked, report.written) == (6, 1)
    assert [(own.id, own.reason) for own in report.missing] == [("hokkaido_0", "no s1dsc file")]
    told = {own.id: own.reason for own in report.refused}
    assert sorted(told) == [f"hokkaido_{n}" for n in (1, 2, 3, 4)]
    assert "NetCDF" in told["hokkaido_1"]
    assert "24 pixels of MASK that differ" in told["hokkaido_2"]
    assert "s1asc at EPSG:32654 (570880.0, 4746250.0" in told["hokkaido_3"]
    assert "no pixel that was observed" in told["hokkaido_4"]
    splits = official_splits(store.facts, made_splits)
    assert (splits["aligned"].made["missing"], splits["aligned"].made["left_out"]) == (5, 0)
    assert split_places(store.facts, splits["aligned"])["test"] == [0]


def test_half_a_pixel_is_too_far(root: Path, made_splits: list[SplitFile], tmp_path: Path) -> None:
    """Centres taken for corners would put every patch 5 m off."""
    for number in range(6):
        corner = (570885.0 + 1280.0 * (number % 3), 4748795.0 - 1280.0 * (number // 3))
        write_patch_of(root, number, "s1asc", corner=corner)
    with pytest.raises(ChipError, match="none of 6"):
        make_patch_chips(root, ["s1asc"], "group2", made_splits, tmp_path / "a.zarr")
    assert not (tmp_path / "a.zarr").exists()


def test_a_day_can_be_given(root: Path, made_splits: list[SplitFile], tmp_path: Path) -> None:
    silent = {"event_date": "", "pre_post_dates": ""}
    for number in range(6):
        write_patch_of(root, number, "s1asc", attributes=silent)
    with pytest.raises(ChipError, match="no event_date"):
        make_patch_chips(root, ["s1asc"], "group2", made_splits, tmp_path / "a.zarr")
    day = date(2018, 9, 6)
    store = make_patch_chips(root, ["s1asc"], "group2", made_splits, tmp_path / "a.zarr", event_date=day)
    assert len(store) == 6
    assert read_patch_report(store.path).date_sources == {"given": 6}


@pytest.mark.parametrize("lost", [False, True])
def test_it_is_taken_up_where_it_stopped(
    made_root: Path, made_splits: list[SplitFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    path, append = tmp_path / "a.zarr", StoreWriter.append

    def cut_off(self: StoreWriter, region: str, chips: list[object]) -> None:
        if region == "hokkaido_4":
            raise KeyboardInterrupt
        append(self, region, chips)  # type: ignore[arg-type]

    monkeypatch.setattr(StoreWriter, "append", cut_off)
    with pytest.raises(KeyboardInterrupt):
        make_patch_chips(made_root, ["s1asc"], "group2", made_splits, path)
    assert not path.exists()
    if lost:
        (tmp_path / ".a.zarr.notes.jsonl").unlink()
    added: list[str] = []
    monkeypatch.setattr(
        StoreWriter, "append", lambda self, region, chips: (added.append(region), append(self, region, chips))
    )
    store = make_patch_chips(made_root, ["s1asc"], "group2", made_splits, path)
    assert [chip.id for chip in store.facts.chips] == [f"hokkaido_{n}" for n in range(6)]
    assert added == ["hokkaido_4", "hokkaido_5"]
    assert read_patch_report(path).written == 6
    np.testing.assert_allclose(store.read([5])[0][0], naive_change(5, "s1asc"), atol=2e-4)
    assert not list(tmp_path.glob(".*"))
    again = make_patch_chips(made_root, ["s1asc"], "group2", made_splits, path)
    assert added == ["hokkaido_4", "hokkaido_5"]
    assert again.facts == store.facts
    with pytest.raises(OutputError, match="overwrite"):
        make_patch_chips(made_root, ["s1dsc"], "group3", made_splits, path)
    assert open_store(path).facts == store.facts


@pytest.mark.parametrize(
    ("sensors", "features", "fragment"),
    [
        (["s1asc"], "orbits", "change_vv_descending_db"),
        (["s1dsc"], "series_ascending", "vv_ascending_db"),
        (["s2"], "group1", "group1"),
        ([], "group1", "no sensor"),
    ],
)
def test_channels_that_no_orbit_gives_are_refused(
    made_root: Path,
    made_splits: list[SplitFile],
    tmp_path: Path,
    sensors: list[str],
    features: str,
    fragment: str,
) -> None:
    with pytest.raises(OptionsError, match=fragment):
        make_patch_chips(made_root, sensors, features, made_splits, tmp_path / "a.zarr")
    assert list(tmp_path.iterdir()) == []


def test_unknown_inventories_are_refused(
    made_root: Path, made_splits: list[SplitFile], tmp_path: Path
) -> None:
    with pytest.raises(OptionsError, match="inventories of the splits: hokkaido"):
        make_patch_chips(made_root, BOTH, "group1", made_splits, tmp_path / "a", inventories=["noto"])
