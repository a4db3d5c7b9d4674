"""The commands of the main job: ``map``, ``polygons`` and ``config``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from headscarp.backscatter.options import BackscatterOptions, HeightReference
from headscarp.cli.app import Quiet, app, err_console, option, out_console, progress_bars, required_out
from headscarp.config import (
    ChipsOptions,
    InjectOptions,
    MapOptions,
    NdviOptions,
    SearchOptions,
    SensitivityOptions,
    TrainOptions,
    default_yaml,
    load_options,
)
from headscarp.errors import OptionsError
from headscarp.evaluate.options import EvaluateOptions
from headscarp.record import RunRecord
from headscarp.simulate.options import SimulateOptions


@app.command("map")
def map_command(
    scenes: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files and folders of scenes, Sentinel-1 GRD products (.SAFE, zip) among them; or one "
            "folder with an event.yaml.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder to write.")] = None,
    event_date: Annotated[str | None, option("event.date", "--event-date")] = None,
    pre: Annotated[tuple[str, str] | None, option("event.pre", "--pre", metavar="START END")] = None,
    post: Annotated[tuple[str, str] | None, option("event.post", "--post", metavar="START END")] = None,
    as_of: Annotated[str | None, option("event.as_of", "--as-of")] = None,
    aoi: Annotated[Path | None, option("area.aoi", "--aoi")] = None,
    bbox: Annotated[
        tuple[float, float, float, float] | None, option("area.bbox", "--bbox", metavar="W S E N")
    ] = None,
    crs: Annotated[str | None, option("area.crs", "--crs")] = None,
    spacing: Annotated[float | None, option("area.spacing", "--spacing")] = None,
    dem: Annotated[Path | None, option("terrain.dem", "--dem")] = None,
    heights: Annotated[HeightReference | None, option("backscatter.heights", "--heights")] = None,
    geoid: Annotated[Path | None, option("backscatter.geoid", "--geoid")] = None,
    orbit: Annotated[Path | None, option("backscatter.orbit", "--orbit")] = None,
    fetch_orbits: Annotated[
        bool | None, option("backscatter.fetch_orbits", "--fetch-orbits/--no-fetch-orbits")
    ] = None,
    min_slope_deg: Annotated[float | None, option("terrain.min_slope_deg", "--min-slope-deg")] = None,
    raster: Annotated[list[str] | None, option("rasters", "--raster", metavar="NAME=PATH")] = None,
    scale: Annotated[str | None, option("ingest.scale", "--scale")] = None,
    orbit_state: Annotated[str | None, option("ingest.orbit_state", "--orbit-state")] = None,
    pattern: Annotated[str | None, option("ingest.name_pattern", "--name-pattern")] = None,
    pooling: Annotated[str | None, option("change.pooling", "--pooling")] = None,
    detector: Annotated[str | None, option("detect.detector", "--detector")] = None,
    windows_px: Annotated[str | None, option("detect.windows_px", "--windows-px", metavar="PX,PX,…")] = None,
    despeckle: Annotated[bool | None, option("detect.despeckle", "--despeckle/--no-despeckle")] = None,
    direction: Annotated[str | None, option("detect.direction", "--direction")] = None,
    validation: Annotated[Path | None, option("detect.validation", "--validation")] = None,
    calibration: Annotated[str | None, option("detect.calibration", "--calibration")] = None,
    threshold: Annotated[float | None, option("polygons.threshold", "--threshold")] = None,
    false_alarms: Annotated[
        float | None, option("detect.false_alarms_per_100km2", "--false-alarms-per-100km2")
    ] = None,
    min_area_m2: Annotated[float | None, option("polygons.min_area_m2", "--min-area-m2")] = None,
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
    from headscarp.pipeline.map.resume import tell_nobody
    from headscarp.pipeline.map.run import run_map

    options = load_options(
        config,
        {
            "scenes": scenes or None,
            "event.date": event_date,
            "event.pre": pre,
            "event.post": post,
            "event.as_of": as_of,
            "area.aoi": aoi,
            "area.bbox": bbox,
            "area.crs": crs,
            "area.spacing": spacing,
            "terrain.dem": dem,
            "backscatter.heights": heights,
            "backscatter.geoid": geoid,
            "backscatter.orbit": orbit,
            "backscatter.fetch_orbits": fetch_orbits,
            "terrain.min_slope_deg": min_slope_deg,
            "rasters": named_rasters(raster or []) or None,
            "ingest.scale": scale,
            "ingest.orbit_state": orbit_state,
            "ingest.name_pattern": pattern,
            "change.pooling": pooling,
            "detect.detector": detector,
            "detect.windows_px": windows_px.split(",") if windows_px else None,
            "detect.despeckle": despeckle,
            "detect.direction": direction,
            "detect.validation": validation,
            "detect.calibration": calibration,
            "polygons.threshold": threshold,
            "detect.false_alarms_per_100km2": false_alarms,
            "polygons.min_area_m2": min_area_m2,
        },
    )
    with progress_bars(quiet) as progress:
        record = run_map(options, required_out(out), overwrite, progress, tell_nobody if quiet else _say)
    if not quiet:
        _tell(record, required_out(out), verbose)


@app.command("polygons")
def polygons_command(
    run: Annotated[Path, typer.Argument(help="Run folder that `headscarp map` wrote.")],
    threshold: Annotated[float | None, option("polygons.threshold", "--threshold")] = None,
    min_area_m2: Annotated[float | None, option("polygons.min_area_m2", "--min-area-m2")] = None,
    quiet: Quiet = False,
) -> None:
    """Draw the landslides of a run again, from its stored probability."""
    from headscarp.pipeline.map.redraw import redraw_polygons

    record = redraw_polygons(run, threshold, min_area_m2)
    if not quiet:
        _tell(record, run, verbose=False)


def named_rasters(given: list[str]) -> dict[str, Path]:
    """Rasters by name, from NAME=PATH.

    Raises
    ------
    OptionsError
        If a text has another form.

    Examples
    --------
    >>> named_rasters(["geology=maps/geology.tif"])["geology"].name
    'geology.tif'
    """
    named: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise OptionsError(
                "--raster NAME=PATH, such as --raster geology=geology.tif",
                repr(text),
                "the network would not find the raster that it looks at by this name",
                "write the name that the checkpoint's features have after raster:",
            )
        named[name] = Path(path)
    return named


def _say(text: str) -> None:
    """Say a sentence on the error stream, above the progress bars."""
    err_console.print(escape(text), highlight=False, soft_wrap=True)


class Configured(StrEnum):
    """Commands with a --config file."""

    MAP = "map"
    EVALUATE = "evaluate"
    SIMULATE = "simulate"
    INJECT = "inject"
    SENSITIVITY = "sensitivity"
    CHIPS = "chips"
    TRAIN = "train"
    SEARCH = "search"
    NDVI = "ndvi"
    BACKSCATTER = "backscatter"


@app.command("config")
def config_command(
    command: Annotated[
        Configured, typer.Argument(help="Command whose options are printed.")
    ] = Configured.MAP,
) -> None:
    """Print every option with its default, as commented YAML for --config."""
    options = {
        Configured.MAP: MapOptions,
        Configured.EVALUATE: EvaluateOptions,
        Configured.SIMULATE: SimulateOptions,
        Configured.INJECT: InjectOptions,
        Configured.SENSITIVITY: SensitivityOptions,
        Configured.CHIPS: ChipsOptions,
        Configured.TRAIN: TrainOptions,
        Configured.SEARCH: SearchOptions,
        Configured.NDVI: NdviOptions,
        Configured.BACKSCATTER: BackscatterOptions,
    }
    sys.stdout.write(default_yaml(options[command]()))


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
