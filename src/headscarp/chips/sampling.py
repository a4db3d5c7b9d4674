"""The order of the chips of an epoch: a pure function of seed and epoch, so a resumed epoch is the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headscarp.chips.store import ChipError


def epoch_order(
    landslide_px: NDArray[np.int64], seed: int, epoch: int, positive_share: float | None
) -> NDArray[np.int64]:
    """Chips of one epoch, in the order in which they are shown.

    Parameters
    ----------
    landslide_px : ndarray of int64, shape (chips,)
        Landslide pixels of each training chip.
    seed, epoch : int
        Key of the Philox generator; nothing else decides about the order.
    positive_share : float or None
        Share of the epoch that is drawn among chips with landslides, rounded to whole chips and at least
        one, the rest among those without. No chip is shown twice before every other of its kind was shown
        once. None: every chip once.

    Returns
    -------
    ndarray of int64, shape (chips,)
        Positions in `landslide_px`. An epoch is as long as there are chips, whatever the share.

    Raises
    ------
    ChipError
        If a share is asked for, and no chip has a landslide.

    Examples
    --------
    >>> sorted(epoch_order(np.array([0, 0, 9, 0]), seed=1, epoch=0, positive_share=None).tolist())
    [0, 1, 2, 3]
    >>> order = epoch_order(np.array([0, 0, 9, 0]), seed=1, epoch=0, positive_share=0.5)
    >>> int((order == 2).sum()), len(order)
    (2, 4)
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
    chips = len(landslide_px)
    if positive_share is None:
        return generator.permutation(chips).astype(np.int64)
    with_landslides, without = np.flatnonzero(landslide_px > 0), np.flatnonzero(landslide_px == 0)
    if len(with_landslides) == 0:
        raise _without_landslides(chips)
    wanted = chips if len(without) == 0 else max(1, round(positive_share * chips))
    drawn = [_drawn(with_landslides, wanted, generator), _drawn(without, chips - wanted, generator)]
    return generator.permutation(np.concatenate(drawn)).astype(np.int64)


def _drawn(of: NDArray[np.intp], count: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Draw so many, each once before any comes again."""
    if count == 0:
        return of[:0]
    rounds = -(-count // len(of))
    return np.concatenate([generator.permutation(of) for _ in range(rounds)])[:count]


def _without_landslides(chips: int) -> ChipError:
    return ChipError(
        "training chips with landslide pixels, to draw a share of them",
        f"none in {chips} chips",
        "a network that never sees a landslide learns to find none",
        "check the inventory and the split, or train on further events",
    )
