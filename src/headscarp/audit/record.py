"""The schema of ``audit.json``: totals of an audit, and what a repair costs.

Ratios whose denominator is 0, or whose counts are not known, are ``null``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

AUDIT_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitCounts(_Record):
    """A number of chips for each split."""

    train: int = 0
    validation: int = 0
    test: int = 0

    @property
    def total(self) -> int:
        """All three."""
        return self.train + self.validation + self.test


class InputRecord(_Record):
    """A split that was audited."""

    path: str
    name: str
    chips: int
    sha256: str = Field(description="Of the split in the project's own format.")
    low_quality_list: str | None = Field(description="List that marked chips; none: as the split says.")
    files_disagree: int = Field(description="Chips whose location file names another split.")
    unlisted: int = Field(description="Chips with a location that are in no split.")


class SeriesRecord(_Record):
    """Chips of one series, all events or one."""

    series: str
    event: str | None = Field(description="None: all events.")
    chips: SplitCounts
    near: SplitCounts = Field(description="Chips that touch or overlap a chip of another split.")
    low_quality: SplitCounts
    positives: SplitCounts = Field(description="Chips with a landslide pixel.")
    landslide_share: dict[str, float | None] = Field(description="Landslide pixels over all, by split.")


class SharedRecord(_Record):
    """Where the test chips of one series are in another."""

    test_of: str
    found_in: str
    test_chips: int = Field(description="Test chips of the first that also exist in the second.")
    splits: SplitCounts = Field(description="Their splits in the second.")


class CostRecord(_Record):
    """What a repair does to the chips of one series that were in one split, or of one event."""

    series: str
    split: str | None = Field(description="Split before the repair; none: all.")
    event: str | None = Field(description="None: all events.")
    before: int
    stayed: int
    moved: int
    dropped: int
    after: int = Field(description="Chips in this split after the repair, wherever they came from.")
    landslide_px_before: int
    landslide_px_after: int


class RepairRecord(_Record):
    """A repaired split that was proposed."""

    method: str
    buffer_m: float
    block_m: float
    seed: int
    leave_event_out: bool
    units: int = Field(description="Blocks, components or events that were kept whole.")
    dropped: dict[str, int] = Field(description="Chips dropped, by reason.")
    costs: tuple[CostRecord, ...]
    files: tuple[str, ...]
    findings: dict[str, int] = Field(description="Findings of the repaired split, by kind.")
    verdict: Literal["clean", "leaks"]


class AuditRecord(_Record):
    """One audit."""

    version: int = AUDIT_VERSION
    headscarp: str
    created_utc: datetime
    inputs: tuple[InputRecord, ...]
    leave_event_out: bool
    tolerance_m: dict[str, float] = Field(description="Half a pixel, by series.")
    verdict: Literal["clean", "leaks"]
    findings: dict[str, int] = Field(description="Findings by kind.")
    leaks: int
    series: tuple[SeriesRecord, ...]
    shared: tuple[SharedRecord, ...]
    statements: tuple[str, ...] = Field(description="The totals in sentences.")
    repair: RepairRecord | None = None
