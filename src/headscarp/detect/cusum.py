r"""Cumulative sum of the dates after the event, against the mean before it.

The two-sided sum of :func:`headscarp.features.moments.cusum`, in units of what noise alone would make of it:

.. math:: z = \frac{L - G}{\tilde s\, \sqrt{n_{post}}},

with the moderated standard deviation :math:`\tilde s` of single dates. What passes again (rain on one date)
adds little, what stays adds at every date.

Source: Page (1954), Continuous inspection schemes, Biometrika 41, 100–115; for Sentinel-1: Ruiz-Ramos et al.
(2020), Remote Sensing 12, 3061.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headscarp.detect.moderated import VariancePrior
from headscarp.detect.robust import median
from headscarp.detect.t_test import by_channel, fit_priors
from headscarp.features.change import Change

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Cusum:
    """The cumulative sum as a statistic."""

    name: str = "cusum"
    needs: tuple[str, ...] = ("mean_change_db", "pre_variance_db2", "cusum_db")

    def fit(self, pixels: Change) -> FittedCusum:
        """Learn the prior of the variance, and the regional shift, of each orbit and polarisation."""
        orbits, pols = (tuple(pixels[dim].values.tolist()) for dim in ("orbit", "polarization"))
        shift_db = np.nan_to_num(median(pixels["mean_change_db"].values))
        return FittedCusum(orbits, pols, shift_db, fit_priors(pixels, pixels["mean_change_db"].values))


@dataclass(frozen=True)
class FittedCusum:
    """A cumulative sum that knows the noise of one stack.

    Attributes
    ----------
    shift_db : ndarray, shape (orbit, polarization)
        Told, not taken out: the sum is centred on the area's own afterwards.
    priors : tuple of tuple of VariancePrior, by orbit, then polarisation
    """

    orbits: tuple[str, ...]
    polarizations: tuple[str, ...]
    shift_db: FloatArray
    priors: tuple[tuple[VariancePrior, ...], ...]

    def channels(self, change: Change) -> FloatArray:
        """Standardised sum of each orbit and polarisation, shape (orbit, polarization, ...)."""
        total, variance = change["cusum_db"].values, change["pre_variance_db2"].values
        before, after = (change[name].values.astype(np.float32) for name in ("pre_count", "post_count"))
        out = np.empty(total.shape, dtype=np.float32)
        for i, j in np.ndindex(*out.shape[:2]):
            std = np.sqrt(self.priors[i][j].of(variance[i, j], before[i, j]))
            out[i, j] = total[i, j] / (std * np.sqrt(np.maximum(after[i, j], 1)))
        return out

    def shifts(self) -> dict[str, dict[str, float]]:
        """Regional shift of the mean change, dB."""
        return by_channel(self.orbits, self.polarizations, self.shift_db.tolist())

    def record(self) -> dict[str, Any]:
        """Priors of the variance by orbit and polarisation."""
        rows = [[prior.record() for prior in row] for row in self.priors]
        return {"variance_prior": by_channel(self.orbits, self.polarizations, rows)}
