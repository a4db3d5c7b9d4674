"""What a trained detector scores at once: blocks with their halo, put together from the tiles around them.

The halo of a network is wide, and each block pays for it once more. So tiles are read without a halo, and a
block of several, with what lies around it, is put together from their files. Beyond the grid, and where no
tile holds anything, nothing was observed: NaN. Scores are cut back onto the tiles and kept beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.detect.protocol import FittedTrained, TrainedDetector
from headscarp.features.change import Change
from headscarp.grid import Tile, tiles
from headscarp.pipeline.map.stored import StoredTile
from headscarp.pipeline.stages import Stages


class Block(NamedTuple):
    """Ground that is scored at once, and the stored tiles that lie on it."""

    tile: Tile
    members: tuple[StoredTile, ...]


def plan_blocks(geobox: GeoBox, stored: Sequence[StoredTile], block_px: int) -> list[Block]:
    """Cut a grid into blocks of whole tiles; blocks without a stored tile are left out.

    Parameters
    ----------
    geobox : GeoBox
        The whole grid.
    stored : sequence of StoredTile
    block_px : int
        Side of a block, a multiple of the side of a tile.
    """
    members: dict[tuple[int, int], list[StoredTile]] = {}
    for own in stored:
        place = own.tile.rows.start // block_px, own.tile.cols.start // block_px
        members.setdefault(place, []).append(own)
    return [
        Block(tile, tuple(members[place]))
        for tile in tiles(geobox, block_px)
        if (place := (tile.rows.start // block_px, tile.cols.start // block_px)) in members
    ]


def score_blocks(
    geobox: GeoBox,
    stored: Sequence[StoredTile],
    detector: TrainedDetector,
    fitted: FittedTrained,
    stages: Stages,
    pseudo: bool = False,
) -> None:
    """Score all ground, block by block, and keep the scores with the tiles; what is kept already stays.

    Blocks are put together on all cores, and scored one after the other on the caller's thread: one
    inference at a time has all cores of torch, and its memory.

    Parameters
    ----------
    geobox : GeoBox
        The whole grid.
    stored : sequence of StoredTile
    detector : TrainedDetector
        Its blocks and halo.
    fitted : FittedDetector
    stages : Stages
        Told of the progress.
    pseudo : bool
        Score the pseudo-event instead of the event.
    """
    blocks = plan_blocks(geobox, stored, detector.block_px)
    halo = detector.halo_px

    def gather(block: Block) -> tuple[Block, Change | None]:
        if all(own.has_score(pseudo) for own in block.members):
            return block, None
        return block, read_window(stored, block.tile, halo, pseudo)

    name = "scoring the pseudo-event" if pseudo else "scoring"
    for block, window in stages.map(name, gather, blocks):
        if window is not None:
            score = fitted.score_inside(window, halo)
            for own in block.members:
                own.keep_score(cut_back(score, block.tile, own.tile), pseudo)


def read_window(
    stored: Sequence[StoredTile], tile: Tile, halo_px: int, pseudo: bool = False
) -> Change | None:
    """Change of some ground and what lies around it, put together from the tiles; none where none has any.

    Parameters
    ----------
    stored : sequence of StoredTile
        Of the whole grid.
    tile : Tile
        The ground, any part of the grid.
    halo_px : int
        Pixels around it.
    pseudo : bool
        Of the pseudo-event instead of the event.

    Returns
    -------
    Dataset or None
        On the ground and its halo; NaN, or 0 for counts, where nothing is stored.
    """
    corner = tile.rows.start - halo_px, tile.cols.start - halo_px
    shape = tile.shape[0] + 2 * halo_px, tile.shape[1] + 2 * halo_px
    window: Change | None = None
    for own in stored:
        rows, cols = _common(own.tile.rows, corner[0], shape[0]), _common(own.tile.cols, corner[1], shape[1])
        change = own.change(pseudo) if rows and cols else None
        if change is None or rows is None or cols is None:
            continue
        inner = own.inner_change(change)
        window = _nothing_like(inner, shape) if window is None else window
        for name, values in window.items():
            if values.dims[-2:] == ("y", "x"):
                part = inner[name].values[..., rows.own, cols.own]
                values.values[..., rows.window, cols.window] = part
    return window


def cut_back(score: NDArray[np.float32], block: Tile, tile: Tile) -> NDArray[np.float32]:
    """The score of a tile from that of its block."""
    top, left = tile.rows.start - block.rows.start, tile.cols.start - block.cols.start
    rows, cols = tile.shape
    return score[top : top + rows, left : left + cols]


class _Common(NamedTuple):
    """Where the ground that a tile and a window share lies in each."""

    own: slice
    window: slice


def _common(own: slice, first: int, length: int) -> _Common | None:
    """Along one side; none where they share nothing.

    Examples
    --------
    >>> _common(slice(64, 128), 100, 60)
    _Common(own=slice(36, 64, None), window=slice(0, 28, None))
    """
    start, stop = max(own.start, first), min(own.stop, first + length)
    if start >= stop:
        return None
    return _Common(slice(start - own.start, stop - own.start), slice(start - first, stop - first))


def _nothing_like(change: Change, shape: tuple[int, int]) -> Change:
    """A change of another size on which nothing was observed."""
    variables = {}
    for name, values in change.items():
        if values.dims[-2:] == ("y", "x"):
            fill = np.nan if values.dtype.kind == "f" else 0
            empty = np.full((*values.shape[:-2], *shape), fill, dtype=values.dtype)
            variables[name] = (values.dims, empty)
        else:
            variables[name] = (values.dims, values.values)
    coords = {name: change[name].variable for name in ("orbit", "polarization", "orbit_state")}
    return xr.Dataset(variables, coords=coords)
