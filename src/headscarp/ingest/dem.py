"""Heights on the grid of a run, from a digital elevation model in any CRS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window, from_bounds
from rasterio.windows import intersect as window_overlaps

from headscarp.errors import GridError
from headscarp.grid import expand
from headscarp.ingest.raster import Source, bounds_in, read_converted, read_header, readable

RELIEF_PX, RELIEF_MARGIN = 2000, 1.1
"""Side of the sample that relief is told from, and what is added to it."""


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


def read_relief(path: Path, geobox: GeoBox) -> float:
    """Read the highest less the lowest height of a DEM around a grid, metres; 0 without heights.

    Parameters
    ----------
    path : Path
        DEM, in metres.
    geobox : GeoBox
        The grid; its surroundings, by the longer of its sides, count too.

    Returns
    -------
    float
        From at most about 2000 × 2000 heights, a tenth more, for the peaks that stand between them.
    """
    header = read_header(path)
    source = header.geobox
    left, bottom, right, top = bounds_in(expand(geobox, max(geobox.shape)), source.crs)
    with readable(path), rasterio.open(path) as dataset:
        whole = Window(0, 0, dataset.width, dataset.height)
        window = from_bounds(left, bottom, right, top, source.transform)
        if not window_overlaps(window, whole):
            return 0.0
        near = window.intersection(whole)
        step = max(1.0, max(near.width, near.height) / RELIEF_PX)
        shape = (max(1, round(near.height / step)), max(1, round(near.width / step)))
        heights = dataset.read(1, window=near, out_shape=shape, masked=True).compressed()
    finite = heights[np.isfinite(heights)]
    return float(np.ptp(finite)) * RELIEF_MARGIN if finite.size else 0.0


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
