"""ASF HyP3 RTC (GAMMA): one polarisation a file, power, amplitude or dB as the name says.

Source: ASF HyP3 Sentinel-1 RTC Product Guide, "Naming Convention".
"""

from __future__ import annotations

import re
from pathlib import Path

from headscarp.ingest.names import (
    SENTINEL1_PRODUCT,
    orbit_state_in_tags,
    parse_time,
    relative_orbit_in_product,
    relative_orbit_in_tags,
)
from headscarp.ingest.options import IngestOptions
from headscarp.ingest.protocol import Facts, Header, Known
from headscarp.vocabulary import BackscatterScale

_NAME = re.compile(
    r"(?P<product>(?P<platform>S1[A-D])_(?:IW|EW|S\d)_(?P<acquired>\d{8}T\d{6})_[SD][VH][PRO]_"
    r"RTC\d+_G_[sg](?P<scale>[pad])\w{4}_[0-9A-F]{4})_(?P<polarization>VV|VH|HH|HV)\.tiff?$"
)
_SCALE = {
    "p": BackscatterScale.POWER,
    "a": BackscatterScale.AMPLITUDE,
    "d": BackscatterScale.DECIBEL,
}


class Hyp3Reader:
    """Reads HyP3 RTC GeoTIFFs: facts from the name, the orbit from the README beside it."""

    name = "HyP3 RTC"

    def recognises(self, header: Header) -> bool:
        """Tell whether the name is a HyP3 RTC backscatter layer's."""
        return _NAME.search(header.path.name) is not None

    def facts(self, header: Header, options: IngestOptions) -> list[Facts]:
        """State the facts of the one acquisition in the file."""
        name = _NAME.search(header.path.name)
        if name is None:
            return []
        granule = read_source_granule(header.path, name["product"])
        acquired, _ = parse_time(name["acquired"])
        return [
            Facts(
                bands={name["polarization"]: 1},  # type: ignore[dict-item]
                acquired=acquired,
                platform=name["platform"],
                orbit_state=orbit_state_in_tags(header.tags),
                relative_orbit=relative_orbit_in_tags(header.tags)
                or (relative_orbit_in_product(granule) if granule else None),
                scale=Known(_SCALE[name["scale"]], "product name"),
            )
        ]


def read_source_granule(path: Path, product: str) -> re.Match[str] | None:
    """Find the Sentinel-1 granule named in the README that HyP3 packs beside a product."""
    readme = path.with_name(f"{product}.README.md.txt")
    if not readme.is_file():
        return None
    return SENTINEL1_PRODUCT.search(readme.read_text(encoding="utf-8", errors="replace"))
