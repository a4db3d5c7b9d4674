"""The ground of the simulated event: heights, land cover and landslides.

Everything here is a pure function of its arguments and a random generator. Heights are a
power-law spectrum (a self-affine surface); landslide areas follow Malamud et al. (2004).

References
----------
Malamud, B. D., Turcotte, D. L., Guzzetti, F., & Reichenbach, P. (2004). Landslide inventories and
their statistical properties. Earth Surface Processes and Landforms, 29(6), 687-711.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.transform import array_bounds, rowcol, xy
from scipy.ndimage import gaussian_filter
from scipy.special import gammainc, gammaincinv

from headscarp.geometry.terrain import gradient, slope_deg


class LandCover(IntEnum):
    """What grows, or lies, at a pixel."""

    WATER = 0
    GRASS = 1
    FOREST = 2


SPECTRAL_SLOPE = 3.2
"""Exponent of the power spectrum of heights; 3 to 4 in fluvially carved mountains."""

ROUNDING_PX = 5.0
"""Gaussian rounding of the finest relief: soil creep smooths hillslopes over about 100 m."""

STEEP_DEG = 45.0
"""Slope that only one pixel in a hundred exceeds; it sets the relief."""

LAKE_SHARE, FLOOR_SHARE = 0.05, 0.16
"""Shares of the ground, lowest first, that are lake and that are lake or valley floor."""

LAKE_M = 40.0
"""Height of the lake."""

FLOOR_RELIEF = 0.02
"""What the flattening of the valley floor leaves of its relief."""

GRASS_BELOW_DEG, TREE_LINE_SHARE = 6.0, 0.93
"""Grass grows on gentler slopes, and above this share of the ground's heights."""

LANDSLIDE_COUNT = 40
LANDSLIDE_SLOPE_DEG = 22.0
"""Landslides start, and on average lie, on slopes above this."""

LANDSLIDE_AREA_M2 = (2_000.0, 200_000.0)
"""Truncation of the areas: below, a landslide is a few pixels; above, it outgrows the scene."""

LENGTH_TO_WIDTH = (1.8, 4.0)
GAP_PX = 3.0
"""Least distance between landslides, and from landslides to the edge of the scene."""


class Ground(NamedTuple):
    """Arrays of one grid, (rows, columns), without a margin."""

    height_m: NDArray[np.float32]
    slope_deg: NDArray[np.float32]
    to_east: NDArray[np.float32]
    """Height gained per metre eastwards."""
    to_north: NDArray[np.float32]
    cover: NDArray[np.uint8]
    """Codes of :class:`LandCover`."""


def relief_m(size_px: int, spacing_m: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return mountains whose lowest part is a flat valley floor, of shape (size_px, size_px)."""
    shape = gaussian_filter(fractal(size_px, rng), ROUNDING_PX, mode="wrap")
    steep = np.nanpercentile(np.hypot(*gradient(shape, (spacing_m, spacing_m))), 99.0)
    height: NDArray[np.float64] = shape * np.tan(np.deg2rad(STEEP_DEG)) / steep
    floor_m = np.quantile(height, FLOOR_SHARE)
    height = np.where(height < floor_m, floor_m + FLOOR_RELIEF * (height - floor_m), height)
    height = np.maximum(height, np.quantile(height, LAKE_SHARE))
    return np.asarray(height - height.min() + LAKE_M, dtype=np.float32)


def fractal(size_px: int, rng: np.random.Generator) -> NDArray[np.float64]:
    r"""Return a self-affine surface with power :math:`P(k) \propto k^{-\beta}`, of zero mean."""
    row, column = np.fft.fftfreq(size_px)[:, None], np.fft.rfftfreq(size_px)
    wavenumber = np.hypot(row, column)
    wavenumber[0, 0] = np.inf
    noise = np.fft.rfft2(rng.standard_normal((size_px, size_px)))
    return np.fft.irfft2(noise * wavenumber ** (-SPECTRAL_SLOPE / 2.0), s=(size_px, size_px))


def survey(height_m: NDArray[np.float32], spacing_m: float, margin_px: int) -> Ground:
    """Return slope, gradient and land cover of the heights, without their margin."""
    inner = (slice(margin_px, -margin_px), slice(margin_px, -margin_px))
    spacing = (spacing_m, spacing_m)
    to_east, to_north = (part[inner].astype(np.float32) for part in gradient(height_m, spacing))
    height, slope = height_m[inner], slope_deg(height_m, spacing)[inner]
    lake = height <= height_m.min()
    bare = (slope < GRASS_BELOW_DEG) | (height > np.quantile(height, TREE_LINE_SHARE))
    cover = np.where(lake, LandCover.WATER, np.where(bare, LandCover.GRASS, LandCover.FOREST))
    return Ground(height, slope, to_east, to_north, cover.astype(np.uint8))


def landslide_areas_m2(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    r"""Draw areas from the truncated three-parameter inverse gamma distribution.

    .. math::
        p(A) = \frac{1}{a\,\Gamma(\rho)} \left[\frac{a}{A - s}\right]^{\rho + 1}
               \exp\left[-\frac{a}{A - s}\right]

    with :math:`\rho = 1.40`, :math:`a = 1.28 \times 10^{-3}` km² and
    :math:`s = -1.32 \times 10^{-4}` km² (Malamud et al., 2004, eq. 3), by inversion: :math:`a/(A-s)`
    is gamma distributed with shape :math:`\rho`.

    Parameters
    ----------
    count : int
        How many areas.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    float64 array of shape (count,)
        Square metres, within ``LANDSLIDE_AREA_M2``, largest first.
    """
    rho, scale_m2, shift_m2 = 1.40, 1.28e3, -1.32e2
    smallest_m2, largest_m2 = LANDSLIDE_AREA_M2
    lower = gammainc(rho, scale_m2 / (largest_m2 - shift_m2))
    upper = gammainc(rho, scale_m2 / (smallest_m2 - shift_m2))
    drawn = shift_m2 + scale_m2 / gammaincinv(rho, rng.uniform(lower, upper, count))
    return np.sort(np.clip(drawn, smallest_m2, largest_m2))[::-1]


def landslides(
    ground: Ground, transform: Affine, rng: np.random.Generator, count: int = LANDSLIDE_COUNT
) -> list[shapely.Polygon]:
    """Place landslides on steep slopes, largest first, none nearer to another than ``GAP_PX``.

    Parameters
    ----------
    ground : Ground
        The grid to place them on.
    transform : Affine
        From (column, row) to coordinates in metres; north up.
    rng : numpy.random.Generator
        Source of randomness.
    count : int
        How many to place; fewer come back where no steep slope is left for them.

    Returns
    -------
    list of shapely.Polygon
        Ellipses that run downslope, largest first.
    """
    gap_m = GAP_PX * transform.a
    rows, columns = ground.slope_deg.shape
    inside = shapely.box(*array_bounds(rows, columns, transform)).buffer(-gap_m)
    starts = np.argwhere(ground.slope_deg > LANDSLIDE_SLOPE_DEG)
    placed: list[shapely.Polygon] = []
    for area_m2 in landslide_areas_m2(count, rng):
        for row, column in rng.permutation(starts)[:200]:
            ellipse = downslope_ellipse(ground, transform, (row, column), area_m2, rng)
            if (
                inside.covers(ellipse)
                and _is_steep_land(ground, transform, ellipse)
                and all(ellipse.distance(other) > gap_m for other in placed)
            ):
                placed.append(ellipse)
                break
    return placed


def downslope_ellipse(
    ground: Ground,
    transform: Affine,
    centre: tuple[int, int],
    area_m2: float,
    rng: np.random.Generator,
) -> shapely.Polygon:
    """Return an ellipse of exactly this area around a (row, column), its length downslope."""
    row, column = centre
    around = (slice(max(row - 3, 0), row + 4), slice(max(column - 3, 0), column + 4))
    uphill = np.arctan2(ground.to_north[around].mean(), ground.to_east[around].mean())
    stretch = np.sqrt(rng.uniform(*LENGTH_TO_WIDTH))
    turn = np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False)
    # A 48-gon is a little smaller than its circle: its area is 24 sin(2 pi / 48) r².
    radius_m = np.sqrt(area_m2 / (24.0 * np.sin(2.0 * np.pi / 48.0)))
    along_m, across_m = radius_m * stretch * np.cos(turn), radius_m / stretch * np.sin(turn)
    x_m, y_m = xy(transform, row, column)
    east_m = x_m + along_m * np.cos(uphill) - across_m * np.sin(uphill)
    north_m = y_m + along_m * np.sin(uphill) + across_m * np.cos(uphill)
    return shapely.Polygon(np.column_stack([east_m, north_m]))


def _is_steep_land(ground: Ground, transform: Affine, ellipse: shapely.Polygon) -> bool:
    """Whether the slope, averaged over rings of the ellipse, is a landslide's, and none is water."""
    centre = np.array(ellipse.centroid.coords[0])
    outline = np.array(ellipse.exterior.coords[:-1]) - centre
    rings = np.concatenate([centre + share * outline for share in (0.0, 0.35, 0.6, 0.8, 0.95)])
    rows, columns = rowcol(transform, rings[:, 0], rings[:, 1])
    sampled = ground.slope_deg[rows, columns]
    dry = (ground.cover[rows, columns] != LandCover.WATER).all()
    return bool(dry and sampled.mean() > LANDSLIDE_SLOPE_DEG)
