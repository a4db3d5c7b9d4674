"""Kinds of ground: steepness, facing relative to the look, codes; blocks of ground."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from headscarp.evaluate.blocks import lay_blocks
from headscarp.evaluate.intervals import IntervalOptions
from headscarp.evaluate.strata import FACINGS, SLOPE_NAMES, code_stratum, facing_stratum, slope_stratum
from headscarp.grid import tiles


def test_slope_classes_hold_their_lower_edge() -> None:
    slope = np.array([0.0, 4.999, 5.0, 14.999, 15.0, 25.0, 35.0, 89.0, np.nan])
    assert slope_stratum(slope).image.tolist() == [0, 0, 1, 1, 2, 3, 4, 4, -1]
    assert SLOPE_NAMES[1] == "5-15°"


@given(st.floats(0, 359.99), st.floats(0, 359.99))
def test_facing_is_the_angle_to_the_radar(aspect: float, look: float) -> None:
    """Oracle: the cosine of the angle between the aspect and the way back to the radar."""
    image = facing_stratum(np.array([30.0]), np.array([aspect]), look).image
    cosine = -np.cos(np.radians(aspect - look))
    if abs(abs(cosine) - np.sqrt(0.5)) < 1e-6:
        return
    expected = "toward" if cosine > np.sqrt(0.5) else "away" if cosine < -np.sqrt(0.5) else "along"
    assert FACINGS[int(image[0])] == expected


def test_turning_the_land_and_the_look_together_changes_nothing() -> None:
    aspect = np.arange(0.0, 360.0, 7.0)
    slope = np.full_like(aspect, 20.0)
    first = facing_stratum(slope, aspect, 78.0).image
    turned = facing_stratum(slope, (aspect + 100.0) % 360.0, 178.0).image
    assert np.array_equal(first, turned)


def test_opposite_looks_swap_toward_and_away() -> None:
    aspect = np.arange(1.0, 360.0, 7.0)
    slope = np.full_like(aspect, 20.0)
    first, back = (facing_stratum(slope, aspect, look).image for look in (80.0, 260.0))
    swap = {1: 3, 3: 1, 2: 2}
    assert [swap[int(i)] for i in first] == back.tolist()


def test_flat_and_unknown_ground_has_no_facing() -> None:
    found = facing_stratum(np.array([2.0, 4.0, np.nan]), np.array([np.nan, 90.0, 90.0]), 80.0)
    assert found.image.tolist() == [0, 0, -1]


def test_codes_without_a_name_are_unknown() -> None:
    found = code_stratum(np.array([[10.0, 20.0], [99.0, np.nan]]), {20: "shrub", 10: "trees"})
    assert found.names == ("shrub", "trees")
    assert found.image.tolist() == [[1, 0], [-1, -1]]


@pytest.mark.parametrize("size_px", [100, 512])
def test_blocks_of_tiles_cover_the_ground_once(size_px: int) -> None:
    ground = GeoBox((333, 517), Affine(10, 0, 5e5, 0, -10, 4e6), "EPSG:32654")
    first, blocks = lay_blocks([ground, ground], IntervalOptions(block_m=700.0))
    assert blocks.side_px == (70, 70)
    assert (first.number, blocks.offset) == (5 * 8, 5 * 8)
    seen = np.full(ground.shape, -1)
    for tile in tiles(ground, size_px):
        part = blocks.of_tile(tile)
        seen[tile.rows, tile.cols] = part.places[part.image]
    rows, cols = np.mgrid[:333, :517]
    assert np.array_equal(seen, 40 + (rows // 70) * 8 + cols // 70)
    assert np.array_equal(blocks.of_pixels(rows, cols), seen)


def test_blocks_grow_where_there_would_be_too_many() -> None:
    ground = GeoBox((1000, 1000), Affine(10, 0, 5e5, 0, -10, 4e6), "EPSG:32654")
    [blocks] = lay_blocks([ground], IntervalOptions(block_m=100.0, max_blocks=50))
    assert blocks.number <= 50
    assert blocks.side_m > 100.0


def test_blocks_of_a_geographic_grid_are_square_on_the_ground() -> None:
    ground = GeoBox((2000, 2000), Affine(1e-4, 0, 137.0, 0, -1e-4, 60.0), "EPSG:4326")
    [blocks] = lay_blocks([ground], IntervalOptions(block_m=1280.0))
    rows, cols = blocks.side_px
    assert rows == pytest.approx(1280 / 11.1, rel=0.02)
    assert cols == pytest.approx(1280 / 5.6, rel=0.02)
    place = np.array([rows]), np.array([cols])
    assert blocks.of_pixels(*place).tolist() == [blocks.columns + 1]
