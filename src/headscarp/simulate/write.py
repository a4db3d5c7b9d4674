"""A simulated event as files, in the forms that a real event's have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import rasterio
import yaml
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.grid import crs_wkt, expand, lonlat_bounds, tiles
from headscarp.ingest.categories import CLASS_TAG
from headscarp.simulate.event import POLARIZATIONS, SimulatedEvent
from headscarp.simulate.ground import LandCover
from headscarp.simulate.options import Product
from headscarp.simulate.radar.passes import Pass
from headscarp.simulate.record import SimulationRecord
from headscarp.vocabulary import OrbitState

SCENES, SIMULATION_JSON, EVENT_YAML = "scenes", "simulation.json", "event.yaml"
SHORT = {OrbitState.ASCENDING: "asc", OrbitState.DESCENDING: "desc"}
TILE_PX = 512
"""Side of the parts in which scenes are computed; it changes memory and time, and no byte of the files."""
_BLOCK_PX = 512
_EPOCH = "1970-01-01T00:00:00.000Z"
"""Date that GeoPackages carry as that of their last change, so that one seed gives one file."""

_UNITS = {
    Product.RTC: "gamma0, radiometrically terrain corrected",
    Product.GTC: "sigma0 of the ellipsoid, geometrically terrain corrected",
}


def write_scene(folder: Path, event: SimulatedEvent, acquisition: Pass, tile_px: int = TILE_PX) -> Path:
    """Write one dual-polarised scene, VV before VH, in linear power; computed tile by tile.

    Parameters
    ----------
    folder : Path
        That of the event; the scene goes to its ``scenes``.
    event : SimulatedEvent
    acquisition : Pass
    tile_px : int
        Side of a tile.
    """
    scene = np.empty((len(POLARIZATIONS), *event.ground.shape), np.float32)
    for tile in tiles(event.geobox, tile_px):
        scene[:, tile.rows, tile.cols] = event.observe(acquisition, tile.rows, tile.cols)
    path = folder / SCENES / f"{acquisition.name}.tif"
    tags = {"UNITS": "linear power", "BACKSCATTER": _UNITS[event.options.product]}
    write_raster(path, scene, event.geobox, np.nan, POLARIZATIONS, tags)
    return path


def write_ground(folder: Path, event: SimulatedEvent) -> None:
    """Write heights, land cover, NDVI, label, and what each orbit sees of the ground."""
    box, wide = event.geobox, expand(event.geobox, event.ground.margin_px)
    write_raster(folder / "dem.tif", event.ground.wide_height_m, wide, np.nan, ("height",), {"UNITS": "m"})
    codes = {
        f"{CLASS_TAG}{cover.value}": cover.name.lower().replace("_", " ")
        for cover in LandCover
        if cover is not LandCover.UNKNOWN
    }
    write_raster(folder / "landcover.tif", event.cover, box, int(LandCover.UNKNOWN), ("land cover",), codes)
    write_raster(folder / "label.tif", event.label, box, None, ("landslide",), {"LANDSLIDE": "1"})
    for name, values in (("ndvi_pre", event.ndvi_pre), ("ndvi_post", event.ndvi_post)):
        write_raster(folder / f"{name}.tif", values, box, np.nan, ("NDVI",), {"UNITS": "1"})
    for state, look in event.looks.items():
        angles = folder / f"local_incidence_{SHORT[state]}.tif"
        write_raster(
            angles, look.local_incidence_deg, box, np.nan, ("local incidence angle",), {"UNITS": "degrees"}
        )
        view = folder / f"layover_shadow_{SHORT[state]}.tif"
        write_raster(view, look.view, box, None, ("layover and shadow",), _VIEW_TAGS)


_VIEW_TAGS = {
    "BIT_1": "active layover",
    "BIT_2": "passive layover",
    "BIT_4": "active shadow",
    "BIT_8": "passive shadow",
    "BIT_128": "unknown",
}


def write_truth(folder: Path, event: SimulatedEvent) -> None:
    """Write the landslides, and what changed and is none."""
    crs = crs_wkt(event.geobox)
    with _one_date():
        _write_layer(folder / "inventory.gpkg", event.inventory, "landslides")
        _write_layer(folder / "distractors.gpkg", event.distractors.frame(crs), "distractors")


def write_event(folder: Path, event: SimulatedEvent) -> None:
    """Write ``event.yaml``, which tells ``headscarp map`` all that it needs."""
    options = event.event_options.model_dump(include={"date", "pre", "post"}, mode="json")
    values: dict[str, Any] = {"scenes": [SCENES], "event": options, "terrain": {"dem": "dem.tif"}}
    if event.options.product is Product.SAFE:
        values |= _products_on(event.geobox)
    text = "# A simulated event. `headscarp map` of this folder reads its options here.\n"
    (folder / EVENT_YAML).write_text(text + yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def _products_on(geobox: GeoBox) -> dict[str, Any]:
    """Options by which products become scenes on an event's own grid, over its own heights."""
    bbox = [round(edge, 7) for edge in lonlat_bounds(geobox)]
    area = {"bbox": bbox, "crs": str(geobox.crs), "spacing": float(geobox.transform.a)}
    return {"area": area, "backscatter": {"heights": "ellipsoid"}}


def write_simulation(folder: Path, record: SimulationRecord) -> None:
    """Write ``simulation.json``."""
    (folder / SIMULATION_JSON).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def write_raster(
    path: Path,
    values: NDArray[Any],
    geobox: GeoBox,
    nodata: float | None,
    bands: tuple[str, ...],
    tags: dict[str, str],
) -> None:
    """Write a tiled GeoTIFF in one go, so that its bytes follow from its values alone."""
    stacked = values if values.ndim == 3 else values[np.newaxis]
    count, height, width = stacked.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=stacked.dtype,
        crs=crs_wkt(geobox),
        transform=geobox.transform,
        nodata=nodata,
        tiled=True,
        blockxsize=_BLOCK_PX,
        blockysize=_BLOCK_PX,
        interleave="band",
        compress="deflate",
        zlevel=1,
        bigtiff="if_safer",
    ) as raster:
        raster.descriptions = bands
        raster.update_tags(**tags, HEADSCARP="simulated")
        raster.write(stacked)


def _write_layer(path: Path, frame: gpd.GeoDataFrame, layer: str) -> None:
    kind = {"geometry_type": "MultiPolygon", "promote_to_multi": True}
    frame.to_file(path, layer=layer, driver="GPKG", engine="pyogrio", **kind)


@contextmanager
def _one_date() -> Iterator[None]:
    """GeoPackages written meanwhile carry a date that does not tell when."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _EPOCH})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
