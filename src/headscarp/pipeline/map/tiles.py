"""The first walk over the ground: read each tile once, form its change, keep it beside a sample of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray

from headscarp.features.change import Change, Split, change_of_stacks
from headscarp.features.terrain import exclude
from headscarp.geometry.terrain import HALO_PX, hillshade, slope_deg
from headscarp.grid import Tile, expand, spacing_m, tiles
from headscarp.ingest.area import inside
from headscarp.ingest.dem import read_height
from headscarp.ingest.stack import touches
from headscarp.pipeline.map.plan import Plan
from headscarp.pipeline.stages import Stages

SAMPLE_PX = 1_000_000
"""Pixels, at most about, from which detectors learn the noise; a regular sample of a larger map."""

FloatArray = NDArray[np.float32]
_FIELDS = ("change_db", "pre_count", "post_count")


@dataclass(frozen=True)
class StoredTile:
    """A tile whose change lies in the scratch folder."""

    tile: Tile
    path: Path

    def change(self, pseudo: bool = False) -> Change | None:
        """Change of the event, or of the pseudo-event; none where there is no pair."""
        with np.load(self.path) as stored:
            name = "pseudo" if pseudo else "event"
            if f"{name}_change_db" not in stored:
                return None
            dims = ("orbit", "polarization", "y", "x")
            return xr.Dataset(
                {field: (dims, stored[f"{name}_{field}"]) for field in _FIELDS},
                coords={
                    "orbit": stored[f"{name}_orbit"].tolist(),
                    "polarization": stored[f"{name}_polarization"].tolist(),
                    "orbit_state": ("orbit", stored[f"{name}_orbit_state"].tolist()),
                },
            )

    def keep_pseudo_probability(self, probability: FloatArray) -> None:
        """Store the probability of the pseudo-event beside the changes."""
        np.save(self._pseudo_path, probability)

    def pseudo_probability(self) -> FloatArray | None:
        """Probability of the pseudo-event; none where it has no pair."""
        if not self._pseudo_path.is_file():
            return None
        return np.asarray(np.load(self._pseudo_path), dtype=np.float32)

    def observable(self) -> NDArray[np.uint8] | None:
        """Which orbits can see each pixel; none without a DEM."""
        with np.load(self.path) as stored:
            return np.asarray(stored["observable"]) if "observable" in stored else None

    @property
    def _pseudo_path(self) -> Path:
        return self.path.with_suffix(".pseudo.npy")

    def terrain(self) -> dict[str, FloatArray]:
        """Slope, hillshade and exclusion code; empty without a DEM."""
        with np.load(self.path) as stored:
            names = ("slope_deg", "hillshade", "exclusion")
            return {name: stored[name] for name in names if name in stored}


@dataclass(frozen=True)
class Walk:
    """What the first walk leaves behind."""

    stored: list[StoredTile]
    sample: Change
    pseudo_sample: Change | None


def tiles_with_data(plan: Plan) -> list[Tile]:
    """Tiles that a footprint reaches; the others cost nothing."""
    footprints = plan.footprints()
    return [t for t in tiles(plan.geobox) if any(touches(f, t.geobox) for f in footprints)]


def walk_tiles(plan: Plan, scratch: Path, stages: Stages) -> Walk:
    """Read every tile once; store its changes and return a regular sample of them.

    Parameters
    ----------
    plan : Plan
    scratch : Path
        Folder for the changes.
    stages : Stages
        Told of the progress.
    """
    work = tiles_with_data(plan)
    stride = _stride(plan)
    stored: list[StoredTile] = []
    samples: list[Change] = []
    pseudo_samples: list[Change] = []

    def one(tile: Tile) -> tuple[StoredTile, list[Change | None]] | None:
        return _process(plan, tile, scratch, stride)

    for result in stages.map("reading scenes", one, work):
        if result is not None:
            stored.append(result[0])
            samples += [s for s in result[1][:1] if s is not None]
            pseudo_samples += [s for s in result[1][1:] if s is not None]
    return Walk(stored, _join(samples), _join(pseudo_samples) if pseudo_samples else None)


def _process(
    plan: Plan, tile: Tile, scratch: Path, stride: int
) -> tuple[StoredTile, list[Change | None]] | None:
    loaded = {label: stack.isel(y=tile.rows, x=tile.cols).load() for label, stack in plan.stacks.items()}
    if not any(bool(stack[pol].notnull().any()) for stack in loaded.values() for pol in stack.data_vars):
        return None
    area = inside(tile.geobox, plan.grid.area)
    event = _change(loaded, plan.splits, area)
    if event is None:
        return None
    pseudo = _change(loaded, plan.pseudo.splits, area) if plan.pseudo else None
    terrain = _terrain(plan, tile, event)
    path = scratch / f"tile_{tile.rows.start}_{tile.cols.start}.npz"
    arrays: dict[str, Any] = {**terrain, **_packed("event", event), **_packed("pseudo", pseudo)}
    if plan.view is not None:
        arrays["observable"] = plan.view.of_tile(tile)
    np.savez(path, **arrays)
    open_ground = terrain["exclusion"] == 0 if terrain else None
    samples = [
        None if change is None else _sample(change, tile, stride, open_ground) for change in (event, pseudo)
    ]
    return StoredTile(tile, path), samples


def _change(
    loaded: dict[str, xr.Dataset], splits: dict[str, Split], area: NDArray[np.bool_] | None
) -> Change | None:
    """Change within the area of interest; none where no orbit has a pair."""
    change = change_of_stacks(loaded, splits)
    if area is not None:
        change["change_db"] = change["change_db"].where(xr.DataArray(area, dims=("y", "x")))
    return change if bool(np.isfinite(change["change_db"].values).any()) else None


def _terrain(plan: Plan, tile: Tile, change: Change) -> dict[str, NDArray[np.generic]]:
    options = plan.options.terrain
    if options.dem is None:
        return {}
    halo = expand(tile.geobox, HALO_PX)
    height = read_height(options.dem, halo)
    x_m, y_m = spacing_m(halo)
    inner = (slice(HALO_PX, -HALO_PX), slice(HALO_PX, -HALO_PX))
    slope = slope_deg(height, (x_m, y_m))[inner]
    return {
        "slope_deg": slope,
        "hillshade": hillshade(height, (x_m, y_m))[inner],
        "exclusion": exclude(slope, change, options),
    }


def _packed(name: str, change: Change | None) -> dict[str, NDArray[np.generic]]:
    if change is None:
        return {}
    ordered = change.transpose("orbit", "polarization", "y", "x")
    fields = (*_FIELDS, "orbit", "polarization", "orbit_state")
    return {f"{name}_{field}": ordered[field].values for field in fields}


def _sample(change: Change, tile: Tile, stride: int, open_ground: NDArray[np.bool_] | None) -> Change:
    """Pixels whose row and column in the whole grid are multiples of the stride, on open ground."""
    rows = np.flatnonzero(np.arange(tile.rows.start, tile.rows.stop) % stride == 0)
    cols = np.flatnonzero(np.arange(tile.cols.start, tile.cols.stop) % stride == 0)
    picked = change[list(_FIELDS)].isel(y=rows, x=cols).stack(pixel=("y", "x"), create_index=False)
    kept = np.isfinite(picked["change_db"].values).any(axis=tuple(range(2)))
    if open_ground is not None:
        kept &= open_ground[np.ix_(rows, cols)].ravel()
    return picked.isel(pixel=np.flatnonzero(kept)).drop_vars(["y", "x", "spatial_ref"], errors="ignore")


def _join(samples: Sequence[Change]) -> Change:
    return xr.concat(samples, dim="pixel", join="outer", data_vars="minimal", coords="minimal")


def _stride(plan: Plan) -> int:
    """Rows and columns from one sampled pixel to the next, from the ground that the scenes cover."""
    covered = shapely.union_all([shapely.box(*bounds) for bounds in plan.footprints()])
    pixels = shapely.area(covered) / abs(plan.geobox.transform.a * plan.geobox.transform.e)
    return max(1, int(np.ceil(np.sqrt(pixels / SAMPLE_PX))))
