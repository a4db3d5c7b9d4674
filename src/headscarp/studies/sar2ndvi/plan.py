"""The cells of the study: every row and seed, and the baselines."""

from __future__ import annotations

import re

from headscarp.studies.cells import Cell
from headscarp.studies.sar2ndvi.options import Sar2NdviOptions

NETWORK, BASELINE = "network", "baseline"


def plan_cells(options: Sar2NdviOptions) -> list[Cell]:
    """Cells in the order they are done: baselines, then seed by seed, so that a stopped study has whole rows.

    Examples
    --------
    >>> cells = plan_cells(Sar2NdviOptions(seeds=(0,)))
    >>> len(cells), cells[0].name, cells[3].name
    (16, 'mean', 'window_11-seed0')
    """
    baselines = [Cell(name, {"row": name, "kind": BASELINE, "seed": 0}) for name in options.baselines]
    return baselines + [
        Cell(f"{stem(row.name)}-seed{seed}", {"row": row.name, "kind": NETWORK, "seed": seed})
        for seed in options.seeds
        for row in options.rows
    ]


def stem(name: str) -> str:
    """Name of a row as files have it.

    Examples
    --------
    >>> stem("19"), stem("four bands, window 19, terrain")
    ('window_19', 'four_bands_window_19_terrain')
    """
    text = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f"window_{text}" if text.isdigit() else text
