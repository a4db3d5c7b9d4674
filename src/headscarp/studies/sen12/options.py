"""Options of ``headscarp study sen12``: patches, models, splits, and the budget."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from headscarp.evaluate.intervals import IntervalOptions
from headscarp.pipeline.sen12.variants import Variant
from headscarp.train.options import FitOptions, NetworkChoice

Look = Literal["change", "series"]
"""What a model sees of the dates: their medians' change, or each of them."""
SplitChoice = Literal["official_asc", "official_dsc", "aligned", "blocked"]
Sensor = Literal["s1asc", "s1dsc"]

SENSORS: dict[SplitChoice, tuple[Sensor, ...]] = {
    "official_asc": ("s1asc",),
    "official_dsc": ("s1dsc",),
    "aligned": ("s1asc", "s1dsc"),
    "blocked": ("s1asc", "s1dsc"),
}
"""Sensors whose patches a split's chips need; both orbits are fused where both are there."""
FEATURES: dict[Look, dict[tuple[Sensor, ...], str]] = {
    "change": {("s1asc",): "group2", ("s1dsc",): "group3", ("s1asc", "s1dsc"): "group1"},
    "series": {
        ("s1asc",): "series_ascending",
        ("s1dsc",): "series_descending",
        ("s1asc", "s1dsc"): "series_ascending",
    },
}
"""Feature sets by what a model sees; a series is of one orbit state: the ascending where both are there."""


class Model(BaseModel):
    """A row of the tables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9_]+$", description="Of the row and its files.")
    network: str = Field(description="Network.")
    look: Look = Field("change", description="change of the medians, or the series of dates.")

    @model_validator(mode="after")
    def _known(self) -> Self:
        NetworkChoice(network=self.network)
        return self


MODELS = (
    Model(name="vanilla_unet", network="unet"),
    Model(name="attention_unet", network="attention_unet"),
    Model(name="convlstm_unet", network="convlstm_unet", look="series"),
    Model(name="utae", network="utae", look="series"),
    Model(name="dppa_unet", network="dppa_unet"),
)


class Sen12Options(BaseModel):
    """Options of ``headscarp study sen12``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: Path | None = Field(None, description="Folder with s1asc, s1dsc (and s2), the patches.")
    tasks: Path | None = Field(None, description="Task folder with the official splits (S12LS-LD).")
    inventory: str = Field("hokkaido", description="Inventory whose patches are used.")
    models: tuple[Model, ...] = Field(MODELS, min_length=1, description="Rows of the tables.")
    splits: tuple[SplitChoice, ...] = Field(
        ("official_asc", "official_dsc", "aligned", "blocked"),
        min_length=1,
        description="Splits that every model is trained and tested on.",
    )
    folds: int = Field(5, ge=3, description="Folds of the blocked cross-validation.")
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1, description="Of the trainings.")
    variants: tuple[Variant, ...] = Field(
        (), description="What is added to the radar: dem (slope, height, aspect), s2 (Sentinel-2)."
    )
    s2_offset: float | None = Field(
        None,
        validate_default=True,
        description="Reflectance offset of the Sentinel-2 patches, digital numbers: -1000, or 0 where it is "
        "applied already or there is none. The variant s2 needs it; patches do not state it.",
    )
    filters: int = Field(16, ge=8, multiple_of=8, description="Width of the finest level.")
    train: FitOptions = Field(FitOptions(), description="How networks are trained.")
    patches_shown: int | None = Field(
        None,
        ge=1,
        description="Patches shown over a whole training, so that a split of few trains for as many steps as "
        "one of many: epochs follow, patience keeps its share of them. None: train.epochs.",
    )
    intervals: IntervalOptions = Field(
        IntervalOptions(), description="Of the bootstrap; its blocks are the test patches."
    )

    def fit_on(self, patches: int) -> FitOptions:
        """How a network is trained on so many patches.

        Examples
        --------
        >>> options = Sen12Options(train=FitOptions(epochs=16, patience=4), patches_shown=1472)
        >>> [(options.fit_on(n).epochs, options.fit_on(n).patience) for n in (92, 23)]
        [(16, 4), (64, 16)]
        """
        if self.patches_shown is None:
            return self.train
        epochs = max(1, round(self.patches_shown / max(patches, 1)))
        patience = max(1, round(self.train.patience * epochs / self.train.epochs))
        return self.train.model_copy(update={"epochs": epochs, "patience": patience})

    @field_validator("s2_offset")
    @classmethod
    def _declared(cls, offset: float | None, info: ValidationInfo) -> float | None:
        if ("s2" in info.data.get("variants", ())) != (offset is not None):
            raise ValueError("an offset, -1000 or 0, with the variant s2 and only with it")
        return offset

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        names = [model.name for model in self.models]
        if len(set(names)) != len(names) or len(set(self.seeds)) != len(self.seeds):
            raise ValueError("models and seeds that can be told apart are wanted")
        if len(set(self.variants)) != len(self.variants):
            raise ValueError("each variant is said once")
        return self
