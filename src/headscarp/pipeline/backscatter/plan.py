"""What a run will do: products and their passes, the grid, the ground, the window of each image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

from headscarp.backscatter.documents import parse_document
from headscarp.backscatter.fetch import fetch_orbit
from headscarp.backscatter.heights import Ground, open_ground
from headscarp.backscatter.measurement import ImageWindow
from headscarp.backscatter.options import DEFAULT_SPACING_M, BackscatterOptions, Coefficient
from headscarp.backscatter.orbit import Orbit, choose_vectors, fit_orbit
from headscarp.backscatter.passes import Acquisition, Dropped, Product, group, read_product
from headscarp.backscatter.radiometry import Radiometry
from headscarp.backscatter.range_doppler import Imaging, earth_fixed, imaging_of
from headscarp.backscatter.safe import find_products, open_safe, require
from headscarp.backscatter.tables import Noise, read_calibration, read_noise
from headscarp.errors import GridError, OptionsError, SceneError
from headscarp.grid import WGS84, Bounds, crs_wkt, grid_over, spacing_m, utm_crs
from headscarp.ingest.area import project_area, read_area
from headscarp.ingest.dem import check_dem
from headscarp.vocabulary import Polarization

_EDGE_NODES = 33
"""Places along each side of the grid at which its lines and samples are asked."""
_MARGIN_PX = 32
_MARGIN_M = 500.0
"""Ground that may be lower or higher than the coarse look at the DEM tells."""
_COARSE_PX, _STRIP_PX = 256, 16
"""The coarse look, and the rows of it that are read at a time: a fine DEM of a whole scene is gigabytes."""


@dataclass(frozen=True)
class Slice:
    """A product of a pass, with all that it takes to process it."""

    product: Product
    orbit: Orbit
    imaging: Imaging
    window: ImageWindow
    radiometry: dict[Polarization, Radiometry]
    noise: dict[Polarization, Noise]
    """Thermal noise where it is needed, for subtraction or for the borders."""


class Pass(NamedTuple):
    """An acquisition and its slices that reach the grid."""

    acquisition: Acquisition
    slices: tuple[Slice, ...]


class Plan(NamedTuple):
    """Everything that is known before a pixel is read."""

    passes: tuple[Pass, ...]
    geobox: GeoBox
    grid_source: str
    ground: Ground
    dem_coverage: float
    left_out: dict[str, str]
    pixel_m: float


def make_plan(options: BackscatterOptions) -> Plan:
    """Find products, group them, choose the grid, and find what of each image is needed.

    Raises
    ------
    HeadscarpError
        On everything that can be refused before pixels are read.
    """
    dem = _required_dem(options)
    products = [read_product(open_safe(path)) for path in find_products(list(options.products))]
    acquisitions, dropped = group(products)
    for product in (part for acquisition in acquisitions for part in acquisition.slices):
        for pol in product.annotations:
            require(product.safe, pol, options.thermal_noise)
    geobox, source = choose_output_grid(acquisitions, options)
    check_dem(dem, geobox)
    ground = open_ground(dem, options.heights, options.geoid, geobox)
    coverage, heights_m = _coarse_heights(ground, geobox)
    passes, missed = _reaching(acquisitions, options, geobox, heights_m)
    left_out = {one.name: one.reason for one in (*dropped, *missed)}
    x_m, y_m = spacing_m(geobox)
    pixel_m = float(np.sqrt(x_m.mean() * y_m.mean()))
    return Plan(passes, geobox, source, ground, coverage, left_out, pixel_m)


def choose_output_grid(acquisitions: list[Acquisition], options: BackscatterOptions) -> tuple[GeoBox, str]:
    """Grid of the output: the area of interest, else the footprint of all products.

    Raises
    ------
    GridError
        If no product reaches the area.
    """
    area = read_area(options.area)
    footprint = shapely.union_all([_footprint(part) for one in acquisitions for part in one.slices])
    wanted = footprint if area is None else area
    if not shapely.intersects(footprint, wanted):
        raise GridError(
            "an area of interest inside a product's swath",
            f"area {_short(wanted)}, products {_short(footprint)} (west, south, east, north)",
            "there is no observation of the area",
            "check the order of --bbox (west south east north, degrees), or fetch other products",
        )
    centre = shapely.centroid(wanted)
    crs = options.area.crs or utm_crs(float(centre.x), float(centre.y))
    geographic = CRS.from_user_input(crs).is_geographic
    spacing = options.area.spacing or _default_spacing(geographic)
    projected = project_area(wanted, CRS.from_user_input(crs))
    left, bottom, right, top = (float(edge) for edge in shapely.bounds(projected))
    bounds: Bounds = (left, bottom, right, top)
    source = "footprint of the products" if area is None else "area of interest"
    return grid_over(bounds, crs, spacing), f"{source}, {crs}, {spacing:g}"


def window_of(imaging: Imaging, geobox: GeoBox, heights_m: tuple[float, float]) -> ImageWindow | None:
    """Window of an image that a grid needs, whatever the ground between two heights; none: not in it."""
    rows, cols = geobox.shape
    t = geobox.transform
    x, y = np.meshgrid(
        t.c + t.a * np.linspace(0, cols, _EDGE_NODES), t.f + t.e * np.linspace(0, rows, _EDGE_NODES)
    )
    lon, lat = Transformer.from_crs(crs_wkt(geobox), WGS84, always_xy=True).transform(x, y)
    found = [_line_sample(imaging, lon, lat, height) for height in heights_m]
    line, sample = (np.concatenate([pair[k].ravel() for pair in found]) for k in (0, 1))
    known = np.isfinite(sample)
    if not known.any():
        return None
    top, left = (max(int(part.min()) - _MARGIN_PX, 0) for part in (line[known], sample[known]))
    bottom = min(int(line[known].max()) + _MARGIN_PX, imaging.lines)
    right = min(int(sample[known].max()) + _MARGIN_PX, imaging.samples)
    return ImageWindow(top, left, bottom, right) if bottom > top and right > left else None


def _required_dem(options: BackscatterOptions) -> Path:
    if options.dem is None:
        raise OptionsError(
            "a height model of the area",
            "no --dem",
            "without heights the ground is misplaced by more than its height",
            "pass --dem FILE, such as SRTM or the Copernicus DEM",
        )
    if options.flatten and options.coefficient is not Coefficient.GAMMA0:
        raise OptionsError(
            "gamma0 with terrain flattening",
            f"--coefficient {options.coefficient.value} --flatten",
            "flattening is of gamma0 by definition",
            "drop one of them",
        )
    if options.fetch_orbits and (options.orbit is None or options.orbit.is_file()):
        raise OptionsError(
            "a folder for the orbit files that are fetched",
            "--fetch-orbits "
            + ("without --orbit" if options.orbit is None else f"and the file {options.orbit}"),
            "they would have no place to stay, and be fetched again by each run",
            "pass --orbit FOLDER",
        )
    return options.dem


def _reaching(
    acquisitions: list[Acquisition],
    options: BackscatterOptions,
    geobox: GeoBox,
    heights_m: tuple[float, float],
) -> tuple[tuple[Pass, ...], list[Dropped]]:
    """Passes of the slices that reach the grid, and the slices that do not."""
    passes, missed = [], []
    for acquisition in acquisitions:
        slices = []
        for product in acquisition.slices:
            found = _slice(product, options, geobox, heights_m)
            if found is None:
                missed.append(Dropped(product.safe.name, "it does not reach the area of interest"))
            else:
                slices.append(found)
        if slices:
            kept = Acquisition(tuple(part.product for part in slices))
            passes.append(Pass(kept, tuple(slices)))
    if not passes:
        raise SceneError(
            "a product that reaches the area of interest",
            ", ".join(one.name for one in missed),
            "there is no observation of the area",
            "fetch other products",
        )
    return tuple(passes), missed


def _slice(
    product: Product, options: BackscatterOptions, geobox: GeoBox, heights_m: tuple[float, float]
) -> Slice | None:
    annotation = product.annotation
    if options.fetch_orbits and options.orbit is not None:
        fetch_orbit(annotation, options.orbit)
    orbit = fit_orbit(choose_vectors(annotation, options.orbit), annotation)
    imaging = imaging_of(annotation, orbit, options.ground_range)
    window = window_of(imaging, geobox, heights_m)
    if window is None:
        return None
    noise = {pol: _noise(product, pol) for pol in product.annotations if _needs_noise(product, pol, options)}
    coefficient = Coefficient.BETA0 if options.flatten else options.coefficient
    radiometry = {}
    for pol in product.annotations:
        member = product.safe.channels[pol].calibration
        calibration = read_calibration(parse_document(product.safe.read(member), member), coefficient)
        subtracted = noise[pol] if options.thermal_noise and not noise[pol].empty else None
        radiometry[pol] = Radiometry(calibration, subtracted)
    return Slice(product, orbit, imaging, window, radiometry, noise)


def _needs_noise(product: Product, polarization: Polarization, options: BackscatterOptions) -> bool:
    return options.thermal_noise or (options.border_noise and bool(product.safe.channels[polarization].noise))


def _noise(product: Product, polarization: Polarization) -> Noise:
    member = product.safe.channels[polarization].noise
    return read_noise(parse_document(product.safe.read(member), member))


def _footprint(product: Product) -> shapely.Geometry:
    grid = product.annotation.grid
    places = np.stack([grid.longitude_deg, grid.latitude_deg], axis=1)
    hull: shapely.Geometry = shapely.MultiPoint(places).convex_hull
    return hull


def _default_spacing(geographic: bool) -> float:
    """Ten metres, or the degrees of latitude nearest to them."""
    return 0.0001 if geographic else DEFAULT_SPACING_M


def _coarse_heights(ground: Ground, geobox: GeoBox) -> tuple[float, tuple[float, float]]:
    """Share of a grid for which the DEM has heights, and the heights between which its ground lies."""
    rows, cols = (min(size, _COARSE_PX) for size in geobox.shape)
    coarse = geobox.zoom_to((rows, cols))
    strips = [ground.read(coarse[top : top + _STRIP_PX, :]) for top in range(0, rows, _STRIP_PX)]
    height_m: NDArray[np.float32] = np.concatenate(strips)
    known = np.isfinite(height_m)
    if not known.any():
        raise GridError(
            "a DEM with heights in the area",
            f"{ground.path}, nodata there",
            "no pixel could be placed",
            "fetch the DEM of this area",
        )
    low, high = float(height_m[known].min()), float(height_m[known].max())
    return float(known.mean()), (low - _MARGIN_M, high + _MARGIN_M)


def _line_sample(
    imaging: Imaging, lon: NDArray[np.float64], lat: NDArray[np.float64], height_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    seen = imaging.see(earth_fixed(lon, lat, np.full(lon.shape, height_m)))
    line = imaging.line(seen)
    return line, imaging.sample(seen.range_m, line)


def _short(area: shapely.Geometry) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in shapely.bounds(area)) + ")"
