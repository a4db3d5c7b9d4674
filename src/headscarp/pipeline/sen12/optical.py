"""Sentinel-2 beside the radar: medians of clear dates before and after the event, as declared rasters.

==============================  =================================================================
``raster:s2_ndvi_pre, _post``   NDVI of each clear date, then the median over dates
``raster:s2_{band}_pre, _post`` reflectance of a band, the median over clear dates
==============================  =================================================================

``{band}`` is b02 to b08, b8a, b11 or b12. A date is clear at a pixel where the scene classification calls it
neither no data, saturated, cloud shadow, cloud, cirrus nor snow (:class:`headscarp.ingest.ndvi.SceneClass`).
Reflectance is :math:`(d + o) / 10000` of the digital number *d*, at least 0; 0 is no data. The offset *o* is
declared: patches do not state it, and a date does not tell it (:mod:`headscarp.ingest.sentinel2`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.errors import OptionsError
from headscarp.features.change import Split, median_power
from headscarp.features.channels import RASTER, FloatArray
from headscarp.features.sets import FeatureSet
from headscarp.ingest.ndvi import SceneClass, ndvi_of
from headscarp.ingest.sen12.facts import PatchError
from headscarp.ingest.sen12.folder import Patches
from headscarp.ingest.sen12.patch import QUANTIFICATION, S2_BANDS, SCL

S2 = "s2"
Side = Literal["pre", "post"]
RED, NIR = "B04", "B08"
S2_CHANNELS = tuple(
    f"{RASTER}s2_{name}_{side}" for side in ("pre", "post") for name in ("ndvi", "b04", "b08", "b11")
)
"""What the variant s2 adds: the index, red and near infrared that it is made of, and short-wave infrared."""
_NAME = re.compile(rf"{RASTER}s2_(ndvi|{'|'.join(S2_BANDS).lower()})_(pre|post)")


class OpticalSource(NamedTuple):
    """Where Sentinel-2 comes from, and the offset of its digital numbers."""

    patches: Patches
    offset: float


def optical_needs(features: FeatureSet) -> tuple[str, ...]:
    """Variables of a feature set that Sentinel-2 gives."""
    return tuple(need for need in features.needs if _NAME.fullmatch(need))


def declared_offset(features: FeatureSet, offset: float | None) -> float | None:
    """The offset, where the features need one.

    Raises
    ------
    OptionsError
        If they do and none is declared.
    """
    if not optical_needs(features):
        return None
    if offset is None:
        raise OptionsError(
            "the reflectance offset of the Sentinel-2 patches, declared (s2_offset)",
            "none",
            "patches do not state it; with another processing's, NDVI of forest is wrong by about 0.3",
            "give --s2-offset, in digital numbers: -1000, or 0 where it is applied already or there is none",
        )
    return offset


def optical_layers(
    patch: xr.Dataset, split: Split, needs: Collection[str], offset: float
) -> dict[str, FloatArray]:
    """Medians of clear dates; NaN where a side has none.

    Parameters
    ----------
    patch : Dataset
        Of Sentinel-2, as :func:`headscarp.ingest.sen12.patch.read_patch` gives it.
    split : Split
        Its dates before and after.
    needs : collection of str
        Names as in the module.
    offset : float
        Added to digital numbers.

    Returns
    -------
    dict of str to float32 ndarray, shape (y, x)

    Raises
    ------
    PatchError
        If the patch has no scene classes: clouds could not be told.
    """
    clear = clear_dates(patch)
    layers = {}
    for need in needs:
        found = _NAME.fullmatch(need)
        if found is not None:
            dates = list(split.pre if found[2] == "pre" else split.post)
            values = _values(patch.isel(time=dates), found[1], offset)
            layers[need] = median_power(np.where(clear[dates], values, np.float32(np.nan)))[0]
    return layers


def clear_dates(patch: xr.Dataset) -> NDArray[np.bool_]:
    """Where each date shows the ground, shape (time, y, x), by the scene classes.

    Raises
    ------
    PatchError
        If the patch has none.
    """
    if SCL not in patch:
        raise PatchError(
            "scene classes (SCL) in a Sentinel-2 patch",
            "none",
            "clouds could not be told from ground",
            "fetch the patch again; leave it out if it stays so",
        )
    hidden = np.isin(patch[SCL].values, [int(own) for own in SceneClass])
    return np.asarray(~hidden)


def hidden_px(layers: dict[str, FloatArray]) -> tuple[int, int]:
    """Pixels that no clear date shows before and after, by the layers at hand."""
    counts = [0, 0]
    for place, side in enumerate(("pre", "post")):
        own = [values for name, values in layers.items() if name.endswith(f"_{side}")]
        if own:
            counts[place] = int((~np.isfinite(own)).all(axis=0).sum())
    return counts[0], counts[1]


def _values(patch: xr.Dataset, what: str, offset: float) -> FloatArray:
    """NDVI or reflectance of each date."""
    if what == "ndvi":
        return ndvi_of(_reflectance(patch, RED, offset), _reflectance(patch, NIR, offset))
    return _reflectance(patch, what.upper(), offset)


def _reflectance(patch: xr.Dataset, band: str, offset: float) -> FloatArray:
    stored = patch[band].values
    values = np.maximum((stored + np.float32(offset)) / np.float32(QUANTIFICATION), 0)
    return np.where(stored > 0, values, np.float32(np.nan)).astype(np.float32)
