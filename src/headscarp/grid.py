"""The grid is a value: CRS, affine transform and shape, cut into tiles.

Grids are ``odc.geo.geobox.GeoBox``; two arrays may be combined when their grids are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Geod, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info

from headscarp.errors import GridError

TILE_PX = 512
"""Side of a tile; also the block size of every raster written."""
WGS84 = "EPSG:4326"
_ALIGNED_PX = 1e-3
"""Grids whose pixel edges fall within a thousandth of a pixel are one grid."""

Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top."""


@dataclass(frozen=True)
class Tile:
    """A rectangular part of a grid: its own grid and its place in the whole."""

    geobox: GeoBox
    rows: slice
    cols: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start

    @property
    def window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The place in the whole as a rasterio window."""
        return (self.rows.start, self.rows.stop), (self.cols.start, self.cols.stop)


def tiles(geobox: GeoBox, size_px: int = TILE_PX) -> Iterator[Tile]:
    """Cut a grid into tiles that cover every pixel once, row by row.

    Parameters
    ----------
    geobox : GeoBox
        The whole grid.
    size_px : int
        Side of a tile; tiles at the right and lower edges may be smaller.
    """
    height, width = geobox.shape
    for top in range(0, height, size_px):
        rows = slice(top, min(top + size_px, height))
        for left in range(0, width, size_px):
            cols = slice(left, min(left + size_px, width))
            yield Tile(geobox[rows, cols], rows, cols)


def expand(geobox: GeoBox, halo_px: int) -> GeoBox:
    """Grow a grid by a halo on all four sides."""
    return geobox.pad(halo_px)


def grid_over(bounds: Bounds, crs: Any, spacing: float, anchor: Affine | None = None) -> GeoBox:
    """Smallest grid of a spacing that covers bounds, its edges in step with an anchor.

    Parameters
    ----------
    bounds : tuple of float
        Left, bottom, right, top in units of the CRS.
    crs : CRS or str
        Coordinate reference system.
    spacing : float
        Pixel size in units of the CRS.
    anchor : Affine, optional
        Transform of the grid to stay in step with; without it edges are multiples of the spacing.

    Raises
    ------
    GridError
        If the spacing is not positive or the bounds are empty.
    """
    left, bottom, right, top = bounds
    _refuse_empty(bounds, spacing)
    x0, y0 = (anchor.c, anchor.f) if anchor is not None else (0.0, 0.0)
    first_col, last_col = _steps(left - x0, right - x0, spacing)
    first_row, last_row = _steps(y0 - top, y0 - bottom, spacing)
    transform = Affine(spacing, 0, x0 + first_col * spacing, 0, -spacing, y0 - first_row * spacing)
    return GeoBox((last_row - first_row, last_col - first_col), transform, crs)


def pixel_offset(source: GeoBox, target: GeoBox) -> tuple[int, int] | None:
    """Rows and columns from a source's origin to a target's, where the two are in step.

    Returns
    -------
    tuple of int or None
        None where CRS, spacing or phase differ and the source must be resampled.
    """
    a, b = source.transform, target.transform
    same_steps = np.allclose(
        [a.a, a.b, a.d, a.e], [b.a, b.b, b.d, b.e], rtol=_ALIGNED_PX / max(target.shape), atol=0
    )
    if source.crs != target.crs or not same_steps:
        return None
    col, row = (b.c - a.c) / a.a, (b.f - a.f) / a.e
    if abs(col - round(col)) > _ALIGNED_PX or abs(row - round(row)) > _ALIGNED_PX:
        return None
    return round(row), round(col)


def pixel_area_m2(geobox: GeoBox) -> NDArray[np.float64]:
    """Area of the pixels of each row, m².

    Projected grids: the planar area. Geographic grids: the area on the ellipsoid of a cell at that
    latitude (Karney 2013, via PROJ).

    Returns
    -------
    ndarray, shape (rows, 1)
    """
    height = geobox.shape[0]
    if not is_geographic(geobox):
        factor = metres_per_unit(geobox)
        area = abs(geobox.transform.a * geobox.transform.e) * factor**2
        return np.full((height, 1), area)
    transform = geobox.transform
    edges = transform.f + transform.e * np.arange(height + 1)
    geod, width_deg = _geod(geobox), abs(transform.a)
    areas = [_cell_area_m2(geod, width_deg, *pair) for pair in pairwise(edges)]
    return np.array(areas)[:, None]


def spacing_m(geobox: GeoBox) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ground distance between pixel centres of each row in metres, along x and along y.

    Returns
    -------
    x, y : ndarray, shape (rows, 1)
    """
    transform, height = geobox.transform, geobox.shape[0]
    across, along = abs(transform.a), abs(transform.e)
    if not is_geographic(geobox):
        factor = metres_per_unit(geobox)
        return np.full((height, 1), across * factor), np.full((height, 1), along * factor)
    latitudes = transform.f + transform.e * (np.arange(height) + 0.5)
    geod, zero = _geod(geobox), np.zeros(height)
    _, _, x = geod.inv(zero, latitudes, zero + across, latitudes)
    _, _, y = geod.inv(zero, latitudes - along / 2, zero, latitudes + along / 2)
    return np.asarray(x)[:, None], np.asarray(y)[:, None]


def crs_wkt(geobox: GeoBox) -> str:
    """CRS of a grid as WKT, the form that every library reads.

    Raises
    ------
    GridError
        If the grid has no CRS.
    """
    if geobox.crs is None:
        raise GridError(
            "a grid with a CRS",
            "a grid without one",
            "its pixels cannot be placed on the map",
            "give the GeoBox a CRS",
        )
    return str(geobox.crs.to_wkt())


def is_geographic(geobox: GeoBox) -> bool:
    """Tell whether a grid counts in degrees."""
    return bool(CRS.from_wkt(crs_wkt(geobox)).is_geographic)


def metres_per_unit(geobox: GeoBox) -> float:
    """Metres in one unit of a projected CRS (1 for metres, 0.3048 for feet)."""
    return float(CRS.from_wkt(crs_wkt(geobox)).axis_info[0].unit_conversion_factor)


def unit_of(geobox: GeoBox) -> str:
    """Unit of the grid's coordinates, such as "degree" or "metre"."""
    return str(CRS.from_wkt(crs_wkt(geobox)).axis_info[0].unit_name)


def utm_crs(longitude_deg: float, latitude_deg: float) -> str:
    """UTM zone (WGS 84) of a place, as "EPSG:326xx" or "EPSG:327xx".

    Raises
    ------
    GridError
        Beyond the zones, near the poles.

    Examples
    --------
    >>> utm_crs(-119.8, 34.5), utm_crs(143.3, -5.4)
    ('EPSG:32611', 'EPSG:32754')
    """
    place = AreaOfInterest(longitude_deg, latitude_deg, longitude_deg, latitude_deg)
    zones = query_utm_crs_info("WGS 84", place)
    if not zones:
        raise GridError(
            "a place between 80° S and 84° N",
            f"{longitude_deg:.3f}, {latitude_deg:.3f}",
            "UTM does not reach it",
            "pass --crs with a polar projection such as EPSG:3413 or EPSG:3031",
        )
    return f"EPSG:{zones[0].code}"


def lonlat_bounds(geobox: GeoBox) -> Bounds:
    """Bounds in degrees: west, south, east, north; east exceeds 180 across the antimeridian."""
    west, south, east, north = _to_lonlat(geobox).transform_bounds(*geobox.boundingbox.bbox)
    return west, south, east + 360.0 if east < west else east, north


def lonlat_centre(geobox: GeoBox) -> tuple[float, float]:
    """Longitude and latitude of the middle of a grid, degrees."""
    left, bottom, right, top = geobox.boundingbox.bbox
    longitude, latitude = _to_lonlat(geobox).transform((left + right) / 2.0, (bottom + top) / 2.0)
    return float(longitude), float(latitude)


def _steps(low: float, high: float, spacing: float) -> tuple[int, int]:
    """First and last edge in steps; a thousandth of a pixel too many adds no row."""
    first = int(np.floor(low / spacing + _ALIGNED_PX))
    return first, max(int(np.ceil(high / spacing - _ALIGNED_PX)), first + 1)


def _refuse_empty(bounds: Bounds, spacing: float) -> None:
    left, bottom, right, top = bounds
    if not (spacing > 0 and right > left and top > bottom):
        raise GridError(
            "a spacing above 0 and bounds with an area",
            f"spacing {spacing}, bounds {bounds}",
            "the grid would have no pixel",
            "check --spacing, and the order of --bbox: west south east north",
        )


def _to_lonlat(geobox: GeoBox) -> Transformer:
    return Transformer.from_crs(crs_wkt(geobox), WGS84, always_xy=True)


def _geod(geobox: GeoBox) -> Geod:
    geod = CRS.from_wkt(crs_wkt(geobox)).get_geod()
    return geod if geod is not None else Geod(ellps="WGS84")


def _cell_area_m2(geod: Geod, width_deg: float, north: float, south: float) -> float:
    area, _ = geod.polygon_area_perimeter([0.0, width_deg, width_deg, 0.0], [north, north, south, south])
    return abs(area)
