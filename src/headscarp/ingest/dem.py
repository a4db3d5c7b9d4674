"""Heights on the grid of a run, from a digital elevation model in any CRS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.errors import GridError
from headscarp.ingest.raster import Source, bounds_in, read_converted, read_header


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
    header = read_header(path)

    def to_height(values: NDArray[np.float32]) -> NDArray[np.float32]:
        missing = values == np.float32(np.nan if header.nodata is None else header.nodata)
        return np.where(missing, np.float32(np.nan), values)

    return read_converted(Source(path, 1, header.geobox), geobox, to_height)


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
