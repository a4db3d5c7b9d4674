"""Facts in names and tags: times, polarisations, orbits, as Sentinel-1 products write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from headscarp.geometry.orbit import ORBITS_PER_CYCLE, relative_orbit_from_absolute
from headscarp.ingest.protocol import Known
from headscarp.vocabulary import POLARIZATIONS, BackscatterScale, OrbitState, Polarization

SENTINEL1_PRODUCT = re.compile(
    r"(?P<platform>S1[A-D])_(?:IW|EW|S[1-6]|WV)_[A-Z]{3}[A-Z_]_\d[SA](?P<mode>[SDHV]{2})_"
    r"(?P<acquired>\d{8}T\d{6})_\d{8}T\d{6}_(?P<absolute_orbit>\d{6})_[0-9A-F]{6}"
)
"""ESA's product name, wherever it stands inside another name."""

ORBIT_STATE_TAGS = (
    "orbit_pass_direction",
    "orbit_state",
    "orbitproperties_pass",
    "orbit_direction",
)
RELATIVE_ORBIT_TAGS = (
    "track_number",
    "relative_orbit",
    "relativeorbitnumber_start",
)
SCALE_TAGS = (
    "processing_information_output_backscatter_expression_convention",
    "units",
    "scale",
)

_SCALE_WORDS = {
    "linear power": BackscatterScale.POWER,
    "linear backscatter intensity": BackscatterScale.POWER,
    "linear": BackscatterScale.POWER,
    "power": BackscatterScale.POWER,
    "intensity": BackscatterScale.POWER,
    "decibel": BackscatterScale.DECIBEL,
    "db": BackscatterScale.DECIBEL,
    "amplitude": BackscatterScale.AMPLITUDE,
}
_POLARIZATION = re.compile(r"(?<![A-Za-z])(VV|VH|HH|HV)(?![A-Za-z])", re.IGNORECASE)
_OFFSET = re.compile(r"(?<=:\d{2})(?:\.\d+)?([+-]\d{2}:?\d{2})$")
_DECIBEL = re.compile(r"(?<![A-Za-z])dB(?![A-Za-z])", re.IGNORECASE)


def parse_time(text: str) -> tuple[datetime, bool]:
    """Read a compact or ISO time as UTC (a stated offset is taken off), and tell whether it is only a day.

    Raises
    ------
    ValueError
        If the text is not a time.

    Examples
    --------
    >>> parse_time("20231121T015908Z")[0].hour, parse_time("20231121")[1]
    (1, True)
    """
    offset = _OFFSET.search(text)
    local = text[: offset.start()] if offset else text
    digits = re.sub(r"[-:T_Z ]", "", local.split(".", maxsplit=1)[0])
    if len(digits) == 8:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC), True
    zone = offset[1].replace(":", "") if offset else "+0000"
    # strptime takes one digit for two where they run out: 0842 would be 08:04:02
    seconds = digits if len(digits) != 12 else f"{digits}00"
    if len(seconds) != 14:
        raise ValueError(f"not a time: {text!r}")
    return datetime.strptime(f"{seconds}{zone}", "%Y%m%d%H%M%S%z").astimezone(UTC), False


def parse_orbit_state(text: str) -> OrbitState | None:
    """Read "ascending", "ASC", "A"… as a pass direction."""
    word = text.strip().upper()
    if word in {"A", "ASC", "ASCENDING"}:
        return OrbitState.ASCENDING
    return OrbitState.DESCENDING if word in {"D", "DSC", "DES", "DESC", "DESCENDING"} else None


def polarization_in(text: str) -> Polarization | None:
    """Find the one polarisation that a text names.

    Examples
    --------
    >>> polarization_in("Gamma0_VH_db"), polarization_in("angle")
    ('VH', None)
    """
    found = {match.upper() for match in _POLARIZATION.findall(text)}
    return next((pol for pol in POLARIZATIONS if found == {pol}), None)


def scale_in(text: str, source: str) -> Known[BackscatterScale] | None:
    """Find "dB" written in a name or description."""
    return Known(BackscatterScale.DECIBEL, source) if _DECIBEL.search(text) else None


def orbit_state_in_tags(tags: dict[str, str]) -> Known[OrbitState] | None:
    """Pass direction from a product's tags."""
    for tag in ORBIT_STATE_TAGS:
        state = parse_orbit_state(tags.get(tag, ""))
        if state is not None:
            return Known(state, f"tag {tag.upper()}")
    return None


def relative_orbit_in_tags(tags: dict[str, str]) -> Known[int] | None:
    """Relative orbit from a product's tags."""
    for tag in RELATIVE_ORBIT_TAGS:
        text = tags.get(tag, "").strip()
        if text.isdecimal() and 1 <= int(text) <= ORBITS_PER_CYCLE:
            return Known(int(text), f"tag {tag.upper()}")
    return None


def scale_in_tags(tags: dict[str, str]) -> Known[BackscatterScale] | None:
    """Scale of backscatter from a product's tags."""
    for tag in SCALE_TAGS:
        scale = _SCALE_WORDS.get(tags.get(tag, "").strip().lower())
        if scale is not None:
            return Known(scale, f"tag {tag.upper()}")
    return None


def relative_orbit_in_product(name: re.Match[str]) -> Known[int] | None:
    """Relative orbit from the absolute orbit in ESA's product name."""
    orbit = relative_orbit_from_absolute(name["platform"], int(name["absolute_orbit"]))
    return Known(orbit, "absolute orbit in the name") if orbit else None
