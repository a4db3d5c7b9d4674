"""From a map and the truth to an evaluation folder, against figures computed in memory."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

from headscarp.config import load
from headscarp.errors import HeadscarpError
from headscarp.evaluate.options import EvaluateOptions
from headscarp.evaluate.record import Evaluation
from headscarp.geometry.terrain import slope_deg
from headscarp.pipeline.evaluate.compare import run_compare
from headscarp.pipeline.evaluate.run import run_evaluate
from headscarp.validation import read_validation

CRS = "EPSG:32654"
LEFT, TOP, SPACING = 580000.0, 4730000.0, 10.0
SHAPE = (620, 560)  # crosses tiles of 512 both ways
FAST = {"intervals.replicates": 60, "intervals.block_m": 640.0}
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Small:
    """A probability with a hole, an inventory of discs, a DEM, and the same as arrays."""

    folder: Path
    probability: NDArray[np.float32]
    landslide: Mask

    @property
    def prediction(self) -> Path:
        return self.folder / "method.tif"

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.gpkg"

    @property
    def observed(self) -> Mask:
        return np.isfinite(self.probability)


def disc(row: float, col: float, radius_px: float) -> shapely.Polygon:
    return shapely.Point(LEFT + col * SPACING, TOP - row * SPACING).buffer(radius_px * SPACING)


def rasterized(polygons: list[shapely.Geometry]) -> Mask:
    transform = rasterio.Affine(SPACING, 0, LEFT, 0, -SPACING, TOP)
    return np.asarray(geometry_mask(polygons, SHAPE, transform, invert=True))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder, rng = tmp_path_factory.mktemp("ground"), np.random.default_rng(5)
    places = rng.uniform(20, 540, (40, 2))
    discs = [disc(row, col, radius) for (row, col), radius in zip(places, rng.uniform(2, 9, 40), strict=True)]
    gpd.GeoDataFrame(geometry=discs, crs=CRS).to_file(folder / "inventory.gpkg")
    landslide = rasterized(discs)
    found = rasterized(discs[:28])
    logit = -5 + 6.0 * found + rng.normal(0, 1.2, SHAPE)
    logit[500:515, 30:50] += 7.0
    probability = (1 / (1 + np.exp(-logit))).astype(np.float32)
    probability[100:180, 300:400] = np.nan
    write_band(folder / "method.tif", probability)
    write_band(folder / "other.tif", np.clip(probability * 0.5, 0, 1).astype(np.float32))
    x = np.arange(SHAPE[1]) * SPACING
    height = np.broadcast_to(500.0 + 200.0 * np.sin(x / 700.0), SHAPE).astype(np.float32)
    write_band(folder / "dem.tif", height)
    return Small(folder, probability, landslide)


def write_band(path: Path, values: NDArray[Any], nodata: float | None = None, **tags: str) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1, crs=CRS,
        dtype=values.dtype, nodata=nodata, transform=rasterio.Affine(SPACING, 0, LEFT, 0, -SPACING, TOP),
    ) as dataset:  # fmt: skip
        dataset.write(values, 1)
        dataset.update_tags(**tags)
    return path


def evaluate(
    out: Path, ground: dict[str, Any] | list[dict[str, Any]], with_report: bool = False, **more: Any
) -> Evaluation:
    grounds = ground if isinstance(ground, list) else [ground]
    named = {name.replace("__", "."): value for name, value in more.items()}
    options = load(EvaluateOptions, None, {"grounds": grounds, **FAST, **named})
    return run_evaluate(options, out, with_report=with_report)


def ground_of(small: Small, **more: Any) -> dict[str, Any]:
    return {"prediction": small.prediction, "truth": [small.inventory], **more}


@pytest.fixture(scope="module")
def whole(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evaluation]:
    """One evaluation with everything, shared by the tests that only read it."""
    landcover = np.where(np.arange(SHAPE[1]) < 300, 10, 20) * np.ones(SHAPE)
    write_band(small.folder / "landcover.tif", landcover.astype(np.uint8), class_10="trees")
    out = tmp_path_factory.mktemp("whole") / "evaluation"
    ground = ground_of(
        small,
        dem=small.folder / "dem.tif",
        landcover=small.folder / "landcover.tif",
        event="Test",
        baselines={"other": small.folder / "other.tif"},
    )
    return out, evaluate(out, ground, with_report=True, threshold=0.3)


def assert_pixels(
    pixel: dict[str, Any], scores: NDArray[np.float32], landslide: Mask, threshold: float
) -> None:
    """Hold the figures of a threshold and of the curve against scikit-learn."""
    at = pixel["at_threshold"]
    precision, recall, f1, _ = precision_recall_fscore_support(
        landslide, scores >= np.float32(threshold), average="binary", zero_division=0.0
    )
    assert at["threshold"] == threshold
    assert (at["precision"], at["recall"], at["f1"]) == pytest.approx((precision, recall, f1))
    assert pixel["pixels"] == len(scores)
    assert pixel["landslide_pixels"] == int(landslide.sum())
    for name, exact in (
        ("average_precision", average_precision_score(landslide, scores)),
        ("roc_auc", roc_auc_score(landslide, scores)),
    ):
        low, high = pixel[f"{name}_bounds"]
        assert low - 1e-9 <= exact <= high + 1e-9
        assert high - low <= 1e-3
        assert pixel[name] == pytest.approx(exact, abs=1e-3)


def test_pixel_figures_equal_scikit_learn(small: Small, whole: tuple[Path, Evaluation]) -> None:
    _, evaluation = whole
    observed = small.observed
    assert_pixels(evaluation.pixel, small.probability[observed], small.landslide[observed], 0.3)
    at_half = evaluation.pixel["at_0.5"]
    predicted = small.probability[observed] >= 0.5
    assert at_half["true_positive"] == int((predicted & small.landslide[observed]).sum())
    assert evaluation.calibration["brier_score"] == pytest.approx(
        brier_score_loss(small.landslide[observed], small.probability[observed]), abs=1e-6
    )


def test_what_could_not_be_observed_is_counted_and_not_scored(
    small: Small, whole: tuple[Path, Evaluation]
) -> None:
    _, evaluation = whole
    [ground] = evaluation.grounds
    assert ground.pixels["not_observed"] == int((~small.observed).sum())
    assert ground.landslide_pixels["not_observed"] == int((small.landslide & ~small.observed).sum())
    assert ground.evaluated_km2 == pytest.approx(small.observed.sum() * 1e-4)
    assert sum(ground.pixels.values()) == small.observed.size


def test_every_table_has_no_landslide_and_the_slope(small: Small, whole: tuple[Path, Evaluation]) -> None:
    _, evaluation = whole
    nothing, slope = evaluation.baselines["no landslide"], evaluation.baselines["slope"]
    prevalence = float(small.landslide[small.observed].mean())
    assert nothing["pixel"]["average_precision"] == pytest.approx(prevalence)
    assert nothing["pixel"]["roc_auc"] == pytest.approx(0.5)
    assert nothing["pixel"]["at_threshold"]["precision"] is None
    assert nothing["pixel"]["at_threshold"]["recall"] == 0.0
    assert nothing["landslides"]["detection_rate"] == 0.0
    with rasterio.open(small.folder / "dem.tif") as dem:
        exact = np.nan_to_num(slope_deg(dem.read(1), (SPACING, SPACING)))[small.observed]
    found = slope["pixel"]["average_precision_bounds"]
    expected = average_precision_score(small.landslide[small.observed], exact)
    assert found[0] - 1e-9 <= expected <= found[1] + 1e-9
    assert "at_0.5" not in slope["pixel"]


def test_differences_are_those_of_the_figures(whole: tuple[Path, Evaluation]) -> None:
    _, evaluation = whole
    difference = evaluation.differences["other"]["pixel average_precision"]
    # half the probability keeps the order of the pixels: the curve is the same, the threshold is not
    assert difference["difference"] == pytest.approx(0.0, abs=1e-3)
    f1 = evaluation.differences["other"]["pixel at_0.5 f1"]
    other = evaluation.baselines["other"]["pixel"]["at_0.5"]["f1"]
    assert f1["difference"] == pytest.approx(evaluation.pixel["at_0.5"]["f1"] - other)
    assert f1["interval"][0] > 0


def test_strata_add_up_to_the_whole(small: Small, whole: tuple[Path, Evaluation]) -> None:
    out, evaluation = whole
    assert set(evaluation.strata) == {"event", "slope", "facing_ascending", "facing_descending", "land_cover"}
    assert list(evaluation.strata["land_cover"]) == ["trees", "class 20"]
    trees = np.zeros(SHAPE, dtype=bool)
    trees[:, :300] = True
    chosen = trees & small.observed
    predicted = small.probability[chosen] >= np.float32(0.3)
    recall = (predicted & small.landslide[chosen]).sum() / small.landslide[chosen].sum()
    assert evaluation.strata["land_cover"]["trees"]["at_threshold"]["recall"] == pytest.approx(float(recall))
    assert evaluation.strata["event"]["Test"]["at_threshold"]["f1"] == evaluation.pixel["at_threshold"]["f1"]
    exact = average_precision_score(small.landslide[chosen], small.probability[chosen])
    assert evaluation.strata["land_cover"]["trees"]["average_precision"] == pytest.approx(exact, abs=5e-3)
    assert (
        sum(evaluation.strata["slope"][c]["at_0.5"]["true_positive"] for c in evaluation.strata["slope"])
        == (evaluation.pixel["at_0.5"]["true_positive"])
    )
    with np.load(out / "blocks.npz") as blocks:
        by_class, total = blocks["0/tally/stratum/land_cover"], blocks["0/tally/confusion"]
        assert np.array_equal(by_class.sum(axis=1), total)


def test_opposite_orbits_see_opposite_sides(whole: tuple[Path, Evaluation]) -> None:
    """The DEM's slopes fall to the east and to the west: what faces one orbit turns its back to the other."""
    _, evaluation = whole
    up, down = (evaluation.strata[f"facing_{state}"] for state in ("ascending", "descending"))
    assert up["toward"]["at_threshold"]["recall"] == down["away"]["at_threshold"]["recall"]
    assert up["away"]["at_threshold"]["recall"] == down["toward"]["at_threshold"]["recall"]
    assert up["toward"]["at_threshold"]["recall"] != up["away"]["at_threshold"]["recall"]


def test_figures_have_intervals_around_them(whole: tuple[Path, Evaluation]) -> None:
    _, evaluation = whole
    for tree in (evaluation.pixel, evaluation.pixel["at_threshold"], evaluation.landslides):
        for name in tree["intervals"]:
            if isinstance(tree[name], float) and tree["intervals"][name] is not None:
                low, high = tree["intervals"][name]
                assert low - 0.02 <= tree[name] <= high + 0.02, name
    assert evaluation.pixel["at_threshold"]["intervals"]["f1"][0] < evaluation.pixel["at_threshold"]["f1"]
    assert evaluation.calibration["intervals"]["expected_calibration_error"] is not None
    assert evaluation.boundary["intervals"]["boundary_f1"] is not None


def test_the_files_say_what_the_record_says(small: Small, whole: tuple[Path, Evaluation]) -> None:
    out, evaluation = whole
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["pixel"]["at_0.5"]["f1"] == evaluation.pixel["at_0.5"]["f1"]
    assert metrics["grounds"][0]["files_sha256"][str(small.prediction)]
    table = pd.read_csv(out / "metrics.csv")
    own = table[(table.method == "method") & (table.section == "pixel") & (table.group == "at_0.5")]
    assert own.set_index("figure")["f1":"f1"]["value"].item() == pytest.approx(
        metrics["pixel"]["at_0.5"]["f1"]
    )
    curves = pd.read_parquet(out / "curves.parquet")
    assert set(curves.method) == {"method", "other", "no landslide", "slope"}
    mine = curves[curves.method == "method"]
    row = mine.iloc[len(mine) // 2]
    predicted = small.probability[small.observed] >= np.float32(row.threshold)
    assert row.true_positive == (predicted & small.landslide[small.observed]).sum()
    with rasterio.open(out / "outcome.tif") as raster:
        outcome = raster.read(1)
    assert np.array_equal(outcome == 255, ~small.observed)
    hit = (small.probability >= np.float32(0.3)) & small.landslide
    assert np.array_equal(outcome == 3, hit)
    assert np.array_equal(outcome == 1, small.landslide & small.observed & ~hit)
    assert np.array_equal(outcome == 2, (small.probability >= np.float32(0.3)) & ~small.landslide)
    with rasterio.open(out / "label.tif") as raster:
        assert np.array_equal(raster.read(1) == 1, small.landslide & small.observed)
    assert (out / "report.html").is_file()


def test_scored_landslides_are_hit_missed_and_false(whole: tuple[Path, Evaluation]) -> None:
    out, evaluation = whole
    scored = gpd.read_file(out / "landslides_scored.gpkg")
    counts = scored.groupby(["side", "outcome"]).size()
    total = evaluation.landslides["counts"]
    assert counts["mapped", "hit"] == sum(total["detected"])
    assert counts["mapped", "missed"] == sum(total["mapped"]) - sum(total["detected"])
    assert counts["predicted", "false"] == sum(total["false"]) > 0
    assert evaluation.landslides["detection_rate"] == pytest.approx(
        counts["mapped", "hit"] / (counts["mapped", "hit"] + counts["mapped", "missed"])
    )
    km2 = evaluation.grounds[0].evaluated_km2
    rate = evaluation.landslides["false_alarms_per_100km2"]
    assert rate == pytest.approx(100 * counts["predicted", "false"] / km2)


def test_a_landslide_on_unobserved_ground_is_neither_hit_nor_missed(small: Small, tmp_path: Path) -> None:
    hidden = gpd.GeoDataFrame(geometry=[disc(140, 350, 6), disc(300, 100, 6)], crs=CRS)
    hidden.to_file(tmp_path / "hidden.gpkg")
    evaluation = evaluate(tmp_path / "out", ground_of(small, truth=[tmp_path / "hidden.gpkg"]))
    assert evaluation.grounds[0].landslides_not_observed == 1
    assert sum(evaluation.landslides["counts"]["mapped"]) == 1
    scored = gpd.read_file(tmp_path / "out" / "landslides_scored.gpkg")
    assert (scored.outcome == "not observed").sum() == 1
    assert any("not evaluated" in note for note in evaluation.notes)


def test_area_and_ignored_ground_are_left_out(small: Small, tmp_path: Path) -> None:
    x = [LEFT + 200.0, LEFT + 4000.0]
    area = shapely.box(x[0], TOP - 4000.0, x[1], TOP - 300.0)
    ignored = shapely.box(LEFT + 1000.0, TOP - 2000.0, LEFT + 1500.0, TOP - 1000.0)
    gpd.GeoDataFrame(geometry=[area], crs=CRS).to_crs("EPSG:4326").to_file(tmp_path / "aoi.geojson")
    gpd.GeoDataFrame(geometry=[ignored], crs=CRS).to_file(tmp_path / "ignored.gpkg")
    ground = ground_of(small, aoi=tmp_path / "aoi.geojson", ignore=[tmp_path / "ignored.gpkg"])
    evaluation = evaluate(tmp_path / "out", ground, threshold=0.4)
    kept = rasterized([area]) & ~rasterized([ignored]) & small.observed
    assert_pixels(evaluation.pixel, small.probability[kept], small.landslide[kept], 0.4)
    [record] = evaluation.grounds
    assert record.pixels["ignored"] == int((rasterized([area]) & rasterized([ignored])).sum())
    assert record.inventory is not None
    assert record.inventory["outside_area"] > 0
    assert not any("--aoi" in note for note in evaluation.notes)


def test_a_raster_of_ignored_ground_is_left_out(small: Small, tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[:, 200:260] = 1
    ground = ground_of(small, ignore=[write_band(tmp_path / "old.tif", mask)])
    evaluation = evaluate(tmp_path / "out", ground, threshold=0.4)
    kept = (mask == 0) & small.observed
    assert_pixels(evaluation.pixel, small.probability[kept], small.landslide[kept], 0.4)
    assert evaluation.grounds[0].pixels["ignored"] == int(mask.sum())


def test_a_label_on_another_grid_is_read_at_pixel_centres_and_said(small: Small, tmp_path: Path) -> None:
    coarse = small.landslide[::2, ::2].astype(np.uint8)
    path = tmp_path / "coarse.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=coarse.shape[0], width=coarse.shape[1], count=1, crs=CRS,
        dtype="uint8", transform=rasterio.Affine(20, 0, LEFT, 0, -20, TOP),
    ) as dataset:  # fmt: skip
        dataset.write(coarse, 1)
    evaluation = evaluate(tmp_path / "out", ground_of(small, truth=[path]), threshold=0.3)
    landslide = np.kron(coarse, np.ones((2, 2))).astype(bool)[small.observed]
    assert_pixels(evaluation.pixel, small.probability[small.observed], landslide, 0.3)
    assert any("another grid" in note for note in evaluation.notes)


def test_a_landslide_across_the_edge_counts_as_far_as_the_ground_reaches(
    small: Small, tmp_path: Path
) -> None:
    whole, beyond = disc(300, 0, 10), disc(300, -40, 10)
    gpd.GeoDataFrame(geometry=[whole, beyond], crs=CRS).to_file(tmp_path / "edge.gpkg")
    evaluation = evaluate(tmp_path / "out", ground_of(small, truth=[tmp_path / "edge.gpkg"]))
    scored = gpd.read_file(tmp_path / "out" / "landslides_scored.gpkg")
    [mapped] = scored[scored.side == "mapped"].area_m2
    assert mapped == pytest.approx(whole.area / 2, rel=1e-6)
    inventory = evaluation.grounds[0].inventory
    assert inventory is not None
    assert (inventory["crossing"], inventory["outside_area"], evaluation.grounds[0].landslides_mapped) == (
        1,
        1,
        1,
    )


def test_a_label_raster_gives_the_figures_of_its_vectors(small: Small, tmp_path: Path) -> None:
    label = small.landslide.astype(np.uint8)
    label[:50] = 255
    write_band(tmp_path / "label.tif", label)
    evaluation = evaluate(tmp_path / "out", ground_of(small, truth=[tmp_path / "label.tif"]), threshold=0.3)
    kept = small.observed & (label != 255)
    assert_pixels(evaluation.pixel, small.probability[kept], small.landslide[kept], 0.3)
    assert evaluation.grounds[0].pixels["truth_unknown"] == int((label == 255).sum())
    assert evaluation.grounds[0].landslide_pixels["truth_unknown"] == 0
    assert evaluation.landslides["detection_rate"] > 0.5


def test_grounds_are_pooled_by_their_counts(small: Small, tmp_path: Path) -> None:
    top, bottom = small.probability.copy(), small.probability.copy()
    top[300:], bottom[:300] = np.nan, np.nan
    grounds = []
    for name, values in (("top", top), ("bottom", bottom)):
        write_band(tmp_path / f"{name}.tif", values)
        grounds.append(ground_of(small, prediction=tmp_path / f"{name}.tif", event=name, region="here"))
    evaluation = evaluate(tmp_path / "out", grounds, threshold=0.3, name="method")
    observed = small.observed
    assert_pixels(evaluation.pixel, small.probability[observed], small.landslide[observed], 0.3)
    assert list(evaluation.strata["event"]) == ["top", "bottom"]
    counts = [
        sum(evaluation.strata["event"][name]["at_threshold"][kind] is not None for kind in ("f1", "recall"))
        for name in ("top", "bottom")
    ]
    assert counts == [2, 2]
    here = evaluation.strata["region"]["here"]["at_threshold"]
    assert here["f1"] == evaluation.pixel["at_threshold"]["f1"]
    assert {path.name for path in (tmp_path / "out").glob("*.tif")} == {
        "label_top.tif", "label_bottom.tif", "outcome_top.tif", "outcome_bottom.tif",
    }  # fmt: skip


def empty_truth(folder: Path) -> Path:
    gpd.GeoDataFrame(geometry=[], crs=CRS).to_file(folder / "none.gpkg", geometry_type="Polygon")
    return folder / "none.gpkg"


def test_an_empty_truth_is_defined(small: Small, tmp_path: Path) -> None:
    evaluation = evaluate(tmp_path / "out", ground_of(small, truth=[empty_truth(tmp_path)]))
    pixel, landslides = evaluation.pixel, evaluation.landslides
    assert pixel["average_precision"] is None
    assert pixel["roc_auc"] is None
    assert pixel["at_0.5"]["recall"] is None
    assert pixel["at_0.5"]["precision"] == 0.0
    assert pixel["at_0.5"]["specificity"] < 1.0
    assert landslides["detection_rate"] is None
    assert landslides["false_alarms_per_100km2"] > 0
    assert any("no mapped landslide" in note for note in evaluation.notes)
    assert not (tmp_path / "out" / "validation.json").exists()


def test_an_empty_prediction_is_defined(small: Small, tmp_path: Path) -> None:
    write_band(tmp_path / "nothing.tif", np.zeros(SHAPE, dtype=np.float32))
    evaluation = evaluate(tmp_path / "out", ground_of(small, prediction=tmp_path / "nothing.tif"))
    assert evaluation.pixel["at_0.5"]["precision"] is None
    assert evaluation.pixel["at_0.5"]["f1"] == 0.0
    assert evaluation.landslides["detection_rate"] == 0.0
    assert evaluation.landslides["precision"] is None
    assert evaluation.differences["no landslide"]["pixel at_0.5 f1"]["difference"] == 0.0


def test_unobserved_ground_alone_is_defined(small: Small, tmp_path: Path) -> None:
    write_band(tmp_path / "clouds.tif", np.full(SHAPE, np.nan, dtype=np.float32))
    evaluation = evaluate(tmp_path / "out", ground_of(small, prediction=tmp_path / "clouds.tif"))
    assert evaluation.pixel["pixels"] == 0
    assert evaluation.pixel["at_0.5"]["accuracy"] is None
    assert evaluation.blocks.count == 0
    assert any("no pixel was evaluated" in note for note in evaluation.notes)
    text = (tmp_path / "out" / "metrics.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text


def test_a_score_in_decibels_has_curves_and_no_calibration(small: Small, tmp_path: Path) -> None:
    write_band(tmp_path / "change.tif", (10 * small.probability - 3).astype(np.float32))
    ground = ground_of(small, prediction=tmp_path / "change.tif")
    evaluation = evaluate(tmp_path / "out", ground)
    assert evaluation.calibration == {}
    assert "at_0.5" not in evaluation.pixel
    assert evaluation.threshold.value is None
    observed = small.observed
    exact = average_precision_score(small.landslide[observed], small.probability[observed])
    assert evaluation.pixel["average_precision"] == pytest.approx(exact, abs=1e-3)
    assert not (tmp_path / "out" / "landslides_scored.gpkg").exists()
    with_threshold = evaluate(tmp_path / "with", ground, threshold=2.0)
    assert_pixels(with_threshold.pixel, 10 * small.probability[observed] - 3, small.landslide[observed], 2.0)


def halves(small: Small, folder: Path) -> dict[str, dict[str, Any]]:
    """Validation ground to the west, test ground to the east."""
    found = {}
    for name, (start, stop) in {"validation": (0, 280), "test": (280, 560)}.items():
        values = np.full(SHAPE, np.nan, dtype=np.float32)
        values[:, start:stop] = small.probability[:, start:stop]
        write_band(folder / f"{name}.tif", values)
        found[name] = ground_of(small, prediction=folder / f"{name}.tif")
    return found


def test_threshold_and_calibration_come_from_other_ground(small: Small, tmp_path: Path) -> None:
    grounds = halves(small, tmp_path)
    first = evaluate(tmp_path / "validated", grounds["validation"], name="method")
    validation = read_validation(tmp_path / "validated")
    west = small.observed.copy()
    west[:, 280:] = False
    scores, landslide = small.probability[west], small.landslide[west]
    best = max(
        precision_recall_fscore_support(landslide, scores >= np.float32(t), average="binary")[2]
        for t in np.quantile(scores, np.linspace(0.98, 0.9999, 60))
    )
    assert validation.f1 >= best - 1e-9
    assert validation.f1 == first.pixel["best_f1_in_hindsight"]["f1"]
    second = evaluate(
        tmp_path / "tested", grounds["test"], name="method", validation=tmp_path / "validated",
        calibration="isotonic",
    )  # fmt: skip
    plain = evaluate(
        tmp_path / "plain", grounds["test"], name="method", validation=tmp_path / "validated",
        calibration="none",
    )  # fmt: skip
    assert (tmp_path / "plain" / "validation.json").is_file()
    assert not (tmp_path / "tested" / "validation.json").exists()  # of a calibrated probability there is none
    with pytest.raises(HeadscarpError, match="which the validation is of"):
        evaluate(tmp_path / "net", grounds["test"], name="net", validation=tmp_path / "validated")
    assert plain.threshold.value == pytest.approx(validation.threshold)
    assert "validation ground" in plain.threshold.source
    assert second.calibration_applied == "isotonic"
    before, after = (e.calibration["expected_calibration_error"] for e in (plain, second))
    assert after < before
    assert second.pixel["at_threshold"]["f1"] == pytest.approx(plain.pixel["at_threshold"]["f1"], abs=0.02)
    with pytest.raises(HeadscarpError, match="this very ground"):
        evaluate(tmp_path / "again", grounds["validation"], validation=tmp_path / "validated", name="method")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"calibration": "isotonic"}, "--validation with --calibration"),
        ({"validation": "nowhere"}, "validation"),
        ({"intervals__replicates": 3}, "replicates"),
    ],
)
def test_contradictions_are_refused(small: Small, tmp_path: Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(HeadscarpError, match=message):
        evaluate(tmp_path / "out", ground_of(small), **more)
    assert not (tmp_path / "out").exists()


def shifted(small: Small, folder: Path) -> Path:
    with rasterio.open(
        folder / "shifted.tif", "w", driver="GTiff", height=SHAPE[0], width=SHAPE[1], count=1, crs=CRS,
        dtype="float32", transform=rasterio.Affine(SPACING, 0, LEFT + 3.0, 0, -SPACING, TOP),
    ) as dataset:  # fmt: skip
        dataset.write(small.probability, 1)
    return folder / "shifted.tif"


def other_values(folder: Path) -> Path:
    return write_band(folder / "classes.tif", np.full(SHAPE, 7, dtype=np.uint8))


BadGround = Callable[[Small, Path], dict[str, Any]]
BAD: dict[str, tuple[BadGround, str]] = {
    "baseline on another grid": (lambda s, f: {"baselines": {"shifted": shifted(s, f)}}, "grid of the pred"),
    "baseline of the same name": (lambda s, f: {"baselines": {"method": s.prediction}}, "another name"),
    "label of other values": (lambda s, f: {"truth": [other_values(f)]}, "label raster"),
    "no such prediction": (lambda s, f: {"prediction": f / "none.tif"}, "raster file"),
    "a folder that is no run": (lambda s, f: {"prediction": f}, "run folder"),
    "no such inventory": (lambda s, f: {"truth": [f / "none.gpkg"]}, "none.gpkg"),
    "area elsewhere": (lambda s, f: {"aoi": elsewhere(f)}, "--aoi that the prediction covers"),
    "DEM elsewhere": (lambda s, f: {"dem": far_dem(f)}, "DEM"),
}


def elsewhere(folder: Path) -> Path:
    gpd.GeoDataFrame(geometry=[shapely.box(10, 10, 11, 11)], crs="EPSG:4326").to_file(folder / "far.geojson")
    return folder / "far.geojson"


def far_dem(folder: Path) -> Path:
    with rasterio.open(
        folder / "far.tif", "w", driver="GTiff", height=5, width=5, count=1, crs=CRS, dtype="float32",
        transform=rasterio.Affine(SPACING, 0, LEFT + 1e5, 0, -SPACING, TOP),
    ) as dataset:  # fmt: skip
        dataset.write(np.zeros((5, 5), dtype=np.float32), 1)
    return folder / "far.tif"


@pytest.mark.parametrize("case", BAD)
def test_bad_ground_is_refused_and_leaves_nothing(small: Small, tmp_path: Path, case: str) -> None:
    make, message = BAD[case]
    with pytest.raises(HeadscarpError, match=message):
        evaluate(tmp_path / "out", ground_of(small, **make(small, tmp_path)))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_an_evaluation_is_replaced_only_when_asked(small: Small, tmp_path: Path) -> None:
    options = load(EvaluateOptions, None, {"grounds": [ground_of(small)], **FAST})
    first = run_evaluate(options, tmp_path / "out", with_report=False)
    with pytest.raises(HeadscarpError, match="overwrite"):
        run_evaluate(options, tmp_path / "out", with_report=False)
    second = run_evaluate(options, tmp_path / "out", overwrite=True, with_report=False)
    assert second.pixel == first.pixel
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    with pytest.raises(HeadscarpError, match="would be lost"):
        run_evaluate(options, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "precious"


def test_compare_pairs_methods_on_the_same_ground(small: Small, tmp_path: Path) -> None:
    evaluate(tmp_path / "first", ground_of(small), threshold=0.5)
    other = ground_of(small, prediction=small.folder / "other.tif")
    evaluate(tmp_path / "second", other, threshold=0.5)
    found = run_compare([tmp_path / "first", tmp_path / "second"], tmp_path / "table")
    labels = [method.label for method in found.methods]
    assert labels == ["method", "no landslide", "other"]
    difference = found.methods[2].over_first["pixel at_threshold f1"]
    values = [found.methods[i].figures["pixel at_threshold f1"].value for i in (0, 2)]
    assert None not in values
    assert difference.value == pytest.approx(values[1] - values[0])  # type: ignore[operator]
    assert difference.interval is not None
    assert difference.interval[1] < 0
    assert "| F1 at threshold |" in (tmp_path / "table" / "comparison.md").read_text()
    assert len(pd.read_csv(tmp_path / "table" / "comparison.csv")) > 20
    with pytest.raises(HeadscarpError, match="two evaluation folders"):
        run_compare([tmp_path / "first", tmp_path / "first"])


def test_seeds_of_a_method_become_mean_and_spread(small: Small, tmp_path: Path) -> None:
    f1 = []
    for seed, scale in enumerate((1.0, 0.8, 0.6)):
        path = write_band(tmp_path / f"{seed}.tif", (small.probability * scale).astype(np.float32))
        ground = ground_of(small, prediction=path)
        done = evaluate(tmp_path / f"seed{seed}", ground, name="net", seed=seed, threshold=0.5)
        f1.append(done.pixel["at_threshold"]["f1"])
    found = run_compare([tmp_path / f"seed{seed}" for seed in range(3)])
    [net] = [method for method in found.methods if method.label == "net"]
    figure = net.figures["pixel at_threshold f1"]
    assert (figure.value, figure.std) == pytest.approx((np.mean(f1), np.std(f1, ddof=1)))
    assert figure.seeds == 3


def test_other_ground_has_no_paired_difference(small: Small, tmp_path: Path) -> None:
    grounds = halves(small, tmp_path)
    for name, ground in grounds.items():
        evaluate(tmp_path / f"e-{name}", ground, name=name)
    found = run_compare([tmp_path / "e-validation", tmp_path / "e-test"])
    assert found.methods[-1].over_first == {}
    assert not found.methods[-1].same_ground_as_first
    assert any("other ground" in note for note in found.notes)


def test_figures_do_not_depend_on_the_order_of_reading(small: Small, tmp_path: Path) -> None:
    first = evaluate(tmp_path / "a", ground_of(small))
    second = evaluate(tmp_path / "b", ground_of(small))
    assert first.pixel == second.pixel
    assert first.landslides == second.landslides
    assert first.grounds[0].label_sha256 == second.grounds[0].label_sha256
    assert not math.isnan(first.pixel["average_precision"])
