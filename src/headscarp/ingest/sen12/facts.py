"""What a patch of Sen12Landslides says about itself: its name and its attributes, read into types.

Attributes are strings. Several landslides of a patch, and several days, are joined by commas. What
``pre_post_dates`` holds are **positions along the time axis** (from 0), not counts: of the last date before
the day of an event and of the first on it or after it; ``{'pre': 0, 'post': 0}`` and twice the last position
stand for an event before or after all dates (Höhn et al., 2025, the code that wrote the patches). Positions
are turned into dates here, at once, so that they survive when repeated dates are merged.

``center_lat`` and ``center_lon`` are in fact northing and easting in the patch's CRS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from headscarp.errors import HeadscarpError
from headscarp.grid import Bounds
from headscarp.vocabulary import OrbitState

NAME = re.compile(r"(?P<region>.+)_(?P<sensor>s1asc|s1dsc|s2)_(?P<number>[^_]+)")
"""Name of a patch's file without ``.nc``."""
ORBIT_STATES = {"s1asc": OrbitState.ASCENDING, "s1dsc": OrbitState.DESCENDING}
SATELLITES = {"s1asc": ("s1-asc", "s1"), "s1dsc": ("s1-dsc", "s1"), "s2": ("s2",)}
"""What ``satellite`` says in the folder of each sensor."""
_NUMBER = re.compile(r"np\.\w+\(([^()]*)\)")
"""How NumPy 2 writes a number that stands in a container."""
_PAIR = re.compile(r"\{'pre':\s*(-?\d+),\s*'post':\s*(-?\d+)\}")
_BOX = re.compile(r"\(([^()]*)\)")
_NONE = ("", "none", "nan", "nat")


class PatchError(HeadscarpError):
    """A patch that cannot be read, or that contradicts its format or itself."""


class Release(StrEnum):
    """Which release a patch is of: it decides the units of Sentinel-1."""

    RAW = "raw"
    """Linear power, clipped at 1."""
    HARMONIZED = "harmonized"
    """Decibels in [-50, 10]."""


class PatchName(NamedTuple):
    """What the name of a file says, such as ``hokkaido_s1asc_463.nc``."""

    region: str
    sensor: str
    number: str

    @property
    def id(self) -> str:
        """Name of the place, the same for every sensor: ``hokkaido_463``."""
        return f"{self.region}_{self.number}"


class Bracket(NamedTuple):
    """Dates around an event: the last before it, the first on its day or after it."""

    last_before: date
    first_after: date


class PatchFacts(BaseModel):
    """One patch: who it is, where it lies, what happened there."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str = Field(description="Region and number: the same for every sensor.")
    region: str
    sensor: str = Field(description="s1asc, s1dsc or s2.")
    satellite: str = Field(description="As the file says: s1-asc, s1-dsc or s2.")
    orbit_state: OrbitState | None = Field(description="None for Sentinel-2.")
    release: Release
    event_dates: tuple[date, ...] = Field(description="Days of the events that the patch shows; may be none.")
    date_confidences: tuple[float, ...] = Field(description="0 to 1, of the days; the file may list fewer.")
    brackets: tuple[Bracket, ...] = Field(description="Dates around each event, of pre_post_dates.")
    annotated: bool = Field(description="Whether the file says that it shows landslides.")
    ann_ids: tuple[int, ...] = Field(description="Numbers of the mapped landslides.")
    ann_boxes: tuple[Bounds, ...] = Field(description="Left, bottom, right, top of each, m in the CRS.")
    crs: str
    bounds: Bounds = Field(description="Outer pixel edges: left, bottom, right, top, m in the CRS.")

    @property
    def centre(self) -> tuple[float, float]:
        """Easting and northing of the middle, m."""
        left, bottom, right, top = self.bounds
        return (left + right) / 2.0, (bottom + top) / 2.0


def parse_name(path: Path) -> PatchName:
    """Read the name of a patch's file.

    Raises
    ------
    PatchError
        If it is not ``<region>_<sensor>_<id>.nc``.

    Examples
    --------
    >>> parse_name(Path("s1dsc/usa_puertorico_s1dsc_1045.nc")).id
    'usa_puertorico_1045'
    """
    found = NAME.fullmatch(path.stem) if path.suffix == ".nc" else None
    if found is None:
        raise PatchError(
            "a file named <region>_<sensor>_<id>.nc, the sensor s1asc, s1dsc or s2",
            path.name,
            "neither the place nor the sensor could be told",
            "move files that are no patches out of the folder",
        )
    return PatchName(**found.groupdict())


def parse_positions(text: str) -> tuple[tuple[int, int], ...]:
    """Read ``pre_post_dates``: positions of the last date before and of the first after each event.

    Examples
    --------
    >>> parse_positions("{'pre': 7, 'post': 8}")
    ((7, 8),)
    >>> parse_positions("[{'pre': np.int64(0), 'post': np.int64(0)},{'pre': 3, 'post': 4}]")
    ((0, 0), (3, 4))
    """
    found = _PAIR.findall(_NUMBER.sub(r"\1", text))
    if not found and text.strip().lower() not in (*_NONE, "[]"):
        raise ValueError(f"pre_post_dates {text!r}")
    return tuple((int(pre), int(post)) for pre, post in found)


def parse_facts(
    name: PatchName,
    attributes: Mapping[str, Any],
    dates: list[date],
    release: Release,
    crs: str,
    bounds: Bounds,
) -> PatchFacts:
    """Read the attributes of a patch.

    Parameters
    ----------
    name : PatchName
    attributes : mapping
        As the file has them.
    dates : list of date
        Of the file's own time axis, to which positions refer.
    release : Release
    crs : str
    bounds : tuple of float
        Outer pixel edges.

    Raises
    ------
    ValueError
        Naming the attribute that cannot be read.
    """
    texts = {key: str(value).strip() for key, value in attributes.items()}
    satellite = texts.get("satellite", "")
    if satellite not in SATELLITES[name.sensor]:
        raise ValueError(f"satellite {satellite!r} in a file named {name.sensor}")
    return PatchFacts(
        id=name.id,
        region=name.region,
        sensor=name.sensor,
        satellite=satellite,
        orbit_state=ORBIT_STATES.get(name.sensor),
        release=release,
        event_dates=tuple(date.fromisoformat(part[:10]) for part in _parts(texts, "event_date")),
        date_confidences=tuple(float(part) for part in _parts(texts, "date_confidence")),
        brackets=_brackets(texts.get("pre_post_dates", ""), dates),
        annotated=_flag(texts.get("annotated", "")),
        ann_ids=tuple(int(float(part)) for part in _parts(texts, "ann_id")),
        ann_boxes=_boxes(texts.get("ann_bbox", "")),
        crs=crs,
        bounds=bounds,
    )


def official_bracket(event: date, dates: list[date]) -> Bracket:
    """Dates around a day, as the patches' own code finds them: rising dates, the day itself counts as after.

    Examples
    --------
    >>> days = [date(2018, 8, 29), date(2018, 9, 10), date(2018, 9, 22)]
    >>> [str(day) for day in official_bracket(date(2018, 9, 6), days)]
    ['2018-08-29', '2018-09-10']
    >>> official_bracket(date(2019, 1, 1), days) == (days[-1], days[-1])
    True
    """
    later = [day for day in dates if day >= event]
    if not later:
        return Bracket(dates[-1], dates[-1])
    place = len(dates) - len(later)
    return Bracket(dates[max(place - 1, 0)], dates[place])


def _brackets(text: str, dates: list[date]) -> tuple[Bracket, ...]:
    found = parse_positions(text)
    if any(not 0 <= place < len(dates) for pair in found for place in pair):
        raise ValueError(f"pre_post_dates {text!r} of {len(dates)} dates")
    return tuple(Bracket(dates[pre], dates[post]) for pre, post in found)


def _boxes(text: str) -> tuple[Bounds, ...]:
    boxes = []
    for inner in _BOX.findall(_NUMBER.sub(r"\1", text)):
        values = [float(part) for part in inner.split(",")]
        if len(values) != 4:
            raise ValueError(f"ann_bbox ({inner})")
        boxes.append((values[0], values[1], values[2], values[3]))
    return tuple(boxes)


def _parts(texts: Mapping[str, str], key: str) -> list[str]:
    """Parts of a list that is joined by commas, those that say nothing left out."""
    parts = [part.strip(" []'\"") for part in texts.get(key, "").split(",")]
    return [part for part in parts if part.lower() not in _NONE]


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"annotated {text!r}")
    return text.lower() == "true"
