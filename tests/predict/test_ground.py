"""Chips put back where they came from, and a ground predicted in blocks as in one piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from headscarp.calibration import Temperature
from headscarp.checkpoint import CheckpointError
from headscarp.chips.store import ChipError, ChipStore, open_store
from headscarp.chips.writer import CutChip, Layout, open_writer
from headscarp.features.sets import FEATURE_SETS
from headscarp.models import receptive_field
from headscarp.predict.ground import HeldGround, hold_ground, predict_ground
from tests.chips.made_chips import make_chip, make_facts
from tests.predict.made import features_for, grid, load

SIZE_PX, SPACING_M = 32, 10.0
CORNERS = ((64, 32), (0, 0), (32, 64), (0, 32))
"""Rows and columns of chips, in no order; others of the lattice are missing."""


def _store(path: Path, corners: tuple[tuple[int, int], ...] = CORNERS, stride_px: int = SIZE_PX) -> ChipStore:
    """A chip holds its place in the store, plus thousandths of its column, one side after the other."""
    features = FEATURE_SETS["group1"]
    writer = open_writer(path, "key", Layout(features, SIZE_PX, 0, len(corners)))
    for place, (row, col) in enumerate(corners):
        x = np.full((2, SIZE_PX, SIZE_PX), place, np.float32) + np.arange(SIZE_PX, dtype=np.float32) / 1000
        label = np.full((SIZE_PX, SIZE_PX), place % 2, np.uint8)
        facts = make_chip("a", row, col, side_m=SIZE_PX * SPACING_M)
        writer.append(str(place), [CutChip(facts, x * np.float32([[[1]], [[-1]]]), label, None)])
    writer.finish(make_facts(writer.chips, SIZE_PX, features, stride_px))
    return open_store(path)


def test_chips_lie_where_they_came_from(tmp_path: Path) -> None:
    ground = hold_ground(_store(tmp_path / "store.zarr"))
    assert ground.x.shape == (2, 96, 96)
    for place, (row, col) in enumerate(CORNERS):
        here = (slice(row, row + SIZE_PX), slice(col, col + SIZE_PX))
        assert np.all(ground.label[here] == place % 2)
        assert ground.x[0][here][5, 7] == np.float32(place) + np.float32(0.007)
        assert ground.x[1][here][5, 7] == -(np.float32(place) + np.float32(0.007))
    taken = np.isfinite(ground.x[0])
    assert taken.sum() == len(CORNERS) * SIZE_PX**2
    assert np.all(ground.label[~taken] == 255)


def test_the_grid_is_that_of_the_chips(tmp_path: Path) -> None:
    corners = ((32, 64), (64, 96))
    ground = hold_ground(_store(tmp_path / "store.zarr", corners))
    assert ground.geobox.shape == (64, 64)
    assert tuple(ground.geobox.transform)[:6] == (SPACING_M, 0, 640, 0, -SPACING_M, -320)


def test_overlapping_chips_make_no_ground(tmp_path: Path) -> None:
    with pytest.raises(ChipError, match="side by side"):
        hold_ground(_store(tmp_path / "store.zarr", stride_px=SIZE_PX // 2))


def _ground(network: str, shape: tuple[int, int]) -> HeldGround:
    """Random channels of a network, with ground that was not seen."""
    features = features_for(network)
    rng = np.random.default_rng(5)
    sides = (2,) if features.form == "pair" else ()
    x = rng.normal(0, 3, (*sides, features.network_channels, *shape)).astype(np.float32)
    label = rng.integers(0, 2, shape).astype(np.uint8)
    x[..., 10:30, 40:60], label[10:30, 40:60] = np.nan, 255
    return HeldGround(grid(shape), x, label)


@pytest.mark.parametrize("network", ["unet", "dppa_unet", "siamese_unet", "attention_unet"])
def test_blocks_give_what_one_block_gives(network: str, tmp_path: Path) -> None:
    reach = receptive_field(network)
    assert reach is not None  # of a network that sees everything, blocks and the whole differ
    checkpoint = load(tmp_path, network, features_for(network))
    ground = _ground(network, (64, 150))
    whole = predict_ground(checkpoint, ground, block_px=192)
    parts = predict_ground(checkpoint, ground, block_px=64)
    np.testing.assert_allclose(parts, whole, atol=1e-5)
    assert np.nanstd(whole) > 0.02
    np.testing.assert_array_equal(np.isnan(whole), ground.label == 255)


def test_the_probability_is_calibrated(tmp_path: Path) -> None:
    ground = _ground("unet", (64, 64))
    warm, plain = (
        load(tmp_path, "unet", features_for("unet"), calibration=Temperature(temperature=k))
        for k in (2.0, 1.0)
    )
    found = {k: predict_ground(c, ground).astype(float) for k, c in ((2.0, warm), (1.0, plain))}
    sure = (found[1.0] > 0.01) & (found[1.0] < 0.99)
    assert sure.sum() > 100
    expected = expit(0.5 * logit(found[1.0][sure]))
    np.testing.assert_allclose(found[2.0][sure], expected, atol=1e-4)


def test_the_network_sees_normalised_channels_in_order(tmp_path: Path) -> None:
    """Against the network itself, called on one wide array."""
    checkpoint = load(tmp_path, "unet", features_for("unet"))
    ground, task, halo = _ground("unet", (64, 64)), checkpoint.card.task, 112
    mean, std = (np.reshape(part, (-1, 1, 1)) for part in (task.mean, task.std))
    x = np.pad(np.nan_to_num((ground.x - mean) / std), [(0, 0), (halo, halo), (halo, halo)])
    with torch.inference_mode():
        logits = checkpoint.network.eval()(torch.from_numpy(x.astype(np.float32))[None])[0, 0].numpy()
    expected = expit(logits[halo:-halo, halo:-halo] / 2.0)
    found = predict_ground(checkpoint, ground, block_px=64)
    known = ground.label != 255
    np.testing.assert_allclose(found[known], expected[known], atol=1e-4)


def test_other_channels_are_refused(tmp_path: Path) -> None:
    checkpoint = load(tmp_path, "unet", FEATURE_SETS["orbits"])
    with pytest.raises(CheckpointError, match="4 channels"):
        predict_ground(checkpoint, _ground("unet", (64, 64)))
