"""Which way a pass went and which relative orbit it belongs to, derived from facts that products keep.

Sentinel-1 flies 175 orbits in 12 days, so an orbit lasts 12 × 86400 / 175 = 5924.57 s, in a sun-synchronous
orbit whose ascending node is crossed near 18 h local solar time.

Sources: ESA, Sentinel-1 Level 1 Detailed Algorithm Definition, §9.25 (burst identifiers);
Torres et al. (2012), GMES Sentinel-1 mission, Remote Sensing of Environment 120, 9–24.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from headscarp.vocabulary import OrbitState

REPEAT_CYCLE = timedelta(days=12)
ORBITS_PER_CYCLE = 175
ORBIT_S = REPEAT_CYCLE.total_seconds() / ORBITS_PER_CYCLE

INCLINATION_DEG = 98.18
"""Angle of the orbit's plane to the equator."""

BURST_CYCLE_S = 2.758273
BURST_PREAMBLE_S = 2.2998
BURST_ORBIT_S = 5924.57

SOLAR_TOLERANCE_H = 2.5
"""Widest departure from 6 h or 18 h: the swath spans about 10° of longitude at 60° latitude."""
POLAR_LATITUDE_DEG = 60.0
"""Beyond it local solar time no longer tells the two directions apart."""

_FIRST_ORBIT = {"S1A": 73, "S1B": 27, "S1C": 172}
"""Absolute orbit number, less one, of a relative orbit 1 (ESA; as used by SNAP and ASF)."""

_NODE_OF_ORBIT_1 = {
    "S1A": datetime(2023, 1, 3, 18, 0, 45, tzinfo=UTC),
    "S1B": datetime(2023, 1, 9, 17, 59, 58, tzinfo=UTC),
}
"""An ascending node of relative orbit 1, from OPERA burst identifiers; kept within 15 s since 2021."""
_NODE_UNCERTAINTY_S = 60.0


def seconds_since_node(burst_number: int, track: int) -> float:
    r"""Seconds from the ascending node of a track to the start of a burst.

    .. math:: \Delta t = 2.758273\,b + 2.2998 - 5924.57\,(k - 1)

    Parameters
    ----------
    burst_number : int
        Number :math:`b` of the burst within the repeat cycle, as in ``T137-292319-IW2``.
    track : int
        Relative orbit :math:`k`, 1 to 175.

    Returns
    -------
    float
        Seconds, from 0 to about 5924.57.

    Examples
    --------
    >>> round(seconds_since_node(292319, 137), 1)
    556.4
    """
    return burst_number * BURST_CYCLE_S + BURST_PREAMBLE_S - (track - 1) * BURST_ORBIT_S


def orbit_state_from_burst(burst_number: int, track: int) -> OrbitState:
    """Direction of the pass over a burst: ascending within ±90° of the ascending node.

    Parameters
    ----------
    burst_number, track : int
        As in :func:`seconds_since_node`.

    Examples
    --------
    >>> orbit_state_from_burst(19294, 9).value
    'ascending'
    """
    angle_deg = 360.0 * seconds_since_node(burst_number, track) / BURST_ORBIT_S
    return OrbitState.ASCENDING if _wrap_deg(angle_deg) < 90.0 else OrbitState.DESCENDING


def local_solar_time_h(acquired: datetime, longitude_deg: float) -> float:
    """Mean local solar time: UTC plus one hour for every 15° east.

    Parameters
    ----------
    acquired : datetime
        UTC.
    longitude_deg : float
        Degrees east.

    Returns
    -------
    float
        Hours in [0, 24).
    """
    utc_h = acquired.hour + acquired.minute / 60.0 + acquired.second / 3600.0
    hour = (utc_h + longitude_deg / 15.0) % 24.0
    return hour if hour < 24.0 else 0.0  # a hair below zero rounds up to the full circle


def orbit_state_from_solar_time(
    acquired: datetime, longitude_deg: float, latitude_deg: float
) -> OrbitState | None:
    """Direction of the pass from local solar time: near 18 h ascending, near 6 h descending.

    Parameters
    ----------
    acquired : datetime
        UTC, with its time of day.
    longitude_deg, latitude_deg : float
        Centre of the scene.

    Returns
    -------
    OrbitState or None
        None near the poles, or at an hour that Sentinel-1 does not keep.
    """
    if abs(latitude_deg) > POLAR_LATITUDE_DEG:
        return None
    hour = local_solar_time_h(acquired, longitude_deg)
    if abs(hour - 18.0) <= SOLAR_TOLERANCE_H:
        return OrbitState.ASCENDING
    return OrbitState.DESCENDING if abs(hour - 6.0) <= SOLAR_TOLERANCE_H else None


def relative_orbit_from_absolute(platform: str, absolute_orbit: int) -> int | None:
    r"""Relative orbit, 1 to 175, of an absolute orbit number.

    .. math:: k = (n - n_0) \bmod 175 + 1

    Parameters
    ----------
    platform : str
        "S1A", "S1B" or "S1C".
    absolute_orbit : int
        Orbit number :math:`n` in the product's name.

    Returns
    -------
    int or None
        None for a platform whose first orbit is not known here.

    Examples
    --------
    >>> relative_orbit_from_absolute("S1A", 23580)
    58
    """
    if platform not in _FIRST_ORBIT:
        return None
    return (absolute_orbit - _FIRST_ORBIT[platform]) % ORBITS_PER_CYCLE + 1


def relative_orbit_from_time(platform: str, acquired: datetime) -> int | None:
    """Relative orbit flown at a moment, from the 12-day repeat cycle.

    Parameters
    ----------
    platform : str
        "S1A" or "S1B".
    acquired : datetime
        UTC, with its time of day.

    Returns
    -------
    int or None
        None for another platform, or within a minute of the ascending node, where the number turns.

    Examples
    --------
    >>> relative_orbit_from_time("S1A", datetime(2023, 11, 21, 1, 59, 8, tzinfo=UTC))
    137
    """
    if platform not in _NODE_OF_ORBIT_1:
        return None
    elapsed_s = (acquired - _NODE_OF_ORBIT_1[platform]) % REPEAT_CYCLE / timedelta(seconds=1)
    orbit, since_node_s = divmod(elapsed_s, ORBIT_S)
    if min(since_node_s, ORBIT_S - since_node_s) < _NODE_UNCERTAINTY_S:
        return None
    return int(orbit) + 1


def heading_deg(orbit_state: OrbitState, latitude_deg: float) -> float:
    r"""Nominal direction of flight over the ground, clockwise from north.

    On a circular orbit of inclination :math:`i`, seen from an Earth that turns once in :math:`N = 175/12`
    revolutions,

    .. math:: \tan \alpha = \frac{\cos i / \cos\phi - \cos\phi / N}{\pm\sqrt{1 - (\cos i/\cos\phi)^2}}

    with the plus sign on ascending passes.

    Parameters
    ----------
    orbit_state : OrbitState
    latitude_deg : float
        Within the 81.8° that the orbit reaches; beyond it, the heading there.

    Returns
    -------
    float
        Degrees in [0, 360); within half a degree of what products state.

    Examples
    --------
    >>> round(heading_deg(OrbitState.ASCENDING, 0.0)), round(heading_deg(OrbitState.DESCENDING, 41.9))
    (348, 194)
    """
    sine = math.cos(math.radians(INCLINATION_DEG))
    cosine = max(math.cos(math.radians(latitude_deg)), abs(sine))
    to_east = sine / cosine - cosine * REPEAT_CYCLE.days / ORBITS_PER_CYCLE
    to_north = math.sqrt(1.0 - (sine / cosine) ** 2)
    if orbit_state is OrbitState.DESCENDING:
        to_north = -to_north
    return math.degrees(math.atan2(to_east, to_north)) % 360.0


def look_azimuth_deg(orbit_state: OrbitState, latitude_deg: float) -> float:
    """Nominal direction from the radar to the ground, clockwise from north: Sentinel-1 looks right.

    Examples
    --------
    >>> round(look_azimuth_deg(OrbitState.ASCENDING, 0.0))
    78
    """
    return (heading_deg(orbit_state, latitude_deg) + 90.0) % 360.0


def _wrap_deg(angle_deg: float) -> float:
    """Distance of an angle from zero, in [0, 180]."""
    return abs((angle_deg + 180.0) % 360.0 - 180.0)
