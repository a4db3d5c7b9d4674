"""Options of the audit room."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class RepairMethod(StrEnum):
    """How a repaired split is drawn."""

    BLOCKS = "blocks"


class AuditOptions(BaseModel):
    """What is audited, and what counts as a leak."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    splits: tuple[Path, ...] = Field(
        min_length=1, description="Split files, or folders of Sen12Landslides splits; audited together."
    )
    low_quality: Path | None = Field(
        None, description="List of chip ids not to be trusted, one a line; none: as the splits say."
    )
    leave_event_out: bool = Field(
        False,
        description="Count an event in several splits as a leak; with --repair, keep events whole.",
    )


class RepairOptions(BaseModel):
    """How a repaired split is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repair: RepairMethod = Field(RepairMethod.BLOCKS, description="Propose a repaired split, by this method.")
    buffer_m: float = Field(
        1280.0, ge=0, allow_inf_nan=False, description="Least distance between chips of two splits, m."
    )
    block_m: float = Field(
        10000.0, gt=0, allow_inf_nan=False, description="Side of the spatial blocks that stay whole, m."
    )
    seed: int = Field(0, ge=0, description="Seed of the order in which blocks are tried.")
