"""The command that makes an event with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from headscarp.cli.app import Quiet, app, option, out_console, progress_bars, required_out
from headscarp.config import load
from headscarp.simulate.options import Distractor, Product, SimulateOptions, Trigger
from headscarp.simulate.record import SimulationRecord


def _option(name: str, *flags: str, **more: object) -> object:
    return option(name, *flags, model=SimulateOptions, **more)


@app.command("simulate")
def simulate_command(
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the event to write.")] = None,
    seed: Annotated[int | None, _option("seed", "--seed")] = None,
    size: Annotated[int | None, _option("size_px", "--size", metavar="PX")] = None,
    spacing: Annotated[float | None, _option("spacing_m", "--spacing", metavar="M")] = None,
    dem: Annotated[Path | None, _option("dem", "--dem")] = None,
    date: Annotated[str | None, _option("date", "--event-date")] = None,
    pre: Annotated[int | None, _option("pre", "--pre", metavar="N")] = None,
    post: Annotated[int | None, _option("post", "--post", metavar="N")] = None,
    landslides: Annotated[int | None, _option("landslides", "--landslides", metavar="N")] = None,
    trigger: Annotated[Trigger | None, _option("trigger", "--trigger")] = None,
    shapes: Annotated[Path | None, _option("shapes", "--shapes")] = None,
    product: Annotated[Product | None, _option("product", "--product")] = None,
    annotation: Annotated[Path | None, _option("annotation", "--annotation", metavar="PRODUCT")] = None,
    looks: Annotated[float | None, _option("looks", "--looks")] = None,
    jitter: Annotated[float | None, _option("jitter_m", "--jitter", metavar="M")] = None,
    without: Annotated[list[Distractor] | None, _option("without", "--without", metavar="KIND")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of options; the command line wins.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the simulated event that stands in --out.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Simulate an event with known truth, as the files of a real one."""
    from headscarp.pipeline.simulate import run_simulate

    options = load(
        SimulateOptions,
        config,
        {
            "seed": seed,
            "size_px": size,
            "spacing_m": spacing,
            "dem": dem,
            "date": date,
            "pre": pre,
            "post": post,
            "landslides": landslides,
            "trigger": trigger,
            "shapes": shapes,
            "product": product,
            "annotation": annotation,
            "looks": looks,
            "jitter_m": jitter,
            "without": without or None,
        },
    )
    with progress_bars(quiet) as progress:
        record = run_simulate(options, required_out(out), overwrite, progress)
    if not quiet:
        _tell(record, required_out(out))


def _tell(record: SimulationRecord, folder: Path) -> None:
    """Print what the event holds, and where to look."""
    table = Table(show_header=False, box=None, pad_edge=False)
    side_km = (record.rows * record.spacing_m / 1000.0, record.columns * record.spacing_m / 1000.0)
    low_m, high_m = record.heights_m
    table.add_row(
        "ground", f"{side_km[1]:.1f} × {side_km[0]:.1f} km, {low_m:.0f} to {high_m:.0f} m ({record.crs})"
    )
    merged = record.landslides_drawn - record.landslides
    area = f"{record.landslides_km2:.3f} km²; {merged} of {record.landslides_drawn} ran into another"
    table.add_row("landslides", f"{record.landslides} ({area})")
    if record.landslides_without_room:
        table.add_row("left out", f"{record.landslides_without_room} landslides for which there was no room")
    if any(record.shapes_moved_m):
        east, north = (f"{part / 1000.0:.1f}" for part in record.shapes_moved_m)
        table.add_row("shapes", f"moved {east} km to the east, {north} km to the north, onto this ground")
    others = ", ".join(f"{count} {kind}" for kind, count in record.distractors.items() if count)
    table.add_row("other changes", others or "none")
    for look in record.looks:
        hidden = f"layover {look.layover_share:.1%}, shadow {look.shadow_share:.1%} of the ground"
        table.add_row(look.label, f"{len(look.passes_utc)} scenes; {hidden}")
    out_console.print(table, highlight=False)
    out_console.print(f"look at {folder / 'overview.png'}", highlight=False, soft_wrap=True)
    out_console.print(f"map it  headscarp map {folder} --out RUN", highlight=False, soft_wrap=True)
