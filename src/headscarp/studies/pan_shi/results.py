"""Cells of the study gathered by event and row: what the tables, claims and figures are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from headscarp.studies.cells import CELLS, Cell, CellRecord, read_cells
from headscarp.studies.paired import Judged, read_judged
from headscarp.studies.pan_shi.figures import DetectedFigures, TrainedFigures
from headscarp.studies.pan_shi.options import PanShiOptions
from headscarp.studies.pan_shi.plan import plan_cells
from headscarp.studies.pan_shi.work import DETECTOR, EVALUATION, label_of


@dataclass(frozen=True)
class RowResult:
    """A row on one event: its cells, one a seed, and what they came to.

    Attributes
    ----------
    event, label : str
        The label is row and split, as tables call it.
    cells : tuple of Cell
    records : tuple of CellRecord
        Of the same cells.
    root : Path
        Folder of the cells' folders.
    """

    event: str
    label: str
    cells: tuple[Cell, ...]
    records: tuple[CellRecord, ...]
    root: Path

    @property
    def is_detector(self) -> bool:
        """Whether it needs no training."""
        return self.cells[0].values["split"] == DETECTOR

    @property
    def done(self) -> tuple[CellRecord, ...]:
        """Records of the cells that are done."""
        return tuple(record for record in self.records if record.state == "done")

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders of the cells that are done."""
        return tuple(self.root / record.name for record in self.done)

    @property
    def trained(self) -> tuple[TrainedFigures, ...]:
        """Figures of the trainings that are done."""
        if self.is_detector:
            return ()
        return tuple(TrainedFigures.model_validate(record.figures) for record in self.done)

    @property
    def detected(self) -> tuple[DetectedFigures, ...]:
        """Figures of a detector, where it is done."""
        if not self.is_detector:
            return ()
        return tuple(DetectedFigures.model_validate(record.figures) for record in self.done)

    @cached_property
    def judged(self) -> Judged | None:
        """Evaluations of the validation area; none before a cell is done."""
        folders = [folder / EVALUATION for folder in self.folders]
        return read_judged(self.label, folders) if folders else None

    def baseline(self, name: str) -> Judged | None:
        """A baseline of the evaluator, on the same ground."""
        folders = [folder / EVALUATION for folder in self.folders[:1]]
        return read_judged(name, folders, name) if folders else None

    @property
    def standing(self) -> str:
        """How far it is, where not all is done.

        Empty where every cell is done.
        """
        if len(self.done) == len(self.records):
            return ""
        states = [record.state for record in self.records if record.state != "done"]
        kinds = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        return f"{len(self.done)} of {len(self.records)} done, {kinds}"


@dataclass(frozen=True)
class StudyResults:
    """A study as it stands.

    Attributes
    ----------
    options : PanShiOptions
    root : Path
        Folder of the study.
    rows : tuple of RowResult
        By event, in the order of the options: rows and splits, then detectors.
    """

    options: PanShiOptions
    root: Path
    rows: tuple[RowResult, ...]

    def of_event(self, event: str) -> list[RowResult]:
        """Rows of an event."""
        return [row for row in self.rows if row.event == event]

    def find(self, event: str, label: str) -> RowResult | None:
        """A row by its label; none where the study has no such row."""
        return next((row for row in self.of_event(event) if row.label == label), None)

    @property
    def records(self) -> list[CellRecord]:
        """Records of every cell."""
        return [record for row in self.rows for record in row.records]


def read_results(options: PanShiOptions, root: Path) -> StudyResults:
    """Read the cells of a study as they stand."""
    cells = plan_cells(options)
    records = read_cells(cells, root / CELLS)
    grouped: dict[tuple[str, str], list[tuple[Cell, CellRecord]]] = {}
    for cell, record in zip(cells, records, strict=True):
        grouped.setdefault((str(cell.values["event"]), label_of(cell)), []).append((cell, record))
    rows = [_row(event, label, own, root / CELLS) for (event, label), own in grouped.items()]
    names = [event.name for event in options.events]
    rows.sort(key=lambda row: (names.index(row.event), row.is_detector))
    return StudyResults(options, root, tuple(rows))


def _row(event: str, label: str, own: Sequence[tuple[Cell, CellRecord]], root: Path) -> RowResult:
    cells, records = zip(*own, strict=True)
    return RowResult(event, label, cells, records, root)
