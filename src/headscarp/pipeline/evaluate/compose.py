"""The record of an evaluation: figures with intervals, baselines beside them, and what a reader must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from headscarp import __version__
from headscarp.evaluate import tally as tl
from headscarp.evaluate.confusion import OUTCOMES, FloatArray
from headscarp.evaluate.frequency_area import fit_inverse_gamma, frequency_area
from headscarp.evaluate.intervals import FEW_BLOCKS, draw_blocks, paired_difference
from headscarp.evaluate.options import EvaluateOptions
from headscarp.evaluate.record import BlocksRecord, Evaluation, GroundRecord, ThresholdRecord
from headscarp.evaluate.reliability import reliability_curve
from headscarp.evaluate.result import (
    HEADLINES,
    MethodResult,
    as_tree,
    confusion_of,
    intervals_of,
    plain,
)
from headscarp.grid import crs_wkt
from headscarp.pipeline.evaluate.ground import file_hashes
from headscarp.pipeline.evaluate.label import Fate
from headscarp.pipeline.evaluate.objects import Scored
from headscarp.pipeline.evaluate.validate import best_f1
from headscarp.pipeline.evaluate.walk import Site
from headscarp.pipeline.provenance import command_line, source_commit

KM2 = 1e-6


class Parts(NamedTuple):
    """Everything that was measured."""

    options: EvaluateOptions
    sites: Sequence[Site]
    results: Sequence[MethodResult]
    """The prediction first."""
    scored: Mapping[str, Sequence[Scored]]
    threshold: ThresholdRecord


class _Measured(NamedTuple):
    """Figures of a method, on the whole ground and on each draw."""

    values: tl.Figures
    draws: tl.Figures


def compose(parts: Parts) -> Evaluation:
    """Put the record together."""
    options, results = parts.options, parts.results
    blocks = len(results[0].tally[tl.GROUND_M2])
    weights = draw_blocks(blocks, options.intervals)
    measured = {result.name: _Measured(result.values(), result.draws(weights)) for result in results}
    trees = {result.name: _tree(result, measured[result.name], parts) for result in results}
    main, *others = (result.name for result in results)
    grounds = [_ground(site, len(parts.sites)) for site in parts.sites]
    return Evaluation(
        headscarp=__version__,
        commit=source_commit(),
        command=command_line(),
        created_utc=datetime.now(UTC).replace(microsecond=0),
        name=main,
        seed=options.seed,
        grounds=grounds,
        threshold=parts.threshold,
        calibration_applied=options.calibration if options.validation is not None else "none",
        blocks=_blocks(parts, blocks),
        **{section: trees[main].get(section, {}) for section in _SECTIONS},
        baselines={name: trees[name] for name in others},
        differences={
            name: differences(measured[main], measured[name], options.intervals.level) for name in others
        },
        notes=_notes(parts, blocks),
    )


_SECTIONS = ("pixel", "landslides", "calibration", "boundary", "strata")


def differences(main: _Measured, other: _Measured, level: float) -> dict[str, Any]:
    """What one method has over another, for the headline figures that both have."""
    found: dict[str, Any] = {}
    for path in HEADLINES:
        if path in main.values and path in other.values:
            pairs = [(float(each.values[path]), each.draws[path]) for each in (main, other)]
            difference = paired_difference(pairs[0], pairs[1], level)
            found[" ".join(path)] = {
                "difference": plain(difference.value),
                "interval": plain(difference.interval),
                "share_of_draws_above_zero": plain(difference.share_above_zero),
            }
    return found


def _tree(result: MethodResult, measured: _Measured, parts: Parts) -> dict[str, Any]:
    """The objects of one method."""
    tree = as_tree(measured.values, intervals_of(measured.draws, parts.options.intervals.level))
    _describe_pixels(tree["pixel"], result)
    if tl.RELIABILITY in result.tally:
        tree["calibration"] |= {
            "reliability": _reliability(result, tl.RELIABILITY),
            "reliability_log_odds": _reliability(result, tl.LOG_ODDS),
        }
    _describe_strata(tree.get("strata", {}), result)
    if "boundary" in tree:
        tree["boundary"]["tolerance_px"] = parts.options.boundary_tolerance_px
    if result.name in parts.scored:
        _describe_landslides(tree["landslides"], result, parts)
    return tree


def _describe_pixels(pixel: dict[str, Any], result: MethodResult) -> None:
    """Add counts, bounds and thresholds to the figures."""
    clear, landslides = result.curve.totals()
    pixel |= {"pixels": int(clear + landslides), "landslide_pixels": int(landslides)}
    for path, bounds in result.bounds.items():
        pixel[f"{path[-1]}_bounds"] = [plain(bounds.lower), plain(bounds.upper)]
    for name, counts in confusion_of(result).items():
        pixel[name] = {"threshold": result.plan.thresholds[name], **counts, **pixel[name]}
    best = best_f1(result.curve)
    pixel["best_f1_in_hindsight"] = None if best is None else {"threshold": best[0], "f1": best[1]}


def _describe_strata(strata: dict[str, Any], result: MethodResult) -> None:
    """Add the confusion counts of each class to its figures."""
    for stratum, tree in strata.items():
        totals = result.tally[tl.STRATUM + stratum].sum(axis=0)
        for place, label in enumerate(result.strata[stratum]):
            for index, name in enumerate(result.plan.thresholds):
                counts = (int(count) for count in totals[place, index])
                tree[label][name] |= dict(zip(OUTCOMES, counts, strict=True))


def _reliability(result: MethodResult, name: str) -> dict[str, Any]:
    curve = reliability_curve(result.tally[name].sum(axis=0))
    return {field: plain(values) for field, values in curve._asdict().items()}


def _describe_landslides(tree: dict[str, Any], result: MethodResult, parts: Parts) -> None:
    """Add counts, size classes and the frequency–area curves."""
    options = parts.options.matching
    counts = {
        name.removeprefix(tl.LANDSLIDES): plain(values.sum(axis=0))
        for name, values in result.tally.items()
        if name.startswith(tl.LANDSLIDES)
    }
    areas: dict[str, FloatArray] = {
        side: np.concatenate([getattr(s.matched, side)["area_m2"].to_numpy(dtype=float) for s in scored])
        for scored in [parts.scored[result.name]]
        for side in ("mapped", "predicted")
    }
    tree |= {
        "counts": counts,
        "min_iou": options.min_iou,
        "min_overlap": options.min_overlap,
        "size_edges_m2": list(options.size_edges_m2),
        "frequency_area": {side: _frequency_area(values) for side, values in areas.items()},
    }


def _frequency_area(areas_m2: FloatArray) -> dict[str, Any]:
    """Curve and fit; where there is no fit, the reason."""
    curve, fitted = frequency_area(areas_m2), fit_inverse_gamma(areas_m2)
    fit = None
    if fitted.fit is not None:
        derived = {"alpha": fitted.fit.alpha, "rollover_m2": fitted.fit.rollover_m2}
        fit = {name: plain(value) for name, value in (fitted.fit._asdict() | derived).items()}
    return {
        **{name: plain(values) for name, values in curve._asdict().items()},
        "n": fitted.n,
        "fit": fit,
        "reason": fitted.reason,
    }


def _ground(site: Site, grounds: int) -> GroundRecord:
    ground, facts = site.ground, site.facts
    fates = {fate.name.lower(): facts.fates[fate] for fate in Fate}
    polygons = ground.truth.polygons
    inventory = ground.truth.facts
    return GroundRecord(
        name=ground.name,
        options=ground.options.model_dump(mode="json"),
        files_sha256=file_hashes(ground),
        label_sha256=facts.sha256,
        crs=crs_wkt(ground.geobox),
        spacing=abs(ground.geobox.transform.a),
        shape_px=(int(ground.geobox.shape[0]), int(ground.geobox.shape[1])),
        evaluated_km2=facts.evaluated_m2 * KM2,
        pixels={name: int(counts.sum()) for name, counts in fates.items()},
        landslide_pixels={name: int(counts[1]) for name, counts in fates.items()},
        landslides_mapped=0 if polygons is None else len(polygons),
        landslides_not_observed=0 if polygons is None else int((~facts.observed).sum()),
        inventory=None if inventory is None else inventory.model_dump(mode="json"),
    )


def _blocks(parts: Parts, blocks: int) -> BlocksRecord:
    options = parts.options.intervals
    side_m = parts.sites[0].blocks.side_m
    notes = []
    if side_m > options.block_m:
        notes.append(f"blocks grew from {options.block_m:g} m so that there are at most {options.max_blocks}")
    if blocks < FEW_BLOCKS:
        notes.append(f"only {blocks} blocks: intervals are too narrow, if anything")
    return BlocksRecord(
        side_m=side_m,
        count=blocks,
        replicates=options.replicates,
        level=options.level,
        seed=options.seed,
        note="; ".join(notes),
    )


def _ground_notes(sites: Sequence[Site]) -> list[str]:
    """Notes of the grounds, each once, with the names of the grounds it holds for unless that is all."""
    grounds: dict[str, list[str]] = {}
    for site in sites:
        for note in site.ground.notes:
            grounds.setdefault(note, []).append(site.ground.name)
    return [
        note if len(names) == len(sites) else f"{', '.join(names)}: {note}" for note, names in grounds.items()
    ]


def _notes(parts: Parts, blocks: int) -> list[str]:
    notes = _ground_notes(parts.sites)
    clear, landslides = parts.results[0].curve.totals()
    if landslides == 0:
        notes.append(
            "no mapped landslide pixel was evaluated: recall, F1 and average precision are undefined"
        )
    if clear + landslides == 0:
        notes.append("no pixel was evaluated: every figure is undefined")
    if 0 < blocks < FEW_BLOCKS:
        notes.append(
            f"intervals rest on {blocks} blocks of ground, fewer than {FEW_BLOCKS}: take them as too narrow"
        )
    hidden = sum(int((~s.facts.observed).sum()) for s in parts.sites if s.ground.truth.polygons is not None)
    if hidden:
        notes.append(f"{hidden} mapped landslides lie on ground that was not evaluated; they are not scored")
    return notes
