"""The network stage of ``headscarp map`` against the matrix product, and against a plain loop of chips.

Run with ``python -m benchmarks.network_map``; ``--size 1024 --filters 16`` for a small run. Tiles of random
change values lie in a scratch folder as the first walk leaves them; `score_blocks` scores them as the map
does. Around each block stand two readings of the matrix product, whose mean is its peak, and after it a few
chips of the plain loop: 128 px, half of them overlapping along each side, one after the other, the same
weights, in evaluation mode, in torch's default layout; each chip brings 64 × 64 px of the map. The time of
the stage is all of it, putting blocks together included, less those readings. The useful share of the peak
counts the operations that the ground itself needs, none of the halo's. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from torch import Tensor

from benchmarks.networks import product_peak
from headscarp.checkpoint import Card, Checkpoint, Task, Training
from headscarp.features.change import Change
from headscarp.features.sets import FEATURE_SETS
from headscarp.grid import tiles
from headscarp.models import Network, NetworkOptions, count_operations, keep_memory, make_network
from headscarp.pipeline.map.blocks import score_blocks
from headscarp.pipeline.map.stored import StoredTile
from headscarp.pipeline.provenance import source_commit
from headscarp.pipeline.stages import Stages
from headscarp.predict.network import FittedNetwork, NetworkDetector

CHIP_PX, OVERLAP = 128, 0.5
TARGET_RATIO = 6.0
MEGABYTE = 1e6
ORBITS = {"ascending 68": "ascending", "descending 46": "descending"}


@dataclass
class Readings:
    """What was measured at each block."""

    peaks: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    block_s: list[float] = field(default_factory=list)
    chip_s: list[float] = field(default_factory=list)
    aside_s: float = 0.0


@dataclass
class Watched:
    """A fitted network that is timed at each block, between the matrix product and the plain loop."""

    fitted: FittedNetwork
    network: Network
    operations_a_pixel: float
    chips: int
    readings: Readings = field(default_factory=Readings)

    def score_inside(self, change: Change, halo_px: int) -> NDArray[np.float32]:
        """Score of the block; the readings around it are kept."""
        begun = time.perf_counter()
        before = product_peak()
        start = time.perf_counter()
        score = self.fitted.score_inside(change, halo_px)
        seconds = time.perf_counter() - start
        peak = (before + product_peak()) / 2
        read = self.readings
        read.peaks.append(peak)
        read.block_s.append(seconds)
        read.shares.append(score.size * self.operations_a_pixel / seconds / peak)
        read.chip_s += [plain_chip(self.network) for _ in range(self.chips)]
        read.aside_s += time.perf_counter() - begun - seconds
        return score

    def __getattr__(self, name: str) -> Any:
        """Everything else is the fitted network's."""
        return getattr(self.fitted, name)


def main() -> int:
    """Measure, print, and return 1 where the plain loop is not beaten often enough."""
    options = _arguments()
    torch.set_num_threads(options.threads)
    keep_memory()
    detector = detector_of(options.network, options.filters, options.block_px)
    plain = make_network(detector.checkpoint.card.options).eval()
    plain.load_state_dict(detector.checkpoint.network.state_dict())
    plain = plain.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    chip = torch.randn(1, detector.checkpoint.card.options.channels, CHIP_PX, CHIP_PX)
    operations = count_operations(detector.checkpoint.network, chip) / CHIP_PX**2
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        geobox = GeoBox((options.size,) * 2, Affine(10, 0, 500000, 0, -10, 5000000), "EPSG:32654")
        stored = write_tiles(Path(scratch), geobox)
        fitted = detector.fit(stored[0].change() or xr.Dataset())
        warm_up(fitted, plain, stored[0])
        watched = Watched(fitted, plain, operations, options.chips)
        start = time.perf_counter()
        score_blocks(geobox, stored, detector, watched, Stages())
        seconds = time.perf_counter() - start - watched.readings.aside_s
    report = report_of(options, detector, watched.readings, seconds)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    if options.out is not None:
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return int(report["times_faster"] < TARGET_RATIO)


def report_of(
    options: argparse.Namespace, detector: NetworkDetector, read: Readings, seconds: float
) -> dict[str, Any]:
    """The figures, and what they hang on."""
    map_s_a_px = seconds / options.size**2
    plain_s_a_px = statistics.median(read.chip_s) / (CHIP_PX * (1 - OVERLAP)) ** 2
    side, halo = min(detector.block_px, options.size), detector.halo_px
    return {
        "network": options.network,
        "filters": options.filters,
        "size_px": options.size,
        "block_px": detector.block_px,
        "halo_px": halo,
        "halo_costs_times": round(((side + 2 * halo) / side) ** 2, 3),
        "stage_s": round(seconds, 1),
        "mpx_per_s": round(1e-6 / map_s_a_px, 4),
        "useful_share_of_peak": round(statistics.median(read.shares), 3),
        "share_of_time_in_network": round(sum(read.block_s) / seconds, 3),
        "peak_gflops": round(statistics.median(read.peaks) / 1e9, 1),
        "plain_mpx_per_s": round(1e-6 / plain_s_a_px, 4),
        "times_faster": round(plain_s_a_px / map_s_a_px, 2),
        "target": TARGET_RATIO,
        "blocks": len(read.block_s),
        "plain_chips": len(read.chip_s),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE),
        "threads": options.threads,
        "load": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "commit": source_commit(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def plain_chip(network: Network) -> float:
    """Seconds of one chip in the plain loop: no folding, no channels last, no packed weights."""
    x = torch.randn(1, network.options.channels, CHIP_PX, CHIP_PX)
    start = time.perf_counter()
    with torch.no_grad():
        logits: Tensor = network.head(network.body(x))
        torch.sigmoid(logits)
    return time.perf_counter() - start


def warm_up(fitted: FittedNetwork, network: Network, tile: StoredTile) -> None:
    """Weights are packed at the first call; caches and threads begin."""
    change = tile.change()
    if change is not None:
        fitted.score(change.isel(y=slice(0, CHIP_PX), x=slice(0, CHIP_PX)))
    plain_chip(network)
    product_peak()


def detector_of(network: str, filters: int, block_px: int | None) -> NetworkDetector:
    """A network of Group 1 with its first weights, as a detector."""
    features = FEATURE_SETS["group1"]
    options = NetworkOptions(network=network, channels=len(features.channels), filters=filters)
    task = Task(
        features=features, units=("dB", "dB"), mean=(0.0, 0.0), std=(1.0, 1.0), spacing_m=10.0,
        pre_dates=(8, 8), post_dates=(3, 3),
    )  # fmt: skip
    training = Training(
        headscarp="0", commit=None, seed=0, epochs=0, created_utc="", split_sha256="", data_sha256={},
        options={},
    )  # fmt: skip
    torch.manual_seed(0)
    made = make_network(options).eval()
    card = Card(network=options.to_dict(), task=task, training=training)
    return NetworkDetector(Checkpoint(card, made, "0" * 64), block_side_px=block_px)


def write_tiles(folder: Path, geobox: GeoBox) -> list[StoredTile]:
    """Tiles of random change, as the first walk leaves them."""
    rng = np.random.default_rng(0)
    stored = []
    for tile in tiles(geobox):
        shape = (len(ORBITS), 2, *tile.shape)
        arrays: dict[str, Any] = {
            "event_change_db": rng.normal(0, 1, shape).astype(np.float32),
            "event_pre_count": np.full(shape, 8, np.uint16),
            "event_post_count": np.full(shape, 3, np.uint16),
            "event_orbit": np.array(list(ORBITS)),
            "event_polarization": np.array(["VV", "VH"]),
            "event_orbit_state": np.array(list(ORBITS.values())),
        }
        path = folder / f"tile_{tile.rows.start}_{tile.cols.start}.npz"
        np.savez(path, **arrays)
        stored.append(StoredTile(tile, path, 0))
    return stored


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="unet")
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--size", type=int, default=4096, help="side of the scene, pixels")
    parser.add_argument("--block-px", type=int, default=None, help="side of a block; the detector's own")
    parser.add_argument("--chips", type=int, default=8, help="chips of the plain loop after each block")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--scratch", type=Path, default=None, help="folder for the tiles")
    parser.add_argument("--out", type=Path, default=None, help="JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
