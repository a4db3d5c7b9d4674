"""Blocks of pixels, on which water is routed, and the way back from blocks to pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import distance_transform_edt

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

_STRIP_ROWS = 256
"""Rows interpolated at a time."""


class Blocks(NamedTuple):
    """Square blocks of pixels, each array of shape (block rows, block columns)."""

    mean: Float64
    """Mean height; NaN without any known."""
    lowest: Float64
    """Lowest height; NaN without any known."""
    pixels: Float64
    """Number of known heights."""
    place: NDArray[np.int64]
    """Flat index of the lowest pixel in the whole grid."""


def blocks_of(height_m: NDArray[np.floating[Any]], factor: int) -> Blocks:
    """Blocks of ``factor`` x ``factor`` pixels, those at the lower and right edge cut."""
    rows, cols = height_m.shape
    shape = (-(-rows // factor), -(-cols // factor))
    blocks = Blocks(
        np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape), np.zeros(shape, np.int64)
    )
    padded = np.full((factor, shape[1] * factor), np.nan)
    for r in range(shape[0]):
        strip = height_m[r * factor : (r + 1) * factor]
        padded[:] = np.nan
        padded[: len(strip), :cols] = np.where(np.isfinite(strip), strip, np.nan)
        pixels = padded.reshape(factor, shape[1], factor).swapaxes(0, 1).reshape(shape[1], -1)
        _measure(blocks, r, pixels, factor, cols)
    return blocks


def _measure(blocks: Blocks, r: int, pixels: Float64, factor: int, cols: int) -> None:
    """Fill in one row of blocks from their pixels, of shape (blocks, pixels of a block)."""
    known = np.isfinite(pixels)
    count = np.count_nonzero(known, axis=1)
    lowest = np.argmin(np.where(known, pixels, np.inf), axis=1)
    at = np.arange(len(pixels))
    blocks.pixels[r] = count
    blocks.lowest[r] = pixels[at, lowest]
    blocks.mean[r] = np.where(
        count > 0, np.where(known, pixels, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan
    )
    blocks.place[r] = (r * factor + lowest // factor) * cols + at * factor + lowest % factor


def refine(node: Float64, factor: int, shape: tuple[int, ...]) -> Float32:
    """Bilinear interpolation from blocks to pixels; unknown blocks take the nearest known value."""
    missing = ~np.isfinite(node)
    if missing.any() and not missing.all():
        node = node[tuple(distance_transform_edt(missing, return_distances=False, return_indices=True))]
    padded = np.pad(node, 1, mode="edge")
    down, across = (np.arange(n) - 1.0 for n in padded.shape)
    surface = RectBivariateSpline(down, across, padded, kx=1, ky=1, s=0)
    rows, cols = ((np.arange(n) + 0.5) / factor - 0.5 for n in shape)
    out = np.empty(shape, np.float32)
    for top in range(0, shape[0], _STRIP_ROWS):
        out[top : top + _STRIP_ROWS] = surface(rows[top : top + _STRIP_ROWS], cols)
    return out
