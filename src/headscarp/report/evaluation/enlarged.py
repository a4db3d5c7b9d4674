"""The largest misses and false alarms, enlarged: where to look for what went wrong."""

from __future__ import annotations

from typing import Any, NamedTuple

import geopandas as gpd
import shapely
from matplotlib.axes import Axes
from shapely.geometry.base import BaseGeometry

from headscarp.evaluate.record import GroundRecord
from headscarp.report.evaluation.drawing import INK, Drawing, new_figure
from headscarp.report.evaluation.folder import EvaluationFolder
from headscarp.report.evaluation.sheet import UNITS, furnish, outline, paint_sheet, read_sheet
from headscarp.report.extents import Extent
from headscarp.report.overlay import frame_extent
from headscarp.report.rasters import MapGrid
from headscarp.report.wording import say_number

_TITLE = "The largest misses and false alarms"
_MOST = 4
"""Misses, and false alarms, that are enlarged."""
_SURROUNDINGS, _LEAST_SIDE_PX = 1.6, 40
"""Side of an enlargement: times the landslide's own, and at least this many pixels."""
_TYPE = 7.5
_DASHES: dict[str, Any] = {"mapped": "-", "predicted": (0, (3, 2))}
_WORDS = {"missed": "Missed", "false": "False"}
_CAPTION = (
    "The largest mapped landslides that were missed and the largest predicted ones that are false, pixel "
    "by pixel: blue hit, yellow missed, red false, grey not evaluated. Solid outline: mapped; dashed: "
    "predicted. Below the area stand latitude and longitude. A large error is worth a look at the scenes: "
    "it may be the inventory's, or of another date."
)


class _Error(NamedTuple):
    """A landslide to enlarge."""

    ground: GroundRecord
    title: str
    shape: BaseGeometry
    """In the CRS of all landslides."""


def draw_largest_errors(folder: EvaluationFolder) -> Drawing:
    """Enlarge the largest missed and the largest false landslides.

    Parameters
    ----------
    folder : EvaluationFolder

    Returns
    -------
    Drawing
        Without a figure where there is neither.
    """
    found = (_largest(folder, "mapped", "missed"), _largest(folder, "predicted", "false"))
    rows = [errors for errors in found if errors]
    if not rows:
        none = "no landslide was missed, and none is false"
        why = "there is no threshold" if folder.landslides is None else none
        return Drawing("largest_errors", _TITLE, f"Not drawn: {why}.")
    figure = new_figure(2.1 * _MOST, 2.65 * len(rows))
    panels = figure.subplots(len(rows), _MOST, squeeze=False)
    for axes in panels.ravel():
        axes.set_axis_off()
    for line, row in zip(panels, rows, strict=True):
        for axes, error in zip(line, row, strict=False):
            _draw_error(axes, folder, error)
    alt = "Enlarged: " + "; ".join(error.title.replace("\n", " at ") for row in rows for error in row)
    return Drawing("largest_errors", _TITLE, _CAPTION, alt, figure, is_map=True)


def _largest(folder: EvaluationFolder, side: str, outcome: str) -> list[_Error]:
    if folder.landslides is None:
        return []
    landslides, grounds = folder.landslides, {ground.name: ground for ground in folder.evaluation.grounds}
    chosen = landslides[
        (landslides["side"] == side) & (landslides["outcome"] == outcome) & landslides["event"].isin(grounds)
    ]
    largest = chosen.sort_values("area_m2", ascending=False, kind="stable").head(_MOST)
    points = largest.geometry.representative_point().to_crs("EPSG:4326")
    columns = (largest["event"], largest["area_m2"], points, largest.geometry)
    return [
        _Error(
            grounds[event],
            f"{_WORDS[outcome]}, {say_number(area)} m²\n{point.y:.4f}, {point.x:.4f}",
            shape,
        )
        for event, area, point, shape in zip(*columns, strict=True)
    ]


def _draw_error(axes: Axes, folder: EvaluationFolder, error: _Error) -> None:
    sheet, landslides = read_sheet(folder, error.ground), folder.landslides_of(error.ground)
    if sheet is None or landslides is None:
        return
    local = landslides.to_crs(sheet.grid.crs)
    shape = gpd.GeoSeries([error.shape], crs=landslides.crs).to_crs(sheet.grid.crs).iloc[0]
    extent = _around(shape, sheet.grid)
    frame = frame_extent(sheet.grid, extent, UNITS)
    axes.set_axis_on()
    paint_sheet(axes, sheet, frame)
    near = local[shapely.intersects(local.geometry.to_numpy(), _box(extent, sheet.grid))]
    for side, dash in _DASHES.items():
        chosen = near[near["side"] == side]
        outline(axes, chosen, frame, edgecolor="white", linewidth=2.4, zorder=3)
        outline(axes, chosen, frame, edgecolor="black", linewidth=1.1, linestyle=dash, zorder=4)
    furnish(axes, frame, _TYPE)
    axes.set_title(error.title, fontsize=8.5, color=INK)


def _around(shape: BaseGeometry, grid: MapGrid) -> Extent:
    """Bound a landslide by a square with its surroundings, inside the grid."""
    left, bottom, right, top = shape.bounds
    t = grid.transform
    own_side = max(abs((right - left) / t.a), abs((top - bottom) / t.e))
    side = round(max(_SURROUNDINGS * own_side, _LEAST_SIDE_PX))
    rows, cols = min(side, grid.shape[0]), min(side, grid.shape[1])
    row = round(((top + bottom) / 2 - t.f) / t.e - rows / 2)
    col = round(((left + right) / 2 - t.c) / t.a - cols / 2)
    row, col = min(max(row, 0), grid.shape[0] - rows), min(max(col, 0), grid.shape[1] - cols)
    return Extent(row, col, rows, cols)


def _box(extent: Extent, grid: MapGrid) -> BaseGeometry:
    t = grid.transform
    left, top = t.c + extent.col * t.a, t.f + extent.row * t.e
    return shapely.box(left, top + extent.height * t.e, left + extent.width * t.a, top)
