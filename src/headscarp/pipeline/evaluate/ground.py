"""A ground to evaluate: what was predicted, what is true, what is known about the land, on one grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.calibration import Calibration, calibrate
from headscarp.errors import GridError, OptionsError
from headscarp.evaluate.options import NO_LANDSLIDE, SLOPE, EvaluateOptions, GroundOptions
from headscarp.geometry.areas import polygon_areas_m2
from headscarp.geometry.terrain import HALO_PX, slope_deg
from headscarp.grid import crs_wkt, expand, grid_over, pixel_offset, spacing_m
from headscarp.ingest.area import AreaOptions, project_area, read_area
from headscarp.ingest.dem import check_dem, read_height
from headscarp.ingest.inventory import InventoryFacts, read_inventory
from headscarp.ingest.raster import Source, read_converted, read_header, read_sha256
from headscarp.record import RunRecord
from headscarp.run_folder import PROBABILITY, RUN_JSON, read_record
from headscarp.vocabulary import OrbitState

FloatArray = NDArray[np.float32]
ReadScores = Callable[[GeoBox], FloatArray]

RASTER_SUFFIXES = (".tif", ".tiff", ".vrt", ".img", ".nc")
DEFAULT_THRESHOLD = 0.5
DEFAULT_MIN_AREA_M2 = 1000.0


@dataclass(frozen=True)
class Method:
    """A prediction, or a baseline that stands beside it.

    Attributes
    ----------
    name : str
    path : Path or None
        File of the scores; none for the baselines that the evaluator brings itself.
    read : callable
        Scores on a part of the ground's grid; NaN where not observed.
    run : RunRecord or None
        The run that wrote it.
    """

    name: str
    path: Path | None
    read: ReadScores
    run: RunRecord | None = None

    @property
    def detector(self) -> str:
        """Name of the method itself, however the table calls it: a validation holds for it alone."""
        return self.run.detector.name if self.run is not None else self.name

    @property
    def is_calibrated(self) -> bool:
        """Whether the run calibrated its probability on validation ground already."""
        stored = self.run.detector.fitted.get("calibration", {}) if self.run is not None else {}
        return bool(stored.get("method", "none") != "none")


@dataclass(frozen=True)
class Truth:
    """Mapped landslides as polygons, or a label raster."""

    polygons: gpd.GeoDataFrame | None
    facts: InventoryFacts | None
    label: Path | None


@dataclass(frozen=True)
class Ground:
    """One ground, opened and checked."""

    options: GroundOptions
    geobox: GeoBox
    methods: tuple[Method, ...]
    """The prediction first."""
    truth: Truth
    area: shapely.Geometry | None
    ignored: shapely.Geometry | None
    ignored_rasters: tuple[Path, ...]
    orbit_states: tuple[OrbitState, ...]
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the event, or of the prediction."""
        return self.options.event or self.options.prediction.stem


def open_ground(options: GroundOptions, evaluate: EvaluateOptions, calibration: Calibration | None) -> Ground:
    """Open a prediction, its baselines and its truth, and check that they share one grid.

    Raises
    ------
    HeadscarpError
        If a file cannot be read, a baseline lies on another grid, or the area shares nothing with the map.
    """
    main = open_method(evaluate.name, options.prediction, calibration)
    whole = read_header(_raster_of(options.prediction)).geobox
    area = _area(options.aoi, whole)
    geobox = whole if area is None else _cut(whole, area, options)
    outlines, rasters = _ignored(options.ignore, whole)
    states = sorted({orbit.orbit_state for orbit in main.run.orbits}) if main.run else list(OrbitState)
    ground = Ground(
        options,
        geobox,
        (main, *_baselines(options, geobox, main.name)),
        _open_truth(options, evaluate, geobox, area),
        area,
        outlines,
        rasters,
        tuple(states),
    )
    _add_notes(ground)
    return ground


def open_method(name: str | None, path: Path, calibration: Calibration | None = None) -> Method:
    """Open a run folder or a raster of scores.

    Parameters
    ----------
    name : str or None
        None: the detector of the run, or the file's name.
    path : Path
    calibration : Calibration, optional
        Applied to every score read.
    """
    raster = _raster_of(path)
    run = read_record(path) if path.is_dir() else None
    header = read_header(raster)
    source = Source(raster, _band(header.descriptions), header.geobox)
    nodata = header.nodata

    def convert(values: FloatArray) -> FloatArray:
        missing = np.isnan(values) if nodata is None else np.isnan(values) | (values == np.float32(nodata))
        kept = np.where(missing, np.float32(np.nan), values)
        return kept if calibration is None else calibrate(kept, calibration)

    named = name or (run.detector.name if run else path.stem)
    return Method(named, raster, lambda geobox: read_converted(source, geobox, convert), run)


def _raster_of(path: Path) -> Path:
    if not path.is_dir():
        return path
    if (path / RUN_JSON).is_file():
        return path / PROBABILITY
    raise OptionsError(
        "a run folder that `headscarp map` wrote, or a raster of scores",
        f"{path}, a folder without {RUN_JSON}",
        "there is no prediction to evaluate",
        "give the folder that was passed to --out, or the raster itself",
    )


def _band(descriptions: Sequence[str]) -> int:
    """Number of the band that says it is a probability; else the first."""
    lower = [text.lower() for text in descriptions]
    return lower.index("probability") + 1 if "probability" in lower else 1


def _baselines(options: GroundOptions, geobox: GeoBox, main: str) -> list[Method]:
    found = [open_method(name, path) for name, path in options.baselines.items()]
    for method, path in zip(found, options.baselines.values(), strict=True):
        _refuse_other_grid(path, read_header(_raster_of(path)).geobox, geobox)
        if method.name in (main, NO_LANDSLIDE, SLOPE):
            raise OptionsError(
                "another name for each method",
                f"{method.name} twice",
                "their rows in the table could not be told apart",
                "give --baseline NAME=PATH another NAME, or the prediction another --name",
            )
    found.append(Method(NO_LANDSLIDE, None, lambda part: np.zeros(part.shape, dtype=np.float32)))
    if options.dem is not None:
        check_dem(options.dem, geobox)
        found.append(Method(SLOPE, options.dem, _slope_reader(options.dem)))
    return found


def _slope_reader(dem: Path) -> ReadScores:
    def read(geobox: GeoBox) -> FloatArray:
        halo = expand(geobox, HALO_PX)
        inner = (slice(HALO_PX, -HALO_PX), slice(HALO_PX, -HALO_PX))
        slope = slope_deg(read_height(dem, halo), spacing_m(halo))[inner]
        # ground without a height is no steep ground: the DEM's gaps must not shrink what is evaluated
        return np.nan_to_num(slope, nan=0.0)

    return read


def _refuse_other_grid(path: Path, given: GeoBox, geobox: GeoBox) -> None:
    if pixel_offset(given, geobox) is None:
        raise GridError(
            "a baseline on the grid of the prediction",
            f"{path} on another CRS, spacing or phase",
            "methods are compared pixel by pixel on the same ground; nothing is resampled in silence",
            "map both with the same --crs and --spacing, or warp one onto the other's grid",
        )


def _area(path: Path | None, geobox: GeoBox) -> shapely.Geometry | None:
    if path is None:
        return None
    lonlat = read_area(AreaOptions(aoi=path))
    return None if lonlat is None else project_area(lonlat, geobox.crs)


def _ignored(paths: Sequence[Path], geobox: GeoBox) -> tuple[shapely.Geometry | None, tuple[Path, ...]]:
    """Ground to leave out: the outlines of vector files in one, and the rasters."""
    rasters = tuple(path for path in paths if path.suffix.lower() in RASTER_SUFFIXES)
    for path in rasters:
        read_header(path)
    outlines = [_area(path, geobox) for path in paths if path not in rasters]
    return shapely.union_all(outlines) if outlines else None, rasters


def _cut(whole: GeoBox, area: shapely.Geometry, options: GroundOptions) -> GeoBox:
    """Part of a grid that an area reaches."""
    box = whole.boundingbox
    left, bottom, right, top = (float(value) for value in shapely.bounds(area))
    left, right = max(left, box.left), min(right, box.right)
    bottom, top = max(bottom, box.bottom), min(top, box.top)
    if right <= left or top <= bottom:
        raise GridError(
            "an --aoi that the prediction covers",
            f"{options.aoi}, which shares no ground with {options.prediction}",
            "there would be nothing to evaluate",
            "check the area's CRS, or evaluate the map of that area",
        )
    return grid_over((left, bottom, right, top), whole.crs, abs(whole.transform.a), whole.transform)


def _open_truth(
    options: GroundOptions, evaluate: EvaluateOptions, geobox: GeoBox, area: shapely.Geometry | None
) -> Truth:
    first = options.truth[0]
    if first.suffix.lower() in RASTER_SUFFIXES:
        if len(options.truth) > 1:
            raise OptionsError(
                "one label raster, or several vector files",
                ", ".join(map(str, options.truth)),
                "overlapping rasters may contradict each other",
                "merge the rasters first",
            )
        _refuse_no_label(first)
        return Truth(None, None, first)
    box = shapely.box(*geobox.boundingbox.bbox)
    within = box if area is None else shapely.intersection(box, area)
    inventory = read_inventory(options.truth, crs_wkt(geobox), within, evaluate.inventory)
    return Truth(_clip(inventory.landslides, within), inventory.facts, None)


def _clip(landslides: gpd.GeoDataFrame, within: shapely.Geometry) -> gpd.GeoDataFrame:
    """Cut landslides at the edge of the ground: what lies beyond can be neither found nor missed."""
    cut = gpd.clip(landslides, within, keep_geom_type=True).sort_index()
    areas = polygon_areas_m2(cut.geometry.to_numpy(), cut.crs)
    return cut.assign(area_m2=areas)[areas > 0].reset_index(drop=True)


def _refuse_no_label(path: Path) -> None:
    """Refuse a raster of something else, told by a sample of its values."""
    read_header(path)
    with rasterio.open(path) as source:
        step = max(1, max(source.shape) // 1024)
        shape = (max(1, source.height // step), max(1, source.width // step))
        values = np.unique(source.read(1, out_shape=shape, masked=True).compressed())
    odd = [float(value) for value in values if np.isfinite(value) and value not in (0, 1, 255)]
    if odd:
        raise GridError(
            "a label raster of 1 (landslide), 0 (none) and 255 (ignored)",
            f"{path} with {', '.join(f'{value:g}' for value in odd[:5])}",
            "what counts as landslide would be a guess",
            "write such a raster, or give the inventory as vector file",
        )


def _add_notes(ground: Ground) -> None:
    options, truth = ground.options, ground.truth
    if options.aoi is None and truth.polygons is not None:
        ground.notes.append(
            "no --aoi was given, so ground that the inventory never looked at counts as free of landslides"
        )
    if truth.label is not None:
        label = read_header(truth.label).geobox
        if pixel_offset(label, ground.geobox) is None:
            ground.notes.append("the label lies on another grid; each pixel took the label at its centre")
    if ground.methods[0].run is None and not options.baselines:
        ground.notes.append(
            "no label-free detector stands beside the prediction; map the scenes with "
            "`headscarp map` and pass the run as --baseline log-ratio=RUN"
        )
    if truth.facts is not None:
        ground.notes.extend(truth.facts.notes)


def file_hashes(ground: Ground) -> dict[str, str]:
    """SHA-256 of every file that the figures of a ground rest on."""
    options = ground.options
    given = (ground.truth.label, options.aoi, options.dem, options.landcover, *options.ignore)
    paths = (*(method.path for method in ground.methods), *given)
    hashes = {str(path): read_sha256(path) for path in paths if path is not None}
    if ground.truth.facts is not None:
        hashes |= {str(file.path): file.sha256 for file in ground.truth.facts.files}
    return hashes
