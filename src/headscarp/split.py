"""What a split into training, validation and test is: chips with an identity and a place.

One file holds every chip that a model may see, and the split it belongs to. Whoever trains, evaluates or
audits reads the same file; ``docs/audit.md`` shows one.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pyproj import CRS
from pyproj.exceptions import CRSError

from headscarp.errors import HeadscarpError
from headscarp.grid import Bounds

SplitName = Literal["train", "validation", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "validation", "test")
FORMAT_VERSION: Literal[1] = 1


class SplitError(HeadscarpError):
    """A split that cannot be read, or that contradicts itself."""


class Chip(BaseModel):
    """One chip of a split: who it is, where it lies, what it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str = Field(min_length=1, description="Name of the place; one place has one id in every series.")
    split: SplitName = Field(description="train, validation or test.")
    event: str = Field(min_length=1, description="Event, or inventory, that the chip shows.")
    region: str | None = Field(None, description="Part of the event, where its source names one.")
    series: str = Field("", description="What is stacked in the chip: s1asc, s1dsc, aligned, …")
    crs: str = Field(description="Projected CRS in metres, such as EPSG:32654.")
    bounds: Bounds = Field(description="Left, bottom, right, top: outer pixel edges, m in the CRS.")
    landslide_px: int | None = Field(None, ge=0, description="Landslide pixels; none: not known.")
    px: int | None = Field(None, gt=0, description="Pixels in all; none: not known.")
    low_quality: bool = Field(False, description="On a list of chips not to be trusted.")
    content_sha256: str | None = Field(None, description="Of the chip's arrays, to tell duplicates.")

    @field_validator("crs")
    @classmethod
    def _projected_in_metres(cls, crs: str) -> str:
        problem = _crs_problem(crs)
        if problem:
            raise ValueError(problem)
        return crs

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        left, bottom, right, top = self.bounds
        if not (left < right and bottom < top):
            raise ValueError("bounds are left, bottom, right, top, with left < right and bottom < top")
        if self.px is not None and (self.landslide_px or 0) > self.px:
            raise ValueError("landslide_px exceeds px")
        return self


class SplitFile(BaseModel):
    """A split as a file: how it was made, and every chip."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format_version: Literal[1] = FORMAT_VERSION
    name: str = Field(min_length=1, description="Name of the split.")
    seed: int | None = Field(None, description="Seed of the drawing; none: not drawn, or not known.")
    made: dict[str, str | int | float | bool | None] = Field(
        default_factory=dict, description="How it was made: method, its options, its source."
    )
    spacing_m: float = Field(gt=0, description="Pixel size of the chips, m.")
    chips: tuple[Chip, ...] = Field(min_length=1, description="Every chip.")

    @property
    def tolerance_m(self) -> float:
        """Half a pixel: chips this near to each other touch."""
        return self.spacing_m / 2.0


def read_split(path: Path) -> SplitFile:
    """Read a split file.

    Raises
    ------
    SplitError
        If the file cannot be read, is no JSON, or breaks the format.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SplitError(
            "a split file, or a folder of Sen12Landslides splits",
            f"{path} ({getattr(error, 'strerror', None) or error})",
            "there are no chips to read",
            "check the path",
        ) from error
    try:
        return SplitFile.model_validate_json(text)
    except ValidationError as error:
        raise _explain(error, path) from None


def write_split(path: Path, split: SplitFile) -> None:
    """Write a split file, one chip a line; it appears whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(split_json(split), encoding="utf-8")
    beside.replace(path)


def split_json(split: SplitFile) -> str:
    """Split as JSON, one chip a line, so that two versions can be compared."""
    head = json.dumps(split.model_dump(mode="json", exclude={"chips"}), indent=2, ensure_ascii=False)
    chips = ",\n".join(f"    {chip.model_dump_json()}" for chip in split.chips)
    opened = head.removesuffix("\n}")
    return f'{opened},\n  "chips": [\n{chips}\n  ]\n}}\n'


@lru_cache(maxsize=256)
def _crs_problem(text: str) -> str | None:
    """What speaks against a CRS; none: it is projected and counts in metres."""
    try:
        crs = CRS.from_user_input(text)
    except CRSError:
        return "a CRS that PROJ knows, such as EPSG:32654"
    factors = [axis.unit_conversion_factor for axis in crs.axis_info]
    in_metres = all(math.isclose(factor, 1.0) for factor in factors)
    return None if crs.is_projected and in_metres else "a projected CRS in metres, such as UTM"


def _explain(error: ValidationError, path: Path) -> SplitError:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return SplitError(
            "a split file in JSON",
            f"{path} ({message})",
            "the chips and their splits cannot be told",
            "write it with headscarp.split.write_split, or fetch the file again",
        )
    place = ".".join(map(str, first["loc"])) or "the whole file"
    more = f"; {error.error_count() - 1} more" if error.error_count() > 1 else ""
    return SplitError(
        f"{place}: {message[0].lower()}{message[1:]}",
        f"{_short(first['input'])} in {path}{more}",
        "a chip without identity, split or place cannot be audited or trained on",
        "see docs/audit.md for the format of a split file",
    )


def _short(value: object, limit: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "…"
