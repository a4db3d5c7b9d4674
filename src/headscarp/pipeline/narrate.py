"""What the run tells of itself: the record, and the notes a reader needs before trusting the map."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import shapely

from headscarp.detect.protocol import FittedDetector
from headscarp.event import SEASON_GAP_DAYS, season_gap_days
from headscarp.features.change import fuse
from headscarp.grid import crs_wkt, is_geographic, metres_per_unit, pixel_area_m2, tiles, unit_of
from headscarp.ingest.area import inside
from headscarp.ingest.raster import read_sha256
from headscarp.pipeline.detect import KM2, PseudoCount, Sums
from headscarp.pipeline.plan import EARLIER, Plan
from headscarp.pipeline.redraw import Drawn
from headscarp.pipeline.stages import Stages
from headscarp.pipeline.tiles import Walk
from headscarp.polygons import PolygonOptions
from headscarp.record import (
    DetectorRecord,
    GridRecord,
    HistogramRecord,
    InputRecord,
    OrbitRecord,
    PseudoEventRecord,
    ResultRecord,
    RunRecord,
    TerrainRecord,
)
from headscarp.scene import SceneFile
from headscarp.vocabulary import OrbitState, Role

HISTOGRAM_BINS = 120
FEW_POST_DATES = 2
UNEVEN_SHARE = 0.95
"""Share of the observed ground below which orbits are said to cover it unevenly."""


@dataclass(frozen=True)
class Facts:
    """All that a record is composed of."""

    plan: Plan
    walk: Walk
    fitted: FittedDetector
    sums: Sums
    drawn: Drawn
    polygons: PolygonOptions
    threshold_source: str
    ladder: list[PseudoCount]
    pseudo_problem: str
    stages: Stages
    started: datetime
    command: list[str]
    versions: dict[str, str]


def compose_record(facts: Facts) -> RunRecord:
    """Compose the record of a run; reads every input once more for its SHA-256."""
    plan, fitted = facts.plan, facts.fitted.record()
    orbits = _orbits(plan, fitted.get("regional_shift_db", {}))
    return RunRecord(
        headscarp=facts.versions["headscarp"],
        command=facts.command,
        started_utc=facts.started,
        finished_utc=datetime.now(UTC),
        options=plan.options.model_dump(mode="json"),
        event_utc=plan.event.time_utc,
        event_is_instant=plan.event.is_instant,
        pre_window=(plan.event.pre.start, plan.event.pre.end),
        post_window=(plan.event.post.start, plan.event.post.end),
        windows_source=plan.event.windows_source,
        inputs=_inputs(plan),
        orbits=orbits,
        polarizations=facts.walk.sample["polarization"].values.tolist(),
        grid=_grid(plan),
        histograms=_histograms(facts.walk),
        detector=_detector(facts, fitted),
        pseudo_event=_pseudo_event(facts),
        terrain=_terrain(facts),
        results=_results(facts),
        notes=list(_notes(facts, orbits)),
        stages=facts.stages.records,
        versions=facts.versions,
    )


def _notes(facts: Facts, orbits: Sequence[OrbitRecord]) -> Iterator[str]:
    """Losses and doubts, in plain sentences, the gravest first."""
    plan = facts.plan
    yield from plan.event.conflicts
    states = {orbit.orbit_state for orbit in orbits}
    if len(states) == 1:
        only = next(iter(states))
        other = next(state for state in OrbitState if state is not only)
        yield (
            f"Only {only.value} passes: slopes that they see in layover or shadow were not seen at "
            f"all, and no {other.value} pass confirms what was found."
        )
    yield from _note_polarization(facts.walk.sample["polarization"].values.tolist())
    yield from _note_dates(orbits)
    share = facts.sums.all_orbits / facts.sums.observed if facts.sums.observed else 1.0
    if len(orbits) > 1 and share < UNEVEN_SHARE:
        yield (
            f"Uneven coverage: all {len(orbits)} orbits observed {share:.0%} of the observed "
            "ground; see observations.tif for the rest."
        )
    yield from _note_gaps(plan)
    if plan.options.terrain.dem is None:
        yield "No DEM was given: no slope limit, no water mask, no hillshade, no slope per landslide."
    if facts.pseudo_problem or plan.pseudo is None:
        yield f"False alarms were not measured. {facts.pseudo_problem or plan.pseudo_note}"


def _note_polarization(polarizations: Sequence[str]) -> Iterator[str]:
    if len(polarizations) == 1:
        yield (
            f"Only {polarizations[0]} was given: a second polarisation would lower the noise and "
            "tell loss of vegetation from change of moisture."
        )


def _note_dates(orbits: Sequence[OrbitRecord]) -> Iterator[str]:
    for orbit in orbits:
        if len(orbit.post_utc) < FEW_POST_DATES:
            yield (
                f"{orbit.label}: a single date after the event, so speckle weighs fully; the next "
                "pass will sharpen the map."
            )
        gap = season_gap_days(orbit.pre_utc, orbit.post_utc)
        if gap > SEASON_GAP_DAYS:
            yield (
                f"{orbit.label}: dates before and after lie {gap:.0f} days of the year apart; crops, "
                "leaves and snow change between seasons. A pre-event window in the season of the "
                "post-event one avoids this (--pre)."
            )


def _note_gaps(plan: Plan) -> Iterator[str]:
    """Dates whose files leave out ground that other dates of the orbit cover."""
    for label in plan.splits:
        counts = {
            len(scene.files)
            for role in (Role.PRE_EVENT, Role.POST_EVENT)
            for scene in plan.scenes_of(label, role)
        }
        if len(counts) > 1:
            yield (
                f"{label}: dates have between {min(counts)} and {max(counts)} files, so some ground "
                "was observed on fewer dates; see observations.tif."
            )
    unknown = [label for label in plan.splits if label in set(OrbitState)]
    if unknown and plan.options.change.pooling == "relative_orbit":
        yield (
            f"The relative orbit of {' and '.join(unknown)} scenes is not known: tracks of that "
            "state, if there are several, were pooled."
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


def _inputs(plan: Plan) -> list[InputRecord]:
    """One record a file; hashing reads all of them, on all cores."""
    stacked = {id(file) for label in plan.splits for file in _stacked_files(plan, label)}
    rows: list[tuple[SceneFile, Role, str]] = []
    for assigned in plan.assigned:
        for file in assigned.scene.files:
            rejected = assigned.role is Role.REJECTED
            reason = EARLIER if rejected and id(file) in stacked else assigned.reason
            rows.append((file, assigned.role, reason))
    rows += [(file, Role.REJECTED, reason) for file, reason in plan.repeats]
    paths = list({file.path for file, _, _ in rows})
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        hashes = dict(zip(paths, pool.map(read_sha256, paths), strict=True))
    rows.sort(key=lambda row: (row[0].acquired, row[0].path))
    return [_input(file, role, reason, hashes[file.path]) for file, role, reason in rows]


def _stacked_files(plan: Plan, label: str) -> list[SceneFile]:
    times = set(pd.DatetimeIndex(plan.stacks[label]["time"].values).to_pydatetime().tolist())
    return [
        file
        for a in plan.assigned
        for file in a.scene.files
        if a.scene.orbit_label == label and a.scene.acquired.replace(tzinfo=None) in times
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


def _histograms(walk: Walk) -> dict[str, HistogramRecord]:
    """Histograms of the fused change in dB over the sample, by polarisation."""
    fused = fuse(walk.sample)
    return {str(pol): _histogram(fused.sel(polarization=pol).values) for pol in fused["polarization"].values}


def _histogram(values: np.ndarray[Any, Any]) -> HistogramRecord:
    """Counts between the extreme thousandths; values beyond fall into the outermost bins."""
    valid = values[np.isfinite(values)]
    if valid.size == 0:
        return HistogramRecord(edges=[0.0, 1.0], counts=[0])
    low, high = np.quantile(valid, [0.0005, 0.9995])
    edges = np.linspace(low, max(high, low + 1e-3), HISTOGRAM_BINS + 1)
    counts, _ = np.histogram(np.clip(valid, edges[0], edges[-1]), edges)
    return HistogramRecord(edges=edges.tolist(), counts=counts.tolist())


def _detector(facts: Facts, fitted: dict[str, Any]) -> DetectorRecord:
    scores = facts.fitted.score(facts.walk.sample).values
    histogram = _histogram(scores)
    edges = np.array(histogram.edges)
    density = facts.fitted.null_density((edges[:-1] + edges[1:]) / 2.0)
    expected = density * np.diff(edges) * np.isfinite(scores).sum()
    return DetectorRecord(
        name=facts.plan.options.detect.detector,
        threshold=facts.polygons.threshold,
        threshold_source=facts.threshold_source,
        fitted=fitted,
        score=histogram,
        score_name="standardised fused change",
        null_density=expected.tolist(),
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
    """Ground asked for: pixels of the area of interest, or of the whole grid without one."""
    if plan.grid.area is None:
        return float(pixel_area_m2(plan.geobox).sum() * plan.geobox.shape[1])
    if not is_geographic(plan.geobox):
        return float(shapely.area(plan.grid.area) * metres_per_unit(plan.geobox) ** 2)
    return sum(
        float((np.asarray(inside(t.geobox, plan.grid.area)) * pixel_area_m2(t.geobox)).sum())
        for t in tiles(plan.geobox)
    )
