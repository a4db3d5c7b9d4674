"""What an evaluation on validation ground decided, stored as ``validation.json`` and applied elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headscarp.calibration import Calibration, CalibrationMethod, Isotonic, Temperature, calibrate
from headscarp.errors import OptionsError

VALIDATION_JSON = "validation.json"


class Validation(BaseModel):
    """What an evaluation on validation ground decided, as stored in ``validation.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    headscarp: str
    """Version that made it."""
    method: str
    """Name of the detector or model that was evaluated."""
    threshold: float = Field(gt=0, le=1)
    """Uncalibrated probability of the best F1."""
    f1: float = Field(ge=0, le=1)
    """At that threshold."""
    pixels: int = Field(gt=0)
    landslide_pixels: int = Field(gt=0)
    label_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of the label of the validation ground."""
    temperature: Temperature
    isotonic: Isotonic

    def calibration_for(self, method: CalibrationMethod) -> Calibration | None:
        """Return the calibration of that name; None for "none"."""
        if method == "none":
            return None
        return self.temperature if method == "temperature" else self.isotonic

    def threshold_for(self, method: CalibrationMethod) -> float:
        """Threshold on the calibrated probability: the stored one through the same map.

        Every pixel at or above the stored threshold is at or above this one. The reverse holds but where
        the map is flat: below the first and above the last knot of an isotonic calibration, whole blocks tie.

        Raises
        ------
        OptionsError
            If the calibration tells the threshold no longer from 0, at or above which everything lies.
        """
        calibration = self.calibration_for(method)
        if calibration is None:
            return self.threshold
        value = float(calibrate(np.float32(self.threshold), calibration))
        if value <= float(calibrate(0.0, calibration)):
            raise OptionsError(
                "a threshold that calibration tells from a probability of 0",
                f"{method} calibration takes {self.threshold:g}, where F1 is best, and 0 both to {value:g}",
                "every pixel would be drawn as landslide",
                "use --calibration temperature, or validate on ground with more landslides",
            )
        return value

    @property
    def ground(self) -> str:
        """Short name of the validation ground: the first digits of its label's hash."""
        return self.label_sha256[:12]


def read_validation(path: Path) -> Validation:
    """Read what was decided on validation ground.

    Parameters
    ----------
    path : Path
        The file, or the folder that holds it.

    Raises
    ------
    OptionsError
        If there is none, or it is of another form.
    """
    file = path / VALIDATION_JSON if path.is_dir() else path
    try:
        return Validation.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise OptionsError(
            f"{VALIDATION_JSON}, or the folder of an evaluation that holds it",
            f"{path} ({_reason(error)})",
            "there is no threshold and no calibration to apply",
            "give the folder that an evaluation on validation ground wrote",
        ) from error


def write_validation(path: Path, validation: Validation) -> Path:
    """Write ``validation.json`` into a folder, or a file of another name; return the file."""
    file = path / VALIDATION_JSON if path.is_dir() else path
    beside = file.with_name(f".{file.name}.part")
    beside.write_text(validation.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return beside.replace(file)


def _reason(error: OSError | UnicodeDecodeError | ValidationError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
    return str(error).splitlines()[0]
