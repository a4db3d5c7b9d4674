"""Speed of training end to end, loader included, against the same machine's matrix product.

Run with ``python -m benchmarks.training``, or ``--network unet --filters 16``. The product is of 32 bits
whatever ``--precision`` says, so two precisions compare by their shares of it. A store of random chips is
written, and ``headscarp.train`` trains on it: chips are read, flipped and normalised by its thread, Lightning
runs the loop. A few steps at a time stand between two readings of the matrix product, whose mean is their
peak, as in ``benchmarks.networks``; medians are taken. (While the product is timed the thread can make up to
three batches ahead: each takes it a hundredth of a step's time.) Writes JSON, prints one line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import numpy as np
import torch
import zarr

from benchmarks.networks import CHANNELS, CHIP_PX, chips_for, conditions, first_operations, product_peak
from headscarp.chips.store import ATTRIBUTE, ChipFacts, ChipStore, EventFacts, StoreFacts, open_store
from headscarp.features.sets import feature_set
from headscarp.models import BODIES, NetworkOptions, Takes, count_operations, make_network
from headscarp.split import Chip, SplitFile
from headscarp.train.options import NETWORKS, FitOptions, NetworkChoice, Precision
from headscarp.train.run import train

RESULTS = Path("benchmarks/results/training.json")
BATCH = 8
STEPS = 2
"""Between two readings of the product."""
READINGS = 7
SPACING_M = 10.0
VALIDATION = 1
"""Chips: validation is not measured."""


@dataclass
class Meter:
    """Progress of a training that stops the time of its steps."""

    batch: int
    seconds: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    start: float = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """After the first step, the warm-up, and after every few more: stop, read the product, go on."""
        if stage != "epoch" or (done - 1) % STEPS:
            return
        if done > 1:
            self.seconds.append(time.perf_counter() - self.start)
        self.peaks.append(product_peak())
        self.start = time.perf_counter()

    def share(self, operations_a_chip: float) -> float:
        """Median share of the peak."""
        peaks = [(a + b) / 2 for a, b in zip(self.peaks, self.peaks[1:], strict=False)]
        operations = operations_a_chip * self.batch * STEPS
        rates = [operations / s / peak for s, peak in zip(self.seconds, peaks, strict=True)]
        return statistics.median(rates)


def main() -> int:
    """Measure, write the file, print the line."""
    options = _arguments()
    torch.set_num_threads(options.threads)
    meter = Meter(options.batch)
    operations = operations_a_chip(options.network, options.filters)
    with tempfile.TemporaryDirectory() as folder:
        chips = options.batch * (1 + STEPS * options.readings) + VALIDATION
        store = write_random_store(Path(folder) / "chips.zarr", chips)
        choice = NetworkChoice(network=options.network, filters=options.filters)
        fit = FitOptions(epochs=1, batch_size=options.batch, accelerator="cpu", precision=options.precision)
        train(store, split_of(store), choice, fit, Path(folder) / "out", meter)
    share = meter.share(operations)
    speed = options.batch * STEPS / statistics.median(meter.seconds)
    report = {
        "commit": conditions_of(options)["commit"],
        "torch": torch.__version__,
        "threads": options.threads,
        "network": options.network,
        "filters": options.filters,
        "precision": options.precision,
        "chip_px": CHIP_PX,
        "batch": options.batch,
        "readings": len(meter.seconds),
        "share_of_peak": round(share, 3),
        "chips_per_s": round(speed, 3),
        "peak_gflops": round(statistics.median(meter.peaks) / 1e9, 1),
        "gigaoperations_per_chip": round(operations / 1e9, 3),
        "load": round(os.getloadavg()[0], 1),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": [round(s, 3) for s in meter.seconds],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(
        f"{options.network}, {options.filters} filters, {options.precision}: {share:.2f} of peak, "
        f"{speed:.2f} chips/s, peak {report['peak_gflops']} Gflop/s, load {report['load']}\n"
    )
    return 0


def operations_a_chip(name: str, filters: int) -> float:
    """Operations of forward and backward for one chip: see ``benchmarks.networks``."""
    network = make_network(NetworkOptions(network=name, channels=CHANNELS, filters=filters))
    inputs = chips_for(network, 1)
    return 3 * count_operations(network, *inputs) - first_operations(network, inputs)


def write_random_store(path: Path, chips: int) -> ChipStore:
    """A store of noise with a square landslide in each chip."""
    features = feature_set("group1")
    rng = np.random.default_rng(0)
    group = zarr.open_group(path, mode="w")
    shapes = {"x": (CHANNELS, CHIP_PX, CHIP_PX), "label": (CHIP_PX, CHIP_PX)}
    kinds = {"x": "float32", "label": "uint8"}
    arrays = {
        name: group.create_array(name, shape=(chips, *shape), chunks=(1, *shape), dtype=kinds[name])
        for name, shape in shapes.items()
    }
    arrays["x"][:] = rng.normal(size=(chips, *shapes["x"])).astype(np.float32)
    label = np.zeros((chips, *shapes["label"]), np.uint8)
    label[:, 20:60, 30:80] = 1
    arrays["label"][:] = label
    facts = StoreFacts(
        headscarp="benchmark",
        key=hashlib.sha256(str(chips).encode()).hexdigest(),
        features=features,
        size_px=CHIP_PX,
        stride_px=CHIP_PX,
        spacing_m=SPACING_M,
        pooling="relative_orbit",
        events=(EventFacts(name="noise", inputs_sha256="0" * 64, pre_dates=(1, 1), post_dates=(1, 1)),),
        chips=tuple(_chip(place, int(label[place].sum())) for place in range(chips)),
    )
    group.attrs[ATTRIBUTE] = facts.model_dump_json()
    return open_store(path)


def split_of(store: ChipStore) -> SplitFile:
    """All but the last chip train."""
    last = len(store) - VALIDATION
    return SplitFile(
        name="benchmark",
        spacing_m=SPACING_M,
        chips=tuple(
            Chip(
                id=chip.id,
                split="train" if place < last else "validation",
                event=chip.event,
                crs=chip.crs,
                bounds=chip.bounds,
                content_sha256=chip.content_sha256,
            )
            for place, chip in enumerate(store.facts.chips)
        ),
    )


def _chip(place: int, landslide_px: int) -> ChipFacts:
    side = CHIP_PX * SPACING_M
    return ChipFacts(
        id=f"noise_{place}",
        event="noise",
        crs="EPSG:32654",
        bounds=(5e5 + place * side, 4e6, 5e5 + (place + 1) * side, 4e6 + side),
        landslide_px=landslide_px,
        ignored_px=0,
        content_sha256=hashlib.sha256(str(place).encode()).hexdigest(),
    )


def conditions_of(options: argparse.Namespace) -> dict[str, object]:
    """Commit and versions, as ``benchmarks.networks`` tells them."""
    return conditions(argparse.Namespace(threads=options.threads, scenes=options.batch))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    images = [name for name in NETWORKS if BODIES[name].takes is Takes.SCENE]
    parser.add_argument("--network", default="unet", choices=images)
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--precision", default="32-true", choices=get_args(Precision))
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--readings", type=int, default=READINGS)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
