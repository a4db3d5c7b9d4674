"""The files of a pass, from its blocks: backscatter, and beside it local incidence, layover and shadow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from rasterio.windows import Window

from headscarp.backscatter.record import AcquisitionRecord, BackscatterRecord
from headscarp.backscatter.tags import acquisition_tags
from headscarp.geometry.visibility import View
from headscarp.grid import TILE_PX, Tile, crs_wkt
from headscarp.pipeline.backscatter.blocks import Block, Store
from headscarp.pipeline.backscatter.plan import Pass, Plan

GEOMETRY = "geometry"
"""Folder of what lies beside the backscatter: local incidence angle, layover and shadow."""
_BITS = {
    View.ACTIVE_LAYOVER: "active layover",
    View.PASSIVE_LAYOVER: "passive layover",
    View.ACTIVE_SHADOW: "active shadow",
    View.PASSIVE_SHADOW: "passive shadow",
    View.UNKNOWN: "unknown",
}


def files_of(file: str) -> tuple[str, str, str]:
    """Files of a pass, by that of its backscatter: backscatter, local incidence, layover and shadow."""
    return file, f"{GEOMETRY}/local_incidence_{file}", f"{GEOMETRY}/layover_shadow_{file}"


class Sums(NamedTuple):
    """Counts over the blocks of a pass."""

    observed: int
    values: int
    at_floor: int


def write_pass(folder: Path, one: Pass, plan: Plan, store: Store, every: list[Tile]) -> Sums:
    """Write the files of a pass from its blocks, and count."""
    pols = one.acquisition.polarizations
    places = [folder / name for name in files_of(f"{one.acquisition.name}.tif")]
    observed = values = at_floor = 0
    with (
        _raster(places[0], plan, "float32", np.nan, pols) as power,
        _raster(places[1], plan, "float32", np.nan, ("local incidence angle",)) as angle,
        _raster(places[2], plan, "uint8", int(View.UNKNOWN), ("layover and shadow",)) as view,
    ):
        angle.update_tags(UNITS="degrees")
        view.update_tags(**{f"BIT_{bit.value}": words for bit, words in _BITS.items()})
        for tile in every:
            block = store.read(tile)
            if block is not None:
                _write_block(tile, block, power, angle, view)
                seen = np.isfinite(block.power)
                observed += int(seen.any(axis=0).sum())
                values += int(seen.sum())
                at_floor += block.at_floor
    return Sums(observed, values, at_floor)


def _write_block(
    tile: Tile,
    block: Block,
    power: rasterio.io.DatasetWriter,
    angle: rasterio.io.DatasetWriter,
    view: rasterio.io.DatasetWriter,
) -> None:
    window = Window.from_slices(tile.rows, tile.cols)
    power.write(block.power, window=window)
    angle.write(block.local_incidence_deg, 1, window=window)
    view.write(block.view, 1, window=window)


@contextmanager
def _raster(
    path: Path, plan: Plan, dtype: str, nodata: float, bands: tuple[str, ...]
) -> Iterator[rasterio.io.DatasetWriter]:
    rows, cols = plan.geobox.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=rows, width=cols, count=len(bands), dtype=dtype, nodata=nodata,
        crs=crs_wkt(plan.geobox), transform=plan.geobox.transform, tiled=True, blockxsize=TILE_PX,
        blockysize=TILE_PX, compress="deflate", zlevel=1, interleave="band", sparse_ok=True,
        bigtiff="if_safer", num_threads="ALL_CPUS",
    ) as raster:  # fmt: skip
        raster.descriptions = bands
        yield raster


def tag_pass(folder: Path, one: Pass, done: AcquisitionRecord, record: BackscatterRecord) -> None:
    """Write every fact of a pass into the tags of its file."""
    with rasterio.open(folder / done.file, "r+") as raster:
        raster.update_tags(**acquisition_tags(one.acquisition, done, record))
