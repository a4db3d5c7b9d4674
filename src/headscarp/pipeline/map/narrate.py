"""What the run tells of itself: the record, composed from everything that was decided and found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import shapely

from headscarp.detect.protocol import Detector, FittedDetector
from headscarp.grid import crs_wkt, is_geographic, metres_per_unit, pixel_area_m2, tiles, unit_of
from headscarp.ingest.area import inside
from headscarp.ingest.raster import read_sha256
from headscarp.ingest.stack import stack_label
from headscarp.pipeline.map.detect import KM2, PseudoCount, Sums
from headscarp.pipeline.map.notes import notes_of, notes_of_detector
from headscarp.pipeline.map.plan import EARLIER, Plan
from headscarp.pipeline.map.redraw import Drawn
from headscarp.pipeline.map.scores import Scored, change_histograms, detector_record
from headscarp.pipeline.map.tiles import Walk
from headscarp.pipeline.stages import Stages
from headscarp.polygons import PolygonOptions
from headscarp.record import (
    GridRecord,
    InputRecord,
    OrbitRecord,
    PassRecord,
    PseudoEventRecord,
    ResultRecord,
    RunRecord,
    TerrainRecord,
)
from headscarp.scene import SceneFile
from headscarp.vocabulary import Role


@dataclass(frozen=True)
class Facts:
    """All that a record is composed of."""

    plan: Plan
    walk: Walk
    detector: Detector
    fitted: FittedDetector
    sums: Sums
    drawn: Drawn
    polygons: PolygonOptions
    threshold_source: str
    ladder: list[PseudoCount]
    pseudo_problem: str
    passes: list[PassRecord]
    stages: Stages
    started: datetime
    command: list[str]
    commit: str | None
    versions: dict[str, str]


def compose_record(facts: Facts) -> RunRecord:
    """Compose the record of a run; reads every input once more for its SHA-256."""
    plan, fitted = facts.plan, facts.fitted.record()
    orbits = _orbits(plan, fitted.get("regional_shift_db", {}))
    scored = Scored(plan, facts.walk, facts.detector, facts.fitted)
    return RunRecord(
        headscarp=facts.versions["headscarp"],
        command=facts.command,
        commit=facts.commit,
        started_utc=facts.started,
        finished_utc=datetime.now(UTC),
        options=plan.options.model_dump(mode="json"),
        event_utc=plan.event.time_utc,
        event_is_instant=plan.event.is_instant,
        pre_window=(plan.event.pre.start, plan.event.pre.end),
        post_window=(plan.event.post.start, plan.event.post.end),
        windows_source=plan.event.windows_source,
        inputs=_inputs(plan, facts.stages),
        orbits=orbits,
        polarizations=facts.walk.sample["polarization"].values.tolist(),
        grid=_grid(plan),
        histograms=change_histograms(facts.walk),
        detector=detector_record(scored, facts.polygons.threshold, facts.threshold_source),
        pseudo_event=_pseudo_event(facts),
        passes=facts.passes,
        terrain=_terrain(facts),
        results=_results(facts),
        notes=[
            *notes_of(facts.plan, facts.sums, orbits, facts.pseudo_problem),
            *notes_of_detector(facts.plan, facts.detector),
        ],
        stages=facts.stages.records,
        versions=facts.versions,
    )


def _orbits(plan: Plan, shifts: dict[str, dict[str, float]]) -> list[OrbitRecord]:
    records = []
    for label in plan.splits:
        pre, post = (plan.scenes_of(label, role) for role in (Role.PRE_EVENT, Role.POST_EVENT))
        first = pre[0].files[0]
        after = [s.acquired for s in post if s.acquired >= plan.event.time_utc]
        records.append(
            OrbitRecord(
                label=label,
                relative_orbit=plan.stacks[label].attrs["relative_orbit"] or None,
                orbit_state=first.orbit_state,
                orbit_state_source=first.orbit_state_source,
                pre_utc=[scene.acquired for scene in pre],
                post_utc=[scene.acquired for scene in post],
                days_to_first_pass=plan.event.days_until(min(after)) if after else None,
                regional_shift_db=shifts.get(label, {}),
            )
        )
    return records


def _inputs(plan: Plan, stages: Stages) -> list[InputRecord]:
    """One record a file; hashing reads all of them."""
    stacked = {id(file) for label in plan.splits for file in _stacked_files(plan, label)}
    rows: list[tuple[SceneFile, Role, str]] = []
    for assigned in plan.assigned:
        for file in assigned.scene.files:
            rejected = assigned.role is Role.REJECTED
            reason = EARLIER if rejected and id(file) in stacked else assigned.reason
            rows.append((file, assigned.role, reason))
    rows += [(file, Role.REJECTED, reason) for file, reason in plan.repeats]
    paths = list({file.path for file, _, _ in rows})
    hashes = dict(zip(paths, stages.map("hashing inputs", read_sha256, paths), strict=True))
    rows.sort(key=lambda row: (row[0].acquired, row[0].path))
    return [_input(file, role, reason, hashes[file.path]) for file, role, reason in rows]


def _stacked_files(plan: Plan, label: str) -> list[SceneFile]:
    times = set(pd.DatetimeIndex(plan.stacks[label]["time"].values).to_pydatetime().tolist())
    return [
        file
        for a in plan.assigned
        for file in a.scene.files
        if stack_label(a.scene, plan.options.change.pooling) == label
        and a.scene.acquired.replace(tzinfo=None) in times
    ]


def _input(file: SceneFile, role: Role, reason: str, sha256: str) -> InputRecord:
    return InputRecord(
        path=str(file.path),
        sha256=sha256,
        reader=file.reader,
        platform=file.platform,
        acquired_utc=file.acquired,
        processed_utc=file.processed,
        relative_orbit=file.relative_orbit,
        relative_orbit_source=file.relative_orbit_source,
        orbit_state=file.orbit_state,
        orbit_state_source=file.orbit_state_source,
        polarizations=[str(pol) for pol in file.bands],
        scale=file.scale.value,
        scale_source=file.scale_source,
        crs=crs_name(file.geobox),
        spacing=abs(file.geobox.transform.a),
        role=role,
        reason=reason,
    )


def crs_name(geobox: Any) -> str:
    """Authority code of a grid's CRS where it has one, else its WKT."""
    epsg = geobox.crs.epsg
    return f"EPSG:{epsg}" if epsg else crs_wkt(geobox)


def _grid(plan: Plan) -> GridRecord:
    geobox = plan.geobox
    t = geobox.transform
    return GridRecord(
        crs=crs_name(geobox),
        transform=(t.a, t.b, t.c, t.d, t.e, t.f),
        height_px=geobox.shape[0],
        width_px=geobox.shape[1],
        spacing=abs(t.a),
        unit=unit_of(geobox),
        source=plan.grid.source,
    )


def _pseudo_event(facts: Facts) -> PseudoEventRecord:
    pseudo, note = facts.plan.pseudo, facts.pseudo_problem or facts.plan.pseudo_note
    if pseudo is None or not facts.ladder:
        return PseudoEventRecord(
            date_utc=None,
            orbits=[],
            pre_dates=0,
            post_dates=0,
            area_km2=0.0,
            false_alarms=[],
            note=note,
        )
    return PseudoEventRecord(
        date_utc=pseudo.moment,
        orbits=list(pseudo.splits),
        pre_dates=max(len(split.pre) for split in pseudo.splits.values()),
        post_dates=max(len(split.post) for split in pseudo.splits.values()),
        area_km2=facts.ladder[0].observed_m2 * KM2,
        false_alarms=[count.record() for count in facts.ladder],
        note=note,
    )


def _terrain(facts: Facts) -> TerrainRecord | None:
    options, sums = facts.plan.options.terrain, facts.sums
    if options.dem is None:
        return None
    return TerrainRecord(
        path=str(options.dem),
        sha256=read_sha256(options.dem),
        min_slope_deg=options.min_slope_deg,
        gentle_km2=sums.gentle * KM2,
        water_km2=sums.water * KM2,
        missing_km2=sums.no_height * KM2,
        incidence_deg=options.incidence_deg,
        steep_km2=sums.steep * KM2,
        steep_seen_km2={name: area * KM2 for name, area in sums.steep_seen.items() if name != "unknown"},
        note=(
            f"Probability is 0 on slopes below {options.min_slope_deg:g}° and on water: VV below "
            f"{options.water_vv_db:g} dB and VH below {options.water_vh_db:g} dB before the event, on "
            f"slopes below {options.water_max_slope_deg:g}°."
        ),
    )


def _results(facts: Facts) -> ResultRecord:
    observed = facts.sums.observed * KM2
    wanted = _area_of_interest_m2(facts.plan) * KM2
    empty = ResultRecord(
        area_of_interest_km2=wanted,
        observed_km2=observed,
        not_observed_km2=max(wanted - observed, 0.0),
        flagged_km2=0.0,
        flagged_share=0.0,
        landslides=0,
        landslides_km2=0.0,
        min_area_m2=0.0,
    )
    return facts.drawn.results(empty, facts.polygons)


def _area_of_interest_m2(plan: Plan) -> float:
    """Ground asked for: the area of interest, or without one the footprints of the scenes."""
    boxes = [shapely.box(*bounds) for bounds in plan.footprints()]
    asked = shapely.union_all(boxes) if plan.grid.area is None else plan.grid.area
    if not is_geographic(plan.geobox):
        return float(shapely.area(asked) * metres_per_unit(plan.geobox) ** 2)
    return sum(
        float((np.asarray(inside(t.geobox, asked)) * pixel_area_m2(t.geobox)).sum())
        for t in tiles(plan.geobox)
    )
