"""A Sentinel-1 product in SAFE layout, as a folder or a zip: its files, found and checked.

Read here and not with ``xarray-sentinel``: that reads one time for each row of the geolocation grid (its
points carry their own, and differ by a third of a line), one sub-swath of the azimuth noise for all three,
no ``noiseVector`` of products before 2018, and builds a schema validator for each document. What both read
is held equal in the tests.
"""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from headscarp.errors import SceneError
from headscarp.vocabulary import POLARIZATIONS, Polarization

_NAME = re.compile(
    r"S1[A-D]_(?P<mode>[A-Z0-9]{2})_(?P<kind>[A-Z]{3})(?P<resolution>[A-Z_])_\d[SA](?P<channels>[SDHV]{2})_"
    r"\d{8}T\d{6}_\d{8}T\d{6}_\d{6}_[0-9A-F]{6}_[0-9A-F]{4}"
)
_ANNOTATION = re.compile(r"annotation/(?P<stem>s1[a-d]-iw-grd-(?P<polarization>[hv]{2})-[^/]+)\.xml$", re.I)


class Channel(NamedTuple):
    """The files of one polarisation, by their places in the product; empty where there is none."""

    annotation: str
    calibration: str
    noise: str
    measurement: str


@dataclass(frozen=True)
class Safe:
    """A product's place, its name and the files of each polarisation."""

    path: Path
    name: str
    inside: str
    """Folder of the product inside its zip, with a closing slash; empty for a folder."""
    channels: dict[Polarization, Channel]
    manifest: str

    @property
    def zipped(self) -> bool:
        """Whether the product is a zip."""
        return self.path.is_file()

    def read(self, member: str) -> bytes:
        """Read one of the product's files."""
        if not self.zipped:
            return (self.path / member).read_bytes()
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(self.inside + member)

    def gdal_path(self, member: str) -> str:
        """Name by which GDAL opens one of the product's files."""
        if not self.zipped:
            return str(self.path / member)
        return f"/vsizip/{{{self.path}}}/{self.inside}{member}"


def is_safe(path: Path) -> bool:
    """Tell whether a path looks like a product: a ``.SAFE`` folder, or a zip with a product's name."""
    if path.is_dir():
        return (path / "manifest.safe").is_file() or path.suffix.upper() == ".SAFE"
    return path.suffix.lower() == ".zip" and _NAME.search(path.name) is not None


def find_products(paths: list[Path]) -> list[Path]:
    """Products among paths: those named, and those that stand in folders that are none themselves.

    Raises
    ------
    SceneError
        If a path does not exist, or there is no product in it.
    """
    found: dict[Path, None] = {}
    for path in paths:
        inside = [path] if is_safe(path) or path.is_file() else sorted(filter(is_safe, _entries(path)))
        if not inside:
            raise SceneError(
                "Sentinel-1 products: .SAFE folders, or zips of them",
                f"{path}, which holds none",
                "there is nothing to process",
                "give the products, or the folder in which they stand",
            )
        found |= dict.fromkeys(item.resolve() for item in inside)
    return list(found)


def products_inside(path: Path) -> list[Path]:
    """Products in a folder, however deep, sorted; the path itself where it is one."""
    if is_safe(path):
        return [path]
    found: list[Path] = []
    for folder, folders, files in os.walk(path):
        here = [item for item in (*folders, *files) if is_safe(Path(folder, item))]
        found += [Path(folder, item) for item in here]
        folders[:] = [name for name in folders if name not in here]
    return sorted(found)


def open_safe(path: Path) -> Safe:
    """Find the files of a product.

    Parameters
    ----------
    path : Path
        A ``.SAFE`` folder, or a zip that holds one.

    Raises
    ------
    SceneError
        If it is no IW GRD product in VV or VH, members of the zip leave their folder, or it cannot be read.
    """
    members, inside = _members(path)
    name = _product_name(path, inside)
    _refuse_other_kinds(path, name)
    stems = _stems(members)
    kept = {pol: _channel(stems[pol], members) for pol in POLARIZATIONS[:2] if pol in stems}
    if not kept:
        raise SceneError(
            "an IW GRD product in VV, VH or both",
            f"{path}, with " + (", ".join(stems) or "no annotation"),
            "landslides are mapped in VV and VH; without annotation an image has no place",
            "give a product of type 1SDV or 1SSV, whole",
        )
    manifest = "manifest.safe" if "manifest.safe" in members else ""
    return Safe(path, name, inside, kept, manifest)


def require(safe: Safe, polarization: Polarization, thermal_noise: bool) -> None:
    """Refuse a product that lacks a file which the asked steps need.

    Raises
    ------
    SceneError
        Naming the file.
    """
    channel = safe.channels[polarization]
    needed = {"measurement": channel.measurement, "calibration": channel.calibration}
    if thermal_noise:
        needed["noise"] = channel.noise
    missing = [kind for kind, member in needed.items() if not member]
    if missing:
        raise SceneError(
            f"the {' and the '.join(missing)} of {polarization} in the product",
            f"{safe.name} without " + ("it" if len(missing) == 1 else "them"),
            "numbers of the instrument cannot be compared between dates",
            "download the product again"
            + (
                "; or switch the step off: --no-thermal-noise, thermal_noise: false"
                if missing == ["noise"]
                else ", whole"
            ),
        )


def _entries(path: Path) -> list[Path]:
    if not path.is_dir():
        raise SceneError(
            "products, or a folder of them",
            f"{path}, which does not exist",
            "there is nothing to process",
            "check the path",
        )
    return list(path.iterdir())


def _members(path: Path) -> tuple[set[str], str]:
    """Files of a product relative to it, and its folder inside the zip."""
    if path.is_dir():
        files = {item.relative_to(path).as_posix() for item in path.rglob("*") if item.is_file()}
        return files, ""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise SceneError(
            "a zip that is whole", f"{path} ({error})", "the product cannot be read", "download it again"
        ) from error
    _refuse_leaving(path, names)
    roots = {PurePosixPath(name).parts[0] for name in names}
    inside = sorted(root for root in roots if root.upper().endswith(".SAFE"))
    if len(inside) != 1:
        raise SceneError(
            "a zip with one .SAFE folder",
            f"{path}, with {len(inside)}",
            "which product is meant would be a guess",
            "zip one product, its .SAFE folder included",
        )
    start = inside[0] + "/"
    return {name.removeprefix(start) for name in names if name.startswith(start) and name[-1] != "/"}, start


def _refuse_leaving(path: Path, names: list[str]) -> None:
    bad = [name for name in names if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name)]
    if bad:
        raise SceneError(
            "a zip whose members stay in their folder",
            f"{path}, with {bad[0]!r}",
            "such a zip was made to write or read elsewhere",
            "download the product from its archive",
        )


def _product_name(path: Path, inside: str) -> str:
    for candidate in (inside.rstrip("/"), path.name):
        match = _NAME.search(candidate)
        if match is not None:
            return match[0]
    raise SceneError(
        "a product's own name, such as S1A_IW_GRDH_1SDV_…",
        str(path),
        "mission, mode and type are told by the name",
        "do not rename products",
    )


def _refuse_other_kinds(path: Path, name: str) -> None:
    match = _NAME.fullmatch(name)
    if match is None:  # _product_name matched it before
        return
    given = f"{match['mode']} {match['kind']}{match['resolution'].strip('_')} ({match['channels']})"
    if match["mode"] != "IW" or match["kind"] != "GRD" or match["channels"] not in {"SV", "DV", "VV", "VH"}:
        raise SceneError(
            "an IW GRD product in VV, VH or both",
            f"{path.name}: {given}",
            "other modes and types have another geometry, HH and HV another backscatter",
            "fetch the IW_GRDH_1SDV product of the pass",
        )


def _stems(members: set[str]) -> dict[Polarization, str]:
    found: dict[Polarization, str] = {}
    for member in sorted(members):
        match = _ANNOTATION.match(member)
        if match is not None:
            pol = next(p for p in POLARIZATIONS if p == match["polarization"].upper())
            found[pol] = match["stem"]
    return found


def _channel(stem: str, members: set[str]) -> Channel:
    def at(*places: str) -> str:
        return next((place for place in places if place in members), "")

    return Channel(
        annotation=f"annotation/{stem}.xml",
        calibration=at(f"annotation/calibration/calibration-{stem}.xml"),
        noise=at(f"annotation/calibration/noise-{stem}.xml"),
        measurement=at(f"measurement/{stem}.tiff", f"measurement/{stem}.tif"),
    )
