"""What a study will cost: cells, trainings, and hours if each training runs all its epochs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

from headscarp.features.sets import feature_set
from headscarp.models import NetworkOptions
from headscarp.search.cells import Cell as Combination
from headscarp.search.cells import cells as combinations
from headscarp.search.estimate import VALIDATION_COST, estimate_hours, seconds_a_chip
from headscarp.studies.cells import Cell
from headscarp.studies.pan_shi.options import PanShiOptions, Row, StudyEvent
from headscarp.studies.pan_shi.work import DETECTOR

OTHER_S_PER_MPX = 8.0
"""Judging a cell, seconds for a million pixels of the validation area."""
SPACING_M = 10.0
MEGA, HOUR_S = 1e6, 3600.0


class CellEstimate(NamedTuple):
    """What a cell will take."""

    cell: Cell
    trainings: int
    hours: float


def estimate_cells(options: PanShiOptions, cells: Sequence[Cell]) -> list[CellEstimate]:
    """Hours of each cell on this machine as it is now, from a step of each network.

    Parameters
    ----------
    options : PanShiOptions
    cells : sequence of Cell
    """
    seconds = {row.name: _seconds(options, row, cells) for row in options.rows}
    return [_estimate(options, cell, seconds) for cell in cells]


def chips_of(event: StudyEvent, area: str, chip_px: int) -> int:
    """Chips that an area is cut into, if all of it is seen.

    Parameters
    ----------
    event : StudyEvent
    area : str
        training or validation.
    chip_px : int
    """
    left, bottom, right, top = getattr(event, area)
    side = chip_px * (event.area.spacing or SPACING_M)
    rows, cols = (-int(-round(extent / side, 6) // 1) for extent in (top - bottom, right - left))
    return rows * cols


def _wanted(options: PanShiOptions) -> list[Combination]:
    if options.search is None:
        fit = options.train
        return [Combination(fit.batch_size, fit.learning_rate, options.filters)]
    return combinations(options.search)


def _seconds(options: PanShiOptions, row: Row, cells: Sequence[Cell]) -> dict[int, float]:
    """Seconds a chip by filters; nothing is measured for a row without cells."""
    if not any(cell.values["row"] == row.name for cell in cells):
        return {}
    channels = feature_set(row.features).network_channels
    widths = sorted({own.filters for own in _wanted(options)})
    return {filters: _a_chip(row.network, channels, filters, options.chip_px) for filters in widths}


@functools.cache
def _a_chip(network: str, channels: int, filters: int, chip_px: int) -> float:
    """Seconds a chip, measured once for all rows of the same network."""
    return seconds_a_chip(NetworkOptions(network=network, channels=channels, filters=filters), chip_px)


def _estimate(options: PanShiOptions, cell: Cell, seconds: dict[str, dict[int, float]]) -> CellEstimate:
    event = next(own for own in options.events if own.name == cell.values["event"])
    judged = chips_of(event, "validation", options.chip_px)
    other = judged * options.chip_px**2 / MEGA * OTHER_S_PER_MPX / HOUR_S
    if cell.values["split"] == DETECTOR:
        return CellEstimate(cell, 0, other)
    own, wanted = seconds[str(cell.values["row"])], _wanted(options)
    count = chips_of(event, "training", options.chip_px)
    share = getattr(options, str(cell.values["split"])).shares
    chips = round(count * share[0]), round(count * share[1])
    training = estimate_hours(wanted, own, chips, options.train.epochs)
    mapping = min(own.values()) * VALIDATION_COST * (judged + count) / HOUR_S
    return CellEstimate(cell, len(wanted), training + mapping + other)
