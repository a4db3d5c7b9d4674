"""Paths of landslides: from the crown down the steepest descent of the smoothed surface.

All paths are traced at once, step by step. Lengths are metres; places count from the grid's upper left
corner, to the east and to the south.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from headscarp.simulate.ground import Float32, Ground, LandCover

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

STEPS = 48
"""Steps of a path that is used up."""
SMOOTHING_M = 15.0
"""Standard deviation of the Gaussian that takes the finest relief off the surface that is run down."""
INERTIA = 0.6
"""Weight of the last direction beside that of the steepest descent: moving mass does not turn at once."""


class Surface(NamedTuple):
    """What landslides run on; arrays of the grid's shape."""

    height_m: Float32
    """Smoothed; NaN near unknown ground."""
    water: BoolArray
    spacing_m: float


class Paths(NamedTuple):
    """Paths of n landslides, in ``STEPS`` equal steps each at most."""

    east_m: FloatArray
    """Shape (n, STEPS + 1); from where a path ends, its last place is repeated."""
    south_m: FloatArray
    steps: NDArray[np.int64]
    """Steps taken, shape (n,); 0 where a path touches unknown ground or the edge of the grid."""
    step_m: FloatArray
    """Length of a step, shape (n,)."""

    @property
    def length_m(self) -> FloatArray:
        """Lengths of the paths, shape (n,)."""
        return np.asarray(self.steps * self.step_m)


def take_paths(paths: Paths, index: NDArray[np.intp]) -> Paths:
    """Paths of some of the landslides."""
    return Paths(paths.east_m[index], paths.south_m[index], paths.steps[index], paths.step_m[index])


def surface_of(ground: Ground, cover: NDArray[np.uint8]) -> Surface:
    """Smooth the heights of a ground by ``SMOOTHING_M``."""
    smooth = gaussian_filter(ground.wide_height_m, SMOOTHING_M / ground.spacing_m, truncate=3.0)
    rows, cols = ground.shape
    margin = ground.margin_px
    inner = smooth[margin : margin + rows, margin : margin + cols]
    return Surface(inner, cover == LandCover.WATER, ground.spacing_m)


def trace(
    surface: Surface,
    east_m: FloatArray,
    south_m: FloatArray,
    length_m: FloatArray,
    stop_slope_deg: FloatArray,
) -> Paths:
    r"""Run down from crowns until the length is used, the ground is gentle, rises again, or is water.

    A step goes along the direction :math:`-\nabla z/|\nabla z|` plus ``INERTIA`` times the last direction;
    height falls at each.

    Parameters
    ----------
    surface : Surface
    east_m, south_m : float64 arrays of shape (n,)
        Crowns.
    length_m : float64 array of shape (n,)
        Longest paths.
    stop_slope_deg : float64 array of shape (n,)
        Slope below which a path ends.

    Returns
    -------
    Paths
    """
    place, step_m = np.stack([east_m, south_m]), length_m / STEPS
    track, direction = [place], np.zeros_like(place)
    running, known = np.ones(len(step_m), bool), np.ones(len(step_m), bool)
    steps, stop = np.zeros(len(step_m), np.int64), np.tan(np.deg2rad(stop_slope_deg))
    for _ in range(STEPS):
        downhill, slope = descent(surface, place)
        direction = _unit(downhill + INERTIA * direction)
        ahead = place + step_m * direction
        fall = sample(surface, place) - sample(surface, ahead)
        known &= ~running | np.isfinite(slope + fall)
        running &= known & (slope >= stop) & (fall > 0) & ~_wet(surface, ahead)
        place = np.where(running, ahead, place)
        steps += running
        track.append(place)
    east, south = np.stack(track, axis=2)
    return Paths(east, south, np.where(known, steps, 0), step_m)


def sample(surface: Surface, place_m: FloatArray) -> FloatArray:
    """Height at places, bilinear between the centres of pixels; NaN beyond the outermost centres.

    Parameters
    ----------
    surface : Surface
    place_m : float64 array of shape (2, n)
        East and south.

    Returns
    -------
    float64 array of shape (n,)
    """
    rows, cols = surface.height_m.shape
    x, y = place_m / surface.spacing_m - 0.5
    inside = (x >= 0) & (y >= 0) & (x <= cols - 1) & (y <= rows - 1)
    col = np.clip(np.nan_to_num(x), 0, max(cols - 2, 0)).astype(np.intp)
    row = np.clip(np.nan_to_num(y), 0, max(rows - 2, 0)).astype(np.intp)
    right, below, height = x - col, y - row, surface.height_m
    upper = height[row, col] * (1 - right) + height[row, np.minimum(col + 1, cols - 1)] * right
    next_row = np.minimum(row + 1, rows - 1)
    lower = height[next_row, col] * (1 - right) + height[next_row, np.minimum(col + 1, cols - 1)] * right
    return np.where(inside, upper * (1 - below) + lower * below, np.nan)


def descent(surface: Surface, place_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Direction of steepest descent at places, and the height lost per metre along it.

    Parameters
    ----------
    surface : Surface
    place_m : float64 array of shape (2, n)
        East and south.

    Returns
    -------
    direction : float64 array of shape (2, n)
        Of length 1; 0 on flat ground, NaN within a pixel of unknown ground or of the edge.
    slope : float64 array of shape (n,)
        Dimensionless.
    """
    half = np.array([[surface.spacing_m], [0.0]])
    east = sample(surface, place_m + half) - sample(surface, place_m - half)
    south = sample(surface, place_m + half[::-1]) - sample(surface, place_m - half[::-1])
    gradient = np.stack([east, south]) / (2.0 * surface.spacing_m)
    return _unit(-gradient), np.hypot(*gradient)


def _unit(vector: FloatArray) -> FloatArray:
    """Vectors of length 1, shape (2, n); those of length 0 stay."""
    length = np.hypot(*vector)
    return vector / np.where(length > 0, length, 1.0)


def _wet(surface: Surface, place_m: FloatArray) -> BoolArray:
    rows, cols = surface.water.shape
    col, row = np.nan_to_num(place_m / surface.spacing_m).astype(np.intp)
    return np.asarray(surface.water[np.clip(row, 0, rows - 1), np.clip(col, 0, cols - 1)])
