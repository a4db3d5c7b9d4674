r"""From score to probability: the local false-discovery rate under an empirical null.

Of many scores *z*, a share :math:`p_0` comes from ground where nothing happened, with density
:math:`f_0`, and the rest from landslides; together they have the density *f*. Then

.. math::
    P(\text{landslide} \mid z) = 1 - \mathrm{fdr}(z)
    = 1 - \frac{p_0 f_0(z)}{p_0 f_0(z) + (1 - p_0) f_1(z)}.

The density *f* of all scores is a Poisson regression of histogram counts on a natural cubic spline
(Lindsey's method); :math:`f_0` is normal, with mean and standard deviation from the curvature of
:math:`\log f` at its centre (central matching), not the theoretical N(0, 1): backscatter changes
everywhere, all the time, and p-values under the theoretical null would flag most of the land. What *f*
has in excess of the null gives the shape of :math:`f_1`. Its amount is not trusted: real change has
heavier tails than a normal null (fields, tides, moisture), so the excess holds more than landslides.
:math:`p_0` is therefore **stated**, as one minus the prior share of landslides, and the estimated
excess is reported beside it.

Source: Efron (2004), Large-scale simultaneous hypothesis testing: the choice of a null hypothesis, Journal of
the American Statistical Association 99, 96–104; Efron (2007), Annals of Statistics 35, 1351–1377, §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from headscarp.errors import HeadscarpError

Array = NDArray[np.float64]

MIN_SCORES = 100
BIN_WIDTH = 0.1
SPLINE_DF = 7
"""Degrees of freedom of the spline, Efron's choice."""
SPAN = 6.0
"""Scores beyond this many standard deviations are counted in the outermost bins."""
CENTRE = (0.25, 0.75)
"""Quantiles between which the null is matched."""
_TABLE_SPAN = 12.0
_MIN_EXCESS = 1e-6
_TINY = np.finfo(np.float64).tiny
_IRLS_STEPS = 50
_IRLS_TOLERANCE = 1e-8


@dataclass(frozen=True)
class EmpiricalNull:
    """A fitted null and the probability that follows from it.

    Attributes
    ----------
    mean, std : float
        Of the normal null density.
    prior_landslide : float
        Stated share of landslides, one minus :math:`p_0`.
    null_share_estimated : float
        :math:`p_0` that central matching suggests; above 1 where tails are light.
    excess_share_estimated : float
        Share of scores that the null does not explain.
    z, probability : ndarray
        Table from score to probability, rising away from the null's mean.
    """

    mean: float
    std: float
    prior_landslide: float
    null_share_estimated: float
    excess_share_estimated: float
    z: Array
    table: Array

    @classmethod
    def fit(cls, z: NDArray[np.floating], prior_landslide: float) -> Self:
        """Fit the null to scores.

        Parameters
        ----------
        z : ndarray, shape (n,)
            Scores; NaN are left out.
        prior_landslide : float
            Stated share of landslides, in (0, 1).

        Raises
        ------
        HeadscarpError
            With fewer than 100 scores.
        """
        scores = np.asarray(z, dtype=np.float64)
        scores = scores[np.isfinite(scores)]
        _refuse_few(scores.size)
        edges, counts = _histogram(scores)
        log_density = _LogDensity.fit(edges, counts)
        mean, std, share = _match_centre(scores, log_density)
        grid = np.arange(-_TABLE_SPAN, _TABLE_SPAN + BIN_WIDTH / 2, BIN_WIDTH / 2) * std + mean
        null, whole = norm.pdf(grid, mean, std), np.exp(log_density(grid))
        excess = np.maximum(whole - share * null, 0.0)
        excess_share = max(float(np.trapezoid(excess, grid)), _MIN_EXCESS)
        slid, still = prior_landslide * excess / excess_share, (1 - prior_landslide) * null
        table = _rising_outwards(slid / np.maximum(slid + still, _TINY), grid, mean)
        return cls(mean, std, prior_landslide, share, excess_share, grid, table)

    def probability(self, z: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probability of a landslide at each score; NaN where the score is."""
        return np.asarray(np.interp(z, self.z, self.table), dtype=np.float32)

    def density(self, z: Array) -> Array:
        """Density of the null, weighted by its stated share."""
        return np.asarray((1 - self.prior_landslide) * norm.pdf(z, self.mean, self.std))


@dataclass(frozen=True)
class _LogDensity:
    """Log density of scores: a Poisson regression on a natural cubic spline, linear in the tails."""

    knots: Array
    coefficients: Array
    log_total: float

    @classmethod
    def fit(cls, edges: Array, counts: Array) -> Self:
        centres = (edges[:-1] + edges[1:]) / 2.0
        # between the extreme scores, so that the spline is not asked about empty ground
        seen = np.flatnonzero(counts)
        kept = slice(seen[0], seen[-1] + 1)
        knots = np.linspace(centres[kept][0], centres[kept][-1], SPLINE_DF + 1)
        basis = _natural_spline(centres[kept], knots)
        coefficients = _poisson_regression(basis, counts[kept])
        log_total = np.log(counts.sum() * (edges[1] - edges[0]))
        return cls(knots, coefficients, float(log_total))

    def __call__(self, z: Array) -> Array:
        return np.asarray(_natural_spline(z, self.knots) @ self.coefficients - self.log_total)


def _histogram(scores: Array) -> tuple[Array, Array]:
    """Counts in bins that reach SPAN robust standard deviations; outliers fall into the last bins."""
    centre = float(np.median(scores))
    spread = max(float(np.subtract(*np.quantile(scores, [0.75, 0.25]))) / 1.349, 1e-6)
    edges = centre + spread * np.arange(-SPAN, SPAN + BIN_WIDTH / 2, BIN_WIDTH)
    inside = np.clip(scores, edges[0], np.nextafter(edges[-1], -np.inf))
    counts, _ = np.histogram(inside, edges)
    return edges, counts.astype(np.float64)


def _natural_spline(z: Array, knots: Array) -> Array:
    """Basis of natural cubic splines (Hastie et al. 2009, equations 5.4 and 5.5), scaled to [0, 1]."""
    scale = knots[-1] - knots[0]
    t, k = (z - knots[0]) / scale, (knots - knots[0]) / scale

    def bent(i: int) -> Array:
        cubes = np.maximum(t - k[i], 0) ** 3 - np.maximum(t - k[-1], 0) ** 3
        return np.asarray(cubes / (k[-1] - k[i]))

    last = bent(len(k) - 2)
    columns = [np.ones_like(t), t, *(bent(i) - last for i in range(len(k) - 2))]
    return np.stack(columns, axis=1)


def _poisson_regression(basis: Array, counts: Array) -> Array:
    """Maximum-likelihood coefficients of a log-linear Poisson model, by reweighted least squares."""
    eta = np.log(counts + 0.5)
    coefficients = np.linalg.lstsq(basis, eta, rcond=None)[0]
    deviance = np.inf
    for _ in range(_IRLS_STEPS):
        eta = np.clip(basis @ coefficients, -30, 30)
        mu = np.exp(eta)
        root = np.sqrt(mu)[:, None]
        working = eta + (counts - mu) / mu
        coefficients = np.linalg.lstsq(root * basis, root[:, 0] * working, rcond=None)[0]
        previous, deviance = deviance, float(np.sum(mu - counts * eta))
        if abs(previous - deviance) <= _IRLS_TOLERANCE * abs(deviance):
            break
    return np.asarray(coefficients)


def _match_centre(scores: Array, log_density: _LogDensity) -> tuple[float, float, float]:
    """Mean, standard deviation and share of the null from the centre of the density."""
    low, high = np.quantile(scores, CENTRE)
    z = np.linspace(low, high, 51)
    curve, slope, level = np.polyfit(z, log_density(z), 2)
    if curve >= 0:  # no peak to match: fall back on the quartiles
        return float(np.median(scores)), float((high - low) / 1.349), 1.0
    variance = -1.0 / (2.0 * curve)
    mean = slope * variance
    share = np.exp(level + mean**2 / (2 * variance)) * np.sqrt(2 * np.pi * variance)
    return float(mean), float(np.sqrt(variance)), float(share)


def _rising_outwards(probability: Array, z: Array, mean: float) -> Array:
    """Make the probability rise away from the null's mean on both sides."""
    left = z < mean
    rising = probability.copy()
    rising[~left] = np.maximum.accumulate(rising[~left])
    rising[left] = np.maximum.accumulate(rising[left][::-1])[::-1]
    return rising


def _refuse_few(count: int) -> None:
    if count < MIN_SCORES:
        raise HeadscarpError(
            f"at least {MIN_SCORES} observed pixels with dates before and after",
            f"{count}",
            "the noise of the change cannot be told from so little ground",
            "map a larger area, lower --min-slope, or widen --pre and --post",
        )
