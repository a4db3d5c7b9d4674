"""Grounds to test on, whose every number follows from a formula."""

from __future__ import annotations

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.geometry.terrain import gradient, slope_deg
from headscarp.simulate.ground import Ground

CRS = "EPSG:32654"
WEST_M, NORTH_M = 580_000.0, 4_730_000.0


def geobox_of(shape: tuple[int, int], spacing_m: float = 10.0) -> GeoBox:
    return GeoBox(shape, Affine(spacing_m, 0.0, WEST_M, 0.0, -spacing_m, NORTH_M), CRS)


def ground_of(
    wide_height_m: NDArray[np.floating],
    spacing_m: float = 10.0,
    margin_px: int = 2,
    catchment_m2: NDArray[np.floating] | float = 100.0,
    above_channel_m: NDArray[np.floating] | float = 50.0,
) -> Ground:
    """A ground over heights that include a margin; drainage as declared."""
    wide = np.asarray(wide_height_m, dtype=np.float32)
    inner = (slice(margin_px, -margin_px), slice(margin_px, -margin_px))
    shape = wide[inner].shape
    to_east, to_north = (part[inner].astype(np.float32) for part in gradient(wide, (spacing_m, spacing_m)))
    return Ground(
        geobox_of(shape, spacing_m),
        margin_px,
        wide,
        slope_deg(wide, (spacing_m, spacing_m))[inner],
        to_east,
        to_north,
        np.broadcast_to(np.float32(catchment_m2), shape).copy(),
        np.broadcast_to(np.float32(above_channel_m), shape).copy(),
    )


def valley(
    size_px: int = 200, side_slope_deg: float = 30.0, spacing_m: float = 10.0, floor_m: float = 100.0
) -> Ground:
    """A V-shaped valley that runs and falls gently to the south, a river in its flat floor."""
    margin = 2
    y, x = np.mgrid[-margin : size_px + margin, -margin : size_px + margin] * spacing_m
    middle = size_px * spacing_m / 2
    away = np.maximum(np.abs(x - middle) - floor_m, 0.0)
    height = 200.0 + away * np.tan(np.deg2rad(side_slope_deg)) - 0.01 * y
    inner = (slice(margin, -margin), slice(margin, -margin))
    river = np.abs(x - middle) < spacing_m
    catchment = np.where(river, 5e6 + 1e3 * y, spacing_m * (middle - np.abs(x - middle) + spacing_m))
    above = away * np.tan(np.deg2rad(side_slope_deg))
    return ground_of(height, spacing_m, margin, catchment[inner], above[inner])
