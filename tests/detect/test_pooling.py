"""Scores pooled over neighbours, against naive windows, and the null that is fitted again."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from headscarp.detect.log_ratio import LogRatio
from headscarp.detect.null import NullOptions
from headscarp.detect.options import WIDEST_PX, DetectOptions, make_detector
from headscarp.detect.pooling import PooledDetector, Pooling, halo_of, window_mean
from headscarp.detect.robust import robust_std
from headscarp.features.change import Change
from tests.detect.made_change import ONE_ORBIT, change_from, planted, still_ground

PLACE = {"y": slice(40, 47), "x": slice(50, 57)}


@pytest.fixture
def change(rng: np.random.Generator) -> Change:
    return still_ground(rng, (90, 100))


def naive_mean(values: np.ndarray, window_px: int) -> np.ndarray:
    half = window_px // 2
    out = np.full(values.shape, np.nan)
    for i, j in np.ndindex(values.shape):
        if np.isfinite(values[i, j]):
            near = values[max(i - half, 0) : i + half + 1, max(j - half, 0) : j + half + 1]
            out[i, j] = np.nanmean(near)
    return out


@pytest.mark.parametrize("window_px", [1, 3, 5, 9, WIDEST_PX])
def test_window_mean_is_that_of_a_loop(rng: np.random.Generator, window_px: int) -> None:
    values = rng.normal(0, 3, (14, 17)).astype(np.float32)
    values[rng.random(values.shape) < 0.4] = np.nan
    values[:6, :6] = np.nan
    values[2, 2] = 7.0  # alone in its neighbourhood
    found = window_mean(values, window_px)
    np.testing.assert_allclose(found, naive_mean(values, window_px), rtol=1e-4, atol=1e-5)
    assert found.dtype == np.float32
    stacked = window_mean(np.stack([values, 2 * values]), window_px)
    np.testing.assert_allclose(stacked[1], 2 * found, rtol=1e-5)
    np.testing.assert_array_equal(stacked[0], found)


def test_halo_is_half_of_the_widest_window() -> None:
    assert [halo_of(w) for w in ((1,), (1, 3), (1, 3, 9))] == [0, 1, 4]


def test_a_pooled_score_by_hand() -> None:
    """Windows of 1 and 3 with spreads 2 and 0.5, their sum of 4: (8/2 + 8/9/0.5) / 4 in the middle."""
    score = np.zeros((5, 5), np.float32)
    score[2, 2] = 8.0
    found = Pooling((1, 3), (2.0, 0.5), 4.0).apply(score)
    assert found[2, 2] == pytest.approx((4 + 8 / 9 / 0.5) / 4)
    assert found[1, 1] == pytest.approx(8 / 9 / 0.5 / 4)
    assert found[0, 0] == 0


@pytest.mark.parametrize("windows_px", [(3,), (1, 3, 5), (1, 9)])
def test_noise_of_the_pooled_score_is_1(change: Change, windows_px: tuple[int, ...]) -> None:
    pooled = PooledDetector(LogRatio(), windows_px, NullOptions()).fit(change)
    score = pooled.score(change)
    assert robust_std(score.values.ravel()) == pytest.approx(1, rel=1e-3)
    assert robust_std(pooled.orbit_scores(change).values.ravel()) == pytest.approx(1, rel=1e-3)
    # white noise: the mean of w² scores scatters a w-th as much
    for window, spread in zip(windows_px, pooled.pooling.spread, strict=True):
        assert spread == pytest.approx(1 / window, rel=0.12)
    assert pooled.record()["windows_px"] == list(windows_px)


def test_the_spread_of_a_window_knows_how_neighbours_hang_together(rng: np.random.Generator) -> None:
    values = rng.normal(size=(1, 2, 45, 50)).repeat(2, axis=2).repeat(2, axis=3)
    pooled = PooledDetector(LogRatio(), (1, 3), NullOptions()).fit(change_from(values, ONE_ORBIT))
    assert pooled.pooling.spread[1] > 0.5  # not a third


def test_the_null_is_that_of_the_pooled_score(change: Change) -> None:
    slid = planted(change, PLACE, 2.5)
    options = NullOptions(prior_landslide=0.02, direction="loss")
    pooled = PooledDetector(LogRatio(options), (1, 3, 5), options).fit(slid)
    bare = LogRatio(options).fit(slid)
    assert pooled.null.std == pytest.approx(1, abs=0.06)
    record = pooled.record()
    assert (record["null_mean"], record["null_std"]) == (pooled.null.mean, pooled.null.std)
    assert (record["prior_landslide"], record["direction"]) == (0.02, "loss")
    assert record["null_mean"] != bare.null.mean
    score = pooled.score(slid)
    np.testing.assert_array_equal(pooled.probability(score).values, pooled.null.probability(score.values))
    z = np.linspace(-4, 4, 9)
    np.testing.assert_array_equal(pooled.null_density(z), pooled.null.density(z))


def test_pooling_finds_what_single_pixels_do_not_show(change: Change) -> None:
    slid = planted(change, PLACE, 1.6)
    inside = np.zeros((90, 100), bool)
    inside[PLACE["y"], PLACE["x"]] = True
    found = {}
    for windows_px in ((1,), (1, 3, 5)):
        fitted = make_detector(DetectOptions(detector="log-ratio", windows_px=windows_px)).fit(slid)
        found[windows_px] = fitted.score(slid).values
    contrast = {w: np.median(z[inside]) / robust_std(z[~inside]) for w, z in found.items()}
    assert contrast[1, 3, 5] > 2 * contrast[(1,)]


def test_windows_of_one_pixel_leave_the_detector_as_it_is() -> None:
    bare = make_detector(DetectOptions(detector="log-ratio", windows_px=(1,)))
    assert bare == LogRatio(NullOptions())
    pooled = make_detector(DetectOptions(detector="log-ratio", direction="gain", prior_landslide=0.1))
    options = NullOptions(prior_landslide=0.1, direction="gain")
    assert pooled == PooledDetector(LogRatio(options), (1, 3, 5), options)


def test_each_orbit_has_spreads_of_its_own(rng: np.random.Generator) -> None:
    """White noise in one orbit, blocks of 2 × 2 in the other."""
    orbits = {"ascending 68": "ascending", "descending 46": "descending"}
    rough = rng.normal(size=(2, 80, 90))
    blocks = rng.normal(size=(2, 40, 45)).repeat(2, axis=1).repeat(2, axis=2)
    made = change_from(np.stack([rough, blocks]), orbits)
    fitted = PooledDetector(LogRatio(), (1, 3), NullOptions()).fit(made)
    spreads = {label: own.spread[1] for label, own in fitted.orbit_pooling.items()}
    assert spreads["descending 46"] > 1.4 * spreads["ascending 68"]
    scores = fitted.orbit_scores(made)
    assert isinstance(scores, xr.DataArray)
    for own in scores:
        assert robust_std(own.values.ravel()) == pytest.approx(1, rel=1e-3)
