"""One patch, seen by one or two orbits, to a chip: dates split, change formed, features laid out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import numpy as np
import xarray as xr

from headscarp.chips.labels import label_of
from headscarp.chips.store import IGNORE, ChipFacts
from headscarp.chips.writer import CutChip, content_sha256
from headscarp.errors import OptionsError
from headscarp.features.change import Change, Split, change_of_stacks
from headscarp.features.channels import GROUND_NEEDS, RASTER, FloatArray
from headscarp.features.sets import FeatureSet, form_features, form_inputs, series_days
from headscarp.geometry.terrain import aspect_deg, slope_deg
from headscarp.grid import grid_over, spacing_m
from headscarp.ingest.sen12.facts import ORBIT_STATES, PatchError, PatchFacts
from headscarp.ingest.sen12.folder import Patches, Refusal
from headscarp.ingest.sen12.patch import HEIGHT, LABEL
from headscarp.ingest.sen12landslides import SPACING_M
from headscarp.pipeline.sen12.dates import Sides, split_patch
from headscarp.pipeline.sen12.optical import S2, OpticalSource, hidden_px, optical_layers, optical_needs
from headscarp.pipeline.sen12.report import PatchNote
from headscarp.split import Chip

MOST_DATES = 15
"""Dates of a patch."""
_PLACE_TOLERANCE_M = 1.0
"""Locations of the release are rounded to metres; half a pixel would be the fault of corner coordinates."""


class CutPatch(NamedTuple):
    """A patch as a chip, or why there is none; and what was found on the way."""

    chip: CutChip | None
    note: PatchNote


class _Optical(NamedTuple):
    """What Sentinel-2 shows of a patch, NaN where nothing; or why it shows nothing."""

    layers: dict[str, FloatArray]
    refusal: Refusal | None = None


def cut_patch(
    opened: Mapping[str, Patches],
    features: FeatureSet,
    place: Chip,
    given: date | None = None,
    optical: OpticalSource | None = None,
) -> CutPatch:
    """Cut the chip of one place; what speaks against it is noted, not raised.

    What speaks against its Sentinel-2 patch leaves the chip there without values of those channels: the same
    patches are compared with Sentinel-2 and without.

    Parameters
    ----------
    opened : mapping of str to Patches
        By sensor; every one is needed.
    features : FeatureSet
    place : Chip
        Of an official split: id, inventory and bounds.
    given : date, optional
        Day of the event for patches that state none.
    optical : OpticalSource, optional
        Needed for channels of Sentinel-2.
    """
    try:
        read = {sensor: patches.read(place.id) for sensor, patches in opened.items()}
        _refuse_apart(place, read)
        sides = {sensor: split_patch(patch, given) for sensor, patch in read.items()}
        beside = _optical(optical, features, place, read, given)
        splits = {sensor: own.split for sensor, own in sides.items()}
        chip = _chip(features, place, read, splits, beside.layers)
    except PatchError as error:
        told = str(error).replace("\n", "; ")
        where = ", ".join(str(patches.paths.get(place.id, "")) for patches in opened.values())
        return CutPatch(None, PatchNote(id=place.id, refusal=Refusal(id=place.id, path=where, reason=told)))
    return CutPatch(chip, _note(place, read, sides, beside))


def patch_change(
    patches: Mapping[str, xr.Dataset], splits: Mapping[str, Split], features: FeatureSet
) -> Change:
    """Change of a patch as a map would form it, orbits side by side, with the land that the features need.

    Parameters
    ----------
    patches, splits : mapping
        By sensor.
    features : FeatureSet
    """
    stacks = {str(patch.attrs["label"]): patch for patch in patches.values()}
    labelled = {str(patches[sensor].attrs["label"]): split for sensor, split in splits.items()}
    change = change_of_stacks(stacks, labelled, features.needs)
    if not set(features.needs) & set(GROUND_NEEDS):
        return change
    first = next(iter(patches.values()))
    facts: PatchFacts = first.attrs["facts"]
    height, spacing = first[HEIGHT].values, spacing_m(grid_over(facts.bounds, facts.crs, SPACING_M))
    land = {
        "slope_deg": slope_deg(height, spacing),
        "aspect_deg": aspect_deg(height, spacing),
        "height_m": height,
    }
    return change.assign({n: (("y", "x"), land[n]) for n in GROUND_NEEDS if n in features.needs})


def refuse_unseen_channels(features: FeatureSet, sensors: tuple[str, ...]) -> None:
    """Refuse channels that patches of these sensors cannot give.

    Raises
    ------
    OptionsError
        Naming them.
    """
    states = [ORBIT_STATES[sensor].value for sensor in sensors if sensor in ORBIT_STATES]
    seen = optical_needs(features)
    rasters = [need for need in features.needs if need.startswith(RASTER) and need not in seen]
    days = np.array(["2018-09-01", "2018-09-13"], dtype="datetime64[ns]")
    ones = (("time", "y", "x"), np.ones((2, 1, 1), np.float32))
    stacks = {s: xr.Dataset({"VV": ones, "VH": ones}, {"time": days}, {"orbit_state": s}) for s in states}
    absent = list(features.channels)
    if stacks and not rasters and not features.of_moment:
        change = change_of_stacks(stacks, {state: Split((0,), (1,)) for state in states}, features.needs)
        beside = (*GROUND_NEEDS, *seen)
        land = {n: (("y", "x"), np.ones((1, 1), np.float32)) for n in beside if n in features.needs}
        values = form_features(features, change.assign(land)).reshape(-1, len(features.channels))
        absent = [n for i, n in enumerate(absent) if not np.isfinite(values[:, i]).any()]
    if absent:
        raise OptionsError(
            f"features that {', '.join(sensors) or 'no sensor'} can give",
            f"{features.name}, with {', '.join(rasters or absent)}",
            "a channel would be empty in every chip",
            "name both of s1asc and s1dsc, or choose other features",
        )


def _refuse_apart(place: Chip, read: Mapping[str, xr.Dataset]) -> None:
    """Refuse a patch that lies elsewhere than its split says, or whose orbits show other ground or labels."""
    facts = {sensor: patch.attrs["facts"] for sensor, patch in read.items()}
    for sensor, own in facts.items():
        if own.crs != place.crs or not np.allclose(own.bounds, place.bounds, rtol=0, atol=_PLACE_TOLERANCE_M):
            raise _apart(place, f"{sensor} at {own.crs} {own.bounds}", f"{place.crs} {place.bounds}")
    first, *others = read.items()
    for sensor, patch in others:
        if facts[sensor].bounds != facts[first[0]].bounds:
            raise _apart(
                place, f"{sensor} at {facts[sensor].bounds}", f"{facts[first[0]].bounds}, {first[0]}"
            )
        if not np.array_equal(patch[LABEL].values, first[1][LABEL].values):
            px = int((patch[LABEL] != first[1][LABEL]).sum())
            raise _apart(place, f"{px} pixels of MASK that differ", f"one MASK in {first[0]} and {sensor}")


def _apart(place: Chip, given: str, expected: str) -> PatchError:
    return PatchError(
        f"{place.id} at {expected}",
        given,
        "pixels of different ground, or different landslides, would be taken for one",
        "fetch the patch and the task's files again, from one release",
    )


def _optical(
    source: OpticalSource | None,
    features: FeatureSet,
    place: Chip,
    read: Mapping[str, xr.Dataset],
    given: date | None,
) -> _Optical:
    """Layers of the Sentinel-2 patch of a place, held against its radar patches."""
    needs = optical_needs(features)
    if source is None or not needs:
        return _Optical({})
    shape = next(iter(read.values()))[LABEL].shape
    nothing = {need: np.full(shape, np.nan, np.float32) for need in needs}
    if place.id not in source.patches.paths:
        return _Optical(nothing, Refusal(id=place.id, path="", reason=f"no {S2} file"))
    try:
        patch = source.patches.read(place.id)
        _refuse_apart(place, {**read, S2: patch})
        layers = optical_layers(patch, split_patch(patch, given).split, needs, source.offset)
    except PatchError as error:
        path, told = str(source.patches.paths[place.id]), str(error).replace("\n", "; ")
        return _Optical(nothing, Refusal(id=place.id, path=path, reason=told))
    return _Optical(layers)


def _chip(
    features: FeatureSet,
    place: Chip,
    read: Mapping[str, xr.Dataset],
    splits: Mapping[str, Split],
    layers: Mapping[str, FloatArray],
) -> CutChip:
    change = patch_change(read, splits, features)
    change = change.assign({name: (("y", "x"), values) for name, values in layers.items()})
    x, seen = form_inputs(features, change)
    first = next(iter(read.values()))
    label = label_of(first[LABEL].values == 1, seen)
    if not seen.any():
        raise _unobserved(place, "no pixel that was observed before and after")
    days = series_days(features, change) if features.form == "series" else None
    if days is not None and len(days) > MOST_DATES:
        raise _unobserved(place, f"{len(days)} dates, more than {MOST_DATES}")
    facts = ChipFacts(
        id=place.id,
        event=place.event,
        crs=place.crs,
        bounds=first.attrs["facts"].bounds,
        landslide_px=int((label == 1).sum()),
        ignored_px=int((label == IGNORE).sum()),
        content_sha256=content_sha256(x, label),
    )
    return CutChip(facts, x, label, days)


def _unobserved(place: Chip, found: str) -> PatchError:
    return PatchError(
        f"a patch that was observed, of at most {MOST_DATES} dates",
        f"{place.id}: {found}",
        "a network would learn from nothing",
        "leave the patch out",
    )


def _note(
    place: Chip, read: Mapping[str, xr.Dataset], sides: Mapping[str, Sides], beside: _Optical
) -> PatchNote:
    before = [len(own.split.pre) for own in sides.values()]
    after = [len(own.split.post) for own in sides.values()]
    return PatchNote(
        id=place.id,
        sources=tuple(own.source for own in sides.values()),
        disagrees=any(own.disagrees for own in sides.values()),
        on_the_day=sum(own.on_the_day for own in sides.values()),
        between=sum(own.between for own in sides.values()),
        pre_dates=(min(before), max(before)),
        post_dates=(min(after), max(after)),
        clipped_values=sum(int(patch.attrs["clipped_values"]) for patch in read.values()),
        repeated_dates=sum(int(patch.attrs["repeated_dates"]) for patch in read.values()),
        without_s2=beside.refusal,
        s2_hidden_px=(0, 0) if beside.refusal else hidden_px(beside.layers),
    )
