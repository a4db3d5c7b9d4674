"""The commands of Sen12Landslides: ``sen12 check``, ``sen12 chips``, ``sen12 simulate``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from headscarp.cli.app import Quiet, app, option, out_console, progress_bars, required_out
from headscarp.config import load
from headscarp.errors import OptionsError
from headscarp.ingest.sen12.facts import Release
from headscarp.pipeline.sen12.options import PatchSimulateOptions
from headscarp.split import SPLIT_NAMES, SplitFile

if TYPE_CHECKING:
    from headscarp.pipeline.sen12.report import PatchReport
    from headscarp.pipeline.sen12.variants import Variant

sen12_app = typer.Typer(
    help="Patches of Sen12Landslides: checked, made into chips, simulated.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(sen12_app, name="sen12")

Root = Annotated[Path, typer.Argument(metavar="ROOT", help="Folder that holds s1asc, s1dsc and s2.")]
Task = Annotated[
    Path | None,
    typer.Option("--task", help="Task folder of the release, such as tasks/S12LS-LD/harmonized."),
]
Sensors = Annotated[
    list[str] | None, typer.Option("--sensor", help="s1asc or s1dsc; once for each. None: both.")
]
Inventories = Annotated[
    list[str] | None, typer.Option("--inventory", help="Such as hokkaido; once for each. None: all.")
]
ReleaseOption = Annotated[
    Release | None,
    typer.Option("--release", help="raw or harmonized. None: told by the name of a folder."),
]
EventDate = Annotated[
    str | None, typer.Option("--event-date", help="Day of the event for patches that state none.")
]
_MOST_NAMED = 10
"""Patches that are named on the screen; the report names all."""


@sen12_app.command("check")
def check_command(
    root: Root,
    task: Task = None,
    sensor: Sensors = None,
    inventory: Inventories = None,
    release: ReleaseOption = None,
    event_date: EventDate = None,
    quiet: Quiet = False,
) -> None:
    """Read every patch, and name those that cannot be used."""
    from headscarp.pipeline.sen12.check import check_patches

    splits = _splits(task) if task else []
    for own in sensor or ("s1asc", "s1dsc"):
        with progress_bars(quiet) as progress:
            report = check_patches(
                root,
                own,
                splits,
                inventories=tuple(inventory or ()),
                release=release,
                event_date=_day(event_date),
                progress=progress,
            )
        _tell_report(report, "usable")


@sen12_app.command("chips")
def chips_command(
    root: Root,
    task: Task = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="STORE.zarr", help="The store to write.")
    ] = None,
    features: Annotated[str, typer.Option("--features", help="Name of a feature set.")] = "group1",
    sensor: Sensors = None,
    inventory: Inventories = None,
    release: ReleaseOption = None,
    event_date: EventDate = None,
    variant: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="dem|s2", help="Channels to add to the feature set; once for each."),
    ] = None,
    s2_offset: Annotated[
        float | None,
        typer.Option("--s2-offset", help="Offset of Sentinel-2 digital numbers, which --with s2 needs."),
    ] = None,
    folds: Annotated[int, typer.Option("--folds", help="Folds of the blocked split.")] = 5,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a store or splits of other patches.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Make chips of patches, with the official splits and blocked folds beside the store."""
    from headscarp.features.sets import feature_set
    from headscarp.pipeline.chips.run import keep_split
    from headscarp.pipeline.sen12.chips import make_patch_chips
    from headscarp.pipeline.sen12.report import read_patch_report
    from headscarp.pipeline.sen12.splits import blocked_folds, official_splits
    from headscarp.pipeline.sen12.variants import with_variants

    if task is None:
        raise typer.BadParameter("the task folder is missing", param_hint="--task")
    target, splits = required_out(out), _splits(task)
    own = with_variants(feature_set(features), _variants(variant or ()), s2_offset)
    with progress_bars(quiet) as progress:
        store = make_patch_chips(
            root,
            tuple(sensor or ("s1asc", "s1dsc")),
            own,
            splits,
            target,
            inventories=tuple(inventory or ()),
            release=release,
            event_date=_day(event_date),
            s2_offset=s2_offset,
            progress=progress,
            overwrite=overwrite,
        )
    found = {f"official_{name}": split for name, split in official_splits(store.facts, splits).items()}
    found |= {f"blocked_{i}": split for i, split in enumerate(blocked_folds(store.facts, folds))}
    for name, split in found.items():
        keep_split(target.parent / f"{target.stem}.{name}.json", split, overwrite)
    if not quiet:
        _tell_report(read_patch_report(target), "chips")
        _tell_splits(found)
        out_console.print(f"chips in {escape(str(target))}", highlight=False, soft_wrap=True)
        named = escape(str(target.parent / f"{target.stem}.NAME.json"))
        out_console.print(f"audit a split  headscarp audit {named}", highlight=False, soft_wrap=True)


@sen12_app.command("simulate")
def simulate_patches_command(
    task: Task = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write.")] = None,
    inventory: Annotated[str | None, option("inventory", "--inventory", model=PatchSimulateOptions)] = None,
    sensor: Annotated[list[str] | None, option("sensors", "--sensor", model=PatchSimulateOptions)] = None,
    release: Annotated[Release | None, option("release", "--release", model=PatchSimulateOptions)] = None,
    dim_order: Annotated[str | None, option("dim_order", "--dim-order", model=PatchSimulateOptions)] = None,
    seed: Annotated[int | None, option("seed", "--seed", model=PatchSimulateOptions)] = None,
    event_date: Annotated[str | None, option("date", "--event-date", model=PatchSimulateOptions)] = None,
    pre: Annotated[int | None, option("pre", "--pre", model=PatchSimulateOptions)] = None,
    post: Annotated[int | None, option("post", "--post", model=PatchSimulateOptions)] = None,
    landslides: Annotated[
        int | None, option("landslides", "--landslides", model=PatchSimulateOptions)
    ] = None,
    dem: Annotated[Path | None, option("dem", "--dem", model=PatchSimulateOptions)] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace simulated patches that stand in --out.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Simulate an event under the places of an inventory, in the format of the release."""
    from headscarp.pipeline.sen12.simulate import simulate_patches

    if task is None:
        raise typer.BadParameter("the task folder is missing", param_hint="--task")
    given = {
        "inventory": inventory,
        "sensors": tuple(sensor) if sensor else None,
        "release": release,
        "dim_order": dim_order,
        "seed": seed,
        "date": event_date,
        "pre": pre,
        "post": post,
        "landslides": landslides,
        "dem": dem,
    }
    options = load(PatchSimulateOptions, None, given)
    with progress_bars(quiet) as progress:
        record = simulate_patches(_splits(task), required_out(out), options, progress, overwrite)
    if not quiet:
        for own, count in record.patches.items():
            share = f"{record.landslide_share[own]:.2%} of the pixels are landslides"
            text = f"{own}: {count} simulated patches, {record.annotated[own]} with landslides; {share}"
            out_console.print(text, highlight=False)
        out_console.print(f"patches in {escape(str(out))}", highlight=False, soft_wrap=True)


def _splits(task: Path) -> list[SplitFile]:
    from headscarp.ingest.sen12landslides import read_task_splits

    return [found.split for found in read_task_splits(task)]


def _variants(names: Sequence[str]) -> list[Variant]:
    from headscarp.pipeline.sen12.variants import VARIANTS

    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        raise OptionsError(
            f"variants: {', '.join(VARIANTS)}",
            ", ".join(unknown),
            "what is added to the radar would not be known",
            "name one of them, once for each --with",
        )
    return [variant for variant in VARIANTS if variant in names]


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise OptionsError(
            "a day such as 2018-09-06",
            repr(text),
            "dates before and after the event could not be told apart",
            "write the day in ISO 8601",
        ) from None


def _tell_report(report: PatchReport, written: str) -> None:
    """Print how many patches there are, and name the first of those left out."""
    left_out = [*report.missing, *report.refused]
    text = f"{', '.join(report.sensors)} ({report.release}): {report.written} of {report.asked} {written}"
    out_console.print(text, highlight=False)
    for refusal in left_out[:_MOST_NAMED]:
        out_console.print(f"  left out {escape(refusal.id)}: {escape(refusal.reason)}", highlight=False)
    if len(left_out) > _MOST_NAMED:
        out_console.print(f"  and {len(left_out) - _MOST_NAMED} more", highlight=False)
    counts = {
        "files that are no patches of the sensor": len(report.foreign),
        "patches whose pre_post_dates contradict event_date (event_date was followed)": len(
            report.disagreeing
        ),
        "dates on the day of the event, left out": report.dates_on_the_day,
        "dates between two events, left out": report.dates_between_events,
        "dates that stood there twice, merged": report.repeated_dates,
        "values at a limit of the release": report.clipped_values,
        "patches without Sentinel-2: kept, those channels empty, named in the report": len(report.without_s2),
        "pixels that no clear date of Sentinel-2 shows before the event": report.s2_hidden_px[0],
        "pixels that no clear date of Sentinel-2 shows after the event": report.s2_hidden_px[1],
    }
    for what, count in counts.items():
        if count:
            out_console.print(f"  {count:,} {what}", highlight=False)


def _tell_splits(splits: dict[str, SplitFile]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("split", *SPLIT_NAMES, "left out"):
        table.add_column(title, justify="left" if title == "split" else "right")
    for name, split in splits.items():
        counts = [str(sum(chip.split == part for chip in split.chips)) for part in SPLIT_NAMES]
        table.add_row(name, *counts, str(split.made.get("left_out", 0)))
    out_console.print(table, highlight=False)
