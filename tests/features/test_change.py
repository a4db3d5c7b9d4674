"""Layer 2: medians, equations 1-7 and the fusion of orbits against naive loops and hand-computed numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from xarray.backends.common import BackendArray
from xarray.core import indexing

from headscarp.event import Event, EventOptions
from headscarp.features.change import (
    Change,
    ChangeOptions,
    Split,
    change_by_state,
    change_of_stack,
    change_of_stacks,
    fuse,
    fuse_values,
    fusion_weights,
    median_power,
    split_dates,
    to_db,
)
from headscarp.grid import tiles
from headscarp.scene import Stack, check_stack

STATES = ("ascending", "descending")
HALF_DB = 10 * math.log10(2)
"""A halving of power, dB."""

powers = st.floats(2**-20, 2**10, width=32)
stacks_of_power = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7),
    elements=st.one_of(powers, st.just(math.nan)),
)
db_values = st.one_of(st.integers(-30, 30).map(float), st.just(math.nan))


@st.composite
def orbit_values(draw: st.DrawFn) -> tuple[NDArray[np.float32], list[str]]:
    """Changes of one to six orbits, each with its state, missing anywhere."""
    n = draw(st.integers(1, 6))
    states = draw(st.lists(st.sampled_from(STATES), min_size=n, max_size=n))
    shape = (n, draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    return draw(hnp.arrays(np.float32, shape, elements=db_values)), states


def naive_median(values: Sequence[float]) -> float:
    seen = [value for value in values if not math.isnan(value)]
    return statistics.median(seen) if seen else math.nan


def naive_fusion(values: Sequence[float], states: Sequence[str]) -> float:
    """Mean over states of the mean over the orbits of a state, of those that are there."""
    by_state = [
        [value for value, own in zip(values, states, strict=True) if own == state and not math.isnan(value)]
        for state in STATES
    ]
    means = [statistics.fmean(seen) for seen in by_state if seen]
    return statistics.fmean(means) if means else math.nan


class CountedArray(BackendArray):
    """An array that is read when asked for, and remembers which dates were."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.dates_read: list[int] = []

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self.read)

    def read(self, key: tuple[Any, ...]) -> NDArray[np.float32]:
        self.dates_read += np.atleast_1d(np.arange(self.shape[0])[key[0]]).tolist()
        return np.asarray(self.values[key[0]][..., key[1], :][..., key[2]])


def stack_of(bands: Mapping[str, Any], orbit_state: str = "ascending") -> Stack:
    """A stack of scenes twelve days apart from linear power of shape (time, y, x)."""
    n_time, height, width = next(iter(bands.values())).shape
    stack = xr.Dataset(
        {pol: (("time", "y", "x"), values) for pol, values in bands.items()},
        coords={
            "time": np.datetime64("2024-01-01", "ns") + np.arange(n_time) * np.timedelta64(12, "D"),
            "y": 4730000.0 - 20 * np.arange(height),
            "x": 580000.0 + 20 * np.arange(width),
        },
        attrs={"orbit_state": orbit_state, "relative_orbit": 68, "label": f"{orbit_state} 68"},
    )
    check_stack(stack)
    return stack


def pixel_stack(orbit_state: str = "ascending", **powers_by_pol: Sequence[float]) -> Stack:
    """A stack of one pixel."""
    bands = {pol: np.array(v, dtype=np.float32)[:, None, None] for pol, v in powers_by_pol.items()}
    return stack_of(bands, orbit_state)


def random_power(
    rng: np.random.Generator, shape: tuple[int, ...], missing: float = 0.2
) -> NDArray[np.float32]:
    power = rng.gamma(4, 0.03, shape).astype(np.float32)
    power[rng.random(shape) < missing] = np.nan
    return power


def two_orbits(rng: np.random.Generator, shape: tuple[int, int, int] = (8, 11, 13)) -> dict[str, Stack]:
    return {
        f"{state} {number}": stack_of(
            {"VV": random_power(rng, shape), "VH": random_power(rng, shape)}, orbit_state=state
        )
        for state, number in (("ascending", 68), ("descending", 46))
    }


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240101)


# medians


@given(stacks_of_power)
def test_median_is_that_of_a_naive_loop(power: NDArray[np.float32]) -> None:
    median, count = median_power(power)
    for y, x in np.ndindex(power.shape[1:]):
        pixel = power[:, y, x].tolist()
        assert median[y, x] == pytest.approx(naive_median(pixel), rel=1e-6, nan_ok=True)
        assert count[y, x] == sum(not math.isnan(value) for value in pixel)
    assert (median.dtype, count.dtype) == (np.float32, np.uint16)


def test_median_of_no_dates_is_missing() -> None:
    median, count = median_power(np.empty((0, 2, 3), np.float32))
    assert np.isnan(median).all()
    assert (median.shape, count.sum()) == ((2, 3), 0)


def test_median_leaves_its_input_alone(rng: np.random.Generator) -> None:
    power = random_power(rng, (6, 3, 3))
    before = power.copy()
    median_power(power)
    np.testing.assert_array_equal(power, before)


def test_even_counts_average_the_middle_two_in_linear_power() -> None:
    """0.1 and 0.4: the mean of the powers is 0.25, that of the decibels would be 0.2."""
    change = change_of_stack(
        pixel_stack(VV=[0.01, 0.1, 0.4, 9.0, 1.0, 1.0]), Split((0, 1, 2, 3), (4, 5)), ["VV"]
    )
    assert change["pre_db"].item() == pytest.approx(10 * math.log10(0.25), abs=1e-5)


@pytest.mark.parametrize(
    ("power", "db"), [(1.0, 0.0), (100.0, 20.0), (0.5, -HALF_DB), (0.0, math.nan), (-1.0, math.nan)]
)
def test_decibels(power: float, db: float) -> None:
    assert to_db(np.array([power], np.float32))[0] == pytest.approx(db, abs=1e-5, nan_ok=True)


# equations 1 to 7 of Pan & Shi (2023), by hand


def test_equations_1_to_6_by_hand() -> None:
    """VV halves from 0.2 to 0.1, VH doubles from 0.02 to 0.04; outliers do not reach a median."""
    stack = pixel_stack(VV=[0.2, 5.0, 0.01, 0.1, 0.1, 7.0], VH=[0.02, 0.02, 0.9, 0.04, 0.0001, 0.04])
    change = change_of_stack(stack, Split((0, 1, 2), (3, 4, 5)), ["VV", "VH"])
    assert change["pre_db"].values.ravel() == pytest.approx([10 * math.log10(0.2), 10 * math.log10(0.02)])
    assert change["change_db"].values.ravel() == pytest.approx([HALF_DB, -HALF_DB], abs=1e-5)
    assert change["pre_count"].values.ravel().tolist() == [3, 3]


def test_a_loss_of_backscatter_is_positive() -> None:
    loss = change_of_stack(pixel_stack(VV=[0.3, 0.03]), Split((0,), (1,)), ["VV"])
    assert loss["change_db"].item() == pytest.approx(10, abs=1e-4)


@pytest.mark.parametrize(
    ("asc_68", "asc_170", "desc_46", "fused"),
    [
        (1.0, 3.0, 8.0, 5.0),  # ((1 + 3) / 2 + 8) / 2, not the 4 of all three alike
        (1.0, 3.0, math.nan, 2.0),
        (math.nan, 3.0, 8.0, 5.5),
        (math.nan, math.nan, 8.0, 8.0),
        (-2.0, math.nan, math.nan, -2.0),
        (math.nan, math.nan, math.nan, math.nan),
    ],
)
def test_equation_7_by_hand(asc_68: float, asc_170: float, desc_46: float, fused: float) -> None:
    values = np.array([asc_68, asc_170, desc_46], np.float32)[:, None]
    found = fuse_values(values, ["ascending", "ascending", "descending"])
    assert found.tolist() == pytest.approx([fused], nan_ok=True)
    assert found.dtype == np.float32


def test_equation_7_from_power_to_fusion() -> None:
    """Ascending loses 6 dB, descending 2 dB: 4 dB together."""
    stacks = {
        "ascending 68": pixel_stack("ascending", VV=[1.0, 10**-0.6]),
        "descending 46": pixel_stack("descending", VV=[1.0, 10**-0.2]),
    }
    change = change_of_stacks(stacks, dict.fromkeys(stacks, Split((0,), (1,))))
    assert fuse(change).item() == pytest.approx(4, abs=1e-5)
    by_state = {state: values.item() for state, values in change_by_state(change).items()}
    assert by_state == pytest.approx({"ascending": 6, "descending": 2}, abs=1e-5)


# fusion


@given(orbit_values())
def test_fusion_is_that_of_a_naive_loop(case: tuple[NDArray[np.float32], list[str]]) -> None:
    values, states = case
    fused = fuse_values(values, states)
    for y, x in np.ndindex(values.shape[1:]):
        expected = naive_fusion(values[:, y, x].tolist(), states)
        assert fused[y, x] == pytest.approx(expected, abs=1e-4, nan_ok=True)


@given(orbit_values())
def test_weights_sum_to_one_where_any_orbit_saw_and_share_states_evenly(
    case: tuple[NDArray[np.float32], list[str]],
) -> None:
    values, states = case
    valid = ~np.isnan(values)
    weights = fusion_weights(valid, states)
    np.testing.assert_allclose(weights.sum(axis=0), valid.any(axis=0), atol=1e-6)
    assert not weights[~valid].any()
    shares = [weights[[own == state for own in states]].sum(axis=0) for state in STATES]
    both = (shares[0] > 0) & (shares[1] > 0)
    np.testing.assert_allclose(shares[0][both], 0.5, atol=1e-6)


def test_a_single_orbit_is_its_own_fusion(rng: np.random.Generator) -> None:
    values = to_db(random_power(rng, (1, 4, 5)))
    np.testing.assert_array_equal(fuse_values(values, ["descending"]), values[0])


def test_fusion_keeps_the_ground_and_drops_the_orbit(rng: np.random.Generator) -> None:
    stacks = two_orbits(rng)
    fused = fuse(change_of_stacks(stacks, dict.fromkeys(stacks, Split((0, 1), (2, 3)))))
    assert fused.dims == ("polarization", "y", "x")
    assert set(fused.coords) == {"polarization", "y", "x"}
    np.testing.assert_array_equal(fused["x"], stacks["ascending 68"]["x"])


# stacks


def test_a_change_obeys_its_schema(rng: np.random.Generator) -> None:
    stacks = two_orbits(rng)
    change = change_of_stacks(stacks, dict.fromkeys(stacks, Split((0, 1, 2), (4, 5))))
    assert dict(change.sizes) == {"orbit": 2, "polarization": 2, "y": 11, "x": 13}
    assert {name: str(change[name].dtype) for name in change.data_vars} == {
        "change_db": "float32",
        "pre_db": "float32",
        "pre_count": "uint16",
        "post_count": "uint16",
    }
    assert change["polarization"].values.tolist() == ["VV", "VH"]
    assert change["orbit"].values.tolist() == list(stacks)
    assert change["orbit_state"].dims == ("orbit",)
    assert change["orbit_state"].values.tolist() == ["ascending", "descending"]
    assert change["change_db"].attrs["units"] == "dB"


def test_a_change_is_missing_exactly_where_a_side_was_never_seen(rng: np.random.Generator) -> None:
    power = random_power(rng, (5, 20, 20), missing=0.6)
    change = change_of_stack(stack_of({"VV": power}), Split((0, 1), (3, 4)), ["VV"])
    sides = [~np.isnan(power[dates]).all(axis=0) for dates in ([0, 1], [3, 4])]
    np.testing.assert_array_equal(np.isfinite(change["change_db"].values[0]), sides[0] & sides[1])
    np.testing.assert_array_equal(change["post_count"].values[0], (~np.isnan(power[3:5])).sum(axis=0))


def test_dates_in_neither_side_do_not_count(rng: np.random.Generator) -> None:
    power = random_power(rng, (7, 4, 4))
    split = Split((0, 2), (5, 6))
    changed = power.copy()
    changed[[1, 3, 4]] = 99.0
    before, after = (change_of_stack(stack_of({"VV": p}), split, ["VV"]) for p in (power, changed))
    xr.testing.assert_identical(before, after)


def test_lazy_and_eager_stacks_give_the_same_and_each_date_is_read_once(rng: np.random.Generator) -> None:
    power = {pol: random_power(rng, (9, 5, 6)) for pol in ("VV", "VH")}
    counted = {pol: CountedArray(values) for pol, values in power.items()}
    lazy = stack_of({pol: indexing.LazilyIndexedArray(array) for pol, array in counted.items()})
    splits = {"ascending 68": Split((1, 2, 4), (6, 7))}
    assert [array.dates_read for array in counted.values()] == [[], []]
    from_lazy = change_of_stacks({"ascending 68": lazy}, splits)
    xr.testing.assert_identical(from_lazy, change_of_stacks({"ascending 68": stack_of(power)}, splits))
    assert [array.dates_read for array in counted.values()] == [[1, 2, 4, 6, 7]] * 2


@pytest.mark.parametrize("size_px", [3, 5, 13, 100])
def test_tile_by_tile_is_the_whole(rng: np.random.Generator, size_px: int) -> None:
    stacks = two_orbits(rng)
    splits = {"ascending 68": Split((0, 1, 2), (5, 6)), "descending 46": Split((0, 1), (2, 3, 4))}
    whole = change_of_stacks(stacks, splits)
    grid = GeoBox((11, 13), Affine(20, 0, 580000, 0, -20, 4730000), "EPSG:32654")
    seen = np.zeros((11, 13), dtype=int)
    for tile in tiles(grid, size_px):
        place = {"y": tile.rows, "x": tile.cols}
        part = change_of_stacks({label: s.isel(place) for label, s in stacks.items()}, splits)
        xr.testing.assert_identical(part, whole.isel(place))
        seen[tile.rows, tile.cols] += 1
    assert (seen == 1).all()


def test_a_missing_polarization_is_missing_and_not_invented() -> None:
    stacks = {
        "ascending 68": pixel_stack("ascending", VV=[0.2, 0.1], VH=[0.04, 0.01]),
        "descending 46": pixel_stack("descending", VH=[0.02, 0.01]),
    }
    change = change_of_stacks(stacks, dict.fromkeys(stacks, Split((0,), (1,))))
    lacking = change.sel(orbit="descending 46", polarization="VV")
    assert np.isnan(lacking["change_db"].item())
    assert np.isnan(lacking["pre_db"].item())
    assert (lacking["pre_count"].item(), lacking["post_count"].item()) == (0, 0)
    # VV from ascending alone; VH is the mean of 6.02 dB and 3.01 dB
    assert fuse(change).values.ravel() == pytest.approx([HALF_DB, 1.5 * HALF_DB], abs=1e-5)


def test_stacks_without_a_split_are_left_out(rng: np.random.Generator) -> None:
    change = change_of_stacks(two_orbits(rng), {"descending 46": Split((0,), (1,))})
    assert change["orbit"].values.tolist() == ["descending 46"]


def test_orbit_states_do_not_meet_before_the_change(rng: np.random.Generator) -> None:
    """Nothing done to the descending stack reaches what ascending says."""
    stacks = two_orbits(rng)
    splits = dict.fromkeys(stacks, Split((0, 1, 2), (3, 4)))
    alone = change_of_stacks(stacks, splits).sel(orbit="ascending 68")
    other = stacks["descending 46"]
    brighter = stacks | {"descending 46": (other * 50.0).assign_attrs(other.attrs)}
    xr.testing.assert_identical(change_of_stacks(brighter, splits).sel(orbit="ascending 68"), alone)


def test_states_of_unlike_brightness_show_no_change_where_neither_changed() -> None:
    """Ascending looks at the bright side of a slope, descending at its dark one, with uneven dates.

    One median over both would jump from one state's level to the other's.
    """
    stacks = {
        "ascending 68": pixel_stack("ascending", VV=[1.0, 1.0, 1.0, 1.0]),
        "descending 46": pixel_stack("descending", VV=[0.01, 0.01, 0.01, 0.01]),
    }
    splits = {"ascending 68": Split((0, 1, 2), (3,)), "descending 46": Split((0,), (1, 2, 3))}
    assert fuse(change_of_stacks(stacks, splits)).item() == 0.0


def change_sample() -> Change:
    return change_of_stacks({"a": pixel_stack(VV=[0.2, 0.1])}, {"a": Split((0,), (1,))})


def test_fusing_leaves_the_change_alone() -> None:
    change = change_sample()
    before = change.copy(deep=True)
    fuse(change)
    change_by_state(change)
    xr.testing.assert_identical(change, before)


# dates


def test_dates_are_split_by_the_windows_of_the_event() -> None:
    """Scenes on 1, 13, 25 January, 6 and 18 February; the event day belongs to neither side."""
    stack = pixel_stack(VV=[0.1] * 5)
    options = EventOptions(date="2024-01-25", pre_days=20, post_days=20)
    event = Event.from_options(options, now=datetime(2025, 1, 1, tzinfo=UTC))
    assert split_dates(stack, event) == Split(pre=(1,), post=(3,))


def test_pooling_is_by_relative_orbit_unless_asked() -> None:
    assert ChangeOptions().pooling == "relative_orbit"
