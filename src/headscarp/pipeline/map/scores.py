"""Change and score in histograms, and the detector as the record tells of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.detect.protocol import Detector, FittedDetector, TrainedDetector
from headscarp.detect.sample import counted_pixels, counted_values
from headscarp.features.change import fuse
from headscarp.features.terrain import Exclusion
from headscarp.pipeline.map.patches import thin, thin_step
from headscarp.pipeline.map.plan import Plan
from headscarp.pipeline.map.tiles import Walk, covered_px
from headscarp.record import DetectorRecord, HistogramRecord

HISTOGRAM_BINS = 120
SCORE_NAMES: dict[str, str] = {
    "fusion": "weighted evidence of a landslide",
    "log-ratio": "standardised fused change",
    "t-test": "combined normal score of the t-test",
    "mahalanobis": "signed normal score of the distance",
    "cusum": "standardised cumulative sum",
}
"""What the score of each detector is, for the report."""


class Scored(NamedTuple):
    """A detector and the ground it was used on."""

    plan: Plan
    walk: Walk
    detector: Detector
    fitted: FittedDetector


def change_histograms(walk: Walk) -> dict[str, HistogramRecord]:
    """Histograms of the fused change in dB over the sample, by polarisation."""
    fused = fuse(counted_pixels(walk.sample))
    return {str(pol): histogram(fused.sel(polarization=pol).values) for pol in fused["polarization"].values}


def histogram(values: NDArray[Any]) -> HistogramRecord:
    """Counts between the extreme thousandths; values beyond fall into the outermost bins."""
    valid = values[np.isfinite(values)]
    if valid.size == 0:
        return HistogramRecord(edges=[0.0, 1.0], counts=[0])
    low, high = np.quantile(valid, [0.0005, 0.9995])
    edges = np.linspace(low, max(high, low + 1e-3), HISTOGRAM_BINS + 1)
    counts, _ = np.histogram(np.clip(valid, edges[0], edges[-1]), edges)
    return HistogramRecord(edges=edges.tolist(), counts=counts.tolist())


def detector_record(scored: Scored, threshold: float, threshold_source: str) -> DetectorRecord:
    """The detector as fitted, its scores over the sample, and what noise alone would give, where known."""
    scores = _sampled_scores(scored)
    shown = histogram(scores)
    edges = np.array(shown.edges)
    density = scored.fitted.null_density((edges[:-1] + edges[1:]) / 2.0)
    expected = density * np.diff(edges) * np.isfinite(scores).sum()
    name, trained = scored.detector.name, scored.detector
    score_name = trained.score_name if isinstance(trained, TrainedDetector) else SCORE_NAMES[name]
    return DetectorRecord(
        name=name,
        threshold=threshold,
        threshold_source=threshold_source,
        fitted=scored.fitted.record(),
        score=shown,
        score_name=score_name,
        null_density=[] if np.isnan(density).all() else expected.tolist(),
    )


def _sampled_scores(scored: Scored) -> NDArray[np.float32]:
    """Scores of the sample; of a trained detector, those that were kept, thinned."""
    sample = scored.walk.sample
    if not isinstance(scored.detector, TrainedDetector):
        return counted_values(scored.fitted.score(sample), sample)
    return kept_scores(scored.plan, scored.walk)


def kept_scores(
    plan: Plan, walk: Walk, is_pseudo: bool = False, where_counted: bool = False
) -> NDArray[np.float32]:
    """Scores that were kept with the tiles, of the event or the pseudo-event, thinned.

    Parameters
    ----------
    plan : Plan
    walk : Walk
    is_pseudo : bool
    where_counted : bool
        NaN where the terrain rules a landslide out: no noise is learned there.
    """
    step = thin_step(covered_px(plan))
    parts = []
    for own in walk.stored:
        values = own.score(is_pseudo)
        if values is None:
            continue
        if where_counted and (exclusion := own.terrain().get("exclusion")) is not None:
            values = np.where(exclusion == Exclusion.NONE, values, np.float32(np.nan))
        parts.append(thin(values, own.tile, step).ravel())
    return np.concatenate(parts) if parts else np.empty(0, np.float32)
