"""A large generated stack, for measurements of memory and time.

Speckle is gamma distributed with 12 looks, rounded to 32 equally probable levels whose lower 16 bits
are 0, and drawn anew for every pixel, polarisation and date. Five bits of chance a pixel let the
GeoTIFFs shrink to a quarter (zstd level 1, no predictor) while the values keep the mean and, within a
few per cent, the spread of real speckle. One tile row is in memory at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.windows import Window
from scipy.special import gammaincinv

from headscarp.run_folder import block_cache
from headscarp.simulate.land.site import NORTH_M, WEST_M, generated_crs
from headscarp.simulate.radar.passes import ORBITS, passes_of

EVENT_DAY, LONGITUDE_DEG = "2024-06-15", 142.0

SEED = 7
"""Of the UTM zone in which generated ground lies."""
SPACING_M = 10.0
TILE_PX = 512
LEVELS = 32
LOOKS = 12.0
MEAN_GAMMA0 = {"VV": 0.1, "VH": 0.03}


def write_stack(folder: Path, size_px: int, dates: int, corner_px: int = 0) -> None:
    """Write dual-polarised ascending scenes, 12 days apart, half before and half after 2024-06-15.

    Parameters
    ----------
    folder : Path
        Made where it is missing; scenes of the same name are replaced.
    size_px : int
        Rows and columns of every file, at 10 m.
    dates : int
        How many scenes; of an odd number, the larger half comes after the event.
    corner_px : int
        Rows and columns by which the files lie south-east of the place where they lie by default.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pre = dates // 2
    for acquisition in passes_of(ORBITS[0], EVENT_DAY, pre, dates - pre, LONGITUDE_DEG):
        rng = np.random.default_rng(acquisition.acquired.toordinal())
        write_speckled(folder / f"{acquisition.name}.tif", size_px, corner_px, rng)


def write_speckled(path: Path, size_px: int, corner_px: int, rng: np.random.Generator) -> None:
    """Write one scene, a row of tiles at a time."""
    levels = np.stack([gamma_levels(mean) for mean in MEAN_GAMMA0.values()])
    with (
        block_cache(),
        rasterio.open(path, "w", **_profile(size_px, corner_px)) as scene,
    ):
        scene.descriptions = tuple(MEAN_GAMMA0)
        scene.update_tags(UNITS="linear power", headscarp="simulated")
        for top in range(0, size_px, TILE_PX):
            rows = min(TILE_PX, size_px - top)
            for band, level in enumerate(levels, start=1):
                pixels = level[rng.integers(0, LEVELS, (rows, size_px), dtype=np.uint8)]
                scene.write(pixels, band, window=Window(0, top, size_px, rows))


def gamma_levels(mean: float) -> NDArray[np.float32]:
    """Return equally probable levels of gamma speckle, of this mean, whose lower 16 bits are 0."""
    quantiles = gammaincinv(LOOKS, (np.arange(LEVELS) + 0.5) / LEVELS)
    level = np.asarray(quantiles * mean / quantiles.mean(), dtype=np.float32)
    return (level.view(np.uint32) + np.uint32(0x8000) & np.uint32(0xFFFF0000)).view(np.float32)


def _profile(size_px: int, corner_px: int) -> dict[str, Any]:
    shift_m = SPACING_M * corner_px
    transform = Affine(SPACING_M, 0.0, WEST_M + shift_m, 0.0, -SPACING_M, NORTH_M - shift_m)
    grid = {"height": size_px, "width": size_px, "crs": generated_crs(SEED), "transform": transform}
    layout = {"tiled": True, "blockxsize": TILE_PX, "blockysize": TILE_PX, "interleave": "band"}
    packing = {"compress": "zstd", "zstd_level": 1}
    return {"driver": "GTiff", "count": 2, "dtype": "float32", "nodata": np.nan} | grid | layout | packing
