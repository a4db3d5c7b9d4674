"""The schema of ``metrics.json``: what an evaluation measured, on what, and how sure it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null", populate_by_name=True)


class GroundRecord(_Record):
    """One ground, and how much of it was evaluated."""

    name: str
    options: dict[str, Any]
    files_sha256: dict[str, str]
    label_sha256: str
    """Of the label's pixels and grid: equal for evaluations on the same ground."""
    crs: str
    spacing: float
    shape_px: tuple[int, int]
    evaluated_km2: float
    pixels: dict[str, int]
    """By fate: evaluated, outside_area, ignored, truth_unknown, not_observed, baseline_not_observed."""
    landslide_pixels: dict[str, int]
    """The same of mapped landslide pixels: what could not be observed is neither hit nor missed."""
    landslides_mapped: int
    landslides_not_observed: int
    inventory: dict[str, Any] | None


class ThresholdRecord(_Record):
    """The threshold in force, and where it was chosen."""

    value: float | None
    source: str


class BlocksRecord(_Record):
    """The blocks of ground behind the intervals."""

    side_m: float
    count: int
    replicates: int
    level: float
    seed: int
    note: str


class Evaluation(_Record):
    """A whole evaluation.

    ``pixel``, ``landslides``, ``calibration``, ``boundary`` and ``strata`` hold figures by name, the
    intervals of each object's figures in its ``intervals``; null is an undefined figure, or an interval that
    cannot be given. ``baselines`` holds the same objects for each baseline, ``differences`` what the
    prediction has over each of them, draw by draw on the same blocks.
    """

    schema_version: int = SCHEMA_VERSION
    headscarp: str
    commit: str | None
    command: list[str]
    created_utc: datetime
    name: str
    seed: int | None
    """Of the method's training, as given."""
    grounds: list[GroundRecord]
    threshold: ThresholdRecord
    calibration_applied: str
    blocks: BlocksRecord
    pixel: dict[str, Any]
    landslides: dict[str, Any]
    calibration: dict[str, Any]
    boundary: dict[str, Any]
    strata: dict[str, Any]
    baselines: dict[str, dict[str, Any]]
    differences: dict[str, dict[str, Any]]
    notes: list[str] = Field(default_factory=list)
