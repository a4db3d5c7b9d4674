"""What became of every patch that was asked for: written, or left out with the reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headscarp.errors import OutputError
from headscarp.ingest.sen12.folder import Refusal
from headscarp.run_folder import write_atomically


class PatchNote(BaseModel):
    """What was found in the files of one patch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    refusal: Refusal | None = Field(None, description="Why it was left out; none: it is a chip.")
    sources: tuple[str, ...] = Field((), description="What split its dates, one for each sensor.")
    disagrees: bool = Field(False, description="pre_post_dates contradicts event_date, which was followed.")
    on_the_day: int = Field(0, description="Dates on the day of an event, left out.")
    between: int = Field(0, description="Dates between two events, left out.")
    pre_dates: tuple[int, int] = Field((0, 0), description="Fewest and most dates before, over the sensors.")
    post_dates: tuple[int, int] = Field((0, 0), description="Fewest and most dates after, over the sensors.")
    clipped_values: int = Field(0, description="Values at a limit of the release.")
    repeated_dates: int = Field(0, description="Dates that stood there twice, merged.")
    without_s2: Refusal | None = Field(None, description="Why its Sentinel-2 channels hold no value.")
    s2_hidden_px: tuple[int, int] = Field(
        (0, 0), description="Pixels that no clear date of Sentinel-2 shows, before and after."
    )


class PatchReport(BaseModel):
    """Every patch that was asked for, counted; those left out by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sensors: tuple[str, ...]
    release: str
    asked: int
    written: int
    missing: tuple[Refusal, ...] = Field(description="No file of a sensor.")
    refused: tuple[Refusal, ...] = Field(description="Corrupt, contradictory, undated, or not observed.")
    foreign: tuple[Refusal, ...] = Field(
        description="Files in the folders that are no patches of the sensor."
    )
    date_sources: dict[str, int] = Field(description="Files by what split their dates.")
    disagreeing: tuple[str, ...] = Field(
        description="Patches whose pre_post_dates contradict event_date; event_date was followed."
    )
    dates_on_the_day: int
    dates_between_events: int
    clipped_values: int
    repeated_dates: int
    without_s2: tuple[Refusal, ...] = Field(
        (), description="Patches written whose Sentinel-2 channels hold no value, and why."
    )
    s2_hidden_px: tuple[int, int] = Field(
        (0, 0), description="Pixels of the others that no clear date shows, before and after."
    )


def report_of(
    sensors: Sequence[str],
    release: str,
    notes: Sequence[PatchNote],
    missing: Sequence[Refusal],
    foreign: Sequence[Refusal],
) -> PatchReport:
    """Sum up notes."""
    written = [note for note in notes if note.refusal is None]
    return PatchReport(
        sensors=tuple(sensors),
        release=release,
        asked=len(notes) + len({refusal.id for refusal in missing}),
        written=len(written),
        missing=tuple(missing),
        refused=tuple(note.refusal for note in notes if note.refusal is not None),
        foreign=tuple(foreign),
        date_sources=dict(sorted(Counter(source for note in written for source in note.sources).items())),
        disagreeing=tuple(note.id for note in written if note.disagrees),
        dates_on_the_day=sum(note.on_the_day for note in written),
        dates_between_events=sum(note.between for note in written),
        clipped_values=sum(note.clipped_values for note in written),
        repeated_dates=sum(note.repeated_dates for note in written),
        without_s2=tuple(note.without_s2 for note in written if note.without_s2 is not None),
        s2_hidden_px=(
            sum(note.s2_hidden_px[0] for note in written),
            sum(note.s2_hidden_px[1] for note in written),
        ),
    )


def report_path(store: Path) -> Path:
    """Where the report of a store stands: beside it, ``NAME.patches.json``."""
    return store.with_name(f"{store.stem}.patches.json")


def write_patch_report(store: Path, report: PatchReport) -> None:
    """Write the report of a store beside it."""
    write_atomically(report_path(store), report.model_dump_json(indent=2) + "\n")


def read_patch_report(store: Path) -> PatchReport:
    """Read the report of a store.

    Raises
    ------
    OutputError
        If there is none.
    """
    path = report_path(store)
    try:
        return PatchReport.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise OutputError(
            "the report of a store of patches, beside it",
            f"{path} ({str(error).splitlines()[0]})",
            "which patches were left out, and why, cannot be told",
            "make the store again",
        ) from error


class NoteBook:
    """Notes of patches kept on disk while a store is made, so that a resumed run knows them too."""

    def __init__(self, store: Path, key: str) -> None:
        self._path = store.with_name(f".{store.name}.notes.jsonl")
        self._key = key
        lines = list(self._lines())
        if not lines or lines[0] != {"key": key}:
            lines = []
        self.notes = {str(line["id"]): PatchNote.model_validate(line) for line in lines[1:]}
        kept = [json.dumps({"key": key}), *(note.model_dump_json() for note in self.notes.values())]
        write_atomically(self._path, "\n".join(kept) + "\n")

    def add(self, note: PatchNote) -> None:
        """Keep a note."""
        self.notes[note.id] = note
        with self._path.open("a", encoding="utf-8") as book:
            book.write(note.model_dump_json() + "\n")

    def close(self) -> None:
        """Throw the file away: the report holds what it held."""
        self._path.unlink(missing_ok=True)

    def _lines(self) -> Iterator[dict[str, object]]:
        """Lines up to the first that was cut off."""
        if self._path.is_file():
            for line in self._path.read_text(encoding="utf-8").splitlines(keepends=True):
                if not line.endswith("\n"):
                    return
                yield json.loads(line)
