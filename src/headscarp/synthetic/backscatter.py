"""What the radar sees of the simulated ground: gamma0 of each pass, with and without landslides.

Pure functions of arrays and a random generator. Means are in decibels, images in linear power.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.features import rasterize
from scipy.ndimage import convolve1d, gaussian_filter

from headscarp.synthetic.ground import Ground, LandCover


class Look(NamedTuple):
    """Mean and spread of a quantity in decibels, in each polarisation."""

    vv_db: float
    vh_db: float
    spread_db: float


COVER = {
    LandCover.WATER: Look(-20.0, -27.0, 0.5),
    LandCover.GRASS: Look(-11.0, -18.0, 0.8),
    LandCover.FOREST: Look(-8.0, -14.0, 0.6),
}
"""Mean gamma0 of each land cover, and its texture: what differs from place to place, not in time."""

TEXTURE_PX = 2.0
FACING_DB = 1.0
"""What terrain correction leaves on a slope that rises straight towards or away from the radar."""

MOISTURE_SPREAD_DB = 0.3
"""Standard deviation, from date to date, of a shift common to the region and both polarisations."""

LOOKS = 12.0
SPECKLE_NEIGHBOUR = 0.15
"""Weight of a neighbour, against 1 of the pixel itself, in the resampling that correlates speckle."""

SUPERSAMPLING = 4
"""Cells along a pixel's side that measure how much of it a landslide covers."""

VV_CHANGE_DB, VH_CHANGE_DB = (-1.5, 2.0), (-4.0, 1.0)
"""Mean and standard deviation, over landslides, of the change they bring."""


def mean_gamma0(ground: Ground, look_azimuth_deg: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return gamma0 without speckle or landslides, of shape (2, rows, columns), VV before VH.

    Parameters
    ----------
    ground : Ground
        Land cover and gradient.
    look_azimuth_deg : float
        Where the radar looks, clockwise from north.
    rng : numpy.random.Generator
        Source of the texture: the same one for every orbit and date gives the same ground.

    Returns
    -------
    float32 array of shape (2, rows, columns)
        Linear power.
    """
    look = np.array([COVER[cover] for cover in LandCover])[ground.cover]
    texture = np.stack([_unit_texture(ground.cover.shape, rng) for _ in ("VV", "VH")])
    azimuth = np.deg2rad(look_azimuth_deg)
    rise = ground.to_east * np.sin(azimuth) + ground.to_north * np.cos(azimuth)
    facing = rise / np.sqrt(1.0 + ground.to_east**2 + ground.to_north**2)
    mean_db = np.moveaxis(look[..., :2], -1, 0) + look[..., 2] * texture + FACING_DB * facing
    return from_db(mean_db)


def from_db(decibels: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return linear power."""
    return np.asarray(np.power(10.0, decibels / 10.0), dtype=np.float32)


def _unit_texture(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    smooth: NDArray[np.float64] = gaussian_filter(rng.standard_normal(shape), TEXTURE_PX, mode="wrap")
    return np.asarray(smooth / smooth.std())


def moisture_factor(rng: np.random.Generator) -> float:
    """Return the factor by which one date's soil and canopy moisture changes the whole region."""
    return float(10.0 ** (rng.normal(0.0, MOISTURE_SPREAD_DB) / 10.0))


def speckle(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    r"""Return multiplicative speckle of mean 1, gamma distributed with ``LOOKS`` looks.

    A correlated normal field :math:`z` is turned into gamma by the cube of Wilson and Hilferty
    (1931), :math:`(1 - 1/(9L) + z / (3\sqrt{L}))^3`, whose mean is 1 within 10⁻⁵ at 12 looks.

    Parameters
    ----------
    shape : tuple of int
        The last two axes are rows and columns; fields along the others are independent.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    float32 array of that shape
        Factors above 0.
    """
    kernel = np.array([SPECKLE_NEIGHBOUR, 1.0, SPECKLE_NEIGHBOUR])
    kernel /= np.sqrt(np.sum(kernel**2))
    normal = rng.standard_normal(shape, dtype=np.float32)
    for axis in (-2, -1):
        normal = convolve1d(normal, kernel, axis=axis, mode="wrap")
    cube_root: NDArray[np.float64] = 1.0 - 1.0 / (9.0 * LOOKS) + normal / (3.0 * np.sqrt(LOOKS))
    return np.maximum(cube_root, 0.05).astype(np.float32) ** 3


def landslide_factor(
    landslides: Sequence[shapely.Polygon],
    transform: Affine,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return the factor that landslides bring to gamma0, of shape (2, rows, columns).

    Each landslide changes VV and VH by an amount of its own; a pixel that it covers in part
    changes, in power, by that part.

    Parameters
    ----------
    landslides : sequence of shapely.Polygon
        Disjoint outlines.
    transform, shape
        The grid.
    rng : numpy.random.Generator
        Source of the changes.

    Returns
    -------
    float32 array of shape (2, rows, columns)
        1 where there is no landslide.
    """
    cell_m = transform.a / SUPERSAMPLING
    fine = Affine(cell_m, 0.0, transform.c, 0.0, -cell_m, transform.f)
    fine_shape = (shape[0] * SUPERSAMPLING, shape[1] * SUPERSAMPLING)
    blocks = (shape[0], SUPERSAMPLING, shape[1], SUPERSAMPLING)
    factors = []
    for mean_db, spread_db in (VV_CHANGE_DB, VH_CHANGE_DB):
        change = from_db(rng.normal(mean_db, spread_db, len(landslides)))
        burnt = [(outline, float(c)) for outline, c in zip(landslides, change, strict=True)]
        factor = np.ones(fine_shape, np.float32)
        if burnt:
            rasterize(burnt, out=factor, transform=fine)
        factors.append(factor.reshape(blocks).mean(axis=(1, 3)))
    return np.stack(factors)
