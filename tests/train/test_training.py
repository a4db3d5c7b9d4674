"""A training from chips to checkpoints: it learns, ends, goes on exactly, and refuses what cannot be."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from headscarp.checkpoint import CheckpointError, read_card, read_checkpoint
from headscarp.chips.statistics import channel_statistics
from headscarp.chips.store import ChipError, ChipStore
from headscarp.errors import HeadscarpError, OptionsError
from headscarp.features.sets import feature_set
from headscarp.models import BODIES
from headscarp.split import SplitFile
from headscarp.train.batches import Normaliser
from headscarp.train.chips import Sources
from headscarp.train.engine import Engine, learning_rate
from headscarp.train.errors import TrainError
from headscarp.train.judge import outcome_counts
from headscarp.train.keeper import Ends
from headscarp.train.options import NETWORKS, FitOptions, NetworkChoice
from headscarp.train.record import EpochRow, Measure, TrainRecord
from headscarp.train.run import train
from headscarp.train.score import f1_at, scores
from headscarp.train.state import read_state
from tests.train.stores import make_split, make_store, write_store

ROOT = Path(__file__).resolve().parents[2]


def weights(folder: Path, name: str = "last") -> dict[str, Tensor]:
    return read_checkpoint(folder / f"{name}.safetensors").network.state_dict()


def assert_equal_weights(one: Path, other: Path) -> None:
    for name in ("last", "best"):
        a, b = weights(one, name), weights(other, name)
        assert all(torch.equal(a[key], b[key]) for key in a), name


def changed(options: FitOptions, **more: Any) -> FitOptions:
    return FitOptions.model_validate(options.model_dump() | more)


def test_names_of_networks_are_those_there_are() -> None:
    assert set(NETWORKS) == set(BODIES)


def test_it_learns(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, out: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    record = train(
        store, split, unet, changed(quick, epochs=12), out, lambda *step: told.append(step), commit="abc"
    )
    assert record.metrics["f1"] is not None
    assert record.metrics["f1"] > 0.9
    assert record.finished
    assert record.ending == "epochs"
    assert ("epochs", 12, 12) in told
    assert ("epoch", 3, 3) in told
    assert TrainRecord.model_validate_json((out / "train.json").read_text()) == record
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((out / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == [str(i) for i in range(1, 13)]
    best = max(float(row["f1"]) for row in rows)
    assert record.best_f1 == best == float(rows[record.best_epoch - 1]["f1"])


def test_the_card_says_what_the_network_is_worth(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, out: Path
) -> None:
    train(store, split, unet, changed(quick, epochs=9, licence="CC0-1.0"), out, commit="abc")
    best = read_checkpoint(out / "best.safetensors")
    card, task = best.card, best.card.task
    mean, std = channel_statistics(store, list(range(12)))  # of the training chips alone
    assert np.allclose(task.mean, mean)
    assert np.allclose(task.std, std)
    assert task.features == feature_set("group1")
    assert (task.pre_dates, task.post_dates, task.spacing_m) == ((2, 3), (1, 2), 10.0)
    assert (card.licence, card.training.commit, card.training.seed) == ("CC0-1.0", "abc", 0)
    numbers = np.arange(12, 16)
    normaliser = Normaliser(task.features, np.float32(task.mean), np.float32(task.std))

    def f1(threshold: float, calibrated: bool = True) -> float | None:
        parts = scores(best.network, normaliser, Sources((store,)), numbers)
        return f1_at(parts, card.calibration if calibrated else None, threshold)

    assert f1(0.5, calibrated=False) == pytest.approx(card.metrics["f1_at_half"])
    assert f1(card.threshold) == pytest.approx(card.metrics["f1"], abs=0.01)
    others = [f1(threshold) or 0 for threshold in np.linspace(0.02, 0.98, 25)]
    assert max(others) <= (card.metrics["f1"] or 0) + 1e-9
    assert card.calibration is not None
    assert card.training.epochs == int(np.argmax([row.rank for row in read_state(out).history])) + 1


SCRIPT = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from headscarp.chips.store import open_store
from headscarp.split import read_split
from headscarp.train import state
from headscarp.train.engine import Engine
from headscarp.train.options import FitOptions, NetworkChoice
from headscarp.train.run import train

how, store, split, options, out = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

if how == "step":
    step = Engine.training_step
    def killed(self, batch, number):
        if self.epoch == 2 and number == 1:
            die()
        return step(self, batch, number)
    Engine.training_step = killed
else:
    save = torch.save
    def cut_off(content, path):
        save(content, path)
        if len(content["history"]) == 4:
            os.truncate(path, os.path.getsize(path) // 2)
            die()
    torch.save = cut_off
train(open_store(Path(store)), read_split(Path(split)), NetworkChoice(network="unet", filters=8),
      FitOptions.model_validate_json(options), Path(out))
"""


@pytest.mark.parametrize(
    "kills", [(("step", 2),), pytest.param((("step", 2), ("save", 3)), marks=pytest.mark.slow)]
)
def test_killed_it_ends_with_the_same_bits(
    store: ChipStore,
    split: SplitFile,
    unet: NetworkChoice,
    quick: FitOptions,
    tmp_path: Path,
    kills: tuple[tuple[str, int], ...],
) -> None:
    options = changed(quick, epochs=5, schedule="cosine", positive_share=0.9)
    train(store, split, unet, options, tmp_path / "whole")
    split_path = tmp_path / "whole/split.json"
    for how, epochs in kills:
        given = [how, store.path, split_path, options.model_dump_json(), tmp_path / "cut"]
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *map(str, given)], capture_output=True, cwd=ROOT, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True,
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert read_state(tmp_path / "cut").epochs == epochs
    record = train(store, split, unet, options, tmp_path / "cut")
    assert record.epochs == 5
    assert_equal_weights(tmp_path / "cut", tmp_path / "whole")


def test_a_full_disk_leaves_the_epoch_before(
    store: ChipStore,
    split: SplitFile,
    unet: NetworkChoice,
    quick: FitOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save, calls = torch.save, 0

    def full(content: Any, path: Path) -> None:
        nonlocal calls
        calls += 1
        save(content, path)
        if calls == 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        with pytest.raises(TrainError, match="No space left"):
            train(store, split, unet, quick, tmp_path / "full")
    assert read_state(tmp_path / "full").epochs == 1
    assert not list((tmp_path / "full").glob(".*"))
    train(store, split, unet, quick, tmp_path / "full")
    train(store, split, unet, quick, tmp_path / "whole")
    assert_equal_weights(tmp_path / "full", tmp_path / "whole")


def test_the_best_checkpoint_survives_a_full_disk(
    store: ChipStore,
    split: SplitFile,
    unet: NetworkChoice,
    quick: FitOptions,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train(store, split, unet, quick, out, watch=lambda epoch, f1: True)
    before = (out / "best.safetensors").read_bytes()

    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CheckpointError, match="No space left"):
        train(store, split, unet, changed(quick, epochs=30), out)
    assert (out / "best.safetensors").read_bytes() == before


def test_more_epochs_go_on_where_fewer_ended(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, tmp_path: Path
) -> None:
    first = train(store, split, unet, changed(quick, epochs=2), tmp_path / "cut")
    again = train(store, split, unet, changed(quick, epochs=2), tmp_path / "cut")
    assert (first.epochs, again.epochs, first.seconds) == (2, 2, again.seconds)
    train(store, split, unet, changed(quick, epochs=4), tmp_path / "cut")
    train(store, split, unet, changed(quick, epochs=4), tmp_path / "whole")
    assert_equal_weights(tmp_path / "cut", tmp_path / "whole")


def test_a_time_limit_ends_cleanly_after_an_epoch_at_least(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, out: Path
) -> None:
    limited = changed(quick, max_minutes=1e-5)
    records = [train(store, split, unet, limited, out) for _ in range(3)]
    assert [record.epochs for record in records] == [1, 2, 3]
    assert [record.ending for record in records] == ["time", "time", "epochs"]
    assert [record.finished for record in records] == [False, False, True]


def row(epoch: int, f1: float | None, seconds: float = 1.0) -> EpochRow:
    known: dict[str, Any] = dict.fromkeys(EpochRow.model_fields, 1.0)
    measure = Measure(name="f1", value=f1, rises=True)
    own = {"epoch": epoch, "measure": measure, "figures": {"f1": f1}, "seconds": seconds}
    return EpochRow(**known | own)


def test_when_it_ends() -> None:
    ends = Ends(FitOptions(patience=2, epochs=10), deadline_s=100.0)
    rising = [row(1, None), row(2, 0.0), row(3, 0.5)]
    assert ends.of(rising, now_s=98.9) is None
    assert ends.of(rising, now_s=99.1) == "time"
    assert ends.of([*rising, row(4, 0.5)], 0) is None
    assert ends.of([*rising, row(4, 0.5), row(5, 0.4)], 0) == "patience"
    assert ends.of([*rising, row(4, 0.5), row(5, 0.6)], 0) is None
    assert ends.of([row(i, float(i)) for i in range(1, 11)], 0) == "epochs"
    assert Ends(FitOptions(), None).of(rising, 1e9) is None


def test_patience_ends_a_training(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, out: Path
) -> None:
    hopeless = changed(quick, epochs=20, patience=2, learning_rate=1e-9)
    record = train(store, split, unet, hopeless, out)
    assert record.ending == "patience"
    assert record.epochs == record.best_epoch + 2


def test_learning_rates() -> None:
    assert {learning_rate(FitOptions(), epoch) for epoch in range(5)} == {5e-4}
    cosine = FitOptions(schedule="cosine", epochs=10, learning_rate=2.0)
    rates = [learning_rate(cosine, epoch) for epoch in range(10)]
    assert rates[0] == 2.0
    assert rates[5] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(1 + np.cos(0.9 * np.pi))


def test_counts_are_of_pixels_that_count() -> None:
    logits = torch.tensor([-1.0, 2.0, 0.0, 3.0, 3.0])
    target = torch.tensor([1.0, 1.0, 0.0, 0.0, 1.0])
    mask = torch.tensor([True, True, True, True, False])
    assert outcome_counts(logits, target, mask).tolist() == [0, 1, 2, 1]


def test_accumulated_batches_make_one_step(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    steps: list[int] = []
    step = torch.optim.Adam.step

    def counted(self: torch.optim.Adam, *given: Any, **more: Any) -> Any:
        steps.append(1)
        return step(self, *given, **more)

    monkeypatch.setattr(torch.optim.Adam, "step", counted)
    train(store, split, unet, changed(quick, epochs=2, accumulate=3), tmp_path / "out")
    assert len(steps) == 2


def test_other_options_are_refused_by_name(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, out: Path
) -> None:
    once = changed(quick, epochs=1)
    train(store, split, unet, once, out)
    others: list[tuple[dict[str, Any], str]] = [
        ({"batch_size": 8}, r"train\.batch_size: 4, now 8"),
        ({"seed": 1}, r"given: +train\.seed: 0, now 1 \("),
        ({"loss": "bce"}, r"train\.loss"),
        (
            {"schedule": "cosine", "epochs": 9},
            r"train\.schedule: constant, now cosine; train\.epochs: 1, now 9",
        ),
    ]
    for more, name in others:
        with pytest.raises(TrainError, match=name):
            train(store, split, unet, changed(once, **more), out)


def test_other_chips_networks_and_folders_are_refused_by_name(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, tmp_path: Path
) -> None:
    once, out = changed(quick, epochs=1), tmp_path / "out"
    train(store, split, unet, once, out)
    other = make_store(tmp_path / "other.zarr", seed=5)
    with pytest.raises(TrainError, match=r"store: .*split: "):
        train(other, make_split(other), unet, once, out)
    with pytest.raises(TrainError, match=r"split: "):
        train(store, make_split(store, 5), unet, once, out)
    with pytest.raises(TrainError, match=r"network\.filters: 8, now 16"):
        train(store, split, NetworkChoice(network="unet", filters=16), once, out)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/diary.txt").write_text("dear diary")
    with pytest.raises(TrainError, match="something else"):
        train(store, split, unet, once, tmp_path / "taken")


def test_a_loss_that_is_no_number_names_the_chips_and_loses_nothing(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    predict = Engine._predict

    def spoiled(self: Engine, batch: Any) -> Tensor:
        bad = self.epoch == 1 and self.training and 3 in batch.numbers
        return predict(self, batch) * (float("nan") if bad else 1.0)

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "_predict", spoiled)
        with pytest.raises(TrainError, match=r"nan in epoch 2, chips .*storm_3\b") as refused:
            train(store, split, unet, quick, out)
    assert refused.value.exit_code == 2
    assert read_state(out).epochs == 1
    assert train(store, split, unet, quick, out).epochs == 3


def test_chips_without_landslides_are_refused(
    store: ChipStore, unet: NetworkChoice, quick: FitOptions, tmp_path: Path
) -> None:
    x, label, _ = store.read(range(16))
    nothing = np.where(label == 1, 0, label).astype(np.uint8)
    features = store.facts.features
    for name, empty in (("training", slice(0, 12)), ("validation", slice(12, 16))):
        kept = label.copy()
        kept[empty] = nothing[empty]
        write_store(tmp_path / f"{name}.zarr", x, kept, features)
        from headscarp.chips.store import open_store

        own = open_store(tmp_path / f"{name}.zarr")
        with pytest.raises(HeadscarpError, match=f"{name} chips with landslide"):
            train(own, make_split(own), unet, quick, tmp_path / name)
        assert not (tmp_path / name).exists()


def test_a_split_of_other_chips_is_refused(
    store: ChipStore, unet: NetworkChoice, quick: FitOptions, tmp_path: Path
) -> None:
    other = make_store(tmp_path / "other.zarr", event="quake")
    with pytest.raises(ChipError):
        train(store, make_split(other), unet, quick, tmp_path / "out")


@pytest.mark.parametrize(
    ("more", "fragment"),
    [
        ({"loss": "l1"}, "a loss for the head"),
        ({"freeze_encoder": True}, "freeze_encoder with init_from"),
        ({"replay": "old.zarr"}, "replay with init_from"),
        ({"devices": 5}, "at least one chip"),
        ({"accelerator": "gpu"}, "accelerator gpu"),
        ({"precision": "16-mixed"}, "16-mixed"),
    ],
)
def test_what_contradicts_itself_or_the_machine_is_refused(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, out: Path,
    more: dict[str, Any], fragment: str,
) -> None:  # fmt: skip
    if torch.cuda.is_available() and "accelerator" in more:
        pytest.skip("there is a GPU")
    with pytest.raises(OptionsError, match=fragment):
        train(store, split, unet, changed(quick, **more), out)


@pytest.mark.parametrize(
    ("network", "features"), [("siamese_unet", "pair"), ("utae", "series_ascending"), ("segnet", "group1")]
)
def test_every_form_is_trained(network: str, features: str, quick: FitOptions, tmp_path: Path) -> None:
    store = make_store(tmp_path / "chips.zarr", chips=5, features=features)
    choice = NetworkChoice(network=network, filters=8)
    record = train(store, make_split(store, 2), choice, changed(quick, epochs=1), tmp_path / "out")
    assert record.network == network
    assert read_card(tmp_path / "out/best.safetensors").task.features == feature_set(features)


def test_half_precision_on_a_processor(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, out: Path
) -> None:
    record = train(store, split, unet, changed(quick, epochs=1, precision="bf16-mixed"), out)
    assert all(value.dtype in (torch.float32, torch.int64) for value in weights(out).values())
    assert record.epochs == 1


def test_a_damaged_state_is_told(
    store: ChipStore, split: SplitFile, unet: NetworkChoice, quick: FitOptions, out: Path
) -> None:
    train(store, split, unet, changed(quick, epochs=1), out)
    (out / "state.pt").write_bytes((out / "state.pt").read_bytes()[:5000])
    with pytest.raises(TrainError, match=r"state\.pt"):
        train(store, split, unet, changed(quick, epochs=2), out)
