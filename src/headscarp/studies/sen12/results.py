"""Results laid out as the study's repository has them: a CSV and a JSON for each model, one master table."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from headscarp.evaluate.intervals import seed_spread
from headscarp.run_folder import write_atomically
from headscarp.studies.cells import CellRecord
from headscarp.studies.drawing import write_png
from headscarp.studies.sen12.figures import CONFUSION_PNG, EXAMPLES_PNG, OVERVIEW_PNG, PR_PNG, draw_overview
from headscarp.studies.sen12.options import Sen12Options
from headscarp.studies.sen12.score import AT_HALF, AT_THRESHOLD, FIGURES, PR_AUC
from headscarp.studies.sen12.work import CHECKPOINT, TRAINING
from headscarp.train.log import CURVES_PNG

RESULTS, BENCHMARKS, PICTURES, MASTER = "results", "benchmarks", "Figures", "benchmark_master.csv"
Row = dict[str, Any]
MEAN, STD = "mean", "std"


def write_results(root: Path, options: Sen12Options, records: Sequence[CellRecord]) -> Path:
    """Write ``results/``: benchmarks and pictures of every model of which anything is done.

    Parameters
    ----------
    root : Path
        Folder of the study.
    options : Sen12Options
    records : sequence of CellRecord
        Only those that are done count.

    Returns
    -------
    Path
        The folder of results.
    """
    done = [record for record in records if record.state == "done"]
    folder = root / RESULTS
    (folder / BENCHMARKS).mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for model in dict.fromkeys(str(record.values["model"]) for record in done):
        own = [record for record in done if record.values["model"] == model]
        of_model = with_means([row_of(record) for record in own])
        _write_csv(folder / BENCHMARKS / f"{model}.csv", of_model)
        _write_json(folder / BENCHMARKS / f"{model}.json", model, options, own)
        _copy_pictures(root, folder / PICTURES / model, own)
        rows += of_model
    _write_csv(folder / BENCHMARKS / MASTER, rows)
    if done:
        write_png(folder / PICTURES / OVERVIEW_PNG, draw_overview(done))
    return folder


def row_of(record: CellRecord) -> Row:
    """Row of a cell: what it is, figures at 0.5 and at the threshold, counts, cost, hash."""
    figures = record.figures
    row: Row = {
        "model": record.values["model"],
        "split": record.values["split"],
        "fold": record.values["fold"],
        "seed": record.values["seed"],
        "features": figures["features"]["name"],
        "threshold": figures["threshold"],
        PR_AUC: figures[PR_AUC],
    }
    for place in (AT_HALF, AT_THRESHOLD):
        row |= {f"{name}_{place}": figures[place][name] for name in FIGURES}
        row |= {f"{name}_{place}": count for name, count in figures[place]["counts"].items()}
    return row | {
        "test_patches": figures["patches"]["test"],
        "seconds_a_patch": figures["seconds_a_patch"],
        "checkpoint_sha256": figures["sha256"].get(CHECKPOINT, ""),
        "split_members_sha256": figures["members_sha256"],
    }


def with_means(rows: Sequence[Row]) -> list[Row]:
    """Rows of a model, and below each split's the mean and the standard deviation over its folds and seeds.

    Examples
    --------
    >>> rows = [{"model": "m", "split": "s", "fold": 0, "seed": k, "x": float(k)} for k in (1, 2, 3)]
    >>> [(row["seed"], row["x"]) for row in with_means(rows)]
    [(1, 1.0), (2, 2.0), (3, 3.0), ('mean', 2.0), ('std', 1.0)]
    """
    told: list[Row] = []
    for split in dict.fromkeys(row["split"] for row in rows):
        own = [row for row in rows if row["split"] == split]
        told += own
        told += list(_summed_up(own))
    return told


def _summed_up(rows: Sequence[Row]) -> Iterator[Row]:
    first = rows[0]
    kept = {"model": first["model"], "split": first["split"], "fold": "all"}
    spreads = {
        name: seed_spread([np.nan if row[name] is None else row[name] for row in rows])
        for name, value in first.items()
        if name not in ("model", "split", "fold", "seed") and not isinstance(value, str)
    }
    for seed, place in ((MEAN, 0), (STD, 1)):
        values = {name: spread[place] for name, spread in spreads.items()}
        yield kept | {"seed": seed} | {n: None if np.isnan(v) else float(v) for n, v in values.items()}


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = StringIO()
    table = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_atomically(path, text.getvalue())


def _write_json(path: Path, model: str, options: Sen12Options, records: Sequence[CellRecord]) -> None:
    configured: Mapping[str, Any] = next(
        (own.model_dump(mode="json") for own in options.models if own.name == model),
        {"name": model, "network": None},
    )
    content = {
        "model": configured,
        "settings": options.model_dump(mode="json", exclude={"models", "root", "tasks"}),
        "evaluation": {
            "thresholds": {
                AT_HALF: "of the network's own output, uncalibrated",
                AT_THRESHOLD: "of the best F1 on the validation patches",
            },
            "dice": "of the pixels of all test patches together",
            PR_AUC: "average precision of the pixels of all test patches together",
            "intervals": "bootstrap over test patches",
            "left_out": "pixels that the radar did not observe",
        },
        "runs": [record.model_dump(mode="json") for record in records],
    }
    write_atomically(path, json.dumps(content, indent=2) + "\n")


def _copy_pictures(root: Path, folder: Path, records: Sequence[CellRecord]) -> None:
    """Pictures of the first seed of every split and fold."""
    folder.mkdir(parents=True, exist_ok=True)
    first = min(record.values["seed"] for record in records)
    for record in records:
        if record.values["seed"] != first:
            continue
        cell = root / "cells" / record.name
        place = record.name.split("-")[1]
        for source in (
            cell / PR_PNG,
            cell / CONFUSION_PNG,
            cell / EXAMPLES_PNG,
            cell / TRAINING / CURVES_PNG,
        ):
            if source.is_file():
                shutil.copyfile(source, folder / f"{place}_{source.name}")
