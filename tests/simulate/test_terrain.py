"""Generated mountains have slopes, floors and rivers like real ones; surveys agree with the geometry room."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import label

from headscarp.errors import GridError
from headscarp.geometry.terrain import gradient, slope_deg
from headscarp.simulate.land.carving import Rock, carve
from headscarp.simulate.land.drainage import drain, fill_depressions
from headscarp.simulate.land.terrain import LOWEST_M, fractal, generate_height, survey
from tests.simulate.grounds import geobox_of

FLAT_DEG = 5.0


def slopes(height_m: NDArray[np.float32], spacing_m: float) -> NDArray[np.float32]:
    return slope_deg(height_m, (spacing_m, spacing_m))[1:-1, 1:-1]


@pytest.mark.parametrize(
    ("shape", "spacing_m", "seed"),
    [((512, 512), 10.0, seed) for seed in (1, 7, 20, 33)]
    + [((300, 300), 30.0, seed) for seed in (0, 2)]
    + [((256, 700), 10.0, 5), ((400, 150), 20.0, 6)],
)
def test_ground_like_real_mountains(shape: tuple[int, int], spacing_m: float, seed: int) -> None:
    height = generate_height(shape, spacing_m, seed)
    assert height.shape == shape
    assert height.dtype == np.float32
    assert height.min() == LOWEST_M
    slope = slopes(height, spacing_m)
    assert 45.0 < np.percentile(slope, 99.9) < 62.0
    assert 18.0 < np.median(slope[slope >= FLAT_DEG]) < 32.0
    assert 0.05 < (slope < FLAT_DEG).mean() < 0.35
    assert 300.0 < np.ptp(height) < 1600.0
    assert_river_reaches_the_border(height, spacing_m)


def assert_river_reaches_the_border(height: NDArray[np.float32], spacing_m: float) -> None:
    catchment = drain(height, spacing_m).catchment_m2
    largest = np.unravel_index(np.argmax(catchment), catchment.shape)
    rivers, _ = label(catchment > 0.1 * catchment.max(), np.ones((3, 3)))
    river = rivers == rivers[largest]
    edge = np.concatenate(
        [river[:4].ravel(), river[-4:].ravel(), river[:, :4].ravel(), river[:, -4:].ravel()]
    )
    assert edge.any()
    assert np.count_nonzero(river) > 0.3 * min(height.shape)
    assert catchment.max() > 0.1 * height.size * spacing_m**2


@pytest.mark.parametrize("shape", [(64, 64), (64, 200), (9, 8)])
def test_small_grounds(shape: tuple[int, int]) -> None:
    height = generate_height(shape, 10.0, 4)
    assert height.shape == shape
    assert np.isfinite(height).all()
    assert np.ptp(height) > 1.0


def test_relief_grows_with_the_ground() -> None:
    small, middle, large = (
        np.mean([np.ptp(generate_height((size, size), 40.0, seed)) for seed in (1, 2)])
        for size in (50, 100, 250)
    )
    assert 1.3 * small < middle
    assert 1.1 * middle < large < 2500.0


def test_a_small_ground_is_a_model_of_a_larger_one() -> None:
    """Over 1 km, rivers as steep as over 5 km would leave 180 m of relief and no floors."""
    relief = [np.ptp(generate_height((100, 100), 10.0, seed)) for seed in range(5)]
    assert 90.0 < np.mean(relief) < 150.0


def test_one_seed_one_ground() -> None:
    first, again, other = (generate_height((96, 128), 10.0, seed) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert np.abs(first - other).mean() > 5.0


def test_depressions_are_shallow_and_few() -> None:
    height = generate_height((200, 200), 30.0, 3)
    depth = fill_depressions(height, rise_m=0.0) - height
    assert (depth > 5.0).mean() < 0.02


@pytest.mark.parametrize("size", [(0, 64), (64, 7)])
def test_too_small_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(GridError, match="at least 8"):
        generate_height(size, 10.0, 1)
    with pytest.raises(GridError, match="above 0 m"):
        generate_height((64, 64), 0.0, 1)


def test_carved_line_by_hand() -> None:
    """One row of nodes: each drains to the left, and stands higher by the stream-power slope."""
    steepness, hold, node_m = 2.0, 0.4, 10.0
    row = (1, 5)
    rock = Rock(node_m, np.full(row, steepness), np.full(row, hold), np.array([[True] + [False] * 4]))
    carved = carve(np.array([[0.0, 5.0, 1.0, 7.0, 9.0]]), rock, 3)
    catchment = node_m**2 * np.array([4.0, 3.0, 2.0, 1.0])
    rise = node_m * np.minimum(steepness * catchment**-0.45, hold)
    np.testing.assert_allclose(carved[0], np.concatenate([[0.0], np.cumsum(rise)]), rtol=1e-12)


def test_carved_diagonal_by_hand() -> None:
    """The far corner drains to the outlet across the diagonal, over the longer distance."""
    square = (2, 2)
    rock = Rock(10.0, np.full(square, 2.0), np.full(square, 0.4), np.array([[True, False], [False, False]]))
    slope = 2.0 * 100.0**-0.45
    carved = carve(np.array([[0.0, 5.0], [5.0, 6.0]]), rock, 3)
    expected = 10.0 * slope * np.array([[0.0, 1.0], [1.0, np.sqrt(2.0)]])
    np.testing.assert_allclose(carved, expected, rtol=1e-12)


def test_hillsides_stand_no_steeper_than_they_hold() -> None:
    shape = (60, 60)
    outlets = np.zeros(shape, dtype=bool)
    outlets[30, 0] = True
    rock = Rock(30.0, np.full(shape, 400.0), np.full(shape, 0.6), outlets)
    carved = carve(100.0 * fractal(shape, 3.0, 1, "test").astype(np.float64), rock, 15)
    steps = np.concatenate([np.abs(np.diff(carved, axis=axis)).ravel() for axis in (0, 1)]) / 30.0
    assert np.percentile(steps, 99.0) <= 0.6 + 1e-9
    assert (steps > 0.5).mean() > 0.2


@pytest.mark.parametrize("exponent", [2.0, 3.0, 4.0])
def test_fractal_spectrum(exponent: float) -> None:
    size = 256
    power = np.mean(
        [np.abs(np.fft.fft2(fractal((size, size), exponent, seed, "test"))) ** 2 for seed in range(8)], axis=0
    )
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    fitted = (k > 0.02) & (k < 0.4)
    slope, _ = np.polyfit(np.log(k[fitted]), np.log(power[fitted]), 1)
    assert abs(slope + exponent) < 0.05
    surface = fractal((size, size), exponent, 1, "test")
    assert abs(surface.std() - 1.0) < 1e-3
    assert abs(surface.mean()) < 1e-4


def test_fractal_has_no_waves_higher_than_the_longest() -> None:
    power = np.mean(
        [np.abs(np.fft.fft2(fractal((256, 256), 3.0, s, "test", 16.0))) ** 2 for s in range(20)], 0
    )
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    ratio = power[(k > 0.01) & (k < 0.02)].mean() / power[(k > 0.06) & (k < 0.065)].mean()
    # (1/16)² + k² at k = 0.015 and at 1/16, to the power of -3/2
    np.testing.assert_allclose(ratio, ((16**-2 + 0.0625**2) / (16**-2 + 0.0155**2)) ** 1.5, rtol=0.15)


@pytest.mark.parametrize("margin", [1, 3, 20])
def test_survey_is_that_of_the_geometry_room(margin: int) -> None:
    wide = np.random.default_rng(margin).normal(500.0, 30.0, (300, 90)).astype(np.float32)
    wide[150:153, 40:44] = np.nan
    inner = (slice(margin, -margin), slice(margin, -margin))
    ground = survey(wide, geobox_of(wide[inner].shape, 20.0), margin)
    to_east, to_north = gradient(wide, (20.0, 20.0))
    drained = drain(wide, 20.0)
    for found, expected in (
        (ground.slope_deg, slope_deg(wide, (20.0, 20.0))),
        (ground.to_east, to_east.astype(np.float32)),
        (ground.to_north, to_north.astype(np.float32)),
        (ground.catchment_m2, drained.catchment_m2),
        (ground.above_channel_m, drained.above_channel_m),
        (ground.height_m, wide),
    ):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected[inner])
    assert np.isfinite(ground.slope_deg[0]).all()


def test_survey_without_a_margin_is_refused() -> None:
    wide = np.zeros((20, 20))
    with pytest.raises(GridError, match="margin of 0"):
        survey(wide, geobox_of((20, 20)), 0)
    with pytest.raises(GridError, match="shape"):
        survey(wide, geobox_of((19, 18)), 1)
