"""A study as cells: work that is done once, by whoever comes first, and taken up where it stopped.

A cell has a folder. What it came to stands in its ``cell.json``; who works on it holds its lock, so that
several processes, or machines that share the folder, work on one study without a master.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headscarp.errors import HeadscarpError, OptionsError
from headscarp.pipeline.stages import Progress, silent
from headscarp.run_folder import write_atomically
from headscarp.studies.sharing import MINUTE_S

CELLS = "cells"
"""Folder of the cells, in that of the study."""
CELL_JSON, LOCK = "cell.json", ".lock"
STAGE = "cells"
State = Literal["done", "skipped", "failed", "stopped", "waiting"]
"""Done; not possible here; ended by an error; out of time, and goes on when run again; not begun."""
CRASHES = (OSError, RuntimeError, ValueError, MemoryError)
"""Errors that nobody foresaw: recorded with the cell, so that a study of a night does its other cells."""


class SkippedError(HeadscarpError):
    """A cell that cannot be had here: the study goes on without it, and its tables say why."""


@dataclass(frozen=True)
class Cell:
    """One piece of work of a study.

    Attributes
    ----------
    name : str
        Its folder, and what ``--only`` takes.
    values : mapping
        What it is: columns of the study's tables, such as event, row, split and seed.
    """

    name: str
    values: Mapping[str, str | int]


class CellRecord(BaseModel):
    """What ``cell.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    name: str
    values: dict[str, str | int]
    state: State = "waiting"
    reason: str | None = Field(None, description="Why it was skipped, or failed.")
    seconds: float | None = Field(None, description="Of the run that ended it.")
    headscarp: str | None = None
    commit: str | None = None
    figures: dict[str, Any] = Field(default_factory=dict, description="What it came to.")


class UnfinishedError(Exception):
    """Raised by work that ran out of time, and goes on from its folder when it is called again."""


class Work(Protocol):
    """Does a cell in its folder."""

    def __call__(self, cell: Cell, folder: Path, deadline: float | None) -> dict[str, Any]:
        """Return the cell's figures; raise `SkippedError`, or `UnfinishedError` after the deadline."""
        ...


def run_cells(
    cells: Sequence[Cell],
    root: Path,
    work: Work,
    *,
    made_by: tuple[str, str | None],
    deadline: float | None = None,
    progress: Progress = silent,
) -> list[CellRecord]:
    """Do the cells that are not done, in order; what another process holds is left to it.

    A cell that failed, was skipped or was stopped is tried again by the next call; one that fails does not
    keep the others from being done.

    Parameters
    ----------
    cells : sequence of Cell
    root : Path
        Folder of the cells' folders.
    work : callable
    made_by : (str, str or None)
        Version and commit, for the records.
    deadline : float, optional
        By :func:`time.time`; no cell is begun after it.
    progress : callable

    Returns
    -------
    list of CellRecord
        As they stand, in the order of `cells`.
    """
    progress(STAGE, 0, len(cells))
    for number, cell in enumerate(cells, start=1):
        if deadline is not None and time.time() >= deadline:
            break
        if read_cell(root / cell.name, cell).state != "done":
            with _held(root / cell.name) as is_mine:
                # another process may have done it since it was looked at
                if is_mine and read_cell(root / cell.name, cell).state != "done":
                    _do(cell, root / cell.name, work, made_by, deadline)
        progress(STAGE, number, len(cells))
    return read_cells(cells, root)


def read_cells(cells: Sequence[Cell], root: Path) -> list[CellRecord]:
    """Records of cells as they stand; of one that was not begun, an empty one."""
    return [read_cell(root / cell.name, cell) for cell in cells]


def read_cell(folder: Path, cell: Cell) -> CellRecord:
    """Record of a cell from its folder.

    Raises
    ------
    OptionsError
        If its file is broken.
    """
    path = folder / CELL_JSON
    if not path.is_file():
        return CellRecord(name=cell.name, values=dict(cell.values))
    try:
        return CellRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise OptionsError(
            "a cell's record that headscarp study wrote",
            f"{path} ({str(error).splitlines()[0]})",
            "what the cell came to cannot be told",
            f"delete {folder}; it is done again",
        ) from error


def select(cells: Sequence[Cell], only: Sequence[str]) -> list[Cell]:
    """Cells of the given names; of what is no name, those whose names hold it; all where nothing is given.

    Raises
    ------
    OptionsError
        If a name is in no cell.
    """
    unknown = [part for part in only if not any(part in cell.name for cell in cells)]
    if unknown:
        raise OptionsError(
            "--only with the name of a cell, or a part of it",
            ", ".join(map(repr, unknown)),
            "nothing would be run",
            f"the cells: {', '.join(cell.name for cell in cells[:6])}, …; --dry-run prints all",
        )
    names = {cell.name for cell in cells}
    chosen = {name for part in only for name in ({part} & names or {own for own in names if part in own})}
    return [cell for cell in cells if not only or cell.name in chosen]


def counts(records: Sequence[CellRecord]) -> dict[State, int]:
    """How many cells are in each state, of those that any is in."""
    states: tuple[State, ...] = ("done", "skipped", "failed", "stopped", "waiting")
    found = {state: sum(record.state == state for record in records) for state in states}
    return {state: count for state, count in found.items() if count}


def minutes_left(records: Sequence[CellRecord], kind: str) -> float | None:
    """Minutes that cells not done take, each as those done of its kind on average; none: not known yet.

    A cell that was stopped and went on says the time of its last run only.

    Parameters
    ----------
    records : sequence of CellRecord
    kind : str
        Value that tells cells of one cost from others.

    Examples
    --------
    >>> made = [CellRecord(name=n, values={"model": "utae"}, state=s, seconds=120.0)
    ...         for n, s in (("a", "done"), ("b", "waiting"), ("c", "failed"))]
    >>> minutes_left(made, "model")
    4.0
    """
    told: dict[str | int, list[float]] = {}
    for record in records:
        if record.state == "done" and record.seconds is not None:
            told.setdefault(record.values[kind], []).append(record.seconds)
    left = [record.values[kind] for record in records if record.state != "done"]
    if not set(left) <= told.keys():
        return None
    return sum(sum(told[own]) / len(told[own]) for own in left) / MINUTE_S


def _do(
    cell: Cell, folder: Path, work: Work, made_by: tuple[str, str | None], deadline: float | None
) -> None:
    """Do a cell and write what it came to."""
    begun = time.time()
    ended = _outcome(cell, folder, work, deadline)
    version, commit = made_by
    record = CellRecord(
        name=cell.name,
        values=dict(cell.values),
        state=ended.state,
        reason=ended.reason,
        seconds=round(time.time() - begun, 1),
        headscarp=version,
        commit=commit,
        figures=ended.figures,
    )
    write_atomically(folder / CELL_JSON, record.model_dump_json(indent=2) + "\n")


class _Outcome(NamedTuple):
    state: State
    reason: str | None
    figures: dict[str, Any]


def _outcome(cell: Cell, folder: Path, work: Work, deadline: float | None) -> _Outcome:
    """How a cell ended; only what stops the whole study is raised."""
    try:
        return _Outcome("done", None, work(cell, folder, deadline))
    except SkippedError as error:
        return _Outcome("skipped", f"{error.given}; {error.why}", {})
    except UnfinishedError:
        return _Outcome("stopped", None, {})
    except HeadscarpError as error:
        return _Outcome("failed", f"{error.given}; {error.why}: {error.fix}", {})
    except CRASHES as error:
        return _Outcome("failed", f"{type(error).__name__}: {error}", {})


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold a cell, unless another process does; one that is killed lets go."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
