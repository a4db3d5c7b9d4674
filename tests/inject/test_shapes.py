"""Outlines to plant: areas, forms and turns."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Geod
from shapely.geometry import MultiPolygon, Point, box

from headscarp.errors import GridError
from headscarp.evaluate.frequency_area import inverse_gamma_density
from headscarp.inject.options import PlantOptions
from headscarp.inject.shapes import draw_areas_m2, draw_shapes, read_shapes


def test_areas_are_those_that_were_asked_for() -> None:
    areas = np.array([300.0, 5_000.0, 1e5])
    for inventory in (None, np.array([box(0, 0, 10, 40), Point(5, 5).buffer(3)], dtype=object)):
        outlines = draw_shapes(areas, 3, inventory)
        np.testing.assert_allclose(shapely.area(outlines), areas, rtol=1e-9)
        assert shapely.is_valid(outlines).all()
        np.testing.assert_allclose(shapely.get_coordinates(shapely.centroid(outlines)), 0.0, atol=1e-6)


def test_sizes_come_in_equal_numbers() -> None:
    areas = draw_areas_m2(PlantOptions(landslides=8, sizes_ha=(1.0, 0.3, 3.0)))
    assert areas.tolist() == [3e3] * 3 + [1e4] * 3 + [3e4] * 2


def test_without_sizes_areas_follow_the_truncated_inverse_gamma() -> None:
    options = PlantOptions(landslides=20_000, min_area_m2=1000.0, max_area_m2=20_000.0)
    areas = draw_areas_m2(options)
    assert areas.min() >= 1000.0
    assert areas.max() <= 20_000.0
    edges = np.array([1000.0, 1500.0, 2500.0, 5000.0, 20_000.0])
    mass = []
    for low, high in pairwise(edges):
        fine = np.linspace(low, high, 20_001)
        mass.append(np.trapezoid(inverse_gamma_density(fine, 1.40, 1280.0, -132.0), fine))
    share = np.histogram(areas, edges)[0] / len(areas)
    np.testing.assert_allclose(share, np.array(mass) / sum(mass), atol=0.012)


def test_outlines_are_turned_every_way() -> None:
    inventory = np.array([box(0, 0, 10, 100)], dtype=object)
    outlines = draw_shapes(np.full(400, 1000.0), 5, inventory)
    angles = []
    for outline in outlines:
        x, y = np.diff(shapely.get_coordinates(shapely.minimum_rotated_rectangle(outline)), axis=0).T
        longest = int(np.argmax(np.hypot(x, y)))
        angles.append(np.degrees(np.arctan2(y[longest], x[longest])) % 180.0)
    counts = np.histogram(angles, np.linspace(0, 180, 7))[0]
    assert counts.min() > 40
    assert counts.max() < 95


def test_one_seed_one_set_of_outlines() -> None:
    areas = np.array([1000.0, 2000.0])
    first, again, other = draw_shapes(areas, 1), draw_shapes(areas, 1), draw_shapes(areas, 2)
    assert shapely.equals_exact(first, again).all()
    assert not shapely.equals_exact(first, other).any()


def test_an_inventory_keeps_its_forms_wherever_it_was_mapped(tmp_path: Path) -> None:
    geod = Geod(ellps="WGS84")
    corners = []
    for east, north in ((0, 0), (300, 0), (300, 60), (0, 60)):
        lon, lat, _ = geod.fwd(136.9, 67.4, 90.0, east)
        corners.append(geod.fwd(lon, lat, 0.0, north)[:2])
    path = tmp_path / "inventory.geojson"
    gpd.GeoDataFrame(geometry=[shapely.Polygon(corners)], crs="EPSG:4326").to_file(path)
    [outline] = read_shapes(path)
    west, south, east, north = shapely.bounds(outline)
    assert (east - west, north - south) == pytest.approx((300.0, 60.0), rel=2e-3)


def test_of_many_parts_the_largest_is_planted(tmp_path: Path) -> None:
    parts = MultiPolygon([box(0, 0, 100, 20), box(500, 0, 900, 100)])
    path = tmp_path / "inventory.gpkg"
    gpd.GeoDataFrame(geometry=[parts], crs="EPSG:32654").set_geometry(
        gpd.GeoSeries([parts], crs="EPSG:32654").translate(400_000, 4_000_000)
    ).to_file(path)
    [outline] = read_shapes(path)
    assert shapely.area(outline) == pytest.approx(40_000.0, rel=5e-3)


def test_a_file_without_outlines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.gpkg"
    gpd.GeoDataFrame(geometry=gpd.GeoSeries([], crs="EPSG:4326"), crs="EPSG:4326").to_file(path)
    with pytest.raises(GridError, match="without a polygon"):
        read_shapes(path)
    with pytest.raises(GridError, match="nowhere"):
        read_shapes(tmp_path / "nowhere.gpkg")


def test_options_are_held_to_their_ranges() -> None:
    assert PlantOptions(sizes_ha="0.3, 1,10").sizes_ha == (0.3, 1.0, 10.0)  # type: ignore[arg-type]
    for wrong in ({"sizes_ha": "0"}, {"sizes_ha": "1,1"}, {"sizes_ha": "a"}, {"max_area_m2": 1000.0}):
        with pytest.raises(ValueError, match=r"sizes_ha|max_area_m2"):
            PlantOptions(**wrong)  # type: ignore[arg-type]
