"""How steeply the radar's ray meets the ellipsoid, and how steeply it meets the slope.

Incidence angles are counted from the vertical (the ellipsoid's) or from the surface's normal (the local
one), in degrees. A look azimuth is the direction over the ground from the radar to the pixel, clockwise
from the grid's north.

References
----------
Small, D. (2011). Flattening gamma: radiometric terrain correction for SAR imagery. IEEE Transactions on
Geoscience and Remote Sensing, 49(8), 3081-3093. ESA, Sentinel-1 User Handbook (2013), section 1.4.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from headscarp.errors import GridError, OptionsError
from headscarp.geometry.orbit import look_azimuth_deg
from headscarp.geometry.terrain import Spacing, gradient
from headscarp.grid import WGS84, crs_wkt, lonlat_centre
from headscarp.vocabulary import OrbitState

Angle = float | NDArray[np.floating[Any]]
"""Degrees: one number, or an array that broadcasts to the grid."""

NEAR_INCIDENCE_DEG = 30.4
FAR_INCIDENCE_DEG = 46.1
"""Edges of the swath of Interferometric Wide mode, as products annotate them, within 0.3°.

ESA's 29.1° to 46.0° is the range that the mode was designed for, over all heights of the orbit.
"""

NOMINAL_INCIDENCE_DEG = 39.0
"""Incidence where the place in the swath is not known: the middle of it, so the error is at most 9°.

It is no worst case, and there is none: a near-range view has more layover, a far-range view more shadow.
"""

ORBIT_HEIGHT_KM = 693.0
EARTH_RADIUS_KM = 6371.0

_NORTH_STEP_DEG = 0.01
"""About a kilometre: long beside rounding, short beside the bend of a meridian on a map."""


def nominal_incidence_deg(across_swath: float = 0.5) -> float:
    r"""Nominal incidence angle at a place in the swath.

    On a sphere of radius :math:`R` seen from height :math:`H`, a place at the angle :math:`\psi` from the
    point below the satellite has

    .. math::
        \theta = \psi + \arctan \frac{R \sin\psi}{R + H - R \cos\psi}

    and :math:`\psi` grows in proportion to ground range, from the near to the far edge.

    Parameters
    ----------
    across_swath : float
        0 at the near edge, 1 at the far edge.

    Returns
    -------
    float
        Degrees from the vertical, ``NEAR_INCIDENCE_DEG`` to ``FAR_INCIDENCE_DEG``.

    Raises
    ------
    OptionsError
        If the place lies outside the swath.

    Examples
    --------
    >>> [round(nominal_incidence_deg(place), 1) for place in (0.0, 0.5, 1.0)]
    [30.4, 38.9, 46.1]
    """
    if not 0.0 <= across_swath <= 1.0:
        raise OptionsError(
            "a place in the swath from 0 (near) to 1 (far)",
            f"{across_swath}",
            "Sentinel-1 does not look there",
            "leave it out for the middle of the swath",
        )
    near, far = (_earth_angle(math.radians(edge)) for edge in (NEAR_INCIDENCE_DEG, FAR_INCIDENCE_DEG))
    psi = near + across_swath * (far - near)
    below = EARTH_RADIUS_KM + ORBIT_HEIGHT_KM - EARTH_RADIUS_KM * math.cos(psi)
    return math.degrees(psi + math.atan2(EARTH_RADIUS_KM * math.sin(psi), below))


def grid_look_azimuth_deg(geobox: GeoBox, orbit_state: OrbitState) -> float:
    """Nominal direction from the radar to the middle of a grid, clockwise from the grid's north.

    Columns of a projected grid do not run to true north; the heading of the orbit is turned by the angle
    between the two in the middle of the grid. Take it once for a map, not tile by tile, so that its tiles
    share their lines.

    Examples
    --------
    >>> from affine import Affine
    >>> lonlat = GeoBox((10, 10), Affine(0.001, 0, 12.0, 0, -0.001, 0.005), "EPSG:4326")
    >>> round(grid_look_azimuth_deg(lonlat, OrbitState.ASCENDING))
    78
    """
    longitude_deg, latitude_deg = lonlat_centre(geobox)
    to_grid = Transformer.from_crs(WGS84, crs_wkt(geobox), always_xy=True)
    step_deg = -_NORTH_STEP_DEG if latitude_deg > 0.0 else _NORTH_STEP_DEG  # towards the equator
    x, y = to_grid.transform([longitude_deg] * 2, [latitude_deg, latitude_deg + step_deg])
    sign = math.copysign(1.0, step_deg)
    north_deg = math.degrees(math.atan2(sign * (x[1] - x[0]), sign * (y[1] - y[0])))
    return (look_azimuth_deg(orbit_state, latitude_deg) + north_deg) % 360.0


def local_incidence_deg(
    height_m: NDArray[np.floating[Any]],
    spacing_m: tuple[Spacing, Spacing],
    look_azimuth_deg: float,
    incidence_deg: Angle,
) -> NDArray[np.float32]:
    r"""Angle between the direction to the radar and the normal of the ground.

    .. math::
        \cos\theta_{loc} = \frac{\cos\theta + \sin\theta\,(p \sin A + q \cos A)}{\sqrt{1 + p^2 + q^2}}

    with :math:`\theta` the incidence angle, :math:`A` the look azimuth, and :math:`p, q` the height gained
    per metre to the east and to the north (Horn's gradient, as in :mod:`headscarp.geometry.terrain`).

    Parameters
    ----------
    height_m : array of shape (rows, columns)
        Heights in metres; NaN where unknown.
    spacing_m : tuple of (x, y)
        Metres between columns and between rows; one number or shape (rows, 1) each.
    look_azimuth_deg : float
        From the radar to the ground, clockwise from the grid's north.
    incidence_deg : float or array
        The ellipsoid's, degrees from the vertical; an array must broadcast to the heights.

    Returns
    -------
    float32 array of shape (rows, columns)
        0 (the slope faces the radar) to 180; above 90 the ground faces away. NaN where the gradient is:
        on the outermost pixels and wherever the 3x3 window touches an unknown height.

    Raises
    ------
    GridError
        If the heights are no 2-D array, the angles do not broadcast to them, or a spacing is not a finite
        number above 0.
    OptionsError
        If an incidence angle is not above 0 and below 90, or the look azimuth is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> rising_east = np.tile(np.arange(4) * 10.0, (3, 1))
    >>> [round(float(local_incidence_deg(rising_east, (10.0, 10.0), look, 39.0)[1, 1])) for look in (90, 270)]
    [6, 84]
    """
    to_east, to_north = gradient(height_m, spacing_m)
    angles = checked_angles(look_azimuth_deg, incidence_deg, to_east.shape)
    azimuth, incidence = math.radians(look_azimuth_deg), np.deg2rad(angles)
    rise = to_east * math.sin(azimuth) + to_north * math.cos(azimuth)
    cosine = (np.cos(incidence) + np.sin(incidence) * rise) / np.sqrt(1.0 + to_east**2 + to_north**2)
    return np.asarray(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))), dtype=np.float32)


def visibility_index(
    height_m: NDArray[np.floating[Any]],
    spacing_m: tuple[Spacing, Spacing],
    look_azimuth_deg: float,
    incidence_deg: Angle,
) -> NDArray[np.float32]:
    r"""How much of a slope a look resolves: the R-index, ground range to slant range.

    .. math:: R = \sin(\theta - \beta), \qquad \beta = \arctan(p \sin A + q \cos A)

    with :math:`\theta` the incidence angle, :math:`A` the look azimuth, :math:`p, q` the height gained per
    metre to the east and to the north, so that :math:`\beta` is the slope towards the radar. Flat ground has
    :math:`\sin\theta`; foreshortened ground less; at 0 and below it is laid over.

    Parameters
    ----------
    height_m, spacing_m, look_azimuth_deg, incidence_deg
        As in :func:`local_incidence_deg`, which see for what is raised.

    Returns
    -------
    float32 array of shape (rows, columns)
        -1 to 1; NaN where the gradient is.

    References
    ----------
    Notti, D., Herrera, G., Bianchini, S., Meisina, C., García-Davalillo, J. C., and Zucca, F. (2014). A
    methodology for improving landslide PSI data analysis. International Journal of Remote Sensing, 35(6),
    2186-2214.

    Examples
    --------
    Ground that rises 45° to the east, seen towards the east and the west under 39°: sin(-6°), sin(84°).

    >>> import numpy as np
    >>> rising_east = np.tile(np.arange(4) * 10.0, (3, 1))
    >>> [round(float(visibility_index(rising_east, (10.0, 10.0), look, 39.0)[1, 1]), 3) for look in (90, 270)]
    [-0.105, 0.995]
    """
    to_east, to_north = gradient(height_m, spacing_m)
    incidence = np.deg2rad(checked_angles(look_azimuth_deg, incidence_deg, to_east.shape))
    azimuth = math.radians(look_azimuth_deg)
    towards_radar = np.arctan(to_east * math.sin(azimuth) + to_north * math.cos(azimuth))
    return np.asarray(np.sin(incidence - towards_radar), dtype=np.float32)


def checked_angles(
    look_azimuth_deg: float, incidence_deg: Angle, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Incidence angles in two dimensions, once they and the look azimuth are known to be usable.

    Raises
    ------
    GridError
        If the incidence angles do not broadcast to the shape.
    OptionsError
        If an incidence angle is not above 0 and below 90 (NaN is unknown, and allowed), or the look azimuth
        is not finite.
    """
    incidence = np.atleast_2d(np.asarray(incidence_deg, dtype=np.float64))
    if any(size not in (1, full) for size, full in zip(incidence.shape, shape, strict=True)):
        raise GridError(
            f"one incidence angle, or an array that broadcasts to the heights' {shape}",
            f"an array of shape {np.shape(incidence_deg)}",
            "each pixel is seen under its own angle",
            "read the incidence angles on the grid of the heights",
        )
    outside = incidence[(incidence <= 0.0) | (incidence >= 90.0)]
    if outside.size or not math.isfinite(look_azimuth_deg):
        raise OptionsError(
            "incidence above 0° and below 90°, and a finite look azimuth",
            f"incidence {outside[:3].tolist() if outside.size else 'in range'}, azimuth {look_azimuth_deg}",
            "a look straight down or along the ground has neither layover nor shadow as defined",
            "pass degrees from the vertical; Sentinel-1 has 30° to 46°",
        )
    return incidence


def _earth_angle(incidence: float) -> float:
    """Angle at the Earth's centre between the satellite and a place of that incidence, radians."""
    reach = EARTH_RADIUS_KM / (EARTH_RADIUS_KM + ORBIT_HEIGHT_KM)
    return incidence - math.asin(reach * math.sin(incidence))
