"""What one round plants, and where."""

from __future__ import annotations

from typing import NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from headscarp.errors import GridError
from headscarp.grid import crs_wkt, pixel_area_m2, spacing_m
from headscarp.inject.options import HECTARE_M2
from headscarp.inject.place import Room, place_outlines
from headscarp.inject.shapes import draw_shapes
from headscarp.sensitivity.options import ProbeOptions
from headscarp.simulate import fields

Geometries = NDArray[np.object_]
Index = NDArray[np.int64]

_PATIENCE = 10
"""Times as many places as usual at which the first landslide of a size is tried before it is refused."""


class Round(NamedTuple):
    """Landslides of one round."""

    landslides: gpd.GeoDataFrame
    """In the grid's CRS: ``size`` and ``change`` (numbers among the options'), ``vv_db``, ``vh_db``."""
    without_room: list[list[int]]
    """Tried and not placed, by size and change."""


def clear_of(room: Room, outlines: Geometries, gap_m: float) -> Room:
    """Room without the ground within a distance of outlines.

    Parameters
    ----------
    room : Room
    outlines : array of polygons
        In the grid's CRS.
    gap_m : float
        Metres.
    """
    if not len(outlines):
        return room
    halos = [(_halo_px(outline, room, gap_m), 1) for outline in outlines]
    near = rasterize(halos, out_shape=room.free.shape, all_touched=True, dtype="uint8")
    return Room(room.geobox, room.free & (near == 0))


def refuse_small_room(room: Room, options: ProbeOptions, shapes: Geometries | None) -> None:
    """Refuse ground that has no place for a single landslide of a size.

    Raises
    ------
    GridError
        Naming the smallest size without a place.
    """
    for size_ha in options.sizes_ha:
        outline = draw_shapes(np.array([size_ha * HECTARE_M2]), options.seed, shapes)
        rng = fields.generator(options.seed, "sensitivity room", round(size_ha * HECTARE_M2))
        tries = np.repeat(outline, _PATIENCE)
        if shapely.is_missing(place_outlines(tries, room, 0.0, rng)).all():
            raise _too_small(room, size_ha)


def plan_round(room: Room, options: ProbeOptions, shapes: Geometries | None, number: int) -> Round:
    """Draw the landslides of a round: every size at every change, as far as the ground goes.

    Where all of them would cover more than ``max_share`` of the ground, lots decide, round by round, which
    are planted. Large ones are placed first.

    Parameters
    ----------
    room : Room
    options : ProbeOptions
    shapes : array of polygons, optional
        Outlines of an inventory, in metres.
    number : int
        Of the round, from 0: the landslides follow from it and the seed.
    """
    chosen = _chosen(room, options, number)
    chosen = chosen[np.argsort(-chosen[:, 0], kind="stable")]
    areas_m2 = np.asarray(options.sizes_ha)[chosen[:, 0]] * HECTARE_M2
    seed = int(fields.generator(options.seed, "sensitivity shapes", number).integers(2**31))
    outlines = draw_shapes(areas_m2, seed, shapes)
    rng = fields.generator(options.seed, "sensitivity places", number)
    placed = place_outlines(outlines, room, options.gap_m, rng)
    found = ~shapely.is_missing(placed)
    columns = {
        "size": chosen[found, 0],
        "change": chosen[found, 1],
        "vv_db": np.full(int(found.sum()), options.vv_db),
        "vh_db": -np.asarray(options.changes_db)[chosen[found, 1]],
    }
    frame = gpd.GeoDataFrame(columns, geometry=list(placed[found]), crs=crs_wkt(room.geobox))
    return Round(frame, table(chosen[~found], options).tolist())


def table(pairs: Index, options: ProbeOptions) -> Index:
    """Count pairs of size and change; shape (sizes, changes)."""
    counts = np.zeros((len(options.sizes_ha), len(options.changes_db)), dtype=np.int64)
    np.add.at(counts, (pairs[:, 0], pairs[:, 1]), 1)
    return counts


def room_km2(room: Room) -> float:
    """Area of free ground, km²."""
    return float((room.free.sum(axis=1, keepdims=True) * pixel_area_m2(room.geobox)).sum()) / 1e6


def _chosen(room: Room, options: ProbeOptions, number: int) -> Index:
    """Pairs of size and change, shape (n, 2), by lot where there is not ground for all; at least one."""
    sizes, changes = len(options.sizes_ha), len(options.changes_db)
    pairs = np.tile(np.indices((sizes, changes)).reshape(2, -1).T, (options.each, 1)).astype(np.int64)
    pairs = fields.generator(options.seed, "sensitivity lots", number).permutation(pairs)
    covered_m2 = np.cumsum(np.asarray(options.sizes_ha)[pairs[:, 0]] * HECTARE_M2)
    last = int(np.searchsorted(covered_m2, options.max_share * room_km2(room) * 1e6, side="right"))
    return pairs[: max(last, 1)]


def _halo_px(outline: shapely.Geometry, room: Room, gap_m: float) -> shapely.Geometry:
    """Outline grown by a distance, in columns and rows."""
    t, (x_m, y_m) = room.geobox.transform, spacing_m(room.geobox)
    row = int(np.clip((shapely.get_y(shapely.centroid(outline)) - t.f) / t.e, 0, room.free.shape[0] - 1))
    px_m = np.array([float(x_m[row, 0]), float(y_m[row, 0])])
    to_m, origin = px_m / [t.a, t.e], np.array([t.c, t.f])
    in_m = shapely.transform(outline, lambda places: (places - origin) * to_m)
    return shapely.transform(shapely.buffer(in_m, gap_m), lambda places: places / px_m)


def _too_small(room: Room, size_ha: float) -> GridError:
    return GridError(
        f"ground for one landslide of {size_ha:g} ha, seen by every orbit and not flagged before planting",
        f"{room_km2(room):.3f} km², in pieces too small for it",
        "nothing could be said of this size",
        "leave the size out of --sizes-ha, widen the area, or lower --min-slope-deg or the gap",
    )
