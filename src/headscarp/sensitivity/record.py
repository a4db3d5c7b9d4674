"""The schema of ``sensitivity.json``: what can be found on a stack."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RateRecord(_Frozen):
    """A number of false alarms that is allowed, and the threshold that keeps it on the untouched stack."""

    rate_per_100km2: float
    threshold: float | None
    """Null where even the highest threshold shows more."""
    objects: int
    """On the untouched stack, at the threshold; at the highest one where none keeps the rate."""
    per_100km2: float


class Cell(_Frozen):
    """Landslides of one size and change, at one rate of false alarms."""

    rate_per_100km2: float
    size_ha: float
    change_db: float
    """Loss of VH."""
    planted: int
    found: int
    recall: float | None
    """Null where nothing was planted, or no threshold keeps the rate."""
    low: float | None
    """Wilson's interval at 95%."""
    high: float | None


class SensitivityRecord(_Frozen):
    """What ``sensitivity.json`` holds."""

    headscarp: str
    commit: str | None
    options: dict[str, Any]
    inputs_sha256: str
    """Of the names and hashes of all scenes before and after the event."""
    detector: str
    observed_km2: float
    """Of the untouched map: false alarms are counted on it."""
    room_km2: float
    """Ground on which landslides could be planted."""
    min_overlap: float
    """Share of a landslide that drawn objects must cover for it to be found."""
    min_area_m2: float
    """Smallest object drawn."""
    rates: list[RateRecord]
    rounds: int
    without_room: int
    """Landslides that were tried and found no room; they count neither as planted nor as missed."""
    cells: list[Cell]
    sentences: list[str]
    notes: list[str]
