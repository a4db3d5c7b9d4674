"""A product with known ground: targets and a pattern, laid into a measurement of real annotation.

The place of a sample on the ground comes from the product's own geolocation grid, interpolated by SciPy, and
the instrument's numbers from its own tables, read by xarray-sentinel and ElementTree: nothing here uses
headscarp, whose errors would cancel. Between two lines of the grid (3 s) the processor's ground-range
polynomials step by several samples, which no interpolation of the grid can follow: targets therefore stand
within some lines of a line of the grid.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from pyproj import Geod, Transformer
from rasterio.windows import Window
from scipy.interpolate import RectBivariateSpline, RegularGridInterpolator

UTM = "EPSG:32633"
Array = NDArray[np.float64]


class GroundPoints(NamedTuple):
    longitude: Array
    latitude: Array
    height: Array
    x: Array
    y: Array


Terrain = Callable[[Array, Array], Array]
"""Ellipsoidal height of places in the UTM zone."""
GEOD = Geod(ellps="WGS84")
LIGHT, EARTH_M = 299_792_458.0, 6_371_000.0


def plain(x: Array, y: Array) -> Array:
    return np.full(np.shape(x), 250.0)


def towards_radar(incidence: Array, slant: Array, rise: Array) -> Array:
    """Metres towards the radar by which ground that rises is seen at the same slant range.

    In the plane of the sight, on an Earth that bends away: a point at ``d`` towards the radar and ``rise``
    higher is as far from the satellite as the point it starts from.
    """
    across, up = slant * np.sin(incidence), slant * np.cos(incidence)
    d = np.asarray(rise / np.tan(incidence))
    for _ in range(20):
        missed = (across - d) ** 2 + (up - rise + d**2 / (2 * EARTH_M)) ** 2 - slant**2
        d = d + missed / (2 * across)
    return d


class Frame:
    """A window of a product's image and where its samples lie on the ground.

    The grid's points are at heights of their own. Each is brought to height 0 along the line of equal
    slant range, by the grid's incidence angle and slant range; these places are smooth and are interpolated;
    then they are raised to the height of the ground.
    """

    def __init__(
        self, safe: Path, lines: tuple[int, int], samples: tuple[int, int], terrain: Terrain = plain
    ) -> None:
        self.safe, self.lines, self.samples, self.terrain = safe, lines, samples, terrain
        root = ElementTree.parse(next((safe / "annotation").glob("*-vv-*.xml"))).getroot()
        points = root.findall(".//geolocationGridPoint")

        def column(name: str) -> Array:
            return np.array([float(point.findtext(name, "nan")) for point in points])

        self.size = tuple(int(root.findtext(f".//numberOf{n}", "0")) for n in ("Lines", "Samples"))
        axes = (np.unique(column("line")), np.unique(column("pixel")))
        self.grid_lines, shape = axes[0], (axes[0].size, axes[1].size)
        lon, lat, height = (column(name).reshape(shape) for name in ("longitude", "latitude", "height"))
        slant = column("slantRangeTime").reshape(shape) * LIGHT / 2
        incidence = np.deg2rad(column("incidenceAngle").reshape(shape))
        azimuth = np.empty(shape)
        azimuth[:, 1:] = GEOD.inv(lon[:, 1:], lat[:, 1:], lon[:, :-1], lat[:, :-1])[0]
        azimuth[:, 0] = azimuth[:, 1]
        d = towards_radar(incidence, slant, -height)
        lon, lat, _ = GEOD.fwd(lon, lat, azimuth, d)
        incidence = incidence - d / EARTH_M - d * np.cos(incidence) / slant
        values = {"lon": lon, "lat": lat, "slant": slant, "incidence": incidence, "azimuth": azimuth % 360}
        self._at = {name: RectBivariateSpline(*axes, table) for name, table in values.items()}

    def ground(self, line: Array, sample: Array) -> GroundPoints:
        """Where samples lie, on the terrain."""
        at = {name: np.asarray(found(line, sample, grid=False)) for name, found in self._at.items()}
        to_utm = Transformer.from_crs("EPSG:4326", UTM, always_xy=True)
        height = np.zeros(at["lon"].shape)
        for _ in range(8):
            d = towards_radar(at["incidence"], at["slant"], height)
            lon, lat, _ = GEOD.fwd(at["lon"], at["lat"], at["azimuth"], d)
            x, y = (np.asarray(part) for part in to_utm.transform(lon, lat))
            height = self.terrain(x, y)
        return GroundPoints(np.asarray(lon), np.asarray(lat), height, x, y)

    @property
    def window(self) -> tuple[Array, Array]:
        line, sample = np.meshgrid(np.arange(*self.lines), np.arange(*self.samples), indexing="ij")
        return line.astype(np.float64), sample.astype(np.float64)

    def corners(self) -> GroundPoints:
        return self.ground(*np.meshgrid(self.lines, self.samples, indexing="ij"))

    def bbox(self) -> tuple[float, float, float, float]:
        """Degrees of a box around the window."""
        ground = self.corners()
        return (
            float(ground.longitude.min()), float(ground.latitude.min()),
            float(ground.longitude.max()), float(ground.latitude.max()),
        )  # fmt: skip

    def write_dem(self, path: Path, margin_m: float = 3000.0, raise_m: float = 0.0, crs: str = UTM) -> Path:
        """The terrain as a DEM of 10 m, whose heights are ellipsoidal unless raised."""
        ground = self.corners()
        left, top = (
            np.floor(v / 10.0) * 10.0 for v in (ground.x.min() - margin_m, ground.y.max() + margin_m)
        )
        cols, rows = (int(np.ceil((np.ptp(v) + 2 * margin_m) / 10.0)) for v in (ground.x, ground.y))
        x, y = np.meshgrid(left + 10.0 * (np.arange(cols) + 0.5), top - 10.0 * (np.arange(rows) + 0.5))
        with rasterio.open(
            path, "w", driver="GTiff", height=rows, width=cols, count=1, dtype="float32", crs=crs,
            transform=rasterio.Affine(10.0, 0, left, 0, -10.0, top), nodata=-9999.0,
        ) as dem:  # fmt: skip
            dem.write((self.terrain(x, y) + raise_m).astype(np.float32), 1)
        return path


def copy_safe(real: Path, folder: Path, both: bool = True) -> Path:
    """The Rome product without its measurement; VH, which it lacks, has the annotation of VV."""
    safe = folder / real.name
    shutil.copytree(real / "annotation", safe / "annotation", ignore=shutil.ignore_patterns("rfi"))
    shutil.copy(real / "manifest.safe", safe / "manifest.safe")
    (safe / "measurement").mkdir()
    for path in list((safe / "annotation").rglob("*-vv-*.xml")) if both else []:
        twin = path.with_name(path.name.replace("-vv-", "-vh-").replace("-001.xml", "-002.xml"))
        shutil.copy(path, twin)
    for path in [safe, *safe.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return safe


def tables(safe: Path, lines: Array, samples: Array, coefficient: str = "gamma") -> tuple[Array, Array]:
    """Calibration and thermal noise at lines and samples, not by headscarp."""
    open_group = lambda group: xr.open_dataset(safe, engine="sentinel-1", group=f"IW/VV/{group}")  # noqa: E731
    calibration, noise = open_group("calibration"), open_group("noise_range")
    places = np.stack(np.meshgrid(lines, samples, indexing="ij"), axis=-1)

    def at(table: xr.DataArray) -> Array:
        axes = (table["line"].values.astype(float), table["pixel"].values.astype(float))
        clipped = np.stack([places[..., k].clip(axes[k][0], axes[k][-1]) for k in (0, 1)], axis=-1)
        return np.asarray(RegularGridInterpolator(axes, table.values.astype(float))(clipped))

    found = at(noise["noiseRangeLut"])
    document = ElementTree.parse(
        next((safe / "annotation" / "calibration").glob("noise-*-vv-*.xml"))
    ).getroot()
    for block in document.findall(".//noiseAzimuthVector"):
        first, last = (int(block.findtext(f"{end}RangeSample", "0")) for end in ("first", "last"))
        columns = (samples >= first) & (samples <= last)
        line, value = (np.array(block.findtext(n, "").split(), float) for n in ("line", "noiseAzimuthLut"))
        found[:, columns] *= np.interp(lines, line, value)[:, None]
    return at(calibration[coefficient]), found


Pattern = Callable[[GroundPoints], Array]


def fill(
    frame: Frame,
    pattern: Pattern,
    targets: list[tuple[int, int]] = (),  # type: ignore[assignment]
    target_power: float = 300.0,
    polarizations: dict[str, float] | None = None,
    noise_gain: float = 1.0,
    rng: np.random.Generator | None = None,
) -> None:
    """Write the measurements of a product: nothing but the window, sparse.

    ``polarizations`` gives a factor of power for each; DN² = P A² + noise, rounded.
    """
    line, sample = frame.window
    power = pattern(frame.ground(line, sample))
    for target_line, target_sample in targets:
        power[target_line - frame.lines[0], target_sample - frame.samples[0]] = target_power
    calibration, noise = tables(frame.safe, line[:, 0], sample[0])
    for pol, factor in (polarizations or {"vv": 1.0}).items():
        squared = power * factor * calibration**2 + noise_gain * noise
        if rng is not None:
            squared = squared * rng.gamma(4.4, 1 / 4.4, squared.shape)
        numbers = np.rint(np.sqrt(squared)).clip(0, 65535).astype(np.uint16)
        write_measurement(frame, pol, numbers)


def write_measurement(frame: Frame, pol: str, numbers: NDArray[np.uint16]) -> Path:
    """Write digital numbers of the window into a measurement of the annotated size."""
    stem = next((frame.safe / "annotation").glob(f"*-{pol}-*.xml")).stem
    path = frame.safe / "measurement" / f"{stem}.tiff"
    with rasterio.open(
        path, "w", driver="GTiff", height=frame.size[0], width=frame.size[1], count=1, dtype="uint16",
        tiled=True, blockxsize=512, blockysize=512, sparse_ok=True, compress="deflate",
        transform=rasterio.Affine(1, 0, 0.5, 0, 1, 0.5),
    ) as out:  # fmt: skip
        out.write(
            numbers, 1, window=Window(frame.samples[0], frame.lines[0], numbers.shape[1], numbers.shape[0])
        )
    return path


def zip_safe(safe: Path, target: Path, extra: dict[str, str] | None = None) -> Path:
    """Zip a product as the archive does, its folder included."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(safe.rglob("*")):
            if path.is_file():
                archive.write(path, f"{safe.name}/{path.relative_to(safe).as_posix()}")
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return target


def split(safe: Path, at_line: int, folder: Path) -> list[Path]:
    """Two consecutive slices out of a product without measurements: lines before and from a line on."""
    halves = []
    for part in (0, 1):
        root = ElementTree.parse(next((safe / "annotation").glob("*-vv-*.xml"))).getroot()
        start = np.datetime64(root.findtext(".//productFirstLineUtcTime"), "ns")
        interval = float(root.findtext(".//azimuthTimeInterval", "0"))
        lines = int(root.findtext(".//numberOfLines", "0"))
        edges = (0, at_line, lines)
        times = [start + np.timedelta64(round(edge * interval * 1e9), "ns") for edge in edges]
        compact = [str(t.astype("datetime64[s]")).replace("-", "").replace(":", "") for t in times]
        name = safe.name.split("_")
        name[4], name[5], name[-1] = compact[part], compact[part + 1], f"{part:04d}.SAFE"
        half = folder / "_".join(name)
        shutil.copytree(safe, half)
        last = times[part + 1] - np.timedelta64(round(interval * 1e9), "ns")
        for path in (half / "annotation").rglob("*.xml"):
            tree = ElementTree.parse(path)
            _cut(tree.getroot(), edges[part], edges[part + 1], times[part], last)
            tree.write(path, encoding="utf-8", xml_declaration=True)
        halves.append(half)
    return halves


def _cut(root: ElementTree.Element, first: int, stop: int, start: np.datetime64, last: np.datetime64) -> None:
    for name, value in (
        ("productFirstLineUtcTime", str(start.astype("datetime64[us]"))),
        ("productLastLineUtcTime", str(last.astype("datetime64[us]"))),
        ("numberOfLines", str(stop - first)),
    ):
        for element in root.iter(name):
            element.text = value
    for name in ("line", "firstAzimuthLine", "lastAzimuthLine"):
        for element in root.iter(name):
            moved = [int(value) - first for value in (element.text or "").split()]
            element.text = " ".join(map(str, moved))
