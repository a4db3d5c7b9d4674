"""Options of the evaluate room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from headscarp.calibration import CalibrationMethod
from headscarp.evaluate.intervals import IntervalOptions
from headscarp.evaluate.matching import MatchOptions
from headscarp.ingest.inventory import InventoryOptions

NO_LANDSLIDE = "no landslide"
SLOPE = "slope"
"""Names of the baselines that the evaluator brings itself."""


class GroundOptions(BaseModel):
    """A prediction, the truth on the same ground, and what is known about the ground."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prediction: Path = Field(description="Run folder, or raster of probabilities (or of another score).")
    truth: Annotated[tuple[Path, ...], Field(min_length=1)] = Field(
        description="Inventory (vector files or folders), or one label raster: "
        "1 landslide, 0 none, 255 ignored."
    )
    event: str = Field("", description="Name of the event, for figures by event.")
    region: str = Field("", description="Name of the region, for figures by region.")
    aoi: Path | None = Field(
        None, description="Vector file of the ground to evaluate; none: all that the prediction covers."
    )
    ignore: tuple[Path, ...] = Field(
        (), description="Ground to leave out: vector files, or rasters that are not 0 there."
    )
    dem: Path | None = Field(
        None,
        description="Digital elevation model: figures by steepness and facing, and the slope as a baseline.",
    )
    landcover: Path | None = Field(None, description="Categorical raster: figures by land cover.")
    baselines: Mapping[str, Path] = Field(
        {}, description="Run folders or rasters of other methods on the same grid, by name."
    )


class EvaluateOptions(BaseModel):
    """Options of ``headscarp evaluate``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grounds: tuple[GroundOptions, ...] = Field(
        (), description="What is evaluated; figures are pooled over all."
    )
    name: str | None = Field(
        None, description="Name of the method; none: the detector of the run, or the file's."
    )
    seed: int | None = Field(
        None,
        ge=0,
        description="Seed that the method was trained with; runs of one name "
        "and several seeds are summed up as mean and spread.",
    )
    threshold: float | None = Field(
        None,
        description="Score from which a pixel is landslide; none: that of --validation, else the run's "
        "own, else 0.5.",
    )
    validation: Path | None = Field(
        None,
        description="Evaluation folder of validation ground (or its validation.json): its threshold is used.",
    )
    calibration: CalibrationMethod = Field(
        "temperature",
        description="Which calibration of the validation is applied: none, temperature or isotonic; "
        "without a validation there is none.",
    )
    min_area_m2: float | None = Field(
        None,
        ge=0,
        description="Smallest landslide drawn from the prediction, m²; none: the run's own, else 1000.",
    )
    boundary_tolerance_px: int = Field(
        1, ge=0, le=64, description="Distance within which boundaries agree, pixels."
    )
    inventory: InventoryOptions = Field(InventoryOptions(), description="Which mapped landslides count.")
    matching: MatchOptions = Field(MatchOptions(), description="When a landslide counts as found.")
    intervals: IntervalOptions = Field(IntervalOptions(), description="How intervals are found.")
