"""Reading rasters: headers, samples of values, and windows on another grid, in linear power."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject, transform, transform_bounds
from rasterio.windows import Window

from headscarp.errors import SceneError
from headscarp.grid import Bounds, crs_wkt, pixel_offset
from headscarp.ingest.protocol import Header
from headscarp.vocabulary import BackscatterScale

SAMPLE_BLOCKS = 16
SAMPLE_VALUES = 4096
_MARGIN_PX = 3
"""Source pixels read beyond a window, so that resampling has its neighbours."""
_SHRINK = 1.75
"""Source pixels to a target pixel beyond which resampling averages instead of interpolating."""

FloatArray = NDArray[np.float32]
Convert = Callable[[FloatArray], FloatArray]


class Source(NamedTuple):
    """One band of a file, and the file's own grid."""

    path: Path
    band: int
    grid: GeoBox


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn a failure to read a file into an error that names it."""
    try:
        yield
    except (RasterioError, OSError) as error:
        raise SceneError(
            "a raster file that GDAL can read to its end",
            f"{path} ({_innermost(error)})",
            "part of the ground would be missing from the map without a sign",
            "copy or download the file again, or leave it out",
        ) from error


def read_header(path: Path) -> Header:
    """Read what a raster says without its pixels.

    Raises
    ------
    SceneError
        If the file cannot be opened, has no CRS, or is not north-up.
    """
    with readable(path), rasterio.open(path) as source:
        _refuse_unplaced(path, source)
        return Header(
            path=path,
            tags={key.lower(): str(value) for key, value in source.tags().items()},
            descriptions=tuple(text or "" for text in source.descriptions),
            geobox=GeoBox(source.shape, source.transform, source.crs.to_wkt()),
            nodata=source.nodata,
        )


def read_sample(path: Path, band: int, nodata: float | None) -> NDArray[np.float32]:
    """Read some valid values: the last block first (where a cut file ends), then others spread out.

    Blocks are read on until one holds a valid value, so that a mostly empty scene has a sample too.

    Returns
    -------
    ndarray, shape (n,)
        Finite values that are neither nodata nor exactly zero; empty where there are none.

    Raises
    ------
    SceneError
        If a block cannot be read.
    """
    found: list[NDArray[np.float32]] = []
    with readable(path), rasterio.open(path) as source:
        windows = [window for _, window in source.block_windows(band)]
        for blocks, window in enumerate(_spread(windows), start=1):
            values = source.read(band, window=window).astype(np.float32).ravel()
            valid = np.isfinite(values) & (values != 0)
            if nodata is not None:
                valid &= values != np.float32(nodata)
            found.append(values[valid])
            seen = sum(map(len, found))
            if seen >= SAMPLE_VALUES or (seen and blocks >= SAMPLE_BLOCKS):
                break
    return np.concatenate(found)


def read_on_grid(
    path: Path,
    band: int,
    source_grid: GeoBox,
    nodata: float | None,
    scale: BackscatterScale,
    target: GeoBox,
) -> NDArray[np.float32]:
    """Read backscatter on a target grid as linear power; NaN where there is none.

    A source in step with the target is read pixel for pixel. Another is converted to linear power
    first and resampled then: bilinear, or the average where target pixels are much larger.

    Parameters
    ----------
    path, band : Path, int
        File and band number, from 1.
    source_grid : GeoBox
        The file's own grid.
    nodata : float or None
        Declared nodata value.
    scale : BackscatterScale
        How values are stored.
    target : GeoBox
        Grid to read on, usually one tile.

    Returns
    -------
    ndarray, shape target.shape
    """
    source = Source(path, band, source_grid)
    return read_converted(source, target, lambda values: to_power(values, nodata, scale))


def read_converted(source: Source, target: GeoBox, convert: Convert) -> FloatArray:
    """Read one band on a target grid, its values converted before anything is resampled.

    Parameters
    ----------
    source : Source
        File, band and the file's own grid.
    target : GeoBox
        Grid to read on.
    convert : callable
        From stored values to float32 with NaN for nodata, shape kept.

    Returns
    -------
    ndarray of float32, shape target.shape
    """
    offset = pixel_offset(source.grid, target)
    if offset is not None:
        return _read_in_step(source, target, convert, offset)
    return _read_resampled(source, target, convert)


def to_power(
    values: NDArray[np.float32], nodata: float | None, scale: BackscatterScale
) -> NDArray[np.float32]:
    r"""Convert stored values to linear power; nodata, zero fill and negative power become NaN.

    .. math:: P = 10^{x / 10} \quad\text{(dB)}, \qquad P = x^2 \quad\text{(amplitude)}

    Exact zeros are fill in every scale: power and amplitude are positive, and a measured 0 dB is never
    exactly zero.
    """
    valid = np.isfinite(values) & (values != 0)
    if nodata is not None and np.isfinite(nodata):
        valid &= values != np.float32(nodata)
    if scale is not BackscatterScale.DECIBEL:
        valid &= values > 0
    kept = np.where(valid, values, np.float32(np.nan)).astype(np.float32)
    if scale is BackscatterScale.DECIBEL:
        return np.asarray(np.power(np.float32(10), kept / np.float32(10)), dtype=np.float32)
    return kept * kept if scale is BackscatterScale.AMPLITUDE else kept


def scale_of(values: NDArray[np.float32]) -> BackscatterScale | None:
    """Tell linear power from decibels by values: land is negative in dB, power never is.

    Returns
    -------
    BackscatterScale or None
        None where the values are neither (digital numbers, or none valid).
    """
    if values.size == 0:
        return None
    if float(np.mean(values < 0)) > 0.5:
        return BackscatterScale.DECIBEL
    few_negative = float(np.mean(values < 0)) < 0.05
    return BackscatterScale.POWER if few_negative and float(np.median(values)) < 3.0 else None


def bounds_in(geobox: GeoBox, crs: object) -> Bounds:
    """Bounds of a grid in another CRS, its edges followed closely."""
    box = geobox.boundingbox
    if geobox.crs == crs:
        return box.left, box.bottom, box.right, box.top
    left, bottom, right, top = transform_bounds(
        crs_wkt(geobox),
        crs.to_wkt() if hasattr(crs, "to_wkt") else crs,
        *box.bbox,
        densify_pts=51,
    )
    return left, bottom, right, top


def read_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_in_step(source: Source, target: GeoBox, convert: Convert, offset: tuple[int, int]) -> FloatArray:
    out = np.full(target.shape, np.nan, dtype=np.float32)
    row, col = offset
    top, left = max(row, 0), max(col, 0)
    bottom = min(row + target.shape[0], source.grid.shape[0])
    right = min(col + target.shape[1], source.grid.shape[1])
    if bottom > top and right > left:
        place = (slice(top - row, bottom - row), slice(left - col, right - col))
        out[place] = convert(_read_window(source, (top, left, bottom, right)))
    return out


def _read_resampled(source: Source, target: GeoBox, convert: Convert) -> FloatArray:
    out = np.full(target.shape, np.nan, dtype=np.float32)
    window = _source_window(source.grid, target)
    if window is None:
        return out
    part = source.grid[window[0] : window[2], window[1] : window[3]]
    across, along = _shrink(source.grid, target)
    reproject(
        convert(_read_window(source, window)),
        out,
        src_transform=part.transform,
        src_crs=crs_wkt(source.grid),
        src_nodata=np.nan,
        dst_transform=target.transform,
        dst_crs=crs_wkt(target),
        dst_nodata=np.nan,
        resampling=Resampling.average if max(across, along) > _SHRINK else Resampling.bilinear,
        XSCALE=min(1.0, 1.0 / across),  # else GDAL guesses them from the window, and tiles differ
        YSCALE=min(1.0, 1.0 / along),
    )
    return out


def _read_window(source: Source, edges: tuple[int, int, int, int]) -> FloatArray:
    top, left, bottom, right = edges
    window = Window(left, top, right - left, bottom - top)
    with readable(source.path), rasterio.open(source.path) as file:
        return np.asarray(file.read(source.band, window=window), dtype=np.float32)


def _source_window(source: GeoBox, target: GeoBox) -> tuple[int, int, int, int] | None:
    """Rows and columns of a source that a target needs: top, left, bottom, right."""
    left, bottom, right, top = bounds_in(target, source.crs)
    (col_a, row_a), (col_b, row_b) = _pixel(source, left, top), _pixel(source, right, bottom)
    margin = _MARGIN_PX + int(np.ceil(max(_shrink(source, target))))
    top_px = max(int(np.floor(row_a)) - margin, 0)
    left_px = max(int(np.floor(col_a)) - margin, 0)
    bottom_px = min(int(np.ceil(row_b)) + margin, source.shape[0])
    right_px = min(int(np.ceil(col_b)) + margin, source.shape[1])
    empty = bottom_px <= top_px or right_px <= left_px
    return None if empty else (top_px, left_px, bottom_px, right_px)


def _pixel(geobox: GeoBox, x: float, y: float) -> tuple[float, float]:
    """Column and row, in fractions, of a place on a north-up grid."""
    t = geobox.transform
    return (x - t.c) / t.a, (y - t.f) / t.e


def _shrink(source: GeoBox, target: GeoBox) -> tuple[float, float]:
    """Source pixels to a target pixel, along columns and rows, at the middle of the source.

    One place for every tile of a grid, so that each tile is resampled alike.
    """
    to_target, to_source = (crs_wkt(source), crs_wkt(target)), (crs_wkt(target), crs_wkt(source))
    rows, cols = source.shape
    centre_x, centre_y = source.transform @ (cols / 2, rows / 2)
    [x], [y] = transform(*to_target, [centre_x], [centre_y])
    step_x, step_y = target.transform.a, target.transform.e
    xs, ys = transform(*to_source, [x, x + step_x, x], [y, y, y + step_y])
    places = np.array([_pixel(source, *place) for place in zip(xs, ys, strict=True)])
    across, along = np.hypot(*(places[1:] - places[0]))
    return float(across), float(along)


def _spread(windows: list[Window]) -> list[Window]:
    """Order blocks: the last, then SAMPLE_BLOCKS in even steps from the middle out, then all others."""
    last, middle = len(windows) - 1, len(windows) // 2
    steps = set(np.linspace(0, last, SAMPLE_BLOCKS).round().astype(int).tolist())
    order = sorted(range(len(windows)), key=lambda i: (i != last, i not in steps, abs(i - middle)))
    return [windows[i] for i in order]


def _refuse_unplaced(path: Path, source: rasterio.DatasetReader) -> None:
    north_up = source.transform.b == 0 and source.transform.d == 0 and source.transform.e < 0
    if source.crs is None or not north_up:
        given = "no CRS" if source.crs is None else f"transform {tuple(source.transform)[:6]}"
        raise SceneError(
            "a raster with a CRS and north up",
            f"{path}: {given}",
            "its pixels cannot be placed on the map",
            "terrain-correct the scene first, or warp it with gdalwarp -t_srs",
        )


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).splitlines()[0] if str(error) else type(error).__name__
