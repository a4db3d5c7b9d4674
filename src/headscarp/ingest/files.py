"""From paths to scene files: find rasters, ask each reader, complete and check the facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headscarp.errors import HeadscarpError, SceneError
from headscarp.geometry.orbit import orbit_state_from_solar_time, relative_orbit_from_time
from headscarp.grid import lonlat_centre
from headscarp.ingest.geotiff import GeotiffReader
from headscarp.ingest.hyp3 import Hyp3Reader
from headscarp.ingest.opera import OperaReader
from headscarp.ingest.options import IngestOptions
from headscarp.ingest.protocol import Facts, Header, Known, Reader
from headscarp.ingest.raster import read_header, read_sample, scale_of
from headscarp.scene import SceneFile
from headscarp.vocabulary import BackscatterScale, OrbitState

READERS: tuple[Reader, ...] = (OperaReader(), Hyp3Reader(), GeotiffReader())
"""Asked in this order; the first that recognises a file reads it."""
SUFFIXES = {".tif", ".tiff"}
_PRODUCT, _MANIFEST, _GRD = ".SAFE", "manifest.safe", "_GRD"
_DECLARED = {
    "linear": BackscatterScale.POWER,
    "db": BackscatterScale.DECIBEL,
    "amplitude": BackscatterScale.AMPLITUDE,
}


@dataclass(frozen=True)
class Found:
    """What a set of paths holds: scene files, and rasters that are none, with the reason."""

    files: tuple[SceneFile, ...]
    skipped: tuple[tuple[Path, str], ...]


def read_scene_files(paths: Sequence[Path | str], options: IngestOptions | None = None) -> Found:
    """Read the facts of every scene file among files and folders.

    Parameters
    ----------
    paths : sequence of path
        Files, or folders that are searched to their depth for GeoTIFFs.
    options : IngestOptions, optional
        What the files cannot say of themselves.

    Raises
    ------
    SceneError
        If a path does not exist, a file is broken or contradicts itself, or no scene is found. A raster
        in a folder that is no scene (a DEM, a mask) is skipped with its reason; one named outright is an
        error.
    """
    options = options or IngestOptions()
    files: list[SceneFile] = []
    skipped: list[tuple[Path, str]] = []
    for path, named in _rasters([Path(p) for p in paths]):
        found = _scene_files(path, options)
        files += found
        if not found:
            _refuse_named(path, named)
            skipped.append((path, "no date, or no polarisation: not a scene"))
    if not files:
        raise _no_scene(paths, skipped)
    return Found(tuple(sorted(files, key=lambda f: (f.acquired, f.path))), tuple(skipped))


def complete(facts: Facts, header: Header, reader: str, options: IngestOptions) -> SceneFile:
    """Derive what a file does not say, and hold what it says against its values.

    Raises
    ------
    SceneError
        If the pass direction cannot be derived, or values contradict the declared scale.
    """
    state = _orbit_state(facts, header, options)
    orbit = _relative_orbit(facts, options)
    scale = _scale(facts, header, options)
    return SceneFile(
        path=header.path,
        reader=reader,
        acquired=facts.acquired,
        day_only=facts.day_only,
        orbit_state=state.value,
        orbit_state_source=state.source,
        relative_orbit=orbit.value if orbit else None,
        relative_orbit_source=orbit.source if orbit else "not known",
        bands=facts.bands,
        scale=scale.value,
        scale_source=scale.source,
        geobox=header.geobox,
        nodata=header.nodata,
        platform=facts.platform,
        processed=facts.processed,
        burst=facts.burst,
    )


def _rasters(paths: list[Path]) -> list[tuple[Path, bool]]:
    """GeoTIFFs among paths, each once, and whether it was named outright."""
    found: dict[Path, bool] = {}
    for path in paths:
        if not path.exists():
            raise SceneError(
                "files or folders of scenes",
                f"{path}, which does not exist",
                "there is nothing to map",
                "check the path",
            )
        _refuse_product(path)
        for file in find_rasters(path):
            found[file.resolve()] = path.is_file() or found.get(file.resolve(), False)
    return list(found.items())


def find_rasters(path: Path) -> list[Path]:
    """GeoTIFFs in a folder, however deep, but for images of products in SAFE layout; or the file itself."""
    inside = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return [file for file in inside if file.suffix.lower() in SUFFIXES and not _of_product(file)]


def _of_product(file: Path) -> bool:
    """Whether a file is part of a product in SAFE layout: an image that nobody calibrated yet."""
    return any(parent.suffix.upper() == _PRODUCT or (parent / _MANIFEST).is_file() for parent in file.parents)


def _refuse_product(path: Path) -> None:
    if (path.suffix.lower() == ".zip" and _GRD in path.name.upper()) or _of_product(path / "any"):
        raise SceneError(
            "backscatter as GeoTIFF",
            f"{path}, a product as it comes from its archive",
            "its numbers are not calibrated, and its samples have no place on the ground",
            "make backscatter of it: headscarp backscatter (headscarp map does so by itself)",
        )


def _scene_files(path: Path, options: IngestOptions) -> list[SceneFile]:
    header = read_header(path)
    reader = next(reader for reader in READERS if reader.recognises(header))
    try:
        found = reader.facts(header, options)
    except ValueError as error:
        raise SceneError(
            f"facts that {reader.name} files state in names and tags",
            f"{path.name} ({error})",
            "its date or orbit cannot be read",
            "check whether the file was renamed, or leave it out",
        ) from error
    return [complete(facts, header, reader.name, options) for facts in found]


def _orbit_state(facts: Facts, header: Header, options: IngestOptions) -> Known[OrbitState]:
    """Pass direction: from the product, else from local solar time, else as declared."""
    if facts.orbit_state is not None:
        return facts.orbit_state
    state = None
    if not facts.day_only:
        state = orbit_state_from_solar_time(facts.acquired, *lonlat_centre(header.geobox))
    if state is not None:
        return Known(state, "local solar time")
    if options.orbit_state is not None:
        return Known(options.orbit_state, "declared (--orbit-state)")
    raise SceneError(
        "a pass direction in tags, a burst identifier, or a time of day near 6 h or 18 h solar time",
        f"{header.path.name}, acquired {facts.acquired:%Y-%m-%d}"
        + ("" if facts.day_only else f" at {facts.acquired:%H:%M} UTC"),
        "ascending and descending scenes must not mix before the change",
        "pass --orbit-state ascending or --orbit-state descending",
    )


def _relative_orbit(facts: Facts, options: IngestOptions) -> Known[int] | None:
    """Relative orbit: from the product, else from the repeat cycle, else as declared."""
    if facts.relative_orbit is not None:
        return facts.relative_orbit
    if facts.platform and not facts.day_only:
        orbit = relative_orbit_from_time(facts.platform, facts.acquired)
        if orbit is not None:
            return Known(orbit, "time in the 12-day repeat cycle")
    return Known(options.relative_orbit, "declared") if options.relative_orbit else None


def _scale(facts: Facts, header: Header, options: IngestOptions) -> Known[BackscatterScale]:
    """Scale: as declared, else from the product, else from values, which are asked in every case."""
    band = next(iter(facts.bands.values()))
    seen = scale_of(values := read_sample(header.path, band, header.nodata))
    declared = facts.scale
    if options.scale != "auto":
        declared = Known(_DECLARED[options.scale], "declared (--scale)")
    if declared is None and seen is None and values.size == 0:
        return Known(BackscatterScale.POWER, "assumed: no valid value in the sample")
    if declared is None and seen is not None:
        return Known(seen, "detected from values")
    if declared is None:
        raise _neither_scale(header, float(values.min()), float(values.max()))
    _refuse_contradiction(declared, seen, header, values.size)
    return declared


def _refuse_contradiction(
    declared: Known[BackscatterScale], seen: BackscatterScale | None, header: Header, valid: int
) -> None:
    positive = {BackscatterScale.POWER, BackscatterScale.AMPLITUDE}
    same = declared.value == seen or (declared.value in positive and seen in positive)
    amplitude = declared.value is BackscatterScale.AMPLITUDE and seen is None
    if not same and not amplitude and valid:
        raise SceneError(
            f"values in {declared.value}, from {declared.source}",
            f"{header.path.name}, whose values are {seen or 'neither power nor dB'}",
            "decibels taken for power, or power for decibels, make every change wrong",
            "drop --scale so that it is detected, or declare the other",
        )


def _neither_scale(header: Header, low: float, high: float) -> SceneError:
    return SceneError(
        "calibrated backscatter: linear power (land: 0.001 to 1) or dB (land: -30 to 0)",
        f"{header.path.name}, with values from {low:.4g} to {high:.4g}",
        "uncalibrated numbers cannot be compared between dates",
        "calibrate to gamma0 or sigma0 first; for amplitude pass --scale amplitude",
    )


def _refuse_named(path: Path, named: bool) -> None:
    if named:
        raise SceneError(
            "a scene: a raster whose name, tags or band descriptions give a date and a polarisation",
            str(path),
            "it would silently be left out",
            "declare ingest.name_pattern and ingest.bands, or leave the file out",
        )


def _no_scene(paths: Sequence[Path | str], skipped: list[tuple[Path, str]]) -> HeadscarpError:
    return SceneError(
        "at least one Sentinel-1 scene as GeoTIFF",
        f"none among {', '.join(map(str, paths))} ({len(skipped)} rasters without date or band)",
        "there is nothing to map",
        "give the folder that holds the scenes, or declare ingest.name_pattern and ingest.bands; of GRD "
        "products make backscatter first",
    )
