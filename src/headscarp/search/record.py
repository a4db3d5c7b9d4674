"""What a search found: a row for each combination, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState
from pydantic import BaseModel, ConfigDict, Field

from headscarp.run_folder import write_atomically
from headscarp.search.cells import Cell
from headscarp.search.study import BEST, CELL, EPOCHS, ERROR, SECONDS, is_cut_off

SEARCH_JSON, SEARCH_CSV = "search.json", "search.csv"
State = Literal["trained", "stopped early", "failed", "cut off", "waiting"]


class TrialRow(BaseModel):
    """One combination and what came of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int
    learning_rate: float
    filters: int
    state: State
    f1: float | None = Field(None, description="Best F1 on the validation chips.")
    epochs: int | None = None
    seconds: float | None = Field(None, description="Of its last run.")
    error: str | None = None
    folder: str


class SearchRecord(BaseModel):
    """What ``search.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    headscarp: str
    commit: str | None
    network: str
    features: str
    estimate_hours: float = Field(description="Before it began: every epoch of every combination.")
    rows: tuple[TrialRow, ...]

    @property
    def best(self) -> TrialRow | None:
        """The trained combination of the highest F1; none before one is trained."""
        return next((row for row in self.rows if row.state == "trained"), None)


def rows_of(study: optuna.Study, wanted: Sequence[Cell]) -> tuple[TrialRow, ...]:
    """A row for each combination: trained ones by F1, then the others as they stand.

    Parameters
    ----------
    study : Study
    wanted : sequence of Cell
        Combinations of the search; one that was taken up again counts by its last trial.
    """
    last = {trial.user_attrs[CELL]: trial for trial in study.trials if CELL in trial.user_attrs}
    rows = [_row(cell, last.get(cell.name)) for cell in wanted]
    return tuple(sorted(rows, key=lambda row: (_ORDER.index(row.state), -(row.f1 or 0.0))))


def write_search(folder: Path, record: SearchRecord) -> None:
    """Write ``search.json`` and ``search.csv``."""
    write_atomically(folder / SEARCH_JSON, record.model_dump_json(indent=2) + "\n")
    table = pd.DataFrame([row.model_dump() for row in record.rows])
    write_atomically(folder / SEARCH_CSV, table.to_csv(index=False))


_ORDER: tuple[State, ...] = ("trained", "stopped early", "cut off", "failed", "waiting")


def _row(cell: Cell, trial: FrozenTrial | None) -> TrialRow:
    attributes = {} if trial is None else trial.user_attrs
    return TrialRow(
        **cell._asdict(),
        state=_state(trial),
        f1=attributes.get(BEST),
        epochs=attributes.get(EPOCHS),
        seconds=attributes.get(SECONDS),
        error=attributes.get(ERROR),
        folder=cell.name,
    )


def _state(trial: FrozenTrial | None) -> State:
    if trial is None or trial.state is TrialState.WAITING:
        return "waiting"
    if trial.state is TrialState.COMPLETE:
        return "trained"
    if trial.state is TrialState.PRUNED:
        return "stopped early"
    return "cut off" if trial.state is TrialState.RUNNING or is_cut_off(trial) else "failed"
