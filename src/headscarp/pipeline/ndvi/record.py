"""What ``run.json`` of a map of NDVI holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from headscarp.features.composite import Moment
from headscarp.record import StageRecord


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NdviInput(_Record):
    """One file that the map rests on."""

    path: str
    sha256: str
    what: str = Field(description="scene, dem or raster:NAME.")


class NdviValues(_Record):
    """Values of the map where radar saw the ground; none where it saw nothing."""

    observed_share: float = Field(description="Of the pixels of the grid.")
    mean: float | None
    percentiles: dict[str, float | None] = Field(description="5, 50 and 95 %.")
    mean_std: float | None = Field(description="Mean of the uncertainty, one standard deviation.")


class NdviRecord(_Record):
    """How a map of NDVI came about."""

    kind: Literal["ndvi"] = "ndvi"
    format_version: Literal[1] = 1
    headscarp: str
    commit: str | None
    command: list[str]
    started_utc: datetime
    finished_utc: datetime
    moment: Moment
    tiling: str
    options: dict[str, Any]
    predictor: dict[str, Any] = Field(description="Summary of the checkpoint's card.")
    crs: str
    rows: int
    columns: int
    spacing: float = Field(description="In units of the CRS.")
    dates_utc: dict[str, list[datetime]] = Field(description="Of the composite, by orbit.")
    values: NdviValues
    inputs: list[NdviInput]
    notes: list[str] = Field(description="What a reader must know, in plain sentences.")
    stages: list[StageRecord]
