"""The main job: scenes and an event date become a run folder."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import rasterio

from headscarp.config import MapOptions
from headscarp.detect.protocol import (
    Detector,
    FittedDetector,
    FittedTrained,
    LearnsFromScores,
    TrainedDetector,
)
from headscarp.errors import HeadscarpError, OptionsError
from headscarp.grid import crs_wkt
from headscarp.pipeline.map.blocks import score_blocks
from headscarp.pipeline.map.detect import LADDER, PseudoCount, count_false_alarms, map_pseudo_event, write_map
from headscarp.pipeline.map.firming import measure_firming
from headscarp.pipeline.map.method import Method, stated_method
from headscarp.pipeline.map.narrate import Facts, compose_record
from headscarp.pipeline.map.plan import Plan, make_plan
from headscarp.pipeline.map.products import Prepared, prepare_scenes
from headscarp.pipeline.map.redraw import draw_run
from headscarp.pipeline.map.resume import Tell, run_key, scratch_folder, tell_nobody
from headscarp.pipeline.map.scores import kept_scores
from headscarp.pipeline.map.tiles import Walk, walk_tiles
from headscarp.pipeline.provenance import command_line, source_commit
from headscarp.pipeline.stages import Progress, Stages, silent
from headscarp.record import RunRecord
from headscarp.report import write_report
from headscarp.run_folder import block_cache, refuse_taken, staged_folder, write_landslides, write_record

_BISECTIONS = 12
_LOWEST, _HIGHEST = 0.05, 0.999999


@dataclass(frozen=True)
class Threshold:
    """The threshold in force, how it was set, and the false alarms found on the way."""

    value: float
    source: str
    ladder: list[PseudoCount]


def run_map(
    options: MapOptions,
    out: Path,
    overwrite: bool = False,
    progress: Progress = silent,
    tell: Tell = tell_nobody,
) -> RunRecord:
    """Map landslides from scenes and an event date into a run folder.

    A run that was killed goes on where it was when it is called again with the same options and inputs.
    Sentinel-1 GRD products among the scenes are made into backscatter first, in a folder beside ``out``.

    Parameters
    ----------
    options : MapOptions
        Scenes, event, area and the options of each room.
    out : Path
        Run folder; it appears whole or not at all.
    overwrite : bool
        Replace a run that stands there.
    progress : callable, optional
        Told of each stage's progress.
    tell : callable, optional
        Told, in a sentence, when the run goes on with an interrupted one.

    Returns
    -------
    RunRecord
        What ``run.json`` holds.

    Raises
    ------
    HeadscarpError
        On bad input; nothing is written then, and a run that stood there is untouched.
    """
    started, stages = datetime.now(UTC), Stages(progress)
    refuse_taken(out, overwrite)
    with block_cache():
        method = stated_method(options)
        scenes = prepare_scenes(options, out, stages, tell)
        with stages.stage("plan"):
            plan = make_plan(scenes.options)
            method = method.suited(plan)
            key = run_key(plan, {"versions": _versions(), "commit": source_commit()})
        with (
            scratch_folder(out, key, tell) as scratch,
            staged_folder(out, overwrite, within=scratch) as folder,
        ):
            return _write(plan, method, scenes, folder, scratch, stages, started)


def _write(
    plan: Plan,
    method: Method,
    scenes: Prepared,
    folder: Path,
    scratch: Path,
    stages: Stages,
    started: datetime,
) -> RunRecord:
    """Fill the run folder: rasters, polygons, record, report, and the record again with all stages."""
    record = scenes.told(_map(plan, method, folder, scratch, stages, started))
    write_record(folder, record)
    with stages.stage("report"):
        write_report(folder)
    record = record.model_copy(update={"stages": stages.records, "finished_utc": datetime.now(UTC)})
    write_record(folder, record)
    return record


def _map(
    plan: Plan, method: Method, folder: Path, scratch: Path, stages: Stages, started: datetime
) -> RunRecord:
    with stages.stage("change"):
        walk = walk_tiles(plan, method.detector, scratch, stages)
    with stages.stage("fit"):
        fitted = method.detector.fit(walk.sample)
    with stages.stage("pseudo-event"):
        pseudo, problem = _fit_pseudo(method.detector, walk)
        if pseudo is not None:
            _score_blocks(plan, method.detector, walk, pseudo, stages, is_pseudo=True)
            pseudo = _learned(pseudo, plan, walk, is_pseudo=True)
            map_pseudo_event(walk.stored, pseudo, stages)
        threshold = _threshold(plan, method, walk, pseudo, problem)
    with stages.stage("pass by pass"):
        passes = measure_firming(plan, walk, method.detector, fitted, threshold.value, stages)
    polygons = plan.options.polygons.model_copy(update={"threshold": threshold.value})
    with stages.stage("score"):
        _score_blocks(plan, method.detector, walk, fitted, stages)
        fitted = _learned(fitted, plan, walk)
    with stages.stage("map"):
        by_orbit = not isinstance(method.detector, TrainedDetector)
        sums = write_map(plan, walk.stored, fitted, folder, stages, by_orbit)
    with stages.stage("polygons"):
        drawn = draw_run(folder, polygons)
        write_landslides(folder, drawn.landslides)
    with stages.stage("inputs"):
        facts = Facts(
            plan=plan,
            walk=walk,
            detector=method.detector,
            fitted=fitted,
            sums=sums,
            drawn=drawn,
            polygons=polygons,
            threshold_source=threshold.source,
            ladder=threshold.ladder,
            pseudo_problem=problem,
            passes=passes,
            stages=stages,
            started=started,
            command=command_line(),
            commit=source_commit(),
            versions=_versions(),
        )
        return compose_record(facts)


def _score_blocks(
    plan: Plan,
    detector: Detector,
    walk: Walk,
    fitted: FittedDetector,
    stages: Stages,
    is_pseudo: bool = False,
) -> None:
    """Score the ground block by block, where the detector is trained; others score tile by tile."""
    if isinstance(detector, TrainedDetector) and isinstance(fitted, FittedTrained):
        score_blocks(plan.geobox, walk.stored, detector, fitted, stages, is_pseudo)


def _learned(fitted: FittedDetector, plan: Plan, walk: Walk, is_pseudo: bool = False) -> FittedDetector:
    """The detector once it has learned from the scores that were kept, where it does."""
    if not isinstance(fitted, LearnsFromScores):
        return fitted
    return fitted.learned(kept_scores(plan, walk, is_pseudo, where_counted=True))


def _fit_pseudo(detector: Detector, walk: Walk) -> tuple[FittedDetector | None, str]:
    """Fit on the pseudo-event; none, and why, where its ground is too small."""
    if walk.pseudo_sample is None:
        return None, ""
    try:
        return detector.fit(walk.pseudo_sample), ""
    except HeadscarpError as error:
        return None, f"Not run: it needs {error.expected}, and found {error.given}."


def _threshold(
    plan: Plan, method: Method, walk: Walk, pseudo: FittedDetector | None, problem: str
) -> Threshold:
    """Threshold as stated, or as the allowed false alarms ask; with false alarms by threshold."""
    allowed = plan.options.detect.false_alarms_per_100km2
    options = plan.options.polygons
    if pseudo is None:
        if allowed is not None:
            raise _no_pseudo_event(problem or plan.pseudo_note)
        return Threshold(method.threshold, method.source, [])

    def at(threshold: float) -> PseudoCount:
        wanted = options.model_copy(update={"threshold": threshold})
        return count_false_alarms(walk.stored, wanted, crs_wkt(plan.geobox))

    if allowed is None:
        value, source = method.threshold, method.source
    else:
        value, source = _lowest(at, allowed), f"at most {allowed:g} false alarms per 100 km²"
    return Threshold(value, source, [at(t) for t in sorted({*LADDER, value})])


def _lowest(at: Callable[[float], PseudoCount], allowed: float) -> float:
    """Lowest threshold, by bisection of its odds, with no more than the allowed false alarms.

    Raises
    ------
    OptionsError
        If even the highest threshold has more.
    """
    highest = at(_HIGHEST)
    if highest.per_100km2 > allowed:
        raise OptionsError(
            f"a number of false alarms that a threshold can reach: at least {highest.per_100km2:.3g}",
            f"--false-alarms-per-100km2 {allowed:g}",
            "the pseudo-event shows more even at the highest threshold",
            "allow more, raise --min-area-m2, or map with more dates",
        )
    low, high = _odds(_LOWEST), _odds(_HIGHEST)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if at(_from_odds(middle)).per_100km2 <= allowed else (middle, high)
    return _from_odds(high)


def _odds(probability: float) -> float:
    """Natural logarithm of the odds."""
    return math.log(probability / (1.0 - probability))


def _from_odds(log_odds: float) -> float:
    return round(1.0 / (1.0 + math.exp(-log_odds)), 7)


def _no_pseudo_event(reason: str) -> OptionsError:
    return OptionsError(
        "a pseudo-event to count false alarms on, for --false-alarms-per-100km2",
        reason,
        "the threshold cannot be set from false alarms that were never counted",
        "widen --pre, add scenes before the event, or give --threshold",
    )


def _versions() -> dict[str, str]:
    names = (
        "headscarp",
        "numpy",
        "scipy",
        "xarray",
        "rasterio",
        "odc-geo",
        "shapely",
        "geopandas",
        "scikit-image",
        "pyproj",
    )
    return {
        "python": platform.python_version(),
        "gdal": rasterio.__gdal_version__,
        **{name: version(name) for name in names},
    }
