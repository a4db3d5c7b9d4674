"""Figures drawn from numbers alone: histograms, the detector's score, the dates."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from numpy.typing import NDArray

from headscarp.record import DetectorRecord, HistogramRecord, OrbitRecord, RunRecord
from headscarp.report.png import data_uri

_DPI = 150
_LOSS, _GAIN, _PRE, _POST, _INK, _FAINT = (
    "#b2452f",
    "#3b76b0",
    "#6b7f94",
    "#c26a14",
    "#33383d",
    "#d9dcdf",
)
_TAIL = 0.0005
"""Share of the counts that may fall outside the axis on either side."""


def _new_figure(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width_in, height_in), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_INK)
    axes.tick_params(colors=_INK, labelsize=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=_INK, size=8.5)
    return figure, axes


def _say(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=_INK)
    axes.set_axis_off()


def figure_uri(figure: Figure) -> str:
    """Render a figure.

    Parameters
    ----------
    figure : Figure
        With an Agg canvas.

    Returns
    -------
    str
        The picture, on a clear ground, as a ``data:`` address of a PNG.
    """
    buffer = BytesIO()
    options: dict[str, Any] = {"metadata": {"Software": None}, "transparent": True}
    figure.savefig(buffer, format="png", **options)
    return data_uri(buffer.getvalue())


def _used_span(edges: NDArray[np.float64], counts: NDArray[np.float64]) -> tuple[float, float]:
    """Return the edges between which all but the far tails lie."""
    share = np.cumsum(counts) / counts.sum()
    first = int(np.searchsorted(share, _TAIL))
    last = int(np.searchsorted(share, 1 - _TAIL))
    return float(edges[first]), float(edges[min(last + 1, len(edges) - 1)])


def draw_change(polarization: str, histogram: HistogramRecord) -> Figure:
    """Draw the histogram of the fused change, gain in blue and loss in red.

    Parameters
    ----------
    polarization : str
        Such as ``VV``.
    histogram : HistogramRecord
        Of the change in dB.

    Returns
    -------
    Figure
        Counts against dB.
    """
    figure, axes = _new_figure(4.6, 2.5)
    edges, counts = np.asarray(histogram.edges), np.asarray(histogram.counts, dtype=float)
    if not counts.sum():
        _say(axes, f"No change was observed in {polarization}")
        return figure
    loss = (edges[1:] + edges[:-1]) / 2 > 0
    axes.stairs(np.where(loss, counts, 0), edges, fill=True, color=_LOSS)
    axes.stairs(np.where(loss, 0, counts), edges, fill=True, color=_GAIN)
    axes.axvline(0, color=_INK, linewidth=0.8)
    axes.set_xlim(*_used_span(edges, counts))
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useMathText=True)
    axes.yaxis.get_offset_text().set(size=8, color=_INK)
    axes.set_xlabel(f"Change of {polarization}, dB  (− gain, + loss)")
    axes.set_ylabel("Pixels")
    return figure


def draw_score(detector: DetectorRecord) -> Figure:
    """Draw the detector's score beside the counts that noise alone would give.

    Parameters
    ----------
    detector : DetectorRecord
        The detector as fitted.

    Returns
    -------
    Figure
        Counts on a log axis against the score.
    """
    figure, axes = _new_figure(7.2, 3.0)
    edges = np.asarray(detector.score.edges)
    counts = np.asarray(detector.score.counts, dtype=float)
    if not counts.sum():
        _say(axes, "The detector was fitted on no pixel")
        return figure
    axes.stairs(np.maximum(counts, 0.5), edges, baseline=0.5, fill=True, color=_FAINT)
    axes.stairs(np.maximum(counts, 0.5), edges, baseline=None, color=_PRE, label="observed")
    if len(detector.null_density) == len(counts):
        null = np.maximum(np.nan_to_num(np.asarray(detector.null_density, dtype=float)), 0.5)
        centers = (edges[1:] + edges[:-1]) / 2
        axes.plot(centers, null, color=_POST, linewidth=1.6, label="expected from noise alone")
    axes.set_yscale("log")
    axes.set_ylim(0.5, counts.max() * 2)
    filled = np.flatnonzero(counts)
    axes.set_xlim(edges[filled[0]], edges[filled[-1] + 1])
    axes.set_xlabel(detector.score_name)
    axes.set_ylabel("Pixels a bin")
    axes.legend(frameon=False, fontsize=8, labelcolor=_INK)
    return figure


def _draw_dates(axes: Axes, orbit: OrbitRecord, row: int) -> None:
    for dates, color, marker in ((orbit.pre_utc, _PRE, "o"), (orbit.post_utc, _POST, "D")):
        if dates:
            axes.scatter(_days(dates), np.full(len(dates), row), s=22, color=color, marker=marker, zorder=3)


def _days(dates: list[datetime]) -> NDArray[np.float64]:
    return np.asarray(date2num(dates), dtype=np.float64)  # type: ignore[no-untyped-call]


def _draw_windows(axes: Axes, record: RunRecord) -> None:
    """Shade both windows, as far as there are dates: a window may reach far beyond them."""
    used = [date for orbit in record.orbits for date in (*orbit.pre_utc, *orbit.post_utc)]
    days = _days([record.event_utc, *used])
    margin = max(2.0, 0.04 * float(np.ptp(days)))
    first, last = float(days.min()) - margin, float(days.max()) + margin
    for window, color in ((record.pre_window, _PRE), (record.post_window, _POST)):
        start, stop = np.clip(_days(list(window)), first, last)
        axes.axvspan(start, stop, color=color, alpha=0.1, linewidth=0)
    axes.set_xlim(first, last)


def draw_timeline(record: RunRecord) -> Figure:
    """Draw when each orbit saw the ground before and after the event.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    Figure
        A row an orbit: round dots before the event, diamonds after, the event as a line.
    """
    rows = len(record.orbits)
    figure, axes = _new_figure(7.2, 1.1 + 0.32 * max(rows, 1))
    _draw_windows(axes, record)
    for row, orbit in enumerate(record.orbits):
        _draw_dates(axes, orbit, row)
    event = float(_days([record.event_utc])[0])
    axes.axvline(event, color=_INK, linewidth=1.4)
    axes.annotate(
        "event", (event, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
        textcoords="offset points", ha="center", color=_INK, fontsize=8.5,
    )  # fmt: skip
    axes.set_yticks(range(rows), [orbit.label for orbit in record.orbits])
    axes.set_ylim(max(rows, 1) - 0.4, -0.6)
    locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.xaxis.get_offset_text().set(size=8, color=_INK)
    axes.grid(axis="y", color=_FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure
