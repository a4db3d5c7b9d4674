"""The chips of all events in one zarr store: what training reads.

========  =====================================  ======================================================
array     shape                                  content
========  =====================================  ======================================================
``x``     (chip, channel, y, x), (chip, 2,       float32 in the units of the channels, NaN where there
          channel, y, x) for pairs, (chip,       is no value
          time, channel, y, x) for series
``label`` (chip, y, x)                           uint8: 1 landslide, 0 none, 255 left out
``target`` (chip, y, x), target ndvi only         float32: values to regress on, NaN where there is
                                                 none or the label is 255
``days``  (chip, time), series only              float32: days since the first pass after the event;
                                                 NaN: no such date
========  =====================================  ======================================================

The attribute ``headscarp`` holds `StoreFacts` as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headscarp.chips.options import Target
from headscarp.errors import HeadscarpError
from headscarp.features.sets import FeatureSet
from headscarp.grid import Bounds

IGNORE = 255
"""Label of a pixel that is left out: not observed, or not known."""
ATTRIBUTE = "headscarp"


class ChipError(HeadscarpError):
    """Chips that cannot be cut, read, or used for what they are asked for."""


class ChipFacts(BaseModel):
    """One chip of a store: who it is, where it lies, what it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(
        description="Name of the place: event, row and column of its first pixel on the event's grid."
    )
    event: str
    crs: str
    bounds: Bounds
    landslide_px: int
    ignored_px: int
    content_sha256: str


class EventFacts(BaseModel):
    """One event of a store: where its chips came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    inputs_sha256: str = Field(
        description="Of the names and contents of all scenes, inventories and rasters."
    )
    pre_dates: tuple[int, int]
    post_dates: tuple[int, int]
    ndvi_days: dict[str, float | None] = Field(
        {}, description="By moment: days from the middle of the scenes' dates to the NDVI; none: not known."
    )


class StoreFacts(BaseModel):
    """Everything about a store but its pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    headscarp: str
    key: str = Field(
        description="SHA-256 of the options and inputs: a store is used again only for the same."
    )
    features: FeatureSet
    size_px: int
    stride_px: int
    spacing_m: float
    pooling: str
    target: Target = "landslide"
    events: tuple[EventFacts, ...]
    chips: tuple[ChipFacts, ...]


@dataclass(frozen=True)
class ChipStore:
    """An open store; pixels are read when they are asked for."""

    path: Path
    facts: StoreFacts
    arrays: Any
    """The zarr group."""

    def __len__(self) -> int:
        return len(self.facts.chips)

    def read(
        self, places: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32] | None]:
        """Features, labels and days of chips, in the order of their places; days are none but for series."""
        rows = list(places)
        x, label, days = self._opened
        return x.oindex[rows], label.oindex[rows], None if days is None else days.oindex[rows]

    def read_target(self, places: Sequence[int]) -> NDArray[np.float32] | None:
        """Values to regress on, in the order of the places; none in a store of landslides."""
        return None if self._target is None else np.asarray(self._target.oindex[list(places)])

    @cached_property
    def _target(self) -> Any:
        return None if self.facts.target == "landslide" else self.arrays["target"]

    @cached_property
    def _opened(self) -> tuple[Any, Any, Any]:
        """The arrays, opened once: their headers are files too."""
        days = self.arrays["days"] if self.facts.features.form == "series" else None
        return self.arrays["x"], self.arrays["label"], days

    def place_of(self) -> dict[str, int]:
        """Place of each chip by its id."""
        return {chip.id: i for i, chip in enumerate(self.facts.chips)}


def open_store(path: Path) -> ChipStore:
    """Open a store of chips.

    Raises
    ------
    ChipError
        If there is none, or it is not complete.
    """
    try:
        arrays = zarr.open_group(path, mode="r")
        facts = StoreFacts.model_validate_json(str(arrays.attrs[ATTRIBUTE]))
    except (OSError, KeyError, ValueError, ValidationError) as error:
        raise ChipError(
            "a store of chips that headscarp chips wrote",
            f"{path} ({str(error).splitlines()[0]})",
            "there are no chips to train on",
            "run headscarp chips again: a store that was not finished is taken up where it stopped",
        ) from error
    return ChipStore(path, facts, arrays)
