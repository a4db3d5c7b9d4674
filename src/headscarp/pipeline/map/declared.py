"""What a set of features asks of the land, held against what the options declare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from headscarp.config import StackOptions
from headscarp.errors import OptionsError
from headscarp.features.channels import GROUND_NEEDS, RASTER
from headscarp.features.sets import FeatureSet
from headscarp.ingest.raster import readable


def holds_codes(path: Path) -> bool:
    """Whether a raster holds whole numbers: codes of categories, which are never blended."""
    with readable(path), rasterio.open(path) as source:
        return bool(np.issubdtype(np.dtype(source.dtypes[0]), np.integer))


def refuse_undeclared(features: FeatureSet, options: StackOptions, whose: str) -> None:
    """Refuse features of a DEM or of rasters that the options do not give.

    Parameters
    ----------
    features : FeatureSet
    options : StackOptions
    whose : str
        Event, or map, in the error's words.

    Raises
    ------
    OptionsError
        If the DEM or a raster is missing, or categories are asked of a raster of fractions.
    """
    ground = [need for need in features.needs if need in GROUND_NEEDS]
    if ground and options.terrain.dem is None:
        raise OptionsError(
            f"a DEM for {', '.join(ground)} of the features {features.name}",
            f"none for {whose}",
            "the network would not see what it is trained on",
            "give terrain.dem, or leave these channels out of the features",
        )
    names = {need.removeprefix(RASTER) for need in features.needs if need.startswith(RASTER)}
    missing = sorted(names - options.rasters.keys())
    if missing:
        raise OptionsError(
            f"a raster for each of {', '.join(sorted(RASTER + name for name in names))}",
            f"none named {', '.join(missing)} for {whose}",
            "the network would not see what it is trained on",
            "declare it: rasters: {" + f"{missing[0]}: PATH" + "}",
        )
    for name in sorted({_raster_of(own) for own in features.channels if _is_category(own)}):
        _refuse_fractions(name, options.rasters[name])


def _is_category(channel: str) -> bool:
    return channel.startswith(RASTER) and "=" in channel


def _raster_of(channel: str) -> str:
    return channel.removeprefix(RASTER).partition("=")[0]


def _refuse_fractions(name: str, path: Path) -> None:
    if not holds_codes(path):
        raise OptionsError(
            f"codes in whole numbers in the raster {name}, of which one category is asked",
            f"{path}, which holds fractions",
            "codes would be blended where the grids differ, and the blend is another category",
            f"write it as integers: gdal_translate -ot Int32 {path.name} codes.tif",
        )
