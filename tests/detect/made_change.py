"""Changes made for the tests of detectors: known noise, known landslide, known gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.features.change import Change, Split, change_of_stacks
from headscarp.features.moments import COVARIANCE, MOMENTS

ALL_MOMENTS = (*MOMENTS, COVARIANCE)
DATE_STD_DB = 1.7
"""Scatter of single dates in made changes: with four dates a side, a change of 1.2 dB."""
DAY = np.timedelta64(1, "D")
ONE_ORBIT = {"ascending 68": "ascending"}
THREE_ORBITS = {"ascending 68": "ascending", "ascending 170": "ascending", "descending 46": "descending"}


def change_from(
    change_db: NDArray[np.floating],
    orbits: Mapping[str, str],
    polarizations: Sequence[str] = ("VV", "VH"),
    pre_count: int | NDArray[np.integer] = 4,
    post_count: int | NDArray[np.integer] = 4,
    date_std_db: float = DATE_STD_DB,
) -> Change:
    """A change from values of shape (orbit, polarization, y, x) and counts that broadcast to it.

    Its moments are those of dates that differ from the level before by the change, all alike, and whose
    variances scatter as those of so many dates do.
    """
    dims = ("orbit", "polarization", "y", "x")
    counts = {
        name: np.array(np.broadcast_to(n, change_db.shape), dtype=np.uint16)
        for name, n in (("pre_count", pre_count), ("post_count", post_count))
    }
    values = change_db.astype(np.float32)
    floats = {
        "change_db": values,
        "pre_db": values - np.float32(12),
        "mean_change_db": values,
        "cusum_db": values * counts["post_count"],
        **_variances(counts, date_std_db),
    }
    known = {name: np.where(np.isfinite(values), own, np.nan) for name, own in floats.items()}
    return xr.Dataset(
        {name: (dims, own.astype(np.float32)) for name, own in known.items()}
        | {name: (dims, n) for name, n in counts.items()},
        coords={
            "orbit": list(orbits),
            "polarization": list(polarizations),
            "orbit_state": ("orbit", list(orbits.values())),
            "y": 4730000.0 - 20 * np.arange(change_db.shape[2]),
            "x": 580000.0 + 20 * np.arange(change_db.shape[3]),
        },
    )


def _variances(
    counts: Mapping[str, NDArray[np.uint16]], date_std_db: float
) -> dict[str, NDArray[np.floating]]:
    """Variances of normal dates of a given scatter, NaN for single dates; the same at every call."""
    rng = np.random.default_rng(68)
    made = {}
    for side in ("pre", "post"):
        degrees = counts[f"{side}_count"].astype(float) - 1
        drawn = rng.chisquare(np.maximum(degrees, 1)) / np.maximum(degrees, 1) * date_std_db**2
        made[f"{side}_variance_db2"] = np.where(degrees > 0, drawn, np.nan)
    shared = rng.normal(0, 0.3, (counts["pre_count"].shape[0], 1, *counts["pre_count"].shape[2:]))
    both = np.isfinite(made["pre_variance_db2"]).all(axis=1, keepdims=True)
    covariance = np.where(both, shared * date_std_db**2, np.nan)
    return made | {COVARIANCE: np.broadcast_to(covariance, counts["pre_count"].shape)}


def changed_by(change: Change, shift_db: float | xr.DataArray) -> Change:
    """The same ground, its every pixel changed by the area's typical change and a shift more."""
    counts = change["post_count"].astype(np.float32)
    times = {"change_db": 1.0, "mean_change_db": 1.0, "cusum_db": counts}
    typical = {name: change[name].median(("y", "x")) for name in times}
    uniform = {
        name: (xr.zeros_like(change[name]).fillna(0) + typical[name] + shift_db * n).astype(np.float32)
        for name, n in times.items()
    }
    ordered = {name: values.transpose(*change[name].dims) for name, values in uniform.items()}
    return change.assign(ordered)


def planted(change: Change, place: Mapping[str, slice], loss_db: float) -> Change:
    """The same change with a landslide."""
    slid = change.copy(deep=True)
    for name in ("change_db", "mean_change_db"):
        slid[name].values[..., place["y"], place["x"]] += loss_db
    counts = slid["post_count"].values[..., place["y"], place["x"]]
    slid["cusum_db"].values[..., place["y"], place["x"]] += np.float32(loss_db) * counts
    return slid


def ground_from_dates(
    rng: np.random.Generator,
    shape: tuple[int, int],
    dates: tuple[int, int] = (8, 4),
    orbits: Mapping[str, str] = ONE_ORBIT,
    place: Mapping[str, slice] | None = None,
    loss_db: float = 0.0,
    looks: float = 6.0,
) -> Change:
    """Change and every moment of speckled scenes before and after, through the package's own features."""
    pre, post = dates
    stacks = {}
    for label, state in orbits.items():
        loss = np.zeros((pre + post, *shape))
        if place is not None:
            loss[pre:, place["y"], place["x"]] = loss_db
        bands = {
            pol: level * rng.gamma(looks, 1 / looks, loss.shape) * 10 ** (-loss / 10)
            for pol, level in (("VV", 0.1), ("VH", 0.02))
        }
        stacks[label] = xr.Dataset(
            {pol: (("time", "y", "x"), power.astype(np.float32)) for pol, power in bands.items()},
            coords={"time": np.datetime64("2024-01-01", "ns") + 12 * np.arange(pre + post) * DAY},
            attrs={"orbit_state": state},
        )
    split = Split(tuple(range(pre)), tuple(range(pre, pre + post)))
    return change_of_stacks(stacks, dict.fromkeys(orbits, split), ALL_MOMENTS)


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
    shape = change["change_db"].shape
    missing = np.broadcast_to((rng.random(shape[:1] + shape[2:]) < 0.25)[:, None], shape).copy()
    missing |= rng.random(shape) < 0.1
    missing[..., :15, :20] = True
    return without(change, missing)


def without(change: Change, missing: NDArray[np.bool_]) -> Change:
    """The same change, nothing observed where told, on (orbit, polarization, y, x)."""
    seen = xr.DataArray(~missing, dims=("orbit", "polarization", "y", "x"))
    names = [name for name in change.data_vars if change[name].dtype.kind == "f"]
    both = {COVARIANCE: change[COVARIANCE].where(seen.all("polarization"))}
    return change.assign({name: change[name].where(seen) for name in names} | both)


def pixels_of(change: Change, stride: int = 1) -> Change:
    """A regular sample of pixels, as the pipeline hands it to detectors."""
    thinned = change.isel(y=slice(None, None, stride), x=slice(None, None, stride))
    return thinned.stack(pixel=("y", "x"), create_index=False).drop_vars(["y", "x"])
