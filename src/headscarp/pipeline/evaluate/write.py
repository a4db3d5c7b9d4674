"""Files of an evaluation folder, written and read back."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from headscarp.errors import OutputError
from headscarp.evaluate.confusion import OUTCOMES, pixel_metrics
from headscarp.evaluate.curves import ScoreHistogram, curve_points
from headscarp.evaluate.files import BLOCKS, CURVES, METRICS_CSV, METRICS_JSON, SCORED, SCORED_LAYER
from headscarp.evaluate.record import Evaluation
from headscarp.evaluate.result import MethodResult
from headscarp.evaluate.tally import Plan
from headscarp.run_folder import write_atomically

CURVE_POINTS = 2000
"""Points of each curve at most, as written."""


def write_metrics(folder: Path, evaluation: Evaluation) -> None:
    """Write ``metrics.json``."""
    write_atomically(folder / METRICS_JSON, evaluation.model_dump_json(indent=2) + "\n")


def write_table(folder: Path, rows: Iterator[Sequence[Any]]) -> None:
    """Write ``metrics.csv``: one row a figure."""
    path = folder / METRICS_CSV
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["method", "section", "group", "figure", "value", "low", "high"])
        writer.writerows(rows)


def table_rows(method: str, tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[list[Any]]:
    """Rows of the figures of a method, from the objects of ``metrics.json``."""
    intervals = tree.get("intervals", {})
    for name, value in tree.items():
        if name == "intervals":
            continue
        if isinstance(value, Mapping):
            yield from table_rows(method, value, (*path, name))
        elif value is None or isinstance(value, int | float):
            low, high = intervals.get(name) or (None, None)
            section, *groups = path or ("",)
            yield [method, section, " / ".join(groups), name, value, low, high]


def write_curves(folder: Path, results: Sequence[MethodResult]) -> None:
    """Write ``curves.parquet``: confusion counts and ratios of each method at falling thresholds."""
    pd.concat([_curve_frame(result) for result in results], ignore_index=True).to_parquet(
        folder / CURVES, index=False
    )


def _curve_frame(result: MethodResult) -> pd.DataFrame:
    curve = curve_points(result.curve)
    kept = np.unique(np.linspace(0, len(curve.threshold) - 1, CURVE_POINTS).round().astype(int))
    if len(curve.threshold) == 0:
        kept = kept[:0]
    counts = curve.counts[kept]
    ratios = pixel_metrics(counts)
    columns: dict[str, Any] = {"method": result.name, "threshold": curve.threshold[kept]}
    columns |= {name: counts[:, index] for index, name in enumerate(OUTCOMES)}
    columns |= {name: ratios[name] for name in ("precision", "recall", "f1")}
    columns["false_positive_rate"] = 1.0 - ratios["specificity"]
    return pd.DataFrame(columns, index=range(len(kept)))


def write_scored(folder: Path, frames: Sequence[gpd.GeoDataFrame]) -> None:
    """Write ``landslides_scored.gpkg`` in the CRS of the first ground."""
    crs = frames[0].crs
    whole = pd.concat([frame.to_crs(crs) for frame in frames], ignore_index=True)
    beside = folder / f".{SCORED}"
    gpd.GeoDataFrame(whole, geometry="geometry", crs=crs).to_file(
        beside,
        layer=SCORED_LAYER,
        driver="GPKG",
        engine="pyogrio",
        geometry_type="MultiPolygon",
        promote_to_multi=True,
    )
    beside.replace(folder / SCORED)


def write_blocks(folder: Path, results: Sequence[MethodResult]) -> None:
    """Write ``blocks.npz``: the tallies by block of every method, for comparisons on the same ground."""
    arrays: dict[str, Any] = {}
    about = []
    for number, result in enumerate(results):
        about.append(
            {
                "name": result.name,
                "thresholds": dict(result.plan.thresholds),
                "is_probability": result.plan.is_probability,
                "strata": {name: list(classes) for name, classes in result.strata.items()},
            }
        )
        arrays |= {f"{number}/tally/{name}": counts for name, counts in result.tally.items()}
        arrays |= {f"{number}/by_class/{name}": counts for name, counts in result.scores_by_class.items()}
        arrays[f"{number}/edges"] = result.plan.edges
        arrays[f"{number}/curve_edges"] = result.curve.edges
        arrays[f"{number}/curve_counts"] = result.curve.counts
    np.savez_compressed(folder / BLOCKS, about=np.array(json.dumps(about)), **arrays)


def read_blocks(folder: Path) -> list[MethodResult]:
    """Read the tallies of an evaluation; the prediction first.

    Raises
    ------
    OutputError
        If the file is missing or damaged.
    """
    try:
        with np.load(folder / BLOCKS) as stored:
            about = json.loads(str(stored["about"]))
            return [_result(stored, number, facts) for number, facts in enumerate(about)]
    except (OSError, KeyError, ValueError) as error:
        raise OutputError(
            f"an evaluation folder with a whole {BLOCKS}",
            f"{folder} ({error})",
            "methods are compared block by block",
            "evaluate again with `headscarp evaluate … --overwrite`",
        ) from error


def _result(stored: Any, number: int, facts: dict[str, Any]) -> MethodResult:
    tally, by_class = (_under(stored, f"{number}/{group}/") for group in ("tally", "by_class"))
    plan = Plan(stored[f"{number}/edges"], facts["thresholds"], facts["is_probability"])
    strata = {name: tuple(classes) for name, classes in facts["strata"].items()}
    curve = ScoreHistogram(stored[f"{number}/curve_edges"], stored[f"{number}/curve_counts"])
    return MethodResult(facts["name"], plan, tally, strata, curve, by_class)


def _under(stored: Any, prefix: str) -> dict[str, Any]:
    """Arrays whose name begins with a prefix, by the rest of it."""
    return {name.removeprefix(prefix): stored[name] for name in stored.files if name.startswith(prefix)}
