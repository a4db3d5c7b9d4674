"""Channels by name: what each name stands for, what it needs, how it is formed, how it is mirrored.

==========================================  ======  ========================================================
name                                        units   value
==========================================  ======  ========================================================
``change_{pol}_{fused, or a state}_db``     dB      median before minus median after; fused as equation 7
``change_{pol}_visible_db``                 dB      the same fused by how well each orbit state sees the slope
``pre_{pol}_{state}_db``, ``post_…``        dB      median before, median after
``pass_change_{pol}_{fused, or a state}_db``  dB    last pass before minus first pass after
``last_pre_{pol}_{state}_db``,              dB      the last pass before, the first after
``first_post_{pol}_{state}_db``
``{pol}_{state}_db``                        dB      each date, for networks of series
``fused_{pol}_db``                          dB      of one moment: medians of all orbits averaged in linear
                                                    power, within a state first, then the states
``composite_{pol}_{state}_db``              dB      of one moment: the same of one state
``{fused_…, composite_…}_mean{W}_db``,      dB      of one moment: mean and standard deviation over W × W
``{fused_…, composite_…}_std{W}_db``                pixels, of decibels; W odd, 3 to 99
``slope_deg``, ``height_m``                 °, m    of the DEM
``slope_sin``                               1       sine of the slope
``aspect_east``, ``aspect_north``           1       sine and cosine of the aspect; 0 on flat ground
``raster:{name}``                           its     a raster that the user declares
``raster:{name}={code}``                    0, 1    1 where a declared raster of categories has that code
==========================================  ======  ========================================================

``{pol}`` is vv, vh, hh or hv; ``{state}`` is ascending or descending. Relative orbits of a state are averaged
in decibels, but for those of one moment; ascending and descending meet in changes and in ``fused_`` only.

Channels of one moment do not say which: the set that they stand in does
(:class:`headscarp.features.sets.FeatureSet`). Both moments are formed of the orbits that have a pair at the
pixel, so that their difference compares like with like (:mod:`headscarp.features.composite`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from headscarp.errors import OptionsError
from headscarp.features.change import DATES, DAYS, Change, fuse_values
from headscarp.features.composite import FILL_HALO_PX, Moment, composite_db
from headscarp.features.local import local_statistics
from headscarp.features.moments import FIRST_POST, LAST_PRE

FloatArray = NDArray[np.float32]

RASTER = "raster:"
"""Prefix of the rasters that a user declares."""
FUSED = "fused"
VISIBILITY = "visibility"
VISIBILITY_NEEDS = (f"{VISIBILITY}_ascending", f"{VISIBILITY}_descending")
"""Variables with the R-index of each orbit state, 0 in layover and shadow: geometry.incidence."""
NARROWEST_PX, WIDEST_PX = 3, 99
"""Windows of local means and standard deviations, sides in pixels."""


class Mirror(StrEnum):
    """What becomes of a channel when the ground is reflected."""

    SAME = "same"
    """Its pixels change places, its values stay."""
    EAST = "east"
    """An eastward component: it turns its sign when east and west are swapped."""
    NORTH = "north"
    """A northward component: it turns its sign when north and south are swapped."""
    LOOK = "look"
    """Backscatter of one look: swapping east and west would turn the radar around."""


@dataclass(frozen=True)
class Channel:
    """One declared input.

    Attributes
    ----------
    name, units : str
    needs : tuple of str
        Variables of the change that `compute` reads.
    mirror : Mirror
    radar : bool
        Whether it is seen by radar: a pixel is observed where any such channel has a value.
    compute : callable
        Values of the channel from a change, shape (y, x), or (time, y, x) for dates; NaN where not observed.
    halo_px : int
        Pixels around a place that its value depends on.
    of_moment : bool
        Whether it is of one moment, before or after the event, which the set says.
    """

    name: str
    units: str
    needs: tuple[str, ...]
    mirror: Mirror
    radar: bool
    compute: Callable[[Change], FloatArray]
    halo_px: int = 0
    of_moment: bool = False


def channel(name: str, moment: Moment | None = None) -> Channel:
    """What a channel's name stands for.

    Parameters
    ----------
    name : str
    moment : {"pre", "post"}, optional
        Of the channels of one moment; the others do not look at it. None: their values cannot be formed.

    Raises
    ------
    OptionsError
        If it stands for nothing.

    Examples
    --------
    >>> channel("change_vv_fused_db").units, channel("pre_vh_ascending_db").mirror.value
    ('dB', 'look')
    """
    for pattern, make in _PATTERNS:
        found = pattern.fullmatch(name)
        if found:
            return make(name, *found.groups())
    for pattern in _OF_MOMENT:
        found = pattern.fullmatch(name)
        if found:
            return _of_moment(name, moment, *found.groups())
    if name in _GROUND:
        units, need, mirror, compute = _GROUND[name]
        return Channel(name, units, (need,), mirror, False, compute)
    raise OptionsError(
        "a channel such as change_vv_fused_db, pre_vh_ascending_db, slope_deg or raster:NAME",
        repr(name),
        "what a network looks at would not be known",
        "see the table of channels in features/channels.py, or docs/chips.md",
    )


def _median(name: str, side: str, pol: str, looks: str) -> Channel:
    mirror = Mirror.SAME if side == "change" else Mirror.LOOK
    needs = {"change": ("change_db",), "pre": ("pre_db",), "post": ("pre_db", "change_db")}[side]

    def compute(change: Change) -> FloatArray:
        if side == "post":
            return _looks(change, change["pre_db"].values - change["change_db"].values, pol, looks)
        return _looks(change, change[f"{side}_db"].values, pol, looks)

    return Channel(name, "dB", needs, mirror, True, compute)


def _pass(name: str, side: str, pol: str, looks: str) -> Channel:
    if side != "pass_change":
        need = LAST_PRE if side == "last_pre" else FIRST_POST
        return Channel(
            name,
            "dB",
            (need,),
            Mirror.LOOK,
            True,
            lambda change: _looks(change, change[need].values, pol, looks),
        )

    def compute(change: Change) -> FloatArray:
        return _looks(change, change[LAST_PRE].values - change[FIRST_POST].values, pol, looks)

    return Channel(name, "dB", (LAST_PRE, FIRST_POST), Mirror.SAME, True, compute)


def _visible(name: str, pol: str) -> Channel:
    r"""Change fused by visibility, after Ren et al. as Pan & Shi (2023), §2.1.2, tried it.

    .. math:: \sigma^f = \sum_s \max(R_s, 0)\,\sigma_s^c / \sum_s \max(R_s, 0)

    over the orbit states :math:`s` that observed the pixel, with the R-index :math:`R_s`, 0 in layover and
    shadow; equation 7 where none sees the ground or its slope is unknown.
    """

    def compute(change: Change) -> FloatArray:
        states = change["orbit_state"].values.tolist()
        own = sorted(set(states))
        each = np.stack([_looks(change, change["change_db"].values, pol, state) for state in own])
        index = np.stack([change[f"{VISIBILITY}_{state}"].values for state in own])
        weight = np.where(np.isfinite(each), np.maximum(np.nan_to_num(index), 0), 0)
        total = weight.sum(axis=0)
        weighed = (weight * np.nan_to_num(each)).sum(axis=0) / np.where(total > 0, total, 1)
        plain = _looks(change, change["change_db"].values, pol, FUSED)
        return np.where(total > 0, weighed, plain).astype(np.float32)

    return Channel(name, "dB", ("change_db", *VISIBILITY_NEEDS), Mirror.SAME, True, compute)


def _dates(name: str, pol: str, state: str) -> Channel:
    """Each date of a state: all its relative orbits, in the order of time."""

    def compute(change: Change) -> FloatArray:
        own = orbits_of(change, state)
        days = change[DAYS].values[own].ravel()
        place = _polarization(change, pol)
        shape = change.sizes["y"], change.sizes["x"]
        if place is None:
            return np.full((int(np.isfinite(days).sum()), *shape), np.nan, np.float32)
        values = change[DATES].transpose("orbit", "polarization", "time", "y", "x").values[own, place]
        order = np.argsort(days, kind="stable")[: int(np.isfinite(days).sum())]
        return np.asarray(values.reshape(-1, *shape)[order], dtype=np.float32)

    return Channel(name, "dB", (DATES,), Mirror.LOOK, True, compute)


def _raster(name: str, layer: str, code: str | None) -> Channel:
    variable = f"{RASTER}{layer}"

    def compute(change: Change) -> FloatArray:
        values: FloatArray = change[variable].values.astype(np.float32)
        if code is None:
            return values
        return np.where(np.isfinite(values), values == int(code), np.nan).astype(np.float32)

    units = "1" if code is not None else "its own"
    return Channel(name, units, (variable,), Mirror.SAME, False, compute)


def _of_moment(
    name: str, moment: Moment | None, pol: str, state: str, kind: str | None, window: str | None
) -> Channel:
    side = int(window or NARROWEST_PX)
    if side % 2 == 0 or not NARROWEST_PX <= side <= WIDEST_PX:
        raise OptionsError(
            f"a window of an odd number of pixels from {NARROWEST_PX} to {WIDEST_PX}",
            f"{name!r}",
            "it would have no middle, or look at less or more than a neighbourhood",
            "choose another window, such as 19",
        )

    def compute(change: Change) -> FloatArray:
        values = composite_db(change, _known(moment, name), pol.upper(), state or None)
        if kind is None:
            return values
        local = local_statistics(values, side)
        return local.mean if kind == "mean" else local.std

    mirror = Mirror.LOOK if state else Mirror.SAME
    halo = FILL_HALO_PX + (0 if kind is None else side // 2)
    return Channel(name, "dB", ("pre_db", "change_db"), mirror, True, compute, halo, True)


def _known(moment: Moment | None, name: str) -> Moment:
    if moment is None:
        raise OptionsError(
            "the moment of a channel that is of one: pre or post",
            f"{name} without one",
            "it would not be known whether it is formed before or after the event",
            "say features.moment, or take the set at a moment: FeatureSet.at",
        )
    return moment


def _looks(change: Change, values: FloatArray, pol: str, looks: str) -> FloatArray:
    """Mean of the orbits of a state, or equation 7 over all, of values on (orbit, polarization, y, x)."""
    states = change["orbit_state"].values.tolist()
    own = range(len(states)) if looks == FUSED else orbits_of(change, looks)
    place = _polarization(change, pol)
    if place is None or len(own) == 0:
        return np.full(values.shape[2:], np.nan, np.float32)
    return fuse_values(values[list(own), place], [states[i] for i in own])


def orbits_of(change: Change, state: str) -> list[int]:
    """Places of the orbits of a state along ``orbit``."""
    return [i for i, own in enumerate(change["orbit_state"].values.tolist()) if own == state]


def _polarization(change: Change, pol: str) -> int | None:
    """Place of a polarisation; none where no orbit has it."""
    names = change["polarization"].values.tolist()
    return names.index(pol.upper()) if pol.upper() in names else None


def _ground(name: str) -> Callable[[Change], FloatArray]:
    return lambda change: np.asarray(change[name].values, dtype=np.float32)


def _direction(of: Callable[[FloatArray], FloatArray]) -> Callable[[Change], FloatArray]:
    """Component of the unit vector down the slope; flat ground has none."""

    def compute(change: Change) -> FloatArray:
        aspect: FloatArray = np.deg2rad(change["aspect_deg"].values.astype(np.float32))
        return np.where(np.isfinite(aspect), of(np.nan_to_num(aspect)), 0).astype(np.float32)

    return compute


def _slope_sin(change: Change) -> FloatArray:
    return np.sin(np.deg2rad(change["slope_deg"].values.astype(np.float32))).astype(np.float32)


_GROUND: dict[str, tuple[str, str, Mirror, Callable[[Change], FloatArray]]] = {
    "slope_deg": ("°", "slope_deg", Mirror.SAME, _ground("slope_deg")),
    "slope_sin": ("1", "slope_deg", Mirror.SAME, _slope_sin),
    "height_m": ("m", "height_m", Mirror.SAME, _ground("height_m")),
    "aspect_east": ("1", "aspect_deg", Mirror.EAST, _direction(np.sin)),
    "aspect_north": ("1", "aspect_deg", Mirror.NORTH, _direction(np.cos)),
}
GROUND_NEEDS = ("slope_deg", "height_m", "aspect_deg", *VISIBILITY_NEEDS)
"""Variables of a change that come from the DEM."""

_POL, _STATE = r"(vv|vh|hh|hv)", r"(ascending|descending)"
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[..., Channel]], ...] = (
    (re.compile(rf"(change)_{_POL}_(fused|ascending|descending)_db"), _median),
    (re.compile(rf"change_{_POL}_visible_db"), _visible),
    (re.compile(rf"(pre|post)_{_POL}_{_STATE}_db"), _median),
    (re.compile(rf"(pass_change)_{_POL}_(fused|ascending|descending)_db"), _pass),
    (re.compile(rf"(last_pre|first_post)_{_POL}_{_STATE}_db"), _pass),
    (re.compile(rf"{_POL}_{_STATE}_db"), _dates),
    (re.compile(rf"{RASTER}([a-z][a-z0-9_]*)(?:=(\d+))?"), _raster),
)
_LOCAL = r"(?:_(mean|std)(\d+))?"
_OF_MOMENT = (
    re.compile(rf"fused_{_POL}(){_LOCAL}_db"),
    re.compile(rf"composite_{_POL}_{_STATE}{_LOCAL}_db"),
)
