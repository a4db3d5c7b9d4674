"""Options of the detect room, and the detector they name: as it is, or calibrated on validation ground."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from headscarp.calibration import CalibrationMethod
from headscarp.detect.calibrated import CalibratedDetector
from headscarp.detect.cusum import Cusum
from headscarp.detect.despeckle import DespeckledDetector
from headscarp.detect.fusion import WINDOWS_PX as FUSION_WINDOWS_PX
from headscarp.detect.fusion import Fusion
from headscarp.detect.log_ratio import LogRatio
from headscarp.detect.mahalanobis import Mahalanobis
from headscarp.detect.null import Direction, NullOptions
from headscarp.detect.pooling import PooledDetector
from headscarp.detect.protocol import Detector
from headscarp.detect.statistic import Statistic, StatisticDetector
from headscarp.detect.t_test import TTest
from headscarp.errors import OptionsError
from headscarp.validation import Validation

WINDOWS_PX = (1, 3, 5)
"""Sides of the windows over which the score of every detector but the fusion is pooled."""
WIDEST_PX = 31
"""Widest window that may be asked for."""

DetectorName = Literal["fusion", "log-ratio", "t-test", "mahalanobis", "cusum"]
CHECKPOINT_SUFFIX = ".safetensors"
NOT_OF_NETWORKS = (
    "prior_landslide",
    "direction",
    "windows_px",
    "despeckle",
    "validation",
    "calibration",
    "with_backscatter",
)
"""Options of the detectors without labels: a checkpoint brings its own, or has no use for them."""


class DetectOptions(BaseModel):
    """Which detector, and how its threshold is set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detector: DetectorName | Path = Field(
        "fusion",
        description="Name of the detector (docs/detectors.md), or a checkpoint that headscarp train wrote.",
    )
    prior_landslide: float = Field(
        NullOptions().prior_landslide,
        gt=0,
        lt=1,
        description="Stated share of the ground that has slid, before looking.",
    )
    direction: Direction | None = Field(
        None,
        description="Which change can be a landslide: loss, gain or either; none: loss for fusion, either "
        "for the others.",
    )
    windows_px: tuple[int, ...] | None = Field(
        None,
        description="Sides of the windows, odd pixels, over which the score is pooled; 1 alone: each pixel "
        "for itself; none: 1, 3, 5, 7, 9 for fusion, 1, 3, 5 for the others.",
    )
    with_backscatter: bool = Field(
        False, description="With a network of NDVI: the loss of backscatter counts beside that of NDVI."
    )
    despeckle: bool = Field(
        False, description="Despeckle the composites by non-local means first: slower, keeps edges."
    )
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

    @field_validator("detector", mode="before")
    @classmethod
    def _named_or_stored(cls, value: Any) -> Any:
        names = get_args(DetectorName)
        path = Path(str(value))
        if path.suffix == CHECKPOINT_SUFFIX:
            return path
        if value not in names:
            raise ValueError(f"{', '.join(names)} or a checkpoint, *{CHECKPOINT_SUFFIX}, is wanted")
        return value

    @field_validator("windows_px")
    @classmethod
    def _odd_and_rising(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        fine = value is None or (value and all(1 <= w <= WIDEST_PX and w % 2 for w in value))
        if not fine or (value is not None and sorted(set(value)) != list(value)):
            raise ValueError(f"odd numbers of pixels from 1 to {WIDEST_PX}, rising, are wanted")
        return value


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
        If the validation is that of another detector, or the options name a checkpoint.
    """
    if isinstance(options.detector, Path):
        raise OptionsError(
            f"a detector without labels: {', '.join(get_args(DetectorName))}",
            str(options.detector),
            "a checkpoint is no detector until its network is built",
            "give it to headscarp map, or wrap it: headscarp.predict.network.NetworkDetector",
        )
    detector = _bare(options, options.detector)
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


def refuse_options_of_others(options: DetectOptions, but: tuple[str, ...] = ()) -> None:
    """Refuse options beside a checkpoint that only detectors without labels have.

    Parameters
    ----------
    options : DetectOptions
    but : tuple of str
        Names of those that this checkpoint takes.

    Raises
    ------
    OptionsError
        Naming them.
    """
    default = DetectOptions()
    own = (name for name in NOT_OF_NETWORKS if name not in but)
    given = [name for name in own if getattr(options, name) != getattr(default, name)]
    if given:
        raise OptionsError(
            "a checkpoint alone: it brings its inputs, its calibration and its threshold",
            ", ".join(f"detect.{name}: {getattr(options, name)}" for name in given),
            "that would not change the map, though you asked for it",
            "leave it out, or map with a detector without labels",
        )


def _bare(options: DetectOptions, name: DetectorName) -> Detector:
    """The detector without a calibration."""
    windows_px = options.windows_px or (FUSION_WINDOWS_PX if name == "fusion" else WINDOWS_PX)
    own = "loss" if name == "fusion" else "either"
    null = NullOptions(prior_landslide=options.prior_landslide, direction=options.direction or own)
    detector = _pixelwise(name, null, windows_px)
    if options.despeckle:
        detector = DespeckledDetector(detector)
    if name == "fusion" or windows_px == (1,):
        return detector
    return PooledDetector(detector, windows_px, null)


def _pixelwise(name: DetectorName, null: NullOptions, windows_px: tuple[int, ...]) -> Detector:
    if name == "fusion":
        return Fusion(null, windows_px)
    if name == "log-ratio":
        return LogRatio(null)
    statistics: dict[str, Statistic] = {s.name: s for s in (TTest(), Mahalanobis(), Cusum())}
    return StatisticDetector(statistics[name], null)
