"""Tables that people read: a row a figure, a column a method; the same rows for screen, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headscarp.evaluate.record import Evaluation
from headscarp.evaluate.result import HEADLINES
from headscarp.pipeline.evaluate.comparison import Comparison

Row = list[str]

NOTHING = "—"


def evaluation_rows(evaluation: Evaluation) -> tuple[Row, list[Row]]:
    """Headline figures of the prediction and of every baseline, with intervals."""
    trees = {evaluation.name: main_tree(evaluation), **evaluation.baselines}
    return _rows(trees)


def compared_rows(comparison: Comparison) -> tuple[Row, list[Row]]:
    """Headline figures of every method compared."""
    methods = comparison.methods
    cells = {
        title: [_with_spread(method.figures.get(" ".join(path))) for method in methods]
        for path, title in HEADLINES.items()
    }
    return ["", *(method.label for method in methods)], _told(cells)


def difference_rows(comparison: Comparison) -> tuple[Row, list[Row]]:
    """What every other method has over the first, on the same ground."""
    first, *others = comparison.methods
    cells = {
        title: [_difference(method.over_first.get(" ".join(path))) for method in others]
        for path, title in HEADLINES.items()
    }
    return [f"over {first.label}", *(method.label for method in others)], _told(cells)


def main_tree(evaluation: Evaluation) -> dict[str, Any]:
    """Objects of the prediction, as those of a baseline."""
    return {
        "pixel": evaluation.pixel,
        "landslides": evaluation.landslides,
        "calibration": evaluation.calibration,
        "boundary": evaluation.boundary,
        "strata": evaluation.strata,
    }


def markdown(rows: tuple[Row, list[Row]]) -> str:
    """A table in Markdown."""
    head, body = rows
    lines = [head, ["---", *("---:" for _ in head[1:])], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def figure_at(tree: Mapping[str, Any], path: Sequence[str]) -> tuple[Any, Any]:
    """Value and interval of a figure; None where the tree lacks them."""
    node: Any = tree
    for name in path[:-1]:
        node = node.get(name) or {}
    return node.get(path[-1]), (node.get("intervals") or {}).get(path[-1])


def number_text(value: Any) -> str:
    """Three digits behind the point below ten, one above."""
    if value is None:
        return NOTHING
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _rows(trees: Mapping[str, Mapping[str, Any]]) -> tuple[Row, list[Row]]:
    cells = {
        title: [_with_interval(*figure_at(tree, path)) for tree in trees.values()]
        for path, title in HEADLINES.items()
    }
    return ["", *trees], _told(cells)


def _told(cells: Mapping[str, list[str]]) -> list[Row]:
    """Rows of the figures that any method has."""
    return [[title, *line] for title, line in cells.items() if any(cell != NOTHING for cell in line)]


def _with_interval(value: Any, interval: Any) -> str:
    if value is None or not interval or interval[0] == interval[1] == value:
        return number_text(value)
    return f"{number_text(value)} [{number_text(interval[0])}, {number_text(interval[1])}]"


def _with_spread(figure: Any) -> str:
    if figure is None:
        return NOTHING
    if figure.std is not None:
        return f"{number_text(figure.value)} ± {number_text(figure.std)}"
    return _with_interval(figure.value, figure.interval)


def _difference(figure: Any) -> str:
    if figure is None or figure.value is None:
        return NOTHING
    sign = "+" if figure.value >= 0 else ""
    return sign + _with_interval(figure.value, figure.interval)
