"""Kinds of ground over which figures are told apart: steepness, and facing relative to the radar's look.

A stratum is an image of class indices, −1 where the class is not known, with a name for each class.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ClassImage = NDArray[np.int16]

UNKNOWN = -1
SLOPE_EDGES_DEG = (0.0, 5.0, 15.0, 25.0, 35.0)
"""Lower edges of the slope classes; the last is open."""
SLOPE_NAMES = (
    *(f"{low:g}-{high:g}°" for low, high in pairwise(SLOPE_EDGES_DEG)),
    f"{SLOPE_EDGES_DEG[-1]:g}° and steeper",
)
FLAT_BELOW_DEG = 5.0
"""Gentler ground has no facing worth the name."""
FACINGS = ("flat", "toward", "along", "away")
TOWARD_WITHIN_DEG = 45.0
"""Quadrants: a slope that faces the radar within 45°, turns its back within 45°, or lies along its track."""


class Stratum(NamedTuple):
    """Classes of a part of the ground."""

    names: tuple[str, ...]
    image: ClassImage


def slope_stratum(slope_deg: NDArray[np.floating]) -> Stratum:
    """Classes of steepness.

    Parameters
    ----------
    slope_deg : ndarray
        Degrees; NaN where unknown.

    Examples
    --------
    >>> slope_stratum(np.array([0.0, 4.9, 5.0, 60.0, np.nan])).image.tolist()
    [0, 0, 1, 4, -1]
    """
    known = np.isfinite(slope_deg)
    image = np.searchsorted(SLOPE_EDGES_DEG, np.where(known, slope_deg, 0.0), side="right") - 1
    return Stratum(SLOPE_NAMES, np.where(known, image, UNKNOWN).astype(np.int16))


def facing_stratum(
    slope_deg: NDArray[np.floating], aspect_deg: NDArray[np.floating], look_azimuth_deg: float
) -> Stratum:
    """Classes of facing relative to the radar: flat, toward, along, away.

    A slope faces the radar when its aspect points against the look direction.

    Parameters
    ----------
    slope_deg, aspect_deg : ndarray
        Degrees; aspect clockwise from north, NaN on flat ground.
    look_azimuth_deg : float
        Direction from the radar to the ground, clockwise from north.

    Examples
    --------
    Under a radar that looks east, a slope that falls to the west faces it:

    >>> steep = np.full(4, 30.0)
    >>> facing_stratum(steep, np.array([270.0, 90.0, 0.0, np.nan]), 90.0).image.tolist()
    [1, 3, 2, -1]
    """
    with np.errstate(invalid="ignore"):
        from_radar = np.abs((aspect_deg - (look_azimuth_deg + 180.0) + 180.0) % 360.0 - 180.0)
        quadrants = [
            slope_deg < FLAT_BELOW_DEG,
            from_radar <= TOWARD_WITHIN_DEG,
            from_radar < 180.0 - TOWARD_WITHIN_DEG,
            from_radar >= 180.0 - TOWARD_WITHIN_DEG,
        ]
    image = np.select(quadrants, range(len(FACINGS)), UNKNOWN)
    return Stratum(FACINGS, np.where(np.isfinite(slope_deg), image, UNKNOWN).astype(np.int16))


def code_stratum(codes: NDArray[np.floating], names: Mapping[int, str]) -> Stratum:
    """Classes of a categorical raster, such as land cover.

    Parameters
    ----------
    codes : ndarray
        Class codes; NaN where unknown. Codes without a name are unknown too.
    names : mapping of int to str
        Name of each code.
    """
    image = np.full(codes.shape, UNKNOWN, dtype=np.int16)
    for index, code in enumerate(names):
        image[codes == code] = index
    return Stratum(tuple(names.values()), image)
