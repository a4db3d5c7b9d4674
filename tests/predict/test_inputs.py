"""What a network is given, against the normalisation of its training and values by hand."""

from __future__ import annotations

import numpy as np
import pytest

from headscarp.features.sets import FEATURE_SETS, FeatureSet, form_features, normalise
from headscarp.predict.inputs import network_input
from tests.predict.made import LAND, make_card, random_change

SETS = {name: FEATURE_SETS[name] for name in ("group1", "orbits", "pair", "series_ascending")} | {
    "land": LAND
}
NETWORK = {"pair": "siamese_unet", "series": "utae", "scene": "unet"}


def test_values_by_hand() -> None:
    """(7 − 0.3) / 1.1, (2 − 1) / 1.5; the unknown and the unseen are the mean."""
    task = make_card("unet", FEATURE_SETS["group1"]).task
    change = random_change((1, 3))
    values = change["change_db"].values
    values[:, 0], values[:, 1] = 7, 2
    values[:, :, 0, 1] = np.nan
    values[:, 0, 0, 2] = np.nan
    found = network_input(task, change)
    assert found.x.dtype == np.float32
    np.testing.assert_allclose(found.x, [[[6.7 / 1.1, 0, 0]], [[1 / 1.5, 0, 1 / 1.5]]], rtol=1e-6)
    assert found.seen.tolist() == [[True, False, True]]


@pytest.mark.parametrize("features", SETS.values(), ids=SETS)
def test_what_is_seen_is_normalised_as_in_training(features: FeatureSet) -> None:
    task = make_card(NETWORK[features.form], features).task
    change = random_change((40, 50))
    given = network_input(task, change)
    mean, std = (np.array(own, np.float32) for own in (task.mean, task.std))
    trained = normalise(form_features(features, change), features, mean, std)
    assert given.x.shape == trained.shape
    np.testing.assert_array_equal(given.x[..., given.seen], trained[..., given.seen])
    assert np.abs(given.x[..., given.seen]).max() > 1
    assert (given.x[..., ~given.seen] == 0).all()
    assert 0 < given.seen.mean() < 1


def test_days_of_a_series_rise_and_have_no_padding() -> None:
    """Both ascending orbits, in the order of time; the padded date is gone."""
    features = FEATURE_SETS["series_ascending"]
    change = random_change((20, 20))
    given = network_input(make_card("utae", features).task, change)
    assert given.days is not None
    assert given.days.tolist() == [-12, -6, -0.5, 0, 5]
    assert given.x.shape[:2] == (5, 2)
    second = (change["dates_db"].values[1, 0, 0] - np.float32(0.3)) / np.float32(1.1)
    np.testing.assert_allclose(given.x[1, 0][given.seen], second[given.seen], rtol=1e-5)
    assert network_input(make_card("unet", FEATURE_SETS["group1"]).task, change).days is None


def test_ground_counts_where_an_orbit_of_the_set_saw_it_before_and_after() -> None:
    change = random_change((60, 60))
    change["change_db"].values[:, :, 50, 5] = np.nan
    change["change_db"].values[:2, :, 48, 6] = np.nan
    pair = network_input(make_card("siamese_unet", FEATURE_SETS["pair"]).task, change).seen
    assert (bool(pair[50, 5]), bool(pair[48, 6]), bool(pair[48, 7])) == (False, True, True)
    ascending = network_input(make_card("unet", FEATURE_SETS["group2"]).task, change).seen
    assert (bool(ascending[48, 6]), bool(ascending[48, 7])) == (False, True)
