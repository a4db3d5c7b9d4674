"""Inventories as they come: files of mapped landslides, read into one table, every loss counted.

A feature is one landslide, and each one read meets exactly one fate: kept, of another date, undated and
dropped, outside the area, read before, without area, or no polygon. These add up to the features read.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS, Geod
from pyproj.exceptions import CRSError, ProjError
from shapely import GeometryType

from headscarp.errors import GridError
from headscarp.ingest.raster import read_sha256

SUFFIXES = {".shp", ".gpkg", ".geojson"}
"""What a folder is searched for; any vector file that GDAL knows may be named outright."""
DATE_COLUMNS = (
    "event_date", "date", "eventdate", "date_event", "ev_date",
    "landslide_date", "slide_date", "occurrence_date",
)  # fmt: skip
"""Looked for in this order, in any case, where no column is named."""
_SAME_M = 0.01
"""Two outlines nowhere farther apart than a centimetre are one outline, read twice."""
_METRES_PER_DEGREE = 111_320.0
_FATES = ("empty", "not_polygons", "outside_dates", "outside_area", "duplicates", "kept")
_NOTES = {
    "repaired": "{} invalid outline(s) were repaired.",
    "not_polygons": "{} point(s) or line(s) were left out: they have no area.",
    "empty": "{} feature(s) without geometry or area were left out.",
    "outside_dates": "{} polygon(s) of other dates were left out.",
    "outside_area": "{} polygon(s) outside the area were left out.",
    "crossing": "{} polygon(s) reach across the edge of the area; they are kept whole.",
    "duplicates": "{} polygon(s) had been read before and were left out.",
}

Geometries = NDArray[np.object_]


class InventoryOptions(BaseModel):
    """Which landslides of an inventory count as truth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date_column: str | None = Field(
        None, description="Column with the date of each landslide; none: found by its name."
    )
    first_date: date | None = Field(None, description="First date of landslides to keep, inclusive.")
    last_date: date | None = Field(None, description="Last date of landslides to keep, inclusive.")
    undated: Literal["keep", "drop"] = Field(
        "keep", description="What becomes of landslides without a date that can be read."
    )

    @property
    def needs_dates(self) -> bool:
        """Whether a landslide's date decides about it."""
        return self.first_date is not None or self.last_date is not None or self.undated == "drop"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first_date and self.last_date and self.first_date > self.last_date:
            raise ValueError("first_date must not lie after last_date")
        return self


class InventoryFile(BaseModel):
    """One layer of one file, as it was found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    layer: str
    crs: str
    features: int
    sha256: str
    """Of the file itself; of a shapefile, of its ``.shp``."""


class InventoryFacts(BaseModel):
    """What an inventory held and what became of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: list[InventoryFile]
    polygons_read: int
    """Features with an area: those kept, and those left out for their date, place or repetition."""
    repaired: int
    """Invalid outlines (crossing themselves and the like), made valid."""
    not_polygons: int
    """Points and lines, left out."""
    empty: int
    """Features without geometry, or without area after repair, left out."""
    outside_dates: int
    undated: int
    """Polygons without a date that could be read, kept or dropped as the options say."""
    outside_area: int
    duplicates: int
    """Outlines read before, to a centimetre, left out; only among those of the dates and the area."""
    crossing: int
    """Of those kept: polygons that reach across the edge of the area. They are kept whole."""
    kept: int
    notes: list[str]
    """What a reader must know, in plain sentences."""


class Inventory(NamedTuple):
    """Mapped landslides in one CRS, and how they came to be."""

    landslides: gpd.GeoDataFrame
    """``id`` (1 … n), ``source`` (file name), ``date`` (ISO text or none), ``area_m2``, ``geometry``."""
    facts: InventoryFacts


class _Layer(NamedTuple):
    """A layer of a file, as read."""

    path: Path
    name: str
    frame: gpd.GeoDataFrame
    sha256: str
    notes: list[str]


class _Features(NamedTuple):
    """Features of one layer in the requested CRS, valid, one a row; ``fate`` is empty while undecided."""

    geometry: Geometries
    date: NDArray[np.object_]
    source: NDArray[np.object_]
    fate: NDArray[np.object_]
    repaired: NDArray[np.bool_]


def read_inventory(
    paths: Sequence[Path | str],
    crs: Any,
    area: shapely.Geometry | None = None,
    options: InventoryOptions | None = None,
) -> Inventory:
    """Read mapped landslides from files and folders, in any CRS, into one table.

    Parameters
    ----------
    paths : sequence of path
        Vector files (all layers of each), or folders that are searched to their depth for shapefiles,
        GeoPackages and GeoJSON.
    crs : CRS
        Of the table: projected or geographic, in any form that PROJ reads.
    area : Geometry, optional
        Area of interest in ``crs``. Polygons that share no ground with it are left out; polygons that cross
        its edge are kept whole and counted.
    options : InventoryOptions, optional
        Dates to keep; by default everything, dated or not.

    Returns
    -------
    Inventory
        Files without a single feature are legal: nothing was mapped, and the table is empty.

    Raises
    ------
    GridError
        If a path does not exist, cannot be read or has no CRS; if features are there but none is a
        polygon; if dates are to be filtered and a layer has no column of dates; if the CRS is unusable.
    """
    options, target = options or InventoryOptions(), _usable_crs(crs)
    layers = [layer for path in _vector_files(paths) for layer in _read_layers(path)]
    parts = [_features(layer, target, options) for layer in layers]
    whole = _Features(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    _refuse_without_polygons(whole, paths)
    crossing = _decide(whole, target, None if area is None else shapely.make_valid(area), options)
    return Inventory(_table(whole, target), _facts(layers, whole, crossing, options))


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
        return np.asarray(shapely.area(geometry) * _metres_per_unit(system) ** 2)
    geod = system.get_geod() or Geod(ellps="WGS84")
    return np.array([_geodesic_m2(outline, geod) for outline in geometry], dtype=np.float64)


def _metres_per_unit(crs: CRS) -> float:
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


def _vector_files(paths: Sequence[Path | str]) -> list[Path]:
    """Files named, and those found in folders; a file named twice is read once."""
    found: list[Path] = []
    for path in map(Path, paths):
        inside = (
            sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        )
        if not inside:
            raise _unreadable(path, "a folder without .shp, .gpkg or .geojson")
        found += inside
    if not found:
        raise _unreadable("no path", "nothing was named")
    return list({path.resolve(): path for path in found}.values())


def _read_layers(path: Path) -> list[_Layer]:
    """All layers of a file that have geometry."""
    with _readable(path):
        names = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        layers = [_read_layer(path, name) for name in names]
    if not layers:
        raise _unreadable(path, "a table without geometry")
    for layer in layers:
        if layer.frame.crs is None:
            raise _unplaced(layer)
    return layers


def _read_layer(path: Path, name: str) -> _Layer:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = gpd.read_file(path, layer=name)
    return _Layer(
        path, name, frame, read_sha256(path), [f"{path.name}: {warning.message}" for warning in caught]
    )


def _features(layer: _Layer, target: CRS, options: InventoryOptions) -> _Features:
    """Features of a layer: in the requested CRS, flat, valid and polygonal where they can be."""
    raw = layer.frame.geometry.to_numpy()
    fate = np.full(len(raw), "", dtype=object)
    missing = shapely.is_missing(raw) | shapely.is_empty(raw)
    flat = _polygonal(shapely.force_2d(raw))
    fate[shapely.is_missing(flat)] = "not_polygons"
    fate[missing] = "empty"
    projected = _project(flat, layer, target)
    broken = (fate == "") & ~(shapely.is_valid(flat) & shapely.is_valid(projected))
    projected[broken] = _polygonal(shapely.make_valid(projected[broken]))
    fate[(fate == "") & ~(shapely.area(projected) > 0)] = "empty"
    dates = _dates(layer, options)
    source = np.full(len(raw), layer.path.name, dtype=object)
    return _Features(projected, dates, source, fate, broken & (fate == ""))


def _polygonal(geometry: Geometries) -> Geometries:
    """Polygons and multipolygons as they are, collections cut to their polygons, none for anything else."""
    kinds, out = shapely.get_type_id(geometry), geometry.copy()
    out[~np.isin(kinds, [GeometryType.POLYGON, GeometryType.MULTIPOLYGON])] = None
    for i in np.flatnonzero(kinds == GeometryType.GEOMETRYCOLLECTION):
        polygons = _polygons_in(geometry[i])
        out[i] = shapely.multipolygons(polygons) if polygons else None
    return out


def _polygons_in(geometry: shapely.Geometry) -> list[shapely.Geometry]:
    kind = shapely.get_type_id(geometry)
    if kind in (GeometryType.GEOMETRYCOLLECTION, GeometryType.MULTIPOLYGON):
        return [polygon for part in shapely.get_parts(geometry) for polygon in _polygons_in(part)]
    return [geometry] if kind == GeometryType.POLYGON and not shapely.is_empty(geometry) else []


def _project(geometry: Geometries, layer: _Layer, target: CRS) -> Geometries:
    """Geometry in the requested CRS (edges of landslides are short enough to stay straight)."""
    try:
        moved = gpd.GeoSeries(geometry, crs=layer.frame.crs).to_crs(target).to_numpy()
    except (CRSError, ProjError) as error:
        raise _misplaced(layer, target, str(error)) from error
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise _misplaced(layer, target, "coordinates beyond its reach")
    return np.array(moved, dtype=object)


def _dates(layer: _Layer, options: InventoryOptions) -> NDArray[np.object_]:
    """Date of each feature as ISO text, none where there is none."""
    columns = {str(c).casefold(): str(c) for c in layer.frame.columns.drop("geometry", errors="ignore")}
    wanted = DATE_COLUMNS if options.date_column is None else (options.date_column.casefold(),)
    column = next((columns[name] for name in wanted if name in columns), None)
    out = np.full(len(layer.frame), None, dtype=object)
    if column is None:
        if len(out) and (options.needs_dates or options.date_column is not None):
            raise _without_dates(layer, options, sorted(columns.values()))
        return out
    values = layer.frame[column]
    read = [None if pd.isna(value) else date_of(value) for value in values]
    out[:] = [None if day is None else day.isoformat() for day in read]
    strange = sorted({str(v) for v, d in zip(values, read, strict=True) if d is None and not pd.isna(v)})
    if strange:
        layer.notes.append(
            f"{layer.path.name}: {column} holds no date in {', '.join(map(repr, strange[:3]))}."
        )
    return out


def date_of(value: Any) -> date | None:
    """Day of a date, a moment (in UTC), ISO text, ``YYYYMMDD`` or ``YYYY/MM/DD``; none for anything else.

    Examples
    --------
    >>> date_of("2018/09/06"), date_of(20180906), date_of("06.09.2018")
    (datetime.date(2018, 9, 6), datetime.date(2018, 9, 6), None)
    """
    if isinstance(value, float) and value.is_integer():  # a number column with gaps
        value = int(value)
    text = value.isoformat() if isinstance(value, date) else str(value).strip().replace("/", "-")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.date() if moment.tzinfo is None else moment.astimezone(UTC).date()


def _decide(
    features: _Features, crs: CRS, area: shapely.Geometry | None, options: InventoryOptions
) -> NDArray[np.bool_]:
    """Write the fate of every feature still undecided, and mark those kept that cross the area's edge."""
    geometry, fate = features.geometry, features.fate
    days = features.date
    outside = np.array([day is not None and not _within(day, options) for day in days], dtype=np.bool_)
    undated = np.array([day is None and options.undated == "drop" for day in days], dtype=np.bool_)
    fate[(fate == "") & outside] = "outside_dates"
    fate[(fate == "") & undated] = "undated"
    crossing = np.zeros(len(fate), dtype=np.bool_)
    if area is not None:
        shapely.prepare(area)
        apart = ~shapely.intersects(area, geometry) | shapely.touches(area, geometry)
        fate[(fate == "") & apart] = "outside_area"
        crossing = ~shapely.covers(area, geometry)
    open_rows = np.flatnonzero(fate == "")
    fate[open_rows[_repeats(geometry[open_rows], crs)]] = "duplicates"
    fate[fate == ""] = "kept"
    return np.asarray(crossing & (fate == "kept"), dtype=np.bool_)


def _within(day: str, options: InventoryOptions) -> bool:
    first, last = options.first_date or date.min, options.last_date or date.max
    return first.isoformat() <= day <= last.isoformat()


def _repeats(geometry: Geometries, crs: CRS) -> NDArray[np.int64]:
    """Rows whose outline an earlier row has already."""
    tolerance = _SAME_M / (_METRES_PER_DEGREE if crs.is_geographic else _metres_per_unit(crs))
    earlier, later = shapely.STRtree(geometry).query(geometry)
    earlier, later = earlier[earlier < later], later[earlier < later]
    bounds = shapely.bounds(geometry)
    alike = (np.abs(bounds[earlier] - bounds[later]) <= tolerance).all(axis=1)
    earlier, later = earlier[alike], later[alike]
    same = shapely.hausdorff_distance(geometry[earlier], geometry[later]) <= tolerance
    return np.unique(later[same])


def _facts(
    layers: list[_Layer], features: _Features, crossing: NDArray[np.bool_], options: InventoryOptions
) -> InventoryFacts:
    fates = Counter(features.fate.tolist())
    polygonal = ~np.isin(features.fate, ["empty", "not_polygons"])
    counts = {
        "polygons_read": int(polygonal.sum()),
        "repaired": int(features.repaired.sum()),
        "undated": sum(day is None for day in features.date[polygonal]),
        "crossing": int(crossing.sum()),
        **{name: fates[name] for name in _FATES},
    }
    notes = [note for layer in layers for note in layer.notes]
    notes += [text.format(counts[name]) for name, text in _NOTES.items() if counts[name]]
    if options.needs_dates and counts["undated"]:
        what = "kept" if options.undated == "keep" else "left out"
        notes.append(f"{counts['undated']} polygon(s) without a date were {what}.")
    return InventoryFacts(files=[_file(layer) for layer in layers], notes=notes, **counts)


def _file(layer: _Layer) -> InventoryFile:
    return InventoryFile(
        path=str(layer.path),
        layer=layer.name,
        crs=layer.frame.crs.to_string(),
        features=len(layer.frame),
        sha256=layer.sha256,
    )


def _table(features: _Features, crs: CRS) -> gpd.GeoDataFrame:
    kept = features.fate == "kept"
    geometry = features.geometry[kept]
    columns = {
        "id": np.arange(1, len(geometry) + 1, dtype=np.int64),
        "source": features.source[kept],
        "date": features.date[kept],
        "area_m2": polygon_areas_m2(geometry, crs),
    }
    types = {"source": object, "date": object}
    return gpd.GeoDataFrame(columns, geometry=geometry, crs=crs).astype(types)


def _usable_crs(crs: Any) -> CRS:
    try:
        system = CRS.from_user_input(crs)
    except CRSError:
        system = None
    if system is None or not (system.is_projected or system.is_geographic):
        raise GridError(
            "a projected or geographic CRS that PROJ knows, such as EPSG:32653",
            repr(crs),
            "landslides could not be placed, nor their areas measured",
            "look the code up at epsg.io",
        )
    return system


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (DataSourceError, DataLayerError, OSError) as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path | str, found: str) -> GridError:
    return GridError(
        "an inventory: a shapefile, GeoPackage or GeoJSON, or a folder of them",
        f"{path} ({found})",
        "landslides that were mapped would count as ground without one",
        "check the path, or export the inventory as GeoPackage",
    )


def _misplaced(layer: _Layer, target: CRS, found: str) -> GridError:
    return GridError(
        f"coordinates in the layer's own CRS, such that they can be brought to {target.name}",
        f"{layer.path}, layer {layer.name}, CRS {layer.frame.crs} ({found})",
        "landslides would be compared with other ground",
        "set the layer's CRS to the one of its coordinates, for instance in QGIS",
    )


def _unplaced(layer: _Layer) -> GridError:
    return GridError(
        "an inventory with a CRS",
        f"{layer.path}, layer {layer.name}, without one",
        "nobody can tell which ground it describes",
        "add the .prj that belongs to the shapefile, or set the CRS, for instance in QGIS",
    )


def _without_dates(layer: _Layer, options: InventoryOptions, columns: list[str]) -> GridError:
    wanted = options.date_column or "one of " + ", ".join(DATE_COLUMNS)
    return GridError(
        f"a column of dates: {wanted}",
        f"{layer.path}, layer {layer.name}, with the columns {', '.join(columns) or '(none)'}",
        "landslides of other events could not be told from those of this one",
        "name the column (date_column), or do not filter by date",
    )


def _refuse_without_polygons(features: _Features, paths: Sequence[Path | str]) -> None:
    fates = Counter(features.fate.tolist())
    if fates["not_polygons"] and fates[""] == 0:
        raise GridError(
            "mapped landslides as polygons",
            f"{', '.join(map(str, paths))}: {fates['not_polygons']} points or lines, no polygon",
            "points have no area, so neither pixels nor outlines can be compared",
            "pass the polygon layer of the inventory",
        )
