"""Thresholds, intervals, rounds and the sentence: the parts of a sensitivity."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.optimize import brentq
from shapely.geometry import box

from headscarp.errors import GridError
from headscarp.inject.place import Room
from headscarp.sensitivity.counts import RoundCounts, cells, wilson
from headscarp.sensitivity.figure import draw_sensitivity
from headscarp.sensitivity.options import ProbeOptions
from headscarp.sensitivity.plan import clear_of, plan_round, refuse_small_room, room_km2
from headscarp.sensitivity.record import Cell, RateRecord, SensitivityRecord
from headscarp.sensitivity.threshold import HIGHEST, LOWEST, allowed_objects, lowest_threshold
from headscarp.sensitivity.wording import how_often, sentence, sentences

GRID = GeoBox((300, 400), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32611")


def all_free() -> Room:
    return Room(GRID, np.ones(GRID.shape, dtype=np.bool_))


def cell(size: float, change: float, found: int, planted: int = 50, rate: float = 10.0) -> Cell:
    ends = wilson(found, planted)
    assert ends is not None
    return Cell(
        rate_per_100km2=rate, size_ha=size, change_db=change, planted=planted, found=found,
        recall=found / planted, low=ends.low, high=ends.high,
    )  # fmt: skip


@pytest.mark.parametrize("edge", [0.06, 0.3, 0.8, 0.97, 0.9999])
def test_the_lowest_threshold_stands_at_the_edge(edge: float) -> None:
    found = lowest_threshold(lambda threshold: 4 if threshold < edge else 3, 3)
    assert found is not None
    assert edge <= found
    assert math.log(found / (1 - found)) - math.log(edge / (1 - edge)) < 0.01


def test_objects_that_grow_together_at_low_thresholds_mislead_nobody() -> None:
    found = lowest_threshold(lambda threshold: 9 if 0.2 < threshold < 0.7 else 1, 3)
    assert found == pytest.approx(0.7, abs=2e-3)


def test_thresholds_at_both_ends() -> None:
    assert lowest_threshold(lambda _: 4, 3) is None
    assert lowest_threshold(lambda _: 3, 3) == pytest.approx(LOWEST, abs=1e-6)
    assert lowest_threshold(lambda threshold: 4 if threshold < HIGHEST else 3, 3) == pytest.approx(
        HIGHEST, abs=1e-6
    )


def test_rates_allow_whole_objects() -> None:
    assert [allowed_objects(rate, 36.0) for rate in (2.0, 10.0, 50.0)] == [0, 3, 18]
    assert allowed_objects(10.0, 30.0) == 3


@pytest.mark.parametrize(("found", "planted"), [(0, 5), (1, 7), (8, 10), (49, 50), (3, 3)])
def test_wilson_ends_where_the_share_is_1_96_deviations_off(found: int, planted: int) -> None:
    ends, z, share = wilson(found, planted), 1.959963984540054, found / planted
    assert ends is not None

    def off(p: float) -> float:  # score test: the share is just z standard deviations of p from p
        return (share - p) ** 2 - z**2 * p * (1 - p) / planted

    low = 0.0 if found == 0 else brentq(off, 1e-12, share - 1e-12)
    high = 1.0 if found == planted else brentq(off, share + 1e-12, 1 - 1e-12)
    assert (ends.low, ends.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    assert wilson(0, 0) is None


def test_counts_are_summed_over_rounds_and_ratios_taken_once() -> None:
    one = RoundCounts(planted=[[2, 1]], without_room=[[0, 0]], found=[[[1, 0]], [[2, 1]]])
    two = RoundCounts(planted=[[3, 0]], without_room=[[0, 1]], found=[[[2, 0]], [[3, 0]]])
    rates = [
        RateRecord(rate_per_100km2=10, threshold=0.9, objects=1, per_100km2=3.0),
        RateRecord(rate_per_100km2=50, threshold=None, objects=9, per_100km2=60.0),
    ]
    found = cells([one, two], rates, (0.5,), (1.0, 3.0))
    assert [(c.rate_per_100km2, c.change_db, c.found, c.planted) for c in found] == [
        (10, 1.0, 3, 5), (10, 3.0, 0, 1), (50, 1.0, 5, 5), (50, 3.0, 1, 1),
    ]  # fmt: skip
    assert [c.recall for c in found] == [0.6, 0.0, None, None]
    assert found[0].low == pytest.approx(wilson(3, 5).low)  # type: ignore[union-attr]
    empty = RoundCounts(planted=[[0, 0]], without_room=[[1, 1]], found=[[[0, 0]], [[0, 0]]])
    assert {(c.recall, c.low) for c in cells([empty], rates, (0.5,), (1.0, 3.0))} == {(None, None)}


def test_how_often_is_the_nearest_simple_fraction() -> None:
    words = {how_often(found, 100): found for found in range(101)}
    assert how_often(80, 100) == "4 times in 5"
    assert how_often(66, 100) == "2 times in 3"
    assert how_often(99, 100) == "more than 9 times in 10"
    assert how_often(1, 100) == "less than 1 time in 10"
    assert (how_often(0, 3), how_often(3, 3)) == ("never", "every time")
    assert len(words) == 4 + 13  # never, every time, less and more; 1 + 2 + 2 + 4 + 4 fractions
    for wrong in ((0, 0), (4, 3), (-1, 3)):
        with pytest.raises(ValueError, match="of"):
            how_often(*wrong)


def test_the_sentence_is_about_the_smallest_size_found_four_times_in_five() -> None:
    table = [
        cell(size, change, found)
        for change, row in ((2.0, (5, 9, 20, 30)), (3.0, (12, 41, 45, 50)), (6.0, (50, 50, 50, 50)))
        for size, found in zip((0.3, 0.5, 1.0, 3.0), row, strict=True)
    ]
    assert sentence(table) == (
        "on this stack, 0.5 ha at 3 dB is found 4 times in 5 at 10 false alarms per 100 km² "
        "(41 of 50; 95% interval 0.69 to 0.90)"
    )


def test_a_size_is_not_reliable_where_a_larger_one_is_not() -> None:
    table = [cell(0.3, 3.0, 50), cell(0.5, 3.0, 20), cell(1.0, 3.0, 45)]
    assert sentence(table).startswith("on this stack, 1 ha at 3 dB is found 9 times in 10 at 10")


def test_the_sentence_owns_up_where_nothing_is_reliable() -> None:
    table = [cell(0.3, 4.0, 2, rate=1.0), cell(10.0, 4.0, 25, rate=1.0), cell(10.0, 6.0, 50, rate=1.0)]
    assert sentence(table) == (
        "on this stack, no size planted at 4 dB is found 4 times in 5 at 1 false alarm per 100 km²: "
        "10 ha at 4 dB is found 1 time in 2 (25 of 50; 95% interval 0.37 to 0.63)"
    )


def test_the_sentence_says_when_nothing_can_be_said() -> None:
    unknown = cell(1.0, 3.0, 5).model_copy(update={"recall": None, "low": None, "high": None})
    assert sentence([unknown]).endswith("at 10 false alarms per 100 km²: no threshold keeps to that")
    nothing = unknown.model_copy(update={"planted": 0, "found": 0})
    assert sentence([nothing]).endswith("nothing was planted")
    both = [cell(1.0, 3.0, 50), cell(1.0, 3.0, 0, rate=50.0)]
    assert [("10 false" in line, "50 false" in line) for line in sentences(both)] == [
        (True, False),
        (False, True),
    ]


def test_a_round_plants_every_size_at_every_change() -> None:
    options = ProbeOptions(sizes_ha=(0.1, 0.4), changes_db=(1.0, 3.0, 6.0), each=2, gap_m=50.0, vv_db=-0.5)
    planted = plan_round(all_free(), options, None, 0)
    frame = planted.landslides
    assert planted.without_room == [[0, 0, 0], [0, 0, 0]]
    pairs = sorted(zip(frame["size"], frame["change"], strict=True))
    assert pairs == sorted(itertools.chain.from_iterable([itertools.product((0, 1), (0, 1, 2))] * 2)) or (
        pairs == sorted(list(itertools.product((0, 1), (0, 1, 2))) * 2)
    )
    np.testing.assert_allclose(frame.geometry.area, np.array([1000.0, 4000.0])[frame["size"]], rtol=1e-6)
    assert frame["vh_db"].tolist() == [-(1.0, 3.0, 6.0)[i] for i in frame["change"]]
    assert set(frame["vv_db"]) == {-0.5}
    distances = shapely.distance(frame.geometry.to_numpy()[:, None], frame.geometry.to_numpy()[None, :])
    assert distances[~np.eye(len(frame), dtype=bool)].min() >= 50.0 - 1e-6


def test_rounds_differ_and_each_can_be_made_again() -> None:
    options = ProbeOptions(sizes_ha=(0.1,), changes_db=(3.0,))
    first, again, other = (plan_round(all_free(), options, None, n).landslides for n in (0, 0, 1))
    assert shapely.equals_exact(first.geometry.iloc[0], again.geometry.iloc[0])
    assert not first.geometry.iloc[0].intersects(other.geometry.iloc[0])


def test_no_round_plants_more_than_its_share_and_lots_are_fair() -> None:
    options = ProbeOptions(sizes_ha=(1.0, 3.0), changes_db=(1.0, 2.0), max_share=0.004, gap_m=0.0)
    limit_m2 = 0.004 * room_km2(all_free()) * 1e6  # 12 km² × 0.004 = 4.8 ha of the 8 ha that all would take
    counts = np.zeros((2, 2))
    for number in range(60):
        planted = plan_round(all_free(), options, None, number)
        assert 0 < planted.landslides.geometry.area.sum() <= limit_m2 + 1
        assert np.sum(planted.without_room) == 0
        np.add.at(counts, (planted.landslides["size"], planted.landslides["change"]), 1)
    assert counts.min() >= 18
    lone = plan_round(all_free(), options.model_copy(update={"max_share": 1e-6}), None, 0)
    assert len(lone.landslides) == 1


def test_what_finds_no_room_is_counted_by_size_and_change() -> None:
    free = np.zeros(GRID.shape, dtype=np.bool_)
    free[:12, :12] = True
    options = ProbeOptions(sizes_ha=(0.05, 5.0), changes_db=(1.0, 3.0), max_share=0.5, gap_m=0.0)
    seen = [plan_round(Room(GRID, free), options, None, number) for number in range(8)]
    assert all(set(r.landslides["size"]) <= {0} for r in seen)
    assert sum(np.sum(r.without_room[1]) for r in seen) > 0
    assert sum(np.sum(r.without_room[0]) for r in seen) == 0


def test_ground_around_what_is_flagged_is_left_out() -> None:
    flagged = np.array([box(502_000, 3_998_000, 502_100, 3_998_050)], dtype=object)
    room = clear_of(all_free(), flagged, 200.0)
    x = 500_000 + 10 * (np.arange(400) + 0.5)
    y = 4_000_000 - 10 * (np.arange(300) + 0.5)
    distance = shapely.distance(shapely.points(*np.meshgrid(x, y)), flagged[0])
    assert not room.free[distance <= 200.0].any()
    assert room.free[distance > 200.0 + 15.0].all()
    assert clear_of(all_free(), np.empty(0, dtype=object), 200.0).free.all()


def test_a_stack_too_small_for_a_size_is_refused() -> None:
    free = np.zeros(GRID.shape, dtype=np.bool_)
    free[:12, :12] = True
    refuse_small_room(Room(GRID, free), ProbeOptions(sizes_ha=(0.05,)), None)
    with pytest.raises(GridError, match="one landslide of 5 ha") as refused:
        refuse_small_room(Room(GRID, free), ProbeOptions(sizes_ha=(0.05, 5.0)), None)
    assert refused.value.given.startswith("0.014 km²")


def test_options_are_sorted_and_held_to_their_ranges() -> None:
    assert ProbeOptions(rates="50,10").rates == (10.0, 50.0)  # type: ignore[arg-type]
    for wrong in ({"sizes_ha": ""}, {"changes_db": "-1"}, {"rates": "0"}, {"rounds": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ProbeOptions(**wrong)  # type: ignore[arg-type]


def test_the_picture_is_drawn_even_where_a_rate_says_nothing(tmp_path: Path) -> None:
    unknown = cell(1.0, 3.0, 5, rate=50.0).model_copy(update={"recall": None, "low": None, "high": None})
    record = SensitivityRecord(
        headscarp="0", commit=None, options={}, inputs_sha256="", detector="log-ratio", observed_km2=1.0,
        room_km2=1.0, min_overlap=0.1, min_area_m2=1000.0, rounds=1, without_room=0, sentences=[], notes=[],
        rates=[
            RateRecord(rate_per_100km2=10, threshold=0.9, objects=0, per_100km2=0.0),
            RateRecord(rate_per_100km2=50, threshold=None, objects=9, per_100km2=90.0),
        ],
        cells=[cell(1.0, 3.0, 0), cell(3.0, 3.0, 50), unknown],
    )  # fmt: skip
    draw_sensitivity(tmp_path / "picture.png", record)
    assert (tmp_path / "picture.png").stat().st_size > 5000
