"""Patches of Sen12Landslides to a store of chips as any other, which ``audit`` and ``train`` read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from headscarp import __version__
from headscarp.chips.store import ChipError, ChipStore, EventFacts, StoreFacts, open_store
from headscarp.chips.writer import Layout, StoreWriter, open_writer
from headscarp.errors import OutputError
from headscarp.features.sets import FeatureSet, feature_set
from headscarp.ingest.raster import read_sha256
from headscarp.ingest.sen12.facts import Release
from headscarp.ingest.sen12.folder import Patches, Refusal, open_patches
from headscarp.ingest.sen12landslides import PATCH_PX, SPACING_M
from headscarp.pipeline.sen12.cut import MOST_DATES, CutPatch, cut_patch, refuse_unseen_channels
from headscarp.pipeline.sen12.optical import S2, OpticalSource, declared_offset
from headscarp.pipeline.sen12.places import wanted_places
from headscarp.pipeline.sen12.report import NoteBook, PatchNote, PatchReport, report_of, write_patch_report
from headscarp.pipeline.stages import Progress, Stages, silent
from headscarp.split import Chip, SplitFile

POOLING = "orbit_state"
"""Patches do not tell relative orbits: all dates of a state make one median."""
Hashes = Mapping[tuple[str, str], str]
"""SHA-256 of a file by sensor and patch id."""


def make_patch_chips(
    root: Path,
    sensors: Sequence[str],
    features: str | FeatureSet,
    splits: Sequence[SplitFile],
    store: Path,
    *,
    inventories: Sequence[str] = (),
    release: Release | None = None,
    event_date: date | None = None,
    s2_offset: float | None = None,
    progress: Progress = silent,
    overwrite: bool = False,
) -> ChipStore:
    """Make a store of chips of patches, take it up where it stopped, or use the one that stands there.

    A chip is a patch: its id is the patch's, its event the inventory, its label MASK, 255 where not observed.
    Patches that are missing or cannot be used are left out, and named in the report beside the store.

    Parameters
    ----------
    root : Path
        Folder with ``s1asc`` and ``s1dsc``.
    sensors : sequence of str
        s1asc, s1dsc or both; a place needs a patch of each.
    features : str or FeatureSet
    splits : sequence of SplitFile
        Of :func:`headscarp.ingest.sen12landslides.read_task_splits`: the places, and the inventory of each.
        Those of the sensors and the aligned one are looked at.
    store : Path
        The zarr store; it appears when it is complete.
    inventories : sequence of str
        Such as hokkaido; none: all.
    release : Release, optional
        None: told by a folder of the path that is named raw or harmonized.
    event_date : date, optional
        Day of the event for patches that state none.
    s2_offset : float, optional
        Reflectance offset of the Sentinel-2 patches, digital numbers; needed for channels of
        :mod:`headscarp.pipeline.sen12.optical`. Patches without one keep those channels empty, and are named.
    progress : callable, optional
    overwrite : bool
        Replace a store of other options or patches.

    Returns
    -------
    ChipStore
        Its chips in the order of their ids.

    Raises
    ------
    HeadscarpError
        On bad input, or if no patch could be used; a store that stood there is then untouched.
    """
    own = feature_set(features) if isinstance(features, str) else features
    refuse_unseen_channels(own, tuple(sensors))
    places = wanted_places(splits, sensors, inventories)
    opened = {sensor: open_patches(root, sensor, release) for sensor in sensors}
    offset = declared_offset(own, s2_offset)
    optical = None if offset is None else OpticalSource(open_patches(root, S2, release), offset)
    missing = [_missing(opened[s], i) for s in sensors for i in opened[s].missing(p.id for p in places)]
    absent = {refusal.id for refusal in missing}
    there = [place for place in places if place.id not in absent]
    stages = Stages(progress)
    hashes = _hashes(opened if optical is None else {**opened, S2: optical.patches}, there, stages)
    key = _key(own, opened, hashes, event_date, there, optical)
    if _stands(store, key, overwrite):
        return open_store(store)
    writer, book = (
        open_writer(store, key, Layout(own, PATCH_PX, MOST_DATES, len(there))),
        NoteBook(store, key),
    )
    _cut_all(lambda place: cut_patch(opened, own, place, event_date, optical), there, writer, book, stages)
    notes = [book.notes[place.id] for place in there]
    foreign = [r for patches in (*opened.values(), *_patches(optical)) for r in patches.foreign]
    report = report_of(sensors, next(iter(opened.values())).release.value, notes, missing, foreign)
    _refuse_nothing(writer, [*missing, *report.refused])
    if optical is not None:
        _refuse_unpaired(report)
    writer.finish(_facts(own, key, writer, notes, hashes))
    write_patch_report(store, report)
    book.close()
    return open_store(store)


def _missing(patches: Patches, patch_id: str) -> Refusal:
    return Refusal(id=patch_id, path="", reason=f"no {patches.sensor} file")


def _hashes(opened: Mapping[str, Patches], places: Sequence[Chip], stages: Stages) -> Hashes:
    """Of the files that are there; those of radar all are."""
    work = [(s, place.id) for s, patches in opened.items() for place in places if place.id in patches.paths]
    found = stages.map("hashing patches", lambda each: read_sha256(opened[each[0]].paths[each[1]]), work)
    return dict(zip(work, found, strict=True))


def _key(
    features: FeatureSet,
    opened: Mapping[str, Patches],
    hashes: Hashes,
    event_date: date | None,
    places: Sequence[Chip],
    optical: OpticalSource | None,
) -> str:
    """SHA-256 of all that decides about the store."""
    content: dict[str, object] = {
        "headscarp": __version__,
        "features": features.model_dump(mode="json"),
        "releases": [[sensor, patches.release] for sensor, patches in opened.items()],
        "event_date": str(event_date),
        "places": [[p.id, p.event, p.crs, p.bounds] for p in places],
        "files": [[*name, sha256] for name, sha256 in hashes.items()],
    }
    if optical is not None:
        content["s2"] = [optical.patches.release, optical.offset]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _patches(optical: OpticalSource | None) -> tuple[Patches, ...]:
    return () if optical is None else (optical.patches,)


def _stands(path: Path, key: str, overwrite: bool) -> bool:
    """Whether the store that stands there is the one asked for."""
    if not path.exists():
        return False
    standing = open_store(path).facts
    if standing.key != key and not overwrite:
        raise OutputError(
            "no file or folder there, or the store of the same patches and features",
            f"{path}, a store of {len(standing.chips)} chips of others",
            "chips that others train on would be lost",
            "pass --overwrite to replace it, or choose another --out",
        )
    return standing.key == key


def _cut_all(
    cut: Callable[[Chip], CutPatch],
    places: Sequence[Chip],
    writer: StoreWriter,
    book: NoteBook,
    stages: Stages,
) -> None:
    """Cut what is not there yet, in order."""
    left = [p for p in places if p.id not in writer.done or p.id not in book.notes]
    found = stages.map("patches to chips", cut, left)
    for place, (chip, note) in zip(left, found, strict=True):
        book.add(note)
        if place.id not in writer.done:
            writer.append(place.id, [] if chip is None else [chip])


def _refuse_nothing(writer: StoreWriter, refusals: Sequence[Refusal]) -> None:
    if not writer.chips:
        first = refusals[0] if refusals else None
        raise ChipError(
            "at least one patch that can be used",
            f"none of {len(refusals)}" + (f"; {first.id}: {first.reason}" if first else ""),
            "there is nothing to train on",
            "check the folder, the release and the inventory",
        )


def _refuse_unpaired(report: PatchReport) -> None:
    if len(report.without_s2) == report.written:
        first = report.without_s2[0]
        raise ChipError(
            "Sentinel-2 patches of the same places",
            f"none of {report.written} could be used; {first.id}: {first.reason}",
            "every channel of Sentinel-2 would be empty",
            "fetch the patches of s2, or leave that variant out",
        )


def _facts(
    features: FeatureSet, key: str, writer: StoreWriter, notes: Sequence[PatchNote], hashes: Hashes
) -> StoreFacts:
    events = sorted({chip.event for chip in writer.chips})
    of_event = {chip.id: chip.event for chip in writer.chips}
    return StoreFacts(
        headscarp=__version__,
        key=key,
        features=features,
        size_px=PATCH_PX,
        stride_px=PATCH_PX,
        spacing_m=SPACING_M,
        pooling=POOLING,
        events=tuple(_event(e, [n for n in notes if of_event.get(n.id) == e], hashes) for e in events),
        chips=tuple(writer.chips),
    )


def _event(name: str, notes: Sequence[PatchNote], hashes: Hashes) -> EventFacts:
    ids = {note.id for note in notes}
    lines = sorted([*where, sha256] for where, sha256 in hashes.items() if where[1] in ids)
    return EventFacts(
        name=name,
        inputs_sha256=hashlib.sha256(json.dumps(lines).encode()).hexdigest(),
        pre_dates=(min(n.pre_dates[0] for n in notes), max(n.pre_dates[1] for n in notes)),
        post_dates=(min(n.post_dates[0] for n in notes), max(n.post_dates[1] for n in notes)),
    )
