"""Frequency and area: bins against sums, the inverse gamma against scipy and planted parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import invgamma, kstest

from headscarp.errors import OptionsError
from headscarp.evaluate.frequency_area import (
    MIN_LANDSLIDES,
    draw_inverse_gamma,
    fit_inverse_gamma,
    frequency_area,
    inverse_gamma_density,
)
from headscarp.ingest.inventory import read_inventory

RHO, A_M2, S_M2 = 1.4, 1280.0, -132.0
"""General values of Malamud et al. (2004)."""
GENERAL = invgamma(RHO, loc=S_M2, scale=A_M2)


def planted(n: int, seed: int) -> np.ndarray:
    """Areas with the general distribution; the 2 in 10 000 that it puts below 0 are drawn again."""
    drawn = GENERAL.rvs(2 * n, random_state=seed)
    return np.asarray(drawn[drawn > 0][:n])


# Bins


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 1e9), max_size=40))
def test_every_landslide_is_counted_once_and_the_density_integrates_to_one(areas: list[float]) -> None:
    curve = frequency_area(np.array(areas))
    assert curve.counts.sum() == len(areas)
    assert curve.counts.dtype == np.int64
    if areas:
        assert (curve.density_per_m2 * np.diff(curve.edges_m2)).sum() == pytest.approx(1.0)
        low, high = curve.edges_m2[[0, -1]]
        assert low <= min(areas)
        assert max(areas) < high
    else:
        assert np.isnan(curve.density_per_m2).all()


def test_bins_are_five_a_decade() -> None:
    curve = frequency_area(np.array([15.0, 99.0, 100.0, 5000.0]))
    np.testing.assert_allclose(np.log10(curve.edges_m2), 1 + np.arange(16) / 5, atol=1e-12)
    assert curve.counts.nonzero()[0].tolist() == [0, 4, 5, 13]


def test_counts_on_shared_edges_add_up() -> None:
    edges = np.array([10.0, 100.0, 1000.0])
    first, second = np.array([10.0, 99.0, 500.0]), np.array([100.0, 1000.0, 1e6])
    parts = [frequency_area(areas, edges).counts for areas in (first, second)]
    assert [part.tolist() for part in parts] == [[2, 1], [0, 2]]
    both = frequency_area(np.concatenate([first, second]), edges)
    np.testing.assert_array_equal(both.counts, sum(parts))
    # six landslides, one of them beyond the edges: 2 / 6 in 90 m2 and 3 / 6 in 900 m2
    np.testing.assert_allclose(both.density_per_m2, [2 / 6 / 90, 3 / 6 / 900])


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_areas_that_are_none_are_refused(wrong: float) -> None:
    for function in (frequency_area, fit_inverse_gamma):
        with pytest.raises(OptionsError, match="1 of 2") as caught:
            function(np.array([100.0, wrong]))
        assert str(wrong) in caught.value.given


# The inverse gamma


def test_the_density_is_that_of_scipy() -> None:
    areas = np.array([-500.0, -132.0, -100.0, 1.0, 50.0, 400.0, 1e3, 1e5, 1e7])
    ours = inverse_gamma_density(areas, RHO, A_M2, S_M2)
    np.testing.assert_allclose(ours, GENERAL.pdf(areas), rtol=1e-10)
    assert ours[0] == ours[1] == 0.0


def test_the_density_integrates_to_one() -> None:
    parts = [
        quad(lambda area: float(inverse_gamma_density(np.array(area), RHO, A_M2, S_M2)), low, high)[0]
        for low, high in ((S_M2, 500), (500, 1e4), (1e4, 1e6), (1e6, 1e9))
    ]
    beyond = (
        A_M2**RHO / (1.4 * 0.88726) * (1e9) ** -RHO
    )  # the power law; Γ(2.4) = 1.4 Γ(1.4), Γ(1.4) = 0.88726
    assert sum(parts) + beyond == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_planted_parameters_are_recovered(seed: int) -> None:
    """Within three standard errors, taken from 100 fits to 5000 areas: 0.037, 56 m2 and 9 m2."""
    result = fit_inverse_gamma(planted(5000, seed))
    assert result.converged
    assert result.n == 5000
    assert result.fit is not None
    assert result.fit.rho == pytest.approx(RHO, abs=3 * 0.037)
    assert result.fit.a_m2 == pytest.approx(A_M2, abs=3 * 56)
    assert result.fit.s_m2 == pytest.approx(S_M2, abs=3 * 9)
    assert result.fit.alpha == result.fit.rho + 1
    assert result.fit.ks_distance < 1.63 / np.sqrt(5000)  # 1% level, were the parameters given


@pytest.mark.parametrize("n", [40, 300, 3000])
def test_the_fit_is_the_maximum_that_a_general_search_finds(n: int) -> None:
    areas = planted(n, seed=n)
    fit = fit_inverse_gamma(areas).fit
    assert fit is not None

    def loss(q: np.ndarray) -> float:
        return -float(
            invgamma(np.exp(q[0]), loc=areas.min() - np.exp(q[2]), scale=np.exp(q[1])).logpdf(areas).sum()
        )

    start = np.log([fit.rho * 1.2, fit.a_m2 * 0.8, (areas.min() - fit.s_m2) * 1.3])
    found = minimize(
        loss, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000}
    )
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-4)
    expected = [np.exp(found.x[0]), np.exp(found.x[1]), areas.min() - np.exp(found.x[2])]
    np.testing.assert_allclose([fit.rho, fit.a_m2, fit.s_m2], expected, rtol=2e-3)
    cdf = invgamma(fit.rho, loc=fit.s_m2, scale=fit.a_m2).cdf
    assert fit.ks_distance == pytest.approx(kstest(areas, cdf).statistic)


def test_the_rollover_is_where_the_density_peaks() -> None:
    fit = fit_inverse_gamma(planted(500, 1)).fit
    assert fit is not None
    areas = np.linspace(1, 2000, 20_001)
    peak = areas[np.argmax(inverse_gamma_density(areas, fit.rho, fit.a_m2, fit.s_m2))]
    assert fit.rollover_m2 == pytest.approx(peak, abs=0.1)


def test_another_unit_gives_the_same_fit() -> None:
    areas = planted(500, 2)
    first, second = fit_inverse_gamma(areas).fit, fit_inverse_gamma(areas / 1e4).fit
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(
        [second.rho, second.a_m2 * 1e4, second.s_m2 * 1e4], [first.rho, first.a_m2, first.s_m2], rtol=1e-6
    )


def test_few_areas_give_no_fit_but_a_reason() -> None:
    few = fit_inverse_gamma(planted(MIN_LANDSLIDES - 1, 0))
    assert (few.n, few.fit, few.converged) == (29, None, False)
    assert "29 landslides, at least 30" in few.reason
    assert fit_inverse_gamma(planted(MIN_LANDSLIDES, 0)).converged
    assert fit_inverse_gamma(np.array([])).n == 0


@pytest.mark.parametrize(
    ("areas", "reason"),
    [
        (np.full(50, 7.0), "all areas are equal"),
        (np.random.default_rng(1).normal(1000, 50, 500), "no power law"),
        (np.random.default_rng(1).uniform(1, 1000, 500), "no power law"),
        (1000 - np.random.default_rng(1).exponential(50, 500), "no maximum"),
        (np.append(np.full(49, 7.0), 7.0000001), "no maximum"),
    ],
)
def test_areas_without_a_tail_give_no_fit_but_a_reason(areas: np.ndarray, reason: str) -> None:
    result = fit_inverse_gamma(areas)
    assert result.fit is None
    assert reason in result.reason


def test_noto_follows_the_inverse_gamma_of_the_literature(real_data: Path) -> None:
    """Malamud's general rollover is 400 m² and his exponent 2.4."""
    paths = sorted((real_data / "inventories").glob("noto2024_*.geojson"))
    areas = read_inventory(paths, "EPSG:32653").landslides["area_m2"].to_numpy()
    result = fit_inverse_gamma(areas)
    assert result.n == 2345
    assert result.fit is not None
    fit = result.fit
    found = [fit.rho, fit.a_m2, fit.s_m2, fit.alpha, fit.rollover_m2]
    np.testing.assert_allclose(found, [1.206, 1313, -134, 2.206, 461], rtol=0.002)
    assert fit.ks_distance == pytest.approx(0.0192, abs=0.0003)
    curve = frequency_area(areas)
    assert curve.counts.sum() == 2345
    peak = np.argmax(curve.density_per_m2)
    assert curve.edges_m2[peak - 1] < fit.rollover_m2 < curve.edges_m2[peak + 2]


# Drawing


def test_drawn_areas_follow_the_distribution_between_its_ends() -> None:
    drawn = draw_inverse_gamma(20_000, np.random.default_rng(3), smallest_m2=200.0, largest_m2=50_000.0)
    low, high = GENERAL.cdf([200.0, 50_000.0])
    assert kstest(drawn, lambda area: (GENERAL.cdf(area) - low) / (high - low)).pvalue > 0.01
    assert drawn.min() >= 200.0
    assert drawn.max() <= 50_000.0


def test_areas_are_drawn_with_other_parameters_and_without_ends() -> None:
    drawn = draw_inverse_gamma(20_000, np.random.default_rng(4), rho=2.1, a_m2=600.0, s_m2=40.0)
    assert kstest(drawn, invgamma(2.1, loc=40.0, scale=600.0).cdf).pvalue > 0.01


def test_one_number_is_taken_for_each_area() -> None:
    some, more = (draw_inverse_gamma(n, np.random.default_rng(5)) for n in (10, 30))
    np.testing.assert_array_equal(some, more[:10])
    assert draw_inverse_gamma(0, np.random.default_rng(5)).shape == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": -1}, {"rho": 0.0}, {"a_m2": -1.0}, {"s_m2": 300.0}, {"smallest_m2": 300.0},
        {"smallest_m2": -5.0}, {"rho": float("nan")},
    ],
)  # fmt: skip
def test_distributions_without_areas_are_refused(wrong: dict[str, float]) -> None:
    asked = {"count": 3, "rng": np.random.default_rng(6), "largest_m2": 300.0} | wrong
    with pytest.raises(OptionsError, match="no area could be drawn"):
        draw_inverse_gamma(**asked)
