"""Plain GeoTIFFs, as people export them from Earth Engine or SNAP.

Facts come from a declared name pattern, else from what names and band descriptions carry: an ESA product
name, one date, "VV" or "VH", "ASC" or "DESC", "R068".
"""

from __future__ import annotations

import re
from datetime import datetime

from headscarp.errors import SceneError
from headscarp.ingest.names import (
    SENTINEL1_PRODUCT,
    orbit_state_in_tags,
    parse_orbit_state,
    parse_time,
    polarization_in,
    relative_orbit_in_product,
    relative_orbit_in_tags,
    scale_in,
    scale_in_tags,
)
from headscarp.ingest.options import IngestOptions
from headscarp.ingest.protocol import Facts, Header, Known
from headscarp.vocabulary import OrbitState, Polarization

_FIELDS = {
    "any": r".*?",
    "platform": r"(?P<platform>S1[A-D])",
    "acquired": r"(?P<acquired>\d{4}-?\d{2}-?\d{2}(?:[T_-]?\d{2}:?\d{2}:?\d{2})?)",
    "orbit_state": r"(?P<orbit_state>[A-Za-z]+?)",
    "relative_orbit": r"[A-Za-z]*(?P<relative_orbit>\d{1,3})",
    "polarization": r"(?P<polarization>VV|VH|HH|HV)",
}
_DATE = re.compile(r"(?<!\d)(20\d{2}-?[01]\d-?[0-3]\d(?:[T_-]?[0-2]\d[0-5]\d[0-5]\d)?)(?!\d)")
_ORBIT_STATE = re.compile(r"(?<![A-Za-z])(ASC(?:ENDING)?|DE?SC(?:ENDING)?)(?![A-Za-z])", re.I)
_RELATIVE_ORBIT = re.compile(r"(?<![A-Za-z0-9])(?:R|T|RON|TRACK|ORBIT)_?(\d{1,3})(?![A-Za-z0-9])", re.I)
_PLATFORM = re.compile(r"(?<![A-Za-z0-9])(S1[A-D])(?![A-Za-z0-9])")
_TIME_TAGS = ("acquired", "datetime", "sensing_start_time")


class GeotiffReader:
    """Reads plain GeoTIFFs, one or many acquisitions a file."""

    name = "GeoTIFF"

    def recognises(self, header: Header) -> bool:
        """Tell whether a band and a date can be found; the last reader asked, so it is generous."""
        return True

    def facts(self, header: Header, options: IngestOptions) -> list[Facts]:
        """State the facts of each acquisition in the file, grouped by date.

        Raises
        ------
        SceneError
            If a declared pattern does not fit, a name carries several dates, or two bands claim one
            polarisation of one acquisition.
        """
        by_time: dict[tuple[datetime, bool], dict[Polarization, int]] = {}
        named = _named(header, options)
        for band, description in enumerate(header.descriptions, start=1):
            polarization = _polarization(band, description, named, header, options)
            time = _time(description, named, header) if polarization is not None else None
            if polarization is not None and time is not None:
                bands = by_time.setdefault(time, {})
                _refuse_second(header, bands.get(polarization), band)
                bands[polarization] = band
        return [_facts(header, named, time, bands) for time, bands in by_time.items()]


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Turn ``{platform}_{acquired}_{polarization}`` into a regular expression.

    Raises
    ------
    SceneError
        If the pattern names a field that does not exist, names one twice, or has no ``{acquired}``.
    """
    parts = re.split(r"\{(\w+)\}", pattern)
    fields = [part for part in parts[1::2] if part != "any"]
    unknown = set(fields) - _FIELDS.keys()
    if unknown or "acquired" not in fields or len(set(fields)) < len(fields):
        raise SceneError(
            "a name pattern with {acquired}, each field once, and otherwise " + ", ".join(sorted(_FIELDS)),
            repr(pattern),
            "the date of the scenes could not be read",
            "write for example {any}_{acquired}_{orbit_state}_{relative_orbit}_{polarization}",
        )
    text = "".join(_FIELDS[part] if i % 2 else re.escape(part) for i, part in enumerate(parts))
    return re.compile(text, re.IGNORECASE)


def _named(header: Header, options: IngestOptions) -> dict[str, str]:
    """Fields that the file name carries, by a declared pattern or by their usual look."""
    stem = header.path.stem
    if options.name_pattern:
        match = compile_pattern(options.name_pattern).match(stem)
        if match is None:
            raise SceneError(
                f"names like {options.name_pattern}",
                header.path.name,
                "its date and orbit cannot be read",
                "mend ingest.name_pattern, or leave the file out",
            )
        return {key: value for key, value in match.groupdict().items() if value}
    return _usual_fields(stem)


def _usual_fields(text: str) -> dict[str, str]:
    """Fields of a name without a declared pattern."""
    product = SENTINEL1_PRODUCT.search(text)
    if product is not None:
        return {"product": product[0], "acquired": product["acquired"], "platform": product[1]}
    fields = {}
    if platform := _PLATFORM.search(text):
        fields["platform"] = platform[1]
    if state := _ORBIT_STATE.search(text):
        fields["orbit_state"] = state[1]
    if orbit := _RELATIVE_ORBIT.search(text):
        fields["relative_orbit"] = orbit[1]
    dates = list(dict.fromkeys(_DATE.findall(text)))
    if len(dates) == 1:
        fields["acquired"] = dates[0]
    elif dates:
        fields["dates"] = " ".join(dates)
    return fields


def _polarization(
    band: int, description: str, named: dict[str, str], header: Header, options: IngestOptions
) -> Polarization | None:
    if options.bands is not None:
        return options.bands[band - 1] if band <= len(options.bands) else None
    found = polarization_in(description)
    if found is None and len(header.descriptions) == 1:
        found = polarization_in(named.get("polarization", header.path.stem))
    return found


def _time(description: str, named: dict[str, str], header: Header) -> tuple[datetime, bool] | None:
    """Time of a band: its own description's, else the name's, else a tag's."""
    described = _usual_fields(description).get("acquired")
    text = described or named.get("acquired")
    text = text or next((header.tags[tag] for tag in _TIME_TAGS if tag in header.tags), None)
    if text is None and "dates" in named:
        raise SceneError(
            "one date in the name of a plain GeoTIFF",
            f"{header.path.name}, which has {named['dates']}",
            "the date of the acquisition would be a guess",
            "declare the names with ingest.name_pattern, such as {any}_{acquired}_{any}",
        )
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None


def _facts(
    header: Header,
    named: dict[str, str],
    time: tuple[datetime, bool],
    bands: dict[Polarization, int],
) -> Facts:
    descriptions = " ".join(header.descriptions[band - 1] for band in bands.values())
    described = _usual_fields(descriptions)
    product = SENTINEL1_PRODUCT.search(f"{header.path.stem} {descriptions}")
    fields = described | named
    return Facts(
        bands=bands,
        acquired=time[0],
        day_only=time[1],
        platform=fields.get("platform"),
        processed=None,
        orbit_state=orbit_state_in_tags(header.tags)
        or _state(named, "file name")
        or _state(described, "band description"),
        relative_orbit=relative_orbit_in_tags(header.tags)
        or _orbit(named, "file name")
        or _orbit(described, "band description")
        or (relative_orbit_in_product(product) if product else None),
        scale=scale_in_tags(header.tags)
        or scale_in(descriptions, "band description")
        or scale_in(header.path.stem, "file name"),
    )


def _state(fields: dict[str, str], source: str) -> Known[OrbitState] | None:
    state = parse_orbit_state(fields.get("orbit_state", ""))
    return Known(state, source) if state else None


def _orbit(fields: dict[str, str], source: str) -> Known[int] | None:
    number = int(fields.get("relative_orbit", 0))
    return Known(number, source) if 1 <= number <= 175 else None


def _refuse_second(header: Header, first: int | None, second: int) -> None:
    if first is not None:
        names = [f"{band} ({header.descriptions[band - 1] or 'no description'})" for band in (first, second)]
        raise SceneError(
            "one band for each polarisation of an acquisition",
            f"{header.path.name}, where bands {' and '.join(names)} are both one",
            "which of them is backscatter, and in which unit, would be a guess",
            "export one band for each polarisation and date, with the date in its description",
        )
