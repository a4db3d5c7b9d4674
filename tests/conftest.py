"""What every test shares: real data, and small generated scenes."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
DATA_VARIABLE = "HEADSCARP_TEST_DATA"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real products; in CI its absence is a failure, in a user's clone a skip."""
    folder = Path(os.environ.get(DATA_VARIABLE, ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        message = f"no real test data at {folder}; set {DATA_VARIABLE} to their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


WriteScene = Callable[..., Path]


@pytest.fixture
def write_scene() -> WriteScene:
    """Writer of a small GeoTIFF scene, north up, one band a polarisation."""

    def write(
        path: Path,
        bands: dict[str, NDArray[Any]],
        *,
        left: float = 580000.0,
        top: float = 4730000.0,
        spacing: float = 20.0,
        crs: str = "EPSG:32654",
        nodata: float | None = np.nan,
        tags: dict[str, str] | None = None,
        describe: bool = True,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        first = next(iter(bands.values()))
        with rasterio.open(
            path, "w", driver="GTiff", height=first.shape[0], width=first.shape[1], count=len(bands),
            dtype=first.dtype, crs=crs, nodata=nodata,
            transform=Affine(spacing, 0, left, 0, -spacing, top),
        ) as dataset:  # fmt: skip
            for index, (name, values) in enumerate(bands.items(), start=1):
                dataset.write(values, index)
                if describe:
                    dataset.set_band_description(index, name)
            dataset.update_tags(**(tags or {}))
        return path

    return write


def speckled(
    rng: np.random.Generator, shape: tuple[int, int], mean: float, looks: float = 12.0
) -> NDArray[np.float32]:
    """Linear power of homogeneous ground under gamma speckle."""
    return rng.gamma(looks, mean / looks, shape).astype(np.float32)


def scene_name(acquired: datetime, orbit_state: str = "ASC", relative_orbit: int = 68) -> str:
    """Name that the plain GeoTIFF reader parses."""
    return f"S1A_{acquired:%Y%m%dT%H%M%S}_{orbit_state}_R{relative_orbit:03d}.tif"
