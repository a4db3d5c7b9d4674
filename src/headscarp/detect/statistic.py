"""A detector made of a per-pixel statistic: its scores standardised, combined, held against their null."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.detect.null import EmpiricalNull, NullOptions
from headscarp.detect.robust import combine, median, robust_correlation, robust_std
from headscarp.detect.sample import counted_pixels, spatial_coords
from headscarp.features.change import Change

FloatArray = NDArray[np.float32]

MIN_SPREAD = 1e-3
"""Floor of a channel's spread, so that identical scenes give a score of zero and not of infinity."""


class FittedStatistic(Protocol):
    """A statistic that knows the noise of one stack."""

    def channels(self, change: Change) -> FloatArray:
        """Signed values of shape (orbit, kind, ...), positive for a loss, NaN where not observed."""
        ...

    def shifts(self) -> dict[str, dict[str, float]]:
        """Regional shift taken out, dB, by orbit and polarisation."""
        ...

    def record(self) -> dict[str, Any]:
        """What was fitted, for ``run.json``."""
        ...


class Statistic(Protocol):
    """A number for each pixel that grows with the evidence of change."""

    @property
    def name(self) -> str:
        """Name of the detector, as the options spell it."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Variables of the change that it takes."""
        ...

    def fit(self, pixels: Change) -> FittedStatistic:
        """Learn from pixels on ``(orbit, polarization, pixel)``."""
        ...


@dataclass(frozen=True)
class StatisticDetector:
    """The detector of a statistic."""

    statistic: Statistic
    options: NullOptions = field(default_factory=NullOptions)
    halo_px: int = 0

    @property
    def name(self) -> str:
        """Name of the statistic."""
        return self.statistic.name

    @property
    def needs(self) -> tuple[str, ...]:
        """Variables of the statistic."""
        return self.statistic.needs

    def fit(self, sample: Change) -> FittedStatisticDetector:
        """Learn the statistic's noise, the spread and correlation of its channels, and the null.

        Raises
        ------
        HeadscarpError
            With fewer than 100 observed pixels.
        """
        pixels = counted_pixels(sample)
        orbits, pols = (tuple(pixels[dim].values.tolist()) for dim in ("orbit", "polarization"))
        fitted = self.statistic.fit(pixels)
        channels = fitted.channels(pixels)
        flat = channels.reshape(-1, channels.shape[-1])
        centre, spread = np.nan_to_num(median(flat)), np.maximum(robust_std(flat), MIN_SPREAD)
        z = np.asarray((flat - centre[:, None]) / spread[:, None], dtype=np.float32)
        correlation = robust_correlation(z)
        null = EmpiricalNull.fit(
            combine(z, correlation), self.options.prior_landslide, self.options.direction
        )
        return FittedStatisticDetector(
            fitted, orbits, pols, channels.shape[:2], centre, spread, correlation, null
        )


@dataclass(frozen=True)
class FittedStatisticDetector:
    """A statistic with the spread and the correlation of its channels, and their null.

    Attributes
    ----------
    shape : (int, int)
        Orbits and kinds of the channels.
    centre, spread : ndarray, shape (channel,)
    correlation : ndarray, shape (channel, channel)
    """

    statistic: FittedStatistic
    orbits: tuple[str, ...]
    polarizations: tuple[str, ...]
    shape: tuple[int, ...]
    centre: FloatArray
    spread: FloatArray
    correlation: FloatArray
    null: EmpiricalNull

    def score(self, change: Change) -> xr.DataArray:
        """Channels combined; positive for a loss of backscatter."""
        z, dims, coords = self._standardised(change)
        values = combine(z.reshape(-1, *z.shape[2:]), self.correlation)
        return xr.DataArray(values, dims=dims, name="score", coords=coords)

    def orbit_scores(self, change: Change) -> xr.DataArray:
        """Channels of each orbit alone, combined."""
        z, dims, coords = self._standardised(change)
        kinds = self.shape[1]
        parts = [slice(i * kinds, (i + 1) * kinds) for i in range(self.shape[0])]
        scores = [combine(z[i], self.correlation[part, part]) for i, part in enumerate(parts)]
        ground = {"orbit": list(self.orbits), **coords}
        return xr.DataArray(np.stack(scores), dims=("orbit", *dims), name="orbit_score", coords=ground)

    def channels(self, change: Change) -> FloatArray:
        """Standardised values of shape (orbit, kind, ...)."""
        return self._standardised(change)[0]

    def probability(self, score: xr.DataArray) -> xr.DataArray:
        """One minus the local false-discovery rate."""
        return score.copy(data=self.null.probability(score.values)).rename("probability")

    def null_density(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density of the score where nothing happened, weighted by its stated share."""
        return self.null.density(score)

    def record(self) -> dict[str, Any]:
        """Everything that was fitted, for ``run.json``."""
        own = self.statistic.record() | {"regional_shift_db": self.statistic.shifts()}
        channels = {"channel_spread": self.spread.tolist(), "correlation": self.correlation.tolist()}
        return own | channels | self.null.record()

    def _standardised(self, change: Change) -> tuple[FloatArray, tuple[Any, ...], dict[str, xr.DataArray]]:
        picked = change.sel(orbit=list(self.orbits), polarization=list(self.polarizations))
        ordered = picked.transpose("orbit", "polarization", ...)
        dims = ordered["change_db"].dims[2:]
        channels = self.statistic.channels(ordered)
        centre, spread = (
            part.reshape(*self.shape, *([1] * len(dims))) for part in (self.centre, self.spread)
        )
        z = np.asarray((channels - centre) / spread, dtype=np.float32)
        return z, dims, spatial_coords(ordered, dims)
