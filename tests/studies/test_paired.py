"""Differences of rows, paired by seed and by block of ground, against naive loops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from headscarp.evaluate.intervals import Interval
from headscarp.studies.paired import FigurePath, Gap, Judged, gap, mean_interval

F1: FigurePath = ("pixel", "at_threshold", "f1")
RECALL: FigurePath = ("pixel", "at_threshold", "recall")
RNG = np.random.default_rng(11)


def judged(
    label: str, values: Sequence[float], seeds: Sequence[int | None] = (0, 1, 2), ground: str = "here"
) -> Judged:
    """Runs whose draws spread around their values; recall is half of F1."""
    draws = [value + 0.02 * RNG.standard_normal(400) for value in values]
    return Judged(
        label,
        tuple(seeds),
        (ground,),
        tuple({F1: np.float64(v), RECALL: np.float64(v / 2)} for v in values),
        tuple({F1: d, RECALL: d / 2} for d in draws),
        0.95,
    )


def test_a_gap_is_the_difference_of_means_with_paired_draws() -> None:
    one, other = judged("a", [0.5, 0.6, 0.7]), judged("b", [0.4, 0.6, 0.5])
    found = gap(one, other, F1)
    assert found is not None
    assert found.value == pytest.approx(0.1)
    assert found.by_seed == pytest.approx((0.1, 0.0, 0.2))
    assert found.std == pytest.approx(np.std([0.1, 0.0, 0.2], ddof=1))
    differences = [
        np.mean([d[F1][k] for d in one.draws]) - np.mean([d[F1][k] for d in other.draws]) for k in range(400)
    ]
    assert found.interval == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))


def test_a_gap_turns_its_sign() -> None:
    one, other = judged("a", [0.5, 0.6, 0.7]), judged("b", [0.4, 0.6, 0.5])
    there, back = gap(one, other, F1), gap(other, one, F1)
    assert there is not None
    assert back is not None
    assert back.value == pytest.approx(-there.value)
    assert back.interval is not None
    assert there.interval is not None
    assert back.interval.low == pytest.approx(-there.interval.high)


def test_only_common_seeds_are_held_against_each_other() -> None:
    found = gap(judged("a", [0.5, 0.9], (0, 1)), judged("b", [0.4, 0.1], (0, 2)), F1)
    assert found is not None
    assert found.by_seed == pytest.approx((0.1,))
    assert found.value == pytest.approx(0.1)


def test_a_detector_without_seed_is_held_against_the_mean() -> None:
    found = gap(judged("a", [0.5, 0.6, 0.7]), judged("log-ratio", [0.2], (None,)), F1)
    assert found is not None
    assert found.value == pytest.approx(0.4)
    assert found.by_seed == ()


def test_other_ground_cannot_be_paired() -> None:
    assert gap(judged("a", [0.5, 0.5, 0.5]), judged("b", [0.4, 0.4, 0.4], ground="there"), F1) is None


def test_two_figures_of_one_row() -> None:
    own = judged("a", [0.5, 0.6, 0.7])
    found = gap(own, own, F1, RECALL)
    assert found is not None
    assert found.by_seed == pytest.approx((0.25, 0.3, 0.35))
    assert found.interval == pytest.approx(
        tuple(np.quantile(np.mean([d[F1] for d in own.draws], axis=0) / 2, [0.025, 0.975]))
    )


def test_an_unknown_figure_has_no_gap() -> None:
    own = judged("a", [0.5, 0.6, 0.7])
    assert gap(own, own, ("strata", "none")) is None
    assert mean_interval(own, ("strata", "none")) is None


def test_the_interval_of_a_mean_over_seeds() -> None:
    own = judged("a", [0.5, 0.6, 0.7])
    means = [np.mean([draws[F1][k] for draws in own.draws]) for k in range(400)]
    assert mean_interval(own, F1) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


def test_one_seed_has_no_spread() -> None:
    assert np.isnan(Gap(0.1, Interval(0.0, 0.2), (0.1,)).std)
