"""Beginning with a checkpoint: what must fit, what stays fixed, what is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from headscarp.checkpoint import read_card, read_checkpoint
from headscarp.chips.store import ChipStore, open_store
from headscarp.errors import HeadscarpError, OptionsError
from headscarp.models import BODIES, NetworkOptions, make_network
from headscarp.split import SplitFile, write_split
from headscarp.train.errors import TrainError
from headscarp.train.options import FitOptions, NetworkChoice
from headscarp.train.run import train
from headscarp.train.transfer import freeze_encoder
from tests.train.stores import make_split, make_store

UNET = NetworkChoice(network="unet", filters=8)
QUICK = FitOptions(epochs=2, batch_size=4, learning_rate=5e-3, accelerator="cpu")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an old event, its store and split beside it."""
    folder = tmp_path_factory.mktemp("old")
    old = make_store(folder / "chips.zarr", event="quake", seed=7)
    write_split(folder / "split.json", make_split(old))
    options = QUICK.model_copy(update={"epochs": 9})
    train(old, make_split(old), UNET, options, folder / "run")
    return folder / "run/best.safetensors"


def options(begun: Path, **more: Any) -> FitOptions:
    return FitOptions.model_validate(QUICK.model_dump() | {"init_from": begun} | more)


def test_it_begins_with_the_weights_and_the_statistics(
    begun: Path, store: ChipStore, split: SplitFile, tmp_path: Path
) -> None:
    still = options(begun, learning_rate=1e-12, epochs=1)
    train(store, split, UNET, still, tmp_path / "out")
    old, new = (read_checkpoint(path) for path in (begun, tmp_path / "out/best.safetensors"))
    for one, other in zip(old.network.parameters(), new.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)
    assert new.card.task.mean == old.card.task.mean
    assert new.card.training.init_from == old.sha256


def test_every_mismatch_is_named(begun: Path, tmp_path: Path) -> None:
    other = make_store(tmp_path / "other.zarr", features="orbits")
    wider = NetworkChoice(network="attention_unet", filters=16)
    with pytest.raises(TrainError) as refused:
        train(other, make_split(other), wider, options(begun), tmp_path / "out")
    for part in ("features: scene of change_vv_fused_db", "network: unet", "channels: 2", "filters: 8"):
        assert part in refused.value.given
    assert "head" not in refused.value.given
    assert not (tmp_path / "out").exists()


def test_a_frozen_encoder_does_not_move_and_the_rest_does(
    begun: Path, store: ChipStore, split: SplitFile, tmp_path: Path
) -> None:
    train(store, split, UNET, options(begun, freeze_encoder=True), tmp_path / "out")
    old = read_checkpoint(begun).network.state_dict()
    new = read_checkpoint(tmp_path / "out/last.safetensors").network.state_dict()
    moved = {name for name, value in old.items() if not torch.equal(value, new[name])}
    encoder = {name for name in old if name.startswith("body.encoder.")}
    assert any(name.endswith("running_mean") for name in encoder)
    assert not moved & encoder
    assert {name for name in old if name.endswith("weight")} - encoder <= moved


@pytest.mark.parametrize("name", sorted(BODIES))
def test_every_network_has_an_encoder_to_freeze(name: str) -> None:
    network = make_network(NetworkOptions(network=name, channels=2, filters=8))
    parts = freeze_encoder(network)
    frozen = sum(p.numel() for p in network.parameters() if not p.requires_grad)
    assert frozen == sum(p.numel() for part in parts for p in part.parameters())
    assert 0 < frozen < sum(p.numel() for p in network.parameters())


def test_replay_reports_what_is_forgotten(
    begun: Path, store: ChipStore, split: SplitFile, tmp_path: Path
) -> None:
    replay = options(begun, replay=begun.parents[1] / "chips.zarr", replay_share=0.25)
    record = train(store, split, UNET, replay, tmp_path / "out")
    assert record.forgetting is not None
    assert record.forgetting.chips == 4
    assert record.forgetting.f1_before == pytest.approx(read_card(begun).metrics["f1"], abs=0.01)
    assert record.forgetting.f1_after is not None
    assert record.chips == {"train": 12, "validation": 4, "replayed": 12}
    plain = train(store, split, UNET, options(begun), tmp_path / "plain")
    assert plain.forgetting is None


def test_forgetting_is_seen(begun: Path, tmp_path: Path) -> None:
    reversed_ground = make_store(tmp_path / "reversed.zarr", event="flood", strength=-4.0)
    replay = options(begun, replay=begun.parents[1] / "chips.zarr", replay_share=0.01, epochs=8)
    record = train(reversed_ground, make_split(reversed_ground), UNET, replay, tmp_path / "out")
    assert record.forgetting is not None
    before, after = record.forgetting.f1_before, record.forgetting.f1_after
    assert before is not None
    assert after is not None
    assert after < before - 0.2


def test_a_store_to_replay_must_be_alike_and_have_a_split(
    begun: Path, store: ChipStore, split: SplitFile, tmp_path: Path
) -> None:
    make_store(tmp_path / "pairs.zarr", features="orbits")
    with pytest.raises(HeadscarpError, match=r"split\.json"):
        train(store, split, UNET, options(begun, replay=tmp_path / "pairs.zarr"), tmp_path / "out")
    write_split(tmp_path / "split.json", make_split(open_store(tmp_path / "pairs.zarr")))
    with pytest.raises(OptionsError, match="features"):
        train(store, split, UNET, options(begun, replay=tmp_path / "pairs.zarr"), tmp_path / "out")
