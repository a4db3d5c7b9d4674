"""What a reader is: it recognises a file and states the facts that the file gives away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from odc.geo.geobox import GeoBox

from headscarp.ingest.options import IngestOptions
from headscarp.vocabulary import BackscatterScale, OrbitState, Polarization

T = TypeVar("T")


@dataclass(frozen=True)
class Header:
    """What a raster file says without its pixels."""

    path: Path
    tags: dict[str, str]
    """Dataset tags, their names in lower case."""
    descriptions: tuple[str, ...]
    """Band descriptions, empty text where there is none."""
    geobox: GeoBox
    nodata: float | None


class Known(NamedTuple, Generic[T]):
    """A fact and where it came from."""

    value: T
    source: str


@dataclass(frozen=True)
class Facts:
    """What a file gives away of one acquisition; what is missing is derived later, or asked for."""

    bands: dict[Polarization, int]
    acquired: datetime
    day_only: bool = False
    platform: str | None = None
    processed: datetime | None = None
    burst: str | None = None
    orbit_state: Known[OrbitState] | None = None
    relative_orbit: Known[int] | None = None
    scale: Known[BackscatterScale] | None = None


class Reader(Protocol):
    """One kind of product."""

    name: str

    def recognises(self, header: Header) -> bool:
        """Tell whether a file is of this kind, from its name and tags."""
        ...

    def facts(self, header: Header, options: IngestOptions) -> list[Facts]:
        """State what the file gives away, an entry for each acquisition in it."""
        ...
