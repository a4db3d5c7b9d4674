"""Slope, aspect and hillshade of a height model, by the 3x3 gradient of Horn (1981).

Rows run south and columns run east (a north-up grid). The weights, and so the values, are those of
``gdaldem slope``, ``aspect`` and ``hillshade`` with their default algorithm. Nothing is invented where
heights are missing: a pixel whose 3x3 window touches NaN, or leaves the array, is NaN.

References
----------
Horn, B. K. P. (1981). Hill shading and the reflectance map. Proceedings of the IEEE, 69(1), 14-47.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headscarp.errors import GridError

HALO_PX = 1
"""Pixels to read around a tile so that its own slope is that of the whole."""

Spacing = float | NDArray[np.floating[Any]]
"""Metres from pixel to pixel: one number, or one number a row, of shape (rows, 1)."""


def slope_deg(height_m: NDArray[np.floating[Any]], spacing_m: tuple[Spacing, Spacing]) -> NDArray[np.float32]:
    r"""Return the steepest slope at each pixel, in degrees.

    .. math:: \beta = \arctan \sqrt{(\partial z/\partial x)^2 + (\partial z/\partial y)^2}

    Parameters
    ----------
    height_m : array of shape (rows, columns)
        Heights in metres; NaN where unknown.
    spacing_m : tuple of (x, y)
        Metres between columns and between rows, above 0. On a geographic grid the spacing of
        columns varies: give an array of shape (rows, 1).

    Returns
    -------
    float32 array of shape (rows, columns)
        0 (flat) to 90; NaN on the outermost ``HALO_PX`` pixels and wherever the 3x3 window
        touches a NaN height.

    Examples
    --------
    >>> import numpy as np
    >>> rising_east = np.tile(np.arange(4) * 10.0, (3, 1))
    >>> slope_deg(rising_east, (10.0, 10.0))[1].tolist()
    [nan, 45.0, 45.0, nan]
    """
    to_east, to_north = gradient(height_m, spacing_m)
    return np.rad2deg(np.arctan(np.hypot(to_east, to_north))).astype(np.float32)


def aspect_deg(
    height_m: NDArray[np.floating[Any]], spacing_m: tuple[Spacing, Spacing]
) -> NDArray[np.float32]:
    r"""Return the direction that each pixel's slope faces, clockwise from north.

    .. math:: A = \operatorname{atan2}(-\partial z/\partial x, -\partial z/\partial y)

    Parameters
    ----------
    height_m, spacing_m
        As in :func:`slope_deg`.

    Returns
    -------
    float32 array of shape (rows, columns)
        Degrees in [0, 360), the way water runs; NaN where the slope is NaN and on flat ground, which
        faces nowhere.

    Examples
    --------
    >>> import numpy as np
    >>> rising_east = np.tile(np.arange(4) * 10.0, (3, 1))
    >>> float(aspect_deg(rising_east, (10.0, 10.0))[1, 1])
    270.0
    """
    to_east, to_north = gradient(height_m, spacing_m)
    facing = np.rad2deg(np.arctan2(-to_east, -to_north)) % 360.0
    flat = (to_east == 0.0) & (to_north == 0.0)
    rounded = np.where(flat, np.nan, facing).astype(np.float32)
    return np.where(rounded == np.float32(360.0), np.float32(0.0), rounded)


def hillshade(
    height_m: NDArray[np.floating[Any]],
    spacing_m: tuple[Spacing, Spacing],
    azimuth_deg: float = 315.0,
    altitude_deg: float = 45.0,
) -> NDArray[np.float32]:
    r"""Return how brightly a matt surface shines under one far lamp, as ``gdaldem`` scales it.

    .. math::
        s = 1 + 254 \max\left(0, \frac{\sin h - \cos h\,(p \sin A + q \cos A)}
                                      {\sqrt{1 + p^2 + q^2}}\right)

    with :math:`p, q` the height gained per metre to the east and to the north, :math:`A` the
    azimuth and :math:`h` the altitude of the lamp.

    Parameters
    ----------
    height_m, spacing_m
        As in :func:`slope_deg`.
    azimuth_deg : float
        Where the light comes from, clockwise from north.
    altitude_deg : float
        Height of the lamp above the horizon.

    Returns
    -------
    float32 array of shape (rows, columns)
        1 (unlit) to 255 (facing the lamp), not rounded. 0 is never used: ``gdaldem`` keeps it for
        nodata, which is NaN here, in the same places as in :func:`slope_deg`.

    Examples
    --------
    >>> import numpy as np
    >>> float(hillshade(np.zeros((3, 3)), (10.0, 10.0), altitude_deg=90.0)[1, 1])
    255.0
    """
    to_east, to_north = gradient(height_m, spacing_m)
    azimuth, altitude = math.radians(azimuth_deg), math.radians(altitude_deg)
    towards_lamp = to_east * math.sin(azimuth) + to_north * math.cos(azimuth)
    cosine = math.sin(altitude) - math.cos(altitude) * towards_lamp
    cosine /= np.sqrt(1.0 + to_east**2 + to_north**2)
    return (1.0 + 254.0 * np.maximum(cosine, 0.0)).astype(np.float32)


def gradient(
    height_m: NDArray[np.floating[Any]], spacing_m: tuple[Spacing, Spacing]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return the height gained per metre to the east and to the north.

    .. math::
        \frac{\partial z}{\partial x} =
            \frac{(z_{ne} + 2 z_{e} + z_{se}) - (z_{nw} + 2 z_{w} + z_{sw})}{8\,\Delta x}

    and likewise from the southern to the northern row.

    Parameters
    ----------
    height_m, spacing_m
        As in :func:`slope_deg`.

    Returns
    -------
    tuple of two float64 arrays of shape (rows, columns)
        Dimensionless; both are NaN where either is unknown, and on the outermost pixels.

    Raises
    ------
    GridError
        If the heights are no 2-D array, or a spacing is not a finite number above 0.

    Examples
    --------
    >>> import numpy as np
    >>> rising_north = np.array([[20.0], [10.0], [0.0]]) * np.ones((1, 3))
    >>> to_east, to_north = gradient(rising_north, (10.0, 10.0))
    >>> float(to_east[1, 1]), float(to_north[1, 1])
    (0.0, 1.0)
    """
    height = finite_or_nan(height_m)
    inner = (slice(HALO_PX, -HALO_PX), slice(HALO_PX, -HALO_PX))
    to_east, to_north = np.full((2, *height.shape), np.nan)
    if min(height.shape) > 2 * HALO_PX:
        east, north = _horn_differences(height)
        east_spacing_m, north_spacing_m = (per_row(s, height.shape[0]) for s in spacing_m)
        unknown = np.isnan(east) | np.isnan(north) | np.isnan(height[inner])
        to_east[inner] = np.where(unknown, np.nan, east / (8.0 * east_spacing_m[inner]))
        to_north[inner] = np.where(unknown, np.nan, north / (8.0 * north_spacing_m[inner]))
    return to_east, to_north


def _horn_differences(
    height: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return eight times the central differences, smoothed (1, 2, 1) across, without the edge."""
    east = height[:, 2:] - height[:, :-2]
    north = height[:-2] - height[2:]
    return (
        east[:-2] + 2.0 * east[1:-1] + east[2:],
        north[:, :-2] + 2.0 * north[:, 1:-1] + north[:, 2:],
    )


def finite_or_nan(height_m: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Heights as float64 with NaN for whatever is no number; refused unless they lie on one grid."""
    height = np.asarray(height_m, dtype=np.float64)
    if height.ndim != 2:
        raise GridError(
            "heights of shape (rows, columns)",
            f"an array of shape {height.shape}",
            "slopes and lines of sight are taken over one grid",
            "pass one height model, without a band or time axis",
        )
    return np.where(np.isfinite(height), height, np.nan)


def per_row(spacing_m: Spacing, rows: int) -> NDArray[np.float64]:
    """Return a spacing as an array of shape (rows, 3), whose inner part is (rows - 2, 1)."""
    spacing = np.asarray(spacing_m, dtype=np.float64)
    one_a_row = spacing.ndim == 0 or spacing.shape == (rows, 1)
    if not (one_a_row and np.isfinite(spacing).all() and (spacing > 0.0).all()):
        raise GridError(
            f"a spacing above 0 m, one number or an array of shape ({rows}, 1)",
            f"{spacing_m!r}",
            "slopes and lines of sight are heights over distances",
            "pass (x, y) in metres, both positive; on a geographic grid convert degrees per row",
        )
    return np.broadcast_to(spacing, (rows, 3))
