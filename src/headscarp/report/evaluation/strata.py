"""Figures by kind of ground: recall and precision with intervals, a row a class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from headscarp.evaluate.confusion import OUTCOMES
from headscarp.report.evaluation.drawing import FAINT, INK, PREDICTION, SOFT, Drawing, dress, new_figure
from headscarp.report.evaluation.values import (
    AT_HALF,
    AT_THRESHOLD,
    UNDEFINED,
    Method,
    Value,
    node_at,
    value_at,
)
from headscarp.report.wording import say_number

_TITLE = "Figures by kind of ground"
_CAPTION = (
    "Recall, precision and F1 of the pixels of each kind of ground, with intervals over blocks of "
    "ground; in parentheses, its landslide pixels where they were recorded. The vertical line is the figure "
    "over all ground. A slope that faces the radar is foreshortened and one that turns away may lie in "
    "shadow: a difference between the two is what the geometry costs."
)
_MOST_CLASSES = 40
"""Rows drawn at most; the table has all."""
_FIGURES = ("recall", "precision", "f1")
_TITLES = {
    "slope": "Slope",
    "land_cover": "Land cover",
    "event": "Event",
    "region": "Region",
    "facing_ascending": "Facing, ascending orbits",
    "facing_descending": "Facing, descending orbits",
}
_CLASSES = {"toward": "toward the radar", "along": "along the track", "away": "away from the radar"}


class ClassRow(NamedTuple):
    """Figures of one class of ground."""

    stratum: str
    name: str
    pixels: int | None
    landslide_pixels: int | None
    values: Mapping[str, Value]
    """Recall, precision and F1."""


def strata_rows(method: Method) -> list[ClassRow]:
    """List the classes of ground with any pixel, stratum by stratum.

    Parameters
    ----------
    method : Method

    Returns
    -------
    list of ClassRow
        At the threshold, else at 0.5; empty where there is neither. Strata of a single class say nothing
        that the whole does not, and are left out.
    """
    rows: list[ClassRow] = []
    for stratum, classes in node_at(method.tree, ("strata",)).items():
        found = list(_rows(stratum, classes))
        rows += found if len(found) > 1 else []
    return rows


def draw_strata(method: Method) -> Drawing:
    """Draw a dot and its interval for each class of ground.

    Parameters
    ----------
    method : Method
        The prediction.

    Returns
    -------
    Drawing
        Without a figure where no kind of ground was told apart.
    """
    rows = strata_rows(method)[:_MOST_CLASSES]
    if not rows:
        why = "Not drawn: no kind of ground was told apart (give a DEM, land cover or several events)."
        return Drawing("strata", _TITLE, why)
    places = _places(rows)
    figure = new_figure(8.2, 1.1 + 0.27 * (places[-1] + 1))
    panels = figure.subplots(1, len(_FIGURES), sharey=True)
    for axes, name in zip(panels, _FIGURES, strict=True):
        dress(axes, {"f1": "F1"}.get(name, name.capitalize()), "")
        _draw_panel(axes, name, rows, places, method)
    _name_rows(panels[0], rows, places)
    return Drawing("strata", _TITLE, _CAPTION, _alt(rows), figure)


def _rows(stratum: str, classes: Mapping[str, Any]) -> Iterator[ClassRow]:
    title = _TITLES.get(stratum, stratum.replace("_", " ").capitalize())
    for label, levels in classes.items():
        level = AT_THRESHOLD if AT_THRESHOLD in levels else AT_HALF
        values = {name: value_at(levels, (level, name)) for name in _FIGURES}
        pixels, landslides = _counts(node_at(levels, (level,)))
        undefined = all(value.value is None for value in values.values())
        if level in levels and not (undefined and not pixels):
            yield ClassRow(title, _CLASSES.get(label, label), pixels, landslides, values)


def _counts(node: Mapping[str, Any]) -> tuple[int | None, int | None]:
    if not all(name in node for name in OUTCOMES):
        return None, None
    counts = {name: int(node[name]) for name in OUTCOMES}
    return sum(counts.values()), counts["true_positive"] + counts["false_negative"]


def _places(rows: list[ClassRow]) -> list[float]:
    """Return the line of each row, below a line for the name of its stratum."""
    places: list[float] = []
    for index, row in enumerate(rows):
        new = index == 0 or rows[index - 1].stratum != row.stratum
        first = 1.0 if index == 0 else places[-1] + (2.3 if new else 1.0)
        places.append(first)
    return places


def _draw_panel(axes: Axes, name: str, rows: list[ClassRow], places: list[float], method: Method) -> None:
    level = AT_THRESHOLD if node_at(method.tree, ("pixel", AT_THRESHOLD)) else AT_HALF
    whole = method.value("pixel", level, name).value
    if whole is not None:
        axes.axvline(whole, color=SOFT, linewidth=1)
    for row, place in zip(rows, places, strict=True):
        value = row.values[name]
        if value.value is None:
            axes.text(0.5, place, UNDEFINED, ha="center", va="center", color=SOFT, fontsize=9)
            continue
        if value.low is not None and value.high is not None:
            axes.hlines(place, value.low, value.high, color=PREDICTION, linewidth=1.8)
        axes.plot(value.value, place, "o", color=PREDICTION, markersize=6, clip_on=False, zorder=5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks((0, 0.25, 0.5, 0.75, 1), ("0", "", "0.5", "", "1"))
    axes.grid(axis="x", color=FAINT, linewidth=0.7)


def _name_rows(axes: Axes, rows: list[ClassRow], places: list[float]) -> None:
    axes.set_ylim(places[-1] + 0.8, -0.6)
    axes.set_yticks(places, [_label(row) for row in rows], fontsize=9)
    axes.tick_params(axis="y", length=0)
    for index, (row, place) in enumerate(zip(rows, places, strict=True)):
        if index == 0 or rows[index - 1].stratum != row.stratum:
            axes.text(
                -0.02, place - 1, row.stratum, ha="right", va="center", color=INK, fontsize=9.5,
                fontweight="bold", transform=axes.get_yaxis_transform(),
            )  # fmt: skip


def _label(row: ClassRow) -> str:
    if row.landslide_pixels is None:
        return row.name
    return f"{row.name}  ({say_number(row.landslide_pixels)})"


def _alt(rows: list[ClassRow]) -> str:
    said = []
    for row in rows:
        recall, precision = (row.values[name].value for name in ("recall", "precision"))
        numbers = (UNDEFINED if each is None else f"{each:.2f}" for each in (recall, precision))
        said.append(f"{row.stratum} {row.name} " + " and ".join(numbers))
    return "Recall and precision by kind of ground: " + "; ".join(said)
