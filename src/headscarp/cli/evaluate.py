"""The commands ``evaluate`` and ``compare``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from headscarp.cli.app import Quiet, app, option, out_console, progress_bars, required_out
from headscarp.config import load
from headscarp.errors import OptionsError
from headscarp.evaluate.files import REPORT, SCORED
from headscarp.evaluate.options import EvaluateOptions, GroundOptions
from headscarp.pipeline.evaluate.table import Row, compared_rows, difference_rows, evaluation_rows

_option = partial(option, model=EvaluateOptions)
_ground = partial(option, model=GroundOptions)
GUTTER = 2
"""Blanks between the columns of a table."""


@app.command("evaluate")
def evaluate_command(
    prediction: Annotated[
        Path | None, typer.Argument(help="Run folder, or raster of probabilities.", show_default=False)
    ] = None,
    truth: Annotated[
        list[Path] | None,
        typer.Argument(help="Inventory files or folders, or one label raster.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Evaluation folder to write.")] = None,
    aoi: Annotated[Path | None, _ground("aoi", "--aoi")] = None,
    ignore: Annotated[list[Path] | None, _ground("ignore", "--ignore")] = None,
    dem: Annotated[Path | None, _ground("dem", "--dem")] = None,
    landcover: Annotated[Path | None, _ground("landcover", "--landcover")] = None,
    event: Annotated[str | None, _ground("event", "--event")] = None,
    region: Annotated[str | None, _ground("region", "--region")] = None,
    baseline: Annotated[list[str] | None, _ground("baselines", "--baseline", metavar="NAME=PATH")] = None,
    threshold: Annotated[float | None, _option("threshold", "--threshold")] = None,
    validation: Annotated[Path | None, _option("validation", "--validation")] = None,
    calibration: Annotated[str | None, _option("calibration", "--calibration")] = None,
    name: Annotated[str | None, _option("name", "--name")] = None,
    seed: Annotated[int | None, _option("seed", "--seed")] = None,
    min_area_m2: Annotated[float | None, _option("min_area_m2", "--min-area-m2")] = None,
    min_iou: Annotated[float | None, _option("matching.min_iou", "--min-iou")] = None,
    min_overlap: Annotated[float | None, _option("matching.min_overlap", "--min-overlap")] = None,
    tolerance: Annotated[int | None, _option("boundary_tolerance_px", "--boundary-tolerance-px")] = None,
    date_column: Annotated[str | None, _option("inventory.date_column", "--date-column")] = None,
    first_date: Annotated[str | None, _option("inventory.first_date", "--first-date")] = None,
    last_date: Annotated[str | None, _option("inventory.last_date", "--last-date")] = None,
    block_m: Annotated[float | None, _option("intervals.block_m", "--block-m")] = None,
    replicates: Annotated[int | None, _option("intervals.replicates", "--replicates")] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="YAML file of options, with several grounds if wanted; the command line wins."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the evaluation that stands in --out.")
    ] = False,
    report: Annotated[bool, typer.Option(help="Draw the figures and the page too.")] = True,
    quiet: Quiet = False,
) -> None:
    """Hold a map against the truth: figures with intervals, baselines, curves and pictures."""
    from headscarp.pipeline.evaluate.run import run_evaluate

    ground = {
        "prediction": prediction,
        "truth": truth or None,
        "aoi": aoi,
        "ignore": ignore or None,
        "dem": dem,
        "landcover": landcover,
        "event": event,
        "region": region,
        "baselines": _named_paths(baseline or []) or None,
    }
    options = load(
        EvaluateOptions,
        config,
        {
            "grounds": _one_ground(ground),
            "threshold": threshold,
            "validation": validation,
            "calibration": calibration,
            "name": name,
            "seed": seed,
            "min_area_m2": min_area_m2,
            "matching.min_iou": min_iou,
            "matching.min_overlap": min_overlap,
            "boundary_tolerance_px": tolerance,
            "inventory.date_column": date_column,
            "inventory.first_date": first_date,
            "inventory.last_date": last_date,
            "intervals.block_m": block_m,
            "intervals.replicates": replicates,
        },
    )
    folder = required_out(out)
    with progress_bars(quiet) as progress:
        evaluation = run_evaluate(options, folder, overwrite, progress, with_report=report)
    if quiet:
        return
    _print(evaluation_rows(evaluation))
    for note in evaluation.notes:
        out_console.print(f"note: {escape(note)}", highlight=False)
    for verb, file in (("look at", REPORT), ("map in ", SCORED)):
        if (folder / file).is_file():
            out_console.print(f"{verb} {folder / file}", highlight=False, soft_wrap=True)


@app.command("compare")
def compare_command(
    folders: Annotated[list[Path], typer.Argument(help="Evaluation folders; the first is the reference.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for comparison.json, comparison.csv and comparison.md."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the comparison that stands in --out.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Set evaluations side by side: intervals, paired differences on the same ground, spread over seeds."""
    from headscarp.pipeline.evaluate.compare import run_compare

    comparison = run_compare(folders, out, overwrite)
    if quiet:
        return
    _print(compared_rows(comparison))
    _print(difference_rows(comparison))
    for note in comparison.notes:
        out_console.print(f"note: {escape(note)}", highlight=False)


def _one_ground(given: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Ground of the command line; None when the configuration file names the grounds."""
    ground = {name: value for name, value in given.items() if value is not None}
    if not ground:
        return None
    missing = [name.upper() for name in ("prediction", "truth") if name not in ground]
    if missing:
        raise OptionsError(
            "PREDICTION and TRUTH",
            f"no {' and no '.join(missing)}",
            "a map can only be judged against what happened",
            "call `headscarp evaluate PREDICTION TRUTH --out DIR`; what is in a --config file stays there",
        )
    return [ground]


def _named_paths(texts: list[str]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not (sign and name and path):
            raise OptionsError(
                "--baseline NAME=PATH",
                text,
                "the baseline would have no name in the table",
                "write for instance --baseline log-ratio=runs/log-ratio",
            )
        named[name] = Path(path)
    return named


def _print(rows: tuple[Row, list[Row]]) -> None:
    """Print a table, its methods a few at a time where the screen is too narrow for all."""
    head, body = rows
    lines = [head, *body]
    widths = [max(len(line[column]) for line in lines) + GUTTER for column in range(len(head))]
    for columns in _fitting(widths, out_console.width):
        table = Table(box=None, pad_edge=False, padding=(0, GUTTER, 0, 0))
        for column in columns:
            table.add_column(escape(head[column]), justify="right" if column else "left", no_wrap=True)
        for line in body:
            table.add_row(*(escape(line[column]) for column in columns))
        out_console.print(table, highlight=False)


def _fitting(widths: list[int], limit: int) -> list[list[int]]:
    """Columns that fit side by side, each group led by the first."""
    groups: list[list[int]] = [[0]]
    for column in range(1, len(widths)):
        taken = sum(widths[each] for each in groups[-1])
        if taken + widths[column] > limit and len(groups[-1]) > 1:
            groups.append([0])
        groups[-1].append(column)
    return groups
