"""Polygons from a stored probability: the last stage of a run, and ``headscarp polygons``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from headscarp.config import load_options
from headscarp.geometry.observable import Observable
from headscarp.grid import crs_wkt, pixel_area_m2, tiles
from headscarp.pipeline.map.detect import KM2, polarization_of
from headscarp.polygons import ORBIT_SCORE, PolygonOptions, ProbabilityTile, find_landslides
from headscarp.record import ResultRecord, RunRecord
from headscarp.report import write_report
from headscarp.run_folder import (
    CHANGE,
    OBSERVABLE,
    PROBABILITY,
    SCORE,
    TERRAIN,
    RasterReader,
    read_record,
    write_landslides,
    write_record,
)

OBSERVABLE_SHARE = "observable_"
"""Prefix of the columns that tell which share of a landslide an orbit state can see."""


def redraw_polygons(
    folder: Path, threshold: float | None = None, min_area_m2: float | None = None
) -> RunRecord:
    """Draw the landslides of a run again, from its stored probability.

    Parameters
    ----------
    folder : Path
        Run folder; its polygons, ``run.json`` and report are replaced, its rasters kept.
    threshold, min_area_m2 : float, optional
        None keeps the run's own.

    Returns
    -------
    RunRecord
        The record as rewritten.

    Raises
    ------
    HeadscarpError
        If the folder holds no run, or an option is outside its range.
    """
    record = read_record(folder)
    wanted = {
        "polygons.threshold": record.detector.threshold if threshold is None else threshold,
        "polygons.min_area_m2": record.results.min_area_m2 if min_area_m2 is None else min_area_m2,
    }
    options = load_options(None, wanted).polygons
    drawn = draw_run(folder, options)
    source = record.detector.threshold_source if threshold is None else "given"
    updated = record.model_copy(
        update={
            "detector": record.detector.model_copy(
                update={"threshold": options.threshold, "threshold_source": source}
            ),
            "results": drawn.results(record.results, options),
        }
    )
    write_landslides(folder, drawn.landslides)
    write_record(folder, updated)
    write_report(folder)
    return updated


class Drawn(NamedTuple):
    """Landslides drawn from a run folder, and the area at or above the threshold."""

    landslides: gpd.GeoDataFrame
    flagged_m2: float

    def results(self, before: ResultRecord, options: PolygonOptions) -> ResultRecord:
        """Results of a run with these landslides."""
        flagged_km2 = self.flagged_m2 * KM2
        return before.model_copy(
            update={
                "flagged_km2": flagged_km2,
                "flagged_share": flagged_km2 / before.observed_km2 if before.observed_km2 else 0.0,
                "landslides": len(self.landslides),
                "landslides_km2": float(self.landslides["area_m2"].sum()) * KM2,
                "min_area_m2": options.min_area_m2,
            }
        )


def draw_run(folder: Path, options: PolygonOptions) -> Drawn:
    """Draw landslides from the rasters of a run folder, tile by tile."""
    with RasterReader(folder / PROBABILITY) as raster:
        crs = crs_wkt(raster.geobox)
    flagged_m2: list[float] = []

    def counted() -> Iterator[ProbabilityTile]:
        for part in _parts(folder, options.threshold):
            above = part.probability >= options.threshold
            flagged_m2.append(float((above * pixel_area_m2(part.tile.geobox)).sum()))
            yield part

    landslides = find_landslides(counted(), crs, options)
    if not _has_orbit_scores(folder):
        landslides = landslides.drop(columns="orbits_agreeing")
    return Drawn(landslides, sum(flagged_m2))


def _has_orbit_scores(folder: Path) -> bool:
    """Whether orbits were scored alone, so that their agreement means anything."""
    with RasterReader(folder / SCORE) as raster:
        return any(band.startswith(ORBIT_SCORE) for band in raster.bands)


def _parts(folder: Path, threshold: float) -> Iterator[ProbabilityTile]:
    """Tiles with a pixel above the threshold, and the layers averaged over their landslides."""
    with ExitStack() as stack:
        probability, change, score = (
            stack.enter_context(RasterReader(folder / name)) for name in (PROBABILITY, CHANGE, SCORE)
        )
        has_terrain = (folder / TERRAIN).is_file()
        terrain = stack.enter_context(RasterReader(folder / TERRAIN)) if has_terrain else None
        has_view = (folder / OBSERVABLE).is_file()
        observable = stack.enter_context(RasterReader(folder / OBSERVABLE)) if has_view else None
        fused = [band for band in change.bands if polarization_of(band)]
        for number, tile in enumerate(tiles(probability.geobox)):
            values = probability.read(tile)["probability"]
            # the first tile comes in any case, so that a map without landslides has its columns
            if number > 0 and not (values >= threshold).any():
                continue
            layers = {
                f"change_{str(polarization_of(band)).lower()}_db": layer
                for band, layer in change.read(tile, fused).items()
            }
            if terrain is not None:
                layers["slope_mean_deg"] = terrain.read(tile, ["slope_deg"])["slope_deg"]
            if observable is not None:
                layers |= observable_shares(observable.read(tile)["observable"])
            yield ProbabilityTile(tile, values, layers | score.read(tile))


def observable_shares(code: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Where each orbit state can see the ground, 1 or 0, NaN where that is not known.

    Averaged over a landslide they are the share of it that the orbit can see.
    """
    known = code != Observable.UNKNOWN
    return {
        f"{OBSERVABLE_SHARE}{bit.name.lower()}": np.where(known, (code & bit) > 0, np.nan).astype(np.float32)
        for bit in (Observable.ASCENDING, Observable.DESCENDING)
    }
