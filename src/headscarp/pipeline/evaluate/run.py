"""From a map and the truth to an evaluation folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headscarp.calibration import Calibration
from headscarp.errors import OptionsError
from headscarp.evaluate.blocks import lay_blocks
from headscarp.evaluate.curves import ScoreHistogram, fewer_edges
from headscarp.evaluate.files import LABEL, METRICS_JSON, OUTCOME, raster_name
from headscarp.evaluate.options import SLOPE, EvaluateOptions
from headscarp.evaluate.record import Evaluation, ThresholdRecord
from headscarp.evaluate.result import MethodResult
from headscarp.evaluate.tally import HALF, Plan
from headscarp.pipeline.evaluate.compose import Parts, compose
from headscarp.pipeline.evaluate.ground import (
    DEFAULT_MIN_AREA_M2,
    DEFAULT_THRESHOLD,
    Ground,
    Method,
    open_ground,
)
from headscarp.pipeline.evaluate.label import write_label
from headscarp.pipeline.evaluate.land import survey
from headscarp.pipeline.evaluate.objects import (
    Scored,
    count_landslides,
    draw_predicted,
    mapped_landslides,
    score_landslides,
    scored_frame,
)
from headscarp.pipeline.evaluate.validate import decide, refuse_other_method, refuse_own_ground
from headscarp.pipeline.evaluate.walk import AT_THRESHOLD, Counted, Site, count_curves, count_everything
from headscarp.pipeline.evaluate.write import (
    table_rows,
    write_blocks,
    write_curves,
    write_metrics,
    write_scored,
    write_table,
)
from headscarp.pipeline.stages import Progress, Stages, silent
from headscarp.report.evaluation import write_evaluation_report
from headscarp.run_folder import block_cache, staged_folder
from headscarp.validation import Validation, read_validation

BLOCK_BINS = 1024
"""Bins of the score kept for each block."""
AT_HALF = "at_0.5"


@dataclass(frozen=True)
class Task:
    """Options with what they point at."""

    options: EvaluateOptions
    validation: Validation | None
    calibration: Calibration | None
    grounds: list[Ground]


def run_evaluate(
    options: EvaluateOptions,
    out: Path,
    overwrite: bool = False,
    progress: Progress = silent,
    *,
    with_report: bool = True,
) -> Evaluation:
    """Evaluate a prediction against the truth, with baselines, intervals and figures.

    Parameters
    ----------
    options : EvaluateOptions
        Grounds, threshold and what counts as found.
    out : Path
        Evaluation folder; it appears whole or not at all.
    overwrite : bool
        Replace an evaluation that stands there.
    progress : callable, optional
        Told of each stage's progress.
    with_report : bool
        Draw the figures and the page too.

    Returns
    -------
    Evaluation
        What ``metrics.json`` holds.

    Raises
    ------
    HeadscarpError
        On bad input; nothing is written then.
    """
    stages = Stages(progress)
    with (
        staged_folder(out, overwrite, METRICS_JSON) as folder,
        block_cache(),
    ):
        task = prepare(options)
        sites = _lay_out(task, folder, stages)
        refuse_own_ground(task.validation, [site.facts.sha256 for site in sites])
        curves = count_curves(sites, stages)
        plans, threshold = _plans(task, curves)
        outcome = {
            site.ground.name: folder / raster_name(OUTCOME, site.ground.name, len(sites)) for site in sites
        }
        counted = count_everything(sites, plans, options.boundary_tolerance_px, outcome, stages)
        scored = _landslides(sites, plans, counted, task, stages)
        results = [_result(name, counted[name], sites, curves[name]) for name in plans]
        parts = Parts(options, sites, results, scored, threshold)
        evaluation = compose(parts)
        _write(folder, evaluation, parts)
        if task.calibration is None:
            main = task.grounds[0].methods[0]
            decide(folder, main, results[0], counted[main.name], [site.facts.sha256 for site in sites])
        if with_report:
            progress("drawing figures", 0, 1)
            write_evaluation_report(folder)
            progress("drawing figures", 1, 1)
    return evaluation


def prepare(options: EvaluateOptions) -> Task:
    """Open every ground and check that all have the same methods."""
    if not options.grounds:
        raise OptionsError(
            "a prediction and its truth",
            "neither",
            "there is nothing to evaluate",
            "call `headscarp evaluate PREDICTION TRUTH --out DIR`, or list grounds in a --config file",
        )
    if "calibration" in options.model_fields_set and options.calibration != "none" and not options.validation:
        raise OptionsError(
            "--validation with --calibration",
            f"--calibration {options.calibration} alone",
            "a calibration is fitted on validation ground, never on the ground it is judged on",
            "evaluate the validation ground first and pass its folder as --validation",
        )
    validation = None if options.validation is None else read_validation(options.validation)
    calibration = None if validation is None else validation.calibration_for(options.calibration)
    grounds = [open_ground(ground, options, calibration) for ground in options.grounds]
    _refuse_mixed(grounds)
    if validation is not None:
        refuse_other_method(validation, grounds[0].methods[0])
    return Task(options, validation, calibration, grounds)


def _refuse_mixed(grounds: Sequence[Ground]) -> None:
    names = [[method.name for method in ground.methods] for ground in grounds]
    if any(own != names[0] for own in names):
        raise OptionsError(
            "the same methods on every ground",
            "; ".join(f"{g.name}: {', '.join(own)}" for g, own in zip(grounds, names, strict=True)),
            "figures are pooled over all grounds, method by method",
            "give every ground the same baselines (and a DEM to all or none), and --name to the prediction",
        )
    titles = [ground.name for ground in grounds]
    if len(set(titles)) < len(titles):
        raise OptionsError(
            "another event name for each ground",
            ", ".join(titles),
            "their files and figures could not be told apart",
            "name each ground's `event` in the --config file",
        )


def _lay_out(task: Task, folder: Path, stages: Stages) -> list[Site]:
    grounds = task.grounds
    facts = [write_label(g, folder / raster_name(LABEL, g.name, len(grounds)), stages) for g in grounds]
    blocks = lay_blocks([ground.geobox for ground in grounds], task.options.intervals)
    land = survey(grounds, facts)
    return [Site(*each) for each in zip(grounds, facts, blocks, land, strict=True)]


def _plans(task: Task, curves: dict[str, ScoreHistogram]) -> tuple[dict[str, Plan], ThresholdRecord]:
    """What to count for each method, and the threshold of the prediction."""
    plans: dict[str, Plan] = {}
    threshold = ThresholdRecord(value=None, source="the score is no probability and no --threshold was given")
    for number, method in enumerate(task.grounds[0].methods):
        histogram = curves[method.name]
        edges = fewer_edges(histogram, BLOCK_BINS)
        is_probability = _is_probability(histogram)
        chosen = (
            _threshold(task, method, is_probability)
            if number == 0
            else _own_threshold(method, is_probability)
        )
        if number == 0 and chosen is not None:
            threshold = chosen
        at = {AT_HALF: HALF} if is_probability else {}
        if chosen is not None and chosen.value is not None:
            at[AT_THRESHOLD] = chosen.value
        plans[method.name] = Plan(edges, at, is_probability)
    return plans, threshold


def _is_probability(histogram: ScoreHistogram) -> bool:
    filled = np.flatnonzero(histogram.counts.sum(axis=-1) > 0)
    if len(filled) == 0:
        return True
    # a bin begins at its lowest score; the highest may reach beyond 1 only within its own bin
    thresholds = histogram.thresholds
    return bool(thresholds[filled[0]] >= 0 and thresholds[filled[-1]] <= 1)


def _threshold(task: Task, method: Method, is_probability: bool) -> ThresholdRecord | None:
    """Threshold of the prediction: given, validated, the run's own, or 0.5."""
    options, validation = task.options, task.validation
    if options.threshold is not None:
        return ThresholdRecord(value=options.threshold, source="given")
    if validation is not None:
        value = validation.threshold_for(options.calibration)
        return ThresholdRecord(value=value, source=f"best F1 on validation ground {validation.ground}")
    return _own_threshold(method, is_probability)


def _own_threshold(method: Method, is_probability: bool) -> ThresholdRecord | None:
    if not is_probability or method.name == SLOPE:
        return None
    if method.run is not None:
        return ThresholdRecord(value=method.run.detector.threshold, source="the run's own")
    return ThresholdRecord(value=DEFAULT_THRESHOLD, source="default")


def _landslides(
    sites: Sequence[Site], plans: dict[str, Plan], counted: dict[str, Counted], task: Task, stages: Stages
) -> dict[str, list[Scored]]:
    """Match the landslides of every method that has a threshold, and count them by block."""
    options, scored = task.options, {}
    count = sum(site.blocks.number for site in sites)
    mapped = [mapped_landslides(site) for site in sites]
    named = [name for name, plan in plans.items() if AT_THRESHOLD in plan.thresholds]
    for done, name in enumerate(named):
        stages.progress("matching landslides", done, len(named))
        found: list[Scored] = []
        for site, own in zip(sites, mapped, strict=True):
            method = next(m for m in site.ground.methods if m.name == name)
            drawn = draw_predicted(
                site, method, plans[name].thresholds[AT_THRESHOLD], _min_area_m2(method, options)
            )
            found.append(score_landslides(site, drawn, own, options.matching))
            part = count_landslides(site, found[-1], count, options.matching)
            for key, values in part.items():
                before = counted[name].tally.get(key)
                counted[name].tally[key] = values if before is None else before + values
        scored[name] = found
    stages.progress("matching landslides", len(named), len(named))
    return scored


def _min_area_m2(method: Method, options: EvaluateOptions) -> float:
    if options.min_area_m2 is not None:
        return options.min_area_m2
    return method.run.results.min_area_m2 if method.run is not None else DEFAULT_MIN_AREA_M2


def _result(name: str, counted: Counted, sites: Sequence[Site], curve: ScoreHistogram) -> MethodResult:
    """Result of a method over the blocks with evaluated ground."""
    tally = counted.tally
    kept = np.flatnonzero(tally["ground_m2"] > 0)
    by_block = {key: values[kept] for key, values in tally.items()}
    return MethodResult(name, counted.plan, by_block, sites[0].land.classes, curve, counted.by_class)


def _write(folder: Path, evaluation: Evaluation, parts: Parts) -> None:
    write_metrics(folder, evaluation)
    trees: dict[str, dict[str, Any]] = {
        evaluation.name: {
            section: getattr(evaluation, section)
            for section in ("pixel", "landslides", "calibration", "boundary", "strata")
        },
        **evaluation.baselines,
    }
    write_table(folder, (row for name, tree in trees.items() for row in table_rows(name, tree)))
    write_curves(folder, parts.results)
    write_blocks(folder, parts.results)
    own = parts.scored.get(parts.results[0].name)
    if own is not None:
        write_scored(folder, [scored_frame(*each) for each in zip(parts.sites, own, strict=True)])
