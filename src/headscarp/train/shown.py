"""Which chips are shown in which order: pure functions of the split, the seed and the epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headscarp.chips.draw import split_places
from headscarp.chips.sampling import epoch_order
from headscarp.chips.store import ChipStore
from headscarp.split import SplitFile
from headscarp.train.chips import Sources
from headscarp.train.errors import TrainError
from headscarp.train.options import FitOptions

Numbers = NDArray[np.int64]
REPLAY_KEY = 1
"""Apart from the key of the epoch's own order."""


@dataclass(frozen=True)
class Shown:
    """Chips by their numbers in the sources, and what each holds.

    Attributes
    ----------
    training, validation : ndarray of int64
        Of the store.
    replayed, remembered : ndarray of int64
        Training and validation chips of the store that is replayed; empty without one.
    landslide_px : ndarray of int64, shape (chips,)
        By number.
    """

    training: Numbers
    validation: Numbers
    replayed: Numbers
    remembered: Numbers
    landslide_px: Numbers

    def order(self, options: FitOptions, epoch: int) -> Numbers:
        """Numbers of the chips of an epoch in order, replayed ones strewn among the others."""
        own = self.training[self._drawn(self.training, options.seed, epoch, options.positive_share)]
        share = options.replay_share
        wanted = min(round(share / (1 - share) * len(own)), len(self.replayed))
        if wanted == 0:
            return own
        generator = np.random.Generator(
            np.random.Philox(np.random.SeedSequence([options.seed, epoch, REPLAY_KEY]))
        )
        drawn = generator.permutation(self.replayed)[:wanted]
        return generator.permutation(np.concatenate([own, drawn])).astype(np.int64)

    def _drawn(self, numbers: Numbers, seed: int, epoch: int, positive_share: float | None) -> Numbers:
        return epoch_order(self.landslide_px[numbers], seed, epoch, positive_share)


def what_is_shown(
    sources: Sources, split: SplitFile, replay_split: SplitFile | None, options: FitOptions
) -> Shown:
    """Chips of the splits by their numbers.

    Raises
    ------
    TrainError
        If no training chip, or no validation chip, has a landslide pixel, and they are to learn them.
    """
    landslide_px = np.array([chip.landslide_px for chip in sources.chips], dtype=np.int64)
    training, validation = _numbers(sources.stores[0], split, 0)
    nothing = np.zeros(0, dtype=np.int64)
    replayed, remembered = nothing, nothing
    if replay_split is not None:
        replayed, remembered = _numbers(sources.stores[1], replay_split, sources.offset(1))
    learned = sources.stores[0].facts.target == "landslide"
    if learned or options.positive_share is not None:
        _refuse_without_landslides(landslide_px[training], "training", "learns to find none")
    if learned:
        _refuse_without_landslides(landslide_px[validation], "validation", "cannot be chosen by its F1")
    return Shown(training, validation, replayed, remembered, landslide_px)


def _numbers(store: ChipStore, split: SplitFile, offset: int) -> tuple[Numbers, Numbers]:
    places = split_places(store.facts, split)
    training, validation = (np.array(places[name], dtype=np.int64) for name in ("train", "validation"))
    return training + offset, validation + offset


def _refuse_without_landslides(landslide_px: Numbers, name: str, consequence: str) -> None:
    if landslide_px.sum() == 0:
        raise TrainError(
            f"{name} chips with landslide pixels",
            f"none in {len(landslide_px)} {name} chips",
            f"a network that never sees a landslide there {consequence}",
            "check the inventory and its date against the scenes, or split in another way",
        )
