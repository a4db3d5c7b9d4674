"""Outlines: areas exact, polygons valid on any path, forms as their movement says."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from headscarp.simulate.landslides.outlines import (
    MOBILITY,
    STATIONS,
    Forms,
    Outlines,
    draw_forms,
    draw_outlines,
    take,
)
from headscarp.simulate.landslides.runout import STEPS, Paths
from headscarp.simulate.options import Trigger

WEST, NORTH = 1000.0, 9000.0


def forms_of(areas: list[float] | np.ndarray, seed: int = 1, trigger: Trigger = Trigger.EARTHQUAKE) -> Forms:
    return draw_forms(np.asarray(areas, dtype=np.float64), trigger, seed)


def paths_of(east: np.ndarray, south: np.ndarray) -> Paths:
    step = np.hypot(np.diff(east), np.diff(south)).mean(axis=1)
    return Paths(east, south, np.full(len(east), STEPS), step)


def southward(lengths: np.ndarray) -> Paths:
    south = np.linspace(0, 1, STEPS + 1) * np.asarray(lengths)[:, None]
    return paths_of(np.zeros_like(south) + 500.0, south + 100.0)


def hooks(lengths: np.ndarray) -> Paths:
    """Half circles: the sharpest bends that a landslide of this length can follow."""
    turn = np.linspace(0, np.pi, STEPS + 1)
    radius = np.asarray(lengths)[:, None] / np.pi
    return paths_of(500.0 + radius * np.sin(turn), 500.0 - radius * np.cos(turn))


def assert_whole(outlines: Outlines, areas: np.ndarray) -> None:
    for part in outlines:
        assert shapely.is_valid(part).all()
        assert (shapely.get_type_id(part) == shapely.GeometryType.POLYGON).all()
        assert (shapely.area(part) > 0).all()
    np.testing.assert_allclose(shapely.area(outlines.outline), areas, rtol=1e-8)
    together = shapely.union(outlines.source, outlines.deposit)
    np.testing.assert_allclose(
        shapely.area(shapely.symmetric_difference(together, outlines.outline)), 0, atol=1e-4
    )
    np.testing.assert_allclose(
        shapely.area(outlines.source) + shapely.area(outlines.deposit), areas, rtol=1e-8
    )


@pytest.mark.parametrize("paths", [southward, hooks])
@pytest.mark.parametrize("trigger", list(Trigger))
def test_outlines_are_valid_and_have_the_area_that_was_drawn(paths: object, trigger: Trigger) -> None:
    areas = np.exp(np.random.default_rng(2).uniform(np.log(25), np.log(1e6), 600))
    forms = forms_of(areas, trigger=trigger)
    assert callable(paths)
    assert_whole(draw_outlines(forms, paths(forms.length_m), WEST, NORTH), areas)


def test_paths_shorter_than_asked_for_make_wide_and_valid_outlines() -> None:
    areas = np.full(200, 5000.0)
    assert_whole(draw_outlines(forms_of(areas), hooks(np.full(200, 72.0)), WEST, NORTH), areas)


def test_a_gentle_bend_is_kept() -> None:
    """The middle of an outline along an arc lies beside the straight line from its crown to its toe."""
    forms = forms_of([2000.0] * 50)
    forms = forms._replace(length_m=np.full(50, 150.0))
    outlines = draw_outlines(forms, hooks(forms.length_m), WEST, NORTH)
    radius = 150.0 / np.pi
    crown_to_toe = shapely.LineString(
        [(WEST + 500, NORTH - 500 + radius), (WEST + 500, NORTH - 500 - radius)]
    )
    offset = shapely.distance(shapely.centroid(outlines.outline), crown_to_toe)
    assert np.median(offset) > 0.3 * radius


def test_source_lies_above_deposit_and_meets_it_in_a_line() -> None:
    forms = forms_of([3000.0] * 40)
    outlines = draw_outlines(forms, southward(forms.length_m), WEST, NORTH)
    assert (shapely.bounds(outlines.source)[:, 1] >= shapely.bounds(outlines.deposit)[:, 3] - 1e-6).all()
    bounds = shapely.bounds(outlines.outline)
    np.testing.assert_allclose(bounds[:, 3], NORTH - 100.0)
    np.testing.assert_allclose(bounds[:, 1], NORTH - 100.0 - forms.length_m)
    meeting = shapely.intersection(outlines.source, outlines.deposit)
    assert (shapely.get_dimensions(meeting) == 1).all()


def test_the_source_ends_at_its_share_of_the_length() -> None:
    forms = forms_of([4000.0] * 60)
    outlines = draw_outlines(forms, southward(forms.length_m), WEST, NORTH)
    source_m = NORTH - 100.0 - shapely.bounds(outlines.source)[:, 1]
    np.testing.assert_allclose(source_m, forms.source_share * forms.length_m, rtol=0.05)


def test_flows_are_narrow_between_source_and_fan_and_slides_are_not() -> None:
    forms = forms_of([8000.0] * 400, trigger=Trigger.RAIN)
    forms = forms._replace(rough=np.zeros_like(forms.rough), taper=np.full(400, 0.5))
    outlines = draw_outlines(forms, southward(forms.length_m), WEST, NORTH)

    def width(part: float) -> np.ndarray:
        y = NORTH - 100.0 - part * forms.length_m
        across = [shapely.LineString([(WEST, at), (WEST + 1000, at)]) for at in y]
        return np.asarray(shapely.length(shapely.intersection(outlines.outline, across)))

    flow = forms.is_flow
    assert 100 < flow.sum() < 180
    assert (width(0.5)[flow] < 0.5 * width(0.12)[flow]).all()
    assert (width(0.5)[flow] < 0.8 * width(0.9)[flow]).all()
    assert (width(0.5)[~flow] > 0.8 * width(0.25)[~flow]).all()
    assert (width(0.25)[~flow] > 1.05 * width(0.75)[~flow]).all()


def test_left_is_left_of_the_way_down() -> None:
    """Going south, left is east."""
    forms = forms_of([3000.0])
    rough = np.zeros_like(forms.rough)
    rough[:, 0, 0, 0] = 1.0  # left: wide at the crown, narrow at the toe
    outlines = draw_outlines(forms._replace(rough=rough), southward(forms.length_m), WEST, NORTH)
    west, _, east, _ = shapely.bounds(outlines.source[0])
    assert east - (WEST + 500) > 1.5 * ((WEST + 500) - west)


def test_rain_makes_landslides_longer() -> None:
    areas = [2000.0] * 3000
    quake, rain = (forms_of(areas, trigger=trigger) for trigger in Trigger)
    for forms, trigger in ((quake, Trigger.EARTHQUAKE), (rain, Trigger.RAIN)):
        ratio, mobility = forms.length_m**2 / 2000.0, MOBILITY[trigger]
        assert np.median(ratio[~forms.is_flow]) == pytest.approx(mobility.slide_ratio, rel=0.05)
        assert forms.is_flow.mean() == pytest.approx(mobility.flow_share, abs=0.03)
    assert np.median(rain.length_m) > 1.3 * np.median(quake.length_m)


def test_small_failures_are_no_flows() -> None:
    assert not forms_of([299.0] * 500, trigger=Trigger.RAIN).is_flow.any()


def test_forms_follow_from_the_seed_and_can_be_taken_apart() -> None:
    areas = [100.0, 1000.0, 10_000.0]
    once, again, other = forms_of(areas), forms_of(areas), forms_of(areas, seed=2)
    for one, two in zip(once, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert (once.length_m != other.length_m).all()
    part = take(once, np.array([2, 0]))
    assert part.area_m2.tolist() == [10_000.0, 100.0]
    np.testing.assert_array_equal(part.rough, once.rough[[2, 0]])


def test_outlines_have_a_point_at_every_station_of_both_sides() -> None:
    forms = forms_of([3000.0] * 5)
    outlines = draw_outlines(forms, southward(forms.length_m), WEST, NORTH)
    assert (shapely.get_num_coordinates(outlines.outline) == 2 * (2 * STATIONS - 1) - 1).all()
