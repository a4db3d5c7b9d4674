"""Zones: outlines on the grid, with the share of each pixel that they cover, and the label of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

SIDE = 4
"""Samples along each side of a pixel."""
FULL = SIDE**2
"""Share of a pixel that is wholly covered: shares count sixteenths."""
STRIP_ROWS = 128
"""Rows of pixels that are sampled at once; the result does not depend on it."""


@dataclass(frozen=True)
class Zones:
    """Outlines on a grid."""

    index: NDArray[np.int32]
    """1 + number of the outline that covers most of what is covered of the pixel; 0 where none does."""
    share: NDArray[np.uint8]
    """Sixteenths of the pixel that outlines cover, whichever: 0 to ``FULL``."""


def rasterise(outlines: Sequence[shapely.Geometry], geobox: GeoBox) -> Zones:
    """Lay outlines on a grid, by 4 x 4 samples a pixel.

    Parameters
    ----------
    outlines : sequence of polygons and multipolygons
        In the grid's CRS. Where two overlap, the later one lies on top; equal parts of a pixel go to the
        first of them. One that holds no sample is nowhere.
    geobox : GeoBox
        Of a grid that is north up.

    Returns
    -------
    Zones
        Arrays of the grid's shape. A share is right to about a sixteenth at an edge.
    """
    rows, cols = (int(side) for side in geobox.shape)
    zones = Zones(np.zeros((rows, cols), np.int32), np.zeros((rows, cols), np.uint8))
    geometry = np.asarray(outlines, dtype=object)
    transform = geobox.transform
    _, south, _, north = shapely.bounds(geometry).T if len(geometry) else np.zeros((4, 0))
    for top in range(0, rows, STRIP_ROWS):
        strip = slice(top, min(top + STRIP_ROWS, rows))
        upper, lower = transform.f + transform.e * strip.start, transform.f + transform.e * strip.stop
        here = np.flatnonzero((north > lower) & (south < upper))
        if here.size:
            zones.index[strip], zones.share[strip] = _strip(geometry[here], here, transform, strip, cols)
    return zones


def label_of(inventory: gpd.GeoDataFrame, geobox: GeoBox) -> NDArray[np.uint8]:
    """Label of the truth: 1 where the middle of a pixel lies in a landslide, else 0.

    Parameters
    ----------
    inventory : GeoDataFrame
        Landslides in the grid's CRS.
    geobox : GeoBox

    Returns
    -------
    uint8 array of the grid's shape
    """
    shapes = [(outline, 1) for outline in inventory.geometry]
    if not shapes:
        return np.zeros(geobox.shape, np.uint8)
    burnt = rasterize(shapes, out_shape=tuple(geobox.shape), transform=geobox.transform, dtype="uint8")
    return np.asarray(burnt, dtype=np.uint8)


def _strip(
    outlines: NDArray[np.object_], numbers: NDArray[np.intp], transform: Affine, strip: slice, cols: int
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Index and share on some rows, from the outlines that reach them."""
    rows = strip.stop - strip.start
    fine = transform @ Affine.translation(0, strip.start) @ Affine.scale(1.0 / SIDE)
    shapes = zip(outlines, (1 + numbers).tolist(), strict=True)
    samples = rasterize(shapes, out_shape=(rows * SIDE, cols * SIDE), transform=fine, dtype="int32")
    by_pixel = samples.reshape(rows, SIDE, cols, SIDE).swapaxes(1, 2)
    share = np.count_nonzero(by_pixel, axis=(2, 3)).astype(np.uint8)
    index = np.zeros((rows, cols), np.int32)
    covered = share > 0
    index[covered] = most_frequent(by_pixel[covered].reshape(-1, FULL))
    return index, share


def most_frequent(samples: NDArray[np.int32]) -> NDArray[np.int32]:
    """Most frequent number above 0 of each row, the lowest of equally frequent ones.

    Parameters
    ----------
    samples : int32 array of shape (n, samples)
        With at least one number above 0 a row.

    Returns
    -------
    int32 array of shape (n,)

    Examples
    --------
    >>> most_frequent(np.array([[0, 0, 7, 7, 5], [3, 3, 2, 2, 0]], np.int32)).tolist()
    [7, 2]
    """
    best = samples.max(axis=1)
    mixed = (samples != best[:, None]).any(axis=1)
    rows = np.sort(samples[mixed], axis=1)
    counts = np.stack([np.count_nonzero(rows == rows[:, [k]], axis=1) for k in range(rows.shape[1])], axis=1)
    counts[rows == 0] = 0
    best[mixed] = rows[np.arange(len(rows)), np.argmax(counts, axis=1)]
    return np.asarray(best)
