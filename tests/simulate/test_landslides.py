"""Landslides of an event: the law of areas, places with room, the merged inventory, real shapes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from headscarp.errors import GridError
from headscarp.evaluate.frequency_area import draw_inverse_gamma, fit_inverse_gamma
from headscarp.ingest.inventory import read_inventory
from headscarp.simulate.ground import Ground, LandCover
from headscarp.simulate.landslides import plan as module
from headscarp.simulate.landslides.outlines import Landslide, Movement
from headscarp.simulate.landslides.plan import (
    SMALLEST_M2,
    landslide_outlines,
    merge,
    plan_landslides,
)
from headscarp.simulate.landslides.shapes import divide, read_shapes
from headscarp.simulate.landslides.trigger import landslide_count
from headscarp.simulate.options import SimulateOptions, Trigger
from tests.simulate.grounds import CRS, NORTH_M, WEST_M, ground_of, valley

BOTH = pytest.mark.parametrize("trigger", list(Trigger))
NOTO = "noto2024_hokai_all_20240115_wajimaCENTRAL_Re2.geojson"


def mountains(size_px: int = 500) -> Ground:
    """Ridges and valleys 2 km apart, slopes to 45°."""
    y, x = np.mgrid[-2 : size_px + 2, -2 : size_px + 2] * 10.0
    height = (
        1000
        + 170 * np.sin(2 * np.pi * x / 2000) * np.cos(2 * np.pi * y / 2600)
        + 90 * np.sin(y / 140 + x / 400)
    )
    return ground_of(height)


def forest(ground: Ground) -> np.ndarray:
    return np.full(ground.shape, LandCover.FOREST, np.uint8)


def plan(
    ground: Ground, count: int | None, trigger: Trigger = Trigger.EARTHQUAKE, seed: int = 7
) -> list[Landslide]:
    return plan_landslides(ground, forest(ground), SimulateOptions(seed=seed, trigger=trigger), count)


def square(west: float, south: float, side: float = 40.0, cut: float = 0.5) -> Landslide:
    """A square whose upper part is source."""
    left, low = WEST_M + west, NORTH_M - 1000 + south
    whole = shapely.box(left, low, left + side, low + side)
    deposit = shapely.box(left, low, left + side, low + side * (1 - cut))
    return Landslide(whole, whole.difference(deposit), deposit, side**2, side, Movement.SLIDE)


# Planning


@BOTH
def test_the_law_of_areas_is_recovered_from_outlines_before_merging(trigger: Trigger) -> None:
    """Within three sampling errors, which are those of fits to as many areas drawn straight from the law."""
    found = plan(valley(600, side_slope_deg=33.0, spacing_m=20.0), 5200, trigger)
    areas = shapely.area(np.array([landslide.outline for landslide in found], dtype=object))
    assert len(found) >= 5195

    truth = np.log([1.40, 1280.0, 1000.0 - 132.0])
    errors = sampling_errors()
    assert (np.abs(parameters(areas) - truth) < 3 * errors).all()
    assert (errors < 0.12).all()


def parameters(areas: np.ndarray) -> np.ndarray:
    """Logarithms of rho, a and 1000 m² + s, as fitted."""
    fit = fit_inverse_gamma(areas).fit
    assert fit is not None
    return np.log([fit.rho, fit.a_m2, 1000.0 + fit.s_m2])


@lru_cache
def sampling_errors() -> np.ndarray:
    """Standard deviations of fits to 5200 areas drawn straight from the law."""
    draws = [draw_inverse_gamma(5200, np.random.default_rng(seed)) for seed in range(10)]
    return np.asarray(np.std([parameters(drawn) for drawn in draws], axis=0, ddof=1))


@BOTH
def test_landslides_are_whole_and_lie_on_the_grid(trigger: Trigger) -> None:
    ground = mountains()
    found = plan(ground, 300, trigger)
    scene = shapely.box(*ground.geobox.boundingbox.bbox)
    assert len(found) >= 295
    for landslide in found:
        assert scene.covers(landslide.outline)
        assert landslide.outline.is_valid
        assert landslide.area_m2 == pytest.approx(landslide.outline.area)
        assert landslide.area_m2 >= SMALLEST_M2 * 0.999
        assert landslide.source.area + landslide.deposit.area == pytest.approx(landslide.area_m2)
        assert landslide.length_m**2 >= landslide.area_m2 * 0.999999


def height_at(ground: Ground, geometry: list[shapely.Geometry]) -> np.ndarray:
    points = shapely.get_coordinates(shapely.centroid(np.array(geometry, dtype=object)))
    row, col = ((NORTH_M - points[:, 1]) // 10).astype(int), ((points[:, 0] - WEST_M) // 10).astype(int)
    return ground.height_m[row, col]


@BOTH
def test_sources_lie_above_deposits(trigger: Trigger) -> None:
    ground = mountains()
    found = [landslide for landslide in plan(ground, 400, trigger) if landslide.area_m2 > 2000]
    fall = height_at(ground, [x.source for x in found]) - height_at(ground, [x.deposit for x in found])
    assert len(found) > 50
    assert (fall > 0).mean() > 0.98
    assert np.median(fall) > 10.0


def test_rain_makes_longer_landslides_and_more_flows() -> None:
    ground = mountains()
    quake, rain = (plan(ground, 300, trigger) for trigger in Trigger)
    elongation = [np.median([x.length_m**2 / x.area_m2 for x in found]) for found in (quake, rain)]
    flows = [np.mean([x.movement is Movement.FLOW for x in found]) for found in (quake, rain)]
    assert elongation[1] > 1.3 * elongation[0]
    assert flows[1] > 2 * flows[0] > 0


def test_one_seed_gives_the_same_landslides_and_another_seed_others() -> None:
    ground = mountains(200)
    once, again, other = plan(ground, 40), plan(ground, 40), plan(ground, 40, seed=8)
    assert [x.outline.wkb for x in once] == [x.outline.wkb for x in again]
    assert {x.outline.wkb for x in once}.isdisjoint(x.outline.wkb for x in other)


def test_the_number_is_what_is_asked_for_or_what_the_trigger_brings() -> None:
    ground = mountains(200)
    for options in (SimulateOptions(landslides=17), SimulateOptions()):
        expected = 17 if options.landslides else landslide_count(ground, Trigger.EARTHQUAKE)
        assert expected - 2 <= len(plan_landslides(ground, forest(ground), options)) <= expected
    assert plan(ground, 0) == []


def test_nothing_comes_from_gentle_ground() -> None:
    assert plan(valley(120, side_slope_deg=10.0), 50) == []


def test_fewer_come_where_there_is_little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    small = valley(30, side_slope_deg=30.0, floor_m=20.0)
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    once = plan(small, 200)
    monkeypatch.setattr(module, "ATTEMPTS", 6)
    found = plan(small, 200)
    assert 50 < len(once) < len(found) < 200
    assert max(landslide.area_m2 for landslide in found) < 300.0**2 / 2


def test_landslides_keep_off_unknown_ground_and_start_on_no_water() -> None:
    ground = mountains(300)
    ground.wide_height_m[100:140, 100:180] = np.nan
    ground.slope_deg[97:139, 97:179] = np.nan
    hole = shapely.box(WEST_M + 980, NORTH_M - 1380, WEST_M + 1780, NORTH_M - 980)
    ground.slope_deg[200:260, 40:200] = np.nan  # heights are known here, the slope is not
    found = plan(ground, 400)
    assert len(found) > 380
    assert not any(landslide.outline.intersects(hole) for landslide in found)
    points = shapely.get_coordinates([landslide.outline for landslide in found]) - (WEST_M, NORTH_M)
    col, row = (points // 10).astype(int).T * [[1], [-1]] - [[0], [1]]
    assert np.isfinite(ground.slope_deg[row, col]).all()


# Merging


def test_overlapping_landslides_are_united_and_add_up() -> None:
    ground = ground_of(np.arange(104)[:, None] * -5.0 + np.zeros(104) + 1000)
    small, large = square(100, 100), square(120, 110, side=60)
    alone, tiny = square(500, 500, cut=0.25), square(800, 300, side=5)
    frame = merge(
        [tiny, small, alone, large], ground, SimulateOptions(trigger=Trigger.RAIN, date="2020-07-04")
    )
    assert frame.crs == CRS
    assert frame["id"].tolist() == [1, 2, 3]
    assert frame["parts"].tolist() == [2, 1, 1]
    # 40² + 60² - 20 x 30; sources: upper halves, 40 x 20 + 60 x 30, which share no ground
    np.testing.assert_allclose(frame["area_m2"], [4600.0, 1600.0, 25.0])
    np.testing.assert_allclose(frame["source_area_m2"], [2600.0, 400.0, 12.5])
    np.testing.assert_allclose(frame["deposit_area_m2"], [2000.0, 1200.0, 12.5])
    np.testing.assert_allclose(frame["area_m2"], frame.geometry.area)
    assert frame["sub_pixel"].tolist() == [False, False, True]
    assert set(frame["movement"]) == {"slide"}
    assert set(frame["trigger"]) == {"rain"}
    assert set(frame["date"]) == {"2020-07-04"}
    np.testing.assert_allclose(frame["slope_mean_deg"], np.rad2deg(np.arctan(0.5)), rtol=1e-4)


def test_a_chain_is_one_landslide_and_the_movement_is_of_its_largest_part() -> None:
    ground = ground_of(np.arange(104)[:, None] * -5.0 + np.zeros(104) + 1000)
    chain = [square(100 + 30 * k, 100) for k in range(4)]
    flow = square(210, 100, side=50)._replace(movement=Movement.FLOW)
    frame = merge([*chain, flow], ground, SimulateOptions())
    assert frame["parts"].tolist() == [5]
    assert frame["movement"].tolist() == ["flow"]


def test_the_mean_slope_is_that_of_the_pixels_whose_middles_lie_inside() -> None:
    ground = mountains(200)
    frame = merge(plan(ground, 120), ground, SimulateOptions())
    y, x = np.mgrid[:200, :200] * 10.0 + 5.0
    for row in frame[frame.area_m2 > 3000].itertuples():
        inside = shapely.contains_xy(row.geometry, WEST_M + x, NORTH_M - y)
        assert row.slope_mean_deg == pytest.approx(ground.slope_deg[inside].mean(), rel=1e-5)
    assert frame["slope_mean_deg"].notna().all()
    assert (frame.area_m2 > 3000).sum() > 5


def test_the_inventory_covers_what_the_landslides_cover_without_overlap() -> None:
    ground = mountains(200)
    found = plan(ground, 250)
    frame = merge(found, ground, SimulateOptions())
    assert len(frame) < len(found) == frame["parts"].sum()
    assert frame.area_m2.sum() == pytest.approx(shapely.union_all([x.outline for x in found]).area)
    assert frame.area_m2.is_monotonic_decreasing
    one, other = shapely.STRtree(frame.geometry).query(frame.geometry, predicate="intersects")
    np.testing.assert_array_equal(one, other)


def test_an_inventory_without_landslides_has_its_columns_and_can_be_written(tmp_path: Path) -> None:
    frame = merge([], valley(60), SimulateOptions())
    assert len(frame) == 0
    assert {"id", "area_m2", "parts", "movement", "sub_pixel", "slope_mean_deg"} <= set(frame.columns)
    frame.to_file(tmp_path / "none.gpkg")
    assert len(read_inventory([tmp_path / "none.gpkg"], CRS).landslides) == 0


def test_outlines_of_zones_are_sources_and_deposits_in_turn() -> None:
    pair = [square(100, 100), square(500, 500)]
    assert landslide_outlines(pair) == [pair[0].source, pair[0].deposit, pair[1].source, pair[1].deposit]


# Shapes of a real inventory


def test_real_outlines_are_moved_as_a_whole_to_where_they_fit(real_data: Path) -> None:
    ground = mountains(500)
    path = real_data / "inventories" / NOTO
    shapes = read_shapes(path, ground)
    original = read_inventory([path], CRS).landslides
    assert len(shapes.landslides) + shapes.dropped == len(original) == 358
    assert len(shapes.landslides) >= 40
    moved = original.geometry.translate(*shapes.moved_m).to_numpy()
    scene = shapely.box(*ground.geobox.boundingbox.bbox)
    expected = moved[shapely.covers(scene, moved)]
    for landslide, outline in zip(shapes.landslides, expected, strict=True):
        assert shapely.equals_exact(landslide.outline, outline, tolerance=1e-6)
        assert landslide.source.area + landslide.deposit.area == pytest.approx(outline.area)
        assert landslide.movement is Movement.UNKNOWN
    fall = height_at(ground, [x.source for x in shapes.landslides]) - height_at(
        ground, [x.deposit for x in shapes.landslides]
    )
    assert (fall >= 0).mean() > 0.9


def test_no_square_of_cells_holds_more_landslides_than_the_scene(real_data: Path) -> None:
    ground = mountains(500)
    path = real_data / "inventories" / NOTO
    moved = read_shapes(path, ground).moved_m
    centres = shapely.get_coordinates(read_inventory([path], CRS).landslides.centroid)
    corner = np.array([WEST_M, NORTH_M - 5000]) - moved

    def held(low: np.ndarray) -> int:
        return int(((centres >= low) & (centres < low + 5000)).all(axis=1).sum())

    best = max(held(corner + 1250.0 * np.array([i, j])) for i in range(-14, 15) for j in range(-14, 15))
    assert held(corner) == best > 40


def test_an_inventory_of_this_ground_stays_and_what_lies_outside_is_counted(tmp_path: Path) -> None:
    ground = mountains(200)
    ground.slope_deg[:40] = np.nan
    boxes = [
        shapely.box(WEST_M + 900, NORTH_M - 1200, WEST_M + 960, NORTH_M - 1100),
        shapely.box(WEST_M - 30, NORTH_M - 1200, WEST_M + 30, NORTH_M - 1100),
        shapely.box(WEST_M + 9000, NORTH_M - 1200, WEST_M + 9060, NORTH_M - 1100),
        shapely.box(WEST_M + 900, NORTH_M - 300, WEST_M + 960, NORTH_M - 200),
    ]
    gpd.GeoDataFrame(geometry=boxes, crs=CRS).to_file(tmp_path / "mapped.gpkg")
    shapes = read_shapes(tmp_path / "mapped.gpkg", ground)
    assert shapes.moved_m == (0.0, 0.0)
    assert shapes.dropped == 3
    assert shapely.equals(shapes.landslides[0].outline, boxes[0])


def test_an_outline_is_cut_along_the_contour() -> None:
    """On a plane that falls to the east, the source of a rectangle is its western half."""
    ground = ground_of(np.arange(104) * -5.0 + np.zeros((104, 1)) + 1000)
    outline = shapely.box(WEST_M + 300, NORTH_M - 560, WEST_M + 400, NORTH_M - 520)
    (landslide,) = divide(np.array([outline], dtype=object), ground)
    np.testing.assert_allclose(
        landslide.source.bounds, (WEST_M + 300, NORTH_M - 560, WEST_M + 350, NORTH_M - 520), atol=0.1
    )
    np.testing.assert_allclose(landslide.deposit.area, 2000.0, rtol=1e-3)
    assert landslide.length_m == pytest.approx(100.0, rel=1e-3)


def test_a_missing_inventory_is_refused() -> None:
    with pytest.raises(GridError, match="an inventory"):
        read_shapes(Path("nowhere.gpkg"), valley(60))
