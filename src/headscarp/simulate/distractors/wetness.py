r"""Wet snow above a line and wet soil about a place: changes that fade out over height, or distance.

The decibels :math:`d` of such a change are weighted by land cover and by place; the power is multiplied by

.. math:: f = 10^{d w / 10}

with the weight :math:`w` between 0 and 1.

References
----------
Nagler, T., Rott, H., Ripper, E., Bippus, G., and Hetzenecker, M. (2016). Advancements for snowmelt monitoring
by means of Sentinel-1 SAR. Remote Sensing, 8(4), 348. (Wet snow lowers backscatter by 2 to 3 dB and more.)
Bauer-Marschallinger, B., et al. (2019). Toward global soil moisture monitoring with Sentinel-1. IEEE
Transactions on Geoscience and Remote Sensing, 57(1), 520-539. (Dry to wet: some dB in VV, less under trees.)
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import shapely
from rasterio.features import shapes

from headscarp.simulate.distractors.changes import Change, Cover
from headscarp.simulate.distractors.timing import Times
from headscarp.simulate.fields import Field, generator
from headscarp.simulate.ground import Float32, Ground, LandCover
from headscarp.simulate.land.landcover import height_quantiles
from headscarp.simulate.options import Distractor, Trigger

SNOW_LINE = (0.85, 0.95)
"""Range of the share of the ground's heights that lies below the snow line of a pass."""
SNOW_DB = (-6.0, -3.0)
"""Range of the change where snow is wet, of both polarisations."""
SNOW_FADE_M = 60.0
"""Height above the line over which snow becomes continuous and wet."""
SNOW_HOURS = 6
"""Snow is wet for some hours about the pass; it freezes at night."""
SNOW_WEIGHT = {LandCover.SHRUB_GRASS: 1.0, LandCover.CROP: 1.0, LandCover.ROCK: 1.0, LandCover.FOREST: 0.5}
"""Share of the change: crowns hide half of the snow; roofs and water keep none."""

MOISTURE_DB, MOISTURE_VH_SHARE = (1.0, 3.0), 0.5
"""Range of the change in VV at the middle of a wet place, and what of it VH has."""
MOISTURE_RADIUS_M = (1000.0, 2500.0)
"""Range of the distance at which exp(-1/2) of the change is left: showers are some km wide."""
MOISTURE_EACH_KM2 = {Trigger.RAIN: 25.0, Trigger.EARTHQUAKE: 50.0}
"""Ground to one wet place, at least one: it rains after earthquakes, too."""
MOISTURE_WEIGHT = {
    LandCover.CROP: 1.0,
    LandCover.SHRUB_GRASS: 0.9,
    LandCover.ROCK: 0.6,
    LandCover.BUILT: 0.2,
    LandCover.FOREST: 0.15,
}
"""Share of the change that shows: the canopy hides the soil."""
_MOST_CELLS = 512
"""Along the longer side of the grid, of the outline of snow."""
_OUTLINE_RADII = 1.5
"""Radius of the outline of a wet place; a third of the decibels are left there."""


class Snow(NamedTuple):
    """Wet snow on one pass."""

    change: Change
    line_m: float


class Moisture(NamedTuple):
    """Wet soil about a place."""

    change: Change
    row: float
    col: float
    radius_px: float


def snow_factor(snow: Snow, height_m: Float32, cover: Cover) -> Field:
    """Power factor of wet snow, of shape (2, rows, columns): fading in above the line, by land cover.

    Parameters
    ----------
    snow : Snow
    height_m, cover : arrays of shape (rows, columns)
        Where heights are NaN, no snow lies.
    """
    above = np.clip((height_m - np.float32(snow.line_m)) / np.float32(SNOW_FADE_M), 0.0, 1.0)
    return _factor(snow.change, np.nan_to_num(above, nan=0.0) * _SNOW_TABLE[cover])


def moisture_factor(wet: Moisture, shape: tuple[int, int], cover: Cover, rows: slice, cols: slice) -> Field:
    """Power factor of a wet place, of shape (2, rows, columns): a Gaussian about it, by land cover.

    Parameters
    ----------
    wet : Moisture
    shape : tuple of (rows, columns)
        Of the grid.
    cover : uint8 array of shape (rows, columns)
        Of the window.
    rows, cols : slice
        The window.
    """
    along = _bell(shape[0], wet.row, wet.radius_px)[rows, None]
    across = _bell(shape[1], wet.col, wet.radius_px)[None, cols]
    return _factor(wet.change, along * across * _MOISTURE_TABLE[cover])


def plan_snow(ground: Ground, times: Times, seed: int) -> tuple[Snow, ...]:
    """Wet snow on one pass before the event and on one or two after it."""
    rng = generator(seed, "wet snow")
    count = int(rng.integers(1, 3))
    passes = [*_some(times.before, 1, rng), *_some(times.after, count, rng)]
    hours = timedelta(hours=SNOW_HOURS)
    found: list[Snow] = []
    for when in passes:
        decibels = round(float(rng.uniform(*SNOW_DB)), 2)
        (line_m,) = height_quantiles(ground, (float(rng.uniform(*SNOW_LINE)),))
        outline = _above(ground, line_m)
        change = Change(Distractor.WET_SNOW, outline, when - hours, when + hours, decibels, decibels)
        found += [Snow(change, line_m)] if not outline.is_empty else []
    return tuple(found)


def _some(passes: tuple[datetime, ...], count: int, rng: np.random.Generator) -> list[datetime]:
    """Some of the passes, in order."""
    chosen = rng.permutation(len(passes))[:count]
    return [passes[i] for i in sorted(chosen.tolist())]


def _above(ground: Ground, line_m: float) -> shapely.Polygon | shapely.MultiPolygon:
    """Ground above a height, drawn from every few pixels."""
    step = max(1, math.ceil(max(ground.shape) / _MOST_CELLS))
    height = ground.height_m[::step, ::step]
    transform = ground.geobox.transform @ ground.geobox.transform.scale(step)
    high = (height > line_m).astype(np.uint8)
    parts = [shapely.geometry.shape(o) for o, _ in shapes(high, mask=high > 0, transform=transform)]
    return _polygonal(shapely.intersection(shapely.union_all(parts), _extent(ground)))


def plan_moisture(ground: Ground, times: Times, trigger: Trigger, seed: int) -> tuple[Moisture, ...]:
    """Wet places, from the event until after one or two passes."""
    rng = generator(seed, "soil moisture")
    known = float(np.count_nonzero(np.isfinite(ground.height_m)))
    count = max(min(known, 1.0), round(known * ground.spacing_m**2 / 1e6 / MOISTURE_EACH_KM2[trigger]))
    return tuple(_wet_place(ground, times, rng) for _ in range(int(count)))


def _wet_place(ground: Ground, times: Times, rng: np.random.Generator) -> Moisture:
    row, col = (rng.uniform(size=2) * ground.shape).tolist()
    radius_m, decibels = float(rng.uniform(*MOISTURE_RADIUS_M)), round(float(rng.uniform(*MOISTURE_DB)), 2)
    centre = shapely.Point(*(ground.geobox.transform @ (col, row)))
    outline = _polygonal(shapely.intersection(centre.buffer(_OUTLINE_RADII * radius_m), _extent(ground)))
    last = times.past(int(rng.integers(1, 3)))
    vh_db = round(MOISTURE_VH_SHARE * decibels, 2)
    change = Change(Distractor.SOIL_MOISTURE, outline, times.event, last, decibels, vh_db)
    return Moisture(change, row, col, radius_m / ground.spacing_m)


def _extent(ground: Ground) -> shapely.Polygon:
    return shapely.box(*ground.geobox.extent.boundingbox)


def _polygonal(geometry: shapely.Geometry) -> shapely.Polygon | shapely.MultiPolygon:
    """Areas of a geometry, without the points and lines that an intersection may leave."""
    areas = [p for p in shapely.get_parts(geometry).tolist() if isinstance(p, shapely.Polygon)]
    return areas[0] if len(areas) == 1 else shapely.MultiPolygon(areas)


def _bell(size: int, centre: float, radius_px: float) -> Field:
    """Gaussian along an axis, at the middles of all its pixels."""
    away = (np.arange(size) + 0.5 - centre) / radius_px
    return np.asarray(np.exp(-0.5 * away**2), dtype=np.float32)


def _factor(change: Change, weight: Field) -> Field:
    """Power factors of shape (2, rows, columns) of a weighted change in decibels."""
    scale = math.log(10.0) / 10.0
    return np.stack([np.exp(weight * np.float32(scale * db)) for db in (change.vv_db, change.vh_db)])


def _table(weights: dict[LandCover, float]) -> Field:
    return np.array([weights.get(cover, 0.0) for cover in LandCover], np.float32)


_SNOW_TABLE, _MOISTURE_TABLE = _table(SNOW_WEIGHT), _table(MOISTURE_WEIGHT)
