r"""The vegetation index of the ground, before and after the event.

.. math:: \mathrm{NDVI} = \frac{\rho_\mathrm{NIR} - \rho_\mathrm{red}}{\rho_\mathrm{NIR} + \rho_\mathrm{red}}

Each land cover has a mean, a season that peaks in the local summer, and a texture by place that both dates
share; every date has a little noise of its own. Where something covers a share :math:`s` of a pixel, the
index is mixed linearly with that of what lies there now,

.. math:: n' = (1 - s)\, n + s \min(n, n_\mathrm{now}),

which simplifies: reflectances mix linearly, their ratio does not quite. Snow, clouds and haze are left out.

References
----------
Tucker, C. J. (1979). Red and photographic infrared linear combinations for monitoring vegetation. Remote
Sensing of Environment, 8(2), 127-150.
Weier, J., and Herring, D. (2000). Measuring vegetation. NASA Earth Observatory. (Below 0.1 rock and sand, 0.2
to 0.3 shrub and grassland, 0.6 to 0.8 dense forest.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.grid import lonlat_centre
from headscarp.simulate.distractors.changes import Change, Cover
from headscarp.simulate.distractors.plan import Distractors
from headscarp.simulate.fields import Field, generator, regional_noise, smoothed_noise
from headscarp.simulate.ground import Ground, LandCover
from headscarp.simulate.land.parcels import row_blocks
from headscarp.simulate.options import Distractor
from headscarp.simulate.radar.weather import season_of
from headscarp.simulate.zones import FULL, Zones


class Greenness(NamedTuple):
    """NDVI of a land cover."""

    mean: float
    """Over the year."""
    season: float
    """Half of the difference from winter to summer, poleward of the tropics."""
    spread: float
    """Standard deviation from place to place."""


GREENNESS = {
    LandCover.FOREST: Greenness(0.74, 0.08, 0.05),
    LandCover.SHRUB_GRASS: Greenness(0.48, 0.14, 0.08),
    LandCover.CROP: Greenness(0.45, 0.22, 0.10),
    LandCover.ROCK: Greenness(0.10, 0.02, 0.03),
    LandCover.WATER: Greenness(-0.15, 0.0, 0.05),
    LandCover.BUILT: Greenness(0.20, 0.04, 0.06),
}
"""Typical values of 10 m optical images."""

NOW = {
    Distractor.HARVEST: (0.18, 0.28),
    Distractor.CLEAR_CUT: (0.25, 0.40),
    Distractor.FLOOD: (-0.20, -0.02),
    Distractor.BUILDING: (0.05, 0.15),
}
"""Range of NDVI after a change: stubble and soil; slash and undergrowth; muddy water; roofs."""
SOURCE_NDVI, DEPOSIT_NDVI = (0.10, 0.15), (0.15, 0.25)
"""Range over landslides: bare soil and rock where they start; some torn vegetation lies in the deposit."""

DATE_NOISE = 0.015
"""Standard deviation of a date's own noise: haze, view and light."""
REGION_M, REGION_SHARE = 600.0, 0.6
"""Scale of the broader part of the texture, and its weight; the rest varies over ``DETAIL_M``."""
DETAIL_M = 20.0
_TABLE = 1024


def ndvi_before(
    seed: int,
    ground: Ground,
    cover: Cover,
    when: datetime,
    distractors: Distractors | None = None,
    patches: Zones | None = None,
) -> Field:
    """NDVI on a date before the event.

    Parameters
    ----------
    seed : int
        Of the event.
    ground : Ground
    cover : uint8 array of shape (rows, columns)
        Codes of :class:`headscarp.simulate.ground.LandCover`.
    when : datetime
    distractors, patches : Distractors, Zones, optional
        What else changes, and its outlines on the grid: what has begun by then shows.

    Returns
    -------
    float32 array of shape (rows, columns)
        In [-1, 1]; NaN where land cover is unknown.
    """
    _, latitude_deg = lonlat_centre(ground.geobox)
    values = np.empty(ground.shape, np.float32)
    for rows in row_blocks(ground.shape[0]):
        window = rows, slice(0, ground.shape[1])
        values[rows] = ndvi(cover[rows], when, latitude_deg, seed, window, ground.spacing_m)
    if distractors is not None and patches is not None:
        _lower(values, patches, change_ndvi(distractors.drawn, when, seed))
    return values


def ndvi_after(
    seed: int,
    ground: Ground,
    cover: Cover,
    when: datetime,
    landslides: Zones,
    distractors: Distractors,
    patches: Zones,
) -> Field:
    """NDVI on a date after the event; as :func:`ndvi_before`, and lower where landslides lie.

    Parameters
    ----------
    seed, ground, cover, when, distractors, patches
        As in :func:`ndvi_before`.
    landslides : Zones
        Sources and deposits in turn.
    """
    values = ndvi_before(seed, ground, cover, when, distractors, patches)
    _lower(values, landslides, landslide_ndvi(int(landslides.index.max(initial=0)), seed))
    return values


def ndvi(
    cover: Cover,
    when: datetime,
    latitude_deg: float,
    seed: int,
    window: tuple[slice, slice],
    spacing_m: float,
) -> Field:
    """NDVI of undisturbed ground in a window: the same numbers as in the whole.

    Parameters
    ----------
    cover : uint8 array of the window's shape
    when : datetime
        The season; noise differs from day to day.
    latitude_deg : float
        North above 0; the season is full poleward of the tropics and fades towards the equator.
    seed : int
        Of the event.
    window : tuple of (rows, columns)
        Its place on the grid.
    spacing_m : float

    Returns
    -------
    float32 array of the window's shape
        In [-1, 1]; NaN where land cover is unknown.
    """
    mean = _MEAN + np.float32(season_of(when, latitude_deg)) * _SEASON
    noise = smoothed_noise(seed, ("ndvi", when.toordinal()), *window, _detail_px(spacing_m))
    values = mean[cover] + _SPREAD[cover] * _texture(seed, window, spacing_m) + np.float32(DATE_NOISE) * noise
    return np.asarray(np.clip(values, -1.0, 1.0), dtype=np.float32)


def lowered(
    values: Field, index: NDArray[np.int32], share: NDArray[np.uint8], now: NDArray[np.floating[Any]]
) -> Field:
    r"""NDVI mixed with that of what covers the ground now; it never rises.

    Parameters
    ----------
    values : float32 array
    index, share : arrays of the same shape
        1 + number of what covers a pixel, or 0, and how much of it, up to
        :data:`headscarp.simulate.zones.FULL`.
    now : array of shape (numbers,)
        NDVI of each; NaN where it changes nothing.

    Examples
    --------
    >>> half = np.array([FULL // 2, FULL], np.uint8)
    >>> lowered(np.float32([0.7, 0.7]), np.array([1, 1]), half, np.array([0.1])).round(2).tolist()
    [0.4000000059604645, 0.10000000149011612]
    """
    target = np.append(np.float32(np.nan), np.asarray(now, np.float32))[index]
    covered = share.astype(np.float32) / np.float32(FULL)
    fall = np.maximum(values - np.where(np.isnan(target), values, target), np.float32(0.0))
    return np.asarray(values - covered * fall, dtype=np.float32)


def landslide_ndvi(zones: int, seed: int) -> NDArray[np.float64]:
    """NDVI of zones of landslides, sources and deposits in turn; it does not depend on how many there are."""
    drawn = generator(seed, "ndvi", "landslides").uniform(size=_TABLE)[np.arange(zones) % _TABLE]
    low, high = (
        np.array([a, b])[np.arange(zones) % 2] for a, b in zip(SOURCE_NDVI, DEPOSIT_NDVI, strict=True)
    )
    return np.asarray(low + (high - low) * drawn)


def change_ndvi(changes: Sequence[Change], when: datetime, seed: int) -> NDArray[np.float64]:
    """NDVI of changed places on a date, of shape (changes,); NaN for changes that are not there then.

    The numbers of one kind do not depend on the other kinds.
    """
    now = np.full(len(changes), np.nan)
    for kind, (low, high) in NOW.items():
        own = [number for number, change in enumerate(changes) if change.kind is kind]
        drawn = generator(seed, "ndvi", kind.value).uniform(low, high, len(own))
        active = np.array([changes[number].is_active(when) for number in own], dtype=bool)
        now[own] = np.where(active, drawn, np.nan)
    return now


def _lower(values: Field, zones: Zones, now: NDArray[np.float64]) -> None:
    """Lower the index in place, by blocks of rows."""
    for rows in row_blocks(values.shape[0]):
        values[rows] = lowered(values[rows], zones.index[rows], zones.share[rows], now)


def _texture(seed: int, window: tuple[slice, slice], spacing_m: float) -> Field:
    """Standard normal field by place: broad and fine parts."""
    broad = regional_noise(seed, ("ndvi", "region"), *window, REGION_M / spacing_m)
    fine = smoothed_noise(seed, ("ndvi", "detail"), *window, _detail_px(spacing_m))
    return np.float32(REGION_SHARE) * broad + np.float32(math.sqrt(1.0 - REGION_SHARE**2)) * fine


def _detail_px(spacing_m: float) -> float:
    return min(max(DETAIL_M / spacing_m, 0.3), 4.0) / 2.0


_NONE = Greenness(math.nan, math.nan, math.nan)
_MEAN, _SEASON, _SPREAD = np.array([GREENNESS.get(cover, _NONE) for cover in LandCover], np.float32).T.copy()
