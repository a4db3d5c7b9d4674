"""The area of interest and the grid that covers it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import odc.geo.crs
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, ConfigDict, Field
from pyogrio.errors import DataSourceError
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.features import geometry_mask

from headscarp.errors import GridError
from headscarp.grid import WGS84, Bounds, grid_over, lonlat_bounds, utm_crs
from headscarp.ingest.raster import bounds_in
from headscarp.scene import SceneFile


class AreaOptions(BaseModel):
    """Where to map, and on which grid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    aoi: Path | None = Field(None, description="Vector file with the area of interest.")
    bbox: tuple[float, float, float, float] | None = Field(
        None, description="Area of interest as west south east north, degrees."
    )
    crs: str | None = Field(
        None,
        description="CRS of the map, such as EPSG:32611; none: the scenes' own where they agree, "
        "else the nearest UTM zone.",
    )
    spacing: float | None = Field(
        None, gt=0, description="Pixel size in units of the CRS; none: the finest scene's own."
    )


class MapGrid(NamedTuple):
    """The grid of a run and how it was chosen."""

    geobox: GeoBox
    source: str
    area: shapely.Geometry | None
    """Area of interest in the grid's CRS; none: everything the scenes cover."""


def choose_grid(files: Sequence[SceneFile], options: AreaOptions) -> MapGrid:
    """Choose CRS, spacing and extent: the scenes' own where they agree, the finest spacing.

    Parameters
    ----------
    files : sequence of SceneFile
        Scenes to map.
    options : AreaOptions
        What the user fixed.

    Raises
    ------
    GridError
        If the CRS is unknown, or no scene reaches the area of interest.
    """
    area_lonlat = read_area(options)
    crs, crs_source = _crs(files, options)
    anchor = _anchor(files, crs)
    spacing, spacing_source = _spacing(files, anchor, crs, options)
    area = None if area_lonlat is None else project_area(area_lonlat, crs)
    bounds = _bounds(files, crs, area)
    in_step = anchor is not None and np.isclose(abs(anchor.geobox.transform.a), spacing)
    transform = anchor.geobox.transform if anchor is not None and in_step else None
    geobox = grid_over(bounds, crs, spacing, transform)
    return MapGrid(geobox, f"CRS {crs_source}; spacing {spacing_source}", area)


def read_area(options: AreaOptions) -> shapely.Geometry | None:
    """Read the area of interest in degrees (EPSG:4326).

    Raises
    ------
    GridError
        If both a file and a box are given, the file cannot be read, or the area is empty.
    """
    if options.aoi is not None and options.bbox is not None:
        raise GridError(
            "--aoi or --bbox",
            "both",
            "they may name different areas",
            "drop one of them",
        )
    if options.bbox is not None:
        return _box(options.bbox)
    return None if options.aoi is None else _read_vector(options.aoi)


def inside(geobox: GeoBox, area: shapely.Geometry | None) -> NDArray[np.bool_] | None:
    """Mark pixels whose centre lies in the area; none: there is no area, all do."""
    if area is None:
        return None
    return np.asarray(geometry_mask([area], geobox.shape, geobox.transform, invert=True), dtype=np.bool_)


def _crs(files: Sequence[SceneFile], options: AreaOptions) -> tuple[Any, str]:
    if options.crs is not None:
        return _known_crs(options.crs), "as given"
    own = {file.geobox.crs for file in files}
    if len(own) == 1:
        return own.pop(), "of the scenes"
    west, south, east, north = _union([lonlat_bounds(file.geobox) for file in files])
    longitude = ((west + east) / 2.0 + 180.0) % 360.0 - 180.0
    zone = utm_crs(longitude, (south + north) / 2.0)
    return _known_crs(zone), f"{zone}, nearest UTM: scenes come in {len(own)} CRSs"


def _known_crs(text: str) -> Any:
    try:
        return odc.geo.crs.CRS(CRS.from_user_input(text).to_wkt())
    except CRSError:
        raise GridError(
            "a CRS that PROJ knows, such as EPSG:32611",
            repr(text),
            "the map could not be placed",
            "look the code up at epsg.io, or leave --crs out",
        ) from None


def _anchor(files: Sequence[SceneFile], crs: Any) -> SceneFile | None:
    """Finest scene in the grid's CRS: its pixels are read as they are."""
    own = [file for file in files if file.geobox.crs == crs]
    return min(own, key=lambda file: abs(file.geobox.transform.a)) if own else None


def _spacing(
    files: Sequence[SceneFile], anchor: SceneFile | None, crs: Any, options: AreaOptions
) -> tuple[float, str]:
    if options.spacing is not None:
        return options.spacing, "as given"
    own = {round(abs(file.geobox.transform.a), 9) for file in files}
    source = "of the scenes" if len(own) == 1 else f"the finest of {len(own)} in the scenes"
    if anchor is not None:
        return abs(anchor.geobox.transform.a), source
    widths = [_pixel_width(file.geobox, crs) for file in files]
    return _rounded(min(widths)), "nearest to the finest scene's"


def _pixel_width(geobox: GeoBox, crs: Any) -> float:
    """Size of a pixel in another CRS: the square root of its area there."""
    rows, cols = (slice(n // 2, n // 2 + 1) for n in geobox.shape)
    left, bottom, right, top = bounds_in(geobox[rows, cols], crs)
    return float(np.sqrt((right - left) * (top - bottom)))


def _rounded(spacing: float) -> float:
    """Round to two significant digits: 29.87 m becomes 30 m."""
    digits = 1 - int(np.floor(np.log10(spacing)))
    return round(spacing, digits)


def _bounds(files: Sequence[SceneFile], crs: Any, area: shapely.Geometry | None) -> Bounds:
    """Ground covered by the scenes, cut to the area of interest."""
    covered = _union([bounds_in(file.geobox, crs) for file in files])
    if area is None:
        return covered
    wanted = shapely.bounds(area).tolist()
    left, bottom = max(covered[0], wanted[0]), max(covered[1], wanted[1])
    right, top = min(covered[2], wanted[2]), min(covered[3], wanted[3])
    if right <= left or top <= bottom:
        raise GridError(
            "an area of interest that the scenes cover",
            f"area {_short(wanted)}, scenes {_short(covered)} (left, bottom, right, top in the map's CRS)",
            "there is no observation of the area",
            "check the order of --bbox (west south east north, degrees), or fetch other scenes",
        )
    return left, bottom, right, top


def _box(bbox: tuple[float, float, float, float]) -> shapely.Geometry:
    west, south, east, north = bbox
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise GridError(
            "--bbox west south east north in degrees",
            " ".join(map(str, bbox)),
            "the area would be empty or on another part of the Earth",
            "check the order and the signs",
        )
    return shapely.box(west, south, east, north)


def _read_vector(path: Path) -> shapely.Geometry:
    try:
        frame = gpd.read_file(path)
    except (DataSourceError, OSError) as error:
        raise GridError(
            "a vector file with the area of interest",
            f"{path} ({error})",
            "the area to map is not known",
            "check the path, or pass --bbox",
        ) from error
    if not _has_area(frame):
        raise GridError(
            "an area of interest with polygons and a CRS",
            f"{path}, with {len(frame)} features and CRS {getattr(frame, 'crs', None)}",
            "the area to map is not known",
            "export the area as GeoPackage or GeoJSON polygons",
        )
    polygons = frame.geometry[frame.geometry.notna()].make_valid()
    dense = polygons.segmentize(_longest_edge(polygons.total_bounds.tolist()))
    whole: shapely.Geometry = dense.to_crs(WGS84).union_all()
    return whole


def _has_area(frame: gpd.GeoDataFrame) -> bool:
    if not isinstance(frame, gpd.GeoDataFrame):  # a table without geometry
        return False
    polygonal = frame.geometry.geom_type.isin(["Polygon", "MultiPolygon"])
    return frame.crs is not None and bool(polygonal.any())


def project_area(area: shapely.Geometry, crs: Any) -> shapely.Geometry:
    """Area in another CRS, its edges densified so that they stay on the ground they followed."""
    dense = shapely.segmentize(area, _longest_edge(shapely.bounds(area).tolist()))
    projected: shapely.Geometry = gpd.GeoSeries([dense], crs=WGS84).to_crs(crs.to_wkt()).iloc[0]
    return projected


def _longest_edge(bounds: Sequence[float]) -> float:
    """Edge length of an area, in its units, up to which a straight edge stays straight in another CRS."""
    left, bottom, right, top = bounds
    return max(right - left, top - bottom) / 50.0


def _union(bounds: list[Bounds]) -> Bounds:
    array = np.array(bounds)
    left, bottom = array[:, :2].min(axis=0)
    right, top = array[:, 2:].max(axis=0)
    return float(left), float(bottom), float(right), float(top)


def _short(bounds: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in bounds) + ")"
