"""The command that makes backscatter out of Sentinel-1 GRD products."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from headscarp.backscatter.options import BackscatterOptions, Coefficient, HeightReference
from headscarp.backscatter.record import BackscatterRecord
from headscarp.cli.app import Quiet, app, option, out_console, progress_bars, required_out
from headscarp.config import load


def _option(name: str, *flags: str, **more: object) -> object:
    return option(name, *flags, model=BackscatterOptions, **more)


@app.command("backscatter")
def backscatter_command(
    products: Annotated[
        list[Path] | None,
        typer.Argument(help="Sentinel-1 IW GRD products (.SAFE folders or zips), or folders of them."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of GeoTIFFs to write.")] = None,
    dem: Annotated[Path | None, _option("dem", "--dem")] = None,
    heights: Annotated[HeightReference | None, _option("heights", "--heights")] = None,
    geoid: Annotated[Path | None, _option("geoid", "--geoid")] = None,
    orbit: Annotated[Path | None, _option("orbit", "--orbit")] = None,
    fetch_orbits: Annotated[bool | None, _option("fetch_orbits", "--fetch-orbits/--no-fetch-orbits")] = None,
    aoi: Annotated[Path | None, _option("area.aoi", "--aoi")] = None,
    bbox: Annotated[
        tuple[float, float, float, float] | None, _option("area.bbox", "--bbox", metavar="W S E N")
    ] = None,
    crs: Annotated[str | None, _option("area.crs", "--crs")] = None,
    spacing: Annotated[float | None, _option("area.spacing", "--spacing")] = None,
    coefficient: Annotated[Coefficient | None, _option("coefficient", "--coefficient")] = None,
    border_noise: Annotated[bool | None, _option("border_noise", "--border-noise/--no-border-noise")] = None,
    thermal_noise: Annotated[
        bool | None, _option("thermal_noise", "--thermal-noise/--no-thermal-noise")
    ] = None,
    flatten: Annotated[bool | None, _option("flatten", "--flatten/--no-flatten")] = None,
    ground_range: Annotated[
        Literal["nearest", "linear"] | None, _option("ground_range", "--ground-range")
    ] = None,
    visibility: Annotated[bool | None, _option("visibility", "--visibility/--no-visibility")] = None,
    allow_empty: Annotated[bool | None, _option("allow_empty", "--allow-empty")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of options; the command line wins.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the backscatter that stands in --out.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Make terrain-corrected backscatter out of Sentinel-1 GRD products."""
    from headscarp.pipeline.backscatter.run import run_backscatter

    options = load(
        BackscatterOptions,
        config,
        {
            "products": products or None,
            "dem": dem,
            "heights": heights,
            "geoid": geoid,
            "orbit": orbit,
            "fetch_orbits": fetch_orbits,
            "area.aoi": aoi,
            "area.bbox": bbox,
            "area.crs": crs,
            "area.spacing": spacing,
            "coefficient": coefficient,
            "border_noise": border_noise,
            "thermal_noise": thermal_noise,
            "flatten": flatten,
            "ground_range": ground_range,
            "visibility": visibility,
            "allow_empty": allow_empty,
        },
    )
    with progress_bars(quiet) as progress:
        record = run_backscatter(options, required_out(out), overwrite, progress)
    if not quiet:
        _tell(record, required_out(out))


def _tell(record: BackscatterRecord, folder: Path) -> None:
    """Print what was made, what was left out, and what to do with it."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("grid", f"{record.columns} × {record.rows}, {record.grid_source}")
    table.add_row("heights", f"{record.heights}; the DEM covers {record.dem_coverage:.1%}")
    for one in record.acquisitions:
        pols = " ".join(one.polarizations)
        table.add_row(one.file, f"{pols}, {len(one.slices)} slice(s), {one.observed_share:.1%} observed")
        for part in one.slices:
            undone = sorted({f"{pol} {done}" for pol, done in part.noise.items() if "not" in done})
            table.add_row("", "; ".join([f"orbit: {part.orbit}", *undone]))
    for name, reason in record.left_out.items():
        table.add_row("left out", f"{name}: {reason}")
    out_console.print(table, highlight=False)
    out_console.print(
        escape(f"map them  headscarp map {folder} --event-date DATE --out RUN"),
        highlight=False,
        soft_wrap=True,
    )
