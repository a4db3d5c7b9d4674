r"""Sentinel-2 L2A products as they come: where red, near infrared and scene classes lie, and their offset.

Reflectance is :math:`\rho = (d + o) / q` of the digital number *d*. The offset *o* is -1000 since processing
baseline 04.00 and 0 before, and providers differ in whether they apply it: archives hold products of one day
with it and without. So it is taken from the product's metadata or declared, never told from the date.

===================================  ======================================================================
product                              its offset
===================================  ======================================================================
``*.SAFE`` folder                    ``BOA_ADD_OFFSET`` of bands 3 and 7; 0 where the metadata state a
                                     baseline before 04.00 and list none
STAC item (``*.json``)               ``raster:bands`` offset over scale, or ``raster:offset`` over
                                     ``raster:scale``; 0 with ``earthsearch:boa_offset_applied``
folder with B04, B08 and SCL files   declared
===================================  ======================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from headscarp.errors import SceneError

METADATA = "MTD_MSIL2A.xml"
_BANDS = {"red": ("B04", "red"), "nir": ("B08", "nir"), "classes": ("SCL", "scl")}
"""By role: the name in file names, and the common name of STAC."""
_BAND_IDS = {"red": "3", "nir": "7"}
_FIRST_WITH_OFFSET = (4, 0)
"""Processing baseline from which on products list an offset."""
_SUFFIXES = (".tif", ".tiff", ".jp2")


@dataclass(frozen=True)
class Product:
    """One Sentinel-2 L2A acquisition over a tile.

    Attributes
    ----------
    path : Path
        As it was given.
    red, nir, classes : Path
        Bands B04 and B08 in digital numbers, 0 where there is none; scene classification.
    offset : float
        Added to digital numbers before they are reflectances.
    acquired : datetime or None
        UTC.
    """

    path: Path
    red: Path
    nir: Path
    classes: Path
    offset: float
    acquired: datetime | None


def find_product(path: Path, declared: float | None = None) -> Product | None:
    """Sentinel-2 product at a path; none where there is something else.

    Parameters
    ----------
    path : Path
        SAFE folder, STAC item, or folder with the three bands.
    declared : float, optional
        Offset in digital numbers, where the product does not say.

    Raises
    ------
    SceneError
        If it is one whose bands or offset are not known, or whose metadata contradict the declaration.
    """
    if path.is_dir():
        metadata = path / METADATA
        return _of_safe(path, metadata, declared) if metadata.is_file() else _of_folder(path, declared)
    return _of_stac(path, declared) if path.suffix.lower() in (".json", ".geojson") else None


def _of_safe(path: Path, metadata: Path, declared: float | None) -> Product:
    try:
        elements = list(ElementTree.parse(metadata).iter())
    except (OSError, ElementTree.ParseError) as error:
        raise _unreadable(metadata, str(error)) from error
    texts = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in elements}
    listed = {
        element.get("band_id"): float(element.text or "nan")
        for element in elements
        if element.tag.rpartition("}")[2] == "BOA_ADD_OFFSET"
    }
    stated = [listed[band] for band in _BAND_IDS.values() if band in listed]
    if not listed and _baseline(texts.get("PROCESSING_BASELINE", "")) < _FIRST_WITH_OFFSET:
        stated = [0.0, 0.0]
    found = sorted(path.rglob("IMG_DATA/**/*"))
    return _product(path, found, _offset(path, stated, declared), texts.get("PRODUCT_START_TIME"))


def _of_folder(path: Path, declared: float | None) -> Product | None:
    found = sorted(child for child in path.iterdir() if child.suffix.lower() in _SUFFIXES)
    if not any("B04" in child.stem or "B08" in child.stem for child in found):
        return None
    return _product(path, found, _offset(path, [], declared), None)


def _of_stac(path: Path, declared: float | None) -> Product:
    try:
        item = json.loads(path.read_text(encoding="utf-8"))
        assets = {role: _asset(item, names) for role, names in _BANDS.items()}
        properties = item.get("properties", {})
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error
    files = {role: path.parent / str(asset["href"]) for role, asset in assets.items()}
    _refuse_missing(path, files)
    applied = properties.get("earthsearch:boa_offset_applied") is True
    stated = [0.0, 0.0] if applied else _stac_offsets(assets)
    offset = _offset(path, stated, declared)
    return Product(path, **files, offset=offset, acquired=parse_time(properties.get("datetime")))


def _asset(item: Mapping[str, Any], names: tuple[str, str]) -> dict[str, Any]:
    assets = item["assets"]
    found = [assets[key] for key in (*names, names[0].lower(), names[1].upper()) if key in assets]
    if not found:
        raise KeyError(f"no asset {names[0]}")
    return dict(found[0])


def _stac_offsets(assets: Mapping[str, Mapping[str, Any]]) -> list[float]:
    """Of red and near infrared, in digital numbers, as far as the item says."""
    stated = []
    for role in _BAND_IDS:
        bands = assets[role].get("raster:bands") or assets[role].get("bands") or [{}]
        for own in (bands[0], assets[role]):
            offset, scale = (own.get(name, own.get(f"raster:{name}")) for name in ("offset", "scale"))
            if offset is not None and scale:
                stated.append(round(float(offset) / float(scale), 6))
                break
    return stated


def _product(path: Path, found: list[Path], offset: float, acquired: str | None) -> Product:
    """Bands by their names; of several resolutions the finest, which sorts first: 10m, 20m, 60m."""
    files = {role: _named(found, names[0]) for role, names in _BANDS.items()}
    _refuse_missing(path, files)
    known = {role: file for role, file in files.items() if file is not None}
    return Product(path, **known, offset=offset, acquired=parse_time(acquired))


def _named(found: list[Path], band: str) -> Path | None:
    own = (file for file in found if band in file.stem and file.suffix.lower() in _SUFFIXES)
    return next(own, None)


def parse_time(text: str | None) -> datetime | None:
    """Moment of a text, UTC where it says no zone; none where it is none.

    Examples
    --------
    >>> parse_time("2021-07-23T13:22:41.000000000").isoformat()
    '2021-07-23T13:22:41+00:00'
    >>> parse_time("2024:04:09 10:00:00").day, parse_time("spring")
    (9, None)
    """
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y:%m:%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(str(text)[: 10 if form == "%Y-%m-%d" else 19], form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _baseline(text: str) -> tuple[int, ...]:
    """Processing baseline such as 05.09; one that is not stated counts as new: its offset must be known."""
    parts = text.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else (99,)


def _offset(path: Path, stated: list[float], declared: float | None) -> float:
    """One offset of both bands, from metadata or declared.

    Raises
    ------
    SceneError
        If neither says, or both say different things.
    """
    known = {*stated} if len(stated) == len(_BAND_IDS) else set()
    if declared is not None:
        known.add(declared)
    if len(known) == 1:
        return known.pop()
    raise SceneError(
        "one reflectance offset of B04 and B08, from the product's metadata or declared",
        f"{path}: {', '.join(f'{value:g}' for value in sorted(known)) or 'none stated'}",
        "NDVI of forest is wrong by about 0.3 with the offset of another processing; a date does not tell",
        "give ndvi_offset, in digital numbers: -1000, or 0 where it is applied already or there is none",
    )


def _refuse_missing(path: Path, files: Mapping[str, Path | None]) -> None:
    missing = [_BANDS[role][0] for role, file in files.items() if file is None or not file.is_file()]
    if missing:
        raise SceneError(
            "a Sentinel-2 L2A product with B04, B08 and SCL on this machine",
            f"{path}, without {', '.join(missing)}",
            "NDVI needs red and near infrared, and clouds cannot be told without the scene classes",
            "fetch the bands, or give an NDVI raster",
        )


def _unreadable(path: Path, reason: str) -> SceneError:
    return SceneError(
        "metadata of a Sentinel-2 L2A product: MTD_MSIL2A.xml, or a STAC item with its assets",
        f"{path} ({reason})",
        "bands and reflectance offset are not known",
        "fetch the product again, or give an NDVI raster",
    )
