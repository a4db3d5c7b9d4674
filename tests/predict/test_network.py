"""A checkpoint as a detector: scores, probability, and tiles that give what the whole gives."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import expit

from headscarp.calibration import Platt
from headscarp.checkpoint import Checkpoint, CheckpointError
from headscarp.detect.protocol import Detector, FittedDetector, TrainedDetector
from headscarp.features.change import Change
from headscarp.features.sets import FEATURE_SETS, FeatureSet
from headscarp.grid import tiles
from headscarp.models import Head
from headscarp.pipeline.map.blocks import plan_blocks, score_blocks
from headscarp.pipeline.map.stored import StoredTile
from headscarp.pipeline.map.tiles import EVENT, _packed
from headscarp.pipeline.stages import Stages
from headscarp.predict.inputs import network_input
from headscarp.predict.network import BLOCKS_PX, NetworkDetector, network_halo_px
from tests.predict.made import LAND, features_for, grid, load, padded, random_change

TILE_PX, BLOCK_PX = 32, 96
SHAPE = (100, 330)
EXACT = ("unet", "attention_unet", "dppa_unet", "segnet", "siamese_unet", "convlstm_unet", "utae")


def store(change: Change, folder: Path, needs: tuple[str, ...], without: int = -1) -> list[StoredTile]:
    """Tiles as the first walk leaves them; one of them, by its number, never stored."""
    stored = []
    land = [name for name in needs if change[name].dims == ("y", "x")]
    fields = ("change_db", "pre_count", "post_count", *(name for name in needs if name not in land))
    for number, tile in enumerate(tiles(grid(change["change_db"].shape[-2:]), TILE_PX)):
        part = change.isel(y=tile.rows, x=tile.cols)
        path = folder / f"tile_{number}.npz"
        arrays: dict[str, Any] = {name: part[name].values for name in land}
        np.savez(path, **arrays, **_packed(EVENT, part, tuple(dict.fromkeys(fields))))
        stored += [] if number == without else [StoredTile(tile, path, 0)]
    return stored


def score_in_blocks(detector: NetworkDetector, change: Change, stored: list[StoredTile]) -> NDArray[Any]:
    shape = change["change_db"].shape[-2:]
    score_blocks(grid(shape), stored, detector, detector.fit(change), Stages())
    whole = np.full(shape, np.nan, np.float32)
    for own in stored:
        whole[own.tile.rows, own.tile.cols] = own.score()
    return whole


def score_whole(detector: NetworkDetector, change: Change) -> NDArray[Any]:
    """One pass over the grid, with nothing observed around it."""
    px = detector.halo_px
    score = detector.fit(change).score(padded(change, px)).values
    return score[px:-px, px:-px]


def assert_same(found: NDArray[Any], expected: NDArray[Any], tolerance: float = 1e-5) -> None:
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(expit(found), expit(expected), rtol=0, atol=tolerance)
    assert np.nanstd(expected) > 0.5, "logits that hardly differ tell nothing"


@pytest.mark.parametrize("network", EXACT)
def test_tiled_is_whole(network: str, tmp_path: Path) -> None:
    features = features_for(network)
    detector = NetworkDetector(load(tmp_path, network, features), dates=5, block_side_px=BLOCK_PX)
    rows = 1 if network == "convlstm_unet" else 2  # its halo costs most
    shape = (rows * SHAPE[0] // 2, SHAPE[1])
    change = random_change(shape)
    stored = store(change, tmp_path, detector.needs)
    assert len(plan_blocks(grid(shape), stored, BLOCK_PX)) == rows * 4
    assert_same(score_in_blocks(detector, change, stored), score_whole(detector, change))


def test_tiled_is_whole_with_the_land_and_a_tile_that_was_never_stored(tmp_path: Path) -> None:
    """Where no tile is stored nothing was observed, and the land there is not known either."""
    detector = NetworkDetector(load(tmp_path, "unet", LAND), block_side_px=BLOCK_PX)
    change = random_change(SHAPE)
    gone = list(tiles(grid(SHAPE), TILE_PX))[14]
    change["change_db"].values[..., gone.rows, gone.cols] = np.nan
    stored = store(change, tmp_path, detector.needs, without=14)
    assert_same(score_in_blocks(detector, change, stored), score_whole(detector, change))


def test_segformer_sees_everything_so_blocks_are_the_whole_about(tmp_path: Path) -> None:
    detector = NetworkDetector(load(tmp_path, "segformer", FEATURE_SETS["group1"]), block_side_px=BLOCK_PX)
    change = random_change(SHAPE)
    found = score_in_blocks(detector, change, store(change, tmp_path, detector.needs))
    expected = score_whole(detector, change)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    seen = np.isfinite(expected)
    assert detector.halo_px == 256
    assert np.corrcoef(found[seen], expected[seen])[0, 1] > 0.9


def test_blocks_that_were_scored_are_not_scored_again(tmp_path: Path) -> None:
    detector = NetworkDetector(load(tmp_path, "unet", FEATURE_SETS["group1"]), block_side_px=BLOCK_PX)
    change = random_change((150, 150))
    stored = store(change, tmp_path, detector.needs)
    whole = score_in_blocks(detector, change, stored)
    block = plan_blocks(grid((150, 150)), stored, BLOCK_PX)[-1]
    for own in block.members:
        own._score_path(False).unlink()
    before = {own.tile.window: own._score_path(False).stat().st_mtime_ns for own in stored if own.has_score()}
    assert_same(score_in_blocks(detector, change, stored), whole, 0)
    for own in stored:
        if own.tile.window in before:
            assert own._score_path(False).stat().st_mtime_ns == before[own.tile.window]
    assert 0 < len(before) < len(stored)


@pytest.mark.parametrize("network", ["unet", "siamese_unet", "utae"])
def test_the_score_is_the_network_itself_on_what_it_is_given(network: str, tmp_path: Path) -> None:
    """Unfolded, in evaluation mode, called by hand."""
    features = features_for(network)
    checkpoint = load(tmp_path, network, features)
    change = random_change((50, 70))
    given = network_input(checkpoint.card.task, change)
    x = torch.from_numpy(given.x)[None]
    with torch.no_grad():
        if given.days is None:
            logits = checkpoint.network(x)
        else:
            days = torch.from_numpy(given.days)[None]
            logits = checkpoint.network(x, torch.ones(1, days.shape[1], dtype=torch.bool), days)
    score = NetworkDetector(checkpoint).fit(change).score(change)
    assert score.dims == ("y", "x")
    np.testing.assert_allclose(score.values[given.seen], logits[0, 0].numpy()[given.seen], atol=1e-3)
    assert np.isnan(score.values[~given.seen]).all()
    assert given.seen.any()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return load(tmp_path, "unet", FEATURE_SETS["group1"])


def test_probability_by_hand(checkpoint: Checkpoint) -> None:
    """Temperature 2: the log-odds are halved."""
    change = random_change((20, 20))
    fitted = NetworkDetector(checkpoint).fit(change)
    score = fitted.score(change).copy(data=np.full((20, 20), 3.0, np.float32))
    score.values[0, 0] = np.nan
    found = fitted.probability(score)
    assert found.values[1, 1] == pytest.approx(1 / (1 + math.exp(-1.5)), rel=1e-6)
    assert np.isnan(found.values[0, 0])
    assert found.dtype == np.float32


def test_an_offset_moves_the_log_odds(tmp_path: Path) -> None:
    change = random_change((20, 20))
    platt = Platt(temperature=2.0, offset=-1.0)
    fitted = NetworkDetector(load(tmp_path, "unet", LAND, calibration=platt)).fit(change)
    score = fitted.score(change).copy(data=np.full((20, 20), 3.0, np.float32))
    assert fitted.probability(score).values[1, 1] == pytest.approx(1 / (1 + math.exp(-0.5)), rel=1e-6)
    assert fitted.record()["calibration"] == {"method": "platt", "temperature": 2.0, "offset": -1.0}


def test_without_a_calibration_it_is_the_sigmoid(tmp_path: Path) -> None:
    change = random_change((20, 20))
    fitted = NetworkDetector(load(tmp_path, "unet", LAND, calibration=None)).fit(change)
    score = fitted.score(change).copy(data=np.full((20, 20), -2.0, np.float32))
    assert fitted.probability(score).values[3, 3] == pytest.approx(1 / (1 + math.exp(2)), rel=1e-6)
    assert fitted.record()["calibration"] is None


def test_ground_that_nobody_saw_has_no_score(checkpoint: Checkpoint) -> None:
    change = random_change((20, 20))
    change["change_db"].values[:] = np.nan
    fitted = NetworkDetector(checkpoint).fit(change)
    score = fitted.score(change)
    assert score.isnull().all()
    assert fitted.probability(score).isnull().all()


def test_it_is_a_detector_that_learns_nothing(checkpoint: Checkpoint) -> None:
    detector: Detector = NetworkDetector(checkpoint)
    fitted: FittedDetector = detector.fit(random_change((8, 8)))
    assert isinstance(detector, TrainedDetector)
    assert detector.name == f"unet group1 {checkpoint.sha256[:12]}"
    assert detector.needs == ("change_db",)
    assert fitted is detector.fit(random_change((9, 9)))
    orbits = fitted.orbit_scores(random_change((8, 9)))
    assert orbits.dims == ("orbit", "y", "x")
    assert orbits.isnull().all()
    assert np.isnan(fitted.null_density(np.zeros(4))).all()


def test_the_record_tells_which_weights(checkpoint: Checkpoint) -> None:
    record = NetworkDetector(checkpoint).fit(random_change((8, 8))).record()
    assert record["checkpoint_sha256"] == checkpoint.sha256
    assert record["features"]["channels"] == ["change_vv_fused_db", "change_vh_fused_db"]
    assert record["calibration"] == {"method": "temperature", "temperature": 2.0}
    assert (record["threshold"], record["trained"]["epochs"]) == (0.4, 3)


def test_a_network_of_values_is_refused(tmp_path: Path) -> None:
    stored = load(tmp_path, "unet", FEATURE_SETS["group1"], options={"head": Head.REGRESSION})
    with pytest.raises(CheckpointError, match="head of classification"):
        NetworkDetector(stored)


@pytest.mark.parametrize(("network", "halo_px"), [("unet", 112), ("attention_unet", 128), ("segnet", 224)])
def test_the_halo_is_a_multiple_of_the_stride(network: str, halo_px: int) -> None:
    assert network_halo_px(network) == halo_px


def test_more_dates_reach_farther_in_a_recurrent_network() -> None:
    assert network_halo_px("convlstm_unet", 5) == network_halo_px("convlstm_unet", 2) + 3 * 16


def test_blocks_have_room_in_memory(tmp_path: Path) -> None:
    """8 filters: the widest; a series of 40 dates at most the narrowest, which is one tile."""
    assert NetworkDetector(load(tmp_path, "unet", FEATURE_SETS["group1"])).block_px == BLOCKS_PX[0]
    series: FeatureSet = FEATURE_SETS["series_ascending"]
    assert NetworkDetector(load(tmp_path, "utae", series), dates=40).block_px == BLOCKS_PX[-1]
