"""Ground where no landslide is expected: gentle slopes and open water. Only with a DEM."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from headscarp.features.change import Change
from headscarp.geometry.incidence import NOMINAL_INCIDENCE_DEG


class TerrainOptions(BaseModel):
    """What the DEM is used for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dem: Path | None = Field(
        None, description="Digital elevation model, metres; none: no slope limit, no water mask."
    )
    incidence_deg: float = Field(
        NOMINAL_INCIDENCE_DEG,
        gt=0,
        lt=90,
        description="Incidence angle of the orbits over the map, degrees, for what they can see of steep "
        "ground; by default the middle of Sentinel-1's swath.",
    )
    min_slope_deg: float = Field(
        5.0, ge=0, lt=90, description="Gentlest slope on which a landslide is expected, degrees."
    )
    water_vv_db: float = Field(
        -16.0, description="VV below which gentle ground may be open water, dB before the event."
    )
    water_vh_db: float = Field(
        -23.0, description="VH below which gentle ground may be open water, dB before the event."
    )
    water_max_slope_deg: float = Field(
        10.0,
        ge=0,
        lt=90,
        description="Steepest slope, by the DEM, of what may be open water, degrees.",
    )


class Exclusion(IntEnum):
    """Why a pixel is given no probability of a landslide."""

    NONE = 0
    GENTLE = 1
    WATER = 2


def exclude(slope_deg: NDArray[np.float32], change: Change, options: TerrainOptions) -> NDArray[np.uint8]:
    """Mark ground that cannot slide, by :class:`Exclusion`.

    Ground without a height is never excluded. Water is dark before the event in every polarisation at hand
    and in the mean of the orbits; layover and shadow are told from it by the slope.

    Parameters
    ----------
    slope_deg : ndarray, shape (y, x)
        NaN without a height.
    change : Dataset
        On ``(orbit, polarization, y, x)``; its ``pre_db`` is used.
    options : TerrainOptions
        Limits.
    """
    code = np.zeros(slope_deg.shape, dtype=np.uint8)
    code[slope_deg < options.min_slope_deg] = Exclusion.GENTLE
    water = is_water(change["pre_db"], options) & (slope_deg < options.water_max_slope_deg)
    code[water] = Exclusion.WATER
    return code


def is_water(pre_db: xr.DataArray, options: TerrainOptions) -> NDArray[np.bool_]:
    """Mark pixels dark in every polarisation that has a limit and a value before the event."""
    limits = {"VV": options.water_vv_db, "VH": options.water_vh_db}
    known = [pol for pol in pre_db["polarization"].values if pol in limits]
    mean_db = pre_db.sel(polarization=known).transpose("orbit", "polarization", "y", "x").values
    valid = np.isfinite(mean_db)
    count = valid.sum(axis=0)
    mean_db = np.where(valid, mean_db, 0).sum(axis=0) / np.maximum(count, 1)
    limit = np.array([limits[pol] for pol in known], dtype=np.float32)[:, None, None]
    seen = count > 0
    dark = ~seen | (mean_db < limit)
    return np.asarray(dark.all(axis=0) & seen.any(axis=0))
