r"""Noise at the borders of the image, where the processor wrote small numbers instead of zeros.

From each border inwards, samples are dropped as long as they, or the mean of them and the ten samples
further in (zeros apart), hold less than half of the thermal noise, which every true sample has at least in
the mean. True ground that is dark as noise thereby loses a sample in seven at the border, and hardly a
second one. Zeros are passed over; of other samples at most ``BORDER_PX`` are dropped.

Where the noise is not known (tables of zeros), a digital number of 10 stands for its half: about −30 dB,
less than any land or water that this radar measures.

Compare: Ali, I. et al. (2018). Methods to remove the border noise from Sentinel-1 SAR data. IEEE JSTARS
11(3), 777-786, who cut where the lines' own statistics change.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

Numbers = NDArray[np.uint16]
Mask = NDArray[np.bool_]

BORDER_PX = 500
"""Samples with a value that are dropped at most, from each border: 5 km, as in the mission's own advice."""
SHARE = 0.5
"""Of the thermal noise, up to which a sample is none of the ground's."""
MEAN_PX = 11
FLOOR = 10.0**2 / SHARE
"""Squared digital number that stands for the noise where tables are empty."""


def border_mask(numbers: Numbers, noise: NDArray[np.float32], axis: int, first: bool, last: bool) -> Mask:
    """Mark the samples that are noise at the borders along an axis.

    Parameters
    ----------
    numbers : uint16 array of shape (lines, samples)
        Digital numbers, from border to border along the axis.
    noise : float32 array
        Thermal noise, squared digital numbers; broadcasts to the numbers.
    axis : int
        0: from the first and last line; 1: from the first and last sample of each line.
    first, last : bool
        Which of the two borders the array reaches.

    Examples
    --------
    >>> line = np.array([[0, 3, 3, 50, 60, 3, 50, 0]], np.uint16)
    >>> border_mask(line, np.array([[2400.0]], np.float32), 1, True, True).astype(int).tolist()
    [[1, 1, 1, 0, 0, 0, 0, 1]]
    """
    limit = np.float32(SHARE) * np.where(noise > 0.0, noise, np.float32(FLOOR))
    power = numbers.astype(np.float32) ** 2
    found = np.zeros(numbers.shape, dtype=np.bool_)
    if first:
        found |= _from_border(power, limit, axis)
    if last:
        turned = _from_border(np.flip(power, axis), np.flip(np.broadcast_to(limit, power.shape), axis), axis)
        found |= np.flip(turned, axis)
    return found


def _from_border(power: NDArray[np.float32], limit: NDArray[np.float32], axis: int) -> Mask:
    """Unbroken low samples from the start of an axis on, and of those with a value not too many."""
    held_ahead = _ahead((power > 0.0).astype(np.float32), axis)
    ahead = _ahead(power, axis) / np.maximum(held_ahead, 1.0 / MEAN_PX)
    unbroken = np.logical_and.accumulate((power < limit) | (ahead < limit), axis=axis)
    held = np.cumsum((power > 0.0) & unbroken, axis=axis, dtype=np.int32)
    return np.asarray(unbroken & (held <= BORDER_PX))


def _ahead(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Mean of a sample and the ten after it."""
    found = uniform_filter1d(values, MEAN_PX, axis=axis, mode="nearest", origin=-(MEAN_PX // 2))
    return np.asarray(found, dtype=np.float32)
