"""Confusion counts and the ratios taken from them once, after summing.

Counts are additive: those of tiles, chips, blocks or events add up to those of the whole. Ratios broadcast
over leading dimensions, so the resampled sums of a bootstrap go through the same functions.

A ratio with nothing to measure is NaN (``null`` in files): precision where nothing was predicted, recall
where nothing was mapped, specificity where everything was, F1 and IoU where neither side has a landslide,
all of them where no pixel was evaluated. Matthews' coefficient is 0 where one margin is empty, its limit for
a prediction that carries no information (as in scikit-learn).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[Any]
FloatArray = NDArray[np.float64]

OUTCOMES = ("true_negative", "false_negative", "false_positive", "true_positive")
"""Order of the last axis of confusion counts: ``2 × predicted + landslide``."""


def confusion_counts(
    predicted: NDArray[np.bool_],
    landslide: NDArray[np.bool_],
    block: NDArray[np.integer[Any]] | None = None,
    blocks: int = 1,
) -> NDArray[np.int64]:
    """Count the four outcomes, by block.

    Parameters
    ----------
    predicted, landslide : bool ndarray of one shape
        Evaluated pixels only: leave ignored ones out.
    block : int ndarray of the same shape, optional
        Index of each pixel's block, below ``blocks``.
    blocks : int
        Number of blocks.

    Returns
    -------
    int64 ndarray, shape (blocks, 4)
        In the order of ``OUTCOMES``.

    Examples
    --------
    >>> confusion_counts(np.array([True, True, False]), np.array([True, False, False])).tolist()
    [[1, 0, 1, 1]]
    """
    code = 2 * predicted.ravel().astype(np.int64) + landslide.ravel()
    if block is not None:
        code += len(OUTCOMES) * block.ravel().astype(np.int64)
    counted = np.bincount(code, minlength=blocks * len(OUTCOMES))
    return counted.reshape(blocks, len(OUTCOMES)).astype(np.int64)


def pixel_metrics(counts: Counts) -> dict[str, FloatArray]:
    r"""Ratios of confusion counts.

    .. math::
        \mathrm{precision} = \frac{TP}{TP+FP},\quad \mathrm{recall} = \frac{TP}{TP+FN},\quad
        F_1 = \frac{2TP}{2TP+FP+FN},\quad \mathrm{IoU} = \frac{TP}{TP+FP+FN}

    F1 is the Dice coefficient of the two sets of pixels.

    Parameters
    ----------
    counts : ndarray, shape (..., 4)
        In the order of ``OUTCOMES``; any non-negative numbers, such as weighted counts.

    Returns
    -------
    dict of str to float64 ndarray, shape (...)
        ``precision``, ``recall``, ``f1``, ``iou``, ``accuracy``, ``specificity``, ``matthews``.

    References
    ----------
    Matthews (1975), Biochimica et Biophysica Acta 405, 442-451; Dice (1945), Ecology 26, 297-302.

    Examples
    --------
    >>> values = pixel_metrics(np.array([90, 2, 4, 4]))
    >>> [round(float(values[name]), 3) for name in ("precision", "recall", "f1", "iou")]
    [0.5, 0.667, 0.571, 0.4]
    """
    tn, fn, fp, tp = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    return {
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "iou": ratio(tp, tp + fp + fn),
        "accuracy": ratio(tp + tn, tp + tn + fp + fn),
        "specificity": ratio(tn, tn + fp),
        "matthews": _matthews(tn, fn, fp, tp),
    }


def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide; NaN where there is nothing to divide by."""
    nothing = whole == 0
    return np.asarray(np.where(nothing, np.nan, part / np.where(nothing, 1.0, whole)))


def _matthews(tn: FloatArray, fn: FloatArray, fp: FloatArray, tp: FloatArray) -> FloatArray:
    # square roots first: the product of four margins of 1e9 pixels leaves float64's integers
    margins = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    flat = margins == 0
    value = np.where(flat, 0.0, (tp * tn - fp * fn) / np.where(flat, 1.0, margins))
    return np.asarray(np.where(tn + fn + fp + tp == 0, np.nan, value))
