"""A whole area in pieces: blocks with a halo give the whole, blended windows no seam, plain tiles do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from headscarp.checkpoint import CheckpointError, Residual
from headscarp.errors import OptionsError
from headscarp.evaluate.regression import seam_ratio
from headscarp.features.sets import FEATURE_SETS, feature_set, form_inputs, normalise
from headscarp.predict.mosaic import Blend, Halo, predict_mosaic, read_window
from headscarp.predict.network import NetworkDetector, network_halo_px
from headscarp.predict.values import ValuePredictor
from tests.predict.made import load, random_change

REGRESSION: dict[str, Any] = {
    "options": {"head": "regression"},
    "calibration": None,
    "residual": Residual(std=0.1, edges=(-1, 0, 1), stds=(0.1, 0.2)),
}
FloatArray = NDArray[np.float32]


def predictor(folder: Path, network: str = "unet", features: str = "ndvi9_5") -> ValuePredictor:
    return ValuePredictor(load(folder, network, feature_set(features), **REGRESSION))


def channels(shape: tuple[int, int], seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(9, *shape)).astype(np.float32)


@pytest.mark.parametrize(("network", "shape"), [("unet", (300, 211)), ("segnet", (140, 150))])
def test_blocks_with_a_halo_are_the_whole(tmp_path: Path, network: str, shape: tuple[int, int]) -> None:
    own = predictor(tmp_path, network)
    x = channels(shape)
    halo = network_halo_px(network)
    stride = own.checkpoint.network.stride
    wide = np.pad(x, ((0, 0), (halo, halo + -shape[0] % stride), (halo, halo + -shape[1] % stride)))
    whole = own.predict(wide, halo)[: shape[0], : shape[1]]
    tiled = predict_mosaic(own.predict, x, Halo(128, halo))
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    assert np.std(whole) > 0.05


def test_blocks_leave_no_seam_and_plain_tiles_do(tmp_path: Path) -> None:
    own = predictor(tmp_path)
    x = channels((512, 512))
    side = 64
    with_halo = predict_mosaic(own.predict, x, Halo(side, network_halo_px("unet")))
    plain = predict_mosaic(own.predict, x, Halo(side, 0))
    assert seam_ratio(with_halo, side) == pytest.approx(1, abs=0.02)
    assert abs(seam_ratio(plain, side) - 1) > 0.02


def test_blended_windows_leave_no_seam(tmp_path: Path) -> None:
    own = predictor(tmp_path)
    x = channels((512, 512), seed=1)
    blended = predict_mosaic(own.predict, x, Blend(128, 64))
    plain = predict_mosaic(own.predict, x, Halo(64, 0))
    assert seam_ratio(blended, 64) == pytest.approx(1, abs=0.02)
    assert abs(seam_ratio(plain, 64) - 1) > 0.02


def naive_blend(predict: Any, x: FloatArray, side: int, overlap: int) -> NDArray[np.float64]:
    """Pixel by pixel: every window of the lattice over it, with its weight."""
    rows, cols = x.shape[1:]
    total, weight = np.zeros((2, rows, cols))

    def ramp(i: int) -> float:
        edge = min(i, side - 1 - i)
        return 1.0 if edge >= overlap else 0.5 * (1 - np.cos(np.pi * (edge + 0.5) / overlap))

    for top in range(-overlap, rows, side - overlap):
        for left in range(-overlap, cols, side - overlap):
            window = np.zeros((len(x), side, side), np.float32)
            for i in range(side):
                for j in range(side):
                    if 0 <= top + i < rows and 0 <= left + j < cols:
                        window[:, i, j] = x[:, top + i, left + j]
            values = predict(window, 0)
            for i in range(max(0, -top), min(side, rows - top)):
                for j in range(max(0, -left), min(side, cols - left)):
                    w = ramp(i) * ramp(j)
                    total[top + i, left + j] += w * values[i, j]
                    weight[top + i, left + j] += w
    np.testing.assert_allclose(weight, 1, atol=1e-9)
    return total


@pytest.mark.parametrize(("side", "overlap"), [(16, 8), (16, 4)])
def test_blending_is_what_a_loop_says(side: int, overlap: int) -> None:
    x = channels((37, 45), seed=2)

    def predict(window: FloatArray, halo_px: int) -> FloatArray:
        """Unlike in every window: its own mean takes part."""
        return (window[0] + window[1].mean()).astype(np.float32)

    blended = predict_mosaic(predict, x, Blend(side, overlap))
    np.testing.assert_allclose(blended, naive_blend(predict, x, side, overlap), atol=1e-5)


def test_values_go_where_they_are_told_and_progress_is_told(tmp_path: Path) -> None:
    x = channels((70, 90))
    out = np.lib.format.open_memmap(tmp_path / "out.npy", mode="w+", dtype=np.float32, shape=(70, 90))
    out[:] = 7
    told: list[tuple[int, int]] = []

    def first(window: FloatArray, halo_px: int) -> FloatArray:
        return window[0, halo_px:-halo_px, halo_px:-halo_px]

    values = predict_mosaic(first, x, Halo(32, 16), out, lambda *n: told.append(n))
    assert values is out
    np.testing.assert_array_equal(out, x[0])
    assert told == [(i, 9) for i in range(1, 10)]


def test_windows_are_zero_beyond_the_area() -> None:
    x = channels((5, 6))
    window = read_window(x, -2, 3, 6)
    np.testing.assert_array_equal(window[:, 2:, :3], x[:, :4, 3:])
    assert not window[:, :2].any()
    assert not window[:, :, 3:].any()
    assert not read_window(x, 40, -40, 4).any()


@pytest.mark.parametrize("overlap", [0, 9, -1])
def test_overlaps_whose_weights_do_not_add_up_are_refused(overlap: int) -> None:
    with pytest.raises(OptionsError, match="half a window"):
        Blend(16, overlap)


def test_a_predictor_forms_and_normalises_what_training_did(tmp_path: Path) -> None:
    own = predictor(tmp_path)
    change = random_change((64, 80))
    before, seen = own.inputs(change, "pre")
    after, _ = own.inputs(change, "post")
    task = own.checkpoint.card.task
    values = form_inputs(feature_set("ndvi9_5").at("pre"), change)
    expected = normalise(values.values, task.features, np.float32(task.mean), np.float32(task.std))
    np.testing.assert_array_equal(before, expected)
    np.testing.assert_array_equal(seen, values.seen)
    assert not np.allclose(before[0], after[0])
    with torch.inference_mode():
        plain = own.checkpoint.network(torch.from_numpy(before)[None])[0, 0].numpy()
    apart = np.abs(own.predict(before) - plain)
    assert apart.mean() < 1e-5, "but for the rounding of folded statistics"
    assert apart.max() < 0.01
    assert own.residual.std == 0.1
    assert own.record()["residual_std"] == 0.1
    assert own.halo().halo_px == 112


def test_networks_without_values_or_errors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="one of classification"):
        ValuePredictor(load(tmp_path, "unet", FEATURE_SETS["group1"]))
    with pytest.raises(CheckpointError, match="without errors"):
        ValuePredictor(load(tmp_path, "unet", feature_set("ndvi9_5"), **REGRESSION | {"residual": None}))


def test_errors_belong_to_a_head_of_regression(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="head of regression"):
        load(tmp_path, "unet", FEATURE_SETS["group1"], residual=REGRESSION["residual"])


def test_landslides_of_one_moment_look_beyond_the_network(tmp_path: Path) -> None:
    """The halo of the local statistics is added to the network's, up to its stride."""
    features = feature_set("ndvi9_29").at("post")
    own = NetworkDetector(load(tmp_path, "unet", features))
    assert own.halo_px == 112 + 16
    assert NetworkDetector(load(tmp_path, "unet", FEATURE_SETS["group1"])).halo_px == 112
    change = random_change((2 * 128 + 160, 2 * 128 + 192), seed=4)
    fitted = own.fit(change)
    rows, cols = slice(128, 288), slice(128, 320)
    whole = fitted.score(change).values[rows, cols]
    np.testing.assert_allclose(fitted.score_inside(change, 128), whole, atol=1e-4)
    less = change.isel(y=slice(64, -64), x=slice(64, -64))
    assert not np.allclose(fitted.score_inside(less, 64), whole, atol=1e-4, equal_nan=True)
