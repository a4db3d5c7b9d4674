"""Categorical rasters, such as labels and land cover, on the grid of a map: nearest pixel, never blended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.warp import reproject

from headscarp.grid import crs_wkt
from headscarp.ingest.raster import readable

CLASS_TAG = "class_"
"""Prefix of the tags that name the classes of a raster: ``class_10=tree cover``."""


def read_codes(path: Path, geobox: GeoBox) -> NDArray[np.float32]:
    """Read class codes on a grid, each pixel from the source pixel that its centre falls into.

    Parameters
    ----------
    path : Path
        Raster whose first band holds codes.
    geobox : GeoBox
        Grid to read on, usually a tile.

    Returns
    -------
    float32 ndarray, shape geobox.shape
        NaN where the raster has nodata or does not reach.
    """
    codes = np.full(geobox.shape, np.nan, dtype=np.float32)
    with readable(path), rasterio.open(path) as source:
        reproject(
            rasterio.band(source, 1),
            codes,
            dst_transform=geobox.transform,
            dst_crs=crs_wkt(geobox),
            src_nodata=source.nodata,
            dst_nodata=np.nan,
            resampling=Resampling.nearest,
            init_dest_nodata=True,
        )
    return codes


def read_class_names(path: Path) -> dict[int, str]:
    """Read the names of classes from a raster's tags; empty without any."""
    with readable(path), rasterio.open(path) as source:
        tags = {**source.tags(), **source.tags(1)}
    named = {key.lower().removeprefix(CLASS_TAG): text for key, text in tags.items() if _names_class(key)}
    return {int(code): str(text) for code, text in named.items()}


def _names_class(key: str) -> bool:
    lower = key.lower()
    return lower.startswith(CLASS_TAG) and lower.removeprefix(CLASS_TAG).isdigit()
