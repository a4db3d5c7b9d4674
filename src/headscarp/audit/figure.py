"""Where the splits lie: chips by split, one panel an event, leaking test chips outlined."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from headscarp.audit.findings import NearPairs, leaking_tests
from headscarp.audit.neighbours import corners_in
from headscarp.audit.table import TEST, BoolArray, ChipTable, IntArray
from headscarp.split import SPLIT_NAMES

_COLORS = ("#b9c2ca", "#e3b341", "#3b76b0")
"""Of training, validation and test."""
_LEAK, _INK = "#b2452f", "#33383d"
_PANELS = 9
_COLUMNS = 3
_DPI = 150
_PANEL_IN = 3.6


def draw_splits(table: ChipTable, near: NearPairs) -> Figure:
    """Draw the chips of the largest series, the events with most leaking test chips first.

    Parameters
    ----------
    table : ChipTable
    near : NearPairs
        Of :func:`~headscarp.audit.findings.near_across_splits`.

    Returns
    -------
    Figure
        At most nine events; axes in km from each event's lower left corner.
    """
    series = int(np.bincount(table.series).argmax())
    own = table.series == series
    leaking = leaking_tests(table, near) & own
    events = _worst(table, own, leaking)
    rows = -(-len(events) // _COLUMNS)
    columns = min(len(events), _COLUMNS)
    figure = Figure(figsize=(_PANEL_IN * columns, _PANEL_IN * rows + 0.6), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    for place, event in enumerate(events):
        axes = figure.add_subplot(rows, columns, place + 1)
        _draw_event(axes, table, np.flatnonzero(own & (table.event == event)), leaking)
    name = table.series_names[series]
    figure.suptitle("Chips by split" + (f", {name}" if name else ""), color=_INK, fontsize=10)
    keys = [Patch(facecolor=color, label=split) for color, split in zip(_COLORS, SPLIT_NAMES, strict=True)]
    keys.append(Patch(facecolor=_COLORS[TEST], edgecolor=_LEAK, label="test, near another split"))
    figure.legend(handles=keys, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def _worst(table: ChipTable, own: BoolArray, leaking: BoolArray) -> list[int]:
    """Events to draw: by leaking test chips, then by chips."""
    size = np.bincount(table.event[own], minlength=len(table.event_names))
    leaks = np.bincount(table.event[leaking], minlength=len(table.event_names))
    order = np.lexsort((-size, -leaks))
    return [int(event) for event in order if size[event]][:_PANELS]


def _draw_event(axes: Axes, table: ChipTable, rows: IntArray, leaking: BoolArray) -> None:
    crs = int(np.bincount(table.crs[rows]).argmax())
    quads = corners_in(table, rows, crs)
    quads = (quads - quads.reshape(-1, 2).min(axis=0)) / 1000.0
    colors = [_COLORS[split] for split in table.split[rows]]
    axes.add_collection(PolyCollection(list(quads), facecolors=colors, edgecolors="none"))
    outlined = leaking[rows]
    if outlined.any():
        outlines = list(quads[outlined])
        axes.add_collection(PolyCollection(outlines, facecolors="none", edgecolors=_LEAK, linewidths=0.6))
    axes.autoscale_view()
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK, labelsize=7)
    axes.set_xlabel("km", fontsize=7, color=_INK)
    tests = table.split[rows] == TEST
    told = f"{int(outlined.sum())} of {int(tests.sum())} test chips near another split"
    axes.set_title(f"{table.event_names[table.event[rows[0]]]}: {told}", fontsize=7.5, color=_INK)
