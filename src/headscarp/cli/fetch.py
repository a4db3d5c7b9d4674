"""The commands that fetch published data sets: ``fetch``."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from headscarp.cli.app import Quiet, app, option, out_console, progress_bars, required_out
from headscarp.config import load
from headscarp.fetch.options import FetchOptions
from headscarp.ingest.sen12.facts import Release

if TYPE_CHECKING:
    from headscarp.fetch.hub import RemoteFile

fetch_app = typer.Typer(help="Fetch published data sets.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(fetch_app, name="fetch")


@fetch_app.callback()
def fetch() -> None:
    """Fetch published data sets."""


@fetch_app.command("sen12")
def fetch_sen12_command(
    out: Annotated[Path | None, typer.Option("--out", help="Folder to fetch into.")] = None,
    release: Annotated[Release | None, option("release", "--release", model=FetchOptions)] = None,
    sensor: Annotated[list[str] | None, option("sensors", "--sensor", model=FetchOptions)] = None,
    repo: Annotated[str | None, option("repo", "--repo", model=FetchOptions)] = None,
    revision: Annotated[str | None, option("revision", "--revision", model=FetchOptions)] = None,
    tasks: Annotated[bool | None, option("tasks", "--tasks/--no-tasks", model=FetchOptions)] = None,
    keep: Annotated[
        bool | None, option("keep_archives", "--keep-archives/--no-keep-archives", model=FetchOptions)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before fetching.")] = False,
    quiet: Quiet = False,
) -> None:
    """Fetch the official Sen12Landslides: sizes first, then a question, then the files, verified."""
    from headscarp.fetch.hub import fetch_listing
    from headscarp.fetch.sen12 import fetch_patches, left_to_fetch

    given = {
        "release": release,
        "sensors": tuple(sensor) if sensor else None,
        "repo": repo,
        "revision": revision,
        "tasks": tasks,
        "keep_archives": keep,
    }
    options, folder = load(FetchOptions, None, given), required_out(out)
    listing = fetch_listing(options)
    left = left_to_fetch(listing, folder)
    if not quiet:
        _tell(listing.repo, listing.commit, left, len(listing.files) - len(left))
    if left and not yes:
        typer.confirm("Fetch them?", abort=True)
    with progress_bars(quiet) as progress:
        record = fetch_patches(listing, folder, options, progress)
    if not quiet:
        patches = sum(file.patches or 0 for file in record.files.values())
        others = sum(len(file.others) for file in record.files.values())
        out_console.print(
            f"{len(record.files)} files verified, {patches} patches unpacked, {others} members left out",
            highlight=False,
        )
        out_console.print(f"data in {escape(str(folder))}", highlight=False, soft_wrap=True)


def _tell(repo: str, commit: str, left: list[RemoteFile], there: int) -> None:
    """Print what is to be fetched, exactly, by folder."""
    out_console.print(f"{escape(repo)} at {commit}", highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for title in ("folder", "files", "bytes"):
        table.add_column(title, justify="left" if title == "folder" else "right")
    folders = sorted({str(PurePosixPath(file.path).parent) for file in left})
    for folder in folders:
        own = [file.size for file in left if str(PurePosixPath(file.path).parent) == folder]
        table.add_row(escape(folder), str(len(own)), f"{sum(own):,}")
    table.add_row("to fetch", str(len(left)), f"{sum(file.size for file in left):,}")
    if there:
        table.add_row("there already", str(there), "")
    out_console.print(table, highlight=False)
