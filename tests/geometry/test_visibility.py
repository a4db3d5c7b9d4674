"""Layer 1: layover and shadow against planes, towers and ridges by hand, a naive ray loop, and symmetry."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.ndimage import gaussian_filter

from headscarp.errors import GridError, OptionsError
from headscarp.geometry.incidence import grid_look_azimuth_deg
from headscarp.geometry.observable import GRAZING_DEG, Observable, is_observable, observable
from headscarp.geometry.orbit import look_azimuth_deg
from headscarp.geometry.visibility import View, is_layover, is_shadow, reach_px, view_mask
from headscarp.grid import spacing_m as grid_spacing_m
from headscarp.ingest.dem import read_height
from headscarp.ingest.raster import read_header
from headscarp.vocabulary import OrbitState
from tests.geometry.test_terrain import INNER, plane_m

LOOKS_DEG = [78.0, 282.0, 0.0, 45.0, 123.0]
SQUARE_M = (20.0, 20.0)
EFFECTS = [View.ACTIVE_LAYOVER, View.PASSIVE_LAYOVER, View.ACTIVE_SHADOW, View.PASSIVE_SHADOW]


def craggy_m(shape: tuple[int, int], seed: int = 5) -> NDArray[np.float64]:
    """Terrain so rough at 20 m that all four effects occur."""
    noise = np.random.default_rng(seed).normal(0.0, 1.0, shape)
    height = 400.0 * gaussian_filter(noise, 3.0) + 60.0 * gaussian_filter(noise, 1.0)
    return np.asarray(height - height.min(), dtype=np.float64)


def sampled(height: NDArray[np.float64], row: float, column: float) -> float:
    """Bilinear, pixel by pixel; NaN where a pixel that counts is missing."""
    total = 0.0
    for r in (math.floor(row), math.floor(row) + 1):
        for c in (math.floor(column), math.floor(column) + 1):
            weight = (1.0 - abs(row - r)) * (1.0 - abs(column - c))
            if weight > 1e-12:
                inside = 0 <= r < height.shape[0] and 0 <= c < height.shape[1]
                total += weight * (height[r, c] if inside else math.nan)
    return total


def naive_pixel(
    height: NDArray[np.float64],
    at: tuple[int, int],
    spacing_m: tuple[float, float],
    look: float,
    theta: float,
) -> int:
    """Elevation angles towards the radar, and slant ranges along the whole line, for one pixel."""
    if math.isnan(height[at]):
        return int(View.UNKNOWN)
    east, north = math.sin(math.radians(look)), math.cos(math.radians(look))
    step_m = 1.0 / max(abs(east) / spacing_m[0], abs(north) / spacing_m[1])
    found = {"layover": math.inf, "shadow": math.inf}
    own_slant = -height[at] * math.cos(math.radians(theta))
    for k in [each for each in range(-max(height.shape), max(height.shape) + 1) if each]:
        ground_m = k * step_m
        z = sampled(height, at[0] - ground_m * north / spacing_m[1], at[1] + ground_m * east / spacing_m[0])
        if math.isnan(z):
            continue
        slant = ground_m * math.sin(math.radians(theta)) - z * math.cos(math.radians(theta))
        if (slant < own_slant) == (k > 0) and slant != own_slant:
            found["layover"] = min(found["layover"], abs(k))
        if k < 0 and math.degrees(math.atan2(z - height[at], -ground_m)) > 90.0 - theta:
            found["shadow"] = min(found["shadow"], -k)
    layover = 0 if math.isinf(found["layover"]) else 1 if found["layover"] == 1 else 2
    shadow = 0 if math.isinf(found["shadow"]) else 4 if found["shadow"] == 1 else 8
    return layover | shadow


def naive_view(
    height: NDArray[np.float64], x_m: NDArray[np.float64], y_m: float, look: float, theta: float
) -> NDArray[np.uint8]:
    view = np.zeros(height.shape, np.uint8)
    for at in np.ndindex(*height.shape):
        view[at] = naive_pixel(height, at, (float(x_m[at[0]]), y_m), look, theta)
    return view


def share(view: NDArray[np.uint8], effect: View) -> float:
    return float(((view & np.uint8(effect)) != 0).mean())


@pytest.mark.parametrize("look_deg", LOOKS_DEG)
@pytest.mark.parametrize("incidence_deg", [30.4, 39.0, 46.1])
@pytest.mark.parametrize("spacing_m", [SQUARE_M, (10.0, 30.0)])
def test_plane_is_in_layover_where_it_faces_the_radar_more_steeply_than_the_look(
    look_deg: float, incidence_deg: float, spacing_m: tuple[float, float]
) -> None:
    for tilt_deg, expected in [(incidence_deg - 0.5, 0), (incidence_deg + 0.5, View.ACTIVE_LAYOVER)]:
        view = view_mask(
            plane_m(look_deg + 180.0, tilt_deg, spacing_m, (9, 8)), spacing_m, look_deg, incidence_deg
        )
        np.testing.assert_array_equal(view[INNER], expected)
        assert (view == 0).all() == (expected == 0)


@pytest.mark.parametrize("look_deg", LOOKS_DEG)
@pytest.mark.parametrize("incidence_deg", [30.4, 39.0, 46.1])
@pytest.mark.parametrize("spacing_m", [SQUARE_M, (10.0, 30.0)])
def test_plane_is_in_shadow_where_it_falls_away_more_steeply_than_the_ray(
    look_deg: float, incidence_deg: float, spacing_m: tuple[float, float]
) -> None:
    for tilt_deg, expected in [(89.5 - incidence_deg, 0), (90.5 - incidence_deg, View.ACTIVE_SHADOW)]:
        view = view_mask(plane_m(look_deg, tilt_deg, spacing_m, (9, 8)), spacing_m, look_deg, incidence_deg)
        np.testing.assert_array_equal(view[INNER], expected)
        assert (view == 0).all() == (expected == 0)


def test_plane_that_falls_across_the_look_is_in_clear_view() -> None:
    assert (view_mask(plane_m(168.0, 70.0, SQUARE_M, (9, 9)), SQUARE_M, 78.0, 39.0) == 0).all()


def ridge_m(
    x_m: NDArray[np.float64], crest_m: float, fore_deg: float, back_deg: float
) -> NDArray[np.float64]:
    """A triangular ridge with its crest at x = 0; the radar is at the left."""
    fore = crest_m + x_m * math.tan(math.radians(fore_deg))
    back = crest_m - x_m * math.tan(math.radians(back_deg))
    return np.maximum(np.minimum(fore, back), 0.0)


def assert_extent(marked: NDArray[np.bool_], x_m: NDArray[np.float64], first_m: float, last_m: float) -> None:
    """Marked is one stretch of the line, from first to last within a pixel."""
    spacing_m = float(x_m[1] - x_m[0])
    places = x_m[marked]
    assert places.size == round((places[-1] - places[0]) / spacing_m) + 1
    assert places[0] == pytest.approx(first_m, abs=spacing_m)
    assert places[-1] == pytest.approx(last_m, abs=spacing_m)


def test_shadow_of_a_ridge_by_hand() -> None:
    """Crest of 200 m at 40°: the ray over it meets flat ground 200 tan 40° = 167.8 m behind it.

    The back slope falls 200 m in 75 m: at 69.4° it is steeper than 90° - 40° and hides itself, down to its
    foot; the flat ground beyond is hidden by the crest alone.
    """
    x_m = np.arange(-400.0, 401.0, 5.0)
    view = view_mask(
        ridge_m(x_m, 200.0, 20.0, math.degrees(math.atan2(200.0, 75.0)))[None], (5.0, 5.0), 90.0, 40.0
    )[0]
    assert_extent((view & np.uint8(View.ACTIVE_SHADOW)) != 0, x_m, 0.0, 75.0)
    assert_extent((view & np.uint8(View.PASSIVE_SHADOW)) != 0, x_m, 75.0, 167.8)
    assert not is_layover(view).any()


def test_layover_of_a_ridge_by_hand() -> None:
    """Crest of 200 m, slopes of 60° and 20°, seen at 40°; slant range is x sin 40° - z cos 40°.

    Crest: -153.2. Foot of the fore slope, at -200 / tan 60° = -115.5 m: -74.2. Flat ground in front has
    a slant range between the two from -200 / tan 40° = -238.4 m on; behind the crest slant range is
    -153.2 + x (sin 40° + tan 20° cos 40°), which passes -74.2 at x = 85.7 m.
    """
    x_m = np.arange(-400.0, 601.0, 5.0)
    view = view_mask(ridge_m(x_m, 200.0, 60.0, 20.0)[None], (5.0, 5.0), 90.0, 40.0)[0]
    assert_extent((view & np.uint8(View.ACTIVE_LAYOVER)) != 0, x_m, -115.5, 0.0)
    passive = (view & np.uint8(View.PASSIVE_LAYOVER)) != 0
    assert_extent(passive & (x_m < 0.0), x_m, -238.4, -115.5)
    assert_extent(passive & (x_m > 0.0), x_m, 0.0, 85.7)
    assert not is_shadow(view).any()


def test_ridge_is_the_same_from_every_side() -> None:
    """The same ridge along and across the rows, from either side, and on the diagonal."""
    x_m = np.arange(-300.0, 301.0, 5.0)
    line = ridge_m(x_m, 150.0, 55.0, 65.0)
    alone = view_mask(line[None], (5.0, 5.0), 90.0, 40.0)[0]
    assert all((alone & np.uint8(effect)).any() for effect in EFFECTS)
    np.testing.assert_array_equal(view_mask(line[None, ::-1], (5.0, 5.0), 270.0, 40.0)[0, ::-1], alone)
    np.testing.assert_array_equal(view_mask(line[:, None], (5.0, 5.0), 180.0, 40.0)[:, 0], alone)
    np.testing.assert_array_equal(view_mask(line[::-1, None], (5.0, 5.0), 0.0, 40.0)[::-1, 0], alone)
    diagonal = np.full((x_m.size, x_m.size), np.nan)
    np.fill_diagonal(diagonal, line)
    root = math.sqrt(0.5)
    np.testing.assert_array_equal(np.diag(view_mask(diagonal, (5.0 * root, 5.0 * root), 135.0, 40.0)), alone)


@pytest.mark.parametrize(
    "look_deg", [math.degrees(math.atan2(4, 1)), math.degrees(math.atan2(1, -2)), 225.0, 270.0]
)
@pytest.mark.parametrize("incidence_deg", [37.0, 45.5])
def test_equals_a_naive_ray_loop(look_deg: float, incidence_deg: float) -> None:
    height = craggy_m((26, 22))
    height[11, 7] = height[3, 18] = np.nan
    view = view_mask(height, SQUARE_M, look_deg, incidence_deg)
    expected = naive_view(height, np.full(26, 20.0), 20.0, look_deg, incidence_deg)
    np.testing.assert_array_equal(view, expected)
    assert all(share(view, effect) > 0.0 for effect in (*EFFECTS, View.UNKNOWN))


@pytest.mark.parametrize("look_deg", [78.0, 12.0, 282.0])
def test_nearly_equals_a_naive_ray_loop_where_lines_are_rounded_and_columns_draw_together(
    look_deg: float,
) -> None:
    height, x_m = craggy_m((30, 24)), np.linspace(14.0, 22.0, 30)
    view = view_mask(height, (x_m[:, None], 20.0), look_deg, 39.0)
    expected = naive_view(height, x_m, 20.0, look_deg, 39.0)
    assert (view != expected).mean() < 0.005
    assert is_layover(view).mean() > 0.05


@pytest.mark.parametrize("look_deg", LOOKS_DEG)
def test_each_row_has_the_lines_of_its_own_spacing(look_deg: float) -> None:
    height, x_m = craggy_m((40, 30)), np.repeat([12.0, 31.0, 20.0], [13, 9, 18])
    view = view_mask(height, (x_m[:, None], 20.0), look_deg, 39.0)
    for own_m in (12.0, 31.0, 20.0):
        alone = view_mask(height, (own_m, 20.0), look_deg, 39.0)
        np.testing.assert_array_equal(view[x_m == own_m], alone[x_m == own_m])


@pytest.mark.parametrize("look_deg", LOOKS_DEG)
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_turn_the_view(look_deg: float, turns: int) -> None:
    height, spacing_m = craggy_m((50, 43)), (20.0, 14.0)
    height[20:23, 30] = np.nan
    view = view_mask(height, spacing_m, look_deg, 39.0)
    turned_spacing_m = spacing_m if turns % 2 == 0 else spacing_m[::-1]
    turned = view_mask(np.rot90(height, turns), turned_spacing_m, look_deg - 90.0 * turns, 39.0)
    np.testing.assert_array_equal(turned, np.rot90(view, turns))
    assert all(share(view, effect) > 0.0 for effect in EFFECTS)


def test_another_look_gives_another_view() -> None:
    height = craggy_m((50, 43))
    assert (view_mask(height, SQUARE_M, 78.0, 39.0) != view_mask(height, SQUARE_M, 258.0, 39.0)).mean() > 0.1


def geographic_spacing_m(rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spacing near 60° north, where 60 rows of 0.01° draw together by 2 %."""
    geobox = GeoBox((rows, 4), Affine(0.0004, 0, 12.0, 0, -0.0100, 60.3), "EPSG:4326")
    x_m, y_m = grid_spacing_m(geobox)
    return x_m, y_m / 50.0


@pytest.mark.parametrize("look_deg", [78.0, 282.0, 123.0])
@pytest.mark.parametrize("geographic", [False, True])
@pytest.mark.parametrize("tile_px", [13, 32])
def test_tiled_with_reach_equals_whole(look_deg: float, geographic: bool, tile_px: int) -> None:
    height = craggy_m((60, 57)).astype(np.float32)
    x_m, y_m = geographic_spacing_m(60) if geographic else (np.full((60, 1), 20.0), np.full((60, 1), 20.0))
    whole = view_mask(height, (x_m, y_m), look_deg, 39.0)
    codes = observable(height, (x_m, y_m), look_deg, -look_deg, 39.0)
    halo = reach_px(float(np.ptp(height)), (x_m, y_m), 39.0)
    assert halo < 25  # else every tile would be the whole
    for top in range(0, 60, tile_px):
        for left in range(0, 57, tile_px):
            first, start = max(top - halo, 0), max(left - halo, 0)
            rows, columns = slice(first, top + tile_px + halo), slice(start, left + tile_px + halo)
            spacing_m = (x_m[rows], y_m[rows])
            own = np.s_[top - first : top - first + tile_px, left - start : left - start + tile_px]
            place = np.s_[top : top + tile_px, left : left + tile_px]
            tile = view_mask(height[rows, columns], spacing_m, look_deg, 39.0)
            np.testing.assert_array_equal(tile[own], whole[place])
            seen = observable(height[rows, columns], spacing_m, look_deg, -look_deg, 39.0)
            np.testing.assert_array_equal(seen[own], codes[place])


@pytest.mark.parametrize("incidence_deg", [30.4, 39.0, 46.1, 60.0])
def test_reach_is_as_far_as_a_tower_acts_and_little_farther(incidence_deg: float) -> None:
    """500 m high: 500 tan θ of shadow, 500 / tan θ of layover, strictly less."""
    height = np.zeros((1, 201))
    height[0, 100] = 500.0
    tangent = math.tan(math.radians(incidence_deg))
    acted_on = np.flatnonzero(view_mask(height, SQUARE_M, 90.0, incidence_deg)[0])
    farthest = int(np.abs(acted_on - 100).max())
    assert farthest == math.ceil(max(500.0 * tangent, 500.0 / tangent) / 20.0) - 1
    assert farthest <= reach_px(500.0, SQUARE_M, incidence_deg) <= farthest + 3


def test_reach_counts_the_smaller_spacing_and_the_worst_angle() -> None:
    worst = max(reach_px(900.0, (10.0, 10.0), angle) for angle in (31.0, 46.0))
    assert reach_px(900.0, (np.array([[30.0], [10.0]]), 25.0), np.array([[31.0, 46.0]])) == worst
    assert reach_px(900.0, (25.0, 10.0), np.array([[31.0, 46.0]])) == worst


def test_incidence_may_vary_by_pixel() -> None:
    height, angles = craggy_m((30, 25)), np.linspace(30.0, 46.0, 25)
    view = view_mask(height, SQUARE_M, 78.0, np.broadcast_to(angles, (30, 25)))
    for column, angle in enumerate(angles.tolist()):
        np.testing.assert_array_equal(view[:, column], view_mask(height, SQUARE_M, 78.0, angle)[:, column])


def test_incidence_of_a_row_serves_the_row_in_blocks_of_any_size() -> None:
    """2000 columns make blocks of 32 rows."""
    height, angles = np.tile(craggy_m((80, 40)), (1, 50)), np.linspace(30.0, 46.0, 80)[:, None]
    view = view_mask(height, SQUARE_M, 90.0, angles)
    row = 70
    alone = view_mask(height[row : row + 1], SQUARE_M, 90.0, float(angles[row, 0]))
    np.testing.assert_array_equal(view[row : row + 1], alone)


def test_unknown_ground_is_unknown_and_does_nothing_to_others() -> None:
    height = np.zeros((3, 30))
    height[1, 15] = 200.0
    full = view_mask(height, SQUARE_M, 90.0, 39.0)
    assert (full[1] != 0).sum() > 10
    height[1, 15] = np.nan
    height[0, 4] = np.inf
    view = view_mask(height, SQUARE_M, 90.0, 39.0)
    assert (view == np.uint8(View.UNKNOWN)).sum() == 2
    assert view[1, 15] == view[0, 4] == View.UNKNOWN
    assert (view == 0).sum() == 88


def test_effects_reach_across_unknown_ground() -> None:
    line = np.zeros((1, 30))
    line[0, 15] = 200.0
    full = view_mask(line, SQUARE_M, 90.0, 39.0)
    line[0, 16:18] = line[0, 13] = np.nan
    holed = view_mask(line, SQUARE_M, 90.0, 39.0)
    known = np.isfinite(line)
    np.testing.assert_array_equal(is_shadow(holed)[known], is_shadow(full)[known])
    np.testing.assert_array_equal(is_layover(holed)[known], is_layover(full)[known])
    np.testing.assert_array_equal(holed[~known], np.uint8(View.UNKNOWN))
    assert not is_layover(holed)[~known].any()
    assert not is_shadow(holed)[~known].any()


def test_nothing_known_and_nothing_there() -> None:
    assert (view_mask(np.full((4, 5), np.nan), SQUARE_M, 78.0) == View.UNKNOWN).all()
    assert view_mask(np.zeros((0, 5)), SQUARE_M, 78.0).shape == (0, 5)


def test_unknown_incidence_is_an_unknown_view() -> None:
    angles = np.full((6, 6), 39.0)
    angles[2, 3] = np.nan
    codes = observable(np.zeros((6, 6)), SQUARE_M, 78.0, 282.0, angles)
    assert view_mask(np.zeros((6, 6)), SQUARE_M, 78.0, angles)[2, 3] == View.UNKNOWN
    assert codes[2, 3] == Observable.UNKNOWN
    assert (codes == Observable.BOTH).sum() == 35


def test_whole_metres_serve_as_heights() -> None:
    height = np.rint(craggy_m((30, 30)))
    expected = view_mask(height, SQUARE_M, 78.0, 39.0)
    np.testing.assert_array_equal(view_mask(height.astype(np.int16), SQUARE_M, 78.0, 39.0), expected)


def test_each_pixel_has_one_kind_of_an_effect() -> None:
    view = view_mask(craggy_m((60, 60)), SQUARE_M, 78.0, 39.0)
    assert not ((view & np.uint8(View.LAYOVER)) == np.uint8(View.LAYOVER)).any()
    assert not ((view & np.uint8(View.SHADOW)) == np.uint8(View.SHADOW)).any()
    np.testing.assert_array_equal(is_layover(view), (view & 3) > 0)
    np.testing.assert_array_equal(is_shadow(view), (view & 12) > 0)
    assert (is_layover(view) & is_shadow(view)).any()


def test_steeper_looks_have_more_layover_and_flatter_ones_more_shadow() -> None:
    height = craggy_m((60, 60))
    near, far = (view_mask(height, SQUARE_M, 78.0, angle) for angle in (30.4, 46.1))
    assert not (is_layover(far) & ~is_layover(near)).any()
    assert not (is_shadow(near) & ~is_shadow(far)).any()
    assert is_layover(near).sum() > is_layover(far).sum()
    assert is_shadow(far).sum() > is_shadow(near).sum()


@pytest.mark.parametrize("look_deg", LOOKS_DEG)
def test_grazing_ground_is_not_observable(look_deg: float) -> None:
    """At 39° the limit of 85° is a slope of 46° away from the radar; shadow begins at 51°."""
    for tilt_deg, expected in [(GRAZING_DEG - 39.0 - 0.5, True), (GRAZING_DEG - 39.0 + 0.5, False)]:
        height = plane_m(look_deg, tilt_deg, SQUARE_M, (7, 7))
        assert (view_mask(height, SQUARE_M, look_deg, 39.0) == 0).all()
        assert (is_observable(height, SQUARE_M, look_deg, 39.0)[INNER] == expected).all()
        assert is_observable(height, SQUARE_M, look_deg, 39.0)[0].all()  # no slope is known at the edge


@pytest.mark.parametrize(
    ("tilt_deg", "aspect", "expected"),
    [
        (5.0, 78.0, Observable.BOTH),
        (42.0, 258.0, Observable.DESCENDING),
        (42.0, 102.0, Observable.ASCENDING),
        (60.0, 90.0, Observable.NEITHER),
        (60.0, 270.0, Observable.NEITHER),
        (60.0, 0.0, Observable.BOTH),
    ],
)
def test_codes_say_which_orbit_sees_a_plane(tilt_deg: float, aspect: float, expected: Observable) -> None:
    """Facing west it lies over for the ascending orbit, which looks east, and the other way round."""
    codes = observable(plane_m(aspect, tilt_deg, SQUARE_M, (7, 7)), SQUARE_M, 78.0, 282.0, 39.0)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes[INNER], expected)


def test_codes_are_the_looks_taken_one_by_one() -> None:
    height = craggy_m((40, 40))
    height[9, 9] = np.nan
    codes = observable(height, SQUARE_M, 78.0, 282.0, 39.0)
    known = np.isfinite(height)
    np.testing.assert_array_equal((codes & 1 > 0)[known], is_observable(height, SQUARE_M, 78.0, 39.0)[known])
    np.testing.assert_array_equal((codes & 2 > 0)[known], is_observable(height, SQUARE_M, 282.0, 39.0)[known])
    np.testing.assert_array_equal(codes == Observable.UNKNOWN, ~known)
    assert set(np.unique(codes).tolist()) == {each.value for each in Observable}


@pytest.fixture(scope="module")
def big_tujunga(real_data: Path) -> tuple[NDArray[np.float32], GeoBox]:
    path = real_data / "dem" / "bigtujunga.tif"
    geobox = read_header(path).geobox
    return read_height(path, geobox), geobox


@pytest.mark.parametrize("state", list(OrbitState))
def test_real_mountains_have_some_layover_and_next_to_no_shadow(
    big_tujunga: tuple[NDArray[np.float32], GeoBox], state: OrbitState
) -> None:
    """San Gabriel mountains at 30 m; their steepest slopes are some 50°."""
    height, geobox = big_tujunga
    view = view_mask(height, (30.0, 30.0), grid_look_azimuth_deg(geobox, state), 39.0)
    assert 0.004 < is_layover(view).mean() < 0.02
    assert 0.0 < is_shadow(view).mean() < 0.002
    assert not is_layover(view_mask(height, (30.0, 30.0), 90.0, 75.0)).any()


@pytest.mark.parametrize("state", list(OrbitState))
def test_mirrored_mountains_have_the_mirrored_view(
    big_tujunga: tuple[NDArray[np.float32], GeoBox], state: OrbitState
) -> None:
    height = big_tujunga[0]
    look = look_azimuth_deg(state, 34.3)
    view = view_mask(height, (30.0, 30.0), look, 39.0)
    mirrored = view_mask(height[:, ::-1], (30.0, 30.0), 360.0 - look, 39.0)
    np.testing.assert_array_equal(mirrored[:, ::-1], view)


@pytest.mark.parametrize("shape", [(1, 5, 5), (5,)])
def test_heights_with_other_axes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(GridError, match="heights of shape"):
        view_mask(np.zeros(shape), SQUARE_M, 78.0)


@pytest.mark.parametrize("spacing_m", [(0.0, 10.0), (10.0, -1.0), (math.nan, 10.0), (np.ones((1, 5)), 10.0)])
def test_impossible_spacing_is_refused(spacing_m: Any) -> None:
    with pytest.raises(GridError, match="spacing above 0 m"):
        view_mask(np.zeros((5, 5)), spacing_m, 78.0)


@pytest.mark.parametrize(
    ("look_deg", "incidence_deg"), [(math.nan, 39.0), (math.inf, 39.0), (78.0, 90.0), (78.0, 0.0)]
)
def test_impossible_looks_are_refused(look_deg: float, incidence_deg: float) -> None:
    with pytest.raises(OptionsError, match="finite look azimuth"):
        view_mask(np.zeros((5, 5)), SQUARE_M, look_deg, incidence_deg)


@pytest.mark.parametrize("relief_m", [-1.0, math.nan, math.inf])
def test_impossible_relief_is_refused(relief_m: float) -> None:
    with pytest.raises(OptionsError, match="relief of 0 m or more"):
        reach_px(relief_m, SQUARE_M)
