"""Products grouped into passes: slices in the order of flight, of two processings of one slice the later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from headscarp.backscatter.annotation import Annotation, read_annotation
from headscarp.backscatter.documents import parse_document, seconds_since
from headscarp.backscatter.safe import Safe
from headscarp.geometry.orbit import relative_orbit_from_absolute
from headscarp.scene import in_order
from headscarp.vocabulary import OrbitState, Polarization

_SAME_SHARE = 0.5
"""Of the shorter slice; slices of a pass follow each other, and overlap by some lines at most."""
_SHORT = {OrbitState.ASCENDING: "ASC", OrbitState.DESCENDING: "DESC"}


@dataclass(frozen=True)
class Product:
    """A product and the annotation of each of its polarisations."""

    safe: Safe
    annotations: dict[Polarization, Annotation]
    processed: str
    """UTC at which it was made, as the manifest has it; empty where it does not."""

    @property
    def annotation(self) -> Annotation:
        """That of the first polarisation: all of them share their geometry."""
        return next(iter(self.annotations.values()))


@dataclass(frozen=True)
class Acquisition:
    """One pass: its slices in the order of flight."""

    slices: tuple[Product, ...]

    @property
    def annotation(self) -> Annotation:
        """That of the first slice."""
        return self.slices[0].annotation

    @property
    def polarizations(self) -> tuple[Polarization, ...]:
        """Those that any slice has."""
        return in_order({pol for product in self.slices for pol in product.annotations})

    @property
    def relative_orbit(self) -> int | None:
        """1 to 175; none for a platform whose first orbit is not known."""
        return relative_orbit_from_absolute(self.annotation.platform, self.annotation.absolute_orbit)

    @property
    def name(self) -> str:
        """Name of its file, which says what readers of plain GeoTIFFs look for."""
        one = self.annotation
        orbit = f"_R{self.relative_orbit:03d}" if self.relative_orbit else ""
        return f"{one.platform}_{one.acquired:%Y%m%dT%H%M%S}_{_SHORT[one.orbit_state]}{orbit}"


@dataclass(frozen=True)
class Dropped:
    """A product that is left out, and why."""

    name: str
    reason: str


def read_product(safe: Safe) -> Product:
    """Read the annotations of a product and when it was made."""
    annotations = {
        pol: read_annotation(parse_document(safe.read(channel.annotation), channel.annotation))
        for pol, channel in safe.channels.items()
    }
    return Product(safe, annotations, _processed(safe))


def group(products: Iterable[Product]) -> tuple[list[Acquisition], list[Dropped]]:
    """Group products into passes, a slice once.

    Two products of a pass that share half of the shorter one's time are one slice processed twice: the one
    made later is kept.
    """
    passes: dict[tuple[str, int, int], list[Product]] = {}
    for product in products:
        one = product.annotation
        passes.setdefault((one.platform, one.absolute_orbit, one.data_take), []).append(product)
    acquisitions, dropped = [], []
    for slices in passes.values():
        kept: list[Product] = []
        for product in sorted(slices, key=lambda p: (p.processed, p.safe.name), reverse=True):
            twin = next((other for other in kept if _same_slice(product, other)), None)
            if twin is None:
                kept.append(product)
            else:
                dropped.append(Dropped(product.safe.name, f"the slice is in {twin.safe.name}, made later"))
        acquisitions.append(Acquisition(tuple(sorted(kept, key=lambda p: p.annotation.first_line))))
    return sorted(acquisitions, key=lambda a: a.annotation.first_line), dropped


def _same_slice(a: Product, b: Product) -> bool:
    one, two = a.annotation, b.annotation
    shared = min(one.last_line, two.last_line) - max(one.first_line, two.first_line)
    shorter = min(one.last_line - one.first_line, two.last_line - two.first_line)
    return bool(shared > shorter * _SAME_SHARE)


def _processed(safe: Safe) -> str:
    if not safe.manifest:
        return ""
    root = parse_document(safe.read(safe.manifest), safe.manifest)
    stops = [item.get("stop", "") for item in root.iter() if item.tag.rpartition("}")[2] == "processing"]
    return max(stops, default="")


def seam_s(before: Annotation, after: Annotation) -> float:
    """Time from the last line of a slice to the first of the next, less one line; seconds."""
    gap = float(seconds_since(after.first_line, before.last_line))
    return gap - before.line_interval_s if np.isfinite(gap) else gap
