"""``headscarp study sen12``: cells, and the results that stand so far."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from headscarp import __version__
from headscarp.pipeline.provenance import source_commit
from headscarp.pipeline.sen12.simulate import RECORD_JSON
from headscarp.pipeline.stages import Progress, silent
from headscarp.studies.cells import read_cells, run_cells, select
from headscarp.studies.key import claim_study
from headscarp.studies.record import MINUTE_S, StudyRecord, this_machine, write_study
from headscarp.studies.sen12.options import Sen12Options
from headscarp.studies.sen12.plan import plan_cells
from headscarp.studies.sen12.readme import write_readme
from headscarp.studies.sen12.results import write_results
from headscarp.studies.sen12.work import Sen12Work

NAME, CELLS = "sen12", "cells"
_DECIDING = ("root", "tasks", "inventory", "folds", "variants", "filters")


def run_sen12(
    options: Sen12Options,
    out: Path,
    *,
    only: Sequence[str] = (),
    max_minutes: float | None = None,
    progress: Progress = silent,
) -> StudyRecord:
    """Train and judge every model on every split, or go on; then write the results that stand.

    Parameters
    ----------
    options : Sen12Options
    out : Path
        Folder: ``cells/``, ``stores/``, ``results/``.
    only : sequence of str
        Cells whose names hold one of these; none: all.
    max_minutes : float, optional
        No cell is begun after so long, and a training stops at its next epoch; the same call goes on.
    progress : callable

    Returns
    -------
    StudyRecord
        As in ``study.json``.

    Raises
    ------
    HeadscarpError
        If the folder holds another study, or a name of `only` is in no cell.
    """
    deadline = None if max_minutes is None else time.time() + MINUTE_S * max_minutes
    cells = plan_cells(options)
    claim_study(out, study_key(options))
    work = Sen12Work(options, out, progress)
    made_by = (__version__, source_commit())
    run_cells(select(cells, only), out / CELLS, work, made_by=made_by, deadline=deadline, progress=progress)
    records = read_cells(cells, out / CELLS)
    folder = write_results(out, options, records)
    write_readme(folder, options, records, origin_of(options))
    accelerator = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return write_study(out, NAME, options, records, this_machine(torch.__version__, accelerator))


def study_key(options: Sen12Options) -> dict[str, Any]:
    """Everything that decides about the cells, by dotted name; splits and seeds only add cells."""
    plain = options.model_dump(mode="json")
    models = {f"models.{model['name']}": model for model in plain["models"]}
    fit = {f"train.{name}": value for name, value in plain["train"].items()}
    return models | fit | {name: plain[name] for name in _DECIDING}


def origin_of(options: Sen12Options) -> str:
    """What the patches are, in a sentence."""
    root = options.root
    if root is not None and any((folder / RECORD_JSON).is_file() for folder in (root, root.parent)):
        return "**Simulated** patches at the official places: nothing here is a result on real ground."
    return "Patches as published (Höhn et al., 2025, CC BY 4.0)."
