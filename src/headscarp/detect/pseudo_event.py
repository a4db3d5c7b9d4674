"""The pseudo-event: the same detector on dates before the event only, where every find is false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from headscarp.features.change import Split

MIN_DATES = 6
"""Fewest pre-event dates of an orbit that can be split into before and after."""
MIN_PRE = 3


@dataclass(frozen=True)
class PseudoEvent:
    """A moment before the event, and the dates on either side of it.

    Attributes
    ----------
    moment : datetime
        Halfway between the last date before and the first after.
    splits : dict of str to Split
        By orbit label, as positions along the orbit's time.
    """

    moment: datetime
    splits: dict[str, Split]


def plan_pseudo_event(dates: Mapping[str, Mapping[int, datetime]], post_dates: int) -> PseudoEvent | None:
    """Split the pre-event dates of a stack as the event split the whole.

    The orbit with the most dates sets the moment: its last ``post_dates``, at most half of its dates, come
    after. The other orbits are split at the same moment.

    Parameters
    ----------
    dates : mapping of str to mapping of int to datetime
        Pre-event dates of each orbit, by position along its time.
    post_dates : int
        Dates after the real event.

    Returns
    -------
    PseudoEvent or None
        None where no orbit has at least 6 dates.
    """
    longest = max(dates.values(), key=len, default={})
    if len(longest) < MIN_DATES:
        return None
    ordered = sorted(longest.values())
    after = max(1, min(post_dates, len(ordered) // 2))
    last, first = ordered[-after - 1], ordered[-after]
    moment = last + (first - last) / 2
    splits = {label: _split(own, moment) for label, own in dates.items() if len(own) >= MIN_DATES}
    usable = {label: s for label, s in splits.items() if len(s.pre) >= MIN_PRE and s.post}
    return PseudoEvent(moment, usable)


def _split(dates: Mapping[int, datetime], moment: datetime) -> Split:
    pre = tuple(sorted(i for i, date in dates.items() if date < moment))
    return Split(pre, tuple(sorted(i for i, date in dates.items() if date >= moment)))
