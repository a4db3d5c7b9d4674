"""Figures of an evaluation looked up by their path, and written for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from headscarp.evaluate.options import NO_LANDSLIDE
from headscarp.evaluate.record import Evaluation
from headscarp.evaluate.result import HEADLINES, LOWER_IS_BETTER
from headscarp.evaluate.tally import HALF
from headscarp.report.wording import say_number

UNDEFINED = "—"
AT_THRESHOLD, AT_HALF = "at_threshold", f"at_{HALF:g}"
SECTIONS = ("pixel", "landslides", "calibration", "boundary", "strata")
TITLES = {" ".join(path): title for path, title in HEADLINES.items()}
"""Names of the headline figures, by path."""
_NEARLY_ALL = 0.995
"""Shares from here on would be rounded to 100 %."""
_AS_SHARE = frozenset({"detection_rate"})
_AS_RATE = frozenset({"false_alarms_per_100km2"})


MARKS = {"better": "▲", "worse": "▼", "not told apart": "≈", "no interval": "?"}
"""Signs of the outcomes of a comparison, for the prediction: colour alone tells nothing."""


class Value(NamedTuple):
    """A figure with its interval; None where undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def has_interval(self) -> bool:
        """Whether an interval is known, and has a width.

        Where all or none were found, every draw says the same: an interval without width would claim that
        nothing is uncertain.
        """
        return self.low is not None and self.high is not None and self.low < self.high


@dataclass(frozen=True)
class Method:
    """The prediction, or a baseline beside it.

    Attributes
    ----------
    name : str
    tree : mapping
        Its objects, as in ``metrics.json``.
    is_prediction : bool
    """

    name: str
    tree: Mapping[str, Any]
    is_prediction: bool = False

    def value(self, *path: str) -> Value:
        """Look a figure up."""
        return value_at(self.tree, path)

    @property
    def is_constant(self) -> bool:
        """Whether it says the same everywhere: no curve, only the prevalence."""
        return self.name == NO_LANDSLIDE


def methods_of(evaluation: Evaluation) -> list[Method]:
    """List the prediction, then the baselines.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    list of Method
    """
    own = {section: getattr(evaluation, section) for section in SECTIONS}
    others = [Method(name, tree) for name, tree in evaluation.baselines.items()]
    return [Method(evaluation.name, own, is_prediction=True), *others]


def node_at(tree: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    """Return the object at a path, an empty one where the tree lacks it."""
    node: Any = tree
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node if isinstance(node, Mapping) else {}


def value_at(tree: Mapping[str, Any], path: Sequence[str]) -> Value:
    """Look up a figure and its interval.

    Parameters
    ----------
    tree : mapping
        Objects as in ``metrics.json``.
    path : sequence of str
        Names of the objects, then of the figure.

    Examples
    --------
    >>> value_at({"pixel": {"f1": 0.5, "intervals": {"f1": [0.4, 0.6]}}}, ("pixel", "f1"))
    Value(value=0.5, low=0.4, high=0.6)
    """
    node = node_at(tree, path[:-1])
    found = node_at(node, ("intervals",)).get(path[-1])
    return _value(node.get(path[-1]), found)


def values_by_class(tree: Mapping[str, Any], path: Sequence[str]) -> list[Value]:
    """Look up a figure that is given by size class; empty where the tree lacks it."""
    node = node_at(tree, path[:-1])
    values = node.get(path[-1]) or []
    found = node_at(node, ("intervals",)).get(path[-1]) or [None] * len(values)
    return [_value(*each) for each in zip(values, found, strict=True)]


def difference_at(evaluation: Evaluation, baseline: str, key: str) -> Value:
    """Look up what the prediction has over a baseline; undefined where the record lacks it."""
    entry = node_at(evaluation.differences, (baseline, key))
    return _value(entry.get("difference"), entry.get("interval"))


def _value(value: Any, interval: Any) -> Value:
    number = None if value is None or not math.isfinite(value) else float(value)
    return Value(number, *(interval or (None, None)))


def compare(key: str, difference: Value) -> str:
    """Say what a difference to a baseline means.

    Parameters
    ----------
    key : str
        Path of the figure, joined by blanks.
    difference : Value
        Prediction less baseline.

    Returns
    -------
    str
        ``better``, ``worse``, ``not told apart`` where the interval holds 0, ``no interval``, or empty
        where the difference is undefined.

    Examples
    --------
    >>> compare("landslides false_alarms_per_100km2", Value(2.0, 1.0, 3.0))
    'worse'
    """
    if difference.value is None:
        return ""
    if difference.low is None or difference.high is None:
        return "no interval"
    if difference.low <= 0 <= difference.high:
        return "not told apart"
    lower_is_better = key.rsplit(maxsplit=1)[-1] in LOWER_IS_BETTER
    return "better" if (difference.value > 0) != lower_is_better else "worse"


def say_ratio(value: float | None, decimals: int = 2) -> str:
    """Write a ratio, with two significant digits where it would round to nothing."""
    if value is None:
        return UNDEFINED
    if value != 0 and abs(value) < 0.5 * 10**-decimals:
        return say_number(value, 2)
    return f"{value:.{decimals}f}".replace("-", "−")


def say_percent(value: float | None) -> str:
    """Write a share as a whole percentage, finer below 10 % and where it would round to all.

    Examples
    --------
    >>> say_percent(0.624), say_percent(0.0123), say_percent(0.9997), say_percent(1.0)
    ('62', '1.2', '99.97', '100')
    """
    if value is None:
        return UNDEFINED
    if _NEARLY_ALL <= value < 1:
        return f"{math.floor(10_000 * value) / 100:.2f}"
    return say_number(100 * value, 1 if abs(value) >= 0.1 else 2)


def say(value: Value, name: str, decimals: int = 3, signed: bool = False) -> str:
    """Write a figure with its interval in brackets.

    Parameters
    ----------
    value : Value
    name : str
        Of the figure, which decides on its unit.
    decimals : int
        Of ratios.
    signed : bool
        Whether a gain carries its plus.

    Examples
    --------
    >>> say(Value(0.62, 0.55, 0.7), "detection_rate"), say(Value(0.48), "f1", 2), say(Value(None), "f1")
    ('62 % [55, 70]', '0.48', '—')
    """
    if value.value is None:
        return UNDEFINED
    numbers = [_say_one(each, name, decimals) for each in value]
    plus = "+" if signed and value.value > 0 else ""
    text = plus + numbers[0] + (" %" if name in _AS_SHARE else "")
    return f"{text} [{numbers[1]}, {numbers[2]}]" if value.has_interval else text


def _say_one(value: float | None, name: str, decimals: int) -> str:
    if value is None:
        return UNDEFINED
    if name in _AS_SHARE:
        return say_percent(value)
    return say_number(value, 2) if name in _AS_RATE else say_ratio(value, decimals)


def say_size_class(edges_m2: Sequence[float], index: int) -> str:
    """Name a size class.

    Examples
    --------
    >>> [say_size_class((0.0, 100.0, 300.0), index) for index in range(3)]
    ['below 100 m²', '100–300 m²', '300 m² and more']
    """
    low = say_number(edges_m2[index])
    if index + 1 == len(edges_m2):
        return f"{low} m² and more"
    high = say_number(edges_m2[index + 1])
    return f"{low}–{high} m²" if edges_m2[index] > 0 else f"below {high} m²"
