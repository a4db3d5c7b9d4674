"""A network on the chips of a store: as the network itself says, series without their padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from headscarp.calibration import Platt
from headscarp.checkpoint import CheckpointError
from headscarp.features.channels import FloatArray
from headscarp.features.sets import FeatureSet, feature_set, normalise
from headscarp.predict.chips import predict_chips
from tests.chips.made_chips import write_chips
from tests.predict.made import load

RNG = np.random.default_rng(4)


def values(*shape: int) -> FloatArray:
    return RNG.normal(0, 2, shape).astype(np.float32)


def test_probabilities_are_those_of_the_network(tmp_path: Path) -> None:
    features = feature_set("group1")
    x = values(3, 2, 32, 32)
    x[1, :, 5, 5] = np.nan
    label = RNG.integers(0, 2, (3, 32, 32)).astype(np.uint8)
    store = write_chips(tmp_path / "chips.zarr", features, list(x), label)
    checkpoint = load(tmp_path, "unet", features, calibration=Platt(temperature=2.0, offset=-1.0))
    task = checkpoint.card.task
    mean, std = (np.array(own, np.float32) for own in (task.mean, task.std))
    found = list(predict_chips(checkpoint, store, [2, 1]))
    assert [chip.id for chip in found] == [store.facts.chips[2].id, store.facts.chips[1].id]
    for chip, place in zip(found, (2, 1), strict=True):
        with torch.inference_mode():
            given = torch.from_numpy(normalise(x[place], features, mean, std))[None]
            logits = checkpoint.network.eval()(given)[0, 0].numpy().astype(np.float64)
        assert chip.raw == pytest.approx(1 / (1 + np.exp(-logits)), abs=1e-5)
        assert chip.probability == pytest.approx(1 / (1 + np.exp(1 - logits / 2)), abs=1e-5)
        assert np.array_equal(chip.label, label[place])


def test_dates_that_pad_a_series_are_not_shown(tmp_path: Path) -> None:
    features = feature_set("series_ascending")
    long, short = values(4, 2, 32, 32), values(3, 2, 32, 32)
    days = [np.array(own, np.float32) for own in ([-20, -8, 0, 12], [-8, 0, 12])]
    label = np.zeros((2, 32, 32), np.uint8)
    both = write_chips(tmp_path / "both.zarr", features, [long, short], label, days)
    alone = write_chips(tmp_path / "alone.zarr", features, [short], label[:1], days[1:])
    checkpoint = load(tmp_path, "convlstm_unet", features)
    padded, bare = (next(predict_chips(checkpoint, own, [place])) for own, place in ((both, 1), (alone, 0)))
    padding = both.read([1])[2]
    assert padding is not None
    assert np.isnan(padding).sum() == 1
    assert padded.raw == pytest.approx(bare.raw, abs=1e-6)
    other = next(predict_chips(checkpoint, both, [0]))
    assert np.abs(other.raw - padded.raw).max() > 1e-4


def test_other_channels_are_refused(tmp_path: Path) -> None:
    label = np.zeros((1, 32, 32), np.uint8)
    own = FeatureSet(name="own", channels=("change_vv_fused_db",))
    store = write_chips(tmp_path / "chips.zarr", own, [values(1, 32, 32)], label)
    checkpoint = load(tmp_path, "unet", feature_set("group1"))
    with pytest.raises(CheckpointError, match="change_vh_fused_db"):
        list(predict_chips(checkpoint, store, [0]))
