"""Land flagged where nothing is known to have happened: five pseudo-events on a real stack.

Run with ``python -m benchmarks.false_alarms --scenes ../shared/data/opera_rtc_s1/T137``. Each row splits the
dates of one season of OPERA RTC-S1 track 137 (Santa Barbara coast, 36 km²) where no landslide is known;
whatever is flagged is a false alarm. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio

import headscarp as hs

PSEUDO_EVENTS = (
    ("2021-12-04", "2021-11-01", "2021-12-31"),
    ("2022-12-01", "2022-11-01", "2023-01-31"),
    ("2023-10-22", "2023-10-01", "2023-11-11"),
    ("2023-11-12", "2023-10-01", "2023-12-31"),
    ("2024-12-03", "2024-11-01", "2024-12-31"),
)
"""Pseudo-event, first and last day of its dates."""
THRESHOLDS = (0.5, 0.8, 0.9)


def main() -> None:
    """Map every pseudo-event and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=Path, required=True, help="folder of the T137 scenes")
    scenes = parser.parse_args().scenes
    titles = " | ".join(f"flagged at {threshold:g}" for threshold in THRESHOLDS)
    sys.stdout.write(f"| pseudo-event | dates | {titles} | polygons at 0.8 | per 100 km² |\n")
    sys.stdout.write("|---|---|" + "---|" * (len(THRESHOLDS) + 2) + "\n")
    for event in PSEUDO_EVENTS:
        sys.stdout.write(row(scenes, *event) + "\n")


def row(scenes: Path, event: str, first: str, last: str) -> str:
    """Map one pseudo-event and describe it as a row of the table."""
    windows = {"event.pre": (first, _shift(event, -1)), "event.post": (_shift(event, 1), last)}
    options = hs.load_options(None, {"scenes": [scenes], "event.date": event, **windows})
    with tempfile.TemporaryDirectory() as folder:
        record = hs.run_map(options, Path(folder) / "run")
        with rasterio.open(Path(folder) / "run" / "probability.tif") as source:
            probability = source.read(1)
    seen = probability[np.isfinite(probability)]
    shares = " | ".join(f"{np.mean(seen >= threshold):.2%}" for threshold in THRESHOLDS)
    orbit, found = record.orbits[0], record.results
    rate = found.landslides / found.observed_km2 * 100
    dates = f"{len(orbit.pre_utc)} + {len(orbit.post_utc)}"
    return f"| {event} | {dates} | {shares} | {found.landslides} | {rate:.0f} |"


def _shift(day: str, days: int) -> str:
    return str(np.datetime64(day) + days)


if __name__ == "__main__":
    main()
