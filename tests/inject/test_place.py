"""Places: on free ground only, apart from each other, uniformly random."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Geod
from shapely.geometry import Point, box

from headscarp.inject.place import Room, place_outlines

UTM = GeoBox((200, 300), Affine(20, 0, 500_000, 0, -20, 4_000_000), "EPSG:32611")
DEGREES = GeoBox((200, 300), Affine(2e-4, 0, 10.0, 0, -2e-4, 60.0), "EPSG:4326")


def discs(count: int, radius_m: float) -> np.ndarray:
    out = np.empty(count, dtype=object)
    out[:] = [Point(0, 0).buffer(radius_m, 32)] * count
    return out


def touched_pixels(outline: shapely.Geometry, grid: GeoBox) -> list[tuple[int, int]]:
    """Naive: every pixel whose square shares ground with the outline."""
    t = grid.transform
    left, bottom, right, top = outline.bounds  # type: ignore[attr-defined]
    rows = range(int((top - t.f) / t.e), int((bottom - t.f) / t.e) + 1)
    cols = range(int((left - t.c) / t.a), int((right - t.c) / t.a) + 1)
    return [
        (row, col)
        for row in rows
        for col in cols
        if shapely.intersection(
            outline,
            box(t.c + col * t.a, t.f + (row + 1) * t.e, t.c + (col + 1) * t.a, t.f + row * t.e),
        ).area
        > 0
    ]


@pytest.mark.parametrize("grid", [UTM, DEGREES], ids=["metres", "degrees"])
def test_every_pixel_under_an_outline_is_free(grid: GeoBox) -> None:
    free = np.zeros(grid.shape, dtype=np.bool_)
    free[20:120, 30:200] = True
    free &= np.random.default_rng(7).random(free.shape) > 0.004  # holes that outlines must go around
    placed = place_outlines(discs(60, 45.0), Room(grid, free), 30.0, np.random.default_rng(1))
    found = placed[~shapely.is_missing(placed)]
    assert len(found) == 60
    for outline in found:
        assert all(free[place] for place in touched_pixels(outline, grid))


def test_the_gap_is_kept_in_metres() -> None:
    small = UTM[:100, :100]
    room = Room(small, np.ones(small.shape, dtype=np.bool_))
    placed = place_outlines(discs(100, 50.0), room, 150.0, np.random.default_rng(2), attempts=30)
    found = placed[~shapely.is_missing(placed)]
    assert 25 < len(found) < 100
    distances = shapely.distance(found[:, None], found[None, :])
    assert distances[~np.eye(len(found), dtype=bool)].min() >= 150.0 - 1e-6
    assert np.sort(distances, axis=1)[:, 1].min() < 165.0


def test_the_gap_is_kept_in_degrees_too() -> None:
    room, geod = Room(DEGREES, np.ones(DEGREES.shape, dtype=np.bool_)), Geod(ellps="WGS84")
    placed = place_outlines(discs(60, 30.0), room, 300.0, np.random.default_rng(3))
    found = placed[~shapely.is_missing(placed)]
    assert len(found) > 20
    for outline in found:
        assert abs(geod.geometry_area_perimeter(outline)[0]) == pytest.approx(np.pi * 30**2, rel=0.01)
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            ends = shapely.get_coordinates(shapely.shortest_line(one, other))
            assert geod.inv(*ends[0], *ends[1])[2] > 297.0


def test_outlines_taken_before_keep_their_gap() -> None:
    room = Room(UTM, np.ones(UTM.shape, dtype=np.bool_))
    taken = np.array([box(500_000, 3_996_000, 503_000, 4_000_000)], dtype=object)
    placed = place_outlines(discs(20, 50.0), room, 200.0, np.random.default_rng(4), taken)
    assert shapely.distance(placed, taken[0]).min() >= 200.0 - 1e-6


def test_places_are_uniform_over_free_ground() -> None:
    free = np.zeros(UTM.shape, dtype=np.bool_)
    free[:50, :100] = True
    free[100:150, 200:] = True
    places = []
    for seed in range(300):
        placed = place_outlines(discs(1, 5.0), Room(UTM, free), 0.0, np.random.default_rng(seed))
        places.append(shapely.get_coordinates(shapely.centroid(placed[0]))[0])
    north = np.array(places)[:, 1] > 4_000_000 - 2000
    assert 0.42 < north.mean() < 0.58
    east = (np.array(places)[north, 0] - 500_000) / 2000.0
    assert east.mean() == pytest.approx(0.5, abs=0.08)
    assert east.std() == pytest.approx(12**-0.5, abs=0.05)


def test_what_finds_no_room_is_none_and_one_seed_gives_one_place() -> None:
    free = np.zeros(UTM.shape, dtype=np.bool_)
    assert shapely.is_missing(
        place_outlines(discs(2, 50.0), Room(UTM, free), 0.0, np.random.default_rng(1))
    ).all()
    free[10:14, 10:14] = True
    narrow = Room(UTM, free)
    assert place_outlines(discs(1, 50.0), narrow, 0.0, np.random.default_rng(1))[0] is None
    one, two = (place_outlines(discs(1, 20.0), narrow, 0.0, np.random.default_rng(1))[0] for _ in range(2))
    assert shapely.equals_exact(one, two)
    assert place_outlines(np.empty(0, dtype=object), narrow, 0.0, np.random.default_rng(1)).size == 0
