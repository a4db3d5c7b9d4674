"""Where a simulated event happens: its grid and its heights, generated or from a DEM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from headscarp.errors import GridError
from headscarp.grid import expand, grid_over, lonlat_centre, utm_crs
from headscarp.ingest.dem import read_height
from headscarp.ingest.raster import bounds_in, read_header
from headscarp.simulate.ground import Float32
from headscarp.simulate.land.terrain import generate_height
from headscarp.simulate.options import SimulateOptions

DEFAULT_SIZE_PX = 512
MARGIN_PX = 64
"""Heights beyond the scenes: ground that lies over them, shadows them or drains into them."""
WEST_M, NORTH_M = 580_000.0, 4_730_000.0
"""Upper left corner of generated ground, at 42.7° N; for seed 7 near 142° E."""
UTM_ZONES = 60
_SEED_7_ZONE = 54
_LEAST_KNOWN = 0.1


Placed = Callable[[int, float], GeoBox]


class Site(NamedTuple):
    """A grid, and heights that reach ``MARGIN_PX`` beyond it."""

    geobox: GeoBox
    wide_height_m: Float32


def make_site(options: SimulateOptions, place: Placed | None = None) -> Site:
    """Generate the heights of an event, or read them.

    Parameters
    ----------
    options : SimulateOptions
    place : callable, optional
        Gives the grid of generated ground, of a side in pixels and a spacing in metres; none: at 42.7° N, in
        the UTM zone of the seed.

    Raises
    ------
    GridError
        If the DEM cannot be read, or knows too little of the ground.
    """
    if options.dem is not None:
        return _read_site(options.dem, options)
    side = options.size_px or DEFAULT_SIZE_PX
    transform = Affine(options.spacing_m, 0.0, WEST_M, 0.0, -options.spacing_m, NORTH_M)
    usual = GeoBox((side, side), transform, generated_crs(options.seed))
    geobox = place(side, options.spacing_m) if place else usual
    wide = side + 2 * MARGIN_PX
    return Site(geobox, generate_height((wide, wide), options.spacing_m, options.seed))


def generated_crs(seed: int) -> str:
    """UTM zone of generated ground: events of other seeds lie elsewhere, and can train and test together.

    Seeds 60 apart lie on the same ground.

    Examples
    --------
    >>> generated_crs(7), generated_crs(14)
    ('EPSG:32654', 'EPSG:32601')
    """
    return f"EPSG:326{1 + (_SEED_7_ZONE - 1 + seed - 7) % UTM_ZONES:02d}"


def _read_site(dem: Path, options: SimulateOptions) -> Site:
    """Grid in the middle of a DEM, in its UTM zone, or over all of it; and its heights."""
    source = read_header(dem).geobox
    crs = utm_crs(*lonlat_centre(source))
    geobox = grid_over(bounds_in(source, crs), crs, options.spacing_m)
    if options.size_px is not None:
        geobox = _middle(geobox, options.size_px, dem)
    height = read_height(dem, expand(geobox, MARGIN_PX))
    inner = height[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    if np.isfinite(inner).mean() < _LEAST_KNOWN:
        raise GridError(
            f"a DEM with heights for at least {_LEAST_KNOWN:.0%} of the scenes",
            f"{dem}, with {np.isfinite(inner).mean():.1%}",
            "there is no ground to simulate on",
            "check the DEM's nodata value, or choose a --size that fits into it",
        )
    return Site(geobox, height)


def _middle(geobox: GeoBox, size_px: int, dem: Path) -> GeoBox:
    rows, cols = geobox.shape
    if size_px > min(rows, cols):
        raise GridError(
            f"a --size that fits into the DEM, at most {min(rows, cols)} pixels at this spacing",
            f"{size_px} pixels over {dem}",
            "no height is known beyond it",
            "lower --size or --spacing, or leave --size out for all of the DEM",
        )
    top, left = (rows - size_px) // 2, (cols - size_px) // 2
    return geobox[top : top + size_px, left : left + size_px]
