"""Options of a prediction of NDVI; read by commands that need no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headscarp.features.composite import Moment


class NdviPrediction(BaseModel):
    """Which network predicts, of which moment, and how the area is cut."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: Path | None = Field(
        None, description="Network of NDVI that headscarp train wrote: best.safetensors."
    )
    moment: Moment = Field("post", description="pre or post: of the scenes before the event, or after it.")
    tiling: Literal["halo", "blend"] = Field(
        "halo",
        description="halo: blocks with all that their values depend on, as the whole in one go; blend: "
        "windows that overlap by half, blended.",
    )
    window_px: int = Field(128, ge=32, multiple_of=32, description="Side of the windows of blend, pixels.")
