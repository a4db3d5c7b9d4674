"""Backscatter of one moment: averaged in linear power, of paired orbits, only isolated gaps filled."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from pydantic import ValidationError

from headscarp.errors import OptionsError
from headscarp.features.channels import Mirror, channel
from headscarp.features.composite import composite_db, fill_isolated
from headscarp.features.sets import FeatureSet, feature_set, form_features, form_inputs, observed
from headscarp.geometry.terrain import aspect_deg, slope_deg
from tests.features.test_local import naive as naive_local

STATES = {"ascending 1": "ascending", "ascending 2": "ascending", "descending 3": "descending"}


def made_change(shape: tuple[int, int] = (12, 15), seed: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    dims = ("orbit", "polarization", "y", "x")
    pre, change = (rng.normal(m, s, (3, 2, *shape)).astype(np.float32) for m, s in ((-12, 3), (1, 2)))
    return xr.Dataset(
        {"pre_db": (dims, pre), "change_db": (dims, change)},
        coords={
            "orbit": list(STATES),
            "polarization": ["VV", "VH"],
            "orbit_state": ("orbit", list(STATES.values())),
        },
    )


def naive_power(change: xr.Dataset, moment: str, pol: int, row: int, col: int) -> float:
    """Of one pixel, by the words of the documentation."""
    by_state: dict[str, list[float]] = {}
    for orbit, state in enumerate(STATES.values()):
        before = float(change["pre_db"].values[orbit, pol, row, col])
        lost = float(change["change_db"].values[orbit, pol, row, col])
        if not np.isnan(lost):
            by_state.setdefault(state, []).append(10 ** ((before - lost * (moment == "post")) / 10))
    means = [sum(own) / len(own) for own in by_state.values()]
    return sum(means) / len(means) if means else float("nan")


@pytest.mark.parametrize("moment", ["pre", "post"])
@pytest.mark.parametrize(("pol", "place"), [("VV", 0), ("VH", 1)])
def test_orbits_are_averaged_in_linear_power(moment: str, pol: str, place: int) -> None:
    change = made_change()
    change["change_db"].values[0, place, 3, 4] = np.nan
    change["change_db"].values[2, place, 5, 6] = np.nan
    values = composite_db(change, moment, pol)  # type: ignore[arg-type]
    expected = [[naive_power(change, moment, place, i, j) for j in range(15)] for i in range(12)]
    np.testing.assert_allclose(values, 10 * np.log10(expected), atol=1e-4)


def test_of_one_state_only_its_orbits_count() -> None:
    change = made_change()
    values = composite_db(change, "post", "VH", "descending")
    wanted = change["pre_db"].values[2, 1] - change["change_db"].values[2, 1]
    np.testing.assert_allclose(values, wanted, atol=1e-4)
    assert np.isnan(composite_db(change.isel(orbit=[0, 1]), "pre", "VV", "descending")).all()
    assert np.isnan(composite_db(change, "pre", "HH")).all()


def test_an_orbit_without_a_pair_counts_in_neither_moment() -> None:
    change = made_change()
    change["change_db"].values[2, 0, 4, 4] = np.nan
    own = change.isel(orbit=[0, 1])
    for moment in ("pre", "post"):
        both, alone = (composite_db(each, moment, "VV") for each in (change, own))  # type: ignore[arg-type]
        assert both[4, 4] == pytest.approx(alone[4, 4], abs=1e-5)
        assert both[4, 5] != pytest.approx(alone[4, 5], abs=1e-3)


def holes(*unseen: tuple[int, int]) -> NDArray[np.float32]:
    power = np.arange(1, 50, dtype=np.float32).reshape(7, 7)
    for place in unseen:
        power[place] = np.nan
    return power


def test_an_isolated_pixel_takes_the_mean_of_its_neighbours() -> None:
    power = holes((3, 3), (2, 3), (2, 4))
    filled = fill_isolated(power)
    around = [power[i, j] for i in (2, 3, 4) for j in (2, 3, 4) if np.isfinite(power[i, j])]
    assert len(around) == 6
    assert filled[3, 3] == pytest.approx(np.mean(around))
    kept = np.isfinite(power)
    np.testing.assert_array_equal(filled[kept], power[kept])


def test_a_gap_is_filled_in_linear_power() -> None:
    change = made_change()
    change["change_db"].values[:, 0, 5, 6] = np.nan
    around = [naive_power(change, "pre", 0, i, j) for i in (4, 5, 6) for j in (5, 6, 7) if (i, j) != (5, 6)]
    wanted_db = 10 * np.log10(np.mean(around))
    assert composite_db(change, "pre", "VV")[5, 6] == pytest.approx(wanted_db, abs=1e-4)
    assert wanted_db != pytest.approx(np.mean(10 * np.log10(around)), abs=0.01), "a mean of decibels differs"


def test_what_is_not_isolated_stays_unknown() -> None:
    block = holes(*((i, j) for i in (2, 3, 4) for j in (2, 3, 4)))
    filled = fill_isolated(block)
    assert np.isnan(filled[3, 3]), "no neighbour"
    assert np.isnan(filled[2, 3]), "five neighbours"
    assert np.isnan(filled[2, 2]), "five neighbours at a corner, and nothing filled a second time"
    assert np.isnan(fill_isolated(holes((0, 3)))[0, 3]), "five neighbours within the grid"
    assert np.isnan(fill_isolated(holes((3, 3), (2, 3), (2, 4), (4, 4)))[3, 3]), "five neighbours"


def test_channels_of_a_moment_are_composites_and_their_local_statistics() -> None:
    change = made_change((30, 33))
    change["change_db"].values[:, :, 10:14, 10:20] = np.nan
    names = ("fused_vv_db", "fused_vv_mean7_db", "fused_vv_std7_db", "composite_vh_ascending_db")
    features = FeatureSet(name="own", channels=names, moment="post")
    values = form_features(features, change)
    base = composite_db(change, "post", "VV")
    mean, std = naive_local(base, 7)
    np.testing.assert_array_equal(values[0], base)
    np.testing.assert_allclose(values[1], mean, atol=1e-5)
    np.testing.assert_allclose(values[2], std, atol=1e-5)
    np.testing.assert_array_equal(values[3], composite_db(change, "post", "VH", "ascending"))
    before = form_features(features.at("pre"), change)
    np.testing.assert_array_equal(before[0], composite_db(change, "pre", "VV"))
    assert features.at("pre").channels == features.channels


def test_the_halo_of_a_set_makes_a_tile_the_whole() -> None:
    change = made_change((70, 80), seed=3)
    rng = np.random.default_rng(4)
    gaps = rng.random((70, 80)) < 0.05
    for name in ("pre_db", "change_db"):
        change[name].values[..., gaps] = np.nan
    features = FeatureSet(
        name="own", channels=("fused_vv_db", "fused_vh_mean11_db", "fused_vh_std11_db"), moment="pre"
    )
    assert features.halo_px == 6
    whole = form_inputs(features, change)
    halo, rows, cols = features.halo_px, slice(20, 45), slice(17, 50)
    wide = change.isel(
        y=slice(rows.start - halo, rows.stop + halo), x=slice(cols.start - halo, cols.stop + halo)
    )
    part = form_inputs(features, wide)
    inner = (slice(halo, -halo), slice(halo, -halo))
    np.testing.assert_array_equal(part.values[(..., *inner)], whole.values[..., rows, cols])
    np.testing.assert_array_equal(part.seen[inner], whole.seen[rows, cols])


def test_filled_pixels_are_seen_and_others_without_a_pair_are_not() -> None:
    change = made_change()
    change["change_db"].values[..., 4, 4] = np.nan
    change["change_db"].values[..., 7:10, 7:10] = np.nan
    features = FeatureSet(name="own", channels=("fused_vv_db",), moment="pre")
    seen = form_inputs(features, change).seen
    np.testing.assert_array_equal(seen, observed(features, form_features(features, change)))
    assert seen[4, 4]
    assert not seen[8, 8]


def test_a_set_that_says_no_moment_cannot_be_formed() -> None:
    features = feature_set("ndvi9_11")
    assert features.moment is None
    assert features.of_moment
    with pytest.raises(OptionsError, match="fused_vv_db without one"):
        form_features(features, made_change())


def test_the_nine_channels_of_the_paper() -> None:
    own = feature_set("ndvi9_19")
    assert own.channels == (
        "fused_vv_db", "fused_vh_db", "fused_vv_mean19_db", "fused_vv_std19_db", "fused_vh_mean19_db",
        "fused_vh_std19_db", "aspect_east", "aspect_north", "slope_sin",
    )  # fmt: skip
    assert own.halo_px == 10
    assert len(feature_set("ndvi4").channels) == 4
    assert len(feature_set("ndvi4_terrain_29").channels) == 4 + 8 + 3
    assert feature_set("ndvi4_terrain_29").halo_px == 15


@pytest.mark.parametrize("name", ["ndvi9_10", "ndvi9_1", "ndvi9_101", "ndvi4_terrain_2"])
def test_windows_without_a_middle_or_out_of_range_are_refused(name: str) -> None:
    with pytest.raises((OptionsError, ValidationError), match="odd number of pixels from 3 to 99"):
        feature_set(name)
    with pytest.raises(OptionsError, match="a feature set"):
        feature_set("ndvi9_")


@pytest.mark.parametrize(
    ("channels", "moment", "why"),
    [
        (("fused_vv_db", "change_vv_fused_db"), None, "without those of a change"),
        (("fused_vv_db", "pre_vv_ascending_db"), None, "without those of a change"),
        (("change_vv_fused_db",), "pre", "a moment is said of"),
    ],
)
def test_moments_and_changes_do_not_mix(channels: tuple[str, ...], moment: str | None, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        FeatureSet(name="own", channels=channels, moment=moment)  # type: ignore[arg-type]


def test_moments_stand_in_scenes_alone() -> None:
    for form, why in (("pair", "are a scene"), ("series", "a series needs one")):
        with pytest.raises(ValidationError, match=why):
            FeatureSet(name="own", form=form, channels=("fused_vv_db", "fused_vh_db"))  # type: ignore[arg-type]


def test_mirrors_of_moments() -> None:
    mirrors = {
        "fused_vv_db": Mirror.SAME,
        "fused_vh_std11_db": Mirror.SAME,
        "composite_vv_ascending_db": Mirror.LOOK,
        "composite_vv_ascending_mean11_db": Mirror.LOOK,
        "slope_sin": Mirror.SAME,
    }
    assert {name: channel(name).mirror for name in mirrors} == mirrors
    assert [channel(name).radar for name in mirrors] == [True] * 4 + [False]


def test_terrain_is_that_of_horn_and_flat_ground_faces_nowhere() -> None:
    """Horn (1981), the algorithm of ``gdaldem``, pixel by pixel: to 0.01 degrees."""
    rng = np.random.default_rng(7)
    height = np.cumsum(rng.normal(0, 6, (20, 24)), axis=1).astype(np.float32)
    height[5:10, 5:10] = 300.0
    spacing = 10.0
    sin, east, north = np.zeros((3, *height.shape))
    for i in range(1, 19):
        for j in range(1, 23):
            (nw, n, ne), (w, _, e), (sw, s, se) = height[i - 1 : i + 2, j - 1 : j + 2].astype(float)
            to_east = ((ne + 2 * e + se) - (nw + 2 * w + sw)) / (8 * spacing)
            to_south = ((sw + 2 * s + se) - (nw + 2 * n + ne)) / (8 * spacing)
            steep = np.hypot(to_east, to_south)
            sin[i, j] = np.sin(np.arctan(steep))
            if steep > 0:
                aspect = np.deg2rad((np.degrees(np.arctan2(to_south, -to_east)) * -1 + 90) % 360)
                east[i, j], north[i, j] = np.sin(aspect), np.cos(aspect)
    change = made_change(height.shape).assign(
        slope_deg=(("y", "x"), slope_deg(height, (spacing, spacing))),
        aspect_deg=(("y", "x"), aspect_deg(height, (spacing, spacing))),
    )
    names = ("slope_sin", "aspect_east", "aspect_north", "fused_vv_db")
    values = form_features(FeatureSet(name="own", channels=names, moment="pre"), change)
    inner = (slice(1, -1), slice(1, -1))
    hundredth = np.deg2rad(0.01)
    for got, expected in zip(values, (sin, east, north), strict=False):
        np.testing.assert_allclose(got[inner], expected[inner], atol=hundredth)
    assert (values[:3, 7, 7] == 0).all()
