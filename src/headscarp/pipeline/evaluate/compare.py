"""Evaluations side by side: intervals, paired differences on the same ground, spread over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headscarp import __version__
from headscarp.errors import OptionsError
from headscarp.evaluate.confusion import FloatArray
from headscarp.evaluate.intervals import (
    Difference,
    IntervalOptions,
    draw_blocks,
    interval,
    paired_difference,
    seed_spread,
)
from headscarp.evaluate.record import Evaluation
from headscarp.evaluate.result import HEADLINES, MethodResult
from headscarp.evaluate.tally import GROUND_M2, Figures
from headscarp.pipeline.evaluate.comparison import ComparedFigure, ComparedMethod, Comparison
from headscarp.pipeline.evaluate.table import compared_rows, difference_rows, markdown
from headscarp.pipeline.evaluate.write import read_blocks
from headscarp.pipeline.provenance import command_line, source_commit
from headscarp.report.evaluation.folder import read_metrics
from headscarp.run_folder import staged_folder, write_atomically

COMPARISON_JSON, COMPARISON_MD, COMPARISON_CSV = "comparison.json", "comparison.md", "comparison.csv"


@dataclass(frozen=True)
class _Entry:
    """A method of one evaluation, or a baseline of it."""

    folder: Path
    evaluation: Evaluation
    result: MethodResult
    values: Figures
    draws: Figures

    @property
    def label(self) -> str:
        """Name of the method."""
        return self.result.name

    @property
    def is_prediction(self) -> bool:
        """Whether this is what was evaluated, not a baseline beside it."""
        return self.label == self.evaluation.name

    @property
    def ground(self) -> tuple[str, ...]:
        """What two evaluations must share to be compared block by block."""
        labels = sorted(ground.label_sha256 for ground in self.evaluation.grounds)
        return (*labels, str(self.evaluation.blocks.side_m), str(len(self.result.tally[GROUND_M2])))


def run_compare(folders: Sequence[Path], out: Path | None = None, overwrite: bool = False) -> Comparison:
    """Compare evaluations with the first, and with its baselines.

    Parameters
    ----------
    folders : sequence of Path
        Evaluation folders. Those of one method's name on one ground are its seeds: they become one column
        with mean and standard deviation.
    out : Path, optional
        Folder for the tables.
    overwrite : bool
        Replace a comparison that stands there.

    Raises
    ------
    HeadscarpError
        If a folder holds no evaluation, or fewer than two were given.
    """
    if len(folders) < 2 or len({folder.resolve() for folder in folders}) < len(folders):
        raise OptionsError(
            "two evaluation folders or more, each once",
            ", ".join(map(str, folders)),
            "there is nothing to compare",
            "call `headscarp compare DIR DIR`",
        )
    entries = [entry for number, folder in enumerate(folders) for entry in _entries(folder, number == 0)]
    groups = _columns(entries)
    labels = _labels(groups)
    methods = [_method(*each, groups[0]) for each in zip(labels, groups, strict=True)]
    comparison = Comparison(
        headscarp=__version__,
        commit=source_commit(),
        command=command_line(),
        methods=methods,
        notes=_notes(groups),
    )
    if out is not None:
        _write(out, overwrite, comparison)
    return comparison


def _columns(entries: Sequence[_Entry]) -> list[list[_Entry]]:
    """Group runs of one method on one ground that differ by their stated seed; all others stand alone."""
    columns: dict[tuple[str, ...], list[_Entry]] = {}
    for number, entry in enumerate(entries):
        seeded = entry.evaluation.seed is not None and entry.is_prediction
        alone = () if seeded else (str(number),)
        columns.setdefault((entry.label, *entry.ground, *alone), []).append(entry)
    return list(columns.values())


def _labels(groups: Sequence[Sequence[_Entry]]) -> list[str]:
    """Names of the columns; the folder is added where two methods have one name."""
    names = [group[0].label for group in groups]
    return [
        f"{name} ({group[0].folder.name})" if names.count(name) > 1 else name
        for name, group in zip(names, groups, strict=True)
    ]


def _entries(folder: Path, with_baselines: bool) -> list[_Entry]:
    """The method of an evaluation; and its baselines, which stand in every table once."""
    evaluation, results = read_metrics(folder), read_blocks(folder)
    # the draws are those of the evaluation itself, so that its own intervals stand in the table
    options = IntervalOptions(replicates=evaluation.blocks.replicates, seed=evaluation.blocks.seed)
    weights = draw_blocks(len(results[0].tally[GROUND_M2]), options)
    kept = results if with_baselines else results[:1]
    return [_entry(folder, evaluation, result, weights) for result in kept]


def _entry(folder: Path, evaluation: Evaluation, result: MethodResult, weights: FloatArray) -> _Entry:
    return _Entry(folder, evaluation, result, result.values(), result.draws(weights))


def _method(label: str, group: Sequence[_Entry], reference: Sequence[_Entry]) -> ComparedMethod:
    first = group[0]
    same = first.ground == reference[0].ground
    figures = {" ".join(path): _figure(group, path) for path in HEADLINES if path in first.values}
    over: dict[str, ComparedFigure] = {}
    if same and group is not reference:
        common = [path for path in HEADLINES if path in first.values and path in reference[0].values]
        over = {" ".join(path): _over(group, reference, path) for path in common}
    return ComparedMethod(
        label=label,
        folders=[str(entry.folder) for entry in group],
        same_ground_as_first=same,
        figures=figures,
        over_first=over,
    )


def _figure(group: Sequence[_Entry], path: tuple[str, ...]) -> ComparedFigure:
    if len(group) > 1:
        spread = seed_spread([float(entry.values[path]) for entry in group])
        return ComparedFigure(value=_finite(spread.mean), std=_finite(spread.std), seeds=spread.seeds)
    entry = group[0]
    found = interval(entry.draws[path], entry.evaluation.blocks.level)
    return ComparedFigure(value=_finite(float(entry.values[path])), interval=found)


def _over(group: Sequence[_Entry], reference: Sequence[_Entry], path: tuple[str, ...]) -> ComparedFigure:
    """Difference of the means over seeds, drawn on the same blocks."""
    level = reference[0].evaluation.blocks.level
    found: Difference = paired_difference(_mean(group, path), _mean(reference, path), level)
    return ComparedFigure(
        value=_finite(found.value), interval=found.interval, seeds=min(len(group), len(reference))
    )


def _mean(group: Sequence[_Entry], path: tuple[str, ...]) -> tuple[float, FloatArray]:
    values = float(np.mean([float(entry.values[path]) for entry in group]))
    return values, np.mean([entry.draws[path] for entry in group], axis=0)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _notes(groups: Sequence[Sequence[_Entry]]) -> list[str]:
    reference = groups[0][0]
    notes = []
    for group in groups:
        entry = group[0]
        if entry.ground != reference.ground:
            notes.append(
                f"{entry.folder} was evaluated on other ground or other blocks than {reference.folder}: "
                "no paired difference can be given"
            )
        if len(group) > 1:
            seeds = ", ".join(str(each.evaluation.seed) for each in group)
            notes.append(f"{entry.label}: mean ± standard deviation over {len(group)} runs (seeds {seeds})")
    few = min(len(group[0].result.tally[GROUND_M2]) for group in groups)
    notes.append(f"intervals: {reference.evaluation.blocks.level:.0%}, bootstrap over at least {few} blocks")
    return notes


def _write(out: Path, overwrite: bool, comparison: Comparison) -> None:
    tables = (compared_rows(comparison), difference_rows(comparison))
    with staged_folder(out, overwrite, COMPARISON_JSON) as folder:
        write_atomically(folder / COMPARISON_JSON, comparison.model_dump_json(indent=2) + "\n")
        write_atomically(folder / COMPARISON_MD, "\n".join(map(markdown, tables)))
        lines = ["method,figure,kind,value,low,high,std,seeds"]
        for method in comparison.methods:
            for kind, figures in (("value", method.figures), ("over first", method.over_first)):
                for name, figure in figures.items():
                    low, high = figure.interval or ("", "")
                    cells = [method.label, name, kind, figure.value, low, high, figure.std, figure.seeds]
                    lines.append(",".join("" if cell is None else str(cell) for cell in cells))
        write_atomically(folder / COMPARISON_CSV, "\n".join(lines) + "\n")
