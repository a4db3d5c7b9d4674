"""One region of an event to chips: observed, its features formed as a map forms them, labelled, cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.chips.labels import label_of, lay_outlines
from headscarp.chips.lattice import Corner, Region, part_of, regions
from headscarp.chips.options import CutOptions
from headscarp.chips.store import IGNORE, ChipFacts
from headscarp.chips.writer import CutChip, content_sha256
from headscarp.features.change import Change
from headscarp.features.channels import GROUND_NEEDS, RASTER, FloatArray
from headscarp.features.sets import FeatureSet, Inputs, form_inputs
from headscarp.ingest.area import inside
from headscarp.ingest.ndvi import read_ndvi
from headscarp.ingest.stack import touches
from headscarp.pipeline.chips.prepare import PreparedEvent
from headscarp.pipeline.map.observe import observe, read_land


class _Ground(NamedTuple):
    """A region of which chips are cut, at one moment where the target has one.

    Attributes
    ----------
    name : str
        What ids begin with.
    x : ndarray
        Features.
    label : ndarray of uint8, shape (y, x)
    target : ndarray of float32, shape (y, x), or None
    known : ndarray of bool, shape (y, x)
        What counts for `min_observed`.
    """

    name: str
    x: FloatArray
    label: NDArray[np.uint8]
    target: FloatArray | None
    known: NDArray[np.bool_]


def regions_with_data(event: PreparedEvent, cut: CutOptions) -> list[Region]:
    """Regions that a footprint reaches; the others cost nothing."""
    footprints = event.plan.footprints()
    found = regions(event.plan.geobox, cut.size_px, cut.stride_px)
    return [r for r in found if any(touches(f, r.tile.geobox) for f in footprints)]


def cut_region(event: PreparedEvent, cut: CutOptions, region: Region) -> list[CutChip]:
    """Cut the chips of a region; those of which too little was observed or known are left out."""
    change = _observed(event, cut.feature_set, region)
    if change is None:
        return []
    chips = []
    for ground in _grounds(event, cut, region, change):
        for corner in region.corners:
            top, left = corner.row - region.tile.rows.start, corner.col - region.tile.cols.start
            own = (slice(top, top + cut.size_px), slice(left, left + cut.size_px))
            if ground.known[own].mean() >= cut.min_observed and (ground.label[own] != IGNORE).any():
                chips.append(_chip(event, cut, corner, own, ground))
    return chips


def _observed(event: PreparedEvent, features: FeatureSet, region: Region) -> Change | None:
    """Change of a region and of what its features look at around it; none where nothing was observed."""
    looked = observe(event.plan, region.tile, features.halo_px)
    if looked.is_empty:
        return None
    change = looked.change(event.plan.splits, features.needs)
    wanted = [need for need in features.needs if need in GROUND_NEEDS or need.startswith(RASTER)]
    if not wanted:
        return change
    land = read_land(event.plan, region.tile, change, features.halo_px, wanted)
    return change.assign({need: xr.DataArray(land[need], dims=("y", "x")) for need in wanted})


def _grounds(event: PreparedEvent, cut: CutOptions, region: Region, change: Change) -> Iterator[_Ground]:
    features, name, geobox = cut.feature_set, event.options.name, region.tile.geobox
    landslide = lay_outlines(geobox, event.outlines, cut.all_touched)
    ignored = inside(geobox, event.ignored)
    if cut.target == "landslide":
        x, seen = _trimmed(form_inputs(features, change), features.halo_px)
        yield _Ground(name, x, label_of(landslide, seen, ignored), None, seen)
    for moment, reference in event.references.items():
        x, seen = _trimmed(form_inputs(features.at(moment), change), features.halo_px)
        ndvi = read_ndvi(reference, geobox)
        label = label_of(landslide, seen & np.isfinite(ndvi), ignored)
        target = np.where(label == IGNORE, np.float32(np.nan), ndvi)
        yield _Ground(f"{name}_{moment}", x, label, target, label != IGNORE)


def _trimmed(inputs: Inputs, halo_px: int) -> Inputs:
    """What lies inside a halo."""
    rows, cols = (slice(halo_px, size - halo_px) for size in inputs.seen.shape)
    return Inputs(inputs.values[..., rows, cols], inputs.seen[rows, cols])


def _chip(
    event: PreparedEvent, cut: CutOptions, corner: Corner, own: tuple[slice, slice], ground: _Ground
) -> CutChip:
    rows, cols = (slice(start, start + cut.size_px) for start in corner)
    box = part_of(event.plan.geobox, rows, cols).boundingbox
    x, label = ground.x[(..., *own)], ground.label[own]
    target = None if ground.target is None else ground.target[own]
    facts = ChipFacts(
        id=f"{ground.name}_r{corner.row:05d}_c{corner.col:05d}",
        event=event.options.name,
        crs=event.crs,
        bounds=(box.left, box.bottom, box.right, box.top),
        landslide_px=int((label == 1).sum()),
        ignored_px=int((label == IGNORE).sum()),
        content_sha256=content_sha256(x, label, target),
    )
    return CutChip(facts, x, label, event.days, target)
