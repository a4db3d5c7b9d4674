r"""From a place on the ground to a line and a sample of the image: the range-Doppler equations.

A place :math:`P` is seen at the time :math:`t` at which the satellite :math:`S` passes it at a right angle
(zero Doppler), and at the slant range :math:`R`:

.. math:: (P - S(t)) \cdot \dot S(t) = 0, \qquad R = \lVert P - S(t) \rVert

Two things that the products' own geolocation grids have, and that are easily missed:

- **Lines.** The processor took the delay between pulse and echo as that of one range for the whole swath. A
  line's time is the zero-Doppler time of that range only; at another slant-range time :math:`\tau` it is
  late by :math:`(\tau - \tau_0)/2`, up to 0.18 line at the edges of the swath. Slope and :math:`\tau_0` are
  fitted to the grid's own times (its residual is a microsecond, the unit of the times).
- **Samples.** Ground range comes from the ``grsr`` polynomial nearest in time, inverted. Interpolated between
  two polynomials, as xarray-sentinel and SNAP do, samples miss the grid by 0.5 to 4; with the ``srgr``
  polynomials, which are fits of their own, they miss it by up to 4.

References
----------
Small, D. and Schubert, A. (2019). Guide to Sentinel-1 Geocoding, UZH-S1-GC-AD. Gisinger, C. et al. (2021).
In-depth verification of Sentinel-1 and TerraSAR-X geolocation accuracy. IEEE TGRS 59(2), 1154-1181.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.polynomial import polynomial

from headscarp.backscatter.annotation import Annotation, GroundRange
from headscarp.backscatter.documents import Floats
from headscarp.backscatter.orbit import Orbit

SPEED_OF_LIGHT_M_S = 299_792_458.0
SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1.0 / 298.257223563
"""Of the WGS 84 ellipsoid."""

_INVERSE = 6
"""Nodes of a block's polynomial of ground range in range: exact to a micrometre over 10 km."""
_ITERATIONS = 10
_CONVERGED_S = 1e-9
"""About a hundredth of a millimetre along the track."""


class Seen(NamedTuple):
    """When and how far places were seen; every field has the shape of the places."""

    time_s: Floats
    """Zero-Doppler time from the first line's."""
    range_m: Floats


class Delay(NamedTuple):
    """How much later a line's zero-Doppler time is at a slant range: slope and the range without delay."""

    slope_s_m: float
    range_m: float

    def at(self, range_m: Floats) -> Floats:
        """Seconds."""
        return self.slope_s_m * (range_m - self.range_m)


@dataclass(frozen=True)
class Imaging:
    """All that turns times and ranges into lines and samples of one image."""

    orbit: Orbit
    delay: Delay
    ground_range: GroundRange
    line_interval_s: float
    sample_spacing_m: float
    lines: int
    samples: int
    selection: Literal["nearest", "linear"] = "nearest"

    def see(self, places_m: Floats) -> Seen:
        """When and how far Earth-fixed places, shape (..., 3), were seen."""
        return zero_doppler(self.orbit, places_m, self.lines * self.line_interval_s / 2.0)

    def line(self, seen: Seen) -> Floats:
        """Lines, counted from 0 at the centre of the first."""
        return np.asarray((seen.time_s - self.delay.at(seen.range_m)) / self.line_interval_s)

    def sample(self, range_m: Floats, line: Floats) -> Floats:
        """Samples, counted from 0 at the centre of the first."""
        return self._ground_m(range_m, line, self.ground_m) / self.sample_spacing_m

    def block_sample(self, range_m: Floats, line: Floats) -> Floats:
        """Samples of a block of a few kilometres: ground range is a polynomial of range there."""
        low_m, high_m = float(np.nanmin(range_m)), float(np.nanmax(range_m)) + 1.0
        nodes = np.cos(np.pi * (np.arange(_INVERSE) + 0.5) / _INVERSE)
        nodes_m = (low_m + high_m) / 2.0 + nodes * (high_m - low_m) / 2.0

        def ground_m(k: int, some_m: Floats) -> Floats:
            at_nodes = self.ground_m(k, nodes_m)
            if not np.isfinite(at_nodes).all():  # the block reaches far beyond the swath
                return self.ground_m(k, some_m)
            fitted = polynomial.polyfit(nodes, at_nodes, _INVERSE - 1)
            u = (some_m - (low_m + high_m) / 2.0) / ((high_m - low_m) / 2.0)
            return np.asarray(polynomial.polyval(u, fitted), dtype=np.float64)

        return self._ground_m(range_m, line, ground_m) / self.sample_spacing_m

    def ground_m(self, k: int, range_m: Floats) -> Floats:
        """Ground range of slant ranges, by the inverse of one polynomial."""
        return invert_ground_range(
            self.ground_range.coefficients[k],
            float(self.ground_range.origin_m[k]),
            range_m,
            self.samples * self.sample_spacing_m,
        )

    def _ground_m(self, range_m: Floats, line: Floats, inverse: Callable[[int, Floats], Floats]) -> Floats:
        """Ground range by the polynomial of each line, or by the two that it lies between."""
        position = self._position(line)
        if self.selection == "nearest":
            position = np.floor(position + 0.5)
        ground_m = np.full(np.shape(range_m), np.nan)
        known = np.isfinite(position)
        for k in range(*_span(position[known])):
            chosen = known & (position >= k) & (position < k + 1)
            if chosen.any():
                share = position[chosen] - k
                found = inverse(k, range_m[chosen])
                if share.any():
                    found = found + share * (inverse(k + 1, range_m[chosen]) - found)
                ground_m[chosen] = found
        return ground_m

    def _position(self, line: Floats) -> Floats:
        """Which polynomial a line has, in fractions between two; the first and last hold beyond them."""
        times_s = self.ground_range.time_s
        return np.asarray(np.interp(line * self.line_interval_s, times_s, np.arange(float(times_s.size))))


def _span(position: Floats) -> tuple[int, int]:
    """First of some positions, and behind the last."""
    return (int(position.min()), int(position.max()) + 1) if position.size else (0, 0)


def imaging_of(annotation: Annotation, orbit: Orbit, selection: Literal["nearest", "linear"]) -> Imaging:
    """Compose what one image's lines and samples are computed from."""
    return Imaging(
        orbit=orbit,
        delay=fit_delay(annotation),
        ground_range=annotation.ground_range,
        line_interval_s=annotation.line_interval_s,
        sample_spacing_m=annotation.sample_spacing_m,
        lines=annotation.lines,
        samples=annotation.samples,
        selection=selection,
    )


def earth_fixed(longitude_deg: Floats, latitude_deg: Floats, height_m: Floats) -> Floats:
    """Earth-fixed coordinates of places on or above the ellipsoid, shape (..., 3), metres.

    Examples
    --------
    >>> earth_fixed(np.array(90.0), np.array(0.0), np.array(10.0)).round(3).tolist()
    [0.0, 6378147.0, 0.0]
    """
    eccentricity2 = FLATTENING * (2.0 - FLATTENING)
    lon, lat = np.deg2rad(longitude_deg), np.deg2rad(latitude_deg)
    sine, cosine = np.sin(lat), np.cos(lat)
    normal_m = SEMI_MAJOR_M / np.sqrt(1.0 - eccentricity2 * sine**2)
    return np.stack(
        [
            (normal_m + height_m) * cosine * np.cos(lon),
            (normal_m + height_m) * cosine * np.sin(lon),
            (normal_m * (1.0 - eccentricity2) + height_m) * sine,
        ],
        axis=-1,
    )


def zero_doppler(orbit: Orbit, places_m: Floats, guess_s: float = 0.0) -> Seen:
    """Solve the range-Doppler equations by Newton's method.

    Parameters
    ----------
    orbit : Orbit
    places_m : array of shape (..., 3)
        Earth fixed.
    guess_s : float
        Time to start from; anywhere near the image will do.

    Returns
    -------
    Seen
        NaN for a place so far from the track that there is no solution near the image.
    """
    time_s = np.full(places_m.shape[:-1], guess_s)
    for _ in range(_ITERATIONS):
        step = _newton_step(orbit, places_m, time_s)
        time_s = time_s - step
        if not np.any(np.abs(step) > _CONVERGED_S):
            break
    else:
        time_s = np.where(np.abs(step) > _CONVERGED_S, np.nan, time_s)
    return Seen(time_s, np.linalg.norm(places_m - orbit.at(time_s).position, axis=-1))


def _newton_step(orbit: Orbit, places_m: Floats, time_s: Floats) -> Floats:
    """How much too late a time is, by the distance along the track and how fast that shrinks."""
    motion = orbit.at(time_s)
    sight = places_m - motion.position
    along = np.einsum("...i,...i", sight, motion.velocity)
    speed2 = np.einsum("...i,...i", motion.velocity, motion.velocity)
    return np.asarray(along / (np.einsum("...i,...i", sight, motion.acceleration) - speed2))


def fit_delay(annotation: Annotation) -> Delay:
    """Fit the delay of lines over range to the times that the geolocation grid's points carry."""
    grid = annotation.grid
    late_s = grid.time_s - grid.line * annotation.line_interval_s
    range_m = grid.slant_range_time_s * SPEED_OF_LIGHT_M_S / 2.0
    middle_m = float(range_m.mean())
    constant, slope = polynomial.polyfit(range_m - middle_m, late_s, 1)
    if abs(slope) * np.ptp(range_m) < annotation.line_interval_s / 1000.0:
        return Delay(0.0, middle_m)  # a grid without the delay: an older processor's
    return Delay(float(slope), middle_m - float(constant / slope))


def invert_ground_range(coefficients: Floats, origin_m: float, range_m: Floats, far_m: float) -> Floats:
    """Ground range at slant ranges, by the inverse of a polynomial of slant range in ground range.

    A Newton step from an interpolated table: the table's nodes are 400 m apart, so that one step is exact
    to a hundredth of a millimetre.

    Parameters
    ----------
    coefficients : array of shape (degree + 1,)
        From the constant up.
    origin_m : float
        Ground range at which the polynomial's variable is zero.
    range_m : array
    far_m : float
        Ground range of the far edge; the table goes some way beyond both edges.

    Returns
    -------
    array
        Metres; NaN far outside the image.
    """
    reach_m = 0.1 * far_m
    nodes = np.linspace(-reach_m, far_m + reach_m, int(np.ceil(1.2 * far_m / 400.0)) + 2)
    slant_m = polynomial.polyval(nodes - origin_m, coefficients)
    rising = np.concatenate([[True], np.diff(np.maximum.accumulate(slant_m)) > 0.0])
    ground_m = np.interp(range_m, slant_m[rising], nodes[rising], left=np.nan, right=np.nan)
    slope = polynomial.polyval(ground_m - origin_m, polynomial.polyder(coefficients))
    missed_m = polynomial.polyval(ground_m - origin_m, coefficients) - range_m
    return np.asarray(ground_m - missed_m / slope)
