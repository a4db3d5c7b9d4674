r"""Composites despeckled before a detector sees them, with edges kept: non-local means.

The medians before and after of each orbit, in every polarisation, are the channels of one picture, each in
units of its noise; scikit-image's non-local means averages pixels whose 5 × 5 surroundings look alike in all
of them. An edge that only one date has is no edge of the medians, and a field border that both have does not
become a change.

Source: Buades, Coll & Morel (2005), A non-local algorithm for image denoising, CVPR 2, 60–65; for SAR:
Deledalle, Denis & Tupin (2009), IEEE Transactions on Image Processing 18, 2661–2672 (ours is the plain one,
on decibels, where speckle adds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from skimage.restoration import denoise_nl_means

from headscarp.detect.protocol import Detector, FittedDetector
from headscarp.detect.robust import median, robust_std
from headscarp.detect.sample import counted_pixels
from headscarp.features.change import Change

FloatArray = NDArray[np.float32]

PATCH_PX, SEARCH_PX = 5, 5
"""Side of the surroundings that are compared, and how far away they may lie."""
HALO_PX = SEARCH_PX + PATCH_PX // 2
STRENGTH = 0.8
"""Cut-off of the comparison in standard deviations of the noise."""
MIN_NOISE_DB = 0.05
DESPECKLED = ("change_db", "mean_change_db", "cusum_db")
"""Variables, of those that a change has, whose noise is taken off; the level before the event guides."""


@dataclass(frozen=True)
class DespeckledDetector:
    """Any detector on despeckled composites."""

    detector: Detector

    @property
    def name(self) -> str:
        """Name of the detector itself."""
        return self.detector.name

    @property
    def needs(self) -> tuple[str, ...]:
        """Variables of the detector, and the level before the event."""
        return tuple(dict.fromkeys((*self.detector.needs, "change_db", "pre_db")))

    @property
    def halo_px(self) -> int:
        """The detector's own halo, and the search's on top of it."""
        return self.detector.halo_px + HALO_PX

    def fit(self, sample: Change) -> FittedDespeckled:
        """Learn the noise of each channel, then the detector on what is despeckled."""
        pixels = counted_pixels(sample)
        names = tuple(name for name in DESPECKLED if name in self.needs)
        noise = {n: np.maximum(robust_std(pixels[n].values), MIN_NOISE_DB) for n in names}
        level = np.nan_to_num(median(pixels["pre_db"].values))
        orbits, pols = (tuple(pixels[dim].values.tolist()) for dim in ("orbit", "polarization"))
        despeckle = Despeckle(orbits, pols, noise, level)
        return FittedDespeckled(despeckle, self.detector.fit(despeckle.apply(sample)))


@dataclass(frozen=True)
class Despeckle:
    """Non-local means that know the noise of each channel.

    Attributes
    ----------
    orbits, polarizations : tuple of str
    noise_db : dict of str to ndarray, shape (orbit, polarization)
        Spread of each variable over the area.
    level_db : ndarray, shape (orbit, polarization)
        Typical level before the event.
    """

    orbits: tuple[str, ...]
    polarizations: tuple[str, ...]
    noise_db: dict[str, FloatArray]
    level_db: FloatArray

    def apply(self, change: Change) -> Change:
        """The change with its composites despeckled, on ``(orbit, polarization, ..., y, x)``."""
        picked = change.sel(orbit=list(self.orbits), polarization=list(self.polarizations))
        ordered = picked.transpose("orbit", "polarization", ..., "y", "x").copy()
        shape = ordered["change_db"].shape
        for i in range(shape[0]):
            parts = {name: ordered[name].values[i] for name in self.noise_db}
            guide = (ordered["pre_db"].values[i] - _over(self.level_db[i], shape)) / _over(
                self.noise_db["change_db"][i], shape
            )
            scaled = [parts[name] / _over(self.noise_db[name][i], shape) for name in parts]
            clean = _denoise(np.concatenate([guide, *scaled]))
            for k, name in enumerate(parts, start=1):
                own = clean[k * shape[1] : (k + 1) * shape[1]] * _over(self.noise_db[name][i], shape)
                values = ordered[name].values.copy()
                values[i] = np.where(np.isfinite(parts[name]), own, np.nan)
                ordered[name] = ordered[name].copy(data=values)
        return ordered


@dataclass(frozen=True)
class FittedDespeckled:
    """A fitted detector that despeckles what it is given."""

    despeckle: Despeckle
    fitted: FittedDetector

    def score(self, change: Change) -> xr.DataArray:
        """Score of the despeckled change."""
        return self.fitted.score(self.despeckle.apply(change))

    def orbit_scores(self, change: Change) -> xr.DataArray:
        """The same, each orbit alone."""
        return self.fitted.orbit_scores(self.despeckle.apply(change))

    def probability(self, score: xr.DataArray) -> xr.DataArray:
        """Probability of the detector."""
        return self.fitted.probability(score)

    def null_density(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density of the detector's null."""
        return self.fitted.null_density(score)

    def record(self) -> dict[str, Any]:
        """The detector's record, and how composites were despeckled."""
        told = {
            "method": "non-local means",
            "patch_px": PATCH_PX,
            "search_px": SEARCH_PX,
            "strength": STRENGTH,
        }
        return self.fitted.record() | {"despeckle": told}


def _over(values: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Values by polarisation, to multiply (polarization, ..., y, x)."""
    return values.reshape(-1, *[1] * (len(shape) - 2))


def _denoise(channels: FloatArray) -> FloatArray:
    """Denoise pictures of shape (channel, ..., y, x), each with all its channels at once."""
    pictures = np.moveaxis(channels, 0, -1).reshape(-1, *channels.shape[-2:], channels.shape[0])
    filled = np.nan_to_num(pictures, posinf=0.0, neginf=0.0).astype(np.float32)
    clean = [
        denoise_nl_means(picture, PATCH_PX, SEARCH_PX, h=STRENGTH, sigma=1.0, fast_mode=True, channel_axis=-1)
        for picture in filled
    ]
    whole = np.stack(clean).reshape(*channels.shape[1:], channels.shape[0])
    return np.moveaxis(whole, -1, 0).astype(np.float32)
