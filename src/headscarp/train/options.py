"""Options of a training: the network, the loss, the optimiser, the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

NETWORKS = (
    "unet",
    "attention_unet",
    "segnet",
    "dppa_unet",
    "convlstm_unet",
    "utae",
    "segformer",
    "siamese_unet",
)
"""Names in ``models.BODIES``; written again, since options are read by commands that need no torch."""
Head = Literal["classification", "regression"]
LossName = Literal[
    "dice",
    "dice_printed",
    "bce",
    "bce_dice",
    "focal",
    "tversky",
    "l1",
    "ssim",
    "gradient",
    "l1_ssim_gradient",
]
Schedule = Literal["constant", "cosine"]
Precision = Literal["32-true", "16-mixed", "bf16-mixed"]


class NetworkChoice(BaseModel):
    """Which network; its channels follow from the features."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str = Field("dppa_unet", description=f"One of {', '.join(NETWORKS)}.")
    filters: int = Field(16, ge=8, multiple_of=8, description="Width of the finest level.")
    head: Head = Field("classification", description="classification or regression.")

    @field_validator("network")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in NETWORKS:
            raise ValueError(f"one of {', '.join(NETWORKS)} is wanted")
        return name


class FitOptions(BaseModel):
    """How the network is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loss: LossName = Field("dice", description="What is minimised: docs/training.md.")
    dice_classes: Literal["landslide", "both"] = Field(
        "landslide",
        description="Classes whose Dice losses are summed: landslide alone, or both as in Pan & Shi (2023).",
    )
    loss_weights: tuple[float, float, float] = Field(
        (1.0, 0.1, 1.0), description="Of L1, SSIM and gradient in l1_ssim_gradient; at least 0."
    )
    batch_size: int = Field(16, ge=1, description="Chips in a step, of all processes together.")
    learning_rate: float = Field(5e-4, gt=0, description="Of Adam.")
    schedule: Schedule = Field("constant", description="Of the learning rate: constant, or cosine to 0.")
    epochs: int = Field(100, ge=1, description="Epochs at most.")
    patience: int = Field(20, ge=1, description="Epochs without a better one before it stops.")
    positive_share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Share of an epoch's chips drawn among those with landslides; none: every chip once.",
    )
    augment: bool = Field(True, description="Random flips, those that the features allow.")
    paper_augmentation: bool = Field(
        False, description="Both flips for every feature, as in the papers, look direction or not."
    )
    seed: int = Field(0, ge=0, description="Of weights, order and flips.")
    max_minutes: float | None = Field(
        None, gt=0, description="Stop cleanly after so long; the same command goes on. None: no limit."
    )
    accumulate: int = Field(1, ge=1, description="Batches whose gradients are summed before a step.")
    precision: Precision = Field("32-true", description="Of the arithmetic.")
    accelerator: Literal["auto", "cpu", "gpu"] = Field("auto", description="Where it runs.")
    devices: int = Field(1, ge=1, description="Devices, or processes on processors.")
    init_from: Path | None = Field(None, description="Checkpoint whose weights it begins with.")
    freeze_encoder: bool = Field(False, description="Leave the encoder as it is; with init_from.")
    replay: Path | None = Field(
        None, description="Store of the chips that init_from was trained on: some are shown again."
    )
    replay_share: float = Field(0.2, gt=0, lt=1, description="Share of an epoch's chips that are replayed.")
    licence: str = Field("unknown", description="Under which the weights may be used.")

    @field_validator("loss_weights")
    @classmethod
    def _weigh(cls, weights: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(weights) < 0 or max(weights) <= 0:
            raise ValueError("weights of at least 0, one above 0, are wanted")
        return weights
