"""The landslides of a simulated event: drawn in areas, form and place, and merged to an inventory.

Areas follow Malamud et al. (2004), one law for all triggers; the trigger decides on number, clustering and
runout. A landslide for which a place has no room is tried at other places: its area is never changed.

References
----------
Malamud, B. D., Turcotte, D. L., Guzzetti, F., & Reichenbach, P. (2004). Landslide inventories and their
statistical properties. Earth Surface Processes and Landforms, 29(6), 687-711.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from headscarp.evaluate.frequency_area import draw_inverse_gamma
from headscarp.grid import crs_wkt
from headscarp.simulate import fields
from headscarp.simulate.ground import Ground
from headscarp.simulate.landslides.outlines import (
    Forms,
    Landslide,
    Movement,
    Outlines,
    draw_forms,
    draw_outlines,
    take,
)
from headscarp.simulate.landslides.runout import Paths, Surface, surface_of, take_paths, trace
from headscarp.simulate.landslides.trigger import Places, draw_places, landslide_count, susceptibility
from headscarp.simulate.options import SimulateOptions

SMALLEST_M2 = 25.0
"""Areas below this, 7 in 10 000, are not drawn: nobody maps a failure of 5 m."""
LARGEST_M2 = 1_000_000.0
"""Nor those above it, 7 in 100 000, which find no hillslope in a scene."""
STOP_SLOPE_DEG = {Movement.SLIDE: 12.0, Movement.FLOW: 5.0}
"""Slopes on which runout ends; debris flows deposit on fans of 3 to 10°."""
LEAST_RATIO = 1.0
"""A path is too short where the landslide would be wider than long; 95% of Noto's are longer."""
LEAST_STEPS = 6
ATTEMPTS = 40
"""Places at which a landslide is tried before it is given up."""


def plan_landslides(
    ground: Ground, cover: NDArray[np.uint8], options: SimulateOptions, count: int | None = None
) -> list[Landslide]:
    """Draw the landslides of an event, before any are merged.

    Parameters
    ----------
    ground : Ground
    cover : uint8 array of shape (rows, columns)
        Codes of :class:`LandCover`.
    options : SimulateOptions
        Its seed, its trigger and, without ``count``, its number of landslides.
    count : int, optional
        How many; by default ``options.landslides``, or as many as the trigger brings.

    Returns
    -------
    list of Landslide
        Whole within the grid, on known ground. Fewer than asked for where, after ``ATTEMPTS`` places each,
        there was no room; none where the ground is too gentle.
    """
    forms = draw_forms(_areas_m2(ground, options, count), options.trigger, options.seed)
    weights = susceptibility(ground, cover, options.trigger, options.seed)
    surface = surface_of(ground, cover)
    found: list[Landslide | None] = [None] * len(forms.area_m2)
    for attempt in range(ATTEMPTS):
        todo = np.array([i for i, landslide in enumerate(found) if landslide is None], dtype=np.intp)
        rng = fields.generator(options.seed, "landslide places", attempt)
        places = draw_places(weights, todo.size, rng)
        if not places.row.size:
            break
        for i, landslide in zip(todo, _tried(ground, surface, take(forms, todo), places), strict=True):
            found[i] = landslide
    return [landslide for landslide in found if landslide is not None]


def landslide_outlines(landslides: list[Landslide]) -> list[shapely.Geometry]:
    """Sources and deposits in turn: zones ``1 + 2 k`` and ``2 + 2 k`` are those of landslide ``k``."""
    return [part for landslide in landslides for part in (landslide.source, landslide.deposit)]


def merge(landslides: list[Landslide], ground: Ground, options: SimulateOptions) -> gpd.GeoDataFrame:
    """Unite landslides that overlap or touch, as a mapper would draw them.

    Parameters
    ----------
    landslides : list of Landslide
    ground : Ground
    options : SimulateOptions
        Its trigger and date are noted.

    Returns
    -------
    GeoDataFrame
        In the grid's CRS, largest first: ``id`` (1 … n), ``area_m2`` (of the union), ``parts`` (landslides
        united), ``source_area_m2`` (of the union of sources) and ``deposit_area_m2`` (the rest),
        ``movement`` (of the largest part), ``trigger``, ``date``, ``slope_mean_deg`` (over the middles of
        pixels inside, or the pixel at the middle of one that holds none), ``sub_pixel`` (smaller than a
        pixel), ``geometry``.
    """
    groups = _groups([landslide.outline for landslide in landslides])
    united = [[landslides[i] for i in group] for group in groups]
    outlines = _unions([[part.outline for part in parts] for parts in united])
    areas = shapely.area(outlines)
    sources = shapely.area(_unions([[part.source for part in parts] for parts in united]))
    largest = [max(parts, key=lambda part: part.area_m2) for parts in united]
    frame = gpd.GeoDataFrame(
        {
            "area_m2": areas,
            "parts": np.array([len(parts) for parts in united], dtype=np.int64),
            "source_area_m2": sources,
            "deposit_area_m2": areas - sources,
            "movement": np.array([part.movement.value for part in largest], dtype=object),
            "trigger": np.full(len(united), options.trigger.value, dtype=object),
            "date": np.full(len(united), options.date, dtype=object),
            "slope_mean_deg": _mean_slopes_deg(outlines, ground),
            "sub_pixel": areas < ground.spacing_m**2,
        },
        geometry=outlines,
        crs=crs_wkt(ground.geobox),
    )
    frame = frame.sort_values("area_m2", ascending=False, kind="stable", ignore_index=True)
    frame.insert(0, "id", np.arange(1, len(frame) + 1, dtype=np.int64))
    return frame


def _areas_m2(ground: Ground, options: SimulateOptions, count: int | None) -> NDArray[np.float64]:
    """Areas of the landslides that are asked for, or that the trigger brings."""
    if count is None:
        count = landslide_count(ground, options.trigger) if options.landslides is None else options.landslides
    rng = fields.generator(options.seed, "landslide areas")
    return draw_inverse_gamma(count, rng, smallest_m2=SMALLEST_M2, largest_m2=LARGEST_M2)


def _groups(outlines: list[shapely.Geometry]) -> list[NDArray[np.intp]]:
    """Numbers of the outlines that hang together."""
    count = len(outlines)
    if not count:
        return []
    one, other = shapely.STRtree(outlines).query(np.array(outlines, dtype=object), predicate="intersects")
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(count, count))
    _, owner = connected_components(graph, directed=False)
    order = np.argsort(owner, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(owner[order])) + 1)


def _unions(groups: list[list[shapely.Geometry]]) -> NDArray[np.object_]:
    out = np.empty(len(groups), dtype=object)
    out[:] = [shapely.union_all(parts) if len(parts) > 1 else parts[0] for parts in groups]
    return out


def _mean_slopes_deg(outlines: NDArray[np.object_], ground: Ground) -> NDArray[np.float64]:
    """Mean slopes of outlines that do not overlap; NaN where no slope is known."""
    count, transform = len(outlines), ground.geobox.transform
    if not count:
        return np.zeros(0)
    shapes = zip(outlines, range(1, count + 1), strict=True)
    number = rasterize(shapes, out_shape=ground.shape, transform=transform, dtype="int32")
    known = (number > 0) & np.isfinite(ground.slope_deg)
    owner, slope = number[known] - 1, ground.slope_deg[known]
    pixels, total = np.bincount(owner, minlength=count), np.bincount(owner, slope, minlength=count)
    middle = shapely.get_coordinates(shapely.point_on_surface(outlines))
    col, row = np.floor(np.stack(~transform * tuple(middle.T))).astype(np.intp)
    at_middle = ground.slope_deg[np.clip(row, 0, ground.shape[0] - 1), np.clip(col, 0, ground.shape[1] - 1)]
    return np.where(pixels > 0, total / np.maximum(pixels, 1), at_middle.astype(np.float64))


def _tried(ground: Ground, surface: Surface, forms: Forms, places: Places) -> list[Landslide | None]:
    """Landslides that start at places; None where one has no room."""
    stop = np.where(forms.is_flow, STOP_SLOPE_DEG[Movement.FLOW], STOP_SLOPE_DEG[Movement.SLIDE])
    spacing = ground.spacing_m
    paths = trace(surface, places.col * spacing, places.row * spacing, forms.length_m, stop)
    long_enough = paths.length_m**2 >= LEAST_RATIO * forms.area_m2
    good = np.flatnonzero(long_enough & (paths.steps >= LEAST_STEPS))
    forms, paths = take(forms, good), take_paths(paths, good)
    transform = ground.geobox.transform
    outlines = draw_outlines(forms, paths, transform.c, transform.f)
    fits = _lies_on_known_ground(ground, outlines.outline)
    out: list[Landslide | None] = [None] * len(places.row)
    for k in np.flatnonzero(fits):
        out[good[k]] = _landslide(forms, paths, outlines, int(k))
    return out


def _landslide(forms: Forms, paths: Paths, outlines: Outlines, k: int) -> Landslide:
    movement = Movement.FLOW if forms.is_flow[k] else Movement.SLIDE
    parts = (outlines.outline[k], outlines.source[k], outlines.deposit[k])
    return Landslide(*parts, float(shapely.area(outlines.outline[k])), float(paths.length_m[k]), movement)


def _lies_on_known_ground(ground: Ground, outlines: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Whether all points of outlines lie on pixels whose slope is known; False where there is no outline."""
    points, owner = shapely.get_coordinates(outlines, return_index=True)
    transform, (rows, cols) = ground.geobox.transform, ground.shape
    col = np.floor((points[:, 0] - transform.c) / ground.spacing_m).astype(np.intp)
    row = np.floor((transform.f - points[:, 1]) / ground.spacing_m).astype(np.intp)
    inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
    slope = ground.slope_deg[np.clip(row, 0, rows - 1), np.clip(col, 0, cols - 1)]
    good = np.asarray(~shapely.is_missing(outlines))
    good[owner[~inside | np.isnan(slope)]] = False
    return good
