"""Curves from histograms: bounds that hold scikit-learn's exact values, whatever the skew."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from headscarp.evaluate.confusion import confusion_counts
from headscarp.evaluate.curves import (
    TOLERANCE,
    ScoreHistogram,
    average_precision,
    count_scores,
    curve_points,
    fewer_edges,
    finer_edges,
    keys_of,
    roc_auc,
    scores_of,
)

Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]
ROUNDING = 1e-9


def refined(scores: Scores, landslide: Mask, tolerance: float = TOLERANCE) -> tuple[ScoreHistogram, int]:
    """Histogram of scores in memory, and the number of times they were counted."""
    histogram = ScoreHistogram.empty()
    for rounds in range(1, 5):
        histogram = histogram + count_scores(histogram.edges, scores, landslide)[0]
        edges = finer_edges(histogram, tolerance)
        if edges is None:
            return histogram, rounds
        histogram = ScoreHistogram.empty(edges)
    raise AssertionError("three rounds reach single values")


SKEWS: dict[str, tuple[float, Callable[[np.random.Generator, Mask], NDArray[np.float64]]]] = {
    "logistic": (0.01, lambda rng, y: 1 / (1 + np.exp(6 - 2 * rng.normal(size=y.size) - 4 * y))),
    "crowded at 0": (0.001, lambda rng, y: rng.random(y.size) ** 30),
    "crowded at 1": (0.01, lambda rng, y: 1 - 1e-6 * rng.random(y.size) ** 5 * (1 - 0.5 * y)),
    "ties of tenths": (0.3, lambda rng, y: np.round(rng.random(y.size) + 0.2 * y, 1)),
    "half exactly 0": (1e-4, lambda rng, y: np.where(rng.random(y.size) < 0.5, 0, rng.random(y.size) + y)),
    "decibels of both signs": (0.02, lambda rng, y: rng.normal(size=y.size) + 2 * y),
    "one value": (0.05, lambda rng, y: np.full(y.size, 0.25)),
    "perfect": (0.05, lambda rng, y: y.astype(float)),
    "inverted": (0.05, lambda rng, y: 1.0 - y),
    "denormal": (0.05, lambda rng, y: 1e-42 * rng.random(y.size) * (1 + y)),
}


@pytest.mark.parametrize("name", SKEWS)
def test_bounds_hold_the_exact_value_within_the_tolerance(name: str) -> None:
    share, make = SKEWS[name]
    rng = np.random.default_rng(3)
    landslide = rng.random(200_000) < share
    scores = make(rng, landslide).astype(np.float32)
    histogram, rounds = refined(scores, landslide)
    assert rounds <= 3
    for bounds, exact in (
        (average_precision(histogram), average_precision_score(landslide, scores)),
        (roc_auc(histogram), roc_auc_score(landslide, scores)),
    ):
        assert bounds.lower - ROUNDING <= exact <= bounds.upper + ROUNDING
        assert bounds.upper - bounds.lower <= TOLERANCE
        assert abs(bounds.middle - exact) <= TOLERANCE / 2 + ROUNDING


def test_uniform_bins_alone_would_miss() -> None:
    """The reason for the refinement: a thousand equal bins do not know a skewed score."""
    share, make = SKEWS["crowded at 0"]
    rng = np.random.default_rng(3)
    landslide = rng.random(200_000) < share
    scores = make(rng, landslide).astype(np.float32)
    edges = np.unique(keys_of(np.linspace(0, 1, 1000, dtype=np.float32)).astype(np.int64))
    edges[0] = 0
    histogram = ScoreHistogram.empty(edges)
    bounds = average_precision(histogram + count_scores(edges, scores, landslide)[0])
    assert bounds.upper - bounds.lower > TOLERANCE


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, 40, elements=st.floats(-4, 4, width=32)),
    arrays(np.bool_, 40),
    st.integers(1, 12),
)
def test_bounds_hold_on_any_bins(scores: Scores, landslide: Mask, bins: int) -> None:
    if not landslide.any() or landslide.all():
        return
    inner = np.unique(keys_of(np.linspace(-4, 4, bins, dtype=np.float32)).astype(np.int64))
    edges = np.unique(np.append(inner, 0))
    histogram = ScoreHistogram.empty(edges) + count_scores(edges, scores, landslide)[0]
    ap, auc = average_precision(histogram), roc_auc(histogram)
    assert ap.lower - ROUNDING <= average_precision_score(landslide, scores) <= ap.upper + ROUNDING
    assert auc.lower - ROUNDING <= roc_auc_score(landslide, scores) <= auc.upper + ROUNDING


def test_bounds_are_attained() -> None:
    """One bin of two landslide and two clear pixels: the best order and the worst are both possible."""
    edges = np.array([0])
    histogram = ScoreHistogram(edges, np.array([[2, 2]]))
    bounds = average_precision(histogram)
    best = average_precision_score([1, 1, 0, 0], [0.9, 0.9, 0.2, 0.1])
    worst = average_precision_score([0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1])
    assert (float(bounds.lower), float(bounds.upper)) == pytest.approx((worst, best))


def test_tiles_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(0)
    scores, landslide = rng.random(1000).astype(np.float32), rng.random(1000) < 0.2
    whole = ScoreHistogram.empty()
    parts = ScoreHistogram.empty()
    whole = whole + count_scores(whole.edges, scores, landslide)[0]
    for part in np.array_split(np.arange(1000), 7):
        parts = parts + count_scores(parts.edges, scores[part], landslide[part])[0]
    assert np.array_equal(whole.counts, parts.counts)
    grouped = count_scores(whole.edges, scores, landslide, np.arange(1000) % 3, 3)
    assert np.array_equal(grouped.sum(axis=0), whole.counts)


@pytest.mark.parametrize(
    ("clear", "landslides", "ap", "auc"),
    [(5, 0, math.nan, math.nan), (0, 5, 1.0, math.nan), (0, 0, math.nan, math.nan)],
)
def test_missing_classes_are_defined(clear: int, landslides: int, ap: float, auc: float) -> None:
    histogram = ScoreHistogram(np.array([0]), np.array([[clear, landslides]]))
    assert float(average_precision(histogram).middle) == pytest.approx(ap, nan_ok=True)
    assert float(roc_auc(histogram).middle) == pytest.approx(auc, nan_ok=True)
    assert finer_edges(ScoreHistogram(np.array([0]), np.array([[0, 0]]))) is None


def test_curve_points_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    landslide = rng.random(3000) < 0.1
    scores = np.round(rng.random(3000) + 0.3 * landslide, 2).astype(np.float32)
    histogram, _ = refined(scores, landslide, tolerance=1e-12)
    curve = curve_points(histogram)
    precision, recall, thresholds = precision_recall_curve(landslide, scores)
    assert np.all(np.diff(curve.threshold) < 0)
    for threshold, (tn, fn, fp, tp) in zip(curve.threshold, curve.counts.tolist(), strict=True):
        above = scores >= threshold
        assert [tn, fn, fp, tp] == confusion_counts(above, landslide)[0].tolist()
        place = int(np.searchsorted(thresholds, threshold))
        assert (tp / (tp + fp), tp / (tp + fn)) == pytest.approx((precision[place], recall[place]))


@given(arrays(np.float32, 20, elements=st.floats(allow_nan=False, allow_infinity=True, width=32)))
def test_keys_keep_the_order_and_come_back(scores: Scores) -> None:
    keys = keys_of(scores).astype(np.int64)
    order = np.argsort(scores, kind="stable")
    assert np.all(np.diff(keys[order]) >= 0)
    assert np.array_equal(scores_of(keys), scores + np.float32(0.0))
    ordered = scores[order]
    assert np.array_equal(np.diff(keys[order]) == 0, ordered[1:] == ordered[:-1])


@pytest.mark.parametrize("bins", [16, 64, 512])
@pytest.mark.parametrize("name", ["logistic", "ties of tenths", "half exactly 0"])
def test_fewer_bins_keep_the_shape(name: str, bins: int) -> None:
    share, make = SKEWS[name]
    rng = np.random.default_rng(4)
    landslide = rng.random(100_000) < share
    scores = make(rng, landslide).astype(np.float32)
    histogram, _ = refined(scores, landslide)
    edges = fewer_edges(histogram, bins)
    assert edges[0] == 0
    assert len(edges) <= 3 * bins
    coarse = average_precision(ScoreHistogram.empty(edges) + count_scores(edges, scores, landslide)[0])
    assert abs(coarse.middle - average_precision(histogram).middle) < 2.0 / bins
