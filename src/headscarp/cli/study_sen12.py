"""The command ``study sen12``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headscarp.cli.app import Quiet, progress_bars, required_out
from headscarp.cli.study import study_app
from headscarp.cli.study_options import (
    Config,
    DryRun,
    Given,
    MaxMinutes,
    Only,
    Out,
    fail_with,
    tell_cells,
    tell_study,
)
from headscarp.cli.train import assignments


@study_app.command("sen12")
def sen12_command(
    config: Config = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="small|hokkaido", help="Instead of a file.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option("--root", help="Folder of the patches: s1asc, s1dsc (and s2) inside.")
    ] = None,
    tasks: Annotated[
        Path | None, typer.Option("--tasks", help="Task folder with the official splits (S12LS-LD).")
    ] = None,
    inventory: Annotated[
        str | None, typer.Option("--inventory", help="Inventory whose patches are used.")
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="dem|s2", help="What is added to the radar, as a stated variant."),
    ] = None,
    s2_offset: Annotated[
        float | None,
        typer.Option("--s2-offset", help="Offset of Sentinel-2 digital numbers, which --with s2 needs."),
    ] = None,
    out: Out = None,
    only: Only = None,
    max_minutes: MaxMinutes = None,
    given: Given = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Sen12Landslides: U-Net, Attention U-Net, ConvLSTM U-Net and others on identical splits."""
    from headscarp.config import load
    from headscarp.studies.cells import CELLS, read_cells, select
    from headscarp.studies.presets import study_file
    from headscarp.studies.sen12.options import Sen12Options
    from headscarp.studies.sen12.plan import plan_cells
    from headscarp.studies.sen12.run import run_sen12

    named = {
        "root": root,
        "tasks": tasks,
        "inventory": inventory,
        "variants": variant,
        "s2_offset": s2_offset,
    }
    options = load(Sen12Options, study_file("sen12", config, preset), assignments(given or []) | named)
    folder = required_out(out)
    if dry_run:
        tell_cells(read_cells(select(plan_cells(options), only or ()), folder / CELLS), "model")
        return
    with progress_bars(quiet) as progress:
        record = run_sen12(options, folder, only=only or (), max_minutes=max_minutes, progress=progress)
    if not quiet:
        tell_study(record, folder, "results/README.md", "results/Figures")
    fail_with(record)
