"""What one orbit sees of the ground, before and after the event, weather and speckle aside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.geometry.incidence import grid_look_azimuth_deg, local_incidence_deg
from headscarp.geometry.visibility import is_layover, is_shadow, reach_px, view_mask
from headscarp.simulate.fields import Field
from headscarp.simulate.ground import Ground
from headscarp.simulate.options import Product
from headscarp.simulate.radar import radiometry, sensor
from headscarp.simulate.radar.echo import Line, mix_layover
from headscarp.simulate.radar.passes import Orbit, incidence_deg
from headscarp.simulate.zones import FULL, Zones

_STRIP_ROWS = 256
_VIEW_ROWS = 1024
"""Rows whose layover and shadow are found at once: many beside the reach of these, to do little twice."""


class Slides(NamedTuple):
    """Landslides on the grid: their zones (sources and deposits in turn) and how bright each one is."""

    zones: Zones
    offsets_db: Field
    """Shape (2, landslides), of :func:`headscarp.simulate.radar.radiometry.debris_offsets_db`."""


@dataclass(frozen=True)
class Look:
    """One orbit over the ground.

    Attributes
    ----------
    orbit : Orbit
    look_azimuth_deg : float
        From the radar to the ground, clockwise from the grid's north.
    local_incidence_deg : float32 array of shape (rows, columns)
        Between the direction to the radar and the slope's normal.
    view : uint8 array of shape (rows, columns)
        Bits of :class:`headscarp.geometry.visibility.View`.
    before, after : float32 array of shape (2, rows, columns)
        Mean backscatter of the product, thermal noise included, linear power, VV before VH.
    noise : float32 array of shape (rows, columns)
        Thermal noise in it.
    """

    orbit: Orbit
    look_azimuth_deg: float
    local_incidence_deg: Field
    view: NDArray[np.uint8]
    before: Field
    after: Field
    noise: Field


def look_at(
    ground: Ground, cover: NDArray[np.uint8], slides: Slides, orbit: Orbit, product: Product, seed: int
) -> Look:
    """Mean backscatter of a ground as an orbit sees it, with what lies over what.

    Parameters
    ----------
    ground : Ground
    cover : uint8 array of shape (rows, columns)
        Codes of :class:`headscarp.simulate.ground.LandCover`.
    slides : Slides
    orbit : Orbit
    product : Product
    seed : int
        Of the event; it gives the texture, which all orbits share.
    """
    azimuth = grid_look_azimuth_deg(ground.geobox, orbit.state)
    incidence = incidence_deg(ground.geobox, orbit)
    relief_m = float(np.nanmax(ground.wide_height_m) - np.nanmin(ground.wide_height_m))
    reach = reach_px(relief_m, (ground.spacing_m, ground.spacing_m), incidence)
    view, local = _views(ground, azimuth, incidence, reach)
    rise = sensor.rise_along_look(ground.to_east, ground.to_north, azimuth)
    area = sensor.facet_area(rise, incidence)
    area[is_shadow(view)] = 0.0
    gamma0 = _gamma0(ground, cover, slides, rise, incidence, seed)
    line = Line(azimuth, ground.spacing_m, ground.margin_px, reach * ground.spacing_m)
    layover = is_layover(view)
    sums, areas = mix_layover(gamma0, area, layover, ground.wide_height_m, incidence, line)
    gamma0[:, layover] = sums / np.maximum(areas, np.finfo(np.float32).tiny)
    area[layover] = areas
    _see(gamma0, area, incidence, product, view)
    noise = sensor.noise_power(area, product)
    return Look(orbit, azimuth, local, view, gamma0[:2], gamma0[2:], noise)


def _views(
    ground: Ground, look_azimuth_deg: float, incidence: Field, reach: int
) -> tuple[NDArray[np.uint8], Field]:
    """Layover and shadow, and local incidence angles, by strips that reach as far as these effects do."""
    (rows, cols), margin = ground.shape, ground.margin_px
    spacing = (ground.spacing_m, ground.spacing_m)
    wide_incidence = np.pad(incidence, margin, mode="edge")
    view, local = np.empty((rows, cols), np.uint8), np.empty((rows, cols), np.float32)

    def fill(top: int) -> None:
        strip = slice(top, min(top + _VIEW_ROWS, rows))
        wide = slice(max(strip.start + margin - reach, 0), strip.stop + margin + reach)
        inner = (
            slice(strip.start + margin - wide.start, strip.stop + margin - wide.start),
            slice(margin, -margin),
        )
        seen = (ground.wide_height_m[wide], spacing, look_azimuth_deg, wide_incidence[wide])
        view[strip] = view_mask(*seen)[inner]
        local[strip] = local_incidence_deg(*seen)[inner]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(fill, range(0, rows, _VIEW_ROWS)):
            pass
    return view, local


def _gamma0(
    ground: Ground, cover: NDArray[np.uint8], slides: Slides, rise: Field, incidence: Field, seed: int
) -> Field:
    """gamma0 of each place by itself: VV and VH before, VV and VH after."""
    rows, cols = ground.shape
    out = np.empty((4, rows, cols), np.float32)
    for strip in _strips(rows):
        texture = radiometry.texture(seed, strip, slice(0, cols), ground.spacing_m)
        before = radiometry.gamma0(cover[strip], incidence[strip], texture)
        debris = _debris(slides, strip, rise[strip], incidence[strip])
        share = slides.zones.share[strip].astype(np.float32) / np.float32(FULL)
        out[:2, strip] = before
        out[2:, strip] = np.where(share > 0.0, before + share * (debris - before), before)
    return out


def _debris(slides: Slides, strip: slice, rise: Field, incidence: Field) -> Field:
    """gamma0 of debris, of the landslide at each pixel; the mean one's where there is none."""
    zone = slides.zones.index[strip]
    with_none = np.concatenate([np.zeros((2, 1), np.float32), slides.offsets_db], axis=1)
    offsets = with_none[:, (zone + 1) // 2]
    deposit = ((zone > 0) & (zone % 2 == 0)).astype(np.float32)
    return radiometry.debris_gamma0(rise, incidence, offsets, deposit)


def _see(gamma0: Field, area: Field, incidence: Field, product: Product, view: NDArray[np.uint8]) -> None:
    """Turn gamma0 into the product of a look, in place; terrain correction leaves no value in shadow."""
    for strip in _strips(gamma0.shape[1]):
        for bands in (slice(0, 2), slice(2, 4)):
            gamma0[bands, strip] = sensor.seen(gamma0[bands, strip], area[strip], incidence[strip], product)
    if product is Product.RTC:
        gamma0[:, is_shadow(view)] = np.nan


def _strips(rows: int) -> Iterator[slice]:
    for top in range(0, rows, _STRIP_ROWS):
        yield slice(top, min(top + _STRIP_ROWS, rows))
