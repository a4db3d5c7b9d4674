"""The commands ``train`` and ``model info``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.markup import escape
from rich.table import Table

from headscarp.cli.app import Quiet, app, option, out_console, progress_bars, required_out
from headscarp.config import TrainOptions, load_chips_options
from headscarp.errors import OptionsError

if TYPE_CHECKING:
    from headscarp.checkpoint import Card
    from headscarp.train.record import TrainRecord

model_app = typer.Typer(help="Look at trained networks.", no_args_is_help=True)
app.add_typer(model_app, name="model")


def _option(name: str, *flags: str, **more: object) -> Any:
    return option(name, *flags, model=TrainOptions, **more)


@app.command("train")
def train_command(
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of events and options; the command line wins.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the training; one that stopped goes on.")
    ] = None,
    store: Annotated[Path | None, _option("store", "--store", metavar="STORE.zarr")] = None,
    init_from: Annotated[Path | None, _option("train.init_from", "--init-from")] = None,
    max_minutes: Annotated[float | None, _option("train.max_minutes", "--max-minutes")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.NAME=VALUE", help="Any option of the file, such as train.batch_size=8."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a network on events and their inventories; the same command again goes on where it stopped."""
    from headscarp.pipeline.train import run_train

    overrides = assignments(given or [])
    named = {"store": store, "train.init_from": init_from, "train.max_minutes": max_minutes}
    options = load_chips_options(TrainOptions, config, overrides | named)
    folder = required_out(out)
    with progress_bars(quiet) as progress:
        record = run_train(options, folder, progress)
    if not quiet:
        _tell(record, folder)


@model_app.command("info")
def model_info_command(
    path: Annotated[Path, typer.Argument(help="Checkpoint that headscarp train wrote.")],
) -> None:
    """Print the card of a checkpoint: what it looks at, how it was made, what it is good for."""
    from headscarp.checkpoint import read_card

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _card_rows(read_card(path)):
        table.add_row(name, escape(value))
    out_console.print(table, highlight=False)


def assignments(given: list[str]) -> dict[str, Any]:
    """Values by dotted name, read as YAML reads them."""
    values: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not (name and sign):
            raise OptionsError(
                "--set SECTION.NAME=VALUE",
                repr(text),
                "the option would keep its default",
                "write, for instance, --set train.batch_size=8",
            )
        values[name] = yaml.safe_load(value)
    return values


def _tell(record: TrainRecord, folder: Path) -> None:
    """Print how it went, what the network is worth, and what comes next."""
    endings = {
        "epochs": "all epochs done",
        "patience": "none better for long",
        "time": "stopped for the time limit",
        "asked": "stopped as asked",
    }
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("network", f"{record.network}, {record.filters} filters, {record.parameters:,} parameters")
    table.add_row("chips", ", ".join(f"{count} {name}" for name, count in record.chips.items() if count))
    table.add_row("epochs", f"{record.epochs}; {endings[record.ending]}; best: {record.best_epoch}")
    table.add_row("speed", f"{record.chips_per_s:.1f} chips/s, {record.seconds:.0f} s in all")
    table.add_row("validation", _figures(record.metrics))
    if record.threshold is not None:
        table.add_row("threshold", f"{record.threshold:.3g} (calibrated probability of the best F1)")
    else:
        table.add_row("residual", f"{_number(record.residual_std)} (one standard deviation)")
    if record.forgetting is not None:
        kept = record.forgetting
        before, after = (_number(value) for value in (kept.f1_before, kept.f1_after))
        table.add_row(
            "forgetting", f"F1 on {kept.chips} old validation chips: {before} before, {after} after"
        )
    out_console.print(table, highlight=False)
    for note in record.notes:
        out_console.print(f"note: {escape(note)}", highlight=False)
    if not record.finished:
        out_console.print("run again to go on", highlight=False)
    out_console.print(f"look at {escape(str(folder / 'curves.png'))}", highlight=False, soft_wrap=True)
    best = folder / "best.safetensors"
    use = f"headscarp map SCENES --detector {best} --out RUN"
    if record.threshold is None:
        use = f"headscarp ndvi SCENES --checkpoint {best} --out RUN"
    out_console.print(f"map with {escape(use)}", highlight=False, soft_wrap=True)


def _card_rows(card: Card) -> list[tuple[str, str]]:
    task, made = card.task, card.training
    statistics = zip(task.features.channels, task.units, task.mean, task.std, strict=True)
    unit = {"1": "", "its own": ""}
    data = ", ".join(f"{event} {digest[:12]}" for event, digest in made.data_sha256.items())
    return [
        ("network", ", ".join(f"{name} {value}" for name, value in card.network.items())),
        ("features", f"{task.features.name} ({task.features.form})"),
        *(
            ("", f"{name}: {mean:.4g} ± {std:.4g} {unit.get(u, u)}".rstrip())
            for name, u, mean, std in statistics
        ),
        ("spacing", f"{task.spacing_m:g} m"),
        ("label", task.label),
        (
            "dates",
            f"{_span(task.pre_dates)} before, {_span(task.post_dates)} after; pooled by {task.pooling}",
        ),
        ("validation", _figures(card.metrics)),
        _believed(card),
        ("trained", f"{made.epochs} epochs, seed {made.seed}, {made.created_utc}"),
        ("by", f"headscarp {made.headscarp}, commit {made.commit or 'unknown'}"),
        ("on", f"{data}; split {made.split_sha256[:12]}"),
        ("begun from", made.init_from or "first weights"),
        ("licence", card.licence),
    ]


def _believed(card: Card) -> tuple[str, str]:
    """How far the output is believed: threshold and calibration of log-odds, errors of values."""
    if card.residual is not None:
        return "residual", f"{card.residual.std:.3f} (one standard deviation)"
    return "threshold", f"{card.threshold:.3g}, calibration: {card.calibration or 'none'}"


def _figures(metrics: dict[str, float | None]) -> str:
    return (
        ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in metrics.items()) or "none"
    )


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _span(span: tuple[int, int]) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]} to {span[1]}"
