"""The few weights of the fusion detector, by logistic regression on simulated events.

Run with ``python -m benchmarks.fusion_weights [--write]``. Events of other seeds than any that is reported
are simulated, at 10 m and at 30 m; each is looked at with all dates, with the first of each orbit, and with
the first pass alone. The terms of
:mod:`headscarp.detect.fusion` are regressed on the exact label, every state of knowledge weighing the same.
``--write`` puts the weights and where they come from into ``src/headscarp/detect/fusion.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

import headscarp as hs
from headscarp.detect.fusion import FittedFusion, Fusion, Terms, Weights
from headscarp.features.change import Change, Split, change_of_stacks, split_dates
from headscarp.features.terrain import TerrainOptions
from headscarp.geometry.incidence import NOMINAL_INCIDENCE_DEG, grid_look_azimuth_deg
from headscarp.geometry.observable import observable
from headscarp.grid import spacing_m
from headscarp.pipeline.provenance import source_commit
from headscarp.simulate.options import SimulateOptions
from headscarp.vocabulary import OrbitState

EVENTS = (
    *(SimulateOptions(seed=seed) for seed in (20, 21, 22, 23)),
    *(SimulateOptions(seed=seed, spacing_m=30.0, size_px=384) for seed in (24, 25)),
)
WEIGHTS_JSON = Path(__file__).parent.parent / "src/headscarp/detect/fusion.json"
Floats = NDArray[np.float64]


class Rows(NamedTuple):
    """Terms and label of pixels."""

    terms: Floats
    label: Floats


def main() -> None:
    """Simulate, regress, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the weights that the package ships")
    write = parser.parse_args().write
    both: list[Rows] = []
    alone: list[Rows] = []
    for options in EVENTS:
        for change, label in states(options):
            both.append(rows(change, label, ("VV", "VH")))
            alone.append(rows(change, label, ("VV",)))
        sys.stderr.write(f"seed {options.seed}\n")
    # the columns of `columns` with and without VH
    with_vh, without = regress(both), regress([Rows(r.terms[:, 2:], r.label) for r in alone])
    weights = Weights(*(round(float(w), 3) for w in (*with_vh, *without)))
    found = {
        "weights": weights._asdict(),
        "provenance": {
            "command": "python -m benchmarks.fusion_weights --write",
            "commit": str(source_commit()),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "events": ", ".join(f"seed {o.seed} at {o.spacing_m:g} m" for o in EVENTS),
            "states": "all dates, the first of each orbit, the first pass alone",
        },
    }
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    if write:
        WEIGHTS_JSON.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def states(options: SimulateOptions) -> Iterator[tuple[Change, NDArray[np.uint8]]]:
    """The change of an event in three states of knowledge, and its label."""
    event = hs.simulate_event(options)
    when = hs.Event.from_options(event.event_options)
    stacks = {label: stack.load() for label, stack in event.stacks.items()}
    whole = {label: split_dates(stack, when) for label, stack in stacks.items()}
    first = {label: Split(split.pre, split.post[:1]) for label, split in whole.items()}
    soonest = min(first, key=lambda label: stacks[label]["time"].values[first[label].post[0]])
    ascending, descending = (grid_look_azimuth_deg(event.geobox, state) for state in OrbitState)
    seen = observable(
        event.ground.height_m, spacing_m(event.geobox), ascending, descending, NOMINAL_INCIDENCE_DEG
    )
    slope = event.ground.slope_deg.astype(np.float32)
    for splits in (whole, first, {soonest: first[soonest]}):
        change = change_of_stacks(stacks, splits, Fusion().needs)
        ground = {"slope_deg": slope, "observable": seen, "counted": slope >= TerrainOptions().min_slope_deg}
        yield change.assign({name: (("y", "x"), values) for name, values in ground.items()}), event.label


def rows(change: Change, label: NDArray[np.uint8], polarizations: tuple[str, ...]) -> Rows:
    """Terms of the counted, observed pixels, from a fusion fitted on these polarisations."""
    part: xr.Dataset = change.sel(polarization=list(polarizations))
    fitted: FittedFusion = Fusion().fit(part)
    terms = fitted.evidence.terms(part)
    kept = change["counted"].values & terms.seen
    return Rows(columns(terms)[kept], label[kept].astype(np.float64))


def columns(terms: Terms) -> Floats:
    """What the weights multiply, in their order."""
    parts = (terms.vh, terms.vegetated * terms.vh, np.abs(terms.vv), terms.vv, terms.slope)
    return np.stack(parts, axis=-1).astype(np.float64)


def regress(parts: list[Rows]) -> Floats:
    """Coefficients of a logistic regression without its constant, each part weighing the same."""
    x = np.concatenate([part.terms for part in parts])
    y = np.concatenate([part.label for part in parts])
    weight = np.concatenate([np.full(len(part.label), 1.0 / len(part.label)) for part in parts])
    x = np.concatenate([np.clip(x, -CLIP, CLIP), np.ones((len(x), 1))], axis=1)

    def loss(beta: Floats) -> tuple[float, Floats]:
        eta = x @ beta
        value = float(weight @ (np.logaddexp(0.0, eta) - y * eta))
        return value, x.T @ (weight * (expit(eta) - y))

    start = np.append(np.zeros(x.shape[1] - 1), -4.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B")
    return np.asarray(found.x[:-1])


CLIP = 12.0
"""Terms beyond this say no more: a lake whose wind drops is not ten times a landslide."""


if __name__ == "__main__":
    main()
