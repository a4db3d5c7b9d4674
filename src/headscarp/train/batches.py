"""Batches of an epoch, made by a thread while the network computes; whoever asks again gets the same."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headscarp.chips.augment import Flips, flip, mirrored
from headscarp.chips.store import IGNORE
from headscarp.features.channels import FloatArray
from headscarp.features.sets import FeatureSet, normalise
from headscarp.train.chips import Cache, ChipValues, padded_days

AHEAD = 3
"""Batches that are made before they are asked for."""


class Batch(NamedTuple):
    """What a step sees.

    Attributes
    ----------
    x : Tensor
        As the network takes it, normalised, finite.
    target : Tensor of float, shape (batch, 1, y, x)
        1 for landslides, or values to regress on, finite.
    mask : Tensor of bool, the same shape
        False where the label is left out.
    valid, days : Tensor or None, shape (batch, time)
        Of series only.
    numbers : Tensor of int64, shape (chips,)
        Chips of all processes in this step.
    """

    x: Tensor
    target: Tensor
    mask: Tensor
    valid: Tensor | None
    days: Tensor | None
    numbers: Tensor


@dataclass(frozen=True)
class Normaliser:
    """Features with the statistics that normalise them."""

    features: FeatureSet
    mean: FloatArray
    std: FloatArray

    def __call__(self, x: FloatArray) -> FloatArray:
        """Values in the units of the channels to what the network takes."""
        return normalise(x, self.features, self.mean, self.std)


@dataclass(frozen=True)
class Augment:
    """Random flips of an epoch: each a function of seed, epoch, place in the order and chip."""

    allowed: Flips
    seed: int
    epoch: int

    def flips(self, position: int, chip_id: str) -> Flips:
        """The flips of the chip that stands at a position of the epoch's order."""
        name = f"flip {self.seed} {self.epoch} {position} {chip_id}"
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
        drawn = np.random.Generator(np.random.Philox(key=key)).integers(0, 2, 2).astype(bool)
        return Flips(*(bool(may and does) for may, does in zip(self.allowed, drawn, strict=True)))


@dataclass(frozen=True)
class Shard:
    """Which part of every batch a process takes."""

    rank: int = 0
    processes: int = 1


@dataclass(frozen=True)
class Batches:
    """Batches of chips in a given order; an iterable with a length, as Lightning asks.

    Attributes
    ----------
    cache : Cache
    ids : sequence of str
        Of the chips by number.
    order : ndarray of int64
        Numbers of the chips.
    size : int
        Chips in a batch, of all processes together.
    normaliser : Normaliser
    augment : Augment or None
        None: chips as they are.
    shard : Shard
        A last batch with fewer chips than processes is left out: a process without a chip could not take
        part in the step.
    """

    cache: Cache
    ids: Sequence[str]
    order: NDArray[np.int64]
    size: int
    normaliser: Normaliser
    augment: Augment | None = None
    shard: Shard = Shard()

    def __len__(self) -> int:
        whole, rest = divmod(len(self.order), self.size)
        return whole + int(rest >= self.shard.processes)

    def __iter__(self) -> Iterator[Batch]:
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(1) as pool:
            try:
                for number in range(len(self)):
                    waiting.append(pool.submit(self.make, number))
                    if len(waiting) > AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def make(self, number: int) -> Batch:
        """The part of a batch that this process takes."""
        positions = np.arange(number * self.size, min((number + 1) * self.size, len(self.order)))
        own = positions[self.shard.rank :: self.shard.processes]
        chips = [self._chip(position) for position in own.tolist()]
        return collate(chips, self.normaliser, self.order[positions])

    def _chip(self, position: int) -> ChipValues:
        number = int(self.order[position])
        chip = self.cache.read(number)
        if self.augment is None:
            return chip
        flips = self.augment.flips(position, self.ids[number])
        x, label = flip(self.normaliser.features, chip.x, chip.label, flips)
        target = None if chip.target is None else mirrored(chip.target, flips)
        return ChipValues(x, label, chip.days, target)


def collate(chips: Sequence[ChipValues], normaliser: Normaliser, numbers: NDArray[np.int64]) -> Batch:
    """Chips side by side, normalised, as tensors."""
    x, label, days, target = zip(*padded_days(chips), strict=True)
    labels = torch.from_numpy(np.stack(label))[:, None]
    dates = None if days[0] is None else torch.from_numpy(np.stack(days))
    return Batch(
        x=torch.from_numpy(normaliser(np.stack(x))),
        target=(labels == 1).float() if target[0] is None else _values(target),
        mask=labels != IGNORE,
        valid=None if dates is None else dates.isfinite(),
        days=None if dates is None else dates.nan_to_num(),
        numbers=torch.from_numpy(np.asarray(numbers, dtype=np.int64)),
    )


def _values(target: Sequence[FloatArray]) -> Tensor:
    """Values side by side; 0 where there is none, which nobody looks at."""
    return torch.from_numpy(np.nan_to_num(np.stack(target)))[:, None]
