"""Heights on the grid of a run, from a digital elevation model in any CRS."""

from __future__ import annotations

from math import ceil, floor
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

STRIP_ROWS = 512
"""Rows of a DEM that are looked at together."""


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
        Of every height there is, a strip of rows at a time.
    """
    header = read_header(path)
    source = header.geobox
    left, bottom, right, top = bounds_in(expand(geobox, max(geobox.shape)), source.crs)
    low, high = np.inf, -np.inf
    with readable(path), rasterio.open(path) as dataset:
        whole = Window(0, 0, dataset.width, dataset.height)
        window = from_bounds(left, bottom, right, top, source.transform)
        if not window_overlaps(window, whole):
            return 0.0
        (first, last), (west, east) = _whole_pixels(window.intersection(whole))
        for row in range(first, last, STRIP_ROWS):
            strip = Window.from_slices((row, min(row + STRIP_ROWS, last)), (west, east))
            heights = dataset.read(1, window=strip, masked=True).compressed()
            known = heights[np.isfinite(heights)]
            if known.size:
                low, high = min(low, float(known.min())), max(high, float(known.max()))
    return max(high - low, 0.0)


def _whole_pixels(window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row, first and last column that a window touches, as slices count."""
    (top, bottom), (left, right) = window.toranges()
    return (floor(top), ceil(bottom)), (floor(left), ceil(right))


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
