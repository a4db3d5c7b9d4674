"""A simulated event as patches of Sen12Landslides: their format, faults included, at places that are given.

The writer does what the code behind the release does: coordinates are upper left corners of pixels, every
attribute is text, MASK and DEM are repeated at each date, ``center_lat`` is a northing. Its dimension order
can be that of the files or that of the release's README. See :mod:`headscarp.ingest.sen12` for the reader.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import shapely
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from pyproj import CRS

from headscarp.errors import GridError
from headscarp.grid import Bounds, grid_over, pixel_offset
from headscarp.ingest.sen12.facts import ORBIT_STATES, SATELLITES, PatchFacts, Release, official_bracket
from headscarp.ingest.sen12.patch import DEM, ENGINE, HEIGHT, LABEL, MASK, S1_BANDS, SCL
from headscarp.ingest.sen12.values import DB_LIMITS, NODATA, POWER_LIMIT
from headscarp.ingest.sen12landslides import SPACING_M
from headscarp.simulate.event import SimulatedEvent
from headscarp.simulate.radar.passes import ORBITS, Pass
from headscarp.split import Chip

DimOrder = Literal["time y x", "time x y"]
HEIGHT_LIMITS_M = (0, 8800)
BORDER_PX = 64
"""Ground beyond the patches: what lies over them or shadows them stands there."""
_TOLERANCE_M = 0.01
_COMPRESSED = {"zlib": True, "complevel": 1}


def write_patch(path: Path, dataset: xr.Dataset, facts: PatchFacts, dim_order: DimOrder = "time y x") -> None:
    """Write a patch as the release has it; it appears whole or not at all.

    Parameters
    ----------
    path : Path
        Named ``<region>_<sensor>_<id>.nc``.
    dataset : Dataset
        As :func:`headscarp.ingest.sen12.patch.read_patch` gives it.
    facts : PatchFacts
        ``facts.release`` decides the units: raw, linear power clipped at 1; harmonized, dB in [-50, 10].
    dim_order : str
        Of the bands, MASK and DEM.
    """
    stored = _stored(dataset, facts, dim_order)
    beside = path.with_name(f".{path.name}.part")
    encoding: dict[Hashable, Any] = {n: _COMPRESSED for n in stored.data_vars if stored[n].ndim == 3}
    stored.to_netcdf(beside, engine=ENGINE, encoding=encoding)
    beside.replace(path)


def patch_ground(places: Sequence[Chip]) -> GeoBox:
    """Grid of ground on which every place lies, far enough from its edges to be seen by both orbits.

    The swath of one orbit misses the west of any simulated scene: the ground reaches so far to the west that
    no place lies there.

    Parameters
    ----------
    places : sequence of Chip
        Bounds in one CRS, at multiples of 10 m.

    Raises
    ------
    GridError
        If they are in several CRSs, or elsewhere.
    """
    crs = {place.crs for place in places}
    bounds = np.array([place.bounds for place in places])
    off = np.abs(np.remainder(bounds + SPACING_M / 2, SPACING_M) - SPACING_M / 2).max()
    if len(crs) != 1 or off > _TOLERANCE_M:
        raise GridError(
            "places in one CRS, their edges at multiples of 10 m",
            f"{', '.join(sorted(crs))}, up to {off:g} m off",
            "one ground cannot hold them all",
            "name an inventory of one zone, such as hokkaido",
        )
    border = BORDER_PX * SPACING_M
    left, bottom = bounds[:, :2].min(axis=0) - border
    right, top = bounds[:, 2:].max(axis=0) + border
    missed = max(orbit.missed_share for orbit in ORBITS)
    unseen = math.ceil((right - left) * missed / (1 - missed) / border) * border
    return grid_over((float(left - unseen), float(bottom), float(right), float(top)), crs.pop(), SPACING_M)


def window_of(geobox: GeoBox, bounds: Bounds) -> tuple[slice, slice]:
    """Rows and columns of bounds on a grid.

    Raises
    ------
    GridError
        If they do not lie in it, or not in step with it.
    """
    anchor = Affine(SPACING_M, 0, bounds[0], 0, -SPACING_M, bounds[3])
    own = grid_over(bounds, geobox.crs, SPACING_M, anchor)
    offset = pixel_offset(geobox, own)
    inside = offset is not None and min(offset) >= 0
    if (
        offset is None
        or not inside
        or any(o + n > m for o, n, m in zip(offset, own.shape, geobox.shape, strict=True))
    ):
        raise GridError(
            "places on the simulated ground, in step with its pixels",
            f"{bounds}, and ground over {tuple(geobox.boundingbox.bbox)}",
            "nothing was simulated there",
            "give a DEM that holds all places, or none",
        )
    return slice(offset[0], offset[0] + own.shape[0]), slice(offset[1], offset[1] + own.shape[1])


def patch_facts(
    event: SimulatedEvent,
    place: Chip,
    sensor: str,
    release: Release,
    day: date,
    days: Sequence[date] | None = None,
) -> PatchFacts:
    """Facts of a patch of a simulated event; the day stands in every patch, landslides in it or not.

    Parameters
    ----------
    event : SimulatedEvent
    place : Chip
    sensor : str
        s1asc, s1dsc or s2.
    release : Release
    day : date
        Of the event.
    days : sequence of date, optional
        Of the patch, rising; none: of the passes of the sensor.
    """
    state = ORBIT_STATES.get(sensor)
    days = days or sorted({p.acquired.date() for p in event.passes if p.orbit.state is state})
    inside = event.inventory.geometry.to_numpy()
    own = np.flatnonzero(shapely.intersects(inside, shapely.box(*place.bounds)))
    boxes = [tuple(round(float(v), 2) for v in box) for box in shapely.bounds(inside[own])]
    rows, cols = window_of(event.geobox, place.bounds)
    return PatchFacts(
        id=place.id,
        region=place.id.rsplit("_", 1)[0],
        sensor=sensor,
        satellite=SATELLITES[sensor][0],
        orbit_state=state,
        release=release,
        event_dates=(day,),
        date_confidences=(1.0,),
        brackets=(official_bracket(day, list(days)),),
        annotated=bool(event.label[rows, cols].any()),
        ann_ids=tuple(own.tolist()),
        ann_boxes=tuple((b[0], b[1], b[2], b[3]) for b in boxes),
        crs=place.crs,
        bounds=place.bounds,
    )


def observe_places(event: SimulatedEvent, sensor: str, places: Sequence[Chip]) -> list[xr.Dataset]:
    """Patches of places near each other; the ground that holds them all is computed, once for each pass.

    Parameters
    ----------
    event : SimulatedEvent
    sensor : str
        s1asc or s1dsc.
    places : sequence of Chip

    Returns
    -------
    list of Dataset
        As :func:`headscarp.ingest.sen12.patch.read_patch` gives them, facts aside.
    """
    windows = [window_of(event.geobox, place.bounds) for place in places]
    rows, cols = (_span([window[axis] for window in windows]) for axis in (0, 1))
    passes = [p for p in event.passes if p.orbit.state is ORBIT_STATES[sensor]]
    power = np.stack([event.observe(acquisition, rows, cols) for acquisition in passes])
    return [_patch(event, passes, power, (rows, cols), window) for window in windows]


def _patch(
    event: SimulatedEvent,
    passes: list[Pass],
    power: NDArray[np.float32],
    whole: tuple[slice, slice],
    window: tuple[slice, slice],
) -> xr.Dataset:
    """One patch, cut out of what was observed."""
    rows, cols = window
    inner = (slice(rows.start - whole[0].start, rows.stop - whole[0].start),
             slice(cols.start - whole[1].start, cols.stop - whole[1].start))  # fmt: skip
    coords = {str(k): v for k, v in xr_coords(event.geobox[rows, cols], dims=("y", "x")).items()}
    days = np.array([p.acquired.date() for p in passes], dtype="datetime64[ns]")
    bands = {pol: (("time", "y", "x"), power[:, i, *inner]) for i, pol in enumerate(S1_BANDS)}
    ground = {LABEL: event.label[rows, cols], HEIGHT: event.ground.height_m[rows, cols]}
    return xr.Dataset(
        bands | {name: (("y", "x"), values) for name, values in ground.items()}, {"time": days, **coords}
    )


def _stored(dataset: xr.Dataset, facts: PatchFacts, dim_order: DimOrder) -> xr.Dataset:
    """Dataset as the file holds it."""
    dims, dates = tuple(dim_order.split()), dataset.sizes["time"]
    values: dict[str, NDArray[Any]] = {
        str(name): _band(str(name), dataset[name].transpose("time", "y", "x").values, facts.release)
        for name in dataset.data_vars
        if "time" in dataset[name].dims
    }
    height = np.clip(np.nan_to_num(dataset[HEIGHT].values, nan=NODATA), *HEIGHT_LIMITS_M)
    height = np.where(np.isfinite(dataset[HEIGHT].values), height, NODATA).round().astype(np.int16)
    values[MASK] = np.repeat(dataset[LABEL].values.astype(np.uint8)[None], dates, axis=0)
    values[DEM] = np.repeat(height[None], dates, axis=0)
    half = SPACING_M / 2.0
    corners = {"x": dataset["x"].values - half, "y": dataset["y"].values + half}
    stored = xr.Dataset(
        {name: (("time", "y", "x"), layer) for name, layer in values.items()},
        {"time": dataset["time"].values, "y": corners["y"], "x": corners["x"]},
        _attributes(dataset, facts, corners),
    ).transpose(*dims)
    transform = f"{corners['x'][0]} {SPACING_M} 0.0 {corners['y'][0]} 0.0 {-SPACING_M}"
    wkt = CRS.from_user_input(facts.crs).to_wkt()
    stored["spatial_ref"] = ((), np.int64(0), {"crs_wkt": wkt, "GeoTransform": transform})
    return stored


def _band(name: str, values: NDArray[Any], release: Release) -> NDArray[Any]:
    """Values of a band in the release's units; -9999 where not observed."""
    if name == SCL:
        return values.astype(np.int16)
    seen = np.isfinite(values)
    if name not in S1_BANDS:
        return np.where(seen, np.nan_to_num(values), NODATA).round().astype(np.int16)
    if release is Release.RAW:
        stored = np.minimum(values, np.float32(POWER_LIMIT))
    else:
        known = np.where(seen & (values > 0), values, np.float32(10 ** (DB_LIMITS[0] / 10)))
        stored = np.clip(10 * np.log10(known), *DB_LIMITS)
    return np.where(seen, stored, np.float32(NODATA)).astype(np.float32)


def _attributes(dataset: xr.Dataset, facts: PatchFacts, corners: dict[str, NDArray[Any]]) -> dict[str, str]:
    dates = [moment.date() for moment in pd.DatetimeIndex(dataset["time"].values)]
    last = {day: place for place, day in enumerate(dates)}
    pairs = [{"pre": last[b.last_before], "post": dates.index(b.first_after)} for b in facts.brackets]
    middle = {dim: values[len(values) // 2] for dim, values in corners.items()}
    return {
        "ann_id": ",".join(map(str, facts.ann_ids)),
        "ann_bbox": ",".join(map(str, facts.ann_boxes)),
        "event_date": ",".join(map(str, facts.event_dates)),
        "date_confidence": ",".join(map(str, facts.date_confidences)),
        "pre_post_dates": ",".join(map(str, pairs)),
        "annotated": str(facts.annotated),
        "satellite": facts.satellite,
        "center_lat": str(middle["y"]),
        "center_lon": str(middle["x"]),
        "crs": facts.crs,
    }


def _span(parts: Sequence[slice]) -> slice:
    return slice(min(part.start for part in parts), max(part.stop for part in parts))
