"""Time and peak memory of ``headscarp backscatter`` on a full-size product, beside sarsen alone.

Run with ``python -m benchmarks.backscatter --safe S1B_….SAFE --km 60 --scratch DIR``. The annotation is
kept; a measurement of its full size is written, uncompressed as the archive's are: speckled ground, VV and
VH. The DEM is made: hills, in UTM, at 10 m, since sarsen's output has the grid of its DEM. Both process the
same square of ``--km`` (0: the whole scene), each in a process of its own: headscarp VV and VH, sarsen VV
alone, bilinear, without radiometry. Needs 2 GB of disk, and 10 GB more for the whole scene.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from benchmarks.process import cost_of
from headscarp.backscatter.options import BackscatterOptions
from headscarp.backscatter.passes import Product, group, read_product
from headscarp.backscatter.safe import open_safe
from headscarp.grid import crs_wkt, lonlat_bounds, tiles
from headscarp.ingest.area import AreaOptions
from headscarp.pipeline.backscatter.plan import choose_output_grid

STRIP_LINES = 512
DEM_BLOCK_PX = 1024
LIMIT_MB = 6000.0
SARSEN = """
import sys, sarsen
product = sarsen.Sentinel1SarProduct(sys.argv[1], "IW/VV")
sarsen.terrain_correction(product, sys.argv[2], output_urlpath=sys.argv[3], interp_method="linear")
"""


@dataclass(frozen=True)
class Measured:
    """What one program cost."""

    program: str
    polarizations: int
    seconds: float
    peak_memory_mb: float


def main() -> int:
    """Measure, print, and return 1 where the memory limit is broken."""
    options = _arguments()
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        scratch = Path(folder)
        safe = write_product(options.safe, scratch)
        geobox = square(read_product(open_safe(safe)), options.km)
        dem = write_dem(scratch / "dem.tif", geobox)
        ours = measure_headscarp(safe, dem, geobox, scratch / "out")
        rows = [ours] + ([] if options.alone else [measure_sarsen(safe, dem, scratch / "sarsen.tif")])
    report = {
        "rows": [asdict(row) for row in rows],
        "pixels": geobox.shape[0] * geobox.shape[1],
        "times_as_fast": None if options.alone else round(rows[1].seconds / rows[0].seconds, 2),
        "limits": {"peak_memory_mb": LIMIT_MB},
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    if options.out is not None:
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return int(ours.peak_memory_mb > LIMIT_MB)


def write_product(real: Path, scratch: Path) -> Path:
    """Copy a product's annotation, twice where it has VV alone, and write its measurements."""
    safe = scratch / real.name
    shutil.copytree(real / "annotation", safe / "annotation")
    shutil.copy(real / "manifest.safe", safe / "manifest.safe")
    for path in sorted((safe / "annotation").rglob("*-vv-*.xml")):
        twin = path.with_name(path.name.replace("-vv-", "-vh-").replace("-001.xml", "-002.xml"))
        if not twin.exists():
            shutil.copy(path, twin)
    (safe / "measurement").mkdir()
    one = read_product(open_safe(safe)).annotation
    for path in sorted((safe / "annotation").glob("*.xml")):
        write_measurement(safe / "measurement" / f"{path.stem}.tiff", (one.lines, one.samples))
    return safe


def write_measurement(path: Path, size: tuple[int, int]) -> None:
    """Write speckled ground strip by strip, one line a block."""
    rng = np.random.default_rng(0)
    speckle = rng.gamma(4.4, 1.0 / 4.4, (STRIP_LINES, size[1])).astype(np.float32)
    with rasterio.open(
        path, "w", driver="GTiff", height=size[0], width=size[1], count=1, dtype="uint16",
        blockysize=1, transform=Affine(1, 0, 0.5, 0, 1, 0.5),
    ) as out:  # fmt: skip
        for top in range(0, size[0], STRIP_LINES):
            rows = min(STRIP_LINES, size[0] - top)
            numbers = np.sqrt(np.roll(speckle, top // 7, axis=1)[:rows] * np.float32(30_000.0))
            out.write(numbers.astype(np.uint16), 1, window=Window(0, top, size[1], rows))


def square(product: Product, km: float) -> GeoBox:
    """Grid of 10 m: a square in the middle of the scene, or all of it."""
    whole, _ = choose_output_grid(group([product])[0], BackscatterOptions())
    if km <= 0.0:
        return whole
    side = int(km * 100.0)
    top, left = ((size - side) // 2 for size in whole.shape)
    return whole[top : top + side, left : left + side]


def write_dem(path: Path, geobox: GeoBox) -> Path:
    """Write hills of 300 m on the grid itself and 200 m around it, ellipsoidal heights."""
    wide = geobox.pad(20)
    with rasterio.open(
        path, "w", driver="GTiff", height=wide.shape[0], width=wide.shape[1], count=1, dtype="float32",
        crs=crs_wkt(wide), transform=wide.transform, tiled=True, blockxsize=512, blockysize=512,
    ) as out:  # fmt: skip
        for tile in tiles(wide, DEM_BLOCK_PX):
            x = np.arange(tile.cols.start, tile.cols.stop)[None, :] / 90.0
            y = np.arange(tile.rows.start, tile.rows.stop)[:, None] / 110.0
            heights = 500.0 + 300.0 * np.sin(x) * np.cos(y)
            out.write(heights.astype(np.float32), 1, window=Window.from_slices(tile.rows, tile.cols))
    return path


def measure_headscarp(safe: Path, dem: Path, geobox: GeoBox, out: Path) -> Measured:
    """Cost of ours, both polarisations."""
    box = [f"{edge:.6f}" for edge in lonlat_bounds(geobox)]
    options = out.with_suffix(".yaml")
    area = AreaOptions(bbox=(float(box[0]), float(box[1]), float(box[2]), float(box[3])), crs=str(geobox.crs))
    options.write_text(json.dumps({"area": area.model_dump(mode="json")}), encoding="utf-8")
    command = [sys.executable, "-m", "headscarp", "backscatter", str(safe), "--dem", str(dem)]
    command += ["--heights", "ellipsoid", "--no-visibility", "--config", str(options)]
    cost = cost_of([*command, "--out", str(out), "--quiet"])
    return Measured("headscarp", 2, cost.seconds, cost.peak_memory_mb)


def measure_sarsen(safe: Path, dem: Path, out: Path) -> Measured:
    """Cost of sarsen, VV alone; its output has the DEM's grid, 400 m wider and higher."""
    cost = cost_of([sys.executable, "-c", SARSEN, str(safe), str(dem), str(out)])
    return Measured("sarsen", 1, cost.seconds, cost.peak_memory_mb)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--safe", type=Path, required=True, help="product whose annotation is used")
    parser.add_argument("--km", type=float, default=30.0, help="side of the square; 0: the whole scene")
    parser.add_argument("--alone", action="store_true", help="headscarp alone")
    parser.add_argument("--scratch", type=Path, default=None, help="folder for what is generated")
    parser.add_argument("--out", type=Path, default=None, help="JSON file for the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
