"""``headscarp study sen12``: cells, and the results that stand so far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headscarp.pipeline.sen12.simulate import RECORD_JSON
from headscarp.pipeline.stages import Progress, silent
from headscarp.studies.doing import do_study, machine_with_torch
from headscarp.studies.record import StudyRecord, write_study
from headscarp.studies.sen12.options import Sen12Options
from headscarp.studies.sen12.plan import plan_cells
from headscarp.studies.sen12.readme import write_readme
from headscarp.studies.sen12.results import write_results
from headscarp.studies.sen12.work import Sen12Work

NAME = "sen12"
_DECIDING = ("root", "tasks", "inventory", "folds", "variants", "s2_offset", "filters", "patches_shown")


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
    work = Sen12Work(options, out, progress)
    key, cells = study_key(options), plan_cells(options)
    records = do_study(out, key, cells, work, only=only, max_minutes=max_minutes, progress=progress)
    folder = write_results(out, options, records)
    write_readme(folder, options, records, origin_of(options))
    return write_study(out, NAME, options, records, machine_with_torch())


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
