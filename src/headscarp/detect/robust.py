"""Estimates that a landslide in the sample hardly moves: median, spread, correlation; and scores combined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

MAD_TO_STD = 1.4826
"""Standard deviations to a median absolute deviation, for a normal distribution."""
_MIN_CORRELATION, _MAX_CORRELATION = -0.9, 0.99
_TINY = 1e-12


def median(values: FloatArray) -> FloatArray:
    """Median of the valid values along the last axis; NaN, silently, where there are none."""
    out = np.full(values.shape[:-1], np.nan, dtype=np.float32)
    for index in np.ndindex(out.shape):
        row = values[index]
        row = row[np.isfinite(row)]
        if row.size:
            out[index] = np.median(row)
    return out


def robust_std(values: FloatArray) -> FloatArray:
    """1.4826 times the median absolute deviation along the last axis; 0 where nothing is valid."""
    deviation = np.abs(values - median(values)[..., None])
    std = np.float32(MAD_TO_STD) * median(deviation)
    return np.asarray(np.nan_to_num(std), dtype=np.float32)


def robust_correlation(z: FloatArray) -> FloatArray:
    """Correlation of rows from the spread of sums and differences (Gnanadesikan & Kettenring 1972).

    Parameters
    ----------
    z : ndarray, shape (k, n)

    Returns
    -------
    ndarray of float32, shape (k, k)
        Between −0.9 and 0.99; 0 for rows that share fewer than three values.
    """
    matrix = np.eye(len(z), dtype=np.float32)
    for i in range(len(z)):
        for j in range(i):
            both = np.isfinite(z[i]) & np.isfinite(z[j])
            if both.sum() > 2:
                spread = robust_std(np.stack([(z[i] + z[j])[both], (z[i] - z[j])[both]])) ** 2
                rho = (spread[0] - spread[1]) / max(spread[0] + spread[1], _TINY)
                matrix[i, j] = matrix[j, i] = np.clip(rho, _MIN_CORRELATION, _MAX_CORRELATION)
    return matrix


def combine(z: FloatArray, correlation: FloatArray, weight: FloatArray | None = None) -> FloatArray:
    r"""Weighted sum of the valid scores over the standard deviation of that sum.

    .. math:: \frac{\sum_k w_k z_k}{\sqrt{\sum_{k,l} w_k R_{kl} w_l}}

    Parameters
    ----------
    z : ndarray, shape (k, ...)
        Scores of variance 1, NaN where not observed.
    correlation : ndarray, shape (k, k)
    weight : ndarray, shape (k, ...), optional
        1 if none is given.

    Returns
    -------
    ndarray of float32, shape (...)
        NaN where no score with a weight is valid.

    References
    ----------
    Strube (1985), Psychological Bulletin 97, 334–341.
    """
    valid = np.isfinite(z).astype(np.float32)
    if weight is not None:
        valid = valid * weight
    total = np.sum(np.where(valid > 0, z, 0) * valid, axis=0, dtype=np.float32)
    variance = np.zeros_like(total)
    for i in range(len(z)):
        variance += valid[i] ** 2
        for j in range(i):
            variance += np.float32(2 * correlation[i, j]) * valid[i] * valid[j]
    seen = variance > 0
    combined = np.where(seen, total / np.sqrt(np.where(seen, variance, 1)), np.nan)
    return np.asarray(combined, dtype=np.float32)
