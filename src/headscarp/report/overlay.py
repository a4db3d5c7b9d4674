"""What is drawn over the map: outlines and numbers of landslides, the scale bar, north."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod, Transformer
from shapely.geometry.base import BaseGeometry

from headscarp.report.extents import Extent
from headscarp.report.rasters import MapGrid, apply_affine

_GEOD = Geod(ellps="WGS84")
_SMALL = 9.0
"""A landslide smaller than this on the map gets a ring around it, in units of the picture."""
_TOLERANCE = 0.3
"""Outlines are simplified by at most this, in units of the picture."""
_LETTER, _LINE = 6.5, 12.0
"""Room a letter of a number takes, across and down."""


@dataclass(frozen=True)
class Frame:
    """A picture of an extent: where a position on the ground falls on it."""

    grid: MapGrid
    extent: Extent
    width: float
    height: float
    pixel_m: tuple[float, float]
    """Ground distance across and down a grid pixel at the centre."""
    north_deg: float
    """Direction of north, clockwise from up."""

    @property
    def units_per_m(self) -> float:
        """Units of the picture a metre across."""
        return self.width / (self.extent.width * self.pixel_m[0])

    def place(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map positions in the grid's CRS to units of the picture, shape ``(2, n)``."""
        col, row = apply_affine(~self.grid.transform, x, y)
        across = (np.asarray(col) - self.extent.col) / self.extent.width * self.width
        down = (np.asarray(row) - self.extent.row) / self.extent.height * self.height
        return np.stack([across, down])


@dataclass(frozen=True)
class Landslide:
    """A mapped landslide, as the map shows it."""

    number: str
    title: str
    geometry: BaseGeometry


@dataclass(frozen=True)
class Outline:
    """A landslide drawn on a picture."""

    number: str
    title: str
    path: str
    center: tuple[float, float]
    ring: bool
    """Whether it is so small that a ring marks it."""
    label: tuple[float, float] | None
    """Where its number stands; none where it would cover another."""


@dataclass(frozen=True)
class ScaleBar:
    """A round distance, drawn."""

    length: float
    label: str


def _lonlat(grid: MapGrid, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return longitude and latitude of positions given as column and row."""
    transformer = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    columns, rows = np.asarray(points, dtype=np.float64).T
    x, y = apply_affine(grid.transform, columns, rows)
    lon, lat = transformer.transform(x, y)
    return list(zip(lon, lat, strict=True))


def frame_extent(grid: MapGrid, extent: Extent, longest: float) -> Frame:
    """Lay a picture over an extent, true to distance on the ground at its centre.

    Parameters
    ----------
    grid : MapGrid
        The grid of the run.
    extent : Extent
        What the picture shows.
    longest : float
        Longer side of the picture in its units.

    Returns
    -------
    Frame
        The picture's frame.
    """
    col, row = extent.col + extent.width / 2, extent.row + extent.height / 2
    center, right, up = _lonlat(grid, [(col, row), (col + 1, row), (col, row - 1)])
    across_m = _GEOD.inv(*center, *right)[2]
    azimuth, _, down_m = _GEOD.inv(*center, *up)
    ground = (extent.width * across_m, extent.height * down_m)
    scale = longest / max(ground)
    width, height = round(ground[0] * scale, 1), round(ground[1] * scale, 1)
    return Frame(grid, extent, width, height, (across_m, down_m), round(-azimuth, 1))


def corner_positions(frame: Frame) -> list[tuple[str, float, float]]:
    """Name the corners of a picture.

    Parameters
    ----------
    frame : Frame
        The picture's frame.

    Returns
    -------
    list[tuple[str, float, float]]
        Name, latitude and longitude in degrees.
    """
    extent = frame.extent
    right, bottom = extent.col + extent.width, extent.row + extent.height
    names = ("upper left", "upper right", "lower right", "lower left")
    points = [(extent.col, extent.row), (right, extent.row), (right, bottom), (extent.col, bottom)]
    corners = _lonlat(frame.grid, points)
    return [(name, lat, lon) for name, (lon, lat) in zip(names, corners, strict=True)]


def scale_bar(frame: Frame) -> ScaleBar:
    """Choose the longest round distance that fits a quarter of the picture.

    Parameters
    ----------
    frame : Frame
        The picture's frame.

    Returns
    -------
    ScaleBar
        Of 1, 2 or 5 times a power of ten.
    """
    room_m = max(frame.width * 0.25, 60.0) / frame.units_per_m
    power = 10.0 ** math.floor(math.log10(room_m))
    length_m = max(step * power for step in (1, 2, 5) if step * power <= room_m)
    label = f"{length_m / 1000:g} km" if length_m >= 100 else f"{length_m:g} m"
    return ScaleBar(round(length_m * frame.units_per_m, 1), label)


def _path(geometry: BaseGeometry) -> str:
    """Write polygons as an SVG path."""
    rings = []
    for polygon in shapely.get_parts(geometry):
        if not isinstance(polygon, shapely.Polygon) or polygon.is_empty:
            continue
        for ring in (polygon.exterior, *polygon.interiors):
            points = [f"{x:.1f},{y:.1f}" for x, y in shapely.get_coordinates(ring)[:-1]]
            rings.append("M" + "L".join(points) + "Z")
    return "".join(rings)


def _outline(landslide: Landslide, frame: Frame) -> tuple[Outline, float]:
    """Draw one landslide; also return its right edge."""
    drawn = shapely.transform(landslide.geometry, lambda xy: frame.place(*xy.T).T)
    left, top, right, bottom = drawn.bounds
    center = (round((left + right) / 2, 1), round((top + bottom) / 2, 1))
    path = _path(drawn.simplify(_TOLERANCE))
    ring = max(right - left, bottom - top) < _SMALL
    outline = Outline(landslide.number, landslide.title, path, center, ring, None)
    return outline, max(right, center[0] + _SMALL)


def _label_box(outline: Outline, right: float, frame: Frame) -> tuple[float, float, float, float]:
    """Return left, bottom, right and top of the place of a number."""
    width = _LETTER * len(outline.number) + 2
    left = min(right + 2, frame.width - width)
    bottom = min(max(outline.center[1] + 4, _LINE), frame.height - 2)
    return left, bottom, left + width, bottom - _LINE


def draw_landslides(landslides: Sequence[Landslide], frame: Frame) -> list[Outline]:
    """Draw landslides on a picture, numbering those whose number covers no other.

    Parameters
    ----------
    landslides : Sequence[Landslide]
        In the order of their right to a number; geometries in the grid's CRS.
    frame : Frame
        The picture's frame.

    Returns
    -------
    list[Outline]
        Those that fall inside the picture.
    """
    taken: list[tuple[float, float, float, float]] = []
    outlines = []
    for landslide in landslides:
        if landslide.geometry.is_empty:
            continue
        outline, right = _outline(landslide, frame)
        if not (0 <= outline.center[0] <= frame.width and 0 <= outline.center[1] <= frame.height):
            continue
        box = _label_box(outline, right, frame)
        free = all(
            box[0] >= other[2] or box[2] <= other[0] or box[1] <= other[3] or box[3] >= other[1]
            for other in taken
        )
        if free:
            taken.append(box)
            outline = replace(outline, label=(round(box[0], 1), round(box[1], 1)))
        outlines.append(outline)
    return outlines
