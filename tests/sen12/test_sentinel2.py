"""Simulated Sentinel-2 patches: spectra, clouds, and the release's layout, read by us and by plain xarray."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from headscarp.ingest.sen12.patch import S2_BANDS, read_patch
from headscarp.pipeline.sen12 import PatchSimulateOptions, check_patches, simulate_patches
from headscarp.pipeline.sen12.optical import optical_layers
from headscarp.simulate.event import SimulatedEvent, simulate_event
from headscarp.simulate.ground import LandCover
from headscarp.simulate.options import SimulateOptions
from headscarp.simulate.sentinel2 import (
    SHADOW_PX,
    SPECTRA,
    cloud_share,
    image_window,
    optical_dates,
    sky_over,
    spectra_of,
)
from headscarp.split import SplitFile
from tests.sen12.made import place, split_of

DAY = date(2018, 9, 6)
WINDOW = slice(20, 148), slice(100, 228)


@pytest.fixture(scope="module")
def event() -> SimulatedEvent:
    return simulate_event(SimulateOptions(size_px=288, pre=1, post=1, landslides=30, date=str(DAY)))


@pytest.fixture(scope="module")
def images(event: SimulatedEvent) -> xr.Dataset:
    return image_window(event, *WINDOW, DAY, 8, 7)


def test_fifteen_dates_around_the_event_and_none_on_it() -> None:
    dates = optical_dates(DAY, 8, 7)
    assert len(dates) == 15
    assert sum(day < DAY for day in dates) == 8
    assert DAY not in dates
    assert {(b - a).days for a, b in pairwise(dates)} == {10}


def test_spectra_give_the_ndvi_back_and_mix_in_between() -> None:
    ndvi = np.linspace(-0.2, 0.9, 12, dtype=np.float32)
    cover = np.full(12, LandCover.FOREST, np.uint8)
    bands = spectra_of(ndvi, cover)
    np.testing.assert_allclose((bands["B08"] - bands["B04"]) / (bands["B08"] + bands["B04"]), ndvi, atol=1e-6)
    half = spectra_of(np.float32([(0.1 + 0.85) / 2]), cover[:1])
    for band, (plant, soil, wet) in SPECTRA.items():
        if band not in ("B04", "B08"):
            assert half[band] == pytest.approx([(plant + soil) / 2])
            assert spectra_of(ndvi[:1], np.uint8([LandCover.WATER]))[band] == pytest.approx([wet])
    assert bands["B12"][0] == pytest.approx(SPECTRA["B12"][1])
    assert bands["B12"][-1] == pytest.approx(SPECTRA["B12"][0])


def test_clouds_are_where_the_classes_say_and_a_window_is_the_whole(event: SimulatedEvent) -> None:
    seed, days = event.options.seed, optical_dates(DAY, 40, 40)
    shares = np.array([cloud_share(seed, day) for day in days])
    assert 0.2 < (shares == 0).mean() < 0.6
    cloudy = days[int(np.argmin(np.abs(shares - 0.5)))]
    whole = sky_over(seed, cloudy, slice(0, 900), slice(0, 900))
    assert whole.cloud.mean() == pytest.approx(cloud_share(seed, cloudy), abs=0.1)
    part = sky_over(seed, cloudy, slice(200, 300), slice(410, 500))
    np.testing.assert_array_equal(part.cloud, whole.cloud[200:300, 410:500])
    np.testing.assert_array_equal(part.shadow, whole.shadow[200:300, 410:500])
    assert not (whole.cloud & whole.shadow).any()
    rows, cols = np.nonzero(whole.shadow[:-SHADOW_PX, :-SHADOW_PX])
    assert len(rows) > 0
    assert whole.cloud[rows + SHADOW_PX, cols + SHADOW_PX].all()


def test_clear_pixels_show_the_event_and_clouds_hide_it(event: SimulatedEvent, images: xr.Dataset) -> None:
    red, nir, classes = (images[name].values for name in ("B04", "B08", "SCL"))
    ndvi = (nir - red) / (nir + red)
    clear = np.isin(classes, (4, 5, 6))
    for time, when in enumerate(optical_dates(DAY, 8, 7)):
        truth = (event.ndvi_post if when > DAY else event.ndvi_pre)[WINDOW]
        np.testing.assert_allclose(ndvi[time][clear[time]], truth[clear[time]], atol=2e-3)
        assert set(np.unique(classes[time][~clear[time]])) <= {3, 9}
        sky = sky_over(event.options.seed, when, *WINDOW)
        np.testing.assert_array_equal(classes[time] == 9, sky.cloud)
        np.testing.assert_array_equal(classes[time] == 3, sky.shadow)
    assert (red[classes == 9] == 6000).all()
    assert 0.2 < clear.mean() < 1
    slid = images["label"].values == 1
    assert np.isin(classes[:8, slid][clear[:8, slid]], (4,)).mean() > 0.8
    assert np.isin(classes[8:, slid][clear[8:, slid]], (5,)).mean() > 0.8


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    splits: list[SplitFile] = [split_of([place(1, 0, 0, series=s)]) for s in ("s1asc", "aligned")]
    out = tmp_path_factory.mktemp("sim") / "out"
    options = PatchSimulateOptions(
        pre=3, post=2, landslides=40, sensors=("s1asc", "s2"), dim_order="time x y"
    )
    assert simulate_patches(splits, out, options).patches == {"s1asc": 1, "s2": 1}
    return out / "data_harmonized"


def test_both_readers_agree(simulated: Path) -> None:
    path = simulated / "s2/hokkaido_s2_1.nc"
    found = read_patch(path)
    with xr.open_dataset(path) as opened:
        plain = opened.load()
    assert plain["B02"].dims == ("time", "x", "y")
    assert set(plain.data_vars) == {*S2_BANDS, "SCL", "MASK", "DEM", "spatial_ref"}
    assert {plain[name].dtype for name in (*S2_BANDS, "SCL")} == {np.dtype(np.int16)}
    for name in (*S2_BANDS, "SCL"):
        np.testing.assert_array_equal(plain[name].transpose("time", "y", "x").values, found[name].values)
        assert plain[name].values.min() >= 1
    assert plain.attrs["satellite"] == "s2"
    assert plain.attrs["pre_post_dates"] == "{'pre': 2, 'post': 3}"
    facts = found.attrs["facts"]
    assert (facts.orbit_state, facts.sensor) == (None, "s2")
    assert [str(day) for day in facts.brackets[0]] == ["2018-08-31", "2018-09-10"]
    radar = read_patch(simulated / "s1asc/hokkaido_s1asc_1.nc")
    np.testing.assert_array_equal(found["label"].values, radar["label"].values)
    assert facts.bounds == radar.attrs["facts"].bounds
    report = check_patches(simulated, "s2")
    assert (report.written, report.date_sources, report.foreign) == (1, {"event_date": 1}, ())


def test_its_medians_fall_where_the_landslides_are(simulated: Path) -> None:
    from headscarp.pipeline.sen12.dates import split_patch

    patch = read_patch(simulated / "s2/hokkaido_s2_1.nc")
    names = ["raster:s2_ndvi_pre", "raster:s2_ndvi_post"]
    pre, post = optical_layers(patch, split_patch(patch).split, names, 0.0).values()
    slid = patch["label"].values == 1
    fall = pre - post
    assert slid.any()
    assert np.nanmedian(fall[slid]) > 0.3
    assert np.nanmedian(fall[~slid]) < 0.15
