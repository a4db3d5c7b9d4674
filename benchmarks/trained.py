"""Trained networks against detectors without labels, on a simulated event that neither has seen.

Run with ``python -m benchmarks.trained --out DIR``; what is done in DIR is not done again. ``trained.yaml``
beside this file fixes the seeds of the events and of the trainings. Networks take epoch, threshold and
temperature from the validation event, detectors threshold and temperature (``headscarp evaluate``,
``--validation``). Each maps the test event by ``headscarp map``; all are evaluated on the same ground. Prints
the table of ``headscarp compare``, with intervals over blocks for one run, and mean and spread over seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

import headscarp as hs
from headscarp.config import TrainOptions, load, load_chips_options
from headscarp.evaluate.files import METRICS_JSON
from headscarp.evaluate.options import EvaluateOptions
from headscarp.pipeline.evaluate.compare import run_compare
from headscarp.pipeline.evaluate.run import run_evaluate
from headscarp.pipeline.evaluate.table import compared_rows, difference_rows, markdown
from headscarp.pipeline.train import run_train
from headscarp.run_folder import RUN_JSON
from headscarp.simulate.options import SimulateOptions
from headscarp.train.record import TrainRecord

CONFIG = Path(__file__).with_suffix(".yaml")
CHECKPOINT = "best.safetensors"


class Begun(NamedTuple):
    """A comparison as far as it needs no network."""

    plan: dict[str, Any]
    out: Path
    events: dict[int, Path]
    """Folders by seed."""
    detected: list[Path]
    """Evaluations of the detectors on the test event."""


def main() -> None:
    """Simulate, train, map, evaluate, compare, print."""
    plan, out, events, detections = begin(str(__doc__), CONFIG)
    test, folders, trainings = events[plan["test_seed"]], list(detections), []
    for name in plan["networks"]:
        for seed in plan["seeds"]:
            folder, record = trained(out, name, seed, plan, events)
            trainings.append(record)
            folders.append(mapped_by_network(out, name, seed, folder / CHECKPOINT, test))
    print_comparison(folders, out / "comparison")
    sys.stdout.write(markdown(training_rows(trainings)))


def begin(description: str, config: Path) -> Begun:
    """Read arguments and plan, simulate the events, map and evaluate by the detectors."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--config", type=Path, default=config)
    given = parser.parse_args()
    plan: dict[str, Any] = yaml.safe_load(given.config.read_text(encoding="utf-8"))
    out: Path = given.out
    seeds = [*plan["train_seeds"], plan["validation_seed"], plan["test_seed"]]
    events = {seed: simulated(out, seed, plan["size_px"]) for seed in seeds}
    chosen, test = events[plan["validation_seed"]], events[plan["test_seed"]]
    return Begun(plan, out, events, [detected(out, name, chosen, test) for name in plan["detectors"]])


def print_comparison(folders: list[Path], out: Path) -> None:
    """Compare evaluations into a folder and print its tables."""
    comparison = run_compare(folders, out, overwrite=True)
    sys.stdout.write(markdown(compared_rows(comparison)) + "\n")
    sys.stdout.write(markdown(difference_rows(comparison)) + "\n")


def simulated(out: Path, seed: int, size_px: int) -> Path:
    """Folder of the event of a seed, simulated if it is not there."""
    folder = out / "events" / f"seed{seed}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        hs.run_simulate(SimulateOptions(seed=seed, size_px=size_px), folder)
    return folder


def trained(
    out: Path, name: str, seed: int, plan: dict[str, Any], events: dict[int, Path]
) -> tuple[Path, TrainRecord]:
    """Train a network, or go on; its folder and record."""
    validation = events[plan["validation_seed"]]
    training = [events[number] for number in plan["train_seeds"]]
    overrides = {
        "store": out / plan.get("store", "chips.zarr"),
        "split.method": "events",
        "split.validation_events": [validation.name],
        "network.network": name,
        "train.seed": seed,
    }
    folder = out / "networks" / f"{plan.get('prefix', '')}{name}_seed{seed}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    config = folder.with_suffix(".yaml")
    entries = [{"scenes": [str(event.resolve())]} for event in (*training, validation)]
    config.write_text(yaml.safe_dump({**plan["options"], "events": entries}), encoding="utf-8")
    record = run_train(load_chips_options(TrainOptions, config, overrides), folder)
    best = record.best
    sys.stderr.write(f"{name} seed {seed}: {best.name} {best.value} at epoch {record.best_epoch}\n")
    return folder, record


def detected(out: Path, name: str, validation: Path, test: Path) -> Path:
    """Evaluation of a detector on the test event, its threshold and temperature from the validation event."""
    chosen = out / "validation" / name

    def choose(folder: Path) -> None:
        run = once(
            out / "runs" / f"{name}_validation", RUN_JSON, mapping(validation, {"detect.detector": name})
        )
        evaluating(run, validation, name, None)(folder)

    once(chosen, METRICS_JSON, choose)
    options = {"detect.detector": name, "detect.validation": chosen}
    run = once(out / "runs" / name, RUN_JSON, mapping(test, options))
    return once(out / "evaluations" / name, METRICS_JSON, evaluating(run, test, name, None))


def mapped_by_network(out: Path, name: str, seed: int, checkpoint: Path, test: Path) -> Path:
    """Evaluation of a network on the test event."""
    place = f"{name}_seed{seed}"
    run = once(out / "runs" / place, RUN_JSON, mapping(test, {"detect.detector": checkpoint}))
    return once(out / "evaluations" / place, METRICS_JSON, evaluating(run, test, name, seed))


def once(folder: Path, marker: str, make: Callable[[Path], Any]) -> Path:
    """Make a folder, unless it holds what it should."""
    if not (folder / marker).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        make(folder)
    return folder


def mapping(event: Path, overrides: dict[str, Any]) -> Callable[[Path], Any]:
    """Map an event with options into a folder."""
    return lambda folder: hs.run_map(hs.load_options(None, {"scenes": [event], **overrides}), folder)


def evaluating(
    run: Path, event: Path, name: str, seed: int | None, beside: dict[str, Path] | None = None
) -> Callable[[Path], Any]:
    """Evaluate a run against the truth of its event into a folder, where runs beside it have values, too."""
    ground = {
        "prediction": run,
        "truth": [event / "inventory.gpkg"],
        "event": event.name,
        "baselines": beside or {},
    }
    values = {"grounds": [ground], "name": name, "seed": seed}
    return lambda folder: run_evaluate(load(EvaluateOptions, None, values), folder)


def training_rows(records: list[TrainRecord]) -> tuple[list[str], list[list[str]]]:
    """What each training was, for the table."""
    head = ["network", "parameters", "best epoch", "validation F1 at 0.5", "seconds", "chips/s"]
    body = [
        [
            record.network,
            f"{record.parameters:,}",
            f"{record.best_epoch} of {record.epochs}",
            "—" if record.best_f1 is None else f"{record.best_f1:.3f}",
            f"{record.seconds:.0f}",
            f"{record.chips_per_s:.1f}",
        ]
        for record in records
    ]
    return head, body


if __name__ == "__main__":
    main()
