"""The schema of ``backscatter.json``: what was processed, by which steps, with what in each file."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from headscarp.backscatter.options import BackscatterOptions
from headscarp.errors import OutputError
from headscarp.record import StageRecord

BACKSCATTER_JSON = "backscatter.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SliceRecord(_Frozen):
    """One product and what was found in it."""

    product: str
    processed: str
    noise: dict[str, str]
    """By polarisation: what was done about thermal noise."""
    orbit: str
    orbit_residual_m: float
    border_samples: dict[str, int]
    """By polarisation: samples of the window dropped as border noise."""


class AcquisitionRecord(_Frozen):
    """One pass and its file."""

    file: str
    acquired: str
    platform: str
    orbit_state: str
    relative_orbit: int | None
    polarizations: list[str]
    slices: list[SliceRecord]
    observed_share: float
    """Of the pixels of the grid, in any polarisation."""
    floor_share: float
    """Of the observed values: those no brighter than a tenth of the noise."""
    claim: str
    """Hash of all that its pixels follow from; the same hash, and it need not be made again."""


class BackscatterRecord(_Frozen):
    """What ``backscatter.json`` holds."""

    headscarp: str
    commit: str | None
    command: list[str]
    options: BackscatterOptions
    crs: str
    rows: int
    columns: int
    spacing: float
    grid_source: str
    heights: str
    dem_coverage: float
    """Share of the grid for which the DEM has heights."""
    left_out: dict[str, str]
    """Products that were not used, and why."""
    acquisitions: list[AcquisitionRecord]
    stages: list[StageRecord]


def write_backscatter_record(folder: Path, record: BackscatterRecord) -> None:
    """Write ``backscatter.json``."""
    (folder / BACKSCATTER_JSON).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_backscatter_record(folder: Path) -> BackscatterRecord:
    """Read ``backscatter.json``.

    Raises
    ------
    OutputError
        If the folder holds none.
    """
    path = folder / BACKSCATTER_JSON
    try:
        return BackscatterRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise OutputError(
            "a folder that `headscarp backscatter` wrote",
            f"{folder} ({str(error).splitlines()[0]})",
            "how its files were made is not known",
            "give the folder that was passed to --out",
        ) from error
