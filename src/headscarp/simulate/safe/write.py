"""A simulated pass as a GRD product: the documents of a real one, and an image of the event in its middle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from headscarp.backscatter.documents import parse_document
from headscarp.backscatter.options import Coefficient
from headscarp.backscatter.safe import Safe, open_safe
from headscarp.backscatter.tables import read_calibration, read_noise
from headscarp.errors import OptionsError
from headscarp.grid import crs_wkt
from headscarp.simulate.event import POLARIZATIONS, SimulatedEvent
from headscarp.simulate.fields import Field
from headscarp.simulate.radar.passes import Pass
from headscarp.simulate.radar.speckle import GRD_SPACING_M, default_looks, speckle
from headscarp.simulate.safe.documents import write_documents
from headscarp.simulate.safe.image import digital_numbers, write_measurement
from headscarp.simulate.safe.overpass import Overpass
from headscarp.simulate.safe.swath import Floats, Relief
from headscarp.vocabulary import Polarization

_MARGIN_PX = 48
"""Samples around the event, for what the middle of its ground and its corners differ from a plane."""


@dataclass(frozen=True)
class ImagePart:
    """Samples that show an event.

    Attributes
    ----------
    lines, samples : array
        Whole numbers, of the rows and columns of the part.
    place : array of shape (2, lines, samples)
        Row and column of the event's grid that each sample shows, in fractions; beyond it outside.
    size : tuple of (lines, samples)
        Of the whole image.
    """

    lines: Floats
    samples: Floats
    place: NDArray[np.float32]
    size: tuple[int, int]

    @property
    def first(self) -> tuple[int, int]:
        """First line and sample."""
        return int(self.lines[0]), int(self.samples[0])


def image_part(event: SimulatedEvent) -> ImagePart:
    """Find the samples of an event's product that show it, and where on its grid each lies.

    Raises
    ------
    OptionsError
        If the event has no product to be shown in.
    """
    overpass, relief = _overpass(event), _relief(event)
    lines, samples = _window(event, overpass, relief)
    ground = overpass.swath.ground(*np.meshgrid(lines, samples, indexing="ij"), relief)
    col, row = ~event.geobox.transform @ (ground.x, ground.y)
    place = np.stack([row - 0.5, col - 0.5]).astype(np.float32)
    return ImagePart(lines, samples, place, overpass.swath.size)


def write_product(folder: Path, event: SimulatedEvent, part: ImagePart, acquisition: Pass) -> Path:
    """Write one pass as a ``.SAFE`` folder, VV and VH.

    Backscatter is sampled bilinearly where each sample lies, turned into digital numbers by the product's own
    calibration and noise, and speckled in the geometry of the radar.

    Parameters
    ----------
    folder : Path
    event : SimulatedEvent
    part : ImagePart
    acquisition : Pass
    """
    overpass = _overpass(event)
    path = write_documents(overpass.safe, folder, overpass.cycles(acquisition))
    safe, (rows, cols) = open_safe(path), event.ground.shape
    power = event.unspeckled(acquisition, slice(0, rows), slice(0, cols))
    for band, pol in enumerate(POLARIZATIONS):
        numbers = _numbers(event, safe, part, acquisition, pol, power[band])
        stem = Path(safe.channels[pol].annotation).stem
        write_measurement(path / "measurement" / f"{stem}.tiff", part.size, numbers, part.first)
    return path


def _numbers(
    event: SimulatedEvent, safe: Safe, part: ImagePart, acquisition: Pass, pol: Polarization, power: Field
) -> NDArray[np.uint16]:
    """Digital numbers of a polarisation, from its backscatter on the event's grid."""
    channel = safe.channels[pol]
    calibration, noise = (
        parse_document(safe.read(member), member) for member in (channel.calibration, channel.noise)
    )
    grain = speckle(
        event.options.seed,
        ("speckle", acquisition.name, pol),
        slice(part.first[0], part.first[0] + part.lines.size),
        slice(part.first[1], part.first[1] + part.samples.size),
        GRD_SPACING_M,
        event.options.looks or default_looks(GRD_SPACING_M),
    )
    return digital_numbers(
        map_coordinates(power, part.place, order=1, cval=np.nan),
        read_calibration(calibration, Coefficient.SIGMA0).at(part.lines, part.samples),
        read_noise(noise).at(part.lines, part.samples),
        grain,
    )


def _window(event: SimulatedEvent, overpass: Overpass, relief: Relief) -> tuple[Floats, Floats]:
    """Lines and samples that show the event: its corners, and what heights move towards the radar."""
    corner_m = max(event.ground.shape) * event.ground.spacing_m / math.sqrt(2.0)
    reach_px = math.ceil(corner_m / GRD_SPACING_M) + _MARGIN_PX
    lift_px = math.ceil(max(relief.high_m, 0.0) / math.tan(math.radians(30.0)) / GRD_SPACING_M)
    lines, samples = overpass.swath.size
    line = np.arange(max(overpass.line - reach_px, 0), min(overpass.line + reach_px, lines))
    sample = np.arange(max(overpass.sample - reach_px - lift_px, 0), min(overpass.sample + reach_px, samples))
    return line.astype(np.float64), sample.astype(np.float64)


def _relief(event: SimulatedEvent) -> Relief:
    """The event's heights; beyond their margin, those of the edge."""
    wide, margin = event.ground.wide_height_m, event.ground.margin_px
    low_m, high_m = float(np.nanmin(wide)), float(np.nanmax(wide))

    def height_m(x: Floats, y: Floats) -> Floats:
        col, row = ~event.geobox.transform @ (x, y)
        place = np.stack([row - 0.5 + margin, col - 0.5 + margin])
        return np.asarray(map_coordinates(wide, place, order=1, mode="nearest", output=np.float64))

    return Relief(height_m, low_m, high_m, crs_wkt(event.geobox))


def _overpass(event: SimulatedEvent) -> Overpass:
    if event.overpass is None:
        raise OptionsError(
            "an event in the middle of a real product",
            "one simulated without --annotation",
            "its image would have no geometry",
            "pass --annotation with an IW GRD product",
        )
    return event.overpass
