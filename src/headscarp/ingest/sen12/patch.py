"""A patch file of Sen12Landslides to a Dataset in the house's schema.

Sentinel-1 patches become a stack as :mod:`headscarp.scene` describes it (linear power on ``(time, y, x)``,
NaN where not observed), with ``label`` (uint8: 1 landslide, 0 none) and ``height_m`` on ``(y, x)``.
Sentinel-2 patches keep their digital numbers (``units`` "DN") as float32, NaN where not observed, and
``SCL``.

Attributes beyond those of a stack: ``release``, ``facts`` (`PatchFacts`), ``clipped_values`` and
``repeated_dates``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from pyproj import CRS
from pyproj.exceptions import CRSError

from headscarp.errors import OptionsError
from headscarp.grid import Bounds
from headscarp.ingest.sen12.facts import PatchError, PatchFacts, PatchName, Release, parse_facts, parse_name
from headscarp.ingest.sen12.values import label_of_mask, nodata_to_nan, once, power_of
from headscarp.ingest.sen12landslides import PATCH_PX, SPACING_M

S1_BANDS = ("VV", "VH")
QUANTIFICATION = 10000.0
"""Digital numbers of a reflectance of 1."""
S2_BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
SCL, MASK, DEM = "SCL", "MASK", "DEM"
LABEL, HEIGHT = "label", "height_m"
ENGINE: Literal["h5netcdf"] = "h5netcdf"
DIMS = ("time", "y", "x")
_TOLERANCE_M = 0.01
_WORDS = re.compile(r"[a-z0-9]+")
_SCL_UNKNOWN = 0
"""Scene classes run from 1 to 11; 0 stands for no data, and what some files hold beyond 11 is none."""


def read_patch(path: Path, release: Release | None = None) -> xr.Dataset:
    """Read a patch: values in one unit, dimensions by name, coordinates of pixel centres, facts in types.

    Parameters
    ----------
    path : Path
        ``<region>_<sensor>_<id>.nc``.
    release : Release, optional
        What the file is of; none: told by a folder of its path that is named raw or harmonized.

    Returns
    -------
    Dataset
        In memory; see the module.

    Raises
    ------
    PatchError
        If it is no patch, cannot be read, contradicts itself, or its values are not in the release's units.
    """
    name = parse_name(path)
    release = release or release_of(path)
    with _readable(path):
        _refuse_no_container(path)
        with xr.open_dataset(path, engine=ENGINE) as opened:
            stored = opened.load()
    with _told(path):
        return _patch(stored, name, release)


def release_of(path: Path) -> Release:
    """Tell the release by the folders of a path: the nearest one with the word raw or harmonized in its name.

    Raises
    ------
    OptionsError
        If none is.
    """
    for folder in path.resolve().parents:
        words = _WORDS.findall(folder.name.lower())
        found = [release for release in Release if release in words]
        if len(found) == 1:
            return found[0]
    raise OptionsError(
        "a release: raw (linear power) or harmonized (dB)",
        f"{path}, in no folder named after one",
        "the units of the values would be a guess",
        "give the release",
    )


def _patch(stored: xr.Dataset, name: PatchName, release: Release) -> xr.Dataset:
    bands = S2_BANDS if name.sensor == "s2" else S1_BANDS
    _refuse_foreign(stored, (*bands, MASK, DEM))
    ordered = _in_order(stored)
    geobox = _grid(ordered)
    facts = _facts(ordered, name, release, geobox)
    merged, repeated = _distinct_dates(ordered)
    variables, clipped = _optical(merged) if name.sensor == "s2" else _radar(merged, name, release)
    ground = {
        LABEL: (("y", "x"), label_of_mask(once(ordered[MASK].values, MASK))),
        HEIGHT: (("y", "x"), nodata_to_nan(once(ordered[DEM].values, DEM)), {"units": "m"}),
    }
    attributes = {
        "orbit_state": facts.orbit_state.value if facts.orbit_state else "",
        "relative_orbit": 0,
        "label": facts.orbit_state.value if facts.orbit_state else "sentinel-2",
        "release": release.value,
        "clipped_values": clipped,
        "repeated_dates": repeated,
        "facts": facts,
    }
    coords = {str(k): v for k, v in xr_coords(geobox, dims=("y", "x")).items()}
    return xr.Dataset(variables | ground, {"time": merged["time"].values, **coords}, attributes)


def _radar(merged: xr.Dataset, name: PatchName, release: Release) -> tuple[dict[str, Any], int]:
    """Bands in linear power, and how many values are clipped."""
    found = {pol: power_of(merged[pol].values, release, f"{pol} of {name.id}") for pol in S1_BANDS}
    units = {"units": "1", "grid_mapping": "spatial_ref"}
    bands = {
        pol: (DIMS, power.values, units | {"long_name": f"{pol} backscatter, linear power"})
        for pol, power in found.items()
    }
    return bands, sum(power.clipped for power in found.values())


def _optical(merged: xr.Dataset) -> tuple[dict[str, Any], int]:
    bands: dict[str, Any] = {
        band: (DIMS, nodata_to_nan(merged[band].values), {"units": "DN"}) for band in S2_BANDS
    }
    if SCL in merged:
        classes = np.nan_to_num(merged[SCL].values, nan=_SCL_UNKNOWN)
        known = (classes >= 0) & (classes <= 11)
        bands[SCL] = (DIMS, np.where(known, classes, _SCL_UNKNOWN).astype(np.uint8))
    return bands, 0


def _refuse_foreign(stored: xr.Dataset, needed: tuple[str, ...]) -> None:
    """Refuse a file without the variables, dimensions and size of a patch."""
    missing = [name for name in needed if name not in stored]
    odd = [name for name in needed if name in stored and set(stored[name].dims) != set(DIMS)]
    coordinates = [dim for dim in DIMS if dim not in stored.coords]
    sizes = {dim: stored.sizes.get(dim) for dim in ("y", "x")}
    problems = [f"no {name}" for name in missing] + [f"{n} on {stored[n].dims}" for n in odd]
    problems += [f"no coordinate {dim}" for dim in coordinates]
    if not problems and set(sizes.values()) != {PATCH_PX}:
        problems = [f"{sizes['y']} × {sizes['x']} pixels"]
    if not problems and not np.issubdtype(stored["time"].dtype, np.datetime64):
        problems = [f"times of type {stored['time'].dtype}"]
    if problems:
        raise ValueError("; ".join(problems))


def _in_order(stored: xr.Dataset) -> xr.Dataset:
    """Dimensions (time, y, x), times rising, north up."""
    ordered = stored.sortby("time").sortby("x").sortby("y", ascending=False)
    return ordered.transpose("time", "y", "x", ...)


def _grid(ordered: xr.Dataset) -> GeoBox:
    """Grid of the pixels; the coordinates of the file are their upper left corners."""
    x, y = ordered["x"].values.astype(np.float64), ordered["y"].values.astype(np.float64)
    steps = np.concatenate([np.diff(x), -np.diff(y)])
    if not np.allclose(steps, SPACING_M, rtol=0, atol=_TOLERANCE_M):
        raise ValueError(f"pixels {steps.min():g} to {steps.max():g} apart, not {SPACING_M:g}")
    left, top = float(x[0]), float(y[0])
    stated = _stated_corner(ordered)
    if stated is not None and not np.allclose(stated, (left, top), rtol=0, atol=_TOLERANCE_M):
        raise ValueError(f"x and y from {left:.2f}, {top:.2f}, but a GeoTransform from {stated}")
    return GeoBox((len(y), len(x)), Affine(SPACING_M, 0, left, 0, -SPACING_M, top), _crs(ordered))


def _stated_corner(ordered: xr.Dataset) -> tuple[float, float] | None:
    """Upper left corner by the file's GeoTransform, where it has one."""
    if "spatial_ref" not in ordered.variables:
        return None
    numbers = str(ordered["spatial_ref"].attrs.get("GeoTransform", "")).split()
    return (float(numbers[0]), float(numbers[3])) if len(numbers) == 6 else None


def _crs(ordered: xr.Dataset) -> str:
    """CRS by the attribute, held against that of the grid mapping."""
    try:
        crs = CRS.from_user_input(str(ordered.attrs.get("crs", "")))
        wkt = ordered["spatial_ref"].attrs.get("crs_wkt") if "spatial_ref" in ordered.variables else None
        other = CRS.from_wkt(wkt) if wkt else crs
    except CRSError as error:
        raise ValueError(f"crs {ordered.attrs.get('crs')!r}") from error
    if not (crs.equals(other) or crs.to_epsg() == other.to_epsg() is not None) or not crs.is_projected:
        raise ValueError(f"crs {crs.name}, grid mapping {other.name}")
    authority = crs.to_authority()
    return ":".join(authority) if authority else crs.to_wkt()


def _facts(ordered: xr.Dataset, name: PatchName, release: Release, geobox: GeoBox) -> PatchFacts:
    box = geobox.boundingbox
    bounds: Bounds = (box.left, box.bottom, box.right, box.top)
    days = [moment.date() for moment in pd.DatetimeIndex(ordered["time"].values)]
    facts = parse_facts(name, ordered.attrs, days, release, _crs(ordered), bounds)
    _refuse_elsewhere(ordered, facts)
    return facts


def _refuse_elsewhere(ordered: xr.Dataset, facts: PatchFacts) -> None:
    """Refuse a patch whose stated centre is not its own; ``lat`` and ``lon`` hold metres."""
    stated = [ordered.attrs.get(key) for key in ("center_lon", "center_lat")]
    if None in stated:
        return
    apart = math.dist([float(str(value)) for value in stated], facts.centre)
    if apart > SPACING_M:
        raise ValueError(f"center_lon, center_lat {stated[0]}, {stated[1]}: {apart:.0f} m off the middle")


def _distinct_dates(ordered: xr.Dataset) -> tuple[xr.Dataset, int]:
    """Dates each once: the first valid value wins, as among files of one pass; and how many were merged."""
    times = ordered["time"].values
    first = np.concatenate([[True], times[1:] != times[:-1]])
    if first.all():
        return ordered, 0
    group = np.cumsum(first) - 1
    bands = [str(name) for name in ordered.data_vars if "time" in ordered[name].dims]
    merged = ordered.isel(time=np.flatnonzero(first))
    for name in bands:
        merged[name] = (DIMS, _first_valid(ordered[name].values, group))
    return merged, int((~first).sum())


def _first_valid(values: NDArray[Any], group: NDArray[np.int64]) -> NDArray[Any]:
    """First valid value of each group along time."""
    merged = np.empty((int(group[-1]) + 1, *values.shape[1:]), values.dtype)
    for place in range(len(merged)):
        own = values[group == place]
        valid = np.isfinite(nodata_to_nan(own))
        merged[place] = np.take_along_axis(own, valid.argmax(axis=0)[None], axis=0)[0]
    return merged


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Tell of files that cannot be read, and of a missing library."""
    try:
        yield
    except ImportError as error:
        raise _no_library() from error
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        if f"unrecognized engine '{ENGINE}'" in str(error):
            raise _no_library() from error
        raise _broken(path, str(error) or type(error).__name__) from error


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Name the file in whatever is found against it."""
    try:
        yield
    except PatchError as error:
        raise PatchError(error.expected, f"{error.given}, in {path}", error.why, error.fix) from error
    except ValueError as error:
        raise _broken(path, str(error)) from error


def _refuse_no_container(path: Path) -> None:
    """Let HDF5 walk the file first: h5netcdf complains on the error stream of those that it cannot open."""
    h5py: Any = import_module("h5py")  # it has no types
    with h5py.File(path, "r") as file:
        file.visititems(lambda _, member: dict(member.attrs))


def _broken(path: Path, problem: Hashable) -> PatchError:
    first = str(problem).splitlines()[0]
    return PatchError(
        "a patch of Sen12Landslides: NetCDF, 128 × 128 pixels of 10 m, bands, MASK and DEM",
        f"{path} ({first})",
        "there are no values that could be relied on",
        "fetch the patch again; leave it out if it stays so",
    )


def _no_library() -> OptionsError:
    return OptionsError(
        "h5netcdf and h5py, which read the patches",
        "not both are installed",
        "the patches are NetCDF 4 files",
        "install them: pip install 'headscarp[sen12]'",
    )
