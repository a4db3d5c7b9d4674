"""Where chips lie: a regular lattice from the grid's first pixel, read region by region.

The lattice covers every pixel of the grid: chips at its right and lower edges may reach beyond it, where
nothing is observed. A region is as many chips as a tile of a map holds, so that a block of a file is read
about once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from affine import Affine
from odc.geo.geobox import GeoBox

from headscarp.grid import TILE_PX, Tile


class Corner(NamedTuple):
    """First pixel of a chip on the whole grid."""

    row: int
    col: int


class Region(NamedTuple):
    """Chips that are read together, and the ground they cover."""

    tile: Tile
    """May reach beyond the grid."""
    corners: tuple[Corner, ...]

    @property
    def name(self) -> str:
        """Rows and columns, told by the first and the last corner."""
        (row, col), (last_row, last_col) = self.corners[0], self.corners[-1]
        return f"{row}-{last_row},{col}-{last_col}"


def starts(length: int, size_px: int, stride_px: int) -> list[int]:
    """First pixels of the chips along one side: the fewest that leave no pixel out.

    Examples
    --------
    >>> starts(300, 128, 128), starts(256, 128, 64), starts(100, 128, 64)
    ([0, 128, 256], [0, 64, 128], [0])
    """
    return list(range(0, max(length - size_px + stride_px, 1), stride_px))


def regions(geobox: GeoBox, size_px: int, stride_px: int) -> Iterator[Region]:
    """Cut a grid into regions of chips, row by row; each chip is in one of them.

    Parameters
    ----------
    geobox : GeoBox
        The whole grid.
    size_px, stride_px : int
        Side of a chip, and from chip to chip.
    """
    together = max(1, TILE_PX // stride_px)
    rows, cols = (_groups(starts(n, size_px, stride_px), together) for n in geobox.shape)
    for own_rows in rows:
        for own_cols in cols:
            corners = tuple(Corner(row, col) for row in own_rows for col in own_cols)
            spans = [slice(own[0], own[-1] + size_px) for own in (own_rows, own_cols)]
            yield Region(Tile(part_of(geobox, *spans), *spans), corners)


def part_of(geobox: GeoBox, rows: slice, cols: slice) -> GeoBox:
    """Part of a grid by its rows and columns, which may reach beyond it."""
    shape = (rows.stop - rows.start, cols.stop - cols.start)
    return GeoBox(shape, geobox.transform @ Affine.translation(cols.start, rows.start), geobox.crs)


def _groups(values: list[int], count: int) -> list[list[int]]:
    return [values[i : i + count] for i in range(0, len(values), count)]
