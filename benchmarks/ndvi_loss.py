"""Loss of predicted NDVI as a detector of landslides, beside detectors of backscatter, on a simulated event.

Run with ``python -m benchmarks.ndvi_loss --out DIR``; what is done in DIR is not done again, and events and
detectors of ``benchmarks.trained`` in the same folder are used. ``ndvi_loss.yaml`` beside this file fixes
the seeds. A network learns NDVI from two events and chooses its epoch on a third. Its loss from before to
after the event, alone and with the loss of backscatter, maps the validation event, whose best F1 sets the
threshold, and then the test event. Prints the table of ``headscarp compare``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.trained import CHECKPOINT, begin, evaluating, mapping, once, print_comparison, trained
from headscarp.evaluate.files import METRICS_JSON
from headscarp.run_folder import RUN_JSON
from headscarp.validation import read_validation

CONFIG = Path(__file__).with_suffix(".yaml")
NETWORK, BESIDE = "unet", "fusion"


def main() -> None:
    """Simulate, train, map, evaluate, compare, print."""
    plan, out, events, detections = begin(str(__doc__), CONFIG)
    chosen, test, folders = events[plan["validation_seed"]], events[plan["test_seed"]], list(detections)
    for seed in plan["seeds"]:
        folder, record = trained(out, NETWORK, seed, plan, events)
        sys.stdout.write(f"NDVI of validation chips, seed {seed}: {record.metrics}\n")
        for name, with_backscatter in (("ndvi-loss", False), ("ndvi-loss and backscatter", True)):
            options = {"detect.detector": folder / CHECKPOINT, "detect.with_backscatter": with_backscatter}
            folders.append(mapped_by_loss(out, name, seed, options, chosen, test))
    print_comparison(folders, out / "comparison_ndvi_loss")


def mapped_by_loss(
    out: Path, name: str, seed: int, options: dict[str, Any], validation: Path, test: Path
) -> Path:
    """Evaluation on the test event, at the threshold of best F1 on the validation event."""
    place = f"{name.replace(' ', '_')}_seed{seed}"

    def choose(folder: Path) -> None:
        run = once(out / "runs" / f"{place}_validation", RUN_JSON, mapping(validation, options))
        evaluating(run, validation, name, seed)(folder)

    best = read_validation(once(out / "validation" / place, METRICS_JSON, choose)).threshold
    run = once(out / "runs" / place, RUN_JSON, mapping(test, {**options, "polygons.threshold": best}))
    # NDVI fills isolated gaps of the radar: without the other, differences would not be of one ground
    judge = evaluating(run, test, name, seed, {BESIDE: out / "runs" / BESIDE})
    return once(out / "evaluations" / place, METRICS_JSON, judge)


if __name__ == "__main__":
    main()
