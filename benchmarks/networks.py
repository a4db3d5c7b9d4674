"""Speed of every network against the same machine's matrix product, inference and training.

Run with ``make benchmark-networks``, or ``python -m benchmarks.networks --networks unet --filters 16``. Every
reading of a network stands between two readings of the matrix product, whose mean is its peak: the peak of a
shared machine swings by a factor of two, and swings for both. Medians over the readings are taken. Operations
are counted by hooks (`count_operations`); training is forward, loss, backward and a step of Adam, three times
the operations of forward, less the first convolutions' gradient by the input. Writes JSON, prints a Markdown
table.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from headscarp.models import (
    BODIES,
    Network,
    NetworkOptions,
    Takes,
    count_operations,
    count_parameters,
    for_inference,
    keep_memory,
    make_network,
)

CHIP_PX = 128
CHANNELS = 2
DATES = 4
SCENES = 8
PRODUCT_SIDE = 2048
READINGS = 7
WARM_UP = 1
FILTERS = (16, 32, 64)
MODES = ("inference", "training")
RESULTS = Path("benchmarks/results/networks.json")


@dataclass(frozen=True)
class Row:
    """What one network does in a second; pixels are those of the output, whatever the number of dates."""

    network: str
    filters: int
    mode: str
    mpx_per_s: float
    share_of_peak: float
    parameters: int
    gigaoperations_per_chip: float
    peak_gflops: float
    load: float
    readings: int
    measured: str


class Reading(NamedTuple):
    """Seconds of one run, and operations a second of the matrix product around it."""

    seconds: float
    peak: float


def main() -> int:
    """Measure the networks asked for, print the table, write the file."""
    options = _arguments()
    torch.set_num_threads(options.threads)
    begun = {**conditions(options), "memory_kept": keep_memory()}
    rows = other_rows(options) if options.add else []
    for name in options.networks:
        for filters in options.filters:
            for mode in options.modes:
                rows.append(measure(name, filters, mode, options.scenes, options.readings))
                sys.stderr.write(f"{rows[-1]}\n")
                rows.sort(key=lambda row: (list(BODIES).index(row.network), row.filters, row.mode))
                write(options.out, {**begun, "rows": [asdict(row) for row in rows]})
    sys.stdout.write(markdown(rows))
    return 0


def other_rows(options: argparse.Namespace) -> list[Row]:
    """Rows of the file that are not measured again."""
    if not options.out.exists():
        return []
    asked = (options.networks, options.filters, options.modes)
    rows = [Row(**row) for row in json.loads(options.out.read_text(encoding="utf-8"))["rows"]]
    return [
        row
        for row in rows
        if not all(
            value in given for value, given in zip((row.network, row.filters, row.mode), asked, strict=True)
        )
    ]


def write(path: Path, report: dict[str, object]) -> None:
    """The file after each row: what was measured stays, whatever comes after."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    beside.replace(path)


def measure(name: str, filters: int, mode: str, scenes: int, readings: int) -> Row:
    """One row: medians of interleaved readings; a batch holds as many scenes whatever a chip consists of."""
    torch.manual_seed(0)
    network = make_network(NetworkOptions(network=name, channels=CHANNELS, filters=filters))
    chips = scenes // {Takes.SCENE: 1, Takes.PAIR: 2, Takes.SERIES: DATES}[network.takes]
    inputs = chips_for(network, chips)
    forward = count_operations(network, *inputs)
    if mode == "training":
        operations, run = 3 * forward - first_operations(network, inputs), training(network, inputs)
    else:
        operations, run = forward, inference(network, inputs)
    taken = [read(run) for _ in range(readings + WARM_UP)][WARM_UP:]
    seconds = statistics.median(reading.seconds for reading in taken)
    share = statistics.median(operations / reading.seconds / reading.peak for reading in taken)
    return Row(
        network=name,
        filters=filters,
        mode=mode,
        mpx_per_s=round(chips * CHIP_PX**2 / seconds / 1e6, 3),
        share_of_peak=round(share, 3),
        parameters=count_parameters(network),
        gigaoperations_per_chip=round(operations / chips / 1e9, 3),
        peak_gflops=round(statistics.median(reading.peak for reading in taken) / 1e9, 1),
        load=round(os.getloadavg()[0], 1),
        readings=readings,
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def read(run: Callable[[], None]) -> Reading:
    """The network's time between two of the matrix product."""
    before = product_peak()
    start = time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    return Reading(seconds, (before + product_peak()) / 2)


def product_peak() -> float:
    """Operations a second of a float32 matrix product whose factors fit into the cache."""
    left, right, product = _factors()
    start = time.perf_counter()
    torch.mm(left, right, out=product)
    return 2 * PRODUCT_SIDE**3 / (time.perf_counter() - start)


@functools.cache
def _factors() -> tuple[Tensor, Tensor, Tensor]:
    left = torch.ones(PRODUCT_SIDE, PRODUCT_SIDE)
    return left, torch.ones_like(left), torch.zeros_like(left)


def inference(network: Network, inputs: tuple[Tensor, ...]) -> Callable[[], None]:
    """One pass of the network as it predicts."""
    ready = for_inference(network)

    def run() -> None:
        with torch.inference_mode():
            ready(*inputs)

    return run


def training(network: Network, inputs: tuple[Tensor, ...]) -> Callable[[], None]:
    """One step of training: forward, loss, backward, Adam."""
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    label = (torch.rand(inputs[0].shape[0], 1, CHIP_PX, CHIP_PX) < 0.1).float()

    def run() -> None:
        optimiser.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(network(*inputs), label)
        torch.autograd.backward(loss)
        optimiser.step()

    return run


def chips_for(network: Network, chips: int) -> tuple[Tensor, ...]:
    """Random chips of the shape that the network takes."""
    shape = (CHANNELS, CHIP_PX, CHIP_PX)
    if network.takes is Takes.SCENE:
        return (torch.randn(chips, *shape),)
    if network.takes is Takes.PAIR:
        return (torch.randn(chips, 2, *shape),)
    days = 12 * torch.arange(DATES).expand(chips, -1)
    return torch.randn(chips, DATES, *shape), torch.ones(chips, DATES, dtype=torch.bool), days


def first_operations(network: Network, inputs: tuple[Tensor, ...]) -> int:
    """Operations of the first convolution, whose input needs no gradient."""
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    scenes = inputs[0].shape[:-3].numel()
    out_px = CHIP_PX**2 // (first.stride[0] * first.stride[1])
    return 2 * scenes * out_px * first.weight.numel()


def conditions(options: argparse.Namespace) -> dict[str, object]:
    """What the figures hang on."""
    git = ["git", "rev-parse", "--short", "HEAD"]
    return {
        "commit": subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip(),
        "torch": torch.__version__,
        "threads": options.threads,
        "scenes": options.scenes,
        "chip_px": CHIP_PX,
        "channels": CHANNELS,
        "dates": DATES,
    }


def markdown(rows: list[Row]) -> str:
    """The table of the docs."""
    head = "| network | filters | mode | Mpx/s | share of peak | parameters | peak, Gflop/s | load |\n"
    lines = [
        f"| {r.network} | {r.filters} | {r.mode} | {r.mpx_per_s:.3g} | {r.share_of_peak:.2f} "
        f"| {r.parameters:,} | {r.peak_gflops:.0f} | {r.load:.1f} |\n"
        for r in rows
    ]
    return "".join([head, "|---|---:|---|---:|---:|---:|---:|---:|\n", *lines])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=list(BODIES), choices=list(BODIES))
    parser.add_argument("--filters", nargs="+", type=int, default=list(FILTERS))
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--scenes", type=int, default=SCENES, help="scenes in a batch, all dates counted")
    parser.add_argument("--readings", type=int, default=READINGS)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--add", action="store_true", help="keep the file's rows that are not asked for")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
