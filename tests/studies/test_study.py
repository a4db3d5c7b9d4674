"""A tiny study end to end: stopped, taken up, shared by two processes; its figures against naive counts."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio
import yaml

from headscarp.errors import OutputError
from headscarp.studies.cells import CELL_JSON, CELLS, CellRecord
from headscarp.studies.pan_shi.options import PanShiOptions
from headscarp.studies.pan_shi.run import run_pan_shi
from headscarp.studies.record import StudyRecord
from tests.studies.made import tiny, twin

pytestmark = pytest.mark.slow
ROWS = [{"name": "Group 1"}, {"name": "Group 2", "features": "group2"}]
ROW1, ROW2 = "twin-group_1-random-seed0", "twin-group_2-random-seed0"
DETECTOR = "twin-log_ratio-detector"


def design() -> PanShiOptions:
    return tiny(rows=ROWS, detectors=["log-ratio"])


def states(record: StudyRecord) -> dict[str, str]:
    return {cell.name: cell.state for cell in record.cells}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was stopped, then finished by two processes at once, as people would run it."""
    root = tmp_path_factory.mktemp("study") / "out"
    stopped = run_pan_shi(design(), root, only=["group_1"], max_minutes=0.01)
    assert states(stopped) == {DETECTOR: "waiting", ROW1: "stopped", ROW2: "waiting"}
    assert "0 of 3 cells are done" in (root / "claims.md").read_text(encoding="utf-8")
    assert "0 of 1 done, 1 stopped" in (root / "tables.md").read_text(encoding="utf-8")
    config = root.parent / "study.yaml"
    config.write_text(yaml.safe_dump(design().model_dump(mode="json")), encoding="utf-8")
    command = "import torch, sys; torch.set_num_threads(1); from headscarp.cli import main; main()"
    arguments = ["study", "pan-shi", "--config", str(config), "--out", str(root), "--quiet"]
    both = [subprocess.Popen([sys.executable, "-c", command, *arguments]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    return root


def record_of(study: Path, name: str) -> CellRecord:
    return CellRecord.model_validate_json((study / CELLS / name / CELL_JSON).read_text(encoding="utf-8"))


def test_every_cell_is_done_and_done_again_by_nobody(study: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in study.glob("cells/*/cell.json")}
    record = run_pan_shi(design(), study)
    assert states(record) == {DETECTOR: "done", ROW1: "done", ROW2: "done"}
    assert before == {path: path.stat().st_mtime_ns for path in study.glob("cells/*/cell.json")}
    stored = json.loads((study / "study.json").read_text(encoding="utf-8"))
    assert stored["states"] == {"done": 3}
    hashes = next(cell["sha256"] for cell in stored["cells"] if cell["name"] == ROW1)
    assert {"store", "split", "best.safetensors"} <= hashes.keys()


def test_choosing_scores_are_the_best_epoch_on_the_choosing_chips(study: Path) -> None:
    with (study / CELLS / ROW1 / "training" / "log.csv").open(encoding="utf-8") as file:
        epochs = list(csv.DictReader(file))
    best = max(epochs, key=lambda row: float(row["f1"]))
    told = record_of(study, ROW1).figures["choosing"]
    assert told["f1"] == float(best["f1"])
    assert told["recall"] == float(best["recall"])
    with (study / "tables" / "choosing_twin.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert row["F1 Score"] == f"{float(best['f1']):.3f}"
    assert (row["Batch Size"], row["Learning Rate"], row["Filters"]) == ("8", "0.002", "8")


@pytest.mark.parametrize("name", [ROW1, ROW2, DETECTOR])
def test_validation_scores_are_those_of_a_naive_count(study: Path, name: str) -> None:
    folder = study / CELLS / name
    with rasterio.open(folder / "probability.tif") as source:
        probability, shape = source.read(1), source.shape
    with rasterio.open(study / "events" / "twin" / "label.tif") as source:
        truth = source.read(1)[:, 96:224] == 1
    assert shape == truth.shape == (224, 128)
    predicted = probability >= record_of(study, name).figures["threshold"]
    hits = int((predicted & truth).sum())
    precision, recall = hits / predicted.sum(), hits / truth.sum()
    with (study / "tables" / "validation_twin.csv").open(encoding="utf-8") as file:
        rows = {row["Row"]: row for row in csv.DictReader(file)}
    label = {ROW1: "Group 1", ROW2: "Group 2", DETECTOR: "log-ratio"}[name]
    assert rows[label]["P at thr."] == f"{precision:.3f}"
    assert rows[label]["R at thr."] == f"{recall:.3f}"
    assert rows[label]["F1 at thr."] == f"{2 * precision * recall / (precision + recall):.3f}"


def test_the_areas_are_apart(study: Path) -> None:
    grids = {
        area: json.loads((study / "areas" / f"twin_{area}_grid.json").read_text())
        for area in ("training", "validation")
    }
    right = grids["training"]["transform"][2] + 10 * grids["training"]["shape"][1]
    assert right == grids["validation"]["transform"][2]


def test_outputs_are_whole(study: Path) -> None:
    figures = {path.name for path in (study / "figures").iterdir()}
    assert figures == {
        "locations.png",
        *(f"{name}_twin.png" for name in ("scores", "maps_training", "maps_validation", "orbits")),
    }
    for table in ("choosing_twin", "validation_twin", "pairwise_twin", "timing", "differences"):
        for suffix in ("csv", "md", "tex"):
            assert (study / "tables" / f"{table}.{suffix}").stat().st_size > 50
    claims = (study / "claims.md").read_text(encoding="utf-8")
    assert "3 of 3 cells are done" in claims
    assert "Not yet measured: Visibility − Group 1" in claims
    assert "0.74 → 0.77" in claims


def test_all_rows_share_their_ground(study: Path) -> None:
    """Else no difference could be given."""
    with (study / "tables" / "pairwise_twin.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["Row"], row["less"]) for row in rows] == [
        ("Group 1", "Group 2"),
        ("Group 1", "log-ratio"),
        ("Group 2", "log-ratio"),
    ]
    with (study / "tables" / "validation_twin.csv").open(encoding="utf-8") as file:
        scores = {row["Row"]: float(row["F1 at thr."]) for row in csv.DictReader(file) if row["F1 at thr."]}
    for row in rows:
        expected = scores[row["Row"]] - scores[row["less"]]
        assert float(row["F1"].replace("−", "-")) == pytest.approx(expected, abs=0.0011)


def test_another_study_is_refused(study: Path) -> None:
    with pytest.raises(OutputError, match=r"chip_px: 32 there, 64 here"):
        run_pan_shi(tiny(chip_px=64), study)


def test_a_missing_orbit_skips_the_row_and_no_other(study: Path, tmp_path: Path) -> None:
    """The twin's ascending scenes alone, as a real event's."""
    event = study / "events" / "twin"
    (tmp_path / "scenes").mkdir()
    for scene in sorted((event / "scenes").glob("*_ASC_*.tif")):
        shutil.copy(scene, tmp_path / "scenes")
    stated = yaml.safe_load((event / "event.yaml").read_text(encoding="utf-8"))
    real = twin(
        scenes=[tmp_path / "scenes"],
        inventory=[event / "inventory.gpkg"],
        event=stated["event"],
        images={"ascending": {"pre": 9, "post": 2}},
    )
    del real["simulate"]
    record = run_pan_shi(tiny(events=[real], rows=ROWS), tmp_path / "out", only=["group_1"])
    assert states(record) == {ROW1: "skipped", ROW2: "waiting"}
    reason = next(cell.reason for cell in record.cells if cell.name == ROW1)
    assert reason is not None
    assert "twin without descending images" in reason
    assert record.notes == ("twin: 3 ascending images pre-event, Table 2 has 9",)
    assert reason in (tmp_path / "out" / "tables.md").read_text(encoding="utf-8")


def test_missing_scenes_skip_the_event(tmp_path: Path) -> None:
    real = twin(scenes=[tmp_path / "none"], inventory=[tmp_path / "none"], where="at the library")
    del real["simulate"]
    record = run_pan_shi(tiny(events=[real]), tmp_path / "out")
    assert states(record) == {ROW1: "skipped"}
    assert "not there" in str(record.cells[0].reason)
