"""From scenes to stacks: lazily read, on one grid, one Dataset for each relative orbit.

A stack reads nothing until a part of it is asked for, and then just that part: ``stack.isel(...)`` followed
by ``.load()`` costs what the part costs, whatever the size of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from xarray.backends.common import BackendArray
from xarray.core import indexing

from headscarp.grid import Bounds
from headscarp.ingest.raster import bounds_in, read_on_grid
from headscarp.scene import Scene, Stack, in_order
from headscarp.vocabulary import Polarization

ReadPart = Callable[[int, slice, slice], NDArray[np.float32]]
"""Number along time, rows, columns -> linear power of that part."""


def open_stacks(
    scenes: Iterable[Scene],
    geobox: GeoBox,
    pooling: Literal["relative_orbit", "orbit_state"] = "relative_orbit",
) -> dict[str, Stack]:
    """Open scenes as lazily read stacks, one for each relative orbit.

    Parameters
    ----------
    scenes : iterable of Scene
        Acquisitions; files of a scene fill the ground in their order, the first valid value wins.
    geobox : GeoBox
        The grid of every stack.
    pooling : {"relative_orbit", "orbit_state"}
        What a stack holds: the dates of one relative orbit, or those of all tracks of an orbit state,
        as Pan & Shi (2023) pool them.

    Returns
    -------
    dict of str to Dataset
        By orbit label, such as "ascending 137"; see :mod:`headscarp.scene` for the schema.
    """
    by_orbit: dict[str, list[Scene]] = {}
    for scene in scenes:
        by_orbit.setdefault(stack_label(scene, pooling), []).append(scene)
    return {label: _open_stack(label, by_orbit[label], geobox) for label in sorted(by_orbit)}


def read_scene(scene: Scene, polarization: Polarization, geobox: GeoBox) -> NDArray[np.float32]:
    """Read one polarisation of an acquisition on a grid, linear power, NaN where not observed."""
    out = np.full(geobox.shape, np.nan, dtype=np.float32)
    for file in scene.files:
        missing = np.isnan(out)
        if polarization not in file.bands or not missing.any():
            continue
        if touches(bounds_in(file.geobox, geobox.crs), geobox):
            values = read_on_grid(
                file.path, file.bands[polarization], file.geobox, file.nodata, file.scale, geobox
            )
            np.copyto(out, values, where=missing)
    return out


def touches(bounds: Bounds, geobox: GeoBox) -> bool:
    """Tell whether bounds, in the grid's CRS, share ground with a grid."""
    box = geobox.boundingbox
    left, bottom, right, top = bounds
    return bool(left < box.right and right > box.left and bottom < box.top and top > box.bottom)


class _LazyArray(BackendArray):
    """Scenes along time as one array that reads the part it is asked for."""

    def __init__(self, count: int, geobox: GeoBox, read: ReadPart) -> None:
        self.read = read
        self.shape = (count, *geobox.shape)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> NDArray[np.float32]:
        """Read a basic selection; integers drop their dimension as numpy's do."""
        time, rows, cols = key
        picked = range(self.shape[0])[time]
        spans = [_span(part, length) for part, length in zip((rows, cols), self.shape[1:], strict=True)]
        indices = [picked] if isinstance(picked, int) else list(picked)
        size = tuple(span.stop - span.start for span in spans)
        values = np.empty((len(indices), *size), dtype=np.float32)
        for i, index in enumerate(indices):
            values[i] = self.read(index, spans[0], spans[1])
        inner = (0 if isinstance(picked, int) else slice(None), _within(rows), _within(cols))
        return np.asarray(values[inner])


def stack_label(scene: Scene, pooling: str) -> str:
    """Name of the stack that a scene belongs to: its orbit, or its orbit state where tracks are pooled."""
    if pooling == "orbit_state":
        return scene.files[0].orbit_state.value
    return scene.orbit_label


def lazy_stack(
    times: Sequence[datetime], geobox: GeoBox, read: Mapping[Polarization, ReadPart], attrs: Mapping[str, Any]
) -> Stack:
    """Build a stack that obeys the schema of :mod:`headscarp.scene` and reads what it is asked for.

    Parameters
    ----------
    times : sequence of datetime
        UTC, rising.
    geobox : GeoBox
        The grid.
    read : mapping of polarisation to callable
        Called with a number along time and with the rows and columns of a part; it returns linear power.
    attrs : mapping
        ``orbit_state``, ``relative_orbit`` and ``label``.
    """
    moments = np.array([time.replace(tzinfo=None) for time in times], dtype="datetime64[ns]")
    y_dim, x_dim = geobox.dimensions
    renamed = {y_dim: "y", x_dim: "x"}
    coords = {renamed.get(str(k), k): v for k, v in xr_coords(geobox, dims=("y", "x")).items()}
    return xr.Dataset(
        {
            pol: (
                ("time", "y", "x"),
                indexing.LazilyIndexedArray(_LazyArray(len(times), geobox, read[pol])),
                {
                    "units": "1",
                    "long_name": f"{pol} backscatter, linear power",
                    "grid_mapping": "spatial_ref",
                },
            )
            for pol in in_order(set(read))
        },
        coords={"time": moments, **coords},
        attrs=dict(attrs),
    )


def _open_stack(label: str, scenes: list[Scene], geobox: GeoBox) -> Stack:
    first = scenes[0].files[0]

    def reader(pol: Polarization) -> ReadPart:
        return lambda index, rows, cols: read_scene(scenes[index], pol, geobox[rows, cols])

    return lazy_stack(
        [scene.acquired for scene in scenes],
        geobox,
        {pol: reader(pol) for scene in scenes for pol in scene.polarizations},
        {
            "orbit_state": first.orbit_state.value,
            "relative_orbit": (first.relative_orbit or 0) if label == first.orbit_label else 0,
            "label": label,
        },
    )


def _span(part: int | slice, length: int) -> slice:
    """Smallest forward slice with step 1 that holds a selection."""
    if not isinstance(part, slice):
        return slice(part, part + 1)
    chosen = range(length)[part]
    if len(chosen) == 0:
        return slice(0, 0)
    return slice(min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1]) + 1)


def _within(part: int | slice) -> int | slice:
    """Place of a selection within its span."""
    if not isinstance(part, slice):
        return 0
    return slice(None, None, part.step)
