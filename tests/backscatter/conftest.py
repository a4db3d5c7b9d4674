"""Real products, and one with known ground."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from headscarp.backscatter.passes import Product, read_product
from headscarp.backscatter.safe import open_safe
from tests.backscatter.writer import Array, Frame, GroundPoints, copy_safe, fill

ROME = "S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371.SAFE"
PAIR = "S1A_IW_GRDH_1SDV_20150203T043109_20150203T043134_004454_00574F_{}.zip"


@pytest.fixture(scope="session")
def rome_safe(real_data: Path) -> Path:
    return real_data / "safe_grd" / ROME


@pytest.fixture(scope="session")
def products(real_data: Path, rome_safe: Path) -> dict[str, Product]:
    """Rome, and the two processings of one slice of 2015."""
    paths = {"rome": rome_safe} | {
        name: real_data / "safe_grd" / PAIR.format(name) for name in ("6D00", "FEC3")
    }
    return {name: read_product(open_safe(path)) for name, path in paths.items()}


def hills(x: Array, y: Array) -> Array:
    """300 m high, with slopes of up to 8°."""
    return np.asarray(300.0 + 60.0 * np.sin(x / 450.0) * np.cos(y / 500.0))


def pattern(ground: GroundPoints) -> Array:
    """Backscatter of 0.1, waving by 2 dB over 1.3 km in both directions."""
    wave = np.sin(ground.x / 200.0) + np.sin(ground.y / 200.0)
    return np.asarray(0.1 * 10 ** (0.1 * wave))


@dataclass(frozen=True)
class Known:
    """A product whose ground is known."""

    frame: Frame
    dem: Path
    targets: list[tuple[int, int]]


def make_known(rome: Path, folder: Path, line: int, sample: int) -> Known:
    """Targets and pattern around a line of the geolocation grid."""
    safe = copy_safe(rome, folder)
    frame = Frame(safe, (line - 60, line + 60), (sample, sample + 480), hills)
    offsets = np.random.default_rng(5).integers(-4, 5, 6)
    targets = [(line + int(d), sample + s) for d, s in zip(offsets, range(60, 480, 70), strict=True)]
    fill(frame, pattern, targets, polarizations={"vv": 1.0, "vh": 0.2})
    return Known(frame, frame.write_dem(folder / "dem.tif", 1500.0), targets)


@pytest.fixture(scope="session")
def known(rome_safe: Path, tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Mid swath, on the fifth line of the geolocation grid."""
    return make_known(rome_safe, tmp_path_factory.mktemp("known"), 8020, 13000)
