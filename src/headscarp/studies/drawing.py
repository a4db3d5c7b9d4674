"""Figures of studies: canvases, colours that every eye tells apart, scores and differences of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

DPI = 150
INK, FAINT, GRID = "#333333", "#8a8f94", "#e3e3e0"
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
"""Of Okabe & Ito (2008)."""
LARGEST_IN = 3.0


def new_figure(width_in: float, height_in: float) -> Figure:
    """Make a figure with a canvas of its own; no state is shared."""
    figure = Figure(figsize=(width_in, height_in), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def write_png(path: Path, figure: Figure) -> None:
    """Write a figure beside its name and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(content.getvalue())
    beside.replace(path)


def bare(axes: Axes) -> Axes:
    """Axes without ticks, in a thin frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(color=FAINT, linewidth=0.6)
    return axes


def draw_spread(
    axes: Axes, labels: Sequence[str], groups: Mapping[str, Sequence[Sequence[float]]], title: str
) -> None:
    """Draw the runs of every row as dots, and their means as strokes; a line of dots a group.

    Parameters
    ----------
    axes : Axes
    labels : sequence of str
        Rows, from the top.
    groups : mapping of str to sequence of sequence of float
        Values of the runs of each row.
    title : str
    """
    colours = (FAINT, BLUE, ORANGE)
    lifts = np.linspace(-0.22, 0.22, max(len(groups), 2))
    for (name, rows), colour, lift in zip(groups.items(), colours, lifts, strict=False):
        for place, values in enumerate(rows):
            known = [value for value in values if np.isfinite(value)]
            axes.plot(known, [place + lift] * len(known), "o", color=colour, markersize=3.5, alpha=0.75)
            if known:
                axes.plot(np.mean(known), place + lift, "|", color=colour, markersize=9, markeredgewidth=1.8)
        axes.plot([], [], "o", color=colour, markersize=4, label=name)
    axes.set(ylim=(len(labels) - 0.4, -0.6), xlim=(0, 1), title=title)
    axes.title.set(size=9, color=INK)
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(labelsize=8, colors=INK)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def draw_differences(
    axes: Axes, labels: Sequence[str], values: NDArray[np.float64], marks: NDArray[np.str_], title: str
) -> None:
    """Draw a square of differences, row less column, with a mark behind those that are decided.

    Parameters
    ----------
    axes : Axes
    labels : sequence of str
    values : ndarray, shape (rows, rows)
        NaN where there is none.
    marks : ndarray of str
    title : str
    """
    largest = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 1.0
    axes.imshow(values, cmap="PuOr_r", vmin=-largest, vmax=largest, aspect="auto")
    for row, column in np.argwhere(np.isfinite(values)):
        value = values[row, column]
        light = "white" if abs(value) > 0.65 * largest else INK
        text = f"{value:+.2f}".replace("0.", ".", 1).replace("-", "−")  # +.32: a dozen rows fit
        axes.text(column, row, f"{text}{marks[row, column]}", ha="center", va="center", size=6.5, color=light)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(labelsize=7, colors=INK, length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title, size=9, color=INK)
