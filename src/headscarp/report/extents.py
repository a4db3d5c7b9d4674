"""Which part of the grid to show: the observed ground, and its islands when they lie far apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_MARGIN = 0.04
"""Share of the longer side left free around the observed ground."""
_MIN_SIDE_PX = 48
"""A picture of fewer pixels of the grid than this tells nothing about where it is."""
_JOIN_PX = 2
"""Gaps of up to twice this many coarse pixels do not part two islands."""
_SPARSE = 0.3
"""Islands are shown apart when their boxes cover less than this share of the box around all."""
_COVERED = 0.8
"""... and when the islands shown hold at least this share of the observed ground."""


@dataclass(frozen=True)
class Extent:
    """A rectangle of whole grid pixels."""

    row: int
    col: int
    height: int
    width: int

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    def steps(self, longest_px: int) -> int:
        """Return the decimation that brings the longer side to at most ``longest_px``."""
        return max(1, math.ceil(max(self.height, self.width) / longest_px))

    def shape(self, step: int) -> tuple[int, int]:
        """Return ``(height, width)`` after a decimation by ``step``."""
        return math.ceil(self.height / step), math.ceil(self.width / step)


def _side(low: float, high: float, margin: float, limit: int) -> tuple[int, int]:
    """Grow ``[low, high)`` by the margin, to the least side, inside ``[0, limit)``."""
    grow = max(margin, (_MIN_SIDE_PX - (high - low)) / 2)
    start = max(0, math.floor(low - grow))
    return start, min(limit, math.ceil(high + grow)) - start


def _grid_extent(box: tuple[slice, ...], coarse: tuple[int, int], grid: tuple[int, int]) -> Extent:
    """Turn a box of the coarse mask into an extent of the grid, with a margin."""
    scale = (grid[0] / coarse[0], grid[1] / coarse[1])
    (top, bottom), (left, right) = (
        (side.start * s, side.stop * s) for side, s in zip(box, scale, strict=True)
    )
    margin = max(_MARGIN * max(bottom - top, right - left), *scale)
    row, height = _side(top, bottom, margin, grid[0])
    col, width = _side(left, right, margin, grid[1])
    return Extent(row, col, height, width)


def observed_extent(observed: NDArray[np.bool_], grid: tuple[int, int]) -> Extent:
    """Bound the observed ground, with a margin.

    Parameters
    ----------
    observed : NDArray[np.bool_]
        Observed ground on a decimated grid, shape ``(y, x)``.
    grid : tuple[int, int]
        Height and width of the full grid in pixels.

    Returns
    -------
    Extent
        In pixels of the full grid; all of it where nothing was observed.
    """
    boxes = ndimage.find_objects(observed.astype(np.uint8))
    if not boxes or boxes[0] is None:
        return Extent(0, 0, *grid)
    return _grid_extent(boxes[0], (observed.shape[0], observed.shape[1]), grid)


def find_islands(observed: NDArray[np.bool_], grid: tuple[int, int], most: int = 6) -> list[Extent]:
    """Bound each island of observed ground, where the islands lie far apart.

    Parameters
    ----------
    observed : NDArray[np.bool_]
        Observed ground on a decimated grid, shape ``(y, x)``.
    grid : tuple[int, int]
        Height and width of the full grid in pixels.
    most : int
        Largest number of islands returned; the largest come first in reading order.

    Returns
    -------
    list[Extent]
        Empty where one picture shows the observed ground well.
    """
    labels, count = ndimage.label(
        ndimage.binary_dilation(observed, iterations=_JOIN_PX), structure=np.ones((3, 3))
    )
    if count < 2:
        return []
    labels = np.where(observed, labels, 0)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    shown = np.sort(np.argsort(-sizes, kind="stable")[:most])
    boxes = ndimage.find_objects(labels)
    coarse = (observed.shape[0], observed.shape[1])
    islands = [_grid_extent(boxes[i], coarse, grid) for i in shown if boxes[i] is not None]
    sparse = sum(island.area for island in islands) < _SPARSE * observed_extent(observed, grid).area
    return islands if sparse and sizes[shown].sum() >= _COVERED * sizes.sum() else []
