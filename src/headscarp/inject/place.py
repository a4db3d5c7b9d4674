"""Places for outlines: uniformly random on free ground, none nearer to another than a gap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from headscarp.grid import spacing_m

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
Geometries = NDArray[np.object_]

ATTEMPTS = 400
"""Places at which a landslide is tried before it is given up."""
_QUARTER_SEGMENTS = 16
"""Segments of a quarter circle in the halo that keeps the gap."""


class Room(NamedTuple):
    """Ground on which landslides may be planted."""

    geobox: GeoBox
    free: BoolArray
    """Of the grid's shape."""


class _Chooser:
    """Draws free pixels uniformly, without listing them."""

    def __init__(self, free: BoolArray) -> None:
        self.free = free
        self.above = np.concatenate([[0], np.cumsum(free.sum(axis=1, dtype=np.int64))])

    def draw(self, rng: np.random.Generator) -> tuple[float, float]:
        """Row and column of a random point on free ground, in fractions of pixels."""
        number = int(rng.integers(self.above[-1]))
        row = int(np.searchsorted(self.above, number, side="right")) - 1
        col = int(np.flatnonzero(self.free[row])[number - self.above[row]])
        down, right = rng.random(2)
        return row + float(down), col + float(right)


def place_outlines(
    shapes_m: Geometries,
    room: Room,
    gap_m: float,
    rng: np.random.Generator,
    taken: Geometries | None = None,
    attempts: int = ATTEMPTS,
) -> Geometries:
    """Find a place for each outline, in their order.

    The centroid is drawn uniformly from free ground; the place is taken if every pixel that the outline
    touches is free and no planted outline is nearer than the gap. Give large outlines first: they find
    room less easily.

    Parameters
    ----------
    shapes_m : array of polygons of shape (n,)
        In metres, the centroid at (0, 0).
    room : Room
        On a north-up grid, projected or geographic.
    gap_m : float
        Least distance between two outlines, metres.
    rng : numpy.random.Generator
    taken : array of polygons, optional
        Outlines in the grid's CRS that were planted before.
    attempts : int
        Places at which each is tried.

    Returns
    -------
    array of polygons of shape (n,)
        In the grid's CRS; None for those that found no room.
    """
    out = np.full(len(shapes_m), None, dtype=object)
    if not room.free.any():
        return out
    # a polygon around a circle, so that no side cuts the gap short
    reach_m = gap_m / np.cos(np.pi / 4 / _QUARTER_SEGMENTS)
    halos_m = shapely.buffer(shapes_m, reach_m, quad_segs=_QUARTER_SEGMENTS)
    search = _Search(room, [] if taken is None else list(taken))
    for i, (shape_m, halo_m) in enumerate(zip(shapes_m, halos_m, strict=True)):
        out[i] = search.place(shape_m, halo_m, rng, attempts)
    return out


class _Search:
    """Looks for places, and remembers what was planted."""

    def __init__(self, room: Room, planted: list[shapely.Geometry]) -> None:
        self.room, self.chooser = room, _Chooser(room.free)
        self.x_m, self.y_m = spacing_m(room.geobox)
        self.planted = planted
        self.bounds = shapely.bounds(np.array(planted, dtype=object)).reshape(-1, 4)
        shapely.prepare(planted)

    def place(
        self, shape_m: shapely.Geometry, halo_m: shapely.Geometry, rng: np.random.Generator, attempts: int
    ) -> shapely.Geometry | None:
        """Outline on the ground at the first place that will do; none after all attempts."""
        shape_bounds, halo_bounds = shapely.bounds(shape_m), shapely.bounds(halo_m)
        transform = self.room.geobox.transform
        for _ in range(attempts):
            row, col = self.chooser.draw(rng)
            to_px = self._to_pixels(row, col)
            if not _is_free(shape_m, _box(shape_bounds, to_px), to_px, self.room.free):
                continue
            to_ground = transform @ to_px
            near = self._near(_box(halo_bounds, to_ground))
            if near and shapely.intersects(near, _moved(halo_m, to_ground)).any():
                continue
            outline = _moved(shape_m, to_ground)
            shapely.prepare(outline)
            self.planted.append(outline)
            self.bounds = np.vstack([self.bounds, shapely.bounds(outline)])
            return outline
        return None

    def _to_pixels(self, row: float, col: float) -> Affine:
        """Metres around a place to columns and rows."""
        x_m, y_m = float(self.x_m[int(row), 0]), float(self.y_m[int(row), 0])
        return Affine(1.0 / x_m, 0.0, col, 0.0, -1.0 / y_m, row)

    def _near(self, halo: FloatArray) -> list[shapely.Geometry]:
        """Planted outlines whose bounds meet those of a halo."""
        left, bottom, right, top = self.bounds.T
        meets = (left <= halo[2]) & (right >= halo[0]) & (bottom <= halo[3]) & (top >= halo[1])
        return [self.planted[i] for i in np.flatnonzero(meets)]


def _box(bounds: FloatArray, affine: Affine) -> FloatArray:
    """Bounds after an affine map without rotation: least x, least y, largest x, largest y."""
    x = affine.a * bounds[[0, 2]] + affine.c
    y = affine.e * bounds[[1, 3]] + affine.f
    return np.array([x.min(), y.min(), x.max(), y.max()])


def _moved(shape: shapely.Geometry, affine: Affine) -> shapely.Geometry:
    scale, origin = np.array([affine.a, affine.e]), np.array([affine.c, affine.f])
    return shapely.transform(shape, lambda places: places * scale + origin)


def _is_free(shape_m: shapely.Geometry, box_px: FloatArray, to_px: Affine, free: BoolArray) -> bool:
    """Whether every pixel that an outline touches is free; one that leaves the grid is not."""
    left, top, right, bottom = box_px
    if left < 0 or top < 0 or right > free.shape[1] or bottom > free.shape[0]:
        return False
    rows = slice(int(top), min(int(bottom) + 1, free.shape[0]))
    cols = slice(int(left), min(int(right) + 1, free.shape[1]))
    part = free[rows, cols]
    if part.all():
        return True
    touched = rasterize(
        [_moved(shape_m, to_px)],
        out_shape=part.shape,
        transform=Affine.translation(cols.start, rows.start),
        all_touched=True,
        dtype="uint8",
    )
    return bool(part[touched > 0].all())
