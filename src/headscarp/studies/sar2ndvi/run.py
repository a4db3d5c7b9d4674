"""``headscarp study sar2ndvi``: cells, and the tables and pictures that stand so far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headscarp.pipeline.stages import Progress, silent
from headscarp.run_folder import write_atomically
from headscarp.studies.cells import CELLS, CellRecord, counts
from headscarp.studies.doing import do_study, machine_with_torch
from headscarp.studies.record import StudyRecord, write_study
from headscarp.studies.sar2ndvi.figures import write_figures
from headscarp.studies.sar2ndvi.options import Sar2NdviOptions
from headscarp.studies.sar2ndvi.plan import plan_cells
from headscarp.studies.sar2ndvi.tables import (
    comparison_table,
    strata_table,
    table_1,
    verdicts,
)
from headscarp.studies.sar2ndvi.work import Sar2NdviWork
from headscarp.studies.tables import markdown_text, write_table

NAME = "sar2ndvi"
TABLES, PICTURES, RESULTS = "tables", "figures", "results.md"


def run_sar2ndvi(
    options: Sar2NdviOptions,
    out: Path,
    *,
    only: Sequence[str] = (),
    max_minutes: float | None = None,
    progress: Progress = silent,
) -> StudyRecord:
    """Train and judge every row, or go on; then write the tables and pictures that stand.

    Parameters
    ----------
    options : Sar2NdviOptions
    out : Path
        Folder: ``cells/``, ``stores/``, ``tables/``, ``figures/``, ``results.md``.
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
    work = Sar2NdviWork(options, out, progress)
    key, cells = study_key(options), plan_cells(options)
    records = do_study(out, key, cells, work, only=only, max_minutes=max_minutes, progress=progress)
    write_outputs(out, options, records)
    return write_study(out, NAME, options, records, machine_with_torch())


def write_outputs(out: Path, options: Sar2NdviOptions, records: Sequence[CellRecord]) -> None:
    """Write tables, pictures and ``results.md`` from the cells that are done."""
    tables = [make(options, records) for make in (table_1, comparison_table, strata_table)]
    for table in tables:
        write_table(out / TABLES, table)
    write_figures(out / PICTURES, out / CELLS, options, records)
    state = ", ".join(f"{count} {name}" for name, count in counts(records).items())
    origin = (
        "**Simulated** ground: nothing here is a result on real ground."
        if options.event is not None and options.event.simulate is not None
        else "Scenes and references as given."
    )
    reasons = [f"- `{one.name}`: {one.state}, {one.reason}" for one in records if one.reason]
    parts = [
        f"# SAR to NDVI\n\n{origin} Cells: {state}.",
        *(f"- {told}" for told in verdicts(options, records)),
    ]
    parts += [markdown_text(table).rstrip() for table in tables]
    write_atomically(out / RESULTS, "\n\n".join([*parts, *reasons]) + "\n")


def study_key(options: Sar2NdviOptions) -> dict[str, Any]:
    """Everything that decides about the cells, by dotted name; rows and seeds may be added."""
    plain = options.model_dump(mode="json")
    rows = {f"rows.{row.name}": row.model_dump(mode="json") for row in options.rows}
    sections = {
        f"{section}.{name}": value
        for section in ("event", "network", "train", "split")
        for name, value in (plain[section] or {}).items()
        if name != "where"
    }
    return rows | sections | {name: plain[name] for name in ("moment", "baseline_features")}
