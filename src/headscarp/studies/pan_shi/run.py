"""``headscarp study pan-shi``: cells done or taken up again, and what they came to written each time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headscarp.pipeline.stages import Progress, silent
from headscarp.studies.doing import do_study, machine_with_torch
from headscarp.studies.pan_shi.options import PanShiOptions
from headscarp.studies.pan_shi.output import write_outputs
from headscarp.studies.pan_shi.plan import plan_cells
from headscarp.studies.pan_shi.results import read_results
from headscarp.studies.pan_shi.work import PanShiWork
from headscarp.studies.record import STUDY_JSON, StudyRecord
from headscarp.studies.sharing import held

NAME = "pan-shi"


def run_pan_shi(
    options: PanShiOptions,
    out: Path,
    *,
    only: Sequence[str] = (),
    max_minutes: float | None = None,
    progress: Progress = silent,
) -> StudyRecord:
    """Do the cells of the study that are not done, and write tables, claims and figures of all that are.

    The same call again goes on where the last one stopped; several at once, on machines that share the
    folder, do different cells of it.

    Parameters
    ----------
    options : PanShiOptions
    out : Path
        Folder of the study.
    only : sequence of str
        Names of cells, or parts of them; none: all.
    max_minutes : float, optional
        No cell is begun after so long, and a training stops at its next epoch.
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
    cells, work = plan_cells(options), PanShiWork(options, out, progress)
    do_study(out, study_key(options), cells, work, only=only, max_minutes=max_minutes, progress=progress)
    with held(out / STUDY_JSON):  # processes that end at once write one after the other
        results = read_results(options, out)
        return write_outputs(results, NAME, machine_with_torch(), progress)


def study_key(options: PanShiOptions) -> dict[str, Any]:
    """Everything that decides about the cells, by dotted name; seeds and detectors only add cells.

    Parameters
    ----------
    options : PanShiOptions
    """
    plain = options.model_dump(mode="json")
    named = {
        f"{kind}.{entry['name']}": {name: value for name, value in entry.items() if name not in _ADDING}
        for kind in ("events", "rows")
        for entry in plain[kind]
    }
    sections = {
        f"{section}.{name}": value
        for section in ("train", "random", "blocks")
        for name, value in plain[section].items()
    }
    single = {name: plain[name] for name in ("chip_px", "filters", "search")}
    return named | sections | single


_ADDING = ("splits", "where", "optical", "images")
"""Of events and rows: what adds cells, or is only told."""
