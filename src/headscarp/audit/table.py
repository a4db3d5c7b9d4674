"""The chips of one or several splits as arrays, a row a chip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headscarp.split import SPLIT_NAMES, Chip, SplitFile

TRAIN, VALIDATION, TEST = range(3)
"""Codes of the splits: places in :data:`~headscarp.split.SPLIT_NAMES`."""

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ChipTable:
    """Columns of the chips; every array has one row a chip, in the order of the files."""

    chips: tuple[Chip, ...]
    file: IntArray
    """Place of the chip's split file among those audited."""
    spacing_m: FloatArray
    id: IntArray
    """Equal where ids are equal."""
    series: IntArray
    """Place in ``series_names``."""
    series_names: tuple[str, ...]
    event: IntArray
    """Place in ``event_names``."""
    event_names: tuple[str, ...]
    crs: IntArray
    """Place in ``crs_names``."""
    crs_names: tuple[str, ...]
    content: IntArray
    """Equal where the content's hash is; -1 without a hash."""
    split: IntArray
    """0 training, 1 validation, 2 test."""
    bounds: FloatArray
    """Shape (chips, 4): left, bottom, right, top, m in the chip's CRS."""
    low_quality: BoolArray
    landslide_px: FloatArray
    """NaN where not known."""
    px: FloatArray
    """NaN where not known."""

    def __len__(self) -> int:
        return len(self.chips)


def chip_table(splits: Sequence[SplitFile]) -> ChipTable:
    """Arrays of the chips of one or several split files.

    Parameters
    ----------
    splits : sequence of SplitFile
        Chips of the same series belong together, whichever file they come from.
    """
    chips = tuple(chip for split in splits for chip in split.chips)
    counts = [len(split.chips) for split in splits]
    series, series_names = _coded(chip.series for chip in chips)
    event, event_names = _coded(chip.event for chip in chips)
    crs, crs_names = _coded(chip.crs for chip in chips)
    return ChipTable(
        chips=chips,
        file=np.repeat(np.arange(len(splits)), counts),
        spacing_m=np.repeat([split.spacing_m for split in splits], counts),
        id=_coded(chip.id for chip in chips)[0],
        series=series,
        series_names=series_names,
        event=event,
        event_names=event_names,
        crs=crs,
        crs_names=crs_names,
        content=_coded(chip.content_sha256 for chip in chips)[0],
        split=np.array([SPLIT_NAMES.index(chip.split) for chip in chips], dtype=np.int64),
        bounds=np.array([chip.bounds for chip in chips], dtype=np.float64).reshape(-1, 4),
        low_quality=np.array([chip.low_quality for chip in chips], dtype=np.bool_),
        landslide_px=_numbers(chip.landslide_px for chip in chips),
        px=_numbers(chip.px for chip in chips),
    )


def _coded(values: Iterable[str | None]) -> tuple[IntArray, tuple[str, ...]]:
    """Numbers in order of appearance, -1 for None, and the values they stand for."""
    places: dict[str, int] = {}
    codes = [-1 if value is None else places.setdefault(value, len(places)) for value in values]
    return np.array(codes, dtype=np.int64), tuple(places)


def _numbers(values: Iterable[Any]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
