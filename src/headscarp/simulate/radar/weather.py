r"""What differs from one date to another on ground where nothing happened: season, moisture, wind.

Each is a shift in decibels by land cover and polarisation. What is simplified: passes are independent of each
other, so moisture has no memory; the seasons are a cosine; rain and thaw do not exist; wind raises or lowers
all water alike. The sizes come from four bursts of Sentinel-1 over California, in
``benchmarks/simulated_noise.py``; the order of the classes from the literature.

References
----------
Ulaby, F. T. and Dobson, M. C. (1989). Handbook of Radar Scattering Statistics for Terrain. Frison, P.-L. et
al. (2018). Potential of Sentinel-1 data for monitoring temperate mixed forest phenology. Remote Sensing,
10(12), 2049.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.simulate.fields import Field, generator, regional_noise
from headscarp.simulate.ground import LandCover
from headscarp.simulate.radar.radiometry import from_db


class Response(NamedTuple):
    """How a land cover answers to the date, dB.

    Season: amplitude of the yearly cosine. Moisture: standard deviation, from pass to pass, of a shift of the
    whole scene (on water: of the wind's). Field: that of what smaller places add to it.
    """

    season_vv_db: float
    season_vh_db: float
    moisture_vv_db: float
    moisture_vh_db: float
    field_db: float


RESPONSES = {
    LandCover.FOREST: Response(0.2, 0.4, 0.35, 0.4, 0.25),
    LandCover.SHRUB_GRASS: Response(0.5, 0.8, 0.65, 0.75, 0.35),
    LandCover.CROP: Response(1.0, 2.0, 1.2, 1.3, 0.8),
    LandCover.ROCK: Response(0.0, 0.0, 0.5, 0.5, 0.3),
    LandCover.WATER: Response(0.0, 0.0, 3.0, 1.5, 0.8),
    LandCover.BUILT: Response(0.0, 0.0, 0.2, 0.2, 0.2),
}
"""Bare and cropped soil answers to moisture most, canopies least."""

PEAK_DAY = 196
"""Day of the year, in the north, when vegetation is densest: mid July."""
FULL_SEASON_LATITUDE_DEG = 23.4
"""From the tropic polewards seasons are full; towards the equator they fade in proportion to the latitude."""
YEAR_DAYS = 365.25
POLARISATION_CORRELATION = 0.85
"""Correlation of a scene's moisture shifts in VV and VH."""
REGIONAL_M = 3000.0
"""Distance of the nodes of regional moisture, metres: showers, valleys."""
REGIONAL_SHARE = 0.35
"""Standard deviation of regional moisture, of the scene's."""
FIELD_M = 150.0
"""Distance of the nodes of what single slopes and fields add, metres."""


def date_factor(
    seed: int,
    pass_name: str,
    when: datetime,
    latitude_deg: float,
    cover: NDArray[np.uint8],
    rows: slice,
    cols: slice,
    spacing_m: float,
) -> Field:
    """Factor by which one pass differs from the mean of many, on undisturbed ground.

    Parameters
    ----------
    seed : int
        Of the event.
    pass_name : str
        Tells one pass from another.
    when : datetime
        Of the pass.
    latitude_deg : float
        Of the scene (one for all of its tiles); the south has its summer in January.
    cover : uint8 array of shape (rows, columns)
        Of the window, codes of :class:`headscarp.simulate.ground.LandCover`.
    rows, cols : slice
        The window, as in :func:`headscarp.simulate.fields.white_noise`.
    spacing_m : float
        Metres from pixel to pixel.

    Returns
    -------
    float32 array of shape (2, rows, columns)
        Power factor, VV before VH; NaN where the cover is unknown. The same to the last bit, whatever the
        window.
    """
    whole = scene_shift_db(seed, pass_name, when, latitude_deg).astype(np.float32)
    code = cover.astype(np.intp)
    regional = regional_noise(seed, (pass_name, "regional"), rows, cols, REGIONAL_M / spacing_m)
    regional *= np.float32(REGIONAL_SHARE)
    small = regional_noise(seed, (pass_name, "field"), rows, cols, FIELD_M / spacing_m)
    small *= _TABLE[4].take(code)
    shift_db = [whole[k].take(code) + _TABLE[2 + k].take(code) * regional + small for k in range(2)]
    return from_db(np.stack(shift_db))


def scene_shift_db(seed: int, pass_name: str, when: datetime, latitude_deg: float) -> NDArray[np.float64]:
    """Season and moisture, or wind, common to all pixels of a land cover in one pass.

    Parameters
    ----------
    seed, pass_name, when, latitude_deg
        As in :func:`date_factor`.

    Returns
    -------
    array of shape (2, classes)
        Decibels by polarisation and code of land cover; NaN for unknown cover.
    """
    vv, own = generator(seed, pass_name, "moisture").standard_normal(2)
    vh = POLARISATION_CORRELATION * vv + math.sqrt(1.0 - POLARISATION_CORRELATION**2) * own
    season = season_of(when, latitude_deg)
    return np.stack([season * _TABLE[0] + vv * _TABLE[2], season * _TABLE[1] + vh * _TABLE[3]])


def season_of(when: datetime, latitude_deg: float) -> float:
    r"""State of the vegetation: 1 at its densest, -1 half a year later.

    .. math::
        c = \min(1, |\varphi| / 23.4°) \; \mathrm{sgn}(\varphi) \cos(2\pi (d - d_0) / 365.25)

    with :math:`\varphi` the latitude, :math:`d` the day of the year and :math:`d_0` that of the peak.

    Examples
    --------
    >>> july = datetime(2024, 7, 14)
    >>> [round(season_of(july, latitude), 2) for latitude in (45.0, -45.0, 11.7, 0.0)]
    [1.0, -1.0, 0.5, 0.0]
    """
    strength = min(max(latitude_deg / FULL_SEASON_LATITUDE_DEG, -1.0), 1.0)
    days = when.timetuple().tm_yday - PEAK_DAY
    return strength * math.cos(2.0 * math.pi * days / YEAR_DAYS)


_UNKNOWN = Response(*[math.nan] * len(Response._fields))
_TABLE = np.array([RESPONSES.get(cover, _UNKNOWN) for cover in LandCover], np.float32).T.copy()
"""Rows: the fields of a response; columns: codes of land cover."""
