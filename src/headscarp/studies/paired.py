"""Rows of a study on one ground: means over seeds, and differences paired by seed and by block of ground.

Two things vary in such a comparison, and each is told by itself: the seed of the training, by the differences
of runs of the same seed; and the ground, by a bootstrap over its blocks, in which both rows are counted on
the same draws (:mod:`headscarp.evaluate.intervals`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from headscarp.evaluate.intervals import (
    Interval,
    IntervalOptions,
    draw_blocks,
    interval,
    paired_difference,
    seed_spread,
)
from headscarp.evaluate.result import MethodResult
from headscarp.evaluate.tally import GROUND_M2, Figures
from headscarp.pipeline.evaluate.write import read_blocks
from headscarp.report.evaluation.folder import read_metrics

FigurePath = tuple[str, ...]
"""Path of a figure in ``metrics.json``, such as ``("pixel", "at_threshold", "f1")``."""
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """The runs of a row on one ground.

    Attributes
    ----------
    label : str
    seeds : tuple of int or None
        Of each run; None for what has none.
    grounds : tuple of str
        What two rows must share to be paired: hash of the truth on its grid, side and number of blocks.
    values, draws : tuple of mapping
        Figures of each run on the whole ground, and on each draw of its blocks.
    level : float
        Of the intervals.
    """

    label: str
    seeds: tuple[int | None, ...]
    grounds: tuple[str, ...]
    values: tuple[Figures, ...]
    draws: tuple[Figures, ...]
    level: float

    def by_seed(self, path: FigurePath) -> FloatArray:
        """A figure of each run; NaN where a run has none."""
        return np.array([float(own.get(path, np.nan)) for own in self.values])

    def only(self, seeds: frozenset[int | None]) -> Judged:
        """The runs of some seeds."""
        kept = [place for place, seed in enumerate(self.seeds) if seed in seeds]
        return replace(
            self,
            seeds=tuple(self.seeds[place] for place in kept),
            values=tuple(self.values[place] for place in kept),
            draws=tuple(self.draws[place] for place in kept),
        )

    def drawn(self, path: FigurePath) -> FloatArray | None:
        """Mean of a figure over the runs, on each draw; None where a run has no draws of it."""
        if any(path not in own for own in self.draws):
            return None
        mean: FloatArray = np.mean([own[path] for own in self.draws], axis=0)
        return mean


@dataclass(frozen=True)
class Gap:
    """One row, or figure, less another.

    Attributes
    ----------
    value : float
        Difference of the means over seeds.
    interval : Interval or None
        Of the bootstrap over blocks of ground, paired draw by draw; None where it cannot be given.
    by_seed : tuple of float
        Differences of runs of the same seed; empty where no seed is common.
    """

    value: float
    interval: Interval | None
    by_seed: tuple[float, ...]

    @property
    def std(self) -> float:
        """Sample standard deviation over seeds; NaN for fewer than two."""
        return seed_spread(self.by_seed).std


def read_judged(label: str, folders: Sequence[Path], method: str | None = None) -> Judged:
    """Read the evaluations of a row's runs.

    Parameters
    ----------
    label : str
    folders : sequence of Path
        Evaluation folders, one a run, all of one ground.
    method : str, optional
        A baseline of the evaluations; none: what was evaluated.

    Raises
    ------
    HeadscarpError
        If a folder holds no whole evaluation.
    """
    evaluations = [read_metrics(folder) for folder in folders]
    results = [_method(read_blocks(folder), method) for folder in folders]
    first = evaluations[0]
    labels = sorted(ground.label_sha256 for ground in first.grounds)
    blocks = len(results[0].tally[GROUND_M2])
    # the draws are those of the evaluation itself, so that its own intervals stand in the tables
    options = IntervalOptions(replicates=first.blocks.replicates, seed=first.blocks.seed)
    weights = draw_blocks(blocks, options)
    return Judged(
        label,
        tuple(evaluation.seed for evaluation in evaluations),
        (*labels, str(first.blocks.side_m), str(blocks)),
        tuple(result.values() for result in results),
        tuple(result.draws(weights) for result in results),
        first.blocks.level,
    )


def mean_interval(judged: Judged, path: FigurePath) -> Interval | None:
    """Interval of the mean over seeds, over blocks of ground."""
    drawn = judged.drawn(path)
    return None if drawn is None else interval(drawn, judged.level)


def gap(first: Judged, second: Judged, path: FigurePath, other_path: FigurePath | None = None) -> Gap | None:
    """What one row has over another, or one figure of a row over another figure of it.

    Runs of a seed that the other row has not are left out.

    Parameters
    ----------
    first, second : Judged
        On the same ground.
    path : tuple of str
        The figure of both, or of the first.
    other_path : tuple of str, optional
        The figure of the second, if it is another.

    Returns
    -------
    Gap or None
        None where the rows were judged on different ground, or the figure is undefined.
    """
    other = path if other_path is None else other_path
    common = frozenset(first.seeds) & frozenset(second.seeds)
    if common:  # of a study that is not finished, the runs that both rows have
        first, second = first.only(common), second.only(common)
    drawn = first.drawn(path), second.drawn(other)
    if first.grounds != second.grounds or drawn[0] is None or drawn[1] is None:
        return None
    values = first.by_seed(path), second.by_seed(other)
    means = float(values[0].mean()), float(values[1].mean())
    if not np.isfinite(means).all():
        return None
    found = paired_difference((means[0], drawn[0]), (means[1], drawn[1]), first.level)
    return Gap(found.value, found.interval, _by_seed(first, second, *values))


def _by_seed(first: Judged, second: Judged, own: FloatArray, other: FloatArray) -> tuple[float, ...]:
    there = {
        seed: value for seed, value in zip(second.seeds, other.tolist(), strict=True) if seed is not None
    }
    return tuple(
        value - there[seed] for seed, value in zip(first.seeds, own.tolist(), strict=True) if seed in there
    )


def _method(results: Sequence[MethodResult], name: str | None) -> MethodResult:
    return results[0] if name is None else next(result for result in results if result.name == name)
