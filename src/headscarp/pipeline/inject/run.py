"""Landslides planted into the scenes after the event; everything else stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
from pyproj import CRS

from headscarp import __version__
from headscarp.config import EVENT_YAML, InjectOptions
from headscarp.grid import crs_wkt, spacing_m
from headscarp.ingest.raster import bounds_in, read_sha256
from headscarp.ingest.stack import read_scene, stack_label, touches
from headscarp.inject.figure import OVERVIEW, Panel, draw_overview, mean_change_db
from headscarp.inject.record import InjectionRecord, PlantedFile
from headscarp.inject.shapes import read_shapes
from headscarp.inject.write import (
    INJECTION_JSON,
    SCENES,
    band_changes,
    write_event,
    write_injection,
    write_inventory,
    write_label,
    write_planted,
    write_unchanged,
)
from headscarp.pipeline.inject.ground import Planting, draw_planting, given_planting
from headscarp.pipeline.map.plan import Assigned, Plan, make_plan
from headscarp.pipeline.provenance import source_commit
from headscarp.pipeline.stages import Progress, Stages, silent
from headscarp.run_folder import block_cache, staged_folder
from headscarp.scene import Scene, SceneFile
from headscarp.vocabulary import Polarization, Role

MAX_PANELS = 4
"""Landslides drawn in the overview, from the largest to the smallest."""
_PANEL_REACH, _PANEL_PX = 1.5, 10
"""Half a panel's side, in square roots of the landslide's area, and at least in pixels."""


@dataclass
class _Kept:
    """A file that a map of the event reads."""

    source: Path
    name: str
    geobox_of: SceneFile
    post: list[SceneFile]
    """Its acquisitions after the event."""


def run_inject(
    options: InjectOptions,
    out: Path,
    overwrite: bool = False,
    progress: Progress = silent,
    outlines: gpd.GeoDataFrame | None = None,
) -> InjectionRecord:
    """Plant landslides into the scenes after an event, and write them as a folder that ``map`` takes.

    Parameters
    ----------
    options : InjectOptions
        Scenes, event, area and what is planted.
    out : Path
        Folder of the event; it appears whole or not at all.
    overwrite : bool
        Replace a planted event that stands there.
    progress : callable, optional
        Told of each stage's progress.
    outlines : GeoDataFrame, optional
        What to plant instead of drawn landslides: polygons in any CRS with ``vv_db`` and ``vh_db``, the
        change of each in dB (negative: a loss).

    Returns
    -------
    InjectionRecord
        What ``injection.json`` holds.

    Raises
    ------
    HeadscarpError
        On bad input; nothing is written then, and what stood there is untouched.
    """
    stages = Stages(progress)
    with staged_folder(out, overwrite, INJECTION_JSON) as folder, block_cache():
        plant = options.inject
        shapes = None if plant.shapes is None or outlines is not None else read_shapes(plant.shapes)
        plan = make_plan(options.map_options())
        planting = (
            draw_planting(plan, plant, shapes, stages) if outlines is None else given_planting(outlines, plan)
        )
        kept = _kept_files(plan)
        files = _write_scenes(kept, planting.inventory, folder, stages)
        write_inventory(folder, planting.inventory)
        write_label(folder, planting.inventory, plan.geobox)
        write_event(folder / EVENT_YAML, _event_values(options))
        _draw(folder, plan, planting, {each.source: folder / SCENES / each.name for each in kept})
        record = _record(options, plan, planting, files, _left_out(plan, kept))
        write_injection(folder, record)
    return record


def _kept_files(plan: Plan) -> list[_Kept]:
    """Files of the acquisitions that the map uses, those of the pseudo-event included."""
    by_path: dict[Path, _Kept] = {}
    names: set[str] = set()
    for assigned in plan.assigned:
        for file in assigned.scene.files:
            if not _is_used(plan, assigned, file):
                continue
            if file.path not in by_path:
                name = _free_name(file.path.name, names)
                by_path[file.path] = _Kept(file.path, name, file, [])
            if assigned.role is Role.POST_EVENT:
                by_path[file.path].post.append(file)
    return list(by_path.values())


def _is_used(plan: Plan, assigned: Assigned, file: SceneFile) -> bool:
    if assigned.role is not Role.REJECTED:
        return True
    stack = plan.stacks.get(stack_label(assigned.scene, plan.options.change.pooling))
    if stack is None or not touches(bounds_in(file.geobox, plan.geobox.crs), plan.geobox):
        return False
    return (
        assigned.scene.acquired.replace(tzinfo=None) in stack["time"].values.astype("datetime64[us]").tolist()
    )


def _free_name(name: str, taken: set[str]) -> str:
    """Name within ``scenes``; of two files of one name, from two folders, the second gets a folder."""
    free, number = name, 2
    while free in taken:
        free, number = f"{number}/{name}", number + 1
    taken.add(free)
    return free


def _write_scenes(
    kept: Sequence[_Kept], inventory: gpd.GeoDataFrame, folder: Path, stages: Stages
) -> list[PlantedFile]:
    def write(each: _Kept) -> PlantedFile:
        target = folder / SCENES / each.name
        if each.post:
            write_planted(each.source, target, each.geobox_of.geobox, band_changes(each.post), inventory)
        else:
            write_unchanged(each.source, target)
        return PlantedFile(name=each.name, sha256=read_sha256(each.source), planted=bool(each.post))

    return sorted(stages.map("scenes", write, kept), key=lambda file: file.name)


def _left_out(plan: Plan, kept: Sequence[_Kept]) -> list[str]:
    used = {each.source for each in kept}
    found = {file.path for assigned in plan.assigned for file in assigned.scene.files}
    found |= {file.path for file, _ in plan.repeats}
    return sorted(path.name for path in found - used)


def _event_values(options: InjectOptions) -> dict[str, object]:
    """Content of ``event.yaml``: the options as given, paths absolute."""
    values: dict[str, object] = {"scenes": [SCENES]}
    terrain, area = options.terrain, options.area
    if terrain.dem is not None:
        terrain = terrain.model_copy(update={"dem": terrain.dem.resolve()})
    if area.aoi is not None:
        area = area.model_copy(update={"aoi": area.aoi.resolve()})
    sections = {
        "event": options.event,
        "area": area,
        "ingest": options.ingest,
        "change": options.change,
        "terrain": terrain,
    }
    for name, section in sections.items():
        given = section.model_dump(mode="json", exclude_defaults=True)
        if given:
            values[name] = given
    return values


def _draw(folder: Path, plan: Plan, planting: Planting, targets: dict[Path, Path]) -> None:
    """Draw the overview: the first orbit with a cross-polarised band, else the first with any."""
    count = len(planting.inventory)
    rows = sorted(set(np.linspace(0, count - 1, min(count, MAX_PANELS)).round().astype(int).tolist()))
    label, polarization = _shown(plan)
    panels = [_panel(plan, planting.inventory.iloc[row], targets, (label, polarization)) for row in rows]
    draw_overview(folder / OVERVIEW, panels, polarization)


def _shown(plan: Plan) -> tuple[str, Polarization]:
    for label in plan.stacks:
        polarizations = {p for s in plan.scenes_of(label, Role.POST_EVENT) for p in s.polarizations}
        if "VH" in polarizations:
            return label, "VH"
    return next(iter(plan.stacks)), plan.scenes_of(next(iter(plan.stacks)), Role.POST_EVENT)[0].polarizations[
        0
    ]


def _panel(
    plan: Plan, landslide: gpd.GeoSeries, targets: dict[Path, Path], shown: tuple[str, Polarization]
) -> Panel:
    label, polarization = shown
    outline = landslide.geometry
    part = plan.geobox[_window(plan, outline, float(landslide.area_m2))]

    def mean_change(moved: dict[Path, Path]) -> np.ndarray:
        sides = [
            np.stack(
                [
                    read_scene(_moved(scene, moved), polarization, part)
                    for scene in plan.scenes_of(label, role)
                ]
            )
            for role in (Role.PRE_EVENT, Role.POST_EVENT)
        ]
        return mean_change_db(sides[0], sides[1])

    title = f"{landslide.area_m2 / 1e4:.2g} ha, VH {landslide.vh_db:+.1f}, VV {landslide.vv_db:+.1f} dB"
    return Panel(title, outline, bounds_in(part, part.crs), mean_change({}), mean_change(targets))


def _window(plan: Plan, outline: object, area_m2: float) -> tuple[slice, slice]:
    """Rows and columns around an outline, within the grid."""
    centre = outline.centroid  # type: ignore[attr-defined]
    col, row = ~plan.geobox.transform @ (centre.x, centre.y)
    height, width = plan.geobox.shape
    row, col = min(max(int(row), 0), height - 1), min(max(int(col), 0), width - 1)
    px_m = min(float(side[row, 0]) for side in spacing_m(plan.geobox))
    reach = max(int(np.ceil(_PANEL_REACH * np.sqrt(area_m2) / px_m)), _PANEL_PX)
    return (
        slice(max(row - reach, 0), min(row + reach + 1, height)),
        slice(max(col - reach, 0), min(col + reach + 1, width)),
    )


def _moved(scene: Scene, targets: dict[Path, Path]) -> Scene:
    return Scene(tuple(replace(file, path=targets.get(file.path, file.path)) for file in scene.files))


def _record(
    options: InjectOptions, plan: Plan, planting: Planting, files: list[PlantedFile], left_out: list[str]
) -> InjectionRecord:
    inventory, crs = planting.inventory, CRS.from_wkt(crs_wkt(plan.geobox))
    missing = planting.asked - len(inventory)
    return InjectionRecord(
        headscarp=__version__,
        commit=source_commit(),
        options=options.model_dump(mode="json"),
        outlines=planting.source,
        crs=":".join(crs.to_authority() or (crs.name,)),
        rows=plan.geobox.shape[0],
        columns=plan.geobox.shape[1],
        room_km2=None if planting.room_km2 is None else round(planting.room_km2, 4),
        landslides_asked=planting.asked,
        landslides=len(inventory),
        landslides_km2=round(float(inventory["area_m2"].sum()) / 1e6, 6),
        landslides_without_room=missing,
        sizes=planting.sizes,
        vh_db=_range(inventory, "vh_db"),
        vv_db=_range(inventory, "vv_db"),
        files=files,
        left_out=left_out,
        notes=[f"{missing} of {planting.asked} landslides found no room."] if missing else [],
    )


def _range(inventory: gpd.GeoDataFrame, column: str) -> tuple[float, float] | None:
    if not len(inventory):
        return None
    return round(float(inventory[column].min()), 3), round(float(inventory[column].max()), 3)
