"""The grounds of the study: an event's scenes, found or simulated, and the chips of its two areas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, ConfigDict

from headscarp.chips.options import CutOptions
from headscarp.chips.store import ChipStore, open_store
from headscarp.config import ChipEventOptions
from headscarp.errors import GridError
from headscarp.features.channels import FloatArray
from headscarp.features.sets import FeatureSet
from headscarp.grid import crs_wkt, pixel_offset
from headscarp.pipeline.chips.run import make_chips
from headscarp.pipeline.map.plan import Plan, make_plan
from headscarp.pipeline.stages import Progress, silent
from headscarp.predict.ground import HeldGround
from headscarp.run_folder import write_atomically
from headscarp.studies.areas import AREAS, EVENTS
from headscarp.studies.areas import area_event as cut_event
from headscarp.studies.cells import SkippedError
from headscarp.studies.pan_shi.options import StudyEvent
from headscarp.studies.sharing import held
from headscarp.vocabulary import OrbitState, Role

Area = Literal["training", "validation"]
STORES, FACTS_JSON = "stores", "facts.json"
AREA_GRIDS = "grid.json"
ANY_PIXEL = 1e-6
"""Share of observed pixels from which a chip of the validation area is kept: all that shows anything."""
BOTH_STATES = ("_fused_", "_visible_")
"""In names of channels that are formed of both orbit states."""


class EventImages(BaseModel):
    """Images of an event by orbit state, as the scenes have them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pre: dict[str, int]
    post: dict[str, int]

    @property
    def states(self) -> frozenset[str]:
        """Orbit states with images before and after."""
        return frozenset(state for state, count in self.pre.items() if count and self.post.get(state, 0))


def images_of(event: ChipEventOptions, root: Path) -> EventImages:
    """Count an event's images by orbit state, once; the count is kept."""
    path = root / EVENTS / f"{event.name}_{FACTS_JSON}"
    with held(path):
        kept = kept_images(event.name, root)
        if kept is not None:
            return kept
        images = count_images(make_plan(event.map_options()))
        write_atomically(path, images.model_dump_json(indent=2) + "\n")
    return images


def kept_images(name: str, root: Path) -> EventImages | None:
    """Images of an event as they were counted; None before they were."""
    path = root / EVENTS / f"{name}_{FACTS_JSON}"
    return EventImages.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else None


def count_images(plan: Plan) -> EventImages:
    """Acquisitions before and after the event, by orbit state."""
    counted = {
        role: {
            state.value: sum(a.role is role and a.scene.files[0].orbit_state is state for a in plan.assigned)
            for state in OrbitState
        }
        for role in (Role.PRE_EVENT, Role.POST_EVENT)
    }
    return EventImages(pre=counted[Role.PRE_EVENT], post=counted[Role.POST_EVENT])


def refuse_missing_orbit(features: FeatureSet, images: EventImages, name: str) -> None:
    """Skip what looks at an orbit state that the event lacks.

    Raises
    ------
    SkippedError
        A fused channel needs both: of one orbit it would be that orbit's channel under another name.
    """
    named = " ".join(features.channels)
    wanted = {
        state for state in OrbitState if any(part in named for part in BOTH_STATES) or state.value in named
    }
    absent = sorted(state.value for state in wanted if state.value not in images.states)
    if absent:
        raise SkippedError(
            f"{' and '.join(sorted(wanted))} images for {features.name}",
            f"{name} without {' and '.join(absent)} images before and after the event",
            f"{features.name} cannot be formed",
            "add scenes of that orbit",
        )


def area_event(event: ChipEventOptions, study: StudyEvent, area: Area, root: Path) -> ChipEventOptions:
    """An event cut down to one of its areas."""
    return cut_event(event, getattr(study, area), area, root)


def area_grid(event: ChipEventOptions, study: StudyEvent, area: Area, root: Path) -> GeoBox:
    """Grid on which an area is mapped and judged, whoever maps it; chosen once, and kept."""
    path = root / AREAS / f"{event.name}_{area}_{AREA_GRIDS}"
    with held(path):
        if not path.is_file():
            geobox = make_plan(area_event(event, study, area, root).map_options()).geobox
            stored = {"shape": list(geobox.shape), "transform": list(geobox.transform)[:6]}
            write_atomically(path, json.dumps(stored | {"crs": crs_wkt(geobox)}, indent=2) + "\n")
    read = json.loads(path.read_text(encoding="utf-8"))
    return GeoBox(tuple(read["shape"]), Affine(*read["transform"]), read["crs"])


def area_store(
    event: ChipEventOptions,
    study: StudyEvent,
    area: Area,
    cut: CutOptions,
    root: Path,
    progress: Progress = silent,
) -> ChipStore:
    """Chips of an area side by side, cut once for all that look at the same channels."""
    path = store_path(study, area, cut.feature_set, root)
    with held(path):
        if path.exists():
            return open_store(path)
        return make_chips([area_event(event, study, area, root)], cut, path, progress)


def store_path(study: StudyEvent, area: Area, features: FeatureSet, root: Path) -> Path:
    """Where the chips of an area lie."""
    return root / STORES / f"{study.name}_{area}_{features.name}.zarr"


def cut_options(features: FeatureSet, chip_px: int, area: Area) -> CutOptions:
    """How an area is cut: chips that touch; of the validation area all that show anything."""
    if area == "training":
        return CutOptions(features=features, size_px=chip_px, stride_px=chip_px)
    return CutOptions(features=features, size_px=chip_px, stride_px=chip_px, min_observed=ANY_PIXEL)


def laid_on(geobox: GeoBox, ground: HeldGround, values: FloatArray) -> FloatArray:
    """Values of a ground on another grid of the same lattice; NaN beyond.

    Chips at the right and lower rim of an area reach beyond it, and a chip that shows nothing is missing.
    """
    offset = pixel_offset(ground.geobox, geobox)
    if offset is None:
        raise GridError(
            "chips on the lattice of the area's grid",
            f"{ground.geobox.transform} and {geobox.transform}",
            "a map of the area could not be put together",
            "delete stores/ and areas/ of the study; both are made again",
        )
    laid = np.full(geobox.shape, np.nan, np.float32)
    # (first, last) of each axis on the area's grid; the chips' own are `first` pixels farther on
    spans = [
        (max(0, -first), min(want, have - first))
        for first, want, have in zip(offset, geobox.shape, values.shape, strict=True)
    ]
    there = tuple(slice(start, stop) for start, stop in spans)
    own = tuple(
        slice(start + first, stop + first) for (start, stop), first in zip(spans, offset, strict=True)
    )
    laid[there] = values[own]
    return laid
