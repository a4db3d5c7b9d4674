"""Peak memory of ``headscarp map`` on generated stacks: one area, four times the area, mostly empty ground.

Run with ``make benchmark``, or ``python -m benchmarks.memory --size 8192 --dates 24 --scratch DIR``. Each
map is a process of its own; its peak resident memory is the operating system's account of it. Needs about
6 GB of disk at the default size. Prints a table and writes it as JSON with ``--out``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.process import cost_of
from benchmarks.stack import TILE_PX, write_stack

EVENT_DATE = "2024-06-15"
LIMIT_MB = 1500.0
LIMIT_RATIO = 1.2


@dataclass(frozen=True)
class Measured:
    """What one map cost."""

    name: str
    grid_px: int
    dates: int
    seconds: float
    peak_memory_mb: float


def main() -> int:
    """Measure, print, and return 1 where a limit is broken."""
    options = _arguments()
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        size = options.size
        half, tile = [(size // 2, 0)], [(TILE_PX, size - TILE_PX)]
        cases = {
            "quarter of the area": half,
            "whole area": [(size, 0)],
            "quarter of the area, and a tile in the far corner of the whole grid": half + tile,
        }
        rows = [measure(Path(scratch), *case, options.dates) for case in cases.items()]
    quarter, whole, sparse = rows
    ratio = whole.peak_memory_mb / quarter.peak_memory_mb
    report = {
        "rows": [asdict(row) for row in rows],
        "memory_ratio_4x_area": round(ratio, 3),
        "time_ratio_4x_area": round(whole.seconds / quarter.seconds, 2),
        "time_ratio_empty_tiles": round(sparse.seconds / quarter.seconds, 2),
        "limits": {"peak_memory_mb": LIMIT_MB, "memory_ratio": LIMIT_RATIO},
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    if options.out is not None:
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return int(whole.peak_memory_mb > LIMIT_MB or ratio > LIMIT_RATIO)


def measure(scratch: Path, name: str, squares: list[tuple[int, int]], dates: int) -> Measured:
    """Write squares of data (side and corner, pixels), and map them in a process of its own."""
    scenes, out = scratch / "scenes", scratch / "run"
    shutil.rmtree(scenes, ignore_errors=True)
    for size_px, corner_px in squares:
        write_stack(scenes / f"at_{corner_px}", size_px, dates, corner_px)
    grid_px = max(size_px + corner_px for size_px, corner_px in squares)
    command = [sys.executable, "-m", "headscarp", "map", str(scenes), "--event-date", EVENT_DATE]
    # half of the dates lie before the event, 12 days apart
    command += ["--pre", "2023-01-01", "2024-06-14", "--post", "2024-06-16", "2025-12-31"]
    cost = cost_of([*command, "--out", str(out), "--overwrite", "--quiet"])
    return Measured(name, grid_px, dates, cost.seconds, cost.peak_memory_mb)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=8192, help="side of the whole area, pixels")
    parser.add_argument("--dates", type=int, default=24, help="scenes, half of them before the event")
    parser.add_argument("--scratch", type=Path, default=None, help="folder for the generated stacks")
    parser.add_argument("--out", type=Path, default=None, help="JSON file for the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
