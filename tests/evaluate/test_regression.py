"""Regression metrics and structural similarity against scikit-learn and scikit-image, also on real NDVI."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from headscarp.errors import HeadscarpError
from headscarp.evaluate.regression import Sum, regression_metrics, regression_sums
from headscarp.evaluate.similarity import SimilarityOptions, similarity_map

WINDOWS: tuple[Literal["gaussian", "uniform"], ...] = ("gaussian", "uniform")
PATCHES = ("282D_485L_3_3", "38D_378R_2_3", "433D_629L_3_1")


def images(seed: int = 0, shape: tuple[int, ...] = (60, 70)) -> tuple[NDArray[Any], NDArray[Any]]:
    """A smooth NDVI, and the same with noise and a shift."""
    rng = np.random.default_rng(seed)
    truth = np.clip(gaussian_filter(rng.normal(0, 4, shape), 3) + 0.3, -1, 1)
    return np.clip(truth + rng.normal(0.05, 0.1, shape), -1, 1), truth


def metrics_of(predicted: NDArray[Any], truth: NDArray[Any], **more: Any) -> dict[str, float]:
    found = regression_metrics(regression_sums(predicted, truth, **more)[0])
    return {name: float(value) for name, value in found.items()}


def skimage_ssim(predicted: NDArray[Any], truth: NDArray[Any], window: str) -> tuple[float, NDArray[Any]]:
    """Wang et al.'s settings as scikit-image's manual gives them, or its own defaults."""
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    mean, full = structural_similarity(
        predicted, truth, data_range=2.0, full=True, **(wang if window == "gaussian" else {})
    )
    return float(mean), full


# sums and ratios


def test_metrics_are_those_of_scikit_learn_and_scikit_image() -> None:
    predicted, truth = images()
    found = metrics_of(predicted, truth)
    flat = truth.ravel(), predicted.ravel()
    assert found["rmse"] == pytest.approx(root_mean_squared_error(*flat))
    assert found["mae"] == pytest.approx(mean_absolute_error(*flat))
    assert found["r2"] == pytest.approx(r2_score(*flat))
    assert found["psnr_db"] == pytest.approx(peak_signal_noise_ratio(truth, predicted, data_range=2.0))
    assert found["bias"] == pytest.approx(np.mean(predicted - truth))
    assert found["missing_share"] == 0


def test_by_hand() -> None:
    predicted, truth = np.array([0.5, 0.0, 0.9]), np.array([0.3, 0.4, 0.5])
    found = metrics_of(predicted, truth)
    assert found["bias"] == pytest.approx(0.2 / 3)
    assert found["mae"] == pytest.approx(1.0 / 3)
    assert found["rmse"] == pytest.approx(np.sqrt(0.36 / 3))
    assert found["r2"] == pytest.approx(1 - 0.36 / 0.02)
    assert found["psnr_db"] == pytest.approx(10 * np.log10(4 / 0.12))
    assert np.isnan(found["ssim"])


def test_the_data_range_sets_the_psnr_alone() -> None:
    sums = regression_sums(*images())
    two, one = regression_metrics(sums), regression_metrics(sums, data_range=1.0)
    assert two["psnr_db"] - one["psnr_db"] == pytest.approx(20 * np.log10(2))
    assert two["rmse"] == one["rmse"]
    with pytest.raises(HeadscarpError, match="a data range above 0"):
        regression_metrics(sums, data_range=0.0)


def test_classes_equal_a_naive_loop_and_add_up() -> None:
    predicted, truth = images(1)
    predicted[3, 4:9], truth[10, :5] = np.nan, np.nan
    rng = np.random.default_rng(1)
    land_cover = rng.integers(-1, 5, truth.shape).astype(np.int16)
    land_cover[land_cover == 2] = 3
    valid = rng.random(truth.shape) < 0.8
    similarity = similarity_map(predicted, truth, valid | True)
    sums = regression_sums(predicted, truth, valid, similarity, land_cover, 6)
    expected = np.zeros((6, len(Sum)))
    for place in np.ndindex(truth.shape):
        kind, p, t, s = land_cover[place], predicted[place], truth[place], similarity[place]
        if not valid[place] or kind < 0 or np.isnan(t):
            continue
        if np.isnan(p):
            expected[kind, Sum.MISSING] += 1
            continue
        expected[kind, : Sum.SIMILARITY] += [1, p - t, abs(p - t), (p - t) ** 2, t, t * t]
        if not np.isnan(s):
            expected[kind, [Sum.SIMILARITY, Sum.SIMILARITY_PIXELS]] += [s, 1]
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-12)
    assert expected[:, Sum.MISSING].sum() > 0
    whole = regression_sums(predicted, truth, valid & (land_cover >= 0), similarity)[0]
    np.testing.assert_allclose(sums.sum(axis=0), whole, rtol=1e-12)


def test_each_class_has_the_metrics_of_its_own_pixels_and_an_empty_one_none() -> None:
    predicted, truth = images(2)
    slope = np.digitize(truth, [0.1, 0.4])
    found = regression_metrics(regression_sums(predicted, truth, block=slope, blocks=4))
    for i in range(3):
        assert found["r2"][i] == pytest.approx(r2_score(truth[slope == i], predicted[slope == i]))
    assert all(np.isnan(values[3]) for values in found.values())


def test_ratios_broadcast_over_leading_dimensions() -> None:
    sums = regression_sums(*images())
    many = regression_metrics(np.tile(sums, (5, 2, 1)))
    assert all(values.shape == (5, 2) for values in many.values())
    np.testing.assert_allclose(many["r2"], metrics_of(*images())["r2"])


@pytest.mark.parametrize("value", [0.0, 0.1, -0.7])
def test_a_constant_truth_has_no_r2_and_no_error_has_no_psnr(value: float) -> None:
    truth = np.full((300, 300), value, dtype=np.float32)
    flat = metrics_of(truth + np.float32(0.25), truth)
    assert np.isnan(flat["r2"])
    assert flat["rmse"] == pytest.approx(0.25)
    same = metrics_of(truth, truth)
    assert np.isnan(same["psnr_db"])
    assert same["rmse"] == same["mae"] == same["bias"] == 0


def test_a_nearly_constant_truth_still_has_its_r2() -> None:
    rng = np.random.default_rng(5)
    truth = 0.8 + rng.normal(0, 1e-3, 10_000)
    predicted = truth + rng.normal(0, 5e-4, 10_000)
    assert metrics_of(predicted, truth)["r2"] == pytest.approx(r2_score(truth, predicted), rel=1e-6)


def test_a_prediction_that_fails_is_counted_not_hidden() -> None:
    predicted, truth = images()
    predicted[:30] = np.nan
    found = metrics_of(predicted, truth)
    assert found["missing_share"] == 0.5
    assert found["rmse"] == pytest.approx(metrics_of(predicted[30:], truth[30:])["rmse"])
    nothing = metrics_of(np.full(3, np.nan), np.zeros(3))
    assert nothing.pop("missing_share") == 1
    assert all(np.isnan(value) for value in nothing.values())


def test_arrays_that_do_not_fit_are_refused() -> None:
    predicted, truth = images()
    with pytest.raises(HeadscarpError, match="arrays of one shape"):
        regression_sums(predicted[1:], truth)
    with pytest.raises(HeadscarpError, match="numbered below 2"):
        regression_sums(predicted, truth, block=np.full(truth.shape, 2), blocks=2)


# structural similarity


@pytest.mark.parametrize("window", WINDOWS)
def test_similarity_is_that_of_scikit_image(window: Literal["gaussian", "uniform"]) -> None:
    predicted, truth = images(3)
    options = SimilarityOptions(window=window)
    found, halo = similarity_map(predicted, truth, options=options), options.halo_px
    mean, full = skimage_ssim(predicted, truth, window)
    inside = (slice(halo, -halo), slice(halo, -halo))
    np.testing.assert_allclose(found[inside], full[inside], rtol=1e-10, atol=1e-12)
    assert np.isnan(found).sum() == found.size - found[inside].size
    assert metrics_of(predicted, truth, similarity=found)["ssim"] == pytest.approx(mean)


@pytest.mark.parametrize("window", WINDOWS)
def test_similarity_of_tiles_with_a_halo_is_that_of_the_whole(window: Literal["gaussian", "uniform"]) -> None:
    predicted, truth = images(4)
    predicted[20:23, 31] = np.nan
    options = SimilarityOptions(window=window)
    halo, (height, width) = options.halo_px, truth.shape
    whole, tiled = similarity_map(predicted, truth, options=options), np.full(truth.shape, np.inf)
    for top in range(0, height, 17):
        for left in range(0, width, 23):
            first = max(top - halo, 0), max(left - halo, 0)
            window_px = (slice(first[0], top + 17 + halo), slice(first[1], left + 23 + halo))
            own = similarity_map(predicted[window_px], truth[window_px], options=options)
            core = own[top - first[0] :, left - first[1] :][:17, :23]
            tiled[top : top + 17, left : left + 23] = core
    np.testing.assert_allclose(tiled, whole, rtol=1e-12, atol=1e-14)
    assert np.isfinite(whole).mean() > 0.5


@pytest.mark.parametrize(("window", "reach"), [("gaussian", 5), ("uniform", 3)])
def test_windows_that_touch_an_invalid_pixel_are_left_out_and_no_others(
    window: Literal["gaussian", "uniform"], reach: int
) -> None:
    predicted, truth = images(5)
    options = SimilarityOptions(window=window)
    clean = similarity_map(predicted, truth, options=options)
    valid = np.ones(truth.shape, dtype=bool)
    valid[30, 40] = False
    near = np.zeros(truth.shape, dtype=bool)
    near[30 - reach : 31 + reach, 40 - reach : 41 + reach] = True
    by_mask = similarity_map(predicted, truth, valid, options)
    np.testing.assert_array_equal(np.isnan(by_mask), np.isnan(clean) | near)
    np.testing.assert_allclose(by_mask[~near], clean[~near], rtol=1e-12)
    for image, bad in ((predicted, np.nan), (truth, np.inf)):
        kept, image[30, 40] = image[30, 40], bad
        np.testing.assert_array_equal(similarity_map(predicted, truth, options=options), by_mask)
        image[30, 40] = kept


def test_similarity_takes_stacks_of_chips_one_by_one() -> None:
    predicted, truth = images(6, (3, 24, 26))
    found = similarity_map(predicted.astype(np.float32), truth.astype(np.float32))
    for i in range(3):
        alone = similarity_map(predicted[i].astype(np.float32), truth[i].astype(np.float32))
        np.testing.assert_array_equal(found[i], alone)
    assert np.isnan(similarity_map(predicted[:, :8], truth[:, :8])).all()


@pytest.mark.parametrize("name", PATCHES)
def test_real_ndvi_against_a_blurred_and_a_shifted_self(real_data: Path, name: str) -> None:
    with rasterio.open(real_data / "sar_ndvi_patches" / "NDVI" / f"{name}.tif") as source:
        truth = source.read(1).astype(np.float64)
    assert truth.shape == (224, 224)
    blurred = gaussian_filter(truth, 2.0)
    shifted = np.roll(truth, 1, axis=1)
    scores = []
    for predicted in (blurred, shifted):
        found = metrics_of(predicted, truth, similarity=similarity_map(predicted, truth))
        assert found["psnr_db"] == pytest.approx(peak_signal_noise_ratio(truth, predicted, data_range=2.0))
        assert found["r2"] == pytest.approx(r2_score(truth.ravel(), predicted.ravel()))
        assert found["ssim"] == pytest.approx(skimage_ssim(predicted, truth, "gaussian")[0], rel=1e-9)
        scores.append(found["ssim"])
    assert 0.2 < min(scores) < max(scores) < 1
