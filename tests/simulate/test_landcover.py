"""Land cover is tied to elevation, slope and drainage; parcels are rectangles of plausible size."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from headscarp.simulate.ground import Ground, LandCover
from headscarp.simulate.land.landcover import (
    CROP_ABOVE_M,
    CROP_DEG,
    CROP_WIDTH_M,
    FOREST_LINE,
    RAGGED_DEG,
    RIVER_M2,
    ROCK_DEG,
    VILLAGE_DEG,
    _leave_strips,
    height_quantiles,
    land_cover,
    river_width_m,
)
from headscarp.simulate.land.parcels import FIELDS, STANDS, Lattice, outlines_of, parcels, parcels_in
from tests.simulate.grounds import geobox_of, ground_of, valley
from tests.simulate.scenery import mountains

SEED = 7
MOST_RAGGED = 5.0
"""Standard deviations that a smooth field does not exceed here."""


@pytest.fixture(scope="module")
def ground() -> Ground:
    return mountains()


@pytest.fixture(scope="module")
def cover(ground: Ground) -> NDArray[np.uint8]:
    return land_cover(ground, SEED)


def where(cover: NDArray[np.uint8], code: LandCover) -> NDArray[np.bool_]:
    return cover == code


def test_every_cover_is_there_and_forest_grows_on_most_slopes(
    ground: Ground, cover: NDArray[np.uint8]
) -> None:
    assert set(np.unique(cover)) == set(LandCover) - {LandCover.UNKNOWN}
    slopes = (ground.slope_deg > 15) & (ground.slope_deg < 40)
    below = ground.height_m < height_quantiles(ground, (0.7,))[0]
    assert np.mean(cover[slopes & below] == LandCover.FOREST) > 0.7


def test_crops_lie_low_and_flat(ground: Ground, cover: NDArray[np.uint8]) -> None:
    crop = where(cover, LandCover.CROP)
    assert crop.mean() > 0.1
    assert ground.slope_deg[crop].max() < CROP_DEG + 0.5 * MOST_RAGGED * RAGGED_DEG
    assert ground.above_channel_m[crop].max() < CROP_ABOVE_M * (1 + 0.25 * MOST_RAGGED)
    high = dataclasses.replace(ground, above_channel_m=ground.above_channel_m + 500.0)
    assert not where(land_cover(high, SEED), LandCover.CROP).any()


def test_a_strip_too_narrow_to_plough_is_grass() -> None:
    floor_m = CROP_WIDTH_M / 2 - 10.0
    narrow, wide = (land_cover(valley(120, floor_m=f), SEED) for f in (floor_m, 3 * CROP_WIDTH_M))
    assert not where(narrow, LandCover.CROP).any()
    assert where(wide, LandCover.CROP).any()


@pytest.mark.parametrize("width", [3, 4, 5, 6])
def test_a_field_keeps_its_place_when_narrow_strips_are_left(width: int) -> None:
    """Squares of odd and even size are opened about the same middle."""
    cover = np.full((30, 30), LandCover.FOREST, np.uint8)
    cover[8 : 8 + width, 5:25] = LandCover.CROP
    cover[20, 5:25] = LandCover.CROP
    before = cover.copy()
    _leave_strips(cover, CROP_WIDTH_M / width)
    assert np.array_equal(cover[:20], before[:20])
    assert (cover[20, 5:25] == LandCover.SHRUB_GRASS).all()


def test_villages_are_few_and_stand_on_flat_ground(ground: Ground, cover: NDArray[np.uint8]) -> None:
    built = where(cover, LandCover.BUILT)
    flats = ground.slope_deg < CROP_DEG
    assert 0.003 < built[flats].mean() < 0.15
    assert ground.slope_deg[built].max() < VILLAGE_DEG


def test_rock_is_steep_or_high(ground: Ground, cover: NDArray[np.uint8]) -> None:
    rock = where(cover, LandCover.ROCK)
    assert rock[ground.slope_deg > ROCK_DEG + MOST_RAGGED * RAGGED_DEG].all()
    low = ground.height_m < height_quantiles(ground, (0.7,))[0]
    assert ground.slope_deg[rock & low].min(initial=90.0) > ROCK_DEG - MOST_RAGGED * RAGGED_DEG
    assert rock.mean() < 0.5


def test_no_forest_far_above_its_line(ground: Ground, cover: NDArray[np.uint8]) -> None:
    line, top = height_quantiles(ground, (FOREST_LINE, 1.0))
    highest = ground.height_m > line + 0.9 * (top - line)
    assert highest.any()
    assert set(np.unique(cover[highest])) <= {LandCover.SHRUB_GRASS, LandCover.ROCK}


def test_a_high_plateau_is_above_the_trees_however_flat_and_wet() -> None:
    x = np.arange(304) * 10.0
    step = np.interp(x, [0.0, 1500.0, 2650.0, 2700.0, 3040.0], [100.0, 105.0, 600.0, 900.0, 902.0])
    cover = land_cover(ground_of(np.tile(step, (304, 1)), above_channel_m=0.0), SEED)
    low, high = cover[:, 5:140], cover[:, 275:295]
    assert np.mean(low == LandCover.CROP) > 0.5
    assert (high == LandCover.SHRUB_GRASS).all()


def test_a_river_is_as_wide_as_its_catchment_makes_it(ground: Ground, cover: NDArray[np.uint8]) -> None:
    width_px = np.count_nonzero(where(cover, LandCover.WATER)[100], axis=-1)
    # 4 m x sqrt(64) = 32 m: the channel's pixel and one to each side
    assert width_px == 3
    assert river_width_m(np.array([64e6])).tolist() == [32.0]
    brook = dataclasses.replace(ground, catchment_m2=np.minimum(ground.catchment_m2, 0.99 * RIVER_M2))
    stream = dataclasses.replace(ground, catchment_m2=np.minimum(ground.catchment_m2, 1.01 * RIVER_M2))
    assert not where(land_cover(brook, SEED)[100], LandCover.WATER).any()
    assert np.count_nonzero(where(land_cover(stream, SEED)[100], LandCover.WATER)) == 1


def test_water_lies_in_the_flats(ground: Ground, cover: NDArray[np.uint8]) -> None:
    water = where(cover, LandCover.WATER)
    assert ground.slope_deg[water].max() < 15.0
    assert ground.above_channel_m[water].max() < 1.0
    # the valley falls to the south: its lake lies there
    rows = np.flatnonzero(np.count_nonzero(water, axis=1) > 10)
    assert rows.size > 0
    assert rows.min() > 250


def test_lakes_stand_on_the_lowest_ground() -> None:
    ground = valley(200, floor_m=300.0)
    dry = dataclasses.replace(ground, catchment_m2=np.full(ground.shape, 100.0, np.float32))
    lake = where(land_cover(dry, SEED), LandCover.WATER)
    share = np.count_nonzero(lake) / lake.size
    assert 0.005 < share <= 0.012
    assert ground.height_m[lake].max() <= np.quantile(ground.height_m, 0.012)


def test_unknown_heights_stay_unknown(ground: Ground) -> None:
    wide = ground.wide_height_m.copy()
    wide[50:60, 70:90] = np.nan
    holed = ground_of(wide, 10.0, 2, ground.catchment_m2, ground.above_channel_m)
    cover = land_cover(holed, SEED)
    unknown = where(cover, LandCover.UNKNOWN)
    assert np.array_equal(unknown, np.isnan(holed.height_m) | np.isnan(holed.slope_deg))
    assert unknown.any()
    nothing = ground_of(np.full((70, 70), np.nan), 10.0, 2, np.nan, np.nan)
    assert not land_cover(nothing, SEED).any()


def test_one_seed_one_cover(ground: Ground, cover: NDArray[np.uint8]) -> None:
    assert cover.dtype == np.uint8
    assert np.array_equal(cover, land_cover(ground, SEED))
    assert not np.array_equal(cover, land_cover(ground, SEED + 1))


@pytest.mark.parametrize(("lattice", "seed"), [(FIELDS, 1), (STANDS, 2), (FIELDS, 3)])
def test_parcels_have_plausible_areas_and_shapes(lattice: Lattice, seed: int) -> None:
    ground = mountains(300)
    number = parcels(ground, lattice, seed)
    found, counts = np.unique(number, return_counts=True)
    assert found.min() >= 1
    edge = np.unique(np.concatenate([number[0], number[-1], number[:, 0], number[:, -1]]))
    areas = counts[~np.isin(found, edge)] * 100.0
    expected = lattice.along_m * lattice.across_m
    assert np.mean(areas) == pytest.approx(expected, rel=0.15)
    assert areas.min() > 0.3 * expected
    assert areas.max() < 2.1 * expected
    inner = number.copy()
    inner[np.isin(number, edge)] = 0
    outlines = [outline for _, outline in outlines_of(inner, ground)]
    full = [o.area / shapely.minimum_rotated_rectangle(o).area for o in outlines]
    assert np.median(full) > 0.8
    # one connected region a parcel
    assert len(outlines) == len(areas)


def test_parcels_of_a_window_are_those_of_the_whole() -> None:
    ground = mountains(300)
    whole = parcels(ground, FIELDS, SEED)
    for rows, cols in (
        (slice(0, 300), slice(0, 300)),
        (slice(13, 31), slice(250, 300)),
        (slice(299, 300), slice(7, 8)),
    ):
        assert np.array_equal(whole[rows, cols], parcels_in(ground, FIELDS, SEED, rows, cols))
    assert not np.array_equal(whole, parcels(ground, FIELDS, SEED + 1))


def test_no_two_parcels_share_a_number_on_a_large_grid() -> None:
    """Over 75 km, pixels of one number lie within one parcel's diagonal."""
    empty = np.empty((0, 0), np.float32)
    large = Ground(geobox_of((1500, 1500), 50.0), 0, *[empty] * 6)
    number = parcels(large, FIELDS, SEED).ravel()
    order = np.argsort(number, kind="stable")
    first = np.flatnonzero(np.diff(number[order], prepend=0))
    assert number.min() >= 1
    for place in np.divmod(order, 1500):
        extent = np.maximum.reduceat(place, first) - np.minimum.reduceat(place, first)
        assert extent.max() * 50.0 < 1.5 * np.hypot(FIELDS.along_m, FIELDS.across_m)


def test_outlines_lie_within_their_pixels_and_apart() -> None:
    ground = mountains(100)
    number = parcels(ground, FIELDS, SEED)
    outlines = outlines_of(number, ground)
    pairs = [(a, b) for i, (_, a) in enumerate(outlines) for _, b in outlines[:i]]
    assert len(pairs) > 100
    assert max(a.intersection(b).area for a, b in pairs) < 1e-9
    for value, outline in outlines[::7]:
        inside = shapely.contains_xy(outline, *centres(ground))
        assert (number[inside] == value).all()


def centres(ground: Ground) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """East and north of the middles of the pixels."""
    rows, cols = np.mgrid[: ground.shape[0], : ground.shape[1]] + 0.5
    t = ground.geobox.transform
    return t.c + cols * t.a, t.f + rows * t.e


def test_outline_of_a_square_by_hand() -> None:
    ground = mountains(20)
    values = np.zeros((20, 20), np.uint8)
    values[4:14, 6:12] = 3
    ((value, outline),) = outlines_of(values, ground)
    assert value == 3
    # 60 m x 100 m, drawn in by 7.5 m on each side
    assert outline.area == pytest.approx(45.0 * 85.0)
    west, north = ground.geobox.transform.c, ground.geobox.transform.f
    assert outline.bounds == pytest.approx((west + 67.5, north - 132.5, west + 112.5, north - 47.5))


def test_quantiles_of_heights_are_numpys() -> None:
    ground = mountains(100)
    values = height_quantiles(ground, (0.1, 0.5))
    assert values == pytest.approx(np.quantile(ground.height_m, (0.1, 0.5)))
    nothing = ground_of(np.full((70, 70), np.nan))
    assert all(math.isnan(v) for v in height_quantiles(nothing, (0.1, 0.5)))
