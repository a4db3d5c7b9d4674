"""The command ``search``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from headscarp.cli.app import Quiet, app, err_console, option, out_console, progress_bars, required_out
from headscarp.cli.train import assignments
from headscarp.config import SearchOptions, load_chips_options

if TYPE_CHECKING:
    from headscarp.search.record import SearchRecord


def _option(name: str, *flags: str, **more: object) -> Any:
    return option(name, *flags, model=SearchOptions, **more)


@app.command("search")
def search_command(
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of events and options; the command line wins.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the search; one that stopped goes on.")
    ] = None,
    store: Annotated[Path | None, _option("store", "--store", metavar="STORE.zarr")] = None,
    method: Annotated[str | None, _option("search.method", "--method", metavar="grid|random|halving")] = None,
    trials: Annotated[int | None, _option("search.trials", "--trials")] = None,
    max_hours: Annotated[float | None, _option("search.max_hours", "--max-hours")] = None,
    workers: Annotated[int | None, _option("search.workers", "--workers")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.NAME=VALUE", help="Any option of the file, such as search.filters=[16]."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train with combinations of batch size, learning rate and filters; the same command again goes on."""
    from headscarp.pipeline.search import run_search

    named = {
        "store": store,
        "search.method": method,
        "search.trials": trials,
        "search.max_hours": max_hours,
        "search.workers": workers,
    }
    options = load_chips_options(SearchOptions, config, assignments(given or []) | named)
    folder = required_out(out)

    def estimated(hours: float, waiting: int) -> None:
        if not quiet:
            at_once = options.search.workers
            err_console.print(
                f"{waiting} combinations; at most {hours:.2g} hours on this machine if each runs all "
                f"{options.train.epochs} epochs" + (f", {at_once} at a time" if at_once > 1 else "")
            )

    with progress_bars(quiet) as progress:
        record = run_search(options, folder, progress, estimated)
    if not quiet:
        _tell(record, folder)


def _tell(record: SearchRecord, folder: Path) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("filters", "learning rate", "batch", "F1", "epochs", "seconds", ""):
        table.add_column(title, justify="right" if title else "left")
    for row in record.rows:
        table.add_row(
            str(row.filters),
            f"{row.learning_rate:g}",
            str(row.batch_size),
            "" if row.f1 is None else f"{row.f1:.3f}",
            "" if row.epochs is None else str(row.epochs),
            "" if row.seconds is None else f"{row.seconds:.0f}",
            row.state if row.error is None else f"{row.state}: {escape(row.error)}",
        )
    out_console.print(table, highlight=False)
    if any(row.state in ("waiting", "cut off") for row in record.rows):
        out_console.print("run again to go on", highlight=False)
    out_console.print(f"look at {escape(str(folder / 'search.png'))}", highlight=False, soft_wrap=True)
    if record.best is not None:
        best = folder / record.best.folder / "best.safetensors"
        out_console.print(f"best: {escape(str(best))}", highlight=False, soft_wrap=True)
