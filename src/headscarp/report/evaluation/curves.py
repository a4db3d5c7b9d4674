"""Precision–recall and ROC curves of the prediction and its baselines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from headscarp.report.evaluation.drawing import (
    FAINT,
    SOFT,
    Drawing,
    add_legend,
    dress,
    label_powers,
    look_of,
    new_figure,
)
from headscarp.report.evaluation.values import AT_THRESHOLD, Method, say, say_percent

FloatArray = NDArray[np.float64]

_PR, _ROC = "Precision and recall", "ROC curve"
_F1_LINES = (0.2, 0.4, 0.6, 0.8)
_LEAST_RATE = 1e-4
"""Lowest false positive rate of the logarithmic axis: 1 pixel in 10 000."""
_PR_CAPTION = (
    "Each point of a line is a threshold: recall is the share of mapped landslide pixels found, "
    "precision the share of flagged pixels that are landslide. Up and to the right is better. Diamonds "
    "mark the thresholds in force; the faint lines join points of equal F1. The grey line is what "
    "guessing gives. AP, the average precision, is the area under the line."
)
_ROC_CAPTION = (
    "Recall against the share of landslide-free ground that is flagged; left, on an ordinary axis; "
    "right, on a logarithmic one, since on rare landslides only the far left matters: of 1 km² of 10 m "
    "pixels, a false positive rate of 0.001 flags ten. The dotted line is what guessing gives. Diamonds "
    "mark the thresholds in force."
)


def draw_precision_recall(methods: Sequence[Method], curves: pd.DataFrame) -> Drawing:
    """Draw precision against recall at every threshold.

    Parameters
    ----------
    methods : sequence of Method
        The prediction first.
    curves : DataFrame
        As in ``curves.parquet``: ``method``, ``recall``, ``precision`` at falling thresholds.

    Returns
    -------
    Drawing
        Without a figure where no landslide was mapped.
    """
    share = methods[0].value("pixel", "landslide_share").value
    if not share:
        return Drawing("precision_recall", _PR, "Not drawn: no mapped landslide pixel was evaluated.")
    figure = new_figure(7.0, 5.4)
    axes = dress(figure.add_subplot(), "Recall", "Precision")
    _draw_f1_lines(axes)
    for method in methods:
        if not method.is_constant:
            recall, precision = _columns(curves, method, "recall", "precision")
            steps = np.r_[0.0, recall], np.r_[precision[:1], precision]
            _draw_line(axes, method, methods, steps, "average_precision")
            _mark_threshold(axes, method, methods, _at(method, "recall"), _at(method, "precision"))
    guess = f"no landslide, or guessing: {say_percent(share)} % of the pixels are landslide"
    axes.axhline(share, color=SOFT, linewidth=1.2, label=guess)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.03))
    add_legend(figure, axes, loc="outside lower left")
    return Drawing("precision_recall", _PR, _PR_CAPTION, _alt(_PR, "average_precision", methods), figure)


def draw_roc(methods: Sequence[Method], curves: pd.DataFrame) -> Drawing:
    """Draw recall against the false positive rate, on an ordinary and on a logarithmic axis.

    Parameters
    ----------
    methods, curves
        As in :func:`draw_precision_recall`, with ``false_positive_rate``.

    Returns
    -------
    Drawing
        Without a figure where one of the two classes is missing.
    """
    share = methods[0].value("pixel", "landslide_share").value
    if not share or share == 1:
        return Drawing("roc", _ROC, "Not drawn: it takes both landslides and ground without them.")
    figure = new_figure(8.2, 4.6)
    plain, logarithmic = figure.subplots(1, 2, sharey=True)
    for axes in (plain, logarithmic):
        dress(axes, "False positive rate", "Recall" if axes is plain else "")
        for method in methods:
            if not method.is_constant:
                rate, recall = _columns(curves, method, "false_positive_rate", "recall")
                line = np.r_[0.0, rate], np.r_[0.0, recall]
                _draw_line(axes, method, methods, line, "roc_auc", steps=False)
                _mark_threshold(axes, method, methods, _false_positive_rate(method), _at(method, "recall"))
        guess = np.geomspace(_LEAST_RATE, 1.0, 200)
        axes.plot(guess, guess, color=SOFT, linewidth=1.2, linestyle=":", label="guessing, or no landslide")
        axes.grid(color=FAINT, linewidth=0.7)
    plain.set(xlim=(-0.01, 1), ylim=(0, 1.03))
    logarithmic.set_xscale("log")
    logarithmic.set_xlim(_LEAST_RATE, 1)
    label_powers(logarithmic.xaxis)
    add_legend(figure, plain, loc="outside lower left")
    return Drawing("roc", _ROC, _ROC_CAPTION, _alt(_ROC, "roc_auc", methods), figure)


def _columns(curves: pd.DataFrame, method: Method, *names: str) -> list[FloatArray]:
    """Return columns of a method's curve, without points where one is undefined."""
    own = curves.loc[curves["method"] == method.name, list(names)].dropna()
    return [own[name].to_numpy(dtype=np.float64) for name in names]


def _draw_line(
    axes: Axes,
    method: Method,
    methods: Sequence[Method],
    line: tuple[FloatArray, FloatArray],
    figure: str,
    steps: bool = True,
) -> None:
    short = {"average_precision": "AP", "roc_auc": "area"}[figure]
    look, value = look_of(method, methods), method.value("pixel", figure)
    axes.plot(
        *line, drawstyle="steps-pre" if steps else "default", color=look.color, linestyle=look.dash,
        linewidth=look.width, zorder=look.order, label=f"{method.name}: {short} {say(value, figure)}",
    )  # fmt: skip


def _mark_threshold(
    axes: Axes, method: Method, methods: Sequence[Method], x: float | None, y: float | None
) -> None:
    if x is None or y is None:
        return
    look = look_of(method, methods)
    size = 9 if method.is_prediction else 6
    axes.plot(x, y, "D", color=look.color, markersize=size, markeredgecolor="white", zorder=look.order + 2)


def _at(method: Method, figure: str) -> float | None:
    return method.value("pixel", AT_THRESHOLD, figure).value


def _false_positive_rate(method: Method) -> float | None:
    specificity = _at(method, "specificity")
    return None if specificity is None else 1.0 - specificity


def _draw_f1_lines(axes: Axes) -> None:
    """Draw precision = F1 · recall / (2 recall − F1)."""
    for f1 in _F1_LINES:
        recall = np.linspace(f1 / (2 - f1), 1.0, 200)
        axes.plot(recall, f1 * recall / (2 * recall - f1), color=FAINT, linewidth=0.9, zorder=1)
        axes.annotate(
            f"F1 {f1:g}", (1.0, f1 / (2 - f1)), xytext=(4, 0), textcoords="offset points", color=SOFT,
            fontsize=8, va="center", annotation_clip=False,
        )  # fmt: skip


def _alt(title: str, figure: str, methods: Sequence[Method]) -> str:
    values = (
        f"{m.name} {say(m.value('pixel', figure), figure)}"
        for m in methods
        if m.value("pixel", figure).value is not None
    )
    kind = figure.replace("_", " ").replace("roc auc", "area under the ROC curve")
    return f"{title}: {kind} of " + "; ".join(values)
