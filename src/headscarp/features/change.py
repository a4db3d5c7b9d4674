r"""Change of backscatter: per-pixel medians before and after, in dB, per orbit, then fused.

Pan & Shi (2023), Remote Sensing 15, 5619, equations 1–7, written for one polarisation:

.. math::
    \sigma_o^{pre} = M(\sigma_o^{pre}), \quad \sigma_o^{post} = M(\sigma_o^{post}) \quad (1\text{–}4) \\
    \sigma_o^{c} = \sigma_o^{pre} - \sigma_o^{post} \quad (5, 6) \\
    \sigma^{f} = (\sigma_a^{c} + \sigma_d^{c}) / 2 \quad (7)

The median *M* is taken in linear power and then expressed in dB. A **positive change is a loss** of
backscatter. With several relative orbits in an orbit state these are averaged first, then the states, over
those that observed the pixel.

A change is an ``xarray.Dataset`` on dimensions ``(orbit, polarization, y, x)`` (or any trailing
dimension in place of ``y, x``) with ``change_db`` and ``pre_db`` (float32 dB, NaN where an orbit has no
pair), ``pre_count`` and ``post_count`` (uint16, dates), and the coordinate ``orbit_state`` along
``orbit``. Detectors may ask for more of the same dates by name: the moments of
:mod:`headscarp.features.moments`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from headscarp.errors import GridError
from headscarp.event import Event
from headscarp.features.moments import COVARIANCE, MOMENTS, covariance
from headscarp.scene import Stack, check_stack, in_order, polarizations_of
from headscarp.vocabulary import Polarization, Role

Change = xr.Dataset
"""A Dataset that obeys the schema above."""

FloatArray = NDArray[np.float32]

DATES, DAYS = "dates_db", "days"
"""Variables that detectors may ask for by the first name: each date, dB, on ``(orbit, polarization, time,
y, x)``, dates before the event first; and its days since the first date of any orbit after it, on ``(orbit,
time)``. NaN pads orbits with fewer dates."""
SECONDS_A_DAY = 86400.0


class ChangeOptions(BaseModel):
    """How the change is formed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pooling: Literal["relative_orbit", "orbit_state"] = Field(
        "relative_orbit",
        description="Dates of one median: those of a relative orbit, or of all tracks of an orbit "
        "state pooled as in Pan & Shi (2023).",
    )


@dataclass(frozen=True)
class Split:
    """Which dates of a stack count as before and which as after, as positions along time."""

    pre: tuple[int, ...]
    post: tuple[int, ...]


def split_dates(stack: Stack, event: Event) -> Split:
    """Split the dates of a stack by the windows of an event; dates in neither are left out."""
    times = pd.DatetimeIndex(stack["time"].values).tz_localize("UTC").to_pydatetime()
    roles = [event.role_of(time)[0] for time in times]
    pre, post = (
        tuple(i for i, role in enumerate(roles) if role is wanted)
        for wanted in (Role.PRE_EVENT, Role.POST_EVENT)
    )
    return Split(pre, post)


def median_power(power: FloatArray) -> tuple[FloatArray, NDArray[np.uint16]]:
    """Median of the valid values along the first axis; for even counts the mean of the middle two.

    Parameters
    ----------
    power : ndarray, shape (time, ...)
        Linear power, NaN where not observed.

    Returns
    -------
    median : ndarray, shape (...)
        NaN where nothing is valid.
    count : ndarray of uint16, shape (...)
        Valid values.
    """
    count = np.count_nonzero(~np.isnan(power), axis=0)
    if len(power) == 0:
        return np.full(power.shape[1:], np.nan, np.float32), count.astype(np.uint16)
    ordered = np.sort(power, axis=0)
    low = np.maximum(count - 1, 0) // 2
    high = np.minimum(count // 2, len(power) - 1)
    middle = [np.take_along_axis(ordered, k[None], axis=0)[0] for k in (low, high)]
    median = np.float32(0.5) * (middle[0] + middle[1])
    return np.where(count > 0, median, np.float32(np.nan)), count.astype(np.uint16)


def to_db(power: FloatArray) -> FloatArray:
    r"""Express linear power in decibels, :math:`10 \log_{10} P`; what is not positive becomes NaN."""
    positive = np.where(power > 0, power, np.float32(np.nan))
    return np.asarray(np.float32(10) * np.log10(positive), dtype=np.float32)


def change_of_stack(
    stack: Stack, split: Split, polarizations: Sequence[Polarization], moments: Collection[str] = ()
) -> Change:
    """Change of one orbit: median before minus median after, dB (equations 1–6).

    Parameters
    ----------
    stack : Dataset
        Backscatter of one orbit, in memory or lazy; what it lazily holds is read once.
    split : Split
        Dates before and after.
    polarizations : sequence of Polarization
        Of the result; NaN for those that the stack lacks.
    moments : collection of str
        Names of :mod:`headscarp.features.moments` to add.

    Returns
    -------
    Dataset
        On ``(polarization, y, x)``.
    """
    dates = sorted({*split.pre, *split.post})
    power = {p: stack[p].isel(time=dates).values for p in polarizations if p in stack.data_vars}
    places = [[dates.index(i) for i in side] for side in (split.pre, split.post)]
    sides = {p: (values[places[0]], values[places[1]]) for p, values in power.items()}
    shape = (stack.sizes["y"], stack.sizes["x"])
    nothing = np.full((0, *shape), np.nan, np.float32)
    bands = [_change_of_band(*sides.get(p, (nothing, nothing)), moments) for p in polarizations]
    change = _side_by_side(bands, "polarization", list(polarizations))
    if COVARIANCE in moments:
        pre = [to_db(sides[p][0]) for p in sides]
        both = covariance(*pre) if len(pre) == 2 else np.full(shape, np.nan, np.float32)
        change[COVARIANCE] = change["change_db"].copy(data=np.broadcast_to(both, change["change_db"].shape))
    if DATES in moments:
        change = change.assign(_dates_of(stack, split, sides, polarizations))
    return change


def change_of_stacks(
    stacks: Mapping[str, Stack], splits: Mapping[str, Split], moments: Collection[str] = ()
) -> Change:
    """Changes of several orbits on one grid, side by side along ``orbit``.

    Parameters
    ----------
    stacks : mapping of str to Dataset
        By orbit label.
    splits : mapping of str to Split
        By the same labels; stacks without a split are left out.
    moments : collection of str
        Names of :mod:`headscarp.features.moments` to add.

    Returns
    -------
    Dataset
        On ``(orbit, polarization, y, x)``.

    Raises
    ------
    SceneError
        If a stack breaks the schema of :mod:`headscarp.scene`.
    GridError
        If the stacks lie on different grids.
    """
    _refuse_different_grids({label: stacks[label] for label in splits})
    polarizations = in_order({pol for label in splits for pol in polarizations_of(stacks[label])})
    changes = [change_of_stack(stacks[label], splits[label], polarizations, moments) for label in splits]
    if DATES in moments:
        changes = _since_the_first(
            changes, [_first_post_day(stacks[label], splits[label]) for label in splits]
        )
    together = _side_by_side(_as_many_dates(changes), "orbit", list(splits))
    states = [stacks[label].attrs["orbit_state"] for label in splits]
    grid = stacks[next(iter(splits))].coords
    ground = {name: grid[name] for name in ("y", "x", "spatial_ref") if name in grid}
    return together.assign_coords({"orbit_state": ("orbit", states), **ground})


def fusion_weights(valid: NDArray[np.bool_], orbit_states: Sequence[str]) -> FloatArray:
    r"""Weights that average relative orbits within a state, then the states, over those observed.

    .. math:: w_o = \frac{1}{S\, n_{s(o)}}

    with :math:`n_s` the valid orbits of state *s* and *S* the states that have any.

    Parameters
    ----------
    valid : ndarray of bool, shape (orbit, ...)
        Where each orbit has a change.
    orbit_states : sequence of str
        State of each orbit.

    Returns
    -------
    ndarray of float32, shape (orbit, ...)
        They sum to 1 where any orbit is valid, to 0 elsewhere.
    """
    states = sorted(set(orbit_states))
    members = np.array([[state == own for own in orbit_states] for state in states])
    in_state = np.einsum("so,o...->s...", members.astype(np.float32), valid.astype(np.float32))
    n_states = np.count_nonzero(in_state, axis=0)
    own_count = in_state[[states.index(own) for own in orbit_states]]
    weight = valid / np.maximum(own_count * n_states, 1)
    return np.asarray(weight, dtype=np.float32)


def fuse(change: Change) -> xr.DataArray:
    """Fused change (equation 7): orbits averaged within a state, then the states, where observed.

    Returns
    -------
    DataArray
        dB on ``(polarization, ...)``, NaN where no orbit has a pair.
    """
    values = change["change_db"].transpose("orbit", ...)
    fused = fuse_values(values.values, change["orbit_state"].values.tolist())
    return xr.DataArray(fused, dims=values.dims[1:], coords=_without_orbit(values))


def fuse_values(values: FloatArray, orbit_states: Sequence[str]) -> FloatArray:
    """Weighted mean over the first axis by :func:`fusion_weights`."""
    valid = np.isfinite(values)
    weights = fusion_weights(valid, orbit_states)
    total = np.sum(np.where(valid, values, 0) * weights, axis=0)
    return np.where(valid.any(axis=0), total, np.nan).astype(np.float32)


def change_by_state(change: Change) -> dict[str, xr.DataArray]:
    """Mean change of the relative orbits of each state, dB on ``(polarization, ...)``."""
    states = change["orbit_state"].values.tolist()
    return {
        state: fuse(change.isel(orbit=[i for i, own in enumerate(states) if own == state]))
        for state in sorted(set(states))
    }


def _change_of_band(pre: FloatArray, post: FloatArray, moments: Collection[str]) -> xr.Dataset:
    """Change and moments of one polarisation from linear power on (time, y, x)."""
    (pre_power, pre_count), (post_power, post_count) = median_power(pre), median_power(post)
    pre_db = to_db(pre_power)
    band = _band(pre_db, pre_db - to_db(post_power), pre_count, post_count)
    wanted = [name for name in MOMENTS if name in moments]
    if wanted:
        sides_db = to_db(pre), to_db(post)
        for name in wanted:
            band[name] = (("y", "x"), MOMENTS[name](*sides_db))
    return band


def _dates_of(
    stack: Stack,
    split: Split,
    sides: Mapping[Polarization, tuple[FloatArray, FloatArray]],
    polarizations: Sequence[Polarization],
) -> dict[str, tuple[tuple[str, ...], NDArray[Any]]]:
    """Each date in decibels, before the event first, and its days since the first date after it."""
    places = [*split.pre, *split.post]
    shape = (len(polarizations), len(places), stack.sizes["y"], stack.sizes["x"])
    dates = np.full(shape, np.nan, np.float32)
    for i, pol in enumerate(polarizations):
        if pol in sides:
            dates[i] = to_db(np.concatenate(sides[pol]))
    days = (_days(stack)[places] - _first_post_day(stack, split)).astype(np.float32)
    return {DATES: (("polarization", "time", "y", "x"), dates), DAYS: (("time",), days)}


def _days(stack: Stack) -> NDArray[np.float64]:
    """Days of the dates since 1970."""
    seconds = stack["time"].values.astype("datetime64[s]").astype(np.float64)
    return np.asarray(seconds / SECONDS_A_DAY, dtype=np.float64)


def _first_post_day(stack: Stack, split: Split) -> float:
    """Day of the first date after the event; of the last before it where there is none."""
    return float(_days(stack)[split.post[0] if split.post else split.pre[-1]])


def _since_the_first(changes: Sequence[Change], first_days: Sequence[float]) -> list[Change]:
    """Changes whose days count from the first date after the event of any orbit: their dates interleave."""
    origin = min(first_days)
    shifts = [np.float32(first - origin) for first in first_days]
    return [own.assign({DAYS: own[DAYS] + shift}) for own, shift in zip(changes, shifts, strict=True)]


def _as_many_dates(changes: Sequence[Change]) -> list[Change]:
    """Pad each along time, by NaN, to the most dates; changes without dates as they are."""
    most = max(change.sizes.get("time", 0) for change in changes)
    return [c.pad(time=(0, most - c.sizes["time"])) if "time" in c.sizes else c for c in changes]


def _band(
    pre_db: FloatArray,
    change_db: FloatArray,
    pre_count: NDArray[np.uint16],
    post_count: NDArray[np.uint16],
) -> xr.Dataset:
    return xr.Dataset(
        {
            "change_db": (("y", "x"), change_db, {"units": "dB"}),
            "pre_db": (("y", "x"), pre_db, {"units": "dB"}),
            "pre_count": (("y", "x"), pre_count),
            "post_count": (("y", "x"), post_count),
        }
    )


def _refuse_different_grids(stacks: Mapping[str, Stack]) -> None:
    """Refuse stacks that break the schema, or whose pixels are not the same ground."""
    first = next(iter(stacks))
    for label, stack in stacks.items():
        check_stack(stack)
        same = all(
            stack.sizes[dim] == stacks[first].sizes[dim]
            and (dim not in stack.coords or stack[dim].equals(stacks[first][dim]))
            for dim in ("y", "x")
        )
        if not same:
            raise GridError(
                "stacks on one grid",
                f"{label} and {first} on different ones",
                "pixels of different ground would be averaged",
                "open the stacks together with open_stacks, on one grid",
            )


def _side_by_side(parts: Sequence[xr.Dataset], dim: str, names: list[str]) -> xr.Dataset:
    """Join along a new dimension with named places."""
    joined: xr.Dataset = xr.concat(list(parts), dim=dim)
    return joined.assign_coords({dim: names})


def _without_orbit(values: xr.DataArray) -> dict[str, xr.DataArray]:
    return {str(k): v for k, v in values.coords.items() if "orbit" not in v.dims and k != "orbit"}
