"""Dates before and after the event of a patch."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import xarray as xr

from headscarp.ingest.sen12.facts import PatchError, PatchName, Release, parse_facts
from headscarp.pipeline.sen12.dates import Sides, split_patch

DAYS = ["2018-08-01", "2018-08-13", "2018-08-25", "2018-09-06", "2018-09-18", "2018-09-30"]


def split(event_date: str = "", pre_post: str = "", given: date | None = None) -> Sides:
    attributes = {
        "satellite": "s1-asc",
        "annotated": "True",
        "event_date": event_date,
        "pre_post_dates": pre_post,
    }
    days = [date.fromisoformat(day) for day in DAYS]
    name = PatchName("hokkaido", "s1asc", "1")
    facts = parse_facts(name, attributes, days, Release.RAW, "EPSG:32654", (0, 0, 1, 1))
    return split_patch(xr.Dataset({}, {"time": np.array(DAYS, "datetime64[ns]")}, {"facts": facts}), given)


def test_the_day_splits() -> None:
    sides = split("2018-08-30", "{'pre': 2, 'post': 3}")
    assert sides.split.pre == (0, 1, 2)
    assert sides.split.post == (3, 4, 5)
    assert sides[1:] == ("event_date", False, 0, 0)


def test_the_day_wins_and_the_contradiction_is_told() -> None:
    sides = split("2018-08-30", "{'pre': 1, 'post': 2}")
    assert (sides.split.pre, sides.split.post) == ((0, 1, 2), (3, 4, 5))
    assert sides.disagrees
    assert split("2018-08-30", "{'pre': 7, 'post': 8}".replace("7", "4").replace("8", "5")).disagrees
    assert not split("2018-08-30").disagrees


def test_a_date_on_the_day_is_neither() -> None:
    """The release counts it as after: no contradiction."""
    sides = split("2018-09-06", "{'pre': 2, 'post': 3}")
    assert (sides.split.pre, sides.split.post) == ((0, 1, 2), (4, 5))
    assert (sides.on_the_day, sides.disagrees) == (1, False)


def test_between_two_events_nothing_counts() -> None:
    sides = split("2018-09-20,2018-08-13", "{'pre': 4, 'post': 5},{'pre': 0, 'post': 1}")
    assert (sides.split.pre, sides.split.post) == ((0,), (5,))
    assert (sides.on_the_day, sides.between, sides.disagrees) == (1, 3, False)


def test_positions_are_taken_where_no_day_is_stated() -> None:
    sides = split("None", "{'pre': 2, 'post': 4},{'pre': 0, 'post': 0}", given=date(2018, 8, 10))
    assert (sides.split.pre, sides.split.post) == ((0, 1, 2), (4, 5))
    assert (sides.source, sides.between) == ("pre_post_dates", 1)
    several = split("", "{'pre': 2, 'post': 3},{'pre': 1, 'post': 2}")
    assert (several.split.pre, several.split.post) == ((0, 1), (3, 4, 5))


def test_the_given_day_is_the_last_resort() -> None:
    sides = split("", "{'pre': 5, 'post': 5}", given=date(2018, 8, 10))
    assert (sides.split.pre, sides.split.post, sides.source) == ((0,), (1, 2, 3, 4, 5), "given")


@pytest.mark.parametrize("event_date", ["", "2018-07-01", "2018-08-01", "2018-09-30", "2019-01-01"])
def test_without_dates_on_both_sides_there_is_no_change(event_date: str) -> None:
    with pytest.raises(PatchError, match="hokkaido_1"):
        split(event_date)
