"""The second walk: score and probability of each tile, into rasters and sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.detect.protocol import FittedDetector
from headscarp.features.change import Change, change_by_state, fuse
from headscarp.features.terrain import Exclusion
from headscarp.geometry.observable import Observable
from headscarp.grid import Tile, pixel_area_m2
from headscarp.pipeline.map.plan import Plan
from headscarp.pipeline.map.stored import StoredTile
from headscarp.pipeline.stages import Stages
from headscarp.polygons import ORBIT_SCORE, PolygonOptions, ProbabilityTile, find_landslides
from headscarp.record import FalseAlarms
from headscarp.run_folder import CHANGE, OBSERVABLE, OBSERVATIONS, PROBABILITY, SCORE, TERRAIN, RasterWriter
from headscarp.vocabulary import Polarization

FloatArray = NDArray[np.float32]
KM2 = 1e-6
"""Square kilometres to a square metre."""
LADDER = (0.5, 0.8, 0.9, 0.95, 0.99)
"""Thresholds at which false alarms are always counted."""


@dataclass
class Sums:
    """Areas in m², added tile by tile."""

    observed: float = 0.0
    gentle: float = 0.0
    water: float = 0.0
    no_height: float = 0.0
    all_orbits: float = 0.0
    steep: float = 0.0
    """Observed ground from the slope limit on, of which is known what can see it."""
    steep_seen: dict[str, float] = field(default_factory=dict)
    """Of that, by the orbits that can see it."""


class PseudoCount(NamedTuple):
    """What a detector finds in the pseudo-event at one threshold; areas in m²."""

    threshold: float
    objects: int
    observed_m2: float
    flagged_m2: float

    @property
    def per_100km2(self) -> float:
        """False alarms per 100 km² of observed ground."""
        return self.objects / max(self.observed_m2 * KM2, KM2) * 100.0

    def record(self) -> FalseAlarms:
        """The count as ``run.json`` keeps it."""
        share = self.flagged_m2 / max(self.observed_m2, 1.0)
        return FalseAlarms(
            threshold=self.threshold,
            objects=self.objects,
            per_100km2=self.per_100km2,
            flagged_share=share,
        )


class TileMap(NamedTuple):
    """The map of one tile: rasters by file, and what they add to the sums."""

    tile: Tile
    probability: FloatArray
    rasters: dict[str, NDArray[np.generic]]
    observed: NDArray[np.bool_]
    every_orbit: NDArray[np.bool_]
    terrain: dict[str, FloatArray]
    observable: NDArray[np.uint8] | None


def write_map(
    plan: Plan,
    stored: Sequence[StoredTile],
    fitted: FittedDetector,
    folder: Path,
    stages: Stages,
    by_orbit: bool = True,
) -> Sums:
    """Score every tile and write the rasters of the run; return the areas.

    Parameters
    ----------
    plan : Plan
    stored : sequence of StoredTile
        Changes from the first walk.
    fitted : FittedDetector
    folder : Path
        Run folder to write into.
    stages : Stages
        Told of the progress.
    by_orbit : bool
        Whether the detector scores single orbits: if so, each has a band.
    """
    first = stored[0].change()
    writers = _writers(plan, first, folder, by_orbit) if first is not None else {}
    sums = Sums()
    for part in stages.map("writing the map", lambda tile: _map_tile(tile, fitted, by_orbit), stored):
        for name, writer in writers.items():
            writer.write(part.tile, part.rasters[name])
        _add(sums, part)
    for name, writer in writers.items():
        writer.finish(resampling="mode" if name in (OBSERVATIONS, OBSERVABLE) else "average")
    return sums


def map_pseudo_event(stored: Sequence[StoredTile], fitted: FittedDetector, stages: Stages) -> None:
    """Store the probability of the pseudo-event with each tile that has one.

    Parameters
    ----------
    stored : sequence of StoredTile
    fitted : FittedDetector
        Fitted on the pseudo-event.
    stages : Stages
        Told of the progress.
    """

    def one(tile: StoredTile) -> None:
        change = tile.change(pseudo=True)
        if change is not None:
            probability = fitted.probability(_score(tile, change, fitted, pseudo=True)).values
            tile.keep_pseudo_probability(_without_excluded(probability, tile.terrain()))

    for _ in stages.map("pseudo-event", one, stored):
        continue


def count_false_alarms(stored: Sequence[StoredTile], options: PolygonOptions, crs: str) -> PseudoCount:
    """Count landslides in the stored pseudo-event, where there are none.

    Parameters
    ----------
    stored : sequence of StoredTile
        After :func:`map_pseudo_event`.
    options : PolygonOptions
        Threshold and smallest area.
    crs : str
        Of the grid.
    """
    areas = np.zeros(2)

    def parts() -> Iterator[ProbabilityTile]:
        for tile in stored:
            probability = tile.pseudo_probability()
            if probability is not None:
                pixel = pixel_area_m2(tile.tile.geobox)
                areas[0] += float((np.isfinite(probability) * pixel).sum())
                areas[1] += float(((probability >= options.threshold) * pixel).sum())
                yield ProbabilityTile(tile.tile, probability, {})

    found = len(find_landslides(parts(), crs, options))
    return PseudoCount(options.threshold, found, float(areas[0]), float(areas[1]))


def band_names(change: Change, by_orbit: bool = True) -> dict[str, list[str]]:
    """Descriptions of the bands of each raster; of scores by orbit, where there are any."""
    pols = [str(pol).lower() for pol in change["polarization"].values]
    states = sorted(set(change["orbit_state"].values.tolist()))
    orbits = [str(orbit).replace(" ", "_") for orbit in change["orbit"].values]
    return {
        PROBABILITY: ["probability"],
        CHANGE: [f"change_{pol}_fused_db" for pol in pols]
        + [f"change_{pol}_{state}_db" for state in states for pol in pols],
        SCORE: ["score", *(f"{ORBIT_SCORE}{orbit}" for orbit in change["orbit"].values if by_orbit)],
        OBSERVATIONS: [f"{side}_count_{orbit}" for orbit in orbits for side in ("pre", "post")],
        TERRAIN: ["slope_deg", "hillshade", "exclusion"],
        OBSERVABLE: ["observable"],
    }


def orbits_text(code: Observable) -> str:
    """Which orbits can see a pixel, in words.

    Examples
    --------
    >>> orbits_text(Observable.ASCENDING), orbits_text(Observable.BOTH)
    ('ascending only', 'both')
    """
    single = code in (Observable.ASCENDING, Observable.DESCENDING)
    return f"{code.name.lower()} only" if single else code.name.lower()


def polarization_of(band: str) -> Polarization | None:
    """Polarisation of a fused band of ``change.tif``; none for the bands of a single state."""
    if not (band.startswith("change_") and band.endswith("_fused_db")):
        return None
    return band.split("_")[1].upper()  # type: ignore[return-value]


def _writers(plan: Plan, change: Change, folder: Path, by_orbit: bool) -> dict[str, RasterWriter]:
    names = band_names(change, by_orbit)
    tags = {
        "event_utc": plan.event.time_utc.isoformat(),
        "change": "dB, median before minus median after: positive is a loss of backscatter",
    }
    writers = {
        name: RasterWriter(folder / name, plan.geobox, names[name], tags=tags)
        for name in (PROBABILITY, CHANGE, SCORE)
    }
    writers[OBSERVATIONS] = RasterWriter(
        folder / OBSERVATIONS, plan.geobox, names[OBSERVATIONS], "uint16", None, tags
    )
    if plan.options.terrain.dem is not None:
        codes = {f"exclusion_{code.value}": code.name.lower() for code in Exclusion}
        writers[TERRAIN] = RasterWriter(folder / TERRAIN, plan.geobox, names[TERRAIN], tags=codes)
        seen = {f"class_{code.value}": orbits_text(code) for code in Observable}
        writers[OBSERVABLE] = RasterWriter(
            folder / OBSERVABLE, plan.geobox, names[OBSERVABLE], "uint8", Observable.UNKNOWN.value, seen
        )
    return writers


def _score(tile: StoredTile, wide: Change, fitted: FittedDetector, pseudo: bool = False) -> xr.DataArray:
    """Score of the tile itself: the one that was kept, else that of its change with the halo."""
    kept = tile.score(pseudo)
    values = tile.inner(fitted.score(wide).values) if kept is None else kept
    return xr.DataArray(values, dims=("y", "x"))


def _map_tile(stored: StoredTile, fitted: FittedDetector, by_orbit: bool) -> TileMap:
    wide = stored.change()
    if wide is None:
        raise RuntimeError(f"{stored.path} holds no change")
    terrain, change = stored.terrain(), stored.inner_change(wide)
    score = _score(stored, wide, fitted)
    probability = _without_excluded(fitted.probability(score).values, terrain)
    orbit_scores = [stored.inner(fitted.orbit_scores(wide).values)] if by_orbit else []
    valid = np.isfinite(change["change_db"].values).any(axis=1)
    rasters: dict[str, NDArray[np.generic]] = {
        PROBABILITY: probability[None],
        CHANGE: np.concatenate([fuse(change).values, *_states(change)]),
        SCORE: np.concatenate([score.values[None], *orbit_scores]),
        OBSERVATIONS: _counts(change),
    }
    if terrain:
        rasters[TERRAIN] = np.stack([terrain[name].astype(np.float32) for name in terrain])
    observable = stored.observable()
    if observable is not None:
        rasters[OBSERVABLE] = observable[None]
    return TileMap(
        stored.tile, probability, rasters, valid.any(axis=0), valid.all(axis=0), terrain, observable
    )


def _states(change: Change) -> list[FloatArray]:
    return [values.values for values in change_by_state(change).values()]


def _counts(change: Change) -> NDArray[np.uint16]:
    """Dates before and after of each orbit, shape (orbit × 2, y, x)."""
    seen = [change[name].max("polarization").values for name in ("pre_count", "post_count")]
    return np.stack(seen, axis=1).reshape(-1, *seen[0].shape[1:]).astype(np.uint16)


def _without_excluded(probability: FloatArray, terrain: dict[str, FloatArray]) -> FloatArray:
    """Probability with zero where the terrain rules a landslide out; not observed stays NaN."""
    if not terrain:
        return probability
    ruled_out = (terrain["exclusion"] != Exclusion.NONE) & np.isfinite(probability)
    return np.where(ruled_out, np.float32(0), probability)


def _add(sums: Sums, part: TileMap) -> None:
    area = np.broadcast_to(pixel_area_m2(part.tile.geobox), part.probability.shape)
    seen = part.observed
    sums.observed += float(area[seen].sum())
    sums.all_orbits += float(area[part.every_orbit].sum())
    if part.terrain:
        code = part.terrain["exclusion"]
        sums.gentle += float(area[seen & (code == Exclusion.GENTLE)].sum())
        sums.water += float(area[seen & (code == Exclusion.WATER)].sum())
        sums.no_height += float(area[seen & np.isnan(part.terrain["slope_deg"])].sum())
    if part.observable is not None:
        steep = seen & (part.terrain["exclusion"] == Exclusion.NONE) & np.isfinite(part.terrain["slope_deg"])
        steep &= part.observable != Observable.UNKNOWN
        sums.steep += float(area[steep].sum())
        for orbits in Observable:
            own = float(area[steep & (part.observable == orbits)].sum())
            sums.steep_seen[orbits_text(orbits)] = sums.steep_seen.get(orbits_text(orbits), 0.0) + own
