"""From probability to landslides: connected pixels above a threshold, tile by tile, joined at the seams.

Counts first: each tile gives additive sums for its connected regions; regions that meet across a seam
are joined, and ratios are taken once, after summing. Pixels connect by edges (4 neighbours), so polygons
are valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, ConfigDict, Field
from rasterio.features import shapes
from skimage.measure import label

from headscarp.grid import WGS84, Tile, crs_wkt, pixel_area_m2

FloatArray = NDArray[np.float32]

ORBIT_SCORE = "orbit_score "
"""Prefix of the layers that hold the score of one orbit."""
_EXPECTED_DIGITS = 3
"""Of an expected area in m²: areas that agree so far are equal, in whatever order they were summed."""
AGREEMENT_SCORE = 1.0
"""An orbit agrees when its own mean score has the sign of the whole and at least this size."""


class PolygonOptions(BaseModel):
    """What counts as a landslide on the map."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(
        0.8, gt=0, le=1, description="Probability from which a pixel is drawn as landslide."
    )
    min_area_m2: float = Field(1000.0, ge=0, description="Smallest landslide drawn, m².")


class ProbabilityTile(NamedTuple):
    """A part of a probability map and what is to be averaged over its landslides."""

    tile: Tile
    probability: FloatArray
    layers: Mapping[str, FloatArray]
    """Averaged over valid pixels: ``change_vv_db``, ``slope_mean_deg``, ``orbit_score …``, ``score``."""


@dataclass
class _Region:
    """Additive sums of one connected region, and the parts of its outline in pixels of the whole grid."""

    first: tuple[int, int]
    """Row and column of the first pixel in reading order: tells regions apart, however they are tiled."""
    area_m2: float = 0.0
    pixels: float = 0.0
    probability_sum: float = 0.0
    probability_max: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    outlines: list[shapely.Geometry] = field(default_factory=list)

    def add(self, other: _Region) -> None:
        """Take in another part of the same landslide."""
        self.first = min(self.first, other.first)
        self.area_m2 += other.area_m2
        self.pixels += other.pixels
        self.probability_sum += other.probability_sum
        self.probability_max = max(self.probability_max, other.probability_max)
        self.outlines += other.outlines
        for name in other.sums:
            self.sums[name] = self.sums.get(name, 0.0) + other.sums[name]
            self.counts[name] = self.counts.get(name, 0.0) + other.counts[name]

    @property
    def expected_m2(self) -> float:
        """Mean probability times area."""
        return self.probability_sum / self.pixels * self.area_m2

    def mean(self, name: str) -> float:
        """Mean of a layer over its valid pixels, NaN without any."""
        count = self.counts.get(name, 0.0)
        return self.sums[name] / count if count else float("nan")


def find_landslides(parts: Iterable[ProbabilityTile], crs: Any, options: PolygonOptions) -> gpd.GeoDataFrame:
    """Draw landslides from a probability map given in tiles.

    Parameters
    ----------
    parts : iterable of ProbabilityTile
        Tiles of one grid, row by row; tiles without data may be left out.
    crs : CRS
        Of the grid.
    options : PolygonOptions
        Threshold and smallest area.

    Returns
    -------
    GeoDataFrame
        In the grid's CRS, largest expected area (``probability_mean × area_m2``) first: ``id``, ``area_m2``,
        ``probability_mean``, ``probability_max``, the layers' means, ``orbits_agreeing``,
        ``centroid_lon``, ``centroid_lat``, ``geometry``.
    """
    regions = _Regions(options)
    layers: dict[str, None] = {}
    for part in parts:
        regions.add(part)
        layers |= dict.fromkeys(part.layers)
    found = [r for r in regions.joined() if r.area_m2 >= options.min_area_m2]
    return _frame(found, list(layers), crs, regions.to_ground)


def draw_landslides(
    probability: xr.DataArray, layers: xr.Dataset, geobox: GeoBox, options: PolygonOptions
) -> gpd.GeoDataFrame:
    """Draw landslides from a probability map in memory; see :func:`find_landslides`.

    Parameters
    ----------
    probability : DataArray
        In [0, 1] on ``(y, x)``, NaN where not observed.
    layers : Dataset
        Variables on ``(y, x)`` to average over each landslide.
    """
    height, width = geobox.shape
    tile = Tile(geobox, slice(0, height), slice(0, width))
    arrays = {str(name): layers[name].transpose("y", "x").values for name in layers.data_vars}
    part = ProbabilityTile(tile, probability.transpose("y", "x").values, arrays)
    return find_landslides([part], crs_wkt(geobox), options)


class _Regions:
    """Connected regions across tiles: a union-find over labels that meet at seams."""

    def __init__(self, options: PolygonOptions) -> None:
        self.options = options
        self.regions: dict[int, _Region] = {}
        self.parent: dict[int, int] = {}
        self.bottoms: dict[tuple[int, int], NDArray[np.int64]] = {}
        self.rights: dict[tuple[int, int], NDArray[np.int64]] = {}
        self.next_key = 1
        self.to_ground = Affine.identity()

    def add(self, part: ProbabilityTile) -> None:
        """Label a tile and join its labels to those of the tiles above and to the left."""
        mask = part.probability >= self.options.threshold
        if not mask.any():
            return
        labels = np.asarray(label(mask, connectivity=1))  # type: ignore[no-untyped-call]
        keys = np.where(labels > 0, labels + (self.next_key - 1), 0).astype(np.int64)
        self.next_key += int(labels.max())
        tile = part.tile
        self.to_ground = _transform_of_whole(tile)
        open_keys = self._join_seams(keys, tile)
        self.regions |= _measure(part, labels, keys, self._may_be_drawn(part, labels, keys, open_keys))

    def _may_be_drawn(
        self, part: ProbabilityTile, labels: NDArray[Any], keys: NDArray[np.int64], open_keys: set[int]
    ) -> NDArray[np.int64]:
        """Labels that are large enough, or touch a seam and may grow: noise is dropped before it costs."""
        areas = _areas(part, labels)
        large = np.flatnonzero(areas[1:] >= self.options.min_area_m2) + 1
        first_key = int(keys[keys > 0].min()) - 1
        growing = np.array(sorted(open_keys), dtype=np.int64) - first_key
        return np.union1d(large, growing).astype(np.int64)

    def joined(self) -> list[_Region]:
        """Regions with their parts put together."""
        whole: dict[int, _Region] = {}
        for key in sorted(self.regions):
            part = self.regions[key]
            whole.setdefault(self._root(key), _Region(part.first)).add(part)
        return list(whole.values())

    def _join_seams(self, keys: NDArray[np.int64], tile: Tile) -> set[int]:
        """Join labels across the upper and left seams; return those that touch any seam."""
        above = self.bottoms.pop((tile.rows.start, tile.cols.start), None)
        left = self.rights.pop((tile.rows.start, tile.cols.start), None)
        for border, own in ((above, keys[0]), (left, keys[:, 0])):
            if border is not None:
                both = (border > 0) & (own > 0)
                for a, b in set(zip(border[both].tolist(), own[both].tolist(), strict=True)):
                    self.parent[self._root(b)] = self._root(a)
        self.bottoms[tile.rows.stop, tile.cols.start] = keys[-1].copy()
        self.rights[tile.rows.start, tile.cols.stop] = keys[:, -1].copy()
        edge = np.concatenate([keys[0], keys[-1], keys[:, 0], keys[:, -1]])
        return set(edge[edge > 0].tolist())

    def _root(self, key: int) -> int:
        while self.parent.get(key, key) != key:
            self.parent[key] = self.parent.get(self.parent[key], self.parent[key])
            key = self.parent[key]
        return key


def _measure(
    part: ProbabilityTile, labels: NDArray[Any], keys: NDArray[np.int64], kept: NDArray[np.int64]
) -> dict[int, _Region]:
    """Sums of the kept regions of a tile."""
    flat, n = labels.ravel(), int(labels.max()) + 1
    first_key = int(keys[keys > 0].min()) - 1
    probability = part.probability.ravel().astype(np.float64)
    inside = flat > 0
    peak = np.zeros(n)
    np.maximum.at(peak, flat[inside], probability[inside])
    areas, pixels = _areas(part, labels), np.bincount(flat, minlength=n)
    sums = np.bincount(flat[inside], probability[inside], n)
    first = _first_pixels(labels, part.tile, kept)
    regions = {
        i: _Region(first[i], float(areas[i]), float(pixels[i]), float(sums[i]), float(peak[i]))
        for i in kept.tolist()
    }
    _add_layers(regions, part.layers, flat, n)
    _add_outlines(regions, labels, part.tile)
    return {first_key + i: region for i, region in regions.items()}


def _areas(part: ProbabilityTile, labels: NDArray[Any]) -> NDArray[np.float64]:
    """Area of each label, m²; of no label first."""
    area = np.broadcast_to(pixel_area_m2(part.tile.geobox), labels.shape).ravel()
    return np.bincount(labels.ravel(), area).astype(np.float64)


def _first_pixels(labels: NDArray[Any], tile: Tile, kept: NDArray[np.int64]) -> dict[int, tuple[int, int]]:
    """Row and column in the whole grid of the first pixel of each kept label."""
    values, places = np.unique(labels, return_index=True)
    rows, cols = np.unravel_index(places[np.searchsorted(values, kept)], labels.shape)
    starts = zip((rows + tile.rows.start).tolist(), (cols + tile.cols.start).tolist(), strict=True)
    return dict(zip(kept.tolist(), starts, strict=True))


def _transform_of_whole(tile: Tile) -> Affine:
    """Transform of the grid that a tile is a part of."""
    own, row, col = tile.geobox.transform, tile.rows.start, tile.cols.start
    x, y = own.c - own.a * col - own.b * row, own.f - own.d * col - own.e * row
    return Affine(own.a, own.b, x, own.d, own.e, y)


def _add_layers(
    regions: dict[int, _Region], layers: Mapping[str, FloatArray], flat: NDArray[Any], n: int
) -> None:
    for name, layer in layers.items():
        values = layer.ravel()
        valid = (flat > 0) & np.isfinite(values)
        sums = np.bincount(flat[valid], values[valid].astype(np.float64), n)
        counts = np.bincount(flat[valid], minlength=n)
        for i, region in regions.items():
            region.sums[name], region.counts[name] = float(sums[i]), float(counts[i])


def _add_outlines(regions: dict[int, _Region], labels: NDArray[Any], tile: Tile) -> None:
    # whole pixels are exact: outlines that meet at a seam share its corners, whatever the grid's unit
    to_whole = Affine.translation(tile.cols.start, tile.rows.start)
    kept = np.isin(labels, list(regions))
    drawn = shapes(labels.astype(np.int32), mask=kept, connectivity=4, transform=to_whole)
    for outline, value in drawn:
        regions[int(value)].outlines.append(shapely.geometry.shape(outline))


def _frame(regions: list[_Region], layers: list[str], crs: Any, to_ground: Affine) -> gpd.GeoDataFrame:
    """Table of landslides, the largest expected area first."""
    ordered = sorted(regions, key=lambda r: (-round(r.expected_m2, _EXPECTED_DIGITS), r.first))
    outlines = gpd.GeoSeries([_outline(region, to_ground) for region in ordered], crs=crs)
    columns: dict[str, Any] = {
        "id": np.arange(1, len(ordered) + 1, dtype=np.int64),
        "area_m2": np.array([r.area_m2 for r in ordered], dtype=np.float64),
        "probability_mean": np.array([r.probability_sum / r.pixels for r in ordered], dtype=float),
        "probability_max": np.array([r.probability_max for r in ordered], dtype=float),
    }
    for name in layers:
        if name != "score" and not name.startswith(ORBIT_SCORE):
            columns[name] = np.array([r.mean(name) for r in ordered], dtype=float)
    columns["orbits_agreeing"] = np.array([_agreeing(r) for r in ordered], dtype=np.int64)
    lonlat = _centroids(outlines).to_crs(WGS84)
    columns["centroid_lon"] = lonlat.x.to_numpy(dtype=float)
    columns["centroid_lat"] = lonlat.y.to_numpy(dtype=float)
    return gpd.GeoDataFrame(columns, geometry=outlines, crs=crs)


def _outline(region: _Region, to_ground: Affine) -> shapely.Geometry:
    """One valid polygon from the parts of a landslide."""
    whole = shapely.union_all(region.outlines) if len(region.outlines) > 1 else region.outlines[0]
    valid = whole if shapely.is_valid(whole) else shapely.make_valid(whole)
    t = to_ground
    return shapely.affinity.affine_transform(valid, (t.a, t.b, t.d, t.e, t.c, t.f))


def _centroids(outlines: gpd.GeoSeries) -> gpd.GeoSeries:
    """Centroids in the grid's own coordinates (a geographic grid's are close enough to a plane)."""
    points = [shapely.centroid(outline) for outline in outlines]
    return gpd.GeoSeries(points, crs=outlines.crs)


def _agreeing(region: _Region) -> int:
    """Orbits whose own mean score has the sign of the whole and at least one standard deviation."""
    sign = np.sign(region.mean("score"))
    own = [region.mean(name) for name in region.sums if name.startswith(ORBIT_SCORE)]
    return sum(bool(np.isfinite(s) and s * sign >= AGREEMENT_SCORE) for s in own)
