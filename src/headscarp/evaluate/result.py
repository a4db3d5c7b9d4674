"""The result of one method: what was counted, and every figure from it with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headscarp.evaluate import tally as tl
from headscarp.evaluate.confusion import OUTCOMES, FloatArray
from headscarp.evaluate.curves import Bounds, ScoreHistogram, average_precision, roc_auc
from headscarp.evaluate.intervals import Interval, interval, sums_of_draws

AVERAGE_PRECISION = ("pixel", "average_precision")
ROC_AUC = ("pixel", "roc_auc")
HEADLINES: dict[tuple[str, ...], str] = {
    AVERAGE_PRECISION: "Average precision",
    ROC_AUC: "Area under the ROC curve",
    ("pixel", "at_0.5", "f1"): "F1 at 0.5",
    ("pixel", "at_threshold", "f1"): "F1 at threshold",
    ("pixel", "at_threshold", "precision"): "Precision at threshold",
    ("pixel", "at_threshold", "recall"): "Recall at threshold",
    ("pixel", "at_threshold", "iou"): "IoU at threshold",
    ("boundary", "boundary_f1"): "F1 of boundaries",
    ("landslides", "detection_rate"): "Landslides found",
    ("landslides", "false_alarms_per_100km2"): "False alarms per 100 km²",
    ("calibration", "expected_calibration_error"): "Expected calibration error",
}
"""Figures that tables show and methods are compared by, with their names."""
LOWER_IS_BETTER = frozenset({"false_alarms_per_100km2", "expected_calibration_error"})


@dataclass(frozen=True)
class MethodResult:
    """What was counted for one method, block by block.

    Attributes
    ----------
    name : str
    plan : Plan
    tally : Tally
        First axis: blocks with evaluated ground.
    strata : mapping of str to tuple of str
        Names of the classes of each stratum.
    curve : ScoreHistogram
        Over all the ground, refined.
    scores_by_class : Tally
        As :func:`headscarp.evaluate.tally.count_by_class` counts them.
    """

    name: str
    plan: tl.Plan
    tally: tl.Tally
    strata: Mapping[str, tuple[str, ...]]
    curve: ScoreHistogram
    scores_by_class: tl.Tally = field(default_factory=dict)

    @property
    def bounds(self) -> dict[tuple[str, ...], Bounds]:
        """Bounds of the figures that a histogram knows only so well."""
        return {AVERAGE_PRECISION: average_precision(self.curve), ROC_AUC: roc_auc(self.curve)}

    def values(self) -> tl.Figures:
        """Every figure on the whole ground."""
        found = tl.figures(tl.sums(self.tally), self.plan, self.strata)
        by_class = {
            ("strata", name, label, "average_precision"): value
            for name, counts in self.scores_by_class.items()
            for label, value in zip(self.strata[name], self._precision(counts), strict=True)
        }
        return found | by_class | {path: bounds.middle for path, bounds in self.bounds.items()}

    def _precision(self, counts: NDArray[Any]) -> FloatArray:
        """Average precision of each class, to the width of the bins kept for blocks."""
        return average_precision(ScoreHistogram(self.plan.edges, counts)).middle

    def draws(self, weights: FloatArray) -> tl.Figures:
        """Every figure on each draw of blocks."""
        drawn = {name: sums_of_draws(weights, counts) for name, counts in self.tally.items()}
        return tl.figures(drawn, self.plan, self.strata)


def intervals_of(draws: tl.Figures, level: float) -> dict[tuple[str, ...], Any]:
    """Intervals of every figure: one, or a list of them for figures by size class."""
    return {path: _interval(values, level) for path, values in draws.items()}


def _interval(values: FloatArray, level: float) -> Interval | list[Interval | None] | None:
    if values.ndim == 1:
        return interval(values, level)
    return [interval(column, level) for column in values.T]


def as_tree(values: tl.Figures, intervals: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """Nest figures by path; the intervals of an object's figures lie in its ``intervals``.

    Examples
    --------
    >>> as_tree({("pixel", "f1"): np.float64(0.5)}, {("pixel", "f1"): Interval(0.4, 0.6)})
    {'pixel': {'f1': 0.5, 'intervals': {'f1': [0.4, 0.6]}}}
    """
    tree: dict[str, Any] = {}
    for path, value in values.items():
        _node(tree, path[:-1])[path[-1]] = plain(value)
    for path, found in intervals.items():
        _node(tree, (*path[:-1], "intervals"))[path[-1]] = plain(found)
    return tree


def _node(tree: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """Object at a path, made where it is missing."""
    for name in path:
        tree = tree.setdefault(name, {})
    return tree


def plain(value: Any) -> Any:
    """Numbers, lists and None for JSON: NaN, which means undefined, becomes None."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    array = np.asarray(value)
    if array.ndim:
        return [plain(each) for each in array]
    number = array.item()
    return number if not isinstance(number, float) or math.isfinite(number) else None


def confusion_of(result: MethodResult) -> dict[str, dict[str, int]]:
    """Confusion counts of the whole ground at each threshold."""
    totals = result.tally[tl.CONFUSION].sum(axis=0)
    return {
        name: dict(zip(OUTCOMES, (int(count) for count in totals[index]), strict=True))
        for index, name in enumerate(result.plan.thresholds)
    }
