"""Paths: straight on planes, ever lower, ended by gentle ground, water and what is unknown."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from headscarp.simulate.ground import Ground, LandCover
from headscarp.simulate.landslides.runout import STEPS, Paths, Surface, descent, sample, surface_of, trace
from tests.simulate.grounds import ground_of, valley


def plane(slope_deg: float = 30.0, size_px: int = 80) -> Ground:
    """A plane that falls to the south."""
    y = np.arange(size_px + 4)[:, None] * -10.0 * math.tan(math.radians(slope_deg))
    return ground_of(y + np.zeros(size_px + 4) + 2000.0)


def rough(seed: int = 1, size_px: int = 120, spread_m: float = 2.0) -> Ground:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size_px + 4, : size_px + 4] * 10.0
    height = 800 + 250 * np.sin(x / 190) * np.cos(y / 230) + rng.normal(0, spread_m, x.shape)
    return ground_of(height)


def dry(ground: Ground) -> Surface:
    return surface_of(ground, np.full(ground.shape, LandCover.FOREST, np.uint8))


def run(surface: Surface, east: float, south: float, length: float, stop_deg: float = 5.0) -> Paths:
    return trace(surface, *(np.array([value]) for value in (east, south, length, stop_deg)))


def test_heights_between_centres_are_bilinear_and_unknown_beyond_them() -> None:
    surface = dry(rough())
    places = np.random.default_rng(2).uniform(5.0, 1194.9, (2, 200))
    expected = map_coordinates(surface.height_m.astype(float), places[::-1] / 10 - 0.5, order=1)
    np.testing.assert_allclose(sample(surface, places), expected, rtol=1e-6)
    outside = sample(surface, np.array([[4.9, 600.0, 1195.1, np.nan], [600.0, 4.9, 600.0, 600.0]]))
    assert np.isnan(outside).all()


def test_descent_is_that_of_a_plane() -> None:
    direction, slope = descent(dry(plane(30.0)), np.array([[300.0], [411.0]]))
    np.testing.assert_allclose(direction[:, 0], [0.0, 1.0], atol=1e-5)
    assert slope[0] == pytest.approx(math.tan(math.radians(30)), rel=1e-4)


def test_a_path_on_a_plane_is_straight_and_uses_its_length() -> None:
    path = run(dry(plane()), 400.0, 200.0, 240.0)
    assert path.steps[0] == STEPS
    assert path.length_m[0] == pytest.approx(240.0)
    np.testing.assert_allclose(path.east_m[0], 400.0, atol=0.01)
    np.testing.assert_allclose(path.south_m[0], 200.0 + 240.0 * np.arange(STEPS + 1) / STEPS, atol=0.01)


def test_height_falls_at_every_step() -> None:
    surface = dry(rough(spread_m=25.0))
    east, south = np.random.default_rng(3).uniform(100, 1100, (2, 300))
    paths = trace(surface, east, south, np.full(300, 400.0), np.full(300, 5.0))
    assert (paths.steps > 10).sum() > 100
    for k in np.flatnonzero(paths.steps):
        taken = slice(0, paths.steps[k] + 1)
        track = np.stack([paths.east_m[k, taken], paths.south_m[k, taken]])
        assert (np.diff(sample(surface, track)) < 0).all()
        np.testing.assert_allclose(np.hypot(*np.diff(track)), paths.step_m[k])
        assert (paths.east_m[k, taken.stop :] == track[0, -1]).all()


def test_a_path_into_a_funnel_is_a_radius() -> None:
    y, x = np.mgrid[-42:42, -42:42] * 10.0
    surface = dry(ground_of(1000 + 0.6 * np.hypot(x, y)))
    path = run(surface, 150.0, 250.0, 200.0)
    radius = np.hypot(path.east_m[0] - 405.0, path.south_m[0] - 405.0)
    assert (np.diff(radius) < 0).all()
    assert radius[0] - radius[-1] == pytest.approx(200.0, rel=0.01)


def test_a_path_ends_where_the_ground_is_gentle() -> None:
    ground = valley(200, side_slope_deg=30.0, floor_m=200.0)
    path = run(dry(ground), 300.0, 1000.0, 2000.0, stop_deg=10.0)
    assert 0 < path.steps[0] < STEPS
    toe_m = path.east_m[0, -1]
    assert abs(toe_m - 800.0) < 60.0  # the floor begins 200 m from the middle, at 1000 m
    further = run(dry(ground), 300.0, 1000.0, 2000.0, stop_deg=0.2)
    assert further.east_m[0, -1] > toe_m


def test_a_path_ends_at_water() -> None:
    ground = plane()
    cover = np.full(ground.shape, LandCover.FOREST, np.uint8)
    cover[40:] = LandCover.WATER
    path = run(surface_of(ground, cover), 400.0, 200.0, 480.0)
    assert 385.0 < path.south_m[0, -1] < 400.0
    assert path.length_m[0] == pytest.approx(190.0)


@pytest.mark.parametrize("east_south", [(400.0, 300.0), (400.0, 700.0)])
def test_a_path_onto_unknown_ground_or_off_the_grid_is_none(east_south: tuple[float, float]) -> None:
    ground = plane()
    ground.wide_height_m[42:50, 30:60] = np.nan
    assert run(dry(ground), *east_south, 240.0).steps[0] == 0
    assert run(dry(ground), 100.0, 300.0, 240.0).steps[0] == STEPS
    assert run(dry(plane()), 400.0, 300.0, 240.0).steps[0] == STEPS
