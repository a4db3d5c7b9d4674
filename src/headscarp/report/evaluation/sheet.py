"""The raster behind a map: its colours, its place, outlines over it, scale bar and north."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from rasterio.windows import Window

from headscarp.evaluate.files import LABEL, OUTCOME
from headscarp.evaluate.record import GroundRecord
from headscarp.report.evaluation.drawing import INK, SOFT
from headscarp.report.evaluation.folder import EvaluationFolder
from headscarp.report.evaluation.palette import FALSE, HIT, MISSED, NOT_EVALUATED, TRUE_NEGATIVE
from headscarp.report.extents import Extent, observed_extent
from headscarp.report.overlay import Frame, scale_bar
from headscarp.report.rasters import MapGrid, read_grid

Codes = NDArray[np.uint8]

UNITS = 1000.0
"""Longer side of a map, in the units that everything on it is laid out in."""
_IGNORE = 255
_COARSE_PX, _LONGEST_PX = 768, 1600
"""Longer side of the mask that finds the evaluated ground, and of the picture."""
_OUTCOME_COLORS = (TRUE_NEGATIVE, MISSED, FALSE, HIT)
_LABEL_COLORS = (TRUE_NEGATIVE, HIT)
_SIMPLER_BY = 0.2
"""Outlines are simplified by at most this, in units of the map."""
_BELOW, _ARROW = 0.035 * UNITS, 0.022 * UNITS
"""Distance of scale bar and arrow from the map, and half the arrow's length."""


class Sheet(NamedTuple):
    """A raster to draw."""

    path: Path
    grid: MapGrid
    colors: tuple[str, ...]
    """Of its codes, from 0."""
    extent: Extent
    """Of the evaluated ground."""

    @property
    def is_outcome(self) -> bool:
        """Whether it shows outcomes, not the truth alone."""
        return len(self.colors) == len(_OUTCOME_COLORS)


def read_sheet(folder: EvaluationFolder, ground: GroundRecord) -> Sheet | None:
    """Find the raster of a ground that shows something: the outcomes, else the truth.

    Parameters
    ----------
    folder : EvaluationFolder
    ground : GroundRecord

    Returns
    -------
    Sheet or None
        None where no pixel was evaluated.
    """
    for stem, colors in ((OUTCOME, _OUTCOME_COLORS), (LABEL, _LABEL_COLORS)):
        path = folder.raster(stem, ground)
        if path.exists():
            grid = read_grid(path)
            whole = Extent(0, 0, *grid.shape)
            evaluated = _read_codes(path, whole, whole.steps(_COARSE_PX)) != _IGNORE
            if evaluated.any():
                return Sheet(path, grid, colors, observed_extent(evaluated, grid.shape))
    return None


def paint_sheet(axes: Axes, sheet: Sheet, frame: Frame) -> None:
    """Paint a part of a raster, read from its overviews.

    Parameters
    ----------
    axes : Axes
    sheet : Sheet
    frame : Frame
        What to show.
    """
    codes = _read_codes(sheet.path, frame.extent, frame.extent.steps(_LONGEST_PX))
    last = len(sheet.colors)
    axes.imshow(
        np.where(codes == _IGNORE, last, codes), cmap=ListedColormap([*sheet.colors, NOT_EVALUATED]),
        vmin=0, vmax=last, extent=(0, frame.width, frame.height, 0), interpolation="nearest", aspect="equal",
    )  # fmt: skip
    axes.set(xlim=(0, frame.width), ylim=(frame.height, 0))


def outline(axes: Axes, landslides: gpd.GeoDataFrame, frame: Frame, **style: Any) -> None:
    """Draw outlines of landslides, holes included.

    Parameters
    ----------
    axes : Axes
    landslides : GeoDataFrame
        In the CRS of the frame's grid.
    frame : Frame
    **style
        Passed on to matplotlib.
    """
    placed = shapely.transform(landslides.geometry.to_numpy(), lambda xy: frame.place(*xy.T).T)
    rings = shapely.get_rings(shapely.simplify(placed, _SIMPLER_BY))
    outlines = [Outline(shapely.get_coordinates(ring), closed=True) for ring in rings]
    if outlines:
        axes.add_collection(PathCollection(outlines, facecolor="none", **style), autolim=False)


def furnish(axes: Axes, frame: Frame, size: float) -> None:
    """Draw scale bar and north below a map.

    Parameters
    ----------
    axes : Axes
    frame : Frame
    size : float
        Of the type, points.
    """
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(SOFT)
    bar, below = scale_bar(frame), frame.height + _BELOW * size / 9
    axes.plot([0, bar.length], [below, below], color=INK, linewidth=2.2, clip_on=False, solid_capstyle="butt")
    axes.text(bar.length + 2 * size, below, bar.label, va="center", ha="left", color=INK, fontsize=size)
    turned = np.radians(frame.north_deg)
    tip = np.array([np.sin(turned), -np.cos(turned)]) * _ARROW * size / 9
    foot = np.array([frame.width - _ARROW, below])
    axes.annotate(
        "", xy=tuple(foot + tip), xytext=tuple(foot - tip), annotation_clip=False,
        arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip
    axes.text(foot[0] - _ARROW, below, "N", va="center", ha="right", color=INK, fontsize=size)


def _read_codes(path: Path, extent: Extent, step: int) -> Codes:
    """Read every so many pixels, from the overviews."""
    window = Window(extent.col, extent.row, extent.width, extent.height)
    with rasterio.open(path) as source:
        codes: Codes = source.read(1, window=window, out_shape=extent.shape(step))
    return codes
