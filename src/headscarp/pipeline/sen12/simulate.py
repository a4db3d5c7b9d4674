"""A simulated event at the places of official patches, in the release's own layout."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, ConfigDict, Field

from headscarp import __version__
from headscarp.errors import OptionsError
from headscarp.ingest.sen12.facts import ORBIT_STATES, Release
from headscarp.ingest.sen12landslides import PATCH_PX, SENSORS, SPACING_M
from headscarp.pipeline.sen12.options import PatchSimulateOptions
from headscarp.pipeline.sen12.places import wanted_places
from headscarp.pipeline.stages import Progress, Stages, silent
from headscarp.run_folder import block_cache, staged_folder, write_atomically
from headscarp.simulate.event import SimulatedEvent, Step, simulate_event
from headscarp.simulate.land.terrain import generate_height
from headscarp.simulate.options import SimulateOptions
from headscarp.simulate.sen12 import observe_places, patch_facts, patch_ground, window_of, write_patch
from headscarp.simulate.sentinel2 import image_window
from headscarp.simulate.write import write_raster
from headscarp.split import Chip, SplitFile

RECORD_JSON = "patches.json"
DATA = {Release.RAW: "data_raw", Release.HARMONIZED: "data_harmonized"}
"""Folders of the releases, as the hub has them."""
_GROUP_M = 4 * PATCH_PX * SPACING_M
"""Patches within squares of this side are observed together."""
_STEPS = 6
"""Steps that :func:`headscarp.simulate.event.simulate_event` tells of."""


class PatchSimulation(BaseModel):
    """What was simulated: ``patches.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    simulated: bool = Field(True, description="Nothing of it was ever observed.")
    headscarp: str
    options: PatchSimulateOptions
    ground_px: tuple[int, int] = Field(description="Rows and columns of the ground, 10 m each.")
    landslides: int
    patches: dict[str, int] = Field(description="Written, by sensor.")
    annotated: dict[str, int] = Field(description="Of them with landslide pixels, by sensor.")
    landslide_share: dict[str, float] = Field(description="Of their pixels, by sensor.")


def simulate_patches(
    splits: Sequence[SplitFile],
    out: Path,
    options: PatchSimulateOptions | None = None,
    progress: Progress = silent,
    overwrite: bool = False,
) -> PatchSimulation:
    """Simulate one event under all places of an inventory and write its patches.

    Parameters
    ----------
    splits : sequence of SplitFile
        Of :func:`headscarp.ingest.sen12landslides.read_task_splits`; each sensor gets the places of its own.
    out : Path
        Folder to write, whole or not at all: ``data_harmonized`` or ``data_raw``, and ``patches.json``.
    options : PatchSimulateOptions, optional
    progress : callable, optional
    overwrite : bool
        Replace simulated patches that stand there.

    Returns
    -------
    PatchSimulation

    Raises
    ------
    HeadscarpError
        On bad input; nothing is written then.
    """
    options = options or PatchSimulateOptions()
    places = _places(splits, options)
    stages, told = Stages(progress), 0

    def step(_: str) -> None:
        nonlocal told
        progress("ground", told, _STEPS)
        told += 1

    with staged_folder(out, overwrite, RECORD_JSON) as folder, block_cache():
        event = _event(places, options, step)
        progress("ground", _STEPS, _STEPS)
        found = {s: _write_sensor(event, folder, s, own, options, stages) for s, own in places.items()}
        record = _record(event, options, found)
        write_atomically(folder / RECORD_JSON, record.model_dump_json(indent=2) + "\n")
    return record


def _places(splits: Sequence[SplitFile], options: PatchSimulateOptions) -> dict[str, list[Chip]]:
    """Places of each sensor, of its own split and the aligned one."""
    unknown = [sensor for sensor in options.sensors if sensor not in SENSORS]
    if unknown or not options.sensors:
        raise OptionsError(
            f"sensors among {', '.join(SENSORS)}",
            ", ".join(unknown) or "none",
            "there would be nothing to simulate, or nothing that a patch could hold",
            "name one or more of them",
        )
    return {sensor: wanted_places(splits, [sensor], [options.inventory]) for sensor in options.sensors}


def _event(places: Mapping[str, Sequence[Chip]], options: PatchSimulateOptions, step: Step) -> SimulatedEvent:
    """The event; generated heights go through a file, as those of a DEM would."""
    geobox = patch_ground([place for own in places.values() for place in own])
    work = Path(tempfile.mkdtemp(prefix="headscarp-sen12-"))
    try:
        dem = options.dem or _write_heights(work / "dem.tif", geobox, options.seed)
        simulated = SimulateOptions(
            seed=options.seed,
            dem=dem,
            date=options.date,
            pre=options.pre,
            post=options.post,
            landslides=options.landslides,
        )
        return simulate_event(simulated, step)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_heights(path: Path, geobox: GeoBox, seed: int) -> Path:
    rows, cols = geobox.shape
    height = generate_height((rows, cols), SPACING_M, seed)
    write_raster(path, height, geobox, float("nan"), ("height",), {"UNITS": "m"})
    return path


def _write_sensor(
    event: SimulatedEvent,
    folder: Path,
    sensor: str,
    places: Sequence[Chip],
    options: PatchSimulateOptions,
    stages: Stages,
) -> list[int]:
    """Write the patches of a sensor, group by group; landslide pixels of each."""
    target = folder / DATA[options.release] / sensor
    target.mkdir(parents=True)

    def write(group: list[Chip]) -> list[int]:
        return _write_group(event, target, sensor, group, options)

    return [px for own in stages.map(f"{sensor} patches", write, _groups(places)) for px in own]


def _write_group(
    event: SimulatedEvent, target: Path, sensor: str, group: Sequence[Chip], options: PatchSimulateOptions
) -> list[int]:
    landslide_px = []
    day = date.fromisoformat(options.date[:10])
    for place, patch in zip(group, _observe(event, sensor, group, options), strict=True):
        days = [moment.date() for moment in pd.DatetimeIndex(patch["time"].values)]
        facts = patch_facts(event, place, sensor, options.release, day, days)
        number = place.id.rsplit("_", 1)[1]
        write_patch(target / f"{facts.region}_{sensor}_{number}.nc", patch, facts, options.dim_order)
        landslide_px.append(int(patch["label"].sum()))
    return landslide_px


def _observe(
    event: SimulatedEvent, sensor: str, group: Sequence[Chip], options: PatchSimulateOptions
) -> list[xr.Dataset]:
    if sensor in ORBIT_STATES:
        return observe_places(event, sensor, group)
    day, windows = date.fromisoformat(options.date[:10]), [window_of(event.geobox, p.bounds) for p in group]
    return [image_window(event, rows, cols, day, options.pre, options.post) for rows, cols in windows]


def _groups(places: Sequence[Chip]) -> list[list[Chip]]:
    """Places by the square of ground that their corner lies in."""
    groups: dict[tuple[int, int], list[Chip]] = {}
    for place in places:
        key = (int(place.bounds[0] // _GROUP_M), int(place.bounds[1] // _GROUP_M))
        groups.setdefault(key, []).append(place)
    return [groups[key] for key in sorted(groups)]


def _record(
    event: SimulatedEvent, options: PatchSimulateOptions, found: Mapping[str, list[int]]
) -> PatchSimulation:
    rows, cols = event.ground.shape
    return PatchSimulation(
        headscarp=__version__,
        options=options,
        ground_px=(rows, cols),
        landslides=len(event.inventory),
        patches={sensor: len(px) for sensor, px in found.items()},
        annotated={sensor: sum(own > 0 for own in px) for sensor, px in found.items()},
        landslide_share={s: round(float(np.mean(px)) / PATCH_PX**2, 5) for s, px in found.items()},
    )
