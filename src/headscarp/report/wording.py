"""Numbers and facts of a run, put into words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headscarp.record import FalseAlarms, RunRecord

NO_VALUE = "–"
_LONGEST_VALUE = 400
"""Characters of an option's value that are shown."""
_MOST_ITEMS = 12
"""Items of a list that are shown."""


@dataclass(frozen=True)
class Tile:
    """A key number at the head of the page."""

    label: str
    value: str
    details: list[str]


def say_number(value: float, digits: int = 3) -> str:
    """Write a number with a few significant digits and no exponent.

    Parameters
    ----------
    value : float
        The number.
    digits : int
        Significant digits below 100; above, whole numbers.

    Returns
    -------
    str
        The number, with thousands parted by a thin space.

    Examples
    --------
    >>> say_number(0.012345), say_number(12.0), say_number(float("nan"))
    ('0.0123', '12', '–')
    """
    if not math.isfinite(value):
        return NO_VALUE
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    if abs(value) >= 100:
        decimals = 0
    text = f"{value:,.{decimals}f}".replace(",", "\u202f").replace("-", "−")
    return text.rstrip("0").rstrip(".") if "." in text else text


def say_count(count: int, noun: str) -> str:
    """Write a count and its noun.

    Parameters
    ----------
    count : int
        How many.
    noun : str
        In the singular; its plural takes an s.

    Returns
    -------
    str
        Such as ``3 files``.
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}".replace(",", "\u202f")


def say_share(share: float) -> str:
    """Write a share as a percentage.

    Parameters
    ----------
    share : float
        From 0 to 1.

    Returns
    -------
    str
        Such as ``0.12 %``.
    """
    return f"{say_number(100 * share, 2)} %"


def say_km2(area_km2: float) -> str:
    """Write an area in square kilometres.

    Parameters
    ----------
    area_km2 : float
        The area.

    Returns
    -------
    str
        Such as ``12.3 km²``.
    """
    return f"{say_number(area_km2)} km²"


def say_time(moment: datetime, to_the_second: bool = True) -> str:
    """Write a time in UTC.

    Parameters
    ----------
    moment : datetime
        The time.
    to_the_second : bool
        Otherwise only the day.

    Returns
    -------
    str
        Such as ``2022-09-18 06:44:15 UTC``.
    """
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC" if to_the_second else "%Y-%m-%d")


def flatten(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """List nested options as dotted names and values.

    Parameters
    ----------
    options : Mapping[str, Any]
        Nested options.
    prefix : str
        Put before each name.

    Yields
    ------
    tuple[str, str]
        Name and value; long values are cut.

    Examples
    --------
    >>> list(flatten({"detect": {"prior": 0.01}, "tiles": [1, 2]}))
    [('detect.prior', '0.01'), ('tiles', '1, 2')]
    """
    for key, value in options.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{name}.")
        else:
            yield name, _say_value(value)


def _say_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        text = ", ".join(_say_value(item) for item in value[:_MOST_ITEMS])
        text += f", … ({len(value)} values)" if len(value) > _MOST_ITEMS else ""
    else:
        text = NO_VALUE if value is None else str(value)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + " …"


def own_false_alarms(record: RunRecord) -> FalseAlarms | None:
    """Find the pseudo-event's false alarms at the run's own threshold.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    FalseAlarms | None
        None where the check could not run.
    """
    if record.pseudo_event.date_utc is None:
        return None
    for alarms in record.pseudo_event.false_alarms:
        if math.isclose(alarms.threshold, record.detector.threshold, abs_tol=1e-9):
            return alarms
    return None


def _false_alarm_tile(record: RunRecord) -> Tile:
    label = "False alarms per 100 km²"
    alarms, check = own_false_alarms(record), record.pseudo_event
    if check.date_utc is None:
        return Tile(label, "not measured", [check.note])
    if alarms is None:
        counted = ", ".join(f"{row.threshold:g}" for row in check.false_alarms)
        why = f"counted at {counted}, not at this run’s {record.detector.threshold:.4g}"
        return Tile(label, "not measured", [why])
    found = f"{say_count(alarms.objects, 'object')} in {say_km2(check.area_km2)}"
    when = f"pseudo-event on {say_time(check.date_utc, False)}, where nothing happened"
    expected = alarms.per_100km2 * record.results.observed_km2 / 100
    here = f"at that rate about {say_number(expected, 2)} on this map"
    return Tile(label, say_number(alarms.per_100km2, 2), [found, when, here])


def _first_pass_tile(record: RunRecord) -> Tile:
    waits = [
        (orbit.days_to_first_pass, orbit.label)
        for orbit in record.orbits
        if orbit.days_to_first_pass is not None
    ]
    label = "First pass after the event"
    if not waits:
        return Tile(label, "none", ["no orbit saw the ground after the event"])
    lines = [f"{name}: {say_number(days)} days" for days, name in sorted(waits)]
    return Tile(label, f"{say_number(min(waits)[0])} days", lines)


def key_numbers(record: RunRecord) -> list[Tile]:
    """Choose the numbers at the head of the page.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    list[Tile]
        In reading order.
    """
    results = record.results
    floor = f"probability of {record.detector.threshold:.4g} or more"
    least = f"at least {say_number(results.min_area_m2)} m² each"
    flagged = f"{say_km2(results.flagged_km2)} flagged before the minimum area"
    missed = f"{say_km2(results.not_observed_km2)} not observed"
    asked = f"of {say_km2(results.area_of_interest_km2)} asked for"
    hectares = f"{say_number(100 * results.landslides_km2)} ha"
    return [
        Tile("Landslides found", f"{results.landslides:,}".replace(",", "\u202f"), [floor, least]),
        Tile("Their area", say_km2(results.landslides_km2), [hectares]),
        Tile("Flagged share of observed ground", say_share(results.flagged_share), [flagged]),
        Tile("Observed", say_km2(results.observed_km2), [missed, asked]),
        _false_alarm_tile(record),
        _first_pass_tile(record),
    ]
