"""What a cell of the study comes to: the figures of its ``cell.json``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class ChoosingFigures(_Record):
    """A row of the paper's Tables 3 and 4: the best epoch, on the very chips that chose it."""

    batch_size: int
    learning_rate: float
    filters: int
    precision: float | None
    recall: float | None
    f1: float | None
    iou: float | None


class TrainedFigures(_Record):
    """A network: its training, and its map of the validation area."""

    choosing: ChoosingFigures
    threshold: float = Field(description="Calibrated probability of the best F1 on the choosing chips.")
    epochs: int
    best_epoch: int
    chips: dict[str, int]
    chip_px: int
    parameters: int
    trainings: int = Field(description="Combinations of hyperparameters that were trained.")
    training_s: float = Field(description="Of the training that was chosen.")
    all_trainings_s: float = Field(description="Of all combinations.")
    detection_s: float = Field(description="Of the network over the validation area.")
    detection_px: int = Field(description="Pixels that it went over.")
    unseen_share: float = Field(description="Of the validation area; it counts as predicted free.")
    threads: int
    device: str
    sha256: dict[str, str]


class DetectedFigures(_Record):
    """A detector without labels on the validation area."""

    threshold: float | None
    detection_s: float
    detection_px: int
    unseen_share: float
    threads: int
