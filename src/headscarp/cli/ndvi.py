"""The command that maps NDVI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from headscarp.cli.app import Quiet, app, option, out_console, progress_bars, required_out
from headscarp.cli.map import named_rasters
from headscarp.config import NdviOptions, load_stack_options

if TYPE_CHECKING:
    from headscarp.pipeline.ndvi.record import NdviRecord


def _option(name: str, *flags: str, **more: object) -> Any:
    return option(name, *flags, model=NdviOptions, **more)


@app.command("ndvi")
def ndvi_command(
    scenes: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files and folders of scenes; or one folder with an event.yaml.", show_default=False
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder to write.")] = None,
    checkpoint: Annotated[Path | None, _option("ndvi.checkpoint", "--checkpoint")] = None,
    moment: Annotated[str | None, _option("ndvi.moment", "--moment")] = None,
    tiling: Annotated[str | None, _option("ndvi.tiling", "--tiling")] = None,
    window_px: Annotated[int | None, _option("ndvi.window_px", "--window-px")] = None,
    dem: Annotated[Path | None, _option("terrain.dem", "--dem")] = None,
    event_date: Annotated[str | None, _option("event.date", "--event-date")] = None,
    pre: Annotated[tuple[str, str] | None, _option("event.pre", "--pre", metavar="START END")] = None,
    post: Annotated[tuple[str, str] | None, _option("event.post", "--post", metavar="START END")] = None,
    aoi: Annotated[Path | None, _option("area.aoi", "--aoi")] = None,
    bbox: Annotated[
        tuple[float, float, float, float] | None, _option("area.bbox", "--bbox", metavar="W S E N")
    ] = None,
    crs: Annotated[str | None, _option("area.crs", "--crs")] = None,
    spacing: Annotated[float | None, _option("area.spacing", "--spacing")] = None,
    raster: Annotated[list[str] | None, _option("rasters", "--raster", metavar="NAME=PATH")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of options; the command line wins.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that stands in --out.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Map NDVI from radar scenes, before or after an event, and how far to believe it."""
    from headscarp.pipeline.ndvi.run import run_ndvi

    options = load_stack_options(
        NdviOptions,
        config,
        {
            "scenes": scenes or None,
            "ndvi.checkpoint": checkpoint,
            "ndvi.moment": moment,
            "ndvi.tiling": tiling,
            "ndvi.window_px": window_px,
            "terrain.dem": dem,
            "event.date": event_date,
            "event.pre": pre,
            "event.post": post,
            "area.aoi": aoi,
            "area.bbox": bbox,
            "area.crs": crs,
            "area.spacing": spacing,
            "rasters": named_rasters(raster or []) or None,
        },
    )
    with progress_bars(quiet) as progress:
        record = run_ndvi(options, required_out(out), overwrite, progress)
    if not quiet:
        _tell(record, required_out(out))


def _tell(record: NdviRecord, folder: Path) -> None:
    """Print what was mapped, and what to look at."""
    values, dates = record.values, sum(len(own) for own in record.dates_utc.values())
    side = "before" if record.moment == "pre" else "after"
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("grid", f"{record.columns} × {record.rows}, {values.observed_share:.1%} observed")
    table.add_row("dates", f"{dates} {side} the event, of {len(record.dates_utc)} orbit(s)")
    if values.mean is not None:
        low, middle, high = values.percentiles.values()
        table.add_row("NDVI", f"median {middle:.3f}; 5 to 95 %: {low:.3f} to {high:.3f}")
        table.add_row("believed", f"± {values.mean_std:.3f} on average (one standard deviation)")
    for note in record.notes:
        table.add_row("note", escape(note))
    out_console.print(table, highlight=False)
    out_console.print(f"look at {escape(str(folder / 'ndvi.png'))}", highlight=False, soft_wrap=True)
