"""How bright the ground is: mean backscatter by land cover, look and slope, before weather and speckle.

Brightness is gamma0 by class, with a texture that stays from date to date; what a look makes of it is in
:mod:`headscarp.simulate.radar.sensor`.

The numbers of the table are round ones, of the order that the literature gives: mean sigma0 by land cover at
38° as in the Sentinel-1 Global Backscatter Model, plus 1 dB (gamma0 is sigma0 over the cosine), spreads and
angles as in the handbook. They were set from general knowledge of these sources, not read off their tables.
Shrub and grass were set on two real bursts of chaparral: see ``benchmarks/simulated_noise.py``.

References
----------
Bauer-Marschallinger, B. et al. (2021). The normalised Sentinel-1 Global Backscatter Model. Scientific Data,
8, 277. Ulaby, F. T. and Dobson, M. C. (1989). Handbook of Radar Scattering Statistics for Terrain. Mondini,
A. C. et al. (2019). Sentinel-1 SAR amplitude imagery for rapid landslide detection. Remote Sensing, 11(7),
760. Lindsay, E. et al. (2025). Understanding landslide expression in SAR backscatter data. Remote Sensing,
17(19), 3313.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.geometry.incidence import NOMINAL_INCIDENCE_DEG
from headscarp.simulate.fields import Field, contiguous, generator, regional_noise, smoothed_noise
from headscarp.simulate.ground import LandCover


class Signature(NamedTuple):
    """gamma0 of a kind of ground in VV and VH at 39°: dB; spread from place to place: dB; dB per degree."""

    vv_db: float
    vh_db: float
    spread_db: float
    vv_per_deg: float
    vh_per_deg: float


COVER = {
    LandCover.FOREST: Signature(-7.5, -13.5, 0.7, -0.02, -0.02),
    LandCover.SHRUB_GRASS: Signature(-8.8, -15.3, 1.5, -0.06, -0.06),
    LandCover.CROP: Signature(-10.5, -17.5, 1.8, -0.10, -0.06),
    LandCover.ROCK: Signature(-10.0, -19.0, 1.8, -0.10, -0.06),
    LandCover.WATER: Signature(-19.0, -27.0, 0.3, -0.40, -0.15),
    LandCover.BUILT: Signature(-4.0, -11.0, 3.0, -0.02, -0.02),
}
"""Undisturbed ground (Bauer-Marschallinger et al., 2021; Ulaby and Dobson, 1989)."""

DEBRIS = Signature(-8.0, -18.0, 2.0, -0.12, -0.08)
"""Bare, rough debris: no canopy, so little VH, and VV that follows roughness and the local incidence angle.

Its spread is from landslide to landslide. Amplitude rises at some and falls at others (Mondini et al., 2019;
Lindsay et al., 2025).
"""
DEBRIS_VH_SPREAD_DB = 1.2
"""Spread of VH from landslide to landslide, dB."""
DEBRIS_CORRELATION = 0.5
"""Correlation of VV and VH over landslides: roughness raises both."""
DEPOSIT_DB = (1.5, 1.0)
"""VV and VH of a deposit, less those of its source: blocks and timber are rougher than a scar."""
DEBRIS_ANGLES_DEG = 20.0
"""Local incidence this far from the nominal counts as that far: the dB line holds no farther."""

TEXTURE_M = 20.0
"""Standard deviation of the kernel of fine texture, metres: stands, gullies."""
TEXTURE_REGIONAL_M = 300.0
"""Distance of the nodes of coarse texture, metres: slopes, fields."""
TEXTURE_FINE_SHARE = 0.5
"""Share of fine texture in the variance."""
TEXTURE_CORRELATION = 0.7
"""Correlation of the textures of VV and VH."""

_POLARISATIONS = ("VV", "VH")


def mean_db(cover: NDArray[np.uint8], incidence_deg: Field) -> Field:
    """Mean gamma0 of undisturbed, flat ground.

    Parameters
    ----------
    cover : uint8 array of shape (rows, columns)
        Codes of :class:`headscarp.simulate.ground.LandCover`.
    incidence_deg : float32 array of shape (rows, columns)
        The ellipsoid's, degrees.

    Returns
    -------
    float32 array of shape (2, rows, columns)
        Decibels, VV before VH; NaN where the cover is unknown.

    Examples
    --------
    >>> mean_db(np.array([[1, 5]], np.uint8), np.array([[39.0, 41.0]], np.float32)).round(1).tolist()
    [[[-7.5, -19.799999237060547]], [[-13.5, -27.299999237060547]]]
    """
    from_nominal = contiguous(incidence_deg) - np.float32(NOMINAL_INCIDENCE_DEG)
    return np.stack([_BY_COVER[k].take(cover) + _BY_COVER[k + 3].take(cover) * from_nominal for k in (0, 1)])


def texture(seed: int, rows: slice, cols: slice, spacing_m: float) -> Field:
    """What differs from place to place and stays from date to date, in units of a class's spread.

    Half of the variance is fine and half coarse; both polarisations share ``TEXTURE_CORRELATION`` of it.

    Parameters
    ----------
    seed, rows, cols
        As in :func:`headscarp.simulate.fields.white_noise`.
    spacing_m : float
        Metres from pixel to pixel.

    Returns
    -------
    float32 array of shape (2, rows, columns)
        Mean 0, variance 1.
    """
    own = np.float32(math.sqrt(1.0 - TEXTURE_CORRELATION))
    common = _one_texture(seed, "both", rows, cols, spacing_m) * np.float32(math.sqrt(TEXTURE_CORRELATION))
    return np.stack([common + own * _one_texture(seed, p, rows, cols, spacing_m) for p in _POLARISATIONS])


def gamma0(cover: NDArray[np.uint8], incidence_deg: Field, texture: Field) -> Field:
    """gamma0 of undisturbed ground in the mean over many dates.

    Parameters
    ----------
    cover, incidence_deg
        As in :func:`mean_db`.
    texture : float32 array of shape (2, rows, columns)
        Of :func:`texture`.

    Returns
    -------
    float32 array of shape (2, rows, columns)
        Linear power, VV before VH; NaN where the cover is unknown.
    """
    return from_db(mean_db(cover, incidence_deg) + _BY_COVER[2].take(cover) * contiguous(texture))


def debris_gamma0(rise: Field, incidence_deg: Field, offsets_db: Field, deposit: Field) -> Field:
    """gamma0 of ground that is bare landslide debris throughout; mix it with other ground by area, in power.

    Parameters
    ----------
    rise, incidence_deg : float32 array of shape (rows, columns)
        Of :func:`rise_along_look`; degrees.
    offsets_db : float32 array of shape (2, rows, columns)
        Of each pixel's landslide, from :func:`debris_offsets_db`.
    deposit : float32 array of shape (rows, columns)
        0 in a source, 1 in a deposit, or between.

    Returns
    -------
    float32 array of shape (2, rows, columns)
        Linear power, VV before VH; NaN where the slope is unknown.
    """
    local = contiguous(incidence_deg) - np.rad2deg(np.arctan(contiguous(rise)))
    reach = np.float32(DEBRIS_ANGLES_DEG)
    from_nominal = np.clip(local - np.float32(NOMINAL_INCIDENCE_DEG), -reach, reach)
    rough = contiguous(deposit) - np.float32(0.5)
    flat, per_deg, deposit_db = (np.array(pair, np.float32)[:, None, None] for pair in _DEBRIS)
    return from_db(flat + per_deg * from_nominal + deposit_db * rough + contiguous(offsets_db))


def debris_offsets_db(count: int, seed: int) -> Field:
    """By how much each landslide is brighter than the mean one: moisture, blocks, timber.

    Parameters
    ----------
    count : int
        Number of landslides; the first ones' offsets do not depend on it.
    seed : int
        Of the event.

    Returns
    -------
    float32 array of shape (2, count)
        Decibels, VV before VH.
    """
    shared, own = generator(seed, "debris offsets").standard_normal((count, 2)).T
    vh = DEBRIS_CORRELATION * shared + math.sqrt(1.0 - DEBRIS_CORRELATION**2) * own
    return np.stack([DEBRIS.spread_db * shared, DEBRIS_VH_SPREAD_DB * vh]).astype(np.float32)


def from_db(decibels: Field) -> Field:
    """Linear power of decibels."""
    return np.asarray(np.exp(contiguous(decibels) * np.float32(math.log(10.0) / 10.0)))


def _one_texture(seed: int, name: str, rows: slice, cols: slice, spacing_m: float) -> Field:
    fine = smoothed_noise(seed, ("texture", "fine", name), rows, cols, TEXTURE_M / spacing_m)
    coarse = regional_noise(seed, ("texture", "coarse", name), rows, cols, TEXTURE_REGIONAL_M / spacing_m)
    fine *= np.float32(math.sqrt(TEXTURE_FINE_SHARE))
    return fine + coarse * np.float32(math.sqrt(1.0 - TEXTURE_FINE_SHARE))


_DEBRIS = ((DEBRIS.vv_db, DEBRIS.vh_db), (DEBRIS.vv_per_deg, DEBRIS.vh_per_deg), DEPOSIT_DB)
_UNKNOWN = Signature(*[math.nan] * len(Signature._fields))
_BY_COVER = np.array([COVER.get(cover, _UNKNOWN) for cover in LandCover], np.float32).T.copy()
"""Rows: the fields of a signature; columns: codes of land cover."""
