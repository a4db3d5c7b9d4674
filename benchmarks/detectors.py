"""Every detector on simulated events and a real stack with planted landslides, from all passes and the first.

Run with ``python -m benchmarks.detectors --scenes FOLDER_OF_T137 --shapes INVENTORY``; docs/measured.md has
it in full.

Real: the pseudo-event 2023-11-12 of OPERA RTC-S1 track 137, into which outlines of an inventory are planted
(0.3 to 10 ha, VH −3 ± 1 dB, VV −0.5 ± 2 dB), in several rounds; two bursts choose, the other two report.
Simulated: seeds that no weight was set on. Printed for each detector: average precision with a 95% interval
over blocks of ground (all rounds of a block are drawn together), recall by size at the threshold that shows
50 false alarms per 100 km² on the same ground without landslides, and the calibration of its probability.
``--speed`` prints what a map costs instead.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rasterio.features import rasterize
from skimage.measure import label as label_regions

import headscarp as hs
from headscarp.config import load_options
from headscarp.detect.options import DetectOptions, make_detector
from headscarp.detect.protocol import Detector
from headscarp.detect.sample import COUNTED
from headscarp.features.change import Change, Split, change_of_stacks, split_dates
from headscarp.features.moments import COVARIANCE, MOMENTS
from headscarp.features.terrain import TerrainOptions
from headscarp.geometry.incidence import NOMINAL_INCIDENCE_DEG, grid_look_azimuth_deg
from headscarp.geometry.observable import observable
from headscarp.grid import spacing_m
from headscarp.inject.options import PlantOptions
from headscarp.inject.plant import change_column, factor_of
from headscarp.inject.shapes import read_shapes
from headscarp.pipeline.inject.ground import draw_planting
from headscarp.pipeline.map.plan import make_plan
from headscarp.pipeline.stages import Stages
from headscarp.polygons import PolygonOptions
from headscarp.simulate.options import SimulateOptions
from headscarp.simulate.zones import Zones, rasterise
from headscarp.vocabulary import OrbitState

DETECTORS: dict[str, DetectOptions] = {
    "log-ratio, each pixel": DetectOptions(detector="log-ratio", windows_px=(1,)),
    "log-ratio, 3 × 3 mean": DetectOptions(detector="log-ratio", windows_px=(3,)),
    "log-ratio": DetectOptions(detector="log-ratio"),
    "log-ratio, losses only": DetectOptions(detector="log-ratio", direction="loss"),
    "t-test": DetectOptions(detector="t-test"),
    "mahalanobis": DetectOptions(detector="mahalanobis"),
    "cusum": DetectOptions(detector="cusum"),
    "fusion": DetectOptions(detector="fusion"),
    "log-ratio, despeckled": DetectOptions(detector="log-ratio", despeckle=True),
    "fusion, despeckled": DetectOptions(detector="fusion", despeckle=True),
}
HALVES = {"choosing half": ("292319", "292320"), "reporting half": ("292321", "292323")}
SIZES_HA = (0.3, 0.5, 1.0, 3.0, 10.0)
A_ROUND = 20
SEEDS = (8, 9, 10)
RATE_PER_100KM2 = 50.0
FOUND_SHARE = 0.1
BLOCK_PX = {10.0: 128, 30.0: 34}
"""Side of a block of ground, about a kilometre, by pixel spacing in metres."""
DRAWS = 500
BINS = 4000
CALIBRATION_BINS = 10
TURNS = 2
FIELDS = ("change_db", *MOMENTS, COVARIANCE)


class Ground(NamedTuple):
    """A change with its truth, and the same ground without landslides."""

    change: Change
    untouched: Change
    landslides: NDArray[np.int32]
    """Number of the landslide from 1, 0 elsewhere, by the middle of the pixel."""
    areas_m2: NDArray[np.float64]
    block: NDArray[np.int64]
    pixel_m2: float


@dataclass
class Score:
    """What one detector makes of some grounds."""

    score: NDArray[np.float64]
    label: NDArray[np.bool_]
    block: NDArray[np.int64]
    probability: NDArray[np.float64]
    sizes_m2: NDArray[np.float64]
    found: NDArray[np.bool_]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=Path, required=True, help="folder of the T137 scenes")
    parser.add_argument("--shapes", type=Path, required=True, help="inventory whose outlines are planted")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--speed", action="store_true", help="print what a map costs instead")
    options = parser.parse_args()
    if options.speed:
        sys.stdout.write(speed_table())
        return
    for state in ("all passes", "the first pass of each orbit"):
        first = state != "all passes"
        for half, bursts in HALVES.items():
            grounds = list(planted_grounds(options.scenes, bursts, options.shapes, options.rounds, first))
            sys.stdout.write(table(f"T137, {half}, {state}", grounds))
        sys.stdout.write(table(f"Simulated, seeds {SEEDS}, {state}", list(simulated_grounds(first))))
        sys.stdout.flush()


def planted_grounds(
    scenes: Path, bursts: tuple[str, ...], shapes: Path, rounds: int, first: bool
) -> Iterator[Ground]:
    """The pseudo-event on some bursts, planted anew in each round."""
    paths = sorted(path for burst in bursts for path in scenes.glob(f"*{burst}*.tif"))
    windows = {"event.pre": ("2023-10-01", "2023-11-11"), "event.post": ("2023-11-13", "2023-12-31")}
    plan = make_plan(load_options(None, {"scenes": paths, "event.date": "2023-11-12", **windows}))
    splits = {label: Split(s.pre, s.post[:1] if first else s.post) for label, s in plan.splits.items()}
    stacks = {label: stack.load() for label, stack in plan.stacks.items()}
    whole = change_of_stacks(stacks, splits, FIELDS)
    near = [near_data(whole, dim) for dim in ("y", "x")]
    untouched = counted(whole.isel(y=near[0], x=near[1]))
    outlines = read_shapes(shapes)
    block = blocks(plan.geobox.shape, BLOCK_PX[30.0])[np.ix_(*near)]
    for seed in range(rounds):
        options = PlantOptions(seed=seed, landslides=A_ROUND, sizes_ha=SIZES_HA)
        inventory = draw_planting(plan, options, outlines, Stages()).inventory
        zones = rasterise(list(inventory.geometry), plan.geobox)
        changed = {label: plant(stack, splits[label], zones, inventory) for label, stack in stacks.items()}
        numbers = number_landslides(inventory, plan.geobox)[np.ix_(*near)]
        change = counted(change_of_stacks(changed, splits, FIELDS).isel(y=near[0], x=near[1]))
        areas = inventory["area_m2"].to_numpy(dtype=np.float64)
        yield Ground(change, untouched, numbers, areas, block, 900.0)


def near_data(change: Change, dim: str) -> NDArray[np.intp]:
    """Rows or columns within the reach of any detector of one that was observed: bursts lie far apart."""
    others = [name for name in change["change_db"].dims if name != dim]
    seen = change["change_db"].notnull().any(others).values
    reach = make_detector(DETECTORS["fusion, despeckled"]).halo_px
    return np.flatnonzero(np.convolve(seen, np.ones(2 * reach + 1), mode="same") > 0)


def plant(stack: xr.Dataset, split: Split, zones: Zones, inventory: gpd.GeoDataFrame) -> xr.Dataset:
    """A stack with landslides in its dates after the event."""
    out = stack.copy(deep=True)
    for pol in out.data_vars:
        column = change_column("VH" if pol == "VH" else "VV")
        factor = factor_of(zones, inventory[column].to_numpy(dtype=np.float64))
        out[pol].values[list(split.post)] *= factor.astype(np.float32)
    return out


def simulated_grounds(first: bool) -> Iterator[Ground]:
    """Simulated events, each beside itself without its landslides."""
    for seed in SEEDS:
        event = hs.simulate_event(SimulateOptions(seed=seed))
        quiet = hs.simulate_event(SimulateOptions(seed=seed, landslides=0))
        changes = [simulated_change(one, first) for one in (event, quiet)]
        numbers = number_landslides(event.inventory, event.geobox)
        areas = event.inventory["area_m2"].to_numpy(dtype=np.float64)
        block = blocks(numbers.shape, BLOCK_PX[10.0]) + 10_000 * seed
        yield Ground(changes[0], changes[1], numbers, areas, block, 100.0)


def simulated_change(event: hs.SimulatedEvent, first: bool) -> Change:
    """Change of a simulated event, with what its DEM tells."""
    when = hs.Event.from_options(event.event_options)
    stacks = {label: stack.load() for label, stack in event.stacks.items()}
    whole = {label: split_dates(stack, when) for label, stack in stacks.items()}
    splits = {label: Split(s.pre, s.post[:1] if first else s.post) for label, s in whole.items()}
    ascending, descending = (grid_look_azimuth_deg(event.geobox, state) for state in OrbitState)
    heights, spacing = event.ground.height_m, spacing_m(event.geobox)
    seen = observable(heights, spacing, ascending, descending, NOMINAL_INCIDENCE_DEG)
    slope = event.ground.slope_deg.astype(np.float32)
    ground = {"slope_deg": slope, "observable": seen}
    change = change_of_stacks(stacks, splits, FIELDS).assign({n: (("y", "x"), v) for n, v in ground.items()})
    return counted(change, slope >= TerrainOptions().min_slope_deg)


def counted(change: Change, open_ground: NDArray[np.bool_] | None = None) -> Change:
    """The change with the pixels that count."""
    seen = np.isfinite(change["change_db"].transpose(..., "y", "x").values).any(axis=(0, 1))
    return change.assign({COUNTED: (("y", "x"), seen if open_ground is None else seen & open_ground)})


def number_landslides(inventory: gpd.GeoDataFrame, geobox: object) -> NDArray[np.int32]:
    """Number of each landslide on the grid, by the middle of the pixel."""
    shapes = [(outline, number) for number, outline in enumerate(inventory.geometry, start=1)]
    shape, transform = geobox.shape, geobox.transform  # type: ignore[attr-defined]
    return np.asarray(rasterize(shapes, out_shape=tuple(shape), transform=transform, dtype="int32"))


def blocks(shape: Sequence[int], side_px: int) -> NDArray[np.int64]:
    """Number of the block of ground of each pixel."""
    rows, cols = (np.arange(length) // side_px for length in shape)
    return np.asarray(rows[:, None] * 100 + cols[None, :], dtype=np.int64)


def table(title: str, grounds: list[Ground]) -> str:
    """Rows of all detectors in Markdown."""
    sizes = [f"{size:g}" for size in SIZES_HA]
    classes = [*(f"≤ {size} ha" for size in sizes), f"> {sizes[-1]} ha"]
    head = "| detector | average precision | × log-ratio, each pixel | found: " + " | ".join(classes)
    lines = [f"\n{title}\n", head + " | probability / truth | ECE |", "|---" * (head.count("|") + 2) + "|"]
    results = {name: run(make_detector(options), grounds) for name, options in DETECTORS.items()}
    plain = bootstrap(next(iter(results.values())))
    for name, result in results.items():
        own = bootstrap(result)
        cells = [name, interval(own), interval(own / plain), recalls(result), calibration(result)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def run(detector: Detector, grounds: list[Ground]) -> Score:
    """Score of every counted pixel, and which landslides are found at the stated rate of false alarms."""
    parts: list[Score] = []
    thresholds: dict[int, float] = {}
    for ground in grounds:
        key = id(ground.untouched)
        if key not in thresholds:
            thresholds[key] = threshold_of(probability_of(detector, ground.untouched), ground.pixel_m2)
        probability = probability_of(detector, ground.change)
        seen = np.isfinite(probability)
        hit = np.bincount(
            ground.landslides[seen & (probability >= thresholds[key])], minlength=len(ground.areas_m2) + 1
        )
        size = np.bincount(ground.landslides.ravel(), minlength=len(ground.areas_m2) + 1)
        observed = size[1:] > 0
        parts.append(
            Score(
                score=probability[seen].astype(np.float64),
                label=ground.landslides[seen] > 0,
                block=ground.block[seen],
                probability=probability[seen].astype(np.float64),
                sizes_m2=ground.areas_m2[observed],
                found=hit[1:][observed] >= np.maximum(FOUND_SHARE * size[1:][observed], 1),
            )
        )
    return Score(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Score.__dataclass_fields__)
    )


def probability_of(detector: Detector, change: Change) -> NDArray[np.float32]:
    """Probability on the counted pixels, from a fit on them; NaN elsewhere."""
    fitted = detector.fit(change)
    probability = fitted.probability(fitted.score(change)).values
    return np.where(change[COUNTED].values, probability, np.nan).astype(np.float32)


def threshold_of(probability: NDArray[np.float32], pixel_m2: float) -> float:
    """Lowest threshold with at most the stated rate of objects, of the least area that is drawn."""
    least_px = PolygonOptions().min_area_m2 / pixel_m2
    allowed = RATE_PER_100KM2 * np.isfinite(probability).sum() * pixel_m2 / 1e8
    low, high = -4.0, 14.0
    for _ in range(24):
        middle = (low + high) / 2.0
        flagged = np.nan_to_num(probability) >= 1.0 / (1.0 + np.exp(-middle))
        regions = label_regions(flagged, connectivity=2)  # type: ignore[no-untyped-call]
        objects = int((np.bincount(regions.ravel())[1:] >= least_px).sum())
        low, high = (low, middle) if objects <= allowed else (middle, high)
    return float(1.0 / (1.0 + np.exp(-high)))


def bootstrap(result: Score) -> NDArray[np.float64]:
    """Average precision of the whole first, then of draws of blocks; the same draws for every detector."""
    order = np.argsort(-result.score, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) * BINS // len(order)
    # equal scores share a bin
    sorted_scores = result.score[order]
    starts = np.flatnonzero(np.r_[True, sorted_scores[1:] != sorted_scores[:-1]])
    group = np.repeat(rank[order[starts]], np.diff(np.r_[starts, len(order)]))
    rank[order] = group
    names, block = np.unique(result.block, return_inverse=True)
    counts = np.zeros((2, len(names), BINS))
    np.add.at(counts, (result.label.astype(np.intp), block, rank), 1.0)
    rng = np.random.default_rng(0)
    draws = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=DRAWS)
    weights = np.concatenate([np.ones((1, len(names))), draws])
    false, true = (np.cumsum(weights @ counts[k], axis=1) for k in (0, 1))
    precision = true / np.maximum(true + false, 1.0)
    gained = np.diff(true, axis=1, prepend=0.0) / np.maximum(true[:, -1:], 1.0)
    return np.asarray((precision * gained).sum(axis=1))


def interval(values: NDArray[np.float64]) -> str:
    """Value of the whole, and the middle 95% of the draws."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return f"{values[0]:.3f} [{low:.3f}, {high:.3f}]"


def recalls(result: Score) -> str:
    """Landslides found of those there, by size, with Wilson intervals."""
    edges = np.array([0.0, *SIZES_HA, np.inf]) * 1e4
    cells = []
    for low, high in pairwise(edges):
        inside = (result.sizes_m2 > low * 1.001) & (result.sizes_m2 <= high * 1.001)
        n, k = int(inside.sum()), int(result.found[inside].sum())
        cells.append(f"{k}/{n} [{wilson(k, n)}]" if n else "–")
    return " | ".join(cells)


def wilson(k: int, n: int) -> str:
    """95% interval of a share, in per cent."""
    z2, p = 1.96**2, k / n
    middle, half = p + z2 / (2 * n), 1.96 * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + z2 / n) * 100 for sign in (-1, 1))
    return f"{max(low, 0):.0f}, {min(high, 100):.0f}%"


def calibration(result: Score) -> str:
    """Mean probability over the share of landslides, and the expected calibration error."""
    bins = np.minimum((result.probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gap = [
        abs(result.probability[bins == k].sum() - result.label[bins == k].sum())
        for k in range(CALIBRATION_BINS)
    ]
    return f"{result.probability.mean() / result.label.mean():.2f} | {sum(gap) / len(bins):.4f}"


def speed_table() -> str:
    """Seconds of the stages of a map for each detector, side by side, on one simulated event."""
    lines = ["| detector | seconds a Mpx and date | × log-ratio, each pixel |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        event = Path(folder) / "event"
        hs.run_simulate(SimulateOptions(seed=8), event)
        costs: dict[str, list[float]] = {name: [] for name in DETECTORS}
        for turn in range(TURNS):
            for name, detect in DETECTORS.items():
                values = {
                    "scenes": [event],
                    **{f"detect.{k}": v for k, v in detect.model_dump(exclude_unset=True).items()},
                }
                record = hs.run_map(load_options(None, values), Path(folder) / f"run{turn}", overwrite=True)
                dates = sum(len(orbit.pre_utc) + len(orbit.post_utc) for orbit in record.orbits)
                spent = sum(s.seconds for s in record.stages if s.name in ("change", "fit", "map"))
                costs[name].append(spent / (record.grid.height_px * record.grid.width_px / 1e6) / dates)
    plain = np.median(costs["log-ratio, each pixel"])
    for name, own in costs.items():
        ratio = np.median(np.array(own) / np.array(costs["log-ratio, each pixel"]))
        lines.append(f"| {name} | {np.median(own):.2f} | {ratio:.2f} |")
    return "\n".join(lines) + f"\n\nOf {plain:.2f} s: reading, change, fit and map; two cores.\n"


if __name__ == "__main__":
    main()
