"""Which landslides are tried, and at how many false alarms: options of ``headscarp sensitivity``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from headscarp.inject.options import numbers_of, positive


class ProbeOptions(BaseModel):
    """What is planted, how often, and what counts as found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sizes_ha: tuple[float, ...] = Field(
        (0.3, 0.5, 1.0, 3.0, 10.0), min_length=1, description="Areas of the planted landslides, hectares."
    )
    changes_db: tuple[float, ...] = Field(
        (1.0, 2.0, 3.0, 4.0, 6.0), min_length=1, description="Losses of VH that are planted, dB."
    )
    vv_db: float = Field(0.0, description="Change of VV of every planted landslide, dB; negative is a loss.")
    rates: tuple[float, ...] = Field(
        (10.0, 50.0),
        min_length=1,
        description="False alarms per 100 km² of the untouched stack that are allowed.",
    )
    rounds: int = Field(
        10, ge=1, description="How often landslides of every size and change are planted and mapped."
    )
    each: int = Field(1, ge=1, description="Landslides of each size and change in one round.")
    max_share: float = Field(
        0.05,
        gt=0,
        le=0.5,
        description="Largest share of the ground that is planted in one round; what goes beyond it waits "
        "for other rounds, by lot.",
    )
    gap_m: float = Field(
        200.0,
        ge=0,
        description="Least distance between planted landslides, and from what the untouched map flags, "
        "metres.",
    )
    shapes: Path | None = Field(
        None,
        description="Inventory whose outlines, turned at random and scaled, are planted; none: rough slides.",
    )
    seed: int = Field(7, ge=0, description="One seed, one set of landslides.")

    @field_validator("sizes_ha", "changes_db", "rates", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        """Text such as ``0.3,0.5,1`` is a list of numbers."""
        return numbers_of(value)

    @field_validator("sizes_ha", "changes_db", "rates")
    @classmethod
    def _in_order(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(positive(values)))
