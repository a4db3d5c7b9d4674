r"""Parcels: fields and forest stands, which are sown, cut and felled as a whole.

The plane is turned by an angle and cut into strips, each strip into parcels; every cut is moved by a share
of a parcel's side of its own, and a smooth warp bends the lines a little. The parcel of a pixel follows from
its coordinates alone, so every part of the ground gives the numbers of the whole.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes

from headscarp.simulate.fields import Field, generator, regional_noise
from headscarp.simulate.ground import Ground

Parcels = NDArray[np.int32]

CUT_SHARE = 0.4
"""Largest shift of a cut, as a share of the side: parcels are 0.6 to 1.4 sides long."""
WARP_M, WARP_SCALE_M = 12.0, 500.0
"""Bends of the lines, and the distance over which they bend."""
EDGE_M = 7.5
"""Most that an outline is smoothed, and drawn in."""
_TABLE = 4096
_MIX = (73_856_093, 19_349_663)
"""Odd multipliers that spread two cell numbers over a table of random numbers."""


class Lattice(NamedTuple):
    """How large the parcels of one use are, on average."""

    name: str
    along_m: float
    """Side along a strip."""
    across_m: float
    """Width of a strip."""


FIELDS = Lattice("fields", 100.0, 150.0)
"""Fields of 1.5 ha, as in small-scale farming (Lesiv et al., 2019, Global Change Biology 25, 174-186: fields
below 2.56 ha are 40 % of the world's)."""
STANDS = Lattice("stands", 160.0, 200.0)
"""Forest stands of some 3 ha: what is felled at once."""


def parcels(ground: Ground, lattice: Lattice, seed: int) -> Parcels:
    """Parcel of each pixel of the grid.

    Parameters
    ----------
    ground : Ground
        Only its grid counts.
    lattice : Lattice
        :data:`FIELDS` or :data:`STANDS`.
    seed : int
        Of the event.

    Returns
    -------
    int32 array of shape (rows, columns)
        1 or above, the same number throughout a parcel and in no other.
    """
    rows, cols = ground.shape
    out = np.empty((rows, cols), np.int32)
    for part in row_blocks(rows):
        out[part] = parcels_in(ground, lattice, seed, part, slice(0, cols))
    return out


def parcels_in(ground: Ground, lattice: Lattice, seed: int, rows: slice, cols: slice) -> Parcels:
    """Parcel of each pixel of a window; as :func:`parcels`, which it is a part of."""
    cuts = generator(seed, lattice.name)
    angle = cuts.uniform(0.0, math.pi)
    table = cuts.uniform(0.0, CUT_SHARE, _TABLE).astype(np.float32)
    along_m, across_m = _turned(ground, lattice, seed, angle, rows, cols)
    strip = _cell(across_m / np.float32(lattice.across_m), np.zeros(1, np.int32), table)
    shift = table[_mixed(strip, np.ones(1, np.int32))] / np.float32(CUT_SHARE)
    place = _cell(along_m / np.float32(lattice.along_m) + shift, strip, table)
    cells = _most_cells(ground, lattice)
    return (strip + cells) * np.int32(2 * cells + 1) + (place + cells) + np.int32(1)


def outlines_of(values: NDArray[Any], ground: Ground) -> list[tuple[int, shapely.Polygon]]:
    """Outlines of the connected regions of equal value above 0, smoothed and drawn in.

    Steps of pixels are smoothed away to within three quarters of a pixel (at most ``EDGE_M``), and the
    outlines drawn in by as much: they lie within their pixels, and outlines of neighbours are disjoint.

    Parameters
    ----------
    values : uint8 or int32 array of shape (rows, columns)
        0 where there is nothing.
    ground : Ground
        Only its grid counts.

    Returns
    -------
    list of (int, Polygon)
        Values and outlines in the grid's CRS; one region gives several where it is narrow, or none.
    """
    edge_m = min(0.75 * ground.spacing_m, EDGE_M)
    drawn = shapes(values, mask=values > 0, connectivity=4, transform=ground.geobox.transform)
    found = [(int(value), shapely.geometry.shape(outline)) for outline, value in drawn]
    numbers = np.array([number for number, _ in found], dtype=np.int64)
    smooth = shapely.simplify(np.array([outline for _, outline in found], dtype=object), edge_m)
    parts, origin = shapely.get_parts(shapely.buffer(smooth, -edge_m, join_style="mitre"), return_index=True)
    return [(n, part) for n, part in zip(numbers[origin].tolist(), parts, strict=True) if not part.is_empty]


def row_blocks(rows: int, size: int = 256) -> list[slice]:
    """Slices of ``size`` rows, the last one shorter, that cover all rows."""
    return [slice(top, min(top + size, rows)) for top in range(0, rows, size)]


def _turned(
    ground: Ground, lattice: Lattice, seed: int, angle: float, rows: slice, cols: slice
) -> tuple[Field, Field]:
    """Metres along and across the strips, from the grid's upper left corner, warped."""
    spacing = ground.spacing_m
    east = ((np.arange(cols.start, cols.stop) + 0.5) * spacing).astype(np.float32)
    south = ((np.arange(rows.start, rows.stop) + 0.5) * spacing).astype(np.float32)[:, None]
    sine, cosine = np.float32(math.sin(angle)), np.float32(math.cos(angle))
    warp = [
        WARP_M * regional_noise(seed, (lattice.name, axis), rows, cols, WARP_SCALE_M / spacing)
        for axis in ("along", "across")
    ]
    return east * cosine + south * sine + warp[0], south * cosine - east * sine + warp[1]


def _cell(position: Field, strip: Parcels, table: Field) -> Parcels:
    """Cell of a line with moved cuts: the cut before cell ``k`` lies at ``k`` plus the table's share."""
    cell = np.floor(position).astype(np.int32)
    return cell - (position - cell < table[_mixed(cell, strip)]).astype(np.int32)


def _mixed(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.int64]:
    """Place in the table of random numbers that belongs to a pair of cell numbers."""
    return (a.astype(np.int64) * _MIX[0] ^ b.astype(np.int64) * _MIX[1]) % _TABLE


def _most_cells(ground: Ground, lattice: Lattice) -> int:
    """Most cells from the corner in any direction."""
    diagonal_m = math.hypot(*ground.shape) * ground.spacing_m
    return math.ceil((diagonal_m + 10.0 * WARP_M) / min(lattice.along_m, lattice.across_m)) + 3
