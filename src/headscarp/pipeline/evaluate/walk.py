"""Walks over the grounds, tile by tile: scores into histograms, then everything into tallies by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.evaluate import tally as tl
from headscarp.evaluate.blocks import Blocks, TileBlocks
from headscarp.evaluate.boundary import boundary_maps, halo_px
from headscarp.evaluate.curves import TOLERANCE, ScoreHistogram, count_scores, finer_edges
from headscarp.evaluate.reliability import calibration_edges, reliability_sums
from headscarp.evaluate.strata import Stratum
from headscarp.grid import Tile, expand, pixel_area_m2, tiles
from headscarp.ingest.raster import Source, read_converted
from headscarp.pipeline.evaluate.ground import Ground
from headscarp.pipeline.evaluate.label import IGNORE, LabelFacts
from headscarp.pipeline.evaluate.land import Land
from headscarp.pipeline.stages import Stages
from headscarp.run_folder import RasterWriter

AT_THRESHOLD = "at_threshold"
NO_FIT = np.zeros((len(calibration_edges()) - 1, 3))


class Site(NamedTuple):
    """A ground with its label, its blocks and the kinds of its land."""

    ground: Ground
    facts: LabelFacts
    blocks: Blocks
    land: Land


class Truth(NamedTuple):
    """Label of a tile or its surroundings."""

    landslide: NDArray[np.bool_]
    valid: NDArray[np.bool_]


@dataclass
class Counted:
    """What the last walk leaves behind for one method."""

    plan: tl.Plan
    tally: tl.Tally
    fit: NDArray[np.float64] = field(default_factory=NO_FIT.copy)
    """Reliability sums on the fine bins that calibrations are fitted on; zeros without probabilities."""
    by_class: tl.Tally = field(default_factory=dict)
    """Scores by class of each stratum."""


def read_truth(site: Site, tile: Tile, halo_px: int = 0) -> Truth:
    """Label of a tile with a halo; beyond the ground nothing is valid."""
    geobox = expand(tile.geobox, halo_px) if halo_px else tile.geobox
    source = Source(site.facts.path, 1, site.ground.geobox)
    label = read_converted(source, geobox, np.asarray)
    return Truth(label == 1, np.isfinite(label) & (label != IGNORE))


def count_curves(sites: Sequence[Site], stages: Stages) -> dict[str, ScoreHistogram]:
    """Histograms of every method's score, refined until the curve's bounds lie within the tolerance."""
    names = [method.name for method in sites[0].ground.methods]
    pending = {name: ScoreHistogram.empty() for name in names}
    done: dict[str, ScoreHistogram] = {}
    for round_ in range(1, 5):
        counted = _count_round(sites, pending, stages, round_)
        pending = {}
        for name, histogram in counted.items():
            edges = finer_edges(histogram, TOLERANCE)
            if edges is None:
                done[name] = histogram
            else:
                pending[name] = ScoreHistogram.empty(edges)
        if not pending:
            break
    return {name: done[name] for name in names}


def _count_round(
    sites: Sequence[Site], histograms: dict[str, ScoreHistogram], stages: Stages, round_: int
) -> dict[str, ScoreHistogram]:
    def one(work: tuple[Site, Tile]) -> dict[str, NDArray[np.int64]]:
        site, tile = work
        truth = read_truth(site, tile)
        if not truth.valid.any():
            return {}
        landslide = truth.landslide[truth.valid]
        return {
            method.name: count_scores(
                histograms[method.name].edges, method.read(tile.geobox)[truth.valid], landslide
            )[0]
            for method in site.ground.methods
            if method.name in histograms
        }

    totals = dict(histograms)
    for counts in stages.map(f"counting scores, round {round_}", one, _work(sites)):
        for name, part in counts.items():
            totals[name] = totals[name] + part
    return totals


def count_everything(
    sites: Sequence[Site],
    plans: Mapping[str, tl.Plan],
    tolerance_px: int,
    outcome: Mapping[str, Path],
    stages: Stages,
) -> dict[str, Counted]:
    """Tally every method by block, and write where the prediction hit, missed and was false.

    Parameters
    ----------
    sites : sequence of Site
    plans : mapping of str to Plan
        By method; the prediction first.
    tolerance_px : int
        Of the boundaries.
    outcome : mapping of str to Path
        Raster to write for each ground, by the ground's name.
    stages : Stages
    """
    count = sum(site.blocks.number for site in sites)
    classes = sites[0].land.classes
    counted = {name: Counted(plan, tl.empty(plan, classes, count)) for name, plan in plans.items()}
    for site in sites:
        name = site.ground.name
        writer = RasterWriter(outcome[name], site.ground.geobox, ["outcome"], "uint8", IGNORE)

        def one(tile: Tile, site: Site = site) -> _TileCounts:
            return _count_tile(site, tile, plans, tolerance_px)

        for found in stages.map(f"counting {name}", one, tiles(site.ground.geobox)):
            for method, counts in found.methods.items():
                own = counted[method]
                tl.add(own.tally, counts.tally, site.blocks.of_tile(found.tile).places)
                own.fit += counts.fit
                own.by_class = {n: own.by_class.get(n, 0) + c for n, c in counts.by_class.items()}
            if found.outcome is not None:
                writer.write(found.tile, found.outcome[None])
        writer.finish("nearest")
    return counted


class _MethodCounts(NamedTuple):
    """What was counted of one method on one tile."""

    tally: tl.Tally
    fit: NDArray[np.float64]
    by_class: tl.Tally


class _TileCounts(NamedTuple):
    """What was counted on one tile, and the outcome of the prediction."""

    tile: Tile
    methods: dict[str, _MethodCounts]
    outcome: NDArray[np.uint8] | None


class _View(NamedTuple):
    """A tile with its halo, ready for every method."""

    tile: Tile
    wide: Truth
    inner: tuple[slice, slice]
    blocks: TileBlocks
    strata: dict[str, Stratum]
    ground_m2: NDArray[np.float64]
    tolerance_px: int

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Evaluated pixels of the tile itself."""
        return self.wide.valid[self.inner]

    @property
    def landslide(self) -> NDArray[np.bool_]:
        """Landslide pixels of the tile itself."""
        return self.wide.landslide[self.inner]


def _count_tile(site: Site, tile: Tile, plans: Mapping[str, tl.Plan], tolerance_px: int) -> _TileCounts:
    halo = halo_px(tolerance_px)
    wide = read_truth(site, tile, halo)
    inner = (slice(halo, halo + tile.shape[0]), slice(halo, halo + tile.shape[1]))
    valid = wide.valid[inner]
    if not valid.any():
        return _TileCounts(tile, {}, None)
    blocks = site.blocks.of_tile(tile)
    strata = {name: Stratum(s.names, s.image[valid]) for name, s in site.land.strata(tile).items()}
    ground_m2 = _ground_m2(tile, valid, blocks)
    view = _View(tile, wide, inner, blocks, strata, ground_m2, tolerance_px)
    wider = expand(tile.geobox, halo)
    scores = {method.name: method.read(wider) for method in site.ground.methods}
    counts = {name: _count_method(view, values, plans[name]) for name, values in scores.items()}
    main = next(iter(scores))
    return _TileCounts(tile, counts, _outcome(view, scores[main][inner], plans[main]))


def _count_method(view: _View, scores: NDArray[np.float32], plan: tl.Plan) -> _MethodCounts:
    own, landslide = scores[view.inner][view.valid], view.landslide[view.valid]
    pixels = tl.Pixels(own, landslide, view.blocks.image[view.valid], view.strata)
    tally = tl.count_pixels(pixels, plan, len(view.blocks.places))
    tally[tl.GROUND_M2] = view.ground_m2
    if AT_THRESHOLD in plan.thresholds:
        predicted = view.wide.valid & (scores >= np.float32(plan.thresholds[AT_THRESHOLD]))
        maps = boundary_maps(
            view.wide.landslide & view.wide.valid, predicted, view.wide.valid, view.tolerance_px
        )
        tally[tl.BOUNDARY] = _by_block([each[view.inner] for each in maps], view.blocks)
    fit = reliability_sums(own, landslide, calibration_edges())[0] if plan.is_probability else NO_FIT
    return _MethodCounts(tally, fit, tl.count_by_class(pixels, plan))


def _by_block(masks: Sequence[NDArray[np.bool_]], blocks: TileBlocks) -> NDArray[np.int64]:
    """Count the pixels of several masks by block; shape (blocks, masks)."""
    counts = [np.bincount(blocks.image[mask], minlength=len(blocks.places)) for mask in masks]
    return np.stack(counts, axis=1).astype(np.int64)


def _ground_m2(tile: Tile, valid: NDArray[np.bool_], blocks: TileBlocks) -> NDArray[np.float64]:
    area = np.broadcast_to(pixel_area_m2(tile.geobox), valid.shape)
    found = np.bincount(blocks.image[valid], area[valid], minlength=len(blocks.places))
    return found.astype(np.float64)


def _outcome(view: _View, scores: NDArray[np.float32], plan: tl.Plan) -> NDArray[np.uint8] | None:
    """Index into ``confusion.OUTCOMES``; 255 where not evaluated, None without a threshold."""
    if AT_THRESHOLD not in plan.thresholds:
        return None
    predicted = scores >= np.float32(plan.thresholds[AT_THRESHOLD])
    code = 2 * predicted.astype(np.uint8) + view.landslide
    return np.where(view.valid, code, IGNORE).astype(np.uint8)


def _work(sites: Sequence[Site]) -> list[tuple[Site, Tile]]:
    return [(site, tile) for site in sites for tile in tiles(site.ground.geobox)]
