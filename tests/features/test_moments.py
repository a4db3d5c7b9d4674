"""Moments of dates in decibels, against numpy and against naive loops over pixels."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from headscarp.features.change import Split, change_of_stack, change_of_stacks
from headscarp.features.moments import COVARIANCE, FIRST_POST, LAST_PRE, MOMENTS, covariance, cusum, mean

SHAPE = (6, 7)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def dates(rng: np.random.Generator, count: int, missing: float = 0.3) -> NDArray[np.float32]:
    values = rng.normal(-12, 2, (count, *SHAPE)).astype(np.float32)
    values[rng.random(values.shape) < missing] = np.nan
    values[:, 0, 0] = np.nan
    values[1:, 0, 1] = np.nan
    return values


def by_pixel(function: object, *stacks: NDArray[np.float32]) -> NDArray[np.float64]:
    """A naive loop over pixels, each with its dates in a row."""
    out = np.full(SHAPE, np.nan)
    for index in np.ndindex(SHAPE):
        out[index] = function(*(stack[(slice(None), *index)] for stack in stacks))  # type: ignore[operator]
    return out


def seen(row: NDArray[np.float32]) -> NDArray[np.float64]:
    return row[np.isfinite(row)].astype(np.float64)


def mean_of(row: NDArray[np.float32]) -> float:
    return float(np.mean(seen(row))) if seen(row).size else np.nan


def variance_of(row: NDArray[np.float32]) -> float:
    return float(np.var(seen(row), ddof=1)) if seen(row).size > 1 else np.nan


def covariance_of(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    return float(np.cov(a[both], b[both])[0, 1]) if both.sum() > 1 else np.nan


def cusum_of(pre: NDArray[np.float32], post: NDArray[np.float32]) -> float:
    if not seen(pre).size or not seen(post).size:
        return np.nan
    loss = gain = 0.0
    for value in seen(post):
        loss = max(0.0, loss + mean_of(pre) - value)
        gain = max(0.0, gain - mean_of(pre) + value)
    return loss - gain


@pytest.mark.parametrize("count", [1, 2, 5])
def test_mean_and_variance_are_those_of_numpy_over_the_dates_seen(
    rng: np.random.Generator, count: int
) -> None:
    values = dates(rng, count)
    np.testing.assert_allclose(mean(values), by_pixel(mean_of, values), rtol=1e-6)
    np.testing.assert_allclose(
        covariance(values, values), by_pixel(variance_of, values), rtol=1e-4, atol=1e-4
    )
    assert mean(values).dtype == covariance(values, values).dtype == np.float32
    assert np.isnan(mean(values)[0, 0])
    assert np.isnan(covariance(values, values)[0, 1])


def test_covariance_is_that_of_numpy_over_the_dates_that_saw_both(rng: np.random.Generator) -> None:
    first = dates(rng, 6)
    second = (0.6 * first + dates(rng, 6)).astype(np.float32)
    expected = by_pixel(covariance_of, first, second)
    np.testing.assert_allclose(covariance(first, second), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(covariance(second, first), expected, rtol=1e-4, atol=1e-4)
    assert np.isnan(expected).any()
    assert (expected[np.isfinite(expected)] != 0).all()


@pytest.mark.parametrize("post", [1, 4])
def test_cusum_is_that_of_a_loop(rng: np.random.Generator, post: int) -> None:
    before, after = dates(rng, 5), dates(rng, post)
    found = cusum(before, after)
    np.testing.assert_allclose(found, by_pixel(cusum_of, before, after), rtol=1e-4, atol=1e-3)
    assert np.isnan(found[0, 0])
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ([-12.0, -13.0], 5.0),  # 2, then 2 + 3
        ([-12.0, -5.0, -11.0], 1.0 - 4.0),  # L: 2, 0 (not −3), 1; G: 0, 5, 4
        ([-5.0, -12.0], 2.0 - 3.0),  # a gain forgotten by the loss after it, not by its own sum
        ([-12.0, np.nan, -12.0], 4.0),  # a date that did not see adds nothing
        ([-10.0, -10.0], 0.0),
    ],
)
def test_cusum_by_hand_with_its_resets(post: list[float], expected: float) -> None:
    """Against a level of −10 dB before."""
    before = np.array([-11.0, -9.0, np.nan], np.float32)[:, None]
    after = np.array(post, np.float32)[:, None]
    assert cusum(before, after).item() == pytest.approx(expected, abs=1e-5)


def test_no_dates_at_all_are_nan() -> None:
    nothing = np.full((0, *SHAPE), np.nan, np.float32)
    for found in (mean(nothing), covariance(nothing, nothing), cusum(nothing, nothing)):
        assert found.shape == SHAPE
        assert np.isnan(found).all()


def stack_of(rng: np.random.Generator, pols: tuple[str, ...] = ("VV", "VH")) -> xr.Dataset:
    power = {pol: rng.gamma(6, 0.02, (7, *SHAPE)).astype(np.float32) for pol in pols}
    for values in power.values():
        values[rng.random(values.shape) < 0.2] = np.nan
    times = np.datetime64("2024-01-01", "ns") + np.arange(7) * np.timedelta64(12, "D")
    bands = {pol: (("time", "y", "x"), values) for pol, values in power.items()}
    return xr.Dataset(bands, coords={"time": times}, attrs={"orbit_state": "ascending"})


def last_of(row: NDArray[np.float32]) -> float:
    return float(seen(row)[-1]) if len(seen(row)) else np.nan


def test_a_change_carries_the_moments_that_are_asked_for(rng: np.random.Generator) -> None:
    stack = stack_of(rng)
    split = Split((0, 2, 3, 5), (1, 4, 6))
    change = change_of_stacks({"a": stack}, {"a": split}, (*MOMENTS, COVARIANCE)).sel(orbit="a")
    pre, post = (
        {pol: 10 * np.log10(stack[pol].values[list(side)]) for pol in ("VV", "VH")}
        for side in (split.pre, split.post)
    )
    for pol in ("VV", "VH"):
        own = change.sel(polarization=pol)
        expected = {
            "mean_change_db": by_pixel(mean_of, pre[pol]) - by_pixel(mean_of, post[pol]),
            "pre_variance_db2": by_pixel(variance_of, pre[pol]),
            "post_variance_db2": by_pixel(variance_of, post[pol]),
            "cusum_db": by_pixel(cusum_of, pre[pol], post[pol]),
            LAST_PRE: by_pixel(last_of, pre[pol]),
            FIRST_POST: by_pixel(lambda row: last_of(row[::-1]), post[pol]),
            COVARIANCE: by_pixel(covariance_of, pre["VV"], pre["VH"]),
        }
        assert set(MOMENTS) | {COVARIANCE} == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(own[name], values, rtol=1e-3, atol=1e-3, err_msg=name)


def test_moments_change_nothing_else_and_only_those_asked_for_come(rng: np.random.Generator) -> None:
    stack, split = stack_of(rng), Split((0, 1, 2), (3, 4))
    bare = change_of_stack(stack, split, ["VV", "VH"])
    some = change_of_stack(stack, split, ["VV", "VH"], ("cusum_db", "change_db"))
    assert set(some.data_vars) - set(bare.data_vars) == {"cusum_db"}
    xr.testing.assert_identical(some[list(bare.data_vars)], bare)


def test_a_stack_of_one_polarisation_has_no_covariance(rng: np.random.Generator) -> None:
    one = stack_of(rng, ("VH",))
    split = Split((0, 1, 2), (3, 4))
    change = change_of_stack(one, split, ["VV", "VH"], (COVARIANCE, "pre_variance_db2"))
    assert np.isnan(change[COVARIANCE]).all()
    assert np.isnan(change["pre_variance_db2"].sel(polarization="VV")).all()
    assert np.isfinite(change["pre_variance_db2"].sel(polarization="VH")).any()


def test_a_date_without_backscatter_is_no_date(rng: np.random.Generator) -> None:
    """Power of zero has no decibels: it is left out, silently."""
    stack = stack_of(rng, ("VV",))
    stack["VV"].values[0] = 0.0
    split = Split((0, 1, 2, 3), (4, 5, 6))
    found = change_of_stack(stack, split, ["VV"], tuple(MOMENTS))
    without = change_of_stack(stack, Split((1, 2, 3), (4, 5, 6)), ["VV"], tuple(MOMENTS))
    for name in MOMENTS:
        np.testing.assert_allclose(found[name], without[name], rtol=1e-5, err_msg=name)
