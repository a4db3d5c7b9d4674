"""The empirical null against densities whose true posterior is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from headscarp.detect.log_ratio import LogRatio
from headscarp.detect.null import MIN_SCORES, Direction, EmpiricalNull, _poisson_regression
from headscarp.errors import HeadscarpError
from headscarp.features.change import Change

SEEDS = range(4)
SHARE, SLID_MEAN, SLID_STD = 0.03, 4.5, 0.7
"""Of a mixture of still ground, N(0, 1), and landslides."""


def mixture(seed: int, n: int = 400_000) -> NDArray[np.float64]:
    rng, slid = np.random.default_rng(seed), int(SHARE * n)
    return np.concatenate([rng.normal(0, 1, n - slid), rng.normal(SLID_MEAN, SLID_STD, slid)])


def true_posterior(z: NDArray[np.float64]) -> NDArray[np.float64]:
    slid, still = SHARE * norm.pdf(z, SLID_MEAN, SLID_STD), (1 - SHARE) * norm.pdf(z)
    return np.asarray(slid / (slid + still))


def p_value(z: NDArray[np.floating]) -> NDArray[np.float64]:
    """Two-sided, under the theoretical null."""
    return np.asarray(2 * norm.sf(np.abs(z)))


# the null


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pure_null_is_recovered_and_flags_no_more_than_the_prior(seed: int) -> None:
    z = np.random.default_rng(seed).normal(0.3, 1.4, 200_000)
    null = EmpiricalNull.fit(z, prior_landslide=0.01)
    assert null.mean == pytest.approx(0.3, abs=0.03)
    assert null.std == pytest.approx(1.4, rel=0.03)
    assert null.null_share_estimated == pytest.approx(1, abs=0.02)
    probability = null.probability(z)
    assert probability.mean() <= 1.2 * 0.01
    assert (probability >= 0.5).mean() < 0.001


def test_the_prior_gives_way_to_data_that_show_less() -> None:
    """With a prior of one half, pure noise would otherwise be half landslide."""
    z = np.random.default_rng(0).normal(0, 1, 200_000)
    null = EmpiricalNull.fit(z, prior_landslide=0.5)
    assert null.prior_used == pytest.approx(null.excess_share_estimated)
    assert null.probability(z).mean() < 0.02


def test_the_prior_is_not_raised_by_data_that_show_more() -> None:
    null = EmpiricalNull.fit(mixture(0), prior_landslide=0.001)
    assert null.prior_used == null.prior_landslide == 0.001


def test_the_null_is_found_beside_landslides_on_one_side() -> None:
    """The 3 % that slid pull the mean of all scores to 0.135, and their deviation to 1.26."""
    z = mixture(1)
    null = EmpiricalNull.fit(z, SHARE)
    assert abs(null.mean) < 0.03 < abs(z.mean())
    assert null.std == pytest.approx(1, abs=0.03)
    assert null.excess_share_estimated == pytest.approx(SHARE, rel=0.15)


@pytest.mark.parametrize("prior", [0.01, 0.2])
def test_density_is_the_normal_one_weighted_by_its_share(prior: float) -> None:
    null = EmpiricalNull.fit(mixture(2), prior)
    z = np.linspace(-5, 5, 41)
    expected = (1 - null.prior_used) * norm.pdf(z, null.mean, null.std)
    np.testing.assert_allclose(null.density(z), expected, rtol=1e-10)


# the probability


@pytest.mark.parametrize("seed", SEEDS)
def test_probability_is_near_the_true_posterior_of_a_mixture(seed: int) -> None:
    """Within 0.08 through the transition, from a posterior of 0.08 at 2.75 to 1.00 at 5."""
    z = np.arange(2.75, 5.01, 0.05)
    found = EmpiricalNull.fit(mixture(seed), SHARE).probability(z)
    np.testing.assert_allclose(found, true_posterior(z), atol=0.08)


def test_probability_is_calibrated_where_the_prior_is_true() -> None:
    """Of what is called 80 to 100 % likely, that share did slide."""
    z = mixture(3)
    slid = np.arange(z.size) >= z.size - int(SHARE * z.size)
    probability = EmpiricalNull.fit(z, SHARE).probability(z)
    sure = probability >= 0.8
    assert slid[sure].mean() == pytest.approx(probability[sure].mean(), abs=0.02)
    assert slid[sure].sum() > 0.8 * slid.sum()


def test_a_larger_prior_gives_larger_probabilities_by_its_odds() -> None:
    z = np.array([2.5, 3.0, 3.5])
    small, large = (EmpiricalNull.fit(mixture(0), p).probability(z) for p in (0.01, 0.02))
    odds = [p / (1 - p) for p in (small.astype(float), large.astype(float))]
    expected_ratio = (0.02 / 0.98) / (0.01 / 0.99)
    # interpolated between bins of a tenth of a deviation: the odds are near, not exact
    np.testing.assert_allclose(odds[1] / odds[0], expected_ratio, rtol=0.05)


@pytest.mark.parametrize(("df", "times_prior"), [(8, 1.5), (5, 3.0)])
def test_heavier_tails_than_normal_flag_about_the_prior(df: int, times_prior: float) -> None:
    """Student's t, nothing slid: p-values at the same cut would flag half of the ground."""
    z = np.random.default_rng(df).standard_t(df, 200_000)
    null = EmpiricalNull.fit(z, prior_landslide=0.01)
    flagged = (null.probability(z) >= 0.5).mean()
    assert flagged <= times_prior * 0.01
    assert (1 - p_value(z) >= 0.5).mean() > 0.5


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    share=st.floats(0, 0.3),
    offset=st.floats(-8, 8),
    scale=st.sampled_from([0.01, 1.0, 50.0]),
    prior=st.sampled_from([0.001, 0.01, 0.3]),
)
def test_probability_rises_outwards_within_0_and_1(
    seed: int, share: float, offset: float, scale: float, prior: float
) -> None:
    rng = np.random.default_rng(seed)
    z = scale * (rng.normal(0.5, 1, 5000) + offset * (rng.random(5000) < share))
    null = EmpiricalNull.fit(z, prior)
    steps = np.linspace(0, 20 * scale, 300)
    for side in (-1, 1):
        probability = null.probability(null.mean + side * steps)
        assert ((probability >= 0) & (probability <= 1)).all()
        # the two sides meet within the bin that holds the mean
        outside = probability[steps > 0.2 * null.std]
        assert (np.diff(outside) >= -1e-6).all()


def test_not_a_number_in_gives_not_a_number_out() -> None:
    null = EmpiricalNull.fit(mixture(0), SHARE)
    found = null.probability(np.array([[np.nan, 0.0], [5.0, np.nan]]))
    np.testing.assert_array_equal(np.isnan(found), [[True, False], [False, True]])


def test_scores_beyond_any_seen_keep_the_outermost_probability() -> None:
    null = EmpiricalNull.fit(mixture(0), SHARE)
    assert null.probability(np.array([1e6, np.inf])).tolist() == pytest.approx([1, 1], abs=1e-3)


def test_missing_scores_do_not_count() -> None:
    z = np.random.default_rng(0).normal(size=1000)
    with_gaps = np.concatenate([z, np.full(500, np.nan), [np.inf]])
    complete, gappy = EmpiricalNull.fit(z, 0.01), EmpiricalNull.fit(with_gaps, 0.01)
    assert (complete.mean, complete.std) == (gappy.mean, gappy.std)
    np.testing.assert_array_equal(complete.table, gappy.table)


@pytest.mark.parametrize("count", [0, 1, MIN_SCORES - 1])
def test_too_few_scores_are_refused(count: int) -> None:
    z = np.concatenate([np.linspace(-1, 1, count), np.full(500, np.nan)])
    with pytest.raises(HeadscarpError) as caught:
        EmpiricalNull.fit(z, 0.01)
    assert caught.value.given == str(count)


@pytest.mark.parametrize(
    ("name", "z"),
    [
        ("constant", np.zeros(1000)),
        ("constant, not zero", np.full(1000, -3.25)),
        ("two values, even", np.repeat([0.0, 1.0], 500)),
        ("two values, apart", np.repeat([-1e3, 1e3], 500)),
        ("fewest", np.random.default_rng(0).normal(size=MIN_SCORES)),
        ("uniform", np.linspace(0, 1, 1000)),
        ("two humps", np.concatenate([np.linspace(-4, -3, 500), np.linspace(3, 4, 500)])),
    ],
)
def test_strange_scores_flag_nothing_and_do_not_crash(name: str, z: NDArray[np.float64]) -> None:
    null = EmpiricalNull.fit(z, 0.01)
    assert np.isfinite([null.mean, null.std, null.null_share_estimated]).all(), name
    assert z.min() <= null.mean <= z.max()
    assert null.std <= 2 * max(float(np.ptp(z)), 1e-6)
    probability = null.probability(z)
    assert ((probability >= 0) & (probability < 0.5)).all()


def test_one_change_on_ground_that_did_not_change_at_all_is_found() -> None:
    z = np.zeros(1000)
    z[:5] = 40.0
    probability = EmpiricalNull.fit(z, 0.01).probability(z)
    assert (probability[:5] > 0.99).all()
    assert (probability[5:] < 0.1).all()


def test_poisson_regression_recovers_a_log_parabola_and_keeps_the_total() -> None:
    u = np.linspace(-2, 2, 41)
    basis = np.stack([np.ones_like(u), u, u**2], axis=1)
    exact = np.exp(basis @ [5.0, 0.4, -0.7])
    np.testing.assert_allclose(_poisson_regression(basis, exact), [5.0, 0.4, -0.7], atol=1e-6)
    counts = np.random.default_rng(0).poisson(exact).astype(np.float64)
    fitted = np.exp(basis @ _poisson_regression(basis, counts))
    # the score equations of a Poisson regression: fitted and seen share every moment of the basis
    np.testing.assert_allclose(basis.T @ fitted, basis.T @ counts, rtol=1e-6)


# direction


@pytest.mark.parametrize(("direction", "side"), [("loss", 1), ("gain", -1)])
def test_a_direction_leaves_no_probability_on_the_other_side(direction: Direction, side: int) -> None:
    """As many losses as gains: one side's excess alone is the shape of the landslides."""
    rng = np.random.default_rng(4)
    z = np.concatenate([rng.normal(0, 1, 200_000), rng.normal(5, 0.5, 4000), rng.normal(-5, 0.5, 4000)])
    null = EmpiricalNull.fit(z, 0.01, direction)
    assert null.direction == null.record()["direction"] == direction
    assert (null.table[side * (null.z - null.mean) <= 0] == 0).all()
    found = null.probability(np.array([-5.0 * side, -2.0 * side, 5.0 * side]))
    assert found[:2].tolist() == [0, 0]
    assert found[2] > 0.95


def test_excess_and_prior_are_counted_on_one_side_only() -> None:
    """2 % slid on either side; of one side alone the excess is half, and the same prior weighs twice."""
    rng = np.random.default_rng(5)
    z = np.concatenate([rng.normal(0, 1, 192_000), rng.normal(5, 0.5, 4000), rng.normal(-5, 0.5, 4000)])
    either, loss, gain = (EmpiricalNull.fit(z, 0.005, d) for d in ("either", "loss", "gain"))
    assert loss.excess_share_estimated == pytest.approx(0.02, rel=0.15)
    total = loss.excess_share_estimated + gain.excess_share_estimated
    assert total == pytest.approx(either.excess_share_estimated, rel=1e-6)
    odds = [table / (1 - table) for table in (either.table, loss.table)]
    right = (either.z > 3) & (either.z < 4)
    expected = either.excess_share_estimated / loss.excess_share_estimated
    np.testing.assert_allclose(odds[1][right] / odds[0][right], expected, rtol=1e-6)
    # the share that is stated is what the table hands out, however many sides it has
    for null in (either, loss, gain):
        assert null.prior_used == 0.005


def test_a_prior_gives_way_to_less_excess_on_its_side() -> None:
    rng = np.random.default_rng(6)
    z = np.concatenate([rng.normal(0, 1, 98_000), rng.normal(-5, 0.5, 2000)])
    loss, gain = (EmpiricalNull.fit(z, 0.015, d) for d in ("loss", "gain"))
    assert loss.prior_used == loss.excess_share_estimated < 0.005
    assert gain.prior_used == 0.015
    assert loss.probability(z).mean() < 0.005


# real ground


def test_never_one_minus_p_on_real_ground_where_nothing_happened(t137_change: Change) -> None:
    fitted = LogRatio().fit(t137_change)
    score = fitted.score(t137_change)
    observed = np.isfinite(score.values)
    assert observed.sum() == 40_000
    flagged = (fitted.probability(score).values[observed] >= 0.8).mean()
    by_p_value = (1 - p_value(score.values[observed]) >= 0.8).mean()
    assert flagged < 0.005
    assert by_p_value > 0.15
