"""What a network looks at: sets of channels, and the arrays that are formed of them.

A set is a list of names (:mod:`headscarp.features.channels` says what each stands for), and the list is the
order of the channels. Training and mapping cannot differ: both hand over a change
(:mod:`headscarp.features.change`) that holds the variables a set `needs`, and take an array back.

Sets of channels of one moment do not say which, unless their `moment` does: one network looks at both.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from headscarp.errors import OptionsError
from headscarp.features.change import DATES, DAYS, Change
from headscarp.features.channels import Channel, FloatArray, channel, orbits_of
from headscarp.features.composite import Moment

Form = Literal["scene", "pair", "series"]
"""What a set gives: one stack of channels, one before and one after, or one for each date."""


class FeatureSet(BaseModel):
    """The inputs of a network: names of channels, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="Name of the set.")
    form: Form = Field("scene", description="scene, pair (first half of the channels pre-event) or series.")
    channels: tuple[str, ...] = Field(
        min_length=1, description="Channels, in the order the network has them."
    )
    moment: Moment | None = Field(
        None, description="pre or post, of channels of one moment; none: either, as it is asked for."
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
        if len({own.of_moment for own in parsed if own.radar}) > 1:
            raise ValueError("channels of one moment stand in a set without those of a change, or of dates")
        if self.of_moment and self.form != "scene":
            raise ValueError("channels of one moment are a scene")
        if self.moment is not None and not self.of_moment:
            raise ValueError("a moment is said of sets whose channels are of one")
        return self

    @property
    def parsed(self) -> tuple[Channel, ...]:
        """What each name stands for."""
        return tuple(channel(name, self.moment) for name in self.channels)

    @property
    def of_moment(self) -> bool:
        """Whether its channels are of one moment, before or after the event."""
        return any(channel(name).of_moment for name in self.channels)

    @property
    def halo_px(self) -> int:
        """Pixels around a place that its channels depend on."""
        return max(own.halo_px for own in self.parsed)

    def at(self, moment: Moment) -> FeatureSet:
        """The set of one moment, formed before or after the event.

        Examples
        --------
        >>> feature_set("ndvi9_19").at("pre").moment
        'pre'
        """
        return FeatureSet(name=self.name, form=self.form, channels=self.channels, moment=moment)

    @property
    def needs(self) -> tuple[str, ...]:
        """Variables of the change that the set reads, each once."""
        return tuple(dict.fromkeys(need for own in self.parsed for need in own.needs))

    @property
    def network_channels(self) -> int:
        """Channels that the network is built for: of one side of a pair, of one date of a series."""
        return len(self.channels) // 2 if self.form == "pair" else len(self.channels)


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
    seen = observed(features, values)
    if not features.of_moment:  # those are of paired orbits as they are, but for what was filled
        paired = np.isfinite(change["change_db"].transpose("orbit", "polarization", "y", "x").values)
        seen &= paired.any(axis=(0, 1))
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
    days: FloatArray = change[DAYS].values[orbits_of(change, state)].astype(np.float32)
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
    >>> feature_set("ndvi9_19").channels[2:6]
    ('fused_vv_mean19_db', 'fused_vv_std19_db', 'fused_vh_mean19_db', 'fused_vh_std19_db')
    """
    if name in FEATURE_SETS:
        return FEATURE_SETS[name]
    for pattern, bands in _LOCAL_SETS:
        found = pattern.fullmatch(name)
        if found:
            return FeatureSet(name=name, channels=_with_local(bands, found[1]))
    raise OptionsError(
        f"a feature set: {', '.join(FEATURE_SETS)}, ndvi9_W or ndvi4_terrain_W with a window W",
        repr(name),
        "what the network looks at would not be known",
        "name one of them, or list the channels yourself",
    )


def _with_local(bands: tuple[str, ...], window: str) -> tuple[str, ...]:
    """Bands, their means and standard deviations over a window, and the terrain."""
    local = tuple(f"{band}_{kind}{window}_db" for band in bands for kind in ("mean", "std"))
    return (*(f"{band}_db" for band in bands), *local, *_TERRAIN)


def _both(template: str) -> tuple[str, ...]:
    return tuple(template.format(pol) for pol in ("vv", "vh"))


_STATES = ("ascending", "descending")
_BANDS = tuple(f"composite_{pol}_{state}" for state in _STATES for pol in ("vv", "vh"))
_TERRAIN = ("aspect_east", "aspect_north", "slope_sin")
_LOCAL_SETS = (
    (re.compile(r"ndvi9_(\d+)"), ("fused_vv", "fused_vh")),
    (re.compile(r"ndvi4_terrain_(\d+)"), _BANDS),
)
"""Sets of Chen & Chiang (2025) by pattern: the window of the local means and standard deviations is in the
name."""
_SETS = (
    FeatureSet(name="group1", channels=_both("change_{}_fused_db")),
    FeatureSet(name="group2", channels=_both("change_{}_ascending_db")),
    FeatureSet(name="group3", channels=_both("change_{}_descending_db")),
    FeatureSet(name="group4", channels=_both("pass_change_{}_ascending_db")),
    FeatureSet(name="group5", channels=("last_pre_vv_ascending_db", "first_post_vv_ascending_db")),
    FeatureSet(name="group6", channels=("last_pre_vh_ascending_db", "first_post_vh_ascending_db")),
    FeatureSet(name="visible", channels=_both("change_{}_visible_db")),
    FeatureSet(
        name="orbits", channels=tuple(c for state in _STATES for c in _both(f"change_{{}}_{state}_db"))
    ),
    FeatureSet(
        name="pair",
        form="pair",
        channels=tuple(c for side in ("pre", "post") for s in _STATES for c in _both(f"{side}_{{}}_{s}_db")),
    ),
    FeatureSet(name="ndvi4", channels=tuple(f"{band}_db" for band in _BANDS)),
    *(FeatureSet(name=f"series_{s}", form="series", channels=_both(f"{{}}_{s}_db")) for s in _STATES),
)
FEATURE_SETS: MappingProxyType[str, FeatureSet] = MappingProxyType({own.name: own for own in _SETS})
"""Sets by name: Groups 1–6 of Pan & Shi (2023), Table 1; changes fused by visibility, and of each state;
medians; dates; the four bands of one moment."""
