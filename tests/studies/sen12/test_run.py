"""The study on written patches: trained, judged, laid out, and not done again."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from headscarp.errors import OptionsError, OutputError
from headscarp.pipeline.sen12.optical import S2_CHANNELS
from headscarp.split import SplitFile
from headscarp.studies.cells import CELLS, read_cells
from headscarp.studies.sen12.grounds import Grounds
from headscarp.studies.sen12.options import Model, Sen12Options
from headscarp.studies.sen12.plan import plan_cells
from headscarp.studies.sen12.run import run_sen12
from headscarp.train.options import FitOptions
from tests.sen12.conftest import made_root, made_splits, write_s2

__all__ = ["made_root", "made_splits"]


@pytest.fixture
def options(made_root: Path, made_splits: list[SplitFile], monkeypatch: pytest.MonkeyPatch) -> Sen12Options:
    monkeypatch.setattr(Grounds, "official", lambda _: made_splits)
    return Sen12Options(
        root=made_root,
        tasks=made_root,
        inventory=made_splits[0].chips[0].event,
        models=(
            Model(name="vanilla_unet", network="unet"),
            Model(name="convlstm_unet", network="convlstm_unet", look="series"),
        ),
        splits=("official_asc",),
        seeds=(0,),
        filters=8,
        train=FitOptions(epochs=1, batch_size=4),
    )


def test_every_model_is_trained_on_the_split_and_judged_on_its_test_patches(
    options: Sen12Options, tmp_path: Path
) -> None:
    out = tmp_path / "study"
    record = run_sen12(options, out)
    assert record.states == {"done": 3}
    results = out / "results"
    with (results / "benchmarks" / "benchmark_master.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["seed"] == "0"]
    assert [row["model"] for row in rows] == ["log_ratio", "vanilla_unet", "convlstm_unet"]
    assert {row["test_patches"] for row in rows} == {"1"}
    assert len({row["split_members_sha256"] for row in rows}) == 1  # identical splits
    pixels = [sum(int(row[f"{name}_at_0.5"]) for name in OUTCOMES) for row in rows]
    assert len(set(pixels)) == 1
    assert 0 < pixels[0] <= 128 * 128
    stored = json.loads((results / "benchmarks" / "convlstm_unet.json").read_text(encoding="utf-8"))
    assert stored["runs"][0]["figures"]["features"]["name"] == "series_ascending"
    pictures = {path.name for path in (results / "Figures" / "vanilla_unet").iterdir()}
    names = ("confusion_matrix", "curves", "examples", "pr_curve")
    assert pictures == {f"official_asc_{name}.png" for name in names}
    assert "vanilla_unet" in (results / "README.md").read_text(encoding="utf-8")
    before = (out / "cells" / "vanilla_unet-official_asc-seed0" / "training" / "best.safetensors").stat()
    assert run_sen12(options, out).states == {"done": 3}
    after = (out / "cells" / "vanilla_unet-official_asc-seed0" / "training" / "best.safetensors").stat()
    assert after.st_mtime_ns == before.st_mtime_ns
    with pytest.raises(OutputError, match="filters"):
        run_sen12(options.model_copy(update={"filters": 16}), out)


OUTCOMES = ("true_negative", "false_negative", "false_positive", "true_positive")


def test_a_model_that_ran_out_of_time_goes_on(options: Sen12Options, tmp_path: Path) -> None:
    two = options.model_copy(
        update={"models": options.models[:1], "train": FitOptions(epochs=2, batch_size=4)}
    )
    first = run_sen12(two, tmp_path, max_minutes=0.0)
    assert first.states == {"waiting": 2}
    assert run_sen12(two, tmp_path, only=["vanilla"]).states == {"done": 1, "waiting": 1}


def test_without_patches_the_cells_say_so(tmp_path: Path) -> None:
    bare = Sen12Options(models=(Model(name="vanilla_unet", network="unet"),), splits=("aligned",), seeds=(0,))
    record = run_sen12(bare, tmp_path)
    assert record.states == {"failed": 2}
    assert "root None" in str(record.cells[0].reason)


def test_sentinel_2_needs_a_declared_offset() -> None:
    for given in ({"variants": ("s2",)}, {"s2_offset": 0.0}, {"variants": ("s2", "s2"), "s2_offset": 0.0}):
        with pytest.raises(ValidationError):
            Sen12Options.model_validate(given)


def test_sentinel_2_is_a_stated_variant(options: Sen12Options, made_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made_root, tmp_path / "data_harmonized"))
    for number in (0, 1, 2, 4, 5):
        write_s2(root, number)
    given = {"root": root, "variants": ("s2",), "s2_offset": -1000.0}
    out = tmp_path / "study"
    assert run_sen12(options.model_copy(update=given), out).states == {"done": 3}
    with (out / "results/benchmarks/benchmark_master.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["model"]: row["features"] for row in csv.DictReader(file) if row["seed"] == "0"}
    assert rows == {
        "log_ratio": "group2_s2_offset-1000",
        "vanilla_unet": "group2_s2_offset-1000",
        "convlstm_unet": "series_ascending_s2_offset-1000",
    }
    text = (out / "results/README.md").read_text(encoding="utf-8")
    assert "**Variant with s2.**" in text
    assert "`s1asc_group2_s2_offset-1000`: 1 of 6 (hokkaido_3)" in text
    run_sen12(options, tmp_path / "plain", only=["log_ratio"])
    baselines = [read_cells(plan_cells(options), own / CELLS)[0].figures for own in (out, tmp_path / "plain")]
    assert baselines[0]["pr_auc"] == baselines[1]["pr_auc"]  # the baseline sees radar alone
    with pytest.raises(OutputError, match="variants"):
        run_sen12(options.model_copy(update={"root": root}), out)


def test_features_follow_from_the_look_and_the_split(tmp_path: Path) -> None:
    grounds = Grounds(Sen12Options(variants=("dem",)), tmp_path)
    own = grounds.features("change", "official_dsc")
    assert own.channels[:2] == ("change_vv_descending_db", "change_vh_descending_db")
    assert own.channels[2:] == ("slope_deg", "height_m", "aspect_east", "aspect_north")
    assert own.name == "group3_dem"
    assert Grounds(Sen12Options(), tmp_path).features("series", "aligned").name == "series_ascending"
    both = Grounds(Sen12Options(variants=("dem", "s2"), s2_offset=0), tmp_path)
    series = both.features("series", "blocked")
    assert (series.name, series.form) == ("series_ascending_dem_s2_offset0", "series")
    assert series.channels[2:6] == own.channels[2:]
    assert series.channels[6:] == S2_CHANNELS
    with pytest.raises(OptionsError, match="--root"):
        grounds.official()
