"""Outlines of landslides: a width along a path, scaled so that the area is the one that was drawn.

A slide is widest in its upper half; a flow has a source, a narrow transport zone and a fan. Both ends are
round, and both sides are rough, each in its own way.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from headscarp.simulate import fields
from headscarp.simulate.landslides.runout import Paths
from headscarp.simulate.options import Trigger

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Geometries = NDArray[np.object_]


class Movement(StrEnum):
    """How it moved (Hungr, Leroueil & Picarelli 2014, Landslides 11, 167-194)."""

    SLIDE = "slide"
    FLOW = "flow"
    """Channelised: a narrow transport zone between source and fan."""
    UNKNOWN = "unknown"
    """Of a mapped outline, whose inventory does not say."""


class Mobility(NamedTuple):
    """What a trigger does to the form of landslides."""

    slide_ratio: float
    """Median ratio of length to mean width."""
    flow_ratio: float
    flow_share: float


MOBILITY = {
    Trigger.EARTHQUAKE: Mobility(2.2, 6.0, 0.06),
    Trigger.RAIN: Mobility(3.8, 9.0, 0.35),
}
"""Earthquakes: outlines of Noto 2024 (GSI) are 1.8 times as long as wide at the median, 4 to 5 at the 95th
percentile, measured on rectangles around them. Rain: wet debris goes farther, and many slides turn into long
flows (Bessette-Kirton et al. 2019, GSA Today 29(6), 4-10)."""
RATIO_SPREAD = 0.35
"""Standard deviation of the logarithm of the ratio of length to width."""
SMALLEST_FLOW_M2 = 300.0
"""A smaller failure reaches no channel."""
SOURCE_SHARE = {Movement.SLIDE: (0.40, 0.60), Movement.FLOW: (0.22, 0.35)}
"""Range of the part of the length, from the crown, that is source."""
STATIONS = 13
"""Places along the source, and again along the deposit, where the width is set."""
ROUGH_WAVES, ROUGHNESS = 5, 0.22
"""Waves along a side, and the standard deviation of the first in log width; the k-th has 1/k of it."""
STRAIGHTENING = (0.0, 0.3, 0.6, 1.0)
"""Parts of a path's departure from a straight line that are taken off, in turn, where the outline crosses
itself; a straight one never does."""
EVEN_PLACES, _SMOOTHING_PASSES = 25, 3
"""A path is smoothed by weights (1, 2, 1), three times, over places a 24th of its length apart."""
LEAST_DRAWN_RATIO = 1.2
"""Of length to width: a path may then end somewhat early, and the landslide is still no wider than long."""


class Landslide(NamedTuple):
    """One landslide, in the grid's coordinates; source and deposit make up its outline."""

    outline: shapely.Geometry
    source: shapely.Geometry
    """Its upper part."""
    deposit: shapely.Geometry
    """Its lower part, a flow's transport zone included."""
    area_m2: float
    """On the map, not on the slope."""
    length_m: float
    """Of the path from the crown to the toe."""
    movement: Movement


class Forms(NamedTuple):
    """Forms of n landslides, wherever they lie; arrays whose first axis is n."""

    area_m2: FloatArray
    is_flow: BoolArray
    length_m: FloatArray
    """Longest path."""
    source_share: FloatArray
    taper: FloatArray
    """How much wider the crown is than the toe."""
    rough: FloatArray
    """Amplitudes of waves, shape (n, 2 sides, 2 phases, ROUGH_WAVES)."""


class Outlines(NamedTuple):
    """Polygons of n landslides in the grid's coordinates; arrays of shape (n,), None where there is none."""

    outline: Geometries
    source: Geometries
    deposit: Geometries


def draw_forms(areas_m2: FloatArray, trigger: Trigger, seed: int) -> Forms:
    """Draw the forms of landslides of given areas.

    Parameters
    ----------
    areas_m2 : float64 array of shape (n,)
    trigger : Trigger
        Rain makes them longer, and more of them flows.
    seed : int
        Of the event.
    """
    rng, mobility, count = fields.generator(seed, "landslide forms"), MOBILITY[trigger], len(areas_m2)
    is_flow = (rng.random(count) < mobility.flow_share) & (areas_m2 >= SMALLEST_FLOW_M2)
    ratio = np.where(is_flow, mobility.flow_ratio, mobility.slide_ratio)
    ratio = ratio * np.exp(RATIO_SPREAD * rng.standard_normal(count))
    low, high = np.where(is_flow[:, None], SOURCE_SHARE[Movement.FLOW], SOURCE_SHARE[Movement.SLIDE]).T
    rough = rng.standard_normal((count, 2, 2, ROUGH_WAVES)) * ROUGHNESS / np.arange(1, ROUGH_WAVES + 1)
    return Forms(
        areas_m2,
        is_flow,
        np.sqrt(areas_m2 * np.maximum(ratio, LEAST_DRAWN_RATIO)),
        low + (high - low) * rng.random(count),
        rng.normal(0.5, 0.25, count),
        rough,
    )


def take(forms: Forms, index: NDArray[np.intp]) -> Forms:
    """Forms of some of the landslides."""
    area_m2, is_flow, *others = forms
    return Forms(area_m2[index], is_flow[index], *(part[index] for part in others))


def draw_outlines(forms: Forms, paths: Paths, west_m: float, north_m: float) -> Outlines:
    """Draw outlines along paths, valid and of the areas that the forms say, to rounding.

    Parameters
    ----------
    forms : Forms
    paths : Paths
        Of the same landslides, of one step at least.
    west_m, north_m : float
        Upper left corner of the grid.

    Returns
    -------
    Outlines
        Source and deposit meet along a line across the path and make up the outline.
    """
    share = _station_shares(forms)
    widths = _side_widths(forms, share)
    bent = np.stack([west_m, -north_m])[:, None, None] + _stations(paths, share)
    bent[1] *= -1.0
    out = Outlines(*np.full((3, len(share)), None, dtype=object))
    for straightened in STRAIGHTENING:
        todo = np.flatnonzero(shapely.is_missing(out.outline))
        line = _straighten(bent[:, todo], share[todo], straightened)
        sides = _scaled_sides(line, widths[todo], forms.area_m2[todo])
        _keep_valid(out, todo, sides)
    return out


def _keep_valid(out: Outlines, index: NDArray[np.intp], sides: FloatArray) -> None:
    """Write the polygons between both sides where all three parts of a landslide are valid."""
    solved = np.isfinite(sides).all(axis=(0, 1, 3))
    index, sides = index[solved], sides[:, :, solved]
    parts = [
        _between(sides, slice(None)),
        _between(sides, slice(0, STATIONS)),
        _between(sides, slice(STATIONS - 1, None)),
    ]
    valid = np.logical_and.reduce([shapely.is_valid(part) for part in parts])
    for column, part in zip(out, parts, strict=True):
        column[index[valid]] = part[valid]


def _station_shares(forms: Forms) -> FloatArray:
    """Parts of the length at which stations stand, shape (n, 2 STATIONS - 1), closer at both ends.

    Station ``STATIONS - 1`` is where the source ends.
    """
    turn = np.linspace(0.0, np.pi / 2.0, STATIONS)
    cut = forms.source_share[:, None]
    return np.concatenate([cut * (1.0 - np.cos(turn)), cut + (1.0 - cut) * np.sin(turn[1:])], axis=1)


def _side_widths(forms: Forms, share: FloatArray) -> FloatArray:
    """Unscaled widths left and right of the path, shape (n, 2, stations); 0 at both ends."""
    flow = 0.3 + 0.7 * np.exp(-(((share - 0.12) / 0.14) ** 2)) + 0.5 * np.exp(-(((share - 0.92) / 0.12) ** 2))
    slide = np.maximum(1.0 + forms.taper[:, None] * (0.5 - share), 0.3)
    body = np.where(forms.is_flow[:, None], flow, slide)
    ends = np.sqrt(
        np.maximum(1.0 - np.abs(2.0 * share - 1.0) ** np.where(forms.is_flow, 8.0, 3.5)[:, None], 0.0)
    )
    wave = np.pi * share[:, None, :, None] * np.arange(1, ROUGH_WAVES + 1)
    cosine, sine = forms.rough[:, :, 0, None], forms.rough[:, :, 1, None]
    log_width = (cosine * np.cos(wave) + sine * np.sin(wave)).sum(axis=3)
    return np.asarray((body * ends)[:, None] * np.exp(log_width))


def _stations(paths: Paths, share: FloatArray) -> FloatArray:
    """Places on the paths, smoothed, at parts of their length; shape (2, n, stations)."""
    even = np.linspace(0.0, 1.0, EVEN_PLACES) * paths.steps[:, None]
    line = _between_places(np.stack([paths.east_m, paths.south_m]), even)
    for _ in range(_SMOOTHING_PASSES):
        line[:, :, 1:-1] = 0.25 * line[:, :, :-2] + 0.5 * line[:, :, 1:-1] + 0.25 * line[:, :, 2:]
    return _between_places(line, np.clip(share, 0.0, 1.0) * (EVEN_PLACES - 1))


def _between_places(line: FloatArray, at: FloatArray) -> FloatArray:
    """Places on lines of shape (2, n, places), at fractional numbers of shape (n, any); linear between."""
    first = np.minimum(at.astype(np.intp), line.shape[2] - 2)
    n = np.arange(len(at))[:, None]
    return np.asarray(line[:, n, first] + (at - first) * (line[:, n, first + 1] - line[:, n, first]))


def _straighten(line: FloatArray, share: FloatArray, part: float) -> FloatArray:
    start, end = line[:, :, :1], line[:, :, -1:]
    return np.asarray((1.0 - part) * line + part * (start + share * (end - start)))


def _scaled_sides(line: FloatArray, widths: FloatArray, area_m2: FloatArray) -> FloatArray:
    r"""Left and right sides, shape (2 sides, 2, n, stations), between which lies the area asked for.

    The area within sides at :math:`\lambda` times the widths is :math:`b\lambda + c\lambda^2`, the second
    term from the path's bends; NaN where no :math:`\lambda` gives the area.
    """
    tangent = np.gradient(line, axis=2)
    normal = np.stack([-tangent[1], tangent[0]]) / np.hypot(*tangent)
    arms = np.stack([normal * widths[None, :, 0], -normal * widths[None, :, 1]])
    one, two = (_area_between(line + scale * arms) for scale in (1.0, 2.0))
    c = 0.5 * two - one
    b = one - c
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = 2.0 * area_m2 / (b + np.sqrt(b**2 + 4.0 * c * area_m2))
    scale = np.where(scale > 0, scale, np.nan)
    return np.asarray(line + scale[:, None] * arms)


def _area_between(sides: FloatArray) -> FloatArray:
    """Area of the rings that go down the right side and up the left, signed (shoelace); shape (n,)."""
    ring = np.concatenate([sides[1], sides[0, :, :, ::-1]], axis=2)
    x, y = ring - ring[:, :, :1]  # small numbers, or rounding would show in the area
    return np.asarray(0.5 * np.sum(x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y, axis=1))


def _between(sides: FloatArray, stations: slice) -> Geometries:
    """Polygons between both sides along some stations; where the sides meet, the point stands once."""
    left, right = sides[0, :, :, stations], sides[1, :, :, stations]
    ring = np.moveaxis(np.concatenate([right, left[:, :, ::-1]], axis=2), 0, -1)
    return np.asarray(shapely.remove_repeated_points(shapely.polygons(ring)), dtype=object)
