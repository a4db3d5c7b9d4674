"""Boundary F1: how much of the outlines of predicted and mapped landslides agree, within a tolerance.

Csurka, Larlus & Perronnin (2013), What is a good evaluation measure for semantic segmentation?, BMVC. Two
choices are ours: distances are Chebyshev's (a tolerance of 1 reaches the 8 neighbours) where theirs are
Euclidean, and ignored ground and the array's edge make no boundary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.errors import OptionsError
from headscarp.evaluate.confusion import ratio

BoolArray = NDArray[np.bool_]


class BoundaryMaps(NamedTuple):
    """Boundary pixels of both sides, and those of them that the other side confirms; shapes (y, x).

    Sums of the four, in this order, are the counts of :func:`boundary_metrics`.
    """

    matched_predicted: BoolArray
    predicted: BoolArray
    matched_mapped: BoolArray
    mapped: BoolArray


def halo_px(tolerance_px: int) -> int:
    """Pixels that a tile must be read with on all sides for its inner pixels to be as in the whole.

    One pixel finds a boundary, the tolerance looks for the other side's.
    """
    return tolerance_px + 1


def boundary_maps(
    landslide: BoolArray, predicted: BoolArray, valid: BoolArray, tolerance_px: int
) -> BoundaryMaps:
    """Mark boundary pixels and those matched within a tolerance.

    A boundary pixel is a landslide pixel with at least one of its 4 neighbours valid and no landslide. It
    is matched where a boundary pixel of the other side lies within ``tolerance_px`` rows and columns.

    Parameters
    ----------
    landslide, predicted : bool ndarray, shape (y, x)
        Mapped and predicted landslides.
    valid : bool ndarray, shape (y, x)
        Evaluated ground; what lies outside counts neither as landslide nor as its contrary.
    tolerance_px : int
        0 or more. Cut a halo of :func:`halo_px` off the maps of a tile before counting.

    Raises
    ------
    OptionsError
        If the tolerance is negative.

    Examples
    --------
    A landslide of one pixel, predicted one pixel off:

    >>> row = np.array([[False, True, False, False]])
    >>> maps = boundary_maps(row, np.roll(row, 1), np.ones((1, 4), bool), tolerance_px=1)
    >>> [int(m.sum()) for m in maps]
    [1, 1, 1, 1]
    """
    if tolerance_px < 0:
        raise OptionsError(
            "a boundary tolerance of 0 pixels or more",
            f"{tolerance_px}",
            "no boundary could be matched",
            "give the tolerance in pixels, such as 2",
        )
    mapped_edge = _boundary(landslide, valid)
    predicted_edge = _boundary(predicted, valid)
    return BoundaryMaps(
        predicted_edge & _grown(mapped_edge, tolerance_px),
        predicted_edge,
        mapped_edge & _grown(predicted_edge, tolerance_px),
        mapped_edge,
    )


def boundary_metrics(counts: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    r"""Precision, recall and F1 of boundaries.

    .. math::
        P = \frac{\mathrm{matched\ predicted}}{\mathrm{predicted}},\quad
        R = \frac{\mathrm{matched\ mapped}}{\mathrm{mapped}},\quad F_1 = \frac{2PR}{P+R}

    Parameters
    ----------
    counts : ndarray, shape (..., 4)
        Sums of the maps, in the order of ``BoundaryMaps``.

    Returns
    -------
    dict of str to float64 ndarray, shape (...)
        ``boundary_precision`` (NaN without a predicted boundary), ``boundary_recall`` (NaN without a mapped
        one) and ``boundary_f1`` (NaN without either; 0 where boundaries exist and none was matched).

    Examples
    --------
    >>> {name: round(float(value), 3) for name, value in boundary_metrics(np.array([3, 4, 4, 8])).items()}
    {'boundary_precision': 0.75, 'boundary_recall': 0.5, 'boundary_f1': 0.6}
    """
    matched_p, p, matched_m, m = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    mean = ratio(2 * matched_p * matched_m, matched_p * m + matched_m * p)
    none_matched = (matched_p + matched_m == 0) & (p + m > 0)
    return {
        "boundary_precision": ratio(matched_p, p),
        "boundary_recall": ratio(matched_m, m),
        "boundary_f1": np.asarray(np.where(none_matched, 0.0, mean)),
    }


def _boundary(inside: BoolArray, valid: BoolArray) -> BoolArray:
    """Pixels inside with a neighbour by an edge that is valid and outside."""
    inside, outside = inside & valid, ~inside & valid
    beside = np.zeros_like(inside)
    beside[1:] |= outside[:-1]
    beside[:-1] |= outside[1:]
    beside[:, 1:] |= outside[:, :-1]
    beside[:, :-1] |= outside[:, 1:]
    return np.asarray(inside & beside)


def _grown(edge: BoolArray, tolerance_px: int) -> BoolArray:
    """Pixels within a square of the tolerance around an edge."""
    from scipy.ndimage import maximum_filter

    if tolerance_px == 0:
        return edge
    return np.asarray(
        maximum_filter(edge, size=2 * tolerance_px + 1, mode="constant", cval=0), dtype=np.bool_
    )
