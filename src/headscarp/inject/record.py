"""The schema of ``injection.json``: what was planted, into what, with which seed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlantedFile(_Frozen):
    """A file of scenes in the folder."""

    name: str
    """Path within ``scenes``."""
    sha256: str
    """Of the file that it was made from."""
    planted: bool
    """Whether it holds an acquisition after the event; the others are as they were."""


class SizeCount(_Frozen):
    """Landslides of one size: asked for, and planted."""

    size_ha: float
    asked: int
    planted: int


class InjectionRecord(_Frozen):
    """What ``injection.json`` holds. It has no clock in it: one seed, one file."""

    headscarp: str
    commit: str | None
    options: dict[str, Any]
    outlines: str
    """Where they come from: drawn, from an inventory, or given."""
    crs: str
    rows: int
    columns: int
    room_km2: float | None
    """Ground on which landslides could be planted; null where the outlines were given."""
    landslides_asked: int
    landslides: int
    landslides_km2: float
    landslides_without_room: int
    sizes: list[SizeCount]
    """By size, where sizes were given."""
    vh_db: tuple[float, float] | None
    """Least and largest change of VH; null without a landslide."""
    vv_db: tuple[float, float] | None
    files: list[PlantedFile]
    left_out: list[str]
    """Files that no map of this event reads: rejected, or an older processing."""
    notes: list[str]
