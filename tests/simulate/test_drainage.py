"""Drainage against a priority flood, naive loops, and valleys whose every number is known."""

from __future__ import annotations

import heapq
import itertools
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, uniform_filter

from headscarp.errors import GridError
from headscarp.simulate.land.blocks import blocks_of, refine
from headscarp.simulate.land.drainage import (
    CHANNEL_M2,
    FILL_RISE_M,
    accumulate,
    along_flow,
    border,
    drain,
    fill_depressions,
    first_along_flow,
    receivers,
)

AROUND = [(r, c) for r, c in itertools.product((-1, 0, 1), repeat=2) if (r, c) != (0, 0)]


def rough(seed: int, shape: tuple[int, int] = (23, 31), holes: bool = False) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    height = rng.normal(100.0, 20.0, shape)
    if holes:
        height[rng.random(shape) < 0.05] = np.nan
        height[4:9, 10:14] = np.nan
    return height


def neighbours(shape: tuple[int, int], row: int, col: int) -> list[tuple[int, int]]:
    near = [(row + r, col + c) for r, c in AROUND]
    return [(r, c) for r, c in near if 0 <= r < shape[0] and 0 <= c < shape[1]]


def priority_flood(height: NDArray[np.float64], outlets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Barnes et al. (2014), algorithm 1."""
    filled = np.full(height.shape, np.nan)
    queue = [(height[at], at) for at in zip(*np.nonzero(outlets), strict=True)]
    for level, at in queue:
        filled[at] = level
    heapq.heapify(queue)
    while queue:
        level, at = heapq.heappop(queue)
        for near in neighbours(height.shape, *at):
            if np.isfinite(height[near]) and np.isnan(filled[near]):
                filled[near] = max(level, height[near])
                heapq.heappush(queue, (filled[near], near))
    return filled


def naive_border(height: NDArray[np.float64]) -> NDArray[np.bool_]:
    found = np.zeros(height.shape, dtype=bool)
    for at in np.ndindex(height.shape):
        near = neighbours(height.shape, *at)
        found[at] = np.isfinite(height[at]) and (len(near) < 8 or any(np.isnan(height[n]) for n in near))
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("holes", [False, True])
def test_filled_as_the_priority_flood_fills(seed: int, holes: bool) -> None:
    height = rough(seed, holes=holes)
    np.testing.assert_array_equal(border(height), naive_border(height))
    expected = priority_flood(height, naive_border(height))
    np.testing.assert_allclose(fill_depressions(height, rise_m=0.0), expected, rtol=1e-12)
    assert np.nanmax(expected - height) > 1.0


def test_filled_toward_the_outlets_that_are_given() -> None:
    height = rough(5)
    outlets = np.zeros(height.shape, dtype=bool)
    outlets[0, 7] = outlets[-1, 20] = True
    filled = fill_depressions(height, outlets, rise_m=0.0)
    np.testing.assert_allclose(filled, priority_flood(height, outlets), rtol=1e-12)


def test_a_pit_by_hand_rises_from_its_rim() -> None:
    height = np.full((5, 5), 9.0)
    height[1:4, 1:4] = [[8.0, 2.0, 8.0], [8.0, 1.0, 8.0], [8.0, 6.0, 8.0]]
    height[0, 2] = 4.0
    filled = fill_depressions(height, rise_m=0.5)
    assert filled[1, 2] == 4.5
    assert filled[2, 2] == 5.0
    assert filled[3, 2] == 6.0
    np.testing.assert_array_equal(filled[0], height[0])


@pytest.mark.parametrize("holes", [False, True])
def test_from_filled_ground_all_water_reaches_an_outlet(holes: bool) -> None:
    height = rough(6, (60, 50), holes)
    filled = fill_depressions(height)
    assert np.nanmin(filled - height) >= -1e-9
    assert np.nanmax(filled - fill_depressions(height, rise_m=0.0)) <= FILL_RISE_M * 200
    receiver = receivers(filled, 30.0)
    end = first_along_flow(receiver, np.zeros(height.size, dtype=bool))
    assert border(height).ravel()[end[np.isfinite(height).ravel()]].all()


@pytest.mark.parametrize("holes", [False, True])
def test_receivers_as_a_naive_search_finds_them(holes: bool) -> None:
    height = rough(7, holes=holes)
    expected = np.arange(height.size)
    for at in np.ndindex(height.shape):
        steepest = 0.0
        for near in neighbours(height.shape, *at):
            descent = (height[at] - height[near]) / np.hypot(near[0] - at[0], near[1] - at[1])
            if descent > steepest:
                steepest, expected[np.ravel_multi_index(at, height.shape)] = (
                    descent,
                    np.ravel_multi_index(near, height.shape),
                )
    np.testing.assert_array_equal(receivers(height, 10.0), expected)


def test_sums_along_the_flow_as_naive_walks_give_them() -> None:
    height = rough(8)
    receiver = receivers(height, 10.0)
    amount = np.random.default_rng(1).integers(1, 9, height.size).astype(float)
    chosen = np.random.default_rng(2).random(height.size) < 0.1
    upstream, down, first = np.zeros(height.size), np.zeros(height.size), np.zeros(height.size, dtype=int)
    for start in range(height.size):
        walk = [start]
        while receiver[walk[-1]] != walk[-1]:
            walk.append(receiver[walk[-1]])
        upstream[walk] += amount[start]
        down[start] = amount[walk[:-1]].sum()
        first[start] = next((node for node in walk if chosen[node]), walk[-1])
    np.testing.assert_array_equal(accumulate(receiver, amount), upstream)
    np.testing.assert_array_equal(along_flow(receiver, amount), down)
    np.testing.assert_array_equal(first_along_flow(receiver, chosen), first)


def test_no_ground_is_lost() -> None:
    height = rough(9, (80, 70), holes=True)
    receiver = receivers(fill_depressions(height), 30.0)
    area = np.where(np.isfinite(height), 900.0, 0.0).ravel()
    outlets = receiver == np.arange(height.size)
    assert accumulate(receiver, area)[outlets].sum() == area.sum()


def v_valley(size_px: int, spacing_m: float, fall: float = 0.02) -> NDArray[np.float64]:
    """Sides of 0.5 fall to a channel in the middle column, which falls to the south."""
    row, col = np.mgrid[:size_px, :size_px] * spacing_m
    return np.asarray(100.0 + 0.5 * np.abs(col - size_px // 2 * spacing_m) + fall * (row[::-1]))


def test_height_above_the_channel_of_a_valley() -> None:
    spacing_m, size_px = 30.0, 101
    height = v_valley(size_px, spacing_m)
    drained = drain(height, spacing_m, channel_m2=2.0e5)
    middle = size_px // 2
    away = np.abs(np.arange(size_px) - middle)
    # the channel has started, and the diagonal paths of the sides end inside the valley
    rows = slice(20, 90)
    expected = np.broadcast_to(0.5 * 30.0 * away, height[rows].shape)
    assert np.abs(drained.above_channel_m[rows, 10:-10] - expected[:, 10:-10]).max() < 2.0
    assert (drained.above_channel_m[rows, middle] == 0.0).all()
    channel = drained.catchment_m2 >= 2.0e5
    assert (np.flatnonzero(channel[rows].any(axis=0)) == middle).all()
    np.testing.assert_allclose(drained.catchment_m2[95, middle], 96 * 99 * 900.0, rtol=0.05)


def test_blocks_of_fine_pixels_keep_the_valley() -> None:
    height = v_valley(400, 5.0, fall=0.05)
    drained = drain(height, 5.0, channel_m2=1.0e5)
    channel = drained.catchment_m2 >= 1.0e5
    rows = slice(100, 380)
    assert (np.count_nonzero(channel[rows], axis=1) >= 1).all()
    assert (np.abs(np.nonzero(channel[rows])[1] - 200) <= 6).all()
    away = np.abs(np.arange(400) - 200)
    side = (away > 20) & (away < 150)
    error = drained.above_channel_m[rows][:, side] - 0.5 * 5.0 * away[side]
    assert np.abs(error).max() < 6.0
    # the bed is the lowest of its block, never the mean of bed and sides: nothing is measured too low
    assert error.min() > 0.0
    inside = drained.catchment_m2[380, channel[380]].max()
    np.testing.assert_allclose(inside, 380 * 400 * 25.0, rtol=0.15)


def test_blocks_as_naive_loops_measure_them() -> None:
    height = rough(11, (8, 10), holes=True)
    height[:3, :3] = np.nan
    blocks = blocks_of(height, 3)
    assert blocks.mean.shape == (3, 4)
    for at in np.ndindex(3, 4):
        part = height[3 * at[0] : 3 * at[0] + 3, 3 * at[1] : 3 * at[1] + 3]
        known = part[np.isfinite(part)]
        assert blocks.pixels[at] == known.size
        if known.size:
            np.testing.assert_allclose(blocks.mean[at], known.mean())
            assert blocks.lowest[at] == known.min() == height.ravel()[blocks.place[at]]
        else:
            assert np.isnan(blocks.mean[at])
            assert np.isnan(blocks.lowest[at])


def test_refined_blocks_of_a_plane_are_the_plane() -> None:
    row, col = np.mgrid[:40, :52].astype(float)
    plane = 3.0 * row - 2.0 * col
    found = refine(blocks_of(plane, 4).mean, 4, plane.shape)
    np.testing.assert_allclose(found[2:-2, 2:-2], plane[2:-2, 2:-2], atol=1e-4)


def test_only_known_pixels_are_counted() -> None:
    """Unknown pixels in blocks that are known otherwise are no ground."""
    height = v_valley(90, 10.0)
    whole = drain(height, 10.0, channel_m2=2e4).catchment_m2.max()
    height[::3, ::3] = np.nan
    np.testing.assert_allclose(
        np.nanmax(drain(height, 10.0, channel_m2=2e4).catchment_m2), whole * 8 / 9, rtol=0.02
    )


def test_unknown_ground_stays_unknown_and_drains_nothing() -> None:
    height = v_valley(90, 10.0)
    height[40:50, 30:60] = np.nan
    height[0, 0] = np.inf
    drained = drain(height.astype(np.float32), 10.0, channel_m2=2e4)
    for values in (drained.catchment_m2, drained.above_channel_m):
        assert values.dtype == np.float32
        np.testing.assert_array_equal(np.isnan(values), ~np.isfinite(height))
    assert drained.catchment_m2[36, 45] > 2e4
    assert np.nanmin(drained.above_channel_m) == 0.0
    whole = drain(v_valley(90, 10.0), 10.0, channel_m2=2e4)
    assert np.nanmax(drained.catchment_m2) < 0.7 * np.nanmax(whole.catchment_m2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 2), (7, 900)])
def test_any_shape(shape: tuple[int, int]) -> None:
    height = np.random.default_rng(3).normal(500.0, 50.0, shape)
    drained = drain(height, 10.0)
    assert drained.catchment_m2.shape == drained.above_channel_m.shape == shape
    assert np.isfinite(drained.catchment_m2).all()
    assert (drained.above_channel_m >= 0.0).all()


def test_nothing_known_is_nothing_drained() -> None:
    drained = drain(np.full((9, 9), np.nan), 10.0)
    assert np.isnan(drained.catchment_m2).all()
    assert np.isnan(drained.above_channel_m).all()


@pytest.mark.parametrize(
    ("height", "spacing_m", "channel_m2"),
    [(np.zeros(5), 10.0, 1e5), (np.zeros((5, 5)), 0.0, 1e5), (np.zeros((5, 5)), 10.0, float("nan"))],
)
def test_what_has_no_drainage_is_refused(
    height: NDArray[np.float64], spacing_m: float, channel_m2: float
) -> None:
    with pytest.raises(GridError, match="spacing"):
        drain(height, spacing_m, channel_m2)


def test_real_channels_lie_in_real_valleys(real_data: Path) -> None:
    with rasterio.open(real_data / "dem" / "bigtujunga.tif") as dem:
        height = np.where(dem.read(1) == dem.nodata, np.nan, dem.read(1)).astype(np.float32)
    drained = drain(height, 30.0)
    channel = drained.catchment_m2 >= CHANNEL_M2
    lower_than_around = height - uniform_filter(height, 15)
    assert 0.01 < channel.mean() < 0.1
    assert (lower_than_around[channel] < 0.0).mean() > 0.9
    assert (drained.above_channel_m[channel] == 0.0).all()
    near_m = np.asarray(distance_transform_edt(~channel)) * 30.0
    assert np.median(near_m) < 500.0
    assert drained.catchment_m2.max() < height.size * 900.0
    # Big Tujunga Creek drains some 200 to 400 km² where it leaves the mountains
    assert drained.catchment_m2.max() > 2e8
