"""Everything that is counted over a ground, by block, and every figure that follows from the sums.

A tally is a mapping from a name to an array whose first axis is the block of ground. Tallies of tiles add up;
sums over blocks, or over the blocks that a bootstrap drew, go through :func:`figures` alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headscarp.evaluate.boundary import boundary_metrics
from headscarp.evaluate.confusion import FloatArray, confusion_counts, pixel_metrics, ratio
from headscarp.evaluate.curves import (
    Edges,
    ScoreHistogram,
    average_precision,
    count_scores,
    roc_auc,
)
from headscarp.evaluate.landslides import landslide_metrics
from headscarp.evaluate.reliability import (
    log_odds_edges,
    probability_edges,
    reliability_metrics,
    reliability_sums,
    squared_error_sums,
)
from headscarp.evaluate.strata import Stratum

Tally = dict[str, NDArray[Any]]
Figures = dict[tuple[str, ...], FloatArray]
"""Values by path, such as ``("pixel", "at_0.5", "f1")``; each of the sums' leading shape."""

HALF = 0.5
GROUND_M2 = "ground_m2"
CONFUSION, SCORES, BOUNDARY = "confusion", "scores", "boundary"
RELIABILITY, LOG_ODDS, SQUARED_ERROR = "reliability", "reliability_log_odds", "squared_error"
STRATUM, LANDSLIDES = "stratum/", "landslides/"
"""Prefixes of the counts by stratum and of landslides."""


@dataclass(frozen=True)
class Plan:
    """What is counted for one method.

    Attributes
    ----------
    edges : int64 ndarray
        Bins of the score, common to all blocks.
    thresholds : mapping of str to float
        Name and value of each threshold at which pixels are counted.
    is_probability : bool
        Whether the score lies in [0, 1] and may be held against observed shares.
    """

    edges: Edges
    thresholds: Mapping[str, float] = field(default_factory=dict)
    is_probability: bool = True


@dataclass(frozen=True)
class Pixels:
    """Evaluated pixels of a tile, flattened.

    Attributes
    ----------
    scores, landslide, block : ndarray, shape (n,)
        Score, truth and index of the block.
    strata : mapping of str to Stratum
        Their images flattened alike.
    """

    scores: NDArray[np.float32]
    landslide: NDArray[np.bool_]
    block: NDArray[np.int64]
    strata: Mapping[str, Stratum] = field(default_factory=dict)


def count_pixels(pixels: Pixels, plan: Plan, blocks: int) -> Tally:
    """Count the pixels of a tile by block.

    Returns
    -------
    dict of str to ndarray
        ``confusion`` (blocks, thresholds, 4), ``scores`` (blocks, bins, 2), ``stratum/…`` (blocks, classes,
        thresholds, 4), and for probabilities ``reliability``, ``reliability_log_odds``, ``squared_error``.
    """
    predicted = [pixels.scores >= np.float32(value) for value in plan.thresholds.values()]
    tally: Tally = {
        SCORES: count_scores(plan.edges, pixels.scores, pixels.landslide, pixels.block, blocks),
        CONFUSION: _confusion(predicted, pixels.landslide, pixels.block, blocks),
    }
    if plan.is_probability:
        ground = (pixels.block, blocks)
        for name, edges in ((RELIABILITY, probability_edges()), (LOG_ODDS, log_odds_edges())):
            tally[name] = reliability_sums(pixels.scores, pixels.landslide, edges, *ground)
        tally[SQUARED_ERROR] = squared_error_sums(pixels.scores, pixels.landslide, *ground)
    for name, stratum in pixels.strata.items():
        tally[STRATUM + name] = _by_class(predicted, pixels, stratum, blocks)
    return tally


def count_by_class(pixels: Pixels, plan: Plan) -> Tally:
    """Count the scores of a tile by class of each stratum, not by block.

    Returns
    -------
    dict of str to int64 ndarray, shape (classes, bins, 2)
        By the name of the stratum.
    """
    return {name: _scores_by_class(pixels, stratum, plan.edges) for name, stratum in pixels.strata.items()}


def empty(plan: Plan, strata: Mapping[str, tuple[str, ...]], blocks: int) -> Tally:
    """Return the tally of ground on which nothing was counted yet."""
    none = np.zeros(0, dtype=np.int64)
    kinds = {name: Stratum(classes, none.astype(np.int16)) for name, classes in strata.items()}
    pixels = Pixels(none.astype(np.float32), none.astype(np.bool_), none, kinds)
    ground: Tally = {GROUND_M2: np.zeros(blocks)}
    if plan.thresholds:
        ground[BOUNDARY] = np.zeros((blocks, 4), dtype=np.int64)
    return count_pixels(pixels, plan, blocks) | ground


def add(total: Tally, part: Mapping[str, NDArray[Any]], blocks: NDArray[np.int64]) -> None:
    """Add the tally of a tile to the whole.

    Parameters
    ----------
    total : Tally
        Changed in place.
    part : Tally
        Counts of the tile's own blocks.
    blocks : int ndarray
        Place of each of these blocks among all.
    """
    for name, counts in part.items():
        np.add.at(total[name], blocks, counts)


def sums(tally: Mapping[str, NDArray[Any]]) -> Tally:
    """Sums over all blocks."""
    return {name: counts.sum(axis=0) for name, counts in tally.items()}


def figures(totals: Mapping[str, NDArray[Any]], plan: Plan, strata: Mapping[str, tuple[str, ...]]) -> Figures:
    """Every figure of a method from its sums.

    Parameters
    ----------
    totals : mapping of str to ndarray
        As in :func:`count_pixels`, with any leading dimensions in place of the blocks.
    plan : Plan
    strata : mapping of str to tuple of str
        Names of the classes of each stratum.

    Returns
    -------
    Figures
        Undefined ratios are NaN.
    """
    found: Figures = {}
    _add(found, ("pixel",), _curve_figures(ScoreHistogram(plan.edges, totals[SCORES])))
    for index, name in enumerate(plan.thresholds):
        _add(found, ("pixel", name), pixel_metrics(totals[CONFUSION][..., index, :]))
        for stratum, classes in strata.items():
            counts = totals[STRATUM + stratum][..., index, :]
            for place, label in enumerate(classes):
                _add(found, ("strata", stratum, label, name), pixel_metrics(counts[..., place, :]))
    if plan.is_probability:
        measured = reliability_metrics(totals[RELIABILITY], totals[SQUARED_ERROR], totals[LOG_ODDS])
        _add(found, ("calibration",), measured)
    if BOUNDARY in totals:
        _add(found, ("boundary",), boundary_metrics(totals[BOUNDARY]))
    if any(name.startswith(LANDSLIDES) for name in totals):
        own = {n.removeprefix(LANDSLIDES): v for n, v in totals.items() if n.startswith(LANDSLIDES)}
        _add(found, ("landslides",), landslide_metrics(own, totals[GROUND_M2] * 1e-6))
    return found


def _curve_figures(histogram: ScoreHistogram) -> dict[str, FloatArray]:
    clear, landslides = histogram.totals()
    return {
        "landslide_share": ratio(landslides, clear + landslides),
        "average_precision": average_precision(histogram).middle,
        "roc_auc": roc_auc(histogram).middle,
    }


def _add(found: Figures, path: tuple[str, ...], values: Mapping[str, FloatArray]) -> None:
    found |= {(*path, name): value for name, value in values.items()}


def _confusion(
    predicted: list[NDArray[np.bool_]], landslide: NDArray[np.bool_], block: NDArray[np.int64], blocks: int
) -> NDArray[np.int64]:
    counts = [confusion_counts(each, landslide, block, blocks) for each in predicted]
    return np.stack(counts, axis=1) if counts else np.zeros((blocks, 0, 4), dtype=np.int64)


def _scores_by_class(pixels: Pixels, stratum: Stratum, edges: Edges) -> NDArray[np.int64]:
    known = stratum.image >= 0
    return count_scores(
        edges, pixels.scores[known], pixels.landslide[known], stratum.image[known], len(stratum.names)
    )


def _by_class(
    predicted: list[NDArray[np.bool_]], pixels: Pixels, stratum: Stratum, blocks: int
) -> NDArray[np.int64]:
    known, classes = stratum.image >= 0, len(stratum.names)
    cell = pixels.block[known] * classes + stratum.image[known]
    inside = [each[known] for each in predicted]
    counts = _confusion(inside, pixels.landslide[known], cell, blocks * classes)
    return counts.reshape(blocks, classes, len(predicted), 4)
