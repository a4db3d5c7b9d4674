r"""What arrives together: in layover, one slant range holds the echoes of several places.

Along the line over the ground through a pixel, in the direction of the look, the slant range is
:math:`r = x \sin\theta - z \cos\theta` (ground range :math:`x`, height :math:`z`, incidence angle
:math:`\theta`). Every place of the line with the slant range of the pixel adds its echo, in proportion to
the area that it shows to the radar per metre of slant range,

.. math:: w = \left|\cot(\theta - \alpha)\right|

with :math:`\alpha` the slope along the line. So a landslide in layover is diluted by the ground that lies
over it, and shows on that ground, too.

Simplified: lines are straight and stepped a pixel at a time, places are taken at the nearest pixel, and one
incidence angle holds along a line. Places beyond the grid are left out.

References
----------
Small, D. (2011). Flattening gamma: radiometric terrain correction for SAR imagery. IEEE Transactions on
Geoscience and Remote Sensing, 49(8), 3081-3093.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Indices = NDArray[np.intp]

_CHUNK_PX = 1 << 18
"""Layover pixels followed at a time."""


class Line(NamedTuple):
    """Where the radar looks, and the grid it looks at."""

    look_azimuth_deg: float
    spacing_m: float
    margin_px: int
    """Pixels that the heights reach beyond the echoes."""
    reach_m: float
    """How far along the line another echo may lie."""


def mix_layover(
    echo: Float32,
    weight: Float32,
    is_layover: NDArray[np.bool_],
    wide_height_m: Float32,
    incidence_deg: Float32,
    line: Line,
) -> tuple[Float32, Float32]:
    """Sum the echoes that arrive together.

    Parameters
    ----------
    echo : float32 array of shape (bands, rows, columns)
        Backscatter of every place by itself, linear power; NaN adds nothing.
    weight : float32 array of shape (rows, columns)
        Area that each place shows per metre of slant range, in any unit.
    is_layover : bool array of shape (rows, columns)
        Pixels to sum at.
    wide_height_m : float32 array of shape (rows + 2 margins, columns + 2 margins)
        Metres; NaN where unknown.
    incidence_deg : float32 array of shape (rows, columns)
    line : Line

    Returns
    -------
    float32 array of shape (bands, pixels in layover)
        Sum of weight times echo over all places of that slant range, the pixel's own included.
    float32 array of shape (pixels in layover,)
        Sum of the weights.
    """
    rows, cols = np.nonzero(is_layover)
    parts = [
        _sum_at(
            (rows[i : i + _CHUNK_PX], cols[i : i + _CHUNK_PX]),
            echo,
            weight,
            wide_height_m,
            incidence_deg,
            line,
        )
        for i in range(0, max(rows.size, 1), _CHUNK_PX)
    ]
    return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts])


def _sum_at(
    pixels: tuple[Indices, Indices],
    echo: Float32,
    weight: Float32,
    wide_height_m: Float32,
    incidence_deg: Float32,
    line: Line,
) -> tuple[Float32, Float32]:
    rows, cols = pixels
    theta = np.deg2rad(incidence_deg[rows, cols].astype(np.float64))
    walk = _Walk(rows, cols, wide_height_m, theta, line)
    sums = np.zeros((echo.shape[0], rows.size))
    weights = np.zeros(rows.size)
    _add(sums, weights, np.arange(rows.size), (rows, cols), echo, weight)
    for sign in (-1, 1):
        before = np.zeros(rows.size)
        for step in range(1, walk.steps + 1):
            now = walk.excess_m(sign * step)
            met = np.flatnonzero(before * now < 0.0)
            if met.size:
                share = np.abs(before[met]) / (np.abs(before[met]) + np.abs(now[met]))
                places = walk.places(met, sign * (step - 1.0 + share), weight.shape)
                _add(sums, weights, met[places.inside], (places.rows, places.cols), echo, weight)
            before = now
    return sums.astype(np.float32), weights.astype(np.float32)


class _Places(NamedTuple):
    inside: NDArray[np.bool_]
    rows: Indices
    cols: Indices


class _Walk:
    """Lines through some pixels, away from the radar."""

    def __init__(
        self, rows: Indices, cols: Indices, wide_height_m: Float32, theta: NDArray[np.float64], line: Line
    ) -> None:
        azimuth = math.radians(line.look_azimuth_deg)
        self._down, self._right = -math.cos(azimuth), math.sin(azimuth)
        self._rows, self._cols, self._line = rows, cols, line
        self._sine, self._cosine = np.sin(theta), np.cos(theta)
        self._height = wide_height_m
        self._own = wide_height_m[rows + line.margin_px, cols + line.margin_px]
        self.steps = math.ceil(line.reach_m / line.spacing_m)

    def excess_m(self, step: int) -> NDArray[np.float64]:
        """Slant range at a step, less that of the pixel; NaN beyond the heights."""
        margin = self._line.margin_px
        height = _bilinear(
            self._height, self._rows + margin + step * self._down, self._cols + margin + step * self._right
        )
        along_m = step * self._line.spacing_m
        return np.asarray(along_m * self._sine - (height - self._own) * self._cosine)

    def places(self, which: Indices, step: NDArray[np.float64], shape: tuple[int, ...]) -> _Places:
        """Pixels nearest to a step along some of the lines, and which of them are on the grid."""
        rows = np.rint(self._rows[which] + step * self._down).astype(np.intp)
        cols = np.rint(self._cols[which] + step * self._right).astype(np.intp)
        inside = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
        return _Places(inside, rows[inside], cols[inside])


def _add(
    sums: NDArray[np.float64],
    weights: NDArray[np.float64],
    to: Indices,
    place: tuple[Indices, Indices],
    echo: Float32,
    weight: Float32,
) -> None:
    rows, cols = place
    share = weight[rows, cols]
    known = np.isfinite(share) & np.isfinite(echo[0, rows, cols])
    to, share = to[known], share[known]
    weights[to] += share
    sums[:, to] += share * echo[:, rows[known], cols[known]]


def _bilinear(values: NDArray[Any], row: NDArray[Any], col: NDArray[Any]) -> NDArray[np.float64]:
    """Values between pixels; NaN beyond the array."""
    top, left = np.floor(row).astype(np.intp), np.floor(col).astype(np.intp)
    inside = (top >= 0) & (left >= 0) & (top < values.shape[0] - 1) & (left < values.shape[1] - 1)
    top, left = np.where(inside, top, 0), np.where(inside, left, 0)
    down, right = row - top, col - left
    upper = (1.0 - right) * values[top, left] + right * values[top, left + 1]
    lower = (1.0 - right) * values[top + 1, left] + right * values[top + 1, left + 1]
    return np.where(inside, (1.0 - down) * upper + down * lower, np.nan)
