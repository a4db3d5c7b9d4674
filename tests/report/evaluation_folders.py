"""Evaluation folders with a known content, in the formats of a real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from scipy import ndimage
from scipy.special import expit
from shapely.geometry import shape

from headscarp.evaluate import tally as tl
from headscarp.evaluate.confusion import OUTCOMES, pixel_metrics
from headscarp.evaluate.curves import (
    TOLERANCE,
    ScoreHistogram,
    count_scores,
    curve_points,
    fewer_edges,
    finer_edges,
)
from headscarp.evaluate.frequency_area import fit_inverse_gamma, frequency_area
from headscarp.evaluate.intervals import IntervalOptions, draw_blocks, paired_difference
from headscarp.evaluate.landslides import landslide_counts
from headscarp.evaluate.matching import Matched, MatchOptions, match_landslides
from headscarp.evaluate.options import NO_LANDSLIDE, SLOPE
from headscarp.evaluate.record import BlocksRecord, Evaluation, GroundRecord, ThresholdRecord
from headscarp.evaluate.reliability import reliability_curve
from headscarp.evaluate.result import HEADLINES, MethodResult, as_tree, confusion_of, intervals_of, plain
from headscarp.evaluate.strata import FACINGS, SLOPE_NAMES, Stratum

CRS, SPACING = "EPSG:32654", 10.0
BLOCK_PX = 50
BINS = 128
DRAWS = IntervalOptions(replicates=100)


@dataclass(frozen=True)
class Spec:
    """What the fake evaluation is like."""

    grounds: tuple[str, ...] = ("Iburi 2018",)
    shape: tuple[int, int] = (300, 400)
    landslides: int = 60
    threshold: float | None = 0.5
    baselines: Mapping[str, float] = field(default_factory=lambda: {"log-ratio": 0.35})
    """Strength of each baseline's signal; that of the prediction is 1."""
    evaluated: bool = True
    strata: bool = True
    notes: tuple[str, ...] = ("Iburi 2018: no --aoi was given",)


@dataclass(frozen=True)
class Ground:
    """Rasters of one ground."""

    name: str
    truth: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    scores: dict[str, NDArray[np.float32]]
    strata: dict[str, Stratum]
    transform: Affine


def lay_ground(spec: Spec, number: int) -> Ground:
    """Draw round landslides of many sizes, and maps of them that are more or less good."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[: spec.shape[0], : spec.shape[1]]
    truth = np.zeros(spec.shape, dtype=bool)
    for row, col, size in zip(
        rng.uniform(0, spec.shape[0], spec.landslides),
        rng.uniform(0, spec.shape[1], spec.landslides),
        rng.lognormal(1.1, 0.5, spec.landslides),
        strict=True,
    ):
        truth |= ((y - row) / (1.6 * size)) ** 2 + ((x - col) / size) ** 2 < 1
    slope = np.abs(20 + 14 * np.sin(x / 31) * np.cos(y / 27)).astype(np.float32)
    valid = np.full(spec.shape, spec.evaluated)
    valid[:, :30] = False
    scores = {"unet": _probability(rng, truth, 1.0)}
    scores |= {name: _probability(rng, truth, strength) for name, strength in spec.baselines.items()}
    scores |= {NO_LANDSLIDE: np.zeros(spec.shape, np.float32), SLOPE: slope}
    strata = {
        "slope": Stratum(SLOPE_NAMES, np.digitize(slope, (5, 15, 25, 35)).astype(np.int16)),
        "facing_ascending": Stratum(FACINGS, ((x // 37) % 4).astype(np.int16)),
    }
    transform = Affine(SPACING, 0, 500_000 + 10_000 * number, 0, -SPACING, 4_700_000)
    return Ground(spec.grounds[number], truth, valid, scores, strata if spec.strata else {}, transform)


def _probability(rng: np.random.Generator, truth: NDArray[np.bool_], strength: float) -> NDArray[np.float32]:
    noise = ndimage.gaussian_filter(rng.normal(0, 1, truth.shape), 1.2) * 3.0
    signal = ndimage.gaussian_filter(truth.astype(float), 0.8) * 6.0 * strength
    return expit(noise * 1.8 + signal - 4.5).astype(np.float32)


def _polygons(mask: NDArray[np.bool_], ground: Ground) -> gpd.GeoDataFrame:
    found = [shape(each) for each, value in shapes(mask.astype(np.uint8), mask, transform=ground.transform)]
    return gpd.GeoDataFrame({"id": np.arange(1, len(found) + 1)}, geometry=found, crs=CRS)


def write_codes(path: Path, codes: NDArray[np.uint8], transform: Affine) -> None:
    """Write a raster of codes as a COG with nearest overviews."""
    beside = path.with_suffix(".plain.tif")
    with rasterio.open(
        beside, "w", driver="GTiff", height=codes.shape[0], width=codes.shape[1], count=1, dtype="uint8",
        nodata=255, crs=CRS, transform=transform,
    ) as target:  # fmt: skip
        target.write(codes, 1)
    rasterio.shutil.copy(beside, path, driver="COG", blocksize=128, overview_resampling="nearest")
    beside.unlink()


def _curve(name: str, grounds: Sequence[Ground]) -> ScoreHistogram:
    """Count scores until the curve is known well enough, as the evaluation does."""
    edges: NDArray[np.int64] | None = ScoreHistogram.empty().edges
    while edges is not None:
        curve = ScoreHistogram.empty(edges)
        for g in grounds:
            curve = curve + count_scores(edges, g.scores[name][g.valid], g.truth[g.valid])[0]
        edges = finer_edges(curve, TOLERANCE)
    return curve


def _plan(name: str, spec: Spec, curve: ScoreHistogram) -> tl.Plan:
    thresholds = {} if name == SLOPE or spec.threshold is None else {
        "at_0.5": 0.5, "at_threshold": spec.threshold
    }  # fmt: skip
    is_probability = name != SLOPE and spec.threshold is not None
    return tl.Plan(fewer_edges(curve, BINS), thresholds, is_probability)


def _blocks(shape: tuple[int, int]) -> tuple[NDArray[np.int64], int]:
    rows, cols = np.indices(shape) // BLOCK_PX
    across = int(cols.max()) + 1
    return rows * across + cols, across * (int(rows.max()) + 1)


def count_method(
    name: str, grounds: Sequence[Ground], matched: Sequence[Matched], spec: Spec
) -> MethodResult:
    """Count a method over all grounds, block by block."""
    curve = _curve(name, grounds)
    plan, tally = _plan(name, spec, curve), {}
    block, number = _blocks(spec.shape)
    for index, ground in enumerate(grounds):
        v = ground.valid
        strata = {key: Stratum(s.names, s.image[v]) for key, s in ground.strata.items()}
        pixels = tl.Pixels(ground.scores[name][v], ground.truth[v], block[v], strata)
        part = tl.count_pixels(pixels, plan, number)
        part[tl.GROUND_M2] = np.bincount(block[v], minlength=number) * SPACING**2
        if matched:
            zeros = [np.zeros(len(frame), np.int64) for frame in matched[index]]
            for side, frame in enumerate(matched[index]):
                points = frame.geometry.representative_point()
                rows = ((ground.transform.f - points.y) // SPACING).astype(int)
                cols = ((points.x - ground.transform.c) // SPACING).astype(int)
                zeros[side] = block[rows, cols]
            counts = landslide_counts(matched[index], *zeros, number)
            part |= {tl.LANDSLIDES + key: values for key, values in counts.items()}
        for key, values in part.items():
            every = tally.setdefault(key, np.zeros((len(grounds), *values.shape), values.dtype))
            every[index] = values
    tally = {key: values.reshape(len(grounds) * number, *values.shape[2:]) for key, values in tally.items()}
    kept = np.flatnonzero(tally[tl.GROUND_M2] > 0)
    classes = {key: s.names for key, s in grounds[0].strata.items()}
    return MethodResult(name, plan, {key: values[kept] for key, values in tally.items()}, classes, curve)


def describe(result: MethodResult, matched: Sequence[Matched]) -> dict[str, Any]:
    """The objects of a method, as in ``metrics.json``."""
    weights = draw_blocks(len(result.tally[tl.GROUND_M2]), DRAWS)
    tree = as_tree(result.values(), intervals_of(result.draws(weights), 0.95))
    clear, landslides = result.curve.totals()
    tree["pixel"] |= {"pixels": int(clear + landslides), "landslide_pixels": int(landslides)}
    for name, counts in confusion_of(result).items():
        tree["pixel"][name] = {"threshold": result.plan.thresholds[name], **counts, **tree["pixel"][name]}
        for stratum, classes in result.strata.items():
            totals = result.tally[tl.STRATUM + stratum].sum(axis=0)
            for place, label in enumerate(classes):
                own = totals[place, list(result.plan.thresholds).index(name)]
                tree["strata"][stratum][label][name] |= dict(zip(OUTCOMES, own.tolist(), strict=True))
    if tl.RELIABILITY in result.tally:
        curve = reliability_curve(result.tally[tl.LOG_ODDS].sum(axis=0))
        tree["calibration"]["reliability_log_odds"] = {k: plain(v) for k, v in curve._asdict().items()}
    if matched:
        counts = {
            name.removeprefix(tl.LANDSLIDES): plain(values.sum(axis=0))
            for name, values in result.tally.items()
            if name.startswith(tl.LANDSLIDES)
        }
        areas = {
            side: np.concatenate([getattr(each, side)["area_m2"].to_numpy(float) for each in matched])
            for side in ("mapped", "predicted")
        }
        tree["landslides"] |= {
            "counts": counts,
            "size_edges_m2": list(MatchOptions().size_edges_m2),
            "frequency_area": {side: area_record(values) for side, values in areas.items()},
        }
    return tree


def area_record(areas_m2: NDArray[np.float64]) -> dict[str, Any]:
    """Frequency and area of one side, with its fit."""
    curve, fitted = frequency_area(areas_m2), fit_inverse_gamma(areas_m2)
    fit = None if fitted.fit is None else fitted.fit._asdict()
    return {name: plain(values) for name, values in curve._asdict().items()} | {
        "fit": fit,
        "reason": fitted.reason,
    }


def _match(name: str, grounds: Sequence[Ground], spec: Spec) -> list[Matched]:
    if name == SLOPE or spec.threshold is None:
        return []
    return [
        match_landslides(
            _polygons((g.scores[name] >= spec.threshold) & g.valid, g), _polygons(g.truth & g.valid, g)
        )
        for g in grounds
    ]


def _differences(main: MethodResult, other: MethodResult) -> dict[str, Any]:
    weights = draw_blocks(len(main.tally[tl.GROUND_M2]), DRAWS)
    values, draws = zip(*((each.values(), each.draws(weights)) for each in (main, other)), strict=True)
    found = {}
    for path in HEADLINES:
        if path in values[0] and path in values[1]:
            pairs = [(float(v[path]), d[path]) for v, d in zip(values, draws, strict=True)]
            difference = paired_difference(pairs[0], pairs[1], 0.95)
            found[" ".join(path)] = {
                "difference": plain(difference.value),
                "interval": plain(difference.interval),
                "share_of_draws_above_zero": plain(difference.share_above_zero),
            }
    return found


def _curve_frame(result: MethodResult) -> pd.DataFrame:
    curve = curve_points(result.curve)
    ratios = pixel_metrics(curve.counts)
    columns: dict[str, Any] = {"method": result.name, "threshold": curve.threshold}
    columns |= {name: curve.counts[:, index] for index, name in enumerate(OUTCOMES)}
    columns |= {name: ratios[name] for name in ("precision", "recall", "f1")}
    columns["false_positive_rate"] = 1.0 - ratios["specificity"]
    return pd.DataFrame(columns, index=range(len(curve.threshold)))


def _scored(grounds: Sequence[Ground], matched: Sequence[Matched]) -> gpd.GeoDataFrame:
    order = ["event", "side", "id", "outcome", "area_m2", "overlap_share", "best_iou", "partner",
             "size_class", "geometry"]  # fmt: skip
    frames = [
        frame.assign(side=side, event=ground.name)[order]
        for ground, match in zip(grounds, matched, strict=True)
        for side, frame in (("predicted", match.predicted), ("mapped", match.mapped))
        if len(frame)
    ]
    if not frames:
        return gpd.GeoDataFrame({name: [] for name in order[:-1]}, geometry=[], crs=CRS)
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), geometry="geometry", crs=CRS)


def _ground_record(ground: Ground) -> GroundRecord:
    slid = ground.truth
    return GroundRecord(
        name=ground.name,
        options={"prediction": f"runs/{ground.name}", "truth": ["inventory.gpkg"], "event": ground.name},
        files_sha256={"inventory.gpkg": "ab" * 32},
        label_sha256="cd" * 32,
        crs=CRS,
        spacing=SPACING,
        shape_px=ground.truth.shape,
        evaluated_km2=float(ground.valid.sum()) * SPACING**2 * 1e-6,
        pixels={
            "evaluated": int(ground.valid.sum()), "outside_area": 0, "ignored": 0, "truth_unknown": 0,
            "not_observed": int((~ground.valid).sum()), "baseline_not_observed": 0,
        },
        landslide_pixels={
            "evaluated": int((slid & ground.valid).sum()), "outside_area": 0, "ignored": 0,
            "truth_unknown": 0, "not_observed": int((slid & ~ground.valid).sum()), "baseline_not_observed": 0,
        },
        landslides_mapped=57,
        landslides_not_observed=4,
        inventory={"polygons_read": 80, "kept": 57, "repaired": 3, "outside_dates": 20, "notes": []},
    )  # fmt: skip


def make_evaluation(spec: Spec, grounds: Sequence[Ground], results: Sequence[MethodResult],
                    matched: Mapping[str, Sequence[Matched]]) -> Evaluation:  # fmt: skip
    """Compose the record."""
    main, *others = results
    trees = {each.name: describe(each, matched[each.name]) for each in results}
    own = trees[main.name]
    given = spec.threshold is not None
    return Evaluation(
        headscarp="0.1.0",
        commit="0123abc",
        command=["headscarp", "evaluate", "runs/iburi", "inventory.gpkg", "--out", "evaluation"],
        created_utc=datetime(2024, 7, 1, 12, 0, tzinfo=UTC),
        name=main.name,
        seed=3,
        grounds=[_ground_record(ground) for ground in grounds],
        threshold=ThresholdRecord(value=spec.threshold, source="the run's own" if given else "none given"),
        calibration_applied="none",
        blocks=BlocksRecord(
            side_m=BLOCK_PX * SPACING, count=len(main.tally[tl.GROUND_M2]), replicates=DRAWS.replicates,
            level=0.95, seed=0, note="",
        ),
        **{name: own.get(name, {}) for name in ("pixel", "landslides", "calibration", "boundary", "strata")},
        baselines={each.name: trees[each.name] for each in others},
        differences={each.name: _differences(main, each) for each in others},
        notes=list(spec.notes),
    )  # fmt: skip


def write_evaluation(folder: Path, spec: Spec) -> Evaluation:
    """Write an evaluation folder as it stands before its report."""
    folder.mkdir(parents=True)
    grounds = [lay_ground(spec, number) for number in range(len(spec.grounds))]
    names = list(grounds[0].scores)
    matched = {name: _match(name, grounds, spec) for name in names}
    results = [count_method(name, grounds, matched[name], spec) for name in names]
    evaluation = make_evaluation(spec, grounds, results, matched)
    (folder / "metrics.json").write_text(evaluation.model_dump_json(), encoding="utf-8")
    curves = pd.concat([_curve_frame(result) for result in results], ignore_index=True)
    curves.to_parquet(folder / "curves.parquet", index=False)
    for ground in grounds:
        tail = "" if len(grounds) == 1 else "_" + ground.name.replace(" ", "_").replace("/", "_")
        label = np.where(ground.valid, ground.truth, 255).astype(np.uint8)
        write_codes(folder / f"label{tail}.tif", label, ground.transform)
        if spec.threshold is not None:
            outcome = 2 * (ground.scores["unet"] >= spec.threshold) + ground.truth
            codes = np.where(ground.valid, outcome, 255).astype(np.uint8)
            write_codes(folder / f"outcome{tail}.tif", codes, ground.transform)
    if spec.threshold is not None:
        _scored(grounds, matched["unet"]).to_file(
            folder / "landslides_scored.gpkg", layer="landslides_scored", driver="GPKG",
            geometry_type="Polygon",
        )  # fmt: skip
    return evaluation
