"""Tables of the study: the paper's Tables 3 and 4, the validation areas, what it took, what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from headscarp.evaluate.options import NO_LANDSLIDE, SLOPE
from headscarp.studies.paired import FigurePath, Judged, mean_interval
from headscarp.studies.pan_shi.figures import TrainedFigures
from headscarp.studies.pan_shi.published import PublishedRow, published_event, read_published
from headscarp.studies.pan_shi.results import RowResult, StudyResults
from headscarp.studies.tables import NOTHING, Table, interval_text, number_text, spread_text

SCORES = ("precision", "recall", "f1", "iou")
AVERAGE_PRECISION: FigurePath = ("pixel", "average_precision")
F1: FigurePath = ("pixel", "at_threshold", "f1")
"""The figure that claims are decided by: at the threshold that the choosing chips gave."""
FOUND: FigurePath = ("landslides", "detection_rate")
FALSE_ALARMS: FigurePath = ("landslides", "false_alarms_per_100km2")
LETTERS = dict(zip(("P", "R", "F1", "IoU"), SCORES, strict=True))
COLUMNS: dict[str, FigurePath] = {
    "AP": AVERAGE_PRECISION,
    **{f"{letter} at 0.5": ("pixel", "at_0.5", name) for letter, name in LETTERS.items()},
    **{f"{letter} at thr.": ("pixel", "at_threshold", name) for letter, name in LETTERS.items()},
    "landslides found": FOUND,
    "false alarms per 100 km²": FALSE_ALARMS,
}
"""Columns of the tables of the validation areas."""
BASELINES = (NO_LANDSLIDE, SLOPE)
MINUTE_S, MEGA = 60.0, 1e6


def choosing_table(results: StudyResults, event: str) -> Table:
    """Table 3 or 4 in the paper's layout, the paper's own row below ours.

    The scores are those of the best epoch on the very chips that chose it, as in the paper.
    """
    published = published_event(event)
    rows: list[tuple[str, ...]] = []
    for row in results.of_event(event):
        if not row.is_detector:
            rows.append(_choosing_row(row))
            printed = None if published is None else published.rows.get(row.label)
            if printed is not None:
                rows.append(_printed_row(row.label, printed))
    number = f"Table {published.table} of the paper" if published else "the paper's Tables 3 and 4"
    caption = (
        f"{event}: as {number}. On the training area's own validation chips, which also chose epoch and "
        f"hyperparameters: a maximum, no result. Mean ± standard deviation over seeds"
    )
    head = ("Combination", "Batch Size", "Learning Rate", "Filters", "Precision", "Recall", "F1 Score", "IoU")
    return Table(f"choosing_{event}", caption, (*head, "Runs"), tuple(rows))


def _choosing_row(row: RowResult) -> tuple[str, ...]:
    chosen = [figures.choosing for figures in row.trained]
    told = [
        " / ".join(dict.fromkeys(f"{getattr(own, name):g}" for own in chosen)) or NOTHING
        for name in ("batch_size", "learning_rate", "filters")
    ]
    scores = [spread_text([getattr(own, name) for own in chosen]) for name in SCORES]
    return (row.label, *told, *scores, _runs(row))


def _printed_row(label: str, printed: PublishedRow) -> tuple[str, ...]:
    options = (f"{value:g}" for value in printed[:3])
    return (f"{label} (paper)", *options, *(f"{value:.2f}" for value in printed[3:]), "paper")


def validation_table(results: StudyResults, event: str) -> Table:
    """Every row on the validation area: mean ± standard deviation over seeds."""
    rows = [
        (label, *(_spread(judged, path) for path in COLUMNS.values()), runs)
        for label, judged, runs in _judged_rows(results, event)
    ]
    caption = f"{event}: validation area. Mean ± standard deviation over seeds; thr.: from the choosing chips"
    return Table(f"validation_{event}", caption, ("Row", *COLUMNS, "Runs"), tuple(rows))


def interval_table(results: StudyResults, event: str) -> Table:
    """The same with intervals over blocks of ground."""
    rows = [
        (label, *(_with_interval(judged, path) for path in COLUMNS.values()), runs)
        for label, judged, runs in _judged_rows(results, event)
    ]
    caption = (
        f"{event}: validation area. Mean over seeds [95 % interval of a bootstrap over blocks of ground]; "
        "AP's interval is that of binned scores"
    )
    return Table(f"validation_{event}_intervals", caption, ("Row", *COLUMNS, "Runs"), tuple(rows))


def _judged_rows(results: StudyResults, event: str) -> list[tuple[str, Judged | None, str]]:
    """Label, evaluations and standing of every row, then of the evaluator's baselines."""
    rows = results.of_event(event)
    found: list[tuple[str, Judged | None, str]] = [(row.label, row.judged, _runs(row)) for row in rows]
    first = next((row for row in rows if row.done), None)
    if first is not None:
        has_dem = SLOPE if _has_dem(first) else None
        found += [(name, first.baseline(name), "1") for name in BASELINES if name in (NO_LANDSLIDE, has_dem)]
    return found


def _has_dem(row: RowResult) -> bool:
    """Whether the evaluator had a slope to hold beside."""
    return row.judged is not None and any(
        path[0] == "strata" and "slope" in path for path in row.judged.values[0]
    )


def _spread(judged: Judged | None, path: FigurePath) -> str:
    digits = 1 if path == FALSE_ALARMS else 3
    return NOTHING if judged is None else spread_text(_finite(judged.by_seed(path).tolist()), digits)


def _with_interval(judged: Judged | None, path: FigurePath) -> str:
    if judged is None:
        return NOTHING
    digits = 1 if path == FALSE_ALARMS else 3
    value = number_text(float(judged.by_seed(path).mean()), digits)
    found = mean_interval(judged, path)
    return value if value == NOTHING or found is None else f"{value} {interval_text(found, digits)}"


def _finite(values: Sequence[float]) -> list[float | None]:
    return [value if value == value else None for value in values]  # noqa: PLR0124  (NaN)


def _runs(row: RowResult) -> str:
    return row.standing or str(len(row.done))


def timing_table(results: StudyResults) -> Table:
    """What each row took, beside the paper's: training, and detection on areas of the paper's sizes."""
    paper = read_published()
    sizes = [event.validation_px for event in paper.events.values()]
    rows = [_timing_row(row, sizes) for row in results.rows if row.trained]
    rows.append(
        (
            "paper",
            "81 / 484",
            "36 combinations",
            f"{paper.training_min:g}",
            NOTHING,
            "7.2 / 28.9",
            NOTHING,
            *(f"{paper.detection_min:g}" for _ in sizes),
            paper.device,
        )
    )
    head = (
        "Row",
        "Chips",
        "Trainings",
        "Training, min",
        "All trainings, min",
        "Mapped, Mpx",
        "Detection, s",
        *(f"for {size / MEGA:.1f} Mpx, min" for size in sizes),
        "Device",
    )
    caption = (
        "What it took: one training; all that the hyperparameters were chosen from; the network over the "
        "validation "
        "area, on processors, and the same scaled to the paper's areas"
    )
    return Table("timing", caption, head, tuple(rows))


def _timing_row(row: RowResult, sizes: Sequence[int]) -> tuple[str, ...]:
    done = row.trained
    pixels = [own.detection_s / own.detection_px for own in done]
    threads = " / ".join(dict.fromkeys(_machine(own) for own in done))
    return (
        f"{row.event}: {row.label}",
        str(done[0].chips["train"] + done[0].chips["validation"]),
        str(done[0].trainings),
        spread_text([own.training_s / MINUTE_S for own in done], 2),
        spread_text([own.all_trainings_s / MINUTE_S for own in done], 2),
        f"{done[0].detection_px / MEGA:.2f}",
        spread_text([own.detection_s for own in done], 1),
        *(spread_text([size * own / MINUTE_S for own in pixels], 2) for size in sizes),
        threads,
    )


def _machine(figures: TrainedFigures) -> str:
    return f"{figures.device}, {figures.threads} threads"


def missing_table(results: StudyResults) -> Table:
    """Cells that are not done, and why."""
    rows = [
        (
            record.name,
            record.state,
            record.reason or "",
            "" if record.seconds is None else f"{record.seconds:g}",
        )
        for record in results.records
        if record.state != "done"
    ]
    return Table("missing", "Cells that are not done", ("Cell", "State", "Reason", "Seconds"), tuple(rows))
