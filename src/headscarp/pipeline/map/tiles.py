"""The first walk over the ground: read each tile once, form its change, keep it beside a sample of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray

from headscarp.detect.protocol import Detector
from headscarp.features.change import DATES, DAYS, Change
from headscarp.grid import Tile, tiles
from headscarp.ingest.stack import touches
from headscarp.pipeline.map.observe import observe, read_land
from headscarp.pipeline.map.patches import (
    STEP_SAMPLE_PX,
    Layout,
    cut_patches,
    join,
    lay_patches,
    patch_stride,
    read_sample,
    write_sample,
)
from headscarp.pipeline.map.plan import Plan
from headscarp.pipeline.stages import Stages

FloatArray = NDArray[np.float32]
_FIELDS = ("change_db", "pre_count", "post_count")
_GROUND = ("slope_deg", "observable")
"""Of the land, what every detector may use; others are named by its needs."""
_DIMS = {DATES: ("orbit", "polarization", "time", "y", "x"), DAYS: ("orbit", "time")}
"""Variables of a change that are on other dimensions than it."""
EVENT, PSEUDO = "event", "pseudo"


@dataclass(frozen=True)
class StoredTile:
    """A tile whose change lies in the scratch folder, with a halo around it."""

    tile: Tile
    path: Path
    halo_px: int

    def change(self, pseudo: bool = False) -> Change | None:
        """Change of the event, or of the pseudo-event, halo included; none where there is no pair."""
        name = PSEUDO if pseudo else EVENT
        with np.load(self.path) as stored:
            if f"{name}_change_db" not in stored:
                return None
            dims = ("orbit", "polarization", "y", "x")
            named = {k.removeprefix(f"{name}_"): k for k in stored.files if k.startswith(f"{name}_")}
            coords = ("orbit", "polarization", "orbit_state")
            ground = {k: (("y", "x"), stored[k]) for k in stored.files if not k.startswith((EVENT, PSEUDO))}
            return xr.Dataset(
                {
                    field: (_DIMS.get(field, dims), stored[key])
                    for field, key in named.items()
                    if field not in coords
                }
                | ground,
                coords={
                    "orbit": stored[named["orbit"]].tolist(),
                    "polarization": stored[named["polarization"]].tolist(),
                    "orbit_state": ("orbit", stored[named["orbit_state"]].tolist()),
                },
            )

    def inner(self, values: NDArray[Any]) -> NDArray[Any]:
        """What lies on the tile itself, of an array of shape (..., y, x) with the halo."""
        rows, cols = self.tile.shape
        halo = self.halo_px
        return values[..., halo : halo + rows, halo : halo + cols]

    def inner_change(self, change: Change) -> Change:
        """What lies on the tile itself, of a change with the halo."""
        rows, cols = self.tile.shape
        halo = self.halo_px
        return change.isel(y=slice(halo, halo + rows), x=slice(halo, halo + cols))

    def keep_pseudo_probability(self, probability: FloatArray) -> None:
        """Store the probability of the pseudo-event beside the changes."""
        np.save(self._pseudo_path, probability)

    def pseudo_probability(self) -> FloatArray | None:
        """Probability of the pseudo-event; none where it has no pair."""
        if not self._pseudo_path.is_file():
            return None
        return np.asarray(np.load(self._pseudo_path), dtype=np.float32)

    def observable(self) -> NDArray[np.uint8] | None:
        """Which orbits can see each pixel of the tile; none without a DEM."""
        with np.load(self.path) as stored:
            return self.inner(stored["observable"]) if "observable" in stored else None

    @property
    def _pseudo_path(self) -> Path:
        return self.path.with_suffix(".pseudo.npy")

    def step_path(self, step: int) -> Path:
        """File of the tile's patches at an earlier step."""
        return self.path.with_suffix(f".step{step}.npz")

    def terrain(self) -> dict[str, FloatArray]:
        """Slope, hillshade and exclusion code of the tile; empty without a DEM."""
        with np.load(self.path) as stored:
            names = ("slope_deg", "hillshade", "exclusion")
            return {name: self.inner(stored[name]) for name in names if name in stored}


@dataclass(frozen=True)
class Walk:
    """What the first walk leaves behind.

    Attributes
    ----------
    stored : list of StoredTile
    sample, pseudo_sample : Dataset
        Patches of the event's and the pseudo-event's change.
    step_paths : list of list of Path
        Files of fewer patches with what was there by each earlier step of the plan, and last by all of them:
        one step is read at a time.
    """

    stored: list[StoredTile]
    sample: Change
    pseudo_sample: Change | None
    step_paths: list[list[Path]]

    def step_sample(self, step: int) -> Change:
        """Patches with what was there by a step of the plan; −1: by all passes."""
        return join([read_sample(path) for path in self.step_paths[step]])


def tiles_with_data(plan: Plan) -> list[Tile]:
    """Tiles that a footprint reaches; the others cost nothing."""
    footprints = plan.footprints()
    return [t for t in tiles(plan.geobox) if any(touches(f, t.geobox) for f in footprints)]


def walk_tiles(plan: Plan, detector: Detector, scratch: Path, stages: Stages) -> Walk:
    """Read every tile once; store its changes and return regular patches of them.

    Parameters
    ----------
    plan : Plan
    detector : Detector
        Whose variables and halo are stored.
    scratch : Path
        Folder for the changes.
    stages : Stages
        Told of the progress.
    """
    work = tiles_with_data(plan)
    covered_px = _covered_px(plan)
    strides = patch_stride(covered_px), patch_stride(covered_px, STEP_SAMPLE_PX)
    stored: list[StoredTile] = []
    samples: list[Change] = []
    pseudo_samples: list[Change] = []

    def one(tile: Tile) -> _Processed | None:
        return _process(plan, detector, tile, scratch, strides)

    for result in stages.map("reading scenes", one, work):
        if result is not None:
            stored.append(result.stored)
            samples.extend([result.sample] if result.sample is not None else [])
            pseudo_samples.extend([result.pseudo_sample] if result.pseudo_sample is not None else [])
    steps = [
        [path for tile in stored if (path := tile.step_path(k)).is_file()] for k in range(len(plan.steps) + 1)
    ]
    return Walk(stored, join(samples), join(pseudo_samples) if pseudo_samples else None, steps)


class _Processed(NamedTuple):
    stored: StoredTile
    sample: Change | None
    pseudo_sample: Change | None


def _process(
    plan: Plan, detector: Detector, tile: Tile, scratch: Path, strides: tuple[int, int]
) -> _Processed | None:
    halo = detector.halo_px
    looked = observe(plan, tile, halo)
    if looked.is_empty:
        return None
    path = scratch / f"tile_{tile.rows.start}_{tile.cols.start}.npz"
    stored = StoredTile(tile, path, halo)
    event = looked.change(plan.splits, detector.needs)
    if not np.isfinite(stored.inner(event["change_db"].values)).any():
        return None
    pseudo = looked.change(plan.pseudo.splits, detector.needs) if plan.pseudo else None
    land = read_land(plan, tile, event, halo, detector.needs)
    fields = tuple(dict.fromkeys((*_FIELDS, *(name for name in detector.needs if name not in land))))
    arrays: dict[str, Any] = {**land, **_packed(EVENT, event, fields), **_packed(PSEUDO, pseudo, fields)}
    np.savez(path, **arrays)
    ground = {name: land[name] for name in land if name in (*_GROUND, *detector.needs)}
    open_ground = (
        land["exclusion"] == 0 if "exclusion" in land else np.ones(event["change_db"].shape[2:], np.bool_)
    )
    seen = np.isfinite(event["change_db"].values).any(axis=(0, 1)) & open_ground
    layout, step_layout = (lay_patches(tile, halo, stride, seen) for stride in strides)

    def cut(change: Change | None, layout: Layout) -> Change | None:
        return None if change is None else cut_patches(change[list(fields)].assign(_on(ground)), layout)

    if plan.steps and step_layout.corners:
        for k, step in enumerate(plan.steps):
            early = looked.change(step.splits, detector.needs)
            _keep(stored.step_path(k), cut(early, step_layout))
        _keep(stored.step_path(len(plan.steps)), cut(event, step_layout))
    return _Processed(stored, cut(event, layout), cut(pseudo, layout))


def _keep(path: Path, sample: Change | None) -> None:
    if sample is not None:
        write_sample(path, sample)


def _on(ground: dict[str, NDArray[np.generic]]) -> dict[str, Any]:
    return {name: (("y", "x"), values) for name, values in ground.items()}


def _packed(name: str, change: Change | None, fields: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
    if change is None or not np.isfinite(change["change_db"].values).any():
        return {}
    ordered = change.transpose("orbit", "polarization", ..., "y", "x")
    wanted = (*fields, *((DAYS,) if DATES in fields else ()), "orbit", "polarization", "orbit_state")
    return {f"{name}_{field}": ordered[field].values for field in wanted}


def _covered_px(plan: Plan) -> float:
    """Pixels of the ground that the scenes cover."""
    covered = shapely.union_all([shapely.box(*bounds) for bounds in plan.footprints()])
    return float(shapely.area(covered) / abs(plan.geobox.transform.a * plan.geobox.transform.e))
