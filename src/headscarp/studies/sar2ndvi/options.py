"""Options of ``headscarp study sar2ndvi``: the event, the windows, the variants beside them, the budget."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from headscarp.chips.options import SplitOptions
from headscarp.errors import OptionsError
from headscarp.evaluate.intervals import IntervalOptions
from headscarp.features.composite import Moment
from headscarp.features.sets import feature_set
from headscarp.studies.areas import AreaEvent
from headscarp.train.options import FitOptions, NetworkChoice

WINDOWS = tuple(range(11, 30, 2))
"""Of the paper's Table 1, sides in pixels."""
Baseline = Literal["mean", "linear", "boosting"]
"""Of ``train.baselines``; written again, since options are read by commands that need no torch."""


class Row(BaseModel):
    """A row of the tables: what the network looks at, and the chips it learns from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="As the tables call it.")
    features: str = Field(description="Feature set of one moment.")
    size_px: int = Field(128, ge=32, multiple_of=32, description="Side of a chip, pixels.")
    stride_px: int = Field(64, ge=8, description="Pixels from chip to chip.")

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            own = feature_set(self.features)
        except OptionsError as error:
            raise ValueError(error.expected) from error
        if not own.of_moment:
            raise ValueError(f"{self.features} is no set of one moment, as an NDVI is")
        return self


VARIANTS = (
    Row(name="256 px chips, window 19", features="ndvi9_19", size_px=256, stride_px=128),
    Row(name="four bands", features="ndvi4"),
    Row(name="four bands, window 19, terrain", features="ndvi4_terrain_19"),
)


class NdviEvent(AreaEvent):
    """An event with NDVI references, and what is known of its ground."""

    landcover: Path | None = Field(None, description="Categorical raster: errors by land cover.")


class Sar2NdviOptions(BaseModel):
    """Options of ``headscarp study sar2ndvi``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: NdviEvent | None = Field(None, description="Scenes, NDVI references, and the two areas.")
    moment: Moment = Field("post", description="Which NDVI is learned: before the event, or after it.")
    windows: tuple[int, ...] = Field(WINDOWS, min_length=1, description="Sides of the local statistics.")
    size_px: int = Field(128, ge=32, multiple_of=32, description="Side of a chip of the window study.")
    stride_px: int = Field(64, ge=8, description="Pixels from chip to chip of the window study.")
    variants: tuple[Row, ...] = Field(VARIANTS, description="Rows beside the windows.")
    baselines: tuple[Baseline, ...] = Field(
        ("mean", "linear", "boosting"), description="What networks are held against, on the same channels."
    )
    baseline_features: str = Field("ndvi9_19", description="Channels of the baselines.")
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1, description="Of the trainings.")
    network: NetworkChoice = Field(
        NetworkChoice(network="unet", head="regression"), description="Which network."
    )
    train: FitOptions = Field(FitOptions(loss="l1_ssim_gradient"), description="How it is trained.")
    split: SplitOptions = Field(
        SplitOptions(method="blocks"), description="How the training area's chips are divided."
    )
    intervals: IntervalOptions = Field(IntervalOptions(), description="Of the bootstrap over blocks.")

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        names = [row.name for row in self.rows]
        if len(set(names)) != len(names) or len(set(self.seeds)) != len(self.seeds):
            raise ValueError("rows and seeds that can be told apart are wanted")
        if self.network.head != "regression":
            raise ValueError("a network of values is wanted: network.head regression")
        return self

    @property
    def rows(self) -> tuple[Row, ...]:
        """The window study's rows, then the variants."""
        own = {"size_px": self.size_px, "stride_px": self.stride_px}
        return (*(Row(name=f"{w}", features=f"ndvi9_{w}", **own) for w in self.windows), *self.variants)
