"""Labels against a naive loop, and the lattice that chips lie on."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from headscarp.chips.labels import Outlines, label_of, lay_outlines
from headscarp.chips.lattice import part_of, regions, starts
from headscarp.chips.store import IGNORE

GRID = GeoBox((12, 16), Affine(10, 0, 1000, 0, -10, 2000), "EPSG:32654")


def outlines(*polygons: shapely.Geometry) -> Outlines:
    return Outlines.of(np.array(polygons, dtype=object))


def pixel(grid: GeoBox, row: int, col: int) -> shapely.Geometry:
    t = grid.transform
    left, top = t.c + col * t.a, t.f + row * t.e
    return shapely.box(left, top + t.e, left + t.a, top)


@pytest.mark.parametrize("all_touched", [False, True])
def test_labels_are_those_of_a_naive_loop(all_touched: bool) -> None:
    slanted = shapely.Polygon([(1013, 1987), (1088, 1961), (1079, 1921), (1023, 1903)])
    holed = shapely.Point(1120, 1930).buffer(33).difference(shapely.Point(1120, 1930).buffer(14))
    beyond = shapely.box(1143, 1870, 1300, 1893)
    both = [slanted, holed, beyond]
    laid = lay_outlines(GRID, outlines(*both), all_touched)
    expected = np.zeros(GRID.shape, bool)
    for row, col in np.ndindex(*GRID.shape):
        own = pixel(GRID, row, col)
        expected[row, col] = any(
            polygon.intersects(own) if all_touched else polygon.contains(own.centroid) for polygon in both
        )
    assert 20 < expected.sum() < 120
    np.testing.assert_array_equal(laid, expected)


def test_a_sliver_between_centres_counts_only_where_touched() -> None:
    sliver = outlines(shapely.box(1011, 1981, 1014, 1984))
    assert not lay_outlines(GRID, sliver).any()
    assert np.argwhere(lay_outlines(GRID, sliver, all_touched=True)).tolist() == [[1, 1]]


def test_no_outline_is_no_landslide() -> None:
    assert not lay_outlines(GRID, outlines()).any()
    assert not lay_outlines(GRID, outlines(shapely.Polygon())).any()
    assert not lay_outlines(GRID, outlines(shapely.box(0, 0, 1, 1))).any()


def test_ignored_and_unobserved_pixels_are_left_out() -> None:
    landslide = np.array([[True, True, True, False, False, False]])
    observed = np.array([[True, False, True, True, False, True]])
    ignored = np.array([[False, False, True, False, False, True]])
    assert label_of(landslide, observed, ignored).tolist() == [[1, IGNORE, IGNORE, 0, IGNORE, IGNORE]]
    assert label_of(landslide, observed).dtype == np.uint8


@given(st.integers(1, 700), st.sampled_from([(32, 32), (128, 128), (128, 64), (256, 128), (50, 30)]))
def test_chips_leave_no_pixel_out_and_none_is_idle(length: int, cut: tuple[int, int]) -> None:
    size, stride = cut
    first = starts(length, size, stride)
    covered = np.zeros(length, int)
    for start in first:
        assert start % stride == 0
        assert (covered[start : start + size] == 0).any(), "each chip shows ground that those before do not"
        covered[start : start + size] += 1
    assert covered.all()
    if size == stride:
        assert (covered == 1).all(), "without overlap every pixel is in one chip"


@given(
    st.integers(1, 900), st.integers(1, 900), st.sampled_from([(128, 128), (128, 64), (256, 128), (600, 600)])
)
def test_every_chip_is_in_one_region_and_inside_it(rows: int, cols: int, cut: tuple[int, int]) -> None:
    grid = GeoBox((rows, cols), Affine(10, 0, 1000, 0, -10, 2000), "EPSG:32654")
    size, stride = cut
    seen = []
    for region in regions(grid, size, stride):
        tile = region.tile
        assert tile.geobox.shape == tile.shape
        assert (tile.rows.start, tile.cols.start) == region.corners[0]
        assert max(tile.shape) <= max(512 + size - stride, size)
        for corner in region.corners:
            assert tile.rows.start <= corner.row <= tile.rows.stop - size
            assert tile.cols.start <= corner.col <= tile.cols.stop - size
        seen += region.corners
    assert sorted(seen) == [(r, c) for r in starts(rows, size, stride) for c in starts(cols, size, stride)]


def test_part_of_a_grid_may_reach_beyond_it() -> None:
    part = part_of(GRID, slice(8, 16), slice(12, 20))
    assert part.shape == (8, 8)
    assert part.boundingbox.bbox == (1120, 1840, 1200, 1920)
    assert part_of(GRID, slice(2, 5), slice(3, 9)) == GRID[2:5, 3:9]
