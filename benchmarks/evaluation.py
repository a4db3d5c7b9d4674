"""Whether an evaluation streams: peak memory on two grounds, one four times the other, and the exact value.

``python -m benchmarks.evaluation [SIDE_PX]`` writes a skewed probability and its label over SIDE_PX² pixels
and over a quarter of that ground, evaluates both in processes of their own, and prints peak memory and the
bounds of the average precision; for the smaller ground also the exact value over all pixels at once.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from headscarp.config import load
from headscarp.evaluate.curves import ScoreHistogram, average_precision, count_scores, finer_edges
from headscarp.evaluate.options import EvaluateOptions
from headscarp.grid import tiles
from headscarp.pipeline.evaluate.run import run_evaluate
from headscarp.run_folder import RasterWriter

SIDE_PX = 8192
PREVALENCE = 0.003
MEGABYTE = 1e6


def write_ground(folder: Path, side_px: int) -> None:
    """Write a probability that crowds near 0, and its label."""
    folder.mkdir(parents=True)
    geobox = GeoBox((side_px, side_px), Affine(10, 0, 5e5, 0, -10, 4e6), "EPSG:32654")
    probability = RasterWriter(folder / "probability.tif", geobox, ["probability"])
    label = RasterWriter(folder / "label.tif", geobox, ["landslide"], "uint8", 255)
    for number, tile in enumerate(tiles(geobox)):
        rng = np.random.default_rng(number)
        truth = np.kron(rng.random((64, 64)) < PREVALENCE, np.ones((8, 8), dtype=bool))
        truth = truth[: tile.shape[0], : tile.shape[1]]
        scores = np.where(truth, rng.beta(2, 3, truth.shape), rng.random(truth.shape) ** 12)
        probability.write(tile, scores.astype(np.float32)[None])
        label.write(tile, truth.astype(np.uint8)[None])
    probability.finish()
    label.finish("nearest")


def evaluate_ground(folder: Path) -> dict[str, float]:
    """Evaluate in this process and tell its peak memory, which is why it should be a fresh one."""
    ground = {"prediction": folder / "probability.tif", "truth": [folder / "label.tif"]}
    started = time.perf_counter()
    done = run_evaluate(
        load(EvaluateOptions, None, {"grounds": [ground]}), folder / "evaluation", with_report=False
    )
    low, high = done.pixel["average_precision_bounds"]
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": time.perf_counter() - started,
        "peak_mb": peak_kb * 1024 / MEGABYTE,
        "low": low,
        "high": high,
        "blocks": done.blocks.count,
        "pixels": done.pixel["pixels"],
    }


def exact(folder: Path) -> float:
    """Average precision with every pixel in memory and a bin for every value."""
    with rasterio.open(folder / "probability.tif") as raster:
        scores = raster.read(1).ravel()
    with rasterio.open(folder / "label.tif") as raster:
        truth = raster.read(1).ravel() == 1
    histogram = ScoreHistogram.empty()
    while True:
        histogram = histogram + count_scores(histogram.edges, scores, truth)[0]
        edges = finer_edges(histogram, 0.0)
        if edges is None:
            return float(average_precision(histogram).middle)
        histogram = ScoreHistogram.empty(edges)


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(evaluate_ground(Path(sys.argv[2]))))
        return
    side_px = int(sys.argv[1]) if len(sys.argv) > 1 else SIDE_PX
    with tempfile.TemporaryDirectory() as scratch:
        found = {}
        for side in (side_px // 2, side_px):
            folder = Path(scratch) / str(side)
            write_ground(folder, side)
            command = [sys.executable, "-m", "benchmarks.evaluation", "--one", str(folder)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[side] = json.loads(done.stdout.splitlines()[-1])
            print(f"{side}²: {found[side]}")
        small, large = found.values()
        print(f"memory × {large['peak_mb'] / small['peak_mb']:.2f} for × 4 pixels")
        print(f"exact average precision of {side_px // 2}²: {exact(Path(scratch) / str(side_px // 2)):.6f}")


if __name__ == "__main__":
    main()
