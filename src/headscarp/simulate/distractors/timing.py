"""When the radar passes, and an event between the passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from headscarp.errors import EventError


class Times(NamedTuple):
    """Passes of all orbits, oldest first, and the event."""

    before: tuple[datetime, ...]
    after: tuple[datetime, ...]
    event: datetime

    @property
    def span(self) -> tuple[datetime, datetime]:
        """From the first pass, or the event, to the last."""
        passes = (*self.before, self.event, *self.after)
        return passes[0], passes[-1]

    @property
    def gap(self) -> tuple[datetime, datetime]:
        """From the last pass before the event to the first after it."""
        return (self.before[-1] if self.before else self.event), (self.after[0] if self.after else self.event)

    def past(self, count: int) -> datetime:
        """Some hours after the given number of passes since the event; three days after it without any."""
        if not self.after:
            return self.event + timedelta(days=3)
        return self.after[min(count, len(self.after)) - 1] + timedelta(hours=3)


def times_around(pass_times: Sequence[datetime], event: datetime) -> Times:
    """Sort passes into those before an event and those after it.

    Raises
    ------
    EventError
        If a time has no zone.
    """
    naive = [time for time in (*pass_times, event) if time.tzinfo is None]
    if naive:
        raise EventError(
            "times with a time zone",
            f"{naive[0].isoformat()} without",
            "changes begin between passes of different orbits, hours apart",
            "give times in UTC: datetime(..., tzinfo=UTC)",
        )
    ordered = sorted(pass_times)
    before, after = (t for t in ordered if t < event), (t for t in ordered if t >= event)
    return Times(tuple(before), tuple(after), event)
