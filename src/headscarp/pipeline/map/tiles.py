"""The first walk over the ground: read each tile once, form its change, keep it beside a sample of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from headscarp.detect.protocol import Detector, TrainedDetector
from headscarp.errors import SceneError
from headscarp.features.change import DATES, DAYS, Change
from headscarp.grid import Tile, tiles
from headscarp.ingest.stack import touches
from headscarp.pipeline.map.observe import Observed, observe, read_land
from headscarp.pipeline.map.patches import (
    STEP_SAMPLE_PX,
    Layout,
    cut_patches,
    cut_pixels,
    join,
    lay_patches,
    patch_stride,
    read_sample,
    thin_step,
    write_sample,
)
from headscarp.pipeline.map.plan import Plan
from headscarp.pipeline.map.resume import write_arrays
from headscarp.pipeline.map.stored import EVENT, PSEUDO, StoredTile
from headscarp.pipeline.stages import Stages

FloatArray = NDArray[np.float32]
_FIELDS = ("change_db", "pre_count", "post_count")
_GROUND = ("slope_deg", "observable")
"""Of the land, what every detector may use; others are named by its needs."""


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
    total_px = covered_px(plan)
    strides = patch_stride(total_px), patch_stride(total_px, STEP_SAMPLE_PX)
    step_px = thin_step(total_px)

    def one(tile: Tile) -> StoredTile | None:
        trained = isinstance(detector, TrainedDetector)
        stored = StoredTile(tile, scratch / _file_name(tile), 0 if trained else detector.halo_px)
        if not stored.done_path.is_file():
            seen = _store(plan, detector, stored)
            if seen is not None and trained:
                _keep_pixels(stored, seen, step_px)
            elif seen is not None:
                _keep_patches(plan, detector, stored, seen, strides)
            stored.done_path.touch()
        return stored if stored.path.is_file() else None

    stored = [tile for tile in stages.map("reading scenes", one, work) if tile is not None]
    steps = [
        [path for tile in stored if (path := tile.step_path(k)).is_file()] for k in range(len(plan.steps) + 1)
    ]
    sample, pseudo_sample = (_joined(stored, pseudo) for pseudo in (False, True))
    if sample is None:
        raise _nothing_seen()
    return Walk(stored, sample, pseudo_sample, steps)


def covered_px(plan: Plan) -> float:
    """Pixels of the ground that the scenes cover."""
    covered = shapely.union_all([shapely.box(*bounds) for bounds in plan.footprints()])
    return float(shapely.area(covered) / abs(plan.geobox.transform.a * plan.geobox.transform.e))


class _Seen(NamedTuple):
    """What is in memory of a tile while its files are written."""

    looked: Observed
    event: Change
    pseudo: Change | None
    land: dict[str, NDArray[np.generic]]
    fields: tuple[str, ...]


def _store(plan: Plan, detector: Detector, stored: StoredTile) -> _Seen | None:
    """Form the changes of a tile and store them; none, and no file, where nothing has a pair."""
    halo = stored.halo_px
    looked = observe(plan, stored.tile, halo)
    if looked.is_empty:
        return None
    event = looked.change(plan.splits, detector.needs)
    if not np.isfinite(stored.inner(event["change_db"].values)).any():
        return None
    pseudo = looked.change(plan.pseudo.splits, detector.needs) if plan.pseudo else None
    land = read_land(plan, stored.tile, event, halo, detector.needs)
    fields = tuple(dict.fromkeys((*_FIELDS, *(name for name in detector.needs if name not in land))))
    write_arrays(stored.path, {**land, **_packed(EVENT, event, fields), **_packed(PSEUDO, pseudo, fields)})
    return _Seen(looked, event, pseudo, land, fields)


def _keep_pixels(stored: StoredTile, seen: _Seen, step: int) -> None:
    """Single pixels, where nothing is learned: for the figures of the report."""
    for change, pseudo in ((seen.event, False), (seen.pseudo, True)):
        if change is not None:
            _keep(stored.sample_path(pseudo), cut_pixels(change, stored.tile, step))


def _keep_patches(
    plan: Plan, detector: Detector, stored: StoredTile, seen: _Seen, strides: tuple[int, int]
) -> None:
    """Patches of the event, of the pseudo-event and of the earlier steps."""
    event, land = seen.event, seen.land
    ground = {name: land[name] for name in land if name in (*_GROUND, *detector.needs)}
    open_ground = (
        land["exclusion"] == 0 if "exclusion" in land else np.ones(event["change_db"].shape[2:], np.bool_)
    )
    learnable = np.isfinite(event["change_db"].values).any(axis=(0, 1)) & open_ground
    layout, step_layout = (lay_patches(stored.tile, stored.halo_px, s, learnable) for s in strides)

    def cut(change: Change | None, layout: Layout) -> Change | None:
        return None if change is None else cut_patches(change[list(seen.fields)].assign(_on(ground)), layout)

    if plan.steps and step_layout.corners:
        for k, step in enumerate(plan.steps):
            early = seen.looked.change(step.splits, detector.needs)
            _keep(stored.step_path(k), cut(early, step_layout))
        _keep(stored.step_path(len(plan.steps)), cut(event, step_layout))
    _keep(stored.sample_path(), cut(event, layout))
    _keep(stored.sample_path(pseudo=True), cut(seen.pseudo, layout))


def _joined(stored: list[StoredTile], pseudo: bool) -> Change | None:
    """Patches of all tiles; none where there is no patch."""
    paths = [path for tile in stored if (path := tile.sample_path(pseudo)).is_file()]
    return join([read_sample(path) for path in paths]) if paths else None


def _file_name(tile: Tile) -> str:
    return f"tile_{tile.rows.start}_{tile.cols.start}.npz"


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


def _nothing_seen() -> SceneError:
    return SceneError(
        "ground on which an orbit has values before and after the event, not all of it excluded",
        "none on any tile",
        "there is nothing to map, and nothing to learn the noise from",
        "check the area, the DEM, the windows (--pre, --post) and the scenes' nodata",
    )
