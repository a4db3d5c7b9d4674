"""Tables of the page: landslides, false alarms, scenes, files."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pandas as pd
from scipy.special import gammaincinv

from headscarp.record import InputRecord, RunRecord
from headscarp.report.wording import NO_VALUE, own_false_alarms, say_number, say_share, say_time
from headscarp.vocabulary import Role

_ONE_PASS = timedelta(minutes=20)
"""Files of one orbit closer in time than this come from one pass."""

FILES = {
    "landslides.gpkg": "every landslide as a polygon with its numbers, layer landslides",
    "landslides.geojson": "the same polygons in longitude and latitude",
    "probability.tif": "probability of a landslide, 0 to 1",
    "change.tif": "change of backscatter in dB (positive: loss), fused and per orbit",
    "observations.tif": "number of observations before and after the event, per orbit",
    "score.tif": "score of the detector, of all orbits together and of each",
    "terrain.tif": "slope in degrees, hillshade and what was excluded",
    "observable.tif": "which orbits can see the ground: 0 neither, 1 ascending, 2 descending, 3 both",
    "run.json": "everything about this run, for machines",
    "config.yaml": "the options, to repeat this run",
    "report.html": "this page",
}
"""What each file of a run folder is."""


@dataclass(frozen=True)
class Cell:
    """A cell of a sortable table."""

    text: str
    value: float | str
    """What the column is sorted by."""


@dataclass(frozen=True)
class Column:
    """A column: where it comes from, its header and how its values are written."""

    key: str
    header: str
    style: str


@dataclass(frozen=True)
class Table:
    """A table of cells."""

    columns: list[Column]
    rows: list[list[Cell]]


@dataclass(frozen=True)
class AlarmRow:
    """False alarms at one threshold."""

    threshold: str
    objects: str
    per_100km2: str
    interval: str
    flagged_share: str
    own: bool


@dataclass(frozen=True)
class Pass:
    """The files of one orbit on one pass that share a fate."""

    orbit: str
    acquired: str
    role: str
    platform: str
    files: int
    direction: str
    scale: str
    reason: str


_COLUMNS = (
    Column("id", "No.", "whole"),
    Column("area_m2", "Area, m²", "whole"),
    Column("probability_mean", "Probability, mean", "share"),
    Column("probability_max", "Probability, max", "share"),
    Column("change_vv_db", "Change VV, dB", "signed"),
    Column("change_vh_db", "Change VH, dB", "signed"),
    Column("change_hh_db", "Change HH, dB", "signed"),
    Column("change_hv_db", "Change HV, dB", "signed"),
    Column("orbits_agreeing", "Orbits agreeing", "whole"),
    Column("slope_mean_deg", "Slope, °", "tenth"),
)
_POSITION = Column("centroid_lat", "Latitude, longitude", "position")
_WRITE = {"whole": "{:.0f}", "share": "{:.3f}", "signed": "{:+.1f}", "tenth": "{:.1f}"}


def _cell(value: Any, style: str) -> Cell:
    if isinstance(value, str):
        return Cell(value, value)
    if value is None or not math.isfinite(value):
        return Cell(NO_VALUE, -1e30)
    if style == "whole" and abs(value) >= 10_000:
        return Cell(say_number(float(value)), float(value))
    return Cell(_WRITE[style].format(value).replace("-", "−"), float(value))


def _position(lat: float, lon: float) -> Cell:
    known = math.isfinite(lat) and math.isfinite(lon)
    return Cell(f"{lat:.5f}, {lon:.5f}", lat) if known else Cell(NO_VALUE, -1e30)


def landslide_table(landslides: pd.DataFrame, most: int = 50) -> Table:
    """Tabulate the first landslides.

    Parameters
    ----------
    landslides : pd.DataFrame
        The largest first; columns as in ``landslides.gpkg``, of which some may be missing.
    most : int
        Largest number of rows.

    Returns
    -------
    Table
        A row a landslide, with the columns at hand.
    """
    columns = [column for column in _COLUMNS if column.key in landslides.columns]
    placed = {"centroid_lat", "centroid_lon"} <= set(landslides.columns)
    rows = []
    for landslide in landslides.head(most).to_dict("records"):
        cells = [_cell(landslide[column.key], column.style) for column in columns]
        if placed:
            cells.append(_position(landslide["centroid_lat"], landslide["centroid_lon"]))
        rows.append(cells)
    return Table([*columns, _POSITION] if placed else columns, rows)


def _poisson_interval(count: int, exposure: float) -> str:
    """Write the exact 95 % interval of a rate per 100 km² (Garwood 1936, Biometrika 28:437-442)."""
    if exposure <= 0:
        return NO_VALUE
    low = float(gammaincinv(count, 0.025)) if count else 0.0
    high = float(gammaincinv(count + 1, 0.975))
    return f"{say_number(low * 100 / exposure, 2)} to {say_number(high * 100 / exposure, 2)}"


def false_alarm_rows(record: RunRecord) -> list[AlarmRow]:
    """Tabulate the false alarms of the pseudo-event by threshold.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    list[AlarmRow]
        Empty where the check could not run.
    """
    check, own = record.pseudo_event, own_false_alarms(record)
    if check.date_utc is None:
        return []
    return [
        AlarmRow(
            threshold=f"{alarms.threshold:g}",
            objects=say_number(float(alarms.objects)),
            per_100km2=say_number(alarms.per_100km2, 2),
            interval=_poisson_interval(alarms.objects, check.area_km2),
            flagged_share=say_share(alarms.flagged_share),
            own=alarms is own,
        )
        for alarms in check.false_alarms
    ]


def _orbit_name(scene: InputRecord) -> str:
    number = scene.relative_orbit
    return f"{scene.orbit_state} {number if number is not None else '(number unknown)'}"


def _joined(values: Iterable[str | None]) -> str:
    return "; ".join(sorted({value or "unknown" for value in values}))


def _fate(scene: InputRecord) -> tuple[str, str, str]:
    """Return what files of one pass must share to stand in one row."""
    reason = scene.reason if scene.role is Role.REJECTED else ""
    return _orbit_name(scene), scene.role, reason


def _split_passes(scenes: list[InputRecord]) -> list[list[InputRecord]]:
    """Part scenes in order of time wherever a gap shows a new pass."""
    passes: list[list[InputRecord]] = []
    last: datetime | None = None
    for scene in sorted(scenes, key=lambda scene: scene.acquired_utc):
        if last is None or scene.acquired_utc - last > _ONE_PASS:
            passes.append([])
        passes[-1].append(scene)
        last = scene.acquired_utc
    return passes


def _pass(scenes: list[InputRecord]) -> Pass:
    first = scenes[0]
    return Pass(
        orbit=_orbit_name(first),
        acquired=say_time(first.acquired_utc),
        role=first.role.replace("_", "-"),
        platform=_joined(scene.platform for scene in scenes),
        files=len(scenes),
        direction=_joined(scene.orbit_state_source for scene in scenes),
        scale=_joined(f"{scene.scale}: {scene.scale_source}" for scene in scenes),
        reason=_joined(scene.reason for scene in scenes),
    )


def scene_passes(record: RunRecord, rejected: bool) -> list[Pass]:
    """Group the input files by orbit and pass.

    Parameters
    ----------
    record : RunRecord
        The run.
    rejected : bool
        Whether to list the rejected files or those used.

    Returns
    -------
    list[Pass]
        By orbit, then by time.
    """
    scenes = [scene for scene in record.inputs if (scene.role is Role.REJECTED) == rejected]
    grouped = groupby(sorted(scenes, key=_fate), key=_fate)
    passes = [_pass(group) for _, files in grouped for group in _split_passes(list(files))]
    return sorted(passes, key=lambda row: (row.orbit, row.acquired))


@dataclass(frozen=True)
class FirmingRow:
    """The map after some of the passes, held against the map of all of them."""

    until: str
    orbit: str
    passes: int
    observed: str
    flagged: str
    found: str
    kept: str
    own: bool


def firming_rows(record: RunRecord) -> list[FirmingRow]:
    """How the map firmed up, pass by pass; the last row is the map itself."""

    def share(value: float | None) -> str:
        return NO_VALUE if value is None else say_share(value)

    return [
        FirmingRow(
            until=say_time(row.until_utc),
            orbit=row.orbit,
            passes=row.passes,
            observed=say_share(row.observed_share),
            flagged=say_share(row.flagged_share),
            found=share(row.found_share),
            kept=share(row.kept_share),
            own=row is record.passes[-1],
        )
        for row in record.passes
    ]
