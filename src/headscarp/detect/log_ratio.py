r"""Log-ratio: the fused change, standardised by its noise and combined over polarisations.

For polarisation *p*, with the change :math:`c_{o,p}` of orbit *o*, its regional shift
:math:`m_{o,p} = \mathrm{median}(c_{o,p})`, and the fusion weights :math:`w_o` of
:func:`headscarp.features.change.fusion_weights`:

.. math::
    z_p = \frac{\sum_o w_o (c_{o,p} - m_{o,p})}{s_p\, g}, \qquad
    g^2 = \sum_o w_o^2 \left(\frac{1}{n^{pre}_o} + \frac{1}{n^{post}_o}\right), \qquad
    z = \frac{\sum_p z_p}{\sqrt{\sum_{p,q} R_{pq}}}.

*g* makes pixels with few dates count less, :math:`s_p` is 1.4826 times the median absolute deviation over the
area, *R* the robust correlation of the polarisations (Gnanadesikan & Kettenring 1972). Shifts that the whole
area shares (moisture, season) are no landslides; they are taken out and reported.

Losses and gains of one pixel cancel where polarisations disagree: the price of one signed number.

Sources: Rignot & van Zyl (1993), IEEE TGRS 31, 896–906 (log-ratio); Strube (1985), Psychological Bulletin 97,
334–341 (combining dependent scores); Pan & Shi (2023), Remote Sensing 15, 5619 (the change and its fusion).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.detect.null import EmpiricalNull, NullOptions
from headscarp.detect.robust import combine, median, robust_correlation, robust_std
from headscarp.detect.sample import counted_pixels, spatial_coords
from headscarp.features.change import Change, fusion_weights

MIN_NOISE_DB = 0.05
"""Floor of the noise, so that identical scenes give a score of zero and not of infinity."""

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class LogRatio:
    """The log-ratio detector."""

    options: NullOptions = field(default_factory=NullOptions)
    name: str = "log-ratio"
    needs: tuple[str, ...] = ("change_db",)
    halo_px: int = 0

    def fit(self, sample: Change) -> FittedLogRatio:
        """Learn shifts, noise, correlation and null from pixels.

        Parameters
        ----------
        sample : Dataset
            A change on ``(orbit, polarization, ...)``: a sample of pixels, of patches, or a whole map.

        Raises
        ------
        HeadscarpError
            With fewer than 100 observed pixels.
        """
        ordered = counted_pixels(sample)
        arrays = _Arrays.of(ordered)
        shift_db = median(arrays.change_db)
        states = tuple(ordered["orbit_state"].values.tolist())
        fused, gain = _fuse(arrays, shift_db, states)
        noise_db = np.maximum(robust_std(fused / gain), MIN_NOISE_DB)
        z = fused / (gain * noise_db[:, None])
        correlation = robust_correlation(z)
        null = EmpiricalNull.fit(
            combine(z, correlation), self.options.prior_landslide, self.options.direction
        )
        return FittedLogRatio(
            orbits=tuple(ordered["orbit"].values.tolist()),
            polarizations=tuple(ordered["polarization"].values.tolist()),
            shift_db=shift_db,
            noise_db=noise_db,
            fused_noise_db=robust_std(fused),
            correlation=correlation,
            null=null,
        )


@dataclass(frozen=True)
class FittedLogRatio:
    """A log-ratio that knows the noise of one stack.

    Attributes
    ----------
    shift_db : ndarray, shape (orbit, polarization)
        Regional shift of each orbit.
    noise_db : ndarray, shape (polarization,)
        Noise of a change between one date and one date, dB.
    fused_noise_db : ndarray, shape (polarization,)
        Noise of the fused change as it is, dB.
    correlation : ndarray, shape (polarization, polarization)
    null : EmpiricalNull
    """

    orbits: tuple[str, ...]
    polarizations: tuple[str, ...]
    shift_db: FloatArray
    noise_db: FloatArray
    fused_noise_db: FloatArray
    correlation: FloatArray
    null: EmpiricalNull

    def score(self, change: Change) -> xr.DataArray:
        """Standardised fused change; positive for a loss of backscatter.

        Parameters
        ----------
        change : Dataset
            On ``(orbit, polarization, ...)``, with the orbits and polarisations of the fit.
        """
        ordered = self._ordered(change)
        states = tuple(ordered["orbit_state"].values.tolist())
        values = self._standardise(_Arrays.of(ordered), self.shift_db, states)
        dims = ordered["change_db"].dims[2:]
        return xr.DataArray(values, dims=dims, name="score", coords=spatial_coords(ordered, dims))

    def orbit_scores(self, change: Change) -> xr.DataArray:
        """Score of each orbit alone, along ``orbit``."""
        ordered = self._ordered(change)
        arrays = _Arrays.of(ordered)
        scores = [
            self._standardise(arrays.orbit(i), self.shift_db[[i]], ("one",)) for i in range(len(self.orbits))
        ]
        dims = ("orbit", *ordered["change_db"].dims[2:])
        coords = {"orbit": list(self.orbits), **spatial_coords(ordered, dims)}
        return xr.DataArray(np.stack(scores), dims=dims, name="orbit_score", coords=coords)

    def probability(self, score: xr.DataArray) -> xr.DataArray:
        """One minus the local false-discovery rate; 0 for a change in the direction left out."""
        values = self.null.probability(score.values)
        return score.copy(data=values).rename("probability")

    def null_density(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density of the score where nothing happened, weighted by its stated share."""
        return self.null.density(score)

    def record(self) -> dict[str, Any]:
        """Everything that was fitted, for ``run.json``."""
        by_polarization = {
            pol: {
                "noise_db": float(self.fused_noise_db[i]),
                "noise_single_dates_db": float(self.noise_db[i]),
            }
            for i, pol in enumerate(self.polarizations)
        }
        return {
            "polarizations": by_polarization,
            "correlation": self.correlation.tolist(),
            "regional_shift_db": self.shifts(),
            **self.null.record(),
        }

    def shifts(self) -> dict[str, dict[str, float]]:
        """Regional shift in dB by orbit and polarisation, for those observed."""
        return {
            orbit: {
                pol: float(self.shift_db[i, j])
                for j, pol in enumerate(self.polarizations)
                if np.isfinite(self.shift_db[i, j])
            }
            for i, orbit in enumerate(self.orbits)
        }

    def _ordered(self, change: Change) -> Change:
        picked = change.sel(orbit=list(self.orbits), polarization=list(self.polarizations))
        return picked.transpose("orbit", "polarization", ...)

    def _standardise(self, arrays: _Arrays, shift_db: FloatArray, states: tuple[str, ...]) -> FloatArray:
        fused, gain = _fuse(arrays, shift_db, states)
        noise = self.noise_db.reshape(-1, *([1] * (fused.ndim - 1)))
        return combine(fused / (gain * noise), self.correlation)


@dataclass(frozen=True)
class _Arrays:
    """A change as plain arrays of shape (orbit, polarization, ...)."""

    change_db: FloatArray
    pre_count: NDArray[np.uint16]
    post_count: NDArray[np.uint16]

    @classmethod
    def of(cls, change: Change) -> _Arrays:
        """Take the arrays out of a change in the order (orbit, polarization, ...)."""
        return cls(change["change_db"].values, change["pre_count"].values, change["post_count"].values)

    def orbit(self, index: int) -> _Arrays:
        """Keep one orbit, its dimension kept."""
        picked = [index]
        return _Arrays(self.change_db[picked], self.pre_count[picked], self.post_count[picked])


def _fuse(arrays: _Arrays, shift_db: FloatArray, states: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Fused change less its shifts, and the factor *g* of its noise, on (polarization, ...)."""
    spatial = (1,) * (arrays.change_db.ndim - 2)
    valid = np.isfinite(arrays.change_db)
    centred = arrays.change_db - shift_db.reshape(*shift_db.shape, *spatial)
    weights = fusion_weights(valid, states)
    seen = valid.any(axis=0)
    fused = np.sum(weights * np.where(valid, centred, 0), axis=0, dtype=np.float32)
    spread = sum(1 / np.maximum(n, 1, dtype=np.float32) for n in (arrays.pre_count, arrays.post_count))
    gain = np.sqrt(np.sum(weights**2 * spread, axis=0, dtype=np.float32))
    nan = np.float32(np.nan)
    return np.where(seen, fused, nan), np.where(seen, gain, nan)
