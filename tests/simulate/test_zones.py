"""Zones and label: samples against exact intersections, pixel by pixel."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.affinity import rotate

from headscarp.simulate import zones
from headscarp.simulate.zones import FULL, label_of, most_frequent, rasterise
from tests.simulate.grounds import CRS, NORTH_M, WEST_M, geobox_of

SHAPE = (23, 31)
BOX = geobox_of(SHAPE)


def pixel(row: int, col: int) -> shapely.Polygon:
    west, north = WEST_M + 10 * col, NORTH_M - 10 * row
    return shapely.box(west, north - 10, west + 10, north)


def blobs(count: int, seed: int) -> list[shapely.Polygon]:
    rng = np.random.default_rng(seed)
    places = rng.uniform((WEST_M, NORTH_M - 230), (WEST_M + 310, NORTH_M), (count, 2))
    return [rotate(shapely.Point(*place).buffer(rng.uniform(3, 60)), rng.uniform(0, 90)) for place in places]


def samples_by_hand(outlines: list[shapely.Polygon], row: int, col: int) -> list[int]:
    """Number, from 1, of the last outline over each sample of a pixel; 0 where there is none."""
    out = []
    for y in (np.arange(4) + 0.5) * 2.5:
        for x in (np.arange(4) + 0.5) * 2.5:
            point = shapely.Point(WEST_M + 10 * col + x, NORTH_M - 10 * row - y)
            over = [number for number, outline in enumerate(outlines, 1) if outline.contains(point)]
            out.append(over[-1] if over else 0)
    return out


def test_zones_equal_a_loop_over_pixels_and_samples() -> None:
    outlines = blobs(7, seed=1)
    found = rasterise(outlines, BOX)
    assert found.index.dtype == np.int32
    assert found.share.dtype == np.uint8
    for row in range(SHAPE[0]):
        for col in range(SHAPE[1]):
            samples = samples_by_hand(outlines, row, col)
            covered = [number for number in samples if number]
            assert found.share[row, col] == len(covered)
            expected = max(sorted(set(covered)), key=covered.count) if covered else 0
            assert found.index[row, col] == expected


def test_shares_are_exact_intersections_to_the_samples_error() -> None:
    outlines = blobs(5, seed=2)
    union = shapely.union_all(outlines)
    exact = np.array(
        [[union.intersection(pixel(r, c)).area / 100 for c in range(SHAPE[1])] for r in range(SHAPE[0])]
    )
    share = rasterise(outlines, BOX).share / FULL
    assert np.abs(share - exact).max() < 0.16
    assert np.abs(share - exact).mean() < 0.01
    assert share.sum() == pytest.approx(exact.sum(), rel=0.01)
    assert ((share == 1.0) >= (exact == 1.0)).all()


def test_a_quarter_of_a_pixel_counts_four_sixteenths() -> None:
    west, north = WEST_M + 20, NORTH_M - 30
    found = rasterise([shapely.box(west, north - 5, west + 5, north)], BOX)
    assert found.share[3, 2] == 4
    assert found.share.sum() == 4
    assert found.index[3, 2] == 1


def test_the_index_is_of_the_outline_that_covers_most() -> None:
    west, north = WEST_M, NORTH_M
    small, large = (
        shapely.box(west, north - 10, west + 2.5, north),
        shapely.box(west + 2.5, north - 10, west + 10, north),
    )
    for outlines, expected in (([small, large], 2), ([large, small], 1)):
        found = rasterise(outlines, BOX)
        assert (found.index[0, 0], found.share[0, 0]) == (expected, FULL)


def test_the_later_of_two_overlapping_outlines_lies_on_top() -> None:
    below, above = pixel(4, 4).buffer(15), pixel(4, 4)
    found = rasterise([below, above], BOX)
    assert found.index[4, 4] == 2
    assert found.index[4, 3] == 1
    assert rasterise([above, below], BOX).index[4, 4] == 2


def test_strips_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    outlines = blobs(9, seed=3)
    whole = rasterise(outlines, BOX)
    monkeypatch.setattr(zones, "STRIP_ROWS", 5)
    parts = rasterise(outlines, BOX)
    np.testing.assert_array_equal(parts.index, whole.index)
    np.testing.assert_array_equal(parts.share, whole.share)


def test_multipolygons_and_holes_are_kept() -> None:
    ring = pixel(5, 5).buffer(20).difference(pixel(5, 5))
    found = rasterise([shapely.MultiPolygon([ring, pixel(15, 20)])], BOX)
    assert found.share[5, 5] == 0
    assert found.share[5, 4] == FULL
    assert found.index[15, 20] == 1


def test_no_outline_and_outlines_elsewhere_leave_zeros() -> None:
    for outlines in ([], [shapely.box(0, 0, 10, 10)]):
        found = rasterise(outlines, BOX)
        assert found.index.shape == found.share.shape == SHAPE
        assert not found.index.any()
        assert not found.share.any()


def test_the_most_frequent_number_leaves_zeros_out() -> None:
    rows = np.array([[0, 0, 0, 4], [6, 6, 5, 5], [9, 9, 9, 9], [1, 8, 8, 0], [7, 2, 2, 7]], np.int32)
    assert most_frequent(rows).tolist() == [4, 5, 9, 8, 2]


def test_the_label_is_one_where_the_middle_of_a_pixel_lies_inside() -> None:
    outlines = blobs(6, seed=4)
    label = label_of(gpd.GeoDataFrame(geometry=outlines, crs=CRS), BOX)
    assert label.dtype == np.uint8
    for row in range(SHAPE[0]):
        for col in range(SHAPE[1]):
            middle = pixel(row, col).centroid
            assert label[row, col] == any(outline.contains(middle) for outline in outlines)


def test_the_label_of_an_empty_inventory_is_zero() -> None:
    label = label_of(gpd.GeoDataFrame(geometry=[], crs=CRS), BOX)
    assert label.shape == SHAPE
    assert not label.any()
