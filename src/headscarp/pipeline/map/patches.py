"""Patches: small squares of the map, regularly placed, from which detectors learn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.detect.sample import COUNTED
from headscarp.features.change import Change
from headscarp.grid import Tile
from headscarp.pipeline.map.resume import write_arrays

SAMPLE_PX = 400_000
"""Pixels, at most about, from which detectors learn the noise: every so-manieth patch of a larger map."""
STEP_SAMPLE_PX = 130_000
"""The same for the earlier states of knowledge, each of which is learned anew."""
PATCH_PX = 64
"""Side of a patch without its halo: tiles hold whole ones, except at the rim of the grid."""
_DIMS = ("orbit", "polarization", "patch", "y", "x")
_ROW_STEP = 7
"""By so many patches the choice is shifted from row to row, so that no line of patches is left out whole."""


class Layout(NamedTuple):
    """Where the patches of a tile lie, and what of them is learned from.

    Attributes
    ----------
    corners : list of (int, int)
        Row and column of the upper left corner in the tile with its halo.
    counted : ndarray of bool, shape (y, x)
        On the tile with its halo: pixels of the tile to learn from.
    side_px : int
        Of a patch with its halo.
    halo_px : int
    """

    corners: list[tuple[int, int]]
    counted: NDArray[np.bool_]
    side_px: int
    halo_px: int


def patch_stride(covered_px: float, sample_px: int = SAMPLE_PX) -> int:
    """Patches of a row from one that is taken to the next."""
    return max(1, int(np.ceil(covered_px / sample_px)))


def lay_patches(tile: Tile, halo_px: int, stride: int, learnable: NDArray[np.bool_]) -> Layout:
    """Place every so-manieth patch of the whole grid's rows that holds anything to learn from.

    Parameters
    ----------
    tile : Tile
        Its corner is a whole number of patches from the grid's.
    halo_px : int
    stride : int
    learnable : ndarray of bool, shape (y, x)
        On the tile with its halo.
    """
    counted = np.zeros(learnable.shape, dtype=np.bool_)
    rows, cols = tile.shape
    own = (slice(halo_px, halo_px + rows), slice(halo_px, halo_px + cols))
    counted[own] = learnable[own]
    side = PATCH_PX + 2 * halo_px
    first_row, first_col = tile.rows.start // PATCH_PX, tile.cols.start // PATCH_PX
    corners = [
        (top, left)
        for i, top in enumerate(range(0, rows, PATCH_PX), first_row)
        for j, left in enumerate(range(0, cols, PATCH_PX), first_col)
        if (_ROW_STEP * i + j) % stride == 0
        and counted[
            halo_px + top : halo_px + top + PATCH_PX, halo_px + left : halo_px + left + PATCH_PX
        ].any()
    ]
    return Layout(corners, counted, side, halo_px)


def cut_patches(change: Change, layout: Layout) -> Change | None:
    """Patches of a tile's change, on ``(orbit, polarization, patch, y, x)``; none where none is placed.

    What lies beyond the tile and its halo is NaN, or 0 for counts; ``counted`` tells what to learn from.
    """
    if not layout.corners:
        return None
    bare = change.drop_vars(["y", "x", "spatial_ref"], errors="ignore")
    whole = bare.assign({COUNTED: (("y", "x"), layout.counted)})
    patches = [_cut(whole, corner, layout) for corner in layout.corners]
    together = xr.concat(patches, dim="patch", data_vars="all", coords="minimal", join="exact")
    return together.transpose(*_DIMS)


def thin_step(covered_px: float) -> int:
    """Pixels along each side from one that is taken to the next, where single pixels are enough.

    Examples
    --------
    >>> thin_step(100), thin_step(4 * SAMPLE_PX)
    (1, 2)
    """
    return max(1, int(np.ceil(np.sqrt(covered_px / SAMPLE_PX))))


def thin(values: NDArray[Any], tile: Tile, step: int) -> NDArray[Any]:
    """Every so-manieth row and column of the whole grid, of an array of shape (..., y, x) on a tile."""
    return values[..., -tile.rows.start % step :: step, -tile.cols.start % step :: step]


def cut_pixels(change: Change, tile: Tile, step: int) -> Change | None:
    """Single pixels of a tile's change as patches of one pixel, for figures; none where none has a change.

    Parameters
    ----------
    change : Dataset
        On the tile itself.
    tile : Tile
    step : int
        Of :func:`thin_step`.
    """
    fields = ("change_db", "pre_count", "post_count")
    ordered = change[list(fields)].transpose("orbit", "polarization", "y", "x")
    taken = {name: thin(ordered[name].values, tile, step) for name in fields}
    seen = np.isfinite(taken["change_db"]).any(axis=(0, 1))
    if not seen.any():
        return None
    pixels = {name: (_DIMS, values[..., seen, None, None]) for name, values in taken.items()}
    coords = {name: change[name].variable for name in ("orbit", "polarization", "orbit_state")}
    return xr.Dataset(pixels, coords=coords)


def join(samples: Sequence[Change]) -> Change:
    """Patches of all tiles, one after the other."""
    return xr.concat(samples, dim="patch", join="outer", data_vars="minimal", coords="minimal")


def write_sample(path: Path, sample: Change) -> None:
    """Keep patches in a scratch file."""
    arrays: dict[str, Any] = {str(name): variable.values for name, variable in sample.variables.items()}
    write_arrays(path, arrays)


def read_sample(path: Path) -> Change:
    """Patches as :func:`write_sample` kept them."""
    with np.load(path) as stored:
        coords = {name: stored[name].tolist() for name in ("orbit", "polarization")}
        states = {"orbit_state": ("orbit", stored["orbit_state"].tolist())}
        names = [name for name in stored.files if name not in (*coords, *states)]
        values = {name: (_DIMS[-stored[name].ndim :], stored[name]) for name in names}
    return xr.Dataset(values, coords={**coords, **states})


def _cut(whole: Change, corner: tuple[int, int], layout: Layout) -> Change:
    top, left = corner
    side = layout.side_px
    part = whole.isel(y=slice(top, top + side), x=slice(left, left + side))
    part = part.assign({COUNTED: part[COUNTED] & _interior(part.sizes["y"], part.sizes["x"], layout)})
    lacking = {dim: (0, side - part.sizes[dim]) for dim in ("y", "x")}
    if not any(after for _, after in lacking.values()):
        return part
    fill = {name: np.nan if part[name].dtype.kind == "f" else 0 for name in part.data_vars}
    padded: Change = part.pad(lacking, constant_values=fill)
    return padded


def _interior(rows: int, cols: int, layout: Layout) -> xr.DataArray:
    """True inside the halo of a patch."""
    inside = np.zeros((rows, cols), dtype=np.bool_)
    inside[layout.halo_px : layout.halo_px + PATCH_PX, layout.halo_px : layout.halo_px + PATCH_PX] = True
    return xr.DataArray(inside, dims=("y", "x"))
