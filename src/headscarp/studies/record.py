"""``study.json``: what a study is, how far it is, on which machine, and the hashes of what it rests on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, ConfigDict, Field

from headscarp import __version__
from headscarp.pipeline.provenance import command_line, source_commit
from headscarp.run_folder import write_atomically
from headscarp.studies.cells import CellRecord, counts

STUDY_JSON = "study.json"
MINUTE_S, GIGABYTE = 60.0, 1e9


class Machine(BaseModel):
    """Where the outputs were written; cells may have been done elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    torch: str
    accelerator: str | None = Field(description="Name of the first; None: processors alone.")


class CellSummary(BaseModel):
    """A cell in short; its ``cell.json`` has the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: str
    reason: str | None
    minutes: float | None
    headscarp: str | None
    commit: str | None
    sha256: dict[str, str] = Field(description="Of the store's key, the split, and the checkpoints.")


class StudyRecord(BaseModel):
    """What ``study.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    study: str
    headscarp: str
    commit: str | None
    command: list[str]
    written_utc: datetime
    machine: Machine
    states: dict[str, int] = Field(description="Cells by state.")
    minutes: float = Field(description="Of the runs that ended the cells.")
    options: dict[str, Any]
    notes: tuple[str, ...] = ()
    cells: tuple[CellSummary, ...]


def write_study(
    folder: Path,
    study: str,
    options: BaseModel,
    records: Sequence[CellRecord],
    machine: Machine,
    notes: Sequence[str] = (),
) -> StudyRecord:
    """Write ``study.json``.

    Parameters
    ----------
    folder : Path
    study : str
        Its name.
    options : BaseModel
    records : sequence of CellRecord
    machine : Machine
    notes : sequence of str
    """
    record = StudyRecord(
        study=study,
        headscarp=__version__,
        commit=source_commit(),
        command=command_line(),
        written_utc=datetime.now(UTC).replace(microsecond=0),
        machine=machine,
        states={str(state): count for state, count in counts(records).items()},
        minutes=round(sum(own.seconds or 0.0 for own in records) / MINUTE_S, 2),
        options=options.model_dump(mode="json"),
        notes=tuple(notes),
        cells=tuple(_summary(own) for own in records),
    )
    write_atomically(folder / STUDY_JSON, record.model_dump_json(indent=2) + "\n")
    return record


def this_machine(torch_version: str, accelerator: str | None) -> Machine:
    """The machine that this runs on."""
    return Machine(
        processor=platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / GIGABYTE, 1),
        system=platform.platform(),
        python=platform.python_version(),
        torch=torch_version,
        accelerator=accelerator,
    )


def _summary(record: CellRecord) -> CellSummary:
    return CellSummary(
        name=record.name,
        state=record.state,
        reason=record.reason,
        minutes=None if record.seconds is None else round(record.seconds / MINUTE_S, 3),
        headscarp=record.headscarp,
        commit=record.commit,
        sha256=record.figures.get("sha256", {}),
    )
