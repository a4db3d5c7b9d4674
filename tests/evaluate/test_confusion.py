"""Confusion counts and their ratios against naive loops and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sk

from headscarp.evaluate.confusion import OUTCOMES, confusion_counts, pixel_metrics, ratio

Mask = NDArray[np.bool_]


def masks(seed: int, n: int = 500, share: float = 0.2) -> tuple[Mask, Mask]:
    rng = np.random.default_rng(seed)
    landslide = rng.random(n) < share
    return np.where(rng.random(n) < 0.8, landslide, ~landslide), landslide


def naive_counts(predicted: Mask, landslide: Mask) -> list[int]:
    names = {(False, False): 0, (False, True): 1, (True, False): 2, (True, True): 3}
    counts = [0, 0, 0, 0]
    for p, y in zip(predicted.tolist(), landslide.tolist(), strict=True):
        counts[names[p, y]] += 1
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_a_naive_loop(seed: int) -> None:
    predicted, landslide = masks(seed)
    assert confusion_counts(predicted, landslide).tolist() == [naive_counts(predicted, landslide)]
    assert OUTCOMES == ("true_negative", "false_negative", "false_positive", "true_positive")


@given(st.integers(0, 2**16), st.integers(1, 7))
def test_counts_of_blocks_add_up_to_the_whole(seed: int, blocks: int) -> None:
    predicted, landslide = masks(seed, 200)
    block = np.random.default_rng(seed).integers(0, blocks, 200)
    by_block = confusion_counts(predicted, landslide, block, blocks)
    assert by_block.shape == (blocks, 4)
    for index in range(blocks):
        own = block == index
        assert by_block[index].tolist() == naive_counts(predicted[own], landslide[own])


@pytest.mark.parametrize("share", [0.002, 0.2, 0.9])
def test_ratios_equal_scikit_learn(share: float) -> None:
    predicted, landslide = masks(5, 4000, share)
    values = pixel_metrics(confusion_counts(predicted, landslide)[0])
    oracle = {
        "precision": sk.precision_score(landslide, predicted),
        "recall": sk.recall_score(landslide, predicted),
        "f1": sk.f1_score(landslide, predicted),
        "iou": sk.jaccard_score(landslide, predicted),
        "accuracy": sk.accuracy_score(landslide, predicted),
        "specificity": sk.recall_score(~landslide, ~predicted),
        "matthews": sk.matthews_corrcoef(landslide, predicted),
    }
    assert values.keys() == oracle.keys()
    for name, expected in oracle.items():
        assert float(values[name]) == pytest.approx(float(expected), abs=1e-12), name


def test_f1_is_the_dice_coefficient_of_the_two_sets() -> None:
    predicted, landslide = masks(9)
    dice = 2 * np.sum(predicted & landslide) / (predicted.sum() + landslide.sum())
    assert float(pixel_metrics(confusion_counts(predicted, landslide)[0])["f1"]) == pytest.approx(float(dice))


def test_ratios_broadcast_over_leading_dimensions() -> None:
    counts = np.random.default_rng(0).integers(0, 50, (3, 5, 4))
    whole = pixel_metrics(counts)
    for name, values in whole.items():
        assert values.shape == (3, 5)
        assert float(values[2, 4]) == pytest.approx(float(pixel_metrics(counts[2, 4])[name]))


@pytest.mark.parametrize(
    ("counts", "undefined", "zero"),
    [
        pytest.param([10, 5, 0, 0], {"precision"}, {"recall", "f1", "iou", "matthews"}, id="none predicted"),
        pytest.param([10, 0, 5, 0], {"recall"}, {"precision", "f1", "iou", "matthews"}, id="none mapped"),
        pytest.param([0, 5, 0, 5], {"specificity"}, {"matthews"}, id="all mapped"),
        pytest.param([10, 0, 0, 0], {"precision", "recall", "f1", "iou"}, {"matthews"}, id="neither"),
        pytest.param(
            [0, 0, 0, 0],
            {"precision", "recall", "f1", "iou", "accuracy", "specificity", "matthews"},
            set(),
            id="no ground",
        ),
    ],
)
def test_empty_sides_are_defined(counts: list[int], undefined: set[str], zero: set[str]) -> None:
    values = pixel_metrics(np.array(counts))
    assert {name for name, value in values.items() if math.isnan(float(value))} == undefined
    assert {name for name, value in values.items() if float(value) == 0} == zero


def test_matthews_survives_billions_of_pixels() -> None:
    counts = np.array([4e9, 1e8, 2e8, 3e8])
    assert float(pixel_metrics(counts)["matthews"]) == pytest.approx(
        float(pixel_metrics(counts / 1e8)["matthews"]), rel=1e-12
    )


def test_ratio_is_nan_without_a_whole() -> None:
    assert np.isnan(ratio(np.array([1.0, 2.0]), np.array([2.0, 0.0]))).tolist() == [False, True]
