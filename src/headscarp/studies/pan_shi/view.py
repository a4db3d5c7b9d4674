"""What maps of an area are drawn of: heights, truth, maps of rows, and changes, on the area's grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.warp import Resampling, reproject
from scipy import ndimage

from headscarp.chips.store import IGNORE, open_store
from headscarp.config import ChipEventOptions
from headscarp.features.channels import FloatArray
from headscarp.features.sets import feature_set
from headscarp.grid import crs_wkt
from headscarp.ingest.dem import read_height
from headscarp.predict.ground import hold_ground
from headscarp.studies.areas import ready_event
from headscarp.studies.pan_shi.grounds import Area, area_grid, laid_on, store_path
from headscarp.studies.pan_shi.options import StudyEvent
from headscarp.studies.pan_shi.results import RowResult, StudyResults
from headscarp.studies.pan_shi.work import PROBABILITY, TRAINING_PROBABILITY

SHOWN = ("Group 1", "Group 2", "Group 3")
"""Rows whose maps the paper shows."""
CHANGES = {"fused": "group1", "ascending": "group2", "descending": "group3"}
"""Feature sets whose first channel, the change in VV, is shown."""
SMALLEST_PX = 12
"""A landslide of fewer pixels is no detail."""


@dataclass(frozen=True)
class AreaView:
    """An area of an event.

    Attributes
    ----------
    geobox : GeoBox
    height_m : ndarray or None
    optical : ndarray of uint8, shape (y, x, 3), or None
    truth : ndarray of bool
    known : ndarray of bool
        Where the truth is known.
    maps : mapping of str to ndarray of bool
        Predicted landslides by row, of its first seed, at its threshold.
    changes : mapping of str to ndarray
        Change in VV, dB, by orbit state or fused.
    """

    geobox: GeoBox
    height_m: FloatArray | None
    optical: NDArray[np.uint8] | None
    truth: NDArray[np.bool_]
    known: NDArray[np.bool_]
    maps: Mapping[str, NDArray[np.bool_]]
    changes: Mapping[str, FloatArray]


def read_view(results: StudyResults, study: StudyEvent, area: Area) -> AreaView | None:
    """Read an area; none before a row that the paper shows is done."""
    rows = [row for label in SHOWN if (row := results.find(study.name, label)) is not None and row.done]
    if not rows:
        return None
    event = ready_event(study, results.root)
    geobox = area_grid(event, study, area, results.root)
    changes = dict(_changes(study, area, geobox, results.root))
    label = _label(rows[0], study, area, geobox, results)
    return AreaView(
        geobox,
        _height(event, geobox),
        None if study.optical is None else read_optical(study.optical, geobox),
        label == 1,
        np.isfinite(label) & (label != IGNORE),
        {row.label: _map(row, area) for row in rows},
        changes,
    )


def detail_windows(view: AreaView, side_px: int, count: int) -> list[tuple[slice, slice]]:
    """Windows around the largest landslides, none of which overlap.

    Parameters
    ----------
    view : AreaView
    side_px : int
        Of a window; less where the area is smaller.
    count : int
        Windows at most.
    """
    shape = view.truth.shape
    side = min(side_px, *shape)
    regions, found = ndimage.label(view.truth)
    sizes = np.bincount(regions.ravel(), minlength=found + 1)[1:]
    boxes = ndimage.find_objects(regions)
    corners: list[tuple[int, int]] = []
    for place in np.argsort(-sizes, kind="stable").tolist():
        if len(corners) == count or sizes[place] < SMALLEST_PX:
            break
        corner = tuple(
            int(np.clip((box.start + box.stop - side) // 2, 0, extent - side))
            for box, extent in zip(boxes[place], shape, strict=True)
        )
        if all(max(abs(corner[0] - r), abs(corner[1] - c)) >= side for r, c in corners):
            corners.append((corner[0], corner[1]))
    return [(slice(row, row + side), slice(col, col + side)) for row, col in corners]


def read_optical(path: Path, geobox: GeoBox) -> NDArray[np.uint8]:
    """Three bands of an image on a grid, stretched from the 2nd to the 98th percentile; white where none."""
    bands = np.full((3, *geobox.shape), np.nan, np.float32)
    with rasterio.open(path) as source:
        for number in range(3):
            reproject(
                rasterio.band(source, number + 1),
                bands[number],
                dst_transform=geobox.transform,
                dst_crs=crs_wkt(geobox),
                dst_nodata=np.nan,
                resampling=Resampling.bilinear,
            )
    known = np.isfinite(bands).all(axis=0)
    if not known.any():
        return np.full((*geobox.shape, 3), 255, np.uint8)
    low, high = np.percentile(bands[:, known], (2, 98), axis=1)
    spread = np.maximum(high - low, np.finfo(np.float32).tiny)[:, None, None]
    scaled = np.clip((bands - low[:, None, None]) / spread, 0, 1)
    shown: NDArray[np.uint8] = np.where(known, scaled * 255, 255).astype(np.uint8).transpose(1, 2, 0)
    return shown


def _height(event: ChipEventOptions, geobox: GeoBox) -> FloatArray | None:
    return None if event.terrain.dem is None else read_height(event.terrain.dem, geobox)


def _map(row: RowResult, area: Area) -> NDArray[np.bool_]:
    name = PROBABILITY if area == "validation" else TRAINING_PROBABILITY
    with rasterio.open(row.folders[0] / name) as source:
        values = source.read(1)
    return np.asarray(values >= row.trained[0].threshold)


def _label(
    row: RowResult, study: StudyEvent, area: Area, geobox: GeoBox, results: StudyResults
) -> FloatArray:
    """Label of an area as float, NaN beyond its chips."""
    name = next(own.features for own in results.options.rows if own.name == row.cells[0].values["row"])
    held = hold_ground(open_store(store_path(study, area, feature_set(name), results.root)))
    return laid_on(geobox, held, held.label.astype(np.float32))


def _changes(study: StudyEvent, area: Area, geobox: GeoBox, root: Path) -> Iterator[tuple[str, FloatArray]]:
    """Change in VV of those sets that were cut."""
    for name, features in CHANGES.items():
        path = store_path(study, area, feature_set(features), root)
        if path.exists():
            held = hold_ground(open_store(path))
            yield name, laid_on(geobox, held, held.x[0])
