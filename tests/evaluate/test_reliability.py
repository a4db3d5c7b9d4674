"""Reliability against scikit-learn and a naive loop; blocks add up to the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from headscarp.errors import HeadscarpError
from headscarp.evaluate.reliability import (
    calibration_edges,
    log_odds_edges,
    probability_edges,
    reliability_curve,
    reliability_metrics,
    reliability_sums,
    squared_error_sums,
)


def sample(seed: int = 0, n: int = 5000) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.3, 3.0, n).astype(np.float32)
    p[:6] = [0, 1, 0.2, 0.4, 0.6, 1]
    return p, rng.random(n) < 0.7 * p


def naive_bins(p: NDArray[Any], landslide: NDArray[np.bool_], bins: int) -> list[tuple[int, float, int]]:
    """Guo et al.: bin m holds ((m − 1) / M, m / M], the first also 0."""
    table = [[0, 0.0, 0] for _ in range(bins)]
    edges = [i / bins for i in range(bins + 1)]
    for value, slid in zip(p.tolist(), landslide.tolist(), strict=True):
        place = next(i for i in range(bins) if value <= edges[i + 1])
        table[place][0] += 1
        table[place][1] += value
        table[place][2] += slid
    return [(int(n), total, int(slid)) for n, total, slid in table]


def of(p: NDArray[Any], landslide: NDArray[np.bool_], bins: int = 15) -> dict[str, float]:
    sums = reliability_sums(p, landslide, probability_edges(bins))
    finer = reliability_sums(p, landslide, log_odds_edges())
    found = reliability_metrics(sums, squared_error_sums(p, landslide), finer)
    assert {values.shape for values in found.values()} == {(1,)}
    return {name: float(values[0]) for name, values in found.items()}


@pytest.mark.parametrize("bins", [1, 5, 15])
def test_sums_and_calibration_errors_equal_a_naive_loop(bins: int) -> None:
    p, landslide = sample()
    expected = naive_bins(p, landslide, bins)
    np.testing.assert_allclose(
        reliability_sums(p, landslide, probability_edges(bins))[0], expected, rtol=1e-9
    )
    gaps = [(n, abs(total / n - slid / n)) for n, total, slid in expected if n]
    found = of(p, landslide, bins)
    assert found["expected_calibration_error"] == pytest.approx(sum(n * gap for n, gap in gaps) / len(p))
    assert found["maximum_calibration_error"] == pytest.approx(max(gap for _, gap in gaps))


@pytest.mark.parametrize("bins", [10, 15])
def test_the_curve_is_that_of_scikit_learn(bins: int) -> None:
    p, landslide = sample(1)
    curve = reliability_curve(reliability_sums(p, landslide, probability_edges(bins)))
    observed, predicted = calibration_curve(landslide, p.astype(np.float64), n_bins=bins)
    filled = curve.pixels[0] > 0
    np.testing.assert_allclose(curve.observed_share[0, filled], observed, rtol=1e-9)
    np.testing.assert_allclose(curve.mean_probability[0, filled], predicted, rtol=1e-9)
    assert np.isnan(curve.observed_share[0, ~filled]).all()
    assert curve.pixels.sum() == len(p)


def test_the_brier_score_is_that_of_scikit_learn_and_its_skill_that_against_the_prevalence() -> None:
    p, landslide = sample(2)
    found = of(p, landslide)
    brier = brier_score_loss(landslide, p.astype(np.float64))
    stated = brier_score_loss(landslide, np.full(len(p), landslide.mean()))
    assert found["brier_score"] == pytest.approx(brier)
    assert found["brier_skill_score"] == pytest.approx(1 - brier / stated)
    assert found["prevalence"] == pytest.approx(landslide.mean())
    assert found["mean_probability"] == pytest.approx(p.mean(dtype=np.float64))


def test_by_hand() -> None:
    p = np.array([0.1, 0.2, 0.7, 0.9], dtype=np.float64)
    landslide = np.array([False, True, True, True])
    found = of(p, landslide, bins=2)
    assert found["expected_calibration_error"] == pytest.approx((abs(0.3 - 1) + abs(1.6 - 2)) / 4)
    assert found["maximum_calibration_error"] == pytest.approx(0.35)
    assert found["brier_score"] == pytest.approx((0.01 + 0.64 + 0.09 + 0.01) / 4)
    assert found["brier_skill_score"] == pytest.approx(1 - 0.1875 / 0.1875)


def test_bins_hold_their_upper_edge_and_the_first_holds_zero() -> None:
    p = np.array([0.0, 0.5, np.nextafter(0.5, 1), 1.0])
    assert reliability_sums(p, p > 2, probability_edges(2))[0, :, 0].tolist() == [2, 2]


def test_log_odds_bins_are_one_wide_and_see_what_equal_width_bins_hide() -> None:
    edges = log_odds_edges()
    assert edges[[0, -1]].tolist() == [0, 1]
    np.testing.assert_allclose(logit(edges[1:-1]), np.arange(-7, 8))
    p = np.repeat([0.002, 0.05], 10_000)
    landslide = np.zeros(20_000, dtype=bool)
    landslide[:260], landslide[10_000:10_260] = True, True
    found = of(p, landslide)
    assert found["expected_calibration_error"] == pytest.approx(0, abs=1e-12)
    assert found["expected_calibration_error_log_odds"] == pytest.approx(0.024)


def test_edges_to_fit_on_keep_exact_zeros_apart() -> None:
    edges = calibration_edges()
    np.testing.assert_allclose(np.diff(logit(edges[2:-1])), 1 / 16, rtol=1e-6)
    p = np.array([0.0, 0.0, 1e-30, 0.5, 1.0], dtype=np.float32)
    pixels = reliability_sums(p, p > 0.4, edges)[0, :, 0]
    assert pixels[:2].tolist() == [2, 1]
    assert pixels[-1] == 1
    assert pixels.sum() == 5


def test_blocks_add_up_and_each_is_its_own() -> None:
    p, landslide = sample(3)
    block = np.random.default_rng(3).integers(0, 7, len(p)).astype(np.uint16)
    block[block == 4] = 5
    sums = reliability_sums(p, landslide, probability_edges(), block, 9)
    squared = squared_error_sums(p, landslide, block, 9)
    assert sums.shape == (9, 15, 3)
    assert squared.shape == (9,)
    np.testing.assert_allclose(
        sums.sum(axis=0), reliability_sums(p, landslide, probability_edges())[0], rtol=1e-9
    )
    found = reliability_metrics(sums, squared)
    for i in (0, 5):
        own = of(p[block == i], landslide[block == i])
        assert {name: float(values[i]) for name, values in found.items()} == pytest.approx(
            {name: own[name] for name in found}
        )
    for i in (4, 8):
        assert all(np.isnan(values[i]) for values in found.values())


def test_two_dimensional_tiles_and_leading_dimensions_broadcast() -> None:
    p, landslide = sample(4, 600)
    tile = reliability_sums(p.reshape(20, 30), landslide.reshape(20, 30), probability_edges())
    np.testing.assert_array_equal(tile, reliability_sums(p, landslide, probability_edges()))
    squared = squared_error_sums(p.reshape(20, 30), landslide.reshape(20, 30))
    many = reliability_metrics(
        np.tile(tile, (4, 3, 1, 1)), np.tile(squared, (4, 3)), np.tile(tile, (4, 3, 1, 1))
    )
    expected = of(p, landslide)
    for name in ("expected_calibration_error", "maximum_calibration_error", "brier_skill_score"):
        assert many[name].shape == (4, 3)
        assert many[name] == pytest.approx(expected[name])


def test_nothing_measured_is_nan_without_a_warning() -> None:
    none, nothing = np.zeros(0, dtype=np.float32), np.zeros(0, dtype=bool)
    assert all(np.isnan(value) for value in of(none, nothing).values())
    one_class = of(np.array([0.2, 0.4]), np.array([False, False]))
    assert np.isnan(one_class.pop("brier_skill_score"))
    assert np.isfinite(list(one_class.values())).all()


@pytest.mark.parametrize("values", [[0.5, 1.5], [-1e-3, 0.5]])
def test_a_score_is_no_probability(values: list[float]) -> None:
    p = np.array(values, dtype=np.float32)
    with pytest.raises(HeadscarpError, match="a score is no probability"):
        reliability_sums(p, p > 0, probability_edges())
    with pytest.raises(HeadscarpError, match="a score is no probability"):
        squared_error_sums(p, p > 0)
