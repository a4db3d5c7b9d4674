"""What a training came to: an epoch's row, and ``train.json``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headscarp.calibration import Platt, Temperature

TRAIN_JSON = "train.json"
Ending = Literal["epochs", "patience", "time", "asked"]
"""Why a training ended: all epochs; no better F1 for long; the time limit; whoever watched asked for it."""
FINISHED: tuple[Ending, ...] = ("epochs", "patience")


class EpochRow(BaseModel):
    """One epoch: a row of ``log.csv``. Ratios of 0/0 are none, empty in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int = Field(description="From 1.")
    learning_rate: float
    train_loss: float = Field(description="Mean over the batches.")
    validation_loss: float = Field(description="Of all validation pixels together.")
    f1: float | None = Field(description="Of the summed counts on the validation chips, at 0.5.")
    precision: float | None
    recall: float | None
    iou: float | None
    seconds: float
    chips_per_s: float = Field(description="Of training.")

    @property
    def rank(self) -> float:
        """F1 to compare epochs by; below all others where there is none."""
        return -1.0 if self.f1 is None else self.f1


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
    best_f1: float | None = Field(description="On the validation chips, at 0.5.")
    ending: Ending
    finished: bool = Field(description="Whether the same command would do nothing more.")
    threshold: float = Field(description="Calibrated probability of the best F1.")
    calibration: Temperature | Platt | None = Field(
        discriminator="method", description="None where the validation chips show one class alone."
    )
    metrics: dict[str, float | None] = Field(description="Of the best checkpoint, validation chips.")
    seconds: float = Field(description="Of all epochs.")
    chips_per_s: float = Field(description="Of training, median over the epochs.")
    sha256: dict[str, str] = Field(description="Of the store's key, the split and the checkpoints.")
    init_from: str | None = None
    forgetting: Forgetting | None = None
    notes: tuple[str, ...] = ()
