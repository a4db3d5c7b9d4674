"""Square blocks of ground, the unit that a bootstrap draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.evaluate.intervals import IntervalOptions
from headscarp.grid import Tile, spacing_m

_GROWTH = 1.25


class TileBlocks(NamedTuple):
    """Blocks that a tile reaches."""

    image: NDArray[np.int64]
    """Index of each pixel's block among those of the tile."""
    places: NDArray[np.int64]
    """Index of each of the tile's blocks among all."""


class Blocks(NamedTuple):
    """Blocks of one ground: rows × columns of squares, row by row."""

    side_px: tuple[int, int]
    columns: int
    number: int
    offset: int
    """Number of blocks of the grounds before this one."""
    side_m: float

    def of_tile(self, tile: Tile) -> TileBlocks:
        """Blocks of a tile's pixels."""
        rows = np.arange(tile.rows.start, tile.rows.stop) // self.side_px[0]
        cols = np.arange(tile.cols.start, tile.cols.stop) // self.side_px[1]
        across = int(cols[-1] - cols[0]) + 1
        image = (rows - rows[0])[:, None] * across + (cols - cols[0])[None, :]
        own_rows, own_cols = np.arange(rows[0], rows[-1] + 1), np.arange(cols[0], cols[-1] + 1)
        places = self.offset + own_rows[:, None] * self.columns + own_cols[None, :]
        return TileBlocks(image.astype(np.int64), places.ravel().astype(np.int64))

    def of_pixels(self, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index among all blocks of pixels of the ground."""
        return self.offset + (rows // self.side_px[0]) * self.columns + cols // self.side_px[1]


def lay_blocks(grounds: Sequence[GeoBox], options: IntervalOptions) -> list[Blocks]:
    """Cut grounds into blocks; where there would be too many, all blocks grow.

    Parameters
    ----------
    grounds : sequence of GeoBox
    options : IntervalOptions
        Side in metres and the most blocks.

    Examples
    --------
    >>> from affine import Affine
    >>> ground = GeoBox((300, 200), Affine(10, 0, 0, 0, -10, 0), "EPSG:32654")
    >>> [(b.side_px, b.columns, b.number) for b in lay_blocks([ground], IntervalOptions())]
    [((128, 128), 2, 6)]
    """
    side_m = options.block_m
    while True:
        laid = [_lay(ground, side_m) for ground in grounds]
        if sum(blocks.number for blocks in laid) <= max(options.max_blocks, len(grounds)):
            break
        side_m *= _GROWTH
    offsets = np.cumsum([0, *(blocks.number for blocks in laid)])
    return [blocks._replace(offset=int(offset)) for blocks, offset in zip(laid, offsets, strict=False)]


def _lay(ground: GeoBox, side_m: float) -> Blocks:
    x_m, y_m = (float(np.mean(spacing)) for spacing in spacing_m(ground))
    side_px = max(1, round(side_m / y_m)), max(1, round(side_m / x_m))
    rows, columns = -(-ground.shape[0] // side_px[0]), -(-ground.shape[1] // side_px[1])
    return Blocks(side_px, columns, rows * columns, 0, side_m)
