"""Outlines of a real inventory as the landslides of a simulated event."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from headscarp.grid import crs_wkt
from headscarp.ingest.inventory import read_inventory
from headscarp.simulate.ground import Ground, LandCover
from headscarp.simulate.landslides.outlines import Landslide, Movement
from headscarp.simulate.landslides.runout import descent, surface_of

FloatArray = NDArray[np.float64]
Geometries = NDArray[np.object_]

_CELLS = 4
"""Cells along each side of the scene, in which landslides are counted to find where they are densest."""


class Shapes(NamedTuple):
    """Real outlines on a grid, and what became of the others."""

    landslides: list[Landslide]
    moved_m: tuple[float, float]
    """How far the whole inventory was moved, to the east and to the north; 0 where it lies on the grid."""
    dropped: int
    """Outlines that reach beyond the grid, or onto unknown ground."""


def read_shapes(path: Path, ground: Ground) -> Shapes:
    """Read mapped landslides and lay them on a ground.

    An inventory of other ground is moved as a whole, unturned, so that the middle of the scene-sized square
    that holds most landslides comes to the middle of the scene. Outlines then lie on slopes that they did not
    form on. The upper part of each, above a line through its centroid along the contour of the ground, is its
    source.

    Parameters
    ----------
    path : Path
        Vector file, or folder of them, in any CRS.
    ground : Ground

    Returns
    -------
    Shapes

    Raises
    ------
    GridError
        If the inventory cannot be read or holds no polygon.
    """
    outlines = read_inventory([path], crs_wkt(ground.geobox)).landslides.geometry.to_numpy()
    scene = shapely.box(*ground.geobox.boundingbox.bbox)
    moved = (0.0, 0.0)
    if len(outlines) and not shapely.intersects(scene, outlines).any():
        moved = _to_the_middle(outlines, ground)
        outlines = shapely.transform(outlines, lambda places: places + moved)
    fits = shapely.covers(scene, outlines) & _on_known_ground(outlines, ground)
    return Shapes(divide(outlines[fits], ground), moved, int((~fits).sum()))


def divide(outlines: Geometries, ground: Ground) -> list[Landslide]:
    """Cut outlines into an upper and a lower half, along the contour through the centroid.

    Parameters
    ----------
    outlines : array of polygons and multipolygons, shape (n,)
        Within the grid.
    ground : Ground

    Returns
    -------
    list of Landslide
        Of unknown movement; as long as they reach downslope. On flat ground the upper half is the north.
    """
    centres = shapely.get_coordinates(shapely.centroid(outlines))
    downhill = _downhill(centres, ground)
    upper = _half_planes(outlines, centres, -downhill)
    sources, deposits = shapely.intersection(outlines, upper), shapely.difference(outlines, upper)
    lengths = _lengths_m(outlines, downhill)
    parts = zip(outlines, sources, deposits, shapely.area(outlines).tolist(), lengths.tolist(), strict=True)
    return [Landslide(*part, Movement.UNKNOWN) for part in parts]


def _to_the_middle(outlines: Geometries, ground: Ground) -> tuple[float, float]:
    """Way from the middle of the densest scene-sized part of an inventory to the middle of the scene."""
    left, bottom, right, top = ground.geobox.boundingbox.bbox
    east, north = shapely.get_coordinates(shapely.centroid(outlines)).T
    step = np.array([right - left, top - bottom]) / _CELLS
    col, row = ((part - part.min()) // size for part, size in zip((east, north), step, strict=True))
    counts = np.zeros((int(row.max()) + 2 * _CELLS, int(col.max()) + 2 * _CELLS))
    np.add.at(counts, (row.astype(np.intp) + _CELLS, col.astype(np.intp) + _CELLS), 1)
    inside = np.lib.stride_tricks.sliding_window_view(counts, (_CELLS, _CELLS)).sum(axis=(2, 3))
    best_row, best_col = np.unravel_index(int(np.argmax(inside)), inside.shape)
    corner = np.array([east.min(), north.min()]) + step * (np.array([best_col, best_row]) - _CELLS)
    to_east, to_north = np.array([left, bottom]) - corner
    return float(to_east), float(to_north)


def _on_known_ground(outlines: Geometries, ground: Ground) -> NDArray[np.bool_]:
    """Whether the slope is known at all points of outlines that lie within the grid."""
    points, owner = shapely.get_coordinates(outlines, return_index=True)
    transform, (rows, cols) = ground.geobox.transform, ground.shape
    col = np.clip((points[:, 0] - transform.c) / ground.spacing_m, 0, cols - 1).astype(np.intp)
    row = np.clip((transform.f - points[:, 1]) / ground.spacing_m, 0, rows - 1).astype(np.intp)
    good = np.ones(len(outlines), dtype=np.bool_)
    good[owner[np.isnan(ground.slope_deg[row, col])]] = False
    return good


def _downhill(centres: FloatArray, ground: Ground) -> FloatArray:
    """Direction of steepest descent, to the east and to the north, shape (n, 2); south on flat ground."""
    surface = surface_of(ground, np.full(ground.shape, LandCover.UNKNOWN, np.uint8))
    transform = ground.geobox.transform
    places = np.stack([centres[:, 0] - transform.c, transform.f - centres[:, 1]])
    direction, slope = descent(surface, places)
    east, south = np.where(np.isfinite(slope) & (slope > 0), direction, [[0.0], [1.0]])
    return np.stack([east, -south], axis=1)


def _lengths_m(outlines: Geometries, direction: FloatArray) -> FloatArray:
    """How far outlines reach along directions, shape (n,)."""
    points, owner = shapely.get_coordinates(outlines, return_index=True)
    along = (points * direction[owner]).sum(axis=1)
    low, high = np.full(len(outlines), np.inf), np.full(len(outlines), -np.inf)
    np.minimum.at(low, owner, along)
    np.maximum.at(high, owner, along)
    return np.asarray(high - low)


def _half_planes(outlines: Geometries, centres: FloatArray, direction: FloatArray) -> Geometries:
    """Squares that begin at a line through the centres and hold all that lies beyond, along directions."""
    left, bottom, right, top = shapely.bounds(outlines).T
    size = np.hypot(right - left, top - bottom)[:, None]
    across = np.stack([-direction[:, 1], direction[:, 0]], axis=1) * size
    one, other, far = centres - across, centres + across, direction * size
    return np.asarray(shapely.polygons(np.stack([one, other, other + far, one + far], axis=1)), dtype=object)
