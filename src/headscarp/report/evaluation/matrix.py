"""The confusion matrix of the prediction at its threshold."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from headscarp.evaluate.confusion import OUTCOMES
from headscarp.report.evaluation.drawing import INK, SOFT, Drawing, new_figure
from headscarp.report.evaluation.palette import FALSE, HIT, MISSED, TRUE_NEGATIVE
from headscarp.report.evaluation.values import AT_HALF, AT_THRESHOLD, UNDEFINED, Method, node_at, say_percent
from headscarp.report.wording import say_number

_TITLE = "Confusion matrix"
_CAPTION = (
    "Pixels by what was mapped (rows) and what was predicted (columns), with the share of their row: "
    "that of the hits is the recall, that of the false alarms the false positive rate. Accuracy is left "
    "out: where landslides are rare, a map without any is nearly always right."
)
_CELLS = {
    "true_negative": (0, 1, TRUE_NEGATIVE, "rightly left out"),
    "false_positive": (1, 1, FALSE, "false alarm"),
    "false_negative": (0, 0, MISSED, "missed"),
    "true_positive": (1, 0, HIT, "hit"),
}
"""Column, row from below, colour and name of each outcome."""


def draw_confusion(method: Method) -> Drawing:
    """Draw counts and row shares of the four outcomes.

    Parameters
    ----------
    method : Method
        The prediction.

    Returns
    -------
    Drawing
        At its threshold, else at 0.5; without a figure where there is neither, or no pixel.
    """
    node = node_at(method.tree, ("pixel", AT_THRESHOLD)) or node_at(method.tree, ("pixel", AT_HALF))
    if not all(name in node for name in OUTCOMES):
        return Drawing("confusion", _TITLE, "Not drawn: there is no threshold.")
    counts = {name: int(node[name]) for name in OUTCOMES}
    if not sum(counts.values()):
        return Drawing("confusion", _TITLE, "Not drawn: no pixel was evaluated.")
    figure = new_figure(6.0, 3.7)
    axes = figure.add_subplot()
    for name in OUTCOMES:
        _draw_cell(axes, name, counts)
    axes.set(xlim=(0, 2), ylim=(0, 2))
    axes.set_xticks((0.5, 1.5), ("none", "landslide"), fontsize=10, color=INK)
    axes.set_yticks((0.5, 1.5), ("landslide", "none"), fontsize=10, color=INK)
    axes.set_xlabel(f"Predicted, score of {node['threshold']:g} or more", color=INK, size=10)
    axes.set_ylabel("Mapped", color=INK, size=10)
    axes.xaxis.set_label_position("top")
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    alt = "Confusion matrix in pixels: " + ", ".join(
        f"{_CELLS[name][3]} {say_number(count)}" for name, count in counts.items()
    )
    return Drawing("confusion", _TITLE, _CAPTION, alt, figure)


def _draw_cell(axes: Axes, name: str, counts: Mapping[str, int]) -> None:
    column, row, color, title = _CELLS[name]
    others = [counts[other] for other, cell in _CELLS.items() if cell[1] == row]
    share = counts[name] / sum(others) if sum(others) else None
    axes.add_patch(
        Rectangle((column, row), 1, 1, facecolor=color, alpha=0.22, edgecolor="white", linewidth=3)
    )
    axes.add_patch(Rectangle((column + 0.01, row + 0.015), 0.025, 0.97, facecolor=color, linewidth=0))
    middle = column + 0.51
    axes.text(middle, row + 0.74, title, ha="center", va="center", color=SOFT, fontsize=9)
    axes.text(middle, row + 0.48, say_number(counts[name]), ha="center", va="center", color=INK, fontsize=15)
    percent = UNDEFINED if share is None else f"{say_percent(share)} % of the row"
    axes.text(middle, row + 0.23, percent, ha="center", va="center", color=INK, fontsize=9.5)
