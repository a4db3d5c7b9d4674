"""Peak memory of ``headscarp simulate`` on large ground with many dates.

Run with ``python -m benchmarks.simulate_memory --size 4096 --dates 28 --scratch DIR``; it needs some 80 MB
of disk for each scene of 4096 × 4096 pixels. Prints JSON, and ends with 1 where the limit is broken.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.process import cost_of

LIMIT_MB = 3000.0
POST_SHARE = 7
"""One date in so many lies after the event."""


def main() -> int:
    """Simulate, print the cost, and return 1 where the limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096, help="pixels a side (%(default)s)")
    parser.add_argument("--dates", type=int, default=28, help="dates of each orbit (%(default)s)")
    parser.add_argument("--scratch", type=Path, default=None, help="folder with room for the scenes")
    options = parser.parse_args()
    post = max(options.dates // POST_SHARE, 1)
    dates = ["--pre", str(options.dates - post), "--post", str(post)]
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        size = ["--size", str(options.size), "--out", str(Path(scratch) / "event"), "--quiet"]
        cost = cost_of([sys.executable, "-m", "headscarp", "simulate", *size, *dates])
    facts = {"size_px": options.size, "dates_per_orbit": options.dates, "limit_mb": LIMIT_MB}
    sys.stdout.write(json.dumps(facts | cost._asdict(), indent=2) + "\n")
    return int(cost.peak_memory_mb > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
