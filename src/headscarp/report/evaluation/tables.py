"""Tables of the page: headline figures, differences, sizes, kinds of ground, grounds, provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from headscarp.evaluate.record import Evaluation, GroundRecord
from headscarp.evaluate.result import HEADLINES
from headscarp.evaluate.tally import HALF
from headscarp.report.evaluation.strata import strata_rows
from headscarp.report.evaluation.values import (
    AT_HALF,
    AT_THRESHOLD,
    MARKS,
    TITLES,
    UNDEFINED,
    Method,
    compare,
    difference_at,
    node_at,
    say,
    say_size_class,
    values_by_class,
)
from headscarp.report.wording import say_km2, say_number, say_share, say_time

_FATES = {
    "evaluated": "evaluated",
    "outside_area": "outside the area of interest",
    "ignored": "left out as told (--ignore)",
    "truth_unknown": "truth unknown",
    "not_observed": "not observed by the prediction",
    "baseline_not_observed": "not observed by a baseline",
}
_INVENTORY = {
    "polygons_read": "polygons read",
    "kept": "kept",
    "repaired": "repaired",
    "duplicates": "left out: read before",
    "outside_dates": "left out: outside the dates",
    "outside_area": "left out: outside the area",
    "undated": "without a date",
    "not_polygons": "left out: points or lines",
    "empty": "left out: without area",
    "crossing": "across the edge of the area, kept whole",
}


class Table(NamedTuple):
    """Header and rows of text; the first cell of a row names it."""

    head: list[str]
    rows: list[list[str]]

    @property
    def has_undefined(self) -> bool:
        """Whether any cell is a dash, to be explained."""
        return any(UNDEFINED in row for row in self.rows)


def headline_table(methods: Sequence[Method]) -> Table:
    """Headline figures by method, with intervals.

    Parameters
    ----------
    methods : sequence of Method
        The prediction first.

    Returns
    -------
    Table
        A row a figure that any method has.
    """
    thresholds = [method.value("pixel", AT_THRESHOLD, "threshold").value for method in methods]
    rows = []
    for path in HEADLINES:
        values = [method.value(*path) for method in methods]
        repeated = AT_HALF in path and thresholds[0] == HALF
        if any(value.value is not None for value in values) and not repeated:
            title = TITLES.get(" ".join(path), " ".join(path))
            rows.append([title, *(say(value, path[-1]) for value in values)])
    if rows and any(each is not None for each in thresholds):
        rows.append(["Threshold", *(UNDEFINED if each is None else f"{each:g}" for each in thresholds)])
    return Table(["", *(method.name for method in methods)], rows)


def difference_table(evaluation: Evaluation) -> Table:
    """What the prediction has over each baseline, and what that means.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    Table
        A row a figure, a column a baseline.
    """
    names = list(evaluation.differences)
    rows = []
    for key in map(" ".join, HEADLINES):
        found = [difference_at(evaluation, name, key) for name in names]
        repeated = key.split()[1] == AT_HALF and evaluation.threshold.value == HALF
        if any(each.value is not None for each in found) and not repeated:
            figure = key.split()[-1]
            cells = [f"{_mark(key, each)}{say(each, figure, signed=True)}" for each in found]
            rows.append([TITLES.get(key, key), *cells])
    return Table(["", *(f"less {name}" for name in names)], rows)


def size_table(method: Method) -> Table:
    """Landslides by size class.

    Parameters
    ----------
    method : Method

    Returns
    -------
    Table
        Without rows where no landslides were drawn.
    """
    tree = node_at(method.tree, ("landslides",))
    edges, counts = tree.get("size_edges_m2") or [], node_at(tree, ("counts",))
    head = ["Area", "Mapped", "Found", "Share found", "Predicted", "False", "False alarms per 100 km²"]
    columns = [counts.get(name) or [0] * len(edges) for name in ("mapped", "detected", "predicted", "false")]
    found = values_by_class(method.tree, ("landslides", "detection_rate_by_size"))
    alarms = values_by_class(method.tree, ("landslides", "false_alarms_per_100km2_by_size"))
    if not found or not alarms:
        return Table(head, [])
    rows = []
    for index, cells in enumerate(zip(*columns, strict=True)):
        mapped, detected, predicted, false = (say_number(float(cell)) for cell in cells)
        share, rate = say(found[index], "detection_rate"), say(alarms[index], "false_alarms_per_100km2")
        rows.append([say_size_class(edges, index), mapped, detected, share, predicted, false, rate])
    return Table(head, rows)


def strata_table(method: Method) -> Table:
    """Figures by kind of ground.

    Parameters
    ----------
    method : Method

    Returns
    -------
    Table
        A row a class.
    """
    rows = []
    for row in strata_rows(method):
        counts = [UNDEFINED if n is None else say_number(n) for n in (row.pixels, row.landslide_pixels)]
        values = [say(row.values[name], name, 2) for name in ("recall", "precision", "f1")]
        rows.append([f"{row.stratum}: {row.name}", *counts, *values])
    return Table(["Ground", "Pixels", "Landslide pixels", "Recall", "Precision", "F1"], rows)


class GroundFacts(NamedTuple):
    """One ground: how much of it was evaluated, what was left out and why."""

    name: str
    facts: list[tuple[str, str]]
    fates: Table
    inventory: list[tuple[str, str]]
    files: list[tuple[str, str]]


def ground_facts(ground: GroundRecord) -> GroundFacts:
    """Tell what was evaluated on a ground.

    Parameters
    ----------
    ground : GroundRecord
    """
    facts = [
        ("evaluated", say_km2(ground.evaluated_km2)),
        ("mapped landslides", _mapped(ground)),
        ("grid", f"{ground.shape_px[1]} × {ground.shape_px[0]} pixels of {ground.spacing:g}"),
        ("prediction", str(ground.options.get("prediction", UNDEFINED))),
        ("truth", ", ".join(map(str, ground.options.get("truth") or [UNDEFINED]))),
        ("hash of the label", ground.label_sha256),
    ]
    return GroundFacts(
        ground.name, facts, _fates(ground), list(_inventory(ground)), list(ground.files_sha256.items())
    )


def provenance(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Tell where the figures come from.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    list of tuple of str
        Name and value.
    """
    blocks, threshold = evaluation.blocks, evaluation.threshold
    at = UNDEFINED if threshold.value is None else f"{threshold.value:.4g}"
    return [
        ("Command", " ".join(evaluation.command)),
        ("headscarp", f"{evaluation.headscarp}, commit {evaluation.commit or 'unknown'}"),
        ("Written", say_time(evaluation.created_utc)),
        ("Threshold", f"{at} ({threshold.source})"),
        ("Calibration", evaluation.calibration_applied),
        ("Seed of the method", UNDEFINED if evaluation.seed is None else str(evaluation.seed)),
        ("Intervals", f"{100 * blocks.level:g} %, bootstrap over blocks of ground"),
        ("Blocks", f"{say_number(blocks.count)} of {say_number(blocks.side_m)} m a side"),
        ("Draws", f"{say_number(blocks.replicates)}, seed {blocks.seed}"),
        *([("On the blocks", blocks.note)] if blocks.note else []),
    ]  # fmt: skip


def _mark(key: str, difference: Any) -> str:
    word = compare(key, difference)
    return f"{MARKS[word]} " if word else ""


def _mapped(ground: GroundRecord) -> str:
    if ground.inventory is None and not ground.landslides_mapped:
        return f"{UNDEFINED} (the truth is a raster)"
    hidden = ground.landslides_not_observed
    return f"{say_number(ground.landslides_mapped)}, of which {say_number(hidden)} were not observed"


def _fates(ground: GroundRecord) -> Table:
    whole, slid = sum(ground.pixels.values()), sum(ground.landslide_pixels.values())
    rows = []
    for fate, pixels in ground.pixels.items():
        landslide = ground.landslide_pixels.get(fate, 0)
        if pixels:
            cells = (
                say_number(pixels),
                _share(pixels, whole),
                say_number(landslide),
                _share(landslide, slid),
            )
            rows.append([_FATES.get(fate, fate.replace("_", " ")), *cells])
    return Table(["Pixels", "All", "Share", "Landslide", "Share"], rows)


def _share(part: int, whole: int) -> str:
    return say_share(part / whole) if whole else UNDEFINED


def _inventory(ground: GroundRecord) -> Iterator[tuple[str, str]]:
    facts: Mapping[str, Any] = ground.inventory or {}
    for name, title in _INVENTORY.items():
        if facts.get(name):
            yield title, say_number(float(facts[name]))
