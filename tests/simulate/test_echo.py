"""Echoes that arrive together: a fold by hand, and a naive search along rows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from headscarp.geometry.visibility import is_layover, view_mask
from headscarp.simulate.radar.echo import Line, mix_layover

Array = NDArray[np.float32]
SPACING_M, THETA_DEG = 10.0, 40.0
LOOK_EAST = Line(90.0, SPACING_M, margin_px=1, reach_m=300.0)


def ridge(rows: int = 3) -> NDArray[np.float32]:
    """Flat up to column 14, a slope of 60° up to the east to column 22, then flat."""
    profile = np.concatenate([np.zeros(15), np.tan(np.deg2rad(60.0)) * np.arange(1, 9) * SPACING_M])
    profile = np.concatenate([profile, np.full(15, profile[-1])])
    return np.tile(profile, (rows, 1)).astype(np.float32)


def mixed(
    height: NDArray[np.float32],
    echo: NDArray[np.float32],
    weight: NDArray[np.float32],
    line: Line = LOOK_EAST,
) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
    view = is_layover(view_mask(height, (SPACING_M, SPACING_M), line.look_azimuth_deg, THETA_DEG))
    incidence = np.full(height.shape, THETA_DEG, np.float32)
    wide = np.pad(height, line.margin_px, mode="edge")
    sums, weights = mix_layover(echo, weight, view, wide, incidence, line)
    return view, sums, weights


def slant_range_m(profile: NDArray[np.float32]) -> NDArray[np.float64]:
    theta = np.deg2rad(THETA_DEG)
    return np.arange(profile.size) * SPACING_M * np.sin(theta) - profile * np.cos(theta)


def test_sums_are_those_of_a_search_along_the_row() -> None:
    height = ridge()
    echo = np.random.default_rng(1).uniform(0.1, 1.0, (2, *height.shape)).astype(np.float32)
    weight = np.random.default_rng(2).uniform(0.5, 2.0, height.shape).astype(np.float32)
    view, sums, weights = mixed(height, echo, weight)
    assert view[1].sum() == 9 + 8 + 8  # before, on and behind the slope
    slant = slant_range_m(height[1])
    rows, cols = np.nonzero(view)
    for sum_, total, row, col in zip(sums.T, weights, rows, cols, strict=True):
        places = [col]
        for near in range(height.shape[1] - 1):
            a, b = slant[near] - slant[col], slant[near + 1] - slant[col]
            if a * b < 0.0 and col not in (near, near + 1):
                places.append(int(np.rint(near + abs(a) / (abs(a) + abs(b)))))
        assert total == pytest.approx(weight[row, places].sum(), rel=1e-5)
        assert sum_ == pytest.approx((weight[row, places] * echo[:, row, places]).sum(axis=1), rel=1e-5)


def test_a_bright_slope_shows_on_the_flat_ground_before_it_and_behind_it() -> None:
    height = ridge()
    echo = np.full((1, *height.shape), 0.1, np.float32)
    echo[:, :, 15:23] = 1.0
    view, sums, weights = mixed(height, echo, np.ones(height.shape, np.float32))
    value = np.full(height.shape, 0.1, np.float32)
    value[view] = (sums / weights)[0]
    assert view[1, [12, 25]].all()
    assert (value[1, [12, 25]] > 0.3).all()
    assert (value[1, [12, 25]] < 0.8).all()
    assert value[1, 3] == pytest.approx(0.1)


def test_the_opposite_look_mirrors_the_answer() -> None:
    height = ridge()
    echo = np.random.default_rng(3).uniform(0.1, 1.0, (1, *height.shape)).astype(np.float32)
    weight = np.ones(height.shape, np.float32)
    view, sums, _ = mixed(height, echo, weight)
    west = LOOK_EAST._replace(look_azimuth_deg=270.0)
    mirrored_view, mirrored, _ = mixed(
        np.ascontiguousarray(height[:, ::-1]), np.ascontiguousarray(echo[..., ::-1]), weight, west
    )
    there, back = np.zeros((2, *height.shape))
    there[view], back[mirrored_view] = sums[0], mirrored[0]
    assert np.allclose(there, back[:, ::-1], rtol=1e-4)


def test_unknown_echoes_add_nothing() -> None:
    height = ridge()
    echo = np.ones((1, *height.shape), np.float32)
    echo[:, :, 15:23] = np.nan
    view, sums, weights = mixed(height, echo, np.ones(height.shape, np.float32))
    assert np.isfinite(sums).all()
    assert np.allclose(sums[0], weights)
    assert (weights[view[view]] <= 3).all()


def test_without_layover_there_is_nothing_to_sum() -> None:
    flat = np.zeros((5, 5), np.float32)
    sums, weights = mixed(flat, np.ones((2, 5, 5), np.float32), np.ones((5, 5), np.float32))[1:]
    assert sums.shape == (2, 0)
    assert weights.shape == (0,)
