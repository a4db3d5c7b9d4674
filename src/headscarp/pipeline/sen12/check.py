"""A folder of patches, all of them read: what can be used, and what speaks against the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from headscarp.ingest.sen12.facts import PatchError, Release
from headscarp.ingest.sen12.folder import Patches, Refusal, open_patches
from headscarp.pipeline.sen12.dates import split_patch
from headscarp.pipeline.sen12.places import wanted_places
from headscarp.pipeline.sen12.report import PatchNote, PatchReport, report_of
from headscarp.pipeline.stages import Progress, Stages, silent
from headscarp.split import SplitFile


def check_patches(
    root: Path,
    sensor: str,
    splits: Sequence[SplitFile] = (),
    *,
    inventories: Sequence[str] = (),
    release: Release | None = None,
    event_date: date | None = None,
    progress: Progress = silent,
) -> PatchReport:
    """Read every patch of a sensor and tell which cannot be used, and why.

    Parameters
    ----------
    root : Path
        Folder with ``s1asc``, ``s1dsc`` or ``s2``.
    sensor : str
    splits : sequence of SplitFile
        Which patches there should be; none: those that are there.
    inventories : sequence of str
        Of the splits; none: all.
    release : Release, optional
    event_date : date, optional
        Day of the event for patches that state none.
    progress : callable, optional

    Raises
    ------
    HeadscarpError
        If there is no such folder, or its release cannot be told.
    """
    patches = open_patches(root, sensor, release)
    asked = [p.id for p in wanted_places(splits, [sensor], inventories)] if splits else list(patches.paths)
    there = [patch_id for patch_id in asked if patch_id in patches.paths]
    missing = [Refusal(id=i, path="", reason=f"no {sensor} file") for i in patches.missing(asked)]
    found = Stages(progress).map(f"{sensor} patches", lambda i: _note(patches, i, event_date), there)
    return report_of((sensor,), patches.release.value, list(found), missing, patches.foreign)


def _note(patches: Patches, patch_id: str, event_date: date | None) -> PatchNote:
    try:
        patch = patches.read(patch_id)
        sides = split_patch(patch, event_date)
    except PatchError as error:
        path, told = str(patches.paths[patch_id]), str(error).replace("\n", "; ")
        return PatchNote(id=patch_id, refusal=Refusal(id=patch_id, path=path, reason=told))
    before, after = len(sides.split.pre), len(sides.split.post)
    return PatchNote(
        id=patch_id,
        sources=(sides.source,),
        disagrees=sides.disagrees,
        on_the_day=sides.on_the_day,
        between=sides.between,
        pre_dates=(before, before),
        post_dates=(after, after),
        clipped_values=int(patch.attrs["clipped_values"]),
        repeated_dates=int(patch.attrs["repeated_dates"]),
    )
