"""Where landslides start, and how many: factors by hand, clustering measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chisquare

from headscarp.simulate.ground import Ground, LandCover
from headscarp.simulate.landslides import trigger as module
from headscarp.simulate.landslides.trigger import (
    BACKGROUND,
    FAULT_HALF_SHARE,
    SHAKING_DECAY_M,
    SHAKING_DECAY_SHARE,
    START_SLOPE_DEG,
    Source,
    draw_places,
    intensity,
    landslide_count,
    susceptibility,
    trigger_sources,
)
from headscarp.simulate.options import Trigger
from tests.simulate.grounds import ground_of, valley

BOTH = pytest.mark.parametrize("trigger", list(Trigger))


def plane(slope_deg: float, size_px: int = 100) -> Ground:
    y = np.arange(size_px + 4)[:, None] * -10.0 * math.tan(math.radians(slope_deg))
    return ground_of(y + np.zeros(size_px + 4) + 5000.0)


def forest(ground: Ground) -> np.ndarray:
    return np.full(ground.shape, LandCover.FOREST, np.uint8)


@BOTH
def test_nothing_starts_on_gentle_ground_water_or_unknown_ground(trigger: Trigger) -> None:
    ground = valley(120)
    ground.slope_deg[:10] = np.nan
    cover = forest(ground)
    cover[20:30], cover[40:50] = LandCover.WATER, LandCover.UNKNOWN
    weights = susceptibility(ground, cover, trigger, 7)
    steep = ground.slope_deg >= START_SLOPE_DEG
    allowed = steep & (cover == LandCover.FOREST)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights > 0, allowed)
    assert allowed.any()
    assert not allowed[:10].any()


@BOTH
def test_steeper_ground_weighs_more_up_to_forty_degrees(trigger: Trigger) -> None:
    by_slope = [susceptibility(plane(s), forest(plane(s)), trigger, 7) for s in (20.5, 30.0, 39.9, 50.0)]
    ratios = [float(np.median(weights / by_slope[2])) for weights in by_slope]
    np.testing.assert_allclose(ratios, [0.22, 0.6, 1.0, 1.0], atol=0.01)


def test_shaking_and_rain_fall_off_as_their_equations_say() -> None:
    ground = plane(30.0, 60)
    fault = Source(200.0, 300.0, 900.0, 0.7, 150.0)
    cells = [Source(100.0, 500.0, 200.0, 0.0, 0.0), Source(450.0, 80.0, 90.0, 0.0, 0.0)]
    shaken, wet = intensity(ground, slice(10, 40), [fault]), intensity(ground, slice(10, 40), cells)
    one_end = np.array([200 - 150 * math.cos(0.7), 300 - 150 * math.sin(0.7)])
    other_end = np.array([200 + 150 * math.cos(0.7), 300 + 150 * math.sin(0.7)])
    for row, col in ((10, 0), (25, 31), (39, 59), (30, 20)):
        place = np.array([col + 0.5, row + 0.5]) * 10
        on_line = one_end + np.linspace(0, 1, 20_001)[:, None] * (other_end - one_end)
        nearest = np.hypot(*(on_line - place).T).min()
        expected = BACKGROUND + (1 - BACKGROUND) * math.exp(-nearest / 900)
        assert shaken[row - 10, col] == pytest.approx(expected, rel=1e-4)
        squares = [((place[0] - c.east_m) ** 2 + (place[1] - c.south_m) ** 2) / c.radius_m**2 for c in cells]
        expected = BACKGROUND + (1 - BACKGROUND) * math.exp(-0.5 * min(squares))
        assert wet[row - 10, col] == pytest.approx(expected, rel=1e-4)


def test_a_fault_or_several_cells_lie_in_the_scene() -> None:
    ground = plane(30.0, 100)
    for seed in range(20):
        (fault,) = trigger_sources(ground, Trigger.EARTHQUAKE, seed)
        assert (fault.radius_m, fault.half_length_m) == (SHAKING_DECAY_M, FAULT_HALF_SHARE * SHAKING_DECAY_M)
        assert 250 <= min(fault.east_m, fault.south_m) <= max(fault.east_m, fault.south_m) <= 750
        cells = trigger_sources(ground, Trigger.RAIN, seed)
        assert len(cells) == 2
        assert all(0 <= part <= 1000 for cell in cells for part in cell[:2])
    assert len(trigger_sources(plane(30.0, 800), Trigger.RAIN, 1)) == round(64 / module.KM2_PER_CELL)
    large = ground_of(np.zeros((9, 604)), spacing_m=50.0)
    assert trigger_sources(large, Trigger.EARTHQUAKE, 1)[0].radius_m == pytest.approx(
        SHAKING_DECAY_SHARE * 30_000
    )


def test_shaking_favours_crests_and_rain_low_hollows() -> None:
    ground = valley(200)
    ground.catchment_m2[:, :100] = 50_000.0
    ground.catchment_m2[:, 100:] = 100.0
    weights = {t: susceptibility(ground, forest(ground), t, 7).astype(float) for t in Trigger}
    height = {t: float(np.average(ground.above_channel_m, weights=w)) for t, w in weights.items()}
    plain = float(ground.above_channel_m[ground.slope_deg > START_SLOPE_DEG].mean())
    assert height[Trigger.EARTHQUAKE] > 1.1 * plain
    assert height[Trigger.RAIN] < 0.97 * plain
    above, hollow = ground.above_channel_m[100, 60], 50_000 / 55_000
    high = above / (above + module._typical_relief_m(ground))
    factor = module._position_factor(ground, slice(100, 101), Trigger.RAIN, module._typical_relief_m(ground))
    assert factor[0, 60] == pytest.approx(1 + module.HOLLOW_GAIN * hollow * (1 - high), rel=1e-5)


@BOTH
def test_a_trigger_clusters_landslides(trigger: Trigger) -> None:
    """Variance over mean of counts in squares is 1 for independent places, and above it in clusters."""
    ground = plane(30.0, 600)
    weights = susceptibility(ground, forest(ground), trigger, 7)
    uniform = (weights > 0).astype(np.float32)
    ratios = []
    for field in (weights, uniform):
        places = draw_places(field, 2000, np.random.default_rng(2))
        counts = np.histogram2d(places.row, places.col, bins=10, range=[[0, 600], [0, 600]])[0]
        ratios.append(counts.var() / counts.mean())
    assert ratios[0] > 4.0
    assert ratios[1] < 1.5


def test_density_falls_away_from_the_fault() -> None:
    ground = plane(30.0, 800)
    weights = susceptibility(ground, forest(ground), Trigger.EARTHQUAKE, 7)
    near = intensity(ground, slice(0, 800), trigger_sources(ground, Trigger.EARTHQUAKE, 7))
    strong = near > np.median(near)
    assert weights[strong].mean() > 1.5 * weights[~strong].mean()


def test_places_are_drawn_in_proportion_to_weights() -> None:
    weights = np.array([[0.0, 1.0, 3.0], [0.0, 0.0, 0.0], [4.0, 0.0, 2.0]], np.float32)
    places = draw_places(weights, 50_000, np.random.default_rng(1))
    counts = np.histogram2d(places.row, places.col, bins=3, range=[[0, 3], [0, 3]])[0]
    positive = weights > 0
    assert counts[~positive].sum() == 0
    assert chisquare(counts[positive], 50_000 * weights[positive] / weights.sum()).pvalue > 0.01
    for part in (places.row % 1, places.col % 1):
        assert chisquare(np.histogram(part, 10, (0, 1))[0]).pvalue > 0.01


def test_no_place_is_drawn_where_nothing_can_start() -> None:
    assert draw_places(np.zeros((4, 5), np.float32), 10, np.random.default_rng(1)).row.size == 0


def test_the_count_follows_steep_ground() -> None:
    steep = plane(30.0, 100)  # 1 km²
    assert [landslide_count(steep, trigger) for trigger in (Trigger.EARTHQUAKE, Trigger.RAIN)] == [12, 5]
    assert landslide_count(plane(10.0, 100), Trigger.EARTHQUAKE) == 0


@BOTH
def test_blocks_do_not_matter_and_the_seed_does(trigger: Trigger, monkeypatch: pytest.MonkeyPatch) -> None:
    ground = valley(150)
    whole = susceptibility(ground, forest(ground), trigger, 7)
    assert (susceptibility(ground, forest(ground), trigger, 8) != whole).any()
    monkeypatch.setattr(module, "_BLOCK_ROWS", 37)
    np.testing.assert_array_equal(susceptibility(ground, forest(ground), trigger, 7), whole)
