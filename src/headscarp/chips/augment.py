"""Flips that physics allows: what may be reflected, and what a reflection does to each channel.

A reflected slope faces the other way, so components of the aspect turn their sign with the flip. Backscatter
of one look knows where the radar stands: Sentinel-1 looks to the east or to the west, never to the north, so
only the flip of north and south leaves the look where it was. Differences of the same look (changes) are
flipped as in Pan & Shi (2023), horizontally and vertically.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.features.channels import FloatArray, Mirror
from headscarp.features.sets import FeatureSet

_EAST_WEST, _NORTH_SOUTH = -1, -2
"""Axes that the flips turn around; grids are north up."""


class Flips(NamedTuple):
    """Which flips are allowed, or done."""

    east_west: bool
    north_south: bool


def allowed_flips(features: FeatureSet, paper_augmentation: bool = False) -> Flips:
    """Flips that leave every channel of a set possible.

    Parameters
    ----------
    features : FeatureSet
    paper_augmentation : bool
        Both flips for every set, as the papers do, look direction or not.

    Returns
    -------
    Flips

    Examples
    --------
    >>> from headscarp.features.sets import feature_set
    >>> allowed_flips(feature_set("group1"))
    Flips(east_west=True, north_south=True)
    >>> allowed_flips(feature_set("pair"))
    Flips(east_west=False, north_south=True)
    """
    looks = any(own.mirror is Mirror.LOOK for own in features.parsed)
    return Flips(east_west=paper_augmentation or not looks, north_south=True)


def flip(
    features: FeatureSet, x: FloatArray, label: NDArray[np.uint8], flips: Flips
) -> tuple[FloatArray, NDArray[np.uint8]]:
    """Reflect a chip: pixels change places, components across the mirror turn their sign.

    Parameters
    ----------
    features : FeatureSet
    x : ndarray of float32, shape (channel, y, x), (2, channel, y, x) or (time, channel, y, x)
        In the units of the channels, not yet normalised: the sign of a component is known around 0 only.
    label : ndarray of uint8, shape (y, x)
    flips : Flips
        What to do, whether or not it is allowed.

    Returns
    -------
    x, label : ndarray
        New arrays; those given are left as they are.

    Examples
    --------
    >>> own = FeatureSet(name="own", channels=("change_vv_fused_db", "aspect_east"))
    >>> x, label = np.array([[[1, 2]], [[0.5, 1]]], np.float32), np.array([[0, 1]], np.uint8)
    >>> turned, mapped = flip(own, x, label, Flips(east_west=True, north_south=False))
    >>> turned.tolist(), mapped.tolist()
    ([[[2.0, 1.0]], [[-1.0, -0.5]]], [[1, 0]])
    """
    turned = np.flip(x, _axes(flips)) * _signs(features, flips)
    return np.asarray(turned, dtype=np.float32), mirrored(label, flips)


def mirrored(values: NDArray[Any], flips: Flips) -> NDArray[Any]:
    """Reflect values that have no direction: pixels change places.

    Parameters
    ----------
    values : ndarray, shape (..., y, x)
    flips : Flips
    """
    return np.flip(values, _axes(flips)).copy()


def _axes(flips: Flips) -> tuple[int, ...]:
    pairs = ((flips.east_west, _EAST_WEST), (flips.north_south, _NORTH_SOUTH))
    return tuple(axis for wanted, axis in pairs if wanted)


def _signs(features: FeatureSet, flips: Flips) -> FloatArray:
    """1 or -1 for each channel, in the shape that broadcasts over a chip."""
    turned = {Mirror.EAST: flips.east_west, Mirror.NORTH: flips.north_south}
    signs = np.array([-1 if turned.get(own.mirror, False) else 1 for own in features.parsed], np.float32)
    return signs.reshape(_channel_shape(features))


def _channel_shape(features: FeatureSet) -> tuple[int, ...]:
    return (2, features.network_channels, 1, 1) if features.form == "pair" else (-1, 1, 1)
