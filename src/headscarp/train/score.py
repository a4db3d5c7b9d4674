"""What a trained network is worth: its scores on chips, the threshold and the calibration they suggest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from headscarp.calibration import Scaling, calibrate, fit_platt
from headscarp.evaluate.confusion import pixel_metrics
from headscarp.evaluate.curves import ScoreHistogram, average_precision, count_scores, curve_points
from headscarp.evaluate.reliability import calibration_edges, reliability_sums
from headscarp.features.channels import FloatArray
from headscarp.models import Network
from headscarp.train.batches import Batches, Normaliser
from headscarp.train.chips import Cache, Sources
from headscarp.train.judge import or_none
from headscarp.train.residuals import Predicted
from headscarp.train.shown import Numbers

CHIPS_AT_ONCE = 4
"""More would leave the processor's caches (docs/networks.md)."""
_INSIDE = 1e-6
"""Thresholds stay this far from 0 and 1."""


@dataclass(frozen=True)
class Worth:
    """What the validation chips say of a network.

    Attributes
    ----------
    calibration : Platt or None
        None where one class is missing.
    threshold : float
        Calibrated probability of the best F1.
    metrics : dict
        At that threshold; ``f1_at_half``: at an uncalibrated probability of one half.
    """

    calibration: Scaling | None
    threshold: float
    metrics: dict[str, float | None]

    def on_card(self) -> dict[str, Any]:
        """What the card of the checkpoint says of it."""
        return {"metrics": self.metrics, "threshold": self.threshold, "calibration": self.calibration}


def scores(
    network: Network, normaliser: Normaliser, sources: Sources, numbers: Numbers
) -> Iterator[tuple[FloatArray, NDArray[np.bool_]]]:
    """Logits and labels of the pixels that count, a few chips at a time; as :func:`predictions`."""
    for logits, label, mask in predictions(network, normaliser, sources, numbers):
        yield logits[mask], label[mask] > 0


def predictions(
    network: Network, normaliser: Normaliser, sources: Sources, numbers: Numbers
) -> Iterator[Predicted]:
    """What a network gives for chips, a few at a time; on a GPU where there is one.

    Parameters
    ----------
    network : Network
    normaliser : Normaliser
        That the network was trained with.
    sources : Sources
    numbers : ndarray of int64
        Chips.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).eval()
    ids = [chip.id for chip in sources.chips]
    for batch in Batches(Cache(sources, 0), ids, numbers, CHIPS_AT_ONCE, normaliser):
        dates = () if batch.valid is None or batch.days is None else (batch.valid, batch.days)
        with torch.inference_mode():
            logits = network(*(part.to(device) for part in (batch.x, *dates))).cpu().float()
        yield Predicted(*(part[:, 0].numpy() for part in (logits, batch.target, batch.mask)))


def worth(parts: Iterator[tuple[FloatArray, NDArray[np.bool_]]]) -> Worth:
    """Threshold, calibration and metrics from the scores of the validation chips."""
    histogram, edges = ScoreHistogram.empty(), calibration_edges()
    fit = np.zeros((len(edges) - 1, 3))
    half = np.zeros(4, dtype=np.int64)
    for logits, landslide in parts:
        histogram += count_scores(histogram.edges, logits, landslide)[0]
        fit += reliability_sums(expit(logits.astype(np.float64)), landslide, edges)[0]
        half += np.bincount(2 * (logits >= 0) + landslide, minlength=4)
    calibration = _platt(fit)
    logit, counts = _best(histogram)
    probability = np.array([expit(np.float64(logit))])
    chosen = probability if calibration is None else calibrate(probability, calibration)
    ratios = pixel_metrics(counts)
    metrics = {name: or_none(ratios[name]) for name in ("f1", "precision", "recall", "iou")}
    return Worth(
        calibration,
        float(np.clip(chosen[0], _INSIDE, 1 - _INSIDE)),
        metrics
        | {
            "average_precision": or_none(average_precision(histogram).middle),
            "f1_at_half": or_none(pixel_metrics(half)["f1"]),
        },
    )


def f1_at(
    parts: Iterator[tuple[FloatArray, NDArray[np.bool_]]], calibration: Scaling | None, threshold: float
) -> float | None:
    """F1 at a threshold of the calibrated probability; none where there is no landslide on either side."""
    counts = np.zeros(4, dtype=np.int64)
    for logits, landslide in parts:
        raw = expit(logits.astype(np.float64))
        probability = raw if calibration is None else calibrate(raw, calibration)
        counts += np.bincount(2 * (probability >= threshold) + landslide, minlength=4)
    return or_none(pixel_metrics(counts)["f1"])


def _platt(fit: NDArray[np.float64]) -> Scaling | None:
    pixels, probability, landslides = np.moveaxis(fit, -1, 0)
    clear = pixels - landslides
    moved = probability > 0
    if not (landslides[moved].any() and clear[moved].any()):
        return None
    mean = np.divide(probability, pixels, out=np.zeros_like(probability), where=pixels > 0)
    return fit_platt(mean, landslides, clear)


def _best(histogram: ScoreHistogram) -> tuple[float, NDArray[np.int64]]:
    """Logit of the largest F1 and the counts there; the highest among equals, 0 without landslides."""
    curve = curve_points(histogram)
    f1 = pixel_metrics(curve.counts)["f1"]
    if len(f1) == 0 or np.isnan(f1).all():
        return 0.0, np.zeros(4, dtype=np.int64)
    place = int(np.nanargmax(f1))
    return float(curve.threshold[place]), curve.counts[place]
