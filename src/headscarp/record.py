"""What a run did, told once: the schema of ``run.json``.

The pipeline fills it, the report draws from it, and ``headscarp polygons`` reads it back. Quantities
carry their unit in the name; times are UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from headscarp.vocabulary import OrbitState, Role


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputRecord(_Record):
    """One input file: what it is, where its facts came from, and what it was used for."""

    path: str
    sha256: str
    reader: str
    platform: str | None
    acquired_utc: datetime
    processed_utc: datetime | None
    relative_orbit: int | None
    relative_orbit_source: str
    orbit_state: OrbitState
    orbit_state_source: str
    polarizations: list[str]
    scale: str
    scale_source: str
    crs: str
    spacing: float
    role: Role
    reason: str
    """Why the file has its role: the window it fell into, or why it was rejected."""


class OrbitRecord(_Record):
    """One orbit of the change: its dates, its wait after the event and the shift taken out of it."""

    label: str
    """Such as ``ascending 137``."""
    relative_orbit: int | None
    orbit_state: OrbitState
    orbit_state_source: str
    pre_utc: list[datetime]
    post_utc: list[datetime]
    days_to_first_pass: float | None
    """Days from the event to the first pass used after it."""
    regional_shift_db: dict[str, float]
    """Robust median of the change, taken out before fusion, per polarisation."""


class GridRecord(_Record):
    """The grid of every raster of the run."""

    crs: str
    transform: tuple[float, float, float, float, float, float]
    height_px: int
    width_px: int
    spacing: float
    unit: str
    source: str
    """How CRS and spacing were chosen."""


class HistogramRecord(_Record):
    """Counts between edges: ``len(edges) == len(counts) + 1``."""

    edges: list[float]
    counts: list[int]


class DetectorRecord(_Record):
    """The detector as fitted: all that turns a change into a probability."""

    name: str
    threshold: float
    threshold_source: str
    fitted: dict[str, Any]
    """Noise, correlation, the empirical null and the stated prior, as the detector names them."""
    score: HistogramRecord
    """Histogram of the score over the sample it was fitted on."""
    score_name: str
    null_density: list[float]
    """Expected count a bin under the null, on the bins of ``score``."""


class FalseAlarms(_Record):
    """Objects found where nothing happened."""

    threshold: float
    objects: int
    per_100km2: float
    flagged_share: float


class PseudoEventRecord(_Record):
    """The same detector on dates before the event only."""

    date_utc: datetime | None
    """Where the pre-event stack was split; none where the check could not run."""
    orbits: list[str]
    pre_dates: int
    post_dates: int
    area_km2: float
    false_alarms: list[FalseAlarms]
    """By threshold, rising; the run's own threshold is among them."""
    note: str
    """What was done, or why it could not be."""


class PassRecord(_Record):
    """What a map made after some of the passes flags, against the map of all of them; over the sample."""

    until_utc: datetime
    """Of the last pass that was there."""
    orbit: str
    """Of that pass."""
    passes: int
    """After the event, of all orbits."""
    observed_share: float
    """Of the ground that all passes observe."""
    flagged_share: float
    """Of the ground observed by then."""
    found_share: float | None
    """Of what the final map flags, the part flagged by then; none where it flags nothing."""
    kept_share: float | None
    """Of what was flagged by then, the part that the final map flags too; none where nothing was."""


class TerrainRecord(_Record):
    """What the DEM was used for."""

    path: str
    sha256: str
    min_slope_deg: float
    gentle_km2: float
    water_km2: float
    missing_km2: float
    """Observed ground without a height: never excluded."""
    incidence_deg: float | None = None
    """Nominal, behind what the orbits can see."""
    steep_km2: float = 0.0
    """Observed ground from ``min_slope_deg`` on, open water left out."""
    steep_seen_km2: dict[str, float] = Field(default_factory=dict)
    """Of that: seen by ``both`` orbits, ``ascending only``, ``descending only``, or ``neither``."""
    note: str


class ResultRecord(_Record):
    """The map in numbers."""

    area_of_interest_km2: float
    observed_km2: float
    not_observed_km2: float
    flagged_km2: float
    """Pixels at or above the threshold, before the minimum area."""
    flagged_share: float
    """Of the observed ground."""
    landslides: int
    landslides_km2: float
    min_area_m2: float


class StageRecord(_Record):
    """What one stage cost."""

    name: str
    seconds: float
    peak_memory_mb: float


class RunRecord(_Record):
    """A whole run, as written to ``run.json``."""

    headscarp: str
    command: list[str]
    commit: str | None = None
    """Of the source that made it; none outside a checkout."""
    started_utc: datetime
    finished_utc: datetime
    options: dict[str, Any]
    event_utc: datetime
    event_is_instant: bool
    """Whether the event is known to the second, or only to the day."""
    pre_window: tuple[datetime, datetime]
    post_window: tuple[datetime, datetime]
    windows_source: str
    inputs: list[InputRecord]
    orbits: list[OrbitRecord]
    polarizations: list[str]
    grid: GridRecord
    histograms: dict[str, HistogramRecord]
    """Of the fused change in dB, per polarisation."""
    detector: DetectorRecord
    pseudo_event: PseudoEventRecord
    passes: list[PassRecord] = Field(default_factory=list)
    """How the map firmed up, pass by pass; the last row is the map itself."""
    terrain: TerrainRecord | None
    results: ResultRecord
    notes: list[str]
    """Warnings and losses, in plain sentences: what a reader must know before trusting the map."""
    stages: list[StageRecord]
    versions: dict[str, str]
