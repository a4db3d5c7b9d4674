"""What a simulated event is made of: the options of ``headscarp simulate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Trigger(StrEnum):
    """What set the landslides off: it varies their number, clustering and runout, not the law of areas."""

    EARTHQUAKE = "earthquake"
    RAIN = "rain"


class Product(StrEnum):
    """Which backscatter the scenes hold."""

    RTC = "rtc"
    """gamma0, radiometrically terrain corrected."""
    GTC = "gtc"
    """sigma0 of the ellipsoid, geometrically terrain corrected only: slopes stay bright and dark."""
    SAFE = "safe"
    """Digital numbers in the geometry of the radar, as GRD products on a real annotation."""


class Distractor(StrEnum):
    """What changes backscatter and is no landslide."""

    HARVEST = "harvest"
    CLEAR_CUT = "clear-cut"
    FLOOD = "flood"
    WET_SNOW = "wet-snow"
    SOIL_MOISTURE = "soil-moisture"
    BUILDING = "building"


class SimulateOptions(BaseModel):
    """Options of ``headscarp simulate``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(7, ge=0, description="One seed, one event.")
    size_px: int | None = Field(
        None, ge=64, description="Rows and columns of the scenes; none: 512, or all of a given DEM."
    )
    spacing_m: float = Field(10.0, gt=0.0, le=100.0, description="Metres from pixel to pixel.")
    dem: Path | None = Field(None, description="DEM of the ground, in metres; none: terrain is generated.")
    date: str = Field("2024-06-15", description="Day of the event; scenes are some days before and after it.")
    pre: int = Field(8, ge=1, le=200, description="Dates before the event, of each orbit, every 12 days.")
    post: int = Field(3, ge=1, le=200, description="Dates after the event, of each orbit, every 12 days.")
    landslides: int | None = Field(
        None, ge=0, description="Number of landslides; none: as many as the trigger brings to this ground."
    )
    trigger: Trigger = Field(
        Trigger.EARTHQUAKE, description="What sets the landslides off: earthquake or rain."
    )
    shapes: Path | None = Field(
        None, description="Inventory whose outlines are used instead of generated landslides."
    )
    product: Product = Field(
        Product.RTC,
        description="Scenes: backscatter as GeoTIFF, rtc (gamma0) or gtc (sigma0); or safe: GRD products.",
    )
    annotation: Path | None = Field(
        None,
        description="Real IW GRD product (.SAFE or zip) in the middle of which the event lies, seen by its "
        "orbit alone; safe needs one. Its annotation is copied, its image is not used.",
    )
    looks: float | None = Field(
        None, ge=1.0, description="Equivalent number of looks; none: that of Sentinel-1 GRD at this spacing."
    )
    jitter_m: float = Field(
        0.0, ge=0.0, le=20.0, description="Standard deviation of each scene's geolocation, metres."
    )
    without: tuple[Distractor, ...] = Field(
        (),
        description="Changes that are no landslides to leave out, any of: "
        + ", ".join(Distractor)
        + "; on the command line once for each.",
    )
