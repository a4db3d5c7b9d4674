"""Layer 1: Horn's slope and hillshade against planes, a naive loop, gdaldem and symmetry."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from headscarp.errors import GridError
from headscarp.geometry.terrain import HALO_PX, aspect_deg, gradient, hillshade, slope_deg

INNER = (slice(HALO_PX, -HALO_PX), slice(HALO_PX, -HALO_PX))

heights = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=3, max_side=12),
    elements=st.one_of(st.integers(-500, 9000).map(float), st.just(math.nan)),
)


def plane_m(
    aspect_deg: float, tilt_deg: float, spacing_m: tuple[float, float], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Heights of a plane that falls towards `aspect_deg`, clockwise from north."""
    rows, columns = np.indices(shape)
    east_m, north_m = columns * spacing_m[0], -rows * spacing_m[1]
    aspect = math.radians(aspect_deg)
    fall = east_m * math.sin(aspect) + north_m * math.cos(aspect)
    return (500.0 - math.tan(math.radians(tilt_deg)) * fall).astype(np.float32)


def naive_gradient(window: NDArray[Any], x_m: float, y_m: float) -> tuple[float, float]:
    (nw, n, ne), (w, _, e), (sw, s, se) = window.tolist()
    east = ((ne + 2 * e + se) - (nw + 2 * w + sw)) / (8 * x_m)
    north = ((nw + 2 * n + ne) - (sw + 2 * s + se)) / (8 * y_m)
    return east, north


def naive_slope_deg(height: NDArray[Any], x_m: list[float], y_m: float) -> NDArray[np.float32]:
    slope = np.full(height.shape, np.nan, np.float32)
    for row in range(1, height.shape[0] - 1):
        for column in range(1, height.shape[1] - 1):
            window = height[row - 1 : row + 2, column - 1 : column + 2]
            if not np.isnan(window).any():
                east, north = naive_gradient(window, x_m[row], y_m)
                slope[row, column] = math.degrees(math.atan(math.sqrt(east**2 + north**2)))
    return slope


def naive_shade(window: NDArray[Any], spacing_m: tuple[float, float], az: float, alt: float) -> float:
    """The trigonometric form: slope, aspect and the angle to the lamp, none of them simplified."""
    east, north = naive_gradient(window, *spacing_m)
    slope, downhill = math.atan(math.hypot(east, north)), math.atan2(-east, -north)
    az, alt = math.radians(az), math.radians(alt)
    lit = math.sin(alt) * math.cos(slope) + math.cos(alt) * math.sin(slope) * math.cos(az - downhill)
    return 1.0 + 254.0 * max(lit, 0.0)


def rough_m(shape: tuple[int, int], seed: int = 3) -> NDArray[np.float32]:
    steps = np.random.default_rng(seed).normal(0.0, 4.0, shape)
    return (800.0 + steps.cumsum(axis=0).cumsum(axis=1) / 4.0).astype(np.float32)


@pytest.mark.parametrize("tilt_deg", [0.0, 1.0, 20.0, 45.0, 80.0])
@pytest.mark.parametrize("aspect_deg", [0.0, 45.0, 90.0, 137.0, 180.0, 225.0, 270.0, 333.0])
@pytest.mark.parametrize("spacing_m", [(10.0, 10.0), (30.0, 12.5)])
def test_plane_has_its_own_tilt(aspect_deg: float, tilt_deg: float, spacing_m: tuple[float, float]) -> None:
    slope = slope_deg(plane_m(aspect_deg, tilt_deg, spacing_m, (7, 9)), spacing_m)
    assert slope.dtype == np.float32
    np.testing.assert_allclose(slope[INNER], tilt_deg, atol=1e-3)


@pytest.mark.parametrize("aspect_deg", [0.0, 60.0, 135.0, 250.0])
def test_plane_facing_the_lamp_is_brightest_and_the_one_facing_away_unlit(
    aspect_deg: float,
) -> None:
    facing = plane_m(aspect_deg, 50.0, (10.0, 10.0), (5, 5))
    lit = hillshade(facing, (10.0, 10.0), azimuth_deg=aspect_deg, altitude_deg=40.0)
    dark = hillshade(facing, (10.0, 10.0), azimuth_deg=aspect_deg + 180.0, altitude_deg=40.0)
    np.testing.assert_allclose(lit[INNER], 255.0, atol=1e-3)
    np.testing.assert_array_equal(dark[INNER], 1.0)


def test_gradient_points_east_and_north() -> None:
    spacing_m = (20.0, 5.0)
    to_east, to_north = gradient(plane_m(225.0, 45.0, spacing_m, (6, 6)), spacing_m)
    np.testing.assert_allclose(to_east[INNER], math.sqrt(0.5), atol=1e-4)
    np.testing.assert_allclose(to_north[INNER], math.sqrt(0.5), atol=1e-4)


def test_slope_equals_a_naive_loop_with_spacing_that_varies_by_row_and_holes() -> None:
    height = rough_m((23, 17))
    height[5, 6] = height[12, 0] = height[20, 16] = np.nan
    x_m = 30.0 * np.cos(np.deg2rad(np.linspace(70.0, 60.0, 23)))[:, None]
    expected = naive_slope_deg(height, x_m[:, 0].tolist(), 30.0)
    np.testing.assert_allclose(slope_deg(height, (x_m, 30.0)), expected, rtol=1e-5)


@pytest.mark.parametrize(("azimuth_deg", "altitude_deg"), [(315.0, 45.0), (90.0, 20.0), (200.0, 75.0)])
def test_hillshade_equals_a_naive_loop(azimuth_deg: float, altitude_deg: float) -> None:
    height, spacing_m = rough_m((11, 13)), (10.0, 15.0)
    shade = hillshade(height, spacing_m, azimuth_deg, altitude_deg)
    for row, column in np.ndindex(9, 11):
        window = height[row : row + 3, column : column + 3]
        expected = naive_shade(window, spacing_m, azimuth_deg, altitude_deg)
        assert shade[row + 1, column + 1] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("aspect", [0.0, 45.0, 90.0, 137.0, 180.0, 225.0, 270.0, 333.0])
def test_plane_faces_its_own_way(aspect: float) -> None:
    found = aspect_deg(plane_m(aspect, 30.0, (10.0, 25.0), (6, 7)), (10.0, 25.0))[INNER]
    turned = (found - aspect + 180.0) % 360.0 - 180.0  # 359.99° is next to 0°
    np.testing.assert_allclose(turned, 0.0, atol=1e-2)
    assert np.all((found >= 0.0) & (found < 360.0))


def test_flat_ground_faces_nowhere() -> None:
    assert np.isnan(aspect_deg(np.full((5, 5), 30.0), (10.0, 10.0))).all()


def test_aspect_equals_a_naive_loop() -> None:
    height, spacing_m = rough_m((11, 13)), (10.0, 15.0)
    facing = aspect_deg(height, spacing_m)
    for row, column in np.ndindex(9, 11):
        east, north = naive_gradient(height[row : row + 3, column : column + 3], *spacing_m)
        expected = math.degrees(math.atan2(-east, -north)) % 360.0
        assert facing[row + 1, column + 1] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("command", ["slope", "hillshade"])
def test_agrees_with_gdaldem(command: str, tmp_path: Path) -> None:
    gdaldem = shutil.which("gdaldem")
    if gdaldem is None:
        pytest.skip("no gdaldem on this machine; the naive loop above is the oracle here")
    height = rough_m((40, 30))
    height[9, 9] = np.nan
    source, target = tmp_path / "dem.tif", tmp_path / "out.tif"
    transform = rasterio.Affine(20.0, 0.0, 580000.0, 0.0, -25.0, 4730000.0)
    profile = {"driver": "GTiff", "height": 40, "width": 30, "count": 1, "dtype": "float32"}
    with rasterio.open(
        source, "w", crs="EPSG:32654", transform=transform, nodata=-9999.0, **profile
    ) as writer:
        writer.write(np.where(np.isnan(height), -9999.0, height).astype(np.float32), 1)
    subprocess.run([gdaldem, command, str(source), str(target), "-q"], check=True)
    with rasterio.open(target) as reader:
        theirs = reader.read(1, masked=True).astype(np.float32).filled(np.nan)
    ours = (slope_deg if command == "slope" else hillshade)(height, (20.0, 25.0))
    tolerance = 1e-3 if command == "slope" else 0.51  # gdaldem rounds the shade to a byte
    np.testing.assert_array_equal(np.isnan(ours[INNER]), np.isnan(theirs[INNER]))
    np.testing.assert_allclose(ours[INNER], theirs[INNER], atol=tolerance)


@pytest.mark.parametrize("terrain", [slope_deg, hillshade])
def test_unknown_height_spreads_to_its_window_and_no_further(terrain: Any) -> None:
    height = rough_m((9, 9))
    height[4, 3] = np.nan
    expected = np.ones((9, 9), bool)
    expected[INNER] = False
    expected[3:6, 2:5] = True
    np.testing.assert_array_equal(np.isnan(terrain(height, (10.0, 10.0))), expected)


def test_infinite_heights_are_unknown_heights() -> None:
    height = rough_m((7, 7))
    height[2, 2], height[2, 4] = np.inf, -np.inf
    slope = slope_deg(height, (10.0, 10.0))
    assert np.isnan(slope[1:4, 1:6]).all()
    assert np.isfinite(slope[4:6, 1:6]).all()


@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (1, 1), (0, 4)])
def test_grid_without_an_inside_has_no_slope(shape: tuple[int, int]) -> None:
    slope = slope_deg(np.zeros(shape, np.float32), (10.0, 10.0))
    assert slope.shape == shape
    assert np.isnan(slope).all()


@settings(deadline=None)  # a busy machine is no failure
@given(heights, st.sampled_from([(10.0, 10.0), (30.0, 20.0)]), st.integers(1, 3))
def test_quarter_turns_turn_the_slope(
    height: NDArray[np.float32], spacing_m: tuple[float, float], turns: int
) -> None:
    turned_spacing_m = spacing_m if turns % 2 == 0 else spacing_m[::-1]
    turned = slope_deg(np.rot90(height, turns), turned_spacing_m)
    expected = np.rot90(slope_deg(height, spacing_m), turns)
    np.testing.assert_allclose(turned, expected, rtol=1e-6, atol=1e-6)


@settings(deadline=None)  # a busy machine is no failure
@given(heights, st.floats(-1000.0, 1000.0, width=16))
def test_slope_forgets_the_sign_and_the_datum(height: NDArray[np.float32], datum_m: float) -> None:
    slope = slope_deg(height, (10.0, 10.0))
    np.testing.assert_array_equal(slope_deg(-height, (10.0, 10.0)), slope)
    shifted = height.astype(np.float64) + datum_m
    np.testing.assert_allclose(slope_deg(shifted, (10.0, 10.0)), slope, rtol=1e-5, atol=1e-5)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.integers(3, 20),
    st.integers(3, 20),
    st.integers(1, 7),
    st.sampled_from([slope_deg, hillshade]),
)
def test_tiled_with_halo_equals_whole(rows: int, columns: int, tile_px: int, terrain: Any) -> None:
    height = rough_m((rows, columns))
    x_m = np.linspace(9.0, 11.0, rows)[:, None]
    whole = terrain(height, (x_m, 10.0))
    for top in range(HALO_PX, rows - HALO_PX, tile_px):
        for left in range(HALO_PX, columns - HALO_PX, tile_px):
            bottom, right = min(top + tile_px, rows - 1), min(left + tile_px, columns - 1)
            y, x = slice(top - HALO_PX, bottom + HALO_PX), slice(left - HALO_PX, right + HALO_PX)
            tile = terrain(height[y, x], (x_m[y], 10.0))
            np.testing.assert_array_equal(tile[INNER], whole[top:bottom, left:right])


@pytest.mark.parametrize(
    "spacing_m",
    [(0.0, 10.0), (10.0, -10.0), (math.nan, 10.0), (np.ones((1, 5)), 10.0), (np.ones(5), 10.0)],
)
def test_impossible_spacing_is_refused(spacing_m: Any) -> None:
    with pytest.raises(GridError, match="spacing above 0 m"):
        slope_deg(np.zeros((5, 5), np.float32), spacing_m)


def test_heights_with_a_band_axis_are_refused() -> None:
    with pytest.raises(GridError, match=r"\(1, 5, 5\)"):
        slope_deg(np.zeros((1, 5, 5), np.float32), (10.0, 10.0))
