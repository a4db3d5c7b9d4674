"""Decimated reading of the rasters of a run, in bounded memory whatever the size of the grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from headscarp.errors import OutputError
from headscarp.report.extents import Extent

Band = NDArray[np.float32]

_STRIP_PIXELS = 2_000_000
"""Pixels of full resolution held at once while a maximum is taken: 8 MB."""
_COARSE_PX = 768
"""Longer side of the mask that decides which part of the grid is shown."""


@dataclass(frozen=True)
class MapGrid:
    """Where the pixels of a raster lie."""

    crs: str
    transform: Affine
    shape: tuple[int, int]


def apply_affine(
    transform: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Apply an affine transform to positions, whatever the version of ``affine``.

    Parameters
    ----------
    transform : Affine
        Columns and rows to positions, or the inverse.
    x, y : NDArray[np.float64]
        Shape ``(n,)``.

    Returns
    -------
    tuple[NDArray[np.float64], NDArray[np.float64]]
        The transformed ``x`` and ``y``.
    """
    t = transform
    return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f


def _open(path: Path) -> Any:
    try:
        return rasterio.open(path)
    except RasterioIOError as error:
        raise OutputError(
            "a run folder with every raster of the run",
            f"{path}: {error}",
            "the report draws its map from it",
            "run headscarp map again, or name another run folder",
        ) from error


def _window(extent: Extent) -> Window:
    return Window(extent.col, extent.row, extent.width, extent.height)


def _known(values: NDArray[Any], nodata: float | None) -> Band:
    """Put NaN where a raster says that nothing is known."""
    known = values.astype(np.float32)
    if nodata is not None and np.isfinite(nodata):
        known[values == nodata] = np.nan
    return known


def _decimate(source: Any, band: int, extent: Extent, step: int, how: Resampling) -> Band:
    values = source.read(band, window=_window(extent), out_shape=extent.shape(step), resampling=how)
    return _known(values, source.nodata)


def read_grid(path: Path) -> MapGrid:
    """Read where the pixels of a raster lie.

    Parameters
    ----------
    path : Path
        Any raster of the run.

    Returns
    -------
    MapGrid
        CRS as WKT, affine transform, and ``(height, width)`` in pixels.
    """
    with _open(path) as source:
        return MapGrid(source.crs.to_wkt(), source.transform, (source.height, source.width))


def read_mean(path: Path, description: str, extent: Extent, step: int) -> Band | None:
    """Read the mean of each ``step`` x ``step`` block of a band, from the overviews.

    Parameters
    ----------
    path : Path
        A raster of the run.
    description : str
        The band's description.
    extent : Extent
        What to read, in pixels of the grid.
    step : int
        Side of a block in pixels.

    Returns
    -------
    Band | None
        Means with NaN where nothing is known; none where the raster lacks the band.
    """
    with _open(path) as source:
        if description not in source.descriptions:
            return None
        band = source.descriptions.index(description) + 1
        return _decimate(source, band, extent, step, Resampling.average)


def block_max(values: Band, step: int) -> Band:
    """Take the maximum of each ``step`` x ``step`` block, leaving NaN out.

    Parameters
    ----------
    values : Band
        Shape ``(y, x)``; blocks at the lower and right edge may be partial.
    step : int
        Side of a block in pixels.

    Returns
    -------
    Band
        NaN where a block holds nothing but NaN.

    Examples
    --------
    >>> block_max(np.array([[0.1, np.nan, np.nan], [0.9, 0.2, np.nan]], np.float32), 2)
    array([[0.9, nan]], dtype=float32)
    """
    height, width = values.shape
    filled = np.where(np.isnan(values), np.float32(-np.inf), values)
    padding = ((0, -height % step), (0, -width % step))
    padded = np.pad(filled, padding, constant_values=-np.inf)
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    highest = blocks.max(axis=(1, 3))
    return np.where(np.isneginf(highest), np.float32(np.nan), highest)


def read_max(path: Path, extent: Extent, step: int) -> Band:
    """Read the maximum of each ``step`` x ``step`` block of the first band, at full resolution.

    Overviews are left aside: a landslide of a few pixels may be missing from them.

    Parameters
    ----------
    path : Path
        A raster of the run.
    extent : Extent
        What to read, in pixels of the grid.
    step : int
        Side of a block in pixels.

    Returns
    -------
    Band
        Maxima, NaN where nothing is known.
    """
    rows = max(1, _STRIP_PIXELS // extent.width // step) * step
    strips = []
    with _open(path) as source:
        for top in range(0, extent.height, rows):
            height = min(rows, extent.height - top)
            strip = Extent(extent.row + top, extent.col, height, extent.width)
            values = source.read(1, window=_window(strip))
            strips.append(block_max(_known(values, source.nodata), step))
    return np.concatenate(strips)


def read_post_counts(path: Path, extent: Extent, step: int) -> Band:
    """Read the number of post-event observations, summed over the orbits.

    Parameters
    ----------
    path : Path
        ``observations.tif``.
    extent : Extent
        What to read, in pixels of the grid.
    step : int
        Every how many pixels.

    Returns
    -------
    Band
        Counts, 0 where nothing was observed after the event.
    """
    total = np.zeros(extent.shape(step), np.float32)
    with _open(path) as source:
        for band, description in enumerate(source.descriptions, start=1):
            if (description or "").startswith("post_count"):
                counts = _decimate(source, band, extent, step, Resampling.nearest)
                total += np.nan_to_num(counts, nan=0.0)
    return total


def read_view(path: Path, extent: Extent, step: int) -> Band:
    """Read which orbits can see the ground.

    Parameters
    ----------
    path : Path
        ``observable.tif``.
    extent : Extent
        What to read, in pixels of the grid.
    step : int
        Every how many pixels.

    Returns
    -------
    Band
        Codes 0 to 3, NaN where no height is known.
    """
    with _open(path) as source:
        return _decimate(source, 1, extent, step, Resampling.nearest)


def read_observed(folder: Path, polarizations: list[str]) -> NDArray[np.bool_]:
    """Read where the change or the probability is known, on a coarse grid.

    Parameters
    ----------
    folder : Path
        The run folder.
    polarizations : list[str]
        Polarisations of the fused change.

    Returns
    -------
    NDArray[np.bool_]
        Shape ``(y, x)``, longer side at most 768 pixels.
    """
    grid = read_grid(folder / "probability.tif")
    extent = Extent(0, 0, *grid.shape)
    step = extent.steps(_COARSE_PX)
    with _open(folder / "probability.tif") as source:
        observed = np.isfinite(_decimate(source, 1, extent, step, Resampling.average))
    for polarization in polarizations:
        change = read_mean(folder / "change.tif", fused_band(polarization), extent, step)
        if change is not None:
            observed |= np.isfinite(change)
    return observed


def fused_band(polarization: str) -> str:
    """Name the band of ``change.tif`` that holds the fused change of a polarisation.

    Parameters
    ----------
    polarization : str
        Such as ``VV``.

    Returns
    -------
    str
        The band's description.

    Examples
    --------
    >>> fused_band("VV")
    'change_vv_fused_db'
    """
    return f"change_{polarization.lower()}_fused_db"
