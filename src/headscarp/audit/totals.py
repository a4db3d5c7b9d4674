"""Totals of an audit: counts by series, split and event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import permutations
from typing import Literal

import numpy as np

from headscarp.audit.findings import Finding, NearPairs, Severity, chips_near, landslide_share
from headscarp.audit.record import SeriesRecord, SharedRecord, SplitCounts
from headscarp.audit.table import TEST, BoolArray, ChipTable, IntArray
from headscarp.split import SPLIT_NAMES


def verdict(findings: Iterable[Finding]) -> Literal["clean", "leaks"]:
    """``leaks`` where a finding is a leak."""
    leaking = any(finding.severity is Severity.LEAK for finding in findings)
    return "leaks" if leaking else "clean"


def count_kinds(findings: Iterable[Finding]) -> dict[str, int]:
    """Findings by kind, the most frequent first."""
    counts = Counter(str(finding.kind) for finding in findings)
    return dict(counts.most_common())


def series_records(table: ChipTable, near: NearPairs) -> tuple[SeriesRecord, ...]:
    """Counts of each series: all its events, then each event, the largest first."""
    marked = chips_near(table, near)
    records = []
    for code in range(len(table.series_names)):
        own = table.series == code
        records.append(_record(table, marked, own, code, None))
        sizes = np.bincount(table.event[own], minlength=len(table.event_names))
        largest = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)].tolist()
        records += [_record(table, marked, own & (table.event == e), code, e) for e in largest]
    return tuple(records)


def shared_records(table: ChipTable) -> tuple[SharedRecord, ...]:
    """Where the test chips of each series are in each other series."""
    return tuple(
        _shared(table, one, other)
        for one, other in permutations(range(len(table.series_names)), 2)
        if _rows_by_id(table, one).keys() & _rows_by_id(table, other).keys()
    )


def counts_by_split(splits: IntArray) -> SplitCounts:
    """Number of rows of each split."""
    counts = np.bincount(splits, minlength=len(SPLIT_NAMES)).tolist()
    return SplitCounts(**dict(zip(SPLIT_NAMES, counts, strict=True)))


def _record(
    table: ChipTable, marked: BoolArray, own: BoolArray, series: int, event: int | None
) -> SeriesRecord:
    shares = {}
    for code, name in enumerate(SPLIT_NAMES):
        share = landslide_share(table, own & (table.split == code))
        shares[name] = None if np.isnan(share) else share
    positive = np.nan_to_num(table.landslide_px) > 0
    return SeriesRecord(
        series=table.series_names[series],
        event=None if event is None else table.event_names[event],
        chips=counts_by_split(table.split[own]),
        near=counts_by_split(table.split[own & marked]),
        low_quality=counts_by_split(table.split[own & table.low_quality]),
        positives=counts_by_split(table.split[own & positive]),
        landslide_share=shares,
    )


def _shared(table: ChipTable, one: int, other: int) -> SharedRecord:
    mine, theirs = _rows_by_id(table, one), _rows_by_id(table, other)
    tests = [i for i, row in mine.items() if table.split[row] == TEST and i in theirs]
    splits = np.array([table.split[theirs[i]] for i in tests], dtype=np.int64)
    return SharedRecord(
        test_of=table.series_names[one],
        found_in=table.series_names[other],
        test_chips=len(tests),
        splits=counts_by_split(splits),
    )


def _rows_by_id(table: ChipTable, series: int) -> dict[int, int]:
    """First row of each id of a series."""
    rows = np.flatnonzero(table.series == series)[::-1]
    return dict(zip(table.id[rows].tolist(), rows.tolist(), strict=True))
