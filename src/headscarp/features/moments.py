r"""Moments of the dates in decibels: means, variances, covariance, cumulative sum.

A change of medians says how much; what it is worth depends on how much a pixel varies from date to date
anyway. Speckle is multiplicative, so that in decibels its variance does not hang on the brightness, and dates
before and after can be compared by the statistics of normal variables.

Each moment is on the same ground as the change, float32, NaN where too few dates observed the pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

COVARIANCE = "pre_covariance_db2"
"""Covariance of VV and VH before the event: the only moment of two polarisations."""
LAST_PRE, FIRST_POST = "last_pre_db", "first_post_db"
"""Values of the last date before, and of the first after the event."""


def mean(values_db: FloatArray) -> FloatArray:
    """Mean over the dates that observed the pixel.

    Parameters
    ----------
    values_db : ndarray, shape (time, ...)

    Returns
    -------
    ndarray of float32, shape (...)
    """
    valid = np.isfinite(values_db)
    count = np.count_nonzero(valid, axis=0)
    total = np.sum(np.where(valid, values_db, 0), axis=0, dtype=np.float32)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def covariance(first_db: FloatArray, second_db: FloatArray) -> FloatArray:
    r"""Unbiased covariance over the dates that observed both.

    .. math:: s_{ab} = \frac{1}{n - 1} \sum_t (a_t - \bar a)(b_t - \bar b)

    Parameters
    ----------
    first_db, second_db : ndarray, shape (time, ...)

    Returns
    -------
    ndarray of float32, shape (...)
        dB²; NaN with fewer than two dates.
    """
    both = np.isfinite(first_db) & np.isfinite(second_db)
    count = np.count_nonzero(both, axis=0)
    nan = np.float32(np.nan)
    a, b = (np.where(both, values, nan) for values in (first_db, second_db))
    product = np.where(both, (a - mean(a)) * (b - mean(b)), 0)
    total = np.sum(product, axis=0, dtype=np.float32)
    return np.where(count > 1, total / np.maximum(count - 1, 1), nan).astype(np.float32)


def cusum(pre_db: FloatArray, post_db: FloatArray) -> FloatArray:
    r"""Two-sided cumulative sum of the dates after the event against the mean before it.

    With :math:`d_t = \bar x^{pre} - x_t`, from :math:`L_0 = G_0 = 0`:

    .. math:: L_t = \max(0, L_{t-1} + d_t), \qquad G_t = \max(0, G_{t-1} - d_t);

    the result is :math:`L - G` after the last date, positive for a loss. A control chart would forgive an
    allowance at each date, to raise no alarm in the long run; here the run is short, and what noise
    makes of the sum is learned from the area.

    Parameters
    ----------
    pre_db, post_db : ndarray, shape (time, ...)

    Returns
    -------
    ndarray of float32, shape (...)

    References
    ----------
    Page (1954), Continuous inspection schemes, Biometrika 41, 100–115.
    """
    level = mean(pre_db)
    loss, gain = np.zeros_like(level), np.zeros_like(level)
    for post in post_db:
        departure = np.where(np.isfinite(post), level - post, np.float32(0))
        loss = np.maximum(loss + departure, 0)
        gain = np.maximum(gain - departure, 0)
    seen = np.isfinite(post_db).any(axis=0) & np.isfinite(level)
    return np.where(seen, loss - gain, np.nan).astype(np.float32)


def first_seen(values_db: FloatArray) -> FloatArray:
    """Value of the first date that observed the pixel.

    Parameters
    ----------
    values_db : ndarray, shape (time, ...)

    Returns
    -------
    ndarray of float32, shape (...)
    """
    if len(values_db) == 0:
        return np.full(values_db.shape[1:], np.nan, np.float32)
    first = np.isfinite(values_db).argmax(axis=0)
    return np.asarray(np.take_along_axis(values_db, first[None], axis=0)[0], dtype=np.float32)


def _last_pre(pre_db: FloatArray, post_db: FloatArray) -> FloatArray:
    return first_seen(pre_db[::-1])


def _first_post(pre_db: FloatArray, post_db: FloatArray) -> FloatArray:
    return first_seen(post_db)


def _mean_change(pre_db: FloatArray, post_db: FloatArray) -> FloatArray:
    return mean(pre_db) - mean(post_db)


def _pre_variance(pre_db: FloatArray, post_db: FloatArray) -> FloatArray:
    return covariance(pre_db, pre_db)


def _post_variance(pre_db: FloatArray, post_db: FloatArray) -> FloatArray:
    return covariance(post_db, post_db)


MOMENTS: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = MappingProxyType(
    {
        "mean_change_db": _mean_change,
        "pre_variance_db2": _pre_variance,
        "post_variance_db2": _post_variance,
        "cusum_db": cusum,
        LAST_PRE: _last_pre,
        FIRST_POST: _first_post,
    }
)
"""Moments of one polarisation, by the name that a detector asks for, from the dates before and after."""
