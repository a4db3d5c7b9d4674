r"""Where a trigger sets landslides off, and how many: shaking on crests, or rain in hollows.

The weight of a place is a product of factors, each without a unit,

.. math:: w = f_{slope} \, f_{trigger}(d) \, f_{position} \, e^{\sigma n},

with the distance :math:`d` to a fault, or to the cores of rain cells, the position on the hillslope, and a
smooth field :math:`n` for what is not modelled (rock, soil). Nothing starts on gentle ground, on water, or
where heights are unknown.

References
----------
Meunier, P., Hovius, N., & Haines, J. A. (2008). Topographic site effects and the location of earthquake
induced landslides. Earth and Planetary Science Letters, 275(3-4), 221-232.
Rault, C., Robert, A., Marc, O., Hovius, N., & Meunier, P. (2019). Seismic and geologic controls on spatial
clustering of landslides in three large earthquakes. Earth Surface Dynamics, 7, 829-839.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.simulate import fields
from headscarp.simulate.ground import Float32, Ground, LandCover
from headscarp.simulate.options import Trigger

START_SLOPE_DEG = 20.0
"""Nothing starts on gentler ground: inventories of both triggers hold few landslides below 15 to 20°."""
FULL_SLOPE_DEG = 40.0
"""From here on slope favours no place over another."""
DENSITY_PER_KM2 = {Trigger.EARTHQUAKE: 12.0, Trigger.RAIN: 5.0}
"""Landslides per km² of ground above ``START_SLOPE_DEG``. Iburi 2018: some 6000 in about 400 km² (Yamagishi &
Yamazaki 2018, Landslides 15, 2521-2524); Hurricane Maria 2017: 11.2 per km², eleven times the mean of storm
inventories (Physical Geography 42, 163-191, 2021)."""
SHAKING_DECAY_M, SHAKING_DECAY_SHARE = 3_000.0, 0.3
"""Distance from the fault over which landslide density falls to 1/e, whichever is larger: metres, or a share
of the scene's longer side. Strong earthquakes reach tens of km (Meunier, Hovius & Haines 2007, Geophysical
Research Letters 34, L20408); a scene is given one of its own size, with dense and sparse ground."""
FAULT_HALF_SHARE = 0.8
"""Half the length of the fault, as a share of that distance."""
CELL_RADIUS_M = (700.0, 1_800.0)
"""Range of the standard deviations of rain cells: cores of convective cells are 1 to 5 km wide."""
KM2_PER_CELL = 12.0
BACKGROUND = 0.03
"""Share of the full intensity of shaking or rain that reaches all ground."""
CREST_GAIN = 4.0
"""Crests over slope toes, earthquake: landslides cluster on crests twofold and more (Meunier et al. 2008)."""
HOLLOW_GAIN = 4.0
"""Hollows low on the slope over planar crests, rain."""
HOLLOW_M2 = 5_000.0
"""Catchment at which half the gain of hollows is reached: source hollows drain 0.1 to 5 ha (Montgomery &
Dietrich 1988, Nature 336, 232-234)."""
GROUND_SCALE_M, GROUND_SPREAD = 1_500.0, 0.6
"""Distance of the nodes, and standard deviation of the logarithm, of what is not modelled."""
_BLOCK_ROWS = 256


class Source(NamedTuple):
    """A core of shaking or rain; lengths in metres, from the grid's upper left corner."""

    east_m: float
    south_m: float
    radius_m: float
    """Length over which the intensity falls: to 1/e (shaking), or one standard deviation (rain)."""
    strike_rad: float
    half_length_m: float
    """Of the line along which the intensity is full; 0 for a rain cell."""


def susceptibility(
    ground: Ground, cover: NDArray[np.uint8], trigger: Trigger, seed: int
) -> NDArray[np.float32]:
    """Weights of the pixels as places where landslides start.

    Parameters
    ----------
    ground : Ground
    cover : uint8 array of shape (rows, columns)
        Codes of :class:`LandCover`.
    trigger : Trigger
        Shaking decays away from a fault and favours crests; rain falls in cells and favours hollows.
    seed : int
        Of the event; it places fault or rain cells.

    Returns
    -------
    float32 array of shape (rows, columns)
        0 and above, in no unit; 0 below ``START_SLOPE_DEG``, on water and on unknown ground, never NaN.
    """
    sources = trigger_sources(ground, trigger, seed)
    relief_m = _typical_relief_m(ground)
    weights = np.zeros(ground.shape, np.float32)
    for top in range(0, ground.shape[0], _BLOCK_ROWS):
        rows = slice(top, min(top + _BLOCK_ROWS, ground.shape[0]))
        place = _position_factor(ground, rows, trigger, relief_m) * _unmodelled(ground, rows, seed)
        weight = _slope_factor(ground, rows) * place * intensity(ground, rows, sources)
        bare = np.isin(cover[rows], [LandCover.WATER, LandCover.UNKNOWN]) | ~np.isfinite(weight)
        weights[rows] = np.where(bare, 0.0, weight)
    return weights


def landslide_count(ground: Ground, trigger: Trigger) -> int:
    """Landslides that a trigger brings to a ground: ``DENSITY_PER_KM2`` of its steep part, rounded.

    Parameters
    ----------
    ground : Ground
    trigger : Trigger
    """
    steep_km2 = np.count_nonzero(ground.slope_deg >= START_SLOPE_DEG) * ground.spacing_m**2 / 1e6
    return round(DENSITY_PER_KM2[trigger] * steep_km2)


def trigger_sources(ground: Ground, trigger: Trigger, seed: int) -> list[Source]:
    """Fault, or rain cells, of an event.

    One fault crosses the inner half of the scene; rain cells, one for every ``KM2_PER_CELL`` and two at
    least, lie anywhere in it.
    """
    rng = fields.generator(seed, "trigger", trigger.value)
    rows, cols = ground.shape
    extent = np.array([cols, rows]) * ground.spacing_m
    if trigger is Trigger.EARTHQUAKE:
        east, south = extent * rng.uniform(0.25, 0.75, 2)
        decay_m = max(SHAKING_DECAY_M, SHAKING_DECAY_SHARE * float(extent.max()))
        return [Source(east, south, decay_m, rng.uniform(0.0, math.pi), FAULT_HALF_SHARE * decay_m)]
    count = max(2, round(float(extent.prod()) / 1e6 / KM2_PER_CELL))
    places, radii = rng.uniform(0.0, 1.0, (count, 2)) * extent, rng.uniform(*CELL_RADIUS_M, count)
    return [
        Source(east, south, radius, 0.0, 0.0) for (east, south), radius in zip(places, radii, strict=True)
    ]


def intensity(ground: Ground, rows: slice, sources: list[Source]) -> Float32:
    r"""Shaking, or rain, on some rows of the grid, as a share of its maximum.

    .. math:: i = b + (1 - b) \max_k e^{-d_k / r_k} \quad \text{(fault)}, \qquad
        i = b + (1 - b) \max_k e^{-d_k^2 / 2 r_k^2} \quad \text{(rain cell)}

    Returns
    -------
    float32 array of shape (rows, columns)
        From ``BACKGROUND`` to 1.
    """
    east = ((np.arange(ground.shape[1]) + 0.5) * ground.spacing_m).astype(np.float32)
    south = ((np.arange(rows.start, rows.stop) + 0.5) * ground.spacing_m).astype(np.float32)[:, None]
    strongest = np.zeros((south.size, east.size), np.float32)
    for source in sources:
        distance = _distance_m(east, south, source) / np.float32(source.radius_m)
        exponent = distance if source.half_length_m else 0.5 * distance**2
        np.maximum(strongest, np.exp(-exponent), out=strongest)
    return np.asarray(BACKGROUND + (1.0 - BACKGROUND) * strongest, dtype=np.float32)


class Places(NamedTuple):
    """Points of a grid, in pixels from its upper left corner; each of shape (n,)."""

    row: NDArray[np.float64]
    col: NDArray[np.float64]


def draw_places(weights: NDArray[np.float32], count: int, rng: np.random.Generator) -> Places:
    """Draw points with a density in proportion to weights, uniform within a pixel, one by one independent.

    Parameters
    ----------
    weights : float32 array of shape (rows, columns)
        0 and above.
    count : int
    rng : numpy.random.Generator

    Returns
    -------
    Places
        Of ``count`` points; of none where all weights are 0.
    """
    by_row = np.cumsum(weights.sum(axis=1, dtype=np.float64))
    if not (by_row.size and by_row[-1] > 0):
        return Places(np.zeros(0), np.zeros(0))
    drawn = rng.uniform(0.0, 1.0, (4, count))
    row = _pick(by_row, drawn[0])
    col = np.zeros(count, dtype=np.intp)
    for line in np.unique(row):
        here = row == line
        col[here] = _pick(np.cumsum(weights[line], dtype=np.float64), drawn[1, here])
    return Places(row + drawn[2], col + drawn[3])


def _pick(cumulative: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.intp]:
    """Steps of a cumulative sum in which shares of its total fall; never one of height 0."""
    last = np.searchsorted(cumulative, cumulative[-1])
    return np.asarray(np.minimum(np.searchsorted(cumulative, share * cumulative[-1], side="right"), last))


def _distance_m(east: Float32, south: Float32, source: Source) -> Any:
    """Distance to a line, shape (rows, columns)."""
    x, y = east - np.float32(source.east_m), south - np.float32(source.south_m)
    along = x * np.float32(math.cos(source.strike_rad)) + y * np.float32(math.sin(source.strike_rad))
    across = y * np.float32(math.cos(source.strike_rad)) - x * np.float32(math.sin(source.strike_rad))
    return np.hypot(np.maximum(np.abs(along) - np.float32(source.half_length_m), 0.0), across)


def _slope_factor(ground: Ground, rows: slice) -> Float32:
    """0 below ``START_SLOPE_DEG``, 0.2 at it, 1 from ``FULL_SLOPE_DEG`` on."""
    slope = ground.slope_deg[rows]
    risen = np.clip((slope - START_SLOPE_DEG) / (FULL_SLOPE_DEG - START_SLOPE_DEG), 0.0, 1.0)
    return np.where(slope >= START_SLOPE_DEG, 0.2 + 0.8 * risen, 0.0).astype(np.float32)


def _position_factor(ground: Ground, rows: slice, trigger: Trigger, relief_m: float) -> Float32:
    """What the place on the hillslope does: crests are favoured by shaking, hollows low on it by rain."""
    above = np.maximum(ground.above_channel_m[rows], 0.0)
    high = above / (above + np.float32(relief_m))
    if trigger is Trigger.EARTHQUAKE:
        return np.asarray(1.0 + CREST_GAIN * high**2, dtype=np.float32)
    catchment = ground.catchment_m2[rows]
    hollow = catchment / (catchment + np.float32(HOLLOW_M2))
    return np.asarray(1.0 + HOLLOW_GAIN * hollow * (1.0 - high), dtype=np.float32)


def _unmodelled(ground: Ground, rows: slice, seed: int) -> Float32:
    scale_px = max(GROUND_SCALE_M / ground.spacing_m, 4.0)
    noise = fields.regional_noise(seed, ("susceptibility",), rows, slice(0, ground.shape[1]), scale_px)
    return np.asarray(np.exp(np.float32(GROUND_SPREAD) * noise))


def _typical_relief_m(ground: Ground) -> float:
    """Median height above the channel of steep ground, on a sample of it; 1 m where there is none."""
    step = max(1, max(ground.shape) // 512)
    above, slope = ground.above_channel_m[::step, ::step], ground.slope_deg[::step, ::step]
    steep = above[(slope >= START_SLOPE_DEG) & np.isfinite(above)]
    return max(float(np.median(steep)), 1.0) if steep.size else 1.0
