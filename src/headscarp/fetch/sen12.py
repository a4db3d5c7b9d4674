"""``headscarp fetch sen12``: the official release into a folder, resumed where it stopped, verified."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headscarp.errors import OutputError
from headscarp.fetch.hub import Listing, RemoteFile, fetch_file, is_whole
from headscarp.fetch.options import FetchOptions
from headscarp.fetch.unpack import ARCHIVE, unpack_patches
from headscarp.run_folder import write_atomically

FETCH_JSON = "fetch.json"
Progress = Callable[[str, int, int], None]
"""Told a stage, what is done of it and the whole."""
_MEGABYTE = 1_000_000


class FetchedFile(BaseModel):
    """One file that was fetched and verified."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    sha256: str | None
    git_sha1: str | None
    patches: int | None = Field(None, description="Unpacked from an archive; none: it is no archive.")
    others: tuple[str, ...] = Field((), description="Members of an archive that are no patches, not written.")


class FetchRecord(BaseModel):
    """What a folder holds of a data set: ``fetch.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str
    commit: str
    files: dict[str, FetchedFile] = {}


def left_to_fetch(listing: Listing, out: Path) -> list[RemoteFile]:
    """Files that are not in a folder yet, verified and unpacked."""
    done = _read_record(out, listing).files
    return [file for file in listing.files if not _is_done(file, done, out)]


def fetch_patches(
    listing: Listing, out: Path, options: FetchOptions, progress: Progress = lambda *_: None
) -> FetchRecord:
    """Fetch, verify and unpack all files of a listing; what is there already is not fetched again.

    Parameters
    ----------
    listing : Listing
        Of :func:`headscarp.fetch.hub.fetch_listing`.
    out : Path
        The data set's own folders go into it, ``fetch.json`` beside them.
    options : FetchOptions
    progress : callable, optional
        Told megabytes of each file.

    Returns
    -------
    FetchRecord

    Raises
    ------
    HeadscarpError
        If there is too little room, or a file cannot be had; what was fetched before stays, and the next call
        goes on from there.
    """
    record = _read_record(out, listing)
    left = left_to_fetch(listing, out)
    _refuse_no_room(left, out)
    for file in left:
        target = out / file.path
        if not is_whole(file, target):
            fetch_file(listing, file, target, _meter(file, progress))
        record = record.model_copy(update={"files": record.files | {file.path: _unpacked(file, target)}})
        write_atomically(out / FETCH_JSON, record.model_dump_json(indent=2) + "\n")
        if _is_archive(file) and not options.keep_archives:
            target.unlink()
    return record


def _unpacked(file: RemoteFile, target: Path) -> FetchedFile:
    facts = FetchedFile(size=file.size, sha256=file.sha256, git_sha1=file.git_sha1)
    if not _is_archive(file):
        return facts
    found = unpack_patches(target, target.parent)
    return facts.model_copy(update={"patches": found.patches, "others": found.others})


def _is_archive(file: RemoteFile) -> bool:
    return file.path.endswith(ARCHIVE)


def _is_done(file: RemoteFile, done: dict[str, FetchedFile], out: Path) -> bool:
    """Whether a file was verified before, and is there or was unpacked."""
    known = done.get(file.path)
    same = known is not None and (known.size, known.sha256, known.git_sha1) == file[1:]
    return same and (_is_archive(file) or (out / PurePosixPath(file.path)).is_file())


def _read_record(out: Path, listing: Listing) -> FetchRecord:
    """What the folder holds; files of another commit count where their hashes are the same."""
    path = out / FETCH_JSON
    if not path.is_file():
        return FetchRecord(repo=listing.repo, commit=listing.commit)
    try:
        known = FetchRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise _taken(out, f"a {FETCH_JSON} that cannot be read") from error
    if known.repo != listing.repo:
        raise _taken(out, f"files of {known.repo}")
    return known.model_copy(update={"commit": listing.commit})


def _taken(out: Path, found: str) -> OutputError:
    return OutputError(
        "an --out that is new, or holds what an earlier fetch of the same data set left",
        f"{out}, which holds {found}",
        "files of two sources would be mixed",
        "choose another folder",
    )


def _refuse_no_room(left: list[RemoteFile], out: Path) -> None:
    """Refuse what cannot fit: archives as they come, before they are unpacked."""
    place = next(folder for folder in (out.resolve(), *out.resolve().parents) if folder.exists())
    needed, free = sum(file.size for file in left), shutil.disk_usage(place).free
    if needed > free:
        raise OutputError(
            f"room for {needed / 1e9:.1f} GB, and for what is unpacked from it",
            f"{free / 1e9:.1f} GB free at {place}",
            "the disk would be full before the data set is whole",
            "free some space, choose another folder, or fetch fewer sensors",
        )


def _meter(file: RemoteFile, progress: Progress) -> Callable[[int], None]:
    total, done = max(file.size // _MEGABYTE, 1), 0

    def arrived(count: int) -> None:
        nonlocal done
        done += count
        progress(file.path, min(done // _MEGABYTE, total), total)

    return arrived
