"""Splits of a store of patches: the official ones as they are, and folds of blocks that leak nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from headscarp.chips.blocks import near
from headscarp.chips.draw import LEFT_OUT, draw_split
from headscarp.chips.options import SplitOptions
from headscarp.chips.store import ChipError, StoreFacts
from headscarp.split import SPLIT_NAMES, Chip, SplitFile

BLOCK_M, BUFFER_M = 5120.0, 100.0
"""Four patches a side; patches that touch lie nearer than any buffer."""
MISSING = "missing"
"""Of `SplitFile.made`: patches of the official split that the store has not."""
_TRAIN, _VALIDATION, _TEST, _OUT = 0, 1, 2, -1


def official_splits(facts: StoreFacts, splits: Sequence[SplitFile]) -> dict[str, SplitFile]:
    """Official splits as they apply to a store, by series: s1asc, s1dsc, aligned.

    Membership is left as it is, leaks and all. Patches of the store's inventories that the store has not are
    counted in ``made["missing"]``, those that the split has not in ``made["left_out"]``.

    Parameters
    ----------
    facts : StoreFacts
    splits : sequence of SplitFile
        Of :func:`headscarp.ingest.sen12landslides.read_task_splits`.

    Raises
    ------
    ChipError
        If a split has no chip in the store.
    """
    return {split.chips[0].series: _on_store(facts, split) for split in splits}


def blocked_folds(
    facts: StoreFacts,
    folds: int = 5,
    block_m: float = BLOCK_M,
    buffer_m: float = BUFFER_M,
    seed: int = 0,
) -> list[SplitFile]:
    """Cross-validation over blocks of ground: each fold tests once, the next one validates, the rest trains.

    Blocks are dealt to folds by :func:`headscarp.chips.draw.draw_split`. What lies nearer than the buffer to
    a chip of the test is left out of validation and training, what lies so near to validation out of
    training: no test chip touches what was learned from or chosen by.

    Parameters
    ----------
    facts : StoreFacts
    folds : int
        3 or more.
    block_m, buffer_m : float
        Side of a block; distance to keep, m.
    seed : int

    Returns
    -------
    list of SplitFile
        One for each fold.

    Raises
    ------
    ChipError
        If there are too few folds or blocks, or a fold would have no chips to train on.
    """
    _refuse_few(folds)
    fold = _fold_of(facts, folds, block_m, buffer_m, seed)
    return [_fold_file(facts, fold, i, folds, block_m, buffer_m, seed) for i in range(folds)]


def _on_store(facts: StoreFacts, split: SplitFile) -> SplitFile:
    own = {chip.id: chip for chip in facts.chips}
    events = {event.name for event in facts.events}
    members = [chip for chip in split.chips if chip.event in events]
    chips = [
        chip.model_copy(
            update={
                "landslide_px": own[chip.id].landslide_px,
                "bounds": own[chip.id].bounds,
                "content_sha256": own[chip.id].content_sha256,
            }
        )
        for chip in members
        if chip.id in own
    ]
    if not chips:
        raise ChipError(
            f"patches of the split {split.name} in the store",
            f"none of {len(split.chips)}, of {', '.join(sorted(events))}",
            "the split says nothing about this store",
            "give the task folder of the release that the store was made of",
        )
    made = split.made | {LEFT_OUT: len(own) - len(chips), MISSING: len(members) - len(chips)}
    return split.model_copy(update={"made": made, "chips": tuple(chips)})


def _fold_of(facts: StoreFacts, folds: int, block_m: float, buffer_m: float, seed: int) -> NDArray[np.int64]:
    """Fold of each chip; nothing is left out beside a validation, so that each draw shows its fold whole."""
    place = {chip.id: i for i, chip in enumerate(facts.chips)}
    fold = np.full(len(facts.chips), _OUT)
    for number in range(folds):
        options = SplitOptions(
            method="folds", folds=folds, fold=number, block_m=block_m, buffer_m=buffer_m, seed=seed
        )
        drawn = draw_split(facts, options)
        fold[[place[chip.id] for chip in drawn.chips if chip.split == "validation"]] = number
    return fold


def _fold_file(
    facts: StoreFacts,
    fold: NDArray[np.int64],
    number: int,
    folds: int,
    block_m: float,
    buffer_m: float,
    seed: int,
) -> SplitFile:
    code = np.full(len(fold), _TRAIN)
    code[fold == (number + 1) % folds] = _VALIDATION
    code[fold == number] = _TEST
    code = _kept_apart(facts, code, buffer_m)
    _refuse_empty(facts, code, number)
    chips = tuple(
        Chip(
            id=chip.id,
            split=SPLIT_NAMES[own],
            event=chip.event,
            crs=chip.crs,
            bounds=chip.bounds,
            landslide_px=chip.landslide_px,
            px=facts.size_px**2,
            content_sha256=chip.content_sha256,
        )
        for chip, own in zip(facts.chips, code.tolist(), strict=True)
        if own != _OUT
    )
    made: dict[str, str | int | float | bool | None] = {
        "method": "blocked folds",
        "folds": folds,
        "fold": number,
        "block_m": block_m,
        "buffer_m": buffer_m,
        LEFT_OUT: len(fold) - len(chips),
    }
    return SplitFile(name=f"blocked {number}", seed=seed, made=made, spacing_m=facts.spacing_m, chips=chips)


def _kept_apart(facts: StoreFacts, code: NDArray[np.int64], buffer_m: float) -> NDArray[np.int64]:
    """Codes with what lies too near left out; chips of different CRSs are not compared."""
    apart = code.copy()
    boxes = shapely.box(*np.array([chip.bounds for chip in facts.chips]).T)
    crs = np.array([chip.crs for chip in facts.chips])
    for loser, winner in ((_VALIDATION, _TEST), (_TRAIN, _TEST), (_TRAIN, _VALIDATION)):
        for name in np.unique(crs):
            mine = np.flatnonzero((apart == loser) & (crs == name))
            others = np.flatnonzero((apart == winner) & (crs == name))
            apart[mine[near(boxes[mine], boxes[others], facts.spacing_m / 2, buffer_m)]] = _OUT
    return apart


def _refuse_few(folds: int) -> None:
    if folds < 3:
        raise ChipError(
            "at least 3 folds: one to test, one to choose, the others to train",
            str(folds),
            "there would be nothing to train on",
            "ask for more folds",
        )


def _refuse_empty(facts: StoreFacts, code: NDArray[np.int64], number: int) -> None:
    px = np.array([chip.landslide_px for chip in facts.chips])
    empty = [SPLIT_NAMES[own] for own in (_TRAIN, _VALIDATION, _TEST) if px[code == own].sum() == 0]
    if empty:
        raise ChipError(
            f"landslide pixels in every part of fold {number}",
            f"none in {', '.join(empty)}",
            "a part without landslides teaches, chooses or measures nothing",
            "lower the side of the blocks or the buffer, or ask for fewer folds",
        )
