"""The schema of ``comparison.json``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class ComparedFigure(_Record):
    """A figure of a method: on its ground, or averaged over runs that differ by their seed."""

    value: float | None
    interval: tuple[float, float] | None = None
    """Bootstrap over blocks; none for a mean over seeds."""
    std: float | None = None
    """Sample standard deviation over seeds."""
    seeds: int = 1


class ComparedMethod(_Record):
    """One column of the comparison."""

    label: str
    folders: list[str]
    same_ground_as_first: bool
    figures: dict[str, ComparedFigure]
    """By path, such as ``pixel at_threshold f1``."""
    over_first: dict[str, ComparedFigure]
    """Difference to the first method: drawn pair by pair on the same blocks; empty on other ground."""


class Comparison(_Record):
    """Evaluations side by side."""

    headscarp: str
    commit: str | None
    command: list[str]
    methods: list[ComparedMethod]
    notes: list[str]
