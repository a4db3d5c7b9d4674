"""The ground of a simulated event: heights and what follows from them, on one grid."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

Float32 = NDArray[np.float32]


class LandCover(IntEnum):
    """What grows, or lies, at a pixel; the codes of ``landcover.tif``."""

    UNKNOWN = 0
    """No height is known there."""
    FOREST = 1
    SHRUB_GRASS = 2
    CROP = 3
    ROCK = 4
    WATER = 5
    BUILT = 6


@dataclass(frozen=True)
class Ground:
    """Heights, their gradient and their drainage. Arrays have the shape of the grid unless stated.

    Attributes
    ----------
    geobox : GeoBox
        Grid of the scenes: UTM, north up, square pixels.
    margin_px : int
        Pixels that the heights reach beyond the grid on each side.
    wide_height_m : float32 array
        Heights with their margin; NaN where unknown, and then NaN in every other array.
    slope_deg : float32 array
        Steepest slope, degrees.
    to_east, to_north : float32 array
        Height gained per metre.
    catchment_m2 : float32 array
        Ground that drains through the pixel, its own included.
    above_channel_m : float32 array
        Height above the channel that the pixel drains into; 0 in channels.
    """

    geobox: GeoBox
    margin_px: int
    wide_height_m: Float32
    slope_deg: Float32
    to_east: Float32
    to_north: Float32
    catchment_m2: Float32
    above_channel_m: Float32

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        rows, cols = self.geobox.shape
        return int(rows), int(cols)

    @property
    def spacing_m(self) -> float:
        """Metres from pixel to pixel."""
        return float(self.geobox.transform.a)

    @property
    def height_m(self) -> Float32:
        """Heights on the grid, without the margin."""
        rows, cols = self.shape
        margin = self.margin_px
        return self.wide_height_m[margin : margin + rows, margin : margin + cols]
