"""Which dates of a patch are before its event and which after it.

``event_date`` wins over ``pre_post_dates``, which the release derived from it. A date on the day itself is
neither: only days are known, not times of day (the release counts it as after). Where a patch shows several
events, dates before the first and after the last count, those between them are left out.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import pandas as pd
import xarray as xr

from headscarp.features.change import Split
from headscarp.ingest.sen12.facts import PatchError, PatchFacts, official_bracket

EVENT_DATE, PRE_POST, GIVEN = "event_date", "pre_post_dates", "given"


class Sides(NamedTuple):
    """Dates of a patch, split.

    Attributes
    ----------
    split : Split
    source : str
        What decided: event_date, pre_post_dates, or the day that was given.
    disagrees : bool
        Whether pre_post_dates says otherwise than event_date; event_date was followed.
    on_the_day, between : int
        Dates left out: on the day of an event, between two events.
    """

    split: Split
    source: str
    disagrees: bool
    on_the_day: int
    between: int


def split_patch(patch: xr.Dataset, given: date | None = None) -> Sides:
    """Split the dates of a patch by its event.

    Parameters
    ----------
    patch : Dataset
        As :func:`headscarp.ingest.sen12.patch.read_patch` gives it.
    given : date, optional
        Day of the event for patches that state none.

    Raises
    ------
    PatchError
        If no day is known, or there is no date before or none after it.
    """
    facts: PatchFacts = patch.attrs["facts"]
    days = [moment.date() for moment in pd.DatetimeIndex(patch["time"].values)]
    stated = facts.event_dates
    brackets = [b for b in facts.brackets if b.last_before < b.first_after]
    if not stated and brackets:
        return _by_brackets(facts, days)
    if not stated and given is None:
        raise _undated(facts, "no event_date, no pre_post_dates around one")
    events = stated or ((given,) if given else ())
    split = Split(
        tuple(i for i, day in enumerate(days) if day < min(events)),
        tuple(i for i, day in enumerate(days) if day > max(events)),
    )
    _refuse_one_sided(facts, split, f"event on {', '.join(map(str, events))}")
    on_the_day = sum(day in events for day in days)
    between = len(days) - len(split.pre) - len(split.post) - on_the_day
    return Sides(split, EVENT_DATE if stated else GIVEN, _disagrees(facts, days), on_the_day, between)


def _by_brackets(facts: PatchFacts, days: list[date]) -> Sides:
    brackets = [b for b in facts.brackets if b.last_before < b.first_after]
    before, after = min(b.last_before for b in brackets), max(b.first_after for b in brackets)
    split = Split(
        tuple(i for i, day in enumerate(days) if day <= before),
        tuple(i for i, day in enumerate(days) if day >= after),
    )
    _refuse_one_sided(facts, split, f"pre_post_dates {before} and {after}")
    return Sides(split, PRE_POST, False, 0, len(days) - len(split.pre) - len(split.post))


def _disagrees(facts: PatchFacts, days: list[date]) -> bool:
    """Whether the dates around a stated day are not those that pre_post_dates names."""
    own = {official_bracket(day, days) for day in facts.event_dates}
    return bool(facts.brackets) and not own <= set(facts.brackets)


def _refuse_one_sided(facts: PatchFacts, split: Split, what: str) -> None:
    if not (split.pre and split.post):
        raise _undated(facts, f"{len(split.pre)} dates before, {len(split.post)} after: {what}")


def _undated(facts: PatchFacts, found: str) -> PatchError:
    return PatchError(
        "dates before and after the event of a patch",
        f"{facts.id} ({facts.sensor}): {found}",
        "there is no change to form",
        "give the day of the event, or leave the patch out",
    )
