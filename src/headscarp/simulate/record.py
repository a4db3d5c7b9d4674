"""The schema of ``simulation.json``: what was simulated, by what, with how much of each kind."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from headscarp.simulate.options import SimulateOptions


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LookRecord(_Frozen):
    """One orbit: where it looks, and the share of the ground that it cannot see."""

    label: str
    passes_utc: list[str]
    look_azimuth_deg: float
    incidence_deg: tuple[float, float]
    """Least and largest of the ellipsoid's."""
    layover_share: float
    shadow_share: float
    missed_share: float
    """Of the columns, outside the swath."""


class SimulationRecord(_Frozen):
    """What ``simulation.json`` holds. It has no clock and no path in it: one seed, one file."""

    headscarp: str
    commit: str | None
    options: SimulateOptions
    crs: str
    rows: int
    columns: int
    spacing_m: float
    looks: list[LookRecord]
    equivalent_looks: float
    heights_m: tuple[float, float]
    cover_shares: dict[str, float]
    landslides_drawn: int
    """Before overlapping ones were united."""
    landslides_without_room: int
    """Asked for or read, and left out: no steep ground, or beyond the grid."""
    shapes_moved_m: tuple[float, float]
    """How far outlines that were read were moved, to the east and to the north."""
    landslides: int
    landslides_km2: float
    distractors: dict[str, int]
