"""Mean and standard deviation of each channel over the training chips: what they are normalised by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.chips.store import IGNORE, ChipError, ChipStore
from headscarp.features.channels import FloatArray
from headscarp.features.sets import FeatureSet

_CHIPS_AT_ONCE = 16
"""Chips read together: 16 of 128 px and four channels are 4 MB."""
_CONSTANT = 1e-6
"""A spread below this share of the largest value is rounding of float32: the channel is constant."""


class _Moments(NamedTuple):
    """How many values, their means and their summed squared deviations, of each channel."""

    values: NDArray[np.float64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]


def channel_statistics(store: ChipStore, places: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    r"""Mean and standard deviation of each channel over chips.

    Chips are read a few at a time; their moments are joined as Chan, Golub & LeVeque (1983) do, so that no
    digits are lost to large means:

    .. math:: M_{ab} = M_a + M_b + (\mu_b - \mu_a)^2 \frac{n_a n_b}{n_a + n_b}

    Parameters
    ----------
    store : ChipStore
    places : sequence of int
        Training chips. Pixels whose label is left out and values that are not finite do not count.

    Returns
    -------
    mean, std : ndarray of float32, shape (features.channels,)
        In the units of the channels; for pairs the first half is before the event. The standard deviation is
        that of the population, 1 where a channel is constant.

    Raises
    ------
    ChipError
        If a channel has no value in any of the chips.
    """
    features = store.facts.features
    nothing = np.zeros((3, len(features.channels)))
    total = _Moments(*nothing)
    for values in _batches(store, places):
        total = _joined(total, _moments(values))
    _refuse_unseen(features, total.values, len(places))
    std = np.sqrt(total.squares / total.values)
    std[std <= _CONSTANT * np.abs(total.mean)] = 1.0
    return total.mean.astype(np.float32), np.where(std > 0, std, 1.0).astype(np.float32)


def _batches(store: ChipStore, places: Sequence[int]) -> Iterator[NDArray[np.float64]]:
    """Values of a few chips at a time, channels first, NaN where they do not count."""
    channels = len(store.facts.features.channels)
    series = store.facts.features.form == "series"
    for start in range(0, len(places), _CHIPS_AT_ONCE):
        x, label, _ = store.read(places[start : start + _CHIPS_AT_ONCE])
        size = x.shape[-2:]
        by_chip = x.reshape(len(x), -1, channels, *size) if series else x.reshape(len(x), 1, channels, *size)
        known = np.isfinite(by_chip) & (label != IGNORE)[:, None, None]
        values = np.where(known, by_chip, np.nan).astype(np.float64)
        yield np.moveaxis(values, 2, 0).reshape(channels, -1)


def _moments(values: NDArray[np.float64]) -> _Moments:
    count = np.count_nonzero(~np.isnan(values), axis=1).astype(np.float64)
    mean = np.nansum(values, axis=1) / np.maximum(count, 1)
    return _Moments(count, mean, np.nansum((values - mean[:, None]) ** 2, axis=1))


def _joined(a: _Moments, b: _Moments) -> _Moments:
    count = a.values + b.values
    share = b.values / np.maximum(count, 1)
    apart = b.mean - a.mean
    return _Moments(count, a.mean + apart * share, a.squares + b.squares + apart**2 * a.values * share)


def _refuse_unseen(features: FeatureSet, count: NDArray[np.float64], chips: int) -> None:
    unseen = [name for name, n in zip(features.channels, count, strict=True) if n == 0]
    if unseen:
        raise ChipError(
            f"values of every channel of {features.name} in the training chips",
            f"none of {', '.join(unseen)} in {chips} chips",
            "a network cannot learn from a channel that it never sees",
            "train on events that have it, or leave the channel out of the features",
        )
