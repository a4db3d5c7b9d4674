"""What a network looks at: channels by name, sets of them, and how each is formed from a change.

A set is a list of names, and the list is the order of the channels. What a name stands for is decided here
alone, so that training and mapping cannot differ: both hand over a change (:mod:`headscarp.features.change`)
that holds the variables a set `needs`, and take an array back.

==========================================  ======  ========================================================
name                                        units   value
==========================================  ======  ========================================================
``change_{pol}_{fused, or a state}_db``     dB      median before minus median after; fused as equation 7
``pre_{pol}_{state}_db``, ``post_…``        dB      median before, median after
``pass_change_{pol}_{fused, or a state}_db``  dB    last pass before minus first pass after
``last_pre_{pol}_{state}_db``,              dB      the last pass before, the first after
``first_post_{pol}_{state}_db``
``{pol}_{state}_db``                        dB      each date, for networks of series
``slope_deg``, ``height_m``                 °, m    of the DEM
``aspect_east``, ``aspect_north``           1       sine and cosine of the aspect; 0 on flat ground
``raster:{name}``                           its     a raster that the user declares
``raster:{name}={code}``                    0, 1    1 where a declared raster of categories has that code
==========================================  ======  ========================================================

``{pol}`` is vv, vh, hh or hv; ``{state}`` is ascending or descending. Relative orbits of a state are averaged
in decibels; ascending and descending meet in changes only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from headscarp.errors import OptionsError
from headscarp.features.change import DATES, DAYS, Change, fuse_values
from headscarp.features.moments import FIRST_POST, LAST_PRE

FloatArray = NDArray[np.float32]
Form = Literal["scene", "pair", "series"]
"""What a set gives: one stack of channels, one before and one after, or one for each date."""

RASTER = "raster:"
"""Prefix of the rasters that a user declares."""
FUSED = "fused"


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
    """

    name: str
    units: str
    needs: tuple[str, ...]
    mirror: Mirror
    radar: bool
    compute: Callable[[Change], FloatArray]


class FeatureSet(BaseModel):
    """The inputs of a network: names of channels, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="Name of the set.")
    form: Form = Field("scene", description="scene, pair (first half of the channels pre-event) or series.")
    channels: tuple[str, ...] = Field(
        min_length=1, description="Channels, in the order the network has them."
    )

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        parsed = [channel(name) for name in self.channels]
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("each channel can stand in a set once")
        if not any(own.radar for own in parsed):
            raise ValueError("a set needs a channel that the radar sees")
        if any(DATES in own.needs for own in parsed) != (self.form == "series"):
            raise ValueError("channels of each date make a series, and a series needs one")
        if self.form == "series" and len({own.name.split("_")[1] for own in parsed if own.radar}) != 1:
            raise ValueError("a series is of one orbit state, and of its dates alone")
        if self.form == "pair" and len(self.channels) % 2:
            raise ValueError("a pair has as many channels before as after")
        return self

    @property
    def parsed(self) -> tuple[Channel, ...]:
        """What each name stands for."""
        return tuple(channel(name) for name in self.channels)

    @property
    def needs(self) -> tuple[str, ...]:
        """Variables of the change that the set reads, each once."""
        return tuple(dict.fromkeys(need for own in self.parsed for need in own.needs))

    @property
    def network_channels(self) -> int:
        """Channels that the network is built for: of one side of a pair, of one date of a series."""
        return len(self.channels) // 2 if self.form == "pair" else len(self.channels)


def channel(name: str) -> Channel:
    """What a channel's name stands for.

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
    if name in _GROUND:
        units, need, mirror, compute = _GROUND[name]
        return Channel(name, units, (need,), mirror, False, compute)
    raise OptionsError(
        "a channel such as change_vv_fused_db, pre_vh_ascending_db, slope_deg or raster:NAME",
        repr(name),
        "what a network looks at would not be known",
        "see the table of channels in docs/training.md",
    )


def form_features(features: FeatureSet, change: Change) -> FloatArray:
    """Channels of a set, in order, from a change that holds what the set needs.

    Parameters
    ----------
    features : FeatureSet
    change : Dataset
        On ``(orbit, polarization, y, x)``, with ``features.needs``.

    Returns
    -------
    ndarray of float32
        (channel, y, x); (2, channel, y, x) for a pair; (time, channel, y, x) for a series, its dates in the
        order of :func:`series_days`. NaN where a channel has no value.
    """
    values = [own.compute(change) for own in features.parsed]
    if features.form == "series":
        dates = max(len(each) for each in values if each.ndim == 3)
        values = [each if each.ndim == 3 else np.broadcast_to(each, (dates, *each.shape)) for each in values]
        return np.stack(values, axis=1).astype(np.float32)
    stacked = np.stack(values).astype(np.float32)
    return stacked.reshape(2, -1, *stacked.shape[1:]) if features.form == "pair" else stacked


def observed(features: FeatureSet, values: FloatArray) -> NDArray[np.bool_]:
    """Pixels where any channel that the radar sees has a value, shape (y, x).

    Parameters
    ----------
    features : FeatureSet
    values : ndarray
        As :func:`form_features` gives them.
    """
    radar = np.array([own.radar for own in features.parsed])
    if features.form == "pair":
        values = values.reshape(-1, *values.shape[2:])
    finite = np.isfinite(values[..., radar, :, :])
    return np.asarray(finite.any(axis=tuple(range(finite.ndim - 2))))


class Inputs(NamedTuple):
    """What a network is to look at, before it is normalised.

    Attributes
    ----------
    values : ndarray of float32
        As :func:`form_features` gives them; NaN in every channel where not seen, those of the land too, so
        that the rim of a tile, of a chip, of the grid and of the scenes are one and the same.
    seen : ndarray of bool, shape (y, x)
        Where a channel that the radar sees has a value, and an orbit has dates before and after.
    """

    values: FloatArray
    seen: NDArray[np.bool_]


def form_inputs(features: FeatureSet, change: Change) -> Inputs:
    """Channels of a set, blank where nothing was seen: what chips hold and what a map gives a network.

    Parameters
    ----------
    features : FeatureSet
    change : Dataset
        On ``(orbit, polarization, y, x)``, with ``features.needs``.
    """
    values = form_features(features, change)
    paired = np.isfinite(change["change_db"].transpose("orbit", "polarization", "y", "x").values)
    seen = observed(features, values) & paired.any(axis=(0, 1))
    return Inputs(np.where(seen, values, np.float32(np.nan)), seen)


def normalise(x: FloatArray, features: FeatureSet, mean: FloatArray, std: FloatArray) -> FloatArray:
    r"""Normalise features, :math:`(x - \mu) / \sigma`; what has no value becomes 0, the training mean.

    Parameters
    ----------
    x : ndarray of float32, shape (channel, y, x), (2, channel, y, x) or (time, channel, y, x)
        One scene or chip, or any number of them along leading axes.
    features : FeatureSet
    mean, std : ndarray of float32, shape (features.channels,)
        Over the training chips: they travel with the weights.

    Returns
    -------
    ndarray of float32
        New, finite, of the shape of `x`.

    Examples
    --------
    >>> own = FeatureSet(name="own", channels=("change_vv_fused_db",))
    >>> normalise(np.array([[[3, np.nan]]], np.float32), own, np.float32([1]), np.float32([4])).tolist()
    [[[0.5, 0.0]]]
    """
    sides = (2,) if features.form == "pair" else ()
    shape = (*sides, features.network_channels, 1, 1)
    scaled = (x - np.reshape(mean, shape)) / np.reshape(std, shape)
    return np.where(np.isfinite(scaled), scaled, 0).astype(np.float32)


def series_days(features: FeatureSet, change: Change) -> FloatArray:
    """Days of each date of a series since the first pass after the event, rising.

    Dates before the event are negative.
    """
    state = next(own.name.split("_")[1] for own in features.parsed if own.radar)
    days: FloatArray = change[DAYS].values[_orbits_of(change, state)].astype(np.float32)
    return np.sort(days[np.isfinite(days)])


def feature_set(name: str) -> FeatureSet:
    """A set by its name.

    Raises
    ------
    OptionsError
        If there is none of that name.

    Examples
    --------
    >>> feature_set("group1").channels
    ('change_vv_fused_db', 'change_vh_fused_db')
    """
    if name in FEATURE_SETS:
        return FEATURE_SETS[name]
    raise OptionsError(
        f"a feature set: {', '.join(FEATURE_SETS)}",
        repr(name),
        "what the network looks at would not be known",
        "name one of them, or list the channels yourself",
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


def _dates(name: str, pol: str, state: str) -> Channel:
    """Each date of a state: all its relative orbits, in the order of time."""

    def compute(change: Change) -> FloatArray:
        own = _orbits_of(change, state)
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


def _looks(change: Change, values: FloatArray, pol: str, looks: str) -> FloatArray:
    """Mean of the orbits of a state, or equation 7 over all, of values on (orbit, polarization, y, x)."""
    states = change["orbit_state"].values.tolist()
    own = range(len(states)) if looks == FUSED else _orbits_of(change, looks)
    place = _polarization(change, pol)
    if place is None or len(own) == 0:
        return np.full(values.shape[2:], np.nan, np.float32)
    return fuse_values(values[list(own), place], [states[i] for i in own])


def _orbits_of(change: Change, state: str) -> list[int]:
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


_GROUND: dict[str, tuple[str, str, Mirror, Callable[[Change], FloatArray]]] = {
    "slope_deg": ("°", "slope_deg", Mirror.SAME, _ground("slope_deg")),
    "height_m": ("m", "height_m", Mirror.SAME, _ground("height_m")),
    "aspect_east": ("1", "aspect_deg", Mirror.EAST, _direction(np.sin)),
    "aspect_north": ("1", "aspect_deg", Mirror.NORTH, _direction(np.cos)),
}
GROUND_NEEDS = ("slope_deg", "height_m", "aspect_deg")
"""Variables of a change that come from the DEM."""

_POL, _STATE = r"(vv|vh|hh|hv)", r"(ascending|descending)"
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[..., Channel]], ...] = (
    (re.compile(rf"(change)_{_POL}_(fused|ascending|descending)_db"), _median),
    (re.compile(rf"(pre|post)_{_POL}_{_STATE}_db"), _median),
    (re.compile(rf"(pass_change)_{_POL}_(fused|ascending|descending)_db"), _pass),
    (re.compile(rf"(last_pre|first_post)_{_POL}_{_STATE}_db"), _pass),
    (re.compile(rf"{_POL}_{_STATE}_db"), _dates),
    (re.compile(rf"{RASTER}([a-z][a-z0-9_]*)(?:=(\d+))?"), _raster),
)


def _both(template: str) -> tuple[str, ...]:
    return tuple(template.format(pol) for pol in ("vv", "vh"))


_STATES = ("ascending", "descending")
_SETS = (
    FeatureSet(name="group1", channels=_both("change_{}_fused_db")),
    FeatureSet(name="group2", channels=_both("change_{}_ascending_db")),
    FeatureSet(name="group3", channels=_both("change_{}_descending_db")),
    FeatureSet(name="group4", channels=_both("pass_change_{}_ascending_db")),
    FeatureSet(name="group5", channels=("last_pre_vv_ascending_db", "first_post_vv_ascending_db")),
    FeatureSet(name="group6", channels=("last_pre_vh_ascending_db", "first_post_vh_ascending_db")),
    FeatureSet(
        name="orbits", channels=tuple(c for state in _STATES for c in _both(f"change_{{}}_{state}_db"))
    ),
    FeatureSet(
        name="pair",
        form="pair",
        channels=tuple(c for side in ("pre", "post") for s in _STATES for c in _both(f"{side}_{{}}_{s}_db")),
    ),
    *(FeatureSet(name=f"series_{s}", form="series", channels=_both(f"{{}}_{s}_db")) for s in _STATES),
)
FEATURE_SETS: MappingProxyType[str, FeatureSet] = MappingProxyType({own.name: own for own in _SETS})
"""Sets by name: Groups 1–6 of Pan & Shi (2023), Table 1; changes of each state; medians; dates."""
