r"""Radiometric terrain flattening: backscatter against the area that the ground really shows the radar.

Each facet of the DEM shows the radar the area :math:`A_\gamma = \cos\theta_{loc} \, \Delta x \Delta y / n_z`,
its own projected onto the plane at right angles to the sight. These areas are added up in the image, where
facets fold onto each other as their echoes do, and backscatter is power over that sum:

.. math:: \gamma_{flat}^0 = \beta^0 \, \frac{A_\beta}{\sum A_\gamma}

with the area :math:`A_\beta` of a sample in the plane of slant range and track.

What is simplified against Small (2011): facets are the map's pixels, one to each, and not a finer DEM; the
image is summed in cells of ``CELL_PX`` samples a side, so that slopes are felt over some 30 m; facets that
face away from the radar show none, but a facet in another's shadow does; and only facets within ``HALO_PX``
pixels of a block fold into it, 2.5 km at 10 m.

References
----------
Small, D. (2011). Flattening gamma: radiometric terrain correction for SAR imagery. IEEE Transactions on
Geoscience and Remote Sensing, 49(8), 3081-3093.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.ndimage import map_coordinates

from headscarp.backscatter.angles import local_incidence
from headscarp.backscatter.block import BlockView, Place, view_block
from headscarp.backscatter.documents import Floats
from headscarp.backscatter.range_doppler import Imaging
from headscarp.geometry.terrain import HALO_PX as GRADIENT_PX
from headscarp.geometry.terrain import gradient
from headscarp.grid import pixel_area_m2, spacing_m

FloatArray = NDArray[np.float32]

HALO_PX = 256
CELL_PX = 3
_LEAST_SHARE = 0.05
"""Of a level sample's area; where the ground shows less, it is in shadow or off the DEM, and power is NaN."""


def flattening(imaging: Imaging, geobox: GeoBox, height_m: FloatArray) -> FloatArray:
    r"""Factor :math:`A_\beta / \sum A_\gamma` of the pixels of a block, by which beta0 becomes gamma0.

    Parameters
    ----------
    imaging : Imaging
    geobox : GeoBox
        The block with its halo; one pixel more on each side of it is in the heights.
    height_m : array
        Above the ellipsoid, NaN where not known; one pixel beyond the grid on all sides.

    Returns
    -------
    array, shape geobox.shape
        NaN where the ground shows the radar next to nothing.
    """
    inner = height_m[GRADIENT_PX:-GRADIENT_PX, GRADIENT_PX:-GRADIENT_PX]
    view = view_block(imaging, geobox, float(np.nanmin(inner)), float(np.nanmax(inner)))
    place = view.place(inner)
    shown_m2 = shown_area_m2(geobox, height_m, local_incidence(imaging, geobox, height_m))
    known = np.isfinite(shown_m2) & np.isfinite(place.line) & np.isfinite(place.sample)
    if not known.any():
        return np.full(inner.shape, np.nan, dtype=np.float32)
    sum_m2, at = _folded(place, np.where(known, shown_m2, 0.0), known)
    slant_m = _slant_spacing_m(imaging, view.range_m.at(inner), place)
    sample_m2 = slant_m * _line_spacing_m(view, geobox) * CELL_PX**2
    found = map_coordinates(sum_m2, at, order=1, mode="nearest")
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(found > _LEAST_SHARE * sample_m2, sample_m2 / found, np.nan)
    return np.asarray(factor, dtype=np.float32)


def shown_area_m2(geobox: GeoBox, wide_height_m: FloatArray, local_incidence_deg: FloatArray) -> Floats:
    """Area that each pixel's ground shows the radar; 0 where it faces away."""
    across, along = spacing_m(geobox)
    rows = geobox.shape[0] + 2 * GRADIENT_PX
    wide = tuple(np.pad(part, ((1, 1), (0, 0)), mode="edge").reshape(rows, 1) for part in (across, along))
    east, north = gradient(wide_height_m, (wide[0], wide[1]))
    inner = (slice(GRADIENT_PX, -GRADIENT_PX),) * 2
    stretch = np.sqrt(1.0 + east[inner] ** 2 + north[inner] ** 2)
    cosine = np.maximum(np.cos(np.deg2rad(local_incidence_deg)), 0.0)
    return np.asarray(pixel_area_m2(geobox) * stretch * cosine)


def _folded(place: Place, shown_m2: Floats, known: NDArray[np.bool_]) -> tuple[Floats, tuple[Floats, Floats]]:
    """Areas added up in cells of the image, each shared by its four nearest; and where pixels lie in them."""
    top, left = (float(np.floor(part[known].min())) - 2.0 * CELL_PX for part in place)
    row, col = (
        np.where(known, (part - start) / CELL_PX, 0.0) for part, start in zip(place, (top, left), strict=True)
    )
    shape = (int(row.max()) + 3, int(col.max()) + 3)
    total = np.zeros(shape[0] * shape[1])
    first_row, first_col = np.floor(row).astype(np.intp), np.floor(col).astype(np.intp)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - down - (row - first_row)) * np.abs(1 - right - (col - first_col))
        index = (first_row + down) * shape[1] + first_col + right
        total += np.bincount(index.ravel(), (share * shown_m2).ravel(), minlength=total.size)
    return total.reshape(shape), (row, col)


def _line_spacing_m(view: BlockView, geobox: GeoBox) -> float:
    """Ground distance of two lines: what is flown over the ground in the time between them.

    Annotated pixel spacings are nominal, 2 % off at Rome.
    """
    level = np.full(geobox.shape, view.time_s.middle_m)
    along, across = (part.mean() for part in np.gradient(view.time_s.at(level)))
    x_m, y_m = (float(part.mean()) for part in spacing_m(geobox))
    return float(view.imaging.line_interval_s / np.hypot(along / y_m, across / x_m))


def _slant_spacing_m(imaging: Imaging, range_m: Floats, place: Place) -> Floats:
    """Slant range from sample to sample."""
    step_m = 100.0
    further = imaging.block_sample(range_m + step_m, place.line)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(step_m / (further - place.sample))
