"""Layer 2: speckle against its distribution, its stated correlation, order statistics and its own windows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import fftconvolve

from headscarp.errors import OptionsError
from headscarp.simulate.radar.speckle import (
    AZIMUTH_RESOLUTION_M,
    RANGE_RESOLUTION_M,
    default_looks,
    intensity_correlation,
    speckle,
)

SIDE = slice(0, 1024)
AXES = {"azimuth": (0, AZIMUTH_RESOLUTION_M), "range": (1, RANGE_RESOLUTION_M)}


def field(looks: float, spacing_m: float = 10.0, name: str = "pass") -> NDArray[np.float64]:
    return speckle(7, (name, "VV"), SIDE, SIDE, spacing_m, looks).astype(np.float64)


def correlation(values: NDArray[np.float64], lag: int, axis: int) -> float:
    size = values.shape[axis]
    first, second = values.take(range(size - lag), axis), values.take(range(lag, size), axis)
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


@pytest.mark.parametrize("looks", [1.0, 4.4, 12.0])
def test_looks_and_distribution_are_those_asked_for(looks: float) -> None:
    values = field(looks)
    assert values.mean() == pytest.approx(1.0, abs=0.005)
    assert values.mean() ** 2 / values.var() == pytest.approx(looks, rel=0.02)
    for share in (0.001, 0.01, 0.5, 0.99, 0.999):
        wanted = stats.gamma.ppf(share, looks, scale=1.0 / looks)
        assert np.mean(values < wanted) == pytest.approx(share, rel=0.1, abs=2e-4)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("looks", [1.0, 4.4, 12.0])
def test_neighbours_correlate_as_the_resolution_says(axis: str, looks: float) -> None:
    number, width_m = AXES[axis]
    values = field(looks)
    for lag in (1, 2, 3):
        gaussian = math.exp(-2.0 * math.log(2.0) * (10.0 * lag / width_m) ** 2)
        assert intensity_correlation(10.0 * lag, width_m) == pytest.approx(gaussian)
        assert correlation(values, lag, number) == pytest.approx(gaussian, abs=0.015)
    assert abs(correlation(values, 8, number)) < 0.01


def test_correlation_follows_from_focusing_white_noise() -> None:
    """Complex white noise under a Gaussian point response of the stated half-power width, then squared."""
    rng = np.random.default_rng(1)
    across_m = np.arange(-60.0, 61.0, 2.0)
    response = 2.0 ** (-2.0 * (across_m / RANGE_RESOLUTION_M) ** 2)  # amplitude; its square is 1/2 at w/2
    white = rng.standard_normal((2, 2_000_000)) * np.sqrt(0.5)
    intensity = np.abs(fftconvolve(white[0] + 1j * white[1], response, mode="valid")) ** 2
    for lag_m in (10.0, 20.0, 30.0):
        step = int(lag_m / 2.0)
        seen = np.corrcoef(intensity[:-step], intensity[step:])[0, 1]
        assert intensity_correlation(lag_m) == pytest.approx(seen, abs=0.02)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_coarse_pixels_are_means_of_fine_ones(factor: int) -> None:
    fine = field(4.4)
    side = len(fine) // factor * factor
    blocks = (side // factor, factor, side // factor, factor)
    coarse = fine[:side, :side].reshape(blocks).mean(axis=(1, 3))
    spacing_m = 10.0 * factor
    looks = default_looks(spacing_m)
    assert looks == pytest.approx(coarse.mean() ** 2 / coarse.var(), rel=0.04)
    direct = field(looks, spacing_m)
    assert direct.mean() ** 2 / direct.var() == pytest.approx(looks, rel=0.02)
    for axis, (number, width_m) in AXES.items():
        expected = intensity_correlation(spacing_m, width_m, spacing_m)
        assert correlation(coarse, 1, number) == pytest.approx(expected, abs=0.03), axis
        assert correlation(direct, 1, number) == pytest.approx(expected, abs=0.015), axis


def test_default_looks_are_those_of_the_product_up_to_its_posting() -> None:
    assert default_looks(3.0) == default_looks(10.0) == 4.4
    assert default_looks(10.001) == pytest.approx(4.4, rel=1e-3)
    many = [default_looks(spacing) for spacing in (10.0, 15.0, 20.0, 30.0, 60.0, 100.0)]
    assert many == sorted(many)
    independent = 4.4 * (200.0 / 10.0) ** 2 / (math.pi / math.log(2.0) / 2.0 * 2.0 * 2.2)
    assert default_looks(200.0) == pytest.approx(independent, rel=0.12)


@pytest.mark.parametrize(("looks", "spacing_m"), [(4.4, 10.0), (8.4, 30.0), (1.0, 5.0)])
def test_a_window_holds_what_the_whole_does(looks: float, spacing_m: float) -> None:
    names = ("S1A_x", "VH")
    whole = speckle(3, names, slice(0, 600), slice(0, 520), spacing_m, looks)
    for rows, cols in (
        (slice(0, 600), slice(255, 257)),
        (slice(37, 300), slice(100, 519)),
        (slice(599, 600), slice(0, 520)),
    ):
        part = speckle(3, names, rows, cols, spacing_m, looks)
        assert part.dtype == np.float32
        assert part.flags.c_contiguous
        np.testing.assert_array_equal(part, whole[rows, cols])
    assert speckle(3, names, slice(-9, 0), slice(-9, 0), spacing_m, looks).shape == (9, 9)


def test_passes_and_polarisations_are_independent() -> None:
    window = slice(0, 400)
    first = speckle(3, ("a", "VV"), window, window, 10.0, 4.4)
    for seed, names in ((3, ("a", "VH")), (3, ("b", "VV")), (4, ("a", "VV"))):
        other = speckle(seed, names, window, window, 10.0, 4.4)
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("dates", [1, 3, 5, 9, 15])
def test_the_noise_of_a_median_falls_with_the_number_of_dates(dates: int) -> None:
    window = slice(0, 384)
    stack = np.stack([speckle(5, (f"date {k}", "VV"), window, window, 10.0, 4.4) for k in range(dates)])
    measured_db = 10.0 * np.log10(np.median(stack, axis=0).astype(np.float64))
    mean_db, std_db = median_of_gamma_db(dates, 4.4)
    assert measured_db.mean() == pytest.approx(mean_db, abs=0.05)
    assert measured_db.std() == pytest.approx(std_db, rel=0.03)


def median_of_gamma_db(count: int, looks: float) -> tuple[float, float]:
    """Mean and standard deviation of the median of an odd number of gamma draws: a beta-distributed rank."""
    half = (count + 1) / 2.0
    rank = (np.arange(20000) + 0.5) / 20000
    draws = stats.gamma.ppf(stats.beta.ppf(rank, half, half), looks, scale=1.0 / looks)
    return float(np.mean(10.0 * np.log10(draws))), float(np.std(10.0 * np.log10(draws)))


@pytest.mark.parametrize("looks", [0.5, math.nan, math.inf])
def test_fewer_than_one_look_is_refused(looks: float) -> None:
    with pytest.raises(OptionsError, match="1 look or more"):
        speckle(1, ("a",), slice(0, 4), slice(0, 4), 10.0, looks)


@pytest.mark.parametrize("spacing_m", [0.0, -10.0, math.nan])
def test_no_spacing_is_refused(spacing_m: float) -> None:
    with pytest.raises(OptionsError, match="spacing above 0"):
        default_looks(spacing_m)
