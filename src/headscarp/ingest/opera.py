"""OPERA L2 RTC-S1: gamma0 by burst, linear power, one polarisation a file.

Source: OPERA RTC-S1 Product Specification (JPL D-108758), §3.3 (names) and Table 4-4 (metadata).
"""

from __future__ import annotations

import re

from headscarp.geometry.orbit import orbit_state_from_burst
from headscarp.ingest.names import (
    orbit_state_in_tags,
    parse_time,
    polarization_in,
    relative_orbit_in_tags,
    scale_in_tags,
)
from headscarp.ingest.options import IngestOptions
from headscarp.ingest.protocol import Facts, Header, Known
from headscarp.vocabulary import BackscatterScale, OrbitState

_NAME = re.compile(
    r"OPERA_L2_RTC-S1_(?P<burst_id>T\d{3}-\d{6}-[A-Z]{2}\d)_(?P<zero_doppler_start_time>\d{8}T\d{6})Z_"
    r"(?P<processing_datetime>\d{8}T\d{6})Z_(?P<platform>S1[A-D])_"
    r"\d+_v[\d.]+_(?P<polarization>VV|VH|HH|HV)(?:_|\.|$)"
)
"""Facts in the file name, by the names that their tags have."""
_BURST = re.compile(r"T(?P<track>\d{3})[-_](?P<number>\d+)[-_](?P<swath>[A-Z]{2}\d)", re.IGNORECASE)
_NEEDED_TAGS = {"burst_id", "zero_doppler_start_time", "polarization"}


class OperaReader:
    """Reads OPERA RTC-S1 GeoTIFFs: facts from tags, else from the file name."""

    name = "OPERA RTC-S1"

    def recognises(self, header: Header) -> bool:
        """Tell whether name or tags are those of an OPERA RTC-S1 backscatter layer."""
        by_tags = header.tags.keys() >= _NEEDED_TAGS and "mask" not in header.path.stem.lower()
        return by_tags or _NAME.search(header.path.name) is not None

    def facts(self, header: Header, options: IngestOptions) -> list[Facts]:
        """State the facts of the one acquisition in the file."""
        name = _NAME.search(header.path.name)
        known = (name.groupdict() if name else {}) | header.tags
        burst = _BURST.search(known["burst_id"])
        polarization = polarization_in(name["polarization"] if name else known["polarization"])
        if burst is None or polarization is None:
            return []
        processed = known.get("processing_datetime")
        return [
            Facts(
                bands={polarization: 1},
                acquired=parse_time(known["zero_doppler_start_time"])[0],
                processed=parse_time(processed)[0] if processed else None,
                platform=_platform(known.get("platform", "")),
                burst="T{}-{}-{}".format(*burst.groups()).upper(),
                orbit_state=orbit_state_in_tags(header.tags) or _orbit_state(burst),
                relative_orbit=relative_orbit_in_tags(header.tags)
                or Known(int(burst["track"]), "burst identifier"),
                scale=scale_in_tags(header.tags) or Known(BackscatterScale.POWER, "product definition"),
            )
        ]


def _platform(text: str) -> str | None:
    """Read "S1A" or "Sentinel-1A" as "S1A"."""
    found = re.search(r"S(?:entinel-)?1([A-D])", text, re.IGNORECASE)
    return f"S1{found[1].upper()}" if found else None


def _orbit_state(burst: re.Match[str]) -> Known[OrbitState]:
    state = orbit_state_from_burst(int(burst["number"]), int(burst["track"]))
    return Known(state, "burst identifier")
