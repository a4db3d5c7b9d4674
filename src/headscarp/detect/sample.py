"""The sample that detectors learn from: small patches of the map, or any change as a whole.

A sample is a change whose trailing dimensions are ``(patch, y, x)``, ``(y, x)`` or ``(pixel)``. Its variable
``counted``, where it has one, tells the pixels to learn from: the rest is the halo of a patch, or ground
where no landslide is expected.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from headscarp.features.change import Change

COUNTED = "counted"
_NOT_GROUND = ("orbit", "polarization")


def counted_pixels(sample: Change) -> Change:
    """The pixels of a sample to learn from, on ``(orbit, polarization, pixel)``."""
    ordered = sample.transpose("orbit", "polarization", ...)
    ground = [dim for dim in ordered["change_db"].dims if dim not in _NOT_GROUND]
    if ground == ["pixel"]:
        flat = ordered
    else:
        bare = ordered.drop_vars(
            [name for name in ordered.coords if name not in (*_NOT_GROUND, "orbit_state")]
        )
        flat = bare.stack(pixel=ground, create_index=False)
    return flat.isel(pixel=np.flatnonzero(flat[COUNTED].values)) if COUNTED in flat else flat


def counted_values(score: xr.DataArray, sample: Change) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The scores of a sample to learn from; the last axis is the pixels', those before it are kept.

    Parameters
    ----------
    score : DataArray
        On the ground of the sample, or on ``(orbit, ...)`` of it.
    sample : Dataset
    """
    ground = [dim for dim in sample["change_db"].dims if dim not in _NOT_GROUND]
    ordered = score.transpose(..., *ground)
    values = ordered.values.reshape(*ordered.shape[: ordered.ndim - len(ground)], -1)
    if COUNTED not in sample:
        return np.asarray(values, dtype=np.float32)
    return np.asarray(values[..., sample[COUNTED].transpose(*ground).values.ravel()], dtype=np.float32)


def spatial_coords(change: Change, dims: tuple[Any, ...]) -> dict[str, xr.DataArray]:
    """Coordinates that lie along the given dimensions, and the CRS."""
    return {
        str(name): coord
        for name, coord in change.coords.items()
        if name not in {"orbit", "polarization", "orbit_state"} and set(coord.dims) <= set(dims)
    }
