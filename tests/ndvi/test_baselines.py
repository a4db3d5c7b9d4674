"""Baselines against what they are by definition, and against scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from headscarp.chips.statistics import channel_statistics
from headscarp.chips.store import IGNORE, ChipStore
from headscarp.errors import OptionsError
from headscarp.features.sets import normalise
from headscarp.predict.mosaic import Halo, predict_mosaic
from headscarp.train.baselines import BASELINES, fit_baseline
from tests.train.stores import make_split, make_store, make_value_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ChipStore:
    return make_value_store(tmp_path_factory.mktemp("values") / "chips.zarr")


def pixels(store: ChipStore, places: range) -> tuple[np.ndarray, np.ndarray]:
    """Normalised channels and values of the pixels that count."""
    mean, std = channel_statistics(store, list(range(12)))
    x, label, _ = store.read(places)
    target = store.read_target(places)
    assert target is not None
    known = label != IGNORE
    return np.moveaxis(normalise(x, store.facts.features, mean, std), 1, -1)[known], target[known]


def test_the_mean_is_that_of_the_training_pixels(store: ChipStore) -> None:
    own = fit_baseline("mean", store, make_split(store))
    _, y = pixels(store, range(12))
    _, truth = pixels(store, range(12, 16))
    rmse = np.sqrt(np.mean((y.mean(dtype=float) - truth) ** 2))
    assert own.worth.metrics["rmse"] == pytest.approx(rmse, rel=1e-5)
    assert own.worth.residual.std == pytest.approx(rmse, rel=1e-5)
    assert np.unique(own.predict(np.zeros((9, 4, 5), np.float32))).tolist() == [
        pytest.approx(y.mean(), rel=1e-5)
    ]


def test_linear_regression_is_that_of_scikit_learn(store: ChipStore) -> None:
    own = fit_baseline("linear", store, make_split(store))
    x, y = pixels(store, range(12))
    other = LinearRegression().fit(x.astype(float), y)
    held, truth = pixels(store, range(12, 16))
    expected = np.clip(other.predict(held.astype(float)), -1, 1)
    assert own.worth.metrics["rmse"] == pytest.approx(np.sqrt(np.mean((expected - truth) ** 2)), rel=1e-4)
    np.testing.assert_allclose(own.of_pixels(held), other.predict(held.astype(float)), atol=1e-4)


def test_boosting_beats_the_line_where_the_relation_is_bent(store: ChipStore) -> None:
    """The values are a hyperbolic tangent of the first channel: a line cannot bend."""
    split = make_split(store)
    errors = {name: fit_baseline(name, store, split).worth.metrics["rmse"] or 0 for name in BASELINES}
    assert errors["boosting"] < errors["linear"] < 0.7 * errors["mean"]


def test_a_draw_is_the_same_again_and_close_to_all(store: ChipStore) -> None:
    split = make_split(store)
    few = [fit_baseline("linear", store, split, seed=seed, most_px=2400) for seed in (0, 0, 1)]
    everything = fit_baseline("linear", store, split)
    errors = [own.worth.metrics["rmse"] or 0 for own in (*few, everything)]
    assert errors[0] == errors[1] != errors[2]
    assert errors[0] == pytest.approx(errors[3], rel=0.05)
    assert errors[3] != errors[0]


def test_they_predict_a_whole_area_like_a_network(store: ChipStore) -> None:
    own = fit_baseline("linear", store, make_split(store))
    x = np.random.default_rng(0).normal(size=(9, 50, 70)).astype(np.float32)
    whole = own.predict(x)
    np.testing.assert_array_equal(predict_mosaic(own.predict, x, Halo(32, 0)), whole)
    np.testing.assert_array_equal(predict_mosaic(own.predict, x, Halo(32, 16)), whole)
    assert np.abs(whole).max() <= 1
    np.testing.assert_array_equal(own.predict(x, 3), whole[3:-3, 3:-3])


def test_what_cannot_be_fitted_is_refused(store: ChipStore, tmp_path: Path) -> None:
    landslides = make_store(tmp_path / "chips.zarr")
    with pytest.raises(OptionsError, match="a store of values"):
        fit_baseline("mean", landslides, make_split(landslides))
    with pytest.raises(OptionsError, match="oracle"):
        fit_baseline("oracle", store, make_split(store))  # type: ignore[arg-type]
