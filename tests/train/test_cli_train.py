"""The commands ``train`` and ``model info``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from headscarp.chips.store import ChipStore
from headscarp.cli import app
from headscarp.config import TrainOptions, load
from headscarp.errors import HeadscarpError, OptionsError
from headscarp.split import SplitFile, write_split
from headscarp.train.errors import TrainError
from tests.train.stores import make_store

QUICK = ("train.epochs=2", "train.batch_size=4", "train.accelerator=cpu", "network.network=unet")


def arguments(store: Path, split: Path, out: Path, *more: str) -> list[str]:
    given = [*QUICK, "network.filters=8", f"split.file={split}"]
    return [
        "train",
        "--store",
        str(store),
        "--out",
        str(out),
        *(p for v in given for p in ("--set", v)),
        *more,
    ]


def run(*given: str) -> str:
    result = CliRunner().invoke(app, list(given), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def split_path(split: SplitFile, tmp_path: Path) -> Path:
    write_split(tmp_path / "given.json", split)
    return tmp_path / "given.json"


def test_train_goes_on_and_model_info_prints_the_card(
    store: ChipStore, split_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    first = run(*arguments(store.path, split_path, out, "--max-minutes", "0.00001"))
    assert "run again to go on" in first
    second = run(*arguments(store.path, split_path, out))
    assert "run again" not in second
    assert "unet, 8 filters" in second
    assert "12 train, 4 validation" in second
    assert "all epochs done" in second
    options = load(TrainOptions, out / "options.yaml")
    assert (options.train.epochs, options.network.filters, options.store) == (2, 8, store.path)
    info = " ".join(run("model", "info", str(out / "best.safetensors")).split())
    for part in (
        "network unet",
        "change_vv_fused_db",
        "spacing 10 m",
        "seed 0",
        "licence unknown",
        "temperature",
    ):
        assert part in info, part


def test_quiet_is_quiet(store: ChipStore, split_path: Path, tmp_path: Path) -> None:
    once = ("--set", "train.epochs=1", "--quiet")
    assert run(*arguments(store.path, split_path, tmp_path / "run", *once)) == ""


def test_a_store_is_found_in_the_folder(split_path: Path, tmp_path: Path) -> None:
    make_store(tmp_path / "run/chips.zarr")
    given = [part for part in arguments(tmp_path, split_path, tmp_path / "run") if part != str(tmp_path)]
    given.remove("--store")
    run(*given, "--set", "train.epochs=1", "--quiet")
    assert (tmp_path / "run/best.safetensors").is_file()


@pytest.mark.parametrize(
    ("more", "fragment"),
    [
        (("--set", "train.batch_size"), "SECTION.NAME=VALUE"),
        (("--set", "train.batch=8"), "train.batch"),
        (("--set", "network.network=oracle"), "one of unet"),
        (("--init-from", "nowhere.safetensors"), "nowhere"),
    ],
)
def test_bad_input_is_told(
    store: ChipStore, split_path: Path, tmp_path: Path, more: tuple[str, ...], fragment: str
) -> None:
    with pytest.raises(HeadscarpError) as refused:
        run(*arguments(store.path, split_path, tmp_path / "run", *more))
    assert fragment in str(refused.value)
    assert refused.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_without_events_there_must_be_a_store(split_path: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="at least one event"):
        run(*arguments(tmp_path / "nothing.zarr", split_path, tmp_path / "run"))


def test_another_training_is_refused(store: ChipStore, split_path: Path, tmp_path: Path) -> None:
    once = ("--set", "train.epochs=1", "--quiet")
    run(*arguments(store.path, split_path, tmp_path / "run", *once))
    with pytest.raises(TrainError, match=r"train\.seed"):
        run(*arguments(store.path, split_path, tmp_path / "run", *once, "--set", "train.seed=4"))


def test_options_come_back_from_yaml() -> None:
    given = {"network": {"network": "segnet"}, "train": {"loss": "focal", "learning_rate": 0.1}}
    assert TrainOptions.model_validate(yaml.safe_load(yaml.safe_dump(given))).train.loss == "focal"


def test_the_command_line_loads_no_torch() -> None:
    code = (
        "import sys, headscarp.cli; print(sorted({'torch', 'zarr', 'pytorch_lightning'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
