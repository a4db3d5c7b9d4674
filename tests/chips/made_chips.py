"""Stores and facts of chips, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headscarp.chips.store import ChipFacts, ChipStore, EventFacts, StoreFacts, open_store
from headscarp.chips.writer import CutChip, Layout, content_sha256, open_writer
from headscarp.features.channels import FloatArray
from headscarp.features.sets import FeatureSet, feature_set

CRS = "EPSG:32654"
SPACING_M = 10.0


def make_chip(
    event: str, row: int, col: int, *, side_m: float = 640.0, landslide_px: int = 0, crs: str = CRS
) -> ChipFacts:
    """A chip by its first row and column, in pixels."""
    left, top = col * SPACING_M, -row * SPACING_M
    return ChipFacts(
        id=f"{event}_r{row:05d}_c{col:05d}",
        event=event,
        crs=crs,
        bounds=(left, top - side_m, left + side_m, top),
        landslide_px=landslide_px,
        ignored_px=0,
        content_sha256=f"{event}{row}{col}",
    )


def make_facts(
    chips: Sequence[ChipFacts], size_px: int = 64, features: FeatureSet | None = None, stride_px: int = 0
) -> StoreFacts:
    """Facts of a store of chips."""
    names = sorted({chip.event for chip in chips})
    return StoreFacts(
        headscarp="0",
        key="key",
        features=features or feature_set("group1"),
        size_px=size_px,
        stride_px=stride_px or size_px,
        spacing_m=SPACING_M,
        pooling="relative_orbit",
        events=tuple(
            EventFacts(name=name, inputs_sha256="", pre_dates=(1, 1), post_dates=(1, 1)) for name in names
        ),
        chips=tuple(chips),
    )


def lattice_facts(
    rows: int, cols: int, *, stride_px: int = 64, events: Sequence[str] = ("a",), every: int = 3
) -> StoreFacts:
    """Facts of chips of 64 px on a lattice; one in so many has landslides."""
    chips = [
        make_chip(
            event,
            r * stride_px,
            c * stride_px + k * 100_000,
            landslide_px=10 * ((r * cols + c) % every == 0),
        )
        for k, event in enumerate(events)
        for r in range(rows)
        for c in range(cols)
    ]
    return make_facts(chips, stride_px=stride_px)


def write_chips(
    path: Path,
    features: FeatureSet,
    x: Sequence[FloatArray],
    label: NDArray[np.uint8],
    days: Sequence[FloatArray] | None = None,
) -> ChipStore:
    """A store of given features and labels."""
    size = label.shape[-1]
    dates = max(map(len, days)) if days is not None else 0
    writer = open_writer(path, "key", Layout(features, size, dates, len(x) + 5))
    for i, values in enumerate(x):
        px = int((label[i] == 1).sum())
        facts = make_chip("a", 0, i * size, side_m=size * SPACING_M, landslide_px=px)
        facts = facts.model_copy(update={"content_sha256": content_sha256(values, label[i])})
        own_days = None if days is None else days[i]
        writer.append(str(i), [CutChip(facts, values, label[i], own_days)])
    writer.finish(make_facts(writer.chips, size, features))
    return open_store(path)
