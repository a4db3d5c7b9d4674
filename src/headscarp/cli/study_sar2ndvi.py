"""The command ``study sar2ndvi``."""

from __future__ import annotations

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
    say,
    tell_cells,
    tell_study,
)
from headscarp.cli.train import assignments


@study_app.command("sar2ndvi")
def sar2ndvi_command(
    config: Config = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="small|hualien", help="Instead of a file.")
    ] = None,
    out: Out = None,
    only: Only = None,
    max_minutes: MaxMinutes = None,
    given: Given = None,
    check: Annotated[bool, typer.Option("--check", help="List what is missing, and stop.")] = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """SAR to NDVI: windows of local statistics, sizes of chips, baselines; its Table 1 beside the paper's."""
    from headscarp.config import load
    from headscarp.studies.areas import missing
    from headscarp.studies.cells import CELLS, read_cells, select
    from headscarp.studies.presets import study_file
    from headscarp.studies.sar2ndvi.options import Sar2NdviOptions
    from headscarp.studies.sar2ndvi.plan import plan_cells
    from headscarp.studies.sar2ndvi.run import run_sar2ndvi

    options = load(Sar2NdviOptions, study_file("sar2ndvi", config, preset), assignments(given or []))
    folder = required_out(out)
    if check:
        absent = [] if options.event is None else missing(options.event)
        for path in absent:
            say(f"missing: {path}")
        if absent and options.event is not None:
            say(options.event.where)
        raise typer.Exit(int(bool(absent)))
    if dry_run:
        tell_cells(read_cells(select(plan_cells(options), only or ()), folder / CELLS), "row")
        return
    with progress_bars(quiet) as progress:
        record = run_sar2ndvi(options, folder, only=only or (), max_minutes=max_minutes, progress=progress)
    if not quiet:
        tell_study(record, folder, "results.md", "figures")
    fail_with(record)
