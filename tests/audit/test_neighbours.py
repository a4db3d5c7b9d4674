"""Chips in different CRSs: neighbours are found across UTM zones and the antimeridian, by distance."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from headscarp.audit.findings import FindingKind
from headscarp.audit.neighbours import candidate_pairs, closeness, corners_in
from headscarp.audit.run import audit_splits
from headscarp.audit.table import chip_table
from headscarp.split import Chip, SplitError
from tests.audit.made_splits import SIDE_M, chip, split_file

BORDERS = [
    # two zones, and a place on the border between them
    ("EPSG:32632", "EPSG:32633", 12.0, 45.0),
    ("EPSG:32660", "EPSG:32601", 180.0, 65.0),
    ("EPSG:32760", "EPSG:32701", -180.0, -44.0),
    ("EPSG:32650", "EPSG:32750", 117.0, 0.0),
]


def centred(name: str, split: str, crs: str, x: float, y: float) -> Chip:
    return chip(name, split, x - SIDE_M / 2, y - SIDE_M / 2, crs=crs)  # type: ignore[arg-type]


def outline_in(c: Chip, crs: str) -> shapely.Geometry:
    """Oracle: the outline with sixteen points a side, brought to a CRS."""
    dense = shapely.segmentize(shapely.box(*c.bounds), SIDE_M / 16)
    to = transformer(c.crs, crs)
    return shapely.transform(dense, lambda xy: np.stack(to.transform(*xy.T), axis=1))


@cache
def transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def pair_at(border: tuple[str, str, float, float], distance_m: float) -> tuple[Chip, Chip]:
    """Two chips of two zones whose outlines are a distance apart (negative: moved into each other)."""
    one, other, lon, lat = border
    x, y = transformer("EPSG:4326", one).transform(lon, lat)
    a = centred("a", "train", one, x, y)
    to_other = transformer(one, other)
    low, high = 0.0, 3 * SIDE_M
    for _ in range(26):
        middle = (low + high) / 2
        b = centred("b", "test", other, *to_other.transform(x + middle, y + 200))
        apart = shapely.distance(shapely.box(*a.bounds), outline_in(b, one))
        low, high = (middle, high) if apart < max(distance_m, 1e-3) else (low, middle)
    moved = high + min(distance_m, 0)
    return a, centred("b", "test", other, *to_other.transform(x + moved, y + 200))


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(
    ("distance_m", "kind"),
    [
        (-300.0, FindingKind.OVERLAP),
        (-6.0, FindingKind.OVERLAP),
        (-4.0, FindingKind.TOUCH_EDGE),
        (0.5, FindingKind.TOUCH_EDGE),
        (4.9, FindingKind.TOUCH_EDGE),
        (5.1, None),
        (50.0, None),
    ],
)
def test_neighbours_of_two_zones(
    border: tuple[str, str, float, float], distance_m: float, kind: FindingKind | None
) -> None:
    pair = pair_at(border, distance_m)
    for chips in (pair, pair[::-1]):
        found = audit_splits([split_file(chips)]).findings
        assert [f.kind for f in found] == ([] if kind is None else [kind])
        if kind is not None:
            assert found[0].gap_m == pytest.approx(distance_m, abs=0.05 + 0.03 * abs(distance_m))


@pytest.mark.parametrize("border", BORDERS)
def test_distance_and_overlap_agree_with_dense_outlines(border: tuple[str, str, float, float]) -> None:
    for distance_m in (-300.0, 40.0, 900.0):
        a, b = pair_at(border, distance_m)
        table = chip_table([split_file([a, b])])
        pairs = candidate_pairs(table, 2000.0)
        assert list(zip(*pairs, strict=True)) == [(0, 1)]
        measured = closeness(table, pairs)
        own, foreign = shapely.box(*a.bounds), outline_in(b, a.crs)
        assert measured.distance_m[0] == pytest.approx(shapely.distance(own, foreign), abs=0.02)
        assert measured.overlap_m2[0] == pytest.approx(shapely.intersection(own, foreign).area, rel=1e-3)


def test_candidates_of_one_crs_are_those_within_reach() -> None:
    rng = np.random.default_rng(5)
    corners = rng.uniform(0, 30_000, (80, 2))
    chips = [chip(f"c{i}", "train", 4e5 + x, 5e6 + y) for i, (x, y) in enumerate(corners)]
    table = chip_table([split_file(chips)])
    for reach in (0.0, 5.0, 1280.0):
        gaps = np.abs(corners[:, None] - corners[None]).max(axis=2) - SIDE_M
        expected = {(i, j) for i, j in zip(*np.where(gaps <= reach), strict=True) if i < j}
        found = {(int(i), int(j)) for i, j in zip(*candidate_pairs(table, reach), strict=True)}
        assert found == expected


def test_candidates_of_chosen_rows_only() -> None:
    chips = [chip(f"c{i}", "train", 4e5 + i * SIDE_M, 5e6) for i in range(4)]
    table = chip_table([split_file(chips)])
    pairs = candidate_pairs(table, 5.0, np.array([0, 1, 3]))
    assert list(zip(*pairs, strict=True)) == [(0, 1)]


def test_corners_come_in_the_crs_asked_for() -> None:
    a, b = pair_at(BORDERS[0], 100.0)
    table = chip_table([split_file([a, b])])
    corners = corners_in(table, np.array([0, 1]), 0)
    left, bottom, right, top = a.bounds
    np.testing.assert_array_equal(corners[0], [(left, bottom), (right, bottom), (right, top), (left, top)])
    expected = shapely.get_coordinates(outline_in(b, a.crs))
    assert np.abs(corners[1].min(axis=0) - expected.min(axis=0)).max() < 0.01


def test_bounds_off_the_earth_are_refused() -> None:
    lost = chip("lost", "test", 1e12, 5e6, crs="EPSG:32632")
    with pytest.raises(SplitError, match="lost"):
        audit_splits([split_file([chip("a", "train", 4e5, 5e6), lost])])
