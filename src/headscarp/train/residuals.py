"""What a network of values is worth: its errors on the validation chips, and how large they usually are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.checkpoint import Residual
from headscarp.evaluate.regression import regression_metrics, regression_sums
from headscarp.evaluate.similarity import similarity_map

BIN_EDGES = tuple(round(-1 + 0.1 * i, 1) for i in range(21))
"""Bins of the predicted value."""
FEWEST_PX = 1000
"""Pixels of a bin whose errors are its own; with fewer they are those of all pixels."""
LEAST_STD = 1e-6
"""A network without any error is not believed."""


class Predicted(NamedTuple):
    """Chips as a network sees them and as they are, shape (chip, y, x).

    Attributes
    ----------
    values : ndarray of float32
    truth : ndarray of float32
        What it holds where it is masked is never looked at.
    mask : ndarray of bool
        Pixels that count.
    """

    values: NDArray[np.float32]
    truth: NDArray[np.float32]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class ValueWorth:
    """What the validation chips say of a network of values.

    Attributes
    ----------
    residual : Residual
    metrics : dict
        ``rmse``, ``mae``, ``bias``, ``r2``, ``psnr_db`` and ``ssim`` of all pixels of the chips together;
        where chips overlap, ground counts as often as it is shown.
    """

    residual: Residual
    metrics: dict[str, float | None]

    def on_card(self) -> dict[str, Any]:
        """What the card of the checkpoint says of it."""
        return {"metrics": self.metrics, "residual": self.residual}


def value_worth(parts: Iterable[Predicted]) -> ValueWorth:
    """Errors of the validation chips; structural similarity within each chip."""
    sums = np.zeros(0)
    pixels, squares = np.zeros((2, len(BIN_EDGES) - 1))
    for values, truth, mask in parts:
        similarity = similarity_map(values, truth, mask)
        own = regression_sums(values, np.where(mask, truth, np.nan), similarity=similarity)[0]
        sums = own if sums.size == 0 else sums + own
        place = bin_of(values[mask])
        pixels += np.bincount(place, minlength=len(pixels))
        squares += np.bincount(place, (values - truth)[mask].astype(np.float64) ** 2, len(squares))
    figures = {name: float(value) for name, value in regression_metrics(sums).items()}
    names = ("rmse", "mae", "bias", "r2", "psnr_db", "ssim")
    metrics = {name: figures[name] if np.isfinite(figures[name]) else None for name in names}
    return ValueWorth(_residual(pixels, squares), metrics)


def bin_of(values: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Bin of :data:`BIN_EDGES` that each value lies in, the first or the last beyond them.

    Examples
    --------
    >>> bin_of(np.array([-2.0, -0.95, 0.05, 1.0])).tolist()
    [0, 0, 10, 19]
    """
    places = np.searchsorted(BIN_EDGES, values, side="right") - 1
    return np.clip(places, 0, len(BIN_EDGES) - 2).astype(np.int64)


def _residual(pixels: NDArray[np.float64], squares: NDArray[np.float64]) -> Residual:
    whole = max(float(np.sqrt(squares.sum() / max(pixels.sum(), 1.0))), LEAST_STD)
    own = np.sqrt(squares / np.maximum(pixels, 1))
    stds = np.where(pixels >= FEWEST_PX, np.maximum(own, LEAST_STD), whole)
    return Residual(std=whole, edges=BIN_EDGES, stds=tuple(stds.tolist()))
