"""The Mahalanobis distance against an explicit inverse, Monte Carlo and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headscarp.detect.mahalanobis import (
    CHI2_MEDIAN,
    FittedMahalanobis,
    Mahalanobis,
    median_variance,
)
from headscarp.detect.moderated import VariancePrior
from headscarp.features.change import Change
from headscarp.features.moments import COVARIANCE
from tests.detect.made_change import ONE_ORBIT, change_from, ground_from_dates


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 8, 11, 20])
def test_variance_of_a_median_is_that_of_drawn_medians(n: int) -> None:
    drawn = np.median(np.random.default_rng(n).normal(size=(200_000, n)), axis=1).var()
    assert median_variance(np.array([n], np.float32)).item() == pytest.approx(drawn, rel=0.02)


def test_no_date_counts_as_one() -> None:
    assert median_variance(np.array([0.0], np.float32)).item() == 1


def test_medians_of_chi_squared() -> None:
    for degrees in (1, 2):
        assert CHI2_MEDIAN[degrees] == pytest.approx(stats.chi2.median(degrees), abs=1e-3)


def fitted(
    priors: tuple[VariancePrior, VariancePrior] = (VariancePrior(3.0, 5.0), VariancePrior(2.0, 8.0)),
    covariance_db2: float = 0.8,
    scale: float = 1.0,
) -> FittedMahalanobis:
    return FittedMahalanobis(
        tuple(ONE_ORBIT), ("VV", "VH"), np.array([[0.3, -0.2]], np.float32), (priors,),
        np.array([covariance_db2], np.float32), np.array([scale], np.float32),
    )  # fmt: skip


def pixel(change_db: tuple[float, float], own: tuple[float, float, float], dates: tuple[int, int]) -> Change:
    """One pixel: changes of VV and VH, their variances and covariance before, dates before and after."""
    change = change_from(
        np.array(change_db).reshape(1, 2, 1, 1), ONE_ORBIT, pre_count=dates[0], post_count=dates[1]
    )
    change["pre_variance_db2"].values[0, :, 0, 0] = own[:2]
    change[COVARIANCE].values[:] = own[2]
    return change


def test_distance_of_one_pixel_by_an_explicit_inverse() -> None:
    """Moderated by hand: each entry with its weight, the covariance with the smaller one."""
    vv, vh = (5 * 3.0 + 4 * 4.0) / 9, (8 * 2.0 + 4 * 1.0) / 12
    shared = (5 * 0.8 + 4 * 1.1) / 9
    c = np.array([2.0 - 0.3, 1.0 + 0.2])
    factor = median_variance(np.array([5.0])).item() + median_variance(np.array([2.0])).item()
    squared = c @ np.linalg.inv([[vv, shared], [shared, vh]]) @ c / factor
    change = pixel((2.0, 1.0), (4.0, 1.0, 1.1), (5, 2))
    found, degrees, side = fitted()._distances(change)
    assert found.item() == pytest.approx(squared, rel=1e-5)
    assert (degrees.item(), np.sign(side).item()) == (2, 1)
    score = fitted(scale=1.4).channels(change).item()
    assert score == pytest.approx(stats.norm.isf(stats.chi2.sf(1.4 * squared, 2) / 2), rel=1e-5)


@pytest.mark.parametrize(
    ("seen", "variance", "degrees"), [("VV", 31 / 9, 1), ("VH", 20 / 12, 1)]
)  # fmt: skip
def test_a_missing_polarisation_leaves_the_other_alone(seen: str, variance: float, degrees: int) -> None:
    values = {"VV": 2.0, "VH": -3.0}
    shift = {"VV": 0.3, "VH": -0.2}
    change_db = tuple(value if pol == seen else np.nan for pol, value in values.items())
    change = pixel(change_db, (4.0, 1.0, np.nan), (5, 2))  # type: ignore[arg-type]
    factor = median_variance(np.array([5.0])).item() + median_variance(np.array([2.0])).item()
    z = (values[seen] - shift[seen]) / np.sqrt(variance * factor)
    # the normal score of chi-squared with one degree of freedom is the value itself
    assert fitted().channels(change).item() == pytest.approx(z, rel=1e-4)
    assert fitted()._distances(change)[1].item() == degrees


def test_what_vv_gains_and_vh_loses_counts_fully() -> None:
    along = fitted(covariance_db2=0.0).channels(pixel((2.3, 1.8), (3.0, 2.0, 0.0), (5, 5))).item()
    across = fitted(covariance_db2=0.0).channels(pixel((-1.7, 1.8), (3.0, 2.0, 0.0), (5, 5))).item()
    assert across == pytest.approx(along, rel=1e-5)
    opposite = fitted(covariance_db2=0.0).channels(pixel((2.3, -2.2), (3.0, 2.0, 0.0), (5, 5))).item()
    assert opposite == pytest.approx(-along, rel=1e-5)


def test_variances_that_contradict_their_covariance_stay_finite() -> None:
    found = fitted(covariance_db2=9.0).channels(pixel((2.0, 1.0), (1.0, 1.0, 9.0), (5, 2)))
    assert np.isfinite(found).all()


def test_nothing_seen_has_no_distance_and_far_away_is_finite() -> None:
    assert np.isnan(fitted().channels(pixel((np.nan, np.nan), (4.0, 1.0, 1.0), (5, 2)))).all()
    far = fitted().channels(pixel((-300.0, -300.0), (4.0, 1.0, 1.0), (5, 2))).item()
    assert -np.inf < far < -30


@pytest.mark.parametrize("dates", [(8, 4), (5, 1)])
def test_the_median_distance_of_still_ground_is_brought_to_that_of_chi_squared(
    dates: tuple[int, int],
) -> None:
    change = ground_from_dates(np.random.default_rng(2), (80, 80), dates)
    learned = Mahalanobis().fit(change.stack(pixel=("y", "x"), create_index=False))
    squared = learned._distances(change)[0] * learned.scale[:, None, None]
    assert np.median(squared) == pytest.approx(CHI2_MEDIAN[2], rel=1e-3)
    assert learned.scale.item() == pytest.approx(1, abs=0.2)
    # VV and VH of made ground have speckle of their own
    assert learned.covariance_db2.item() == pytest.approx(0, abs=0.15)
    assert np.std(learned.channels(change)) == pytest.approx(1, abs=0.15)
