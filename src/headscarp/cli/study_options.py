"""What the commands of all studies share: their options, and what they print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from headscarp.cli.app import out_console

if TYPE_CHECKING:
    from headscarp.studies.cells import CellRecord
    from headscarp.studies.record import StudyRecord

Config = Annotated[Path | None, typer.Option("--config", help="YAML file of the study.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the study; one that stopped goes on.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="Do cells of this name, or whose name holds it."),
]
MaxMinutes = Annotated[
    float | None, typer.Option("--max-minutes", min=0.0, help="Stop after so long; run again to go on.")
]
Given = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.NAME=VALUE", help="Any option of the file.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the cells and how far they are, and stop.")]


def tell_study(record: StudyRecord, folder: Path, *names: str) -> None:
    """Print how far a study is, what was not possible, and where to look."""
    states = ", ".join(f"{count} {state}" for state, count in record.states.items())
    say(f"cells: {states}; {record.minutes:.0f} minutes of work")
    for cell in record.cells:
        if cell.reason:
            say(f"{cell.name} {cell.state}: {cell.reason}")
    for note in record.notes:
        say(f"note: {note}")
    if set(record.states) & {"stopped", "waiting", "failed"}:
        say("run again to go on")
    for name in names:
        say(f"look at {folder / name}")


def tell_cells(records: Sequence[CellRecord], kind: str) -> None:
    """Print every cell and its state, and how many are not done.

    Parameters
    ----------
    records : sequence of CellRecord
    kind : str
        Value that tells cells of one cost from others.
    """
    from headscarp.studies.cells import minutes_left

    for record in records:
        say(f"{record.name}: {record.state}")
    minutes = minutes_left(records, kind)
    about = f"time is known once a cell of each {kind} is done"
    if minutes is not None:
        about = f"about {minutes:.0f} minutes, by those done"
    waiting = sum(record.state != "done" for record in records)
    say(f"{len(records)} cells, {waiting} not done; {about}")


def fail_with(record: StudyRecord) -> None:
    """End with exit code 1 if a cell failed."""
    if "failed" in record.states:
        raise typer.Exit(1)


def say(text: Any) -> None:
    """Print a line as it is."""
    out_console.print(escape(str(text)), highlight=False, soft_wrap=True)
