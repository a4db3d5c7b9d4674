"""Terrain correction of a block of the map: each pixel looks up its line and sample in the image.

Power is interpolated bilinearly between samples (never decibels). Where pixels are much larger than samples,
samples are averaged first over as many as fit. A pixel one of whose four samples has no data is NaN; just
beyond the border of an image its outermost samples hold, so that slices that follow each other leave no seam
between them. All polarisations of all slices share the geometry of the block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.ndimage import map_coordinates, uniform_filter

from headscarp.backscatter.block import Place, view_block
from headscarp.backscatter.measurement import ImageWindow, Subset
from headscarp.backscatter.radiometry import Radiometry
from headscarp.backscatter.range_doppler import Imaging
from headscarp.vocabulary import Polarization

FloatArray = NDArray[np.float32]

_BEYOND_PX = 1.0
"""How far beyond its outermost lines an image is continued: neighbours may be a fraction of a line apart."""
_SHRINK = 1.75
"""Samples to a pixel beyond which they are averaged first."""


@dataclass(frozen=True)
class Image:
    """One slice: its geometry, and the digital numbers and radiometry of each polarisation."""

    imaging: Imaging
    subsets: dict[Polarization, Subset]
    radiometry: dict[Polarization, Radiometry]


class Corrected(NamedTuple):
    """A block of the map."""

    power: FloatArray
    """Shape (polarisation, y, x); linear, NaN where not observed."""
    at_floor: int
    """Pixels that were no brighter than the floor."""


def correct_block(
    images: tuple[Image, ...],
    polarizations: tuple[Polarization, ...],
    geobox: GeoBox,
    height_m: FloatArray,
    pixel_m: float,
    scale: dict[int, FloatArray] | None = None,
) -> Corrected:
    """Backscatter of a block of the map.

    Parameters
    ----------
    images : tuple of Image
        Slices of one pass; where two see a pixel, the first counts.
    polarizations : tuple of Polarization
        Order of the result's first axis.
    geobox : GeoBox
        The block.
    height_m : array, shape geobox.shape
        Above the ellipsoid; NaN where not known, and so is the result.
    pixel_m : float
        Size of a pixel.
    scale : dict, optional
        Factor of the power of each image by its number, shape geobox.shape: terrain flattening.
    """
    power = np.full((len(polarizations), *height_m.shape), np.nan, dtype=np.float32)
    at_floor = 0
    if not np.isfinite(height_m).any():
        return Corrected(power, 0)
    low_m, high_m = float(np.nanmin(height_m)), float(np.nanmax(height_m))
    for number, image in enumerate(images):
        place = inside(view_block(image.imaging, geobox, low_m, high_m).place(height_m), image.imaging)
        for band, pol in enumerate(polarizations):
            if pol in image.subsets:
                found, dark = _sample(image, pol, place, pixel_m)
                if scale is not None:
                    found = found * scale[number]
                new = np.isnan(power[band]) & np.isfinite(found)
                power[band][new] = found[new]
                at_floor += int(np.count_nonzero(dark & new))
    return Corrected(power, at_floor)


def inside(place: Place, imaging: Imaging) -> Place:
    """Places in an image and just beyond its borders, drawn onto the outermost samples; else NaN."""
    line, sample = place
    last_line, last_sample = imaging.lines - 1.0, imaging.samples - 1.0
    with np.errstate(invalid="ignore"):
        seen = (line >= -_BEYOND_PX) & (line <= last_line + _BEYOND_PX)
        seen &= (sample >= -0.5) & (sample <= last_sample + 0.5)
    return Place(
        np.where(seen, np.clip(line, 0.0, last_line), np.nan),
        np.where(seen, np.clip(sample, 0.0, last_sample), np.nan),
    )


def needed_window(place: Place, held: ImageWindow, margin: int) -> ImageWindow | None:
    """Window of an image that places lie in, with a margin, cut to what is held; none: nothing of it."""
    known = np.isfinite(place.line)
    if not known.any():
        return None
    line, sample = place.line[known], place.sample[known]
    window = ImageWindow(
        max(int(line.min()) - margin, held.top),
        max(int(sample.min()) - margin, held.left),
        min(int(line.max()) + 2 + margin, held.bottom),
        min(int(sample.max()) + 2 + margin, held.right),
    )
    return window if window.bottom > window.top and window.right > window.left else None


def _sample(
    image: Image, polarization: Polarization, place: Place, pixel_m: float
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Power at places of one polarisation, and where it was no brighter than the floor."""
    subset, radiometry = image.subsets[polarization], image.radiometry[polarization]
    mean_px = _mean_px(pixel_m, image.imaging.sample_spacing_m)
    window = needed_window(place, subset.window, mean_px)
    if window is None:
        return np.full(place.line.shape, np.nan, np.float32), np.zeros(place.line.shape, np.bool_)
    lines = np.arange(window.top, window.bottom, dtype=np.float64)
    samples = np.arange(window.left, window.right, dtype=np.float64)
    power = averaged(radiometry.power(subset.read(window), lines, samples), mean_px)
    at = (place.line - window.top, place.sample - window.left)
    found = np.asarray(map_coordinates(power, at, order=1, cval=np.nan, prefilter=False))
    return _not_below(found, radiometry, lines, samples, at)


def _not_below(
    found: FloatArray,
    radiometry: Radiometry,
    lines: NDArray[np.float64],
    samples: NDArray[np.float64],
    at: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Lift what is darker than the floor to the floor."""
    floor = radiometry.floor(lines, samples)
    with np.errstate(invalid="ignore"):
        dark = found <= floor.max()
    if dark.any():
        row, col = (np.rint(part[dark]).astype(np.intp) for part in at)
        there = floor[row, col]
        darker = found[dark] <= there
        found[dark] = np.where(darker, there, found[dark])
        dark[dark] = darker
    return found, dark


def _mean_px(pixel_m: float, sample_m: float) -> int:
    """Samples along each side that are averaged for a pixel; 1: none."""
    return max(1, round(pixel_m / sample_m)) if pixel_m / sample_m > _SHRINK else 1


def averaged(power: FloatArray, mean_px: int) -> FloatArray:
    """Mean of the samples around each sample that have data; NaN stays NaN."""
    if mean_px == 1:
        return power
    known = np.isfinite(power)
    total = uniform_filter(np.where(known, power, np.float32(0)), mean_px, mode="constant")
    share = uniform_filter(known.astype(np.float32), mean_px, mode="constant")
    mean = total / np.maximum(share, np.float32(1.0 / mean_px**2))
    return np.asarray(np.where(known, mean, np.float32(np.nan)), dtype=np.float32)
