"""What is seen of a tile: its change with all that a detector or a network asks for, halo included."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.features.change import Change, Split, change_of_stacks
from headscarp.features.channels import RASTER, VISIBILITY, VISIBILITY_NEEDS
from headscarp.features.terrain import exclude
from headscarp.geometry.terrain import HALO_PX, aspect_deg, hillshade, slope_deg
from headscarp.grid import Tile, expand, spacing_m
from headscarp.ingest.area import inside
from headscarp.ingest.categories import read_codes
from headscarp.ingest.dem import read_height
from headscarp.ingest.raster import Source, read_converted, read_header
from headscarp.pipeline.map.declared import holds_codes
from headscarp.pipeline.map.plan import Plan
from headscarp.pipeline.map.view import sees
from headscarp.vocabulary import OrbitState

MAPPED = ("slope_deg", "hillshade", "exclusion", "observable")
"""What every map with a DEM keeps of the terrain."""


@dataclass(frozen=True)
class Observed:
    """The stacks of one tile in memory, and the changes formed of them.

    Attributes
    ----------
    plan : Plan
    tile : Tile
    halo_px : int
        Pixels around the tile, in everything below.
    stacks : dict of str to Dataset
        By orbit label, in memory; NaN beyond the grid.
    area : ndarray of bool or None
        The area of interest; none: everywhere.
    """

    plan: Plan
    tile: Tile
    halo_px: int
    stacks: Mapping[str, xr.Dataset]
    area: NDArray[np.bool_] | None

    @property
    def is_empty(self) -> bool:
        """Whether no date observed any pixel."""
        return not any(
            bool(stack[p].notnull().any()) for stack in self.stacks.values() for p in stack.data_vars
        )

    def change(self, splits: Mapping[str, Split], needs: Collection[str] = ()) -> Change:
        """Change between the dates of splits, by orbit label; nothing was observed outside the area."""
        stacks = {label: self.stacks[label] for label in splits}
        return _within(change_of_stacks(stacks, splits, needs), self.area)


def observe(plan: Plan, tile: Tile, halo_px: int) -> Observed:
    """Read the stacks of a tile and its halo.

    Parameters
    ----------
    plan : Plan
    tile : Tile
    halo_px : int
        Pixels to read around the tile.
    """
    stacks = {label: _load(stack, tile, halo_px) for label, stack in plan.stacks.items()}
    return Observed(plan, tile, halo_px, stacks, inside(expand(tile.geobox, halo_px), plan.grid.area))


def read_land(
    plan: Plan, tile: Tile, change: Change, halo_px: int, needs: Collection[str]
) -> dict[str, NDArray[np.generic]]:
    """What is known of the land of a tile and its halo: the terrain of a map, and what is asked for by name.

    Parameters
    ----------
    plan : Plan
    tile : Tile
    change : Dataset
        Of the event, on the tile and its halo.
    halo_px : int
    needs : collection of str
        Variables asked for: of the terrain, or rasters of the options.

    Returns
    -------
    dict of str to ndarray
        On the tile and its halo.
    """
    terrain = read_terrain(plan, tile, change, halo_px, needs)
    kept = {name: terrain[name] for name in terrain if name in (*MAPPED, *needs)}
    return kept | read_rasters(needs, plan.options.rasters, tile, halo_px)


def read_terrain(
    plan: Plan, tile: Tile, change: Change, halo_px: int, needs: Collection[str] = ()
) -> dict[str, NDArray[np.generic]]:
    """Terrain of a tile and its halo, what cannot slide and what orbits see of it; empty without a DEM."""
    options = plan.options.terrain
    if options.dem is None or plan.view is None:
        return {}
    wide = expand(tile.geobox, halo_px + HALO_PX)
    height = read_height(options.dem, wide)
    spacing = spacing_m(wide)
    inner = (slice(HALO_PX, -HALO_PX), slice(HALO_PX, -HALO_PX))
    slope = slope_deg(height, spacing)[inner]
    seen = plan.view.of_tile(tile, halo_px)
    visibility: dict[str, NDArray[np.generic]] = {}
    if set(needs) & set(VISIBILITY_NEEDS):
        visibility = {
            f"{VISIBILITY}_{state.value}": plan.view.index(state, height, spacing)[inner] * sees(state, seen)
            for state in OrbitState
        }
    return visibility | {
        "slope_deg": slope,
        "aspect_deg": aspect_deg(height, spacing)[inner],
        "height_m": height[inner],
        "hillshade": hillshade(height, spacing)[inner],
        "exclusion": exclude(slope, change, options),
        "observable": seen,
    }


def read_rasters(
    needs: Collection[str], rasters: Mapping[str, Path], tile: Tile, halo_px: int
) -> dict[str, NDArray[np.generic]]:
    """Declared rasters on a tile and its halo, by the variable's name; NaN where unknown.

    Whole numbers are codes of categories, each taken from the nearest pixel; others are quantities,
    interpolated bilinearly, or averaged where the raster is much finer.

    Parameters
    ----------
    needs : collection of str
        Variables; those of rasters start with ``raster:``.
    rasters : mapping of str to Path
        Declared files by name.
    tile : Tile
    halo_px : int
    """
    wide = expand(tile.geobox, halo_px)
    names = [need.removeprefix(RASTER) for need in needs if need.startswith(RASTER)]
    return {f"{RASTER}{name}": _read_raster(rasters[name], wide) for name in names}


def _read_raster(path: Path, geobox: GeoBox) -> NDArray[np.float32]:
    if holds_codes(path):
        return read_codes(path, geobox)
    header = read_header(path)
    nodata = np.float32(np.nan if header.nodata is None else header.nodata)
    source = Source(path, 1, header.geobox)
    return read_converted(source, geobox, lambda x: np.where(x == nodata, np.float32(np.nan), x))


def _load(stack: xr.Dataset, tile: Tile, halo_px: int) -> xr.Dataset:
    """A tile of a stack with its halo, in memory; beyond the grid nothing was observed."""
    sides = {"y": tile.rows, "x": tile.cols}
    spans = {dim: (part.start - halo_px, part.stop + halo_px) for dim, part in sides.items()}
    sizes = stack.sizes
    inner = {dim: slice(max(start, 0), min(stop, sizes[dim])) for dim, (start, stop) in spans.items()}
    beyond = {dim: (max(-start, 0), max(stop - sizes[dim], 0)) for dim, (start, stop) in spans.items()}
    loaded = stack.isel(inner).load()
    if not any(any(sides) for sides in beyond.values()):
        return loaded
    bare = loaded.drop_vars(["y", "x"], errors="ignore")
    padded: xr.Dataset = bare.pad(beyond, constant_values=np.nan)
    return padded


def _within(change: Change, area: NDArray[np.bool_] | None) -> Change:
    """Change within the area of interest: nothing was observed outside."""
    if area is None:
        return change
    ground = xr.DataArray(area, dims=("y", "x"))
    masked: dict[str, Any] = {
        str(name): values.where(ground)
        for name, values in change.items()
        if values.dtype.kind == "f" and {"y", "x"} <= set(values.dims)
    }
    return change.assign(masked)
