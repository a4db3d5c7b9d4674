"""Boundary F1 against loops over pixels and hand-worked drawings; tiled equals whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from headscarp.errors import OptionsError
from headscarp.evaluate.boundary import BoundaryMaps, boundary_maps, boundary_metrics, halo_px

BoolArray = NDArray[np.bool_]

drawings = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12), elements=st.integers(0, 7)
)


def layers_of(drawn: NDArray[np.uint8]) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Landslide, predicted and valid as three bits of a drawing; three pixels of four are valid."""
    return (drawn & 1) > 0, (drawn & 2) > 0, (drawn != 4) & (drawn != 7)


def mask_of(*rows: str) -> BoolArray:
    return np.array([[mark == "#" for mark in row] for row in rows])


def naive_edge(inside: BoolArray, valid: BoolArray) -> set[tuple[int, int]]:
    height, width = inside.shape
    found = set()
    for r in range(height):
        for c in range(width):
            for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                y, x = r + down, c + right
                within = 0 <= y < height and 0 <= x < width
                if inside[r, c] and valid[r, c] and within and valid[y, x] and not inside[y, x]:
                    found.add((r, c))
    return found


def naive_maps(drawn: NDArray[np.uint8], tolerance: int) -> list[set[tuple[int, int]]]:
    landslide, predicted, valid = layers_of(drawn)
    m, p = naive_edge(landslide, valid), naive_edge(predicted, valid)

    def near(own: set[tuple[int, int]], other: set[tuple[int, int]]) -> set[tuple[int, int]]:
        return {a for a in own if any(max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= tolerance for b in other)}

    return [near(p, m), p, near(m, p), m]


@settings(max_examples=150, deadline=None)
@given(drawn=drawings, tolerance=st.integers(0, 4))
def test_maps_are_those_of_loops_over_pixels(drawn: NDArray[np.uint8], tolerance: int) -> None:
    maps = boundary_maps(*layers_of(drawn), tolerance)
    found = [{(int(r), int(c)) for r, c in np.argwhere(m)} for m in maps]
    assert found == naive_maps(drawn, tolerance)


@settings(max_examples=80, deadline=None)
@given(drawn=drawings, tolerance=st.integers(0, 3), size_px=st.integers(1, 6))
def test_tiles_with_a_halo_give_what_the_whole_gives(
    drawn: NDArray[np.uint8], tolerance: int, size_px: int
) -> None:
    layers, halo = layers_of(drawn), halo_px(tolerance)
    height, width = drawn.shape
    joined = BoundaryMaps(*(np.zeros(drawn.shape, bool) for _ in range(4)))
    for top in range(0, height, size_px):
        for left in range(0, width, size_px):
            y, x = max(top - halo, 0), max(left - halo, 0)
            wide = (slice(y, top + size_px + halo), slice(x, left + size_px + halo))
            inner = (slice(top - y, top - y + size_px), slice(left - x, left - x + size_px))
            maps = boundary_maps(*(layer[wide] for layer in layers), tolerance)
            for out, own in zip(joined, maps, strict=True):
                out[top : top + size_px, left : left + size_px] = own[inner]
    for out, whole in zip(joined, boundary_maps(*layers, tolerance), strict=True):
        np.testing.assert_array_equal(out, whole)


def test_a_smaller_halo_would_not_do() -> None:
    """The other side's boundary lies two pixels beyond the tile, and the pixel that makes it one a third."""
    landslide, predicted = mask_of("...###.."), mask_of("##......")
    valid = np.ones((1, 8), bool)
    maps = [boundary_maps(landslide[:, :n], predicted[:, :n], valid[:, :n], 2) for n in (8, 2 + 3, 2 + 1)]
    # the tile is the first two columns; column 3 is a boundary because of column 2 and is 2 px from column 1
    assert [bool(m.matched_predicted[0, 1]) for m in maps] == [True, True, False]


def test_the_outline_of_a_square_and_the_edge_of_the_array() -> None:
    square = mask_of(".....", ".###.", ".###.", ".###.", ".....")
    valid = np.ones(square.shape, bool)
    ring = square.copy()
    ring[2, 2] = False
    np.testing.assert_array_equal(boundary_maps(square, ~square, valid, 0).mapped, ring)
    full = np.ones((3, 3), bool)
    assert not boundary_maps(full, full, full, 1).mapped.any()


def test_ignored_ground_makes_no_boundary() -> None:
    landslide, valid = mask_of("###.", "###."), mask_of("###.", "####")
    maps = boundary_maps(landslide, landslide, valid, 0)
    np.testing.assert_array_equal(maps.mapped, mask_of("....", "..#."))


@pytest.mark.parametrize(("tolerance", "matched"), [(0, 0), (1, 1)])
def test_a_tolerance_of_one_reaches_the_corner(tolerance: int, matched: int) -> None:
    first, second = mask_of("#...", "....", "...."), mask_of("....", ".#..", "....")
    maps = boundary_maps(first, second, np.ones((3, 4), bool), tolerance)
    assert [int(m.sum()) for m in maps] == [matched, 1, matched, 1]


def test_a_shift_is_forgiven_within_the_tolerance_only() -> None:
    square = np.zeros((30, 30), bool)
    square[10:20, 10:20] = True
    moved, valid = np.roll(square, 3, axis=1), np.ones(square.shape, bool)
    counts = [[m.sum() for m in boundary_maps(square, moved, valid, t)] for t in (2, 3)]
    assert counts[1] == [36, 36, 36, 36]
    # 3 px apart: all 10 rows of the outer side, and of the inner side the 4 rows that are farther than
    # 2 px from the other's upper and lower sides
    assert counts[0] == [36 - 14, 36, 36 - 14, 36]
    assert boundary_metrics(np.array(counts))["boundary_f1"][1] == 1.0


def test_metrics_by_hand_and_over_leading_dimensions() -> None:
    counts = np.array([[[3, 4, 4, 8], [0, 5, 0, 7]], [[0, 0, 0, 7], [0, 0, 0, 0]]])
    values = boundary_metrics(counts)
    nan = np.nan
    np.testing.assert_allclose(values["boundary_precision"], [[0.75, 0.0], [nan, nan]])
    np.testing.assert_allclose(values["boundary_recall"], [[0.5, 0.0], [0.0, nan]])
    np.testing.assert_allclose(values["boundary_f1"], [[0.6, 0.0], [0.0, nan]])


def test_inputs_are_left_alone_and_a_negative_tolerance_is_refused() -> None:
    landslide = mask_of("#.", "..")
    before = landslide.copy()
    boundary_maps(landslide, landslide, np.ones((2, 2), bool), 1)
    np.testing.assert_array_equal(landslide, before)
    with pytest.raises(OptionsError, match="0 pixels or more"):
        boundary_maps(landslide, landslide, landslide, -1)
