"""The cells of the study: every row, split, seed and event, and the detectors that need no training."""

from __future__ import annotations

import re

from headscarp.studies.cells import Cell
from headscarp.studies.pan_shi.options import PanShiOptions
from headscarp.studies.pan_shi.work import DETECTOR


def plan_cells(options: PanShiOptions) -> list[Cell]:
    """Cells in the order they are done: seed by seed, so that a study that is stopped has whole rows.

    Examples
    --------
    >>> from headscarp.studies.pan_shi.options import Row
    >>> plan_cells(PanShiOptions(rows=(Row(name="Group 1"),)))
    []
    """
    detectors = [
        _cell(event.name, name, DETECTOR, 0) for event in options.events for name in options.detectors
    ]
    trained = [
        _cell(event.name, row.name, split, seed)
        for seed in options.seeds
        for event in options.events
        for row in options.rows
        for split in row.splits
    ]
    return [*detectors, *trained]


def _cell(event: str, row: str, split: str, seed: int) -> Cell:
    parts = [event, row, split] if split == DETECTOR else [event, row, split, f"seed{seed}"]
    name = "-".join(re.sub(r"[^a-z0-9]+", "_", str(part).lower()).strip("_") for part in parts)
    return Cell(name, {"event": event, "row": row, "split": split, "seed": seed})
