"""Landslides as objects: matching against naive loops, properties of rotation and roles, counts by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from headscarp.errors import GridError
from headscarp.evaluate.landslides import landslide_counts, landslide_metrics
from headscarp.evaluate.matching import MatchOptions, match_landslides

UTM = "EPSG:32653"
LEFT, BOTTOM = 700_000.0, 4_140_000.0
LOOSE = MatchOptions(min_iou=0.05, min_overlap=0.3)


def frame(*shapes: shapely.Geometry, crs: str = UTM) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=gpd.GeoSeries(list(shapes), crs=crs))


def box(left: float, bottom: float, width: float, height: float) -> shapely.Geometry:
    return shapely.box(LEFT + left, BOTTOM + bottom, LEFT + left + width, BOTTOM + bottom + height)


def stars(seed: int, n: int, extent_m: float = 60.0) -> gpd.GeoDataFrame:
    """Ragged outlines that overlap each other, some of two parts."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    shapes = []
    for _ in range(n):
        x, y, size = *rng.uniform(0, extent_m, 2), rng.uniform(4, 15)
        radius = size * rng.uniform(0.4, 1.0, angles.size)
        star = shapely.Polygon(
            np.c_[LEFT + x + radius * np.cos(angles), BOTTOM + y + radius * np.sin(angles)]
        )
        apart = shapely.affinity.translate(star, 0, extent_m * 2)
        shapes.append(shapely.multipolygons([star, apart]) if rng.random() < 0.2 else star)
    return frame(*shapes)


def naive_match(own: gpd.GeoDataFrame, other: gpd.GeoDataFrame) -> list[dict[str, float]]:
    """Each landslide in a loop over all of both sides."""
    rows: list[dict[str, float]] = []
    for i, a in enumerate(own.geometry):
        shared = [a.intersection(b).area for b in other.geometry]
        iou = [s / a.union(b).area for s, b in zip(shared, other.geometry, strict=True)]
        union = shapely.union_all(other.geometry.to_list())
        new = a.difference(shapely.union_all(own.geometry.to_list()[:i]))
        rows.append(
            {
                "overlap_share": a.intersection(union).area / a.area,
                "best_iou": max(iou, default=0.0),
                "ground_m2": new.area,
                "shared_m2": new.intersection(union).area,
            }
        )
    return rows


def best_sum(predicted: gpd.GeoDataFrame, mapped: gpd.GeoDataFrame, min_iou: float) -> float:
    """Largest sum of IoU of any one-to-one assignment, by trying all."""
    iou = np.array(
        [[a.intersection(b).area / a.union(b).area for b in mapped.geometry] for a in predicted.geometry]
    )
    if not iou.size:
        return 0.0
    iou = np.where(iou >= min_iou, iou, 0.0)
    iou = iou if iou.shape[0] <= iou.shape[1] else iou.T
    columns = range(iou.shape[1])
    return max(
        sum(iou[i, j] for i, j in enumerate(chosen))
        for chosen in itertools.permutations(columns, iou.shape[0])
    )


seeds = st.integers(0, 10_000)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, n=st.integers(0, 6), m=st.integers(0, 6))
def test_matches_are_those_of_loops_over_all_pairs(seed: int, n: int, m: int) -> None:
    predicted, mapped = stars(seed, n), stars(seed + 1, m)
    matched = match_landslides(predicted, mapped, LOOSE)
    for own, other, found, failure in (
        (predicted, mapped, matched.predicted, "false"),
        (mapped, predicted, matched.mapped, "missed"),
    ):
        expected = naive_match(own, other)
        for name in ("overlap_share", "best_iou", "ground_m2", "shared_m2"):
            np.testing.assert_allclose(found[name], [row[name] for row in expected], rtol=1e-7, atol=1e-6)
        hits = [row["overlap_share"] >= LOOSE.min_overlap for row in expected]
        assert found["outcome"].tolist() == ["hit" if hit else failure for hit in hits]
        assert found["area_m2"].tolist() == pytest.approx(own.geometry.area.tolist())


@settings(max_examples=40, deadline=None)
@given(seed=seeds, n=st.integers(0, 5), m=st.integers(0, 6), min_iou=st.sampled_from([0.02, 0.2, 0.5]))
def test_pairs_are_mutual_and_have_the_largest_sum_of_iou(seed: int, n: int, m: int, min_iou: float) -> None:
    # close together, so that groups of rivals arise
    mapped = stars(seed, m, extent_m=25.0)
    predicted = stars(seed + 1, n, extent_m=25.0)
    matched = match_landslides(predicted, mapped, MatchOptions(min_iou=min_iou))
    partner_of = dict(zip(matched.mapped["id"], matched.mapped["partner"], strict=True))
    total = 0.0
    for row in matched.predicted[matched.predicted["partner"] > 0].itertuples():
        assert partner_of[row.partner] == row.id
        other = matched.mapped.geometry[matched.mapped["id"] == row.partner].item()
        iou = row.geometry.intersection(other).area / row.geometry.union(other).area
        assert iou >= min_iou - 1e-9
        total += iou
    assert (matched.predicted["partner"] > 0).sum() == (matched.mapped["partner"] > 0).sum()
    assert total == pytest.approx(best_sum(predicted, mapped, min_iou), abs=1e-9)


def test_the_best_assignment_is_not_the_greedy_one() -> None:
    """The sum of IoU counts: it may keep the best pair alone, or give it up for two others."""
    mapped = frame(box(0, 0, 100, 10), box(100, 0, 40, 10))
    predicted = frame(box(30, 0, 90, 10), box(0, 0, 30, 10))
    matched = match_landslides(predicted, mapped, MatchOptions(min_iou=0.1))
    # IoU: predicted 1 with mapped 1: 70 / 120, with mapped 2: 20 / 110; predicted 2 with mapped 1: 30 / 100
    assert matched.predicted["best_iou"].tolist() == pytest.approx([70 / 120, 0.3])
    assert matched.predicted["partner"].tolist() == [1, -1]  # 0.583 is more than 0.182 + 0.3
    wider = match_landslides(frame(box(30, 0, 110, 10), box(0, 0, 60, 10)), mapped, MatchOptions(min_iou=0.1))
    # 70 / 140 and 40 / 110 for the first; 60 / 100 for the second: 0.364 + 0.6 is more than 0.5
    assert wider.predicted["partner"].tolist() == [2, 1]
    assert wider.mapped["partner"].tolist() == [2, 1]


@settings(max_examples=25, deadline=None)
@given(seed=seeds, angle=st.floats(-180, 180), x=st.floats(-1e5, 1e5), y=st.floats(-1e5, 1e5))
def test_turning_and_moving_both_sides_changes_nothing(seed: int, angle: float, x: float, y: float) -> None:
    sides = stars(seed, 6), stars(seed + 1, 7)
    moved = [
        gpd.GeoDataFrame(geometry=s.geometry.rotate(angle, origin=(LEFT, BOTTOM)).translate(x, y))
        for s in sides
    ]
    for before, after in zip(match_landslides(*sides), match_landslides(*moved), strict=True):
        for name in ("overlap_share", "best_iou", "ground_m2", "shared_m2"):
            np.testing.assert_allclose(after[name], before[name], rtol=1e-5, atol=1e-5)
        far = (abs(before["overlap_share"] - 0.1) > 1e-4) & (abs(before["best_iou"] - 0.5) > 1e-4)
        assert after["outcome"][far].tolist() == before["outcome"][far].tolist()
        assert after["size_class"].tolist() == before["size_class"].tolist()


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_exchanging_the_sides_exchanges_precision_and_recall(seed: int) -> None:
    sides = stars(seed, 5), stars(seed + 1, 8)
    values = [metrics_of(*pair) for pair in (sides, sides[::-1])]
    for one, other in (
        ("precision", "detection_rate"),
        ("precision_one_to_one", "recall_one_to_one"),
        ("precision_by_size", "detection_rate_by_size"),
        ("f1", "f1"),
        ("f1_one_to_one", "f1_one_to_one"),
        ("area_iou", "area_iou"),
    ):
        np.testing.assert_allclose(values[0][one], values[1][other], rtol=1e-9)


def metrics_of(predicted: gpd.GeoDataFrame, mapped: gpd.GeoDataFrame) -> dict[str, Any]:
    matched = match_landslides(predicted, mapped)
    zeros = [np.zeros(len(side), dtype=int) for side in matched]
    counts = landslide_counts(matched, *zeros, blocks=1)
    return landslide_metrics({name: values.sum(axis=0) for name, values in counts.items()}, np.array(50.0))


def test_a_perfect_copy_is_all_hits() -> None:
    mapped = stars(3, 40, extent_m=2000.0)
    matched = match_landslides(mapped, mapped)
    for side in matched:
        assert side["outcome"].tolist() == ["hit"] * 40
        assert side["partner"].tolist() == side["id"].tolist()
        np.testing.assert_allclose(side[["best_iou", "overlap_share"]], 1.0)
        assert (side[["best_iou", "overlap_share"]].to_numpy() <= 1.0).all()
    values = metrics_of(mapped, mapped)
    for name in ("detection_rate", "precision", "f1", "f1_one_to_one", "area_iou"):
        assert values[name] == pytest.approx(1.0)
    assert values["area_bias"] == pytest.approx(0.0)


def test_overlapping_landslides_count_their_ground_once() -> None:
    """Two mapped outlines share 20 m of 100; one prediction covers the second half of both."""
    mapped = frame(box(0, 0, 60, 10), box(40, 0, 60, 10))
    matched = match_landslides(frame(box(50, 0, 50, 10)), mapped)
    assert matched.mapped["ground_m2"].tolist() == pytest.approx([600, 400])
    assert matched.mapped["shared_m2"].tolist() == pytest.approx([100, 400])
    assert matched.predicted["overlap_share"].tolist() == pytest.approx([1.0])  # 100 + 500 would be 1.2
    assert matched.predicted["shared_m2"].tolist() == pytest.approx([500])


def test_the_overlap_threshold_is_inclusive_and_touching_is_nothing() -> None:
    mapped = frame(box(0, 0, 16, 10), box(16, 20, 16, 10), box(50, 0, 16, 10))
    predicted = frame(box(14, 0, 16, 10), box(31, 20, 16, 10), box(66, 0, 5, 10))
    matched = match_landslides(predicted, mapped, MatchOptions(min_overlap=0.125))
    assert matched.mapped["overlap_share"].tolist() == [0.125, 0.0625, 0.0]
    assert matched.mapped["outcome"].tolist() == ["hit", "missed", "missed"]
    assert matched.predicted["outcome"].tolist() == ["hit", "false", "false"]


def test_size_classes_are_closed_below() -> None:
    mapped = frame(box(0, 0, 99, 10), box(200, 0, 100, 10), box(400, 0, 400, 400))
    matched = match_landslides(frame(), mapped)
    assert matched.mapped["size_class"].tolist() == [0, 1, 5]


@pytest.mark.parametrize("sides", [(0, 0), (0, 3), (3, 0)])
def test_sides_without_landslides(sides: tuple[int, int]) -> None:
    predicted, mapped = (stars(1, n, extent_m=900.0) for n in sides)
    matched = match_landslides(predicted, mapped)
    assert [len(side) for side in matched] == list(sides)
    assert matched.predicted.crs == matched.mapped.crs == UTM
    assert set(matched.predicted["outcome"]) <= {"false"}
    assert set(matched.mapped["outcome"]) <= {"missed"}
    values = metrics_of(predicted, mapped)
    some = bool(sum(sides))
    assert math.isnan(values["f1"]) is not some
    assert math.isnan(values["detection_rate"]) is (sides[1] == 0)
    assert math.isnan(values["precision"]) is (sides[0] == 0)
    assert values["false_alarms_per_100km2"] == 2 * sides[0]
    assert math.isnan(values["area_bias"]) is (sides[1] == 0)


def test_given_ids_and_areas_are_used() -> None:
    predicted = frame(box(0, 0, 10, 10)).assign(id=[7], area_m2=[5000.0])
    matched = match_landslides(predicted, frame(box(0, 0, 10, 20)))
    assert matched.mapped["partner"].tolist() == [7]
    assert matched.predicted["size_class"].tolist() == [2]
    assert matched.predicted["shared_m2"].tolist() == [5000.0]
    assert "size_class" not in predicted.columns


def test_geographic_landslides_match_as_projected_ones() -> None:
    sides = stars(5, 30, extent_m=200.0), stars(6, 30, extent_m=200.0)
    degrees = [side.to_crs("EPSG:4326") for side in sides]
    for plane, sphere in zip(match_landslides(*sides), match_landslides(*degrees), strict=True):
        np.testing.assert_allclose(sphere["overlap_share"], plane["overlap_share"], atol=1e-4)
        np.testing.assert_allclose(sphere["best_iou"], plane["best_iou"], atol=1e-4)
        # 200 km from the central meridian UTM's scale is 1.0001, that of areas 1.0002
        np.testing.assert_allclose(sphere["shared_m2"], plane["shared_m2"], rtol=1e-3, atol=0.1)


def test_what_cannot_be_compared_is_refused() -> None:
    one = frame(box(0, 0, 10, 10))
    with pytest.raises(GridError, match="one CRS"):
        match_landslides(one, one.to_crs("EPSG:4326"))
    with pytest.raises(GridError, match="one CRS"):
        match_landslides(one.set_crs(None, allow_override=True), one)
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    for broken in (bow, None, shapely.Polygon(), shapely.Point(0, 0)):
        with pytest.raises(GridError, match="1 of 2 mapped"):
            match_landslides(one, frame(box(0, 0, 10, 10), broken))


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_iou": 0},
        {"min_iou": 1},
        {"min_overlap": 0},
        {"size_edges_m2": ()},
        {"size_edges_m2": (1.0, 2.0)},
        {"size_edges_m2": (0.0, 2.0, 2.0)},
        {"iou": 0.5},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MatchOptions.model_validate(wrong)


# Counts and ratios

OPTIONS = MatchOptions(size_edges_m2=(0.0, 150.0))


def drawn() -> tuple[Any, np.ndarray, np.ndarray]:
    """Mapped: small hit, large hit with a partner, small missed; in block 1 large hit."""
    mapped = frame(box(0, 0, 10, 10), box(100, 0, 20, 10), box(200, 0, 10, 10), box(1000, 0, 20, 10))
    predicted = frame(box(8, 0, 10, 10), box(100, 0, 20, 12), box(1018, 0, 10, 10), box(1500, 0, 20, 10))
    return match_landslides(predicted, mapped, OPTIONS), np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])


def test_counts_by_block_and_size_are_those_by_hand() -> None:
    matched, predicted_block, mapped_block = drawn()
    counts = landslide_counts(matched, predicted_block, mapped_block, 3, OPTIONS)
    none = [0, 0]
    expected = {
        "mapped": [[2, 1], [0, 1], none],
        "detected": [[1, 1], [0, 1], none],
        "detected_one_to_one": [[0, 1], none, none],
        "predicted": [[1, 1], [1, 1], none],
        "false": [none, [0, 1], none],
        "true_one_to_one": [[0, 1], none, none],
        "mapped_m2": [400, 200, 0],
        "predicted_m2": [340, 300, 0],
        "intersection_m2": [220, 20, 0],
    }
    assert {name: np.round(values, 6).tolist() for name, values in counts.items()} == expected
    assert {str(counts[name].dtype) for name in expected} == {"int64", "float64"}


def test_ratios_are_those_by_hand() -> None:
    counts = landslide_counts(*drawn(), 2, OPTIONS)
    total = {name: values.sum(axis=0) for name, values in counts.items()}
    values = landslide_metrics(total, np.array(25.0))
    expected = {
        "detection_rate": 3 / 4,
        "precision": 3 / 4,
        "f1": 3 / 4,
        "recall_one_to_one": 1 / 4,
        "precision_one_to_one": 1 / 4,
        "f1_one_to_one": 1 / 4,
        "false_alarms_per_100km2": 4.0,
        "area_bias": 40 / 600,
        "area_iou": 240 / (600 + 640 - 240),
        "detection_rate_by_size": [1 / 2, 1.0],
        "recall_one_to_one_by_size": [0.0, 1 / 2],
        "precision_by_size": [1.0, 1 / 2],
        "false_alarms_per_100km2_by_size": [0.0, 4.0],
    }
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-9, err_msg=name)


def test_ratios_broadcast_over_replicates_and_blocks() -> None:
    counts = landslide_counts(*drawn(), 3, OPTIONS)
    ground = np.array([10.0, 20.0, 0.0])
    values = landslide_metrics(counts, ground)
    weights = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [2, 1, 0]])
    sums = {name: np.tensordot(weights, table, axes=1) for name, table in counts.items()}
    replicates = landslide_metrics(sums, weights @ ground)
    for name, by_block in values.items():
        np.testing.assert_allclose(replicates[name][:3], by_block, err_msg=name)
        assert np.isnan(by_block[2]).all()  # a block without landslides and without ground
    # twice the first block and once the second: 4 + 1 of 6 + 1, and 1 false on 40 km²
    assert replicates["detection_rate"][3] == pytest.approx(5 / 7)
    assert replicates["false_alarms_per_100km2"][3] == pytest.approx(2.5)


def test_nothing_matched_is_zero_not_undefined() -> None:
    values = metrics_of(frame(box(0, 0, 10, 10)), frame(box(500, 0, 10, 10)))
    assert [float(values[name]) for name in ("f1", "f1_one_to_one", "detection_rate", "area_iou")] == [
        0.0
    ] * 4


def test_f1_is_the_harmonic_mean_of_unlike_rates() -> None:
    """One prediction over three small landslides, one false: recall 3/4, precision 1/2."""
    mapped = frame(*(box(20 * i, 0, 10, 10) for i in range(3)), box(900, 0, 10, 10))
    values = metrics_of(frame(box(0, 0, 50, 10), box(500, 0, 10, 10)), mapped)
    assert (values["detection_rate"], values["precision"]) == (0.75, 0.5)
    assert values["f1"] == pytest.approx(0.6)


def test_landslides_of_no_block_are_left_out_and_wrong_blocks_refused() -> None:
    matched, predicted_block, mapped_block = drawn()
    counts = landslide_counts(matched, np.array([-1, 0, 0, -1]), mapped_block - 1, 1, OPTIONS)
    assert counts["predicted"].tolist() == [[1, 1]]
    assert counts["mapped"].tolist() == [[0, 1]]
    assert counts["mapped_m2"].tolist() == pytest.approx([200])
    for wrong in (predicted_block[:3], predicted_block + 1):
        with pytest.raises(GridError, match="one block for each of 4"):
            landslide_counts(matched, wrong, mapped_block, 2, OPTIONS)
