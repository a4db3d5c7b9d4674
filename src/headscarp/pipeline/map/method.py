"""How a run finds landslides: a detector by its name, or the network of a checkpoint, and the threshold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from headscarp.config import MapOptions
from headscarp.detect.null import NullOptions
from headscarp.detect.options import DetectOptions, make_detector, refuse_options_of_others
from headscarp.detect.protocol import Detector, StackFacts, TrainedDetector
from headscarp.errors import OptionsError
from headscarp.grid import spacing_m
from headscarp.pipeline.map.plan import Plan
from headscarp.polygons import PolygonOptions
from headscarp.scene import polarizations_of
from headscarp.validation import Validation, read_validation
from headscarp.vocabulary import OrbitState

OF_NDVI = ("prior_landslide", "with_backscatter")
"""Options of the detectors without labels that a network of NDVI takes, too."""


@dataclass(frozen=True)
class Method:
    """The detector, and the threshold that the options, the validation or the checkpoint state."""

    detector: Detector
    threshold: float
    source: str

    def suited(self, plan: Plan) -> Method:
        """The method made ready for a plan; detectors that learn from the map are ready for any.

        Raises
        ------
        HeadscarpError
            If the plan lacks what a trained detector looks at.
        """
        if not isinstance(self.detector, TrainedDetector):
            return self
        return replace(self, detector=self.detector.suited(stack_facts(plan)))


def stated_method(options: MapOptions) -> Method:
    """Detector and stated threshold: the one given, else the validation's or checkpoint's, else the default.

    Raises
    ------
    HeadscarpError
        If the validation or the checkpoint cannot be read, or does not fit the other options.
    """
    detect, stated = options.detect, options.polygons
    if isinstance(detect.detector, Path):
        return _network_method(detect.detector, detect, stated)
    if detect.validation is None:
        return Method(make_detector(detect), stated.threshold, _source(stated))
    validation = read_validation(detect.validation)
    detector = make_detector(detect, validation)
    if "threshold" in stated.model_fields_set:
        return Method(detector, stated.threshold, f"given, not the {_best_f1(validation)}")
    return Method(detector, validation.threshold_for(detect.calibration), _best_f1(validation))


def stack_facts(plan: Plan) -> StackFacts:
    """What a trained detector must know of a plan."""
    seen: dict[OrbitState, frozenset[str]] = {}
    dates: Counter[OrbitState] = Counter()
    for label, split in plan.splits.items():
        stack = plan.stacks[label]
        state = OrbitState(stack.attrs["orbit_state"])
        seen[state] = seen.get(state, frozenset()) | frozenset(polarizations_of(stack))
        dates[state] += len(split.pre) + len(split.post)
    pre, post = ([len(getattr(split, side)) for split in plan.splits.values()] for side in ("pre", "post"))
    return StackFacts(
        polarizations=seen,
        has_dem=plan.options.terrain.dem is not None,
        rasters=frozenset(plan.options.rasters),
        spacing_m=float(np.mean([np.mean(side) for side in spacing_m(plan.geobox)])),
        pooling=plan.options.change.pooling,
        pre_dates=(min(pre), max(pre)),
        post_dates=(min(post), max(post)),
        series_dates=max(dates.values()),
    )


def _network_method(path: Path, detect: DetectOptions, stated: PolygonOptions) -> Method:
    """The network of a checkpoint, of landslides or of NDVI; torch is wanted from here on only."""
    try:
        from headscarp.checkpoint import read_checkpoint
        from headscarp.models import Head, keep_memory
        from headscarp.predict.ndvi_loss import NdviLossDetector
        from headscarp.predict.network import NetworkDetector
    except ImportError as error:
        raise OptionsError(
            "torch and safetensors, to map with a checkpoint",
            f"no {error.name}",
            "the network cannot run",
            "install them: pip install 'headscarp[networks]'",
        ) from error
    checkpoint = read_checkpoint(path)
    keep_memory()
    if checkpoint.card.options.head is Head.REGRESSION:
        refuse_options_of_others(detect, but=OF_NDVI)
        null = NullOptions(prior_landslide=detect.prior_landslide, direction="loss")
        loss = NdviLossDetector(checkpoint, null, detect.with_backscatter)
        return Method(loss, stated.threshold, _source(stated))
    refuse_options_of_others(detect)
    detector = NetworkDetector(checkpoint)
    best = "best F1 on the validation chips of the checkpoint"
    if "threshold" in stated.model_fields_set:
        return Method(detector, stated.threshold, f"given, not the {best}")
    return Method(detector, detector.threshold, best)


def _best_f1(validation: Validation) -> str:
    return f"best F1 on validation ground {validation.ground}"


def _source(options: PolygonOptions) -> str:
    is_default = options.threshold == PolygonOptions().threshold
    return "default" if is_default else "given"
