r"""Backscatter of one moment, before or after the event: orbits averaged in linear power, small gaps filled.

With the medians :math:`P_o` of the orbits that have a pair at the pixel, as linear power, relative orbits
averaged within a state first:

.. math:: \bar P = \frac1S \sum_s \frac{1}{n_s} \sum_{o \in s} P_o, \qquad x = 10 \log_{10} \bar P

Only orbits with a median before *and* after the event take part, in both moments: an orbit more after the
event than before would look like a change of the ground.

A pixel without a value of which at least six of the eight neighbours have one is *isolated*: it takes their
mean, in linear power. Whatever else was not observed stays so.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headscarp.features.change import Change, fuse_values, to_db

FloatArray = NDArray[np.float32]
Moment = Literal["pre", "post"]

FILL_HALO_PX = 1
"""Pixels around a place that decide how it is filled."""
LEAST_NEIGHBOURS = 6
"""Of the eight neighbours of an isolated pixel, so many have a value."""


def composite_db(change: Change, moment: Moment, pol: str, state: str | None = None) -> FloatArray:
    """Backscatter of a moment, of one orbit state or fused over both.

    Parameters
    ----------
    change : Dataset
        On ``(orbit, polarization, y, x)``; its ``pre_db`` and ``change_db`` are used.
    moment : {"pre", "post"}
    pol : str
        Polarisation, such as "VV".
    state : str, optional
        Orbit state; none: ascending and descending averaged.

    Returns
    -------
    ndarray of float32, shape (y, x)
        dB; NaN where no such orbit has a pair, isolated pixels filled.
    """
    dims = ("orbit", "polarization", "y", "x")
    states = change["orbit_state"].values.tolist()
    own = [i for i, name in enumerate(states) if state in (None, name)]
    pols = change["polarization"].values.tolist()
    if pol not in pols or not own:
        return np.full((change.sizes["y"], change.sizes["x"]), np.nan, np.float32)
    before, lost = (
        change[name].transpose(*dims).values[own, pols.index(pol)] for name in ("pre_db", "change_db")
    )
    paired = before if moment == "post" else np.where(np.isfinite(lost), before, np.float32(np.nan))
    value_db = paired - lost if moment == "post" else paired
    power = np.power(np.float32(10), value_db / np.float32(10))
    return to_db(fill_isolated(fuse_values(power, [states[i] for i in own])))


def fill_isolated(power: FloatArray) -> FloatArray:
    """Give isolated pixels the mean of their neighbours; all others stay as they are.

    Parameters
    ----------
    power : ndarray, shape (y, x)
        Linear; NaN where not observed. Beyond the edges nothing was observed.

    Returns
    -------
    ndarray of float32, shape (y, x)

    Examples
    --------
    >>> power = np.ones((3, 3), np.float32)
    >>> power[1, 1] = np.nan
    >>> float(fill_isolated(power)[1, 1])
    1.0
    >>> power[0] = np.nan
    >>> float(fill_isolated(power)[1, 1])
    nan
    """
    rows, cols = power.shape
    wide = np.pad(power.astype(np.float64), 1, constant_values=np.nan)
    valid = np.isfinite(wide)
    wide[~valid] = 0
    count, total = np.zeros(power.shape, np.int64), np.zeros(power.shape)
    for down in range(3):
        for right in range(3):
            part = slice(down, down + rows), slice(right, right + cols)  # an isolated pixel adds nothing
            count += valid[part]
            total += wide[part]
    isolated = ~np.isfinite(power) & (count >= LEAST_NEIGHBOURS)
    return np.where(isolated, total / np.maximum(count, 1), power).astype(np.float32)
