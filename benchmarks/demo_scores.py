"""What the detector finds of the simulated demo event, over seeds, beside finding nothing.

Run with ``python -m benchmarks.demo_scores``. Truth is known exactly; a landslide is found when a polygon
touches it, a polygon is false when it touches none. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import geopandas as gpd

import headscarp as hs
from headscarp.synthetic import write_demo_event

EVENT_DATE = "2024-06-15"
SEEDS = (7, 8, 9)
LARGE_M2 = 5000.0


def main() -> None:
    """Map the demo event of each seed and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    seeds = parser.parse_args().seeds
    sys.stdout.write("| seed | method | found | of these ≥ 0.5 ha | false polygons | area recall |\n")
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for seed in seeds:
        sys.stdout.write(rows(seed))


def rows(seed: int) -> str:
    """Map the demo event of one seed; a row for the detector and one for finding nothing."""
    with tempfile.TemporaryDirectory() as folder:
        event = write_demo_event(Path(folder) / "event", seed=seed)
        values = {"scenes": [event / "scenes"], "event.date": EVENT_DATE, "terrain.dem": event / "dem.tif"}
        hs.run_map(hs.load_options(None, values), Path(folder) / "run")
        truth = gpd.read_file(event / "inventory.gpkg")
        found = gpd.read_file(Path(folder) / "run" / "landslides.gpkg")
    ground, drawn = truth.geometry.union_all(), found.geometry.union_all()
    hit, large = truth.intersects(drawn), truth["area_m2"] >= LARGE_M2
    recall = ground.intersection(drawn).area / ground.area
    false = int((~found.intersects(ground)).sum())
    shares = f"{hit.sum()} of {len(truth)} | {(hit & large).sum()} of {large.sum()}"
    nothing = f"| {seed} | nothing | 0 of {len(truth)} | 0 of {large.sum()} | 0 | 0% |\n"
    return f"| {seed} | log-ratio | {shares} | {false} | {recall:.0%} |\n{nothing}"


if __name__ == "__main__":
    main()
