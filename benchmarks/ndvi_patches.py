"""NDVI from one radar pass on three real patches: two teach, the third is the test, in rotation.

Run with ``python -m benchmarks.ndvi_patches --data SHARED/sar_ndvi_patches --out DIR``; trainings go on where
they stopped. The patches (224 x 224 pixels of 10 m) bring a single pass each. Channels are of composites
before and after an event, so the same pass stands on both sides of a day between: nothing but the composite
after it is looked at. Chips of 64 pixels overlap by half; a part of the two teaching patches chooses the
epoch. Beside the U-Net stand the training mean, linear regression and gradient boosting of the same pixels.

Prints one row a method and patch (networks: the mean over seeds), and the means over patches.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
import torch

from headscarp.checkpoint import read_checkpoint
from headscarp.chips.options import CutOptions, SplitOptions
from headscarp.chips.store import ChipStore, open_store
from headscarp.config import ChipEventOptions
from headscarp.evaluate.intervals import IntervalOptions
from headscarp.features.sets import normalise
from headscarp.pipeline.chips.run import choose_split, make_chips
from headscarp.pipeline.evaluate.table import markdown
from headscarp.pipeline.provenance import source_commit
from headscarp.predict.ground import HeldGround, hold_ground
from headscarp.predict.values import ValuePredictor
from headscarp.split import SplitFile
from headscarp.studies.sar2ndvi.score import FIGURES, figures_of, sum_errors
from headscarp.train.baselines import BASELINES, fit_baseline
from headscarp.train.options import FitOptions, NetworkChoice
from headscarp.train.run import train

PATCHES: dict[str, Literal["ascending", "descending"]] = {
    "282D_485L_3_3": "descending",
    "38D_378R_2_3": "ascending",
    "433D_629L_3_1": "ascending",
}
"""Orbit states follow from the local time of day of the passes (UTC and longitude): about 6 or 18 hours."""
SEEDS = (0, 1, 2)
FEATURES = "ndvi9_11"
TEACHING = CutOptions(features=FEATURES, target="ndvi", size_px=64, stride_px=32)
WHOLE = CutOptions(features=FEATURES, target="ndvi", size_px=224, stride_px=224)
FIT = FitOptions(
    loss="l1_ssim_gradient", batch_size=4, learning_rate=0.002, schedule="cosine", epochs=60, patience=60
)
Figures = dict[str, float]


def main() -> None:
    """Cut, train, judge in rotation, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder sar_ndvi_patches")
    parser.add_argument("--out", type=Path, required=True, help="where everything is kept")
    given = parser.parse_args()
    out: Path = given.out
    events = {name: described(given.data, name, out / "events" / name) for name in PATCHES}
    every = make_chips(list(events.values()), TEACHING, out / "chips.zarr")
    rows = [row for name in PATCHES for row in judged(name, events[name], every, out)]
    sys.stdout.write(markdown(table(rows)))


def judged(
    name: str, event: ChipEventOptions, every: ChipStore, out: Path
) -> Iterator[tuple[str, str, Figures]]:
    """Figures of every method on a patch that none of them has seen: patch, method, figures."""
    path = out / f"{name}.zarr"
    ground = hold_ground(open_store(path) if path.exists() else make_chips([event], WHOLE, path))
    # the test patch as the store's test event: what is left teaches, but a part of it that chooses the epoch
    split = choose_split(
        every,
        SplitOptions(
            method="blocks", shares=(0.75, 0.25, 0.0), block_m=1120.0, buffer_m=0.0, test_events=(name,)
        ),
    )
    for baseline in BASELINES:
        fitted = fit_baseline(baseline, every, split)
        yield name, baseline, figures(ground, fitted.predict(fitted.normaliser(ground.x)))
    for seed in SEEDS:
        yield (
            name,
            "unet",
            figures(ground, by_network(every, split, seed, ground, out / f"{name}_seed{seed}")),
        )


def by_network(store: ChipStore, split: SplitFile, seed: int, ground: HeldGround, folder: Path) -> Any:
    """Train a U-Net, or go on, and predict a patch."""
    choice = NetworkChoice(network="unet", filters=16, head="regression")
    train(store, split, choice, FIT.model_copy(update={"seed": seed}), folder, commit=source_commit())
    predictor = ValuePredictor(read_checkpoint(folder / "best.safetensors"))
    task = predictor.checkpoint.card.task
    mean, std = (np.array(own, dtype=np.float32) for own in (task.mean, task.std))
    return predictor.predict(normalise(ground.x, task.features, mean, std))


def figures(ground: HeldGround, predicted: Any) -> Figures:
    """Errors on a patch, where radar has a value."""
    if ground.target is None:
        raise ValueError("a ground without NDVI")
    seen = np.where(np.isfinite(ground.x).any(axis=0), predicted, np.float32(np.nan))
    options = IntervalOptions()
    found = figures_of(sum_errors(seen, ground.target, ground.geobox, {}, options), options)
    return {name: found[name] for name in FIGURES}


def described(data: Path, name: str, folder: Path) -> ChipEventOptions:
    """Event of a patch: its pass twelve days early and as it was, a day between them, its NDVI after."""
    source = data / "S1RTC" / f"{name}.tif"
    with rasterio.open(source) as file:
        taken = datetime.fromisoformat(file.tags()["datetime"][:19]).replace(tzinfo=UTC)
    folder.mkdir(parents=True, exist_ok=True)
    for moment in (taken - timedelta(days=12), taken):
        shutil.copyfile(source, folder / f"S1_{moment:%Y%m%dT%H%M%S}.tif")
    return ChipEventOptions.model_validate(
        {
            "name": name,
            "scenes": [folder],
            "ingest": {
                "scale": "db",
                "orbit_state": PATCHES[name],
                "relative_orbit": 1,
                "bands": ["VV", "VH"],
            },
            "event": {"date": f"{taken - timedelta(days=6):%Y-%m-%d}"},
            "terrain": {"dem": data / "DEM" / f"{name}.tif"},
            "ndvi_post": data / "NDVI" / f"{name}.tif",
        }
    )


def table(rows: list[tuple[str, str, Figures]]) -> tuple[list[str], list[list[str]]]:
    """One row a patch and method, of networks mean and span over seeds; then means over patches."""
    methods = list(dict.fromkeys(method for _, method, _ in rows))
    body = []
    for patch in (*PATCHES, "mean"):
        for method in methods:
            own = [found for name, label, found in rows if label == method and patch in (name, "mean")]
            body.append([patch, method, *(told([one[figure] for one in own], patch) for figure in FIGURES)])
    return ["patch", "method", *FIGURES], body


def told(values: list[float], patch: str) -> str:
    """Mean, and the span where there are several of one patch."""
    mean = f"{np.mean(values):.3f}"
    spread = len(values) > 1 and patch != "mean"
    return f"{mean} ({min(values):.3f} to {max(values):.3f})" if spread else mean


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
