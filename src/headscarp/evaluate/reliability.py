"""Reliability: whether, of the pixels given a probability of 0.7, seven in ten have slid.

Counts first: sums over probability bins add up over tiles and blocks, ratios are taken once. They broadcast
over leading dimensions, so the resampled sums of a bootstrap go through the same functions.

Landslides are rare: of fifteen equal-width bins the lowest holds nearly every pixel, and the expected
calibration error says little but whether that bin is right on average. Bins of equal width in log-odds tell
0.001 from 0.05. The same error over them is the one variant given, and they are the bins to draw.

References
----------
Guo, Pleiss, Sun & Weinberger (2017), On calibration of modern neural networks, ICML, §2; Brier (1950),
Monthly Weather Review 78, 1-3; Murphy (1973), Journal of Applied Meteorology 12, 595-600 (skill).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from headscarp.calibration import require_probability
from headscarp.evaluate.confusion import FloatArray, ratio

PROBABILITY_BINS = 15
"""Equal-width bins of the expected calibration error, as Guo et al. (2017)."""
LOG_ODDS_LIMIT, LOG_ODDS_WIDTH = 7.0, 1.0
"""Log-odds bins lie between ±7 (probabilities of 0.0009 and 0.9991), with one beyond on either side."""
FIT_LIMIT, FIT_WIDTH = 16.0, 1.0 / 16.0
"""Of the bins that a calibration is fitted on, log-odds."""
COLUMNS = ("pixels", "probability", "landslide_pixels")
"""Last axis of reliability sums: number of pixels, sum of their probability, landslide pixels among them."""

Block = NDArray[np.integer[Any]]


class ReliabilityCurve(NamedTuple):
    """Observed against predicted, each of shape (..., bins); NaN in empty bins."""

    mean_probability: FloatArray
    observed_share: FloatArray
    pixels: FloatArray


def probability_edges(bins: int = PROBABILITY_BINS) -> FloatArray:
    """Edges of bins of equal width over [0, 1].

    Returns
    -------
    float64 ndarray, shape (bins + 1,)
    """
    return np.linspace(0.0, 1.0, bins + 1)


def log_odds_edges(limit: float = LOG_ODDS_LIMIT, width: float = LOG_ODDS_WIDTH) -> FloatArray:
    """Edges, as probabilities, of bins of equal width in log-odds, and one beyond on either side.

    Parameters
    ----------
    limit : float
        Largest finite edge, log-odds (natural).
    width : float
        Of a bin, log-odds; a divisor of the limit.

    Returns
    -------
    float64 ndarray, shape (2 × limit / width + 3,)
    """
    steps = round(limit / width)
    return np.concatenate([[0.0], expit(np.arange(-steps, steps + 1) * width), [1.0]])


def calibration_edges() -> FloatArray:
    """Edges of the fine bins that a calibration is fitted on.

    A bin for exactly 0, which no temperature moves, then bins 1/16 wide in log-odds between ±16.

    Returns
    -------
    float64 ndarray, shape (516,)
    """
    fine = log_odds_edges(FIT_LIMIT, FIT_WIDTH)
    return np.concatenate([[0.0], fine])


def reliability_sums(
    probability: NDArray[Any],
    landslide: NDArray[np.bool_],
    edges: FloatArray,
    block: Block | None = None,
    blocks: int = 1,
) -> FloatArray:
    """Sums over probability bins, by block.

    Parameters
    ----------
    probability, landslide : ndarray of one shape
        Evaluated pixels only, no NaN; in [0, 1] and bool.
    edges : float64 ndarray, shape (bins + 1,)
        Of the bins, from 0 to 1; a bin holds its upper edge, the first also its lower.
    block : int ndarray of the same shape, optional
        Index of each pixel's block, below ``blocks``.
    blocks : int
        Number of blocks.

    Returns
    -------
    float64 ndarray, shape (blocks, bins, 3)
        In the order of ``COLUMNS``.

    Raises
    ------
    HeadscarpError
        If a value lies outside [0, 1]: a score is no probability.

    Examples
    --------
    >>> p, landslide = np.array([0.1, 0.5, 0.9]), np.array([False, False, True])
    >>> reliability_sums(p, landslide, probability_edges(2))[0].tolist()
    [[2.0, 0.6, 0.0], [1.0, 0.9, 1.0]]
    """
    values = np.asarray(probability, dtype=np.float64).ravel()
    require_probability(values)
    bins = len(edges) - 1
    code = np.searchsorted(edges[1:-1], values, side="left")
    if block is not None:
        code += bins * block.ravel().astype(np.int64)
    weights = (None, values, landslide.ravel().astype(np.float64))
    columns = [np.bincount(code, weight, blocks * bins) for weight in weights]
    return np.stack(columns, axis=-1).astype(np.float64).reshape(blocks, bins, len(COLUMNS))


def squared_error_sums(
    probability: NDArray[Any], landslide: NDArray[np.bool_], block: Block | None = None, blocks: int = 1
) -> FloatArray:
    """Sum of the squared difference between probability and label, by block.

    Parameters
    ----------
    probability, landslide, block, blocks
        As in :func:`reliability_sums`.

    Returns
    -------
    float64 ndarray, shape (blocks,)
    """
    values = np.asarray(probability, dtype=np.float64).ravel()
    require_probability(values)
    where = np.zeros(values.size, dtype=np.int64) if block is None else block.ravel()
    return np.asarray(np.bincount(where, (values - landslide.ravel()) ** 2, blocks), dtype=np.float64)


def reliability_metrics(
    sums: FloatArray, squared_error: FloatArray, log_odds_sums: FloatArray | None = None
) -> dict[str, FloatArray]:
    r"""How far probabilities are from observed shares.

    With :math:`n_b` pixels, mean probability :math:`\bar p_b` and observed share :math:`\bar y_b` of bin *b*,
    and the prevalence :math:`\pi`:

    .. math::
        ECE = \sum_b \frac{n_b}{n} |\bar p_b - \bar y_b|, \quad
        MCE = \max_b |\bar p_b - \bar y_b|, \quad
        BS = \frac{1}{n} \sum_i (p_i - y_i)^2, \quad
        BSS = 1 - \frac{BS}{\pi (1 - \pi)}

    The maximum is taken over bins with any pixel: one with few is mostly chance. Sampling noise adds to both
    calibration errors, on average. The skill is 0 for saying the prevalence everywhere, negative for worse.

    Parameters
    ----------
    sums : ndarray, shape (..., bins, 3)
        Of equal-width bins.
    squared_error : ndarray, shape (...)
        Summed over the same pixels.
    log_odds_sums : ndarray, shape (..., bins, 3), optional
        Of log-odds bins, for ``expected_calibration_error_log_odds``.

    Returns
    -------
    dict of str to float64 ndarray, shape (...)
        ``expected_calibration_error``, ``maximum_calibration_error``, ``brier_score``,
        ``brier_skill_score``, ``mean_probability``, ``prevalence``; and, where its sums are given,
        ``expected_calibration_error_log_odds``.
        NaN without pixels; the skill also where the prevalence is 0 or 1.

    Examples
    --------
    >>> p, landslide = np.array([0.1, 0.5, 0.9]), np.array([False, False, True])
    >>> sums = reliability_sums(p, landslide, probability_edges(2))
    >>> found = reliability_metrics(sums, squared_error_sums(p, landslide))
    >>> [round(float(found[name][0]), 4) for name in ("expected_calibration_error", "brier_score")]
    [0.2333, 0.09]
    """
    pixels, predicted, observed = np.moveaxis(sums.sum(axis=-2), -1, 0)
    brier, prevalence = ratio(np.asarray(squared_error), pixels), ratio(observed, pixels)
    metrics = {
        "expected_calibration_error": expected_calibration_error(sums),
        "maximum_calibration_error": maximum_calibration_error(sums),
        "brier_score": brier,
        "brier_skill_score": 1.0 - ratio(brier, prevalence * (1.0 - prevalence)),
        "mean_probability": ratio(predicted, pixels),
        "prevalence": prevalence,
    }
    if log_odds_sums is not None:
        metrics["expected_calibration_error_log_odds"] = expected_calibration_error(log_odds_sums)
    return metrics


def expected_calibration_error(sums: FloatArray) -> FloatArray:
    """Mean distance of probability from observed share, weighted by pixels; NaN without pixels.

    Parameters
    ----------
    sums : ndarray, shape (..., bins, 3)
        Of any bins.
    """
    distance = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    return ratio(distance, sums[..., 0].sum(axis=-1))


def maximum_calibration_error(sums: FloatArray) -> FloatArray:
    """Largest distance of probability from observed share in a bin; NaN without pixels.

    Parameters
    ----------
    sums : ndarray, shape (..., bins, 3)
        Of any bins.
    """
    distance = np.nan_to_num(ratio(np.abs(sums[..., 1] - sums[..., 2]), sums[..., 0]))
    return np.asarray(np.where(sums[..., 0].sum(axis=-1) > 0, distance.max(axis=-1), np.nan))


def reliability_curve(sums: FloatArray) -> ReliabilityCurve:
    """Mean probability, observed share and pixels of each bin.

    Parameters
    ----------
    sums : ndarray, shape (..., bins, 3)
        Of any bins.
    """
    pixels = sums[..., 0]
    return ReliabilityCurve(ratio(sums[..., 1], pixels), ratio(sums[..., 2], pixels), pixels)
