"""Options of ``headscarp fetch``, and what can go wrong."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from headscarp.errors import HeadscarpError
from headscarp.ingest.sen12.facts import Release


class FetchError(HeadscarpError):
    """A data set that cannot be fetched, or is not what was published."""


class FetchOptions(BaseModel):
    """What to fetch of Sen12Landslides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str = Field("paulhoehn/Sen12Landslides", description="Data set on the Hugging Face hub.")
    revision: str = Field(
        "main", description="Branch, tag or commit; what is fetched is pinned to its commit."
    )
    release: Release = Field(
        Release.HARMONIZED, description="raw (linear power) or harmonized (dB): folder data_RELEASE."
    )
    sensors: tuple[str, ...] = Field(("s1asc", "s1dsc"), description="s1asc, s1dsc, s2; none: no patches.")
    tasks: bool = Field(True, description="Also the official splits and the low-quality list.")
    keep_archives: bool = Field(False, description="Keep archives after unpacking.")
