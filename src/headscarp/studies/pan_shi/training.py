"""The training of a cell: one, or the best of a search over hyperparameters."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headscarp.checkpoint import read_checkpoint
from headscarp.chips.options import SplitOptions
from headscarp.chips.store import ChipStore
from headscarp.config import SearchOptions
from headscarp.errors import OptionsError
from headscarp.pipeline.chips.run import choose_split
from headscarp.pipeline.provenance import source_commit
from headscarp.pipeline.search import run_search
from headscarp.pipeline.stages import Progress
from headscarp.search.options import GridOptions
from headscarp.search.record import SearchRecord, TrialRow
from headscarp.studies.cells import UnfinishedError
from headscarp.studies.pan_shi.figures import ChoosingFigures
from headscarp.studies.sharing import minutes_until
from headscarp.train.log import LOG_CSV
from headscarp.train.options import FitOptions, NetworkChoice
from headscarp.train.record import TRAIN_JSON, TrainRecord
from headscarp.train.run import train

CHECKPOINT = "best.safetensors"
TRAINING, SEARCH = "training", "search"
HOUR_MIN = 60.0


@dataclass(frozen=True)
class Chosen:
    """A finished training.

    Attributes
    ----------
    record : TrainRecord
    folder : Path
    trainings : int
        That it was chosen from, itself included.
    all_s : float
        Seconds of all of them.
    """

    record: TrainRecord
    folder: Path
    trainings: int
    all_s: float


@dataclass(frozen=True)
class Lesson:
    """What is trained: chips, their split, the network, and how.

    Attributes
    ----------
    store : ChipStore
    split : SplitOptions
    network : NetworkChoice
    fit : FitOptions
    search : GridOptions or None
        Hyperparameters to try; none: those of `network` and `fit`.
    """

    store: ChipStore
    split: SplitOptions
    network: NetworkChoice
    fit: FitOptions
    search: GridOptions | None


def choose_training(lesson: Lesson, folder: Path, deadline: float | None, progress: Progress) -> Chosen:
    """Train in a folder of a cell, or go on there.

    Raises
    ------
    UnfinishedError
        If the deadline, by :func:`time.time`, ended it.
    """
    if lesson.search is not None:
        return _search(lesson, lesson.search, folder / SEARCH, deadline, progress)
    fit = lesson.fit.model_copy(update={"max_minutes": minutes_until(deadline)})
    split = choose_split(lesson.store, lesson.split)
    record = train(
        lesson.store, split, lesson.network, fit, folder / TRAINING, progress, commit=source_commit()
    )
    if not record.finished:
        raise UnfinishedError
    return Chosen(record, folder / TRAINING, 1, record.seconds)


def _search(
    lesson: Lesson, grid: GridOptions, folder: Path, deadline: float | None, progress: Progress
) -> Chosen:
    """The best of a search over hyperparameters."""
    left = minutes_until(deadline)
    limited = grid if left is None else grid.model_copy(update={"max_hours": left / HOUR_MIN})
    options = SearchOptions(
        store=lesson.store.path,
        split=lesson.split,
        network=lesson.network,
        train=lesson.fit,
        search=limited,
    )
    found = run_search(options, folder, progress)
    if any(row.state in ("waiting", "cut off") for row in found.rows):
        raise UnfinishedError
    return _best(found, folder)


def _best(found: SearchRecord, folder: Path) -> Chosen:
    if found.best is None:
        raise _nothing_trained(folder, found.rows)
    chosen = folder / found.best.folder
    record = TrainRecord.model_validate_json((chosen / TRAIN_JSON).read_text(encoding="utf-8"))
    return Chosen(record, chosen, len(found.rows), sum(row.seconds or 0.0 for row in found.rows))


def choosing_figures(training: Path) -> ChoosingFigures:
    """Precision, recall, F1 and IoU at 0.5 of the best epoch, on the chips that chose it.

    The paper's Tables 3 and 4: the maximum over epochs, and hyperparameters, of a figure on the very chips
    it is stated for.

    Parameters
    ----------
    training : Path
        Folder with ``log.csv`` and the best checkpoint.
    """
    with (training / LOG_CSV).open(encoding="utf-8", newline="") as file:
        best = max(csv.DictReader(file), key=lambda row: float(row["f1"] or -1))
    stored = read_checkpoint(training / CHECKPOINT).card.training.options
    chosen = stored["network"] | stored["train"]
    return ChoosingFigures(
        **{name: chosen[name] for name in ("batch_size", "learning_rate", "filters")},
        **{name: float(best[name]) if best[name] else None for name in ("precision", "recall", "f1", "iou")},
    )


def _nothing_trained(folder: Path, rows: Sequence[TrialRow]) -> OptionsError:
    reasons = "; ".join(sorted({row.error for row in rows if row.error})) or "none was tried"
    return OptionsError(
        "a combination of hyperparameters that can be trained",
        f"{len(rows)} that failed in {folder} ({reasons})",
        "there is no network to judge",
        "mend what they name, and run the study again",
    )
