"""Errors by kind of ground, and the gradient across seams, against loops."""

from __future__ import annotations

import numpy as np
import pytest

from headscarp.evaluate.regression import (
    Sum,
    inventory_stratum,
    regression_metrics,
    regression_sums,
    seam_ratio,
    sums_by_stratum,
)
from headscarp.evaluate.strata import code_stratum, slope_stratum


def test_errors_by_class_are_those_of_its_pixels_and_add_up() -> None:
    rng = np.random.default_rng(0)
    predicted, truth = rng.uniform(-1, 1, (2, 40, 50))
    truth[rng.random(truth.shape) < 0.1] = np.nan
    slope = rng.uniform(0, 60, truth.shape)
    slope[:3] = np.nan
    label = rng.choice([0, 1, 255], truth.shape, p=[0.6, 0.3, 0.1]).astype(np.uint8)
    cover = rng.integers(0, 4, truth.shape).astype(float)
    strata = {
        "slope": slope_stratum(slope),
        "inventory": inventory_stratum(label),
        "land cover": code_stratum(cover, {1: "forest", 3: "water"}),
    }
    sums = sums_by_stratum(predicted, truth, strata)
    wanted = {
        ("slope", 1): (slope >= 5) & (slope < 15),
        ("inventory", 0): label == 1,
        ("inventory", 1): label == 0,
        ("land cover", 1): cover == 3,
    }
    for (name, place), pixels in wanted.items():
        error = (predicted - truth)[pixels & np.isfinite(truth)]
        metrics = regression_metrics(sums[name][place])
        assert float(metrics["rmse"]) == pytest.approx(np.sqrt(np.mean(error**2)))
        assert float(metrics["mae"]) == pytest.approx(np.mean(np.abs(error)))
    assert sums["land cover"][:, Sum.PIXELS].sum() < np.isfinite(truth).sum()
    halves = [
        sums_by_stratum(predicted[part], truth[part], {"slope": slope_stratum(slope[part])})["slope"]
        for part in (slice(0, 17), slice(17, 40))
    ]
    np.testing.assert_allclose(halves[0] + halves[1], sums["slope"])
    known = regression_sums(predicted, np.where(np.isfinite(slope), truth, np.nan))[0]
    np.testing.assert_allclose(sums["slope"].sum(axis=0), known)


def naive_seams(values: np.ndarray, side: int) -> float:
    found: dict[bool, list[float]] = {True: [], False: []}
    rows, cols = values.shape
    for i in range(rows):
        for j in range(cols):
            for k, m, at in ((i + 1, j, i + 1), (i, j + 1, j + 1)):
                if k < rows and m < cols and np.isfinite(values[k, m] - values[i, j]):
                    found[at % side == 0].append(abs(values[k, m] - values[i, j]))
    return float(np.mean(found[True]) / np.mean(found[False]))


def test_seams_are_what_a_loop_says() -> None:
    values = np.random.default_rng(1).normal(size=(33, 41))
    values[10:14, 5:9] = np.nan
    steps = np.add.outer(np.arange(33) // 8, 2 * (np.arange(41) // 8))
    assert seam_ratio(values, 8) == pytest.approx(naive_seams(values, 8))
    assert seam_ratio(values + steps, 8) == pytest.approx(naive_seams(values + steps, 8))
    assert seam_ratio(values + steps, 8) > 1.3
    assert np.isnan(seam_ratio(values[:8, :8], 8)), "no border"
    assert np.isnan(seam_ratio(np.zeros((20, 20)), 8)), "flat"
