"""Which landslides are planted: options of ``headscarp inject``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

HECTARE_M2 = 10_000.0


class PlantOptions(BaseModel):
    """Number, size, form and change of the landslides that are planted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(7, ge=0, description="One seed, one set of landslides.")
    landslides: int = Field(50, ge=0, description="Number of landslides to plant.")
    sizes_ha: tuple[float, ...] = Field(
        (),
        description="Areas in hectares, as many landslides of each; none: areas follow the inverse gamma of "
        "Malamud et al. (2004).",
    )
    min_area_m2: float = Field(
        1000.0, gt=0, description="Where the inverse gamma is cut off below, m²; sizes_ha are kept as given."
    )
    max_area_m2: float = Field(100_000.0, gt=0, description="Where it is cut off above, m².")
    shapes: Path | None = Field(
        None,
        description="Inventory whose outlines, turned at random and scaled to the area, are planted; none: "
        "rough slides, longer than wide.",
    )
    vh_db: float = Field(
        -3.0, description="Mean change of VH (and HV), dB; negative is a loss of backscatter."
    )
    vh_spread_db: float = Field(1.0, ge=0, description="Its standard deviation between landslides, dB.")
    vv_db: float = Field(-0.5, description="Mean change of VV (and HH), dB.")
    vv_spread_db: float = Field(2.0, ge=0, description="Its standard deviation between landslides, dB.")
    gap_m: float = Field(100.0, ge=0, description="Least distance between two planted landslides, metres.")

    @field_validator("sizes_ha", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        """Text such as ``0.3,0.5,1`` is a list of numbers."""
        return numbers_of(value)

    @field_validator("sizes_ha")
    @classmethod
    def _above_zero(cls, sizes: tuple[float, ...]) -> tuple[float, ...]:
        return positive(sizes)

    @field_validator("max_area_m2")
    @classmethod
    def _above_the_smallest(cls, largest: float, info: object) -> float:
        smallest = getattr(info, "data", {}).get("min_area_m2", 0.0)
        if largest <= smallest:
            raise ValueError(f"max_area_m2 must lie above min_area_m2, {smallest:g} m²")
        return largest


def numbers_of(value: object) -> object:
    """Parts of a text at its commas; anything else as it is.

    Examples
    --------
    >>> numbers_of("0.3, 0.5"), numbers_of((1.0, 2.0)), numbers_of("")
    (('0.3', '0.5'), (1.0, 2.0), ())
    """
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",")) if value.strip() else ()


def positive(values: tuple[float, ...]) -> tuple[float, ...]:
    """Return numbers that are all above 0, each once.

    Raises
    ------
    ValueError
        If one is not, or stands twice.
    """
    if any(not 0 < value < float("inf") for value in values) or len(set(values)) < len(values):
        raise ValueError("give numbers above 0, each once, such as 0.3,0.5,1")
    return values
