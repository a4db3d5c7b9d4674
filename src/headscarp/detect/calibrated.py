"""Any detector with its probability calibrated on validation ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.calibration import CalibrationMethod, calibrate
from headscarp.detect.protocol import Detector, FittedDetector
from headscarp.features.change import Change
from headscarp.validation import Validation


@dataclass(frozen=True)
class CalibratedDetector:
    """A detector whose probability goes through what was fitted on validation ground."""

    detector: Detector
    validation: Validation
    method: CalibrationMethod

    @property
    def name(self) -> str:
        """Name of the detector itself."""
        return self.detector.name

    @property
    def needs(self) -> tuple[str, ...]:
        """Variables of the detector itself."""
        return self.detector.needs

    @property
    def halo_px(self) -> int:
        """Halo of the detector itself."""
        return self.detector.halo_px

    def fit(self, sample: Change) -> FittedCalibrated:
        """Learn the noise from a sample of pixels; the calibration is as stored."""
        return FittedCalibrated(self.detector.fit(sample), self.validation, self.method)


@dataclass(frozen=True)
class FittedCalibrated:
    """A fitted detector with its probability calibrated; all else is its own."""

    fitted: FittedDetector
    validation: Validation
    method: CalibrationMethod

    def score(self, change: Change) -> xr.DataArray:
        """Score of the detector."""
        return self.fitted.score(change)

    def orbit_scores(self, change: Change) -> xr.DataArray:
        """Score of each orbit alone."""
        return self.fitted.orbit_scores(change)

    def probability(self, score: xr.DataArray) -> xr.DataArray:
        """Calibrated probability of a landslide, in [0, 1]; NaN where the score is."""
        probability = self.fitted.probability(score)
        calibration = self.validation.calibration_for(self.method)
        if calibration is None:
            return probability
        return probability.copy(data=calibrate(probability.values, calibration))

    def null_density(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density of the score where nothing happened."""
        return self.fitted.null_density(score)

    def record(self) -> dict[str, Any]:
        """Everything that was fitted, here and on validation ground, for ``run.json``."""
        calibration = self.validation.calibration_for(self.method)
        stored = calibration.model_dump(mode="json") if calibration is not None else {"method": self.method}
        told = {
            "validation_label_sha256": self.validation.label_sha256,
            "validation_threshold": self.validation.threshold,
            "validation_f1": self.validation.f1,
        }
        return self.fitted.record() | {"calibration": stored | told}
