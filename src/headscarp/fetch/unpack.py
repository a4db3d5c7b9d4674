"""Archives of patches to folders of patches."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from headscarp.fetch.options import FetchError
from headscarp.ingest.sen12.facts import PatchError, parse_name

ARCHIVE = ".tar.gz"


class Unpacked(NamedTuple):
    """Of one archive: patches written, and members that are none."""

    patches: int
    others: tuple[str, ...]


def unpack_patches(archive: Path, folder: Path) -> Unpacked:
    """Unpack the patches of an archive into one folder, whatever folders it holds.

    Only regular files named as patches are written, by their names alone: an archive cannot write elsewhere.
    Each appears whole or not at all; those of the right size that are there already stay.

    Raises
    ------
    FetchError
        If the archive cannot be read.
    """
    patches, others = 0, []
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = PurePosixPath(member.name).name
                if member.isfile() and _is_patch(name):
                    _write(members, member, folder / name)
                    patches += 1
                elif not member.isdir():
                    others.append(member.name)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise FetchError(
            "an archive of patches",
            f"{archive} ({error})",
            "its patches cannot be unpacked",
            "free some space if the disk is full; else delete the archive and run the same command again",
        ) from error
    return Unpacked(patches, tuple(others))


def _write(members: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = members.extractfile(member)
    if content is None or (target.is_file() and target.stat().st_size == member.size):
        return
    beside = target.with_name(f".{target.name}.part")
    with beside.open("wb") as out:
        while chunk := content.read(1 << 20):
            out.write(chunk)
    beside.replace(target)


def _is_patch(name: str) -> bool:
    try:
        parse_name(Path(name))
    except PatchError:
        return False
    return True
