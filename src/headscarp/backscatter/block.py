r"""Lines and samples of a block of the map, by polynomials in place and height.

Zero-Doppler time and slant range bend so little over a few kilometres that a polynomial of third degree
along each side of the block, and of second in height, is exact to a hundredth of a millimetre in a block of
5 km and 1000 m of relief. It is interpolated at Chebyshev nodes, where the range-Doppler equations
are solved; a pixel then costs a few multiplications instead of a Newton iteration, which is where the time
goes in sarsen. Lines and samples follow from time and range pixel by pixel, since ground range jumps
from polynomial to polynomial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from headscarp.backscatter.documents import Floats
from headscarp.backscatter.range_doppler import Imaging, Seen, earth_fixed
from headscarp.grid import WGS84, crs_wkt

_ACROSS, _HEIGHT = 4, 3
"""Nodes along each side of a block, and in height."""
_LEAST_RELIEF_M = 100.0
"""Heights that nodes span at least, so that level ground is no division by zero."""


class Place(NamedTuple):
    """Where pixels lie in an image."""

    line: Floats
    sample: Floats


@dataclass(frozen=True)
class Smooth:
    """A quantity over a block, as Chebyshev coefficients in row, column and height."""

    coefficients: Floats
    """Shape (_ACROSS, _ACROSS, _HEIGHT)."""
    shape: tuple[int, int]
    middle_m: float
    half_m: float

    def at(self, height_m: NDArray[np.floating[Any]]) -> Floats:
        """Values at the block's pixels, at their heights."""
        row, col = (_vander((2.0 * np.arange(n) + 1.0) / n - 1.0, _ACROSS) for n in self.shape)
        flat, tilt, bend = (row @ self.coefficients[:, :, k] @ col.T for k in range(_HEIGHT))
        w = (np.asarray(height_m, dtype=np.float64) - self.middle_m) / self.half_m
        return np.asarray(flat + w * (tilt + bend * 2.0 * w) - bend)


@dataclass(frozen=True)
class BlockView:
    """How an image sees a block of the map."""

    imaging: Imaging
    time_s: Smooth
    range_m: Smooth

    def place(self, height_m: NDArray[np.floating[Any]]) -> Place:
        """Lines and samples of the block's pixels; NaN where the height is."""
        seen = Seen(self.time_s.at(height_m), self.range_m.at(height_m))
        line = self.imaging.line(seen)
        return Place(line, self.imaging.block_sample(seen.range_m, line))


class Nodes(NamedTuple):
    """Places at which a block's polynomials are interpolated."""

    longitude_deg: Floats
    latitude_deg: Floats
    height_m: Floats
    """All of shape (_ACROSS, _ACROSS, _HEIGHT): row, column, height."""


def view_block(imaging: Imaging, geobox: GeoBox, low_m: float, high_m: float) -> BlockView:
    """Interpolate how an image sees a block between two heights.

    Parameters
    ----------
    imaging : Imaging
    geobox : GeoBox
        The block, a few kilometres a side.
    low_m, high_m : float
        Lowest and highest ground of the block, metres above the ellipsoid.
    """
    nodes = block_nodes(geobox, low_m, high_m)
    shape = (geobox.shape[0], geobox.shape[1])
    seen = imaging.see(earth_fixed(nodes.longitude_deg, nodes.latitude_deg, nodes.height_m))
    return BlockView(
        imaging,
        smooth(seen.time_s, shape, low_m, high_m),
        smooth(seen.range_m, shape, low_m, high_m),
    )


def block_nodes(geobox: GeoBox, low_m: float, high_m: float) -> Nodes:
    """Chebyshev nodes over a block and between two heights."""
    rows, cols = geobox.shape
    across = _nodes(_ACROSS)
    t = geobox.transform
    x = t.c + t.a * (across + 1.0) / 2.0 * cols
    y = t.f + t.e * (across + 1.0) / 2.0 * rows
    middle_m, half_m = _heights(low_m, high_m)
    longitude, latitude = Transformer.from_crs(crs_wkt(geobox), WGS84, always_xy=True).transform(
        *np.meshgrid(x, y)
    )
    shape = (_ACROSS, _ACROSS, _HEIGHT)
    height_m = np.broadcast_to(middle_m + half_m * _nodes(_HEIGHT), shape)
    lon, lat = (np.broadcast_to(part[..., None], shape) for part in (longitude, latitude))
    return Nodes(lon, lat, height_m)


def smooth(values: Floats, shape: tuple[int, int], low_m: float, high_m: float) -> Smooth:
    """Interpolate values at a block's nodes."""
    across, height = (np.linalg.inv(_vander(_nodes(n), n)) for n in (_ACROSS, _HEIGHT))
    coefficients = np.einsum("ai,bj,ck,ijk->abc", across, across, height, values)
    return Smooth(coefficients, shape, *_heights(low_m, high_m))


def _heights(low_m: float, high_m: float) -> tuple[float, float]:
    """Middle and half of the span of heights."""
    return (low_m + high_m) / 2.0, max(high_m - low_m, _LEAST_RELIEF_M) / 2.0


def _nodes(count: int) -> Floats:
    return np.asarray(np.cos(np.pi * (np.arange(count) + 0.5) / count))


def _vander(u: Floats, count: int) -> Floats:
    return np.asarray(chebyshev.chebvander(u, count - 1), dtype=np.float64)
