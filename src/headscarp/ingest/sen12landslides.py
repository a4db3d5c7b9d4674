"""Sen12Landslides: its official splits, from the task folders of the release.

A task folder (``tasks/S12LS-LD/harmonized``) holds one split for each sensor, in ``s1asc``, ``s1dsc`` and
``s2``, and one for patches that exist in all of them (``splits_aligned.json``). ``splits.json`` says who
belongs where; ``patch_locations.geojson`` says where a patch lies, as the longitude and latitude of a
centre that was rounded to whole metres in the patch's own CRS (Höhn et al., 2025, Sen12Landslides).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pyproj import Transformer
from pyproj.exceptions import CRSError

from headscarp.grid import WGS84, Bounds
from headscarp.split import Chip, SplitError, SplitFile, SplitName

PATCH_PX = 128
"""Rows and columns of a patch."""
SPACING_M = 10.0
"""Pixel size of a patch."""
SENSORS = ("s1asc", "s1dsc", "s2")
"""Folders of a task, one for each sensor."""
ALIGNED = "aligned"
"""Series of patches that exist for every sensor."""
LOW_QUALITY = "low_quality_patches.txt"
_SPLITS, _LOCATIONS = "splits.json", "patch_locations.geojson"
_ALIGNED_SPLITS, _ALIGNED_LOCATIONS = "splits_aligned.json", "patch_locations_aligned.geojson"
_SPLIT_OF: dict[str, SplitName] = {"train": "train", "val": "validation", "test": "test"}
_PARENTS = 4
"""Levels above a task folder that are searched for the low-quality list: a sensor's own folder lies four
levels below the release's root."""
_DECIMALS = 3
"""Of a centre in metres: what degrees lose on the way is far below a millimetre."""

Model = TypeVar("Model", bound=BaseModel)


class TaskSplit(NamedTuple):
    """One official split and what its two files say against each other."""

    split: SplitFile
    disagreeing: tuple[str, ...]
    """Patches whose location file names another split; ``splits.json`` was followed."""
    unlisted: tuple[str, ...]
    """Patches that have a location but are in no split."""
    low_quality_list: Path | None
    """The list that marked the low-quality patches; none was found otherwise."""


class _Member(BaseModel):
    """An entry of ``splits.json``; the paths of its files are not needed here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(min_length=1)
    pixel_annotated: int = Field(ge=0, le=PATCH_PX**2)
    inventory: str = Field(min_length=1)


class _Place(BaseModel):
    """The properties of a patch location."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    patch_id: str
    split: str
    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    crs_original: str


class _Source(NamedTuple):
    """The two files of one split."""

    series: str
    splits: Path
    locations: Path


def read_task_splits(folder: Path, low_quality: Path | None = None) -> list[TaskSplit]:
    """Read the official splits of a task folder, or of one sensor's folder.

    Parameters
    ----------
    folder : Path
        Such as ``tasks/S12LS-LD/harmonized`` or ``tasks/S12LS-LD/harmonized/s1asc``.
    low_quality : Path, optional
        List of patch ids; by default ``low_quality_patches.txt`` in the folder or up to four levels above.

    Returns
    -------
    list of TaskSplit
        One for each sensor, then the aligned one.

    Raises
    ------
    SplitError
        If there is no split, a file breaks its format, or a patch of a split has no location.
    """
    sources = _sources(folder)
    if not sources:
        raise SplitError(
            f"a folder with {_SPLITS}, or with one in {', '.join(SENSORS)}",
            f"{folder}" + ("" if folder.is_dir() else " (no such folder)"),
            "there is no split to read",
            "give tasks/<task>/<release> of Sen12Landslides, or one sensor's folder in it",
        )
    listed = low_quality or _nearest_list(folder)
    flagged = read_low_quality(listed) if listed is not None else frozenset[str]()
    return [_read(source, flagged, listed) for source in sources]


def read_low_quality(path: Path) -> frozenset[str]:
    """Read a list of patch ids, one a line.

    Raises
    ------
    SplitError
        If the list cannot be read.
    """
    return frozenset(line.strip() for line in _read_text(path).splitlines() if line.strip())


def _sources(folder: Path) -> list[_Source]:
    if (folder / _SPLITS).is_file():
        return [_Source(folder.resolve().name, folder / _SPLITS, folder / _LOCATIONS)]
    found = [_Source(name, folder / name / _SPLITS, folder / name / _LOCATIONS) for name in SENSORS]
    found.append(_Source(ALIGNED, folder / _ALIGNED_SPLITS, folder / _ALIGNED_LOCATIONS))
    return [source for source in found if source.splits.is_file()]


def _nearest_list(folder: Path) -> Path | None:
    """Low-quality list in the folder or above it."""
    place = folder.resolve()
    candidates = [place, *place.parents[:_PARENTS]]
    return next((c / LOW_QUALITY for c in candidates if (c / LOW_QUALITY).is_file()), None)


def _read(source: _Source, flagged: frozenset[str], listed: Path | None) -> TaskSplit:
    members = list(_members(source.splits))
    places = _places(source.locations)
    _refuse_unplaced(source, members, places)
    bounds = _bounds(places)
    chips = tuple(
        _valid(Chip, _chip(name, member, places, bounds, source.series, flagged), source.locations)
        for name, member in members
    )
    split = SplitFile(
        name=f"Sen12Landslides {source.series}",
        made={"method": "official split", "source": source.splits.name},
        spacing_m=SPACING_M,
        chips=chips,
    )
    own = {chip.id: chip.split for chip in chips}
    said = {i: _SPLIT_OF.get(place.split) for i, place in places.items()}
    disagreeing = tuple(sorted(i for i, name in own.items() if said[i] != name))
    return TaskSplit(split, disagreeing, tuple(sorted(places.keys() - own.keys())), listed)


def _chip(
    split: SplitName,
    member: _Member,
    places: Mapping[str, _Place],
    bounds: Mapping[str, Bounds],
    series: str,
    flagged: frozenset[str],
) -> dict[str, Any]:
    """What is known of a patch, by the names of :class:`~headscarp.split.Chip`."""
    return {
        "id": member.id,
        "split": split,
        "event": member.inventory,
        "region": member.id.rsplit("_", 1)[0],
        "series": series,
        "crs": places[member.id].crs_original,
        "bounds": bounds[member.id],
        "landslide_px": member.pixel_annotated,
        "px": PATCH_PX**2,
        "low_quality": member.id in flagged,
    }


def _members(path: Path) -> Iterator[tuple[SplitName, _Member]]:
    """Patches of ``splits.json`` with the split they belong to."""
    content = _read_json(path)
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise _broken(path, "not an object of lists")
    unknown = sorted(set(content) - set(_SPLIT_OF))
    if unknown:
        raise _broken(path, f"split named {unknown[0]!r}")
    for name, entries in content.items():
        for entry in entries:
            yield _SPLIT_OF[name], _valid(_Member, entry, path)
    if not any(content.values()):
        raise _broken(path, "it lists no patch")


def _places(path: Path) -> dict[str, _Place]:
    content = _read_json(path)
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list) or not all(isinstance(f, dict) for f in features):
        raise _broken(path, "no list of features")
    found = [_valid(_Place, feature.get("properties"), path) for feature in features]
    places = {place.patch_id: place for place in found}
    twice = next((place.patch_id for place in found if places[place.patch_id] != place), None)
    if twice is not None:
        raise _broken(path, f"two locations of {twice}")
    return places


def _bounds(places: Mapping[str, _Place]) -> dict[str, Bounds]:
    """Outer edges of each patch, m in its own CRS."""
    half = PATCH_PX * SPACING_M / 2.0
    bounds: dict[str, Bounds] = {}
    for crs in sorted({place.crs_original for place in places.values()}):
        own = [place for place in places.values() if place.crs_original == crs]
        to_own = _transformer(crs)
        x, y = to_own.transform([place.lon for place in own], [place.lat for place in own])
        for place, cx, cy in zip(own, np.round(x, _DECIMALS), np.round(y, _DECIMALS), strict=True):
            box = (cx - half, cy - half, cx + half, cy + half)
            bounds[place.patch_id] = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
    return bounds


def _transformer(crs: str) -> Transformer:
    try:
        return Transformer.from_crs(WGS84, crs, always_xy=True)
    except CRSError as error:
        raise SplitError(
            "crs_original: a CRS that PROJ knows",
            repr(crs),
            "the patch cannot be placed",
            f"correct {_LOCATIONS}",
        ) from error


def _refuse_unplaced(
    source: _Source, members: list[tuple[SplitName, _Member]], places: Mapping[str, _Place]
) -> None:
    unplaced = sorted({member.id for _, member in members} - places.keys())
    if unplaced:
        raise SplitError(
            f"a location in {source.locations.name} for every patch of {source.splits.name}",
            f"none for {', '.join(unplaced[:3])} ({len(unplaced)} in all) in {source.locations}",
            "whether these patches touch others could not be told",
            "fetch both files again from the same release",
        )


def _valid(model: type[Model], entry: object, path: Path) -> Model:
    try:
        return model.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _broken(path, f"{place or 'entry'}: {first['msg']}; {str(entry)[:120]}") from None


def _read_json(path: Path) -> Any:
    text = _read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _broken(path, f"no JSON: {error}") from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _broken(path, str(getattr(error, "strerror", None) or error)) from error


def _broken(path: Path, problem: str) -> SplitError:
    return SplitError(
        "a file of Sen12Landslides as released",
        f"{path} ({problem})",
        "who belongs to which split, and where, cannot be told",
        "fetch the file again",
    )
