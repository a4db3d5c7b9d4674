"""The study on written patches: trained, judged, laid out, and not done again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from headscarp.errors import OptionsError, OutputError
from headscarp.split import SplitFile
from headscarp.studies.sen12.grounds import Grounds
from headscarp.studies.sen12.options import Model, Sen12Options
from headscarp.studies.sen12.run import run_sen12
from headscarp.train.options import FitOptions
from tests.sen12.conftest import made_root, made_splits

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


def test_features_follow_from_the_look_and_the_split(tmp_path: Path) -> None:
    grounds = Grounds(Sen12Options(variants=("dem",)), tmp_path)
    own = grounds.features("change", "official_dsc")
    assert own.channels[:2] == ("change_vv_descending_db", "change_vh_descending_db")
    assert own.channels[2:] == ("slope_deg", "height_m", "aspect_east", "aspect_north")
    assert Grounds(Sen12Options(), tmp_path).features("series", "aligned").name == "series_ascending"
    with pytest.raises(OptionsError, match="--root"):
        grounds.official()
