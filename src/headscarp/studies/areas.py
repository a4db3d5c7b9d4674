"""Events of studies: their scenes, found or simulated, and the areas they are cut into."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import geopandas as gpd
import shapely
from pydantic import Field, model_validator

from headscarp.config import ChipEventOptions, described_event
from headscarp.grid import Bounds
from headscarp.pipeline.map.plan import make_plan
from headscarp.pipeline.simulate import run_simulate
from headscarp.pipeline.stages import Progress, silent
from headscarp.simulate.options import SimulateOptions
from headscarp.studies.cells import SkippedError
from headscarp.studies.sharing import held

EVENTS, AREAS = "events", "areas"
AREA_LAYER = "area"


class AreaEvent(ChipEventOptions):
    """An event: what `headscarp chips` asks of it, where it is learned, and where that is judged."""

    training: Bounds = Field(description="Left, bottom, right, top of the training area, m in area.crs.")
    validation: Bounds = Field(
        description="The same of the area that is judged, on other ground: the paper's validation area."
    )
    simulate: SimulateOptions | None = Field(
        None, description="Simulates the event where its scenes are not there: a twin of a real one."
    )
    where: str = Field("", description="Where scenes and references of the real event are to be had.")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        areas = {"training": self.training, "validation": self.validation}
        for name, (left, bottom, right, top) in areas.items():
            if not (left < right and bottom < top):
                raise ValueError(f"{name}: left, bottom, right, top, with left < right and bottom < top")
        if _overlap(self.training, self.validation):
            raise ValueError("the training and the validation area overlap: what was learned would be tested")
        return self


def ready_event(event: AreaEvent, root: Path, progress: Progress = silent) -> ChipEventOptions:
    """What `headscarp chips` asks of an event; a twin is simulated where it is not there yet.

    Raises
    ------
    SkippedError
        If the scenes of a real event are not there.
    """
    if event.simulate is not None:
        folder = root / EVENTS / event.name
        with held(folder):
            if not folder.exists():
                run_simulate(event.simulate, folder, progress=progress)
        return described_event(folder, name=event.name)
    absent = missing(event)
    if absent:
        raise SkippedError(
            f"scenes, inventory, DEM and references of {event.name}",
            f"{', '.join(map(str, absent))}: not there",
            "the event cannot be looked at",
            event.where or "fetch them, and name them in the config",
        )
    own = {name: getattr(event, name) for name in ChipEventOptions.model_fields}
    return ChipEventOptions(**own)


def missing(event: AreaEvent) -> list[Path | str]:
    """Files and folders of an event that are not there; of a twin none."""
    if event.simulate is not None:
        return []
    absent: list[Path | str] = [name for name in ("scenes", "inventory") if not getattr(event, name)]
    single = (event.terrain.dem, event.ndvi_pre, event.ndvi_post)
    paths = (*event.scenes, *event.inventory, *(path for path in single if path is not None))
    return absent + [path for path in paths if not path.exists()]


def area_event(event: ChipEventOptions, bounds: Bounds, area: str, root: Path) -> ChipEventOptions:
    """An event cut down to one of its areas, given in the CRS of its grid."""
    path = root / AREAS / f"{event.name}_{area}.gpkg"
    with held(path):
        if not path.exists():
            crs = make_plan(event.map_options()).geobox.crs
            beside = path.with_name(f".{path.stem}.part.gpkg")
            frame = gpd.GeoDataFrame(geometry=[shapely.box(*bounds)], crs=str(crs))
            frame.to_file(beside, layer=AREA_LAYER, driver="GPKG")
            beside.replace(path)
    return event.model_copy(update={"area": event.area.model_copy(update={"aoi": path, "bbox": None})})


def _overlap(one: Bounds, other: Bounds) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
