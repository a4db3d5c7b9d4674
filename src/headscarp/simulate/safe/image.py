"""An image in the radar's own geometry: backscatter as digital numbers, in a file of the true size."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

Floats = NDArray[np.floating]

_BLOCK_PX = 512
_LARGEST = np.iinfo(np.uint16).max


def digital_numbers(
    power: Floats, calibration: Floats, noise: Floats, speckle: Floats | float = 1.0
) -> NDArray[np.uint16]:
    r"""Numbers that an instrument stores of backscatter: the inverse of calibration and denoising.

    .. math:: DN^2 = (P A^2 + N) \, s

    Parameters
    ----------
    power : array
        Backscatter :math:`P`, linear; NaN where nothing is known.
    calibration, noise : array of the same shape
        :math:`A`, and the thermal noise :math:`N` as a squared digital number.
    speckle : array, optional
        A factor :math:`s` of mean 1, which noise has as well as signal.

    Returns
    -------
    uint16 array
        Rounded; 0, no data, where nothing is known.

    Examples
    --------
    >>> digital_numbers(np.array([0.5, np.nan]), np.full(2, 100.0), np.full(2, 184.0)).tolist()
    [72, 0]
    """
    squared = (np.asarray(power, np.float64) * np.square(calibration) + noise) * speckle
    numbers = np.rint(np.sqrt(np.maximum(squared, 0.0))).clip(0.0, _LARGEST)
    return np.where(np.isfinite(numbers), numbers, 0.0).astype(np.uint16)


def write_measurement(
    path: Path, size: tuple[int, int], numbers: NDArray[np.uint16], first: tuple[int, int]
) -> Path:
    """Write digital numbers into a measurement of the annotated size; what is around them takes no room.

    Parameters
    ----------
    path : Path
    size : tuple of (lines, samples)
        As annotated.
    numbers : uint16 array of shape (lines, samples)
    first : tuple of (line, sample)
        Of the numbers, in the image.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # an image of the radar has no transform
        with rasterio.open(
            path, "w", driver="GTiff", height=size[0], width=size[1], count=1, dtype="uint16",
            tiled=True, blockxsize=_BLOCK_PX, blockysize=_BLOCK_PX, sparse_ok=True, compress="deflate",
            transform=rasterio.Affine(1, 0, 0.5, 0, 1, 0.5),
        ) as out:  # fmt: skip
            out.update_tags(HEADSCARP="simulated")
            out.write(numbers, 1, window=Window(first[1], first[0], numbers.shape[1], numbers.shape[0]))
    return path
