"""A product with known ground: targets and a pattern, laid into a measurement of real annotation.

The place of a sample on the ground comes from the product's own geolocation grid
(:mod:`headscarp.simulate.safe.swath`), and the instrument's numbers from its own tables, read by
xarray-sentinel and ElementTree: nothing here uses geometry or tables of :mod:`headscarp.backscatter`, whose
errors would cancel. Between two lines of the grid (3 s) the processor's ground-range polynomials step by
several samples, which no interpolation of the grid can follow: targets therefore stand within some lines of a
line of the grid.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from headscarp.backscatter.safe import open_safe
from headscarp.simulate.safe import image
from headscarp.simulate.safe.documents import write_documents
from headscarp.simulate.safe.swath import GroundPoints, Relief, Swath
from headscarp.vocabulary import Polarization

UTM = "EPSG:32633"
HEIGHTS_M = (-100.0, 2000.0)
"""Between which every terrain of the tests lies."""
Array = NDArray[np.float64]
Terrain = Callable[[Array, Array], Array]
"""Ellipsoidal height of places in the UTM zone."""


def plain(x: Array, y: Array) -> Array:
    return np.full(np.shape(x), 250.0)


class Frame:
    """A window of a product's image and where its samples lie on the ground."""

    def __init__(
        self, safe: Path, lines: tuple[int, int], samples: tuple[int, int], terrain: Terrain = plain
    ) -> None:
        self.safe, self.lines, self.samples, self.terrain = safe, lines, samples, terrain
        self.swath = Swath(ElementTree.parse(next((safe / "annotation").glob("*-vv-*.xml"))).getroot())
        self.size = self.swath.size

    def ground(self, line: Array, sample: Array) -> GroundPoints:
        """Where samples lie, on the terrain."""
        relief = Relief(self.terrain, HEIGHTS_M[0], HEIGHTS_M[1], UTM)
        return self.swath.ground(np.asarray(line, float), np.asarray(sample, float), relief)

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
    """A product without its measurement; VH, which Rome lacks, has the annotation of VV."""
    source = open_safe(real)
    pols: tuple[Polarization, ...] = ("VV", "VH") if both else tuple(source.channels)
    return write_documents(source, folder, polarizations=pols)


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
        speckle = 1.0 if rng is None else rng.gamma(4.4, 1 / 4.4, power.shape)
        numbers = image.digital_numbers(power * factor, calibration, noise_gain * noise, speckle)
        write_measurement(frame, pol, numbers)


def write_measurement(frame: Frame, pol: str, numbers: NDArray[np.uint16]) -> Path:
    """Write digital numbers of the window into a measurement of the annotated size."""
    stem = next((frame.safe / "annotation").glob(f"*-{pol}-*.xml")).stem
    path = frame.safe / "measurement" / f"{stem}.tiff"
    return image.write_measurement(path, frame.size, numbers, (frame.lines[0], frame.samples[0]))


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
