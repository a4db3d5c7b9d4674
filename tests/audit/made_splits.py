"""Generated splits: clean ones, and faults planted into them with the findings they must give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headscarp.audit.findings import Finding, FindingKind, Severity
from headscarp.split import SPLIT_NAMES, Chip, SplitFile, SplitName

CRS = "EPSG:32633"
SIDE_M = 1280.0
SPACING_M = 10.0
FAR_M = 20_000.0
"""Between neighbours of a clean split: no planted chip reaches from one to the next."""

Told = tuple[str, str, frozenset[tuple[str, str, str]]]


def chip(name: str, split: SplitName, x: float, y: float, **more: Any) -> Chip:
    """A chip of 128 pixels at 10 m by its lower left corner; events are named after splits."""
    known = {"event": f"of {split}", "crs": CRS, "landslide_px": 300, "px": 128 * 128, **more}
    return Chip(id=name, split=split, bounds=(x, y, x + SIDE_M, y + SIDE_M), **known)


def split_file(chips: Iterable[Chip], name: str = "made") -> SplitFile:
    return SplitFile(name=name, seed=1, made={"method": "by hand"}, spacing_m=SPACING_M, chips=tuple(chips))


def clean_chips(count: int) -> list[Chip]:
    """Chips far from each other, one split after the other, each with a content of its own."""
    return [
        chip(
            f"c{i}",
            SPLIT_NAMES[i % 3],
            300_000 + FAR_M * (i % 18),
            5_000_000 + FAR_M * (i // 18),
            series="a",
            content_sha256=f"content {i}",
        )
        for i in range(count)
    ]


def told(findings: Iterable[Finding]) -> Counter[Told]:
    """Findings as kind, severity and the chips concerned, in no order."""
    return Counter(
        (str(f.kind), str(f.severity), frozenset(c for c in _chips_of(f) if c[1])) for f in findings
    )


def _chips_of(f: Finding) -> list[tuple[str, str, str]]:
    return [(f.series_a, f.chip_a, f.split_a), (f.series_b, f.chip_b, f.split_b)]


def other_split(chip_: Chip, rng: np.random.Generator) -> SplitName:
    return [name for name in SPLIT_NAMES if name != chip_.split][int(rng.integers(2))]


@dataclass
class Planter:
    """Plants faults beside the chips of a clean split and keeps what must be found."""

    rng: np.random.Generator
    planted: list[Chip] = field(default_factory=list)
    expected: Counter[Told] = field(default_factory=Counter)
    replaced: dict[str, Chip] = field(default_factory=dict)

    def plant(self, fault: str, base: Chip) -> None:
        """Plant one fault beside a chip; its method carries its name."""
        getattr(self, fault)(base)

    def overlap(self, base: Chip) -> None:
        depth = self.rng.uniform(5.01, SIDE_M, 2)
        self._expect(FindingKind.OVERLAP, base, self._beside(base, SIDE_M - depth))

    def touch_edge(self, base: Chip) -> None:
        gap, depth = self._gap(-5.0, 5.0), self.rng.uniform(5.01, SIDE_M)
        offset = np.array([SIDE_M + gap, SIDE_M - depth])
        self._expect(FindingKind.TOUCH_EDGE, base, self._beside(base, self.rng.permutation(offset)))

    def touch_corner(self, base: Chip) -> None:
        offset = np.array([SIDE_M + self._gap(-5.0, 5.0), SIDE_M + self._gap(-5.0, 5.0)])
        self._expect(FindingKind.TOUCH_CORNER, base, self._beside(base, offset))

    def near_miss(self, base: Chip) -> None:
        offset = np.array([SIDE_M + self._gap(5.001, 8.0), self.rng.uniform(-1400, 1400)])
        self._beside(base, self.rng.permutation(offset))

    def same_split_overlap(self, base: Chip) -> None:
        self._beside(base, self.rng.uniform(-SIDE_M, SIDE_M, 2), split=base.split)

    def duplicate_id(self, base: Chip) -> None:
        name = other_split(base, self.rng)
        copy = base.model_copy(update={"split": name, "event": f"of {name}"})
        self._keep(copy)
        self._expect(FindingKind.DUPLICATE_ID, base, copy)

    def duplicate_id_within(self, base: Chip) -> None:
        self._keep(base)
        self.expected[(FindingKind.DUPLICATE_ID, Severity.NOTE, frozenset([_key(base)]))] += 1

    def duplicate_content(self, base: Chip) -> None:
        """The copy lies on the original, or elsewhere: told once either way."""
        offset = np.array([0.0, 0.0]) if self.rng.random() < 0.5 else np.array([4000.0, 0.0])
        copy = self._beside(base, offset, content_sha256=base.content_sha256)
        self._expect(FindingKind.DUPLICATE_CONTENT, base, copy)

    def other_series(self, base: Chip) -> None:
        name = other_split(base, self.rng)
        copy = base.model_copy(
            update={"split": name, "event": f"of {name}", "series": "b", "content_sha256": None}
        )
        self._keep(copy)
        self._expect(FindingKind.SERIES_CONFLICT, base, copy)

    def same_in_other_series(self, base: Chip) -> None:
        self._keep(base.model_copy(update={"series": "b", "content_sha256": None}))

    def overlap_in_other_series(self, base: Chip) -> None:
        other = self._beside(base, self.rng.uniform(-1200, 1200, 2), series="b")
        self._expect(FindingKind.OVERLAP, base, other)

    def touch_in_other_series(self, base: Chip) -> None:
        """Two series that meet, or cover each other by half a pixel at most, are no finding."""
        self._beside(base, np.array([SIDE_M + self._gap(-5.0, 5.0), 0.0]), series="b")

    def low_quality(self, base: Chip) -> None:
        self.replaced[base.id] = base.model_copy(update={"low_quality": True})
        self.expected[(FindingKind.LOW_QUALITY, Severity.NOTE, frozenset([_key(base)]))] += 1

    def _gap(self, low: float, high: float) -> float:
        """A gap in a range, its ends included now and then."""
        return float(self.rng.choice([low, high, self.rng.uniform(low, high), self.rng.uniform(low, high)]))

    def _beside(self, base: Chip, offset: Any, split: SplitName | None = None, **more: Any) -> Chip:
        signs = self.rng.choice([-1.0, 1.0], 2)
        x, y = base.bounds[0] + signs[0] * offset[0], base.bounds[1] + signs[1] * offset[1]
        name = f"planted {len(self.planted)}"
        wanted = {"series": base.series, **more}
        return self._keep(chip(name, split or other_split(base, self.rng), x, y, **wanted))

    def _keep(self, planted: Chip) -> Chip:
        self.planted.append(planted)
        return planted

    def _expect(self, kind: FindingKind, a: Chip, b: Chip) -> None:
        self.expected[(kind, Severity.LEAK, frozenset([_key(a), _key(b)]))] += 1

    def chips(self, clean: Iterable[Chip]) -> list[Chip]:
        """The clean chips and the planted ones, in a drawn order."""
        both = [*(self.replaced.get(c.id, c) for c in clean), *self.planted]
        return [both[i] for i in self.rng.permutation(len(both))]


FAULTS = (
    "overlap", "touch_edge", "touch_corner", "near_miss", "same_split_overlap", "duplicate_id",
    "duplicate_id_within", "duplicate_content", "other_series", "same_in_other_series",
    "overlap_in_other_series", "touch_in_other_series", "low_quality",
)  # fmt: skip


def _key(c: Chip) -> tuple[str, str, str]:
    return (c.series, c.id, c.split)
