"""A root of made patches: both orbits of six places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headscarp.split import SplitFile
from tests.sen12.made import DAYS, PX, file_of, optical, place, power, split_of, square, to_db, write

NUMBERS = range(6)


def stored_power(number: int, sensor: str) -> np.ndarray:
    """Linear power of a patch: its landslides darken after the event."""
    values = power(number + (100 if sensor == "s1dsc" else 0))
    dark = np.where(square(10 * number) == 1, np.float32(0.3), np.float32(1))
    values[:, 3:] *= dark
    return values


def write_patch_of(root: Path, number: int, sensor: str, **content: object) -> Path:
    corner = (570880.0 + 1280.0 * (number % 3), 4748800.0 - 1280.0 * (number // 3))
    vv, vh = to_db(stored_power(number, sensor))
    given = {"bands": {"VV": vv, "VH": vh}, "mask": square(10 * number), "corner": corner} | content
    return write(root / sensor / f"hokkaido_{sensor}_{number}.nc", file_of(sensor, **given))


def write_s2(root: Path, number: int, **content: object) -> Path:
    """A Sentinel-2 patch beside the made radar patches, on the same ground."""
    corner = (570880.0 + 1280.0 * (number % 3), 4748800.0 - 1280.0 * (number // 3))
    given = {"bands": optical(number), "mask": square(10 * number), "corner": corner} | content
    return write(root / "s2" / f"hokkaido_s2_{number}.nc", file_of("s2", **given))


@pytest.fixture(scope="session")
def made_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Never written to: tests that change it work on a copy."""
    root = tmp_path_factory.mktemp("release") / "data_harmonized"
    for number in NUMBERS:
        for sensor in ("s1asc", "s1dsc"):
            write_patch_of(root, number, sensor)
    assert power(0).shape == (2, len(DAYS), PX, PX)
    return root


@pytest.fixture(scope="session")
def made_splits() -> list[SplitFile]:
    parts = ("train", "train", "train", "train", "validation", "test")
    swapped = ("test", "train", "train", "train", "validation", "train")
    return [
        split_of([place(n, n % 3, n // 3, part, series) for n, part in zip(NUMBERS, own, strict=True)])
        for series, own in (("s1asc", parts), ("s1dsc", swapped), ("aligned", parts))
    ]
