r"""From score to probability: the local false-discovery rate under an empirical null.

Of many scores *z*, a share :math:`p_0` comes from ground where nothing happened, with density
:math:`f_0`, and the rest from landslides, with density :math:`f_1`. Then

.. math::
    P(\text{landslide} \mid z) = 1 - \mathrm{fdr}(z)
    = 1 - \frac{p_0 f_0(z)}{p_0 f_0(z) + (1 - p_0) f_1(z)}.

:math:`f_0` is normal. Its mean, standard deviation and share come from the centre of the histogram (central
matching: a Poisson regression of the counts between the outer tenths on a parabola), not from theory:
backscatter changes everywhere, all the time, and p-values under N(0, 1) would flag most of the land. What the
counts have in excess of the null gives the shape of :math:`f_1`, under one assumption: that evidence does not
fall as scores grow, so that the ratio of counts to the null rises away from its mean on either side
(isotonic regression, the maximum-likelihood estimate).

The amount of the excess is not trusted. Real change has heavier tails than a normal null (fields, tides,
moisture), so it holds more than landslides. The share of landslides :math:`1 - p_0` is therefore
**stated** as a prior; only where the data show less excess than that does the data's own share count.

Source: Efron (2004), Large-scale simultaneous hypothesis testing: the choice of a null hypothesis, Journal
of the American Statistical Association 99, 96–104; central matching: §4 there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import isotonic_regression

from headscarp.errors import HeadscarpError

Array = NDArray[np.float64]

MIN_SCORES = 100
BIN_WIDTH = 0.1
"""Of the histogram, in robust standard deviations."""
SPAN = 12.0
"""Scores beyond this many robust standard deviations are counted in the outermost bins."""
CENTRE = (0.1, 0.9)
"""Quantiles between which the null is matched: wide enough that a few thousand scores fix it."""
QUARTILES = (0.25, 0.75)
_QUARTILES_TO_STD = 1.349
_MIN_SPREAD = 1e-6
_FLATTEST = -1.0 / 8.0
"""Curvature of the log counts of a null twice as wide as the quartiles say; a flatter centre has no peak."""
_TINY = 1e-300
_IRLS_STEPS = 25

Direction = Literal["either", "loss", "gain"]


class NullOptions(BaseModel):
    """What is stated, and not learned, of the step from score to probability."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prior_landslide: float = Field(
        0.01, gt=0, lt=1, description="Stated share of the ground that has slid, before looking."
    )
    direction: Direction = Field(
        "either", description="Which change can be a landslide: of either sign, loss or gain only."
    )


@dataclass(frozen=True)
class EmpiricalNull:
    """A fitted null and the probability that follows from it.

    Attributes
    ----------
    mean, std : float
        Of the normal null density.
    prior_landslide : float
        Stated share of landslides.
    direction : str
        Of the changes that can be landslides; those of the other have probability 0.
    prior_used : float
        The stated share, or the excess of the data where that is less.
    null_share_estimated : float
        :math:`p_0` that central matching suggests; above 1 where tails are light.
    excess_share_estimated : float
        Share of scores that the null does not explain.
    z, table : ndarray
        From score to probability, rising away from the null's mean.
    """

    mean: float
    std: float
    prior_landslide: float
    direction: Direction
    prior_used: float
    null_share_estimated: float
    excess_share_estimated: float
    z: Array
    table: Array

    @classmethod
    def fit(cls, z: NDArray[np.floating], prior_landslide: float, direction: Direction = "either") -> Self:
        """Fit the null to scores.

        Parameters
        ----------
        z : ndarray, shape (n,)
            Scores; NaN are left out.
        prior_landslide : float
            Stated share of landslides, in (0, 1).
        direction : str
            Side of the null, above ("loss"), below ("gain") or both, whose excess is landslides.

        Raises
        ------
        HeadscarpError
            With fewer than 100 scores.
        """
        scores = np.asarray(z, dtype=np.float64)
        scores = scores[np.isfinite(scores)]
        _refuse_few(scores.size)
        edges, counts = _histogram(scores)
        centres = (edges[:-1] + edges[1:]) / 2.0
        mean, std, share = _match_centre(scores, centres, counts)
        null = np.maximum(_normal(centres, mean, std) * np.diff(edges), _TINY)
        ratio = _rising_ratio(centres, counts / counts.sum(), null, mean)
        excess = np.where(_may_slide(centres, mean, direction), np.maximum(ratio - share, 0.0), 0.0)
        excess_share = float(np.sum(excess * null))
        prior = min(prior_landslide, excess_share)
        odds = prior / (1 - prior) * excess / max(excess_share, _TINY)
        table = odds / (1 + odds)
        return cls(mean, std, prior_landslide, direction, prior, share, excess_share, centres, table)

    def probability(self, z: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probability of a landslide at each score; NaN where the score is."""
        return np.asarray(np.interp(z, self.z, self.table), dtype=np.float32)

    def density(self, z: Array) -> Array:
        """Density of the null, weighted by its share."""
        return np.asarray((1 - self.prior_used) * _normal(z, self.mean, self.std))

    def record(self) -> dict[str, Any]:
        """Everything that was fitted, for ``run.json``; the table is the probability."""
        return {
            "null_mean": self.mean,
            "null_std": self.std,
            "prior_landslide": self.prior_landslide,
            "prior_used": self.prior_used,
            "null_share_estimated": self.null_share_estimated,
            "excess_share_estimated": self.excess_share_estimated,
            "direction": self.direction,
            "probability_table": {
                "score": np.round(self.z, 6).tolist(),
                "probability": self.table.tolist(),
            },
        }


def _may_slide(z: Array, mean: float, direction: Direction) -> NDArray[np.bool_]:
    """Where the direction allows a landslide."""
    if direction == "either":
        return np.ones(z.shape, dtype=np.bool_)
    return np.asarray(z > mean if direction == "loss" else z < mean)


def _normal(z: Array, mean: float, std: float) -> Array:
    """Normal density (scipy.stats would cost two seconds of every start)."""
    return np.asarray(np.exp(-0.5 * ((z - mean) / std) ** 2) / (std * np.sqrt(2.0 * np.pi)))


def _histogram(scores: Array) -> tuple[Array, Array]:
    """Edges and counts around the median; outliers fall into the outermost bins."""
    centre = float(np.median(scores))
    spread = max(float(np.subtract(*np.quantile(scores, QUARTILES[::-1]))) / _QUARTILES_TO_STD, _MIN_SPREAD)
    half = round(SPAN / BIN_WIDTH)
    edges = centre + spread * BIN_WIDTH * (np.arange(-half, half + 2) - 0.5)
    inside = np.clip(scores, edges[0], np.nextafter(edges[-1], -np.inf))
    counts, _ = np.histogram(inside, edges)
    return np.asarray(edges, dtype=np.float64), counts.astype(np.float64)


def _match_centre(scores: Array, centres: Array, counts: Array) -> tuple[float, float, float]:
    """Mean, standard deviation and share of the null from the central counts."""
    (low, high), quartiles = np.quantile(scores, CENTRE), np.quantile(scores, QUARTILES)
    median, std = float(np.median(scores)), float(np.ptp(quartiles)) / _QUARTILES_TO_STD
    std = max(std, _MIN_SPREAD)
    middle = (centres >= low) & (centres <= high)
    u = (centres[middle] - median) / std
    if len(u) < 5:
        return median, std, 1.0
    level, slope, curve = _poisson_regression(np.stack([np.ones_like(u), u, u**2], axis=1), counts[middle])
    if curve > _FLATTEST:  # no peak to match: the quartiles stand
        return median, std, 1.0
    variance = -1.0 / (2.0 * curve)
    peak = slope * variance
    bins = (centres[1] - centres[0]) / std
    total = np.exp(level + peak**2 / (2.0 * variance)) * np.sqrt(2.0 * np.pi * variance) / bins
    return median + std * float(peak), std * float(np.sqrt(variance)), float(total / counts.sum())


def _poisson_regression(basis: Array, counts: Array) -> Array:
    """Maximum-likelihood coefficients of a log-linear Poisson model, by reweighted least squares."""
    coefficients = np.linalg.lstsq(basis, np.log(counts + 0.5), rcond=None)[0]
    for _ in range(_IRLS_STEPS):
        eta = np.clip(basis @ coefficients, -30.0, 30.0)
        mu = np.exp(eta)
        root = np.sqrt(mu)
        working = eta + (counts - mu) / mu
        coefficients = np.linalg.lstsq(root[:, None] * basis, root * working, rcond=None)[0]
    return np.asarray(coefficients)


def _rising_ratio(z: Array, share: Array, null: Array, mean: float) -> Array:
    """Ratio of the counts to the null that rises away from the mean, at each bin."""
    right = z >= mean
    ratio = np.empty_like(z)
    ratio[right] = _isotonic(z[right], share[right], null[right])
    ratio[~right] = _isotonic(-z[~right][::-1], share[~right][::-1], null[~right][::-1])[::-1]
    return ratio


def _isotonic(z: Array, share: Array, null: Array) -> Array:
    """Rising ratio along rising scores: steps by isotonic regression, joined through their middles."""
    fit = isotonic_regression(share / null, weights=null)
    blocks = np.repeat(np.arange(len(fit.blocks) - 1), np.diff(fit.blocks))
    weight = np.bincount(blocks, share + null)
    middle = np.bincount(blocks, z * (share + null)) / weight
    level = np.log(np.maximum(fit.x[fit.blocks[:-1]], _TINY))
    return np.asarray(np.exp(np.interp(z, middle, level)))


def _refuse_few(count: int) -> None:
    if count < MIN_SCORES:
        raise HeadscarpError(
            f"at least {MIN_SCORES} observed pixels with dates before and after",
            f"{count}",
            "the noise of the change cannot be told from so little ground",
            "map a larger area, lower --min-slope-deg, or widen --pre and --post",
        )
