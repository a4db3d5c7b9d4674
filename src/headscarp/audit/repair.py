r"""A repaired split: blocks of ground get one split each, and what lies too near to another split is dropped.

Every unit (a block, a small component, or a whole event) is given to the split that lowers

.. math:: J = w_d d + w_c c + w_l l + w_e e + w_a a + w_m m

with the share of chips dropped :math:`d`, the distances between the kept and the original proportions of
the splits, :math:`\tfrac12 \sum_s |p_s - p^0_s|`, of chips :math:`c`, of landslide pixels :math:`l` and of
chips within each event :math:`e` (weighted by its size), the number of events that lose a split :math:`a`
and the share of chips moved :math:`m`. The search starts from each unit's original majority and from
seeded draws that fill the largest want first, and changes one unit at a time until a round improves little.
With whole events as units, :math:`e` and :math:`a` say nothing and count nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headscarp.audit.options import RepairOptions
from headscarp.audit.places import Places, by_split, find_places, repeats
from headscarp.audit.table import TEST, TRAIN, VALIDATION, BoolArray, ChipTable, FloatArray, IntArray
from headscarp.split import SPLIT_NAMES, SplitError, SplitFile

DROP_ORDER = ((VALIDATION, TEST), (TRAIN, TEST), (TRAIN, VALIDATION))
"""Who is dropped, beside whom: validation first gives way to the test, so that training need not give way
to chips that are gone. The test is never dropped for being near."""
_SPLITS = len(SPLIT_NAMES)
_DROPPED, _CHIPS, _LANDSLIDES, _EVENTS, _MOVED = 1.0, 2.0, 1.0, 1.0, 0.05
"""Weights: proportions of the whole come first, then chips kept; moving chips costs almost nothing."""
_ABSENT = 0.01
"""Cost of an event that loses all its chips of one split: as much as one chip in a hundred."""
_STARTS = 2
_ENOUGH = 1e-3
"""A round that lowers the cost by less, about one chip in a thousand, is the last."""
_PASSES = 20
"""At most so many rounds over all units; a few suffice."""


@dataclass(frozen=True)
class Repair:
    """A repaired split and why chips left."""

    splits: tuple[SplitFile, ...]
    split: IntArray
    """Split of each chip after the repair; -1 where dropped."""
    reasons: dict[str, int]
    """Chips dropped, by reason."""
    units: int


def repair_splits(
    splits: Sequence[SplitFile], table: ChipTable, options: RepairOptions, leave_event_out: bool = False
) -> Repair:
    """Draw a split in which no two splits touch, overlap or come within the buffer.

    A place has the same split in every series. Repeated chips are dropped; low-quality chips are dropped
    from the test and may stay in training and validation.

    Parameters
    ----------
    splits : sequence of SplitFile
        What ``table`` was made of.
    table : ChipTable
    options : RepairOptions
    leave_event_out : bool
        Give whole events to a split.

    Raises
    ------
    SplitError
        If a split would be left without chips.
    """
    places = find_places(table, options, leave_event_out)
    goal = _goal(places, leave_event_out)
    of_place = _search(places, goal, options.seed)
    kept = kept_places(places, of_place)
    _refuse_empty(places, of_place[kept], options, leave_event_out)
    split = np.where(places.of_chip >= 0, of_place[places.of_chip], -1)
    bad = (split == TEST) & places.low_quality[places.of_chip] & (split >= 0)
    near = ~bad & (split >= 0) & ~kept[places.of_chip]
    reasons = {
        "repeated": int(repeats(table).sum()),
        "low quality in test": int(bad.sum()),
        f"touching another split or nearer than {options.buffer_m:g} m": int(near.sum()),
    }
    split = np.where(bad | near, -1, split)
    files = tuple(_rewrite(file, split[table.file == i], options) for i, file in enumerate(splits))
    return Repair(files, split, reasons, places.units)


def kept_places(places: Places, split: IntArray) -> BoolArray:
    """Mark the places that stay: no low quality in the test, no two splits in conflict.

    Parameters
    ----------
    places : Places
    split : ndarray of int
        Split of each place.
    """
    keep: BoolArray = ~(places.low_quality & (split == TEST))
    across = split[places.conflicts.first] != split[places.conflicts.second]
    one, other = places.conflicts.where(across)
    a, b = np.concatenate([one, other]), np.concatenate([other, one])
    for victim, against in DROP_ORDER:
        hit = (split[a] == victim) & (split[b] == against) & keep[b]
        keep[a[hit]] = False
    return keep


@dataclass(frozen=True)
class _Goal:
    """The original proportions of the splits."""

    chips: FloatArray
    landslides: FloatArray
    events: FloatArray
    """Shape (events, splits)."""
    event_share: FloatArray
    """Share of each event in all chips; 0 where events are kept whole."""


def _goal(places: Places, leave_event_out: bool) -> _Goal:
    events = int(places.event.max()) + 1
    in_events = np.stack([np.bincount(places.event, chips, events) for chips in places.chips.T], axis=1)
    share = in_events.sum(axis=1) / in_events.sum()
    return _Goal(
        chips=_proportions(in_events.sum(axis=0)),
        landslides=_proportions(places.landslide_px.sum(axis=0)),
        events=_proportions(in_events),
        event_share=np.zeros_like(share) if leave_event_out else share,
    )


def _proportions(sums: NDArray[Any]) -> FloatArray:
    """Shares along the last axis; 0 where there is nothing to share."""
    total = sums.sum(axis=-1, keepdims=True)
    return np.asarray(sums / np.where(total > 0, total, 1.0), dtype=np.float64)


def _score(places: Places, goal: _Goal, split: IntArray) -> float:
    """Cost of an assignment of splits to places; see the module."""
    keep = kept_places(places, split)
    in_events = by_split(places.event, split, places.size * keep)
    in_splits = in_events.sum(axis=0)
    landslides = np.bincount(split, places.landslides * keep, _SPLITS)
    events = _distance(_proportions(in_events), goal.events)
    absent = np.count_nonzero((goal.events > 0) & (in_events == 0)) if goal.event_share.any() else 0
    stayed = (places.chips[np.arange(len(split)), split] * keep).sum()
    kept, total = in_splits.sum(), places.size.sum()
    return float(
        _DROPPED * (1.0 - kept / total)
        + _CHIPS * _distance(_proportions(in_splits), goal.chips)
        + _LANDSLIDES * _distance(_proportions(landslides), goal.landslides)
        + _EVENTS * (goal.event_share * events).sum()
        + _ABSENT * absent
        + _MOVED * (kept - stayed) / total
    )


def _distance(proportions: FloatArray, goal: FloatArray) -> FloatArray:
    return np.asarray(np.abs(proportions - goal).sum(axis=-1) / 2.0)


def _search(places: Places, goal: _Goal, seed: int) -> IntArray:
    """Split of each place: the best of several seeded searches."""
    drawn = [_start(places, goal, np.random.default_rng([seed, k])) for k in range(_STARTS)]
    found = [_improve(places, goal, split, seed) for split in (_majority(places), *drawn)]
    return min(found, key=lambda split: _score(places, goal, split))


def _majority(places: Places) -> IntArray:
    """Give each unit to the split that most of its chips were in: a clean split stays as it was."""
    counts = np.stack([np.bincount(places.unit, chips) for chips in places.chips.T], axis=1)
    return np.asarray(counts.argmax(axis=1)[places.unit], dtype=np.int64)


def _start(places: Places, goal: _Goal, rng: np.random.Generator) -> IntArray:
    """Give units, the largest first, to the split that wants most; equals in a drawn order."""
    size = np.bincount(places.unit, places.size)
    event = places.event[np.unique(places.unit, return_index=True)[1]]
    by_event = bool(goal.event_share.any())
    total = np.bincount(places.event, places.size)
    wanted = goal.events * total[:, None] if by_event else goal.chips[None, :] * total.sum()
    wanted[:, goal.chips == 0] = -np.inf  # a split that there was not is not made up
    of_unit = np.zeros(places.units, dtype=np.int64)
    for unit in np.lexsort((rng.random(places.units), -size)):
        want = wanted[event[unit] if by_event else 0]
        of_unit[unit] = int(np.argmax(want))
        want[of_unit[unit]] -= size[unit]
    return of_unit[places.unit]


def _improve(places: Places, goal: _Goal, split: IntArray, seed: int) -> IntArray:
    """Change one unit at a time for as long as the cost falls."""
    members = [np.flatnonzero(places.unit == unit) for unit in range(places.units)]
    allowed = np.flatnonzero(goal.chips).tolist()
    rng = np.random.default_rng(seed)
    best = _score(places, goal, split)
    for _ in range(_PASSES):
        before = best
        for unit in rng.permutation(len(members)):
            rows = members[unit]
            for other in sorted(set(allowed) - {int(split[rows[0]])}):
                trial = split.copy()
                trial[rows] = other
                cost = _score(places, goal, trial)
                if cost < best:
                    split, best = trial, cost
        if before - best < _ENOUGH:
            break
    return split


def _refuse_empty(places: Places, left: IntArray, options: RepairOptions, leave_event_out: bool) -> None:
    had = np.flatnonzero(places.chips.sum(axis=0)).tolist()
    lost = [SPLIT_NAMES[code] for code in had if code not in left]
    if lost:
        units = "events" if leave_event_out else "blocks and components"
        raise _lost(", ".join(lost), f"{places.units} {units}, {options.buffer_m:g} m between splits")


def _lost(who: str, circumstances: str) -> SplitError:
    return SplitError(
        "ground for every split that there was",
        f"no chip is left for {who} ({circumstances})",
        "a split without chips measures nothing",
        "lower --block-m or --buffer-m, drop --leave-event-out if it was given, or add chips elsewhere",
    )


def _rewrite(split: SplitFile, codes: IntArray, options: RepairOptions) -> SplitFile:
    """Split file with the repaired splits, dropped chips left out."""
    chips = tuple(
        chip.model_copy(update={"split": SPLIT_NAMES[code]})
        for chip, code in zip(split.chips, codes.tolist(), strict=True)
        if code >= 0
    )
    if not chips:
        raise _lost(f"any split of {split.name}", f"{len(codes)} chips before")
    made = {
        "method": f"headscarp audit --repair {options.repair.value}",
        "buffer_m": options.buffer_m,
        "block_m": options.block_m,
        "repaired_from": split.name,
    }
    return split.model_copy(
        update={"name": f"{split.name} repaired", "seed": options.seed, "made": made, "chips": chips}
    )
