r"""What a radar can see of the ground: layover and shadow, active and passive.

Each pixel has a line over the ground, through it along the look azimuth. Along it ground range :math:`x`
grows away from the radar, :math:`z` is the height and :math:`\theta` the incidence angle, and

- the slant range is :math:`r = x \sin\theta - z \cos\theta`. A pixel is in **layover** where a place nearer
  to the radar has a longer slant range, or a place farther away a shorter one: its echo arrives with
  another's. It is *active* layover where the step to a neighbour on the line already runs backwards (a
  slope towards the radar steeper than :math:`\theta`), *passive* where only a more distant place does.
- the ray that reaches a pixel passes a place at distance :math:`d` towards the radar at the height
  :math:`z + d \cot\theta`. A pixel is in **shadow** where the ground there is higher: *active* where the
  neighbour hides it (a slope away from the radar steeper than :math:`90° - \theta`), *passive* where only
  a more distant place does.

What is simplified. Lines are straight on the map; rays are parallel and the Earth flat, over the few
kilometres that an effect reaches; a pixel's incidence angle holds along its whole line; layover is told
though one of the places be in shadow. A line is sampled once a pixel along the axis nearer to it, and
between two pixels across that axis, linearly; its direction is rounded to 1/4096 pixel a step, so that
equal geometry gives equal numbers and the rows of a geographic grid, whose columns draw together towards
the pole, share lines. Unknown ground neither hides anything nor lies over anything.

References
----------
Kropatsch, W. G. and Strobl, D. (1990). The generation of SAR layover and shadow maps from digital
elevation models. IEEE Transactions on Geoscience and Remote Sensing, 28(1), 98-107.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import IntFlag
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.errors import OptionsError
from headscarp.geometry.incidence import NOMINAL_INCIDENCE_DEG, Angle, checked_angles
from headscarp.geometry.terrain import HALO_PX, Spacing, finite_or_nan, per_row

_ROUNDING = 4096
"""Steps of a line are multiples of 1/4096 pixel: a hundredth of a degree, 0.02 pixel after 100 pixels."""
_BLOCK_PX = 1 << 16
"""Pixels swept at a time: what a step needs of them stays in the processor's cache."""

Heights = NDArray[np.floating[Any]]
Spacings = tuple[Spacing, Spacing]


class View(IntFlag):
    """How a pixel appears to one look: a set bit means that the effect is there, 0 a clear view."""

    ACTIVE_LAYOVER = 1
    PASSIVE_LAYOVER = 2
    ACTIVE_SHADOW = 4
    PASSIVE_SHADOW = 8
    UNKNOWN = 128
    """No height or no incidence angle; stands alone."""
    LAYOVER = ACTIVE_LAYOVER | PASSIVE_LAYOVER
    SHADOW = ACTIVE_SHADOW | PASSIVE_SHADOW


def view_mask(
    height_m: Heights,
    spacing_m: Spacings,
    look_azimuth_deg: float,
    incidence_deg: Angle = NOMINAL_INCIDENCE_DEG,
) -> NDArray[np.uint8]:
    """Layover and shadow of every pixel for one look, as bits of :class:`View`.

    A pixel has at most one of the layover bits and at most one of the shadow bits, and may have one of
    each. The limits are strict: a slope of exactly the incidence angle is not in layover. The answer at a
    pixel needs the ground within :func:`reach_px` of it; what lies beyond the array counts as unknown.

    Parameters
    ----------
    height_m : array of shape (rows, columns)
        Metres; NaN where unknown. Rows run south, columns east.
    spacing_m : tuple of (x, y)
        Metres between columns and between rows, above 0; one number or shape (rows, 1) each.
    look_azimuth_deg : float
        From the radar to the ground, clockwise from the grid's north.
    incidence_deg : float or array
        Degrees from the vertical, above 0 and below 90; an array must broadcast to the heights, and may
        be NaN where it is not known.

    Returns
    -------
    uint8 array of shape (rows, columns)

    Raises
    ------
    GridError
        If the heights are no 2-D array, or a spacing is not a finite number above 0.
    OptionsError
        If an incidence angle is outside its range, or the look azimuth is not finite.

    Examples
    --------
    A tower of 20 m, seen from the west at 45°: its echo arrives with that of the flat ground up to 20 m in
    front of it, and it shadows 20 m behind it (both strictly less, here one pixel of 15 m).

    >>> import numpy as np
    >>> tower = np.array([[0.0, 0.0, 0.0, 20.0, 0.0, 0.0, 0.0]])
    >>> view_mask(tower, (15.0, 15.0), 90.0, 45.0).tolist()
    [[0, 0, 1, 1, 4, 0, 0]]
    """
    height = finite_or_nan(height_m)
    incidence = checked_angles(look_azimuth_deg, incidence_deg, height.shape)
    known = np.isfinite(height) & np.isfinite(incidence)
    view = np.full(height.shape, int(View.UNKNOWN), np.uint8)
    if not known.any():
        return view
    lines = _lines(spacing_m, look_azimuth_deg, height.shape[0])
    if known.all() and _is_gentle(height, lines, incidence):
        return np.zeros(height.shape, np.uint8)
    reach_m = _reach_m(float(np.nanmax(height) - np.nanmin(height)), incidence)
    steps = min(math.ceil(reach_m / lines.step_m.min()) + 1, max(height.shape))
    padded = np.pad(height, steps, constant_values=np.nan)
    for rows in _blocks(lines, height.shape):
        view[rows] = _sweep(padded, rows, lines, _rows_of(incidence, rows), steps)
    view[~known] = int(View.UNKNOWN)
    return view


def is_layover(view: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """True where a pixel is in layover, active or passive."""
    return np.asarray((view & np.uint8(View.LAYOVER)) != 0)


def is_shadow(view: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """True where a pixel is in shadow, active or passive."""
    return np.asarray((view & np.uint8(View.SHADOW)) != 0)


def reach_px(relief_m: float, spacing_m: Spacings, incidence_deg: Angle = NOMINAL_INCIDENCE_DEG) -> int:
    r"""Pixels to read around a tile so that its own view is that of the whole.

    Between two heights that differ by the relief :math:`\Delta z` at most, shadow reaches
    :math:`\Delta z \tan\theta` and layover :math:`\Delta z / \tan\theta`; a line advances at least the
    smaller spacing with each pixel. One pixel more absorbs rounding and the slope's own halo.

    Parameters
    ----------
    relief_m : float
        Highest less lowest height of the map and its surroundings (not of the tile alone), metres.
    spacing_m, incidence_deg
        As in :func:`view_mask`, of the whole map.

    Raises
    ------
    OptionsError
        If the relief is negative or not finite.

    Examples
    --------
    >>> reach_px(990.0, (20.0, 20.0), 45.0)
    51
    """
    if not (math.isfinite(relief_m) and relief_m >= 0.0):
        raise OptionsError(
            "a relief of 0 m or more",
            f"{relief_m} m",
            "shadow and layover reach in proportion to it",
            "take the highest less the lowest height of the DEM",
        )
    smallest_m = min(float(np.min(spacing)) for spacing in spacing_m)
    return max(math.ceil(_reach_m(relief_m, np.asarray(incidence_deg)) / smallest_m), 0) + HALO_PX


class _Lines(NamedTuple):
    """One step along the line of each row, away from the radar: all of shape (rows,)."""

    down: NDArray[np.float64]
    right: NDArray[np.float64]
    step_m: NDArray[np.float64]


def _lines(spacing_m: Spacings, look_azimuth_deg: float, rows: int) -> _Lines:
    azimuth = math.radians(look_azimuth_deg)
    x_m, y_m = (per_row(spacing, rows)[:, 0] for spacing in spacing_m)
    right, down = math.sin(azimuth) / x_m, -math.cos(azimuth) / y_m
    longest = np.maximum(np.abs(right), np.abs(down))
    right, down = (np.rint(part / longest * _ROUNDING) / _ROUNDING for part in (right, down))
    return _Lines(down, right, np.hypot(down * y_m, right * x_m))


def _is_gentle(height: Heights, lines: _Lines, incidence_deg: Heights) -> bool:
    """Whether no step along any line can reach layover or shadow: then nothing needs to be traced.

    Two samples a step apart differ by no more than the largest differences between neighbours, along the
    columns and across them, in the proportions of the step.
    """
    tangent = np.tan(np.deg2rad(incidence_deg))
    steepest = float(min(tangent.min(), (1.0 / tangent).min()))
    down_m, right_m = (float(np.abs(np.diff(height, axis=axis)).max(initial=0.0)) for axis in (0, 1))
    rise_m = np.abs(lines.down) * down_m + np.abs(lines.right) * right_m
    return bool((rise_m < lines.step_m * steepest).all())


def _blocks(lines: _Lines, shape: tuple[int, int]) -> Iterator[slice]:
    """Consecutive rows whose lines have one direction, few enough to stay in cache."""
    turns = np.flatnonzero((np.diff(lines.down) != 0.0) | (np.diff(lines.right) != 0.0)) + 1
    edges = [0, *turns.tolist(), shape[0]]
    size = max(_BLOCK_PX // max(shape[1], 1), 1)
    for first, last in pairwise(edges):
        for top in range(first, last, size):
            yield slice(top, min(top + size, last))


def _sweep(
    padded: Heights, rows: slice, lines: _Lines, incidence_deg: Heights, steps: int
) -> NDArray[np.uint8]:
    """View of some rows: every pixel against the places 1, 2, ... steps nearer and farther."""
    down, right = float(lines.down[rows.start]), float(lines.right[rows.start])
    tangent = np.tan(np.deg2rad(incidence_deg))
    per_step = lines.step_m[rows, np.newaxis]
    backwards_m, ray_m = ((per_step * f).astype(padded.dtype) for f in (tangent, 1.0 / tangent))
    here = _sample(padded, rows, steps, (0.0, 0.0))
    layover, shadow = np.zeros((2, *here.shape), np.bool_)
    for step in range(1, steps + 1):
        nearer = _sample(padded, rows, steps, (-step * down, -step * right))
        farther = _sample(padded, rows, steps, (step * down, step * right))
        shadow |= nearer - step * ray_m > here
        layover |= nearer + step * backwards_m < here
        layover |= farther - step * backwards_m > here
        if step == 1:
            active_layover, active_shadow = layover.copy(), shadow.copy()
    return (
        _bits(layover, active_layover, View.ACTIVE_LAYOVER, View.PASSIVE_LAYOVER)
        | _bits(shadow, active_shadow, View.ACTIVE_SHADOW, View.PASSIVE_SHADOW)
    )  # fmt: skip


def _sample(padded: Heights, rows: slice, pad: int, offset: tuple[float, float]) -> Heights:
    """Heights at an offset (down, right) from some rows, of which at most one is no whole pixel."""
    down, right = math.floor(offset[0]), math.floor(offset[1])
    weight = (offset[0] - down) + (offset[1] - right)
    first = _window(padded, rows, pad, (down, right))
    if weight == 0.0:
        return first
    second = _window(padded, rows, pad, (math.ceil(offset[0]), math.ceil(offset[1])))
    return (1.0 - weight) * first + weight * second


def _window(padded: Heights, rows: slice, pad: int, offset: tuple[int, int]) -> Heights:
    left = pad + offset[1]
    width = padded.shape[1] - 2 * pad
    return padded[rows.start + pad + offset[0] : rows.stop + pad + offset[0], left : left + width]


def _bits(
    present: NDArray[np.bool_], active: NDArray[np.bool_], if_active: View, if_passive: View
) -> NDArray[np.uint8]:
    return np.where(active, np.uint8(if_active), present * np.uint8(if_passive))


def _reach_m(relief_m: float, incidence_deg: Heights) -> float:
    tangent = np.tan(np.deg2rad(incidence_deg))
    return relief_m * float(max(np.nanmax(tangent), 1.0 / np.nanmin(tangent)))


def _rows_of(values: Heights, rows: slice) -> Heights:
    """Rows of an array of shape (rows or 1, ...)."""
    return values[rows] if values.shape[0] > 1 else values
