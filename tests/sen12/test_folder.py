"""Folders of patches: nothing is skipped in silence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from headscarp.errors import OptionsError
from headscarp.ingest.sen12.facts import PatchError, Release
from headscarp.ingest.sen12.folder import open_patches
from headscarp.pipeline.sen12 import check_patches
from headscarp.split import SplitFile


@pytest.fixture
def root(made_root: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "harmonized"
    shutil.copytree(made_root / "s1asc", copy / "s1asc")
    return copy


def test_patches_are_found_without_being_opened(root: Path) -> None:
    (root / "s1asc" / "part01").mkdir()
    (root / "s1asc" / "hokkaido_s1asc_0.nc").rename(root / "s1asc" / "part01" / "hokkaido_s1asc_0.nc")
    (root / "s1asc" / "hokkaido_s1asc_1.nc").write_text("not opened")
    patches = open_patches(root, "s1asc")
    assert sorted(patches.paths) == [f"hokkaido_{n}" for n in range(6)]
    assert (len(patches), patches.release, patches.foreign) == (6, Release.HARMONIZED, ())
    assert patches.missing(["hokkaido_9", "hokkaido_1", "hokkaido_7"]) == ["hokkaido_7", "hokkaido_9"]
    assert patches.read("hokkaido_0").attrs["facts"].id == "hokkaido_0"
    with pytest.raises(PatchError, match="none of hokkaido_9"):
        patches.read("hokkaido_9")


def test_foreign_files_are_named(root: Path) -> None:
    folder = root / "s1asc"
    (folder / "notes.txt").touch()
    (folder / "hokkaido_s1dsc_1.nc").touch()
    (folder / "more").mkdir()
    shutil.copy(folder / "hokkaido_s1asc_2.nc", folder / "more" / "hokkaido_s1asc_2.nc")
    foreign = open_patches(root, "s1asc").foreign
    reasons = {Path(found.path).relative_to(folder).as_posix(): found.reason for found in foreign}
    assert sorted(reasons) == ["hokkaido_s1dsc_1.nc", "more/hokkaido_s1asc_2.nc", "notes.txt"]
    assert "a patch of s1dsc" in reasons["hokkaido_s1dsc_1.nc"]
    assert "second file of hokkaido_2" in reasons["more/hokkaido_s1asc_2.nc"]


@pytest.mark.parametrize("sensor", ["s1dsc", "s3"])
def test_a_sensor_that_is_not_there_is_refused(root: Path, sensor: str) -> None:
    with pytest.raises(OptionsError, match="s1asc, s1dsc, s2"):
        open_patches(root, sensor)


def test_every_patch_is_counted(root: Path, made_splits: list[SplitFile]) -> None:
    folder = root / "s1asc"
    (folder / "hokkaido_s1asc_3.nc").write_bytes(b"corrupt")
    (folder / "hokkaido_s1asc_5.nc").unlink()
    (folder / "notes.txt").touch()
    report = check_patches(root, "s1asc", made_splits)
    assert (report.asked, report.written) == (6, 4)
    assert [missing.id for missing in report.missing] == ["hokkaido_5"]
    assert [(refused.id, Path(refused.path).name) for refused in report.refused] == [
        ("hokkaido_3", "hokkaido_s1asc_3.nc")
    ]
    assert [Path(foreign.path).name for foreign in report.foreign] == ["notes.txt"]
    assert report.date_sources == {"event_date": 4}
    there = check_patches(root, "s1asc", release=Release.RAW)
    assert (there.asked, there.written, len(there.refused)) == (5, 0, 5)
