r"""Mahalanobis distance of the change of (VV, VH) from what the dates before the event scatter.

For orbit *o*, with the change of medians :math:`\mathbf c_o` less its regional shift, and the moderated
covariance
:math:`\tilde S_o` of single dates:

.. math::
    D_o^2 = \frac{\mathbf c_o^T \tilde S_o^{-1} \mathbf c_o}{v(n_{pre}) + v(n_{post})},

where :math:`v(n)` is the variance of the median of *n* normal values of variance 1. Each :math:`D_o^2` is
scaled so that its median over the area is that of :math:`\chi^2`; the normal score of its tail probability
takes the sign of the sum of the standardised changes, and the orbits are combined with their correlation.

A distance has no direction: what VV gains and VH loses counts fully.

Source: Mahalanobis (1936), Proceedings of the National Institute of Sciences of India 2, 49–55; moderation
as in
:mod:`headscarp.detect.moderated`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri

from headscarp.detect.moderated import VariancePrior
from headscarp.detect.robust import median
from headscarp.detect.t_test import by_channel, fit_priors
from headscarp.features.change import Change
from headscarp.features.moments import COVARIANCE

FloatArray = NDArray[np.float32]

CHI2_MEDIAN = (0.0, 0.455, 1.386)
"""Median of chi-squared with 0, 1 and 2 degrees of freedom."""
_MOST_CORRELATED = 0.95
_TINY = 1e-300


@dataclass(frozen=True)
class Mahalanobis:
    """The Mahalanobis distance as a statistic."""

    name: str = "mahalanobis"
    needs: tuple[str, ...] = ("change_db", "pre_variance_db2", COVARIANCE)

    def fit(self, pixels: Change) -> FittedMahalanobis:
        """Learn shifts, the prior of the covariance, and the scale of the distance of each orbit."""
        orbits, pols = (tuple(pixels[dim].values.tolist()) for dim in ("orbit", "polarization"))
        shift_db = np.nan_to_num(median(pixels["change_db"].values))
        priors = fit_priors(pixels, pixels["change_db"].values)
        covariance = np.nan_to_num(median(pixels[COVARIANCE].values[:, 0]))
        unit = np.ones(len(orbits), np.float32)
        rough = FittedMahalanobis(orbits, pols, shift_db, priors, covariance, unit)
        return FittedMahalanobis(orbits, pols, shift_db, priors, covariance, rough.scales(pixels))


@dataclass(frozen=True)
class FittedMahalanobis:
    """A Mahalanobis distance that knows the noise of one stack.

    Attributes
    ----------
    shift_db : ndarray, shape (orbit, polarization)
    priors : tuple of tuple of VariancePrior, by orbit, then polarisation
    covariance_db2 : ndarray, shape (orbit,)
        Typical covariance of VV and VH.
    scale : ndarray, shape (orbit,)
        Of the squared distance.
    """

    orbits: tuple[str, ...]
    polarizations: tuple[str, ...]
    shift_db: FloatArray
    priors: tuple[tuple[VariancePrior, ...], ...]
    covariance_db2: FloatArray
    scale: FloatArray

    def channels(self, change: Change) -> FloatArray:
        """Signed normal score of each orbit, shape (orbit, 1, ...)."""
        squared, degrees, side = self._distances(change)
        scaled = squared * self.scale.reshape(-1, *[1] * (squared.ndim - 1))
        tail = chdtrc(np.maximum(degrees, 1), np.nan_to_num(scaled))
        z = np.copysign(-ndtri(np.clip(tail / 2.0, _TINY, 0.5)), side)
        return np.where(degrees > 0, z, np.nan).astype(np.float32)[:, None]

    def scales(self, change: Change) -> FloatArray:
        """What brings the median distance of each orbit to that of chi-squared."""
        squared, degrees, _ = self._distances(change)
        scale = np.ones(len(squared), np.float32)
        for i, (values, freedom) in enumerate(zip(squared, degrees, strict=True)):
            usual = int(np.median(freedom[freedom > 0])) if (freedom > 0).any() else 0
            found = values[(freedom == usual) & np.isfinite(values)]
            if usual and found.size and np.median(found) > 0:
                scale[i] = CHI2_MEDIAN[usual] / np.median(found)
        return scale

    def shifts(self) -> dict[str, dict[str, float]]:
        """Regional shift of the change, dB."""
        return by_channel(self.orbits, self.polarizations, self.shift_db.tolist())

    def record(self) -> dict[str, Any]:
        """Prior of the covariance, and scale of the distance, by orbit."""
        rows = [[prior.record() for prior in row] for row in self.priors]
        return {
            "variance_prior": by_channel(self.orbits, self.polarizations, rows),
            "covariance_db2": dict(zip(self.orbits, self.covariance_db2.tolist(), strict=True)),
            "distance_scale": dict(zip(self.orbits, self.scale.tolist(), strict=True)),
        }

    def _distances(self, change: Change) -> tuple[FloatArray, NDArray[np.int64], FloatArray]:
        """Squared distance, degrees of freedom and side of each orbit, shape (orbit, ...)."""
        parts = [self._distance(change, i) for i in range(len(self.orbits))]
        squared, degrees, side = (np.stack(column) for column in zip(*parts, strict=True))
        return squared, degrees, side

    def _distance(self, change: Change, i: int) -> tuple[FloatArray, NDArray[np.int64], FloatArray]:
        values = change["change_db"].values[i]
        pre, post = (change[name].values[i].astype(np.float32) for name in ("pre_count", "post_count"))
        factor = np.sqrt(median_variance(pre) + median_variance(post))
        std = [
            np.sqrt(p.of(change["pre_variance_db2"].values[i, j], pre[j]))
            for j, p in enumerate(self.priors[i])
        ]
        z = np.stack([(values[j] - self.shift_db[i, j]) / (std[j] * factor[j]) for j in range(len(std))])
        valid = np.isfinite(z)
        own = np.nan_to_num(z)
        squared = np.sum(own**2, axis=0)
        if len(z) == 2:
            rho = self._correlation(change, i, std[0] * std[1], pre.min(axis=0))
            both = valid.all(axis=0)
            quadratic = (squared - 2 * rho * own[0] * own[1]) / (1 - rho**2)
            squared = np.where(both, quadratic, squared)
        degrees = valid.sum(axis=0)
        return np.where(degrees > 0, squared, np.nan).astype(np.float32), degrees, own.sum(axis=0)

    def _correlation(self, change: Change, i: int, product: FloatArray, count: FloatArray) -> FloatArray:
        """Moderated correlation of two polarisations."""
        weight = min(prior.degrees for prior in self.priors[i])
        typical = self.covariance_db2[i]
        found = change[COVARIANCE].values[i, 0]
        own = np.where(np.isfinite(found), np.maximum(count - 1, 0), 0)
        covariance = (weight * typical + own * np.nan_to_num(found)) / (weight + own)
        bounded = np.clip(covariance / product, -_MOST_CORRELATED, _MOST_CORRELATED)
        return np.asarray(bounded, dtype=np.float32)


def median_variance(count: FloatArray) -> FloatArray:
    r"""Variance of the median of *n* normal values of variance 1, within 1%.

    .. math:: v(1) = 1, \quad v(2) = 1/2, \quad v(n) \approx \frac{\pi}{2 (n + \delta)},

    with :math:`\delta` 0.5 for odd and 1.3 for even *n*, as order statistics give it. 1 for no date.
    """
    n = np.maximum(count, 1)
    offset = np.where(n % 2 == 1, np.float32(0.5), np.float32(1.3))
    return np.where(n <= 2, 1 / n, np.float32(np.pi / 2) / (n + offset)).astype(np.float32)
