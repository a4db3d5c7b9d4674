"""Bootstrap over blocks: its sums, its coverage, paired differences, seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from headscarp.errors import OptionsError
from headscarp.evaluate.confusion import pixel_metrics
from headscarp.evaluate.intervals import (
    Interval,
    IntervalOptions,
    draw_blocks,
    interval,
    paired_difference,
    seed_spread,
    sums_of_draws,
)

OPTIONS = IntervalOptions(replicates=400)


def clustered(rng: np.random.Generator, blocks: int) -> np.ndarray:
    """Confusion counts of blocks whose recall differs widely: pixels of a block are found together."""
    landslides = rng.integers(20, 60, blocks)
    found = rng.binomial(landslides, rng.beta(1.0, 1.0, blocks))
    return np.stack([np.full(blocks, 1000), landslides - found, rng.integers(0, 9, blocks), found], axis=1)


def test_sums_of_a_draw_are_those_of_its_blocks() -> None:
    table = np.random.default_rng(0).integers(0, 9, (6, 2, 3))
    weights = draw_blocks(6, OPTIONS)
    drawn = sums_of_draws(weights, table)
    assert drawn.shape == (400, 2, 3)
    for replicate in (0, 17, 399):
        naive = sum(int(weights[replicate, block]) * table[block] for block in range(6))
        assert np.array_equal(drawn[replicate], naive)
    assert np.all(weights.sum(axis=1) == 6)


def test_draws_repeat_and_differ_by_seed() -> None:
    first, again = draw_blocks(9, OPTIONS), draw_blocks(9, OPTIONS)
    other = draw_blocks(9, IntervalOptions(replicates=400, seed=1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_intervals_cover_and_pixels_would_not() -> None:
    """Of 95% intervals over blocks about 19 in 20 hold the truth; binomial ones of pixels far fewer."""
    truth, covered, covered_by_pixels, trials = 0.5, 0, 0, 120
    for trial in range(trials):
        counts = clustered(np.random.default_rng(trial), 60)
        recalls = pixel_metrics(sums_of_draws(draw_blocks(60, OPTIONS), counts))["recall"]
        found = interval(recalls, 0.95)
        assert found is not None
        covered += found.low <= truth <= found.high
        whole = counts.sum(axis=0)
        recall, n = whole[3] / (whole[1] + whole[3]), whole[1] + whole[3]
        half = 1.96 * math.sqrt(recall * (1 - recall) / n)
        covered_by_pixels += abs(recall - truth) <= half
    assert 0.87 <= covered / trials <= 1.0
    assert covered_by_pixels / trials < 0.6


def test_an_interval_needs_defined_draws() -> None:
    values = np.linspace(0, 1, 100)
    values[:4] = np.nan
    found = interval(values, 0.9)
    assert found is not None
    assert found.low == pytest.approx(np.nanquantile(values, 0.05))
    assert found.high == pytest.approx(np.nanquantile(values, 0.95))
    values[:10] = np.nan
    assert interval(values, 0.9) is None
    assert interval(np.full(5, np.nan), 0.9) is None
    assert interval(np.zeros(0), 0.9) is None


def test_pairing_tells_what_separate_intervals_hide() -> None:
    """A method that is a little better on every block: intervals overlap, the difference is sure."""
    rng = np.random.default_rng(2)
    worse = clustered(rng, 50)
    better = worse.copy()
    gained = np.minimum(2, worse[:, 1])
    better[:, 3] += gained
    better[:, 1] -= gained
    weights = draw_blocks(50, OPTIONS)
    pairs = [
        (
            float(pixel_metrics(counts.sum(axis=0))["recall"]),
            pixel_metrics(sums_of_draws(weights, counts))["recall"],
        )
        for counts in (better, worse)
    ]
    separate = [interval(draws, 0.95) for _, draws in pairs]
    assert separate[0] is not None
    assert separate[1] is not None
    assert separate[0].low < separate[1].high
    found = paired_difference(pairs[0], pairs[1], 0.95)
    assert found.value == pytest.approx(pairs[0][0] - pairs[1][0])
    assert found.interval is not None
    assert found.interval.low > 0
    assert found.share_above_zero == 1.0


def test_a_method_against_itself_is_a_tie() -> None:
    draws = np.random.default_rng(0).random(100)
    found = paired_difference((0.4, draws), (0.4, draws), 0.95)
    assert found == (0.0, Interval(0.0, 0.0), 0.5)


def test_unlike_draws_are_refused() -> None:
    with pytest.raises(OptionsError, match="same draws"):
        paired_difference((0.4, np.zeros(10)), (0.4, np.zeros(20)), 0.95)


def test_no_blocks_give_no_interval() -> None:
    weights = draw_blocks(0, OPTIONS)
    values = pixel_metrics(sums_of_draws(weights, np.zeros((0, 4))))["f1"]
    assert interval(values, 0.95) is None


def test_seed_spread_is_the_sample_standard_deviation() -> None:
    values = [0.41, 0.47, 0.44, 0.5]
    spread = seed_spread(values)
    assert (spread.mean, spread.std) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert spread.seeds == 4
    assert math.isnan(seed_spread([0.4]).std)
    assert math.isnan(seed_spread([]).mean)
