"""The truth on the prediction's grid: 1 landslide, 0 none, 255 left out, and why."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from headscarp.grid import Tile, pixel_area_m2, tiles
from headscarp.ingest.area import inside
from headscarp.ingest.categories import read_codes
from headscarp.pipeline.evaluate.ground import Ground
from headscarp.pipeline.stages import Stages
from headscarp.run_folder import RasterWriter

IGNORE = 255
OBSERVED_SHARE = 0.5
"""A mapped landslide counts as observed when at least half of its pixels were evaluated."""


class Fate(IntEnum):
    """Why a pixel is evaluated, or is not."""

    EVALUATED = 0
    OUTSIDE_AREA = 1
    IGNORED = 2
    TRUTH_UNKNOWN = 3
    NOT_OBSERVED = 4
    BASELINE_NOT_OBSERVED = 5


class LabelTile(NamedTuple):
    """The truth on one tile."""

    tile: Tile
    label: NDArray[np.uint8]
    fates: NDArray[np.int64]
    """Clear and landslide pixels by fate, shape (fates, 2)."""
    polygons: NDArray[np.int64]
    """Mapped landslides of the tile; pixels and evaluated pixels beside them, shape (n, 3)."""
    classes: frozenset[int]
    evaluated_m2: float


@dataclass
class LabelFacts:
    """What was learnt while the truth was laid on the grid.

    Attributes
    ----------
    path : Path
        ``label.tif``.
    sha256 : str
        Of the label's pixels, in tiles: two evaluations with the same hash and grid share their ground.
    fates : ndarray, shape (fates, 2)
    pixels, evaluated : ndarray, shape (mapped landslides,)
        Pixel centres inside each mapped landslide, and those evaluated.
    classes : set of int
        Codes of land cover that occur.
    """

    path: Path
    sha256: str = ""
    fates: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(Fate), 2), dtype=np.int64))
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    evaluated: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    classes: set[int] = field(default_factory=set)
    evaluated_m2: float = 0.0

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Mapped landslides of which enough was evaluated; one without a pixel centre was not."""
        share = self.evaluated / np.maximum(self.pixels, 1)
        return np.asarray(share >= OBSERVED_SHARE, dtype=np.bool_)


def write_label(ground: Ground, path: Path, stages: Stages) -> LabelFacts:
    """Lay the truth on the grid, tile by tile, into ``label.tif``."""
    mapped = ground.truth.polygons
    count = 0 if mapped is None else len(mapped)
    facts = LabelFacts(path, pixels=np.zeros(count, np.int64), evaluated=np.zeros(count, np.int64))
    tree = None if mapped is None else shapely.STRtree(mapped.geometry.to_numpy())
    writer = RasterWriter(path, ground.geobox, ["landslide"], "uint8", IGNORE)
    digest = hashlib.sha256(repr((ground.geobox.shape, tuple(ground.geobox.transform))).encode())
    work = list(tiles(ground.geobox))
    for part in stages.map(
        f"laying out the truth of {ground.name}", lambda t: label_tile(ground, t, tree), work
    ):
        writer.write(part.tile, part.label[None])
        digest.update(part.label.tobytes())
        facts.fates += part.fates
        facts.classes |= part.classes
        facts.evaluated_m2 += part.evaluated_m2
        np.add.at(facts.pixels, part.polygons[:, 0], part.polygons[:, 1])
        np.add.at(facts.evaluated, part.polygons[:, 0], part.polygons[:, 2])
    writer.finish("nearest")
    facts.sha256 = digest.hexdigest()
    return facts


def label_tile(ground: Ground, tile: Tile, tree: shapely.STRtree | None) -> LabelTile:
    """Lay the truth on one tile."""
    landslide, known, owner = _truth(ground, tile, tree)
    fate = _fates(ground, tile, known)
    evaluated = fate == Fate.EVALUATED
    counts = np.bincount((2 * fate.astype(np.int64) + landslide).ravel(), minlength=2 * len(Fate))
    label = np.where(evaluated, landslide, IGNORE).astype(np.uint8)
    classes: frozenset[int] = frozenset()
    if ground.options.landcover is not None:
        codes = read_codes(ground.options.landcover, tile.geobox)
        classes = frozenset(np.unique(codes[np.isfinite(codes)]).astype(int).tolist())
    evaluated_m2 = float((evaluated * pixel_area_m2(tile.geobox)).sum())
    fates = counts.reshape(len(Fate), 2)
    return LabelTile(tile, label, fates, _owned(owner, evaluated), classes, evaluated_m2)


def _truth(
    ground: Ground, tile: Tile, tree: shapely.STRtree | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int32]]:
    """Landslide, known, and the mapped landslide (from 1) that a pixel belongs to, 0 for none."""
    if ground.truth.label is not None:
        codes = read_codes(ground.truth.label, tile.geobox)
        known = np.isfinite(codes) & (codes != IGNORE)
        return known & (codes > 0), known, np.zeros(tile.shape, dtype=np.int32)
    known = np.ones(tile.shape, dtype=np.bool_)
    owner = np.zeros(tile.shape, dtype=np.int32)
    if tree is not None and ground.truth.polygons is not None:
        near = np.sort(tree.query(shapely.box(*tile.geobox.boundingbox.bbox)))
        geometries = ground.truth.polygons.geometry.to_numpy()
        burnt = [(geometries[i], int(i) + 1) for i in near if not geometries[i].is_empty]
        if burnt:
            owner = rasterize(burnt, tile.shape, transform=tile.geobox.transform, dtype=np.int32)
    return owner > 0, known, owner


def _fates(ground: Ground, tile: Tile, known: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Fate of each pixel; the first reason counts."""
    area, outlined = inside(tile.geobox, ground.area), inside(tile.geobox, ground.ignored)
    nowhere = np.zeros(tile.shape, dtype=np.bool_)
    ignored = nowhere if outlined is None else outlined
    for path in ground.ignored_rasters:
        ignored = ignored | (np.nan_to_num(read_codes(path, tile.geobox)) != 0)
    main, *others = (np.isfinite(method.read(tile.geobox)) for method in ground.methods)
    reasons = [
        (nowhere if area is None else ~area, Fate.OUTSIDE_AREA),
        (ignored, Fate.IGNORED),
        (~known, Fate.TRUTH_UNKNOWN),
        (~main, Fate.NOT_OBSERVED),
        (~np.logical_and.reduce(others), Fate.BASELINE_NOT_OBSERVED),
    ]
    masks, fates = zip(*reasons, strict=True)
    return np.asarray(np.select(masks, fates, Fate.EVALUATED), dtype=np.int8)


def _owned(owner: NDArray[np.int32], evaluated: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Mapped landslides of a tile: index, pixels, evaluated pixels."""
    ids, place = np.unique(owner, return_inverse=True)
    pixels = np.bincount(place.ravel(), minlength=len(ids))
    kept = np.bincount(place.ravel(), evaluated.ravel(), minlength=len(ids)).astype(np.int64)
    own = ids > 0
    return np.stack([ids[own] - 1, pixels[own], kept[own]], axis=1).astype(np.int64)
