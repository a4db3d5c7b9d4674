"""Outlines of what changes and is no landslide: floods, buildings, harvested fields, felled stands.

Each kind is planned with randomness of its own, in a fixed order, on ground that the kinds before it left
free; so the outlines are disjoint, and leaving one kind out afterwards moves none of the others. Outlines
follow the pixels of fields, stands and floods, smoothed and drawn in by three quarters of a
pixel: borders of fields are no crop, and edges cover pixels in part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy.ndimage import maximum_filter

from headscarp.simulate.distractors.timing import Times
from headscarp.simulate.fields import generator, regional_noise
from headscarp.simulate.ground import Ground, LandCover
from headscarp.simulate.land.parcels import FIELDS, STANDS, Lattice, outlines_of, parcels, row_blocks
from headscarp.simulate.options import Distractor, Trigger

Mask = NDArray[np.bool_]
Cover = NDArray[np.uint8]


class Change(NamedTuple):
    """Something that changes backscatter within an outline, for some time."""

    kind: Distractor
    outline: shapely.Polygon | shapely.MultiPolygon
    """In the grid's CRS."""
    first_utc: datetime
    last_utc: datetime | None
    """None: it stays."""
    vv_db: float
    vh_db: float

    def is_active(self, when: datetime) -> bool:
        """Whether a pass at that time sees it."""
        return self.first_utc <= when and (self.last_utc is None or when <= self.last_utc)


class Effect(NamedTuple):
    """Range of the change of each polarisation, decibels."""

    vv_db: tuple[float, float]
    vh_db: tuple[float, float]


EFFECTS = {
    Distractor.HARVEST: Effect((-3.0, -1.0), (-5.0, -3.0)),
    Distractor.CLEAR_CUT: Effect((-2.0, -0.5), (-4.0, -2.0)),
    Distractor.FLOOD: Effect((-8.0, -4.0), (-7.0, -4.0)),
    Distractor.BUILDING: Effect((5.0, 10.0), (3.0, 6.0)),
}
"""Change at C band. Harvest: loss of volume scattering, larger in VH (Veloso et al., 2017, Remote Sensing of
Environment 199, 415-426). Clear-cut: the same of a canopy (van der Woude et al., 2024, Remote Sensing 16(9),
1553). Flood: specular reflection (Twele et al., 2016, International Journal of Remote Sensing 37, 2990-3004).
Building: double bounce (Koppel et al., 2017, International Journal of Remote Sensing 38, 6298-6318)."""

HARVEST_SHARE = 0.25
"""Share of the fields harvested between the first and the last pass: each once a year, passes over 3 to 4
months."""
HARVEST_LEAST_M2 = 2e3
"""Smallest field harvested."""
CLEAR_CUTS_PER_KM2 = 0.2
"""Felled stands for each km² of forest: some 0.6 % of it, in a third of a year a multiple of the 0.5 % a year
that Senf and Seidl (2021, Nature Sustainability 4, 63-70) report for Europe: a small scene has some, too."""
CLEAR_CUT_M2 = (1e4, 6e4)
"""Smallest and largest stand felled."""
NEAR_EVENT_SHARE = 0.4
"""Share of harvests, fellings and buildings between the last pass before the event and the first after it,
where they look most like what the event did."""

FLOOD_ABOVE_M, FLOOD_DEG, FLOOD_REACH_M = 2.5, 3.0, 300.0
"""Flooded ground: height above the channel, slope, and distance from a river, at most. It is open: under
trees and among houses water brightens the echo, which is left out."""
FLOOD_SHARE = {Trigger.RAIN: 0.5, Trigger.EARTHQUAKE: 0.2}
"""Share of such ground that is flooded: along every other reach after rain; behind a few landslide dams after
an earthquake."""
FLOOD_SCALE_M, FLOOD_LEAST_M2 = 800.0, 2e3

BUILDINGS_PER_KM2 = 20.0
"""New buildings for each km² of built-up ground, at least two: a few streets with a building site."""
BUILDING_M, BUILDING_REACH_M, BUILDING_DEG = (20.0, 60.0), 100.0, 6.0
"""Sides of a building; its distance from built-up ground and the slope under it, at most."""
_DRAWN_IN = 1.5
"""Pixels of a parcel, as a multiple of the smallest outline: what drawing in an outline may take."""
_TRIES = 20
"""Places tried for each building."""


def plan_changes(ground: Ground, cover: Cover, times: Times, trigger: Trigger, seed: int) -> list[Change]:
    """Every change that has an outline, the kinds in the order in which they take their ground.

    Parameters
    ----------
    ground : Ground
    cover : uint8 array of shape (rows, columns)
        Codes of :class:`headscarp.simulate.ground.LandCover`.
    times : Times
    trigger : Trigger
        Rain floods more ground than an earthquake.
    seed : int
        Of the event.

    Returns
    -------
    list of Change
        With disjoint outlines.
    """
    free = (cover != LandCover.UNKNOWN) & (cover != LandCover.WATER)
    planned = _passing(_floods(ground, cover, free, trigger, seed), times, seed)
    for kind, find in _LASTING.items():
        planned += _lasting(kind, find(ground, cover, free, seed), times, seed)
    return planned


def _lasting(kind: Distractor, outlines: Sequence[shapely.Polygon], times: Times, seed: int) -> list[Change]:
    """Changes that begin some day and stay."""
    rng = generator(seed, "dates", kind.value)
    decibels = _decibels(kind, len(outlines), rng)
    is_near = rng.uniform(size=len(outlines)) < NEAR_EVENT_SHARE
    is_near[:1] = True
    moments = rng.uniform(size=len(outlines))
    return [
        Change(kind, outline, _between(times.gap if near else times.span, moment), None, vv_db, vh_db)
        for outline, near, moment, (vv_db, vh_db) in zip(
            outlines, is_near.tolist(), moments.tolist(), decibels, strict=True
        )
    ]


def _passing(outlines: Sequence[shapely.Polygon], times: Times, seed: int) -> list[Change]:
    """Floods: from the event until after one or two passes."""
    rng = generator(seed, "dates", Distractor.FLOOD.value)
    decibels = _decibels(Distractor.FLOOD, len(outlines), rng)
    passes = rng.integers(1, 3, len(outlines)).tolist()
    return [
        Change(Distractor.FLOOD, outline, times.event, times.past(count), vv_db, vh_db)
        for outline, count, (vv_db, vh_db) in zip(outlines, passes, decibels, strict=True)
    ]


def _decibels(kind: Distractor, count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    effect = EFFECTS[kind]
    low, high = np.array(effect).T
    drawn = low + (high - low) * rng.uniform(size=(count, 2))
    return [(vv_db, vh_db) for vv_db, vh_db in np.round(drawn, 2).tolist()]


def _between(span: tuple[datetime, datetime], share: float) -> datetime:
    """Moment within a span, to the second."""
    return span[0] + timedelta(seconds=round((span[1] - span[0]).total_seconds() * share))


def _floods(ground: Ground, cover: Cover, free: Mask, trigger: Trigger, seed: int) -> list[shapely.Polygon]:
    """Low open ground near rivers, along the reaches where a smooth field is highest."""
    low = (ground.above_channel_m < FLOOD_ABOVE_M) & (ground.slope_deg < FLOOD_DEG) & free & _open(cover)
    low &= _near(cover == LandCover.WATER, FLOOD_REACH_M / ground.spacing_m)
    reach = np.concatenate([field[low[rows]] for rows, field in _reaches(ground, seed)])
    if not reach.size:
        return []
    limit = np.quantile(reach, 1.0 - FLOOD_SHARE[trigger])
    for rows, field in _reaches(ground, seed):
        low[rows] &= field >= limit
    outlines = [outline for _, outline in outlines_of(low.astype(np.uint8), ground)]
    free &= ~low
    return [outline for outline in outlines if outline.area >= FLOOD_LEAST_M2]


def _reaches(ground: Ground, seed: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Smooth field that tells reaches apart, by blocks of rows."""
    cols, scale_px = slice(0, ground.shape[1]), FLOOD_SCALE_M / ground.spacing_m
    for rows in row_blocks(ground.shape[0]):
        yield rows, regional_noise(seed, ("floods",), rows, cols, scale_px)


def _buildings(ground: Ground, cover: Cover, free: Mask, seed: int) -> list[shapely.Polygon]:
    """Rectangles on flat open ground beside what is built."""
    built = cover == LandCover.BUILT
    room = _open(cover) & free & (ground.slope_deg < BUILDING_DEG)
    places = np.flatnonzero(room & _near(built, BUILDING_REACH_M / ground.spacing_m))
    count = max(2, round(BUILDINGS_PER_KM2 * np.count_nonzero(built) * ground.spacing_m**2 / 1e6))
    if not places.size:
        return []
    rng = generator(seed, "buildings")
    found: list[shapely.Polygon] = []
    for place in rng.choice(places, min(_TRIES * count, places.size), replace=False).tolist():
        outline = _rectangle(ground, place, rng)
        if len(found) < count and _take(outline, ground, free):
            found.append(outline)
    return found


def _rectangle(ground: Ground, place: int, rng: np.random.Generator) -> shapely.Polygon:
    """Rectangle of some size and direction about a pixel."""
    row, col = divmod(place, ground.shape[1])
    x, y = ground.geobox.transform @ (col + 0.5, row + 0.5)
    along_m, across_m = (rng.uniform(*BUILDING_M, size=2) / 2.0).tolist()
    upright = shapely.box(x - along_m, y - across_m, x + along_m, y + across_m)
    turned: shapely.Polygon = shapely.affinity.rotate(upright, float(rng.uniform(0.0, 180.0)))
    return turned


def _take(outline: shapely.Polygon, ground: Ground, free: Mask) -> bool:
    """Take every pixel that an outline touches, if all are on the grid and free."""
    transform, (rows, cols) = ground.geobox.transform, ground.shape
    west, south, east, north = outline.bounds
    (left, top), (right, bottom) = ~transform @ (west, north), ~transform @ (east, south)
    if left < 0 or top < 0 or right > cols or bottom > rows:
        return False
    window = slice(math.floor(top), math.ceil(bottom)), slice(math.floor(left), math.ceil(right))
    place = transform @ transform.translation(window[1].start, window[0].start)
    shape = free[window].shape
    touched = rasterize([outline], shape, transform=place, all_touched=True).astype(bool)
    if not free[window][touched].all():
        return False
    free[window][touched] = False
    return True


def _harvested(ground: Ground, cover: Cover, free: Mask, seed: int) -> list[shapely.Polygon]:
    """A share of the fields."""
    rng = generator(seed, "harvest")
    fields = _whole_parcels(ground, FIELDS, cover == LandCover.CROP, free, seed)
    large = [number for number, area in fields.areas_m2.items() if area >= _DRAWN_IN * HARVEST_LEAST_M2]
    chosen = rng.permutation(large)[: max(1, round(HARVEST_SHARE * len(large)))]
    return [o for o in _drawn(fields, chosen, ground) if o.area >= HARVEST_LEAST_M2]


def _felled(ground: Ground, cover: Cover, free: Mask, seed: int) -> list[shapely.Polygon]:
    """A few stands of the forest."""
    rng = generator(seed, "clear-cuts")
    forest = cover == LandCover.FOREST
    stands = _whole_parcels(ground, STANDS, forest, free, seed)
    low, high = CLEAR_CUT_M2
    fit = [number for number, area in stands.areas_m2.items() if _DRAWN_IN * low <= area <= high]
    count = max(1, round(CLEAR_CUTS_PER_KM2 * np.count_nonzero(forest) * ground.spacing_m**2 / 1e6))
    return [o for o in _drawn(stands, rng.permutation(fit)[:count], ground) if o.area >= low]


class _Parcels(NamedTuple):
    number: NDArray[np.int32]
    """0 where there is none."""
    areas_m2: dict[int, float]


def _whole_parcels(ground: Ground, lattice: Lattice, used: Mask, free: Mask, seed: int) -> _Parcels:
    """Parcels of one use, without those that something else has taken a part of."""
    number = parcels(ground, lattice, seed)
    taken = np.unique(number[used & ~free])
    number[~used] = 0
    found, counts = np.unique(number[used], return_counts=True)
    kept = ~np.isin(found, taken)
    areas = (counts[kept] * ground.spacing_m**2).tolist()
    return _Parcels(number, dict(zip(found[kept].tolist(), areas, strict=True)))


def _drawn(places: _Parcels, chosen: NDArray[Any], ground: Ground) -> list[shapely.Polygon]:
    """Outlines of chosen parcels, of each the largest part, in the order of their numbers."""
    places.number[~np.isin(places.number, chosen)] = 0
    largest: dict[int, shapely.Polygon] = {}
    for number, outline in outlines_of(places.number, ground):
        if number not in largest or outline.area > largest[number].area:
            largest[number] = outline
    return [largest[number] for number in sorted(largest)]


def _open(cover: Cover) -> Mask:
    return np.asarray((cover == LandCover.CROP) | (cover == LandCover.SHRUB_GRASS))


def _near(mask: Mask, reach_px: float) -> Mask:
    """Pixels within some rows and columns of a mask."""
    return np.asarray(maximum_filter(mask.astype(np.uint8), 2 * round(reach_px) + 1) > 0)


_LASTING = {
    Distractor.BUILDING: _buildings,
    Distractor.HARVEST: _harvested,
    Distractor.CLEAR_CUT: _felled,
}
