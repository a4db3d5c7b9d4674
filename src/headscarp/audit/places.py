"""The ground behind the chips: one place for each id, its conflicts with others, and the units kept whole.

A place has one split in every series. Two places are in conflict when their chips touch, overlap, or lie
nearer to each other than the buffer: they may not both stay in different splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from headscarp.audit.findings import ROUNDING_M, tolerance_m
from headscarp.audit.neighbours import Pairs, candidate_pairs, closeness
from headscarp.audit.options import RepairOptions
from headscarp.audit.table import BoolArray, ChipTable, FloatArray, IntArray
from headscarp.split import SPLIT_NAMES

_BUFFER_ROUNDING_M = 1e-3
"""Chips on a regular grid are exactly a chip apart, but for what degrees lost."""


@dataclass(frozen=True)
class Places:
    """One row a place, in the order in which the chips name them."""

    of_chip: IntArray
    """Place of each chip; -1 for chips that repeat an earlier one."""
    chips: FloatArray
    """Chips of each place that were in each split, over all series, shape (places, splits)."""
    landslide_px: FloatArray
    """Landslide pixels of these chips, 0 where not known, shape (places, splits)."""
    event: IntArray
    low_quality: BoolArray
    conflicts: Pairs
    """Between places of two units."""
    unit: IntArray
    """Places of one unit get one split."""

    @cached_property
    def size(self) -> FloatArray:
        """Chips of each place."""
        return np.asarray(self.chips.sum(axis=1), dtype=np.float64)

    @cached_property
    def landslides(self) -> FloatArray:
        """Landslide pixels of each place."""
        return np.asarray(self.landslide_px.sum(axis=1), dtype=np.float64)

    @cached_property
    def units(self) -> int:
        """Number of units."""
        return int(self.unit.max()) + 1

    def __len__(self) -> int:
        return len(self.chips)


def find_places(table: ChipTable, options: RepairOptions, leave_event_out: bool) -> Places:
    """Places of the chips, their conflicts and units.

    Parameters
    ----------
    table : ChipTable
        Chips of all series.
    options : RepairOptions
        Buffer and block size.
    leave_event_out : bool
        Units are whole events, not blocks.
    """
    kept = np.flatnonzero(~repeats(table))
    first, place = np.unique(table.id[kept], return_index=True, return_inverse=True)[1:]
    of_chip = np.full(len(table), -1, dtype=np.int64)
    of_chip[kept] = place
    rows = kept[first]
    conflicts = _conflicts(table, of_chip, options.buffer_m)
    if leave_event_out:
        unit = _events(table, of_chip)[table.event[rows]]
    else:
        unit = _blocks(table, rows, conflicts, options.block_m)
    unit = np.unique(unit, return_inverse=True)[1]
    return Places(
        of_chip=of_chip,
        chips=by_split(place, table.split[kept], np.ones(len(kept))),
        landslide_px=by_split(place, table.split[kept], np.nan_to_num(table.landslide_px[kept])),
        event=table.event[rows],
        low_quality=np.bincount(place, table.low_quality[kept]) > 0,
        conflicts=conflicts.where(unit[conflicts.first] != unit[conflicts.second]),
        unit=unit,
    )


def repeats(table: ChipTable) -> BoolArray:
    """Mark chips that repeat an earlier one: its id in its series, or its content under another id."""
    repeated = np.ones(len(table), dtype=np.bool_)
    key = table.id * len(table.series_names) + table.series
    repeated[np.unique(key, return_index=True)[1]] = False
    content, first, group = np.unique(table.content, return_index=True, return_inverse=True)
    other_id = table.id[first][group] != table.id
    marked: BoolArray = repeated | (other_id & (content[group] >= 0))
    return marked


def by_split(group: IntArray, split: IntArray, values: FloatArray) -> FloatArray:
    """Sums of values by group and split, shape (groups, splits)."""
    width = len(SPLIT_NAMES)
    groups = int(group.max()) + 1
    sums = np.bincount(group * width + split, values, groups * width).astype(np.float64)
    return sums.reshape(groups, width)


def _conflicts(table: ChipTable, of_chip: IntArray, buffer_m: float) -> Pairs:
    """Pairs of places that may not be in different splits."""
    reach = max(buffer_m, float(table.spacing_m.max()) / 2.0) + ROUNDING_M
    own = _distinct(table, of_chip)
    pairs = candidate_pairs(table, reach, own)
    pairs = pairs.where(of_chip[pairs.first] != of_chip[pairs.second])
    how_near = closeness(table, pairs)
    touching = how_near.separation_m <= tolerance_m(table, pairs) + ROUNDING_M
    conflicting = touching | (how_near.distance_m < buffer_m - _BUFFER_ROUNDING_M)
    places = np.stack([of_chip[pairs.first[conflicting]], of_chip[pairs.second[conflicting]]], axis=1)
    unique = np.unique(np.sort(places, axis=1), axis=0)
    return Pairs(unique[:, 0], unique[:, 1])


def _distinct(table: ChipTable, of_chip: IntArray) -> IntArray:
    """Rows that show a place at other bounds than every row before: mostly one a place, not one a series."""
    kept = np.flatnonzero(of_chip >= 0)
    columns = [of_chip[kept], table.crs[kept], table.spacing_m[kept], *table.bounds[kept].T]
    first = np.unique(np.column_stack(columns), axis=0, return_index=True)[1]
    return np.sort(kept[first])


def _blocks(table: ChipTable, rows: IntArray, conflicts: Pairs, block_m: float) -> IntArray:
    """Unit of each place: its component where that fits in a block, else the block of its event and CRS."""
    component = _linked(conflicts, len(rows))
    crs, event, bounds = table.crs[rows], table.event[rows], table.bounds[rows]
    low, high = _extent(component, bounds)
    one_crs = _lowest(component, crs) == -_lowest(component, -crs)
    fits = (one_crs & (high - low <= block_m + ROUNDING_M).all(axis=1))[component]
    zone = event * len(table.crs_names) + crs
    anchor = _extent(np.unique(zone, return_inverse=True)[1], bounds)[0]
    centre = (bounds[:, :2] + bounds[:, 2:]) / 2.0
    cell = np.floor((centre - anchor[np.unique(zone, return_inverse=True)[1]]) / block_m).astype(np.int64)
    whole = np.stack([component, np.full(len(rows), -1), np.full(len(rows), -1)], axis=1)
    cut = np.column_stack([zone, cell])
    return np.unique(np.where(fits[:, None], whole, cut), axis=0, return_inverse=True)[1].reshape(-1)


def _linked(links: Pairs, count: int) -> IntArray:
    """Label of the connected component of each of ``count`` nodes."""
    ones = np.ones(len(links.first), dtype=np.int8)
    graph = coo_array((ones, (links.first, links.second)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _extent(group: IntArray, bounds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lower left and upper right corner of each group."""
    low = np.stack([_lowest(group, bounds[:, k]) for k in (0, 1)], axis=1)
    high = np.stack([-_lowest(group, -bounds[:, k]) for k in (2, 3)], axis=1)
    return low, high


def _lowest(group: IntArray, values: FloatArray | IntArray) -> FloatArray:
    lowest = np.full(int(group.max()) + 1, np.inf)
    np.minimum.at(lowest, group, values)
    return lowest


def _events(table: ChipTable, of_chip: IntArray) -> IntArray:
    """Unit of each event; events that name the same place are one."""
    kept = np.flatnonzero(of_chip >= 0)
    first = kept[np.unique(of_chip[kept], return_index=True)[1]]
    of_place = table.event[first]
    return _linked(Pairs(of_place[of_chip[kept]], table.event[kept]), len(table.event_names))
