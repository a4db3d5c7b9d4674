"""``headscarp simulate``: an event with known truth, written as a real event's files are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from headscarp import __version__
from headscarp.geometry.visibility import is_layover, is_shadow
from headscarp.grid import crs_wkt
from headscarp.pipeline.provenance import source_commit
from headscarp.pipeline.stages import Progress, Stages, silent
from headscarp.run_folder import block_cache, staged_folder
from headscarp.simulate.event import SimulatedEvent, simulate_event
from headscarp.simulate.figure import draw_event
from headscarp.simulate.ground import LandCover
from headscarp.simulate.options import Distractor, Product, SimulateOptions
from headscarp.simulate.radar.look import Look
from headscarp.simulate.radar.passes import Pass, incidence_deg
from headscarp.simulate.radar.speckle import default_looks
from headscarp.simulate.record import LookRecord, SimulationRecord
from headscarp.simulate.safe.write import image_part, write_product
from headscarp.simulate.write import (
    SCENES,
    SIMULATION_JSON,
    TILE_PX,
    write_event,
    write_ground,
    write_scene,
    write_simulation,
    write_truth,
)

_STEPS = 6
"""Steps that :func:`headscarp.simulate.event.simulate_event` tells of; one less with a single orbit."""


def run_simulate(
    options: SimulateOptions,
    out: Path,
    overwrite: bool = False,
    progress: Progress = silent,
    tile_px: int = TILE_PX,
) -> SimulationRecord:
    """Simulate an event into a folder that ``headscarp map`` takes as it is.

    Parameters
    ----------
    options : SimulateOptions
    out : Path
        Folder of the event; it appears whole or not at all.
    overwrite : bool
        Replace a simulated event that stands there.
    progress : callable, optional
        Told of each stage's progress.
    tile_px : int
        Side of the parts in which scenes are computed: it changes memory and time, and no byte of the files.

    Returns
    -------
    SimulationRecord
        What ``simulation.json`` holds.

    Raises
    ------
    HeadscarpError
        On bad input; nothing is written then, and an event that stood there is untouched.
    """
    stages, told = Stages(progress), 0
    steps = _STEPS - (options.annotation is not None)

    def step(name: str) -> None:
        nonlocal told
        progress("ground", told, steps)
        told += 1

    with staged_folder(out, overwrite, SIMULATION_JSON) as folder, block_cache():
        event = simulate_event(options, step)
        progress("ground", steps, steps)
        (folder / SCENES).mkdir()

        shown = image_part(event) if options.product is Product.SAFE else None

        def write(acquisition: Pass) -> Path:
            if shown is not None:
                return write_product(folder / SCENES, event, shown, acquisition)
            return write_scene(folder, event, acquisition, tile_px)

        for _ in stages.map("scenes", write, event.passes):
            pass
        write_ground(folder, event)
        write_truth(folder, event)
        draw_event(folder, event)
        write_event(folder, event)
        record = record_of(event)
        write_simulation(folder, record)
    return record


def record_of(event: SimulatedEvent) -> SimulationRecord:
    """Say what an event holds, in numbers."""
    heights, known = event.ground.height_m, event.cover != LandCover.UNKNOWN
    shares = {
        c.name.lower(): _share(event.cover == c, known) for c in LandCover if c is not LandCover.UNKNOWN
    }
    rows, cols = event.ground.shape
    return SimulationRecord(
        headscarp=__version__,
        commit=source_commit(),
        options=event.options,
        crs=_authority(event),
        rows=rows,
        columns=cols,
        spacing_m=event.ground.spacing_m,
        looks=[_look_record(look, event) for look in event.looks.values()],
        equivalent_looks=round(event.options.looks or default_looks(event.ground.spacing_m), 3),
        heights_m=(round(float(np.nanmin(heights)), 1), round(float(np.nanmax(heights)), 1)),
        cover_shares=shares,
        landslides_drawn=len(event.landslides),
        landslides_without_room=event.shapes.dropped,
        shapes_moved_m=event.shapes.moved_m,
        landslides=len(event.inventory),
        landslides_km2=round(float(event.inventory.geometry.area.sum()) / 1e6, 4),
        distractors=_counts(event),
    )


def _look_record(look: Look, event: SimulatedEvent) -> LookRecord:
    known, incidence = event.cover != LandCover.UNKNOWN, incidence_deg(event.geobox, look.orbit)
    return LookRecord(
        label=look.orbit.label,
        passes_utc=[f"{p.acquired:%Y-%m-%dT%H:%M:%SZ}" for p in event.passes if p.orbit is look.orbit],
        look_azimuth_deg=round(look.look_azimuth_deg, 3),
        incidence_deg=(round(float(incidence.min()), 2), round(float(incidence.max()), 2)),
        layover_share=_share(is_layover(look.view), known),
        shadow_share=_share(is_shadow(look.view), known),
        missed_share=look.orbit.missed_share,
    )


def _counts(event: SimulatedEvent) -> dict[str, int]:
    kinds = Counter(change.kind for change in event.distractors.changes)
    return {kind.value: kinds[kind] for kind in Distractor}


def _share(of: NDArray[np.bool_], known: NDArray[np.bool_]) -> float:
    return round(int((of & known).sum()) / max(int(known.sum()), 1), 4)


def _authority(event: SimulatedEvent) -> str:
    epsg = CRS.from_wkt(crs_wkt(event.geobox)).to_epsg()
    return f"EPSG:{epsg}"
