"""Options of the search: which values are tried, in which way, on what budget."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FILTERS_STEP = 8
"""Of ``models.options``; written again, since options are read by commands that need no torch."""
Method = Literal["grid", "random", "halving"]


class GridOptions(BaseModel):
    """Which hyperparameters are tried; the defaults are the grid of Pan & Shi (2023), §2.2."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method = Field(
        "random",
        description="grid: every combination; random: a random order of them, for a budget; halving: the "
        "same, and whoever is behind stops early.",
    )
    batch_sizes: tuple[int, ...] = Field((8, 16, 32), min_length=1, description="Chips in a step.")
    learning_rates: tuple[float, ...] = Field((1e-3, 5e-4, 1e-4), min_length=1, description="Of Adam.")
    filters: tuple[int, ...] = Field(
        (16, 32, 64, 128), min_length=1, description="Width of the finest level."
    )
    trials: int | None = Field(None, ge=1, description="Combinations tried at most; none: all.")
    max_hours: float | None = Field(
        None,
        gt=0,
        description="No combination is begun after so long, and the running ones stop at their next "
        "epoch; the same command goes on. None: no limit.",
    )
    workers: int = Field(1, ge=1, description="Combinations trained at a time, each in its own process.")
    reduction: int = Field(3, ge=2, description="One in so many goes on at each rung; for halving.")
    first_epochs: int = Field(5, ge=1, description="Epochs before the first rung; for halving.")
    seed: int = Field(0, ge=0, description="Of the order.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if min(self.batch_sizes) < 1 or min(self.learning_rates) <= 0:
            raise ValueError("batch sizes and learning rates are above 0")
        if any(f < FILTERS_STEP or f % FILTERS_STEP for f in self.filters):
            raise ValueError(f"filters are multiples of {FILTERS_STEP}")
        return self
