"""What is no landslide: each kind by itself, its outlines, its times, and the factor it brings to a pass."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from headscarp.errors import EventError
from headscarp.simulate.distractors.changes import (
    CLEAR_CUT_M2,
    EFFECTS,
    FLOOD_ABOVE_M,
    FLOOD_DEG,
    HARVEST_LEAST_M2,
    HARVEST_SHARE,
    Change,
    _take,
)
from headscarp.simulate.distractors.plan import Distractors, plan_distractors
from headscarp.simulate.distractors.timing import Times
from headscarp.simulate.distractors.wetness import (
    MOISTURE_DB,
    MOISTURE_WEIGHT,
    SNOW_DB,
    SNOW_FADE_M,
    SNOW_LINE,
    Moisture,
    Snow,
)
from headscarp.simulate.ground import Ground, LandCover
from headscarp.simulate.land.landcover import land_cover
from headscarp.simulate.land.site import MARGIN_PX, make_site
from headscarp.simulate.land.terrain import survey
from headscarp.simulate.options import Distractor, SimulateOptions, Trigger
from headscarp.simulate.radar.passes import all_passes
from headscarp.simulate.zones import FULL, rasterise
from tests.simulate.scenery import mountains

EVENT = datetime(2024, 6, 15, 12, tzinfo=UTC)
DRAWN = (Distractor.FLOOD, Distractor.BUILDING, Distractor.HARVEST, Distractor.CLEAR_CUT)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def ground() -> Ground:
    return mountains()


@pytest.fixture(scope="module")
def cover(ground: Ground) -> NDArray[np.uint8]:
    return land_cover(ground, 7)


@pytest.fixture(scope="module")
def times(ground: Ground) -> list[datetime]:
    return sorted(p.acquired for p in all_passes(ground.geobox, "2024-06-15", 8, 3))


@pytest.fixture(scope="module")
def everything(ground: Ground, cover: NDArray[np.uint8], times: list[datetime]) -> Distractors:
    return plan_distractors(ground, cover, times, EVENT, SimulateOptions(trigger=Trigger.RAIN))


def of_kind(distractors: Distractors, kind: Distractor) -> list[Change]:
    return [change for change in distractors.changes if change.kind is kind]


def inside(outline: shapely.Geometry, ground: Ground) -> NDArray[np.bool_]:
    """Pixels whose middles lie in an outline."""
    rows, cols = np.mgrid[: ground.shape[0], : ground.shape[1]] + 0.5
    t = ground.geobox.transform
    return np.asarray(shapely.contains_xy(outline, t.c + cols * t.a, t.f + rows * t.e))


@pytest.mark.parametrize("kind", list(Distractor))
def test_each_kind_is_there_and_can_be_left_out_alone(
    kind: Distractor,
    ground: Ground,
    cover: NDArray[np.uint8],
    times: list[datetime],
    everything: Distractors,
) -> None:
    assert of_kind(everything, kind)
    options = SimulateOptions(trigger=Trigger.RAIN, without=(kind,))
    without = plan_distractors(ground, cover, times, EVENT, options)
    assert without.changes == tuple(change for change in everything.changes if change.kind is not kind)


def test_nothing_but_one_kind(ground: Ground, cover: NDArray[np.uint8], times: list[datetime]) -> None:
    options = SimulateOptions(without=tuple(k for k in Distractor if k is not Distractor.FLOOD))
    assert {c.kind for c in plan_distractors(ground, cover, times, EVENT, options).changes} == {
        Distractor.FLOOD
    }


def test_outlines_are_valid_disjoint_and_on_the_grid(ground: Ground, everything: Distractors) -> None:
    outlines = np.array(everything.outlines)
    assert len(outlines) == len(everything.drawn) > 20
    assert shapely.is_valid(outlines).all()
    first, second = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    apart = first != second
    assert np.all(shapely.area(shapely.intersection(outlines[first[apart]], outlines[second[apart]])) < 1e-6)
    grid = shapely.box(*ground.geobox.extent.boundingbox)
    assert shapely.covers(grid, np.array([c.outline for c in everything.changes])).all()


def test_effects_are_in_their_ranges(everything: Distractors) -> None:
    for change in everything.drawn:
        effect = EFFECTS[change.kind]
        assert effect.vv_db[0] <= change.vv_db <= effect.vv_db[1]
        assert effect.vh_db[0] <= change.vh_db <= effect.vh_db[1]
    for snow in everything.snow:
        assert SNOW_DB[0] <= snow.change.vv_db == snow.change.vh_db <= SNOW_DB[1]
    for wet in everything.moisture:
        assert MOISTURE_DB[0] <= wet.change.vv_db <= MOISTURE_DB[1]
        assert wet.change.vh_db == pytest.approx(wet.change.vv_db / 2, abs=0.006)


def test_fields_are_harvested_and_stands_felled(
    ground: Ground, cover: NDArray[np.uint8], everything: Distractors
) -> None:
    harvested = of_kind(everything, Distractor.HARVEST)
    for change in harvested:
        assert (cover[inside(change.outline, ground)] == LandCover.CROP).all()
        assert change.outline.area >= HARVEST_LEAST_M2
    area = sum(change.outline.area for change in harvested)
    crop = np.count_nonzero(cover == LandCover.CROP) * ground.spacing_m**2
    assert 0.2 * HARVEST_SHARE < area / crop < 1.5 * HARVEST_SHARE
    for change in of_kind(everything, Distractor.CLEAR_CUT):
        assert (cover[inside(change.outline, ground)] == LandCover.FOREST).all()
        assert CLEAR_CUT_M2[0] <= change.outline.area <= CLEAR_CUT_M2[1]


def test_floods_lie_low_and_are_larger_after_rain(
    ground: Ground, cover: NDArray[np.uint8], times: list[datetime], everything: Distractors
) -> None:
    shaken = plan_distractors(ground, cover, times, EVENT, SimulateOptions(trigger=Trigger.EARTHQUAKE))
    rain, quake = (of_kind(d, Distractor.FLOOD) for d in (everything, shaken))
    for change in rain:
        wet = inside(change.outline, ground)
        assert ground.above_channel_m[wet].max() < FLOOD_ABOVE_M
        assert ground.slope_deg[wet].max() < FLOOD_DEG
        assert set(np.unique(cover[wet])) <= {LandCover.CROP, LandCover.SHRUB_GRASS}
    assert sum(c.outline.area for c in rain) > 1.5 * sum(c.outline.area for c in quake) > 0.0
    high = dataclasses.replace(ground, above_channel_m=ground.above_channel_m + FLOOD_ABOVE_M)
    dry = plan_distractors(high, cover, times, EVENT, SimulateOptions(trigger=Trigger.RAIN))
    assert not of_kind(dry, Distractor.FLOOD)


def test_buildings_stand_beside_villages(
    ground: Ground, cover: NDArray[np.uint8], everything: Distractors
) -> None:
    rows, cols = np.nonzero(cover == LandCover.BUILT)
    t = ground.geobox.transform
    villages = shapely.MultiPoint(np.column_stack([t.c + (cols + 0.5) * t.a, t.f + (rows + 0.5) * t.e]))
    for change in of_kind(everything, Distractor.BUILDING):
        assert 20.0**2 <= change.outline.area <= 60.0**2
        assert change.outline.centroid.distance(villages) <= 100.0 * np.sqrt(2.0) + 1e-6
    bare = np.where(cover == LandCover.BUILT, LandCover.CROP, cover).astype(np.uint8)
    alone = plan_distractors(ground, bare, [], EVENT, SimulateOptions())
    assert not of_kind(alone, Distractor.BUILDING)


def test_times(times: list[datetime], everything: Distractors) -> None:
    before, after = [t for t in times if t < EVENT], [t for t in times if t > EVENT]
    for kind in (Distractor.HARVEST, Distractor.CLEAR_CUT, Distractor.BUILDING):
        changes = of_kind(everything, kind)
        assert all(times[0] <= c.first_utc <= times[-1] and c.last_utc is None for c in changes)
        assert any(before[-1] <= c.first_utc <= after[0] for c in changes)
    many = of_kind(everything, Distractor.HARVEST)
    assert any(c.first_utc < before[-1] for c in many)
    for kind in (Distractor.FLOOD, Distractor.SOIL_MOISTURE):
        for change in of_kind(everything, kind):
            assert change.first_utc == EVENT
            assert [change.is_active(t) for t in after[:3]] in ([True, False, False], [True, True, False])
            assert not any(change.is_active(t) for t in before)
    seen = [[t for t in times if s.change.is_active(t)] for s in everything.snow]
    assert all(len(s) == 1 for s in seen)
    assert len([s for s in seen if s[0] < EVENT]) == 1
    assert 1 <= len([s for s in seen if s[0] > EVENT]) <= 2


def test_without_passes_nothing_breaks(ground: Ground, cover: NDArray[np.uint8]) -> None:
    alone = plan_distractors(ground, cover, [], EVENT, SimulateOptions())
    assert not alone.snow
    assert all(c.first_utc == EVENT for c in alone.changes)
    assert {c.last_utc for c in of_kind(alone, Distractor.FLOOD)} == {EVENT + timedelta(days=3)}


def test_times_without_a_zone_are_refused(ground: Ground, cover: NDArray[np.uint8]) -> None:
    with pytest.raises(EventError, match="time zone"):
        plan_distractors(ground, cover, [EVENT.replace(tzinfo=None)], EVENT, SimulateOptions())


def test_span_and_gap() -> None:
    passes = tuple(EVENT + timedelta(days=d) for d in (-5, -2, 3, 9))
    times = Times(passes[:2], passes[2:], EVENT)
    assert times.span == (passes[0], passes[3])
    assert times.gap == (passes[1], passes[2])
    assert [times.past(n) for n in (1, 2, 3)] == [
        passes[2] + 3 * HOUR,
        passes[3] + 3 * HOUR,
        passes[3] + 3 * HOUR,
    ]


def box(size: float = 1.0) -> shapely.Polygon:
    return shapely.box(0.0, 0.0, size, size)


@pytest.mark.parametrize("seed", [7, 8])
def test_every_kind_is_on_the_ground_of_the_demonstration(seed: int) -> None:
    options = SimulateOptions(seed=seed)
    site = make_site(options)
    ground = survey(site.wide_height_m, site.geobox, MARGIN_PX)
    cover = land_cover(ground, seed)
    assert set(np.unique(cover)) == set(LandCover) - {LandCover.UNKNOWN}
    passes = [p.acquired for p in all_passes(ground.geobox, options.date, options.pre, options.post)]
    kinds = [c.kind for c in plan_distractors(ground, cover, passes, EVENT, options).changes]
    assert set(kinds) == set(Distractor)
    assert kinds.count(Distractor.CLEAR_CUT) >= 2


def by_hand(
    drawn: Sequence[Change] = (), snow: Sequence[Snow] = (), moisture: Sequence[Moisture] = ()
) -> Distractors:
    return Distractors(tuple(drawn), tuple(snow), tuple(moisture), (4, len(LandCover)))


def seen_by(
    distractors: Distractors, when: datetime, index: list[int], share: list[int], height_m: float = 0.0
) -> list[list[float]]:
    """VV and VH factors of a row of pixels under grass."""
    numbers, parts = np.array([index], np.int32), np.array([share], np.uint8)
    cover = np.full(numbers.shape, LandCover.SHRUB_GRASS, np.uint8)
    heights = np.full(numbers.shape, height_m, np.float32)
    window = slice(0, 1), slice(0, len(index))
    found = distractors.factor(when, numbers, parts, heights, cover, *window)
    assert found.dtype == np.float32
    return [row.tolist() for row in found[:, 0]]


def test_factor_before_during_and_after_by_hand() -> None:
    flood = Change(Distractor.FLOOD, box(), EVENT, EVENT + 2 * HOUR, -10.0, -20.0)
    field = Change(Distractor.HARVEST, box(), EVENT + HOUR, None, 10.0, 0.0)
    both = by_hand([flood, field])
    index, share = [0, 1, 1, 2], [0, FULL, FULL // 2, FULL // 4]
    assert seen_by(both, EVENT - HOUR, index, share) == [[1.0] * 4] * 2
    vv, vh = seen_by(both, EVENT, index, share)
    assert vv == pytest.approx([1.0, 0.1, 0.55, 1.0])
    assert vh == pytest.approx([1.0, 0.01, 0.505, 1.0])
    vv, vh = seen_by(both, EVENT + 2 * HOUR, index, share)
    assert vv == pytest.approx([1.0, 0.1, 0.55, 1.0 + 9.0 / 4.0])
    assert vh == pytest.approx([1.0, 0.01, 0.505, 1.0])
    vv, _ = seen_by(both, EVENT + 3 * HOUR, index, share)
    assert vv == pytest.approx([1.0, 1.0, 1.0, 3.25])
    # the same moment in another time zone
    tokyo = (EVENT + 3 * HOUR).astimezone(timezone(9 * HOUR))
    assert seen_by(both, tokyo, index, share)[0] == vv


def test_snow_lies_above_its_line_only() -> None:
    change = Change(Distractor.WET_SNOW, box(), EVENT - HOUR, EVENT + HOUR, -10.0, -10.0)
    snow = by_hand(snow=[Snow(change, 1000.0)])
    for height_m, factor in (
        (999.0, 1.0),
        (1000.0, 1.0),
        (1000.0 + SNOW_FADE_M / 2, 10**-0.5),
        (1000.0 + SNOW_FADE_M, 0.1),
        (3000.0, 0.1),
        (np.nan, 1.0),
    ):
        assert seen_by(snow, EVENT, [0], [0], height_m) == [[pytest.approx(factor)]] * 2
        assert seen_by(snow, EVENT + 2 * HOUR, [0], [0], height_m) == [[1.0]] * 2


def test_snow_and_moisture_know_land_cover() -> None:
    codes = np.array([list(LandCover)], np.uint8)
    nothing, none = np.zeros(codes.shape, np.int32), np.zeros(codes.shape, np.uint8)
    heights = np.full(codes.shape, 5000.0, np.float32)
    snow = Change(Distractor.WET_SNOW, box(), EVENT, EVENT, -10.0, -10.0)
    wet = Change(Distractor.SOIL_MOISTURE, box(), EVENT, EVENT, 10.0, 5.0)
    window = slice(0, 1), slice(0, codes.size)
    vv, vh = by_hand(snow=[Snow(snow, 0.0)]).factor(EVENT, nothing, none, heights, codes, *window)[:, 0]
    expected = {LandCover.FOREST: 10**-0.5, LandCover.UNKNOWN: 1, LandCover.WATER: 1, LandCover.BUILT: 1}
    assert vv.tolist() == pytest.approx([expected.get(code, 0.1) for code in LandCover])
    assert np.array_equal(vv, vh)
    place = Moisture(wet, 0.5, 3.0, 1e9)
    vv, vh = by_hand(moisture=[place]).factor(EVENT, nothing, none, heights, codes, *window)[:, 0]
    assert vv.tolist() == pytest.approx([10 ** MOISTURE_WEIGHT.get(code, 0.0) for code in LandCover])
    assert vh.tolist() == pytest.approx([10 ** (MOISTURE_WEIGHT.get(code, 0.0) / 2) for code in LandCover])
    assert vv[LandCover.CROP] > vv[LandCover.ROCK] > vv[LandCover.FOREST] > 1.0 == vv[LandCover.WATER]


def test_moisture_is_a_bell_about_its_place() -> None:
    wet = Change(Distractor.SOIL_MOISTURE, box(), EVENT, EVENT, 10.0, 10.0)
    place = by_hand(moisture=[Moisture(wet, 1.5, 4.5, 2.0)])
    cover = np.full((4, 6), LandCover.CROP, np.uint8)
    empty = np.zeros((4, 6), np.int32)
    args = empty, empty.astype(np.uint8), np.zeros((4, 6), np.float32), cover
    found = place.factor(EVENT, *args, slice(0, 4), slice(0, 6))[0]
    for row in range(4):
        for col in range(6):
            away2 = (row + 0.5 - 1.5) ** 2 + (col + 0.5 - 4.5) ** 2
            assert found[row, col] == pytest.approx(10 ** np.exp(-away2 / 8.0), rel=1e-5)


@pytest.mark.parametrize("which", [-1, 0, 1])
def test_tiles_are_the_whole(
    which: int, ground: Ground, cover: NDArray[np.uint8], times: list[datetime], everything: Distractors
) -> None:
    """On the first pass after the event, when most is active, on a pass with snow, and on the last."""
    when = {0: next(t for t in times if t > EVENT), 1: everything.snow[0].change.first_utc, -1: times[-1]}[
        which
    ]
    zones = rasterise(everything.outlines, ground.geobox)

    def part(rows: slice, cols: slice) -> NDArray[np.float32]:
        layers = (zones.index, zones.share, ground.height_m, cover)
        return everything.factor(when, *(layer[rows, cols] for layer in layers), rows, cols)

    whole = part(slice(0, 300), slice(0, 300))
    assert whole.shape == (2, 300, 300)
    assert (whole != 1.0).any()
    assert np.isfinite(whole).all()
    for top in range(0, 300, 77):
        for left in range(0, 300, 59):
            window = slice(top, min(top + 77, 300)), slice(left, min(left + 59, 300))
            assert part(*window).tobytes() == np.ascontiguousarray(whole[:, *window]).tobytes()


def test_every_outline_changes_its_pixels_by_its_decibels(
    ground: Ground, cover: NDArray[np.uint8], times: list[datetime]
) -> None:
    options = SimulateOptions(without=(Distractor.WET_SNOW, Distractor.SOIL_MOISTURE))
    drawn = plan_distractors(ground, cover, times, EVENT, options)
    zones = rasterise(drawn.outlines, ground.geobox)
    when = next(t for t in times if t > EVENT)
    window = slice(0, 300), slice(0, 300)
    factor = drawn.factor(when, zones.index, zones.share, ground.height_m, cover, *window)
    expected = np.ones_like(factor)
    for change in drawn.drawn:
        full = inside(change.outline.buffer(-8.0), ground)
        if change.is_active(when):
            expected[:, full] = 10 ** (np.array([[change.vv_db], [change.vh_db]]) / 10)
        assert factor[:, full] == pytest.approx(expected[:, full], rel=1e-5)
    assert (expected != 1.0).any()
    assert (factor[:, zones.index == 0] == 1.0).all()


def test_frame(ground: Ground, everything: Distractors) -> None:
    frame = everything.frame(ground.geobox.crs.to_wkt())
    assert list(frame.columns) == [
        "id", "kind", "first_utc", "last_utc", "vv_db", "vh_db", "area_m2", "geometry",
    ]  # fmt: skip
    assert frame["id"].tolist() == list(range(1, len(everything.changes) + 1))
    assert set(frame["kind"]) == {kind.value for kind in Distractor}
    assert frame.crs.to_epsg() == 32654
    assert np.allclose(frame.geometry.area, frame["area_m2"])
    stays = frame["kind"].isin(["harvest", "clear-cut", "building"])
    assert frame["last_utc"].isna().equals(stays)
    for text, change in zip(frame["first_utc"], everything.changes, strict=True):
        assert datetime.fromisoformat(text) == change.first_utc
        assert text.endswith("+00:00")
    empty = by_hand().frame(ground.geobox.crs.to_wkt())
    assert len(empty) == 0
    assert list(empty.columns) == list(frame.columns)


def test_times_are_written_in_utc(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        change = Change(Distractor.FLOOD, box(), EVENT.astimezone(timezone(9 * HOUR)), EVENT, -5.0, -5.0)
        frame = by_hand([change]).frame(ground.geobox.crs.to_wkt())
    finally:
        monkeypatch.undo()
        time.tzset()
    assert frame["first_utc"].tolist() == frame["last_utc"].tolist() == ["2024-06-15T12:00:00+00:00"]


def test_a_building_takes_free_ground_on_the_grid_only(ground: Ground) -> None:
    free = np.ones(ground.shape, bool)
    west, north = ground.geobox.transform.c, ground.geobox.transform.f
    house = shapely.box(west + 105.0, north - 125.0, west + 135.0, north - 105.0)
    assert _take(house, ground, free)
    taken = np.zeros(ground.shape, bool)
    taken[10:13, 10:14] = True
    assert np.array_equal(free, ~taken)
    for east, south in ((25.0, 0.0), (0.0, 15.0), (0.0, 0.0)):
        assert not _take(shapely.affinity.translate(house, east, -south), ground, free)
    assert np.array_equal(free, ~taken)
    for east, south in ((-110.0, 0.0), (0.0, -110.0), (2880.0, 0.0), (0.0, 2880.0)):
        assert not _take(shapely.affinity.translate(house, east, -south), ground, free)
    assert _take(shapely.affinity.translate(house, 40.0, 0.0), ground, free)


def test_snow_outline_is_the_ground_above_the_line(ground: Ground, everything: Distractors) -> None:
    shares = []
    for snow in everything.snow:
        above = ground.height_m > snow.line_m
        shares.append(1.0 - above.mean())
        assert np.array_equal(inside(snow.change.outline, ground), above)
    assert min(shares) >= SNOW_LINE[0] - 0.01
    assert max(shares) <= SNOW_LINE[1] + 0.01


def test_one_seed_one_plan(
    ground: Ground, cover: NDArray[np.uint8], times: list[datetime], everything: Distractors
) -> None:
    again = plan_distractors(ground, cover, times[::-1], EVENT, SimulateOptions(trigger=Trigger.RAIN))
    assert again.changes == everything.changes
    other = plan_distractors(ground, cover, times, EVENT, SimulateOptions(trigger=Trigger.RAIN, seed=8))
    assert other.changes != everything.changes
