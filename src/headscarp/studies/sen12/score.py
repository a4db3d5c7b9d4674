"""What a model is worth on test patches: counts of each patch, figures and intervals from their sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headscarp.chips.store import IGNORE
from headscarp.evaluate.confusion import OUTCOMES, FloatArray, confusion_counts, pixel_metrics
from headscarp.evaluate.curves import ScoreHistogram, average_precision, count_scores, fewer_edges
from headscarp.evaluate.intervals import IntervalOptions, draw_blocks, interval, sums_of_draws
from headscarp.predict.chips import PredictedChip

HALF = 0.5
BINS = 1024
"""Bins of the score kept for each patch."""
FIGURES = ("precision", "recall", "dice", "iou")
"""Ratios at a threshold; Dice is the F1 of the pixels."""
AT_HALF, AT_THRESHOLD, PR_AUC = "at_0.5", "at_threshold", "pr_auc"
SCORES = "scores"


@dataclass(frozen=True)
class PatchCounts:
    """What was counted, patch by patch.

    Attributes
    ----------
    ids : tuple of str
    outcomes : dict of str to int64 ndarray, shape (patches, 4)
        By threshold (at_0.5, at_threshold), in the order of ``OUTCOMES``.
    edges : int64 ndarray, shape (bins,)
        Lowest key of each bin of the score.
    scores : int64 ndarray, shape (patches, bins, 2)
        Clear and landslide pixels of each bin.
    """

    ids: tuple[str, ...]
    outcomes: dict[str, NDArray[np.int64]]
    edges: NDArray[np.int64]
    scores: NDArray[np.int64]


def count_patches(chips: Sequence[PredictedChip], threshold: float) -> PatchCounts:
    """Count the pixels of patches at 0.5, at a threshold, and by score.

    Parameters
    ----------
    chips : sequence of PredictedChip
        At 0.5 their own output counts, uncalibrated, as published studies take it.
    threshold : float
        Of the calibrated probability, chosen on validation patches.
    """
    known = [
        (chip.raw[seen], chip.probability[seen], chip.label[seen] == 1)
        for chip in chips
        for seen in [chip.label != IGNORE]
    ]
    at_half = [confusion_counts(raw >= HALF, slid)[0] for raw, _, slid in known]
    at_threshold = [confusion_counts(score >= threshold, slid)[0] for _, score, slid in known]
    outcomes = {AT_HALF: np.stack(at_half), AT_THRESHOLD: np.stack(at_threshold)}
    whole = ScoreHistogram.empty()
    for _, score, slid in known:
        whole += count_scores(whole.edges, score, slid)[0]
    edges = fewer_edges(whole, BINS)
    scores = np.stack([count_scores(edges, score, slid)[0] for _, score, slid in known])
    return PatchCounts(tuple(chip.id for chip in chips), outcomes, edges, scores)


def figures_of(counts: PatchCounts, options: IntervalOptions) -> dict[str, Any]:
    """Figures over all patches, each with its interval over draws of patches.

    Parameters
    ----------
    counts : PatchCounts
    options : IntervalOptions
        A patch is a block of ground: neighbouring patches of one event repeat each other a little still.

    Returns
    -------
    dict
        ``at_0.5`` and ``at_threshold``: precision, recall, dice, iou, the counts; ``pr_auc``; for each
        ``intervals`` of the same names. None where undefined.
    """
    values = _values({name: own.sum(axis=0) for name, own in _tables(counts).items()}, counts.edges)
    drawn = draws_of(counts, options)
    told: dict[str, Any] = {}
    for (place, name), value in values.items():
        node = told.setdefault(place, {"intervals": {}}) if place else told
        span = interval(drawn[place, name], options.level)
        node[name] = None if np.isnan(value) else float(value)
        intervals = node["intervals"] if place else told.setdefault("intervals", {})
        intervals[name] = None if span is None else [span.low, span.high]
    for place, outcome in counts.outcomes.items():
        told[place]["counts"] = dict(zip(OUTCOMES, outcome.sum(axis=0).tolist(), strict=True))
    return told


def draws_of(counts: PatchCounts, options: IntervalOptions) -> dict[tuple[str, str], FloatArray]:
    """Each figure on each draw of patches, for paired differences between models."""
    weights = draw_blocks(len(counts.ids), options)
    return _values({name: sums_of_draws(weights, own) for name, own in _tables(counts).items()}, counts.edges)


def write_counts(path: Path, counts: PatchCounts) -> None:
    """Write counts, so that models can be compared patch by patch."""
    beside = path.with_name(f".{path.name}.part.npz")
    arrays: dict[str, Any] = {**_tables(counts), "ids": np.array(counts.ids), "edges": counts.edges}
    np.savez_compressed(beside, **arrays)
    beside.replace(path)


def read_counts(path: Path) -> PatchCounts:
    """Read what `write_counts` wrote."""
    with np.load(path) as held:
        outcomes = {name: held[name] for name in (AT_HALF, AT_THRESHOLD)}
        return PatchCounts(tuple(held["ids"].tolist()), outcomes, held["edges"], held["scores"])


def _tables(counts: PatchCounts) -> dict[str, NDArray[np.int64]]:
    """Everything that is additive over patches."""
    return {**counts.outcomes, SCORES: counts.scores}


def _values(sums: Mapping[str, NDArray[Any]], edges: NDArray[np.int64]) -> dict[tuple[str, str], FloatArray]:
    """Every figure of summed counts, by place and name."""
    found: dict[tuple[str, str], FloatArray] = {}
    for place in (AT_HALF, AT_THRESHOLD):
        ratios = pixel_metrics(sums[place])
        found |= {(place, name): ratios["f1" if name == "dice" else name] for name in FIGURES}
    return found | {("", PR_AUC): average_precision(ScoreHistogram(edges, sums[SCORES])).middle}
