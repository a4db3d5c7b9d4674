"""Layer 1: which acquisition is before, which after, and which neither."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from headscarp.errors import EventError
from headscarp.event import (
    YEAR_DAYS,
    Event,
    EventOptions,
    Window,
    parse_event_date,
    season_gap_days,
)
from headscarp.vocabulary import Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRE, POST, NEITHER = Role.PRE_EVENT, Role.POST_EVENT, Role.REJECTED


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def event(
    date: str, pre: tuple[str, str] | None = None, post: tuple[str, str] | None = None, **days: int
) -> Event:
    return Event.from_options(EventOptions(date=date, pre=pre, post=post, **days), NOW)


@pytest.mark.parametrize(
    ("text", "moment", "is_instant"),
    [
        ("2018-09-05", "2018-09-05T00:00:00", False),
        (" 20180905 ", "2018-09-05T00:00:00", False),
        ("2018-09-05T18:07:59Z", "2018-09-05T18:07:59", True),
        ("2018-09-05 18:07", "2018-09-05T18:07:00", True),
        ("2018-09-06T03:07:59+09:00", "2018-09-05T18:07:59", True),
    ],
)
def test_a_day_or_a_moment_is_read_as_utc(text: str, moment: str, is_instant: bool) -> None:
    assert parse_event_date(text) == (utc(moment), is_instant)


@pytest.mark.parametrize("text", ["", None])
def test_no_date_is_refused(text: str | None) -> None:
    with pytest.raises(EventError, match="pass --event-date"):
        parse_event_date(text)


@pytest.mark.parametrize("text", ["yesterday", "05/09/2018", "2018-13-05", "2018-02-30", "2018", "2018-09"])
def test_an_unreadable_date_is_refused_and_echoed(text: str) -> None:
    with pytest.raises(EventError) as caught:
        parse_event_date(text)
    assert repr(text) in caught.value.given
    assert "ISO 8601" in caught.value.fix


@pytest.mark.parametrize(
    ("acquired", "role"),
    [
        ("2023-11-11T23:59:59", PRE),
        ("2023-11-12T00:00:00", NEITHER),
        ("2023-11-12T12:00:00", NEITHER),
        ("2023-11-12T23:59:59", NEITHER),
        ("2023-11-13T00:00:00", POST),
        ("2023-07-15T00:00:00", PRE),  # 120 days before 12 November
        ("2023-07-14T23:59:59", NEITHER),
        ("2024-01-11T23:59:59", POST),  # 60 days from 13 November on
        ("2024-01-12T00:00:00", NEITHER),
    ],
)
def test_a_day_gives_default_windows_and_belongs_to_neither(acquired: str, role: Role) -> None:
    assert event("2023-11-12").role_of(utc(acquired))[0] is role


@pytest.mark.parametrize(
    ("acquired", "role"),
    [("2018-09-05T08:42:00", PRE), ("2018-09-05T18:07:58", PRE), ("2018-09-05T18:07:59", POST),
     ("2018-09-05T20:42:00", POST), ("2018-11-04T18:07:58", POST), ("2018-11-04T18:07:59", NEITHER)],
)  # fmt: skip
def test_a_moment_splits_its_day(acquired: str, role: Role) -> None:
    assert event("2018-09-05T18:07:59Z").role_of(utc(acquired))[0] is role


@settings(deadline=None, max_examples=60)
@given(
    hours=st.integers(-5000, 5000),
    pre_days=st.integers(1, 200),
    post_days=st.integers(1, 200),
    is_instant=st.booleans(),
)
def test_roles_follow_the_definition(hours: int, pre_days: int, post_days: int, is_instant: bool) -> None:
    at = utc("2023-06-15T10:00:00") if is_instant else utc("2023-06-15")
    text = "2023-06-15T10:00Z" if is_instant else "2023-06-15"
    acquired = at + timedelta(hours=hours)
    since = hours / 24 if is_instant else hours / 24 - 1
    expected = NEITHER
    if -24 * pre_days <= hours < 0:
        expected = PRE
    elif 0 <= since < post_days:
        expected = POST
    role, _ = event(text, pre_days=pre_days, post_days=post_days).role_of(acquired)
    assert role is expected


def test_reasons_tell_the_event_day_from_too_early_and_too_late() -> None:
    occurred = event("2023-11-12")
    assert "on the event day" in occurred.role_of(utc("2023-11-12T02:00:00"))[1]
    assert occurred.role_of(utc("2022-01-01"))[1] == "before the event, outside both windows"
    assert occurred.role_of(utc("2025-01-01"))[1] == "after the event, outside both windows"
    assert "2023-07-15 to 2023-11-11" in occurred.role_of(utc("2023-11-01"))[1]
    assert "2023-11-13 to 2024-01-11" in occurred.role_of(utc("2023-12-01"))[1]


def test_the_papers_hokkaido_windows() -> None:
    """Pan & Shi (2023), Table 2: 1 January to 6 September, 12 September to 30 November 2018."""
    occurred = event("2018-09-05", ("2018-01-01", "2018-09-06"), ("2018-09-12", "2018-11-30"))
    roles = {
        day: occurred.role_of(utc(f"{day}T08:42:00"))[0]
        for day in ("2017-12-31", "2018-01-01", "2018-09-05", "2018-09-06", "2018-09-07",
                    "2018-09-11", "2018-09-12", "2018-11-30", "2018-12-01")
    }  # fmt: skip
    assert roles == {
        "2017-12-31": NEITHER, "2018-01-01": PRE, "2018-09-05": PRE, "2018-09-06": PRE,
        "2018-09-07": NEITHER, "2018-09-11": NEITHER, "2018-09-12": POST, "2018-11-30": POST,
        "2018-12-01": NEITHER,
    }  # fmt: skip
    assert len(occurred.conflicts) == 1
    assert "2018-01-01 to 2018-09-06" in occurred.conflicts[0]
    assert "reaches into or past the event (2018-09-05)" in occurred.conflicts[0]
    assert occurred.windows_source == "pre-event: given; post-event: given"


def test_windows_that_agree_with_the_event_report_no_conflict() -> None:
    occurred = event("2023-11-12", ("2023-10-01", "2023-11-11"), ("2023-11-13", "2023-12-31"))
    assert occurred.conflicts == ()
    assert occurred.pre == Window(utc("2023-10-01"), utc("2023-11-12"))
    assert occurred.post == Window(utc("2023-11-13"), utc("2024-01-01"))


def test_a_post_event_window_on_the_event_day_wins_and_is_reported() -> None:
    occurred = event("2023-11-12", post=("2023-11-12", "2023-12-31"))
    assert occurred.role_of(utc("2023-11-12T02:00:00"))[0] is POST
    assert len(occurred.conflicts) == 1
    assert "starts on or before the event (2023-11-12)" in occurred.conflicts[0]


def test_a_default_window_gives_way_to_a_given_one_that_crosses_the_event() -> None:
    early = event("2023-11-12", post=("2023-11-05", "2023-12-31"))
    assert early.role_of(utc("2023-11-06"))[0] is POST
    assert early.pre == Window(utc("2023-11-05") - timedelta(days=120), utc("2023-11-05"))
    late = event("2023-11-12", pre=("2023-10-01", "2023-11-20"))
    assert late.role_of(utc("2023-11-15"))[0] is PRE
    assert late.post == Window(utc("2023-11-21"), utc("2023-11-21") + timedelta(days=60))
    assert len(early.conflicts) == len(late.conflicts) == 1


def test_a_window_may_be_given_to_the_moment() -> None:
    occurred = event("2023-11-12T06:00Z", pre=("2023-11-01", "2023-11-12T06:00Z"))
    assert occurred.pre.end == utc("2023-11-12T06:00:00")
    assert occurred.conflicts == ()


def test_given_windows_that_overlap_are_refused_with_both() -> None:
    with pytest.raises(EventError) as caught:
        event("2023-11-12", ("2023-10-01", "2023-11-20"), ("2023-11-20", "2023-12-31"))
    assert caught.value.given == "2023-10-01 to 2023-11-20 and 2023-11-20 to 2023-12-31"


@pytest.mark.parametrize(("option", "window"), [("--pre", 0), ("--post", 1)])
def test_a_reversed_window_is_refused_by_its_option(option: str, window: int) -> None:
    windows: list[tuple[str, str] | None] = [None, None]
    windows[window] = ("2023-10-10", "2023-10-01")
    with pytest.raises(EventError, match=f"{option} with its first day before its last"):
        event("2023-11-12", *windows)


def test_a_window_of_one_day_holds_that_day() -> None:
    occurred = event("2023-11-12", pre=("2023-11-01", "2023-11-01"))
    assert utc("2023-11-01T23:59:59") in occurred.pre
    assert utc("2023-11-02") not in occurred.pre


def test_a_future_event_is_refused_and_today_is_named() -> None:
    with pytest.raises(EventError, match="today is 2026-01-01") as caught:
        event("2026-01-02")
    assert caught.value.given == "2026-01-02"
    assert event("2026-01-01").time_utc == NOW


def test_a_future_event_is_refused_by_the_clock_too() -> None:
    with pytest.raises(EventError, match="an event in the past"):
        Event.from_options(EventOptions(date="2999-01-01"))


def test_an_unreadable_window_is_refused() -> None:
    with pytest.raises(EventError, match="'soon'"):
        event("2023-11-12", pre=("2023-10-01", "soon"))


# as of a date


def as_of(text: str) -> Event:
    return Event.from_options(EventOptions(date="2023-11-12", as_of=text), NOW)


@pytest.mark.parametrize(
    ("text", "acquired", "role"),
    [
        ("2023-11-20", "2023-11-20T23:59:59", POST),  # the whole day counts
        ("2023-11-20", "2023-11-21T00:00:00", NEITHER),
        ("2023-11-20T06:30Z", "2023-11-20T06:30:00", POST),  # and the moment itself
        ("2023-11-20T06:30Z", "2023-11-20T06:30:01", NEITHER),
        ("2023-11-20T15:30+09:00", "2023-11-20T06:30:01", NEITHER),
        ("2023-11-13", "2023-11-13T05:00:00", POST),
        ("2023-11-20", "2023-11-01T00:00:00", PRE),
        ("2030-01-01", "2024-01-11T23:59:59", POST),  # later than the window: no limit
        ("2030-01-01", "2024-01-12T00:00:00", NEITHER),
    ],
)
def test_as_of_leaves_out_what_was_not_there_yet(text: str, acquired: str, role: Role) -> None:
    assert as_of(text).role_of(utc(acquired))[0] is role


def test_as_of_is_the_reason_and_not_a_window() -> None:
    occurred = as_of("2023-11-20")
    late = occurred.role_of(utc("2023-11-25"))[1]
    assert late == "not there yet by 2023-11-20 23:59, which --as-of states"
    assert (occurred.pre, occurred.post) == (event("2023-11-12").pre, event("2023-11-12").post)
    assert occurred.role_of(utc("2021-01-01"))[1] == "before the event, outside both windows"
    assert event("2023-11-12").as_of is None


@pytest.mark.parametrize("text", ["2023-11-12", "2023-11-01", "2023-11-12T23:59:58Z"])
def test_as_of_before_the_post_event_window_is_refused(text: str) -> None:
    with pytest.raises(EventError) as caught:
        as_of(text)
    assert "--as-of" in caught.value.expected
    assert "2023-11-13" in caught.value.expected
    assert caught.value.given == text
    assert "--as-of" in caught.value.fix


def test_as_of_before_a_later_given_window_is_refused() -> None:
    with pytest.raises(EventError, match="2023-12-01"):
        Event.from_options(
            EventOptions(date="2023-11-12", post=("2023-12-01", "2023-12-31"), as_of="2023-11-20"), NOW
        )


def test_an_unreadable_as_of_is_refused() -> None:
    with pytest.raises(EventError, match="'tomorrow'"):
        as_of("tomorrow")


def test_yaml_dates_are_read_as_they_are_written() -> None:
    text = "{date: 2023-11-12, pre: [2023-10-01, 2023-11-11], post: ['2023-11-13', 2023-12-31]}"
    options = EventOptions(**yaml.safe_load(text))
    assert options == EventOptions(
        date="2023-11-12", pre=("2023-10-01", "2023-11-11"), post=("2023-11-13", "2023-12-31")
    )


def test_a_yaml_moment_keeps_its_time() -> None:
    options = EventOptions(**yaml.safe_load("date: 2018-09-05T18:07:59Z"))
    assert Event.from_options(options, NOW).time_utc == utc("2018-09-05T18:07:59")
    assert Event.from_options(options, NOW).is_instant


@pytest.mark.parametrize(
    "wrong", [{"pre_days": 0}, {"post_days": -1}, {"predays": 10}, {"pre": ["2023-10-01"]}]
)
def test_options_out_of_range_or_unknown_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EventOptions.model_validate({"date": "2023-11-12", **wrong})


def test_days_until_an_acquisition() -> None:
    occurred = event("2018-09-05T18:00Z")
    assert occurred.days_until(utc("2018-09-07T06:00:00")) == 1.5
    assert occurred.days_until(utc("2018-09-05T12:00:00")) == -0.25


def test_windows_overlap_only_when_they_share_a_moment() -> None:
    a = Window(utc("2023-01-01"), utc("2023-01-10"))
    assert not a.overlaps(Window(utc("2023-01-10"), utc("2023-01-20")))
    assert a.overlaps(Window(utc("2023-01-09"), utc("2023-01-20")))
    assert a.overlaps(Window(utc("2023-01-03"), utc("2023-01-04")))
    assert utc("2023-01-01") in a and utc("2023-01-10") not in a


def test_acquisitions_of_another_time_zone_are_compared_as_moments() -> None:
    occurred = event("2018-09-05T18:07:59Z")
    japan = timezone(timedelta(hours=9))
    assert occurred.role_of(datetime(2018, 9, 6, 3, 0, tzinfo=japan))[0] is PRE
    assert occurred.role_of(datetime(2018, 9, 6, 3, 8, tzinfo=japan))[0] is POST


def test_the_season_gap_crosses_new_year() -> None:
    assert season_gap_days([utc("2023-12-20")], [utc("2024-01-10")]) == pytest.approx(21, abs=0.5)
    assert season_gap_days(
        [utc("2022-12-25"), utc("2023-01-05")], [utc("2022-12-30"), utc("2023-12-31")]
    ) == pytest.approx(0, abs=1.5)


def test_the_season_gap_forgets_the_year_and_the_order() -> None:
    summer, winter = [utc("2020-07-01")], [utc("2023-01-01")]
    gap = season_gap_days(summer, winter)
    assert gap == season_gap_days(winter, summer)
    assert gap == pytest.approx(182, abs=1)
    assert season_gap_days(summer, [utc("2024-07-01")]) == pytest.approx(0, abs=1.01)


@settings(deadline=None, max_examples=60)
@given(a=st.lists(st.integers(1, 365), min_size=1, max_size=6), b=st.integers(1, 365))
def test_the_season_is_the_angle_of_the_mean_vector(a: list[int], b: int) -> None:
    turn = 2 * math.pi / YEAR_DAYS
    vector = sum(complex(math.cos(turn * day), math.sin(turn * day)) for day in a)
    if abs(vector) < 1e-3 * len(a):  # no direction: days spread evenly over the year
        return
    direction = vector / abs(vector) / complex(math.cos(turn * b), math.sin(turn * b))
    expected = abs(math.atan2(direction.imag, direction.real)) / turn
    start = datetime(2023, 1, 1, tzinfo=UTC)
    dates = [start + timedelta(days=day - 1) for day in a]
    assert season_gap_days(dates, [start + timedelta(days=b - 1)]) == pytest.approx(expected, abs=1e-6)
