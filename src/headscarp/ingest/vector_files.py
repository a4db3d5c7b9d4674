"""Vector files and their layers, as GDAL reads them, what it warns of kept as notes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from headscarp.errors import GridError
from headscarp.ingest.raster import read_sha256

SUFFIXES = {".shp", ".gpkg", ".geojson"}
"""What a folder is searched for; any vector file that GDAL knows may be named outright."""


class VectorLayer(NamedTuple):
    """A layer of a file, as read."""

    path: Path
    name: str
    frame: gpd.GeoDataFrame
    sha256: str
    notes: list[str]


def find_vector_files(paths: Sequence[Path | str]) -> list[Path]:
    """Files named, and those found in folders; a file named twice is read once.

    Raises
    ------
    GridError
        If nothing is named, or a folder holds none.
    """
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


def read_layers(path: Path) -> list[VectorLayer]:
    """Read all layers of a file that have geometry.

    Raises
    ------
    GridError
        If the file cannot be read, has no geometry, or a layer has no CRS.
    """
    with _readable(path):
        names = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        layers = [_read_layer(path, name) for name in names]
    if not layers:
        raise _unreadable(path, "a table without geometry")
    for layer in layers:
        if layer.frame.crs is None:
            raise _unplaced(layer)
    return layers


def _read_layer(path: Path, name: str) -> VectorLayer:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = gpd.read_file(path, layer=name)
    return VectorLayer(
        path, name, frame, read_sha256(path), [f"{path.name}: {warning.message}" for warning in caught]
    )


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


def _unplaced(layer: VectorLayer) -> GridError:
    return GridError(
        "an inventory with a CRS",
        f"{layer.path}, layer {layer.name}, without one",
        "nobody can tell which ground it describes",
        "add the .prj that belongs to the shapefile, or set the CRS, for instance in QGIS",
    )
