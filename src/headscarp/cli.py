"""The command line: arguments to options, options to the pipeline, errors to people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from headscarp import __version__
from headscarp.config import default_yaml, describe, load_options
from headscarp.errors import HeadscarpError
from headscarp.record import RunRecord

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


def _option(name: str, *flags: str, **more: Any) -> Any:
    """An option whose help is the configuration's own description."""
    return typer.Option(*flags, help=describe(name), show_default=False, **more)


@app.callback(invoke_without_command=True)
def headscarp(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Map landslides from Sentinel-1 radar after an earthquake or a storm."""
    if version:
        out_console.print(f"headscarp {__version__}", highlight=False)
        raise typer.Exit


@app.command("map")
def map_command(
    scenes: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders of scenes.", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder to write.")] = None,
    event_date: Annotated[str | None, _option("event.date", "--event-date")] = None,
    pre: Annotated[tuple[str, str] | None, _option("event.pre", "--pre", metavar="START END")] = None,
    post: Annotated[tuple[str, str] | None, _option("event.post", "--post", metavar="START END")] = None,
    aoi: Annotated[Path | None, _option("area.aoi", "--aoi")] = None,
    bbox: Annotated[
        tuple[float, float, float, float] | None, _option("area.bbox", "--bbox", metavar="W S E N")
    ] = None,
    crs: Annotated[str | None, _option("area.crs", "--crs")] = None,
    spacing: Annotated[float | None, _option("area.spacing", "--spacing")] = None,
    dem: Annotated[Path | None, _option("terrain.dem", "--dem")] = None,
    min_slope_deg: Annotated[float | None, _option("terrain.min_slope_deg", "--min-slope-deg")] = None,
    scale: Annotated[str | None, _option("ingest.scale", "--scale")] = None,
    orbit_state: Annotated[str | None, _option("ingest.orbit_state", "--orbit-state")] = None,
    pattern: Annotated[str | None, _option("ingest.name_pattern", "--name-pattern")] = None,
    pooling: Annotated[str | None, _option("change.pooling", "--pooling")] = None,
    detector: Annotated[str | None, _option("detect.detector", "--detector")] = None,
    threshold: Annotated[float | None, _option("polygons.threshold", "--threshold")] = None,
    false_alarms: Annotated[
        float | None, _option("detect.false_alarms_per_100km2", "--false-alarms-per-100km2")
    ] = None,
    min_area_m2: Annotated[float | None, _option("polygons.min_area_m2", "--min-area-m2")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of options; the command line wins.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that stands in --out.")
    ] = False,
    quiet: Quiet = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more: files, stages, notes.")] = False,
) -> None:
    """Map landslides from a folder of scenes and an event date."""
    from headscarp.pipeline.run import run_map

    options = load_options(
        config,
        {
            "scenes": scenes or None,
            "event.date": event_date,
            "event.pre": pre,
            "event.post": post,
            "area.aoi": aoi,
            "area.bbox": bbox,
            "area.crs": crs,
            "area.spacing": spacing,
            "terrain.dem": dem,
            "terrain.min_slope_deg": min_slope_deg,
            "ingest.scale": scale,
            "ingest.orbit_state": orbit_state,
            "ingest.name_pattern": pattern,
            "change.pooling": pooling,
            "detect.detector": detector,
            "polygons.threshold": threshold,
            "detect.false_alarms_per_100km2": false_alarms,
            "polygons.min_area_m2": min_area_m2,
        },
    )
    with _progress(quiet) as progress:
        record = run_map(options, _required_out(out), overwrite, progress)
    if not quiet:
        _tell(record, _required_out(out), verbose)


@app.command("polygons")
def polygons_command(
    run: Annotated[Path, typer.Argument(help="Run folder that `headscarp map` wrote.")],
    threshold: Annotated[float | None, _option("polygons.threshold", "--threshold")] = None,
    min_area_m2: Annotated[float | None, _option("polygons.min_area_m2", "--min-area-m2")] = None,
    quiet: Quiet = False,
) -> None:
    """Draw the landslides of a run again, from its stored probability."""
    from headscarp.pipeline.redraw import redraw_polygons

    record = redraw_polygons(run, threshold, min_area_m2)
    if not quiet:
        _tell(record, run, verbose=False)


@app.command("config")
def config_command() -> None:
    """Print every option with its default, as commented YAML for --config."""
    sys.stdout.write(default_yaml())


def main() -> None:
    """Run the command line; bad input ends with exit code 2 and no traceback."""
    try:
        app(standalone_mode=True)
    except HeadscarpError as error:
        err_console.print(f"[bold red]headscarp: bad input[/]\n{escape(str(error))}", soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err_console.print("headscarp: interrupted; nothing was written")
        sys.exit(130)


def _required_out(out: Path | None) -> Path:
    if out is None:
        raise typer.BadParameter("the run folder to write is missing", param_hint="--out")
    return out


@contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    """Progress bars on the error stream, one a stage."""
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


def _tell(record: RunRecord, folder: Path, verbose: bool) -> None:
    """Print the short table that ends a run, and where to look."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _rows(record):
        table.add_row(name, value)
    out_console.print(table, highlight=False)
    for note in record.notes:
        out_console.print(f"note: {escape(note)}", highlight=False)
    if verbose:
        for line in _inputs(record):
            out_console.print(escape(line), highlight=False, soft_wrap=True)
        for stage in record.stages:
            out_console.print(
                f"{stage.name}: {stage.seconds:.1f} s, {stage.peak_memory_mb:.0f} MB",
                highlight=False,
            )
    out_console.print(f"look at {folder / 'report.html'}", highlight=False, soft_wrap=True)
    out_console.print(f"map in  {folder / 'landslides.gpkg'}", highlight=False, soft_wrap=True)


def _inputs(record: RunRecord) -> Iterator[str]:
    """One line an input: what it was used for, and where its facts came from."""
    for entry in record.inputs:
        yield (
            f"{entry.role.value}: {Path(entry.path).name} ({entry.reader}; {entry.scale}, "
            f"{entry.scale_source}; {entry.orbit_state.value}, {entry.orbit_state_source}): {entry.reason}"
        )


def _rows(record: RunRecord) -> Iterator[tuple[str, str]]:
    results = record.results
    found = f"{results.landslides} ({results.landslides_km2:.3f} km²)"
    yield "landslides", f"{found} at probability {record.detector.threshold:g} or above"
    yield "flagged", f"{results.flagged_share:.3%} of the observed ground"
    yield "observed", f"{results.observed_km2:.2f} km² of {results.area_of_interest_km2:.2f} km²"
    for orbit in record.orbits:
        days = orbit.days_to_first_pass
        wait = f"; first pass {days:.1f} days after the event" if days is not None else ""
        pairs = f"{len(orbit.pre_utc)} dates before, {len(orbit.post_utc)} after"
        yield orbit.label, f"{pairs}{wait} (direction from {orbit.orbit_state_source})"
    own = [f for f in record.pseudo_event.false_alarms if f.threshold == record.detector.threshold]
    false = f"{own[0].per_100km2:.1f} per 100 km² (pseudo-event)" if own else "not measured"
    yield "false alarms", false
