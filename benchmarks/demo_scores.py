"""What the detector finds of simulated events, over seeds, held against the exact truth.

Run with ``python -m benchmarks.demo_scores [--out DIR]``. The event that ``make demo`` simulates is simulated
and mapped for each seed; the first seed's ground chooses threshold and calibration (``headscarp
evaluate``), the others are the test, pooled. Prints the tables in Markdown; with ``--out`` the evaluation
folders are kept.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd

import headscarp as hs
from headscarp.config import load
from headscarp.evaluate.options import EvaluateOptions
from headscarp.pipeline.evaluate.run import run_evaluate
from headscarp.pipeline.evaluate.table import evaluation_rows, markdown
from headscarp.simulate.options import SimulateOptions

SEEDS = (7, 8, 9, 10)
VARIANTS: dict[str, dict[str, str]] = {
    "the run's own threshold (0.8)": {},
    "threshold of seed {first}": {"validation": "{validation}", "calibration": "none"},
    "threshold and temperature of seed {first}": {"validation": "{validation}", "calibration": "temperature"},
    "threshold and isotonic calibration of seed {first}": {
        "validation": "{validation}",
        "calibration": "isotonic",
    },
}


def main() -> None:
    """Map every seed, choose on the first, test on the others, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--out", type=Path, default=None, help="where the evaluation folders are kept")
    options = parser.parse_args()
    first, *others = options.seeds
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        grounds = {seed: map_seed(work, seed) for seed in options.seeds}
        evaluate(work / "validation", [grounds[first]])
        for number, (title, more) in enumerate(VARIANTS.items()):
            filled = {name: text.format(validation=work / "validation") for name, text in more.items()}
            done = evaluate(work / f"test{number}", [grounds[seed] for seed in others], **filled)
            seeds = ", ".join(map(str, others))
            sys.stdout.write(f"\nSeeds {seeds}; {title.format(first=first)}; {done.blocks.count} blocks\n\n")
            sys.stdout.write(markdown(evaluation_rows(done)) + found_by_size(done))
        sys.stdout.write("\nWhat false polygons lie on, at the run's own threshold\n\n")
        sys.stdout.write(false_by_kind([work / f"event{seed}" for seed in others]))
        if options.out is not None:
            for folder in ("validation", *(f"test{number}" for number in range(len(VARIANTS)))):
                shutil.copytree(work / folder, options.out / folder)


def map_seed(work: Path, seed: int) -> dict[str, Any]:
    """Simulate and map the event of a seed; return it as a ground to evaluate."""
    event, run = work / f"event{seed}", work / f"run{seed}"
    hs.run_simulate(SimulateOptions(seed=seed), event)
    hs.run_map(hs.load_options(None, {"scenes": [event]}), run)
    truth = [event / "inventory.gpkg"]
    return {"prediction": run, "truth": truth, "dem": event / "dem.tif", "event": f"seed {seed}"}


def evaluate(out: Path, grounds: list[dict[str, Any]], **more: str) -> hs.Evaluation:
    """Evaluate grounds into a folder."""
    return run_evaluate(load(EvaluateOptions, None, {"grounds": grounds, **more}), out)


def found_by_size(done: hs.Evaluation) -> str:
    """Landslides mapped and found, by their area, in Markdown."""
    edges, counts = done.landslides["size_edges_m2"], done.landslides["counts"]
    names = [f"{low:,.0f} to {high:,.0f} m²" for low, high in pairwise(edges)]
    names.append(f"{edges[-1]:,.0f} m² and more")
    rows = zip(names, counts["mapped"], counts["detected"], strict=True)
    lines = [f"| {name} | {mapped} | {found} |" for name, mapped, found in rows]
    total = f"| all | {sum(counts['mapped'])} | {sum(counts['detected'])} |"
    return "\n".join(["", "| landslides | mapped | found |", "| --- | ---: | ---: |", *lines, total]) + "\n"


def false_by_kind(events: list[Path]) -> str:
    """Count polygons that touch no landslide, by the change that they touch, in Markdown."""
    kinds: Counter[str] = Counter()
    drawn = 0
    for event in events:
        found = gpd.read_file(event.with_name(event.name.replace("event", "run")) / "landslides.gpkg")
        truth = gpd.read_file(event / "inventory.gpkg")
        others = gpd.read_file(event / "distractors.gpkg")
        false = found[~found.intersects(truth.union_all())]
        drawn += len(found)
        for outline in false.geometry:
            touched = set(others.kind[others.intersects(outline)])
            kinds.update(touched or {"nothing"})
            kinds["any"] += 1
    lines = [f"| {kind} | {count} |" for kind, count in kinds.most_common()]
    return "\n".join([f"| of {drawn} polygons, false ones on | |", "| --- | ---: |", *lines]) + "\n"


if __name__ == "__main__":
    main()
