"""Labels of chips: mapped landslides laid on the grid of the features; 255 where nobody can tell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from headscarp.chips.store import IGNORE

Geometries = NDArray[np.object_]


class Outlines(NamedTuple):
    """Mapped landslides in the CRS of a grid, quick to find."""

    polygons: Geometries
    tree: shapely.STRtree

    @classmethod
    def of(cls, polygons: Geometries) -> Outlines:
        """Outlines of polygons; those without area are left out."""
        kept = polygons[shapely.area(polygons) > 0]
        return cls(kept, shapely.STRtree(kept))


def lay_outlines(geobox: GeoBox, outlines: Outlines, all_touched: bool = False) -> NDArray[np.bool_]:
    """Mark the pixels of mapped landslides.

    Parameters
    ----------
    geobox : GeoBox
        Grid to lay them on.
    outlines : Outlines
        In the CRS of the grid.
    all_touched : bool
        Every pixel that a polygon touches; else those whose centre lies inside, as in Pan & Shi (2023).

    Returns
    -------
    ndarray of bool, shape geobox.shape
    """
    near = np.sort(outlines.tree.query(shapely.box(*geobox.boundingbox.bbox)))
    if len(near) == 0:
        return np.zeros(geobox.shape, dtype=np.bool_)
    burnt = rasterize(
        outlines.polygons[near].tolist(),
        geobox.shape,
        transform=geobox.transform,
        all_touched=all_touched,
        dtype=np.uint8,
    )
    return np.asarray(burnt > 0)


def label_of(
    landslide: NDArray[np.bool_], observed: NDArray[np.bool_], ignored: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Label of each pixel: 1 landslide, 0 none, 255 where it was not observed or is to be ignored.

    Examples
    --------
    >>> label_of(np.array([True, True, False]), np.array([True, False, True])).tolist()
    [1, 255, 0]
    """
    unknown = ~observed if ignored is None else ~observed | ignored
    return np.where(unknown, IGNORE, landslide).astype(np.uint8)
