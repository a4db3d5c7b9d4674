"""Details by orbit, as the paper's Figures 13 and 14: truth, fused and single changes, maps of each."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from headscarp.features.channels import FloatArray
from headscarp.geometry.incidence import grid_look_azimuth_deg
from headscarp.studies.drawing import BLUE, INK, bare, new_figure
from headscarp.studies.pan_shi.draw_maps import outcome_image
from headscarp.studies.pan_shi.view import AreaView, detail_windows
from headscarp.vocabulary import OrbitState

PLACES, PLACE_PX = 6, 64
CHANGE_DB = 6.0
"""Of the ends of the colour scale."""
PANEL_IN = 1.35
COLUMNS = (
    ("landslides", None),
    ("fused change", "fused"),
    ("Group 1", None),
    ("ascending change", "ascending"),
    ("Group 2", None),
    ("descending change", "descending"),
    ("Group 3", None),
)
"""Titles in the paper's order, and which change is shown."""
FEET = {OrbitState.ASCENDING: (0.2, 0.62), OrbitState.DESCENDING: (0.2, 0.86)}
"""Where the arrows begin, in parts of the panel's sides: upper left, whichever way they point."""
FLIGHT_LENGTH, LOOK_LENGTH = 0.24, 0.13
"""Of the arrows, in parts of the panel's side: flight long, line of sight short, as in the paper."""


def draw_orbits(view: AreaView, title: str) -> Figure | None:
    """Draw the largest landslides as each orbit shows them; None where there is none to show.

    Parameters
    ----------
    view : AreaView
    title : str
    """
    windows = detail_windows(view, min(PLACE_PX, min(view.truth.shape) // 3), PLACES)
    columns = [(name, change) for name, change in COLUMNS if _is_there(view, name, change)]
    if not windows:
        return None
    figure = new_figure(PANEL_IN * len(columns) + 0.9, PANEL_IN * len(windows) + 0.9)
    grid = figure.subplots(len(windows), len(columns), squeeze=False)
    drawn: AxesImage | None = None
    for row, window in enumerate(windows):
        for column, (name, change) in enumerate(columns):
            axes = bare(grid[row, column])
            image = _panel(axes, view, name, change, window)
            drawn = image if change is not None else drawn
            if row == 0:
                axes.set_title(name, size=8, color=INK)
        grid[row, 0].set_ylabel(chr(ord("a") + row), size=9, color=INK, rotation=0, labelpad=8)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=grid[:, -1], shrink=0.6, aspect=25, extend="both")
        bar.set_label("change in VV, dB (before − after)", size=8, color=INK)
        bar.ax.tick_params(labelsize=7, colors=INK)
    figure.suptitle(title, size=10, color=INK)
    return figure


def arrow_of(azimuth_deg: float, length: float) -> tuple[float, float]:
    """Right and up of an arrow of a direction clockwise from north.

    Examples
    --------
    >>> right, up = arrow_of(90.0, 2.0)
    >>> round(right, 6), round(up, 6)
    (2.0, 0.0)
    """
    angle = np.radians(azimuth_deg)
    return float(length * np.sin(angle)), float(length * np.cos(angle))


def _is_there(view: AreaView, name: str, change: str | None) -> bool:
    return name == "landslides" or name in view.maps or change in view.changes


def _panel(
    axes: Axes, view: AreaView, name: str, change: str | None, window: tuple[slice, slice]
) -> AxesImage:
    if change is not None:
        image = _change(axes, view.changes[change], window)
        axes.contour(view.truth[window], levels=[0.5], colors=[INK], linewidths=0.7)
        if change in tuple(OrbitState):
            _arrows(axes, view, OrbitState(change))
        return image
    if name == "landslides":
        return axes.imshow(np.where(view.truth[window], 0.2, 0.92), cmap="gray", vmin=0, vmax=1)
    return axes.imshow(outcome_image(view.maps[name], view)[window], interpolation="nearest")


def _change(axes: Axes, values: FloatArray, window: tuple[slice, slice]) -> AxesImage:
    return axes.imshow(
        values[window], cmap="PuOr_r", vmin=-CHANGE_DB, vmax=CHANGE_DB, interpolation="nearest"
    )


def _arrows(axes: Axes, view: AreaView, state: OrbitState) -> None:
    """Flight, long, and line of sight, short, from the same foot: Sentinel-1 looks to the right."""
    look = grid_look_azimuth_deg(view.geobox, state)
    for azimuth, length in ((look - 90.0, FLIGHT_LENGTH), (look, LOOK_LENGTH)):
        right, up = arrow_of(azimuth, length)
        foot = FEET[state]
        axes.annotate(
            "",
            xy=(foot[0] + right, foot[1] + up),
            xytext=foot,
            xycoords="axes fraction",
            arrowprops={"arrowstyle": "-|>", "color": BLUE, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0},
        )
