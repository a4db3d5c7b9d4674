"""Options of the detect room, and the detector they name: as it is, or calibrated on validation ground."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headscarp.calibration import CalibrationMethod
from headscarp.detect.calibrated import CalibratedDetector
from headscarp.detect.log_ratio import LogRatio, LogRatioOptions
from headscarp.detect.protocol import Detector
from headscarp.errors import OptionsError
from headscarp.validation import Validation


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
    validation: Path | None = Field(
        None,
        description="A validation.json, or the evaluation folder holding it: its calibration is applied, "
        "and its threshold unless another is given.",
    )
    calibration: CalibrationMethod = Field(
        "temperature",
        description="Which calibration of the validation is applied: none, temperature or isotonic; "
        "without a validation there is none.",
    )
    log_ratio: LogRatioOptions = Field(LogRatioOptions(), description="Options of the log-ratio detector.")


def make_detector(options: DetectOptions, validation: Validation | None = None) -> Detector:
    """Make the detector that the options name.

    Parameters
    ----------
    options : DetectOptions
    validation : Validation, optional
        What ``options.validation`` holds: the detector's probability is calibrated by it.

    Raises
    ------
    OptionsError
        If the validation is that of another detector.
    """
    detector = LogRatio(options.log_ratio)
    if validation is None:
        return detector
    if validation.method != detector.name:
        raise OptionsError(
            f"a validation of the detector at work, {detector.name!r}",
            f"a validation of {validation.method!r}",
            "one method's calibration and threshold mean nothing for another's probability",
            f"evaluate {detector.name} on validation ground, or map without --validation",
        )
    return CalibratedDetector(detector, validation, options.calibration)
