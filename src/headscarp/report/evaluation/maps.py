"""Maps of hits, misses and false alarms, one of each ground."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from headscarp.evaluate.record import GroundRecord
from headscarp.report.evaluation.drawing import INK, SOFT, Drawing, new_figure
from headscarp.report.evaluation.folder import EvaluationFolder
from headscarp.report.evaluation.palette import FALSE, HIT, MISSED, NOT_EVALUATED, TRUE_NEGATIVE
from headscarp.report.evaluation.sheet import UNITS, Sheet, furnish, outline, paint_sheet, read_sheet
from headscarp.report.overlay import Frame, corner_positions, frame_extent

_LONGEST_IN, _NARROWEST_IN, _ROOM_IN = 8.0, 5.5, 1.1
"""Longer side of the map, narrowest figure, and room for legend and scale bar, inches."""
_MOST_OUTLINES = 5000
_TYPE = 9.0
_EDGES = {("mapped", "hit"): HIT, ("mapped", "missed"): MISSED, ("predicted", "false"): FALSE}
"""Outline of landslides, by side and outcome; predicted hits have none of their own."""
_MAP_CAPTION = (
    "Blue: landslide, mapped and predicted. Yellow: mapped, missed. Red: predicted, not mapped. Light: "
    "evaluated ground without landslide; grey: not evaluated. Outlines, in the colour of their outcome, "
    "are of whole landslides: a mapped one is blue as soon as enough of it was found, whatever its "
    "pixels say."
)
_TRUTH_CAPTION = (
    "There was no threshold, so this is the truth alone. Blue: mapped landslides. Light: evaluated "
    "ground without landslide; grey: not evaluated."
)


def draw_grounds(folder: EvaluationFolder) -> list[Drawing]:
    """Draw a map of each ground.

    Parameters
    ----------
    folder : EvaluationFolder

    Returns
    -------
    list of Drawing
        Of hits, misses and false alarms; of the truth alone where there was no threshold; without a figure
        where no pixel was evaluated.
    """
    return [_draw_ground(folder, ground) for ground in folder.evaluation.grounds]


def _draw_ground(folder: EvaluationFolder, ground: GroundRecord) -> Drawing:
    name, title = folder.raster("map", ground).stem, f"Map of {ground.name}"
    sheet = read_sheet(folder, ground)
    if sheet is None:
        return Drawing(name, title, "Not drawn: no pixel was evaluated.")
    landslides = folder.landslides_of(ground)
    frame = frame_extent(sheet.grid, sheet.extent, UNITS)
    figure = _new_map(frame)
    axes = figure.add_subplot()
    paint_sheet(axes, sheet, frame)
    if landslides is not None:
        _outline_outcomes(axes, landslides.to_crs(sheet.grid.crs), frame)
    furnish(axes, frame, _TYPE)
    _add_keys(figure, sheet)
    corners = "; ".join(f"{corner} {lat:.4f}, {lon:.4f}" for corner, lat, lon in corner_positions(frame))
    caption = (
        f"{_MAP_CAPTION if sheet.is_outcome else _TRUTH_CAPTION} Corners (latitude, longitude): {corners}."
    )
    return Drawing(name, title, caption, _alt(ground, landslides), figure, is_map=True)


def _new_map(frame: Frame) -> Figure:
    scale = _LONGEST_IN / UNITS
    return new_figure(max(frame.width * scale, _NARROWEST_IN), frame.height * scale + _ROOM_IN)


def _outline_outcomes(axes: Axes, landslides: gpd.GeoDataFrame, frame: Frame) -> None:
    largest = landslides.sort_values("area_m2", ascending=False, kind="stable").head(_MOST_OUTLINES)
    for (side, outcome), color in _EDGES.items():
        chosen = largest[(largest["side"] == side) & (largest["outcome"] == outcome)]
        outline(axes, chosen, frame, edgecolor=color, linewidth=0.9, zorder=3)


def _add_keys(figure: Figure, sheet: Sheet) -> None:
    ground = [
        Patch(facecolor=TRUE_NEGATIVE, edgecolor=SOFT, linewidth=0.5, label="no landslide"),
        Patch(facecolor=NOT_EVALUATED, label="not evaluated"),
    ]
    named = ((HIT, "hit"), (MISSED, "missed"), (FALSE, "false alarm"))
    handles: list[Any] = [Patch(facecolor=color, label=name) for color, name in named]
    handles += [*ground, Line2D([], [], color=HIT, linewidth=1.2, label="outline of a landslide")]
    if not sheet.is_outcome:
        handles = [Patch(facecolor=HIT, label="mapped landslide"), *ground]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=_TYPE, labelcolor=INK
    )


def _alt(ground: GroundRecord, landslides: gpd.GeoDataFrame | None) -> str:
    if landslides is None:
        return f"Map of {ground.name}: mapped landslides"
    counts = landslides.groupby(["side", "outcome"]).size()
    hit, missed, false = (int(counts.get(key, 0)) for key in _EDGES)
    return f"Map of {ground.name}: {hit} mapped landslides found, {missed} missed, {false} false alarms"
