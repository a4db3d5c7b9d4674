"""Local means and standard deviations: against a loop, at every window, tiled as whole."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headscarp.features.local import MOST_DB, local_statistics, window_sums


def backscatter_db(seed: int, shape: tuple[int, int], gaps: float = 0.2) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    values = rng.normal(-12, 4, shape).astype(np.float32)
    values[rng.random(shape) < gaps] = np.nan
    return values


def naive(values: NDArray[np.float32], side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    reach, (rows, cols) = side // 2, values.shape
    mean, std = np.full((2, rows, cols), np.nan)
    for row in range(rows):
        for col in range(cols):
            if math.isnan(values[row, col]):
                continue
            found = [
                float(values[i, j])
                for i in range(max(row - reach, 0), min(row + reach + 1, rows))
                for j in range(max(col - reach, 0), min(col + reach + 1, cols))
                if not math.isnan(values[i, j])
            ]
            mean[row, col] = math.fsum(found) / len(found)
            std[row, col] = math.sqrt(math.fsum((x - mean[row, col]) ** 2 for x in found) / len(found))
    return mean, std


@pytest.mark.parametrize("side", [3, 5, 11, 29, 99])
def test_they_are_what_a_loop_says(side: int) -> None:
    values = backscatter_db(side, (23, 31))
    mean, std = naive(values, side)
    local = local_statistics(values, side)
    np.testing.assert_allclose(local.mean, mean, atol=1e-5)
    np.testing.assert_allclose(local.std, std, atol=1e-5)
    assert local.mean.dtype == local.std.dtype == np.float32


def test_large_means_cost_no_digits() -> None:
    """A spread of a hundredth of a decibel on 60 dB: float32 sums of squares would lose it."""
    values = (60 + 0.01 * np.random.default_rng(1).normal(size=(40, 40))).astype(np.float32)
    _, std = naive(values, 11)
    np.testing.assert_allclose(local_statistics(values, 11).std, std, atol=5e-6)


def test_one_value_has_no_spread_and_none_has_none() -> None:
    values = np.full((5, 5), np.nan, np.float32)
    values[2, 2] = -7.5
    local = local_statistics(values, 3)
    assert (local.mean[2, 2], local.std[2, 2]) == (-7.5, 0.0)
    assert np.isnan(np.delete(local.mean.ravel(), 12)).all()
    assert np.isnan(np.delete(local.std.ravel(), 12)).all()


@given(top=st.integers(0, 30), left=st.integers(0, 30), side=st.sampled_from([3, 7, 19]))
@settings(max_examples=25, deadline=None)
def test_a_tile_with_its_halo_is_the_whole_to_the_last_bit(top: int, left: int, side: int) -> None:
    values = backscatter_db(5, (90, 90))
    whole = local_statistics(values, side)
    halo = side // 2
    wide = np.pad(values, halo, constant_values=np.nan)
    part = local_statistics(wide[top : top + 20 + 2 * halo, left : left + 25 + 2 * halo], side)
    for of_part, of_whole in zip(part, whole, strict=True):
        inner = of_part[halo : halo + 20, halo : halo + 25]
        np.testing.assert_array_equal(inner, of_whole[top : top + 20, left : left + 25])


def test_sums_that_wrap_around_are_exact() -> None:
    """Running sums beyond 63 bits: 600 squares of the largest values along one side."""
    rng = np.random.default_rng(2)
    values = rng.integers(2**49, 2**49 + 2**20, (3, 80_000))
    sums = window_sums(values, 3)
    at = 79_990
    exact = sum(int(v) for v in values[:, at - 1 : at + 2].ravel())
    assert int(sums[1, at]) == exact
    assert sum(int(v) for v in values[0]) * 3 > 2**63, "the running sum does wrap"


def test_values_out_of_range_are_bounded() -> None:
    values = np.array([[-1e9, 0.0, 0.0]], np.float32)
    assert local_statistics(values, 3).mean[0, 0] == pytest.approx(-MOST_DB / 2)
