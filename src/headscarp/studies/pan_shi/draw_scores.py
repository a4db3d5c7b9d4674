"""Distributions of scores, differences of rows and their tests, as the paper's Figures 8 and 11."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from headscarp.studies.drawing import INK, draw_differences, draw_spread, new_figure
from headscarp.studies.paired import Gap, gap
from headscarp.studies.pan_shi.claims import verdict_of
from headscarp.studies.pan_shi.published import published_event
from headscarp.studies.pan_shi.results import RowResult, StudyResults
from headscarp.studies.pan_shi.scores import F1, SCORES
from headscarp.studies.tables import NOTHING, Table, interval_text, number_text, signed_text

TITLES = {"precision": "Precision", "recall": "Recall", "f1": "F1", "iou": "IoU"}
ROW_IN = 0.27
DECIDED = "*"
"""Behind a difference whose interval, and every seed, lie on one side of 0."""
FEWEST_SEEDS = 2
"""Of a paired t-test."""


class PairedRow(NamedTuple):
    """Two rows of an event and what lies between them."""

    first: str
    second: str
    gap: Gap | None


def draw_scores(results: StudyResults, event: str) -> Figure | None:
    """Draw the scores of every row and the differences between rows; None before one is done."""
    rows = [row for row in results.of_event(event) if row.done]
    trained = [row for row in rows if not row.is_detector]
    if not trained:
        return None
    figure = new_figure(11.5, 2 * (ROW_IN * len(rows) + 1.3))
    grid = figure.add_gridspec(1, 2, width_ratios=(1.35, 1))
    left, right = (figure.add_subfigure(grid[0, column]) for column in range(2))
    for axes, name in zip(left.subplots(2, 2, sharey=True).flat, SCORES, strict=True):
        draw_spread(axes, [row.label for row in rows], _groups(rows, event, name), TITLES[name])
    handles = left.axes[0].get_legend_handles_labels()[0]
    left.legend(
        handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8, labelcolor=INK
    )
    values, marks = _matrix(rows)
    axes = right.subplots()
    title = "F1 on the validation area, row − column\n* decided by ground and seeds"
    draw_differences(axes, [row.label for row in rows], values, marks, title)
    figure.suptitle(f"{event}: scores over seeds, and differences between rows", size=10, color=INK)
    return figure


def pairwise_table(results: StudyResults, event: str) -> Table:
    """Every pair of rows: difference of F1, its interval over blocks, and a paired t-test over seeds."""
    rows = [row for row in results.of_event(event) if row.done]
    told = [(pair.first, pair.second, *_told(pair.gap)) for pair in _pairs(rows) if pair.gap is not None]
    head = ("Row", "less", "F1", "95 %, blocks", "seeds", "t-test over seeds, p", "Verdict")
    caption = (
        f"{event}: differences of F1 between rows on the validation area; the tests are of one pair each, "
        "not "
        "corrected for their number"
    )
    return Table(f"pairwise_{event}", caption, head, tuple(told))


def t_test_p(differences: Sequence[float]) -> float | None:
    """Two-sided p of a paired t-test; None for fewer than two seeds, or differences without spread.

    Parameters
    ----------
    differences : sequence of float
        Of runs of the same seed.
    """
    if len(differences) < FEWEST_SEEDS or np.ptp(differences) == 0:
        return None
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def _groups(rows: Sequence[RowResult], event: str, name: str) -> dict[str, list[list[float]]]:
    """Runs of each row: as the paper prints it, on the choosing chips, on the validation area."""
    published = published_event(event)
    printed = {} if published is None else published.rows
    groups = {
        "choosing chips": [[_number(getattr(own.choosing, name)) for own in row.trained] for row in rows],
        "validation area": [
            [] if row.judged is None else row.judged.by_seed((*F1[:-1], name)).tolist() for row in rows
        ],
    }
    if not printed:
        return groups
    paper = [[getattr(printed[row.label], name)] if row.label in printed else [] for row in rows]
    return groups | {"paper (its choosing chips)": paper}


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _pairs(rows: Sequence[RowResult]) -> list[PairedRow]:
    return [
        PairedRow(one.label, other.label, gap(one.judged, other.judged, F1))
        for one, other in itertools.combinations(rows, 2)
        if one.judged is not None and other.judged is not None
    ]


def _matrix(rows: Sequence[RowResult]) -> tuple[np.ndarray, np.ndarray]:
    """Differences, row less column, and marks of those that are decided."""
    place = {row.label: number for number, row in enumerate(rows)}
    values = np.full((len(rows), len(rows)), np.nan)
    marks = np.full(values.shape, "", dtype="<U1")
    for pair in _pairs(rows):
        if pair.gap is not None:
            one, other = place[pair.first], place[pair.second]
            values[one, other], values[other, one] = pair.gap.value, -pair.gap.value
            marks[one, other] = marks[other, one] = DECIDED if verdict_of(pair.gap) != "undecided" else ""
    return values, marks


def _told(found: Gap | None) -> tuple[str, ...]:
    if found is None:
        return (NOTHING,) * 5
    p = number_text(t_test_p(found.by_seed))
    return (
        signed_text(found.value),
        interval_text(found.interval),
        str(len(found.by_seed)),
        p,
        verdict_of(found),
    )
