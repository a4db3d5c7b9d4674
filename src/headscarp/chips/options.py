"""Options of the chips: how they are cut, and how they are split."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from headscarp.features.sets import FeatureSet, feature_set

SplitMethod = Literal["random", "blocks", "events", "folds"]
Target = Literal["landslide", "ndvi"]


class CutOptions(BaseModel):
    """How the ground of the events is cut into chips."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: str | FeatureSet = Field(
        "group1", description="Name of a feature set, or a set of your own: name, form, channels."
    )
    size_px: int = Field(128, ge=16, description="Side of a chip, pixels.")
    stride_px: int = Field(
        128, ge=8, description="Pixels from chip to chip; less than size_px: chips overlap by the rest."
    )
    all_touched: bool = Field(
        False, description="Label every pixel that a polygon touches, not only those whose centre is inside."
    )
    min_observed: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of a chip's pixels that must be observed for it to be kept; of a target ndvi, be "
        "observed and have one.",
    )

    target: Target = Field(
        "landslide", description="What is learned: landslide, the inventory; ndvi, values of a reference."
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        features = self.feature_set
        if self.target == "ndvi" and not features.of_moment:
            raise ValueError("an NDVI is of one moment: features such as ndvi9_19 are wanted for it")
        if self.target == "landslide" and features.of_moment and features.moment is None:
            raise ValueError("features of one moment need their moment said: moment: post")
        if self.stride_px > self.size_px:
            raise ValueError("stride_px is at most size_px, or ground between chips would be lost")
        return self

    @property
    def feature_set(self) -> FeatureSet:
        """The set itself."""
        return feature_set(self.features) if isinstance(self.features, str) else self.features


class SplitOptions(BaseModel):
    """Which chips train, which choose, which are the test."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path | None = Field(None, description="A split file to use as it is; none: one is drawn.")
    method: SplitMethod = Field(
        "blocks", description="random (the paper's), blocks of ground, whole events, or folds of blocks."
    )
    shares: tuple[float, float, float] = Field(
        (0.8, 0.2, 0.0), description="Of training, validation and test chips; for random and blocks."
    )
    block_m: float | None = Field(
        None,
        gt=0,
        description="Side of a block of ground, m; none: the largest of 8, 4, 2 chips that leaves 10 blocks.",
    )
    buffer_m: float = Field(
        10.0,
        ge=0,
        description="Chips nearer than this to another split's are left out, m; above 0, so are chips that "
        "touch. Not for random.",
    )
    validation_events: tuple[str, ...] = Field((), description="Events that choose; for events.")
    test_events: tuple[str, ...] = Field((), description="Events of the test; for events, also for blocks.")
    folds: int = Field(5, ge=2, description="How many folds; for folds.")
    fold: int = Field(0, ge=0, description="Which fold is the validation, from 0; for folds.")
    seed: int = Field(0, ge=0, description="Of the drawing.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError("shares are not negative and sum to 1")
        if self.fold >= self.folds:
            raise ValueError("fold counts from 0 to folds - 1")
        return self
