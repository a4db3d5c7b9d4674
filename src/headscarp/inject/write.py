"""The files of a planted event: scenes, truth, and what ``headscarp map`` needs to know."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import rasterio
import shapely
import yaml
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.windows import Window

from headscarp.errors import SceneError
from headscarp.grid import Tile, crs_wkt, tiles
from headscarp.ingest.raster import readable
from headscarp.inject.plant import change_column, factor_of, planted
from headscarp.inject.record import InjectionRecord
from headscarp.run_folder import RasterWriter, write_atomically
from headscarp.scene import SceneFile
from headscarp.simulate.zones import label_of, rasterise
from headscarp.vocabulary import BackscatterScale

SCENES, INJECTION_JSON, INVENTORY, LABEL = "scenes", "injection.json", "inventory.gpkg", "label.tif"
LAYER = "landslides"
_COMPANIONS = (".aux.xml", ".msk")
"""Ends of files in which GDAL keeps what belongs to a raster and is not in it."""


class BandChange(NamedTuple):
    """One band to plant in."""

    band: int
    """From 1."""
    column: str
    """Of the inventory: ``vh_db`` or ``vv_db``."""
    scale: BackscatterScale
    nodata: float | None


def band_changes(files: Sequence[SceneFile]) -> list[BandChange]:
    """Bands of one file that hold acquisitions after the event, in their order."""
    found = [
        BandChange(band, change_column(polarization), file.scale, file.nodata)
        for file in files
        for polarization, band in file.bands.items()
    ]
    return sorted(found)


def write_unchanged(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it where links do not reach; its companions, too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        with readable(source):
            shutil.copyfile(source, target)
    _copy_companions(source, target)


def write_planted(
    source: Path, target: Path, geobox: GeoBox, bands: Sequence[BandChange], inventory: gpd.GeoDataFrame
) -> None:
    """Copy a file and plant landslides in some of its bands, on its own grid.

    Only blocks that a landslide reaches are written again; tags, descriptions, data type and the pixels of
    other bands stay. Overviews are made again.

    Parameters
    ----------
    source, target : Path
    geobox : GeoBox
        The file's own grid.
    bands : sequence of BandChange
    inventory : GeoDataFrame
        Landslides in any CRS, with ``vv_db`` and ``vh_db``.

    Raises
    ------
    SceneError
        If the file cannot be read or written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with readable(source):
        shutil.copyfile(source, target)
    _copy_companions(source, target)
    own = inventory.to_crs(crs_wkt(geobox))
    west, south, east, north = shapely.bounds(own.geometry.to_numpy()).T if len(own) else np.zeros((4, 0))
    with _updatable(target) as raster:
        changed = False
        for tile in tiles(geobox):
            box = tile.geobox.boundingbox
            here = (west < box.right) & (east > box.left) & (south < box.top) & (north > box.bottom)
            if here.any():
                _plant_tile(raster, tile, bands, own[here])
                changed = True
        factors = raster.overviews(1)
        if changed and factors:
            raster.build_overviews(factors, Resampling.average)


def write_inventory(folder: Path, inventory: gpd.GeoDataFrame) -> None:
    """Write the planted landslides as ``inventory.gpkg``."""
    kind = {"geometry_type": "MultiPolygon", "promote_to_multi": True}
    inventory.to_file(folder / INVENTORY, layer=LAYER, driver="GPKG", engine="pyogrio", **kind)


def write_label(folder: Path, inventory: gpd.GeoDataFrame, geobox: GeoBox) -> None:
    """Write ``label.tif``: 1 where the middle of a pixel lies in a planted landslide, else 0."""
    bounds = inventory.geometry.bounds.to_numpy().T if len(inventory) else np.zeros((4, 0))
    west, south, east, north = bounds
    writer = RasterWriter(folder / LABEL, geobox, ["landslide"], "uint8", None, {"LANDSLIDE": "1"})
    for tile in tiles(geobox):
        box = tile.geobox.boundingbox
        here = (west < box.right) & (east > box.left) & (south < box.top) & (north > box.bottom)
        if here.any():
            writer.write(tile, label_of(inventory[here], tile.geobox)[np.newaxis])
    writer.finish(resampling="mode")


def write_event(path: Path, values: Mapping[str, object]) -> None:
    """Write ``event.yaml``, which tells ``headscarp map`` all that it needs."""
    text = "# Real scenes with planted landslides. `headscarp map` of this folder reads its options here.\n"
    path.write_text(text + yaml.safe_dump(dict(values), sort_keys=False), encoding="utf-8")


def write_injection(folder: Path, record: InjectionRecord) -> None:
    """Write ``injection.json``."""
    write_atomically(folder / INJECTION_JSON, record.model_dump_json(indent=2) + "\n")


def _plant_tile(
    raster: rasterio.io.DatasetWriter, tile: Tile, bands: Sequence[BandChange], here: gpd.GeoDataFrame
) -> None:
    zones = rasterise(here.geometry.to_numpy(), tile.geobox)
    if not zones.share.any():
        return
    window = Window.from_slices(tile.rows, tile.cols)
    for band in bands:
        factor = factor_of(zones, here[band.column].to_numpy(dtype=np.float64))
        values = raster.read(band.band, window=window)
        raster.write(planted(values, factor, band.nodata, band.scale), band.band, window=window)


def _updatable(path: Path) -> rasterio.io.DatasetWriter:
    """Open a raster to change it in place; a cloud-optimised one loses its order of blocks, no more."""
    path.chmod(0o644)
    try:
        return rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES")
    except rasterio.errors.RasterioError as error:
        raise SceneError(
            "a GeoTIFF that can be written to",
            f"{path.name} ({error})",
            "landslides cannot be planted in it",
            "convert it to a plain GeoTIFF with gdal_translate",
        ) from error


def _copy_companions(source: Path, target: Path) -> None:
    """Copy what stands beside a raster and tells of it."""
    beside = [source.with_name(source.name + end) for end in _COMPANIONS]
    readmes = source.parent.glob("*.README.md.txt")  # of HyP3: they tell the scale
    beside += [path for path in readmes if source.name.startswith(path.name.split(".")[0])]
    for path in beside:
        if path.is_file():
            with suppress(shutil.SameFileError):
                shutil.copyfile(path, target.with_name(path.name))
