"""Options of ``headscarp study pan-shi``: events with their two areas, rows of the tables, and the budget."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from headscarp.chips.options import SplitOptions
from headscarp.detect.options import DetectorName
from headscarp.errors import OptionsError
from headscarp.features.sets import feature_set
from headscarp.search.cells import cells
from headscarp.search.options import GridOptions
from headscarp.studies.areas import AreaEvent
from headscarp.train.options import FitOptions, NetworkChoice

PAPER_CHIP_PX = 128
"""Side of the paper's patches, §3.2."""
SplitKind = Literal["random", "blocks"]


class ImageCount(BaseModel):
    """How many images of an orbit state a source states."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pre: int = Field(ge=0, description="Before the event.")
    post: int = Field(ge=0, description="After the event.")


class StudyEvent(AreaEvent):
    """An event with its two areas, and what the paper says of its images."""

    images: dict[Literal["ascending", "descending"], ImageCount] = Field(
        {}, description="Images of the paper's Table 2; others are reported."
    )
    optical: Path | None = Field(
        None, description="Raster of red, green and blue on any grid, for the maps; none: left out."
    )


class Row(BaseModel):
    """A row of the tables: what a network looks at, and which network it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="As the table calls it.")
    features: str = Field("group1", description="Feature set.")
    network: str = Field("dppa_unet", description="Network.")
    splits: tuple[SplitKind, ...] = Field(
        ("random",), min_length=1, description="How training chips are divided: random 8:2, blocks."
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            feature_set(self.features)
        except OptionsError as error:
            raise ValueError(error.expected) from error
        NetworkChoice(network=self.network)
        return self


class PanShiOptions(BaseModel):
    """Options of ``headscarp study pan-shi``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: tuple[StudyEvent, ...] = Field(
        (), description="Events, each with a training and a validation area."
    )
    rows: tuple[Row, ...] = Field(
        (), description="Rows of the tables, the first is what the others are held against."
    )
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1, description="Seeds of each row's trainings.")
    chip_px: int = Field(PAPER_CHIP_PX, ge=16, multiple_of=16, description="Side of a chip, pixels.")
    filters: int = Field(16, ge=8, multiple_of=8, description="Width of the finest level, without a search.")
    search: GridOptions | None = Field(
        None, description="Hyperparameters tried for each training; none: those of train and filters."
    )
    train: FitOptions = Field(FitOptions(), description="How networks are trained.")
    random: SplitOptions = Field(
        SplitOptions(method="random"), description="The paper's division of the training chips."
    )
    blocks: SplitOptions = Field(
        SplitOptions(method="blocks", block_m=2560.0, buffer_m=0.0),
        description="Their division by blocks of ground.",
    )
    detectors: tuple[DetectorName, ...] = Field(
        ("fusion", "log-ratio"), description="Detectors without labels, on the validation area."
    )

    @property
    def trainings_a_cell(self) -> int:
        """Trainings that a cell with a network takes."""
        return 1 if self.search is None else len(cells(self.search))

    @model_validator(mode="after")
    def _seeds_and_steps(self) -> Self:
        if min(self.seeds) < 0:
            raise ValueError("seeds are not negative")
        if self.train.seed or self.train.max_minutes:
            raise ValueError("train.seed is taken from seeds, and train.max_minutes from --max-minutes")
        return self

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        told: dict[str, list[str | int]] = {
            "events": [event.name for event in self.events],
            "rows": [row.name for row in self.rows],
            "seeds": [*self.seeds],
        }
        for kind, names in told.items():
            if len(set(names)) != len(names):
                raise ValueError(f"{kind} that can be told apart are wanted")
        return self
