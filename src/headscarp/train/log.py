"""The log of a training: ``log.csv``, a row an epoch, and its picture, ``curves.png``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from headscarp.run_folder import write_atomically
from headscarp.train.record import EpochRow

LOG_CSV, CURVES_PNG = "log.csv", "curves.png"
_DPI = 150
_TRAIN, _VALIDATION, _FAINT = "#6b7f94", "#b2452f", "#c9cdd1"


class _Line(NamedTuple):
    """One figure of each epoch."""

    name: str
    color: str
    label: str
    style: str = "-"


class _Panel(NamedTuple):
    """What is drawn beside the losses."""

    lines: tuple[_Line, ...]
    ylabel: str
    top: float | None


_F1 = (
    _Line("precision", _FAINT, "precision", "--"),
    _Line("recall", _FAINT, "recall", ":"),
    _Line("f1", _VALIDATION, "F1"),
)
_ERRORS = (_Line("mae", _FAINT, "MAE", "--"), _Line("rmse", _VALIDATION, "RMSE"))
_PANELS = {
    "f1": _Panel(_F1, "validation pixels, at 0.5", 1.0),
    "rmse": _Panel(_ERRORS, "validation pixels, NDVI", None),
}
"""By the figure that chooses."""


def write_log(folder: Path, history: Sequence[EpochRow]) -> None:
    """Write ``log.csv``: all epochs, the last one new."""
    text = StringIO()
    table = csv.DictWriter(text, fieldnames=list(history[0].columns()), lineterminator="\n")
    table.writeheader()
    table.writerows(row.columns() for row in history)
    write_atomically(folder / LOG_CSV, text.getvalue())


def write_curves(folder: Path, history: Sequence[EpochRow], best_epoch: int) -> None:
    """Write ``curves.png``: losses on the left; on the right F1, precision and recall, or errors."""
    figure = Figure(figsize=(9.0, 3.4), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    epochs = np.array([row.epoch for row in history])
    _line(left, epochs, [row.train_loss for row in history], _TRAIN, "training")
    _line(left, epochs, [row.validation_loss for row in history], _VALIDATION, "validation")
    left.set_ylabel("loss")
    panel = _PANELS[history[0].measure.name]
    for line in panel.lines:
        _line(right, epochs, [row.figures[line.name] for row in history], line.color, line.label, line.style)
    right.axvline(best_epoch, color=_TRAIN, linewidth=0.8)
    right.set(ylabel=panel.ylabel, ylim=(0, panel.top))
    right.annotate(f"best: {best_epoch}", (best_epoch, 0.02 * right.get_ylim()[1]), color=_TRAIN, size=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=8)
    content = BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    beside = folder / f".{CURVES_PNG}.part"
    beside.write_bytes(content.getvalue())
    beside.replace(folder / CURVES_PNG)


def _line(
    axes: Axes, x: np.ndarray, y: Sequence[float | None], color: str, label: str, style: str = "-"
) -> None:
    values = np.array([np.nan if value is None else value for value in y])
    mark = "o" if len(x) == 1 else None
    axes.plot(x, values, style, color=color, label=label, linewidth=1.4, marker=mark, markersize=3)
