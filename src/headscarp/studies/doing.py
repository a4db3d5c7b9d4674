"""A study's cells in its folder: claimed, done until the time is up, and read as they stand."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from headscarp import __version__
from headscarp.pipeline.provenance import source_commit
from headscarp.pipeline.stages import Progress, silent
from headscarp.studies.cells import CELLS, Cell, CellRecord, Work, read_cells, run_cells, select
from headscarp.studies.key import claim_study
from headscarp.studies.record import Machine, this_machine
from headscarp.studies.sharing import MINUTE_S


def do_study(
    out: Path,
    key: Mapping[str, Any],
    cells: Sequence[Cell],
    work: Work,
    *,
    only: Sequence[str] = (),
    max_minutes: float | None = None,
    progress: Progress = silent,
) -> list[CellRecord]:
    """Do the cells of a study that are not done; what they all came to.

    Parameters
    ----------
    out : Path
        Folder of the study.
    key : mapping of str to JSON values
        Everything that decides about the cells, by dotted name.
    cells : sequence of Cell
        All of the study.
    work : callable
    only : sequence of str
        Names of cells, or parts of them; none: all.
    max_minutes : float, optional
        No cell is begun after so long, and a training stops at its next epoch.
    progress : callable

    Returns
    -------
    list of CellRecord
        Of all `cells`, in their order, those that others do or did included.

    Raises
    ------
    HeadscarpError
        If the folder holds another study, or a name of `only` is in no cell.
    """
    deadline = None if max_minutes is None else time.time() + MINUTE_S * max_minutes
    chosen = select(cells, only)
    claim_study(out, key)
    made_by = (__version__, source_commit())
    run_cells(chosen, out / CELLS, work, made_by=made_by, deadline=deadline, progress=progress)
    return read_cells(cells, out / CELLS)


def machine_with_torch() -> Machine:
    """The machine that this runs on, with its first accelerator."""
    accelerator = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return this_machine(torch.__version__, accelerator)
