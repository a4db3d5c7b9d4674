"""What a repaired split costs: chips that stay, move and leave, by split and by event."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from headscarp.audit.record import CostRecord
from headscarp.audit.table import BoolArray, ChipTable, IntArray
from headscarp.split import SPLIT_NAMES


def repair_costs(table: ChipTable, after: IntArray) -> tuple[CostRecord, ...]:
    """Costs of each series: all its chips, by split, by event.

    Parameters
    ----------
    table : ChipTable
        Chips before the repair.
    after : ndarray of int, shape (chips,)
        Split of each chip after the repair; -1 where dropped.
    """
    return tuple(
        cost for series in range(len(table.series_names)) for cost in _of_series(table, after, series)
    )


def _of_series(table: ChipTable, after: IntArray, series: int) -> Iterator[CostRecord]:
    own = table.series == series
    yield _cost(table, after, series, own, own & (after >= 0))
    for code, name in enumerate(SPLIT_NAMES):
        yield _cost(table, after, series, own & (table.split == code), own & (after == code), split=name)
    for code in np.unique(table.event[own]).tolist():
        here = own & (table.event == code)
        yield _cost(table, after, series, here, here & (after >= 0), event=table.event_names[code])


def _cost(
    table: ChipTable,
    after: IntArray,
    series: int,
    was: BoolArray,
    became: BoolArray,
    split: str | None = None,
    event: str | None = None,
) -> CostRecord:
    """Cost of the chips that were here before, and what is here after."""
    px = np.nan_to_num(table.landslide_px)
    return CostRecord(
        series=table.series_names[series],
        split=split,
        event=event,
        before=int(was.sum()),
        stayed=int((was & (after == table.split)).sum()),
        moved=int((was & (after >= 0) & (after != table.split)).sum()),
        dropped=int((was & (after < 0)).sum()),
        after=int(became.sum()),
        landslide_px_before=int(px[was].sum()),
        landslide_px_after=int(px[became].sum()),
    )
