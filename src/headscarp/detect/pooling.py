r"""Scores pooled over neighbours at several scales: a landslide is larger than a speckle.

For the score *z* of a pixel-wise detector and windows of *w* pixels a side:

.. math:: p = \sum_w \frac{\bar z_w}{\mathrm{std}(\bar z_w)},

where :math:`\bar z_w` is the mean of the observed scores in the window, and its robust standard deviation
over the area knows how far the noise of neighbours hangs together. The windows add up to one kernel, high in
its middle and wide at its foot, so that small landslides keep their place and large ones gain from all their
pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from headscarp.detect.null import EmpiricalNull, NullOptions
from headscarp.detect.protocol import Detector, FittedDetector
from headscarp.detect.robust import robust_std
from headscarp.detect.sample import counted_values
from headscarp.features.change import Change

FloatArray = NDArray[np.float32]

MIN_SPREAD = 1e-3
"""Floor of the spread of a pooled score, so that identical scenes give a score of zero."""


def halo_of(windows_px: tuple[int, ...]) -> int:
    """Pixels beyond a tile that the widest window reaches."""
    return max(windows_px) // 2


def window_mean(values: FloatArray, window_px: int) -> FloatArray:
    """Mean of the valid values in a square window around each pixel that is itself valid.

    Parameters
    ----------
    values : ndarray, shape (..., y, x)
        NaN where not observed; beyond the edges nothing is.
    window_px : int
        Side of the window, odd.

    Returns
    -------
    ndarray of float32, shape (..., y, x)

    Examples
    --------
    >>> import numpy as np
    >>> row = np.array([[1.0, 2.0, np.nan, 6.0]], dtype=np.float32)
    >>> window_mean(row, 3).tolist()
    [[1.5, 1.5, nan, 6.0]]
    """
    if window_px == 1:
        return values
    valid = np.isfinite(values)
    means = [
        uniform_filter(part.astype(np.float64), window_px, mode="constant", axes=(-2, -1))
        for part in (np.where(valid, values, 0), valid)
    ]
    return np.where(valid, means[0] / np.maximum(means[1], 0.5 / window_px**2), np.nan).astype(np.float32)


@dataclass(frozen=True)
class Pooling:
    """Windows, and the spread of what they hold.

    Attributes
    ----------
    windows_px : tuple of int
    spread : tuple of float
        Robust standard deviation of the mean in each window.
    total : float
        That of their sum.
    """

    windows_px: tuple[int, ...]
    spread: tuple[float, ...]
    total: float

    @classmethod
    def fit(cls, score: xr.DataArray, sample: Change, windows_px: tuple[int, ...]) -> Pooling:
        """Learn the spreads from the scores of a sample, on ``(..., y, x)``."""
        means = [score.copy(data=window_mean(score.values, w)) for w in windows_px]
        spread = tuple(max(float(robust_std(counted_values(mean, sample))), MIN_SPREAD) for mean in means)
        rough = cls(windows_px, spread, 1.0)
        pooled = score.copy(data=rough.apply(score.values))
        return cls(windows_px, spread, max(float(robust_std(counted_values(pooled, sample))), MIN_SPREAD))

    def apply(self, score: FloatArray) -> FloatArray:
        """Pooled score of variance 1, on ``(..., y, x)``; NaN where the score is."""
        total = sum(
            window_mean(score, window) / np.float32(spread)
            for window, spread in zip(self.windows_px, self.spread, strict=True)
        )
        return np.asarray(total / np.float32(self.total), dtype=np.float32)

    def record(self) -> dict[str, Any]:
        """Windows and spreads, for ``run.json``."""
        return {"windows_px": list(self.windows_px), "window_spread": list(self.spread)}


@dataclass(frozen=True)
class PooledDetector:
    """Any detector with its score pooled, and the null of the pooled score."""

    detector: Detector
    windows_px: tuple[int, ...]
    options: NullOptions

    @property
    def name(self) -> str:
        """Name of the detector itself."""
        return self.detector.name

    @property
    def needs(self) -> tuple[str, ...]:
        """Variables of the detector itself."""
        return self.detector.needs

    @property
    def halo_px(self) -> int:
        """The detector's own halo, and the windows' on top of it."""
        return self.detector.halo_px + halo_of(self.windows_px)

    def fit(self, sample: Change) -> FittedPooled:
        """Learn the noise, then the spread of each window, then the null of the sum."""
        fitted = self.detector.fit(sample)
        score = fitted.score(sample)
        pooling = Pooling.fit(score, sample, self.windows_px)
        by_orbit = fitted.orbit_scores(sample)
        orbits = tuple(Pooling.fit(own, sample, self.windows_px) for own in by_orbit)
        pooled = counted_values(score.copy(data=pooling.apply(score.values)), sample)
        null = EmpiricalNull.fit(pooled, self.options.prior_landslide, self.options.direction)
        labels = tuple(by_orbit["orbit"].values.tolist())
        return FittedPooled(fitted, pooling, dict(zip(labels, orbits, strict=True)), null)


@dataclass(frozen=True)
class FittedPooled:
    """A fitted detector whose score is pooled."""

    fitted: FittedDetector
    pooling: Pooling
    orbit_pooling: dict[str, Pooling]
    null: EmpiricalNull

    def score(self, change: Change) -> xr.DataArray:
        """Pooled score; near the edge of the change it lacks what lies beyond."""
        score = self.fitted.score(change)
        return score.copy(data=self.pooling.apply(score.values))

    def orbit_scores(self, change: Change) -> xr.DataArray:
        """Pooled score of each orbit alone."""
        scores = self.fitted.orbit_scores(change)
        labels = scores["orbit"].values.tolist()
        pooled = [
            self.orbit_pooling[label].apply(own.values) for label, own in zip(labels, scores, strict=True)
        ]
        return scores.copy(data=np.stack(pooled))

    def probability(self, score: xr.DataArray) -> xr.DataArray:
        """One minus the local false-discovery rate of the pooled score."""
        return score.copy(data=self.null.probability(score.values)).rename("probability")

    def null_density(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density of the pooled score where nothing happened, weighted by its stated share."""
        return self.null.density(score)

    def record(self) -> dict[str, Any]:
        """Everything that was fitted, for ``run.json``."""
        return self.fitted.record() | self.pooling.record() | self.null.record()
