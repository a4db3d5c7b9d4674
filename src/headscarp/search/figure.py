"""The picture of a search: F1 against each hyperparameter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from headscarp.search.record import TrialRow

AXES = {"filters": "Filters", "learning_rate": "Learning rate", "batch_size": "Batch size, chips"}
_SPREAD = 0.18
"""Half the width over which trials of one value are spread, so that equal ones can be told apart."""


def write_figure(path: Path, rows: Sequence[TrialRow]) -> None:
    """Draw trained and stopped trials by each of their values, the best marked.

    Parameters
    ----------
    path : Path
        PNG to write.
    rows : sequence of TrialRow
        Those without an F1 are left out; with none at all the axes say so.
    """
    shown = [row for row in rows if row.f1 is not None]
    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    for axes, (name, label) in zip(
        np.ravel(figure.subplots(1, len(AXES), sharey=True)), AXES.items(), strict=True
    ):
        _panel(axes, shown, name)
        axes.set_xlabel(label)
    figure.axes[0].set_ylabel("F1 on validation chips")
    figure.savefig(path, dpi=150)


def _panel(axes: Axes, rows: Sequence[TrialRow], name: str) -> None:
    values = sorted({getattr(row, name) for row in rows})
    axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    axes.grid(axis="y", alpha=0.3)
    if not rows:
        axes.text(0.5, 0.5, "nothing trained yet", transform=axes.transAxes, ha="center")
        return
    best = max(rows, key=lambda row: row.f1 or 0.0)
    offset = np.linspace(-_SPREAD, _SPREAD, len(rows))
    for row, aside in zip(rows, offset.tolist(), strict=True):
        trained = row.state == "trained"
        axes.plot(
            values.index(getattr(row, name)) + aside,
            row.f1 or 0.0,
            marker="*" if row is best else "o",
            markersize=11 if row is best else 5,
            color="#b3341f" if row is best else "#1f5f8b",
            fillstyle="full" if trained else "none",
            linestyle="none",
        )
