"""The pseudo-event: how pre-event dates are split, by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headscarp.detect.pseudo_event import MIN_DATES, plan_pseudo_event
from headscarp.features.change import Split

START = datetime(2024, 1, 1, 8, 30, tzinfo=UTC)


def dates(count: int, every_days: int = 12, offset_days: float = 0, first: int = 0) -> dict[int, datetime]:
    """Dates of an orbit by position along its time."""
    return {first + i: START + timedelta(days=offset_days + every_days * i) for i in range(count)}


@pytest.mark.parametrize("count", range(MIN_DATES))
def test_too_few_dates_give_no_pseudo_event(count: int) -> None:
    assert plan_pseudo_event({"ascending 68": dates(count), "descending 46": dates(2)}, 4) is None


def test_no_orbit_gives_no_pseudo_event() -> None:
    assert plan_pseudo_event({}, 4) is None


@pytest.mark.parametrize(
    ("count", "post_dates", "n_pre", "n_post"),
    [
        (6, 3, 3, 3),
        (6, 4, 3, 3),  # at most half come after
        (7, 4, 4, 3),
        (8, 4, 4, 4),
        (10, 4, 6, 4),  # as many as after the event
        (10, 1, 9, 1),
        (10, 0, 9, 1),  # never none
        (20, 30, 10, 10),
    ],
)
def test_split_has_as_many_dates_after_as_the_event(
    count: int, post_dates: int, n_pre: int, n_post: int
) -> None:
    pseudo = plan_pseudo_event({"ascending 68": dates(count)}, post_dates)
    assert pseudo is not None
    expected = Split(tuple(range(n_pre)), tuple(range(n_pre, n_pre + n_post)))
    assert pseudo.splits == {"ascending 68": expected}


def test_moment_lies_halfway_between_the_last_date_before_and_the_first_after() -> None:
    """Dates every 12 days from 1 January, two after: between day 60 (position 5) and day 72."""
    pseudo = plan_pseudo_event({"ascending 68": dates(8)}, 2)
    assert pseudo is not None
    assert pseudo.moment == START + timedelta(days=66)


def test_positions_are_those_along_the_stack_and_need_not_begin_at_zero() -> None:
    pseudo = plan_pseudo_event({"ascending 68": dates(6, first=9)}, 3)
    assert pseudo is not None
    assert pseudo.splits["ascending 68"] == Split((9, 10, 11), (12, 13, 14))


def test_dates_out_of_order_are_split_by_time() -> None:
    shuffled = {i: START + timedelta(days=d) for i, d in enumerate([60, 0, 48, 12, 36, 24])}
    pseudo = plan_pseudo_event({"ascending 68": shuffled}, 2)
    assert pseudo is not None
    assert pseudo.splits["ascending 68"] == Split((1, 3, 4, 5), (0, 2))


def test_the_orbit_with_most_dates_sets_the_moment_for_all() -> None:
    """Ten ascending dates split at day 78 put three of the seven descending ones after, not two."""
    orbits = {"descending 46": dates(7, offset_days=36), "ascending 68": dates(10)}
    pseudo = plan_pseudo_event(orbits, 3)
    assert pseudo is not None
    assert pseudo.moment == START + timedelta(days=78)
    assert pseudo.splits == {
        "descending 46": Split((0, 1, 2, 3), (4, 5, 6)),
        "ascending 68": Split(tuple(range(7)), (7, 8, 9)),
    }


def test_orbits_without_enough_dates_on_either_side_are_left_out() -> None:
    orbits = {
        "ascending 68": dates(10),  # split at day 78
        "descending 46": dates(5, offset_days=50),  # fewer than six
        "descending 119": dates(6, offset_days=-300),  # all before
        "ascending 170": dates(6, offset_days=60),  # two before: 60 and 72
    }
    pseudo = plan_pseudo_event(orbits, 3)
    assert pseudo is not None
    assert set(pseudo.splits) == {"ascending 68"}


def test_every_date_lies_on_one_side() -> None:
    orbits = {"ascending 68": dates(9), "descending 46": dates(7, offset_days=5)}
    pseudo = plan_pseudo_event(orbits, 4)
    assert pseudo is not None
    for label, split in pseudo.splits.items():
        assert sorted(split.pre + split.post) == sorted(orbits[label])
        assert all(orbits[label][i] < pseudo.moment for i in split.pre)
        assert all(orbits[label][i] > pseudo.moment for i in split.post)
