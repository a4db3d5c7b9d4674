r"""NDVI to learn from and to compare with: of Sentinel-2 L2A, or any raster of it.

.. math:: \mathrm{NDVI} = \frac{\rho_\mathrm{NIR} - \rho_\mathrm{red}}{\rho_\mathrm{NIR} + \rho_\mathrm{red}}

of reflectances, resampled before the ratio is taken and at least 0. Pixels that the scene classification
calls no data, saturated, cloud shadow, cloud of medium or high probability, cirrus or snow are NaN; where the
grid is not in step with the product, so is one pixel around them, into which they were interpolated. Dark
ground, shadows of the terrain among it, is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.ndimage import binary_dilation

from headscarp.errors import SceneError
from headscarp.grid import expand, pixel_offset
from headscarp.ingest.categories import read_codes
from headscarp.ingest.raster import Source, read_converted, read_header, read_sample
from headscarp.ingest.sentinel2 import Product, find_product, parse_time

FloatArray = NDArray[np.float32]

NDVI_TOLERANCE = 1e-3
"""Beyond [-1, 1] by more than this, a value is no NDVI."""
_TIME_TAGS = ("datetime", "tifftag_datetime", "acquisitiondatetime")


class SceneClass(IntEnum):
    """Classes of the Sentinel-2 L2A scene classification that hide the ground."""

    NO_DATA = 0
    SATURATED = 1
    CLOUD_SHADOW = 3
    CLOUD_MEDIUM = 8
    CLOUD_HIGH = 9
    CIRRUS = 10
    SNOW = 11


@dataclass(frozen=True)
class NdviReference:
    """Where NDVI comes from.

    Attributes
    ----------
    path : Path
        As it was given.
    product : Product or None
        Of Sentinel-2; none: the path is a raster of NDVI.
    acquired : datetime or None
        UTC; none where the file does not say.
    """

    path: Path
    product: Product | None
    acquired: datetime | None

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that are read."""
        own = self.product
        return (self.path,) if own is None else (own.red, own.nir, own.classes)


def read_reference(path: Path, offset: float | None = None) -> NdviReference:
    """Read what NDVI at a path is made of, without its pixels.

    Parameters
    ----------
    path : Path
        Raster of NDVI; SAFE folder, STAC item or folder of bands of Sentinel-2 L2A.
    offset : float, optional
        Declared reflectance offset of Sentinel-2, digital numbers.

    Raises
    ------
    SceneError
        If there is nothing to read, the offset is not known, or sampled values are no NDVI.
    """
    product = find_product(path, offset) if path.exists() else None
    if product is not None:
        return NdviReference(path, product, product.acquired)
    header = read_header(path)
    refuse_out_of_range(path, read_sample(path, 1, header.nodata))
    times = (parse_time(header.tags.get(tag)) for tag in _TIME_TAGS)
    return NdviReference(path, None, next((time for time in times if time is not None), None))


def read_ndvi(reference: NdviReference, geobox: GeoBox) -> FloatArray:
    """Read NDVI on a grid; NaN where there is none, or where clouds and the like hide the ground.

    Parameters
    ----------
    reference : NdviReference
    geobox : GeoBox
        Usually a tile; it may reach beyond the reference.

    Returns
    -------
    ndarray of float32, shape geobox.shape
        In [-1, 1].

    Raises
    ------
    SceneError
        If a file cannot be read, or a raster holds values beyond [-1, 1].
    """
    if reference.product is not None:
        return _of_product(reference.product, geobox)
    header = read_header(reference.path)
    nodata = np.float32(np.nan if header.nodata is None else header.nodata)

    def known(values: FloatArray) -> FloatArray:
        kept = np.where(values == nodata, np.float32(np.nan), values)
        refuse_out_of_range(reference.path, kept)
        return np.clip(kept, -1, 1)

    return read_converted(Source(reference.path, 1, header.geobox), geobox, known)


def ndvi_of(red: FloatArray, nir: FloatArray) -> FloatArray:
    """NDVI of reflectances, or of digital numbers whose offset was added; below 0 counts as 0.

    Examples
    --------
    >>> ndvi_of(np.float32([500, -20, 0]), np.float32([1500, 300, 0])).tolist()
    [0.5, 1.0, nan]
    """
    low, high = np.maximum(red, 0), np.maximum(nir, 0)
    total = low + high
    ratio = np.divide(high - low, total, out=np.full_like(total, np.nan), where=total > 0)
    return np.asarray(ratio, dtype=np.float32)


def refuse_out_of_range(path: Path, values: FloatArray) -> None:
    """Refuse values that are no NDVI.

    Raises
    ------
    SceneError
        If a finite value lies beyond [-1, 1].
    """
    finite = values[np.isfinite(values)]
    if finite.size and float(np.abs(finite).max()) > 1 + NDVI_TOLERANCE:
        raise SceneError(
            "a raster of NDVI, in [-1, 1]",
            f"{path}, with values from {finite.min():g} to {finite.max():g}",
            "a network would learn another quantity",
            "divide by its scale (gdal_calc.py), or declare its nodata value (gdal_translate -a_nodata)",
        )


def _of_product(product: Product, geobox: GeoBox) -> FloatArray:
    red, nir = (_reflectance(path, product.offset, geobox) for path in (product.red, product.nir))
    return np.where(_hidden(product, geobox), np.float32(np.nan), ndvi_of(red, nir))


def _reflectance(path: Path, offset: float, geobox: GeoBox) -> FloatArray:
    """Digital numbers with their offset; 0 is no data."""
    source = Source(path, 1, read_header(path).geobox)
    return read_converted(
        source, geobox, lambda d: np.where(d > 0, d + np.float32(offset), np.float32(np.nan))
    )


def _hidden(product: Product, geobox: GeoBox) -> NDArray[np.bool_]:
    codes = read_codes(product.classes, expand(geobox, 1))
    hidden = ~np.isfinite(codes) | np.isin(codes, [int(own) for own in SceneClass])
    if pixel_offset(read_header(product.red).geobox, geobox) is None:
        hidden = binary_dilation(hidden, np.ones((3, 3), dtype=np.bool_))
    return np.asarray(hidden[1:-1, 1:-1])
