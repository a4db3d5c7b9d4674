"""OPERA L2 RTC-S1: gamma0 by burst, linear power, one polarisation a file.

Source: OPERA RTC-S1 Product Specification (JPL D-108758), §3.3 (names) and Table 4-4 (metadata).
"""

from __future__ import annotations

import re

from headscarp.geometry.orbit import orbit_state_from_burst
from headscarp.ingest.names import (
    orbit_state_in_tags,
    parse_time,
    relative_orbit_in_tags,
    scale_in_tags,
)
from headscarp.ingest.options import IngestOptions
from headscarp.ingest.protocol import Facts, Header, Known
from headscarp.vocabulary import BackscatterScale, OrbitState

_NAME = re.compile(
    r"OPERA_L2_RTC-S1_(?P<burst>T(?P<track>\d{3})-(?P<number>\d{6})-(?P<swath>[A-Z]{2}\d))_"
    r"(?P<acquired>\d{8}T\d{6})Z_(?P<processed>\d{8}T\d{6})Z_(?P<platform>S1[A-D])_"
    r"\d+_v[\d.]+_(?P<polarization>VV|VH|HH|HV)(?:_|\.|$)"
)


class OperaReader:
    """Reads OPERA RTC-S1 GeoTIFFs: facts from tags, else from the file name."""

    name = "OPERA RTC-S1"

    def recognises(self, header: Header) -> bool:
        """Tell whether the name is an OPERA RTC-S1 backscatter layer's."""
        return _NAME.search(header.path.name) is not None

    def facts(self, header: Header, options: IngestOptions) -> list[Facts]:
        """State the facts of the one acquisition in the file."""
        name = _NAME.search(header.path.name)
        if name is None:
            return []
        tags = header.tags
        acquired, _ = parse_time(tags.get("zero_doppler_start_time", name["acquired"]))
        processed, _ = parse_time(tags.get("processing_datetime", name["processed"]))
        return [
            Facts(
                bands={name["polarization"]: 1},  # type: ignore[dict-item]
                acquired=acquired,
                processed=processed,
                platform=name["platform"],
                burst=name["burst"],
                orbit_state=orbit_state_in_tags(tags) or _orbit_state(name),
                relative_orbit=relative_orbit_in_tags(tags) or Known(int(name["track"]), "burst identifier"),
                scale=scale_in_tags(tags) or Known(BackscatterScale.POWER, "product definition"),
            )
        ]


def _orbit_state(name: re.Match[str]) -> Known[OrbitState]:
    state = orbit_state_from_burst(int(name["number"]), int(name["track"]))
    return Known(state, "burst identifier")
