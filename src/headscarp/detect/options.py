"""Options of the detect room."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headscarp.detect.log_ratio import LogRatio, LogRatioOptions
from headscarp.detect.protocol import Detector


class DetectOptions(BaseModel):
    """Which detector, and how its threshold is set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: Literal["log-ratio"] = Field("log-ratio", description="Name of the detector.")
    false_alarms_per_100km2: float | None = Field(
        None,
        ge=0,
        description="Set the threshold so that the pseudo-event shows at most so many landslides "
        "per 100 km²; none: polygons.threshold holds.",
    )
    log_ratio: LogRatioOptions = Field(LogRatioOptions(), description="Options of the log-ratio detector.")


def make_detector(options: DetectOptions) -> Detector:
    """Make the detector that the options name."""
    return LogRatio(options.log_ratio)
