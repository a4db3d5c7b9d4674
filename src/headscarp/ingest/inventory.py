"""Inventories as they come: files of mapped landslides, read into one table, every loss counted.

A feature is one landslide, and each one read meets exactly one fate: kept, of another date, undated and
dropped, outside the area, read before, without area, or no polygon. These add up to the features read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pyproj import CRS
from pyproj.exceptions import CRSError, ProjError
from shapely import GeometryType

from headscarp.errors import GridError
from headscarp.geometry.areas import crs_unit_m, polygon_areas_m2
from headscarp.ingest.inventory_dates import layer_dates
from headscarp.ingest.vector_files import VectorLayer, find_vector_files, read_layers

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
    "crossing": "{} polygon(s) reach across the edge of the area.",
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
    layers = [layer for path in find_vector_files(paths) for layer in read_layers(path)]
    parts = [_features(layer, target, options) for layer in layers]
    whole = _Features(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    _refuse_without_polygons(whole, paths)
    crossing = _decide(whole, target, None if area is None else shapely.make_valid(area), options)
    return Inventory(_table(whole, target), _facts(layers, whole, crossing, options))


def _features(layer: VectorLayer, target: CRS, options: InventoryOptions) -> _Features:
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
    dates = layer_dates(layer, options.date_column, options.needs_dates)
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


def _project(geometry: Geometries, layer: VectorLayer, target: CRS) -> Geometries:
    """Geometry in the requested CRS (edges of landslides are short enough to stay straight)."""
    try:
        moved = gpd.GeoSeries(geometry, crs=layer.frame.crs).to_crs(target).to_numpy()
    except (CRSError, ProjError) as error:
        raise _misplaced(layer, target, str(error)) from error
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise _misplaced(layer, target, "coordinates beyond its reach")
    return np.array(moved, dtype=object)


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
    tolerance = _SAME_M / (_METRES_PER_DEGREE if crs.is_geographic else crs_unit_m(crs))
    earlier, later = shapely.STRtree(geometry).query(geometry)
    earlier, later = earlier[earlier < later], later[earlier < later]
    bounds = shapely.bounds(geometry)
    alike = (np.abs(bounds[earlier] - bounds[later]) <= tolerance).all(axis=1)
    earlier, later = earlier[alike], later[alike]
    same = shapely.hausdorff_distance(geometry[earlier], geometry[later]) <= tolerance
    return np.unique(later[same])


def _facts(
    layers: list[VectorLayer], features: _Features, crossing: NDArray[np.bool_], options: InventoryOptions
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


def _file(layer: VectorLayer) -> InventoryFile:
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


def _misplaced(layer: VectorLayer, target: CRS, found: str) -> GridError:
    return GridError(
        f"coordinates in the layer's own CRS, such that they can be brought to {target.name}",
        f"{layer.path}, layer {layer.name}, CRS {layer.frame.crs} ({found})",
        "landslides would be compared with other ground",
        "set the layer's CRS to the one of its coordinates, for instance in QGIS",
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
