"""A folder of patches: which there are, opened when they are asked for, and what speaks against any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import xarray as xr
from pydantic import BaseModel, ConfigDict, Field

from headscarp.errors import OptionsError
from headscarp.ingest.sen12.facts import PatchError, Release, parse_name
from headscarp.ingest.sen12.patch import read_patch, release_of
from headscarp.ingest.sen12landslides import SENSORS


class Refusal(BaseModel):
    """A file that was left out, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(description="Of the patch; the name of the file where it has none.")
    path: str
    reason: str


@dataclass(frozen=True)
class Patches:
    """The patches of one sensor; none is open.

    Attributes
    ----------
    sensor : str
    release : Release
    paths : mapping of str to Path
        By patch id, in the order of the names.
    foreign : tuple of Refusal
        Files of the folder that are no patches of the sensor, or a second file of a patch.
    """

    sensor: str
    release: Release
    paths: Mapping[str, Path]
    foreign: tuple[Refusal, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, patch_id: str) -> xr.Dataset:
        """Read a patch, as :func:`headscarp.ingest.sen12.patch.read_patch` does.

        Raises
        ------
        PatchError
            If there is none of that id, or it cannot be used.
        """
        if patch_id not in self.paths:
            raise PatchError(
                f"a {self.sensor} patch for every id asked for",
                f"none of {patch_id}",
                "its pixels cannot be had",
                "fetch the sensor's files again, or leave the id out",
            )
        return read_patch(self.paths[patch_id], self.release)

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Ids that have no file, sorted."""
        return sorted(set(ids) - self.paths.keys())


def open_patches(root: Path, sensor: str, release: Release | None = None) -> Patches:
    """Find the patches of a sensor; no file is opened.

    Parameters
    ----------
    root : Path
        Folder with ``s1asc``, ``s1dsc`` or ``s2``; patches may lie in folders below those, as archives of
        the release unpack to.
    sensor : str
        s1asc, s1dsc or s2.
    release : Release, optional
        None: told by a folder of the path that is named raw or harmonized.

    Raises
    ------
    OptionsError
        If there is no such sensor, no such folder, or the release cannot be told.
    """
    folder = root / sensor
    if sensor not in SENSORS or not folder.is_dir():
        raise OptionsError(
            f"a folder with patches in {', '.join(SENSORS)}",
            f"{sensor!r} in {root}" + ("" if root.is_dir() else " (no such folder)"),
            "there are no patches to read",
            "give the folder that holds s1asc, s1dsc and s2; archives must be unpacked",
        )
    release = release or release_of(folder / "any.nc")
    paths: dict[str, Path] = {}
    foreign: list[Refusal] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        problem = _problem(path, sensor, paths)
        if problem is None:
            paths[parse_name(path).id] = path
        else:
            foreign.append(Refusal(id=path.stem, path=str(path), reason=problem))
    return Patches(sensor, release, MappingProxyType(paths), tuple(foreign))


def _problem(path: Path, sensor: str, known: Mapping[str, Path]) -> str | None:
    """What speaks against a file by its name alone."""
    try:
        name = parse_name(path)
    except PatchError as error:
        return f"not {error.expected}"
    if name.sensor != sensor:
        return f"a patch of {name.sensor} in the folder of {sensor}"
    if name.id in known:
        return f"a second file of {name.id}, beside {known[name.id]}"
    return None
