r"""What a network is given: channels formed of a change, normalised as in its training.

.. math:: x' = (x - \mu) / \sigma, \qquad x' = 0 \text{ where } x \text{ has no value}

The means and standard deviations are those of the training chips and come with the checkpoint; what has no
value becomes their mean, never 0 dB. Ground that the radar did not see is unknown in every channel, also in
those of the land, so that what lies beyond the rim of a tile, of the grid or of the scenes is one and the
same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.checkpoint import Task
from headscarp.features.change import Change
from headscarp.features.sets import form_inputs, normalise, series_days

FloatArray = NDArray[np.float32]


class NetworkInput(NamedTuple):
    """Arrays that a network is called with, and where its answer counts.

    Attributes
    ----------
    x : ndarray of float32
        Normalised and finite: (channel, y, x); (2, channel, y, x) for a pair; (time, channel, y, x) for a
        series.
    days : ndarray of float32, shape (time,), or None
        Of the dates of a series.
    seen : ndarray of bool, shape (y, x)
        Where a channel that the radar sees has a value, and an orbit has dates before and after.
    """

    x: FloatArray
    days: FloatArray | None
    seen: NDArray[np.bool_]


def network_input(task: Task, change: Change) -> NetworkInput:
    """Form and normalise the channels of a task.

    Parameters
    ----------
    task : Task
        Channels in order, means and standard deviations.
    change : Dataset
        On ``(orbit, polarization, y, x)``, with ``task.features.needs``.
    """
    features = task.features
    values, seen = form_inputs(features, change)
    mean, std = (np.array(own, dtype=np.float32) for own in (task.mean, task.std))
    days = series_days(features, change) if features.form == "series" else None
    return NetworkInput(normalise(values, features, mean, std), days, seen)
