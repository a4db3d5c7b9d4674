"""Errors of a predicted quantity, such as NDVI from radar, as additive sums and the ratios taken from them.

Sums add up over tiles, blocks and classes; ratios are taken once and broadcast over leading dimensions, so
the resampled sums of a bootstrap go through the same functions. Sums are kept in float64 about zero, which
serves quantities like NDVI, whose spread is not tiny beside their mean.

A ratio with nothing to measure is NaN (``null`` in files).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headscarp.errors import HeadscarpError
from headscarp.evaluate.confusion import FloatArray, ratio
from headscarp.evaluate.similarity import NDVI_RANGE
from headscarp.evaluate.strata import Stratum, code_stratum

CONSTANT = 1e-9
"""A truth whose variance is at most this share of its mean square is constant: all else is rounding."""


class Sum(IntEnum):
    """Places along the last axis of regression sums."""

    PIXELS = 0
    ERROR = 1
    """Predicted less truth."""
    ABSOLUTE_ERROR = 2
    SQUARED_ERROR = 3
    TRUTH = 4
    TRUTH_SQUARED = 5
    SIMILARITY = 6
    """Structural similarity of the pixels that have one."""
    SIMILARITY_PIXELS = 7
    MISSING = 8
    """Pixels with a truth and without a prediction; they are in no other sum."""


def regression_sums(
    predicted: NDArray[Any],
    truth: NDArray[Any],
    valid: NDArray[np.bool_] | None = None,
    similarity: FloatArray | None = None,
    block: NDArray[np.integer[Any]] | None = None,
    blocks: int = 1,
) -> FloatArray:
    """Sums of errors, by block or by class.

    Parameters
    ----------
    predicted, truth : ndarray of one shape
        In one unit; a pixel without a finite truth is left out, one without a finite prediction is counted as
        missing.
    valid : bool ndarray of the same shape, optional
        Pixels to evaluate; none: all.
    similarity : float ndarray of the same shape, optional
        Of :func:`headscarp.evaluate.similarity.similarity_map`, a tile's halo cut off; NaN is left out.
    block : int ndarray of the same shape, optional
        Index of each pixel's block, or of its class of land cover, slope or visibility, below ``blocks``;
        negative: left out. For both at once give ``block * classes + class`` and reshape the result.
    blocks : int
        Number of blocks.

    Returns
    -------
    float64 ndarray, shape (blocks, 9)
        In the order of :class:`Sum`.

    Raises
    ------
    HeadscarpError
        If the shapes differ, or an index is not below ``blocks``.

    Examples
    --------
    >>> sums = regression_sums(np.array([0.5, 0.25, np.nan]), np.array([0.25, 0.5, 0.5]))
    >>> [sums[0, column].item() for column in (Sum.PIXELS, Sum.ERROR, Sum.ABSOLUTE_ERROR, Sum.MISSING)]
    [2.0, 0.0, 0.5, 1.0]
    """
    _require_one_shape(predicted, truth, valid, similarity, block)
    where = np.zeros(truth.shape, dtype=np.int64) if block is None else block.astype(np.int64)
    _require_below(where, blocks)
    wanted = np.isfinite(truth) & (where >= 0)
    if valid is not None:
        wanted &= valid
    used = wanted & np.isfinite(predicted)
    t = truth[used].astype(np.float64)
    error = predicted[used].astype(np.float64) - t
    weights = [None, error, np.abs(error), error**2, t, t**2]
    columns = [np.bincount(where[used], weight, blocks) for weight in weights]
    columns += _similarity_columns(similarity, used, where, blocks)
    columns.append(np.bincount(where[wanted & ~used], minlength=blocks))
    return np.stack(columns, axis=-1).astype(np.float64)


def regression_metrics(sums: FloatArray, data_range: float = NDVI_RANGE) -> dict[str, FloatArray]:
    r"""Ratios of regression sums.

    With the error :math:`e = \hat t - t`, and the data range *L*:

    .. math::
        RMSE = \sqrt{\overline{e^2}},\quad MAE = \overline{|e|},\quad \mathrm{bias} = \overline{e},\quad
        R^2 = 1 - \frac{\sum e^2}{\sum (t - \bar t)^2},\quad
        PSNR = 10 \log_{10} \frac{L^2}{\overline{e^2}}

    Parameters
    ----------
    sums : ndarray, shape (..., 9)
        In the order of :class:`Sum`.
    data_range : float
        Largest less smallest possible value; 2 for NDVI.

    Returns
    -------
    dict of str to float64 ndarray, shape (...)
        ``rmse``, ``mae``, ``bias`` in the unit of the truth, ``r2``, ``psnr_db``, ``ssim`` (mean over the
        pixels that have one) and ``missing_share`` (of the pixels with a truth, those without a prediction).
        All are NaN where there is no pixel; ``r2`` also where the truth is constant, ``psnr_db`` also where
        there is no error at all (it has no largest value, and JSON no infinity: there ``rmse`` is 0).

    Raises
    ------
    HeadscarpError
        If the data range is not above 0.

    Examples
    --------
    Errors of 0.1 and -0.1 on truths of 0 and 1: a variance of 0.25 against a squared error of 0.01.

    >>> found = regression_metrics(regression_sums(np.array([0.1, 0.9]), np.array([0.0, 1.0]))[0])
    >>> [round(float(found[name]), 4) for name in ("rmse", "mae", "bias", "r2", "psnr_db")]
    [0.1, 0.1, 0.0, 0.96, 26.0206]
    """
    if not data_range > 0:
        raise HeadscarpError(
            "a data range above 0",
            f"{data_range:g}",
            "the peak signal-to-noise ratio is measured against it",
            "give the largest less the smallest possible value: 2 for NDVI",
        )
    pixels = sums[..., Sum.PIXELS]
    squared = ratio(sums[..., Sum.SQUARED_ERROR], pixels)
    return {
        "rmse": np.sqrt(squared),
        "mae": ratio(sums[..., Sum.ABSOLUTE_ERROR], pixels),
        "bias": ratio(sums[..., Sum.ERROR], pixels),
        "r2": _r2(sums),
        "psnr_db": 10.0 * np.log10(ratio(np.full_like(squared, data_range**2), squared)),
        "ssim": ratio(sums[..., Sum.SIMILARITY], sums[..., Sum.SIMILARITY_PIXELS]),
        "missing_share": ratio(sums[..., Sum.MISSING], pixels + sums[..., Sum.MISSING]),
    }


def sums_by_stratum(
    predicted: NDArray[Any],
    truth: NDArray[Any],
    strata: Mapping[str, Stratum],
    similarity: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """Sums of errors by class of each stratum, such as land cover, slope, what orbits see, the inventory.

    Parameters
    ----------
    predicted, truth, similarity
        As for :func:`regression_sums`.
    strata : mapping of str to Stratum
        Images of the same shape; pixels of no known class are in no class.

    Returns
    -------
    dict of str to float64 ndarray, shape (classes, 9)
        They add up over tiles.
    """
    return {
        name: regression_sums(predicted, truth, similarity=similarity, block=own.image, blocks=len(own.names))
        for name, own in strata.items()
    }


def inventory_stratum(label: NDArray[np.uint8]) -> Stratum:
    """Inside and outside of the mapped landslides, of labels 1 and 0; 255 is in neither.

    Examples
    --------
    >>> inventory_stratum(np.array([0, 1, 255], np.uint8)).image.tolist()
    [1, 0, -1]
    """
    return code_stratum(label.astype(np.float32), {1: "landslide", 0: "no landslide"})


def seam_ratio(values: NDArray[np.floating[Any]], side_px: int) -> float:
    r"""Mean gradient across the borders of tiles over that inside them; 1 where nobody could tell the tiles.

    .. math:: \frac{\overline{|\partial v|}_\text{borders}}{\overline{|\partial v|}_\text{inside}}

    Parameters
    ----------
    values : ndarray, shape (y, x)
        Differences with a value that is not finite are left out.
    side_px : int
        Side of the tiles, the first at the first pixel.

    Returns
    -------
    float
        NaN without a border, or where all is flat inside.

    Examples
    --------
    >>> seam_ratio(np.array([[0.0, 1, 4, 5]]), 2)
    3.0
    """
    sums = np.zeros((2, 2))
    for axis in (0, 1):
        steps = np.abs(np.diff(values.astype(np.float64), axis=axis))
        at_border = (np.arange(1, values.shape[axis]) % side_px == 0).astype(np.int64)
        place = np.broadcast_to(np.expand_dims(at_border, 1 - axis), steps.shape)
        known = np.isfinite(steps)
        sums[:, 0] += np.bincount(place[known], steps[known], 2)
        sums[:, 1] += np.bincount(place[known], minlength=2)
    mean = ratio(sums[:, 0], sums[:, 1])
    return float(ratio(mean[1:], mean[:1])[0])


def _r2(sums: FloatArray) -> FloatArray:
    truth, squares = sums[..., Sum.TRUTH], sums[..., Sum.TRUTH_SQUARED]
    variation = squares - np.nan_to_num(ratio(truth**2, sums[..., Sum.PIXELS]))
    varies = variation > CONSTANT * squares
    return np.asarray(1.0 - ratio(sums[..., Sum.SQUARED_ERROR], np.where(varies, variation, 0.0)))


def _similarity_columns(
    similarity: FloatArray | None, used: NDArray[np.bool_], where: NDArray[np.int64], blocks: int
) -> list[NDArray[Any]]:
    if similarity is None:
        return [np.zeros(blocks), np.zeros(blocks)]
    measured = used & np.isfinite(similarity)
    place = where[measured]
    return [np.bincount(place, similarity[measured], blocks), np.bincount(place, minlength=blocks)]


def _require_one_shape(*arrays: NDArray[Any] | None) -> None:
    shapes = sorted({array.shape for array in arrays if array is not None})
    if len(shapes) > 1:
        raise HeadscarpError(
            "arrays of one shape",
            " and ".join(map(str, shapes)),
            "pixels would be compared that do not lie on each other",
            "bring both onto one grid first",
        )


def _require_below(where: NDArray[np.int64], blocks: int) -> None:
    if where.size and where.max() >= blocks:
        raise HeadscarpError(
            f"blocks or classes numbered below {blocks}",
            f"{where.max()}",
            "their pixels would be left out unseen",
            "number them from 0, and give their number",
        )
