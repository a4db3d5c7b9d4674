"""Which predicted landslide lies on which mapped one: overlaps, and pairs one to one.

Areas are compared as shares in the plane of the CRS. In a geographic CRS a share of square degrees stands
for a share of square metres: both polygons lie at one place, and the width of a degree changes by less than
2 parts in 10 000 over a kilometre up to 50° of latitude.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pyproj import CRS

from headscarp.errors import GridError
from headscarp.geometry.areas import polygon_areas_m2

Geometries = NDArray[np.object_]
Index = NDArray[np.int64]
FloatArray = NDArray[np.float64]

NO_PARTNER = -1
"""In the column ``partner``: no landslide of the other side is this one's own."""


class MatchOptions(BaseModel):
    """When a predicted and a mapped landslide count as one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_iou: float = Field(
        0.5, gt=0, lt=1, description="Intersection over union from which two landslides can be a pair."
    )
    min_overlap: float = Field(
        0.1, gt=0, lt=1, description="Share of a landslide's area that the other side must cover for a hit."
    )
    """A tenth: of the smallest landslides drawn (1000 m², ten pixels of 10 m) one whole pixel, and of larger
    ones more, so that a neighbour that grazes a landslide by a shift of one pixel is no hit where the
    landslide is wider than ten. More is not asked for, since radar often sees a part of what was mapped,
    such as the stripped slope without the runout. Report the strict one-to-one figures beside it."""
    size_edges_m2: tuple[float, ...] = Field(
        (0.0, 1e3, 3e3, 1e4, 3e4, 1e5),
        description="Lower edges of the size classes, m²; the last class is open.",
    )

    @field_validator("size_edges_m2")
    @classmethod
    def _rising_from_zero(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        if not edges or edges[0] != 0 or not (np.diff(edges) > 0).all():
            raise ValueError("size_edges_m2 must start at 0 and rise, such as (0, 1000, 10000)")
        return edges


class Matched(NamedTuple):
    """Both sides with their match; ``id`` and ``area_m2`` are added where they were missing.

    Columns added:

    - ``size_class``: index into ``size_edges_m2``;
    - ``overlap_share``: of its own area under the union of the other side;
    - ``best_iou``: with any one of the other side, 0 without;
    - ``partner``: ``id`` of its one-to-one partner, −1 without;
    - ``outcome``, by ``overlap_share``: "hit", else "false" (predicted) or "missed" (mapped);
    - ``ground_m2``: its area less what earlier rows of its own side cover, so that sums count ground once;
    - ``shared_m2``: of that ground, what the other side covers.
    """

    predicted: gpd.GeoDataFrame
    mapped: gpd.GeoDataFrame


class _Side(NamedTuple):
    """The polygons of one side, and which of them meet another of the same side."""

    geometry: Geometries
    plane_area: FloatArray
    """In square units of the CRS."""
    area_m2: FloatArray
    entangled: NDArray[np.bool_]
    """Whether a polygon meets another of its own side."""


class _Pairs(NamedTuple):
    """Pairs that share ground: rows of both sides, the ground, and its area in square units of the CRS."""

    predicted: Index
    mapped: Index
    ground: Geometries
    area: FloatArray

    def mirrored(self) -> _Pairs:
        """The same with the sides exchanged."""
        return _Pairs(self.mapped, self.predicted, self.ground, self.area)


def match_landslides(
    predicted: gpd.GeoDataFrame, mapped: gpd.GeoDataFrame, options: MatchOptions | None = None
) -> Matched:
    r"""Match predicted and mapped landslides, many to many by overlap and one to one by IoU.

    A landslide :math:`i` is a hit when the union of the other side covers enough of it,

    .. math:: \frac{|A_i \cap \bigcup_j B_j|}{|A_i|} \ge \mathrm{min\_overlap},

    and pairs are those of the assignment with the largest sum of
    :math:`\mathrm{IoU}_{ij} = |A_i \cap B_j| / |A_i \cup B_j|` among pairs with at least ``min_iou``. Above
    0.5, and where the polygons of a side do not overlap each other, no landslide has two candidates.

    Parameters
    ----------
    predicted, mapped : GeoDataFrame
        Valid polygons in one CRS; either may be empty. Columns ``id`` and ``area_m2`` are used where present;
        without them rows are numbered from 1 and areas measured.
    options : MatchOptions, optional
        Thresholds and size classes.

    Raises
    ------
    GridError
        If the CRSs differ or are missing, or a polygon is invalid or empty.
    """
    options = options or MatchOptions()
    _refuse_mismatch(predicted, mapped)
    sides = [_side(frame, name) for frame, name in ((predicted, "predicted"), (mapped, "mapped"))]
    pairs = _shared_ground(*sides)
    iou = _iou(pairs, *sides)
    chosen = _assign(pairs, iou, options.min_iou)
    frames = [predicted.copy(), mapped.copy()]
    for frame, side in zip(frames, sides, strict=True):
        _identify(frame, side, options)
    for own, (view, failure) in enumerate([(pairs, "false"), (pairs.mirrored(), "missed")]):
        side, other = sides[own], sides[1 - own]
        frame = frames[own]
        _describe_overlap(frame, side, other, view)
        frame["best_iou"] = _best(view.predicted, iou, len(frame))
        frame["partner"] = _partners(view, chosen, len(frame), frames[1 - own]["id"].to_numpy())
        frame["outcome"] = np.where(frame["overlap_share"] >= options.min_overlap, "hit", failure)
    return Matched(*frames)


def _side(frame: gpd.GeoDataFrame, name: str) -> _Side:
    geometry = np.asarray(frame.geometry.to_numpy(), dtype=object)
    _refuse_invalid(geometry, name)
    given = "area_m2" in frame.columns
    area_m2 = frame["area_m2"].to_numpy(dtype=np.float64) if given else polygon_areas_m2(geometry, frame.crs)
    rows, others = shapely.STRtree(geometry).query(geometry, predicate="intersects")
    entangled = np.zeros(len(geometry), dtype=np.bool_)
    entangled[rows[rows != others]] = True
    return _Side(geometry, shapely.area(geometry), area_m2, entangled)


def _shared_ground(predicted: _Side, mapped: _Side) -> _Pairs:
    """Pairs of polygons that share more than an edge."""
    i, j = shapely.STRtree(mapped.geometry).query(predicted.geometry, predicate="intersects")
    ground = shapely.intersection(predicted.geometry[i], mapped.geometry[j])
    area = shapely.area(ground)
    real = area > 0
    return _Pairs(i[real], j[real], ground[real], area[real])


def _iou(pairs: _Pairs, predicted: _Side, mapped: _Side) -> FloatArray:
    both = predicted.plane_area[pairs.predicted] + mapped.plane_area[pairs.mapped]
    return np.minimum(pairs.area / (both - pairs.area), 1.0)


def _assign(pairs: _Pairs, iou: FloatArray, min_iou: float) -> Index:
    """Positions of the pairs of the assignment with the largest sum of IoU, group by connected group."""
    able = np.flatnonzero(iou >= min_iou)
    if not able.size:
        return able
    groups = _groups(pairs.predicted[able], pairs.mapped[able])
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    chosen = [_assign_group(pairs, iou, group) for group in np.split(able[order], starts[1:])]
    return np.sort(np.concatenate(chosen))


def _groups(rows: Index, cols: Index) -> Index:
    """Number of the connected group that each pair belongs to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, cols = (np.unique(index, return_inverse=True)[1] for index in (rows, cols))
    nodes = int(rows.max()) + int(cols.max()) + 2
    links = coo_array((np.ones(len(rows)), (rows, cols + rows.max() + 1)), shape=(nodes, nodes))
    return np.asarray(connected_components(links, directed=False)[1][rows], dtype=np.int64)


def _assign_group(pairs: _Pairs, iou: FloatArray, group: Index) -> Index:
    """The assignment within one connected group: positions of its pairs."""
    from scipy.optimize import linear_sum_assignment

    if group.size == 1:
        return group
    rows, cols = (np.unique(index[group], return_inverse=True)[1] for index in pairs[:2])
    position = np.full((rows.max() + 1, cols.max() + 1), -1, dtype=np.int64)
    position[rows, cols] = group
    weight = np.where(position >= 0, iou[position], 0.0)
    best = position[linear_sum_assignment(weight, maximize=True)]
    return np.asarray(best[best >= 0], dtype=np.int64)


def _identify(frame: gpd.GeoDataFrame, side: _Side, options: MatchOptions) -> None:
    if "id" not in frame.columns:
        frame["id"] = np.arange(1, len(frame) + 1, dtype=np.int64)
    frame["area_m2"] = side.area_m2
    frame["size_class"] = np.searchsorted(options.size_edges_m2, side.area_m2, side="right").astype(int) - 1


def _describe_overlap(frame: gpd.GeoDataFrame, side: _Side, other: _Side, view: _Pairs) -> None:
    """Add the share under the other side, and the ground that no earlier row of this side covers."""
    per_area = side.area_m2 / side.plane_area
    covered = _covered(view, other, len(frame))
    ground, shared = side.plane_area.copy(), covered.copy()
    rows = np.flatnonzero(side.entangled)
    new = _new_ground(side.geometry, rows)
    part = _side_of(new)
    ground[rows] = part.plane_area
    shared[rows] = _covered(_shared_ground(part, other), other, len(rows))
    frame["overlap_share"] = np.minimum(covered / side.plane_area, 1.0)
    frame["ground_m2"] = ground * per_area
    frame["shared_m2"] = np.minimum(shared, ground) * per_area


def _side_of(geometry: Geometries) -> _Side:
    """Polygons of which only the ground matters."""
    area = shapely.area(geometry)
    return _Side(geometry, area, area, np.zeros(len(geometry), dtype=np.bool_))


def _covered(view: _Pairs, other: _Side, n: int) -> FloatArray:
    """Area of each row (of the first side) under the union of the other side, in units of the CRS."""
    covered = np.bincount(view.predicted, view.area, n).astype(np.float64)
    entangled = np.bincount(view.predicted, other.entangled[view.mapped], n) > 1
    for row, positions in _by_row(view.predicted, entangled):
        covered[row] = shapely.area(shapely.union_all(view.ground[positions]))
    return covered


def _new_ground(geometry: Geometries, rows: Index) -> Geometries:
    """Of each of these rows, the ground that no earlier one of them covers."""
    own = geometry[rows]
    later, earlier = shapely.STRtree(own).query(own, predicate="intersects")
    later, earlier = later[earlier < later], earlier[earlier < later]
    new = own.copy()
    for row, positions in _by_row(later, np.ones(len(rows), dtype=np.bool_)):
        new[row] = shapely.difference(own[row], shapely.union_all(own[earlier[positions]]))
    return new


def _by_row(rows: Index, wanted: NDArray[np.bool_]) -> list[tuple[int, Index]]:
    """Positions in ``rows`` of each row that occurs in it and is wanted."""
    kept = np.flatnonzero(wanted[rows])
    order = kept[np.argsort(rows[kept], kind="stable")]
    values, starts = np.unique(rows[order], return_index=True)
    return list(zip(values.tolist(), np.split(order, starts[1:]), strict=False))


def _best(rows: Index, iou: FloatArray, n: int) -> FloatArray:
    best = np.zeros(n)
    np.maximum.at(best, rows, iou)
    return best


def _partners(view: _Pairs, chosen: Index, n: int, other_ids: NDArray[Any]) -> Index:
    partner = np.full(n, NO_PARTNER, dtype=np.int64)
    partner[view.predicted[chosen]] = other_ids[view.mapped[chosen]]
    return partner


def _refuse_mismatch(predicted: gpd.GeoDataFrame, mapped: gpd.GeoDataFrame) -> None:
    if predicted.crs is None or mapped.crs is None or CRS(predicted.crs) != CRS(mapped.crs):
        raise GridError(
            "predicted and mapped landslides in one CRS",
            f"predicted in {predicted.crs}, mapped in {mapped.crs}",
            "landslides of different places would be compared",
            "read the inventory in the map's CRS: read_inventory(paths, crs)",
        )


def _refuse_invalid(geometry: Geometries, name: str) -> None:
    sound = shapely.is_valid(geometry) & (shapely.area(geometry) > 0)
    if not sound.all():
        raise GridError(
            "valid polygons with an area",
            f"{int((~sound).sum())} of {len(sound)} {name} landslides are invalid, empty or missing",
            "their overlap has no defined area",
            "repair them (shapely.make_valid), or read them with read_inventory, which does",
        )
