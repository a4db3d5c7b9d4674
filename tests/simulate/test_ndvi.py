"""NDVI: ordered by land cover, greenest in the local summer, lower where something lies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from headscarp.simulate.distractors.changes import Change
from headscarp.simulate.distractors.plan import Distractors
from headscarp.simulate.fields import Field
from headscarp.simulate.ground import Ground, LandCover
from headscarp.simulate.ndvi import (
    DATE_NOISE,
    DEPOSIT_NDVI,
    GREENNESS,
    NOW,
    SOURCE_NDVI,
    change_ndvi,
    landslide_ndvi,
    lowered,
    ndvi,
    ndvi_after,
    ndvi_before,
)
from headscarp.simulate.options import Distractor
from headscarp.simulate.zones import FULL, Zones
from tests.simulate.grounds import ground_of

SEED = 7
JULY, JANUARY = datetime(2024, 7, 15, 8, tzinfo=UTC), datetime(2024, 1, 15, 8, tzinfo=UTC)
EVENT = datetime(2024, 6, 15, tzinfo=UTC)
SIZE = 200


def green(code: LandCover, when: datetime = JULY, latitude_deg: float = 42.0, seed: int = SEED) -> Field:
    cover = np.full((SIZE, SIZE), code, np.uint8)
    return ndvi(cover, when, latitude_deg, seed, (slice(0, SIZE), slice(0, SIZE)), 10.0)


def flat() -> Ground:
    return ground_of(np.zeros((SIZE + 4, SIZE + 4)))


def zones(rows: slice, numbers: tuple[int, ...], share: int = FULL) -> Zones:
    """A band of rows for each number, from the given rows on."""
    index, shares = np.zeros((SIZE, SIZE), np.int32), np.zeros((SIZE, SIZE), np.uint8)
    for i, number in enumerate(numbers):
        band = slice(rows.start + i * (rows.stop - rows.start), rows.stop + i * (rows.stop - rows.start))
        index[band], shares[band] = number, share
    return Zones(index, shares)


NOTHING = Distractors((), (), (), (SIZE, SIZE))


def test_covers_are_ordered() -> None:
    means = {code: float(green(code).mean()) for code in GREENNESS}
    order = sorted(means, key=means.__getitem__)
    assert order[0] is LandCover.WATER
    assert order[1] is LandCover.ROCK
    assert order[-1] is LandCover.FOREST
    assert means[LandCover.WATER] < 0.0 < means[LandCover.ROCK] < 0.2
    assert means[LandCover.FOREST] > 0.6


@pytest.mark.parametrize("code", list(GREENNESS))
def test_mean_and_spread_are_those_of_the_table(code: LandCover) -> None:
    values = np.stack([green(code, seed=seed) for seed in range(12)])
    look = GREENNESS[code]
    assert values.mean() == pytest.approx(look.mean + look.season, abs=0.25 * look.spread + 0.002)
    assert values.std() == pytest.approx(np.hypot(look.spread, DATE_NOISE), rel=0.2)


def test_season_peaks_in_local_summer() -> None:
    for code in (LandCover.FOREST, LandCover.CROP):
        season = GREENNESS[code].season
        assert green(code).mean() - green(code, JANUARY).mean() == pytest.approx(2 * season, abs=0.01)
        south = green(code, latitude_deg=-42.0).mean() - green(code, JANUARY, -42.0).mean()
        assert south == pytest.approx(-2 * season, abs=0.01)
        assert green(code, latitude_deg=0.0).mean() == pytest.approx(
            green(code, JANUARY, 0.0).mean(), abs=0.005
        )


def test_dates_share_their_texture_and_not_their_noise() -> None:
    one, other = green(LandCover.FOREST), green(LandCover.FOREST, JULY + timedelta(days=1))
    difference = one - other
    assert difference.std() == pytest.approx(np.sqrt(2) * DATE_NOISE, rel=0.1)
    assert np.array_equal(one, green(LandCover.FOREST))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.85


def test_range_and_unknown() -> None:
    cover = np.resize(np.array(list(LandCover), np.uint8), (SIZE, SIZE))
    values = ndvi(cover, JULY, 42.0, SEED, (slice(0, SIZE), slice(0, SIZE)), 10.0)
    assert values.dtype == np.float32
    assert np.array_equal(np.isnan(values), cover == LandCover.UNKNOWN)
    assert np.nanmin(values) >= -1.0
    assert np.nanmax(values) <= 1.0


def test_a_window_is_a_part_of_the_whole() -> None:
    cover = np.resize(np.array(list(LandCover), np.uint8), (SIZE, SIZE))
    whole = ndvi(cover, JULY, 42.0, SEED, (slice(0, SIZE), slice(0, SIZE)), 10.0)
    rows, cols = slice(37, 111), slice(3, 60)
    part = ndvi(cover[rows, cols], JULY, 42.0, SEED, (rows, cols), 10.0)
    assert part.tobytes() == np.ascontiguousarray(whole[rows, cols]).tobytes()


def test_lowered_mixes_by_share_by_hand() -> None:
    values = np.array([0.8, 0.8, 0.8, 0.05, 0.8, np.nan], np.float32)
    index = np.array([0, 1, 1, 1, 2, 1], np.int32)
    share = np.array([0, FULL, FULL // 4, FULL, FULL, FULL], np.uint8)
    found = lowered(values, index, share, np.array([0.2, np.nan]))
    # nothing; all of it; a quarter; already lower; a change that is not there; unknown
    assert found.tolist() == pytest.approx([0.8, 0.2, 0.65, 0.05, 0.8, np.nan], nan_ok=True)


def test_landslides_fall_to_soil_and_deposits_less() -> None:
    now = landslide_ndvi(400, SEED)
    source, deposit = now[0::2], now[1::2]
    assert SOURCE_NDVI[0] <= source.min() < source.max() <= SOURCE_NDVI[1]
    assert DEPOSIT_NDVI[0] <= deposit.min() < deposit.max() <= DEPOSIT_NDVI[1]
    assert np.array_equal(now[:10], landslide_ndvi(10, SEED))
    assert len(landslide_ndvi(5000, SEED)) == 5000


def changes(*kinds: Distractor, first: datetime = EVENT, last: datetime | None = None) -> tuple[Change, ...]:
    return tuple(Change(kind, shapely.box(0, 0, 1, 1), first, last, 0.0, 0.0) for kind in kinds)


def test_changes_show_while_they_are_there() -> None:
    every = changes(*NOW, last=JULY)
    assert np.isnan(change_ndvi(every, EVENT - timedelta(hours=1), SEED)).all()
    assert np.isnan(change_ndvi(every, JULY + timedelta(hours=1), SEED)).all()
    for value, (low, high) in zip(change_ndvi(every, JULY, SEED), NOW.values(), strict=True):
        assert low <= value <= high
    assert NOW[Distractor.FLOOD][1] < 0.0


def test_one_kind_left_out_moves_no_other() -> None:
    all_kinds = changes(Distractor.FLOOD, Distractor.HARVEST, Distractor.HARVEST, Distractor.CLEAR_CUT)
    numbers = change_ndvi(all_kinds, JULY, SEED)
    assert np.array_equal(change_ndvi(all_kinds[1:], JULY, SEED), numbers[1:])
    assert np.array_equal(change_ndvi((all_kinds[0], all_kinds[3]), JULY, SEED), numbers[[0, 3]])
    assert numbers[1] != numbers[2]


def test_before_and_after() -> None:
    ground, cover = flat(), np.full((SIZE, SIZE), LandCover.FOREST, np.uint8)
    cut = Distractors(changes(Distractor.CLEAR_CUT, Distractor.FLOOD, last=None), (), (), (SIZE, SIZE))
    slides, patches = zones(slice(0, 20), (1, 2)), zones(slice(100, 120), (1, 2))
    before = ndvi_before(SEED, ground, cover, EVENT - timedelta(days=3), cut, patches)
    after = ndvi_after(SEED, ground, cover, JULY, slides, cut, patches)
    assert before.dtype == after.dtype == np.float32
    assert before.min() > 0.4
    now, other = landslide_ndvi(2, SEED), change_ndvi(cut.drawn, JULY, SEED)
    for rows, value in ((0, now[0]), (20, now[1]), (100, other[0]), (120, other[1])):
        assert after[rows : rows + 20] == pytest.approx(value, abs=1e-6)
    untouched = np.r_[40:100, 140:200]
    undisturbed = ndvi_before(SEED, ground, cover, JULY)
    assert np.array_equal(after[untouched], undisturbed[untouched])
    assert np.abs(after[untouched] - before[untouched]).max() < 0.15
    # seen again once it has begun
    late = ndvi_before(SEED, ground, cover, JULY, cut, patches)
    assert late[100:120] == pytest.approx(other[0], abs=1e-6)


def test_half_covered_pixels_fall_by_half() -> None:
    ground, cover = flat(), np.full((SIZE, SIZE), LandCover.FOREST, np.uint8)
    empty = Zones(np.zeros((SIZE, SIZE), np.int32), np.zeros((SIZE, SIZE), np.uint8))
    undisturbed = ndvi_before(SEED, ground, cover, JULY)
    half = ndvi_after(SEED, ground, cover, JULY, zones(slice(0, 50), (1,), FULL // 2), NOTHING, empty)
    value = landslide_ndvi(1, SEED)[0]
    assert half[:50] == pytest.approx((undisturbed[:50] + value) / 2, abs=1e-6)
    assert np.array_equal(half[50:], undisturbed[50:])
    assert np.array_equal(ndvi_after(SEED, ground, cover, JULY, empty, NOTHING, empty), undisturbed)


def test_unknown_ground_stays_unknown() -> None:
    cover: NDArray[np.uint8] = np.full((SIZE, SIZE), LandCover.FOREST, np.uint8)
    cover[5:9, 5:9] = LandCover.UNKNOWN
    after = ndvi_after(SEED, flat(), cover, JULY, zones(slice(0, 20), (1,)), NOTHING, zones(slice(0, 1), ()))
    assert np.array_equal(np.isnan(after), cover == LandCover.UNKNOWN)
