"""Options of the simulated patches."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headscarp.ingest.sen12.facts import Release


class PatchSimulateOptions(BaseModel):
    """Options of ``headscarp sen12 simulate``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inventory: str = Field("hokkaido", description="Inventory of the splits whose places are used.")
    sensors: tuple[str, ...] = Field(("s1asc", "s1dsc"), description="s1asc, s1dsc, s2: what is written.")
    release: Release = Field(
        Release.HARMONIZED, description="raw (linear power) or harmonized (dB): units of the values."
    )
    dim_order: Literal["time y x", "time x y"] = Field(
        "time y x", description="Dimensions of the files: time y x, or time x y."
    )
    seed: int = Field(7, ge=0, description="One seed, one event.")
    date: str = Field("2018-09-06", description="Day of the event.")
    pre: int = Field(8, ge=1, description="Dates before the event.")
    post: int = Field(7, ge=1, description="Dates after the event.")
    landslides: int | None = Field(
        None, ge=0, description="Number of landslides; none: as many as an earthquake brings to this ground."
    )
    dem: Path | None = Field(
        None, description="DEM that holds every place, in metres; none: terrain is generated."
    )
