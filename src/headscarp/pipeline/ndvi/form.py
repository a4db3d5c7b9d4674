"""Channels of a network on a whole grid, formed tile by tile into files mapped into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.features.channels import GROUND_NEEDS, RASTER
from headscarp.features.composite import Moment
from headscarp.grid import Tile, tiles
from headscarp.ingest.stack import touches
from headscarp.pipeline.map.observe import observe, read_land
from headscarp.pipeline.map.plan import Plan
from headscarp.pipeline.stages import Stages
from headscarp.predict.values import ValuePredictor

FloatArray = NDArray[np.float32]


class Formed(NamedTuple):
    """What a network is given of a grid.

    Attributes
    ----------
    x : ndarray of float32, shape (channel, y, x)
        Normalised; 0 where nothing was observed.
    seen : ndarray of bool, shape (y, x)
        Where radar has a value at the moment.
    """

    x: FloatArray
    seen: NDArray[np.bool_]


class _Part(NamedTuple):
    tile: Tile
    x: FloatArray
    seen: NDArray[np.bool_]


def form_inputs_of(
    plan: Plan, predictor: ValuePredictor, moment: Moment, scratch: Path, stages: Stages
) -> Formed:
    """Form the channels of every tile that a footprint reaches.

    Parameters
    ----------
    plan : Plan
    predictor : ValuePredictor
    moment : {"pre", "post"}
    scratch : Path
        Folder for the files.
    stages : Stages
        Told of the progress.
    """
    shape = plan.geobox.shape[0], plan.geobox.shape[1]
    channels = len(predictor.features(moment).channels)
    x = _new(scratch / "x.npy", np.float32, (channels, *shape))
    seen = _new(scratch / "seen.npy", np.bool_, shape)
    footprints = plan.footprints()
    reached = [t for t in tiles(plan.geobox) if any(touches(f, t.geobox) for f in footprints)]
    for part in stages.map("reading scenes", lambda tile: _form(plan, predictor, moment, tile), reached):
        if part is not None:
            x[:, part.tile.rows, part.tile.cols] = part.x
            seen[part.tile.rows, part.tile.cols] = part.seen
    return Formed(x, seen)


def new_values(scratch: Path, shape: tuple[int, int]) -> FloatArray:
    """A file mapped into memory for the values of a grid."""
    return _new(scratch / "values.npy", np.float32, shape)


def _form(plan: Plan, predictor: ValuePredictor, moment: Moment, tile: Tile) -> _Part | None:
    """Channels of a tile; none where nothing was observed."""
    features = predictor.features(moment)
    halo = features.halo_px
    looked = observe(plan, tile, halo)
    if looked.is_empty:
        return None
    change = looked.change(plan.splits, features.needs)
    wanted = [need for need in features.needs if need in GROUND_NEEDS or need.startswith(RASTER)]
    if wanted:
        land = read_land(plan, tile, change, halo, wanted)
        change = change.assign({need: xr.DataArray(land[need], dims=("y", "x")) for need in wanted})
    x, seen = predictor.inputs(change, moment)
    rows, cols = (slice(halo, size - halo) for size in seen.shape)
    return _Part(tile, x[:, rows, cols], seen[rows, cols])


def _new(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    """A file of zeros; those never written take no room."""
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
