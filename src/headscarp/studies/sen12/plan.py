"""The cells of the study: every model, split, fold and seed; and the baselines that need no training."""

from __future__ import annotations

from headscarp.studies.cells import Cell
from headscarp.studies.sen12.options import Sen12Options

BASELINE = "log_ratio"
"""Absolute change of backscatter, summed over the polarisations: what networks are held against."""


def plan_cells(options: Sen12Options) -> list[Cell]:
    """Cells in the order they are done: seed by seed, so that a study that is stopped has whole rows.

    Examples
    --------
    >>> cells = plan_cells(Sen12Options(splits=("official_asc", "blocked"), folds=3, seeds=(0,)))
    >>> len(cells), cells[0].name, cells[-1].name
    (24, 'log_ratio-official_asc', 'dppa_unet-blocked2-seed0')
    """
    parts = [
        (split, fold)
        for split in options.splits
        for fold in (range(options.folds) if split == "blocked" else (0,))
    ]
    baselines = [_cell(BASELINE, split, fold, None) for split, fold in parts]
    trained = [
        _cell(model.name, split, fold, seed)
        for seed in options.seeds
        for split, fold in parts
        for model in options.models
    ]
    return [*baselines, *trained]


def _cell(model: str, split: str, fold: int, seed: int | None) -> Cell:
    place = f"{split}{fold}" if split == "blocked" else split
    name = f"{model}-{place}" if seed is None else f"{model}-{place}-seed{seed}"
    return Cell(name, {"model": model, "split": split, "fold": fold, "seed": 0 if seed is None else seed})
