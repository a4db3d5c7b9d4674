"""The passes of a simulated event: two relative orbits, their times, their looks, their swaths."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.event import parse_event_date
from headscarp.geometry.incidence import grid_look_azimuth_deg, nominal_incidence_deg
from headscarp.geometry.orbit import REPEAT_CYCLE
from headscarp.grid import lonlat_centre
from headscarp.scene import orbit_label
from headscarp.vocabulary import OrbitState

PLATFORM = "S1A"
SWATH_KM = 250.0
"""Width of the Interferometric Wide swath, km (ESA, Sentinel-1 User Handbook, 2013)."""
_SWATH_TABLE = 256


@dataclass(frozen=True)
class Orbit:
    """One relative orbit, as it passes over the event.

    Attributes
    ----------
    state : OrbitState
    relative_orbit : int
        Number in the names of the scenes.
    last_pass_days : int
        Whole days from the event's day back to the last pass before it.
    solar_h : float
        Local solar time of its passes, hours.
    across_swath : float
        Where in the swath the middle of the scene lies: 0 near, 1 far.
    missed_share : float
        Share of the columns, from the west, that the swath misses.
    platform : str
        Satellite in the names of the scenes.
    """

    state: OrbitState
    relative_orbit: int
    last_pass_days: int
    solar_h: float
    across_swath: float
    missed_share: float
    platform: str = PLATFORM

    @property
    def label(self) -> str:
        """Such as "ascending 68"."""
        return orbit_label(self.state, self.relative_orbit)


ORBITS = (
    Orbit(OrbitState.ASCENDING, 68, 6, 18.0, 0.35, 0.0),
    Orbit(OrbitState.DESCENDING, 46, 8, 6.0, 0.65, 0.15),
)
"""Both looks, at different places in the swath; the edge of the descending one cuts the scene."""


@dataclass(frozen=True)
class Pass:
    """One acquisition: an orbit at a moment."""

    orbit: Orbit
    acquired: datetime
    is_post_event: bool

    @property
    def name(self) -> str:
        """Name of its scene, such as ``S1A_20240609T083159_ASC_R068``."""
        state = "ASC" if self.orbit.state is OrbitState.ASCENDING else "DSC"
        return f"{self.orbit.platform}_{self.acquired:%Y%m%dT%H%M%S}_{state}_R{self.orbit.relative_orbit:03d}"


def passes_of(orbit: Orbit, day: str, pre: int, post: int, longitude_deg: float) -> list[Pass]:
    """Passes of one orbit around the day of an event, oldest first, one every twelve days.

    Parameters
    ----------
    orbit : Orbit
    day : str
        Day of the event, as ``2024-06-15``.
    pre, post : int
        How many before and after it.
    longitude_deg : float
        Of the scene; it turns local solar time into UTC.
    """
    event, _ = parse_event_date(day)
    solar = timedelta(hours=(orbit.solar_h - longitude_deg / 15.0) % 24.0)
    last = event - timedelta(days=orbit.last_pass_days) + timedelta(seconds=round(solar.total_seconds()))
    return [Pass(orbit, last + REPEAT_CYCLE * step, step > 0) for step in range(1 - pre, post + 1)]


def all_passes(geobox: GeoBox, day: str, pre: int, post: int) -> list[Pass]:
    """Passes of both orbits over a grid, orbit by orbit."""
    longitude_deg, _ = lonlat_centre(geobox)
    return [p for orbit in ORBITS for p in passes_of(orbit, day, pre, post, longitude_deg)]


def window_days(passes: list[Pass], is_post_event: bool) -> tuple[str, str]:
    """First and last day of the passes before, or after, the event."""
    days = sorted(p.acquired for p in passes if p.is_post_event is is_post_event)
    return f"{days[0]:%Y-%m-%d}", f"{days[-1]:%Y-%m-%d}"


def incidence_deg(geobox: GeoBox, orbit: Orbit) -> NDArray[np.float32]:
    """Incidence angle of the ellipsoid over a grid: it grows along the look, from near to far range.

    Parameters
    ----------
    geobox : GeoBox
        Projected, metres.
    orbit : Orbit

    Returns
    -------
    float32 array of shape (rows, columns)
        Degrees; constant beyond the edges of the swath.
    """
    rows, cols = geobox.shape
    look = math.radians(grid_look_azimuth_deg(geobox, orbit.state))
    spacing_km = float(geobox.transform.a) / 1000.0
    east_km = (np.arange(cols) - (cols - 1) / 2.0) * spacing_km
    north_km = -(np.arange(rows) - (rows - 1) / 2.0) * spacing_km
    along_km = east_km * math.sin(look) + (north_km * math.cos(look))[:, None]
    places = np.linspace(0.0, 1.0, _SWATH_TABLE)
    angles = np.array([nominal_incidence_deg(place) for place in places])
    across = orbit.across_swath + along_km / SWATH_KM
    return np.asarray(np.interp(across, places, angles), dtype=np.float32)


def footprint_cols(cols: int, orbit: Orbit) -> slice:
    """Columns that the swath covers."""
    return slice(round(orbit.missed_share * cols), cols)
