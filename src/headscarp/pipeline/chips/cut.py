"""One region of an event to chips: observed, its features formed as a map forms them, labelled, cut."""

from __future__ import annotations

import numpy as np
import xarray as xr

from headscarp.chips.labels import label_of, lay_outlines
from headscarp.chips.lattice import Corner, Region, part_of, regions
from headscarp.chips.options import CutOptions
from headscarp.chips.store import IGNORE, ChipFacts
from headscarp.chips.writer import CutChip, content_sha256
from headscarp.features.change import Change
from headscarp.features.sets import GROUND_NEEDS, RASTER, FloatArray, form_inputs
from headscarp.ingest.area import inside
from headscarp.ingest.stack import touches
from headscarp.pipeline.chips.prepare import PreparedEvent
from headscarp.pipeline.map.observe import observe, read_land


def regions_with_data(event: PreparedEvent, cut: CutOptions) -> list[Region]:
    """Regions that a footprint reaches; the others cost nothing."""
    footprints = event.plan.footprints()
    found = regions(event.plan.geobox, cut.size_px, cut.stride_px)
    return [r for r in found if any(touches(f, r.tile.geobox) for f in footprints)]


def cut_region(event: PreparedEvent, cut: CutOptions, region: Region) -> list[CutChip]:
    """Cut the chips of a region; those of which too little was observed or known are left out."""
    features = cut.feature_set
    looked = observe(event.plan, region.tile, 0)
    if looked.is_empty:
        return []
    change = looked.change(event.plan.splits, features.needs)
    x, seen = form_inputs(features, _with_land(event, region, change, features.needs))
    geobox = region.tile.geobox
    landslide = lay_outlines(geobox, event.outlines, cut.all_touched)
    label = label_of(landslide, seen, inside(geobox, event.ignored))
    chips = []
    for corner in region.corners:
        top, left = corner.row - region.tile.rows.start, corner.col - region.tile.cols.start
        own = (slice(top, top + cut.size_px), slice(left, left + cut.size_px))
        if seen[own].mean() >= cut.min_observed and (label[own] != IGNORE).any():
            chips.append(_chip(event, cut, corner, x[(..., *own)], label[own]))
    return chips


def _with_land(event: PreparedEvent, region: Region, change: Change, needs: tuple[str, ...]) -> Change:
    """Change with the variables of the land that the features need."""
    wanted = [need for need in needs if need in GROUND_NEEDS or need.startswith(RASTER)]
    if not wanted:
        return change
    land = read_land(event.plan, region.tile, change, 0, wanted)
    return change.assign({need: xr.DataArray(land[need], dims=("y", "x")) for need in wanted})


def _chip(event: PreparedEvent, cut: CutOptions, corner: Corner, x: FloatArray, label: np.ndarray) -> CutChip:
    rows, cols = (slice(start, start + cut.size_px) for start in corner)
    box = part_of(event.plan.geobox, rows, cols).boundingbox
    facts = ChipFacts(
        id=f"{event.options.name}_r{corner.row:05d}_c{corner.col:05d}",
        event=event.options.name,
        crs=event.crs,
        bounds=(box.left, box.bottom, box.right, box.top),
        landslide_px=int((label == 1).sum()),
        ignored_px=int((label == IGNORE).sum()),
        content_sha256=content_sha256(x, label),
    )
    return CutChip(facts, x, label, event.days)
