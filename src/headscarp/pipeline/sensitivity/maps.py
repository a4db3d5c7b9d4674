"""The maps that a sensitivity counts on: that of the untouched stack, and those of the rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np

from headscarp.config import MapOptions
from headscarp.evaluate.matching import MatchOptions, match_landslides
from headscarp.grid import crs_wkt, pixel_area_m2, tiles
from headscarp.inject.place import Room
from headscarp.pipeline.inject import find_room
from headscarp.pipeline.map.plan import Plan
from headscarp.pipeline.map.run import run_map
from headscarp.pipeline.stages import Progress, Stages
from headscarp.polygons import PolygonOptions, ProbabilityTile, find_landslides
from headscarp.run_folder import PROBABILITY, RUN_JSON, TERRAIN, RasterReader
from headscarp.sensitivity.counts import RoundCounts
from headscarp.sensitivity.options import ProbeOptions
from headscarp.sensitivity.plan import Round, clear_of, table
from headscarp.sensitivity.record import RateRecord
from headscarp.sensitivity.threshold import HIGHEST, allowed_objects, lowest_threshold

MATCH = MatchOptions()
"""When a planted landslide is found: a tenth of it lies under what is drawn."""


class Untouched(NamedTuple):
    """The map of the untouched stack."""

    folder: Path
    observed_km2: float
    polygons: PolygonOptions


def map_untouched(options: MapOptions, folder: Path, progress: Progress) -> Untouched:
    """Map the untouched stack, once: a map that stands there is kept."""
    if not (folder / RUN_JSON).is_file():
        run_map(options, folder, overwrite=False, progress=progress)
    observed_m2 = 0.0
    with RasterReader(folder / PROBABILITY) as raster:
        for tile in tiles(raster.geobox):
            seen = np.isfinite(raster.read(tile)["probability"])
            observed_m2 += float((seen * pixel_area_m2(tile.geobox)).sum())
    return Untouched(folder, observed_m2 / 1e6, options.polygons)


def find_thresholds(untouched: Untouched, rates_per_100km2: Sequence[float]) -> list[RateRecord]:
    """Find the lowest threshold for each number of false alarms, on the map of the untouched stack."""

    @cache
    def objects_at(threshold: float) -> int:
        return len(draw_objects(untouched.folder, threshold, untouched.polygons))

    out = []
    for rate in rates_per_100km2:
        threshold = lowest_threshold(objects_at, allowed_objects(rate, untouched.observed_km2))
        objects = objects_at(HIGHEST if threshold is None else threshold)
        per_100km2 = objects / untouched.observed_km2 * 100.0 if untouched.observed_km2 else 0.0
        out.append(
            RateRecord(
                rate_per_100km2=rate, threshold=threshold, objects=objects, per_100km2=round(per_100km2, 4)
            )
        )
    return out


def draw_objects(run: Path, threshold: float, polygons: PolygonOptions) -> gpd.GeoDataFrame:
    """Draw the landslides of a run at a threshold, from its probability, tile by tile."""
    wanted = polygons.model_copy(update={"threshold": threshold})
    with RasterReader(run / PROBABILITY) as raster:

        def parts() -> Iterator[ProbabilityTile]:
            for tile in tiles(raster.geobox):
                yield ProbabilityTile(tile, raster.read(tile)["probability"], {})

        drawn = find_landslides(parts(), crs_wkt(raster.geobox), wanted)
    return drawn[["id", "area_m2", "geometry"]]


def count_round(
    planted: Round, run: Path, rates: Sequence[RateRecord], options: ProbeOptions, polygons: PolygonOptions
) -> RoundCounts:
    """Count what was planted in a round, and what of it is found at each rate."""
    landslides = planted.landslides
    pairs = landslides[["size", "change"]].to_numpy(dtype=np.int64)
    found = []
    for rate in rates:
        hit = np.zeros(len(landslides), dtype=np.bool_)
        if rate.threshold is not None and len(landslides):
            drawn = draw_objects(run, rate.threshold, polygons)
            matched = match_landslides(drawn, landslides[["geometry"]], MATCH)
            hit = (matched.mapped["outcome"] == "hit").to_numpy(dtype=np.bool_)
        found.append(table(pairs[hit], options).tolist())
    return RoundCounts(planted=table(pairs, options).tolist(), without_room=planted.without_room, found=found)


def find_free_room(
    plan: Plan, untouched: Untouched, rates: Sequence[RateRecord], gap_m: float, progress: Progress
) -> Room:
    """Ground on which a landslide could be, and where the untouched map flags nothing at any rate."""
    room = find_room(plan, Stages(progress))
    terrain = untouched.folder / TERRAIN
    if terrain.is_file():
        with RasterReader(terrain) as raster:
            for tile in tiles(raster.geobox):
                room.free[tile.rows, tile.cols] &= raster.read(tile, ["exclusion"])["exclusion"] == 0
    thresholds = [rate.threshold for rate in rates if rate.threshold is not None]
    if not thresholds:
        return room
    flagged = draw_objects(untouched.folder, min(thresholds), untouched.polygons)
    return clear_of(room, flagged.geometry.to_numpy(), gap_m)
