"""A small event of both orbit states, as files, with one landslide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

EVENT_DATE = "2024-06-15"
SIZE_PX = 128
LANDSLIDE = (slice(40, 52), slice(60, 70))
TIMES = {"ASC": (68, (8, 30)), "DSC": (46, (20, 40))}


@dataclass(frozen=True)
class SmallEvent:
    """Folders and files of the small event."""

    scenes: Path
    dem: Path


def acquired(orbit: str, step: int) -> datetime:
    """Time of a pass: step 0 is the first after the event, every 12 days."""
    _, (hour, minute) = TIMES[orbit]
    return datetime(2024, 6, 18, hour, minute, tzinfo=UTC) + timedelta(days=12 * step)


def backscatter(
    rng: np.random.Generator, mean: float, looks: float = 12.0, loss_db: float = 0.0
) -> NDArray[np.float32]:
    """Speckled homogeneous ground with a landslide that loses some decibels."""
    ground = np.full((SIZE_PX, SIZE_PX), mean)
    ground[LANDSLIDE] *= 10 ** (-loss_db / 10)
    return (ground * rng.gamma(looks, 1 / looks, ground.shape)).astype(np.float32)


def scene_path(folder: Path, orbit: str, step: int) -> Path:
    """File name that the plain GeoTIFF reader parses."""
    return folder / f"S1A_{acquired(orbit, step):%Y%m%dT%H%M%S}_{orbit}_R{TIMES[orbit][0]:03d}.tif"


def scene_bands(seed: int, step: int) -> dict[str, NDArray[np.float32]]:
    """VV and VH of one pass; the landslide is there from step 0 on."""
    rng = np.random.default_rng([seed, step + 100])
    slid = step >= 0
    return {
        "VV": backscatter(rng, 0.12, loss_db=2.0 * slid),
        "VH": backscatter(rng, 0.03, loss_db=5.0 * slid),
    }


@pytest.fixture
def small_event(tmp_path: Path, write_scene: Callable[..., Path]) -> SmallEvent:
    """Eight dates before and three after, ascending and descending, and a DEM of one slope."""
    scenes = tmp_path / "scenes"
    for seed, orbit in enumerate(TIMES):
        for step in range(-8, 3):
            write_scene(scene_path(scenes, orbit, step), scene_bands(seed, step))
    x = np.arange(SIZE_PX + 20) * 20.0
    height = np.broadcast_to(300.0 + 0.5 * x, (SIZE_PX + 20, SIZE_PX + 20)).astype(np.float32)
    dem = write_scene(
        tmp_path / "dem.tif", {"height": height}, left=580000.0 - 200, top=4730000.0 + 200, nodata=-9999.0
    )
    return SmallEvent(scenes, dem)


def read_band(path: Path, band: int = 1) -> NDArray[Any]:
    """One band of a raster."""
    with rasterio.open(path) as source:
        return np.asarray(source.read(band))
