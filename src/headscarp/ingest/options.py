"""Options of the ingest room."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headscarp.vocabulary import OrbitState, Polarization


class IngestOptions(BaseModel):
    """What scene files cannot say of themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: Literal["auto", "linear", "db", "amplitude"] = Field(
        "auto",
        description="How backscatter is stored; auto: from tags and names, else from values.",
    )
    orbit_state: OrbitState | None = Field(
        None, description="Pass direction of scenes that do not give theirs away."
    )
    relative_orbit: int | None = Field(
        None, ge=1, le=175, description="Relative orbit of scenes that do not give theirs away."
    )
    name_pattern: str | None = Field(
        None,
        description="Pattern of plain GeoTIFF names, such as "
        "{any}_{acquired}_{orbit_state}_{relative_orbit}_{polarization}.",
    )
    bands: tuple[Polarization, ...] | None = Field(
        None, description="Polarisation of each band of plain GeoTIFFs that do not describe them."
    )
