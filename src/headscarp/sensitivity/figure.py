"""``sensitivity.png``: recall by size, a curve for each change, a panel for each rate of false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from headscarp.sensitivity.record import Cell, SensitivityRecord
from headscarp.sensitivity.wording import OFTEN

_DODGE = 0.015
"""Decades by which neighbouring curves stand apart, so that their intervals can be told."""


def draw_sensitivity(path: Path, record: SensitivityRecord) -> None:
    """Draw recall by size with its 95% intervals."""
    figure = Figure(figsize=(4.6 * len(record.rates) + 0.8, 4.2), layout="constrained")
    axes = figure.subplots(1, len(record.rates), sharey=True, squeeze=False)[0]
    for axis, rate in zip(axes, record.rates, strict=True):
        own = [cell for cell in record.cells if cell.rate_per_100km2 == rate.rate_per_100km2]
        _draw_rate(axis, own)
        at = "no threshold" if rate.threshold is None else f"probability from {rate.threshold:.4g}"
        axis.set_title(f"{rate.rate_per_100km2:g} false alarms per 100 km² ({at})", fontsize=10)
    axes[0].set_ylabel("Share of planted landslides that is found")
    axes[-1].legend(title="Loss of VH", fontsize=8, loc="upper left")
    figure.savefig(path, dpi=100)


def _draw_rate(axis: Axes, cells: Sequence[Cell]) -> None:
    changes = sorted({cell.change_db for cell in cells})
    colours = mpl.colormaps["viridis"](np.linspace(0.9, 0.0, len(changes)))
    for number, (change, colour) in enumerate(zip(changes, colours, strict=True)):
        own = [c for c in cells if c.change_db == change and c.recall is not None]
        if not own:
            axis.plot([], [], "o-", color=colour, label=f"{change:g} dB")
            continue
        x = np.array([c.size_ha for c in own]) * 10.0 ** (_DODGE * (number - (len(changes) - 1) / 2.0))
        recall, low, high = np.array([(c.recall, c.low, c.high) for c in own], dtype=np.float64).T
        reach = np.maximum([recall - low, high - recall], 0.0)
        axis.errorbar(
            x, recall, reach, fmt="o-", color=colour, ms=4, lw=1.4, elinewidth=0.8, label=f"{change:g} dB"
        )
    sizes = sorted({cell.size_ha for cell in cells})
    axis.axhline(OFTEN, color="0.7", lw=0.8, ls="--", zorder=0)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator(sizes))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xticklabels([f"{size:g}" for size in sizes])
    axis.set_xlabel("Area, ha")
    axis.set_ylim(-0.03, 1.03)
