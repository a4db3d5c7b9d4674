"""Changes made for the tests of detectors: known noise, known landslide, known gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.features.change import Change

ONE_ORBIT = {"ascending 68": "ascending"}
THREE_ORBITS = {"ascending 68": "ascending", "ascending 170": "ascending", "descending 46": "descending"}


def change_from(
    change_db: NDArray[np.floating],
    orbits: Mapping[str, str],
    polarizations: Sequence[str] = ("VV", "VH"),
    pre_count: int | NDArray[np.integer] = 4,
    post_count: int | NDArray[np.integer] = 4,
) -> Change:
    """A change from values of shape (orbit, polarization, y, x) and counts that broadcast to it."""
    dims = ("orbit", "polarization", "y", "x")
    counts = {
        name: (dims, np.array(np.broadcast_to(n, change_db.shape), dtype=np.uint16))
        for name, n in (("pre_count", pre_count), ("post_count", post_count))
    }
    values = change_db.astype(np.float32)
    return xr.Dataset(
        {"change_db": (dims, values), "pre_db": (dims, values - np.float32(12)), **counts},
        coords={
            "orbit": list(orbits),
            "polarization": list(polarizations),
            "orbit_state": ("orbit", list(orbits.values())),
            "y": 4730000.0 - 20 * np.arange(change_db.shape[2]),
            "x": 580000.0 + 20 * np.arange(change_db.shape[3]),
        },
    )


def still_ground(
    rng: np.random.Generator,
    shape: tuple[int, int] = (120, 130),
    orbits: Mapping[str, str] = ONE_ORBIT,
    noise_db: Sequence[float] = (1.2, 1.5),
    correlation: float = 0.0,
) -> Change:
    """Normal changes of two polarisations where nothing happened."""
    covariance = [[1.0, correlation], [correlation, 1.0]]
    unit = rng.multivariate_normal([0.0, 0.0], covariance, (len(orbits), *shape))
    return change_from(np.moveaxis(unit * np.array(noise_db), -1, 1), orbits)


def with_gaps(change: Change, rng: np.random.Generator) -> Change:
    """The same change, each orbit and each polarisation missing here and there, a corner never seen."""
    change = change.copy(deep=True)
    values = change["change_db"].values
    values[rng.random(values.shape[:1] + values.shape[2:])[:, None].repeat(2, axis=1) < 0.25] = np.nan
    values[rng.random(values.shape) < 0.1] = np.nan
    values[..., :15, :20] = np.nan
    return change


def pixels_of(change: Change, stride: int = 1) -> Change:
    """A regular sample of pixels, as the pipeline hands it to detectors."""
    thinned = change.isel(y=slice(None, None, stride), x=slice(None, None, stride))
    return thinned.stack(pixel=("y", "x"), create_index=False).drop_vars(["y", "x"])
