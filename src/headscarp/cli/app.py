"""What every command shares: the app, the consoles, options that describe themselves, progress bars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from headscarp import __version__
from headscarp.config import MapOptions, describe

app = typer.Typer(
    name="headscarp",
    help="Map landslides from Sentinel-1 radar after an earthquake or a storm.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
out_console = Console()
err_console = Console(stderr=True)

Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]


@app.callback(invoke_without_command=True)
def headscarp(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Map landslides from Sentinel-1 radar after an earthquake or a storm."""
    if version:
        out_console.print(f"headscarp {__version__}", highlight=False)
        raise typer.Exit


def option(name: str, *flags: str, model: type[BaseModel] = MapOptions, **more: Any) -> Any:
    """Return an option whose help is the configuration's own description."""
    return typer.Option(*flags, help=describe(name, model), show_default=False, **more)


def required_out(out: Path | None) -> Path:
    """Return the folder to write, or tell that it is missing."""
    if out is None:
        raise typer.BadParameter("the folder to write is missing", param_hint="--out")
    return out


@contextmanager
def progress_bars(quiet: bool) -> Iterator[Any]:
    """Show progress bars on the error stream, one a stage."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with ProgressBar(*columns, console=err_console, disable=quiet, transient=True) as bars:

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield progress
