"""Blocks of a pass, each kept in a work folder as soon as it is done, so that a stopped run goes on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.backscatter.angles import local_incidence, look_at
from headscarp.backscatter.correct import Image, correct_block
from headscarp.backscatter.flatten import HALO_PX as FOLD_PX
from headscarp.backscatter.flatten import flattening
from headscarp.backscatter.heights import Ground
from headscarp.backscatter.options import BackscatterOptions
from headscarp.geometry.terrain import HALO_PX
from headscarp.geometry.visibility import View, view_mask
from headscarp.grid import Tile, expand, spacing_m
from headscarp.vocabulary import Polarization

FloatArray = NDArray[np.float32]

VIEW_HALO_PX = 256
"""Ground around a block that may lie over it or hide it: 2.5 km at 10 m."""
_CLAIM = "claim"


class Block(NamedTuple):
    """What a block of the map came to."""

    power: FloatArray
    """Shape (polarisation, y, x)."""
    local_incidence_deg: FloatArray
    view: NDArray[np.uint8]
    at_floor: int


@dataclass(frozen=True)
class BlockMaker:
    """Makes the blocks of a pass."""

    images: tuple[Image, ...]
    polarizations: tuple[Polarization, ...]
    ground: Ground
    geobox: GeoBox
    """The whole grid."""
    pixel_m: float
    options: BackscatterOptions

    def make(self, tile: Tile) -> Block | None:
        """Process one block; none where the DEM has no heights or no slice sees it."""
        halo = self._halo_px()
        wide_m = self.ground.read(expand(tile.geobox, halo))
        height_m = _inner(wide_m, halo)
        if not np.isfinite(height_m).any():
            return None
        scale = self._flattening(tile, wide_m, halo) if self.options.flatten else None
        done = correct_block(self.images, self.polarizations, tile.geobox, height_m, self.pixel_m, scale)
        if not np.isfinite(done.power).any():
            return None
        near_m = _inner(wide_m, halo - HALO_PX)
        angle = local_incidence(self.images[0].imaging, tile.geobox, near_m)
        return Block(done.power, angle, self._view(tile, wide_m, halo), done.at_floor)

    def _halo_px(self) -> int:
        """Ground that is read around a block."""
        needed = [HALO_PX]
        needed += [FOLD_PX + HALO_PX] if self.options.flatten else []
        needed += [VIEW_HALO_PX] if self.options.visibility else []
        return max(needed)

    def _flattening(self, tile: Tile, wide_m: FloatArray, halo: int) -> dict[int, FloatArray]:
        wide = expand(tile.geobox, halo - HALO_PX)
        return {
            number: _inner(flattening(image.imaging, wide, wide_m), halo - HALO_PX)
            for number, image in enumerate(self.images)
        }

    def _view(self, tile: Tile, wide_m: FloatArray, halo: int) -> NDArray[np.uint8]:
        if not self.options.visibility:
            return np.full(tile.shape, int(View.UNKNOWN), np.uint8)
        imaging = self.images[0].imaging
        wide = expand(tile.geobox, halo)
        low_m, high_m = float(np.nanmin(wide_m)), float(np.nanmax(wide_m))
        incidence = look_at(imaging, wide, low_m, high_m).incidence_deg.at(wide_m)
        whole = look_at(imaging, self.geobox, low_m, high_m)
        mask = view_mask(wide_m, spacing_m(wide), whole.azimuth_deg, incidence)
        return mask[halo:-halo, halo:-halo]


class Store:
    """Finished blocks in a work folder; those of another run are thrown away.

    Parameters
    ----------
    folder : Path
    claim : str
        Of what the blocks follow from: options, inputs, grid.
    """

    def __init__(self, folder: Path, claim: str) -> None:
        self.folder = folder
        known = folder / _CLAIM
        if known.is_file() and known.read_text(encoding="utf-8") == claim:
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        known.write_text(claim, encoding="utf-8")

    def has(self, tile: Tile) -> bool:
        """Whether a block was finished."""
        return self._path(tile).is_file()

    def write(self, tile: Tile, block: Block | None) -> None:
        """Keep a block; it stands there whole or not at all."""
        path = self._path(tile)
        beside = path.with_suffix(".part")
        with beside.open("wb") as file:
            if block is not None:
                np.savez(
                    file,
                    power=block.power,
                    local_incidence_deg=block.local_incidence_deg,
                    view=block.view,
                    at_floor=np.array(block.at_floor),
                )
        beside.replace(path)

    def read(self, tile: Tile) -> Block | None:
        """A finished block; none where there is nothing in it."""
        path = self._path(tile)
        if path.stat().st_size == 0:
            return None
        with np.load(path) as parts:
            return Block(parts["power"], parts["local_incidence_deg"], parts["view"], int(parts["at_floor"]))

    def remove(self) -> None:
        """Throw the work away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, tile: Tile) -> Path:
        return self.folder / f"{tile.rows.start:06d}_{tile.cols.start:06d}.npz"


def _inner(values: FloatArray, margin: int) -> FloatArray:
    return values[margin:-margin, margin:-margin] if margin else values
