"""What an evaluation decides for other ground: threshold and calibration, chosen here, applied elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from headscarp import __version__
from headscarp.calibration import fit_isotonic, fit_temperature
from headscarp.errors import OptionsError
from headscarp.evaluate.confusion import pixel_metrics
from headscarp.evaluate.curves import ScoreHistogram, curve_points
from headscarp.evaluate.result import MethodResult
from headscarp.pipeline.evaluate.ground import Method
from headscarp.pipeline.evaluate.walk import Counted
from headscarp.validation import Validation, write_validation


def ground_hash(labels: Sequence[str]) -> str:
    """Return one hash for the labels of all grounds."""
    return labels[0] if len(labels) == 1 else hashlib.sha256("".join(sorted(labels)).encode()).hexdigest()


def best_f1(histogram: ScoreHistogram) -> tuple[float, float] | None:
    """Threshold of the largest F1, and that F1; None without landslides, the highest among equals."""
    curve = curve_points(histogram)
    if len(curve.threshold) == 0:
        return None
    f1 = pixel_metrics(curve.counts)["f1"]
    if np.isnan(f1).all() or np.nanmax(f1) == 0:
        return None
    place = int(np.nanargmax(f1))
    return float(curve.threshold[place]), float(f1[place])


def decide(
    folder: Path, method: Method, result: MethodResult, counted: Counted, labels: Sequence[str]
) -> Validation | None:
    """Write ``validation.json``: what this ground suggests for others.

    Nothing is written where the score is no probability or a calibrated one, or where one class is missing.
    """
    best = best_f1(result.curve)
    if best is None or not result.plan.is_probability or best[0] <= 0 or method.is_calibrated:
        return None
    pixels, probability, landslides = np.moveaxis(counted.fit, -1, 0)
    clear = pixels - landslides
    if not (_ranked(probability, landslides) and _ranked(probability, clear)):
        return None
    mean = np.divide(probability, pixels, out=np.zeros_like(probability), where=pixels > 0)
    validation = Validation(
        headscarp=__version__,
        method=method.detector,
        threshold=min(best[0], 1.0),
        f1=best[1],
        pixels=int(pixels.sum()),
        landslide_pixels=int(landslides.sum()),
        label_sha256=ground_hash(labels),
        temperature=fit_temperature(mean, landslides, clear),
        isotonic=fit_isotonic(mean, landslides, clear),
    )
    write_validation(folder, validation)
    return validation


def refuse_own_ground(validation: Validation | None, labels: Sequence[str]) -> None:
    """Refuse a threshold chosen on the very ground that it is to be judged on."""
    if validation is not None and validation.label_sha256 in {ground_hash(labels), *labels}:
        raise OptionsError(
            "a --validation of other ground",
            "the evaluation of this very ground",
            "a threshold or calibration chosen on test data flatters every figure",
            "evaluate separate validation ground, and pass its folder",
        )


def refuse_other_method(validation: Validation, method: Method) -> None:
    """Refuse what was decided for another method, or for the raw probability of one calibrated since."""
    if validation.method != method.detector or method.is_calibrated:
        given = f"a calibrated run of {method.detector!r}" if method.is_calibrated else repr(method.detector)
        raise OptionsError(
            f"the raw probability of {validation.method!r}, which the validation is of",
            given,
            "one method's threshold and calibration mean nothing for another's probability",
            "evaluate this method on validation ground, or leave --validation out",
        )


def _ranked(probability: np.ndarray[tuple[int, ...], np.dtype[np.float64]], pixels: object) -> bool:
    """Whether any pixel of a class has a probability above zero: exact zeros take no part in a fit."""
    return bool(np.any((probability > 0) & (np.asarray(pixels) > 0)))
