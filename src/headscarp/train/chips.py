"""Chips as training asks for them: of one store or of two, kept in memory as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray

from headscarp.chips.store import ChipFacts, ChipStore
from headscarp.features.channels import FloatArray
from headscarp.features.sets import FeatureSet

MEMORY_SHARE = 0.3
"""Share of the free memory that chips may take; the others are read again each epoch."""


class ChipValues(NamedTuple):
    """One chip as it is stored, in the units of its channels."""

    x: FloatArray
    label: NDArray[np.uint8]
    days: FloatArray | None
    target: FloatArray | None = None
    """Values to regress on; none: landslides are learned."""


@dataclass(frozen=True)
class Sources:
    """Stores one after the other: a chip's number is its place in the first, then in the next."""

    stores: tuple[ChipStore, ...]

    @property
    def features(self) -> FeatureSet:
        """Of all of them."""
        return self.stores[0].facts.features

    @cached_property
    def chips(self) -> tuple[ChipFacts, ...]:
        """Facts of each chip by its number."""
        return tuple(chip for store in self.stores for chip in store.facts.chips)

    def offset(self, source: int) -> int:
        """Number of the first chip of a store."""
        return sum(len(store) for store in self.stores[:source])

    def read(self, number: int) -> ChipValues:
        """Read a chip."""
        source = max(i for i in range(len(self.stores)) if self.offset(i) <= number)
        store, place = self.stores[source], [number - self.offset(source)]
        x, label, days = store.read(place)
        target = store.read_target(place)
        return ChipValues(
            x[0], label[0], None if days is None else days[0], None if target is None else target[0]
        )


class Cache:
    """Reads chips, and keeps the first that fit into a budget: one epoch's are the next one's too.

    Parameters
    ----------
    sources : Sources
    budget_bytes : int, optional
        None: a share of the memory that is free now.
    """

    def __init__(self, sources: Sources, budget_bytes: int | None = None) -> None:
        free = int(MEMORY_SHARE * psutil.virtual_memory().available)
        self._sources = sources
        self._left = free if budget_bytes is None else budget_bytes
        self._kept: dict[int, ChipValues] = {}
        self._lock = Lock()

    def read(self, number: int) -> ChipValues:
        """A chip by its number; whoever takes it leaves it as it is."""
        kept = self._kept.get(number)
        if kept is not None:
            return kept
        chip = self._sources.read(number)
        size = sum(part.nbytes for part in chip if part is not None)
        with self._lock:
            if size <= self._left and number not in self._kept:
                self._left -= size
                self._kept[number] = chip
        return chip

    def __len__(self) -> int:
        return len(self._kept)


def padded_days(chips: Sequence[ChipValues]) -> list[ChipValues]:
    """Chips of series with as many dates as the longest; dates without a day are padding."""
    most = max(len(chip.x) for chip in chips)
    return [_padded(chip, most - len(chip.x)) for chip in chips]


def _padded(chip: ChipValues, dates: int) -> ChipValues:
    if dates == 0 or chip.days is None:
        return chip
    x = np.pad(chip.x, ((0, dates), (0, 0), (0, 0), (0, 0)), constant_values=np.nan)
    return ChipValues(x, chip.label, np.pad(chip.days, (0, dates), constant_values=np.nan), chip.target)
