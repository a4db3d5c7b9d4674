"""Heights on the grid of a run, from a digital elevation model in any CRS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from headscarp.errors import GridError
from headscarp.grid import crs_wkt
from headscarp.ingest.raster import bounds_in, read_header, readable


def read_height(path: Path, geobox: GeoBox) -> NDArray[np.float32]:
    """Read heights on a grid, interpolated bilinearly; NaN where the DEM has none.

    Parameters
    ----------
    path : Path
        DEM, in metres.
    geobox : GeoBox
        Grid to read on, usually a tile with its halo.

    Returns
    -------
    ndarray, shape geobox.shape
        Metres, float32.
    """
    with (
        readable(path),
        rasterio.open(path) as source,
        WarpedVRT(
            source,
            crs=crs_wkt(geobox),
            transform=geobox.transform,
            height=geobox.shape[0],
            width=geobox.shape[1],
            resampling=Resampling.bilinear,
            src_nodata=source.nodata,
            nodata=np.nan,
            dtype="float32",
            tolerance=0.0,
        ) as warped,
    ):
        return np.asarray(warped.read(1), dtype=np.float32)


def check_dem(path: Path, geobox: GeoBox) -> None:
    """Refuse a DEM that cannot be read or does not reach the grid.

    Raises
    ------
    GridError
        If the DEM shares no ground with the grid.
    """
    header = read_header(path)
    box = geobox.boundingbox
    left, bottom, right, top = bounds_in(header.geobox, geobox.crs)
    if left >= box.right or right <= box.left or bottom >= box.top or top <= box.bottom:
        raise GridError(
            "a DEM that covers the map",
            f"{path}, which covers none of it",
            "no slope would be known, and none excluded",
            "fetch the DEM of this area, or leave --dem out",
        )
