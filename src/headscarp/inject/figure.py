"""``overview.png``: the change of VH around a few planted landslides, before and after planting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from headscarp.grid import Bounds

OVERVIEW = "overview.png"
RANGE_DB = 6.0
"""Changes drawn from −6 to 6 dB."""


class Panel(NamedTuple):
    """Ground around a planted landslide."""

    title: str
    outline: shapely.Geometry
    bounds: Bounds
    untouched_db: NDArray[np.float64]
    """Change of the mean over dates, after over before, shape (y, x); NaN where not observed."""
    planted_db: NDArray[np.float64]


def draw_overview(path: Path, panels: Sequence[Panel], polarization: str) -> None:
    """Draw the ground around landslides, untouched above and planted below.

    Parameters
    ----------
    path : Path
        PNG to write.
    panels : sequence of Panel
        May be empty: the picture then says that nothing was planted.
    polarization : str
    """
    figure = Figure(figsize=(max(2.3 * len(panels), 4.0) + 1.0, 5.0), layout="constrained")
    if not panels:
        figure.text(0.5, 0.5, "No landslide was planted.", ha="center")
        figure.savefig(path, dpi=90)
        return
    axes = figure.subplots(2, len(panels), squeeze=False)
    for column, panel in zip(axes.T, panels, strict=True):
        _draw(column[0], panel, panel.untouched_db)
        _draw(column[1], panel, panel.planted_db)
        column[0].set_title(panel.title, fontsize=9)
    axes[0, 0].set_ylabel("untouched")
    axes[1, 0].set_ylabel("planted")
    bar = figure.colorbar(axes[0, 0].images[0], ax=axes, shrink=0.7)
    bar.set_label(f"Change of {polarization}, mean after over mean before, dB")
    figure.savefig(path, dpi=90)


def mean_change_db(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean over dates after, over that before, in dB; NaN where a side has no date.

    Parameters
    ----------
    before, after : float32 array of shape (time, y, x)
        Linear power, NaN where not observed.

    Examples
    --------
    >>> mean_change_db(np.full((2, 1, 1), 0.2, "f4"), np.full((1, 1, 1), 0.02, "f4")).round(3).tolist()
    [[-10.0]]
    """
    means = []
    for side in (before, after):
        count = np.isfinite(side).sum(axis=0)
        total = np.nansum(side, axis=0, dtype=np.float64)
        means.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return np.asarray(10.0 * np.log10(means[1] / means[0]))


def _draw(axis: Axes, panel: Panel, change_db: NDArray[np.float64]) -> None:
    left, bottom, right, top = panel.bounds
    axis.imshow(
        change_db,
        extent=(left, right, bottom, top),
        cmap="RdBu",
        vmin=-RANGE_DB,
        vmax=RANGE_DB,
        interpolation="nearest",
    )
    for part in shapely.get_parts(panel.outline):
        axis.plot(*shapely.get_coordinates(shapely.get_exterior_ring(part)).T, color="black", lw=0.8)
    axis.set_xticks([])
    axis.set_yticks([])
