"""Landslides by size: how many are found, how many are false, and how frequent each area is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from headscarp.evaluate.frequency_area import inverse_gamma_density
from headscarp.report.evaluation.drawing import (
    FAINT,
    INK,
    PREDICTION,
    Drawing,
    add_legend,
    dress,
    label_powers,
    look_of,
    new_figure,
)
from headscarp.report.evaluation.values import (
    Method,
    Value,
    node_at,
    say_percent,
    say_size_class,
    values_by_class,
)
from headscarp.report.wording import say_count, say_number

FloatArray = NDArray[np.float64]

_SIZE, _FREQUENCY = "Landslides found, by size", "Frequency and area of landslides"
_SPREAD = 0.56
"""Width that the methods of a size class share, of the distance between classes."""
_MANY_TIMES = 20.0
"""Where a baseline has so many times the false alarms of the prediction, their axis is logarithmic."""
_SIZE_CAPTION = (
    "Above: of the mapped landslides of a size, the share that was found. Below: false alarms of a size on "
    "100 km² of evaluated ground. Bars are intervals over blocks of ground; there is none where too few "
    "blocks hold such landslides, nor where all or none were found: then the numbers under the classes, of "
    "landslides mapped and predicted, say how much that is worth."
)
_FREQUENCY_CAPTION = (
    "Probability density of landslide areas on logarithmic axes. A predicted curve that turns down at "
    "larger areas than the mapped one is missing small landslides; one that falls more slowly has run "
    "landslides together. Lines are three-parameter inverse gamma distributions (Malamud et al. 2004), "
    "where they could be fitted."
)
_SIDES = (("mapped", INK, "o"), ("predicted", PREDICTION, "s"))


class Curve(NamedTuple):
    """Frequency and area of one side, as recorded."""

    edges_m2: FloatArray
    counts: FloatArray
    density_per_m2: FloatArray
    fit: Mapping[str, Any]
    """Parameters of the inverse gamma; empty without a fit."""
    reason: str
    """Why there is no fit."""


def draw_by_size(methods: Sequence[Method]) -> Drawing:
    """Draw the detection rate and the false alarms of each size class.

    Parameters
    ----------
    methods : sequence of Method
        The prediction first; methods without landslides are left out.

    Returns
    -------
    Drawing
        Without a figure where the prediction has no threshold, or no landslide on either side.
    """
    tree = node_at(methods[0].tree, ("landslides",))
    edges = tree.get("size_edges_m2") or []
    counts = [node_at(tree, ("counts",)).get(side) or [] for side in ("mapped", "predicted")]
    if not edges or not (sum(counts[0]) or sum(counts[1])):
        why = "there is no threshold" if not edges else "there is no landslide, mapped or predicted"
        return Drawing("detection_by_size", _SIZE, f"Not drawn: {why}.")
    drawn = [m for m in methods if not m.is_constant and _rates(m, "detection_rate")]
    figure = new_figure(7.6, 6.0)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
    dress(top, "", "Share found")
    dress(bottom, "Area of the landslide, m² (number mapped / predicted)", "False alarms\nper 100 km²")
    for axes, figure_name in ((top, "detection_rate"), (bottom, "false_alarms_per_100km2")):
        for place, method in enumerate(drawn):
            offset = _SPREAD * ((place + 0.5) / len(drawn) - 0.5)
            _draw_values(axes, method, methods, _rates(method, figure_name), offset)
        axes.grid(axis="y", color=FAINT, linewidth=0.7)
    top.set_ylim(-0.02, 1.04)
    if _outweighed(drawn):
        bottom.set_yscale("symlog", linthresh=1)
        label_powers(bottom.yaxis)
    bottom.set_ylim(bottom=0)
    names = [
        f"{_class_label(edges, i)}\n({say_number(m)} / {say_number(p)})"
        for i, (m, p) in enumerate(zip(*counts, strict=True))
    ]
    bottom.set_xticks(range(len(edges)), names)
    add_legend(figure, top, loc="outside lower left", ncols=2)
    return Drawing("detection_by_size", _SIZE, _SIZE_CAPTION, _alt(methods[0], edges), figure)


def draw_frequency_area(method: Method) -> Drawing:
    """Draw the density of mapped and of predicted areas, with the inverse gamma where fitted.

    Parameters
    ----------
    method : Method
        The prediction.

    Returns
    -------
    Drawing
        Without a figure where there is no landslide on either side.
    """
    sides = [(side, read_curve(method, side.name)) for side in map(_Side._make, _SIDES)]
    if not any(curve is not None and curve.counts.sum() for _, curve in sides):
        return Drawing("frequency_area", _FREQUENCY, "Not drawn: there is no landslide, mapped or predicted.")
    figure = new_figure(6.6, 5.6)
    axes = dress(figure.add_subplot(), "Area A of the landslide, m²", "Probability density p(A), 1/m²")
    axes.set_xscale("log")
    axes.set_yscale("log")
    label_powers(axes.xaxis)
    label_powers(axes.yaxis)
    said = [
        _draw_curve(axes, side, curve) for side, curve in sides if curve is not None and curve.counts.sum()
    ]
    axes.grid(color=FAINT, linewidth=0.7)
    add_legend(figure, axes, loc="outside lower left")
    return Drawing("frequency_area", _FREQUENCY, _FREQUENCY_CAPTION, "; ".join(said), figure)


class _Side(NamedTuple):
    name: str
    color: str
    marker: str


def read_curve(method: Method, side: str) -> Curve | None:
    """Read the frequency–area record of one side.

    Parameters
    ----------
    method : Method
    side : str
        ``mapped`` or ``predicted``.

    Returns
    -------
    Curve or None
        None where none was recorded.
    """
    record = node_at(method.tree, ("landslides", "frequency_area", side))
    edges, counts, density = (
        np.array([np.nan if each is None else each for each in record.get(name) or ()], dtype=np.float64)
        for name in ("edges_m2", "counts", "density_per_m2")
    )
    if not len(counts) or len(edges) != len(counts) + 1 or len(density) != len(counts):
        return None
    return Curve(edges, counts, density, node_at(record, ("fit",)), str(record.get("reason") or ""))


def _rates(method: Method, name: str) -> list[Value]:
    return values_by_class(method.tree, ("landslides", f"{name}_by_size"))


def _draw_values(
    axes: Axes, method: Method, methods: Sequence[Method], values: Sequence[Value], offset: float
) -> None:
    look = look_of(method, methods)
    size, line = (7.5, 2.2) if method.is_prediction else (5.0, 1.2)
    for place, value in enumerate(values):
        if value.value is None:
            continue
        if value.low is not None and value.high is not None:
            axes.vlines(place + offset, value.low, value.high, color=look.color, linewidth=line)
        axes.plot(
            place + offset, value.value, "o", color=look.color, markersize=size, clip_on=False,
            markerfacecolor=look.color if method.is_prediction else "white", zorder=look.order,
        )  # fmt: skip
    axes.plot(
        [], [], "o", color=look.color, markersize=size, label=method.name,
        markerfacecolor=look.color if method.is_prediction else "white",
    )  # fmt: skip


def _outweighed(methods: Sequence[Method]) -> bool:
    """Whether the false alarms of a baseline would press those of the prediction flat."""
    own, *others = (
        max((rate.value or 0.0 for rate in _rates(method, "false_alarms_per_100km2")), default=0.0)
        for method in methods
    )
    return max(others, default=0.0) > _MANY_TIMES * max(own, 1.0)


def _class_label(edges: Sequence[float], index: int) -> str:
    """Name a size class on two lines, without its unit."""
    name = say_size_class(edges, index).replace(" m²", "")
    return name.replace("–", "–\n") if "–" in name else name.replace(" ", "\n", 1)


def _draw_curve(axes: Axes, side: _Side, curve: Curve) -> str:
    """Draw one side; return what it shows, in words."""
    filled = (curve.counts > 0) & (curve.density_per_m2 > 0)
    middle = np.sqrt(curve.edges_m2[1:] * curve.edges_m2[:-1])[filled]
    count = say_count(int(curve.counts.sum()), f"{side.name} landslide")
    words = f"{count}; {_say_fit(curve)}"
    axes.plot(
        middle, curve.density_per_m2[filled], side.marker, color=side.color, markersize=6.5, label=words,
        markerfacecolor="white" if side.marker == "s" else side.color,
    )  # fmt: skip
    parameters = [curve.fit.get(name) for name in ("rho", "a_m2", "s_m2")]
    if any(each is None for each in parameters):
        return words
    area = np.geomspace(curve.edges_m2[0], curve.edges_m2[-1], 400)
    density = inverse_gamma_density(area, *(float(each or 0.0) for each in parameters))
    shown = density >= curve.density_per_m2[filled].min() / 10
    axes.plot(area[shown], density[shown], color=side.color, linewidth=1.6)
    return words


def _say_fit(curve: Curve) -> str:
    rho, a, s = (curve.fit.get(name) for name in ("rho", "a_m2", "s_m2"))
    if rho is None or a is None or s is None:
        return f"no fit: {curve.reason}" if curve.reason else "no fit"
    rollover = a / (rho + 1.0) + s
    return f"power law of large areas −{rho + 1.0:.2f}, most frequent area {say_number(rollover)} m²"


def _alt(method: Method, edges: Sequence[float]) -> str:
    rates = _rates(method, "detection_rate")
    said = (
        f"{say_size_class(edges, i)}: {say_percent(rate.value)} %"
        for i, rate in enumerate(rates)
        if rate.value is not None
    )
    return f"Share of mapped landslides that {method.name} found, by area: " + ", ".join(said)
