"""Which chips lie near each other, and how near.

Two chips of one CRS are compared in it. Of two chips in different CRSs, such as neighbouring UTM zones,
the corners of the second are transformed to the CRS of the first; distances there are those of its plane.
Candidates across CRSs come from their centres in geocentric coordinates, so neither the edge of a zone nor
the antimeridian hides a pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.spatial import cKDTree

from headscarp.audit.table import BoolArray, ChipTable, FloatArray, IntArray
from headscarp.grid import WGS84
from headscarp.split import SplitError

GEOCENTRIC = "EPSG:4978"
_LONLAT_HEIGHT = "EPSG:4979"
_SCALE_MARGIN = 1.01
"""Metres of a UTM zone and its neighbours differ from metres on the ground by less than this factor."""


class Pairs(NamedTuple):
    """Rows of pairs of chips; the first is always the smaller."""

    first: IntArray
    second: IntArray

    def where(self, wanted: BoolArray) -> Pairs:
        """Return the pairs that are wanted."""
        return Pairs(self.first[wanted], self.second[wanted])


class Closeness(NamedTuple):
    """How near the chips of each pair are, one row a pair."""

    separation_m: FloatArray
    """Gap along the axis that separates the two most; negative: how deep they overlap."""
    least_m: FloatArray
    """The lesser of the gaps along the two axes of the first chip."""
    distance_m: FloatArray
    """Shortest distance between edges, 0 where they meet."""
    overlap_m2: FloatArray
    """Area that both cover."""


def candidate_pairs(table: ChipTable, reach_m: float, rows: IntArray | None = None) -> Pairs:
    """Find pairs of chips that may lie within a reach of each other.

    Parameters
    ----------
    table : ChipTable
        Chips of any number of series and CRSs.
    reach_m : float
        Chips of one CRS are paired when their gap is at most this along both axes; across CRSs the pairs
        are a superset of those.
    rows : ndarray of int, optional
        Rows to pair; all by default.
    """
    chosen = np.arange(len(table)) if rows is None else rows
    by_crs = {int(crs): chosen[table.crs[chosen] == crs] for crs in np.unique(table.crs[chosen])}
    found = [_within_crs(table, own, reach_m) for own in by_crs.values()]
    found += _across_crs(table, by_crs, reach_m)
    both = np.sort(np.concatenate(found), axis=1)
    ordered = both[np.lexsort((both[:, 1], both[:, 0]))]
    return Pairs(ordered[:, 0], ordered[:, 1])


def closeness(table: ChipTable, pairs: Pairs) -> Closeness:
    r"""Measure how near the chips of each pair are.

    The separation is that of the separating-axis theorem: over the edge normals :math:`n` of both chips,

    .. math:: s = \max_n \max(\min_b n·b - \max_a n·a, \min_a n·a - \max_b n·b)

    with corners :math:`a, b`. For two chips of one CRS it is the larger of the gaps along x and y.

    Parameters
    ----------
    table : ChipTable
    pairs : Pairs
    """
    first, second = _corners(table.bounds[pairs.first]), _corners(table.bounds[pairs.second])
    for own, other, rows in _crs_groups(table, pairs):
        corners = second[rows].reshape(-1, 2)
        x, y = _transformer(table.crs_names[other], table.crs_names[own]).transform(*corners.T)
        second[rows] = np.stack([x, y], axis=-1).reshape(-1, 4, 2)
    gaps = _gaps(first, second)
    separation = gaps.max(axis=1)
    return Closeness(
        separation_m=separation,
        least_m=gaps[:, :2].min(axis=1),
        distance_m=_measured(shapely.distance, first, second, separation > 0),
        overlap_m2=_measured(_shared_area, first, second, separation < 0),
    )


def corners_in(table: ChipTable, rows: IntArray, crs: int) -> FloatArray:
    """Corners of chips in one CRS, shape (chips, 4, 2)."""
    corners = _corners(table.bounds[rows])
    for own in np.unique(table.crs[rows]):
        if own != crs:
            mine = table.crs[rows] == own
            flat = corners[mine].reshape(-1, 2)
            x, y = _transformer(table.crs_names[own], table.crs_names[crs]).transform(*flat.T)
            corners[mine] = np.stack([x, y], axis=-1).reshape(-1, 4, 2)
    return corners


def _within_crs(table: ChipTable, rows: IntArray, reach_m: float) -> NDArray[np.int64]:
    """Pairs of rows of one CRS, shape (pairs, 2)."""
    left, bottom, right, top = table.bounds[rows].T
    tree = shapely.STRtree(shapely.box(left, bottom, right, top))
    grown = shapely.box(left - reach_m, bottom - reach_m, right + reach_m, top + reach_m)
    one, other = tree.query(grown)
    pairs: NDArray[np.int64] = np.stack([rows[one], rows[other]], axis=1)[one < other]
    return pairs


def _across_crs(table: ChipTable, by_crs: dict[int, IntArray], reach_m: float) -> Iterator[NDArray[np.int64]]:
    """Pairs of rows of two CRSs, shape (pairs, 2) each time."""
    if len(by_crs) < 2:
        return
    half = np.hypot(table.bounds[:, 2] - table.bounds[:, 0], table.bounds[:, 3] - table.bounds[:, 1]) / 2
    radius = float(2 * half.max() + reach_m * np.sqrt(2)) * _SCALE_MARGIN
    trees = {crs: cKDTree(_geocentric(table, own)) for crs, own in by_crs.items()}
    for one, other in combinations(by_crs, 2):
        near = trees[one].query_ball_tree(trees[other], radius)
        for place, partners in enumerate(near):
            if partners:
                mates = by_crs[other][partners]
                yield np.stack([np.full(len(mates), by_crs[one][place]), mates], axis=1)


def _geocentric(table: ChipTable, rows: IntArray) -> FloatArray:
    """Centres of chips of one CRS in metres from the middle of the Earth, shape (chips, 3)."""
    crs = table.crs_names[table.crs[rows[0]]]
    left, bottom, right, top = table.bounds[rows].T
    lon, lat = _transformer(crs, WGS84).transform((left + right) / 2, (bottom + top) / 2)
    places = np.stack(
        _transformer(_LONLAT_HEIGHT, GEOCENTRIC).transform(lon, lat, np.zeros(len(rows))), axis=1
    )
    lost = np.flatnonzero(~np.isfinite(places).all(axis=1))
    if lost.size:
        chip = table.chips[rows[lost[0]]]
        raise SplitError(
            f"bounds that lie on the Earth in {crs}",
            f"{chip.bounds} of chip {chip.id}",
            "whether the chip touches others could not be told",
            "correct the chip's bounds or its CRS",
        )
    return places


def _corners(bounds: FloatArray) -> FloatArray:
    """Corners of boxes in order around them, shape (boxes, 4, 2)."""
    left, bottom, right, top = bounds.T
    x, y = np.stack([left, right, right, left], axis=1), np.stack([bottom, bottom, top, top], axis=1)
    return np.stack([x, y], axis=-1)


def _crs_groups(table: ChipTable, pairs: Pairs) -> Iterator[tuple[int, int, IntArray]]:
    """Rows of the pairs of two CRSs, for each two."""
    own, other = table.crs[pairs.first], table.crs[pairs.second]
    foreign = own != other
    for a, b in sorted({(int(a), int(b)) for a, b in zip(own[foreign], other[foreign], strict=True)}):
        yield a, b, np.flatnonzero((own == a) & (other == b))


def _gaps(first: FloatArray, second: FloatArray) -> FloatArray:
    """Gap along each edge normal of the first chip (two) and of the second (two), shape (pairs, 4)."""
    edges = [quad[:, k + 1] - quad[:, k] for quad in (first, second) for k in (0, 1)]
    columns = []
    for edge in edges:
        normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1) / np.hypot(edge[:, 0], edge[:, 1])[:, None]
        a = np.einsum("pcx,px->pc", first, normal)
        b = np.einsum("pcx,px->pc", second, normal)
        columns.append(np.maximum(b.min(axis=1) - a.max(axis=1), a.min(axis=1) - b.max(axis=1)))
    return np.stack(columns, axis=1)


def _measured(measure: Any, first: FloatArray, second: FloatArray, rows: BoolArray) -> FloatArray:
    """A measure of pairs of polygons, taken for some rows; 0 for the others."""
    values = np.zeros(len(rows))
    values[rows] = measure(shapely.polygons(first[rows]), shapely.polygons(second[rows]))
    return values


def _shared_area(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(shapely.area(shapely.intersection(a, b)))


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> Any:
    return Transformer.from_crs(source, target, always_xy=True)
