"""Channels by name, against values worked by hand from the dates of two orbits."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from headscarp.errors import OptionsError
from headscarp.features.change import Split, change_of_stacks, fuse, to_db
from headscarp.features.channels import Mirror, channel
from headscarp.features.sets import (
    FEATURE_SETS,
    FeatureSet,
    feature_set,
    form_features,
    observed,
    series_days,
)

SHAPE = (3, 4)
TIMES = ["2024-06-01", "2024-06-07", "2024-06-13", "2024-06-20", "2024-06-26"]
SPLIT = Split((0, 1, 2), (3, 4))


def stack(state: str, seed: int, day: int = 0, pols: tuple[str, ...] = ("VV", "VH")) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    times = np.array(TIMES, dtype="datetime64[ns]") + np.timedelta64(day, "D")
    values = {p: (("time", "y", "x"), rng.gamma(4, 0.03, (5, *SHAPE)).astype(np.float32)) for p in pols}
    return xr.Dataset(
        values, coords={"time": times}, attrs={"orbit_state": state, "relative_orbit": seed, "label": state}
    )


@pytest.fixture
def stacks() -> dict[str, xr.Dataset]:
    """Two ascending orbits and a descending one; a pixel that a date of one missed."""
    made = {
        "ascending 1": stack("ascending", 1),
        "ascending 2": stack("ascending", 2, day=3),
        "descending 3": stack("descending", 3, day=1),
    }
    made["ascending 1"]["VV"].values[2, 0, 0] = np.nan
    made["ascending 1"]["VV"].values[3, 0, 0] = np.nan
    made["descending 3"]["VV"].values[:, 1, 1] = np.nan
    return made


def change_for(
    stacks: dict[str, xr.Dataset], *names: str, form: str = "scene"
) -> tuple[FeatureSet, xr.Dataset]:
    features = FeatureSet(name="own", form=form, channels=names)  # type: ignore[arg-type]
    return features, change_of_stacks(stacks, dict.fromkeys(stacks, SPLIT), features.needs)


def formed(stacks: dict[str, xr.Dataset], *names: str) -> np.ndarray:
    return form_features(*change_for(stacks, *names))


def median_db(stacks: dict[str, xr.Dataset], label: str, pol: str, places: tuple[int, ...]) -> np.ndarray:
    return 10 * np.log10(np.nanmedian(stacks[label][pol].values[list(places)], axis=0))


def test_channels_come_in_the_order_of_the_set(stacks: dict[str, xr.Dataset]) -> None:
    one, two = "change_vh_fused_db", "change_vv_fused_db"
    np.testing.assert_array_equal(formed(stacks, one, two), formed(stacks, two, one)[::-1])


def test_fused_change_is_equation_7(stacks: dict[str, xr.Dataset]) -> None:
    features, change = change_for(stacks, "change_vv_fused_db", "change_vh_fused_db")
    np.testing.assert_allclose(form_features(features, change), fuse(change).values, rtol=1e-6)


def test_medians_of_a_state_are_averaged_in_decibels(stacks: dict[str, xr.Dataset]) -> None:
    labels = ("ascending 1", "ascending 2")
    pre = np.mean([median_db(stacks, one, "VV", SPLIT.pre) for one in labels], axis=0)
    post = np.mean([median_db(stacks, one, "VV", SPLIT.post) for one in labels], axis=0)
    names = ("pre_vv_ascending_db", "post_vv_ascending_db", "change_vv_ascending_db")
    values = formed(stacks, *names)
    np.testing.assert_allclose(values, [pre, post, pre - post], rtol=1e-4, atol=1e-4)


def test_changes_of_a_state_are_those_of_its_orbits(stacks: dict[str, xr.Dataset]) -> None:
    pre, post = (median_db(stacks, "descending 3", "VH", places) for places in (SPLIT.pre, SPLIT.post))
    np.testing.assert_allclose(formed(stacks, "change_vh_descending_db")[0], pre - post, rtol=1e-4, atol=1e-4)


def test_passes_are_the_last_before_and_the_first_after(stacks: dict[str, xr.Dataset]) -> None:
    one, two = (to_db(stacks[label]["VV"].values) for label in ("ascending 1", "ascending 2"))
    last, first = one[2].copy(), one[3].copy()
    last[0, 0], first[0, 0] = one[1, 0, 0], one[4, 0, 0]  # the pass that saw the pixel
    names = ("last_pre_vv_ascending_db", "first_post_vv_ascending_db", "pass_change_vv_ascending_db")
    values = formed(stacks, *names)
    wanted = [(last + two[2]) / 2, (first + two[3]) / 2]
    np.testing.assert_allclose(values, [*wanted, wanted[0] - wanted[1]], rtol=1e-4, atol=1e-4)


def test_a_series_is_all_dates_of_a_state_in_time(stacks: dict[str, xr.Dataset]) -> None:
    features, change = change_for(stacks, "vv_ascending_db", "vh_ascending_db", form="series")
    values, days = form_features(features, change), series_days(features, change)
    assert values.shape == (10, 2, *SHAPE)
    assert (np.diff(days) >= 0).all()
    # the second orbit passes three days after the first, which is the first to see the ground afterwards
    np.testing.assert_array_equal(days, np.add.outer([-19, -13, -7, 0, 6], [0, 3]).ravel())
    wanted = to_db(stacks["ascending 1"]["VH"].values)
    np.testing.assert_allclose(values[::2, 1], wanted, rtol=1e-5)
    np.testing.assert_allclose(values[1::2, 0], to_db(stacks["ascending 2"]["VV"].values), rtol=1e-5)


def test_a_ground_channel_of_a_series_stands_at_every_date(stacks: dict[str, xr.Dataset]) -> None:
    features, change = change_for(stacks, "vv_descending_db", "slope_deg", form="series")
    slope = np.arange(12, dtype=np.float32).reshape(SHAPE)
    values = form_features(features, change.assign(slope_deg=(("y", "x"), slope)))
    np.testing.assert_array_equal(values[:, 1], np.broadcast_to(slope, (5, *SHAPE)))


def test_a_pair_has_the_first_half_before(stacks: dict[str, xr.Dataset]) -> None:
    names = ("pre_vv_ascending_db", "pre_vh_ascending_db", "post_vv_ascending_db", "post_vh_ascending_db")
    pair = form_features(*change_for(stacks, *names, form="pair"))
    assert pair.shape == (2, 2, *SHAPE)
    np.testing.assert_array_equal(pair.reshape(4, *SHAPE), formed(stacks, *names))


def test_what_no_orbit_has_is_nan(stacks: dict[str, xr.Dataset]) -> None:
    values = formed(stacks, "change_hh_fused_db", "pre_vv_descending_db")
    assert np.isnan(values[0]).all()
    assert np.argwhere(np.isnan(values[1])).tolist() == [[1, 1]]
    own = {"ascending 1": stacks["ascending 1"]}
    assert np.isnan(formed(own, "change_vv_descending_db")).all()


def test_ground_channels(stacks: dict[str, xr.Dataset]) -> None:
    names = (
        "aspect_east",
        "aspect_north",
        "height_m",
        "raster:geology=3",
        "raster:rain",
        "change_vv_fused_db",
    )
    features, change = change_for(stacks, *names)
    aspect = np.full(SHAPE, np.nan, np.float32)
    aspect[0] = [0, 90, 180, 315]
    codes = np.full(SHAPE, 3, np.float32)
    codes[0, 1:3] = [2, np.nan]
    land = {"aspect_deg": aspect, "height_m": codes + 100, "raster:geology": codes, "raster:rain": codes * 2}
    values = form_features(features, change.assign({k: (("y", "x"), v) for k, v in land.items()}))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(values[0, 0], [0, 1, 0, -half], atol=1e-6)
    np.testing.assert_allclose(values[1, 0], [1, 0, -1, half], atol=1e-6)
    assert (values[:2, 1:] == 0).all(), "flat ground faces nowhere"
    np.testing.assert_array_equal(values[3, 0], [1, 0, np.nan, 1])
    np.testing.assert_array_equal(values[4], codes * 2)


def test_observed_is_where_the_radar_saw_anything(stacks: dict[str, xr.Dataset]) -> None:
    for own in stacks.values():
        for pol in ("VV", "VH"):
            own[pol].values[:, 2, 3] = np.nan
    names = ("change_vv_descending_db", "change_vv_ascending_db", "raster:rain")
    features, change = change_for(stacks, *names)
    values = form_features(features, change.assign({"raster:rain": (("y", "x"), np.ones(SHAPE, np.float32))}))
    seen = observed(features, values)
    assert np.argwhere(~seen).tolist() == [[2, 3]], "a declared raster is no observation"
    series, change = change_for(stacks, "vv_descending_db", form="series")
    wanted = np.ones(SHAPE, bool)
    wanted[[1, 2], [1, 3]] = False
    np.testing.assert_array_equal(observed(series, form_features(series, change)), wanted)
    pair, change = change_for(stacks, "pre_vv_descending_db", "post_vv_descending_db", form="pair")
    np.testing.assert_array_equal(observed(pair, form_features(pair, change)), wanted)


def test_mirrors_of_channels() -> None:
    mirrors = {
        "change_vv_ascending_db": Mirror.SAME,
        "pass_change_vv_fused_db": Mirror.SAME,
        "post_vh_descending_db": Mirror.LOOK,
        "first_post_vh_descending_db": Mirror.LOOK,
        "vh_ascending_db": Mirror.LOOK,
        "aspect_east": Mirror.EAST,
        "aspect_north": Mirror.NORTH,
        "slope_deg": Mirror.SAME,
        "raster:rain": Mirror.SAME,
    }
    assert {name: channel(name).mirror for name in mirrors} == mirrors
    assert [channel(name).radar for name in mirrors] == [True] * 5 + [False] * 4


@pytest.mark.parametrize(
    "name", ["change_vv_db", "pre_vv_fused_db", "raster:Rain", "slope", "raster:a=b", ""]
)
def test_names_that_stand_for_nothing_are_refused(name: str) -> None:
    with pytest.raises(OptionsError, match="table of channels"):
        channel(name)


@pytest.mark.parametrize(
    ("form", "channels", "why"),
    [
        ("scene", ("slope_deg",), "radar sees"),
        ("scene", ("change_vv_fused_db", "change_vv_fused_db"), "once"),
        ("scene", ("vv_ascending_db",), "series"),
        ("series", ("change_vv_ascending_db",), "series"),
        ("series", ("vv_ascending_db", "vh_descending_db"), "one orbit state"),
        ("pair", ("pre_vv_ascending_db", "post_vv_ascending_db", "slope_deg"), "as many"),
    ],
)
def test_sets_that_do_not_hold_together_are_refused(form: str, channels: tuple[str, ...], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        FeatureSet(name="own", form=form, channels=channels)  # type: ignore[arg-type]


def test_sets_by_name() -> None:
    assert {name for name in FEATURE_SETS if name.startswith("group")} == {f"group{i}" for i in range(1, 7)}
    assert feature_set("orbits").network_channels == 4
    assert feature_set("pair").network_channels == 4
    assert feature_set("series_descending").network_channels == 2
    with pytest.raises(OptionsError, match="group7"):
        feature_set("group7")
