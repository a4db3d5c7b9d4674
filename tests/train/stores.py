"""Small stores of chips, made with numpy: bright squares on noise are landslides."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import zarr

from headscarp.chips.store import ATTRIBUTE, ChipFacts, ChipStore, EventFacts, StoreFacts, open_store
from headscarp.features.sets import FeatureSet, feature_set
from headscarp.split import Chip, SplitFile

SIZE_PX = 32
SPACING_M = 10.0


def make_store(
    path: Path,
    chips: int = 16,
    features: str | FeatureSet = "group1",
    seed: int = 0,
    dates: int = 3,
    strength: float = 4.0,
    event: str = "storm",
) -> ChipStore:
    """A store in which a network can learn to find the squares; chip 3 holds none."""
    own = feature_set(features) if isinstance(features, str) else features
    rng = np.random.default_rng(seed)
    inner = {"scene": (), "pair": (2,), "series": (dates,)}[own.form]
    label = np.zeros((chips, SIZE_PX, SIZE_PX), np.uint8)
    for place in range(chips):
        if place != 3:
            row, col = rng.integers(2, SIZE_PX - 12, 2)
            label[place, row : row + 10, col : col + 10] = 1
    x = rng.normal(size=(chips, *inner, own.network_channels, SIZE_PX, SIZE_PX)).astype(np.float32)
    mark = strength * (label == 1).astype(np.float32)
    if own.form == "scene":
        x += mark[:, None]
    else:  # the last date, or the scene after the event
        x[:, -1] -= mark[:, None]
    x[..., :2, :] = np.nan
    label[:, :2] = 255
    write_store(path, x, label, own, event, inner[0] if own.form == "series" else None)
    return open_store(path)


def make_value_store(path: Path, chips: int = 16, seed: int = 0, features: str = "ndvi9_5") -> ChipStore:
    """A store in which the first channel tells an NDVI; no landslide in it, nor a value in its first rows."""
    own = feature_set(features)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(chips, own.network_channels, SIZE_PX, SIZE_PX)).astype(np.float32)
    coarse = np.kron(rng.normal(size=(chips, SIZE_PX // 8, SIZE_PX // 8)), np.ones((8, 8)))
    x[:, 0] = 0.2 * x[:, 0] + coarse
    target = np.tanh(0.6 * coarse + 0.2).astype(np.float32)
    label = np.zeros((chips, SIZE_PX, SIZE_PX), np.uint8)
    x[..., :2, :] = np.nan
    label[:, :3] = 255
    target[label == 255] = np.nan
    write_store(path, x, label, own, target=target)
    return open_store(path)


def write_store(
    path: Path,
    x: np.ndarray,
    label: np.ndarray,
    features: FeatureSet,
    event: str = "storm",
    dates: int | None = None,
    target: np.ndarray | None = None,
) -> None:
    group = zarr.open_group(path, mode="w")
    arrays = {"x": x, "label": label} | ({} if target is None else {"target": target})
    if dates is not None:
        arrays["days"] = np.tile(np.arange(dates, dtype=np.float32) * 12 - 12 * (dates - 1), (len(x), 1))
    for name, values in arrays.items():
        array = group.create_array(
            name, shape=values.shape, chunks=(1, *values.shape[1:]), dtype=values.dtype
        )
        array[:] = values
    side = SIZE_PX * SPACING_M
    facts = StoreFacts(
        headscarp="test",
        key=hashlib.sha256(x.tobytes() + label.tobytes()).hexdigest(),
        features=features,
        size_px=SIZE_PX,
        stride_px=SIZE_PX,
        spacing_m=SPACING_M,
        pooling="relative_orbit",
        target="landslide" if target is None else "ndvi",
        events=(EventFacts(name=event, inputs_sha256="0" * 64, pre_dates=(2, 3), post_dates=(1, 2)),),
        chips=tuple(
            ChipFacts(
                id=f"{event}_{i}",
                event=event,
                crs="EPSG:32654",
                bounds=(580000 + i * side, 4730000, 580000 + (i + 1) * side, 4730000 + side),
                landslide_px=int((label[i] == 1).sum()),
                ignored_px=int((label[i] == 255).sum()),
                content_sha256=hashlib.sha256(x[i].tobytes() + label[i].tobytes()).hexdigest(),
            )
            for i in range(len(x))
        ),
    )
    group.attrs[ATTRIBUTE] = facts.model_dump_json()


def make_split(store: ChipStore, validation: int = 4) -> SplitFile:
    """The last chips choose, the others train."""
    first = len(store) - validation

    def name(place: int) -> Literal["train", "validation"]:
        return "train" if place < first else "validation"

    return SplitFile(
        name="test",
        seed=0,
        spacing_m=SPACING_M,
        chips=tuple(
            Chip(
                id=chip.id,
                split=name(place),
                event=chip.event,
                crs=chip.crs,
                bounds=chip.bounds,
                landslide_px=chip.landslide_px,
                px=SIZE_PX**2,
                content_sha256=chip.content_sha256,
            )
            for place, chip in enumerate(store.facts.chips)
        ),
    )
