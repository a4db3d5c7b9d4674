"""Random fields whose value at a pixel depends on the seed, a name and the place, and on nothing else.

White noise comes in square blocks of a fixed lattice, each from a counter-based generator of its own, so a
tile, whatever its size and place, holds the numbers that the whole would. What is made of it uses sums in a
fixed order and no Fourier transform, so that it is the same to the last bit, too.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

BLOCK_PX = 256
"""Side of a lattice block; changing it changes every event."""
_OFFSET = 1 << 20
"""Added to block numbers, so that those of halos left of and above the grid stay positive."""

Field = NDArray[np.float32]
Name = str | int


def generator(seed: int, *names: Name) -> np.random.Generator:
    """Source of randomness for one purpose; other purposes do not disturb it.

    Parameters
    ----------
    seed : int
        Of the event, 0 or above.
    *names : str or int
        What it is for, such as ``"landslides"``.
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *map(_number, names)])))


def white_noise(seed: int, names: tuple[Name, ...], rows: slice, cols: slice) -> Field:
    """Independent standard normal numbers at the pixels of a window.

    Parameters
    ----------
    seed, names
        As in :func:`generator`.
    rows, cols : slice
        Window, with a start and a stop each; either may be negative, left of or above the grid.

    Returns
    -------
    float32 array of the window's shape
    """
    out = np.empty((rows.stop - rows.start, cols.stop - cols.start), np.float32)
    for r in range(rows.start // BLOCK_PX, -(-rows.stop // BLOCK_PX)):
        for c in range(cols.start // BLOCK_PX, -(-cols.stop // BLOCK_PX)):
            (to_rows, from_rows), (to_cols, from_cols) = _overlap(r, rows), _overlap(c, cols)
            out[to_rows, to_cols] = _block(seed, names, r, c)[from_rows, from_cols]
    return out


def smoothed_noise(
    seed: int, names: tuple[Name, ...], rows: slice, cols: slice, sigma_px: float | tuple[float, float]
) -> Field:
    r"""Standard normal numbers that are correlated over a few pixels.

    White noise is convolved with a Gaussian of standard deviation :math:`\sigma`, and scaled to variance 1;
    at a distance :math:`\Delta` the correlation is :math:`\exp(-\Delta^2 / 4\sigma^2)`.

    Parameters
    ----------
    seed, names, rows, cols
        As in :func:`white_noise`.
    sigma_px : float or tuple of (along rows' axis, along columns' axis)
        Up to a few pixels: the cost grows with it. For more, see :func:`regional_noise`.
    """
    sigmas = (sigma_px, sigma_px) if isinstance(sigma_px, float | int) else sigma_px
    kernels = [unit_kernel(sigma) for sigma in sigmas]
    halo = [len(kernel) // 2 for kernel in kernels]
    wide = (
        slice(rows.start - halo[0], rows.stop + halo[0]),
        slice(cols.start - halo[1], cols.stop + halo[1]),
    )
    noise = white_noise(seed, names, *wide)
    for axis, kernel in enumerate(kernels):
        noise = convolve1d(noise, kernel, axis=axis, mode="constant")
    inner = tuple(slice(h, size - h) for h, size in zip(halo, noise.shape, strict=True))
    return np.ascontiguousarray(noise[inner])


def unit_kernel(sigma_px: float) -> NDArray[np.float64]:
    """Gaussian kernel whose squares sum to one, four standard deviations to each side."""
    reach = int(np.ceil(4.0 * sigma_px))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma_px, 1e-6)) ** 2)
    return np.asarray(kernel / np.sqrt(np.sum(kernel**2)))


def regional_noise(seed: int, names: tuple[Name, ...], rows: slice, cols: slice, scale_px: float) -> Field:
    r"""Smooth field of mean 0 and variance 1 that varies over a scale of many pixels.

    Standard normal numbers stand at nodes ``scale_px`` apart; cubic B-splines of them, divided by the root
    of the sum of the squared weights, join them.

    Parameters
    ----------
    seed, names, rows, cols
        As in :func:`white_noise`.
    scale_px : float
        Distance of the nodes, pixels.
    """
    along, across = (_spline_weights(part, scale_px) for part in (rows, cols))
    nodes = white_noise(seed, names, along.nodes, across.nodes).astype(np.float64)
    first = sum(along.weight[:, k, None] * nodes[along.first + k] for k in range(4))
    second = sum(across.weight[:, k] * np.asarray(first)[:, across.first + k] for k in range(4))
    return contiguous(np.asarray(second))


class _Splines:
    """Cubic B-spline weights of the pixels of one axis."""

    def __init__(self, nodes: slice, first: NDArray[np.intp], weight: NDArray[np.float64]) -> None:
        self.nodes, self.first, self.weight = nodes, first, weight


def _spline_weights(part: slice, scale_px: float) -> _Splines:
    position = np.arange(part.start, part.stop) / scale_px
    base = np.floor(position).astype(np.intp)
    t = position - base
    weight = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1)
    weight = weight / np.sqrt(np.sum(weight**2, axis=1, keepdims=True))
    nodes = slice(int(base[0]) - 1, int(base[-1]) + 3)
    return _Splines(nodes, base - 1 - nodes.start, weight)


def _overlap(block: int, part: slice) -> tuple[slice, slice]:
    """Where a block falls in a window, and which part of the block that is."""
    start, stop = max(block * BLOCK_PX, part.start), min((block + 1) * BLOCK_PX, part.stop)
    inside = slice(start - block * BLOCK_PX, stop - block * BLOCK_PX)
    return slice(start - part.start, stop - part.start), inside


def _block(seed: int, names: tuple[Name, ...], row: int, col: int) -> Field:
    source = generator(seed, *names, row + _OFFSET, col + _OFFSET)
    return source.standard_normal((BLOCK_PX, BLOCK_PX), dtype=np.float32)


@lru_cache(maxsize=1024)
def _number(name: Name) -> int:
    """Name as a number that is the same in every process."""
    return name if isinstance(name, int) else zlib.crc32(name.encode()) + (1 << 32)


def contiguous(values: NDArray[Any]) -> Field:
    """Values as contiguous float32: vectorised functions may round strided arrays otherwise."""
    return np.ascontiguousarray(values, dtype=np.float32)
