r"""Sentinel-2 images of a simulated event: spectra from its vegetation index, and clouds. Much simplified.

Red and near infrared give the event's NDVI *n* back, before or after,

.. math:: \rho_\mathrm{red} = \tfrac{1}{2} T (1 - n), \quad \rho_\mathrm{NIR} = \tfrac{1}{2} T (1 + n)

with the sum *T* of both; *T* and all other bands are mixed linearly of one spectrum of vegetation and one of
bare soil, by the vegetation fraction :math:`(n - n_\mathrm{soil}) / (n_\mathrm{veg} - n_\mathrm{soil})`, or
are those of water. The spectra are round numbers of the usual order. Dates differ by a little haze; season,
growth, terrain shading, sensor noise and cloud edges are left out. Clouds are opaque and bright, each with a
shadow of half its light at a fixed distance; the scene classes know them all without error.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.xr import xr_coords
from scipy.special import ndtr

from headscarp.ingest.ndvi import SceneClass
from headscarp.ingest.sen12.patch import HEIGHT, LABEL, QUANTIFICATION, S2_BANDS, SCL
from headscarp.simulate.event import SimulatedEvent
from headscarp.simulate.fields import Field, generator, regional_noise
from headscarp.simulate.ground import LandCover

REVISIT_DAYS, FIRST_AFTER_DAYS = 10, 4
"""Days between images, and from the event to the first after it; the last before it is six days old."""
SOIL_NDVI, VEGETATION_NDVI = 0.1, 0.85
CLEAR_DAYS = 0.4
"""Share of dates without a cloud; the others have any share of clouds."""
CLOUD_PX, SHADOW_PX = 40.0, 12
"""Scale of clouds; how far their shadows fall to the north and west, pixels."""
CLOUD, SHADE, HAZE = 0.6, 0.5, 0.01
"""Reflectance of clouds; light left in their shadows; spread of a date's own brightness, as a factor."""
GREEN_ABOVE = 0.4
"""NDVI from which the scene classes say vegetation."""
VEGETATED, BARE, WATER = 4, 5, 6
"""Scene classes of clear ground."""
SPECTRA = {
    "B02": (0.03, 0.10, 0.06),
    "B03": (0.06, 0.13, 0.06),
    "B04": (0.03, 0.17, 0.04),
    "B05": (0.09, 0.20, 0.03),
    "B06": (0.25, 0.22, 0.02),
    "B07": (0.32, 0.24, 0.02),
    "B08": (0.37, 0.21, 0.03),
    "B8A": (0.38, 0.27, 0.02),
    "B11": (0.17, 0.32, 0.01),
    "B12": (0.08, 0.26, 0.01),
}
"""Reflectance of vegetation, bare soil and water in each band."""


class Sky(NamedTuple):
    """Clouds over a window, and their shadows on the ground that no cloud hides."""

    cloud: NDArray[np.bool_]
    shadow: NDArray[np.bool_]


def optical_dates(day: date, pre: int, post: int) -> list[date]:
    """Days of the images around an event, rising; none is on the day itself.

    Examples
    --------
    >>> [str(day) for day in optical_dates(date(2018, 9, 6), 2, 1)]
    ['2018-08-21', '2018-08-31', '2018-09-10']
    """
    first = day + timedelta(days=FIRST_AFTER_DAYS)
    return [first + timedelta(days=REVISIT_DAYS * step) for step in range(-pre, post)]


def image_window(
    event: SimulatedEvent, rows: slice, cols: slice, day: date, pre: int, post: int
) -> xr.Dataset:
    """Images of a window of an event, as :func:`headscarp.ingest.sen12.patch.read_patch` gives a patch.

    Parameters
    ----------
    event : SimulatedEvent
    rows, cols : slice
        On its grid; the numbers of a place do not depend on the window.
    day : date
        Of the event.
    pre, post : int
        Dates before and after.

    Returns
    -------
    Dataset
        Bands in digital numbers without an offset, and ``SCL``, on (time, y, x); ``label``, ``height_m``.
    """
    dates = optical_dates(day, pre, post)
    images = [_image(event, rows, cols, when, when > day) for when in dates]
    coords = {str(k): v for k, v in xr_coords(event.geobox[rows, cols], dims=("y", "x")).items()}
    layers = {name: (("time", "y", "x"), np.stack([own[name] for own in images])) for name in images[0]}
    ground = {LABEL: event.label[rows, cols], HEIGHT: event.ground.height_m[rows, cols]}
    return xr.Dataset(
        layers | {name: (("y", "x"), values) for name, values in ground.items()},
        {"time": np.array(dates, dtype="datetime64[ns]"), **coords},
    )


def spectra_of(ndvi: Field, cover: NDArray[np.uint8]) -> dict[str, Field]:
    """Reflectance of each band on clear ground; see the module.

    Parameters
    ----------
    ndvi : float32 array
    cover : uint8 array of the same shape
        Codes of :class:`headscarp.simulate.ground.LandCover`.
    """
    green = np.clip((ndvi - SOIL_NDVI) / (VEGETATION_NDVI - SOIL_NDVI), 0, 1)
    water = cover == LandCover.WATER
    mixed = {
        band: np.where(water, wet, green * plant + (1 - green) * soil).astype(np.float32)
        for band, (plant, soil, wet) in SPECTRA.items()
    }
    half = (mixed["B04"] + mixed["B08"]) / np.float32(2)
    return mixed | {"B04": half * (1 - ndvi), "B08": half * (1 + ndvi)}


def sky_over(seed: int, when: date, rows: slice, cols: slice) -> Sky:
    """Clouds of a date over a window: the same numbers as in the whole."""
    share = cloud_share(seed, when)
    wide = slice(rows.start, rows.stop + SHADOW_PX), slice(cols.start, cols.stop + SHADOW_PX)
    if share == 0:
        nothing = np.zeros((rows.stop - rows.start, cols.stop - cols.start), dtype=np.bool_)
        return Sky(nothing, nothing)
    noise = regional_noise(seed, ("clouds", when.toordinal()), *wide, CLOUD_PX)
    everywhere = _rank(noise) < share
    cloud = everywhere[:-SHADOW_PX, :-SHADOW_PX]
    return Sky(cloud, everywhere[SHADOW_PX:, SHADOW_PX:] & ~cloud)


def cloud_share(seed: int, when: date) -> float:
    """Share of the sky that clouds cover on a date."""
    clear, share = generator(seed, "cloud share", when.toordinal()).uniform(size=2)
    return 0.0 if clear < CLEAR_DAYS else float(share)


def _rank(noise: Field) -> NDArray[np.float64]:
    """Standard normal numbers as shares, 0 to 1."""
    return np.asarray(ndtr(noise.astype(np.float64)))


def _image(
    event: SimulatedEvent, rows: slice, cols: slice, when: date, after: bool
) -> dict[str, NDArray[Any]]:
    """Bands in digital numbers and scene classes of one date."""
    seed = event.options.seed
    ndvi = (event.ndvi_post if after else event.ndvi_pre)[rows, cols]
    cover, sky = event.cover[rows, cols], sky_over(seed, when, rows, cols)
    bright = 1 + HAZE * generator(seed, "haze", when.toordinal()).standard_normal()
    light = np.where(sky.shadow, SHADE, 1.0) * bright
    bands = {
        band: _stored(np.where(sky.cloud, CLOUD, values * light))
        for band, values in spectra_of(ndvi, cover).items()
    }
    ordered: dict[str, NDArray[Any]] = {band: bands[band] for band in S2_BANDS}
    return ordered | {SCL: _classes(ndvi, cover, sky)}


def _stored(reflectance: NDArray[Any]) -> Field:
    """Digital numbers, at least 1: 0 is no data; NaN where the ground is not known."""
    return np.asarray(np.maximum(np.rint(reflectance * QUANTIFICATION), 1), dtype=np.float32)


def _classes(ndvi: Field, cover: NDArray[np.uint8], sky: Sky) -> NDArray[np.uint8]:
    ground = np.select([cover == LandCover.WATER, ndvi >= GREEN_ABOVE], [WATER, VEGETATED], BARE)
    seen = np.where(np.isfinite(ndvi), ground, SceneClass.NO_DATA)
    hidden = np.select([sky.cloud, sky.shadow], [SceneClass.CLOUD_HIGH, SceneClass.CLOUD_SHADOW], seen)
    return np.asarray(hidden, dtype=np.uint8)
