"""Splits of a store's chips: at random, by blocks of ground, by whole events, or by folds of blocks.

Blocks are squares of the ground, the same for every event of one CRS: ground that two events share gets one
split. Blocks with landslides are dealt first, in a drawn order, each to the split furthest below its share of
landslide pixels; then the others by the share of chips. Whatever overlaps a chip of another split, or lies
nearer to one than the buffer, is left out: validation beside the test, training beside both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from headscarp.chips.blocks import block_of, block_side_m, deal, near
from headscarp.chips.options import SplitOptions
from headscarp.chips.store import ChipError, StoreFacts
from headscarp.split import SPLIT_NAMES, Chip, SplitFile, SplitName

IntArray = NDArray[np.int64]

TRAIN, VALIDATION, TEST = range(3)
"""Places of the splits in `SPLIT_NAMES`."""
_GIVES_WAY = ((VALIDATION, TEST), (TRAIN, TEST), (TRAIN, VALIDATION))
"""Who is left out beside whom: first the validation, so that training need not give way to what is gone."""
LEFT_OUT = "left_out"
"""Of `SplitFile.made`: chips of the store that the split leaves out on purpose."""
_REPAIRED = "repaired_from"
"""Of `SplitFile.made`: an audit left out what it had to."""


def draw_split(facts: StoreFacts, options: SplitOptions) -> SplitFile:
    """Draw which chips of a store train, which choose, and which are the test.

    Parameters
    ----------
    facts : StoreFacts
    options : SplitOptions
        The same options and chips always give the same split; `file` is not looked at.

    Returns
    -------
    SplitFile
        Every chip that is used, in the order of the store; how many are left out stands in
        ``made["left_out"]``.

    Raises
    ------
    ChipError
        If the chips cannot be split so: events unknown or not looked at, too few blocks, no chip for a split
        that is asked for, or no landslide pixel in the training chips.
    """
    _refuse_unknown_events(facts, options)
    _refuse_idle_events(options)
    split = _DRAW[options.method](facts, options)
    if options.method != "random":
        split = np.where(_too_near(facts, split, options.buffer_m), -1, split)
    _refuse_unusable(facts, options, split)
    return _file(facts, options, split)


def split_places(facts: StoreFacts, split: SplitFile) -> dict[SplitName, list[int]]:
    """Places in a store of the chips of each split, rising.

    A split made for other features of the same ground fits: chips are told by their names and bounds.

    Raises
    ------
    ChipError
        If the split names chips that the store has not, places one elsewhere, or misses chips of the store
        that it does not say to leave out.
    """
    own = {chip.id: i for i, chip in enumerate(facts.chips)}
    _refuse_repeated([chip.id for chip in split.chips], split.name)
    unknown = [chip.id for chip in split.chips if chip.id not in own]
    if unknown:
        raise _unfit(split, f"{len(unknown)} that it has not, such as {unknown[0]}")
    tolerance = split.tolerance_m
    for chip in split.chips:
        kept = facts.chips[own[chip.id]]
        if chip.crs != kept.crs or not np.allclose(chip.bounds, kept.bounds, rtol=0, atol=tolerance):
            raise _unfit(split, f"{chip.id} on other ground: {chip.crs} {chip.bounds}, not {kept.bounds}")
    missed = len(own) - len(split.chips)
    if missed != split.made.get(LEFT_OUT, 0) and _REPAIRED not in split.made:
        first = next(iter(own.keys() - {chip.id for chip in split.chips}), "none")
        raise _unfit(split, f"only {len(split.chips)} of {len(own)} chips, without such as {first}")
    chosen = {name: [own[chip.id] for chip in split.chips if chip.split == name] for name in SPLIT_NAMES}
    return {name: sorted(places) for name, places in chosen.items()}


def _random(facts: StoreFacts, options: SplitOptions) -> IntArray:
    """Every chip by itself, as in Pan & Shi (2023): the counts are the shares, rounded."""
    chips = len(facts.chips)
    ends = np.round(np.cumsum(options.shares) * chips)
    split = np.empty(chips, dtype=np.int64)
    split[_generator(options).permutation(chips)] = np.searchsorted(ends, np.arange(chips), side="right")
    return split


def _blocks(facts: StoreFacts, options: SplitOptions) -> IntArray:
    split = _dealt(facts, options, options.shares)
    split[_of_events(facts, options.test_events)] = TEST
    return split


def _folds(facts: StoreFacts, options: SplitOptions) -> IntArray:
    """One fold is the validation, the others train; the folds do not depend on which one it is."""
    fold = _dealt(facts, options, (1 / options.folds,) * options.folds)
    split = np.where(fold == options.fold, VALIDATION, TRAIN)
    split[_of_events(facts, options.test_events)] = TEST
    return split


def _events(facts: StoreFacts, options: SplitOptions) -> IntArray:
    split = np.full(len(facts.chips), TRAIN)
    split[_of_events(facts, options.validation_events)] = VALIDATION
    split[_of_events(facts, options.test_events)] = TEST
    return split


_DRAW = {"random": _random, "blocks": _blocks, "events": _events, "folds": _folds}


def _generator(options: SplitOptions) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(options.seed)))


def _of_events(facts: StoreFacts, names: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([chip.event in names for chip in facts.chips], dtype=np.bool_)


def _dealt(facts: StoreFacts, options: SplitOptions, shares: Sequence[float]) -> IntArray:
    """Share that each chip's block is dealt to; chips of the test's events are not counted."""
    dealt = ~_of_events(facts, options.test_events)
    side_m = block_side_m(facts, options)
    keys = [block_of(chip, side_m) for chip in facts.chips]
    names = sorted({key for key, own in zip(keys, dealt, strict=True) if own})
    _refuse_few_blocks(len(names), sum(share > 0 for share in shares), side_m)
    place = {key: i for i, key in enumerate(names)}
    rows = np.flatnonzero(dealt)
    block = np.array([place[keys[row]] for row in rows])
    px = np.array([facts.chips[row].landslide_px for row in rows], dtype=np.float64)
    weights = np.stack([np.bincount(block, px), np.bincount(block)], axis=1).astype(np.float64)
    split = np.full(len(facts.chips), TRAIN)
    split[rows] = deal(weights, shares, _generator(options))[block]
    return split


def _too_near(facts: StoreFacts, split: IntArray, buffer_m: float) -> NDArray[np.bool_]:
    """Chips to leave out; chips of different CRSs are not compared."""
    out = np.zeros(len(split), dtype=np.bool_)
    boxes = shapely.box(*np.array([chip.bounds for chip in facts.chips]).T)
    crs = np.array([chip.crs for chip in facts.chips])
    for loser, winner in _GIVES_WAY:
        for name in np.unique(crs):
            mine = np.flatnonzero((split == loser) & ~out & (crs == name))
            others = np.flatnonzero((split == winner) & ~out & (crs == name))
            out[mine[near(boxes[mine], boxes[others], facts.spacing_m / 2, buffer_m)]] = True
    return out


def _file(facts: StoreFacts, options: SplitOptions, split: IntArray) -> SplitFile:
    chips = [
        Chip(
            id=chip.id,
            split=SPLIT_NAMES[code],
            event=chip.event,
            crs=chip.crs,
            bounds=chip.bounds,
            landslide_px=chip.landslide_px,
            px=facts.size_px**2,
            content_sha256=chip.content_sha256,
        )
        for chip, code in zip(facts.chips, split.tolist(), strict=True)
        if code >= 0
    ]
    return SplitFile(
        name=options.method,
        seed=options.seed,
        made=_made(facts, options) | {LEFT_OUT: len(facts.chips) - len(chips)},
        spacing_m=facts.spacing_m,
        chips=tuple(chips),
    )


def _made(facts: StoreFacts, options: SplitOptions) -> dict[str, str | int | float | bool | None]:
    """How the split was made: the method, and the options that it looks at."""
    used: dict[str, tuple[str, ...]] = {
        "random": ("shares",),
        "blocks": ("shares", "block_m", "buffer_m", "test_events"),
        "events": ("validation_events", "test_events", "buffer_m"),
        "folds": ("folds", "fold", "block_m", "buffer_m", "test_events"),
    }
    values = {name: getattr(options, name) for name in used[options.method]}
    if "block_m" in values:
        values["block_m"] = block_side_m(facts, options)
    plain = {name: ", ".join(map(str, v)) if isinstance(v, tuple) else v for name, v in values.items()}
    return {"method": options.method, **plain, "store_key": facts.key}


def _refuse_unknown_events(facts: StoreFacts, options: SplitOptions) -> None:
    known = {event.name for event in facts.events}
    named = (*options.validation_events, *options.test_events)
    unknown = [name for name in named if name not in known]
    if unknown or len(set(named)) != len(named):
        raise ChipError(
            f"events of the store, each named once: {', '.join(sorted(known))}",
            ", ".join(unknown) or ", ".join(named),
            "nobody could tell which chips choose and which are the test",
            "correct split.validation_events and split.test_events",
        )


def _refuse_idle_events(options: SplitOptions) -> None:
    """Refuse events that the method would not look at: they would train."""
    idle = {
        "validation_events": options.validation_events if options.method != "events" else (),
        "test_events": options.test_events if options.method == "random" else (),
    }
    for name, events in idle.items():
        if events:
            raise ChipError(
                f"a split.method that looks at {name}",
                f"{options.method}, with {name} {', '.join(events)}",
                "events that were meant to be held back would be trained on",
                f"choose split.method events, or leave split.{name} out",
            )


def _refuse_few_blocks(blocks: int, parts: int, side_m: float) -> None:
    if blocks < parts:
        raise ChipError(
            f"at least {parts} blocks of ground, one for each part of the split",
            f"{blocks} of {side_m:g} m",
            "a part would have no chips",
            "lower split.block_m, or ask for fewer parts",
        )


def _refuse_unusable(facts: StoreFacts, options: SplitOptions, split: IntArray) -> None:
    """Refuse a split without training or validation chips, or without landslides to learn."""
    asked = {TRAIN: True, VALIDATION: True, TEST: bool(options.test_events)}
    if options.method in ("random", "blocks"):
        asked = {code: share > 0 for code, share in enumerate(options.shares)}
    empty = [SPLIT_NAMES[code] for code, wanted in asked.items() if wanted and not (split == code).any()]
    if empty:
        raise ChipError(
            "chips for every part of the split",
            f"none for {', '.join(empty)}, of {len(split)} chips ({options.method})",
            "a split without chips teaches, chooses or measures nothing",
            "name other events, lower split.block_m or split.buffer_m, or cut more chips",
        )
    px = np.array([chip.landslide_px for chip in facts.chips])
    if facts.target == "landslide" and px[split == TRAIN].sum() == 0:
        raise ChipError(
            "landslide pixels in the training chips",
            f"none in {int((split == TRAIN).sum())} training chips ({px.sum()} in all {len(split)} chips)",
            "a network that never sees a landslide learns to find none",
            "check that the inventory is of this ground, lower split.buffer_m, or draw another split",
        )


def _refuse_repeated(ids: Sequence[str], name: str) -> None:
    if len(set(ids)) != len(ids):
        twice = next(one for i, one in enumerate(ids) if one in ids[:i])
        raise ChipError(
            "every chip once in a split",
            f"{twice} twice in split {name}",
            "it could be in training and in the test at once",
            "draw the split again, or correct the file",
        )


def _unfit(split: SplitFile, found: str) -> ChipError:
    return ChipError(
        "a split of this store's chips",
        f"split {split.name}: {found}",
        "models are compared on the same chips only",
        "use the split that was drawn for this store, or draw another with headscarp chips",
    )
