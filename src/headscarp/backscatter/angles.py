"""How an image looks at a block of the map: incidence on the ellipsoid, and the direction over the ground."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from headscarp.backscatter.block import Smooth, block_nodes, smooth
from headscarp.backscatter.documents import Floats
from headscarp.backscatter.range_doppler import Imaging, earth_fixed
from headscarp.geometry.incidence import local_incidence_deg
from headscarp.geometry.terrain import HALO_PX
from headscarp.grid import WGS84, crs_wkt, expand, spacing_m

_NORTH_STEP_DEG = 0.01
"""About a kilometre: long beside rounding, short beside the bend of a meridian on a map."""


class Look(NamedTuple):
    """A look at a block."""

    incidence_deg: Smooth
    azimuth_deg: float
    """From the radar to the middle of the block, clockwise from the grid's north."""


def look_at(imaging: Imaging, geobox: GeoBox, low_m: float, high_m: float) -> Look:
    r"""Incidence and look azimuth of an image over a block, from the sight at zero Doppler.

    .. math:: \cos\theta = \hat n \cdot \frac{S - P}{\lVert S - P \rVert}

    with the ellipsoid's normal :math:`\hat n` at the place :math:`P`.
    """
    nodes = block_nodes(geobox, low_m, high_m)
    places = earth_fixed(nodes.longitude_deg, nodes.latitude_deg, nodes.height_m)
    towards = imaging.orbit.at(imaging.see(places).time_s).position - places
    towards /= np.linalg.norm(towards, axis=-1, keepdims=True)
    lon, lat = np.deg2rad(nodes.longitude_deg), np.deg2rad(nodes.latitude_deg)
    up, east, north = _local_axes(lon, lat)
    incidence = np.rad2deg(np.arccos(np.einsum("...i,...i", up, towards)))
    x, y = (float(-np.einsum("...i,...i", axis, towards).mean()) for axis in (east, north))
    azimuth = math.degrees(math.atan2(x, y)) + _grid_north_deg(
        geobox, float(nodes.longitude_deg.mean()), float(nodes.latitude_deg.mean())
    )
    shape = (geobox.shape[0], geobox.shape[1])
    return Look(smooth(incidence, shape, low_m, high_m), azimuth % 360.0)


def local_incidence(
    imaging: Imaging, geobox: GeoBox, wide_height_m: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Local incidence angle of a block, degrees; the heights reach one pixel beyond it on all sides."""
    low_m, high_m = float(np.nanmin(wide_height_m)), float(np.nanmax(wide_height_m))
    wide = expand(geobox, HALO_PX)
    look = look_at(imaging, wide, low_m, high_m)
    incidence = look.incidence_deg.at(wide_height_m)
    angles = local_incidence_deg(wide_height_m, spacing_m(wide), look.azimuth_deg, incidence)
    return angles[HALO_PX:-HALO_PX, HALO_PX:-HALO_PX]


def _local_axes(lon: Floats, lat: Floats) -> tuple[Floats, Floats, Floats]:
    """Unit vectors up, east and north on the ellipsoid, Earth fixed."""
    zero = np.zeros_like(lon)
    up = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    east = np.stack([-np.sin(lon), np.cos(lon), zero], axis=-1)
    return up, east, np.cross(up, east)


def _grid_north_deg(geobox: GeoBox, longitude_deg: float, latitude_deg: float) -> float:
    """Direction of true north on the grid, clockwise from the grid's."""
    step = -_NORTH_STEP_DEG if latitude_deg > 0.0 else _NORTH_STEP_DEG  # towards the equator
    to_grid = Transformer.from_crs(WGS84, crs_wkt(geobox), always_xy=True)
    x, y = to_grid.transform([longitude_deg] * 2, [latitude_deg, latitude_deg + step])
    sign = math.copysign(1.0, step)
    return math.degrees(math.atan2(sign * (x[1] - x[0]), sign * (y[1] - y[0])))
