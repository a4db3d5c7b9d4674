"""What the annotation of a polarisation says: facts, image, orbit, geolocation grid, ground range.

Source: Sentinel-1 Product Specification (S1-RS-MDA-52-7441), tables of ``product``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np

from headscarp.backscatter.documents import (
    Element,
    Floats,
    Times,
    column,
    moment,
    moments,
    number,
    numbers,
    seconds_since,
    text,
)
from headscarp.errors import SceneError
from headscarp.vocabulary import OrbitState


class StateVectors(NamedTuple):
    """Positions and velocities of the satellite, Earth fixed: metres and metres per second."""

    utc: Times
    position_m: Floats
    """Shape (n, 3)."""
    velocity_m_s: Floats
    source: str


class GeolocationGrid(NamedTuple):
    """Points that the producer placed on the ground; every field has one value a point."""

    line: Floats
    sample: Floats
    latitude_deg: Floats
    longitude_deg: Floats
    height_m: Floats
    incidence_deg: Floats
    time_s: Floats
    """Zero-Doppler time from the first line's."""
    slant_range_time_s: Floats


class GroundRange(NamedTuple):
    """Polynomials of slant range in ground range, each with the time that it is for."""

    time_s: Floats
    """From the first line's."""
    origin_m: Floats
    coefficients: Floats
    """Shape (n, degree + 1), from the constant up; metres."""


@dataclass(frozen=True)
class Annotation:
    """The annotation of one polarisation."""

    platform: str
    orbit_state: OrbitState
    absolute_orbit: int
    data_take: int
    first_line: np.datetime64
    last_line: np.datetime64
    line_interval_s: float
    lines: int
    samples: int
    sample_spacing_m: float
    orbit: StateVectors
    grid: GeolocationGrid
    ground_range: GroundRange

    @property
    def acquired(self) -> datetime:
        """UTC of the first line, to the second, as products are named."""
        return datetime.fromisoformat(str(self.first_line.astype("datetime64[s]")) + "+00:00")


def read_annotation(root: Element) -> Annotation:
    """Read the annotation of a polarisation from its document.

    Raises
    ------
    SceneError
        If it is that of another mode or type, or something that it must have is missing.
    """
    _refuse_other_kinds(root)
    first = moment(root, ".//imageInformation/productFirstLineUtcTime")
    return Annotation(
        platform=text(root, "adsHeader/missionId"),
        orbit_state=OrbitState(text(root, ".//productInformation/pass").lower()),
        absolute_orbit=int(text(root, "adsHeader/absoluteOrbitNumber")),
        data_take=int(text(root, "adsHeader/missionDataTakeId")),
        first_line=first,
        last_line=moment(root, ".//imageInformation/productLastLineUtcTime"),
        line_interval_s=number(root, ".//imageInformation/azimuthTimeInterval"),
        lines=int(number(root, ".//imageInformation/numberOfLines")),
        samples=int(number(root, ".//imageInformation/numberOfSamples")),
        sample_spacing_m=number(root, ".//imageInformation/rangePixelSpacing"),
        orbit=_orbit(root),
        grid=_grid(root, first),
        ground_range=_ground_range(root, first),
    )


def _refuse_other_kinds(root: Element) -> None:
    mode, kind = text(root, "adsHeader/mode"), text(root, "adsHeader/productType")
    if (mode, kind) != ("IW", "GRD"):
        raise SceneError(
            "annotation of an IW GRD product",
            f"{mode} {kind}",
            "other modes and types have another geometry",
            "fetch the IW_GRDH product of the pass",
        )


def _several(root: Element, path: str, least: int) -> list[Element]:
    found = root.findall(path)
    if len(found) < least:
        raise SceneError(
            f"at least {least} <{path.rpartition('/')[2]}> in the annotation",
            f"{len(found)}",
            "the image could not be placed",
            "download the product again",
        )
    return found


def _orbit(root: Element) -> StateVectors:
    vectors = _several(root, ".//orbitList/orbit", 4)
    position, velocity = (
        np.stack([column(vectors, f"{kind}/{axis}") for axis in "xyz"], axis=1)
        for kind in ("position", "velocity")
    )
    return StateVectors(moments(vectors, "time"), position, velocity, "annotation")


def _grid(root: Element, first: np.datetime64) -> GeolocationGrid:
    points = _several(root, ".//geolocationGridPointList/geolocationGridPoint", 4)
    return GeolocationGrid(
        line=column(points, "line"),
        sample=column(points, "pixel"),
        latitude_deg=column(points, "latitude"),
        longitude_deg=column(points, "longitude"),
        height_m=column(points, "height"),
        incidence_deg=column(points, "incidenceAngle"),
        time_s=seconds_since(moments(points, "azimuthTime"), first),
        slant_range_time_s=column(points, "slantRangeTime"),
    )


def _ground_range(root: Element, first: np.datetime64) -> GroundRange:
    updates = _several(root, ".//coordinateConversionList/coordinateConversion", 1)
    coefficients = [numbers(update, "grsrCoefficients") for update in updates]
    longest = max(map(len, coefficients))
    padded = np.array([np.pad(row, (0, longest - len(row))) for row in coefficients])
    return GroundRange(seconds_since(moments(updates, "azimuthTime"), first), column(updates, "gr0"), padded)
