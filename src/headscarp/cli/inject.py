"""The commands that plant landslides in real scenes: ``inject`` and ``sensitivity``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from headscarp.cli.app import Quiet, app, option, out_console, progress_bars, required_out
from headscarp.config import InjectOptions, SensitivityOptions, load_stack_options
from headscarp.inject.record import InjectionRecord
from headscarp.sensitivity.record import Cell, SensitivityRecord


def _plant(name: str, *flags: str, **more: object) -> object:
    return option(f"inject.{name}", *flags, model=InjectOptions, **more)


def _probe(name: str, *flags: str, **more: object) -> object:
    return option(f"sensitivity.{name}", *flags, model=SensitivityOptions, **more)


Scenes = Annotated[
    list[Path] | None,
    typer.Argument(help="Files and folders of scenes, or one folder with an event.yaml.", show_default=False),
]
Config = Annotated[Path | None, typer.Option("--config", help="YAML file of options; the command line wins.")]


@app.command("inject")
def inject_command(
    scenes: Scenes = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the event to write.")] = None,
    event_date: Annotated[str | None, option("event.date", "--event-date")] = None,
    pre: Annotated[tuple[str, str] | None, option("event.pre", "--pre", metavar="START END")] = None,
    post: Annotated[tuple[str, str] | None, option("event.post", "--post", metavar="START END")] = None,
    aoi: Annotated[Path | None, option("area.aoi", "--aoi")] = None,
    bbox: Annotated[
        tuple[float, float, float, float] | None, option("area.bbox", "--bbox", metavar="W S E N")
    ] = None,
    dem: Annotated[Path | None, option("terrain.dem", "--dem")] = None,
    min_slope_deg: Annotated[float | None, option("terrain.min_slope_deg", "--min-slope-deg")] = None,
    scale: Annotated[str | None, option("ingest.scale", "--scale")] = None,
    orbit_state: Annotated[str | None, option("ingest.orbit_state", "--orbit-state")] = None,
    pattern: Annotated[str | None, option("ingest.name_pattern", "--name-pattern")] = None,
    seed: Annotated[int | None, _plant("seed", "--seed")] = None,
    landslides: Annotated[int | None, _plant("landslides", "--landslides", metavar="N")] = None,
    sizes_ha: Annotated[str | None, _plant("sizes_ha", "--sizes-ha", metavar="HA,HA,…")] = None,
    min_area_m2: Annotated[float | None, _plant("min_area_m2", "--min-area", metavar="M2")] = None,
    shapes: Annotated[Path | None, _plant("shapes", "--shapes")] = None,
    vh_db: Annotated[float | None, _plant("vh_db", "--vh-db", metavar="DB")] = None,
    vh_spread_db: Annotated[float | None, _plant("vh_spread_db", "--vh-spread-db", metavar="DB")] = None,
    vv_db: Annotated[float | None, _plant("vv_db", "--vv-db", metavar="DB")] = None,
    vv_spread_db: Annotated[float | None, _plant("vv_spread_db", "--vv-spread-db", metavar="DB")] = None,
    gap: Annotated[float | None, _plant("gap_m", "--gap", metavar="M")] = None,
    config: Config = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the planted event that stands in --out.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Plant landslides of known size and change into real scenes."""
    from headscarp.pipeline.inject import run_inject

    options = load_stack_options(
        InjectOptions,
        config,
        {
            "scenes": scenes or None,
            "event.date": event_date,
            "event.pre": pre,
            "event.post": post,
            "area.aoi": aoi,
            "area.bbox": bbox,
            "terrain.dem": dem,
            "terrain.min_slope_deg": min_slope_deg,
            "ingest.scale": scale,
            "ingest.orbit_state": orbit_state,
            "ingest.name_pattern": pattern,
            "inject.seed": seed,
            "inject.landslides": landslides,
            "inject.sizes_ha": sizes_ha,
            "inject.min_area_m2": min_area_m2,
            "inject.shapes": shapes,
            "inject.vh_db": vh_db,
            "inject.vh_spread_db": vh_spread_db,
            "inject.vv_db": vv_db,
            "inject.vv_spread_db": vv_spread_db,
            "inject.gap_m": gap,
        },
    )
    with progress_bars(quiet) as progress:
        record = run_inject(options, required_out(out), overwrite, progress)
    if not quiet:
        _tell(record, required_out(out))


def _tell(record: InjectionRecord, folder: Path) -> None:
    """Print what was planted, and where to look."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row(
        "planted", f"{record.landslides} landslides ({record.landslides_km2:.3f} km²): {record.outlines}"
    )
    for size in record.sizes:
        table.add_row(f"  {size.size_ha:g} ha", f"{size.planted} of {size.asked}")
    for name, spread in (("VH", record.vh_db), ("VV", record.vv_db)):
        if spread is not None:
            table.add_row(name, f"{spread[0]:+.1f} to {spread[1]:+.1f} dB")
    if record.room_km2 is not None:
        table.add_row("room", f"{record.room_km2:.2f} km²")
    changed = sum(file.planted for file in record.files)
    table.add_row("files", f"{changed} planted in, {len(record.files) - changed} as they were")
    out_console.print(table, highlight=False)
    for note in record.notes:
        out_console.print(f"warning: {escape(note)}", highlight=False)
    out_console.print(f"look at {folder / 'overview.png'}", highlight=False, soft_wrap=True)
    out_console.print(f"map it  headscarp map {folder} --out RUN", highlight=False, soft_wrap=True)


@app.command("sensitivity")
def sensitivity_command(
    scenes: Scenes = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write; finished rounds in it are kept.")
    ] = None,
    event_date: Annotated[str | None, option("event.date", "--event-date")] = None,
    pre: Annotated[tuple[str, str] | None, option("event.pre", "--pre", metavar="START END")] = None,
    post: Annotated[tuple[str, str] | None, option("event.post", "--post", metavar="START END")] = None,
    aoi: Annotated[Path | None, option("area.aoi", "--aoi")] = None,
    bbox: Annotated[
        tuple[float, float, float, float] | None, option("area.bbox", "--bbox", metavar="W S E N")
    ] = None,
    crs: Annotated[str | None, option("area.crs", "--crs")] = None,
    spacing: Annotated[float | None, option("area.spacing", "--spacing")] = None,
    dem: Annotated[Path | None, option("terrain.dem", "--dem")] = None,
    min_slope_deg: Annotated[float | None, option("terrain.min_slope_deg", "--min-slope-deg")] = None,
    scale: Annotated[str | None, option("ingest.scale", "--scale")] = None,
    orbit_state: Annotated[str | None, option("ingest.orbit_state", "--orbit-state")] = None,
    pattern: Annotated[str | None, option("ingest.name_pattern", "--name-pattern")] = None,
    pooling: Annotated[str | None, option("change.pooling", "--pooling")] = None,
    detector: Annotated[str | None, option("detect.detector", "--detector")] = None,
    validation: Annotated[Path | None, option("detect.validation", "--validation")] = None,
    calibration: Annotated[str | None, option("detect.calibration", "--calibration")] = None,
    min_area_m2: Annotated[float | None, option("polygons.min_area_m2", "--min-area-m2")] = None,
    sizes_ha: Annotated[str | None, _probe("sizes_ha", "--sizes-ha", metavar="HA,HA,…")] = None,
    changes_db: Annotated[str | None, _probe("changes_db", "--changes-db", metavar="DB,DB,…")] = None,
    vv_db: Annotated[float | None, _probe("vv_db", "--vv-db", metavar="DB")] = None,
    rates: Annotated[str | None, _probe("rates", "--rates", metavar="N,N,…")] = None,
    rounds: Annotated[int | None, _probe("rounds", "--rounds", metavar="N")] = None,
    each: Annotated[int | None, _probe("each", "--each", metavar="N")] = None,
    gap: Annotated[float | None, _probe("gap_m", "--gap", metavar="M")] = None,
    shapes: Annotated[Path | None, _probe("shapes", "--shapes")] = None,
    seed: Annotated[int | None, _probe("seed", "--seed")] = None,
    config: Config = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew where --out holds another sensitivity.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Measure what can be found on a stack, by size and change."""
    from headscarp.pipeline.sensitivity import run_sensitivity

    options = load_stack_options(
        SensitivityOptions,
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
            "detect.validation": validation,
            "detect.calibration": calibration,
            "polygons.min_area_m2": min_area_m2,
            "sensitivity.sizes_ha": sizes_ha,
            "sensitivity.changes_db": changes_db,
            "sensitivity.vv_db": vv_db,
            "sensitivity.rates": rates,
            "sensitivity.rounds": rounds,
            "sensitivity.each": each,
            "sensitivity.gap_m": gap,
            "sensitivity.shapes": shapes,
            "sensitivity.seed": seed,
        },
    )
    with progress_bars(quiet) as progress:
        record = run_sensitivity(options, required_out(out), overwrite, progress)
    if not quiet:
        _tell_sensitivity(record, required_out(out))


def _tell_sensitivity(record: SensitivityRecord, folder: Path) -> None:
    """Print recall by size and change, the sentences, and where to look."""
    for rate in record.rates:
        at = "no threshold" if rate.threshold is None else f"probability from {rate.threshold:.6g}"
        alarms = f"{rate.rate_per_100km2:g} false alarms per 100 km² allowed"
        title = f"{alarms} ({at}; {rate.objects} on the untouched stack)"
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        own = [cell for cell in record.cells if cell.rate_per_100km2 == rate.rate_per_100km2]
        changes = list(dict.fromkeys(cell.change_db for cell in own))
        table.add_column("found of planted")
        for change in changes:
            table.add_column(f"{change:g} dB", justify="right")
        for size in dict.fromkeys(cell.size_ha for cell in own):
            table.add_row(f"{size:g} ha", *(_shares(cell) for cell in own if cell.size_ha == size))
        out_console.print(table, highlight=False, soft_wrap=True)
    for line in record.sentences:
        out_console.print(line, highlight=False, soft_wrap=True)
    for note in record.notes:
        out_console.print(f"warning: {escape(note)}", highlight=False, soft_wrap=True)
    out_console.print(f"look at {folder / 'sensitivity.png'}", highlight=False, soft_wrap=True)


def _shares(cell: Cell) -> str:
    return "–" if cell.recall is None else f"{cell.found}/{cell.planted}"
