"""Layer 0: grids cover what they should, once, in step; areas and distances against formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from headscarp.errors import GridError
from headscarp.grid import (
    Bounds,
    crs_wkt,
    expand,
    grid_over,
    is_geographic,
    lonlat_bounds,
    lonlat_centre,
    metres_per_unit,
    pixel_area_m2,
    pixel_offset,
    spacing_m,
    tiles,
    unit_of,
    utm_crs,
)

WGS84_A_M, WGS84_F = 6378137.0, 1 / 298.257223563
PAPER_SPACING_DEG = 8.983e-5
"""Pan & Shi (2023) map on a geographic grid of this spacing, about 10 m."""
STEP = 1e-3
"""Edges within a thousandth of a pixel count as one, as the module states."""


def utm_grid(height: int, width: int, spacing: float = 20.0, crs: str = "EPSG:32654") -> GeoBox:
    return GeoBox((height, width), Affine(spacing, 0, 580000, 0, -spacing, 4730000), crs)


def zone_area_m2(south_deg: float, north_deg: float, width_deg: float) -> float:
    """Area between two parallels and two meridians on WGS 84, by the closed form of Snyder (1987), 3-12."""
    e = math.sqrt(WGS84_F * (2 - WGS84_F))
    b = WGS84_A_M * (1 - WGS84_F)

    def authalic(latitude_deg: float) -> float:
        s = math.sin(math.radians(latitude_deg))
        return s / (2 * (1 - (e * s) ** 2)) + math.log((1 + e * s) / (1 - e * s)) / (4 * e)

    return math.radians(width_deg) * b**2 * (authalic(north_deg) - authalic(south_deg))


def metres_per_degree(latitude_deg: float) -> tuple[float, float]:
    """East-west and north-south, from the radii of curvature of WGS 84."""
    e2, latitude = WGS84_F * (2 - WGS84_F), math.radians(latitude_deg)
    w = math.sqrt(1 - e2 * math.sin(latitude) ** 2)
    east = WGS84_A_M / w * math.cos(latitude)
    north = WGS84_A_M * (1 - e2) / w**3
    return math.radians(east), math.radians(north)


sizes = st.integers(1, 40)
unhurried = settings(deadline=None, max_examples=40)


@unhurried
@given(height=sizes, width=sizes, size_px=st.integers(4, 50))
def test_tiles_cover_every_pixel_exactly_once(height: int, width: int, size_px: int) -> None:
    covered = np.zeros((height, width), dtype=int)
    for tile in tiles(utm_grid(height, width), size_px):
        covered[tile.rows, tile.cols] += 1
        assert tile.shape == tile.geobox.shape
        assert max(tile.shape) <= size_px
    assert (covered == 1).all()


@unhurried
@given(height=sizes, width=sizes, size_px=st.integers(4, 50))
def test_the_grid_of_a_tile_lies_where_its_slices_say(height: int, width: int, size_px: int) -> None:
    whole = utm_grid(height, width)
    for tile in tiles(whole, size_px):
        assert pixel_offset(whole, tile.geobox) == (tile.rows.start, tile.cols.start)
        assert tile.window == ((tile.rows.start, tile.rows.stop), (tile.cols.start, tile.cols.stop))


@unhurried
@given(halo=st.integers(0, 9))
def test_a_halo_grows_a_grid_on_four_sides(halo: int) -> None:
    grid = utm_grid(5, 7)
    grown = expand(grid, halo)
    assert grown.shape == (5 + 2 * halo, 7 + 2 * halo)
    assert pixel_offset(grid, grown) == (-halo, -halo)


spans = st.tuples(
    st.floats(-2e5, 2e5), st.floats(-2e5, 2e5), st.floats(1, 5e4), st.floats(1, 5e4)
).map(lambda v: (v[0], v[1], v[0] + v[2], v[1] + v[3]))  # fmt: skip
anchors = st.none() | st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))


@unhurried
@given(bounds=spans, spacing=st.sampled_from([10.0, 20.0, 30.0, 37.5]), origin=anchors)
def test_a_grid_covers_its_bounds_in_step_and_is_the_smallest(
    bounds: Bounds, spacing: float, origin: tuple[float, float] | None
) -> None:
    x0, y0 = origin or (0.0, 0.0)
    anchor = Affine(spacing, 0, x0, 0, -spacing, y0) if origin else None
    grid = grid_over(bounds, "EPSG:32654", spacing, anchor)
    left, bottom, right, top = bounds
    box, slack = grid.boundingbox, STEP * spacing + 1e-6
    assert box.left <= left + slack and box.right >= right - slack
    assert box.bottom <= bottom + slack and box.top >= top - slack
    # One row or column less on any side would no longer cover it.
    if grid.shape[1] > 1:
        assert box.left + spacing > left and box.right - spacing < right
    if grid.shape[0] > 1:
        assert box.bottom + spacing > bottom and box.top - spacing < top
    for edge, start in ((box.left, x0), (box.top, y0)):
        steps = (edge - start) / spacing
        assert abs(steps - round(steps)) < 1e-6


def test_bounds_on_the_edges_of_pixels_add_no_row() -> None:
    grid = grid_over((100.0, 200.0, 160.0, 280.0), "EPSG:32654", 20.0)
    assert grid.shape == (4, 3)
    assert tuple(grid.transform)[:6] == (20.0, 0.0, 100.0, 0.0, -20.0, 280.0)


def test_a_hair_beyond_an_edge_adds_no_row_but_a_hundredth_of_a_pixel_does() -> None:
    assert grid_over((99.99, 200, 160, 280), "EPSG:32654", 20.0).shape == (4, 3)
    assert grid_over((99.8, 200, 160, 280), "EPSG:32654", 20.0).shape == (4, 4)


def test_the_papers_geographic_grid_is_allowed() -> None:
    grid = grid_over((141.9, 42.6, 142.1, 42.8), "EPSG:4326", PAPER_SPACING_DEG)
    expected_px = math.ceil(0.2 / PAPER_SPACING_DEG)
    assert abs(grid.shape[0] - expected_px) <= 1 and abs(grid.shape[1] - expected_px) <= 1
    assert is_geographic(grid) and unit_of(grid) == "degree"
    x, y = spacing_m(grid)
    assert y.mean() == pytest.approx(9.98, abs=0.02)
    assert x.mean() == pytest.approx(7.37, abs=0.02)


@pytest.mark.parametrize(
    ("bounds", "spacing"),
    [((0, 0, 10, 10), 0.0), ((0, 0, 10, 10), -5.0), ((10, 0, 0, 10), 1.0), ((0, 10, 10, 0), 1.0),
     ((0, 0, 0, 10), 1.0), ((0, 0, 10, 10), math.nan)],
)  # fmt: skip
def test_a_grid_without_pixels_is_refused(bounds: Bounds, spacing: float) -> None:
    with pytest.raises(GridError, match="the grid would have no pixel"):
        grid_over(bounds, "EPSG:32654", spacing)


@unhurried
@given(row=st.integers(-40, 40), col=st.integers(-40, 40))
def test_the_offset_of_a_shifted_grid_is_its_shift(row: int, col: int) -> None:
    source = utm_grid(10, 12)
    target = GeoBox((5, 6), source.transform @ Affine.translation(col, row), source.crs)
    assert pixel_offset(source, target) == (row, col)


@pytest.mark.parametrize(
    "target",
    [
        GeoBox((5, 6), Affine(20, 0, 580010, 0, -20, 4730000), "EPSG:32654"),
        GeoBox((5, 6), Affine(20, 0, 580000, 0, -20, 4730005), "EPSG:32654"),
        GeoBox((5, 6), Affine(10, 0, 580000, 0, -10, 4730000), "EPSG:32654"),
        GeoBox((5, 6), Affine(20, 0, 580000, 0, -20, 4730000), "EPSG:32655"),
        GeoBox((5, 6), Affine(20, 0, 580000, 0, 20, 4730000), "EPSG:32654"),
        # 0.01 m a pixel drifts by more than a thousandth of a pixel over the grid.
        GeoBox((500, 600), Affine(20.01, 0, 580000, 0, -20.01, 4730000), "EPSG:32654"),
    ],
)
def test_a_grid_out_of_step_has_no_offset(target: GeoBox) -> None:
    assert pixel_offset(utm_grid(10, 12), target) is None


def test_a_grid_within_a_thousandth_of_a_pixel_is_in_step() -> None:
    target = GeoBox((5, 6), Affine(20, 0, 580020.01, 0, -20, 4729960), "EPSG:32654")
    assert pixel_offset(utm_grid(10, 12), target) == (2, 1)


def test_the_area_of_utm_pixels_is_planar() -> None:
    assert pixel_area_m2(utm_grid(3, 4, 20.0)).tolist() == [[400.0]] * 3


def test_areas_and_spacings_in_feet_are_given_in_metres() -> None:
    grid = GeoBox((2, 2), Affine(100, 0, 6e6, 0, -100, 2e6), "EPSG:2229")  # California zone 5, US feet
    foot_m = 1200 / 3937
    assert metres_per_unit(grid) == pytest.approx(foot_m, rel=1e-12)
    assert pixel_area_m2(grid) == pytest.approx(np.full((2, 1), (100 * foot_m) ** 2))
    assert spacing_m(grid)[0] == pytest.approx(np.full((2, 1), 100 * foot_m))


@pytest.mark.parametrize("top_deg", [42.7, 0.005, -5.3, 71.0, -80.0])
def test_the_area_of_geographic_pixels_is_the_ellipsoids(top_deg: float) -> None:
    step = 0.001
    grid = GeoBox((10, 3), Affine(step, 0, 141.9, 0, -step, top_deg), "EPSG:4326")
    expected = [[zone_area_m2(top_deg - (i + 1) * step, top_deg - i * step, step)] for i in range(10)]
    assert pixel_area_m2(grid) == pytest.approx(np.array(expected), rel=1e-6)


@pytest.mark.parametrize("top_deg", [42.7, 0.005, -5.3, 71.0])
def test_geographic_spacing_follows_the_radii_of_curvature(top_deg: float) -> None:
    step = 0.001
    grid = GeoBox((4, 3), Affine(step, 0, 141.9, 0, -step, top_deg), "EPSG:4326")
    expected = np.array([metres_per_degree(top_deg - (i + 0.5) * step) for i in range(4)]) * step
    x, y = spacing_m(grid)
    assert x == pytest.approx(expected[:, :1], rel=1e-7)
    assert y == pytest.approx(expected[:, 1:], rel=1e-7)


def test_utm_spacing_is_the_grids_own() -> None:
    x, y = spacing_m(utm_grid(3, 4, 20.0))
    assert x.tolist() == y.tolist() == [[20.0]] * 3


@pytest.mark.parametrize(
    "place", [(-178.5, 10.5), (-0.5, -33.5), (0.5, 51.5), (122.5, -79.5), (179.5, -17.5)]
)
def test_utm_zones_follow_six_degrees_and_the_equator(place: tuple[float, float]) -> None:
    zone = int((place[0] + 180) // 6) + 1
    assert utm_crs(*place) == f"EPSG:{(32600 if place[1] > 0 else 32700) + zone}"


def test_utm_zones_of_the_south_and_of_the_test_areas() -> None:
    assert utm_crs(142.0, 42.7) == "EPSG:32654"
    assert utm_crs(143.3, -5.4) == "EPSG:32754"


@pytest.mark.parametrize("latitude", [86.0, -85.0])
def test_utm_does_not_reach_the_poles(latitude: float) -> None:
    with pytest.raises(GridError, match="polar projection"):
        utm_crs(10.0, latitude)


def test_a_grid_without_a_crs_is_refused() -> None:
    with pytest.raises(GridError, match="a grid with a CRS"):
        crs_wkt(GeoBox((2, 2), Affine(1, 0, 0, 0, -1, 0), None))


def test_lonlat_bounds_hold_the_corners() -> None:
    west, south, east, north = lonlat_bounds(utm_grid(100, 100))
    assert west == pytest.approx(141.97, abs=0.02) and east == pytest.approx(142.0, abs=0.02)
    assert south == pytest.approx(42.70, abs=0.02) and north == pytest.approx(42.72, abs=0.02)
    # 2 km is 0.018° of latitude and, at 42.7° N, 0.0244° of longitude; convergence adds a little.
    assert north - south == pytest.approx(0.0182, rel=0.03)
    assert east - west == pytest.approx(0.0246, rel=0.03)


def test_bounds_and_centre_across_the_antimeridian_stay_in_one_place() -> None:
    grid = GeoBox((100, 100), Affine(1000, 0, 750000, 0, -1000, 8150000), "EPSG:32760")  # Taveuni, Fiji
    west, _, east, _ = lonlat_bounds(grid)
    assert west == pytest.approx(179.35, abs=0.1)
    assert east == pytest.approx(180.30, abs=0.1)
    longitude, latitude = lonlat_centre(grid)
    assert longitude % 360.0 == pytest.approx(179.8, abs=0.1)
    assert latitude == pytest.approx(-17.2, abs=0.1)
