"""The t-test against scipy's, pixel by pixel, and by hand where a date has no variance of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from headscarp.detect.moderated import VariancePrior
from headscarp.detect.t_test import FittedTTest, TTest, to_normal_score
from headscarp.features.change import Change
from tests.detect.made_change import ONE_ORBIT, THREE_ORBITS, change_from, ground_from_dates

WEIGHTLESS = 1e-6
"""Degrees of a prior that counts for nothing beside a pixel's own."""


def fitted(prior: VariancePrior, shift_db: float = 0.0, kinds: int = 1) -> FittedTTest:
    pols = ("VV", "VH")[:kinds]
    shifts = np.full((1, kinds), shift_db, np.float32)
    return FittedTTest(tuple(ONE_ORBIT), pols, shifts, ((prior,) * kinds,))


def pixel(change_db: float, pre: tuple[float, int], post: tuple[float, int]) -> Change:
    """One pixel: variance and dates on either side."""
    change = change_from(np.full((1, 1, 1, 1), change_db), ONE_ORBIT, ("VV",), pre[1], post[1])
    change["pre_variance_db2"][:] = pre[0]
    change["post_variance_db2"][:] = post[0]
    return change


@pytest.mark.parametrize(
    ("degrees", "within"),
    [(1.0, 0.045), (3.0, 0.015), (6.0, 0.006), (8.0, 0.005), (30.0, 0.001), (200.0, 1e-4)],
)
def test_wallace_is_near_the_true_normal_score(degrees: float, within: float) -> None:
    """Up to t = 6; the prior of the variance keeps degrees of freedom from being few."""
    t = np.array([-6.0, -2.0, -0.5, 0.0, 0.1, 1.0, 3.0, 6.0], np.float32)
    found = to_normal_score(t, np.full(t.shape, degrees, np.float32))
    exact = np.copysign(stats.norm.isf(stats.t.sf(np.abs(t), degrees)), t)
    np.testing.assert_allclose(found, exact, rtol=within, atol=1e-6)
    np.testing.assert_array_equal(np.sign(found), np.sign(t))


@pytest.mark.parametrize("dates", [(7, 6), (9, 9), (6, 12)])
def test_with_a_prior_of_no_weight_it_is_welch_of_scipy(dates: tuple[int, int]) -> None:
    """Statistic and degrees of freedom show in the normal score of the p-value, each with its sign."""
    rng = np.random.default_rng(7)
    pre = rng.normal(-12, 1.5, (dates[0], 300))
    post = rng.normal(-13, 2.5, (dates[1], 300))
    change = change_from(
        (pre.mean(0) - post.mean(0)).reshape(1, 1, 1, 300), ONE_ORBIT, ("VV",), dates[0], dates[1]
    )
    change["pre_variance_db2"].values[0, 0, 0] = pre.var(0, ddof=1)
    change["post_variance_db2"].values[0, 0, 0] = post.var(0, ddof=1)
    found = fitted(VariancePrior(1.0, WEIGHTLESS)).channels(change)[0, 0, 0]
    welch = stats.ttest_ind(pre, post, axis=0, equal_var=False)
    exact = np.copysign(stats.norm.isf(welch.pvalue / 2), welch.statistic)
    np.testing.assert_allclose(found, exact, rtol=0.008, atol=1e-3)


def test_a_single_date_after_the_event_by_hand() -> None:
    """s̃²pre = (6·4 + 3·2)/9 = 10/3, that after it the same; t = 3/√(10/12 + 10/3), ν from 9 and 6."""
    prior = VariancePrior(4.0, 6.0)
    a, b = (10 / 3) / 4, 10 / 3
    t = 3.0 / math.sqrt(a + b)
    degrees = (a + b) ** 2 / (a**2 / 9 + b**2 / 6)
    found = fitted(prior).channels(pixel(3.0, (2.0, 4), (math.nan, 1))).item()
    exact = stats.norm.isf(stats.t.sf(t, degrees))
    assert found == pytest.approx(exact, rel=0.005)


def test_moderation_on_both_sides_by_hand() -> None:
    """The prior after the event is the moderated variance before it, of the prior's own weight."""
    prior = VariancePrior(4.0, 6.0)
    pre = (6 * 4 + 3 * 2.0) / 9
    post = (6 * pre + 2 * 8.0) / 8
    a, b = pre / 4, post / 3
    t = (3.0 - 0.5) / math.sqrt(a + b)
    degrees = (a + b) ** 2 / (a**2 / 9 + b**2 / 8)
    found = fitted(prior, shift_db=0.5).channels(pixel(3.0, (2.0, 4), (8.0, 3))).item()
    assert found == pytest.approx(stats.norm.isf(stats.t.sf(t, degrees)), rel=0.005)


def test_the_sign_is_that_of_the_loss_and_fewer_dates_are_worth_less() -> None:
    detector = fitted(VariancePrior(3.0, 5.0))
    loss, gain = (detector.channels(pixel(c, (3.0, 4), (3.0, 4))).item() for c in (2.0, -2.0))
    assert loss == -gain > 0
    assert detector.channels(pixel(2.0, (3.0, 4), (math.nan, 1))).item() < loss
    assert detector.channels(pixel(2.0, (3.0, 9), (3.0, 4))).item() > loss
    assert np.isnan(detector.channels(pixel(math.nan, (3.0, 4), (3.0, 4)))).all()


def test_shifts_and_priors_are_learned_for_each_orbit_and_polarisation() -> None:
    change = ground_from_dates(np.random.default_rng(2), (40, 50), (6, 3), THREE_ORBITS)
    change["mean_change_db"].values[1, 0] += 1.5
    pixels = change.stack(pixel=("y", "x"), create_index=False)
    learned = TTest().fit(pixels)
    expected = np.nanmedian(change["mean_change_db"].values.reshape(3, 2, -1), axis=-1)
    np.testing.assert_allclose(learned.shift_db, expected, rtol=1e-5)
    shifts = learned.shifts()
    assert shifts["ascending 170"]["VV"] == pytest.approx(1.5, abs=0.1)
    # ψ'(6) of a gamma of six looks, in dB²: the scatter of a date
    looks_db2 = (10 / math.log(10)) ** 2 * 0.18132
    for row in learned.priors:
        for prior in row:
            assert prior.variance_db2 == pytest.approx(looks_db2, rel=0.1)


@pytest.mark.parametrize("dates", [(8, 4), (8, 1), (3, 1)])
def test_scores_of_still_ground_are_standard_normal(dates: tuple[int, int]) -> None:
    """Before any spread is learned: the statistic alone has the right size, whatever the dates."""
    change = ground_from_dates(np.random.default_rng(2), (90, 90), dates)
    learned = TTest().fit(change.stack(pixel=("y", "x"), create_index=False))
    z = learned.channels(change).ravel()
    assert np.std(z) == pytest.approx(1, abs=0.1)
    assert np.mean(np.abs(z) > 2) == pytest.approx(0.0455, abs=0.02)
