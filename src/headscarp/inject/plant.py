r"""The change that a landslide makes, in the scale in which a file stores backscatter.

It acts on linear power, and multiplies it, so that the speckle of the scene stays:

.. math:: P' = P\,f, \qquad f = 1 - c + c\,10^{\Delta/10}

with the share :math:`c` of the pixel that the landslide covers and its change :math:`\Delta` in dB.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headscarp.simulate.zones import FULL, Zones
from headscarp.vocabulary import BackscatterScale, Polarization

FloatArray = NDArray[np.float64]

CROSS_POLARISED = frozenset({"VH", "HV"})
"""Polarisations that take the change of VH; the others take that of VV."""


def change_column(polarization: Polarization) -> str:
    """Column of the inventory with the change of a polarisation: ``vh_db`` or ``vv_db``."""
    return "vh_db" if polarization in CROSS_POLARISED else "vv_db"


def factor_of(zones: Zones, change_db: FloatArray) -> FloatArray:
    r"""Factor on linear power, :math:`1 - c + c\,10^{\Delta/10}`, of each pixel.

    Parameters
    ----------
    zones : Zones
        Outlines on the grid, with the share of each pixel that they cover.
    change_db : float64 array of shape (outlines,)
        Change of each outline, dB; negative is a loss.

    Returns
    -------
    float64 array of the grid's shape
        Exactly 1 where no outline lies, and where the change is 0 dB.

    Examples
    --------
    >>> zones = Zones(np.array([[0, 1, 1]], np.int32), np.array([[0, 8, 16]], np.uint8))
    >>> factor_of(zones, np.array([-10.0])).round(12).tolist()
    [[1.0, 0.55, 0.1]]
    """
    covered = zones.share / FULL
    inside = 10.0 ** (np.concatenate([[0.0], change_db]) / 10.0)
    return np.asarray(1.0 - covered + covered * inside[zones.index])


def planted(
    values: NDArray[Any], factor: FloatArray, nodata: float | None, scale: BackscatterScale
) -> NDArray[Any]:
    """Multiply the linear power behind stored values by a factor.

    Parameters
    ----------
    values : ndarray
        As stored: linear power, amplitude or dB.
    factor : float64 array of the same shape
        Above 0.
    nodata : float or None
        Declared nodata value.
    scale : BackscatterScale
        How values are stored.

    Returns
    -------
    ndarray of the same shape and dtype
        Nodata, fill (exactly 0) and values that are no backscatter stay as they are, to the bit, and so do
        values whose factor is 1. Integers are rounded, and stay off the fill and nodata values where the
        rounding would reach them.

    Examples
    --------
    >>> power, half = np.array([0.2, 0.0, np.nan]), np.full(3, 0.25)
    >>> planted(power, half, None, BackscatterScale.POWER).tolist()
    [0.05, 0.0, nan]
    >>> planted(power, half, None, BackscatterScale.AMPLITUDE).tolist()
    [0.1, 0.0, nan]
    """
    stored = values.astype(np.float64)
    touched = is_backscatter(values, nodata, scale) & (factor != 1.0)
    changed = np.where(touched, stored, 1.0)
    if scale is BackscatterScale.DECIBEL:
        changed = changed + 10.0 * np.log10(factor)
    else:
        changed = changed * (np.sqrt(factor) if scale is BackscatterScale.AMPLITUDE else factor)
    if np.issubdtype(values.dtype, np.integer):
        changed = _whole(changed, stored, values.dtype, nodata)
    out = values.copy()
    out[touched] = changed[touched].astype(values.dtype)
    return out


def is_backscatter(values: NDArray[Any], nodata: float | None, scale: BackscatterScale) -> NDArray[np.bool_]:
    """Mark stored values that :func:`headscarp.ingest.raster.to_power` takes for backscatter."""
    valid = np.isfinite(values) & (values != 0)
    if nodata is not None and np.isfinite(nodata):
        valid &= values.astype(np.float32) != np.float32(nodata)
    return np.asarray(valid if scale is BackscatterScale.DECIBEL else valid & (values > 0))


def _whole(changed: FloatArray, stored: FloatArray, dtype: np.dtype[Any], nodata: float | None) -> FloatArray:
    """Round to integers of a type; what would turn into fill or nodata stays one step off it."""
    limits = np.iinfo(dtype)
    rounded = np.clip(np.rint(changed), limits.min, limits.max)
    for missing in {0.0, 0.0 if nodata is None else float(nodata)}:
        rounded = np.where(rounded == missing, missing + np.sign(stored - missing), rounded)
    return np.asarray(rounded)
