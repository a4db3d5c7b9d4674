"""The commands evaluate and compare: arguments reach the pipeline, tables and errors reach people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from headscarp.config import default_yaml, load
from headscarp.evaluate.options import EvaluateOptions
from headscarp.evaluate.record import Evaluation
from tests.pipeline.conftest import EVENT_DATE, SmallEvent, small_event
from tests.pipeline.test_evaluate import Small, empty_truth, small, write_band
from tests.test_cli import assert_refused, run

__all__ = ["small", "small_event"]

FAST = ("--replicates", 30, "--block-m", 640, "--no-report")


def read(folder: Path) -> Evaluation:
    return Evaluation.model_validate_json((folder / "metrics.json").read_text())


def test_an_evaluation_ends_with_a_table_and_where_to_look(small: Small, tmp_path: Path) -> None:
    done = run("evaluate", small.prediction, small.inventory, "--out", tmp_path / "out", *FAST)
    assert done.returncode == 0, done.stderr
    for text in ("Average precision", "F1 at 0.5", "no landslide", "note:", "landslides_scored.gpkg"):
        assert text in done.stdout
    assert (tmp_path / "out" / "metrics.json").is_file()


def test_arguments_reach_the_options(small: Small, tmp_path: Path) -> None:
    done = run(
        "evaluate", small.prediction, small.inventory, "--out", tmp_path / "out", "--threshold", 0.35,
        "--dem", small.folder / "dem.tif", "--baseline", f"other={small.folder / 'other.tif'}",
        "--event", "Test 2024", "--region", "here", "--name", "net", "--seed", 3, "--min-overlap", 0.5,
        "--boundary-tolerance-px", 2, "--min-area-m2", 500, "--quiet", *FAST,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    found = read(tmp_path / "out")
    assert (found.name, found.seed, found.threshold.value) == ("net", 3, 0.35)
    assert set(found.baselines) == {"other", "no landslide", "slope"}
    assert found.strata["event"]["Test 2024"]
    assert found.landslides["min_overlap"] == 0.5
    assert found.boundary["tolerance_px"] == 2
    assert (found.blocks.replicates, found.blocks.side_m) == (30, 640)
    assert found.command[:2] == ["headscarp", "evaluate"]


def test_a_run_is_evaluated_with_its_own_threshold(small_event: SmallEvent, tmp_path: Path) -> None:
    mapped = run(
        "map", small_event.scenes, "--event-date", EVENT_DATE, "--out", tmp_path / "run",
        "--threshold", 0.7, "--min-area-m2", 2000, "--quiet",
    )  # fmt: skip
    assert mapped.returncode == 0, mapped.stderr
    none = empty_truth(tmp_path)
    done = run("evaluate", tmp_path / "run", none, "--out", tmp_path / "out", *FAST)
    assert done.returncode == 0, done.stderr
    found = read(tmp_path / "out")
    assert (found.name, found.threshold.value, found.threshold.source) == ("fusion", 0.7, "the run's own")
    assert not any("label-free" in note for note in found.notes)


def test_a_configuration_names_several_grounds(small: Small, tmp_path: Path) -> None:
    ground = {"prediction": str(small.prediction), "truth": [str(small.inventory)]}
    config = {"grounds": [{**ground, "event": "a"}, {**ground, "event": "b"}], "threshold": 0.4}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(config))
    done = run("evaluate", "--config", tmp_path / "two.yaml", "--out", tmp_path / "out", *FAST)
    assert done.returncode == 0, done.stderr
    found = read(tmp_path / "out")
    assert [each.name for each in found.grounds] == ["a", "b"]
    assert list(found.strata["event"]) == ["a", "b"]
    assert found.pixel["pixels"] == 2 * int(np.isfinite(small.probability).sum())


def test_printed_options_are_the_defaults() -> None:
    done = run("config", "evaluate")
    assert done.returncode == 0
    assert yaml.safe_load(done.stdout)["intervals"]["replicates"] == 1000
    assert done.stdout == default_yaml(EvaluateOptions())
    assert load(EvaluateOptions, None) == EvaluateOptions.model_validate(yaml.safe_load(done.stdout))


def test_compare_prints_and_writes_a_table(small: Small, tmp_path: Path) -> None:
    for name in ("method", "other"):
        done = run(
            "evaluate",
            small.folder / f"{name}.tif",
            small.inventory,
            "--out",
            tmp_path / name,
            "--quiet",
            *FAST,
        )
        assert done.returncode == 0, done.stderr
    done = run("compare", tmp_path / "method", tmp_path / "other", "--out", tmp_path / "table")
    assert done.returncode == 0, done.stderr
    for text in ("method", "other", "no landslide", "over method", "bootstrap over"):
        assert text in done.stdout
    assert {path.name for path in (tmp_path / "table").iterdir()} == {
        "comparison.json", "comparison.csv", "comparison.md",
    }  # fmt: skip
    again = run("compare", tmp_path / "method", tmp_path / "other", "--out", tmp_path / "table")
    assert again.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ([], ["PREDICTION"]),
        (["{prediction}"], ["no TRUTH"]),
        (["{prediction}", "{truth}", "--baseline", "other.tif"], ["NAME=PATH", "other.tif"]),
        (["{prediction}", "{truth}", "--calibration", "platt"], ["calibration", "'platt'"]),
        (["{prediction}", "{truth}", "--threshold", "0.5", "--seed", "-1"], ["seed"]),
        (["{prediction}", "{missing}"], ["missing.gpkg"]),
        (["{missing}", "{truth}"], ["missing.gpkg"]),
        (["{prediction}", "{truth}", "--first-date", "yesterday"], ["first_date"]),
        (["{prediction}", "{truth}", "--first-date", "2024-01-01"], ["date"]),
    ],
)
def test_bad_input_is_told_in_four_parts(
    small: Small, tmp_path: Path, arguments: list[str], fragments: list[str]
) -> None:
    places = {"prediction": small.prediction, "truth": small.inventory, "missing": tmp_path / "missing.gpkg"}
    filled = [text.format(**places) for text in arguments]
    assert_refused(["evaluate", *filled, "--out", tmp_path / "out"], *fragments)
    assert not (tmp_path / "out").exists()


def test_compare_refuses_what_is_no_evaluation(small: Small, tmp_path: Path) -> None:
    write_band(tmp_path / "lonely.tif", small.probability)
    assert_refused(["compare", tmp_path, small.folder], "headscarp evaluate")
    assert_refused(["compare", tmp_path], "two evaluation folders")
