"""Variances drawn toward the area's, against simulated ground whose prior is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import polygamma

from headscarp.detect.moderated import (
    FEWEST_DEGREES,
    MIN_STD_DB,
    MOST_DEGREES,
    VariancePrior,
    _inverse_trigamma,
)


def simulated(d0: float, s0: float, dates: int, n: int = 60_000) -> np.ndarray:
    """Variance estimates of pixels whose true variances are scaled inverse chi-squared (Smyth 2004)."""
    rng = np.random.default_rng([dates, int(d0)])
    true = d0 * s0**2 / rng.chisquare(d0, n)
    return (true * rng.chisquare(dates - 1, n) / (dates - 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("dates", "d0", "least", "most"),
    [(9, 4, 3, 6), (9, 8, 6, 11), (9, 20, 14, 27), (4, 4, 3, 7), (4, 8, 6, 18), (4, 20, 14, MOST_DEGREES)],
)
def test_prior_of_simulated_ground_is_recovered(dates: int, d0: float, least: float, most: float) -> None:
    """The quartiles of log chi-squared are narrower than a normal's: with few dates *d0* comes out high."""
    s2 = simulated(d0, 1.5, dates)
    prior = VariancePrior.fit(s2, np.full(s2.shape, dates, np.float32), np.zeros_like(s2))
    assert prior.variance_db2 == pytest.approx(1.5**2, rel=0.2)
    assert least < prior.degrees <= most


def test_a_more_uneven_ground_is_worth_fewer_degrees() -> None:
    count = np.full(60_000, 6, np.float32)
    found = [
        VariancePrior.fit(simulated(d0, 1.5, 6), count, np.zeros_like(count)).degrees for d0 in (3, 6, 12, 30)
    ]
    assert sorted(found) == found
    assert found[-1] > 3 * found[0]


def test_ground_of_one_variance_is_worth_nearly_the_most() -> None:
    rng = np.random.default_rng(0)
    s2 = (2.25 * rng.chisquare(7, 100_000) / 7).astype(np.float32)
    prior = VariancePrior.fit(s2, np.full(s2.shape, 8, np.float32), np.zeros_like(s2))
    assert prior.degrees > 30
    assert prior.variance_db2 == pytest.approx(2.25, rel=0.03)


def test_outliers_hardly_move_the_prior() -> None:
    s2 = simulated(8.0, 1.5, 6)
    count = np.full(s2.shape, 6, np.float32)
    clean = VariancePrior.fit(s2, count, np.zeros_like(s2))
    s2[:3000] = 900.0
    dirty = VariancePrior.fit(s2, count, np.zeros_like(s2))
    assert dirty.variance_db2 == pytest.approx(clean.variance_db2, rel=0.1)
    assert dirty.degrees == pytest.approx(clean.degrees, rel=0.3)


@pytest.mark.parametrize(
    ("own", "count", "expected"),
    [
        (9.0, 5, (6 * 4.0 + 4 * 9.0) / 10),
        (0.0, 3, (6 * 4.0 + 2 * 0.0) / 8),
        (np.nan, 1, 4.0),
        (np.nan, 0, 4.0),
        (np.nan, 7, 4.0),
        (4.0, 20, 4.0),
    ],
)
def test_moderated_variance_by_hand(own: float, count: int, expected: float) -> None:
    """A prior of 4 dB² worth 6 degrees of freedom; what has no variance of its own has the prior's."""
    found = VariancePrior(4.0, 6.0).of(np.array([own], np.float32), np.array([count], np.float32))
    assert found.item() == pytest.approx(expected, rel=1e-6)
    assert found.dtype == np.float32


def test_with_one_date_a_pixel_the_spread_of_changes_is_the_prior() -> None:
    rng = np.random.default_rng(1)
    nothing = np.full(20_000, np.nan, np.float32)
    changes = rng.normal(0, 1.3, 20_000).astype(np.float32)
    prior = VariancePrior.fit(nothing, np.ones(20_000, np.float32), changes)
    assert prior.variance_db2 == pytest.approx(1.3**2, rel=0.05)
    assert prior.degrees == MOST_DEGREES
    assert prior.record() == {"std_db": prior.variance_db2**0.5, "degrees_of_freedom": MOST_DEGREES}


def test_ground_that_does_not_change_at_all_has_a_floor() -> None:
    zero = np.zeros(500, np.float32)
    for count in (1, 4):
        prior = VariancePrior.fit(zero, np.full(500, count, np.float32), zero)
        assert prior.variance_db2 == pytest.approx(MIN_STD_DB**2)
        assert np.isfinite(prior.of(zero, np.full(500, count, np.float32))).all()


@pytest.mark.parametrize("degrees", [1.5, 4.0, 30.0, 90.0])
def test_inverse_of_trigamma(degrees: float) -> None:
    assert _inverse_trigamma(float(polygamma(1, degrees / 2))) * 2 == pytest.approx(degrees, rel=1e-6)


def test_inverse_of_trigamma_is_bounded() -> None:
    assert _inverse_trigamma(-1.0) * 2 == _inverse_trigamma(0.0) * 2 == MOST_DEGREES
    assert _inverse_trigamma(50.0) * 2 == FEWEST_DEGREES
