"""What an event is: a moment, and the windows of scenes before and after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from headscarp.errors import EventError
from headscarp.vocabulary import Role

DAY = timedelta(days=1)
YEAR_DAYS = 365.25
SEASON_GAP_DAYS = 91
"""A quarter of a year: beyond it pre- and post-event medians sit in different seasons."""


class EventOptions(BaseModel):
    """When it happened, and which scenes count as before and after."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: str | None = Field(
        None, description="Day (2023-11-12) or UTC moment (2023-11-12T18:07:59Z) of the event."
    )
    pre: tuple[str, str] | None = Field(
        None, description="First and last day of the pre-event window; none: the pre_days before."
    )
    post: tuple[str, str] | None = Field(
        None, description="First and last day of the post-event window; none: the post_days after."
    )
    as_of: str | None = Field(
        None,
        description="Map with what was there by then: no scene acquired after this day or UTC moment is "
        "used; none: all.",
    )
    pre_days: int = Field(120, gt=0, description="Length of the default pre-event window, days.")
    post_days: int = Field(60, gt=0, description="Length of the default post-event window, days.")

    @model_validator(mode="before")
    @classmethod
    def _dates_as_text(cls, values: object) -> object:
        """YAML reads a bare day as a date; keep it as text."""
        if not isinstance(values, dict):
            return values
        as_text = {"date", "pre", "post", "as_of"} & values.keys()
        return values | {key: _text(values[key]) for key in as_text}


@dataclass(frozen=True)
class Window:
    """A span of time, its start included and its end not."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def overlaps(self, other: Window) -> bool:
        """Tell whether two windows share a moment."""
        return self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        last = self.end - timedelta(seconds=1)
        return f"{self.start:%Y-%m-%d} to {last:%Y-%m-%d}"


@dataclass(frozen=True)
class Event:
    """A moment and its windows; it gives every acquisition its role.

    Attributes
    ----------
    time_utc : datetime
        The moment, or the start of the day where only the day is known.
    is_instant : bool
        Whether the moment is known, or only its day.
    pre, post : Window
        Which acquisitions count as before and after.
    windows_source : str
        How the windows were chosen.
    conflicts : tuple of str
        Where explicit windows contradict the event; the windows won.
    as_of : datetime or None
        Moment up to which acquisitions count; none: all.
    """

    time_utc: datetime
    is_instant: bool
    pre: Window
    post: Window
    windows_source: str
    conflicts: tuple[str, ...] = ()
    as_of: datetime | None = None

    @classmethod
    def from_options(cls, options: EventOptions, now: datetime | None = None) -> Self:
        """Build an event from its options; a default window gives way to a given one.

        Raises
        ------
        EventError
            Without a date, with one that cannot be read or lies in the future, or with windows that
            are reversed or overlap.
        """
        time_utc, is_instant = parse_event_date(options.date)
        _refuse_future(time_utc, options.date, now or datetime.now(UTC))
        resumes = time_utc if is_instant else time_utc + DAY
        given_pre, given_post = _window(options.pre, "--pre"), _window(options.post, "--post")
        ends = min(time_utc, given_post.start) if given_post else time_utc
        starts = max(resumes, given_pre.end) if given_pre else resumes
        pre = given_pre or Window(ends - options.pre_days * DAY, ends)
        post = given_post or Window(starts, starts + options.post_days * DAY)
        _refuse_overlap(pre, post)
        return cls(
            time_utc,
            is_instant,
            pre,
            post,
            _windows_source(options),
            tuple(_conflicts(pre, post, time_utc, resumes)),
            _as_of(options.as_of, post),
        )

    def role_of(self, acquired: datetime) -> tuple[Role, str]:
        """Role of an acquisition and the reason for it.

        Parameters
        ----------
        acquired : datetime
            UTC.
        """
        if self.as_of is not None and acquired >= self.as_of:
            last = self.as_of - timedelta(seconds=1)
            return Role.REJECTED, f"not there yet by {last:%Y-%m-%d %H:%M}, which --as-of states"
        if acquired in self.pre:
            return Role.PRE_EVENT, f"in the pre-event window {self.pre}"
        if acquired in self.post:
            return Role.POST_EVENT, f"in the post-event window {self.post}"
        if not self.is_instant and self.time_utc <= acquired < self.time_utc + DAY:
            return Role.REJECTED, "on the event day: before or after the event is not known"
        side = "before" if acquired < self.time_utc else "after"
        return Role.REJECTED, f"{side} the event, outside both windows"

    def days_until(self, acquired: datetime) -> float:
        """Days from the event to an acquisition (negative: before it)."""
        return (acquired - self.time_utc) / DAY


def parse_event_date(text: str | None) -> tuple[datetime, bool]:
    """Read a day or a UTC moment.

    Returns
    -------
    tuple of datetime and bool
        UTC, and whether it is a moment (True) or a day (False).

    Raises
    ------
    EventError
        If the text is neither.

    Examples
    --------
    >>> parse_event_date("2018-09-05T18:07:59Z")[1], parse_event_date("2018-09-05")[1]
    (True, False)
    """
    if not text:
        raise EventError(
            "the day or the UTC moment of the event",
            "nothing",
            "scenes before and after cannot be told apart",
            "pass --event-date 2023-11-12, or 2023-11-12T18:07:59Z",
        )
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise EventError(
            "a day such as 2023-11-12 or a moment such as 2023-11-12T18:07:59Z",
            repr(text),
            "scenes before and after cannot be told apart",
            "write the date in ISO 8601",
        ) from None
    is_instant = len(text.strip()) > len("2023-11-12")
    return _utc(moment), is_instant


def season_gap_days(pre: list[datetime], post: list[datetime]) -> float:
    """Distance between the seasons of two sets of dates, in days of the year (0 to 183).

    The season of a set is the circular mean of its days of the year.
    """
    gap = abs(_season_day(pre) - _season_day(post)) % YEAR_DAYS
    return min(gap, YEAR_DAYS - gap)


def _season_day(dates: list[datetime]) -> float:
    angle = np.array([d.timetuple().tm_yday for d in dates]) * (2.0 * np.pi / YEAR_DAYS)
    mean = np.arctan2(np.sin(angle).mean(), np.cos(angle).mean())
    return float(mean % (2.0 * np.pi) * YEAR_DAYS / (2.0 * np.pi))


def _window(days: tuple[str, str] | None, option: str) -> Window | None:
    """Window from its first and last day, both included."""
    if days is None:
        return None
    (start, _), (last, last_is_instant) = (parse_event_date(day) for day in days)
    end = last if last_is_instant else last + DAY
    if end <= start:
        raise EventError(
            f"{option} with its first day before its last",
            f"{days[0]} to {days[1]}",
            "the window is empty",
            "swap the two days",
        )
    return Window(start, end)


def _as_of(text: str | None, post: Window) -> datetime | None:
    """End of the day, or just after the moment, up to which acquisitions count."""
    if text is None:
        return None
    moment, is_instant = parse_event_date(text)
    end = moment + timedelta(seconds=1) if is_instant else moment + DAY
    if end <= post.start:
        raise EventError(
            f"--as-of a day in the post-event window {post}, or later",
            text,
            "no scene after the event was there by then",
            "give a later --as-of, or leave it out",
        )
    return end


def _conflicts(pre: Window, post: Window, time_utc: datetime, resumes: datetime) -> list[str]:
    found = []
    if pre.end > time_utc:
        found.append(
            f"The pre-event window ({pre}) reaches into or past the event ({time_utc:%Y-%m-%d}): "
            "the window was kept, and its late scenes may already show landslides."
        )
    if post.start < resumes:
        found.append(
            f"The post-event window ({post}) starts on or before the event ({time_utc:%Y-%m-%d}): "
            "the window was kept, and its early scenes may predate the landslides."
        )
    return found


def _refuse_future(time_utc: datetime, text: str | None, now: datetime) -> None:
    if time_utc > now:
        raise EventError(
            f"an event in the past (today is {now:%Y-%m-%d})",
            str(text),
            "no scene can show what has not happened",
            "check the year and the order of month and day",
        )


def _refuse_overlap(pre: Window, post: Window) -> None:
    if pre.overlaps(post):
        raise EventError(
            "pre- and post-event windows that do not overlap",
            f"{pre} and {post}",
            "a scene cannot be before and after the event at once",
            "end --pre before --post starts",
        )


def _windows_source(options: EventOptions) -> str:
    pre = "given" if options.pre else f"the {options.pre_days} days before (default)"
    post = "given" if options.post else f"the {options.post_days} days after (default)"
    return f"pre-event: {pre}; post-event: {post}"


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(_text(item) for item in value)
    return value if value is None else str(value)
