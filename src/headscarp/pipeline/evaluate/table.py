"""Tables that people read: a row a figure, a column a method; the same rows for screen, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headscarp.evaluate.record import Evaluation
from headscarp.evaluate.result import HEADLINES
from headscarp.pipeline.evaluate.comparison import Comparison

Cell = str
Row = list[Cell]

NOTHING = "—"


def evaluation_rows(evaluation: Evaluation) -> tuple[Row, list[Row]]:
    """Headline figures of the prediction and of every baseline, with intervals."""
    trees = {evaluation.name: main_tree(evaluation), **evaluation.baselines}
    return _rows(trees)


def compared_rows(comparison: Comparison) -> tuple[Row, list[Row]]:
    """Headline figures of every method compared; then what each has over the first."""
    head: Row = ["", *(method.label for method in comparison.methods)]
    body: list[Row] = []
    for path, title in HEADLINES.items():
        key = " ".join(path)
        cells = [_with_spread(method.figures.get(key)) for method in comparison.methods]
        if any(cell != NOTHING for cell in cells):
            body.append([title, *cells])
    for path, title in HEADLINES.items():
        key = " ".join(path)
        cells = [_difference(method.over_first.get(key)) for method in comparison.methods]
        if any(cell != NOTHING for cell in cells):
            body.append([f"{title}, less {comparison.methods[0].label}", *cells])
    return head, body


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
    head: Row = ["", *trees]
    body: list[Row] = []
    for path, title in HEADLINES.items():
        cells = [_with_interval(*figure_at(tree, path)) for tree in trees.values()]
        if any(cell != NOTHING for cell in cells):
            body.append([title, *cells])
    return head, body


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
