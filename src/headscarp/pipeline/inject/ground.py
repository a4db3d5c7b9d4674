"""Where landslides can be planted, and which are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from headscarp.errors import GridError, OptionsError
from headscarp.features.change import Split
from headscarp.geometry.areas import polygon_areas_m2
from headscarp.geometry.terrain import HALO_PX, slope_deg
from headscarp.grid import Tile, crs_wkt, expand, pixel_area_m2, spacing_m, tiles
from headscarp.ingest.area import inside
from headscarp.ingest.dem import read_height
from headscarp.ingest.stack import touches
from headscarp.inject.options import HECTARE_M2, PlantOptions
from headscarp.inject.place import Room, place_outlines
from headscarp.inject.record import SizeCount
from headscarp.inject.shapes import draw_areas_m2, draw_shapes
from headscarp.pipeline.map.plan import Plan
from headscarp.pipeline.stages import Stages
from headscarp.scene import Stack, polarizations_of
from headscarp.simulate import fields

BoolArray = NDArray[np.bool_]
Geometries = NDArray[np.object_]

CHANGES = ("vv_db", "vh_db")
"""Columns of an inventory to plant."""


class Planting(NamedTuple):
    """Landslides to plant, and how they came to be."""

    inventory: gpd.GeoDataFrame
    """In the grid's CRS, largest first: ``id``, ``area_m2``, ``vv_db``, ``vh_db``, ``geometry``."""
    source: str
    asked: int
    room_km2: float | None
    sizes: list[SizeCount]


def find_room(plan: Plan, stages: Stages) -> Room:
    """Find the ground on which landslides can be planted, tile by tile.

    It lies in the area of interest, was seen by every orbit both before and after the event, and, with a
    DEM, is at least as steep as ``terrain.min_slope_deg``.
    """
    free = np.zeros(plan.geobox.shape, dtype=np.bool_)
    footprints = plan.footprints()
    work = [t for t in tiles(plan.geobox) if any(touches(f, t.geobox) for f in footprints)]
    found = stages.map("room", lambda tile: _room_of(plan, tile), work)
    for tile, part in zip(work, found, strict=True):
        free[tile.rows, tile.cols] = part
    return Room(plan.geobox, free)


def draw_planting(plan: Plan, options: PlantOptions, shapes: Geometries | None, stages: Stages) -> Planting:
    """Draw areas, forms, places and changes of the landslides to plant.

    Parameters
    ----------
    plan : Plan
    options : PlantOptions
    shapes : array of polygons, optional
        Outlines of an inventory in metres; None: rough slides.
    stages : Stages
        Told of the progress.

    Raises
    ------
    GridError
        If landslides are asked for and there is no ground for any.
    """
    areas_m2 = np.sort(draw_areas_m2(options))[::-1]
    room = find_room(plan, stages)
    room_km2 = float((room.free * pixel_area_m2(plan.geobox)).sum()) / 1e6
    if options.landslides and not room.free.any():
        raise _no_room(plan)
    drawn = draw_shapes(areas_m2, options.seed, shapes)
    rng = fields.generator(options.seed, "planted places")
    placed = place_outlines(drawn, room, options.gap_m, rng)
    found = ~shapely.is_missing(placed)
    changes = _draw_changes(options)
    frame = _inventory(placed[found], plan, {name: values[found] for name, values in changes.items()})
    sizes = [_size_count(size, areas_m2, found) for size in options.sizes_ha]
    source = "rough slides" if shapes is None else f"outlines of {options.shapes}"
    return Planting(frame, source, options.landslides, room_km2, sizes)


def given_planting(outlines: gpd.GeoDataFrame, plan: Plan) -> Planting:
    """Take outlines as they are given.

    Raises
    ------
    OptionsError
        If they have no CRS, no ``vv_db`` and ``vh_db``, or one is no valid polygon.
    """
    problem = _problem(outlines)
    if problem:
        raise OptionsError(
            "outlines to plant: valid polygons in a CRS, with finite vv_db and vh_db",
            problem,
            "nobody could tell what was planted where",
            "give a GeoDataFrame with geometry, vv_db and vh_db",
        )
    own = outlines.to_crs(crs_wkt(plan.geobox))
    changes = {name: own[name].to_numpy(dtype=np.float64) for name in CHANGES}
    frame = _inventory(own.geometry.to_numpy(), plan, changes)
    return Planting(frame, "given", len(frame), None, [])


def _room_of(plan: Plan, tile: Tile) -> BoolArray:
    free = np.ones(tile.shape, dtype=np.bool_)
    area = inside(tile.geobox, plan.grid.area)
    if area is not None:
        free &= area
    for label, stack in plan.stacks.items():
        if not free.any():
            break
        free &= _seen(stack.isel(y=tile.rows, x=tile.cols).load(), plan.splits[label])
    terrain = plan.options.terrain
    if terrain.dem is not None and free.any():
        halo = expand(tile.geobox, HALO_PX)
        slope = slope_deg(read_height(terrain.dem, halo), spacing_m(halo))
        free &= slope[HALO_PX:-HALO_PX, HALO_PX:-HALO_PX] >= terrain.min_slope_deg
    return free


def _seen(stack: Stack, split: Split) -> BoolArray:
    """Pixels of one orbit with a value before and after, of the same polarisation."""
    seen = np.zeros((stack.sizes["y"], stack.sizes["x"]), dtype=np.bool_)
    for polarization in polarizations_of(stack):
        valid = np.isfinite(stack[polarization].values)
        seen |= valid[list(split.pre)].any(axis=0) & valid[list(split.post)].any(axis=0)
    return seen


def _draw_changes(options: PlantOptions) -> dict[str, NDArray[np.float64]]:
    """Change of each landslide, the same on all dates and from all orbits."""
    rng, count = fields.generator(options.seed, "planted changes"), options.landslides
    return {
        "vv_db": rng.normal(options.vv_db, options.vv_spread_db, count),
        "vh_db": rng.normal(options.vh_db, options.vh_spread_db, count),
    }


def _inventory(outlines: Geometries, plan: Plan, changes: dict[str, NDArray[np.float64]]) -> gpd.GeoDataFrame:
    crs = crs_wkt(plan.geobox)
    columns = {"area_m2": polygon_areas_m2(outlines, crs), **changes}
    frame = gpd.GeoDataFrame(columns, geometry=list(outlines), crs=crs)
    frame = frame.sort_values("area_m2", ascending=False, kind="stable", ignore_index=True)
    frame.insert(0, "id", np.arange(1, len(frame) + 1, dtype=np.int64))
    return frame


def _size_count(size_ha: float, areas_m2: NDArray[np.float64], found: BoolArray) -> SizeCount:
    own = areas_m2 == size_ha * HECTARE_M2
    return SizeCount(size_ha=size_ha, asked=int(own.sum()), planted=int((own & found).sum()))


def _problem(outlines: gpd.GeoDataFrame) -> str:
    """What keeps outlines from being planted; empty where nothing does."""
    missing = [name for name in CHANGES if name not in outlines.columns]
    if missing or outlines.crs is None:
        return f"no {' and no '.join(missing)}" if missing else "no CRS"
    geometry = outlines.geometry.to_numpy()
    polygonal = np.isin(shapely.get_type_id(geometry), [3, 6]) & shapely.is_valid(geometry)
    sound = polygonal & (shapely.area(geometry) > 0)
    if not sound.all():
        return f"{int((~sound).sum())} of {len(sound)} that are no valid polygons"
    finite = np.isfinite(outlines[list(CHANGES)].to_numpy(dtype=np.float64)).all(axis=1)
    return "" if finite.all() else f"{int((~finite).sum())} without a change"


def _no_room(plan: Plan) -> GridError:
    orbits: Sequence[str] = list(plan.stacks)
    slope = f", on slopes from {plan.options.terrain.min_slope_deg:g}°" if plan.options.terrain.dem else ""
    return GridError(
        f"ground that every orbit ({', '.join(orbits)}) saw before and after the event{slope}",
        "none in the area",
        "there is no place for a landslide",
        "widen the area or the windows, lower --min-slope-deg, or leave --dem out",
    )
