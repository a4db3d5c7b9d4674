"""The reliability diagram: what share of the pixels of a probability has slid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.special import expit, logit

from headscarp.report.evaluation.drawing import (
    FAINT,
    PREDICTION,
    SOFT,
    Drawing,
    add_legend,
    dress,
    label_powers,
    look_of,
    new_figure,
)
from headscarp.report.evaluation.values import Method, node_at, say

FloatArray = NDArray[np.float64]

_TITLE = "Reliability of the probabilities"
_LIMIT = 8.0
"""Log-odds at the ends of the axes: a probability of 0.0003 or 0.9997; what lies beyond stands there."""
_ROOM = 0.5
"""Left free beyond the ends, log-odds, for the symbols that stand there."""
_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
_FEW_PIXELS = 100
"""Bins with fewer pixels are drawn hollow: their share is mostly chance."""
_CAPTION = (
    "Pixels are put into bins by their probability. On the diagonal, of the pixels given a probability "
    "of 0.1 one in ten is landslide; below it the map promises too much, above it too little. Both axes "
    "are stretched towards 0 and 1 (log-odds), where nearly all pixels of a rare event lie. A triangle "
    f"at the edge is a share of exactly 0 or 1; hollow symbols rest on fewer than {_FEW_PIXELS} pixels. "
    "Below: pixels a bin of the prediction."
)


def draw_reliability(methods: Sequence[Method]) -> Drawing:
    """Draw observed share against mean probability, over the histogram of pixels.

    Parameters
    ----------
    methods : sequence of Method
        The prediction first; methods whose score is no probability are left out.

    Returns
    -------
    Drawing
        Without a figure where the prediction is no probability, or no pixel was evaluated.
    """
    drawn = [method for method in methods if _bins(method) is not None and not method.is_constant]
    bins = _bins(methods[0])
    if bins is None:
        why = "Not drawn: the score of the prediction is no probability, or no pixel was evaluated."
        return Drawing("reliability", _TITLE, why)
    figure = new_figure(6.6, 6.6)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    dress(top, "", "Observed share of landslide pixels")
    top.plot([-_LIMIT, _LIMIT], [-_LIMIT, _LIMIT], color=SOFT, linewidth=1.2, label="reliable")
    for method in reversed(drawn):
        _draw_method(top, method, methods)
    _stretch(top)
    dress(bottom, "Mean probability of the bin", "Pixels")
    place = _stretched(bins["mean_probability"])
    bottom.bar(place, bins["pixels"], width=0.55, color=PREDICTION)
    bottom.set_yscale("log")
    label_powers(bottom.yaxis)
    bottom.set_ylim(bottom=0.5)
    bottom.grid(axis="y", color=FAINT, linewidth=0.7)
    ticks = [float(logit(tick)) for tick in _TICKS]
    bottom.set_xticks(ticks, [f"{tick:g}" for tick in _TICKS])
    top.tick_params(labelbottom=False)
    add_legend(figure, top, loc="outside lower left", reverse=True)
    return Drawing("reliability", _TITLE, _CAPTION, _alt(methods[0], bins), figure)


def _bins(method: Method) -> Mapping[str, FloatArray] | None:
    """Return filled bins of a method: mean probability, observed share and pixels."""
    curve = node_at(method.tree, ("calibration", "reliability_log_odds"))
    columns = {name: _array(curve.get(name)) for name in ("mean_probability", "observed_share", "pixels")}
    filled = np.nan_to_num(columns["pixels"]) > 0
    return {name: values[filled] for name, values in columns.items()} if filled.any() else None


def _array(values: Sequence[float | None] | None) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values or ()], dtype=np.float64)


def _stretched(share: FloatArray) -> FloatArray:
    """Return log-odds, those beyond the axis at its end."""
    low, high = expit(-_LIMIT), expit(_LIMIT)
    return np.asarray(logit(np.clip(share, low, high)), dtype=np.float64)


def _draw_method(axes: Axes, method: Method, methods: Sequence[Method]) -> None:
    bins, look = _bins(method), look_of(method, methods)
    if bins is None:
        return
    x, y = _stretched(bins["mean_probability"]), _stretched(bins["observed_share"])
    name = "expected_calibration_error"
    label = f"{method.name}: expected calibration error {say(method.value('calibration', name), name)}"
    few = bins["pixels"] < _FEW_PIXELS
    edge = np.sign(y) * (np.abs(y) >= _LIMIT - 1e-9)
    axes.plot(
        x, np.where(edge == 0, y, np.nan), color=look.color, linestyle=look.dash, linewidth=look.width,
        label=label, zorder=look.order, clip_on=False,
    )  # fmt: skip
    for marker, chosen in (("o", edge == 0), ("v", edge < 0), ("^", edge > 0)):
        fill = np.where(few[chosen], "white", look.color).tolist()
        axes.scatter(
            x[chosen], y[chosen], s=42 if method.is_prediction else 20, marker=marker, c=fill,
            edgecolors=look.color, zorder=look.order + 2, clip_on=False,
        )  # fmt: skip


def _stretch(axes: Axes) -> None:
    ticks = [float(logit(tick)) for tick in _TICKS]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in _TICKS])
    end = _LIMIT + _ROOM
    axes.set(xlim=(-end, end), ylim=(-end, end))
    axes.grid(color=FAINT, linewidth=0.7)


def _alt(method: Method, bins: Mapping[str, FloatArray]) -> str:
    pairs = zip(bins["mean_probability"], bins["observed_share"], strict=True)
    said = ", ".join(f"{probability:.2g}: {share:.2g}" for probability, share in pairs)
    return f"Reliability of {method.name}, mean probability and observed share by bin: {said}"
