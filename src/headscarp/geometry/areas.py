"""Areas of polygons, on the plane or on the ellipsoid."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod

Geometries = NDArray[np.object_]


def polygon_areas_m2(geometry: Geometries, crs: Any) -> NDArray[np.float64]:
    """Areas of polygons, m²: planar in a projected CRS, on the ellipsoid in a geographic one (Karney 2013).

    Parameters
    ----------
    geometry : ndarray of Geometry, shape (n,)
        Polygons and multipolygons; rings may run either way.
    crs : CRS
        Their CRS.

    References
    ----------
    Karney (2013), Journal of Geodesy 87, 43-55.
    """
    system = CRS.from_user_input(crs)
    if not system.is_geographic:
        return np.asarray(shapely.area(geometry) * crs_unit_m(system) ** 2)
    geod = system.get_geod() or Geod(ellps="WGS84")
    return np.array([_geodesic_m2(outline, geod) for outline in geometry], dtype=np.float64)


def crs_unit_m(crs: CRS) -> float:
    """Metres in one unit of a projected CRS."""
    return float(crs.axis_info[0].unit_conversion_factor)


def _geodesic_m2(outline: shapely.Geometry, geod: Geod) -> float:
    total = 0.0
    for polygon in shapely.get_parts(outline):
        shell, *holes = [
            abs(geod.polygon_area_perimeter(*ring.coords.xy)[0])
            for ring in (polygon.exterior, *polygon.interiors)
        ]
        total += shell - sum(holes)
    return total
