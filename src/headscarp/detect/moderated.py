r"""Variances of few dates, drawn toward what the whole area shows.

A variance from four dates is itself hardly known. With :math:`d = n - 1` degrees of freedom in each pixel,
and a prior of variance :math:`s_0^2` worth :math:`d_0` degrees of freedom, the moderated variance is

.. math:: \tilde s^2 = \frac{d_0 s_0^2 + d\, s^2}{d_0 + d}.

:math:`d_0` and :math:`s_0^2` come from the spread of :math:`\log s^2` over the area, which is that of the
estimate, :math:`\psi'(d/2)`, and that of the ground itself, :math:`\psi'(d_0/2)`.

Both come from medians, so that fields and water in the area do not set them; the price is a bias with few
dates: with four, a :math:`d_0` of 8 is taken for 16, and the variance comes out up to a fifth too high. The
scores are standardised over the area afterwards, so that it is their mixture of pixel and area that this
shifts, not their size.

Source: Smyth (2004), Linear models and empirical Bayes methods, Statistical Applications in Genetics and
Molecular Biology 3, article 3, §6.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import polygamma

from headscarp.detect.robust import median, robust_std

FloatArray = NDArray[np.float32]

MIN_STD_DB = 0.05
"""Floor of the prior's standard deviation, so that identical scenes give no infinite score."""
MOST_DEGREES, FEWEST_DEGREES = 100.0, 1.0
"""Bounds of the prior's weight."""


@dataclass(frozen=True)
class VariancePrior:
    """What an area says of the variance of a pixel over dates, for one orbit and polarisation.

    Attributes
    ----------
    variance_db2 : float
    degrees : float
        Degrees of freedom that the prior is worth.
    """

    variance_db2: float
    degrees: float

    @classmethod
    def fit(cls, variance_db2: FloatArray, count: FloatArray, change_db: FloatArray) -> VariancePrior:
        """Estimate the prior from pixels.

        Parameters
        ----------
        variance_db2, count : ndarray, shape (pixel,)
            Variance before the event, and its dates.
        change_db : ndarray, shape (pixel,)
            Change over the standard deviation that a variance of 1 dB² would give it: where no pixel has two
            dates, its robust spread is all there is.
        """
        known = np.isfinite(variance_db2) & (variance_db2 > 0) & (count > 1)
        if not known.any():
            spread = float(robust_std(change_db))
            return cls(max(spread, MIN_STD_DB) ** 2, MOST_DEGREES)
        degrees = float(np.median(count[known])) - 1.0
        usual = known & (count == degrees + 1.0)
        logs = np.log(variance_db2[usual if usual.any() else known])
        own = float(robust_std(logs)) ** 2 - float(polygamma(1, degrees / 2.0))
        prior = _inverse_trigamma(own) * 2.0
        level = float(median(logs)) - _log_median_of_chi2_over_degrees(degrees)
        return cls(max(float(np.exp(level)), MIN_STD_DB**2), prior)

    def of(self, variance_db2: FloatArray, count: FloatArray) -> FloatArray:
        """Moderated variance, dB²; the prior's where the pixel has none of its own."""
        own = np.where(np.isfinite(variance_db2), np.maximum(count - 1.0, 0.0), 0.0)
        total = self.degrees * self.variance_db2 + own * np.nan_to_num(variance_db2)
        return np.asarray(total / (self.degrees + own), dtype=np.float32)

    def record(self) -> dict[str, float]:
        """Both numbers, for ``run.json``."""
        return {"std_db": self.variance_db2**0.5, "degrees_of_freedom": self.degrees}


def _inverse_trigamma(value: float) -> float:
    """Where trigamma has a value, within the bounds of the prior's weight."""
    low, high = FEWEST_DEGREES / 2.0, MOST_DEGREES / 2.0
    if value >= float(polygamma(1, low)):
        return low
    if value <= float(polygamma(1, high)):
        return high
    return float(brentq(lambda x: float(polygamma(1, x)) - value, low, high))


def _log_median_of_chi2_over_degrees(degrees: float) -> float:
    """Logarithm of the median of a variance estimate over its truth (Wilson & Hilferty 1931)."""
    return float(3.0 * np.log(max(1.0 - 2.0 / (9.0 * degrees), 0.1)))
