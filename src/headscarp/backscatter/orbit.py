"""Where the satellite was: state vectors of the annotation or of an orbit file, as smooth polynomials.

A precise orbit comes as an Earth Observation file (EOF, ``*_POEORB_*`` or ``*_RESORB_*``), whose vectors are
10 s apart; the annotation's are 1 s or 10 s apart. Both are fitted by one polynomial an axis over the
vectors around the image, as sarsen does (``OrbitPolyfitInterpolator``); NumPy alone evaluates it, block by
block, several times faster than labelled arrays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.polynomial import Polynomial, polynomial

from headscarp.backscatter.annotation import Annotation, StateVectors
from headscarp.backscatter.documents import (
    Element,
    Floats,
    column,
    moment,
    moments,
    parse_document,
    seconds_since,
    text,
)
from headscarp.errors import SceneError

DEGREE = 5
"""Of the polynomials: they miss the vectors around an image by less than a millimetre."""
MARGIN_S = 60.0
"""Vectors that long before and after the image are fitted too, so that it lies in the middle."""
_LEAST_VECTORS = DEGREE + 3
_MISSIONS = {"S1A": "Sentinel-1A", "S1B": "Sentinel-1B", "S1C": "Sentinel-1C", "S1D": "Sentinel-1D"}
_NAME = re.compile(
    r"(?P<platform>S1[A-D])_OPER_AUX_(?P<kind>POE|RES|PRE)ORB_OPOD_\d{8}T\d{6}_"
    r"V(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})\.EOF$"
)
_KINDS = {"POE": "precise orbit", "RES": "restituted orbit", "PRE": "predicted orbit"}


class Motion(NamedTuple):
    """Position, velocity and acceleration, shape (..., 3); metres and seconds."""

    position: Floats
    velocity: Floats
    acceleration: Floats


@dataclass(frozen=True)
class Orbit:
    """Polynomials of position, velocity and acceleration in seconds from the first line."""

    position: Floats
    """Shape (DEGREE + 1, 3), in units of ``scale_s`` from ``middle_s``."""
    middle_s: float
    scale_s: float
    residual_m: float
    """Largest distance of a vector from the polynomials."""
    source: str

    def at(self, time_s: Floats) -> Motion:
        """Where the satellite was, how fast, and how that changed."""
        u = (time_s - self.middle_s) / self.scale_s
        speed = polynomial.polyder(self.position)
        force = polynomial.polyder(speed)
        position, velocity, acceleration = (
            np.moveaxis(np.asarray(polynomial.polyval(u, part), dtype=np.float64), 0, -1)
            for part in (self.position, speed, force)
        )
        return Motion(position, velocity / self.scale_s, acceleration / self.scale_s**2)


def fit_orbit(vectors: StateVectors, annotation: Annotation) -> Orbit:
    """Fit the vectors around an image.

    Parameters
    ----------
    vectors : StateVectors
    annotation : Annotation
        Of the image.

    Raises
    ------
    SceneError
        If the vectors do not cover the image, or are too few.
    """
    time_s = seconds_since(vectors.utc, annotation.first_line)
    duration_s = float(seconds_since(annotation.last_line, annotation.first_line))
    near = (time_s > -MARGIN_S) & (time_s < duration_s + MARGIN_S)
    _refuse_uncovered(time_s[near], duration_s, vectors.source)
    time_s, position_m = time_s[near], vectors.position_m[near]
    middle_s, scale_s = float(time_s.mean()), float(np.ptp(time_s)) / 2.0
    u = (time_s - middle_s) / scale_s
    fits = [Polynomial.fit(u, position_m[:, axis], DEGREE, domain=[-1.0, 1.0]) for axis in range(3)]
    missed = np.stack([fit(u) for fit in fits], axis=1) - position_m
    coefficients = np.stack([np.asarray(fit.coef, dtype=np.float64) for fit in fits], axis=1)
    residual_m = float(np.linalg.norm(missed, axis=1).max())
    return Orbit(coefficients, middle_s, scale_s, residual_m, vectors.source)


def choose_vectors(annotation: Annotation, orbit: Path | None) -> StateVectors:
    """State vectors of an orbit file for the image, or the annotation's own where none is given.

    Parameters
    ----------
    annotation : Annotation
    orbit : Path or None
        An EOF file, or a folder in which the one for mission and time is looked for; the best kind is taken
        (precise before restituted before predicted).

    Raises
    ------
    SceneError
        If the file is of another mission or time, or the folder holds none for the image.
    """
    if orbit is None:
        return annotation.orbit
    if not orbit.is_dir():
        return read_orbit_file(orbit, annotation)
    fitting = fitting_files(orbit, annotation)
    if not fitting:
        raise SceneError(
            f"an orbit file of {annotation.platform} that covers {annotation.first_line}",
            f"{orbit}, with none",
            "positions on the ground would be those of a coarser orbit without a sign",
            "fetch the POEORB file of that day, or leave --orbit out for the annotation's vectors",
        )
    return read_orbit_file(fitting[0], annotation)


def fitting_files(folder: Path, annotation: Annotation) -> list[Path]:
    """Orbit files in a folder whose names are of an image's mission and time, the best kind first."""
    order = list(_KINDS)
    fitting = [path for path in sorted(folder.iterdir()) if _fits(path, annotation)]
    return sorted(fitting, key=lambda path: order.index(_NAME.search(path.name)["kind"]))  # type: ignore[index]


def read_orbit_file(path: Path, annotation: Annotation) -> StateVectors:
    """Read the vectors of an EOF file around an image.

    Raises
    ------
    SceneError
        If the file cannot be read, is another mission's, or does not cover the image.
    """
    try:
        root = parse_document(path.read_bytes(), path.name)
    except OSError as error:
        raise SceneError(
            "an orbit file", f"{path} ({error})", "the satellite's place is not known", "check --orbit"
        ) from error
    _refuse_wrong_orbit(root, path, annotation)
    vectors = root.findall(".//OSV")
    utc = moments(vectors, "UTC")
    return StateVectors(
        utc,
        np.stack([column(vectors, axis) for axis in "XYZ"], axis=1),
        np.stack([column(vectors, f"V{axis}") for axis in "XYZ"], axis=1),
        f"{_kind(path)} {path.name}",
    )


def _kind(path: Path) -> str:
    match = _NAME.search(path.name)
    return _KINDS[match["kind"]] if match else "orbit file"


def _fits(path: Path, annotation: Annotation) -> bool:
    match = _NAME.search(path.name)
    if match is None or match["platform"] != annotation.platform:
        return False
    start, stop = (_compact(match[name]) for name in ("start", "stop"))
    return bool(start <= annotation.first_line and annotation.last_line <= stop)


def _compact(time: str) -> np.datetime64:
    """UTC from ``20211222T225942``."""
    return np.datetime64(f"{time[:4]}-{time[4:6]}-{time[6:8]}T{time[9:11]}:{time[11:13]}:{time[13:15]}", "ns")


def _refuse_wrong_orbit(root: Element, path: Path, annotation: Annotation) -> None:
    mission = text(root, ".//Fixed_Header/Mission")
    if mission != _MISSIONS.get(annotation.platform):
        raise SceneError(
            f"an orbit file of {_MISSIONS.get(annotation.platform, annotation.platform)}",
            f"{path.name}, of {mission}",
            "another satellite was elsewhere: the image would be misplaced by thousands of kilometres",
            "fetch the file of the right mission",
        )
    start, stop = (moment(root, f".//Validity_Period/Validity_{end}") for end in ("Start", "Stop"))
    if not (start <= annotation.first_line and annotation.last_line <= stop):
        raise SceneError(
            f"an orbit file that covers {annotation.first_line} to {annotation.last_line}",
            f"{path.name}, valid {start} to {stop}",
            "beyond its vectors an orbit is a guess",
            "fetch the file of that day",
        )


def _refuse_uncovered(time_s: Floats, duration_s: float, source: str) -> None:
    covered = time_s.size >= _LEAST_VECTORS and time_s.min() <= 0.0 and time_s.max() >= duration_s
    if not covered:
        span = f"{time_s.min():.1f} to {time_s.max():.1f} s" if time_s.size else "none"
        raise SceneError(
            f"{_LEAST_VECTORS} state vectors or more, from before to after an image of {duration_s:.1f} s",
            f"{time_s.size} of {source}, {span} from its first line",
            "beyond its vectors an orbit is a guess",
            "pass --orbit with a precise orbit file",
        )
