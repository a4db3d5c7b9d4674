"""The area that is judged: its channels, the NDVI to be met, and what is known of the ground."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.chips.store import ChipStore
from headscarp.config import ChipEventOptions
from headscarp.evaluate.strata import Stratum, slope_stratum
from headscarp.features.channels import FloatArray
from headscarp.geometry.observable import Observable
from headscarp.geometry.terrain import HALO_PX, slope_deg
from headscarp.grid import Tile, expand, spacing_m
from headscarp.ingest.categories import read_class_names, read_codes
from headscarp.ingest.dem import read_height
from headscarp.pipeline.map.view import plan_view
from headscarp.predict.ground import hold_ground
from headscarp.studies.sar2ndvi.options import NdviEvent

SLOPE, LAND_COVER, VISIBILITY, LANDSLIDES = "slope", "land cover", "visibility", "landslides"
LANDCOVER_TIF = "landcover.tif"
"""In the folder of a simulated event."""
_SEEN = {
    Observable.NEITHER: "neither orbit",
    Observable.ASCENDING: "ascending only",
    Observable.DESCENDING: "descending only",
    Observable.BOTH: "both orbits",
}


@dataclass(frozen=True)
class JudgedGround:
    """An area on one grid.

    Attributes
    ----------
    geobox : GeoBox
    x : ndarray of float32, shape (channel, y, x)
        Channels in their units; NaN where there is no value.
    truth : ndarray of float32, shape (y, x)
        NDVI; NaN where none is known.
    strata : dict of str to Stratum
    """

    geobox: GeoBox
    x: FloatArray
    truth: FloatArray
    strata: dict[str, Stratum]


def judged_ground(store: ChipStore, event: ChipEventOptions, study: NdviEvent) -> JudgedGround:
    """Put the chips of the area together, with the kinds of ground that errors are told by."""
    ground = hold_ground(store)
    if ground.target is None:
        raise ValueError("chips without values to regress on")
    strata = {LANDSLIDES: Stratum(("outside", "inside the inventory"), _inside(ground.label))}
    if event.terrain.dem is not None:
        wide = expand(ground.geobox, HALO_PX)
        inner = (slice(HALO_PX, -HALO_PX), slice(HALO_PX, -HALO_PX))
        strata[SLOPE] = slope_stratum(slope_deg(read_height(event.terrain.dem, wide), spacing_m(wide))[inner])
        strata[VISIBILITY] = _visibility(event, ground.geobox)
    landcover = study.landcover or _beside(event)
    if landcover is not None:
        strata[LAND_COVER] = _classes(landcover, ground.geobox)
    return JudgedGround(ground.geobox, ground.x, ground.target, strata)


def _inside(label: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.select([label == 1, label == 0], [1, 0], -1).astype(np.int16)


def _visibility(event: ChipEventOptions, geobox: GeoBox) -> Stratum:
    view = plan_view(event.terrain, geobox)
    if view is None:
        return Stratum((), np.full(geobox.shape, -1, np.int16))
    rows, cols = geobox.shape
    code = view.of_tile(Tile(geobox, slice(0, rows), slice(0, cols)))
    image = np.where(code == Observable.UNKNOWN, -1, code.astype(np.int16))
    return Stratum(tuple(_SEEN.values()), image.astype(np.int16))


def _classes(path: Path, geobox: GeoBox) -> Stratum:
    codes = read_codes(path, geobox)
    named = read_class_names(path)
    known = np.unique(codes[np.isfinite(codes)]).astype(int).tolist()
    image = np.full(geobox.shape, -1, np.int16)
    for place, code in enumerate(known):
        image[codes == code] = place
    return Stratum(tuple(named.get(code, f"class {code}") for code in known), image)


def _beside(event: ChipEventOptions) -> Path | None:
    folders = [scene if scene.is_dir() else scene.parent for scene in event.scenes]
    found = [folder / LANDCOVER_TIF for folder in (*folders, *(f.parent for f in folders))]
    return next((path for path in found if path.is_file()), None)
