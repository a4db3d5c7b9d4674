r"""Mean and standard deviation over a square window around each pixel, in a time that no window changes.

.. math:: \mu = \frac1n \sum x, \qquad s = \sqrt{\frac1n \sum x^2 - \mu^2}

over the *n* pixels of the window that have a value. Sums are differences of running sums. These are kept in
whole numbers of :data:`QUANTUM_DB`, so that no rounding hangs on where a running sum began: a tile gives
exactly what the whole gives. The two ratios are taken in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

QUANTUM_DB = 2.0**-18
"""Step to which values are rounded before they are summed: 4e-6 dB, finer than float32 beyond 32 dB."""
MOST_DB = 100.0
"""Values beyond it count as this much; then the squares of 99 x 99 pixels fit into 63 bits."""


class Local(NamedTuple):
    """Statistics of the window around each pixel, shape (y, x); NaN where the pixel itself has no value."""

    mean: FloatArray
    std: FloatArray


def local_statistics(values_db: FloatArray, window_px: int) -> Local:
    """Mean and standard deviation of the values that a window holds.

    Parameters
    ----------
    values_db : ndarray, shape (y, x)
        Decibels; NaN where there is no value. Beyond the edges there is none.
    window_px : int
        Side of the window, odd.

    Returns
    -------
    Local
        The standard deviation is that of the population: 0 where the window holds one value.

    Examples
    --------
    >>> local = local_statistics(np.float32([[1, 2, 3], [1, 2, 3], [1, 2, np.nan]]), 3)
    >>> float(local.mean[1, 0]), float(local.std[1, 0]), float(local.mean[1, 1])
    (1.5, 0.5, 1.875)
    """
    valid = np.isfinite(values_db)
    bounded = np.clip(np.where(valid, values_db, 0).astype(np.float64), -MOST_DB, MOST_DB)
    steps = np.rint(bounded / QUANTUM_DB).astype(np.int64)
    count = window_sums(valid.astype(np.int64), window_px)
    n = np.maximum(count, 1).astype(np.float64)
    mean = window_sums(steps, window_px) / n
    variance = np.maximum(window_sums(steps * steps, window_px) / n - mean**2, 0)
    nothing = np.float64(np.nan)
    return Local(
        np.where(valid, mean * QUANTUM_DB, nothing).astype(np.float32),
        np.where(valid, np.sqrt(variance) * QUANTUM_DB, nothing).astype(np.float32),
    )


def window_sums(values: NDArray[np.int64], window_px: int) -> NDArray[np.int64]:
    """Sums over a square window around each pixel; beyond the edges are zeros.

    Whole numbers wrap around where a running sum grows beyond 63 bits, and differences of wrapped sums are
    exact as long as the sum of one window fits.

    Parameters
    ----------
    values : ndarray of int64, shape (y, x)
    window_px : int
        Odd.
    """
    along_rows = _sums_along(values, window_px, axis=1)
    return _sums_along(along_rows, window_px, axis=0)


def _sums_along(values: NDArray[np.int64], window_px: int, axis: int) -> NDArray[np.int64]:
    reach = window_px // 2
    pad = [(0, 0), (0, 0)]
    pad[axis] = (reach + 1, reach)
    running = np.cumsum(np.pad(values, pad), axis=axis)
    length = values.shape[axis]
    first = np.take(running, np.arange(length), axis=axis)
    return np.asarray(np.take(running, np.arange(window_px, window_px + length), axis=axis) - first)
