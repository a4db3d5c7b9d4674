"""An event before its chips are cut: its plan, its mapped landslides, every refusal that needs no pixel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from pyproj import CRS

from headscarp.chips.labels import Outlines
from headscarp.chips.options import CutOptions
from headscarp.chips.store import ChipError, EventFacts
from headscarp.config import ChipEventOptions
from headscarp.errors import GridError, OptionsError
from headscarp.features.change import Change, change_of_stacks
from headscarp.features.channels import GROUND_NEEDS, RASTER, FloatArray
from headscarp.features.composite import Moment
from headscarp.features.sets import FeatureSet, form_features, series_days
from headscarp.grid import crs_wkt, metres_per_unit
from headscarp.ingest.area import AreaOptions, project_area, read_area
from headscarp.ingest.inventory import InventoryFacts, read_inventory
from headscarp.ingest.ndvi import NdviReference
from headscarp.ingest.raster import read_sha256
from headscarp.pipeline.chips.references import days_apart, read_references
from headscarp.pipeline.evaluate.ground import RASTER_SUFFIXES
from headscarp.pipeline.map.declared import refuse_undeclared
from headscarp.pipeline.map.plan import Plan, make_plan
from headscarp.pipeline.stages import Stages
from headscarp.scene import polarizations_of
from headscarp.vocabulary import Role


@dataclass(frozen=True)
class PreparedEvent:
    """Everything about an event that its chips are cut from.

    Attributes
    ----------
    options : ChipEventOptions
    plan : Plan
    outlines : Outlines
        Mapped landslides in the CRS of the grid.
    ignored : Geometry or None
        Ground to leave out, in the CRS of the grid.
    crs : str
        Of the grid, as chips name it.
    days : ndarray or None
        Of each date of a series; none for other sets.
    seen : tuple of bool
        Channels that the scenes can give.
    facts : EventFacts
    references : dict of str to NdviReference
        By moment; empty where landslides are learned.
    """

    options: ChipEventOptions
    plan: Plan
    outlines: Outlines
    ignored: shapely.Geometry | None
    crs: str
    days: FloatArray | None
    seen: tuple[bool, ...]
    facts: EventFacts
    references: dict[Moment, NdviReference]


def prepare_event(options: ChipEventOptions, cut: CutOptions, stages: Stages) -> PreparedEvent:
    """Plan an event, read its inventory and NDVI, and hash all that its chips rest on.

    Raises
    ------
    HeadscarpError
        If the scenes cannot give a change, a raster or the DEM of a channel is missing, the grid is not in
        metres, no mapped landslide lies on it, or there is no NDVI to learn.
    """
    features = _formable(cut.feature_set)
    refuse_undeclared(features, options, options.name)
    _refuse_no_polygons(options, cut)
    plan = make_plan(options.map_options())
    _refuse_degrees(options.name, plan)
    references = read_references(options, cut, plan)
    outlines, inventory = _outlines(options, plan)
    change = rehearse(plan, features)
    return PreparedEvent(
        options,
        plan,
        outlines,
        _ignored(options, plan),
        _crs_name(plan),
        series_days(features, change) if features.form == "series" else None,
        _channels_seen(features, form_features(features, change)),
        _facts(options, plan, inventory, references, stages),
        references,
    )


def _formable(features: FeatureSet) -> FeatureSet:
    """The set of a moment where it says none: both moments have the same channels."""
    return features.at("post") if features.of_moment and features.moment is None else features


def rehearse(plan: Plan, features: FeatureSet) -> Change:
    """Change of one pixel that every date observed: which channels and dates an event has, and no more."""
    ones = {
        label: stack.isel(y=slice(0, 1), x=slice(0, 1)).copy(
            data={p: np.ones((stack.sizes["time"], 1, 1), np.float32) for p in polarizations_of(stack)}
        )
        for label, stack in plan.stacks.items()
    }
    change = change_of_stacks(ones, plan.splits, features.needs)
    land = [need for need in features.needs if need in GROUND_NEEDS or need.startswith(RASTER)]
    return change.assign({need: (("y", "x"), np.ones((1, 1), np.float32)) for need in land})


def _channels_seen(features: FeatureSet, formed: FloatArray) -> tuple[bool, ...]:
    """Which channels have a value anywhere."""
    rows = np.isfinite(formed).reshape(-1, len(features.channels))
    return tuple(bool(column.any()) for column in rows.T)


def input_paths(
    options: ChipEventOptions, plan: Plan, references: Mapping[Moment, NdviReference]
) -> dict[str, list[Path]]:
    """Files that the chips of an event rest on, by what they are; inventories come with their own hashes."""
    scenes = {f.path for a in plan.assigned if a.role is not Role.REJECTED for f in a.scene.files}
    given: dict[str, list[Path | None]] = {
        "dem": [options.terrain.dem],
        "aoi": [options.area.aoi],
        "ignore": [*options.ignore],
    }
    given |= {f"{RASTER}{name}": [path] for name, path in sorted(options.rasters.items())}
    given |= {f"ndvi {moment}": [*own.files] for moment, own in references.items()}
    named = {what: [path for path in paths if path is not None] for what, paths in given.items()}
    return {"scene": sorted(scenes), **named}


def _facts(
    options: ChipEventOptions,
    plan: Plan,
    inventory: InventoryFacts | None,
    references: Mapping[Moment, NdviReference],
    stages: Stages,
) -> EventFacts:
    named = input_paths(options, plan, references)
    work = [(what, path) for what, paths in named.items() for path in paths]
    hashes = stages.map(f"hashing the files of {options.name}", lambda each: read_sha256(each[1]), work)
    lines = [[what, path.name, sha256] for (what, path), sha256 in zip(work, hashes, strict=True)]
    mapped = [] if inventory is None else inventory.files
    lines += [["inventory", f"{Path(file.path).name} {file.layer}", file.sha256] for file in mapped]
    products = {moment: own.product for moment, own in references.items() if own.product is not None}
    lines += [[f"ndvi {moment}", "offset", f"{own.offset}"] for moment, own in products.items()]
    before, after = (
        [len(dates) for dates in sides]
        for sides in zip(*((split.pre, split.post) for split in plan.splits.values()), strict=True)
    )
    return EventFacts(
        name=options.name,
        inputs_sha256=hashlib.sha256(json.dumps(sorted(lines)).encode()).hexdigest(),
        pre_dates=(min(before), max(before)),
        post_dates=(min(after), max(after)),
        ndvi_days={moment: days_apart(plan, moment, own) for moment, own in references.items()},
    )


def _outlines(options: ChipEventOptions, plan: Plan) -> tuple[Outlines, InventoryFacts | None]:
    """Mapped landslides; none where NDVI is learned of ground of which none were mapped."""
    if not options.inventory:
        return Outlines.of(np.array([], dtype=object)), None
    box = shapely.box(*plan.geobox.boundingbox.bbox)
    within = box if plan.grid.area is None else shapely.intersection(box, plan.grid.area)
    inventory = read_inventory(options.inventory, crs_wkt(plan.geobox), within, options.dates)
    facts = inventory.facts
    if facts.kept == 0 and facts.outside_area > 0:
        raise GridError(
            f"mapped landslides on the ground of {options.name}",
            f"{', '.join(map(str, options.inventory))}: {facts.outside_area} polygons, all elsewhere",
            "landslides that were mapped would count as ground without one",
            "check that inventory and scenes are of the same event, and the CRS of the inventory",
        )
    return Outlines.of(inventory.landslides.geometry.to_numpy()), facts


def _ignored(options: ChipEventOptions, plan: Plan) -> shapely.Geometry | None:
    areas = [read_area(AreaOptions(aoi=path)) for path in options.ignore]
    projected = [project_area(area, plan.geobox.crs) for area in areas if area is not None]
    return shapely.union_all(projected) if projected else None


def _crs_name(plan: Plan) -> str:
    """Code of the CRS, such as EPSG:32654, or its WKT where it has none."""
    crs = CRS.from_wkt(crs_wkt(plan.geobox))
    authority = crs.to_authority()
    return ":".join(authority) if authority else crs.to_wkt()


def _refuse_no_polygons(options: ChipEventOptions, cut: CutOptions) -> None:
    rasters = [path for path in options.inventory if path.suffix.lower() in RASTER_SUFFIXES]
    if rasters or not (options.inventory or cut.target == "ndvi"):
        raise OptionsError(
            f"mapped landslides of {options.name} as polygons: a shapefile, GeoPackage or GeoJSON",
            f"the raster {rasters[0]}" if rasters else "no inventory",
            "labels are made on the grid of the features, which a label raster would have to share",
            "give events.inventory the polygons; gdal_polygonize.py makes them of a raster",
        )


def _refuse_degrees(name: str, plan: Plan) -> None:
    crs = CRS.from_wkt(crs_wkt(plan.geobox))
    if not crs.is_projected or not np.isclose(metres_per_unit(plan.geobox), 1.0):
        raise GridError(
            f"a grid of {name} in metres, such as UTM",
            crs.name,
            "chips of one size would show ground of different sizes, and distances could not be kept",
            "give area.crs, such as EPSG:32654, and area.spacing in metres",
        )


def refuse_mixed(events: Sequence[PreparedEvent], features: FeatureSet) -> None:
    """Refuse events that do not go together: names, spacings, pooling, and channels that none of them has.

    Raises
    ------
    ChipError
    """
    names = [event.options.name for event in events]
    if len(set(names)) != len(names):
        raise _mixed("a name of its own for each event", ", ".join(names), "give events.name")
    spacings = {event.options.name: abs(event.plan.geobox.transform.a) for event in events}
    if not np.allclose(list(spacings.values()), spacings[names[0]], rtol=1e-6):
        given = ", ".join(f"{name} {spacing:g} m" for name, spacing in spacings.items())
        raise _mixed("one spacing for all events", given, "give every event the same area.spacing")
    poolings = {event.options.change.pooling for event in events}
    if len(poolings) > 1:
        raise _mixed("one change.pooling for all events", ", ".join(sorted(poolings)), "choose one")
    seen = np.logical_or.reduce([event.seen for event in events])
    absent = [name for name, has in zip(features.channels, seen, strict=True) if not has]
    if absent:
        raise _mixed(
            f"scenes for every channel of {features.name}",
            f"none for {', '.join(absent)} in {', '.join(names)}",
            "add scenes of that orbit and polarisation, or choose other features",
        )


def _mixed(expected: str, given: str, fix: str) -> ChipError:
    return ChipError(expected, given, "a network learns from all events as one", fix)
