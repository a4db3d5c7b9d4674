"""What is wrong with a split: one finding a fault, each pair of chips in one finding at most.

Chips of two splits that touch, overlap, or hold the same content let the test see what was trained on.
Two chips *touch* when the gap between them, along both axes, is at most half a pixel, and they *overlap*
when they cover each other by more than half a pixel; a gap beyond half a pixel is none of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple

import numpy as np

from headscarp.audit.neighbours import Closeness, Pairs, candidate_pairs, closeness
from headscarp.audit.table import TEST, TRAIN, BoolArray, ChipTable, FloatArray, IntArray
from headscarp.split import SPLIT_NAMES, Chip

ROUNDING_M = 1e-6
"""Coordinates that passed through degrees come back within this of where they were."""
MAX_SHARE_RATIO = 2.0
"""Ratio of the landslide pixel shares of two splits from which they are told apart."""


class FindingKind(StrEnum):
    """What was found."""

    DUPLICATE_ID = "duplicate id"
    DUPLICATE_CONTENT = "duplicate content"
    OVERLAP = "overlap"
    TOUCH_EDGE = "touching edges"
    TOUCH_CORNER = "touching corners"
    SERIES_CONFLICT = "other split in another series"
    EVENT_SHARED = "event in several splits"
    LOW_QUALITY = "low quality"
    NO_POSITIVES = "no landslide in a split"
    IMBALANCE = "unequal landslide share"
    MEMBERSHIP = "files disagree"


class Severity(StrEnum):
    """Leak: what was trained on is tested on. Note: worth knowing."""

    LEAK = "leak"
    NOTE = "note"


class Finding(NamedTuple):
    """One fault; empty fields do not apply to its kind."""

    kind: FindingKind
    severity: Severity
    series_a: str = ""
    chip_a: str = ""
    split_a: str = ""
    series_b: str = ""
    chip_b: str = ""
    split_b: str = ""
    event: str = ""
    gap_m: float | None = None
    """Gap between two chips, negative where they overlap: along the axis that separates them most."""
    overlap_m2: float | None = None
    detail: str = ""


class NearPairs(NamedTuple):
    """Chips of different splits that touch or overlap."""

    pairs: Pairs
    kinds: tuple[FindingKind, ...]
    separation_m: FloatArray
    overlap_m2: FloatArray


def find_all(table: ChipTable, near: NearPairs, leave_event_out: bool) -> list[Finding]:
    """Every finding, leaks first.

    Parameters
    ----------
    table : ChipTable
    near : NearPairs
        Of :func:`near_across_splits`.
    leave_event_out : bool
        Count an event in several splits as a leak.
    """
    found = [
        *find_duplicates(table),
        *find_near(table, near),
        *find_series_conflicts(table),
        *find_shared_events(table, leave_event_out),
        *find_low_quality(table),
        *find_imbalance(table),
    ]
    return sorted(found, key=lambda finding: finding.severity is not Severity.LEAK)


def near_across_splits(table: ChipTable) -> NearPairs:
    """Pairs of chips of different splits that touch or overlap.

    Chips of one series are compared with each other; chips of two series only overlap (neighbours in two
    series see different acquisitions, the same ground in two series is a leak whatever it is called).
    Pairs with the same id or content are duplicates and are told there.
    """
    reach = float(table.spacing_m.max()) / 2.0 + ROUNDING_M
    pairs = candidate_pairs(table, reach)
    a, b = pairs.first, pairs.second
    same_content = (table.content[a] == table.content[b]) & (table.content[a] >= 0)
    wanted = (table.split[a] != table.split[b]) & (table.id[a] != table.id[b]) & ~same_content
    pairs = pairs.where(wanted)
    how_near = closeness(table, pairs)
    tolerance = tolerance_m(table, pairs) + ROUNDING_M
    overlapping = how_near.separation_m < -tolerance
    same_series = table.series[pairs.first] == table.series[pairs.second]
    is_near = (how_near.separation_m <= tolerance) & (same_series | overlapping)
    return _near(pairs, how_near, tolerance, is_near)


def tolerance_m(table: ChipTable, pairs: Pairs) -> FloatArray:
    """Half a pixel, of the coarser chip of each pair, m."""
    return np.maximum(table.spacing_m[pairs.first], table.spacing_m[pairs.second]) / 2.0


def find_near(table: ChipTable, near: NearPairs) -> Iterator[Finding]:
    """Touching and overlapping chips of different splits."""
    rows = zip(*near.pairs, near.kinds, near.separation_m, near.overlap_m2, strict=True)
    for a, b, kind, separation, overlap in rows:
        yield _of_pair(
            kind,
            table.chips[a],
            table.chips[b],
            gap_m=round(float(separation), 3) + 0.0,
            overlap_m2=round(float(overlap), 1) + 0.0,
        )


def find_duplicates(table: ChipTable) -> Iterator[Finding]:
    """Ids that come twice in a series, and contents that come under two ids.

    Every further chip of a group is told once, beside an earlier one of another split where there is one.
    """
    by_id = _groups(table.id * len(table.series_names) + table.series)
    for rows in by_id:
        for a, b in _linked(table, rows):
            yield _of_pair(FindingKind.DUPLICATE_ID, table.chips[a], table.chips[b])
    for rows in _groups(table.content):
        if table.content[rows[0]] >= 0:
            for a, b in _linked(table, rows, other_id=True):
                yield _of_pair(FindingKind.DUPLICATE_CONTENT, table.chips[a], table.chips[b])


def find_series_conflicts(table: ChipTable) -> Iterator[Finding]:
    """Chips that are in one split in one series and in another split in another."""
    for rows in _groups(table.id):
        first_of_series = {int(table.series[row]): row for row in rows[::-1]}
        for a, b in combinations(sorted(first_of_series.values()), 2):
            if table.split[a] != table.split[b]:
                yield _of_pair(FindingKind.SERIES_CONFLICT, table.chips[a], table.chips[b])


def find_shared_events(table: ChipTable, leave_event_out: bool) -> Iterator[Finding]:
    """Events with chips in several splits, over all series."""
    severity = Severity.LEAK if leave_event_out else Severity.NOTE
    for code, event in enumerate(table.event_names):
        counts = np.bincount(table.split[table.event == code], minlength=len(SPLIT_NAMES))
        if np.count_nonzero(counts) > 1:
            told = ", ".join(f"{name} {n}" for name, n in zip(SPLIT_NAMES, counts, strict=True) if n)
            yield Finding(FindingKind.EVENT_SHARED, severity, event=event, detail=f"chips: {told}")


def find_low_quality(table: ChipTable) -> Iterator[Finding]:
    """Chips on a low-quality list, those of the test first."""
    rows = np.flatnonzero(table.low_quality)
    for row in rows[np.argsort(-table.split[rows], kind="stable")]:
        chip = table.chips[row]
        yield Finding(
            FindingKind.LOW_QUALITY, Severity.NOTE, chip.series, chip.id, chip.split, event=chip.event
        )


def find_imbalance(table: ChipTable) -> Iterator[Finding]:
    """Splits without any landslide, and splits whose landslide share is far from training's."""
    for code, series in enumerate(table.series_names):
        known = (table.series == code) & np.isfinite(table.landslide_px)
        for split in np.unique(table.split[known]).tolist():
            own = known & (table.split == split)
            name = SPLIT_NAMES[split]
            if not (table.landslide_px[own] > 0).any():
                detail = f"none of {np.count_nonzero(own)} chips shows a landslide"
                yield Finding(FindingKind.NO_POSITIVES, Severity.NOTE, series, split_a=name, detail=detail)
            elif split != TRAIN:
                yield from _far_from_training(table, known, split, series)


def landslide_share(table: ChipTable, rows: BoolArray) -> float:
    """Landslide pixels over all pixels of the chips that know both; NaN without any such chip."""
    known = rows & np.isfinite(table.landslide_px) & np.isfinite(table.px)
    return float(table.landslide_px[known].sum() / table.px[known].sum()) if known.any() else float("nan")


def chips_near(table: ChipTable, near: NearPairs) -> BoolArray:
    """Mark chips that touch or overlap a chip of their own series in another split."""
    a, b = near.pairs
    same = table.series[a] == table.series[b]
    marked = np.zeros(len(table), dtype=np.bool_)
    marked[a[same]] = marked[b[same]] = True
    return marked


def leaking_tests(table: ChipTable, near: NearPairs) -> BoolArray:
    """Mark test chips that touch or overlap a training or validation chip of their series."""
    leaking: BoolArray = chips_near(table, near) & (table.split == TEST)
    return leaking


def _near(pairs: Pairs, how_near: Closeness, tolerance: FloatArray, wanted: BoolArray) -> NearPairs:
    kinds = np.where(
        how_near.separation_m < -tolerance,
        FindingKind.OVERLAP,
        np.where(how_near.least_m >= -tolerance, FindingKind.TOUCH_CORNER, FindingKind.TOUCH_EDGE),
    )
    return NearPairs(
        pairs.where(wanted),
        tuple(FindingKind(kind) for kind in kinds[wanted]),
        how_near.separation_m[wanted],
        how_near.overlap_m2[wanted],
    )


def _far_from_training(table: ChipTable, known: BoolArray, split: int, series: str) -> Iterator[Finding]:
    training = landslide_share(table, known & (table.split == TRAIN))
    own = landslide_share(table, known & (table.split == split))
    if not (training > 0 and own > 0):  # NaN where pixels are not counted, 0 is told as "no landslide"
        return
    ratio = max(training / own, own / training)
    if ratio > MAX_SHARE_RATIO:
        detail = f"landslide share {own:.2%} against {training:.2%} in training, a factor of {ratio:.1f}"
        yield Finding(FindingKind.IMBALANCE, Severity.NOTE, series, split_a=SPLIT_NAMES[split], detail=detail)


def _of_pair(
    kind: FindingKind, a: Chip, b: Chip, gap_m: float | None = None, overlap_m2: float | None = None
) -> Finding:
    severity = Severity.LEAK if a.split != b.split else Severity.NOTE
    event = a.event if a.event == b.event else f"{a.event}, {b.event}"
    return Finding(kind, severity, a.series, a.id, a.split, b.series, b.id, b.split, event, gap_m, overlap_m2)


def _groups(codes: IntArray) -> Iterator[IntArray]:
    """Rows that share a code, for each code that comes more than once."""
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        if len(rows) > 1:
            yield rows


def _linked(table: ChipTable, rows: IntArray, other_id: bool = False) -> Iterator[tuple[int, int]]:
    """Each later row with an earlier one: the first of another split, else the first."""
    for place, row in enumerate(rows[1:], start=1):
        earlier = rows[:place]
        if other_id:
            earlier = earlier[table.id[earlier] != table.id[row]]
        others = earlier[table.split[earlier] != table.split[row]]
        partner = others if others.size else earlier
        if partner.size:
            yield int(partner[0]), int(row)
