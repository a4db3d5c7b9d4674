r"""Mountains with valleys and ridges: a fractal surface into which rivers cut, and what follows from heights.

Where uplift and the incision of rivers balance, the slope of a river falls with its catchment :math:`A`, and
no hillside stands steeper than its rock and roots can hold, so that from a node's receiver :math:`r` to the
node :math:`i`, over a distance :math:`d`,

.. math:: z_i = z_r + d \, \min\left( k_s A_i^{-\theta}, \tan \varphi_i \right)

(Howard, 1994; Whipple and Tucker, 1999). Flow is routed over a fractal surface, the heights are set by this
equation from the outlets upward (the order of Braun and Willett, 2013), hillsides slide to what they can
hold, and flow is routed again, until valleys and divides have found their places; first on few nodes, then
on more. Beside larger rivers the ground is flat, as wide as the square root of the catchment.
:math:`k_s` and :math:`\varphi` vary in space as fractal fields do. What is asked for is cut from a wider
domain, which water leaves at one point on each of two sides. Between the nodes (at least 30 m, at most 700
along a side) heights are cubic, the nodes displaced by a smooth field that hides their rows;
relief finer than that is fractal, not carved.

References
----------
Howard, A. D. (1994). A detachment-limited model of drainage basin evolution. Water Resources Research, 30(7),
2261-2285.
Whipple, K. X., and Tucker, G. E. (1999). Dynamics of the stream-power river incision model. Journal of
Geophysical Research, 104(B8), 17661-17674.
Braun, J., and Willett, S. D. (2013). A very efficient O(n), implicit and parallel method to solve the stream
power equation governing fluvial incision and landscape evolution. Geomorphology, 180-181, 170-179.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy import fft
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter, zoom

from headscarp.errors import GridError
from headscarp.geometry.terrain import HALO_PX, gradient, slope_deg
from headscarp.simulate import fields
from headscarp.simulate.ground import Ground
from headscarp.simulate.land.carving import CONCAVITY, Rock, carve
from headscarp.simulate.land.drainage import drain

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

STEEPNESS = 95.0
"""Steepness of rivers, k_s, m^0.9: 50 to 300 in active mountains (Wobus et al., 2006, GSA SP 398)."""
STEEPNESS_SPREAD, STEEPNESS_ROUGHNESS = 0.35, 0.10
"""Standard deviations of its logarithm: over the region, and from node to node."""
SMALL_M = 5000.0
"""Below this longer side, k_s falls so that a small ground is a model of a larger one, with a river in it."""
HILLSIDE_DEG, HILLSIDE_SPREAD_DEG = 30.5, 4.5
"""Mean and standard deviation of the slope that hillsides hold between gullies; single cliffs are steeper."""
LOWEST_M = 30.0
"""Height of the lowest ground above the sea."""

MIN_NODE_M = 30.0
"""Smallest distance of nodes, m."""
MOST_NODES = (350, 700)
"""Nodes along the longer side, in the first and in the second stage."""
ROUNDS = (12, 4)
"""How often flow is routed and heights are set in each stage."""
WIDER = 0.10
"""Share of the longer side by which the domain is wider on each side."""
START_EXPONENT, START_M = 3.6, 300.0
"""Spectral exponent and standard deviation, m, of the surface that the first rivers run on."""
REFINED_EXPONENT, REFINED_M = 3.0, 10.0
"""The same of what is added to it before the second stage."""
ROUND_NODES = 0.8
"""Standard deviation of the Gaussian that rounds ridges, as soil creep does, nodes."""
WARP_NODES, WARP_SCALE_NODES, WARP_EXPONENT = 2.2, 70.0, 4.0
"""Displacement of nodes: standard deviation and longest wave, nodes, and spectral exponent."""
REGION_EXPONENT, ROUGH_EXPONENT = 3.0, 2.0
"""Spectral exponents of rock and of slopes that hold, over the region and from node to node."""
MICRO_EXPONENT, MICRO_SLOPE, MICRO_M = 3.6, 0.06, 120.0
"""Fine relief: spectral exponent, root mean square slope, longest wave, m."""
_STRIP_ROWS = 256
"""Rows worked on at a time."""


def generate_height(shape: tuple[int, int], spacing_m: float, seed: int) -> Float32:
    """Heights of mountains that rivers have carved.

    Relief grows with the longer side, from some 750 m over 5 km and 1100 m over 10 km to 2300 m over 40 km;
    below 5 km it falls with the side.

    Parameters
    ----------
    shape : tuple of (rows, columns)
        At least 8 each.
    spacing_m : float
        Metres from pixel to pixel, above 0.
    seed : int
        0 or above; one seed gives one ground for each shape and spacing.

    Returns
    -------
    float32 array of shape (rows, columns)
        Metres above the sea, the lowest 30.

    Raises
    ------
    GridError
        If the shape is too small or the spacing not above 0.
    """
    if min(shape) < 8 or not spacing_m > 0.0:
        raise GridError(
            "at least 8 rows and columns, and a spacing above 0 m",
            f"{shape[0]} x {shape[1]} pixels of {spacing_m!r} m",
            "valleys and ridges need room",
            "ask for a larger ground",
        )
    domain = _domain(shape, spacing_m, seed)
    coarse = (domain.nodes[0] // domain.joined, domain.nodes[1] // domain.joined)
    height = fractal(coarse, START_EXPONENT, seed, "start").astype(np.float64) * START_M
    height = carve(height, _rock(domain, domain.joined), ROUNDS[0])
    if domain.joined > 1:
        height = zoom(height, domain.joined, order=1, grid_mode=True, mode="nearest")
        height += REFINED_M * fractal(domain.nodes, REFINED_EXPONENT, seed, "refined")
        height = carve(height, _rock(domain, 1), ROUNDS[1])
    return _at_pixels(height, domain, shape, spacing_m)


def survey(wide_height_m: NDArray[np.floating[Any]], geobox: GeoBox, margin_px: int) -> Ground:
    """Slope, gradient and drainage of heights, cut to a grid.

    Parameters
    ----------
    wide_height_m : array of shape (rows + 2 margins, columns + 2 margins)
        Heights of the grid and of a margin around it, metres; NaN where unknown.
    geobox : GeoBox
        Grid of the result: projected, north up, square pixels.
    margin_px : int
        Width of the margin, at least 1: slopes at the grid's edge need it.

    Raises
    ------
    GridError
        If the heights do not cover the grid and its margin, or there is no margin.
    """
    rows, cols = geobox.shape
    wide = np.ascontiguousarray(wide_height_m, dtype=np.float32)
    if margin_px < HALO_PX or wide.shape != (rows + 2 * margin_px, cols + 2 * margin_px):
        raise GridError(
            f"heights of the grid, {rows} x {cols}, and of a margin of 1 pixel or more",
            f"heights of shape {wide.shape} with a margin of {margin_px}",
            "slopes and drainage at the edge need what lies beyond",
            "cut the heights to the grid widened by the margin",
        )
    spacing_m = float(geobox.transform.a)
    drainage = drain(wide, spacing_m)
    inner = (slice(margin_px, margin_px + rows), slice(margin_px, margin_px + cols))
    slope, to_east, to_north = _slopes(wide, margin_px, (rows, cols), spacing_m)
    return Ground(
        geobox,
        margin_px,
        wide,
        slope,
        to_east,
        to_north,
        np.ascontiguousarray(drainage.catchment_m2[inner]),
        np.ascontiguousarray(drainage.above_channel_m[inner]),
    )


def fractal(
    shape: tuple[int, int], exponent: float, seed: int, name: str, longest_px: float = math.inf
) -> Float32:
    r"""Random surface of mean 0 and standard deviation 1 with a power-law spectrum, periodic at its edges.

    .. math:: P(k) \propto \left( k^2 + \lambda^{-2} \right)^{-\beta/2}

    Parameters
    ----------
    shape : tuple of (rows, columns)
    exponent : float
        beta; 2 to 4 on real ground, larger is smoother.
    seed, name
        As in :func:`headscarp.simulate.fields.generator`.
    longest_px : float
        lambda: waves longer than this are no higher.
    """
    noise = fields.generator(seed, "terrain", name).standard_normal(shape, dtype=np.float32)
    down, across = (f.astype(np.float32) for f in (fft.fftfreq(shape[0]), fft.rfftfreq(shape[1])))
    power = down[:, None] ** 2 + across**2 + np.float32(longest_px**-2)
    power[0, 0] = np.inf
    power **= np.float32(-exponent / 4.0)
    surface = np.asarray(fft.irfft2(fft.rfft2(noise) * power, s=shape), dtype=np.float32)
    surface /= surface.std()
    return surface


class _Domain(NamedTuple):
    """Nodes on which rivers carve."""

    nodes: tuple[int, int]
    """Rows and columns, multiples of ``joined``."""
    joined: int
    """So many nodes, along and across, make one of the first stage."""
    node_m: float
    steepness: float
    seed: int


def _domain(shape: tuple[int, int], spacing_m: float, seed: int) -> _Domain:
    side_m = max(shape) * spacing_m
    node_m = max(MIN_NODE_M, spacing_m, side_m / MOST_NODES[1])
    wide = [n * spacing_m / node_m + 2.0 * (WIDER * side_m / node_m + 4.0) for n in shape]
    joined = max(1, math.ceil(max(wide) / (MOST_NODES[0] * (1.0 + 2.0 * WIDER)) - 0.1))
    rows, cols = (math.ceil(n / joined) * joined for n in wide)
    steepness = STEEPNESS * min(1.0, side_m / SMALL_M) ** (2.0 * CONCAVITY)
    return _Domain((rows, cols), joined, node_m, steepness, seed)


def _rock(domain: _Domain, joined: int) -> Rock:
    """Rock of one stage: regional fields are the same in both."""
    coarse = (domain.nodes[0] // domain.joined, domain.nodes[1] // domain.joined)
    shape = (domain.nodes[0] // joined, domain.nodes[1] // joined)
    regional = (
        zoom(
            fractal(coarse, REGION_EXPONENT, domain.seed, name),
            domain.joined // joined,
            order=1,
            grid_mode=True,
            mode="nearest",
        )
        for name in ("rock", "hillside")
    )
    rock, hillside = (np.clip(field.astype(np.float64), -2.0, 2.0) for field in regional)
    rough = np.exp(
        STEEPNESS_ROUGHNESS * fractal(shape, ROUGH_EXPONENT, domain.seed, "rough").astype(np.float64)
    )
    return Rock(
        domain.node_m * joined,
        domain.steepness * np.exp(STEEPNESS_SPREAD * rock) * rough,
        np.tan(np.deg2rad(HILLSIDE_DEG + HILLSIDE_SPREAD_DEG * hillside)) * rough,
        _outlets(shape, domain.seed),
    )


def _outlets(shape: tuple[int, int], seed: int) -> NDArray[np.bool_]:
    """One node on each of two sides."""
    source = fields.generator(seed, "terrain", "outlets")
    outlets = np.zeros(shape, dtype=bool)
    for side in source.choice(4, size=2, replace=False):
        row, col = (int(n * source.uniform(0.2, 0.8)) for n in shape)
        outlets[((0, col), (-1, col), (row, 0), (row, -1))[side]] = True
    return outlets


def _at_pixels(height: Float64, domain: _Domain, shape: tuple[int, int], spacing_m: float) -> Float32:
    """Rounded and displaced heights at the pixels, which lie in the middle of the domain, and fine relief."""
    soft = gaussian_filter(height, ROUND_NODES)
    steep = np.hypot(*np.gradient(soft, domain.node_m)) / math.tan(math.radians(HILLSIDE_DEG))
    surfaces = [_surface(np.minimum(steep, 1.0)), *(_surface(_warp(domain, axis)) for axis in (0, 1))]
    out = _micro_relief(shape, spacing_m, domain.seed)
    filtered = spline_filter(soft)
    down, across = (
        (n - 1) / 2.0 + (np.arange(size) - (size - 1) / 2.0) * spacing_m / domain.node_m
        for n, size in zip(domain.nodes, shape, strict=True)
    )
    for top in range(0, shape[0], _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        share, *warp = (surface(down[rows], across) for surface in surfaces)
        out[rows] *= share
        at = [down[rows, None] + warp[0], across + warp[1]]
        out[rows] += map_coordinates(filtered, at, prefilter=False, mode="nearest")
    out -= out.min() - np.float32(LOWEST_M)
    return out


def _warp(domain: _Domain, axis: int) -> Float32:
    """Displacement of the nodes along one axis, nodes."""
    return WARP_NODES * fractal(domain.nodes, WARP_EXPONENT, domain.seed, f"warp {axis}", WARP_SCALE_NODES)


def _surface(values: NDArray[np.floating[Any]]) -> RectBivariateSpline:
    """Cubic spline through values at nodes 0, 1, 2, ..."""
    down, across = (np.arange(n, dtype=np.float64) for n in values.shape)
    return RectBivariateSpline(down, across, values, s=0)


def _micro_relief(shape: tuple[int, int], spacing_m: float, seed: int) -> Float32:
    """Fine fractal relief of a set root mean square slope, metres."""
    relief = fractal(shape, MICRO_EXPONENT, seed, "micro", MICRO_M / spacing_m)
    slopes = np.gradient(relief[:1024, :1024], spacing_m)
    relief *= np.float32(MICRO_SLOPE / np.sqrt(np.mean(slopes[0] ** 2 + slopes[1] ** 2)))
    return relief


def _slopes(
    wide: Float32, margin_px: int, shape: tuple[int, int], spacing_m: float
) -> tuple[Float32, Float32, Float32]:
    """Slope in degrees, and gradient to the east and to the north, in strips of rows."""
    slope, to_east, to_north = (np.empty(shape, np.float32) for _ in range(3))
    cols = slice(margin_px - HALO_PX, margin_px + shape[1] + HALO_PX)
    inner = (slice(HALO_PX, -HALO_PX), slice(HALO_PX, -HALO_PX))
    for top in range(0, shape[0], _STRIP_ROWS):
        rows = slice(top, min(top + _STRIP_ROWS, shape[0]))
        around = wide[rows.start + margin_px - HALO_PX : rows.stop + margin_px + HALO_PX, cols]
        slope[rows] = slope_deg(around, (spacing_m, spacing_m))[inner]
        to_east[rows], to_north[rows] = (part[inner] for part in gradient(around, (spacing_m, spacing_m)))
    return slope, to_east, to_north
