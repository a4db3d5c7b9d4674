"""Stated variants: what a feature set sees beside the radar, and how that is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from headscarp.features.sets import FeatureSet
from headscarp.pipeline.sen12.optical import S2_CHANNELS

Variant = Literal["dem", "s2"]
DEM_CHANNELS = ("slope_deg", "height_m", "aspect_east", "aspect_north")
VARIANTS: dict[Variant, tuple[str, ...]] = {"dem": DEM_CHANNELS, "s2": S2_CHANNELS}
"""Channels that a variant adds; in a series they are the same at each date."""


def with_variants(
    features: FeatureSet, variants: Sequence[Variant], s2_offset: float | None = None
) -> FeatureSet:
    """A feature set with the channels of variants; its name says which, and the offset of Sentinel-2.

    Examples
    --------
    >>> from headscarp.features.sets import feature_set
    >>> with_variants(feature_set("group2"), ("dem", "s2"), -1000.0).name
    'group2_dem_s2_offset-1000'
    """
    name, channels = features.name, features.channels
    for variant in variants:
        name, channels = f"{name}_{variant}", (*channels, *VARIANTS[variant])
    if "s2" in variants and s2_offset is not None:
        name = f"{name}_offset{s2_offset:g}"
    return FeatureSet(name=name, form=features.form, channels=channels)
