"""Statistics against NumPy over all values at once, and the normalisation by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headscarp.chips.statistics import channel_statistics
from headscarp.chips.store import IGNORE, ChipError
from headscarp.features.sets import FeatureSet, feature_set, normalise
from tests.chips.made_chips import write_chips

PAIR = FeatureSet(
    name="pair2",
    form="pair",
    channels=("pre_vv_ascending_db", "pre_vh_ascending_db", "post_vv_ascending_db", "post_vh_ascending_db"),
)
SIZE = 8


def drawn(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Values with a mean far from 0, each channel its own, with holes."""
    rng = np.random.default_rng(seed)
    scale = np.arange(1, shape[-3] + 1)[:, None, None]
    x = (rng.normal(1000, 1, shape) * scale).astype(np.float32)
    x[rng.random(shape) < 0.1] = np.nan
    return x


def drawn_label(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).choice(
        np.array([0, 1, IGNORE], np.uint8), size=(count, SIZE, SIZE), p=[0.5, 0.2, 0.3]
    )


def oracle(columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the finite values of each column, in float64."""
    finite = [c[np.isfinite(c)].astype(np.float64) for c in columns]
    return np.array([c.mean() for c in finite]), np.array([c.std() for c in finite])


def test_scene_statistics_are_those_of_all_values_at_once(tmp_path: Path) -> None:
    x, label = drawn((37, 2, SIZE, SIZE)), drawn_label(37)  # more than two batches
    store = write_chips(tmp_path / "s.zarr", feature_set("group1"), x, label)
    places = [*range(3, 36), 0]
    mean, std = channel_statistics(store, places)
    known = label[places] != IGNORE
    wanted_mean, wanted_std = oracle([x[places][:, c][known] for c in range(2)])
    np.testing.assert_allclose(mean, wanted_mean, rtol=1e-7)
    np.testing.assert_allclose(std, wanted_std, rtol=1e-6)
    assert mean.dtype == std.dtype == np.float32


def test_only_the_chips_asked_for_count(tmp_path: Path) -> None:
    x, label = np.ones((3, 2, SIZE, SIZE), np.float32), np.zeros((3, SIZE, SIZE), np.uint8)
    x[2] = 1e6
    store = write_chips(tmp_path / "s.zarr", feature_set("group1"), x, label)
    mean, std = channel_statistics(store, [0, 1])
    assert mean.tolist() == [1, 1]
    assert std.tolist() == [1, 1], "constant channels are divided by 1"


def test_a_large_constant_is_constant(tmp_path: Path) -> None:
    x = np.full((4, 2, SIZE, SIZE), 1234.567, np.float32)
    x[:, 1] = 0
    store = write_chips(tmp_path / "s.zarr", feature_set("group1"), x, np.zeros((4, SIZE, SIZE), np.uint8))
    assert channel_statistics(store, range(4))[1].tolist() == [1, 1]


def test_sides_of_a_pair_have_their_own(tmp_path: Path) -> None:
    x, label = drawn((5, 2, 2, SIZE, SIZE)), drawn_label(5)
    x[:, 1] += 500
    store = write_chips(tmp_path / "s.zarr", PAIR, x, label)
    mean, std = channel_statistics(store, range(5))
    known = label != IGNORE
    columns = [x[:, side, c][known] for side in range(2) for c in range(2)]
    wanted_mean, wanted_std = oracle(columns)
    np.testing.assert_allclose(mean, wanted_mean, rtol=1e-7)
    np.testing.assert_allclose(std, wanted_std, rtol=1e-6)
    normalised = normalise(x, PAIR, mean, std)
    one = normalise(x[3], PAIR, mean, std)
    np.testing.assert_array_equal(one, normalised[3])
    expected = (x[3, 1, 0] - wanted_mean[2]) / wanted_std[2]
    np.testing.assert_allclose(one[1, 0], np.nan_to_num(expected), atol=1e-3)


def test_dates_of_a_series_share_them_and_padded_dates_do_not_count(tmp_path: Path) -> None:
    features = feature_set("series_ascending")
    x = [drawn((4, 2, SIZE, SIZE), 1), drawn((2, 2, SIZE, SIZE), 2)]
    days = [np.array([-12, -6, 0, 6], np.float32), np.array([-6, 0], np.float32)]
    label = drawn_label(2)
    store = write_chips(tmp_path / "s.zarr", features, x, label, days)
    mean, std = channel_statistics(store, [0, 1])
    columns = [
        np.concatenate([x[i][:, c][:, label[i] != IGNORE].ravel() for i in range(2)]) for c in range(2)
    ]
    wanted_mean, wanted_std = oracle(columns)
    np.testing.assert_allclose(mean, wanted_mean, rtol=1e-7)
    np.testing.assert_allclose(std, wanted_std, rtol=1e-6)
    read, _, read_days = store.read([1])
    assert read_days is not None
    assert np.isnan(read_days[0, 2:]).all()
    assert (normalise(read, features, mean, std)[0, 2:] == 0).all()


def test_normalised_training_chips_have_mean_0_and_deviation_1(tmp_path: Path) -> None:
    x, label = drawn((9, 2, SIZE, SIZE)), np.zeros((9, SIZE, SIZE), np.uint8)
    store = write_chips(tmp_path / "s.zarr", feature_set("group1"), x, label)
    mean, std = channel_statistics(store, range(9))
    normalised = normalise(x, store.facts.features, mean, std)
    for c in range(2):
        known = normalised[:, c][np.isfinite(x[:, c])]
        assert known.mean() == pytest.approx(0, abs=1e-3)
        assert known.std() == pytest.approx(1, abs=1e-3)
    assert np.isfinite(normalised).all()
    assert (normalised[np.isnan(x)] == 0).all(), "nodata is the training mean, not 0 dB"


def test_a_channel_that_is_never_seen_is_refused(tmp_path: Path) -> None:
    x = drawn((2, 2, SIZE, SIZE))
    x[0, 1] = np.nan
    label = np.zeros((2, SIZE, SIZE), np.uint8)
    label[1] = IGNORE
    store = write_chips(tmp_path / "s.zarr", feature_set("group1"), x, label)
    with pytest.raises(ChipError, match="change_vh_fused_db") as error:
        channel_statistics(store, [0, 1])
    assert "change_vv" not in error.value.given
