"""The command that cuts chips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from headscarp.cli.app import Quiet, app, option, out_console, progress_bars
from headscarp.config import ChipsOptions, SearchOptions, load_chips_options
from headscarp.split import SPLIT_NAMES, SplitFile

if TYPE_CHECKING:
    from headscarp.chips.store import StoreFacts


@app.command("chips")
def chips_command(
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of events and options; the command line wins.")
    ] = None,
    out: Annotated[Path | None, option("store", "--out", model=ChipsOptions, metavar="STORE.zarr")] = None,
    seed: Annotated[int | None, option("split.seed", "--seed", model=ChipsOptions)] = None,
    method: Annotated[str | None, option("split.method", "--split", model=ChipsOptions)] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a store or split of other options or inputs.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Cut chips from events and their inventories, and split them for training."""
    from headscarp.pipeline.chips.run import SPLIT_JSON, choose_split, keep_split, make_chips

    overrides = {"store": out, "split.seed": seed, "split.method": method}
    options = load_chips_options(SearchOptions, config, overrides)  # a file of train or search does, too
    if options.store is None:
        raise typer.BadParameter("the store to write is missing", param_hint="--out")
    with progress_bars(quiet) as progress:
        store = make_chips(options.events, options.chips, options.store, progress, overwrite)
    split = choose_split(store, options.split)
    path = options.store.parent / SPLIT_JSON if options.split.file is None else options.split.file
    if options.split.file is None:
        keep_split(path, split, overwrite)
    if not quiet:
        _tell(store.facts, split)
        out_console.print(f"chips in {escape(str(options.store))}", highlight=False, soft_wrap=True)
        out_console.print(f"audit it  headscarp audit {escape(str(path))}", highlight=False, soft_wrap=True)


def _tell(facts: StoreFacts, split: SplitFile) -> None:
    """Print chips and landslide pixels by event and split."""
    table = Table(box=None, pad_edge=False)
    for title in ("event", "split", "chips", "with landslides", "landslide pixels"):
        table.add_column(title, justify="left" if title in ("event", "split") else "right")
    of_chip = {chip.id: chip.split for chip in split.chips}
    for event in facts.events:
        for name in (*SPLIT_NAMES, None):
            own = [c.landslide_px for c in facts.chips if (c.event, of_chip.get(c.id)) == (event.name, name)]
            if own:
                slid = sum(px > 0 for px in own)
                row = (escape(event.name), name or "left out", str(len(own)), str(slid), f"{sum(own):,}")
                table.add_row(*row)
    out_console.print(table, highlight=False)
