"""What a training came to: an epoch's row, and ``train.json``."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headscarp.calibration import Platt, Temperature

TRAIN_JSON = "train.json"
Ending = Literal["epochs", "patience", "time", "asked"]
"""Why a training ended: all epochs; none better for long; the time limit; whoever watched asked for it."""
FINISHED: tuple[Ending, ...] = ("epochs", "patience")


class Measure(BaseModel):
    """The figure that chooses among epochs: F1 of landslides, RMSE of values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float | None = Field(description="None: undefined.")
    rises: bool = Field(description="Whether more is better.")

    @property
    def rank(self) -> float:
        """Value to compare epochs by, higher is better; below all others where there is none.

        Examples
        --------
        >>> Measure(name="rmse", value=0.25, rises=False).rank
        -0.25
        >>> Measure(name="f1", value=None, rises=True).rank
        -1.0
        """
        if self.value is None:
            return -1.0 if self.rises else -math.inf
        return self.value if self.rises else -self.value


class EpochRow(BaseModel):
    """One epoch: a row of ``log.csv``. Ratios of 0/0 are none, empty in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int = Field(description="From 1.")
    learning_rate: float
    train_loss: float = Field(description="Mean over the batches.")
    validation_loss: float = Field(description="Of all validation pixels together.")
    measure: Measure = Field(description="The figure that chooses.")
    figures: dict[str, float | None] = Field(
        description="By name, of summed counts on the validation chips: F1 and others at 0.5, or errors."
    )
    seconds: float
    chips_per_s: float = Field(description="Of training.")

    @property
    def rank(self) -> float:
        """Value to compare epochs by, higher is better."""
        return self.measure.rank

    def columns(self) -> dict[str, float | None]:
        """The row as ``log.csv`` has it: each figure in a column of its own."""
        plain = self.model_dump(exclude={"measure", "figures", "seconds", "chips_per_s"})
        return plain | self.figures | {"seconds": self.seconds, "chips_per_s": self.chips_per_s}


class Forgetting(BaseModel):
    """What a network knew of the ground it was trained on before, and still knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chips: int = Field(description="Validation chips of the store that was replayed.")
    f1_before: float | None = Field(description="Of the checkpoint it began with, at its own threshold.")
    f1_after: float | None = Field(description="Of the best checkpoint, at its own threshold.")


class TrainRecord(BaseModel):
    """What ``train.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    headscarp: str
    commit: str | None
    torch: str
    threads: int
    network: str
    filters: int
    parameters: int
    features: str
    chips: dict[str, int] = Field(description="By split; replayed: of the store that is replayed.")
    epochs: int = Field(description="Epochs done in all.")
    best_epoch: int
    best: Measure = Field(description="Of the best epoch, on the validation chips; F1 at 0.5.")
    ending: Ending
    finished: bool = Field(description="Whether the same command would do nothing more.")
    threshold: float | None = Field(description="Calibrated probability of the best F1; none: of values.")
    calibration: Temperature | Platt | None = Field(
        discriminator="method", description="None where the validation chips show one class alone, or values."
    )
    residual_std: float | None = Field(None, description="Of a network of values, on the validation chips.")
    metrics: dict[str, float | None] = Field(description="Of the best checkpoint, validation chips.")
    seconds: float = Field(description="Of all epochs.")
    chips_per_s: float = Field(description="Of training, median over the epochs.")
    sha256: dict[str, str] = Field(description="Of the store's key, the split and the checkpoints.")
    init_from: str | None = None
    forgetting: Forgetting | None = None
    notes: tuple[str, ...] = ()

    @property
    def best_f1(self) -> float | None:
        """F1 of the best epoch; none also for networks of values."""
        return self.best.value if self.best.name == "f1" else None
