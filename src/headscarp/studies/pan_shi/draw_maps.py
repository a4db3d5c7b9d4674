"""Maps of an area, as the paper's Figures 7, 9, 10 and 12: heights, truth, rows, and details of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from headscarp.geometry.terrain import hillshade
from headscarp.grid import spacing_m
from headscarp.report.evaluation.palette import FALSE, HIT, MISSED, NOT_EVALUATED, TRUE_NEGATIVE
from headscarp.studies.drawing import INK, bare, new_figure
from headscarp.studies.pan_shi.view import AreaView, detail_windows

DETAILS, DETAIL_PX = 3, 128
"""Detail areas, and their side at most; of small areas a third."""
PANEL_IN, TITLE_IN = 2.1, 0.55
LARGEST_PX = 900
"""Pixels of a panel's longer side as drawn; wider areas are thinned."""
Window = tuple[slice, slice]
Draw = Callable[[Axes, Window], None]


def draw_maps(view: AreaView, title: str) -> Figure:
    """Draw an area and its largest landslides.

    Parameters
    ----------
    view : AreaView
    title : str
        What and where.
    """
    shape = view.truth.shape
    windows = detail_windows(view, min(DETAIL_PX, min(shape) // 3), DETAILS)
    panels = _panels(view)
    ratio = shape[0] / shape[1]
    heights = [ratio, *(1.0 for _ in windows)]
    figure = new_figure(PANEL_IN * len(panels), PANEL_IN * sum(heights) + TITLE_IN)
    grid = figure.add_gridspec(len(heights), len(panels), height_ratios=heights)
    whole = (slice(0, shape[0]), slice(0, shape[1]))
    for column, (name, draw) in enumerate(panels.items()):
        top = bare(figure.add_subplot(grid[0, column]))
        draw(top, whole)
        top.set_title(name, size=9, color=INK)
        for number, window in enumerate(windows, start=1):
            _frame(top, window, f"P{number}")
            below = bare(figure.add_subplot(grid[number, column]))
            draw(below, window)
            if column == 0:
                below.set_ylabel(f"P{number}", size=9, color=INK, rotation=0, labelpad=10)
    figure.suptitle(title, size=10, color=INK)
    _legend(figure)
    return figure


def thin(window: Window) -> Window:
    """A window with a step, so that no more pixels are drawn than are seen.

    Examples
    --------
    >>> thin((slice(0, 1800), slice(0, 900)))
    (slice(0, 1800, 2), slice(0, 900, 2))
    """
    step = max(1, -(-max(part.stop - part.start for part in window) // LARGEST_PX))
    rows, cols = window
    return slice(rows.start, rows.stop, step), slice(cols.start, cols.stop, step)


def outcome_image(predicted: NDArray[np.bool_], view: AreaView) -> NDArray[np.float64]:
    """Colours of hits, misses, false alarms and the rest, shape (y, x, 3)."""
    truth, known = view.truth, view.known
    kinds = [~known, truth & predicted, truth & ~predicted, predicted]
    colours = np.array([to_rgb(c) for c in (NOT_EVALUATED, HIT, MISSED, FALSE, TRUE_NEGATIVE)])
    image: NDArray[np.float64] = colours[np.select(kinds, [0, 1, 2, 3], 4)]
    return image


def shaded(view: AreaView) -> NDArray[np.float32]:
    """Hillshade of an area, in the grey values of its heights."""
    if view.height_m is None:
        return np.full(view.truth.shape, np.nan, np.float32)
    return hillshade(view.height_m, spacing_m(view.geobox))


def _panels(view: AreaView) -> dict[str, Draw]:
    """What is drawn in each column, by title."""
    panels: dict[str, Draw] = {}
    if view.height_m is not None:
        panels["DEM"] = _grey(shaded(view))
    if view.optical is not None:
        panels["optical"] = _image(view.optical)
    panels["landslides"] = _image(_truth_image(view))
    for label, predicted in view.maps.items():
        panels[label] = _image(outcome_image(predicted, view))
    return panels


def _truth_image(view: AreaView) -> NDArray[np.float64]:
    colours = np.array([to_rgb(c) for c in (TRUE_NEGATIVE, INK, NOT_EVALUATED)])
    return colours[np.where(view.known, view.truth.astype(int), 2)]


def _image(values: NDArray[np.generic]) -> Draw:
    def draw(axes: Axes, window: Window) -> None:
        axes.imshow(values[thin(window)], interpolation="nearest", extent=_extent(window))

    return draw


def _grey(values: NDArray[np.float32]) -> Draw:
    def draw(axes: Axes, window: Window) -> None:
        axes.imshow(values[thin(window)], cmap="gray", vmin=1, vmax=255, extent=_extent(window))

    return draw


def _extent(window: Window) -> tuple[float, float, float, float]:
    """Edges in pixels of the area, so that frames of details lie where they belong."""
    rows, cols = window
    return cols.start, cols.stop, rows.stop, rows.start


def _frame(axes: Axes, window: Window, name: str) -> None:
    rows, cols = window
    corner, width, height = (cols.start, rows.start), cols.stop - cols.start, rows.stop - rows.start
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="white", linewidth=2.2))
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=INK, linewidth=1.0))
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    axes.text(*corner, name, size=6.5, color=INK, va="top", ha="left", bbox=box)


def _legend(figure: Figure, kinds: Sequence[tuple[str, str]] = ()) -> None:
    named = kinds or (
        (INK, "landslide"),
        (HIT, "found"),
        (MISSED, "missed"),
        (FALSE, "false alarm"),
        (NOT_EVALUATED, "not evaluated"),
    )
    handles = [Patch(color=colour, label=label) for colour, label in named]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
        fontsize=8,
        labelcolor=INK,
    )
