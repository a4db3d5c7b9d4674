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


@pytest.mark.parametrize(("quarters", "azimuth_deg"), [(1, 0.0), (2, 270.0), (3, 180.0)])
def test_a_turned_scene_gives_the_turned_answer(quarters: int, azimuth_deg: float) -> None:
    height = ridge(rows=5)
    echo = np.random.default_rng(6).uniform(0.1, 1.0, (1, *height.shape)).astype(np.float32)
    weight = np.random.default_rng(7).uniform(0.5, 2.0, height.shape).astype(np.float32)
    turned = [np.ascontiguousarray(np.rot90(a, quarters, (-2, -1))) for a in (height, echo, weight)]
    view, sums, weights = mixed(height, echo, weight)
    line = LOOK_EAST._replace(look_azimuth_deg=azimuth_deg)
    turned_view, turned_sums, turned_weights = mixed(turned[0], turned[1], turned[2], line)
    assert np.array_equal(turned_view, np.rot90(view, quarters))
    for straight, back in ((sums[0], turned_sums[0]), (weights, turned_weights)):
        expected, found = np.zeros(view.shape), np.zeros(turned_view.shape)
        expected[view], found[turned_view] = straight, back
        assert np.allclose(np.rot90(expected, quarters), found, rtol=1e-4)


def test_every_line_has_the_incidence_of_its_pixel() -> None:
    height, angles = ridge(), (36.0, THETA_DEG, 44.0)
    echo = np.random.default_rng(8).uniform(0.1, 1.0, (1, *height.shape)).astype(np.float32)
    weight, wide = np.ones(height.shape, np.float32), np.pad(height, 1, mode="edge")
    view = is_layover(view_mask(height, (SPACING_M, SPACING_M), 90.0, THETA_DEG))
    incidence = np.repeat(np.array(angles, np.float32)[:, None], height.shape[1], axis=1)
    sums = mix_layover(echo, weight, view, wide, incidence, LOOK_EAST)[0].reshape(3, -1)
    for row, angle in enumerate(angles):
        alone = mix_layover(echo, weight, view, wide, np.full_like(incidence, angle), LOOK_EAST)[0]
        assert sums[row] == pytest.approx(alone.reshape(3, -1)[row], rel=1e-5)
    assert not np.allclose(sums[0] / echo[0, 0, view[0]], sums[2] / echo[0, 2, view[2]], rtol=0.1)


def test_unknown_echoes_add_nothing() -> None:
    height = ridge()
    echo = np.ones((1, *height.shape), np.float32)
    echo[:, :, 15:23] = np.nan
    view, sums, weights = mixed(height, echo, np.ones(height.shape, np.float32))
    assert np.isfinite(sums).all()
    assert np.allclose(sums[0], weights)
    assert (weights[view[view]] <= 3).all()


@pytest.mark.parametrize("azimuth_deg", [90.0, 75.0, 255.0])
def test_places_beyond_the_grid_are_left_out_and_no_others(azimuth_deg: float) -> None:
    """A grid cut from a whole, heights as before, has the sums of that whole with its rim unknown."""
    height, cut, line = ridge(rows=25), 8, LOOK_EAST._replace(look_azimuth_deg=azimuth_deg)
    height = height if azimuth_deg < 180.0 else np.ascontiguousarray(height[:, ::-1])
    inner = (slice(cut, -cut), slice(cut, -cut))
    echo = np.random.default_rng(4).uniform(0.1, 1.0, (2, *height.shape)).astype(np.float32)
    weight = np.random.default_rng(5).uniform(0.5, 2.0, height.shape).astype(np.float32)
    weight_inside = np.full(height.shape, np.nan, np.float32)
    weight_inside[inner] = weight[inner]
    view, sums, weights = mixed(height, echo, weight_inside, line)
    complete = mixed(height, echo, weight, line)[2]
    of_inner = np.zeros(height.shape, np.bool_)
    of_inner[inner] = True
    of_inner = of_inner[view]

    wide, incidence = np.pad(height, 1, mode="edge"), np.full(height[inner].shape, THETA_DEG, np.float32)
    line = line._replace(margin_px=cut + 1)
    cut_sums, cut_weights = mix_layover(echo[:, *inner], weight[inner], view[inner], wide, incidence, line)
    assert cut_weights == pytest.approx(weights[of_inner], rel=1e-5)
    assert cut_sums == pytest.approx(sums[:, of_inner], rel=1e-5)
    missing = complete[of_inner] - cut_weights
    assert (missing > 0.1).sum() > 20
    assert (missing < 1e-3).sum() > 20


def test_what_lies_beyond_the_reach_is_not_found() -> None:
    height = ridge()
    echo, weight = np.ones((1, *height.shape), np.float32), np.ones(height.shape, np.float32)
    view, _, complete = mixed(height, echo, weight)
    near = mixed(height, echo, weight, LOOK_EAST._replace(reach_m=3.5 * SPACING_M))[2]
    before = height[view] == 0.0  # columns 6 to 14
    assert (complete[before].reshape(3, 9)[:, 1:8] == 3.0).all()
    # slant range grows by 6.43 m a pixel up to column 14 and falls by 6.84 m a pixel on the slope: it is that
    # of column 13 again at 14.94, that of column 12 at 15.88, within the four steps, and that of 11 at 16.82
    assert near[before].reshape(3, 9).tolist() == [[1.0] * 6 + [2.0, 2.0, 1.0]] * 3


def test_without_layover_there_is_nothing_to_sum() -> None:
    flat = np.zeros((5, 5), np.float32)
    sums, weights = mixed(flat, np.ones((2, 5, 5), np.float32), np.ones((5, 5), np.float32))[1:]
    assert sums.shape == (2, 0)
    assert weights.shape == (0,)
