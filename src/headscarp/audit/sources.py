"""From paths to splits: the project's own split files, and folders of official Sen12Landslides splits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from headscarp.audit.findings import Finding, FindingKind, Severity
from headscarp.audit.options import AuditOptions
from headscarp.audit.record import InputRecord
from headscarp.ingest.sen12landslides import read_low_quality, read_task_splits
from headscarp.split import SplitFile, read_split, split_json


class Source(NamedTuple):
    """A split, where it came from, and what its files say against each other."""

    path: Path
    split: SplitFile
    disagreeing: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    low_quality_list: Path | None = None


def read_sources(options: AuditOptions) -> list[Source]:
    """Read every split that is to be audited.

    Raises
    ------
    SplitError
        If one cannot be read or breaks its format.
    """
    return [source for path in options.splits for source in _read(path, options.low_quality)]


def input_records(sources: Sequence[Source]) -> tuple[InputRecord, ...]:
    """What was read, with a hash of each split's content."""
    return tuple(
        InputRecord(
            path=str(source.path),
            name=source.split.name,
            chips=len(source.split.chips),
            sha256=hashlib.sha256(split_json(source.split).encode()).hexdigest(),
            low_quality_list=None if source.low_quality_list is None else str(source.low_quality_list),
            files_disagree=len(source.disagreeing),
            unlisted=len(source.unlisted),
        )
        for source in sources
    )


def find_disagreements(sources: Sequence[Source]) -> Iterator[Finding]:
    """Chips whose location file names another split than the split file."""
    for source in sources:
        chips = {chip.id: chip for chip in source.split.chips}
        for name in source.disagreeing:
            chip = chips[name]
            yield Finding(
                FindingKind.MEMBERSHIP, Severity.NOTE, chip.series, chip.id, chip.split, event=chip.event,
                detail="the location file names another split",
            )  # fmt: skip


def _read(path: Path, low_quality: Path | None) -> Iterator[Source]:
    if path.is_dir():
        for task in read_task_splits(path, low_quality):
            yield Source(path, *task)
        return
    split = read_split(path)
    if low_quality is not None:
        flagged = read_low_quality(low_quality)
        marked = (c.model_copy(update={"low_quality": c.low_quality or c.id in flagged}) for c in split.chips)
        split = split.model_copy(update={"chips": tuple(marked)})
    yield Source(path, split, low_quality_list=low_quality)
