r"""A whole area predicted piece by piece, without a seam: blocks with a halo, or windows blended.

*Halo.* Each block is seen with all that its values depend on, and the halo is left out of the result: what
the whole would give in one go, for networks whose every pixel sees so far and no farther.

*Blend.* Windows of the side of a training chip overlap, and their values are averaged with weights that rise
and fall as a raised cosine over the overlap *o*,

.. math:: w_i = \frac12 \left(1 - \cos \frac{\pi (i + \frac12)}{o}\right), \quad i = 0 \dots o - 1,

and 1 between. The weights of all windows over a pixel add up to 1. Windows lie on a lattice anchored at the
grid, and those at its edges reach beyond it, where nothing was observed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headscarp.errors import OptionsError

FloatArray = NDArray[np.float32]
Predict = Callable[[FloatArray, int], FloatArray]
"""Channels (channel, y, x) and a halo in pixels to values of what lies inside the halo, (y, x)."""
Told = Callable[[int, int], None]
"""Done, total."""


@dataclass(frozen=True)
class Halo:
    """Blocks with what lies around them.

    Attributes
    ----------
    block_px : int
        Side of a block, a multiple of the network's stride.
    halo_px : int
        Pixels around it, likewise.
    """

    block_px: int
    halo_px: int


@dataclass(frozen=True)
class Blend:
    """Overlapping windows.

    Attributes
    ----------
    window_px : int
        Side of a window.
    overlap_px : int
        Shared with the next one; at most half a window.

    Raises
    ------
    OptionsError
        If the overlap is none, or more than half a window.
    """

    window_px: int
    overlap_px: int

    def __post_init__(self) -> None:
        if not 0 < self.overlap_px <= self.window_px // 2:
            raise OptionsError(
                f"an overlap from 1 to half a window of {self.window_px} px",
                f"{self.overlap_px}",
                "the weights of the windows would not add up to 1",
                "overlap windows by half of their side",
            )

    @property
    def weights(self) -> NDArray[np.float64]:
        """Along one side; those of neighbouring windows add up to 1.

        Examples
        --------
        >>> (Blend(4, 2).weights + np.roll(Blend(4, 2).weights, 2)).round(9).tolist()
        [1.0, 1.0, 1.0, 1.0]
        """
        ramp = (1 - np.cos(np.pi * (np.arange(self.overlap_px) + 0.5) / self.overlap_px)) / 2
        return np.concatenate([ramp, np.ones(self.window_px - 2 * self.overlap_px), ramp[::-1]])


def nobody(done: int, total: int) -> None:
    """Progress that nobody watches."""


def predict_mosaic(
    predict: Predict, x: FloatArray, tiling: Halo | Blend, out: FloatArray | None = None, told: Told = nobody
) -> FloatArray:
    """Predict a whole area.

    Parameters
    ----------
    predict : callable
        The network.
    x : ndarray of float32, shape (channel, y, x)
        Normalised channels; may be a file mapped into memory. Beyond it they are 0, as where nothing was
        observed.
    tiling : Halo or Blend
    out : ndarray of float32, shape (y, x), optional
        Where the values go, such as a file mapped into memory; none: a new array.
    told : callable
        Told of each piece.

    Returns
    -------
    ndarray of float32, shape (y, x)
        `out`.
    """
    values = np.zeros(x.shape[1:], np.float32) if out is None else out
    values[:] = 0
    side, around = (tiling.block_px, tiling.halo_px) if isinstance(tiling, Halo) else (tiling.window_px, 0)
    corners = list(_corners(x.shape[1:], tiling))
    weights = np.outer(tiling.weights, tiling.weights) if isinstance(tiling, Blend) else np.ones((side, side))
    for done, (top, left) in enumerate(corners, start=1):
        window = read_window(x, top - around, left - around, side + 2 * around)
        part = predict(window, around) * weights
        rows, cols = (slice(max(first, 0), first + side) for first in (top, left))
        inside = values[rows, cols]
        above, before = rows.start - top, cols.start - left
        inside += part[above : above + inside.shape[0], before : before + inside.shape[1]].astype(np.float32)
        told(done, len(corners))
    return values


def read_window(x: FloatArray, top: int, left: int, side: int) -> FloatArray:
    """A square of an area, 0 where it reaches beyond.

    Parameters
    ----------
    x : ndarray, shape (channel, y, x)
    top, left : int
        First row and column; may be negative.
    side : int
    """
    window = np.zeros((len(x), side, side), np.float32)
    rows, cols = (
        slice(max(first, 0), max(min(first + side, length), 0))
        for first, length in zip((top, left), x.shape[1:], strict=True)
    )
    part = x[:, rows, cols]
    above, before = rows.start - top, cols.start - left
    window[:, above : above + part.shape[1], before : before + part.shape[2]] = part
    return window


def _corners(shape: tuple[int, ...], tiling: Halo | Blend) -> Iterator[tuple[int, int]]:
    """First row and column of each piece, row by row."""
    if isinstance(tiling, Halo):
        starts = [range(0, length, tiling.block_px) for length in shape]
    else:
        step = tiling.window_px - tiling.overlap_px
        starts = [range(-tiling.overlap_px, length, step) for length in shape]
    return ((top, left) for top in starts[0] for left in starts[1])
