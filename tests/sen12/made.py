"""Made patches and splits, written with plain xarray as the code behind the release writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS

from headscarp.split import Chip, SplitFile, SplitName

EPSG = "EPSG:32654"
LEFT, TOP = 570880.0, 4748800.0
DAYS = ("2018-08-01", "2018-08-13", "2018-08-25", "2018-09-12", "2018-09-24", "2018-10-06")
EVENT = "2018-09-06"
SATELLITE = {"s1asc": "s1-asc", "s1dsc": "s1-dsc", "s2": "s2"}
S2 = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
PX = 128


def power(seed: int, dates: int = len(DAYS)) -> NDArray[np.float32]:
    """Linear power on (band, time, y, x), from 0.001 to 0.9."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.001, 0.9, (2, dates, PX, PX)).astype(np.float32)


def square(top: int = 40, left: int = 60, side: int = 12) -> NDArray[np.uint8]:
    mask = np.zeros((PX, PX), np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def height() -> NDArray[np.int16]:
    rows, cols = np.mgrid[:PX, :PX]
    return (300 + 3 * rows + cols).astype(np.int16)


def file_of(
    sensor: str = "s1asc",
    *,
    bands: Mapping[str, NDArray[Any]] | None = None,
    mask: NDArray[Any] | None = None,
    dem: NDArray[Any] | None = None,
    days: Sequence[str] = DAYS,
    corner: tuple[float, float] = (LEFT, TOP),
    dims: tuple[str, str, str] = ("time", "y", "x"),
    crs: str = EPSG,
    attributes: Mapping[str, Any] | None = None,
    transform: bool = True,
) -> xr.Dataset:
    """A file's content: y runs south, x and y are upper left corners, all attributes are text."""
    dates = len(days)
    if bands is None:
        vv, vh = power(1, dates)
        bands = {"VV": vv, "VH": vh}
    mask = square() if mask is None else mask
    dem = height() if dem is None else dem
    layers: dict[str, NDArray[Any]] = dict(bands)
    layers["MASK"] = mask if mask.ndim == 3 else np.repeat(mask[None], dates, axis=0)
    layers["DEM"] = dem if dem.ndim == 3 else np.repeat(dem[None], dates, axis=0)
    x, y = corner[0] + np.arange(PX) * 10.0, corner[1] - np.arange(PX) * 10.0
    times = np.array(days, dtype="datetime64[ns]")
    dataset = xr.Dataset(
        {name: (("time", "y", "x"), values) for name, values in layers.items()},
        {"time": times, "y": y, "x": x},
    ).transpose(*dims)
    facts = {"crs_wkt": CRS.from_user_input(crs).to_wkt()}
    if transform:
        facts["GeoTransform"] = f"{corner[0]} 10.0 0.0 {corner[1]} 0.0 -10.0"
    dataset["spatial_ref"] = ((), np.int64(0), facts)
    after = int(np.searchsorted(times, np.datetime64(EVENT)))
    dataset.attrs = {
        "ann_id": "41125,41124",
        "ann_bbox": f"({x[60]}, {y[52]}, {x[72]}, {y[40]}),(1.5, 2.5, 3.5, 4.5)",
        "event_date": EVENT,
        "date_confidence": "1.0",
        "pre_post_dates": str({"pre": after - 1, "post": after}),
        "annotated": "True",
        "satellite": SATELLITE[sensor],
        "center_lat": str(y[PX // 2]),
        "center_lon": str(x[PX // 2]),
        "crs": crs,
        **(attributes or {}),
    }
    return dataset


def write(path: Path, content: xr.Dataset) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content.to_netcdf(path, engine="h5netcdf")
    return path


def to_db(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(10 * np.log10(values), -50, 10).astype(np.float32)


def optical(seed: int = 3, dates: int = len(DAYS)) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    shape = (dates, PX, PX)
    bands = {name: rng.integers(0, 10000, shape).astype(np.int16) for name in S2}
    return bands | {"SCL": rng.integers(1, 12, shape).astype(np.int16)}


def place(
    number: int,
    column: int,
    row: int,
    split: SplitName = "train",
    series: str = "s1asc",
    event: str = "hokkaido",
) -> Chip:
    """A place on the lattice of patches, columns to the east and rows to the south of the first corner."""
    left, top = LEFT + 1280.0 * column, TOP - 1280.0 * row
    return Chip(
        id=f"hokkaido_{number}",
        split=split,
        event=event,
        region="hokkaido",
        series=series,
        crs=EPSG,
        bounds=(left, top - 1280.0, left + 1280.0, top),
        landslide_px=144,
        px=PX**2,
    )


def split_of(chips: Sequence[Chip]) -> SplitFile:
    return SplitFile(
        name=f"Sen12Landslides {chips[0].series}",
        made={"method": "official split", "source": "splits.json"},
        spacing_m=10.0,
        chips=tuple(chips),
    )
