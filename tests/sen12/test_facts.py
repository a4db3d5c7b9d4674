"""Names and attributes of patches."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headscarp.ingest.sen12.facts import (
    Bracket,
    PatchError,
    PatchName,
    Release,
    official_bracket,
    parse_facts,
    parse_name,
)
from headscarp.vocabulary import OrbitState

DATES = [date(2018, 8, 1) + timedelta(days=12 * i) for i in range(6)]
KNOWN = {
    "ann_id": "7,8",
    "ann_bbox": "(1.0, 2.0, 3.0, 4.0),(np.float64(5.0), 6, 7, 8)",
    "event_date": "2018-09-06",
    "date_confidence": "1.0",
    "pre_post_dates": "{'pre': 3, 'post': 4}",
    "annotated": "True",
    "satellite": "s1-dsc",
}
NAME = PatchName("usa_puertorico", "s1dsc", "1045")


def facts(**changes: str):
    return parse_facts(NAME, KNOWN | changes, DATES, Release.RAW, "EPSG:32619", (0.0, 0.0, 1280.0, 1280.0))


def test_every_attribute_gets_its_type() -> None:
    found = facts()
    assert (found.id, found.region, found.sensor) == ("usa_puertorico_1045", "usa_puertorico", "s1dsc")
    assert found.orbit_state is OrbitState.DESCENDING
    assert found.event_dates == (date(2018, 9, 6),)
    assert found.brackets == (Bracket(DATES[3], DATES[4]),)
    assert (found.ann_ids, found.annotated, found.date_confidences) == ((7, 8), True, (1.0,))
    assert found.ann_boxes == ((1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0))
    assert found.centre == (640.0, 640.0)


def test_several_events_are_lists_joined_by_commas() -> None:
    several = facts(
        event_date="2018-08-20,2018-09-06,None",
        pre_post_dates="{'pre': 1, 'post': 2},{'pre': 2, 'post': 3},{'pre': 0, 'post': 0}",
        date_confidence="0.5,1.0",
    )
    assert several.event_dates == (date(2018, 8, 20), date(2018, 9, 6))
    assert several.brackets[1] == Bracket(DATES[2], DATES[3])
    assert several.date_confidences == (0.5, 1.0)


def test_a_patch_without_landslides_says_nothing() -> None:
    empty = dict.fromkeys(("ann_id", "ann_bbox", "event_date", "date_confidence", "pre_post_dates"), "")
    found = facts(**empty, annotated="False")
    assert (found.event_dates, found.brackets, found.ann_ids, found.ann_boxes) == ((), (), (), ())
    assert found.annotated is False


@pytest.mark.parametrize(
    "changes",
    [
        {"event_date": "6.9.2018"},
        {"pre_post_dates": "7 and 8"},
        {"pre_post_dates": "{'pre': 5, 'post': 6}"},
        {"pre_post_dates": "{'pre': -1, 'post': 0}"},
        {"annotated": "yes"},
        {"satellite": "s1-asc"},
        {"satellite": ""},
        {"ann_bbox": "(1, 2, 3)"},
        {"ann_id": "a"},
        {"date_confidence": "high"},
    ],
)
def test_what_cannot_be_read_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        facts(**changes)


@pytest.mark.parametrize("name", ["hokkaido_463.nc", "hokkaido_s1asc_463.tif", "s1asc_463.nc", "a_s3_1.nc"])
def test_foreign_names_are_refused(name: str) -> None:
    with pytest.raises(PatchError, match="region"):
        parse_name(Path(name))


def test_names_keep_regions_with_underscores() -> None:
    assert parse_name(Path("x/usa_puertorico_s2_12.nc")) == ("usa_puertorico", "s2", "12")


@given(st.integers(-3, 12 * 6 + 3), st.lists(st.integers(0, 70), min_size=1, max_size=8, unique=True))
def test_brackets_are_those_of_the_release(offset: int, days: list[int]) -> None:
    """The release takes numpy's searchsorted, and both ends twice."""
    start = np.datetime64("2018-08-01")
    dates = start + np.sort(np.array(days)).astype("timedelta64[D]")
    event = start + np.timedelta64(offset, "D")
    place = int(np.searchsorted(dates, event))
    pair = (0, 0) if place == 0 else (place - 1, place) if place < len(dates) else (len(dates) - 1,) * 2
    expected = tuple(dates[i].astype(date) for i in pair)
    assert official_bracket(event.astype(date), [d.astype(date) for d in dates]) == expected
