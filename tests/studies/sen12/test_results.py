"""Results laid out as the study's repository has them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headscarp.ingest.sen12.folder import Refusal
from headscarp.pipeline.sen12.report import PatchNote, report_of, write_patch_report
from headscarp.studies.cells import CellRecord
from headscarp.studies.sen12.figures import draw_overview
from headscarp.studies.sen12.options import Sen12Options
from headscarp.studies.sen12.readme import write_readme
from headscarp.studies.sen12.results import row_of, write_results


def record(model: str, split: str, seed: int, dice: float | None, state: str = "done") -> CellRecord:
    node: dict[str, Any] = {
        "precision": 0.5,
        "recall": 0.25,
        "dice": dice,
        "iou": 0.2,
        "intervals": {"dice": [0.1, 0.9]},
        "counts": {"true_negative": 70, "false_negative": 15, "false_positive": 5, "true_positive": 10},
    }
    figures = {
        "at_0.5": node,
        "at_threshold": node,
        "pr_auc": 0.4,
        "intervals": {"pr_auc": None},
        "threshold": 0.3,
        "patches": {"train": 4, "validation": 2, "test": 3},
        "seconds_a_patch": 0.01,
        "sha256": {"split": "ab", "best.safetensors": "cd"},
        "members_sha256": "ef",
        "features": {"name": "group2_s2_offset0"},
    }
    return CellRecord(
        name=f"{model}-{split}-seed{seed}",
        values={"model": model, "split": split, "fold": 0, "seed": seed},
        state=state,
        reason=None if state == "done" else "no patches",
        figures=figures if state == "done" else {},
    )


@pytest.fixture
def records() -> list[CellRecord]:
    return [
        record("vanilla_unet", "official_asc", 0, 0.3),
        record("vanilla_unet", "official_asc", 1, 0.5),
        record("log_ratio", "official_asc", 0, None),
        record("utae", "official_asc", 0, 0.1, "failed"),
    ]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_csv_and_a_json_for_each_model_and_a_master(tmp_path: Path, records: list[CellRecord]) -> None:
    options = Sen12Options(filters=8, seeds=(0, 1))
    folder = write_results(tmp_path, options, records)
    names = {path.name for path in (folder / "benchmarks").iterdir()}
    assert names == {
        "vanilla_unet.csv",
        "vanilla_unet.json",
        "log_ratio.csv",
        "log_ratio.json",
        "benchmark_master.csv",
    }
    rows = read(folder / "benchmarks" / "vanilla_unet.csv")
    assert [row["seed"] for row in rows] == ["0", "1", "mean", "std"]
    assert [float(row["dice_at_0.5"]) for row in rows] == pytest.approx([0.3, 0.5, 0.4, np.sqrt(0.02)])
    assert rows[0]["true_positive_at_threshold"] == "10"
    assert rows[0]["checkpoint_sha256"] == "cd"
    assert rows[0]["features"] == "group2_s2_offset0"
    assert rows[2]["fold"] == "all"
    master = read(folder / "benchmarks" / "benchmark_master.csv")
    assert [(row["model"], row["seed"]) for row in master[4:]] == [
        ("log_ratio", "0"),
        ("log_ratio", "mean"),
        ("log_ratio", "std"),
    ]
    assert master[4]["dice_at_0.5"] == ""
    stored = json.loads((folder / "benchmarks" / "vanilla_unet.json").read_text())
    assert stored["model"]["network"] == "unet"
    assert stored["settings"]["filters"] == 8
    assert [run["values"]["seed"] for run in stored["runs"]] == [0, 1]
    assert stored["runs"][0]["figures"]["threshold"] == 0.3


def test_one_picture_shows_every_run_of_every_model(tmp_path: Path, records: list[CellRecord]) -> None:
    """A dot a run; a run without a figure has none; a split a panel."""
    done = [*records[:3], record("vanilla_unet", "blocked", 0, 0.2)]
    figure = draw_overview(done)
    panels = figure.axes
    assert [axes.get_title() for axes in panels] == ["official_asc", "blocked"]
    dots = {
        tuple(np.round(line.get_xdata(), 3))
        for line in panels[0].lines
        if line.get_marker() == "o" and len(line.get_xdata())
    }
    assert dots == {(0.4, 0.4), (0.3, 0.5), (0.4,)}
    folder = write_results(tmp_path, Sen12Options(), done)
    assert (folder / "Figures" / "overview.png").stat().st_size > 1000


def test_a_row_says_precision_and_recall_of_its_own_place() -> None:
    made = record("m", "aligned", 0, 0.3)
    made.figures["at_threshold"] = made.figures["at_threshold"] | {"precision": 0.9}
    row = row_of(made)
    assert (row["precision_at_0.5"], row["precision_at_threshold"]) == (0.5, 0.9)


def test_the_page_says_what_is_simulated_what_leaks_and_what_is_missing(
    tmp_path: Path, records: list[CellRecord]
) -> None:
    write_readme(tmp_path, Sen12Options(), records, "**Simulated** patches.")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "**Simulated** patches." in text
    assert "touches a training or validation patch" in text
    assert "| vanilla_unet | 4 | 3 | 0.400 ± 0.000 | 0.400 ± 0.141 [0.100, 0.900] |" in text
    assert "| log_ratio | — | 3 | 0.400 | — |" in text
    assert "`utae-official_asc-seed0`: failed, no patches" in text
    assert "3 done, 1 failed" in text
    assert "Inputs: Sentinel-1 alone." in text
    assert "Patches without Sentinel-2" not in text


def test_the_page_names_variants_and_patches_without_sentinel_2(tmp_path: Path) -> None:
    left_out = [Refusal(id=f"hokkaido_{n}", path="", reason="no s2 file") for n in (3, 5)]
    notes = [PatchNote(id=one.id, without_s2=one) for one in left_out] + [PatchNote(id="hokkaido_4")]
    store = tmp_path / "stores" / "s1asc_group2_s2_offset0.zarr"
    store.mkdir(parents=True)
    write_patch_report(store, report_of(["s1asc"], "harmonized", notes, [], []))
    (tmp_path / "results").mkdir()
    options = Sen12Options(variants=("dem", "s2"), s2_offset=-1000)
    write_readme(tmp_path / "results", options, [], "**Simulated** patches.")
    text = (tmp_path / "results" / "README.md").read_text(encoding="utf-8")
    assert "**Variant with dem, s2.**" in text
    assert "slope, height and aspect" in text
    assert "offset -1000.0, as declared" in text
    assert "- `s1asc_group2_s2_offset0`: 2 of 3 (hokkaido_3, hokkaido_5)" in text
