"""Landslides drawn from a prediction, held against the mapped ones, ground by ground."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headscarp.evaluate.landslides import landslide_counts
from headscarp.evaluate.matching import Matched, MatchOptions, match_landslides
from headscarp.evaluate.tally import LANDSLIDES, Tally
from headscarp.grid import crs_wkt, tiles
from headscarp.pipeline.evaluate.ground import Method
from headscarp.pipeline.evaluate.walk import Site, read_truth
from headscarp.polygons import PolygonOptions, ProbabilityTile, find_landslides

_ABOVE = PolygonOptions(threshold=0.5, min_area_m2=0.0)
"""Drawn from a mask: 1 where landslide, 0 elsewhere."""
NOT_OBSERVED = "not observed"


class Scored(NamedTuple):
    """Landslides of one method on one ground."""

    matched: Matched
    unobserved: gpd.GeoDataFrame
    """Mapped landslides on ground that was not evaluated: neither hit nor missed."""


def draw_predicted(site: Site, method: Method, threshold: float, min_area_m2: float) -> gpd.GeoDataFrame:
    """Draw the landslides of a prediction on evaluated ground."""

    def parts() -> Iterator[ProbabilityTile]:
        for tile in tiles(site.ground.geobox):
            truth = read_truth(site, tile)
            above = truth.valid & (method.read(tile.geobox) >= np.float32(threshold))
            yield ProbabilityTile(tile, above.astype(np.float32), {})

    return _plain(_draw(site, parts(), _ABOVE.model_copy(update={"min_area_m2": min_area_m2})))


def mapped_landslides(site: Site) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Mapped landslides on evaluated ground, and those that were not observed."""
    polygons = site.ground.truth.polygons
    if polygons is not None:
        observed = site.facts.observed
        return polygons[observed].reset_index(drop=True), polygons[~observed].reset_index(drop=True)

    def parts() -> Iterator[ProbabilityTile]:
        for tile in tiles(site.ground.geobox):
            truth = read_truth(site, tile)
            yield ProbabilityTile(tile, (truth.landslide & truth.valid).astype(np.float32), {})

    drawn = _plain(_draw(site, parts(), _ABOVE))
    return drawn, drawn.iloc[:0]


def score_landslides(
    site: Site,
    predicted: gpd.GeoDataFrame,
    mapped: tuple[gpd.GeoDataFrame, gpd.GeoDataFrame],
    options: MatchOptions,
) -> Scored:
    """Match predicted and mapped landslides of a ground."""
    observed, unobserved = mapped
    return Scored(match_landslides(predicted, observed, options), unobserved)


def count_landslides(site: Site, scored: Scored, blocks: int, options: MatchOptions) -> Tally:
    """Landslides by block and size class."""
    matched = scored.matched
    places = [_blocks_of(site, frame) for frame in (matched.predicted, matched.mapped)]
    counts = landslide_counts(matched, places[0], places[1], blocks, options)
    return {LANDSLIDES + name: values for name, values in counts.items()}


def scored_frame(site: Site, scored: Scored) -> gpd.GeoDataFrame:
    """One table of a ground's landslides: hit, missed, false, not observed."""
    sides = {
        "predicted": scored.matched.predicted,
        "mapped": scored.matched.mapped,
        "mapped, not observed": scored.unobserved.assign(outcome=NOT_OBSERVED),
    }
    columns = ["outcome", "area_m2", "overlap_share", "best_iou", "partner", "size_class"]
    frames = [
        frame.reindex(columns=["id", *columns, "geometry"]).assign(
            side=side.split(",", maxsplit=1)[0], event=site.ground.name
        )
        for side, frame in sides.items()
        if len(frame)
    ]
    order = ["event", "side", "id", *columns, "geometry"]
    crs = crs_wkt(site.ground.geobox)
    if not frames:
        return gpd.GeoDataFrame({name: [] for name in order[:-1]}, geometry=[], crs=crs)
    typed = [frame.astype({"overlap_share": float, "best_iou": float}) for frame in frames]
    return gpd.GeoDataFrame(pd.concat(typed, ignore_index=True)[order], geometry="geometry", crs=crs)


def _draw(site: Site, parts: Iterator[ProbabilityTile], options: PolygonOptions) -> gpd.GeoDataFrame:
    return find_landslides(parts, crs_wkt(site.ground.geobox), options)


def _plain(drawn: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return drawn[["id", "area_m2", "geometry"]]


def _blocks_of(site: Site, frame: gpd.GeoDataFrame) -> NDArray[np.int64]:
    """Block that a point inside each landslide lies in; the nearest, for a landslide across the edge."""
    points = frame.geometry.representative_point()
    transform, (height, width) = site.ground.geobox.transform, site.ground.geobox.shape
    cols = np.floor((points.x.to_numpy(dtype=float) - transform.c) / transform.a).astype(np.int64)
    rows = np.floor((points.y.to_numpy(dtype=float) - transform.f) / transform.e).astype(np.int64)
    return site.blocks.of_pixels(np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1))
