"""Flips keep physics: aspects of a mirrored DEM are the flipped aspects; looks stay where they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headscarp.chips.augment import Flips, allowed_flips, flip
from headscarp.features.channels import FloatArray, Mirror, channel
from headscarp.features.sets import FEATURE_SETS, FeatureSet, feature_set
from headscarp.geometry.terrain import aspect_deg

ASPECTS = FeatureSet(
    name="aspects", channels=("change_vv_fused_db", "aspect_east", "aspect_north", "slope_deg")
)
PAIR = FeatureSet(
    name="two",
    form="pair",
    channels=("pre_vv_ascending_db", "aspect_east", "post_vv_ascending_db", "aspect_north"),
)
SERIES = FeatureSet(name="dates", form="series", channels=("vv_ascending_db", "aspect_east"))
ALL_FLIPS = [Flips(east_west=e, north_south=n) for e in (False, True) for n in (False, True)]
flips_drawn = st.sampled_from(ALL_FLIPS)


def shape_of(features: FeatureSet, side: int = 5) -> tuple[int, ...]:
    lead = {"scene": (), "pair": (2,), "series": (3,)}[features.form]
    return (*lead, features.network_channels, side, side + 1)


def drawn_chip(features: FeatureSet, seed: int) -> tuple[FloatArray, NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape_of(features)).astype(np.float32)
    x[..., 0, 0] = np.nan
    return x, rng.choice(np.array([0, 1, 255], np.uint8), size=x.shape[-2:])


def aspects(height: NDArray[np.float64]) -> FloatArray:
    """Components of the aspect of a DEM, as the channels have them: 0 on flat ground."""
    aspect = np.deg2rad(aspect_deg(height, (10.0, 10.0)).astype(np.float32))
    inner = aspect[1:-1, 1:-1]
    flat = np.isnan(inner)
    return np.where(flat, 0, np.stack([np.sin(inner), np.cos(inner)])).astype(np.float32)


@given(st.sampled_from([ASPECTS, PAIR, SERIES, *FEATURE_SETS.values()]), flips_drawn, st.integers(0, 99))
def test_flipped_twice_is_the_chip_itself(features: FeatureSet, flips: Flips, seed: int) -> None:
    x, label = drawn_chip(features, seed)
    again, mapped = flip(features, *flip(features, x, label, flips), flips)
    np.testing.assert_array_equal(again, x)
    np.testing.assert_array_equal(mapped, label)


@settings(deadline=None)
@given(flips_drawn, st.integers(0, 999))
def test_aspects_of_a_mirrored_dem_are_the_flipped_aspects(flips: Flips, seed: int) -> None:
    rng = np.random.default_rng(seed)
    height = rng.normal(0, 20, (12, 14))
    height[3:8, 3:8] = 5.0  # flat ground faces nowhere, mirrored or not
    mirrored = height
    if flips.east_west:
        mirrored = mirrored[:, ::-1]
    if flips.north_south:
        mirrored = mirrored[::-1]
    own = FeatureSet(name="own", channels=("aspect_east", "aspect_north", "change_vv_fused_db"))
    before = aspects(height)
    x = np.concatenate([before, np.zeros_like(before[:1])])
    turned, _ = flip(own, x, np.zeros(x.shape[-2:], np.uint8), flips)
    np.testing.assert_allclose(turned[:2], aspects(mirrored), atol=1e-6)


@pytest.mark.parametrize("flips", ALL_FLIPS)
def test_label_and_features_stay_together(flips: Flips) -> None:
    x, label = drawn_chip(feature_set("group1"), 3)
    x[0] = label
    turned, mapped = flip(feature_set("group1"), x, label, flips)
    np.testing.assert_array_equal(turned[0], mapped.astype(np.float32))
    expected = [label, label[:, ::-1], label[::-1], label[::-1, ::-1]]
    np.testing.assert_array_equal(mapped, expected[2 * flips.north_south + flips.east_west])


def test_only_the_component_across_the_mirror_turns() -> None:
    x = np.ones(shape_of(ASPECTS), np.float32)
    label = np.zeros(x.shape[-2:], np.uint8)
    signs = {f: flip(ASPECTS, x, label, f)[0][:, 0, 0].tolist() for f in ALL_FLIPS}
    assert signs[Flips(east_west=True, north_south=False)] == [1, -1, 1, 1]
    assert signs[Flips(east_west=False, north_south=True)] == [1, 1, -1, 1]
    assert signs[Flips(east_west=True, north_south=True)] == [1, -1, -1, 1]


def test_signs_of_pairs_and_series_stand_at_the_right_channel() -> None:
    both = Flips(east_west=True, north_south=False)
    pair, _ = flip(PAIR, np.ones(shape_of(PAIR), np.float32), np.zeros((5, 6), np.uint8), both)
    assert pair[:, :, 0, 0].tolist() == [[1, -1], [1, 1]]
    series, _ = flip(SERIES, np.ones(shape_of(SERIES), np.float32), np.zeros((5, 6), np.uint8), both)
    assert series[:, :, 0, 0].tolist() == [[1, -1]] * 3


def test_the_given_arrays_are_left_alone() -> None:
    x, label = drawn_chip(ASPECTS, 1)
    kept, kept_label = x.copy(), label.copy()
    turned, mapped = flip(ASPECTS, x, label, Flips(east_west=False, north_south=False))
    turned[:] = 7
    mapped[:] = 7
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(label, kept_label)


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_sets_with_a_look_keep_it(name: str) -> None:
    features = feature_set(name)
    looks = any(channel(own).mirror is Mirror.LOOK for own in features.channels)
    assert looks == (name in ("group5", "group6", "pair", "ndvi4", "series_ascending", "series_descending"))
    assert allowed_flips(features) == Flips(east_west=not looks, north_south=True)
    assert allowed_flips(features, paper_augmentation=True) == Flips(east_west=True, north_south=True)


def test_one_channel_of_a_look_among_changes_is_enough() -> None:
    mixed = FeatureSet(name="mixed", channels=("change_vv_fused_db", "pre_vv_ascending_db"))
    assert not allowed_flips(mixed).east_west
