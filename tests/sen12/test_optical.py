"""Sentinel-2 beside the radar: medians of clear dates against a loop, and what is said of patches without."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headscarp.chips.store import ChipError, ChipStore
from headscarp.errors import OptionsError, OutputError
from headscarp.features.sets import FeatureSet, feature_set
from headscarp.ingest.sen12.facts import PatchError
from headscarp.ingest.sen12.patch import read_patch
from headscarp.pipeline.sen12 import make_patch_chips, read_patch_report
from headscarp.pipeline.sen12.dates import split_patch
from headscarp.pipeline.sen12.optical import S2_CHANNELS, hidden_px, optical_layers
from headscarp.pipeline.sen12.variants import DEM_CHANNELS, with_variants
from headscarp.split import SplitFile
from tests.sen12.conftest import write_s2
from tests.sen12.made import S2, file_of, optical, square, write

BOTH = ("s1asc", "s1dsc")
HIDING = {0, 1, 3, 8, 9, 10, 11}
GROUP1_S2 = with_variants(feature_set("group1"), ("s2",), -1000.0)


@pytest.fixture(scope="module")
def whole_root(made_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Never written to."""
    copied = Path(shutil.copytree(made_root, tmp_path_factory.mktemp("s2") / "data_harmonized"))
    for number in range(6):
        write_s2(copied, number)
    return copied


@pytest.fixture
def root(whole_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole_root, tmp_path / "data_harmonized"))


Make = Callable[..., ChipStore]


@pytest.fixture
def make(root: Path, made_splits: list[SplitFile], tmp_path: Path) -> Make:
    def made(features: FeatureSet = GROUP1_S2, offset: float | None = -1000.0, **given: object) -> ChipStore:
        path = tmp_path / "a.zarr"
        return make_patch_chips(root, BOTH, features, made_splits, path, s2_offset=offset, **given)

    return made


def naive(bands: dict[str, np.ndarray], name: str, dates: range, row: int, col: int, offset: float) -> float:
    """One pixel, date by date."""
    values = []
    for date in dates:
        if int(bands["SCL"][date, row, col]) in HIDING:
            continue
        stored = {band: float(bands[band][date, row, col]) for band in S2}
        reflectance = {b: max((d + offset) / 10000, 0) if d > 0 else np.nan for b, d in stored.items()}
        if name == "ndvi":
            low, high = reflectance["B04"], reflectance["B08"]
            value = (high - low) / (high + low) if high + low > 0 else np.nan
        else:
            value = reflectance[name.upper()]
        if not np.isnan(value):
            values.append(value)
    return float(np.median(values)) if values else np.nan


@pytest.mark.parametrize("offset", [0.0, -1000.0])
@pytest.mark.parametrize("name", ["ndvi", "b08", "b8a", "b12"])
def test_medians_are_those_of_a_loop_over_clear_dates(tmp_path: Path, offset: float, name: str) -> None:
    bands = optical(5)
    bands["B04"][1, 3, :9], bands["B08"][4, 7, :9], bands["B12"][2, 5, :9] = 0, -9999, 0
    bands["SCL"][:3, 11, :9] = 9
    bands["SCL"][0, :5, :5] = 99  # what is beyond the classes is none
    patch = read_patch(write(tmp_path / "raw/s2/hokkaido_s2_1.nc", file_of("s2", bands=bands)))
    needs = [f"raster:s2_{name}_pre", f"raster:s2_{name}_post"]
    layers = optical_layers(patch, split_patch(patch).split, needs, offset)
    for need, dates in zip(needs, (range(3), range(3, 6)), strict=True):
        known = dict(bands, SCL=np.where(bands["SCL"] > 11, 0, bands["SCL"]))
        for row in (0, 3, 5, 7, 11, 90):
            expected = [naive(known, name, dates, row, col, offset) for col in range(12)]
            np.testing.assert_allclose(layers[need][row, :12], expected, rtol=2e-6, atol=1e-6, equal_nan=True)
    assert np.isnan(layers[needs[0]][11, :9]).all()
    assert np.isfinite(layers[needs[1]][11, :9]).any()


def test_the_channels_stand_behind_those_of_the_radar(make: Make) -> None:
    store = make()
    assert store.facts.features.channels == ("change_vv_fused_db", "change_vh_fused_db", *S2_CHANNELS)
    assert store.facts.features.name == "group1_s2_offset-1000"
    x, _, _ = store.read([4])
    bands = optical(4)
    for place, (name, side) in enumerate(
        [(n, s) for s in ("pre", "post") for n in ("ndvi", "b04", "b08", "b11")], start=2
    ):
        dates = range(3) if side == "pre" else range(3, 6)
        expected = [naive(bands, name, dates, 60, col, -1000.0) for col in range(30)]
        np.testing.assert_allclose(x[0, place, 60, :30], expected, rtol=2e-6, atol=1e-6, equal_nan=True)
    report = read_patch_report(store.path)
    assert (report.written, report.without_s2) == (6, ())
    hidden = [
        sum(int(np.isin(optical(n)["SCL"][dates], list(HIDING)).all(axis=0).sum()) for n in range(6))
        for dates in (slice(0, 3), slice(3, 6))
    ]
    assert all(0 <= told - own <= 3 for told, own in zip(report.s2_hidden_px, hidden, strict=True))
    assert hidden[0] > 1000


def test_a_series_shows_them_at_each_date(make: Make) -> None:
    store = make(with_variants(feature_set("series_ascending"), ("dem", "s2"), 0.0), 0.0)
    assert store.facts.features.channels[2:] == (*DEM_CHANNELS, *S2_CHANNELS)
    x, _, days = store.read([2])
    assert days is not None
    ndvi = x[0, :6, 6]
    assert all(np.array_equal(each, ndvi[0], equal_nan=True) for each in ndvi)
    bands = optical(2)
    expected = [naive(bands, "ndvi", range(3), 50, col, 0.0) for col in range(30)]
    np.testing.assert_allclose(ndvi[0, 50, :30], expected, rtol=2e-6, atol=1e-6, equal_nan=True)


def test_patches_without_sentinel_2_are_kept_and_named(root: Path, make: Make) -> None:
    (root / "s2/hokkaido_s2_0.nc").unlink()
    (root / "s2/hokkaido_s2_1.nc").write_bytes(b"corrupt")
    write_s2(root, 2, corner=(570880.0, 4748800.0))
    write_s2(root, 3, mask=square(1))
    bands = optical(4)
    del bands["SCL"]
    write_s2(root, 4, bands=bands)
    (root / "s2/notes.txt").write_text("nothing")
    store = make()
    report = read_patch_report(store.path)
    assert len(store) == report.written == 6
    told = {refusal.id: refusal.reason for refusal in report.without_s2}
    assert sorted(told) == [f"hokkaido_{n}" for n in range(5)]
    fragments = ("no s2 file", "NetCDF", "s2 at EPSG:32654", "pixels of MASK that differ", "SCL")
    assert all(part in told[f"hokkaido_{n}"] for n, part in enumerate(fragments))
    assert [refusal.id for refusal in report.foreign] == ["notes"]
    x, label, _ = store.read(range(6))
    assert np.isnan(x[:5, 2:]).all()
    assert np.isfinite(x[:5, :2]).all()
    assert np.isfinite(x[5, 2:]).mean() > 0.5
    assert not (label == 255).any()  # what the radar saw counts, with Sentinel-2 or without


def test_no_partner_at_all_is_refused(root: Path, make: Make, tmp_path: Path) -> None:
    for path in (root / "s2").iterdir():
        path.unlink()
    with pytest.raises(ChipError, match="none of 6 could be used; hokkaido_0: no s2 file"):
        make()
    assert not (tmp_path / "a.zarr").exists()
    (root / "s2").rmdir()
    with pytest.raises(OptionsError, match="a folder with patches"):
        make()


def test_offset_and_files_of_sentinel_2_decide_about_the_store(root: Path, make: Make) -> None:
    key = make().facts.key
    with pytest.raises(OptionsError, match="s2_offset"):
        make(offset=None)
    with pytest.raises(OutputError, match="overwrite"):
        make(offset=0.0)
    write_s2(root, 3, bands=optical(77))
    with pytest.raises(OutputError, match="overwrite"):
        make()
    assert make(overwrite=True).facts.key != key


def test_radar_alone_asks_nothing_of_sentinel_2(root: Path, make: Make) -> None:
    key = make(feature_set("group1"), None).facts.key
    shutil.rmtree(root / "s2")
    assert make(feature_set("group1"), None).facts.key == key


def test_layers_of_other_names_stay_refused(make: Make) -> None:
    for name in ("raster:rain", "raster:s2_b01_pre", "raster:s2_ndvi"):
        with pytest.raises(OptionsError, match=name):
            make(FeatureSet(name="own", channels=("change_vv_fused_db", name)))


def test_hidden_pixels_are_those_that_no_layer_of_a_side_shows() -> None:
    nan = np.nan
    layers = {
        "raster:s2_ndvi_pre": np.float32([[nan, nan, 1]]),
        "raster:s2_b04_pre": np.float32([[nan, 1, 1]]),
        "raster:s2_b04_post": np.float32([[nan, nan, 1]]),
    }
    assert hidden_px(layers) == (1, 2)
    assert hidden_px({}) == (0, 0)


def test_without_scene_classes_nothing_is_clear(tmp_path: Path) -> None:
    bands = optical()
    del bands["SCL"]
    patch = read_patch(write(tmp_path / "raw/s2/hokkaido_s2_1.nc", file_of("s2", bands=bands)))
    with pytest.raises(PatchError, match="SCL"):
        optical_layers(patch, split_patch(patch).split, S2_CHANNELS, 0.0)
