r"""Where the samples of a product lie on the ground, by the product's own geolocation grid.

Nothing here solves the range-Doppler equations, and nothing stands on :mod:`headscarp.backscatter`: what is
written through this geometry and found again by that one proves both.

The grid's points are at heights of their own. Each is brought to height 0 along the line of equal slant
range, by its own incidence angle and slant range; these places are smooth, and are interpolated by splines.
Then they are raised to the ground: in the plane of the sight, on a sphere of radius :math:`R`, the place
:math:`d` towards the radar is at the same slant range :math:`s` where its height is

.. math:: h(d) = s\cos\theta + \frac{d^2}{2R} - \sqrt{s^2 - (s\sin\theta - d)^2}

Between two lines of the grid (3 s) the processor's ground-range polynomials step by several samples, which no
interpolation of the grid can follow: by the grid alone, places are right near its lines. ``stepped``, a
sample is where the grid has the slant range that the polynomial nearest in time gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod, Transformer
from scipy.interpolate import RectBivariateSpline

from headscarp.errors import SceneError
from headscarp.grid import WGS84

Floats = NDArray[np.float64]

LIGHT_M_S, EARTH_M = 299_792_458.0, 6_371_000.0
_STEPS = 24
"""Halvings of the search for the ground: 10 km become less than a millimetre."""
_ROUNDS = 20
_CHORD_M = 1000.0
"""Length over which a line of sight is taken as straight on the map; a centimetre off after 3 km."""


class GroundPoints(NamedTuple):
    """Places on the ground: degrees, metres above the ellipsoid, and metres of a map's CRS."""

    longitude: Floats
    latitude: Floats
    height: Floats
    x: Floats
    y: Floats


class Relief(NamedTuple):
    """Heights above the ellipsoid of places on a map, and between which they lie; metres."""

    height_m: Callable[[Floats, Floats], Floats]
    low_m: float
    high_m: float
    crs: Any


class Swath:
    """The ground that an image shows.

    Parameters
    ----------
    annotation : Element
        Root of the annotation of one polarisation.
    stepped : bool
        Follow the ground-range polynomial nearest in time between the lines of the grid; else its lines alone
        tell, and places are right only near them.

    Raises
    ------
    SceneError
        If its geolocation grid is none.
    """

    def __init__(self, annotation: ElementTree.Element, stepped: bool = False) -> None:
        lines, samples = (annotation.findtext(f".//numberOf{n}", "0") for n in ("Lines", "Samples"))
        self.size = int(lines), int(samples)
        points = annotation.findall(".//geolocationGridPoint")

        def column(name: str) -> Floats:
            return np.array([float(point.findtext(name, "nan")) for point in points])

        axes = (np.unique(column("line")), np.unique(column("pixel")))
        shape = (axes[0].size, axes[1].size)
        _refuse_no_grid(shape, len(points))
        self.grid_lines = axes[0]
        values = _at_height_0(*(column(name).reshape(shape) for name in _COLUMNS))
        self._at = {name: RectBivariateSpline(*axes, table) for name, table in values.items()}
        self._slants = _Slants(annotation) if stepped else None

    def sight(self, line: Floats, sample: Floats) -> dict[str, Floats]:
        """Longitude, latitude, slant, incidence (radians) and azimuth to the radar of places at height 0."""
        sample = sample + self._step(line, sample)
        return {name: np.asarray(found(line, sample, grid=False)) for name, found in self._at.items()}

    def _step(self, line: Floats, sample: Floats) -> Floats | float:
        """How many samples farther, between lines of the grid, the place of a sample's slant range lies."""
        if self._slants is None:
            return 0.0
        found = self._at["slant"]
        missed = self._slants.at(line, sample) - np.asarray(found(line, sample, grid=False))
        return np.asarray(missed / found(line, sample, dy=1, grid=False))

    def ground(self, line: Floats, sample: Floats, relief: Relief) -> GroundPoints:
        """Where samples lie on the ground.

        Parameters
        ----------
        line, sample : array
            Of one shape, counted from 0 at the centre of the first.
        relief : Relief

        Returns
        -------
        GroundPoints
            Of that shape. Where several places share a slant range (layover), one of them.
        """
        at = self.sight(line, sample)
        to_map = Transformer.from_crs(WGS84, relief.crs, always_xy=True)
        near, far = (
            np.stack(to_map.transform(*_forward(at, np.full(np.shape(line), d)))) for d in (0.0, _CHORD_M)
        )

        def missed(d: Floats) -> Floats:
            x, y = near + (far - near) * (d / _CHORD_M)
            return rise(at["incidence"], at["slant"], d) - relief.height_m(x, y)

        low, high = (
            towards_radar(at["incidence"], at["slant"], np.full(np.shape(line), height))
            for height in (relief.low_m, relief.high_m)
        )
        for _ in range(_STEPS):
            middle = (low + high) / 2.0
            under = missed(middle) < 0.0
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        longitude, latitude = _forward(at, (low + high) / 2.0)
        x, y = (np.asarray(part) for part in to_map.transform(longitude, latitude))
        return GroundPoints(longitude, latitude, relief.height_m(x, y), x, y)


class _Slants:
    """Slant range of samples, by the polynomial in ground range that is nearest in time to a line's."""

    def __init__(self, annotation: ElementTree.Element) -> None:
        first = np.datetime64(annotation.findtext(".//productFirstLineUtcTime", ""), "ns")
        interval_s = float(annotation.findtext(".//azimuthTimeInterval", "nan"))
        updates = annotation.findall(".//coordinateConversion")
        times = np.array([np.datetime64(one.findtext("azimuthTime", ""), "ns") for one in updates])
        self._line = (times - first) / np.timedelta64(1, "ns") * 1e-9 / interval_s
        self._origin_m = np.array([float(one.findtext("gr0", "nan")) for one in updates])
        self._coefficients = [
            np.array(one.findtext("grsrCoefficients", "").split(), dtype=np.float64) for one in updates
        ]
        self._spacing_m = float(annotation.findtext(".//rangePixelSpacing", "nan"))

    def at(self, line: Floats, sample: Floats) -> Floats:
        """Metres."""
        edges = (self._line[1:] + self._line[:-1]) / 2.0
        nearest, slant = np.searchsorted(edges, line), np.empty(np.shape(line))
        for k in np.unique(nearest):
            chosen = nearest == k
            ground_m = sample[chosen] * self._spacing_m - self._origin_m[k]
            slant[chosen] = np.polynomial.polynomial.polyval(ground_m, self._coefficients[k])
        return slant


def towards_radar(incidence: Floats, slant: Floats, height: Floats) -> Floats:
    """Metres towards the radar at which ground of a height is seen at the same slant range.

    Higher ground lies farther from the radar: where it rises, the number is negative.

    Parameters
    ----------
    incidence, slant : array
        Radians and metres, of the place at height 0.
    height : array
        Metres above it.

    Examples
    --------
    Half a kilometre up, under 45°: half a kilometre away, and a little less for a wave that is round.

    >>> float(towards_radar(np.float64(np.pi / 4), np.float64(9e5), np.float64(500.0)).round(1))
    -499.6
    """
    across, up = slant * np.sin(incidence), slant * np.cos(incidence)
    d = np.asarray(-height / np.tan(incidence))
    for _ in range(_ROUNDS):
        missed = (across - d) ** 2 + (up - height + d**2 / (2.0 * EARTH_M)) ** 2 - slant**2
        d = d + missed / (2.0 * across)
    return d


def rise(incidence: Floats, slant: Floats, d: Floats) -> Floats:
    """Height of ground that is seen at the same slant range, some metres towards the radar."""
    across, up = slant * np.sin(incidence), slant * np.cos(incidence)
    return np.asarray(up + d**2 / (2.0 * EARTH_M) - np.sqrt(slant**2 - (across - d) ** 2))


_COLUMNS = ("longitude", "latitude", "height", "slantRangeTime", "incidenceAngle")
_GEOD = Geod(ellps="WGS84")


def _at_height_0(
    lon: Floats, lat: Floats, height: Floats, slant_s: Floats, incidence_deg: Floats
) -> dict[str, Floats]:
    """Places, slant range, incidence and azimuth towards the radar of the grid's points, at height 0."""
    slant, incidence = slant_s * LIGHT_M_S / 2.0, np.deg2rad(incidence_deg)
    azimuth = np.empty(lon.shape)
    azimuth[:, 1:] = _GEOD.inv(lon[:, 1:], lat[:, 1:], lon[:, :-1], lat[:, :-1])[0]
    azimuth[:, 0] = azimuth[:, 1]
    d = towards_radar(incidence, slant, -height)
    lon, lat, _ = _GEOD.fwd(lon, lat, azimuth, d)
    incidence = incidence - d / EARTH_M - d * np.cos(incidence) / slant
    return {"lon": lon, "lat": lat, "slant": slant, "incidence": incidence, "azimuth": azimuth % 360.0}


def _forward(at: dict[str, Floats], d: Floats) -> tuple[Floats, Floats]:
    longitude, latitude, _ = _GEOD.fwd(at["lon"], at["lat"], at["azimuth"], d)
    return np.asarray(longitude), np.asarray(latitude)


def _refuse_no_grid(shape: tuple[int, int], points: int) -> None:
    if min(shape) < 4 or shape[0] * shape[1] != points:  # splines of third degree
        raise SceneError(
            "a geolocation grid of at least 4 × 4 points",
            f"{points} points in {shape[0]} lines and {shape[1]} samples",
            "the image has no place on the ground",
            "give a product whose annotation is whole",
        )
