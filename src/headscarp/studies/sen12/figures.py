"""Pictures of a model on its test patches, and one of every model: curves, outcomes, what it drew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from headscarp.chips.store import IGNORE, ChipStore
from headscarp.evaluate.confusion import pixel_metrics
from headscarp.evaluate.curves import ScoreHistogram, average_precision, curve_points
from headscarp.features.channels import FloatArray
from headscarp.predict.chips import PredictedChip
from headscarp.report.evaluation.drawing import FAINT, INK, PREDICTION, add_legend, dress, new_figure
from headscarp.report.evaluation.palette import FALSE, HIT, MISSED, NOT_EVALUATED
from headscarp.studies.cells import Cell, CellRecord
from headscarp.studies.drawing import draw_spread
from headscarp.studies.sen12.score import AT_HALF, AT_THRESHOLD, PR_AUC, PatchCounts

PR_PNG, CONFUSION_PNG, EXAMPLES_PNG = "pr_curve.png", "confusion_matrix.png", "examples.png"
OVERVIEW_PNG = "overview.png"
EXAMPLES = 6
"""Patches shown: half of them with the most hits, half with the most errors."""
_OUTCOMES = {"hit": HIT, "missed": MISSED, "false alarm": FALSE, "left out": NOT_EVALUATED}


def write_figures(
    folder: Path,
    cell: Cell,
    store: ChipStore,
    places: Sequence[int],
    chips: Sequence[PredictedChip],
    counts: PatchCounts,
    threshold: float,
) -> None:
    """Write ``pr_curve.png``, ``confusion_matrix.png`` and ``examples.png``.

    Parameters
    ----------
    folder : Path
    cell : Cell
        Named in the titles.
    store : ChipStore
    places : sequence of int
        Of the test patches in the store.
    chips : sequence of PredictedChip
        The same patches.
    counts : PatchCounts
    threshold : float
    """
    title = f"{cell.values['model']}, {cell.name.split('-')[1]}"
    draw_precision_recall(counts, title).savefig(folder / PR_PNG)
    draw_confusion(counts, title, threshold).savefig(folder / CONFUSION_PNG)
    shown = choose_examples(counts)
    looks = [background(store, places[number]) for number in shown]
    draw_examples([chips[number] for number in shown], looks, title, threshold).savefig(folder / EXAMPLES_PNG)


def draw_overview(records: Sequence[CellRecord]) -> Figure:
    """Every model on every split: PR-AUC and Dice of each run as dots, their means as strokes.

    Parameters
    ----------
    records : sequence of CellRecord
        Those that are done, one at least.
    """
    models = list(dict.fromkeys(str(record.values["model"]) for record in records))
    splits = list(dict.fromkeys(str(record.values["split"]) for record in records))
    figure = new_figure(3.0 * len(splits) + 1.0, 0.45 * len(models) + 1.2)
    for axes, split in zip(np.ravel(figure.subplots(1, len(splits), sharey=True)), splits, strict=True):
        runs = [
            [r.figures for r in records if (r.values["model"], r.values["split"]) == (model, split)]
            for model in models
        ]
        of_runs = {
            "PR-AUC": [[one[PR_AUC] for one in own] for own in runs],
            "Dice at threshold": [[one[AT_THRESHOLD]["dice"] for one in own] for own in runs],
        }
        known = {
            name: [[np.nan if value is None else value for value in own] for own in rows]
            for name, rows in of_runs.items()
        }
        draw_spread(axes, models, known, split)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def draw_precision_recall(counts: PatchCounts, title: str) -> Figure:
    """Precision against recall over all thresholds, with the points at 0.5 and at the threshold."""
    histogram = ScoreHistogram(counts.edges, counts.scores.sum(axis=0))
    ratios = pixel_metrics(curve_points(histogram).counts)
    clear, slid = histogram.totals()
    share = float(slid / max(float(clear + slid), 1.0))
    figure = new_figure(4.8, 4.2)
    axes = dress(figure.subplots(), "Recall", "Precision")
    axes.plot(ratios["recall"], ratios["precision"], color=PREDICTION, lw=1.8)
    axes.axhline(share, color=FAINT, lw=1.2, zorder=0)
    axes.annotate(f"by chance: {share:.3f}", (0.99, share), ha="right", va="bottom", size=8, color=INK)
    for place, marker, label in ((AT_HALF, "o", "0.5"), (AT_THRESHOLD, "D", "threshold of the validation")):
        at = pixel_metrics(counts.outcomes[place].sum(axis=0))
        axes.plot(at["recall"], at["precision"], marker, color=PREDICTION, mfc="white", label=label, ms=7)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01))
    axes.set_title(f"{title}: PR-AUC {float(average_precision(histogram).middle):.3f}", size=10, color=INK)
    add_legend(axes, loc="upper right")
    return figure


def draw_confusion(counts: PatchCounts, title: str, threshold: float) -> Figure:
    """Pixels by truth and prediction, at 0.5 and at the threshold; shares are of each row."""
    figure = new_figure(7.4, 3.4)
    sides = zip(np.ravel(figure.subplots(1, 2)), ((AT_HALF, 0.5), (AT_THRESHOLD, threshold)), strict=True)
    for axes, (place, at) in sides:
        matrix = counts.outcomes[place].sum(axis=0).reshape(2, 2).T  # rows: clear, landslide
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, col), share in np.ndenumerate(shares):
            ink = "white" if share > 0.5 else INK
            axes.text(col, row, f"{matrix[row, col]:,}\n{share:.1%}", ha="center", va="center", color=ink)
        axes.set_xticks([0, 1], ["none", "landslide"])
        axes.set_yticks([0, 1], ["none", "landslide"])
        axes.set(xlabel="predicted", ylabel="mapped")
        axes.set_title(f"at {at:.3g}", size=10, color=INK)
    figure.suptitle(f"{title}: pixels of the test patches", size=10, color=INK)
    return figure


def choose_examples(counts: PatchCounts) -> list[int]:
    """Patches to show: those with the most hits, and of the others those with the most errors."""
    _, missed, false, hit = counts.outcomes[AT_THRESHOLD].T
    best = np.argsort(-hit, kind="stable")[: EXAMPLES // 2].tolist()
    worst = [n for n in np.argsort(-(missed + false), kind="stable").tolist() if n not in best]
    return [*best, *worst[: EXAMPLES - len(best)]]


class Look(NamedTuple):
    """What lies under the outcomes of a patch: a channel of the radar, between two percentiles."""

    values: FloatArray
    low: float
    high: float


def background(store: ChipStore, place: int) -> Look:
    """First channel of the radar: the change, or the last date less the first."""
    x, _, _ = store.read([place])
    first = next(i for i, own in enumerate(store.facts.features.parsed) if own.radar)
    values = x[0, ..., first, :, :] if x.ndim == 5 else x[0, first]
    if values.ndim == 3:
        dated = [each for each in values if np.isfinite(each).any()]
        values = dated[0] - dated[-1]
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.02, 0.98]) if known.size else (0.0, 1.0)
    return Look(values, float(low), float(high))


def draw_examples(
    chips: Sequence[PredictedChip], looks: Sequence[Look], title: str, threshold: float
) -> Figure:
    """A row for each patch: what the radar saw, the probability, hits, misses and false alarms."""
    figure = new_figure(7.2, 2.3 * len(chips) + 0.6)
    table = np.reshape(figure.subplots(len(chips), 3), (-1, 3))
    for axes, chip, look in zip(table, chips, looks, strict=True):
        axes[0].imshow(look.values, cmap="RdBu_r", vmin=look.low, vmax=look.high, interpolation="nearest")
        axes[1].imshow(chip.probability, cmap="inferno", vmin=0, vmax=1, interpolation="nearest")
        _draw_outcome(axes[2], chip, look, threshold)
        axes[0].set_ylabel(chip.id, size=7, color=INK)
        for each in axes:
            each.set_xticks([])
            each.set_yticks([])
    for each, name in zip(table[0], ("change, dB", "probability", f"at {threshold:.3g}"), strict=True):
        each.set_title(name, size=9, color=INK)
    figure.suptitle(title, size=10, color=INK)
    keys = [Patch(color=color, label=name) for name, color in _OUTCOMES.items()]
    figure.legend(handles=keys, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def outcome_codes(chip: PredictedChip, threshold: float) -> NDArray[np.int64]:
    """0 where nothing is and was said, 1 hit, 2 missed, 3 false alarm, 4 left out."""
    said, slid = chip.probability >= threshold, chip.label == 1
    codes = np.select([said & slid, ~said & slid, said & ~slid], [1, 2, 3], 0)
    return np.where(chip.label == IGNORE, 4, codes)


def _draw_outcome(axes: Axes, chip: PredictedChip, look: Look, threshold: float) -> None:
    axes.imshow(look.values, cmap="Greys", vmin=look.low, vmax=look.high, interpolation="nearest")
    codes = outcome_codes(chip, threshold)
    colors = ListedColormap([(0, 0, 0, 0), *(to_rgb(color) for color in _OUTCOMES.values())])
    axes.imshow(np.ma.masked_equal(codes, 0), cmap=colors, vmin=0, vmax=4, interpolation="nearest")
