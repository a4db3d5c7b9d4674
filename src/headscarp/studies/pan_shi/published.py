"""What the paper prints, read from ``published.yaml``: numbers with the tables and sections they stand in."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date, datetime
from importlib import resources
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field

TINY = 1e-9


class PublishedRow(NamedTuple):
    """A row of Tables 3 and 4."""

    batch_size: int
    learning_rate: float
    filters: int
    precision: float
    recall: float
    f1: float
    iou: float


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublishedEvent(_Record):
    """An event of the paper."""

    title: str
    table: str = Field(description="Number of its table of scores.")
    rows: Mapping[str, PublishedRow]
    training_px: int
    validation_px: int
    training_landslide_px: int
    validation_landslide_px: int
    event_utc: datetime
    pre_window: tuple[date, date]
    post_window: tuple[date, date]
    pre_images: Mapping[str, int]
    post_images: Mapping[str, int]
    extent_deg: tuple[float, float, float, float] | None
    extent_km2: float | None


class Percentage(_Record):
    """An increase of F1 that the paper states."""

    event: str
    better: str
    worse: str
    percent: float
    where: str


class Published(_Record):
    """What the paper prints."""

    events: Mapping[str, PublishedEvent]
    percentages: tuple[Percentage, ...]
    chip_px: int
    pixel_m: float
    pixel_deg: float
    revisit_days: int
    training_min: float
    detection_min: float
    device: str


@functools.cache
def read_published() -> Published:
    """Read ``published.yaml`` of the package."""
    text = resources.files(__package__).joinpath("published.yaml").read_text(encoding="utf-8")
    return Published.model_validate(yaml.safe_load(text))


def published_event(name: str) -> PublishedEvent | None:
    """The paper's event that an event of a study stands for: its own, or that of its twin; none otherwise.

    Examples
    --------
    >>> published_event("hokkaido_twin").title
    'Hokkaido 2018'
    """
    events = read_published().events
    return next((own for key, own in events.items() if name == key or name.startswith(f"{key}_")), None)


def f1_of(precision: float, recall: float) -> float:
    """F1 from precision and recall, equation 11.

    Examples
    --------
    >>> round(f1_of(0.71, 0.84), 2)
    0.77
    """
    return 2.0 * precision * recall / (precision + recall)


def iou_of(f1: float) -> float:
    r"""Intersection over union that follows from F1, :math:`F_1 / (2 - F_1)`; equations 11 and 12.

    Examples
    --------
    >>> round(iou_of(0.5), 4)
    0.3333
    """
    return f1 / (2.0 - f1)


def f1_range(row: PublishedRow, half: float = 0.005) -> tuple[float, float]:
    """Least and largest F1 of all that is rounded to a row's precision and recall.

    Parameters
    ----------
    row : PublishedRow
    half : float
        Half of the last printed digit.
    """
    low = f1_of(max(row.precision - half, TINY), max(row.recall - half, TINY))
    return low, f1_of(min(row.precision + half, 1.0), min(row.recall + half, 1.0))
