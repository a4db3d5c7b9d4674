"""Writing a store of chips: beside its final name, region by region, taken up where it stopped.

A journal beside the arrays names each region that is done, with the facts of its chips. Arrays are written
before the journal, and the journal before the next region: whatever moment the writing is cut off, what the
journal names is there. The store gets its name when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from headscarp.chips.store import ATTRIBUTE, IGNORE, ChipError, ChipFacts, StoreFacts
from headscarp.features.channels import FloatArray
from headscarp.features.sets import FeatureSet

JOURNAL = "journal.jsonl"


class CutChip(NamedTuple):
    """A chip, cut and not yet written."""

    facts: ChipFacts
    x: FloatArray
    label: NDArray[np.uint8]
    days: FloatArray | None
    target: FloatArray | None = None


@dataclass(frozen=True)
class Layout:
    """Shapes of the arrays of a store.

    Attributes
    ----------
    features : FeatureSet
    size_px : int
    dates : int
        Most dates of any event; 0 but for series.
    most_chips : int
        Chips there may be at most.
    with_target : bool
        Whether chips have values to regress on.
    """

    features: FeatureSet
    size_px: int
    dates: int
    most_chips: int
    with_target: bool = False

    @property
    def chip_shape(self) -> tuple[int, ...]:
        """Shape of the features of one chip."""
        side = {"scene": (), "pair": (2,), "series": (self.dates,)}[self.features.form]
        return (*side, self.features.network_channels, self.size_px, self.size_px)


@dataclass
class StoreWriter:
    """A store in the making.

    Attributes
    ----------
    final, part : Path
        Its name to be, and the folder beside it.
    layout : Layout
    group : zarr group
    chips : list of ChipFacts
        Of the chips written, in order.
    done : set of str
        Regions written.
    """

    final: Path
    part: Path
    layout: Layout
    group: Any
    chips: list[ChipFacts] = field(default_factory=list)
    done: set[str] = field(default_factory=set)

    @cached_property
    def arrays(self) -> dict[str, Any]:
        """The arrays by name."""
        return {name: self.group[name] for name in _shapes(self.layout)}

    def append(self, region: str, chips: Sequence[CutChip]) -> None:
        """Write the chips of a region, and say that it is done.

        Raises
        ------
        ChipError
            If they cannot be written; what was written before stays for the next call.
        """
        with _writable(self.final):
            for place, chip in enumerate(chips, start=len(self.chips)):
                self.arrays["x"][place] = _in_time(chip.x, self.layout)
                self.arrays["label"][place] = chip.label
                if chip.target is not None:
                    self.arrays["target"][place] = chip.target
                if chip.days is not None:
                    days = np.full(self.layout.dates, np.nan, np.float32)
                    days[: len(chip.days)] = chip.days
                    self.arrays["days"][place] = days
            _note(self.part, {"region": region, "chips": [c.facts.model_dump(mode="json") for c in chips]})
        self.chips += [chip.facts for chip in chips]
        self.done.add(region)

    def finish(self, facts: StoreFacts) -> None:
        """Complete the store and give it its name; a store that stands there is replaced."""
        with _writable(self.final):
            for array in self.arrays.values():
                array.resize((len(facts.chips), *array.shape[1:]))
            self.group.attrs[ATTRIBUTE] = facts.model_dump_json()
            if self.final.exists():
                shutil.rmtree(self.final)
            self.part.replace(self.final)
            (self.final / JOURNAL).unlink()


def open_writer(final: Path, key: str, layout: Layout) -> StoreWriter:
    """Begin a store, or take it up where an earlier call with the same key stopped.

    Parameters
    ----------
    final : Path
        Name of the store to be.
    key : str
        Of the options and inputs; what was begun with another is thrown away.
    layout : Layout
    """
    part = final.with_name(f".{final.name}.part")
    with _writable(final):
        lines = list(_read_journal(part / JOURNAL))
        if lines and lines[0] == {"key": key}:
            group = zarr.open_group(part, mode="r+")
            chips = [ChipFacts.model_validate(chip) for line in lines[1:] for chip in line["chips"]]
            _cut_journal(part, lines)
            return StoreWriter(final, part, layout, group, chips, {line["region"] for line in lines[1:]})
        shutil.rmtree(part, ignore_errors=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        group = _create(part, layout)
        _note(part, {"key": key})
    return StoreWriter(final, part, layout, group)


def content_sha256(x: FloatArray, label: NDArray[np.uint8], target: FloatArray | None = None) -> str:
    """SHA-256 of the features, labels and values of a chip, by which duplicates are told."""
    digest = hashlib.sha256(np.ascontiguousarray(x, dtype="<f4").tobytes())
    digest.update(np.ascontiguousarray(label).tobytes())
    if target is not None:
        digest.update(np.ascontiguousarray(target, dtype="<f4").tobytes())
    return digest.hexdigest()


def _shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    """Shape of one chip in each array."""
    side = (layout.size_px, layout.size_px)
    shapes: dict[str, tuple[int, ...]] = {"x": layout.chip_shape, "label": side}
    if layout.with_target:
        shapes["target"] = side
    return shapes | ({"days": (layout.dates,)} if layout.features.form == "series" else {})


def _create(part: Path, layout: Layout) -> Any:
    group = zarr.open_group(part, mode="w")
    for name, shape in _shapes(layout).items():
        is_label = name == "label"
        group.create_array(
            name,
            shape=(layout.most_chips, *shape),
            chunks=(1, *shape),
            chunk_key_encoding={"name": "default", "separator": "."},  # a file a chip, and no folders
            dtype="uint8" if is_label else "float32",
            fill_value=IGNORE if is_label else np.nan,
            compressors="auto" if is_label else None,  # speckle does not shrink, and reads fastest as it is
        )
    return group


def _in_time(x: FloatArray, layout: Layout) -> FloatArray:
    """Features of a chip, padded by NaN to the dates of the store."""
    if x.shape == layout.chip_shape:
        return x
    padded = np.full(layout.chip_shape, np.nan, np.float32)
    padded[: len(x)] = x
    return padded


def _note(part: Path, line: dict[str, Any]) -> None:
    with (part / JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write(json.dumps(line) + "\n")


def _read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Lines of a journal up to the first that was cut off."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            return
        yield json.loads(line)


def _cut_journal(part: Path, lines: Sequence[dict[str, Any]]) -> None:
    """Write a journal anew without a line that was cut off."""
    beside = part / f"{JOURNAL}.part"
    beside.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    beside.replace(part / JOURNAL)


@contextmanager
def _writable(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ChipError(
            "a place with room for the chips",
            f"{final} ({error.strerror or error})",
            "the store is not complete; what was cut so far is kept",
            "free some space, or choose another --out, and run the same command again",
        ) from error
