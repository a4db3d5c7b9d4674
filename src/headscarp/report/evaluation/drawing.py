"""What all figures of an evaluation share: colours, type, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from headscarp.report.evaluation.values import Method
from headscarp.report.png import data_uri

FIGURES = "figures"
"""Folder of the figures, inside the evaluation folder."""
INK, SOFT, FAINT = "#22262a", "#5b636b", "#d9dcdf"
PREDICTION = "#004488"
_BASELINES = ("#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.3)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))
"""Colours of Okabe & Ito (2008), told apart by their dashes too."""
_PLAIN_SPAN = (0.01, 1000.0)
"""Powers of ten inside are written out."""
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_DPI = 150
_SVG_SALT = "headscarp"
"""Names inside an SVG follow from it, so that equal figures make equal files."""
_PLAIN: dict[str, Any] = {"Software": None}


@dataclass(frozen=True)
class Drawing:
    """A figure of the page.

    Attributes
    ----------
    name : str
        Stem of its files.
    title, caption, alt : str
        The caption says how to read it, or why there is none; ``alt`` says what it shows.
    figure : Figure or None
        None where there is nothing to draw.
    is_map : bool
        Drawn from pixels: its colours stay as they are on a dark page, and it has no SVG.
    """

    name: str
    title: str
    caption: str
    alt: str = ""
    figure: Figure | None = None
    is_map: bool = False


@dataclass(frozen=True)
class Picture:
    """A drawing as the page embeds it."""

    drawing: Drawing
    uri: str
    files: tuple[str, ...]
    """Paths relative to the page."""


class Look(NamedTuple):
    """How a method is drawn."""

    color: str
    dash: Any
    width: float
    order: int


def look_of(method: Method, methods: Sequence[Method]) -> Look:
    """Choose colour and dash of a method: the prediction thick, baselines thin.

    Parameters
    ----------
    method : Method
    methods : sequence of Method
        All of the evaluation; the place of a baseline among those that are drawn decides.
    """
    if method.is_prediction:
        return Look(PREDICTION, "-", 2.6, 5)
    drawn = [each.name for each in methods if not (each.is_prediction or each.is_constant)]
    place = drawn.index(method.name)
    return Look(_BASELINES[place % len(_BASELINES)], _DASHES[place % len(_DASHES)], 1.3, 4)


def new_figure(width_in: float, height_in: float) -> Figure:
    """Make a figure with an Agg canvas of its own; no state is shared.

    Parameters
    ----------
    width_in, height_in : float
        Inches.
    """
    figure = Figure(figsize=(width_in, height_in), dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def dress(axes: Axes, x_label: str, y_label: str) -> Axes:
    """Give axes their labels, ink and size of type.

    Parameters
    ----------
    axes : Axes
    x_label, y_label : str
    """
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.tick_params(colors=INK, labelsize=9)
    axes.set_xlabel(x_label, color=INK, size=10)
    axes.set_ylabel(y_label, color=INK, size=10)
    axes.set_axisbelow(True)
    return axes


def label_powers(axis: Axis) -> None:
    """Label the powers of ten of a logarithmic axis, in plain text, which is quicker to set than formulas.

    Parameters
    ----------
    axis : Axis
    """
    axis.set_major_formatter(FuncFormatter(lambda value, _: say_power(value)))
    axis.set_minor_formatter(NullFormatter())


def say_power(value: float) -> str:
    """Write a power of ten.

    Examples
    --------
    >>> [say_power(value) for value in (0.0001, 0.01, 1.0, 100.0, 1e5)]
    ['10⁻⁴', '0.01', '1', '100', '10⁵']
    """
    if value == 0 or _PLAIN_SPAN[0] <= value <= _PLAIN_SPAN[1]:
        return f"{value:g}"
    return "10" + f"{math.log10(value):.0f}".translate(_SUPERSCRIPT)


def add_legend(target: Axes | Figure, source: Axes | None = None, **options: Any) -> None:
    """Draw the legend as all figures have it.

    Parameters
    ----------
    target : Axes or Figure
        Where it stands.
    source : Axes, optional
        Whose lines it names, for the legend of a whole figure.
    **options
        Passed on to matplotlib.
    """
    given = {"frameon": False, "fontsize": 9, "labelcolor": INK, "handlelength": 2.8} | options
    if source is not None:
        given["handles"] = source.get_legend_handles_labels()[0]
    target.legend(**given)


def write_drawing(folder: Path, drawing: Drawing) -> Picture:
    """Write a figure as PNG, and as SVG unless it is a map.

    Parameters
    ----------
    folder : Path
        Evaluation folder.
    drawing : Drawing

    Returns
    -------
    Picture
        The PNG as a ``data:`` address, and the files written; both empty where nothing was drawn.
    """
    if drawing.figure is None:
        return Picture(drawing, "", ())
    target = folder / FIGURES
    target.mkdir(exist_ok=True)
    buffer = BytesIO()
    drawing.figure.savefig(buffer, format="png", metadata=_PLAIN)
    drawing.figure.set_layout_engine("none")  # laid out once, for both files
    (target / f"{drawing.name}.png").write_bytes(buffer.getvalue())
    files = [f"{FIGURES}/{drawing.name}.png"]
    if not drawing.is_map:
        files.append(f"{FIGURES}/{drawing.name}.svg")
        with mpl.rc_context({"svg.hashsalt": _SVG_SALT}):
            drawing.figure.savefig(folder / files[-1], format="svg", metadata={"Date": None, "Creator": None})
    return Picture(drawing, data_uri(buffer.getvalue()), tuple(files))
