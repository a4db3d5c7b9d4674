"""The place, the orbit and the dates that a simulated event takes from a real product."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from headscarp.backscatter.annotation import Annotation
from headscarp.backscatter.documents import Element, parse_document
from headscarp.backscatter.passes import read_product
from headscarp.backscatter.safe import Safe, open_safe
from headscarp.errors import EventError, OptionsError, SceneError
from headscarp.event import parse_event_date
from headscarp.geometry.orbit import REPEAT_CYCLE, local_solar_time_h, relative_orbit_from_absolute
from headscarp.grid import utm_crs
from headscarp.simulate.options import Product, SimulateOptions
from headscarp.simulate.radar.passes import Orbit, Pass
from headscarp.simulate.safe.swath import Relief, Swath

LARGEST_KM = 40.0
"""Side of an event: ground and images are whole arrays, and it is seen from the direction of its middle."""
_CYCLE_DAYS = REPEAT_CYCLE.days


@dataclass(frozen=True)
class Overpass:
    """A product's annotation, and how it looks at its own middle.

    Attributes
    ----------
    safe : Safe
    swath : Swath
        Where its samples lie.
    orbit : Orbit
        Its own, at the middle of the image.
    acquired : datetime
        First line, UTC, to the second.
    line, sample : int
        The middle of the image, on a line of the geolocation grid.
    """

    safe: Safe
    swath: Swath
    orbit: Orbit
    acquired: datetime
    line: int
    sample: int

    @property
    def document(self) -> Element:
        """Annotation of the first polarisation."""
        return _document(self.safe)

    def passes(self, day: str, pre: int, post: int) -> list[Pass]:
        """Passes around the day of an event, oldest first, one every twelve days.

        Raises
        ------
        EventError
            If there is a pass on that day.
        """
        days = _days_since(self.acquired, day)
        if days % _CYCLE_DAYS == 0:
            raise EventError(
                "a day of the event on which the product's orbit does not pass",
                f"{day}, {days // _CYCLE_DAYS} repeat cycles from {self.acquired:%Y-%m-%d}",
                "whether that scene is before or after the event would not be known",
                "choose the day before or after",
            )
        last = days // _CYCLE_DAYS
        return [
            Pass(self.orbit, self.acquired + REPEAT_CYCLE * (last + step), step > 0)
            for step in range(1 - pre, post + 1)
        ]

    def cycles(self, acquisition: Pass) -> int:
        """Repeat cycles from the product to one of its passes."""
        moved: timedelta = acquisition.acquired - self.acquired
        return moved // REPEAT_CYCLE

    def geobox(self, size_px: int, spacing_m: float) -> GeoBox:
        """A grid around the middle of the image, in its UTM zone.

        Raises
        ------
        OptionsError
            If it is larger than ``LARGEST_KM``.
        """
        _refuse_large(size_px * spacing_m / 1000.0)
        place = self._middle("EPSG:4326")
        crs = utm_crs(place[0], place[1])
        x, y = self._middle(crs)
        west, north = (
            round((middle + side * size_px * spacing_m / 2.0) / spacing_m) * spacing_m
            for middle, side in ((x, -1), (y, 1))
        )
        return GeoBox((size_px, size_px), Affine(spacing_m, 0.0, west, 0.0, -spacing_m, north), crs)

    def _middle(self, crs: str) -> tuple[float, float]:
        level = Relief(lambda x, _: np.zeros(np.shape(x)), -1.0, 1.0, crs)
        found = self.swath.ground(np.array([float(self.line)]), np.array([float(self.sample)]), level)
        return float(found.x[0]), float(found.y[0])


def read_overpass(options: SimulateOptions) -> Overpass | None:
    """Read the product that an event's place, orbit and dates are taken from; none: there is none.

    Raises
    ------
    OptionsError
        If products are asked for without one, or with ground of its own.
    SceneError
        If it is no IW GRD product, or not whole.
    """
    if options.annotation is None:
        if options.product is Product.SAFE:
            raise OptionsError(
                "a real Sentinel-1 IW GRD product, whose annotation the simulated ones take",
                "--product safe without --annotation",
                "orbits, times and tables of an instrument cannot be made up",
                "pass --annotation with any IW GRD product (.SAFE or zip); its image is not used",
            )
        return None
    if options.dem is not None:
        raise OptionsError(
            "--annotation or --dem",
            "both",
            "the event lies in the middle of the product's image, the DEM somewhere else",
            "drop one of them",
        )
    return _overpass(options.annotation, options.date)


def _overpass(path: Path, day: str) -> Overpass:
    safe = open_safe(path)
    annotation = read_product(safe).annotation
    swath = Swath(_document(safe), stepped=True)
    line = int(swath.grid_lines[np.argmin(np.abs(swath.grid_lines - annotation.lines / 2.0))])
    return Overpass(safe, swath, _orbit(annotation, day), annotation.acquired, line, annotation.samples // 2)


def _orbit(annotation: Annotation, day: str) -> Orbit:
    """The product's orbit, at the middle of its swath."""
    relative_orbit = relative_orbit_from_absolute(annotation.platform, annotation.absolute_orbit)
    if relative_orbit is None:
        raise SceneError(
            "a product of a satellite whose relative orbits are known",
            annotation.platform,
            "its dates could not be told to be of one orbit",
            "give a product of Sentinel-1A, 1B or 1C",
        )
    return Orbit(
        state=annotation.orbit_state,
        relative_orbit=relative_orbit,
        last_pass_days=_days_since(annotation.acquired, day) % _CYCLE_DAYS,
        solar_h=local_solar_time_h(annotation.acquired, float(annotation.grid.longitude_deg.mean())),
        across_swath=0.5,
        missed_share=0.0,
        platform=annotation.platform,
    )


def _days_since(acquired: datetime, day: str) -> int:
    """Whole days from a product's day to that of an event."""
    event, _ = parse_event_date(day)
    return (event.date() - acquired.date()).days


def _document(safe: Safe) -> Element:
    member = next(iter(safe.channels.values())).annotation
    return parse_document(safe.read(member), member)


def _refuse_large(side_km: float) -> None:
    if side_km > LARGEST_KM:
        raise OptionsError(
            f"an event of at most {LARGEST_KM:g} km with --annotation",
            f"{side_km:.1f} km",
            "its ground is held in memory whole, and taken to be seen from one direction",
            "lower --size or --spacing",
        )
