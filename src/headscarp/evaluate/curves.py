r"""Precision–recall and ROC curves from histograms of the score, with bounds that cannot lie.

A histogram knows, at each of its edges, the exact number of landslide and clear pixels at or above that
score; it does not know their order inside a bin. The average precision (as in scikit-learn)

.. math:: AP = \sum_n (R_n - R_{n-1}) P_n

therefore lies between two values that a histogram does know. In a bin with *p* landslide and *q* clear
pixels, below which nothing and above which *T* and *F* pixels lie, the contribution is largest when all
landslide pixels come first and are tied, and smallest when all clear ones come first and none are tied:

.. math::
    \frac{p}{P}\,\frac{T + p}{T + p + F}
    \;\ge\; \ldots \;\ge\;
    \frac{1}{P} \sum_{i=1}^{p} \frac{T + i}{T + i + F + q}
    = \frac{1}{P}\left(p - c\,[\psi(T + c + p + 1) - \psi(T + c + 1)]\right),\quad c = F + q

with the digamma function :math:`\psi`. A bin that holds one single float32 value is exact.

Bins are ranges of the bit pattern of a float32 score, put in the order of the numbers. The first histogram
has one bin for each pattern of the upper 16 bits; bins that leave the bounds too far apart are split into
256, counted again, and after two such rounds each holds a single value. So the bounds meet, however skewed
the scores are, and memory depends on the tolerance and not on the number of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from headscarp.evaluate.confusion import FloatArray, ratio

Edges = NDArray[np.int64]

TOLERANCE = 1e-3
"""Widest gap between the bounds of average precision, and between those of the ROC area."""
_KEYS = 1 << 32
_COARSE_BITS = 16
_SPLIT = 256
_SIGN = np.uint32(1 << 31)


class Bounds(NamedTuple):
    """Lower and upper bound, each of shape (...)."""

    lower: FloatArray
    upper: FloatArray

    @property
    def middle(self) -> FloatArray:
        """The value midway, wrong by half the gap at most."""
        return np.asarray((self.lower + self.upper) / 2.0)


@dataclass(frozen=True)
class ScoreHistogram:
    """Pixels by score: a partition of all float32 numbers, and what fell into each part.

    Attributes
    ----------
    edges : int64 ndarray, shape (bins,)
        Lowest key of each bin, rising; the first is 0.
    counts : ndarray, shape (..., bins, 2)
        Clear and landslide pixels of each bin.
    """

    edges: Edges
    counts: NDArray[Any]

    @classmethod
    def empty(cls, edges: Edges | None = None) -> ScoreHistogram:
        """Return a histogram without pixels; on the coarsest bins, unless edges are given."""
        if edges is None:
            edges = np.arange(0, _KEYS, _KEYS >> _COARSE_BITS, dtype=np.int64)
        return cls(edges, np.zeros((len(edges), 2), dtype=np.int64))

    def __add__(self, counts: NDArray[np.int64]) -> ScoreHistogram:
        """Add the counts of another tile on the same bins."""
        return ScoreHistogram(self.edges, self.counts + counts)

    @property
    def single(self) -> NDArray[np.bool_]:
        """Bins that can hold one score only."""
        return np.asarray(np.diff(self.edges, append=_KEYS) == 1, dtype=np.bool_)

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """Lowest score of each bin."""
        return scores_of(self.edges)

    def totals(self) -> tuple[FloatArray, FloatArray]:
        """Number of clear and of landslide pixels."""
        total = self.counts.sum(axis=-2).astype(np.float64)
        return total[..., 0], total[..., 1]


def keys_of(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Bit patterns of float32 scores in the order of the numbers; −0 equals 0.

    Examples
    --------
    >>> k = keys_of(np.array([-1.0, -0.0, 0.0, 1e-30, 1.0], dtype=np.float32))
    >>> bool(np.all(np.diff(k.astype(np.int64)) >= 0)), bool(k[1] == k[2])
    (True, True)
    """
    bits = np.ascontiguousarray(scores + np.float32(0.0)).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def scores_of(keys: Edges) -> NDArray[np.float32]:
    """Return the scores that have these keys; −inf and inf for patterns beyond the numbers."""
    bits = keys.astype(np.uint32)
    scores = np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float32)
    beyond = np.where(bits & _SIGN, np.float32(np.inf), np.float32(-np.inf))
    return np.where(np.isnan(scores), beyond, scores)


def count_scores(
    edges: Edges,
    scores: NDArray[np.float32],
    landslide: NDArray[np.bool_],
    group: NDArray[np.integer[Any]] | None = None,
    groups: int = 1,
) -> NDArray[np.int64]:
    """Count clear and landslide pixels by bin and group.

    Parameters
    ----------
    edges : int64 ndarray, shape (bins,)
        Of a :class:`ScoreHistogram`.
    scores, landslide : ndarray of one shape
        Evaluated pixels only; no NaN.
    group : int ndarray of the same shape, optional
        Index of each pixel's group (a block, a class), below ``groups``.
    groups : int

    Returns
    -------
    int64 ndarray, shape (groups, bins, 2)
    """
    place = np.searchsorted(edges, keys_of(scores.ravel()), side="right") - 1
    if group is not None:
        place += len(edges) * group.ravel().astype(np.int64)
    counted = np.bincount(2 * place + landslide.ravel(), minlength=groups * len(edges) * 2)
    return counted.reshape(groups, len(edges), 2).astype(np.int64)


def average_precision(histogram: ScoreHistogram) -> Bounds:
    """Bounds of the average precision; NaN where there is no landslide pixel.

    Examples
    --------
    Scores 0.9 (landslide), 0.8 (clear), 0.7 (landslide): (1 + 2/3) / 2.

    >>> s, y = np.array([0.9, 0.8, 0.7], dtype=np.float32), np.array([True, False, True])
    >>> h = ScoreHistogram.empty()
    >>> b = average_precision(h + count_scores(h.edges, s, y)[0])
    >>> round(float(b.lower), 4), round(float(b.upper), 4)
    (0.8333, 0.8333)
    """
    lower, upper = _precision_parts(histogram)
    _, landslides = histogram.totals()
    return Bounds(ratio(lower.sum(axis=-1), landslides), ratio(upper.sum(axis=-1), landslides))


def roc_auc(histogram: ScoreHistogram) -> Bounds:
    """Bounds of the area under the ROC curve; NaN where one class is absent.

    The share of pairs of a landslide and a clear pixel in which the landslide scores higher; ties count half.

    References
    ----------
    Fawcett (2006), An introduction to ROC analysis, Pattern Recognition Letters 27, 861-874.
    """
    lower, upper = _roc_parts(histogram)
    clear, landslides = histogram.totals()
    pairs = clear * landslides
    return Bounds(ratio(lower.sum(axis=-1), pairs), ratio(upper.sum(axis=-1), pairs))


def finer_edges(histogram: ScoreHistogram, tolerance: float = TOLERANCE) -> Edges | None:
    """Return the edges on which to count again, or None where the bounds lie within the tolerance.

    Bins are split into 256, those that widen the gap most first, until the rest is worth less than half the
    tolerance; empty neighbours are joined.

    Parameters
    ----------
    histogram : ScoreHistogram
        Without leading dimensions.
    tolerance : float
        Widest gap accepted.
    """
    gaps = _gaps(histogram)
    if np.all(gaps.sum(axis=1) <= tolerance):
        return None
    split = np.zeros(len(histogram.edges), dtype=np.bool_)
    for gap in gaps:
        order = np.argsort(gap)
        split[order[np.cumsum(gap[order]) > tolerance / 2.0]] = True
    widths = np.diff(histogram.edges, append=_KEYS)
    parts = [
        np.arange(edge, edge + width, max(width // _SPLIT, 1))
        for edge, width in zip(histogram.edges[split], widths[split], strict=True)
    ]
    filled = histogram.counts.sum(axis=-1) > 0
    after = np.roll(filled, 1)
    kept = histogram.edges[filled | after | (histogram.edges == 0)]
    return np.unique(np.concatenate([kept, *parts])).astype(np.int64)


def fewer_edges(histogram: ScoreHistogram, bins: int) -> Edges:
    """Return edges of at most so many bins that keep the curve's shape, for one histogram a block.

    Half of the edges cut the landslide pixels into equal parts, half cut the logarithm of the number of
    pixels at or above the score, on which precision turns. A single value that many pixels share stays apart.

    Parameters
    ----------
    histogram : ScoreHistogram
        Without leading dimensions.
    bins : int
        At least 2; the values that stay apart come on top, two edges each.
    """
    counts = histogram.counts[::-1].astype(np.float64)
    landslides, above = np.cumsum(counts[:, 1]), np.log1p(np.cumsum(counts.sum(axis=1)))
    cuts = [_equal_cuts(rising, bins // 2) for rising in (landslides, above)]
    kept = len(counts) - 1 - np.unique(np.concatenate(cuts))
    shares = ratio_or_zero(histogram.counts.astype(np.float64), histogram.counts.sum(axis=0, keepdims=True))
    tied = histogram.edges[histogram.single & (shares.max(axis=1) > 1.0 / bins)]
    edges = np.concatenate([[0], histogram.edges[kept], tied, tied + 1])
    return np.unique(edges[edges < _KEYS]).astype(np.int64)


class Curve(NamedTuple):
    """Exact counts at falling thresholds; a pixel is landslide from the threshold on."""

    threshold: NDArray[np.float32]
    counts: NDArray[np.int64]
    """Shape (points, 4), in the order of ``confusion.OUTCOMES``."""


def curve_points(histogram: ScoreHistogram) -> Curve:
    """Confusion counts at the lower edge of every bin that holds pixels, highest first."""
    filled = histogram.counts.sum(axis=-1) > 0
    falling = histogram.counts[filled][::-1]
    above = np.cumsum(falling, axis=0)
    below = histogram.counts.sum(axis=0) - above
    counts = np.stack([below[:, 0], below[:, 1], above[:, 0], above[:, 1]], axis=-1)
    return Curve(histogram.thresholds[filled][::-1], counts.astype(np.int64))


def _precision_parts(histogram: ScoreHistogram) -> tuple[FloatArray, FloatArray]:
    """Least and largest sum of precisions over the landslide pixels of each bin."""
    clear, landslides = np.moveaxis(histogram.counts.astype(np.float64), -1, 0)
    clear_above, landslides_above = _above(clear), _above(landslides)
    tied = landslides * ratio_or_zero(
        landslides_above + landslides, landslides_above + landslides + clear_above + clear
    )
    c = clear_above + clear
    lower = landslides - c * (
        digamma(landslides_above + c + landslides + 1.0) - digamma(landslides_above + c + 1.0)
    )
    upper = landslides * ratio_or_zero(
        landslides_above + landslides, landslides_above + landslides + clear_above
    )
    pure = (clear == 0) & (clear_above == 0)
    lower = np.where(pure, landslides, lower)
    single = histogram.single
    return np.where(single, tied, lower), np.where(single, tied, upper)


def _roc_parts(histogram: ScoreHistogram) -> tuple[FloatArray, FloatArray]:
    """Least and largest number of ordered pairs with a landslide pixel in each bin."""
    clear, landslides = np.moveaxis(histogram.counts.astype(np.float64), -1, 0)
    below = landslides * (np.cumsum(clear, axis=-1) - clear)
    inside = landslides * clear
    half = below + inside / 2.0
    single = histogram.single
    return np.where(single, half, below), np.where(single, half, below + inside)


def ratio_or_zero(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide; 0 where there is nothing to divide by."""
    return np.nan_to_num(ratio(part, whole))


def _gaps(histogram: ScoreHistogram) -> FloatArray:
    """What each bin adds to the gap of average precision and of the ROC area; shape (2, bins)."""
    clear, landslides = histogram.totals()
    wholes = (landslides, clear * landslides)
    parts = (_precision_parts(histogram), _roc_parts(histogram))
    return np.stack(
        [
            ratio_or_zero(upper - lower, np.broadcast_to(whole, lower.shape))
            for (lower, upper), whole in zip(parts, wholes, strict=True)
        ]
    )


def _above(counts: FloatArray) -> FloatArray:
    """Pixels in the bins above each bin."""
    rising = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    return np.asarray(rising - counts)


def _equal_cuts(rising: FloatArray, parts: int) -> NDArray[np.int64]:
    """Indices at which a rising sum crosses equal parts of its total."""
    levels = np.linspace(0.0, rising[-1], parts + 1)[1:]
    return np.minimum(np.searchsorted(rising, levels), len(rising) - 1)
