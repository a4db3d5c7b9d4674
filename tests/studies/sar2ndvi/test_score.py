"""Errors of a mosaic against naive sums; intervals against draws by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.evaluate.intervals import IntervalOptions
from headscarp.evaluate.similarity import similarity_map
from headscarp.evaluate.strata import Stratum
from headscarp.studies.sar2ndvi.score import (
    Errors,
    draws_of,
    figures_of,
    read_errors,
    sum_errors,
    write_errors,
)

GRID = GeoBox((40, 60), Affine(10, 0, 0, 0, -10, 0), "EPSG:32654")
OPTIONS = IntervalOptions(block_m=200.0, replicates=300)


@pytest.fixture
def mosaic() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    truth = rng.uniform(-0.2, 0.9, GRID.shape).astype(np.float32)
    predicted = (truth + rng.normal(0.02, 0.1, GRID.shape)).astype(np.float32)
    truth[:20, :20] = np.nan
    return predicted, truth


@pytest.fixture
def errors(mosaic: tuple[NDArray[np.float32], NDArray[np.float32]]) -> Errors:
    east = np.zeros(GRID.shape, np.int16)
    east[:, 30:], east[0] = 1, -1
    return sum_errors(*mosaic, GRID, {"side": Stratum(("west", "east"), east)}, OPTIONS)


def test_figures_are_those_of_the_pixels(
    mosaic: tuple[NDArray[np.float32], NDArray[np.float32]], errors: Errors
) -> None:
    predicted, truth = (own.astype(np.float64) for own in mosaic)
    known = np.isfinite(truth)
    error = (predicted - truth)[known]
    found = figures_of(errors, OPTIONS)
    assert found["pixels"] == known.sum() == 2000
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert found["mae"] == pytest.approx(np.abs(error).mean())
    assert found["bias"] == pytest.approx(error.mean())
    assert found["psnr_db"] == pytest.approx(20 * np.log10(2 / np.sqrt((error**2).mean())))
    similarity = similarity_map(*mosaic)
    assert found["ssim"] == pytest.approx(np.nanmean(similarity[known]))


def test_kinds_of_ground_are_told_apart_and_unknown_ones_left_out(
    mosaic: tuple[NDArray[np.float32], NDArray[np.float32]], errors: Errors
) -> None:
    predicted, truth = mosaic
    east = (predicted - truth)[1:, 30:].astype(np.float64)
    found = figures_of(errors, OPTIONS)["strata"]["side"]
    assert found["east"]["rmse"] == pytest.approx(np.sqrt((east**2).mean()))
    assert found["west"]["pixels"] == 39 * 30 - 19 * 20


def test_intervals_are_of_draws_of_blocks_that_hold_anything(errors: Errors) -> None:
    assert errors.blocks.shape == (6, 9)
    filled = errors.blocks[errors.blocks[:, 0] > 0]
    assert len(filled) == 5
    weights = np.random.default_rng(0).multinomial(5, np.full(5, 0.2), 300)
    rmse = np.sqrt((weights @ filled[:, 3]) / (weights @ filled[:, 0]))
    assert draws_of(errors, OPTIONS)["rmse"] == pytest.approx(rmse)
    found = figures_of(errors, OPTIONS)["intervals"]["rmse"]
    assert found == pytest.approx(np.quantile(rmse, [0.025, 0.975]))


def test_sums_read_back(errors: Errors, tmp_path: Path) -> None:
    write_errors(tmp_path / "errors.npz", errors)
    assert np.array_equal(read_errors(tmp_path / "errors.npz").blocks, errors.blocks)
    assert [path.name for path in tmp_path.iterdir()] == ["errors.npz"]
