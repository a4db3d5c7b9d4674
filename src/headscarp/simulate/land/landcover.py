r"""Land cover that follows from the ground: who grows where, by elevation, slope and drainage.

Forest covers the slopes, shrubs and grass what lies above the forest line and patches below it; fields lie
on flat ground near channels, villages among the fields; rock stands where it is too steep for soil, or above
the trees; rivers are as wide as their catchment makes them,

.. math:: w = c \sqrt{A},

and lakes lie on the lowest flat ground. Limits of elevation are quantiles of the ground's own heights: every
mountain range has its own forest line, whatever its latitude (a simplification). Smooth random fields make
the boundaries ragged.

References
----------
Leopold, L. B., and Maddock, T. (1953). The hydraulic geometry of stream channels and some physiographic
implications. USGS Professional Paper 252. (Width grows with the root of discharge, and that with catchment.)
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from headscarp.simulate.fields import Field, generator, regional_noise, smoothed_noise
from headscarp.simulate.ground import Ground, LandCover
from headscarp.simulate.land.parcels import row_blocks

Cover = NDArray[np.uint8]

FOREST_LINE, CRAG_LINE = 0.88, 0.96
"""Shares of the heights below the forest line, and below ground that is bare rock where it is not gentle."""
LINE_RAGGED = 0.03
"""Standard deviation of these lines along their course, as a share of the ground's relief."""
CROP_DEG, CROP_ABOVE_M = 6.0, 25.0
"""Ploughed ground is flatter than this (some 10 %, the limit of erosion-safe tillage), and lies no higher
above the channel: valley floors and low terraces."""
LEY = 1.5
"""Where the field of patches, standard normal, is above this, crop ground is under grass."""
CROP_WIDTH_M = 50.0
"""Narrower strips of such ground are not ploughed, but grown over."""
GRASS_DEG = 15.0
"""Ground gentler than this is partly meadow."""
ROCK_DEG, CRAG_DEG = 45.0, 25.0
"""Soil does not hold on steeper slopes; above the forest line not on slopes steeper than the second."""
RAGGED_DEG = 2.0
"""Standard deviation of limits of slope from place to place."""
PATCH_M, EDGE_M = 350.0, 25.0
"""Size of patches of one vegetation, and of the raggedness of their edges."""

RIVER_M2 = 3e6
"""Catchment from which a stream is wide enough to be water in a 10 m pixel."""
RIVER_WIDTH_M = 4.0
"""Width of a river that drains 1 km²; 40 m at 100 km²."""
WATER_DEG = 15.0
"""Water does not stand on steeper ground: where a mapped channel leaves its bed, the river breaks off."""
LAKE_SHARE, LAKE_DEG = 0.01, 1.5
"""Lowest share of the ground that is lake where it is also flat."""

VILLAGE_KM2 = 0.8
"""Crop ground to one village."""
VILLAGE_RADIUS_M, VILLAGE_SPREAD, VILLAGE_MOST_M = 85.0, 0.35, 250.0
"""Median radius of villages, standard deviation of its logarithm, and largest."""
VILLAGE_DEG = 8.0
"""Houses stand on flatter ground."""
_SAMPLE = 1 << 20


class _Lines(NamedTuple):
    """Heights that divide the ground, metres."""

    lake: float
    forest: float
    crag: float
    relief: float
    """Between the 2nd and the 98th hundredth of the heights."""


def land_cover(ground: Ground, seed: int) -> Cover:
    """Land cover of each pixel.

    Parameters
    ----------
    ground : Ground
        Heights, slopes and drainage.
    seed : int
        Of the event.

    Returns
    -------
    uint8 array of shape (rows, columns)
        Codes of :class:`headscarp.simulate.ground.LandCover`; UNKNOWN where height or slope is NaN.
    """
    cover = np.zeros(ground.shape, np.uint8)
    lines = _lines(ground)
    if lines is None:
        return cover
    cols = slice(0, ground.shape[1])
    for rows in row_blocks(ground.shape[0]):
        cover[rows] = _vegetation(ground, seed, lines, rows, cols)
    _leave_strips(cover, ground.spacing_m)
    _build(cover, ground, seed)
    _fill_lakes(cover, ground, lines)
    _draw_rivers(cover, ground)
    cover[np.isnan(ground.height_m) | np.isnan(ground.slope_deg)] = LandCover.UNKNOWN
    return cover


def height_quantiles(ground: Ground, shares: tuple[float, ...]) -> list[float]:
    """Heights below which shares of the ground lie, by a sample of a million pixels; NaN where all are."""
    step = max(1, math.isqrt(ground.height_m.size // _SAMPLE))
    sample = ground.height_m[::step, ::step]
    known = sample[np.isfinite(sample)]
    return np.quantile(known, shares).tolist() if known.size else [math.nan] * len(shares)


def river_width_m(catchment_m2: NDArray[Any]) -> NDArray[Any]:
    r"""Width of the river that drains a catchment.

    .. math:: w = 4 \sqrt{A / \text{km}^2}

    Examples
    --------
    >>> river_width_m(np.array([1e6, 25e6])).tolist()
    [4.0, 20.0]
    """
    return np.asarray(RIVER_WIDTH_M * np.sqrt(catchment_m2 / 1e6))


def _lines(ground: Ground) -> _Lines | None:
    lake, forest, crag, low, high = height_quantiles(ground, (LAKE_SHARE, FOREST_LINE, CRAG_LINE, 0.02, 0.98))
    return None if math.isnan(lake) else _Lines(lake, forest, crag, high - low)


def _ragged(ground: Ground, seed: int, name: str, rows: slice, cols: slice) -> Field:
    """Standard normal field of patches with ragged edges."""
    patch = regional_noise(seed, ("cover", name), rows, cols, PATCH_M / ground.spacing_m)
    sigma_px = min(max(EDGE_M / ground.spacing_m, 0.3), 4.0)
    edge = smoothed_noise(seed, ("cover", name, "edge"), rows, cols, sigma_px)
    return np.float32(0.8) * patch + np.float32(0.6) * edge


def _vegetation(ground: Ground, seed: int, lines: _Lines, rows: slice, cols: slice) -> Cover:
    """Cover of some rows without water and villages."""
    slope, height = ground.slope_deg[rows, cols], ground.height_m[rows, cols]
    above = ground.above_channel_m[rows, cols]
    patch, line = (_ragged(ground, seed, name, rows, cols) for name in ("patch", "line"))
    shift_m, shift_deg = LINE_RAGGED * lines.relief * line, RAGGED_DEG * line
    beyond_trees = height + shift_m > lines.forest
    meadow = ((slope < GRASS_DEG) & (patch > 0.5)) | (patch > 1.8)
    crop = (
        (slope + 0.5 * shift_deg < CROP_DEG) & (above < CROP_ABOVE_M * (1.0 + 0.25 * patch)) & ~beyond_trees
    )
    crag = (height + shift_m > lines.crag) & (slope > CRAG_DEG + shift_deg)
    cover = np.full(slope.shape, LandCover.FOREST, np.uint8)
    cover[beyond_trees | meadow] = LandCover.SHRUB_GRASS
    cover[crop] = LandCover.CROP
    cover[crag | (slope > ROCK_DEG + shift_deg)] = LandCover.ROCK
    return cover


def _leave_strips(cover: Cover, spacing_m: float) -> None:
    """Give crop ground that no square of ``CROP_WIDTH_M`` fits into to shrubs and grass."""
    size = max(1, round(CROP_WIDTH_M / spacing_m))
    crop = (cover == LandCover.CROP).astype(np.uint8)
    origin = 0 if size % 2 else -1
    wide = maximum_filter(minimum_filter(crop, size, mode="nearest"), size, mode="nearest", origin=origin)
    cover[(crop > 0) & (wide == 0)] = LandCover.SHRUB_GRASS


def _build(cover: Cover, ground: Ground, seed: int) -> None:
    """Villages among the fields: ragged discs about places on crop ground, on what is flat."""
    rng = generator(seed, "villages")
    fields = np.flatnonzero(cover == LandCover.CROP)
    crop_km2 = fields.size * ground.spacing_m**2 / 1e6
    if crop_km2 < 0.05 * VILLAGE_KM2:
        return
    places = rng.choice(fields, max(1, round(crop_km2 / VILLAGE_KM2)), replace=False)
    radii = VILLAGE_RADIUS_M * np.exp(VILLAGE_SPREAD * rng.standard_normal(places.size))
    for place, radius_m in zip(places.tolist(), np.minimum(radii, VILLAGE_MOST_M).tolist(), strict=True):
        _village(cover, ground, seed, divmod(place, ground.shape[1]), radius_m / ground.spacing_m)


def _village(cover: Cover, ground: Ground, seed: int, centre: tuple[int, int], radius_px: float) -> None:
    reach = math.ceil(2.0 * radius_px)
    rows, cols = (
        slice(max(at - reach, 0), min(at + reach + 1, size))
        for at, size in zip(centre, ground.shape, strict=True)
    )
    away = np.hypot(
        np.arange(rows.start, rows.stop)[:, None] - centre[0], np.arange(cols.start, cols.stop) - centre[1]
    )
    ragged = _ragged(ground, seed, "village", rows, cols)
    inside = (away <= radius_px * np.clip(1.0 + 0.25 * ragged, 0.5, 2.0)) & (ragged < 1.5)
    cover[rows, cols][inside & (ground.slope_deg[rows, cols] < VILLAGE_DEG)] = LandCover.BUILT


def _fill_lakes(cover: Cover, ground: Ground, lines: _Lines) -> None:
    cover[(ground.height_m <= lines.lake) & (ground.slope_deg < LAKE_DEG)] = LandCover.WATER


def _draw_rivers(cover: Cover, ground: Ground) -> None:
    """Widen channels, lines of large catchment, to the width of their river."""
    rows, cols = np.nonzero(ground.catchment_m2 >= RIVER_M2)
    radius_px = river_width_m(ground.catchment_m2[rows, cols]) / (2.0 * ground.spacing_m)
    visible = radius_px >= 0.25
    rows, cols, radius_px = rows[visible], cols[visible], radius_px[visible]
    reach = int(np.max(radius_px, initial=0.0))
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            wide = radius_px >= math.hypot(down, right)
            _wet(cover, ground, rows[wide] + down, cols[wide] + right)


def _wet(cover: Cover, ground: Ground, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> None:
    """Make pixels water where they are on the grid and not steep."""
    inside = (rows >= 0) & (rows < cover.shape[0]) & (cols >= 0) & (cols < cover.shape[1])
    rows, cols = rows[inside], cols[inside]
    gentle = ground.slope_deg[rows, cols] < WATER_DEG
    cover[rows[gentle], cols[gentle]] = LandCover.WATER
