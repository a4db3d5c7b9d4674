"""``results/README.md``, written from the results: one table a split, how to read it, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headscarp.evaluate.intervals import seed_spread
from headscarp.run_folder import write_atomically
from headscarp.studies.cells import CellRecord, counts
from headscarp.studies.sen12.figures import OVERVIEW_PNG
from headscarp.studies.sen12.grounds import Grounds
from headscarp.studies.sen12.options import Sen12Options
from headscarp.studies.sen12.plan import BASELINE
from headscarp.studies.sen12.score import AT_HALF, AT_THRESHOLD, PR_AUC

README = "README.md"
COLUMNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("PR-AUC", (PR_AUC,)),
    ("Dice at 0.5", (AT_HALF, "dice")),
    ("Precision at 0.5", (AT_HALF, "precision")),
    ("Recall at 0.5", (AT_HALF, "recall")),
    ("Dice at threshold", (AT_THRESHOLD, "dice")),
    ("Precision at threshold", (AT_THRESHOLD, "precision")),
    ("Recall at threshold", (AT_THRESHOLD, "recall")),
    ("Seconds a patch", ("seconds_a_patch",)),
)
SPLITS = {
    "official_asc": "Official split, ascending",
    "official_dsc": "Official split, descending",
    "aligned": "Official aligned split, both orbits",
    "blocked": "Blocked cross-validation, both orbits",
}
LEAKS = (
    "Every official test patch of Hokkaido touches a training or validation patch: figures on official "
    "splits flatter every model. The blocked folds keep test patches at a distance, and are the result."
)


def write_readme(folder: Path, options: Sen12Options, records: Sequence[CellRecord], origin: str) -> None:
    """Write the page.

    Parameters
    ----------
    folder : Path
        Of the results.
    options : Sen12Options
    records : sequence of CellRecord
    origin : str
        What the patches are: real ones, or simulated ones at the official places.
    """
    state = ", ".join(f"{count} {name}" for name, count in counts(records).items())
    parts = [
        f"# Landslides in Sen12Landslides patches: {options.inventory}",
        f"{origin} {LEAKS}",
        inputs_text(options),
        "At 0.5: the network's own output, uncalibrated; at threshold: the calibrated probability of the "
        "best F1 on validation patches. All models see the same patches, splits and dates; threshold and "
        "epoch are chosen on validation "
        f"patches. Networks have {options.filters} filters, {length_text(options)}, loss "
        f"{options.train.loss}. Figures are of the pixels of all test patches together: mean ± standard "
        "deviation over seeds and folds, and the interval of the first run over draws of its test patches. "
        f"Runs: {state}. Machine-readable: `benchmarks/`; pictures: `Figures/`.",
    ]
    done = [record for record in records if record.state == "done"]
    if done:
        parts.append(f"![PR-AUC and Dice of every run, by model and split](Figures/{OVERVIEW_PNG})")
    for split in options.splits:
        own = [record for record in done if record.values["split"] == split]
        if own:
            parts += [f"## {SPLITS[split]}", split_table(own)]
    parts += _not_done(records)
    parts += _without_s2(folder.parent, options)
    write_atomically(folder / README, "\n\n".join(parts) + "\n")


def inputs_text(options: Sen12Options) -> str:
    """What the networks see, variants named.

    Examples
    --------
    >>> inputs_text(Sen12Options())
    'Inputs: Sentinel-1 alone.'
    """
    if not options.variants:
        return "Inputs: Sentinel-1 alone."
    bands = "NDVI, B04, B08, B11; medians over clear dates"
    text = {
        "dem": "slope, height and aspect of the patches' DEM",
        "s2": f"Sentinel-2 before and after ({bands}; reflectance offset {options.s2_offset}, as declared)",
    }
    named, added = ", ".join(options.variants), "; ".join(text[variant] for variant in options.variants)
    return f"**Variant with {named}.** Inputs: Sentinel-1; {added}. The baseline sees Sentinel-1 alone."


def length_text(options: Sen12Options) -> str:
    """How long a network is trained at most.

    Examples
    --------
    >>> length_text(Sen12Options(patches_shown=1472))
    'as many epochs as show 1472 patches, on every split'
    """
    if options.patches_shown is None:
        return f"{options.train.epochs} epochs at most"
    return f"as many epochs as show {options.patches_shown} patches, on every split"


def split_table(records: Sequence[CellRecord]) -> str:
    """Markdown table of a split, a row for each model; patches are means over folds."""
    head = ["model", "trained on", "tested on", *(title for title, _ in COLUMNS)]
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    for model in dict.fromkeys(str(record.values["model"]) for record in records):
        own = [record.figures for record in records if record.values["model"] == model]
        trained, tested = (
            f"{sum(figures['patches'][part] for figures in own) / len(own):.0f}" for part in ("train", "test")
        )
        counted = ("—" if model == BASELINE else trained, tested)
        cells = [model, *counted, *(cell_text(own, path) for _, path in COLUMNS)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def cell_text(figures: Sequence[Mapping[str, Any]], path: Sequence[str]) -> str:
    """Mean, spread and the first run's interval of a figure.

    Examples
    --------
    >>> cell_text([{"pr_auc": 0.5, "intervals": {"pr_auc": [0.4, 0.6]}}, {"pr_auc": 0.7}], ("pr_auc",))
    '0.600 ± 0.141 [0.400, 0.600]'
    """
    nodes = [one if len(path) == 1 else one[path[0]] for one in figures]
    values = [node[path[-1]] for node in nodes]
    if any(value is None for value in values):
        return "—"
    spread = seed_spread(values)
    digits = 4 if path[-1].startswith("seconds") else 3
    text = f"{spread.mean:.{digits}f}" + (f" ± {spread.std:.{digits}f}" if spread.seeds > 1 else "")
    span = nodes[0].get("intervals", {}).get(path[-1])
    return text if span is None else f"{text} [{span[0]:.3f}, {span[1]:.3f}]"


def _without_s2(root: Path, options: Sen12Options) -> list[str]:
    """Patches whose Sentinel-2 channels are empty, by store."""
    if "s2" not in options.variants:
        return []
    lines = []
    for name, report in Grounds(options, root).reports().items():
        ids = ", ".join(refusal.id for refusal in report.without_s2) or "none"
        lines.append(f"- `{name}`: {len(report.without_s2)} of {report.written} ({ids})")
    return (
        ["## Patches without Sentinel-2", "Kept, with those channels empty:", "\n".join(lines)]
        if lines
        else []
    )


def _not_done(records: Sequence[CellRecord]) -> list[str]:
    told = [f"- `{record.name}`: {record.state}, {record.reason}" for record in records if record.reason]
    return ["## Not done", "\n".join(told)] if told else []
