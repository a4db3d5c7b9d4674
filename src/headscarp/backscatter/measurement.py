"""The image itself: cut to the window that is needed, its borders cleaned, as a file of quick windows.

Measurements are stored line by line, sometimes compressed, sometimes in a zip, while the blocks of a map lie
across the lines. So each is read once, in order, and what is needed of it goes to a scratch file of tiles,
uncompressed. Nothing else is read twice. Digital numbers stay as they are; border noise becomes 0, no data.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from headscarp.backscatter.border import border_mask
from headscarp.backscatter.tables import Noise
from headscarp.errors import SceneError
from headscarp.ingest.raster import readable

Numbers = NDArray[np.uint16]

STRIP_LINES = 512
_TILE_PX = 512
_BORDER_REACH = 2048
"""Samples from a border within which its noise ends, unless a line says otherwise."""


class ImageWindow(NamedTuple):
    """Part of an image: first line and sample, and behind the last."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Lines and samples."""
        return self.bottom - self.top, self.right - self.left


@dataclass(frozen=True)
class Subset:
    """The window of a measurement that is needed, in a scratch file."""

    path: Path
    window: ImageWindow
    filled: int
    """Samples with a value, before the borders were cleaned."""
    dropped: int
    """Samples that were border noise."""

    def read(self, window: ImageWindow) -> Numbers:
        """Digital numbers of a window inside this one."""
        rows = slice(window.top - self.window.top, window.bottom - self.window.top)
        cols = slice(window.left - self.window.left, window.right - self.window.left)
        with quiet(), rasterio.open(self.path) as scratch:
            return np.asarray(scratch.read(1, window=Window.from_slices(rows, cols)), dtype=np.uint16)


def write_subset(
    source: str,
    scratch: Path,
    size: tuple[int, int],
    window: ImageWindow,
    noise: Noise | None,
) -> Subset:
    """Read a measurement in order and write the window of it that is needed.

    Parameters
    ----------
    source : str
        The measurement, by the name that GDAL opens.
    scratch : Path
        File to write.
    size : tuple of (lines, samples)
        As annotated.
    window : ImageWindow
    noise : Noise or None
        Against which border noise is told; none: borders stay as they are.

    Raises
    ------
    SceneError
        If the measurement cannot be read to the end of the window, or is of another size than annotated.
    """
    filled = dropped = 0
    with quiet(), readable(Path(source)), rasterio.open(source) as measurement:
        _refuse_other_size(source, measurement, size)
        with _create(scratch, window) as out:
            for top in range(window.top, window.bottom, STRIP_LINES):
                bottom = min(top + STRIP_LINES, window.bottom)
                strip = measurement.read(1, window=Window(0, top, size[1], bottom - top))
                filled += int(np.count_nonzero(strip[:, window.left : window.right]))
                if noise is not None:
                    dropped += _clean(strip, top, size, noise, window)
                part = strip[:, window.left : window.right]
                out.write(part, 1, window=Window(0, top - window.top, part.shape[1], part.shape[0]))
    return Subset(scratch, window, filled, dropped)


def refuse_empty(subset: Subset, name: str) -> None:
    """Refuse a measurement without a single value.

    Raises
    ------
    SceneError
        If there is none in the window.
    """
    if subset.filled == 0:
        raise SceneError(
            "an image with values in the area",
            f"{name}, all zeros there",
            "the map would be nodata without a sign of why",
            "download the product again, or choose an area inside its swath; --allow-empty for tests",
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Images in radar geometry have no transform, and that is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _refuse_other_size(source: str, measurement: rasterio.DatasetReader, size: tuple[int, int]) -> None:
    if measurement.shape != size or measurement.dtypes[0] != "uint16" or measurement.count != 1:
        raise SceneError(
            f"a measurement of {size[0]} × {size[1]} uint16, as annotated",
            f"{Path(source).name}: {measurement.count} × {measurement.shape[0]} × {measurement.shape[1]} "
            f"{measurement.dtypes[0]}",
            "lines and samples would be those of another image",
            "download the product again",
        )


def _create(scratch: Path, window: ImageWindow) -> rasterio.io.DatasetWriter:
    lines, samples = window.shape
    return rasterio.open(
        scratch, "w", driver="GTiff", height=lines, width=samples, count=1, dtype="uint16",
        tiled=True, blockxsize=_TILE_PX, blockysize=_TILE_PX, sparse_ok=True, bigtiff="if_safer",
    )  # fmt: skip


def _clean(strip: Numbers, top: int, size: tuple[int, int], noise: Noise, window: ImageWindow) -> int:
    """Set border noise to 0 in a strip of whole lines; the number of such samples in the window."""
    held = np.flatnonzero(strip.any(axis=0))
    if held.size == 0:
        return 0
    left, right = int(held[0]), int(held[-1]) + 1  # zeros are passed over, so the walk may start behind them
    part, lines = strip[:, left:right], np.arange(top, top + strip.shape[0], dtype=np.float64)
    mask = np.zeros(part.shape, dtype=np.bool_)
    for side in _sides(part, left, lines, noise):
        mask[:, side.start : side.stop] |= _side_mask(part, left, lines, noise, side)
    ends = (top == 0, top + strip.shape[0] == size[0])
    if any(ends):
        samples = np.arange(left, right, dtype=np.float64)
        mask |= border_mask(part, noise.at(lines, samples), 0, *ends)
    inside = slice(max(window.left - left, 0), max(window.right - left, 0))
    dropped = int(np.count_nonzero(mask[:, inside] & (part[:, inside] > 0)))
    part[mask] = 0
    return dropped


class _Side(NamedTuple):
    """Columns in which border noise is looked for, and from which of their ends."""

    start: int
    stop: int
    first: bool
    last: bool


def _sides(part: Numbers, left: int, lines: NDArray[np.float64], noise: Noise) -> list[_Side]:
    """Columns near each border, or all where border noise goes farther."""
    width = part.shape[1]
    near = [_Side(0, _BORDER_REACH, True, False), _Side(width - _BORDER_REACH, width, False, True)]
    if width <= 2 * _BORDER_REACH:
        return [_Side(0, width, True, True)]
    for side, innermost in zip(near, (-1, 0), strict=True):
        if _side_mask(part, left, lines, noise, side)[:, innermost].any():
            return [_Side(0, width, True, True)]
    return near


def _side_mask(
    part: Numbers, left: int, lines: NDArray[np.float64], noise: Noise, side: _Side
) -> NDArray[np.bool_]:
    samples = np.arange(left + side.start, left + side.stop, dtype=np.float64)
    found = noise.at(lines, samples)
    return border_mask(part[:, side.start : side.stop], found, 1, side.first, side.last)
