"""The command ``study pan-shi``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from headscarp.cli.app import Quiet, app, out_console, progress_bars, required_out
from headscarp.cli.study_options import Config, Given, MaxMinutes, Only, Out, fail_with, say, tell_study
from headscarp.cli.train import assignments
from headscarp.errors import OptionsError

if TYPE_CHECKING:
    from headscarp.studies.pan_shi.check import EventCheck
    from headscarp.studies.pan_shi.options import PanShiOptions

study_app = typer.Typer(help="Whole papers, each as one command.", no_args_is_help=True)
app.add_typer(study_app, name="study")
MINUTES_AN_HOUR = 60.0


@study_app.command("pan-shi")
def pan_shi_command(
    config: Config = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="small|paper",
            help="Instead of a file: simulated twins, or the paper's events.",
        ),
    ] = None,
    out: Out = None,
    only: Only = None,
    max_minutes: MaxMinutes = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="0,1,2", help="Seeds of each row, instead of the file's.")
    ] = None,
    given: Given = None,
    check: Annotated[
        bool, typer.Option("--check", help="List what is missing and where to get it, and stop.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print cells, trainings and estimated time, and stop.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Pan & Shi (2023): fused orbits, time series and DPPA-UNet; its tables, figures and claims, measured."""
    from headscarp.studies.pan_shi.load import load_study
    from headscarp.studies.pan_shi.run import run_pan_shi
    from headscarp.studies.presets import study_file

    overrides = assignments(given or []) | {"seeds": _seeds(seeds)}
    options = load_study(study_file("pan_shi", config, preset), overrides)
    folder = required_out(out)
    if check:
        raise typer.Exit(_check(options, folder))
    if dry_run:
        _dry_run(options, only or [], folder)
        return
    with progress_bars(quiet) as progress:
        record = run_pan_shi(options, folder, only=only or (), max_minutes=max_minutes, progress=progress)
    if not quiet:
        tell_study(record, folder, "claims.md", "tables.md", "figures")
    fail_with(record)


def _seeds(text: str | None) -> list[int] | None:
    """Seeds as given, separated by commas."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise OptionsError(
            "--seeds as whole numbers between commas",
            repr(text),
            "which trainings are meant would not be known",
            "write --seeds 0,1,2",
        ) from None


def _check(options: PanShiOptions, folder: Path) -> int:
    """Print what each event lacks; 1 if any lacks something."""
    from headscarp.studies.pan_shi.check import check_study

    checks = check_study(options, folder)
    for own in checks:
        _tell_event(own)
    return int(not all(own.is_ready for own in checks))


def _tell_event(own: EventCheck) -> None:
    ready = "simulated here" if own.is_simulated else "ready"
    say(f"{own.event}: {ready if own.is_ready else 'cannot be looked at yet'}")
    for path in own.missing:
        say(f"  missing: {path}")
    if own.where:
        say(f"  {own.where}")
    if own.problem:
        say(f"  {own.problem}")
    for note in own.differing:
        say(f"  {note}")


def _dry_run(options: PanShiOptions, only: list[str], folder: Path) -> None:
    """Print every cell with its state, trainings and hours, and the sum of what is not done."""
    from headscarp.studies.cells import CELLS, minutes_left, read_cells, select
    from headscarp.studies.pan_shi.estimate import estimate_cells
    from headscarp.studies.pan_shi.plan import plan_cells

    cells = select(plan_cells(options), only)
    records = read_cells(cells, folder / CELLS)
    table = Table(box=None, pad_edge=False)
    for title in ("cell", "state", "trainings", "minutes at most"):
        table.add_column(title, justify="left" if title in ("cell", "state") else "right", overflow="fold")
    waiting = []
    for own, record in zip(estimate_cells(options, cells), records, strict=True):
        table.add_row(own.cell.name, record.state, str(own.trainings), f"{MINUTES_AN_HOUR * own.hours:.1f}")
        waiting += [own] if record.state != "done" else []
    out_console.print(table, highlight=False)
    trainings, hours = sum(own.trainings for own in waiting), sum(own.hours for own in waiting)
    say(
        f"{len(waiting)} cells, {trainings} trainings, at most {hours:.2g} hours in one process on this "
        "machine as "
        f"it is now, if each training runs all its {options.train.epochs} epochs; simulating twins comes "
        "on top"
    )
    minutes = minutes_left(records, "row")
    if waiting and minutes is not None:
        say(f"by the cells that are done: about {minutes:.0f} minutes of one process")
