"""What one orbit sees of the ground, before and after the event, weather and speckle aside."""

from __future__ import annotations

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
    incidence_deg, local_incidence_deg : float32 array of shape (rows, columns)
    view : uint8 array of shape (rows, columns)
        Bits of :class:`headscarp.geometry.visibility.View`.
    before, after : float32 array of shape (2, rows, columns)
        Mean backscatter of the product, thermal noise included, linear power, VV before VH.
    noise : float32 array of shape (rows, columns)
        Thermal noise in it.
    """

    orbit: Orbit
    look_azimuth_deg: float
    incidence_deg: Field
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
    margin, spacing = ground.margin_px, (ground.spacing_m, ground.spacing_m)
    inner = (slice(margin, -margin), slice(margin, -margin))
    wide_incidence = np.pad(incidence, margin, mode="edge")
    view = view_mask(ground.wide_height_m, spacing, azimuth, wide_incidence)[inner]
    local = local_incidence_deg(ground.wide_height_m, spacing, azimuth, wide_incidence)[inner]
    rise = sensor.rise_along_look(ground.to_east, ground.to_north, azimuth)
    area = sensor.facet_area(rise, incidence)
    area[is_shadow(view)] = 0.0
    gamma0 = _gamma0(ground, cover, slides, rise, incidence, seed)
    relief_m = float(np.nanmax(ground.wide_height_m) - np.nanmin(ground.wide_height_m))
    reach_m = reach_px(relief_m, spacing, incidence) * ground.spacing_m
    line = Line(azimuth, ground.spacing_m, margin, reach_m)
    layover = is_layover(view)
    sums, areas = mix_layover(gamma0, area, layover, ground.wide_height_m, incidence, line)
    gamma0[:, layover] = sums / np.maximum(areas, np.finfo(np.float32).tiny)
    area[layover] = areas
    before, after = (_seen(part, area, incidence, product, view) for part in (gamma0[:2], gamma0[2:]))
    noise = sensor.noise_power(area, product)
    local, view = np.ascontiguousarray(local), np.ascontiguousarray(view)
    return Look(orbit, azimuth, incidence, local, view, before, after, noise)


def _gamma0(
    ground: Ground, cover: NDArray[np.uint8], slides: Slides, rise: Field, incidence: Field, seed: int
) -> Field:
    """gamma0 of each place by itself: VV and VH before, VV and VH after."""
    rows, cols = ground.shape
    out = np.empty((4, rows, cols), np.float32)
    for top in range(0, rows, _STRIP_ROWS):
        strip = slice(top, min(top + _STRIP_ROWS, rows))
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


def _seen(gamma0: Field, area: Field, incidence: Field, product: Product, view: NDArray[np.uint8]) -> Field:
    """Product of a look; terrain correction leaves no value in shadow."""
    seen = sensor.seen(gamma0, area, incidence, product)
    if product is Product.RTC:
        seen[:, is_shadow(view)] = np.nan
    return seen
