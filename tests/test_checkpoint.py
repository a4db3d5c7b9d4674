"""A checkpoint comes back as it was written, runs no code, and tells what is wrong with a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from headscarp.calibration import Temperature
from headscarp.checkpoint import (
    HEADER,
    Card,
    CheckpointError,
    Task,
    Training,
    read_card,
    read_checkpoint,
    write_checkpoint,
)
from headscarp.features.sets import feature_set
from headscarp.models import Network, NetworkOptions, make_network

OPTIONS = NetworkOptions(network="unet", channels=2, filters=8)


def card(**more: Any) -> Card:
    task = Task(
        features=feature_set("group1"),
        units=("dB", "dB"),
        mean=(0.1, 1 / 3),
        std=(1.0, 2.0),
        spacing_m=10.0,
        pre_dates=(2, 4),
        post_dates=(1, 1),
    )
    training = Training(
        headscarp="0",
        commit=None,
        seed=3,
        epochs=7,
        created_utc="2024-01-01T00:00:00+00:00",
        split_sha256="ab",
        data_sha256={"storm": "cd"},
        options={"train": {"loss": "dice"}},
    )
    values: dict[str, Any] = {
        "network": OPTIONS.to_dict(),
        "task": task,
        "training": training,
        "calibration": Temperature(temperature=1.7),
        "threshold": 0.37,
        "metrics": {"f1": 0.61, "iou": None},
        "licence": "CC-BY-4.0",
    }
    return Card(**values | more)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(1)
    return make_network(OPTIONS)


@pytest.fixture
def path(tmp_path: Path, network: Network) -> Path:
    return write_checkpoint(tmp_path / "best.safetensors", card(), network.state_dict())


def test_it_comes_back(path: Path, network: Network) -> None:
    back = read_checkpoint(path)
    assert back.card == read_card(path) == card()
    x = torch.randn(1, 2, 48, 33)
    with torch.no_grad():
        assert torch.equal(back.network(x), network.eval()(x))
    assert not back.network.training
    assert [entry.name for entry in path.parent.iterdir()] == ["best.safetensors"]
    assert len(back.sha256) == 64


def test_reading_leaves_the_generator_alone(path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    read_checkpoint(path)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("kept", [0, 5, 100, 3000, -1])
def test_a_truncated_file_is_told(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"best\.safetensors"):
        read_checkpoint(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        read_card(tmp_path / "nowhere.safetensors")


def test_other_safetensors_and_pickles_are_refused(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "plain.safetensors")
    with pytest.raises(CheckpointError, match="without a card"):
        read_card(tmp_path / "plain.safetensors")
    torch.save({"w": torch.zeros(2)}, tmp_path / "pickle.safetensors")
    with pytest.raises(CheckpointError):
        read_card(tmp_path / "pickle.safetensors")


def rewritten(path: Path, **changes: Any) -> Path:
    """The file with another card."""
    content = json.loads(card().model_dump_json()) | changes
    weights = read_checkpoint(path).network.state_dict()
    plain = {name: value.contiguous() for name, value in weights.items()}
    save_file(plain, path, {HEADER: json.dumps(content)})
    return path


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"format_version": 2}, "format_version"),
        ({"threshold": 1.0}, "threshold"),
        ({"colour": "red"}, "colour"),
        ({"network": {"network": "unet"}}, "expected the options"),
    ],
)
def test_a_card_that_breaks_the_format(path: Path, changes: dict[str, Any], fragment: str) -> None:
    with pytest.raises(CheckpointError, match=fragment):
        read_card(rewritten(path, **changes))


def test_weights_of_another_network_are_told(path: Path) -> None:
    wider = OPTIONS.to_dict() | {"filters": 16}
    right = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"not those of network unet, channels 2, filters 16"):
        read_checkpoint(rewritten(path, network=wider))
    path.write_bytes(right)
    unknown = OPTIONS.to_dict() | {"network": "oracle"}
    with pytest.raises(CheckpointError, match="oracle"):
        read_checkpoint(rewritten(path, network=unknown))


@pytest.mark.parametrize(
    "changes",
    [{"mean": (0.0,)}, {"units": ()}, {"std": (1.0, 0.0)}, {"std": (1.0, float("nan"))}, {"spacing_m": 0.0}],
)
def test_a_task_is_complete(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Task.model_validate(card().task.model_dump() | changes)


def test_a_network_has_the_channels_of_its_task() -> None:
    with pytest.raises(ValidationError, match="another number of channels"):
        card(network=OPTIONS.to_dict() | {"channels": 3})


def test_a_full_disk_leaves_what_stood_there(
    path: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full(self: Path, content: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(CheckpointError, match="No space left"):
            write_checkpoint(path, card(threshold=0.9), network.state_dict())
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["best.safetensors"]
