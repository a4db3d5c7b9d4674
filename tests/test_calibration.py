"""Calibration: what was planted is found, against scikit-learn, and a stored one reads back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from headscarp.calibration import (
    Calibration,
    Isotonic,
    Platt,
    Temperature,
    calibrate,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    scale,
)
from headscarp.errors import HeadscarpError, OptionsError
from headscarp.evaluate.reliability import (
    calibration_edges,
    expected_calibration_error,
    probability_edges,
    reliability_sums,
)
from headscarp.validation import Validation, read_validation, write_validation

CURVE = Isotonic(probability=(0.1, 0.5, 0.9), calibrated=(0.0, 0.2, 0.6))
SQUEEZE = Temperature(temperature=2.5)
STRETCH = Temperature(temperature=0.4)


def overconfident(seed: int, temperature: float, n: int = 200_000) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Rare landslides drawn from log-odds, and a probability from those log-odds times a temperature."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-2.5, 1.5, n)
    return expit(temperature * z).astype(np.float32), rng.random(n) < expit(z)


def histogram(probability: NDArray[Any], landslide: NDArray[np.bool_]) -> tuple[NDArray[Any], ...]:
    """Mean probability, landslide and clear pixels of each fine bin, NaN in empty ones."""
    pixels, total, landslides = reliability_sums(probability, landslide, calibration_edges())[0].T
    mean = np.full(len(pixels), np.nan)
    np.divide(total, pixels, out=mean, where=pixels > 0)
    return mean, landslides, pixels - landslides


def validation(**more: Any) -> Validation:
    values: dict[str, Any] = {
        "headscarp": "0.1.0", "method": "log-ratio", "threshold": 0.7, "f1": 0.5, "pixels": 1000,
        "landslide_pixels": 20, "label_sha256": "0123456789ab" + "c" * 52,
        "temperature": SQUEEZE, "isotonic": CURVE,
    }  # fmt: skip
    return Validation(**(values | more))


# temperature


@pytest.mark.parametrize("planted", [0.6, 1.0, 2.5])
def test_a_planted_temperature_is_found(planted: float) -> None:
    found = fit_temperature(*histogram(*overconfident(1, planted)))
    assert found.temperature == pytest.approx(planted, rel=0.02)


def test_temperature_is_that_of_least_log_loss_of_the_pixels_themselves() -> None:
    p, landslide = overconfident(2, 1.8, 20_000)
    z = logit(p.astype(np.float64))
    best = minimize_scalar(
        lambda t: log_loss(landslide, expit(z / t)),
        bounds=(0.1, 10),
        method="bounded",
        options={"xatol": 1e-9},
    )
    one_a_pixel = fit_temperature(p, landslide, ~landslide)
    assert one_a_pixel.temperature == pytest.approx(best.x, rel=1e-5)
    assert fit_temperature(*histogram(p, landslide)).temperature == pytest.approx(best.x, rel=1e-3)


def test_temperature_never_has_more_log_loss_than_no_calibration() -> None:
    for seed, planted in enumerate([0.5, 0.9, 1.1, 4.0]):
        p, landslide = overconfident(seed, planted, 3000)
        fitted = fit_temperature(p, landslide, ~landslide)
        after = log_loss(landslide, calibrate(p, fitted).astype(np.float64))
        assert after < log_loss(landslide, p.astype(np.float64))


def test_temperature_by_hand() -> None:
    assert fit_temperature([0.9, 0.1], [75, 25], [25, 75]).temperature == pytest.approx(2.0)
    assert fit_temperature([0.75, 0.25], [90, 10], [10, 90]).temperature == pytest.approx(0.5)


def test_temperature_meets_its_bounds_where_the_likelihood_has_no_least_value() -> None:
    assert fit_temperature([0.1, 0.9], [0, 5], [5, 0]).temperature == 0.01
    assert fit_temperature([0.1, 0.9], [5, 0], [0, 5]).temperature == 100.0
    assert fit_temperature([0.5], [5], [5]).temperature == 1.0


# Platt


@pytest.mark.parametrize(("planted", "offset"), [(0.6, 0.0), (1.0, 4.0), (2.5, -1.5)])
def test_a_planted_temperature_and_offset_are_found(planted: float, offset: float) -> None:
    """The detector says σ(T z + c); what is observed is σ(z), so that b = −c / T."""
    rng = np.random.default_rng(5)
    z = rng.normal(-2.5, 1.5, 200_000)
    landslide = rng.random(len(z)) < expit(z)
    found = fit_platt(*histogram(expit(planted * z + offset), landslide))
    assert found.temperature == pytest.approx(planted, rel=0.02)
    assert found.offset == pytest.approx(-offset / planted, abs=0.04)


def test_platt_is_the_logistic_regression_of_scikit_learn() -> None:
    p, landslide = overconfident(6, 1.8, 20_000)
    z = logit(p.astype(np.float64))
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(z[:, None] + 3.0, landslide)
    found = fit_platt(expit(z + 3.0), landslide, ~landslide)
    assert 1 / found.temperature == pytest.approx(oracle.coef_[0, 0], rel=1e-5)
    assert found.offset == pytest.approx(oracle.intercept_[0], abs=1e-4)
    expected = oracle.predict_proba([[1.5]])[0, 1]
    assert calibrate(expit(1.5), found) == pytest.approx(expected, rel=1e-5)


def test_platt_gives_the_share_that_has_slid_where_a_temperature_cannot() -> None:
    """A network that says 0.5 everywhere, give or take a little: 2 % have slid."""
    rng = np.random.default_rng(7)
    p = expit(rng.normal(0.0, 0.01, 50_000))
    landslide = rng.random(len(p)) < 0.02
    platt = calibrate(p, fit_platt(p, landslide, ~landslide)).mean()
    temperature = calibrate(p, fit_temperature(p, landslide, ~landslide)).mean()
    assert platt == pytest.approx(landslide.mean(), rel=1e-3)
    assert temperature > 0.4


def test_platt_meets_its_bounds_where_the_likelihood_has_no_least_value() -> None:
    assert fit_platt([0.1, 0.9], [0, 5], [5, 0]).temperature == pytest.approx(0.01)
    assert fit_platt([0.1, 0.9], [5, 0], [0, 5]).temperature == pytest.approx(100.0)
    same = fit_platt([0.3, 0.3], [1, 2], [9, 8])
    assert same.temperature == 1.0
    assert calibrate(0.3, same) == pytest.approx(0.15)


def test_scaling_by_hand() -> None:
    platt = Platt(temperature=2.0, offset=0.5)
    assert scale([-2.0, 0.0, np.nan], platt)[:2].tolist() == [-0.5, 0.5]
    assert scale([-2.0, 3.0], Temperature(temperature=2.0)).tolist() == [-1.0, 1.5]
    assert calibrate([0.0, 0.5], platt).tolist() == pytest.approx([0.0, expit(0.5)])
    assert str(platt) == "temperature 2, offset 0.5"


# isotonic


def test_isotonic_is_that_of_scikit_learn_at_its_knots() -> None:
    p, landslide = overconfident(3, 2.0, 30_000)
    mean, landslides, clear = histogram(p, landslide)
    fitted = fit_isotonic(mean, landslides, clear)
    filled = landslides + clear > 0
    pixels = (landslides + clear)[filled]
    oracle = IsotonicRegression(out_of_bounds="clip").fit(mean[filled], landslides[filled] / pixels, pixels)
    assert len(fitted.probability) > 10
    np.testing.assert_allclose(fitted.calibrated, oracle.predict(fitted.probability), atol=1e-12)
    np.testing.assert_allclose(np.unique(oracle.y_thresholds_), fitted.calibrated, atol=1e-12)


def test_isotonic_by_hand() -> None:
    fitted = fit_isotonic([0.6, 0.2, 0.4, 0.8], [1, 0, 2, 4], [4, 5, 3, 1])
    assert fitted.probability == pytest.approx((0.2, 0.5, 0.8))
    assert fitted.calibrated == pytest.approx((0.0, 0.3, 0.8))
    weighted = fit_isotonic([0.4, 0.6], [30, 1], [0, 9])
    assert weighted.probability == pytest.approx(((30 * 0.4 + 10 * 0.6) / 40,))
    assert weighted.calibrated == pytest.approx((31 / 40,))


def test_isotonic_puts_bins_of_one_probability_together() -> None:
    fitted = fit_isotonic([0.5, 0.5, 0.9], [0, 2, 9], [2, 0, 1])
    assert fitted == Isotonic(probability=(0.5, 0.9), calibrated=(0.5, 0.9))


# both


@pytest.mark.parametrize("name", ["temperature", "isotonic"])
def test_calibration_error_falls_on_an_independent_sample(name: str) -> None:
    fit = fit_temperature if name == "temperature" else fit_isotonic
    fitted: Calibration = fit(*histogram(*overconfident(4, 3.0)))
    p, landslide = overconfident(5, 3.0)
    errors = [
        expected_calibration_error(reliability_sums(values, landslide, probability_edges()))[0]
        for values in (p, calibrate(p, fitted))
    ]
    assert errors[1] < 0.1 * errors[0]
    assert errors[1] < 0.003


@pytest.mark.parametrize("fit", [fit_temperature, fit_isotonic])
@pytest.mark.parametrize(("landslide", "clear"), [([0, 0, 0], [4, 4, 4]), ([1, 2, 3], [0, 0, 0]), ([], [])])
def test_one_class_alone_fits_nothing(fit: Any, landslide: list[int], clear: list[int]) -> None:
    with pytest.raises(HeadscarpError, match="nothing can be fitted"):
        fit([0.0, 0.3, 0.6][: len(landslide)], landslide, clear)


@pytest.mark.parametrize("fit", [fit_temperature, fit_isotonic])
def test_empty_bins_take_no_part_in_a_fit(fit: Any) -> None:
    assert fit([0.2, np.nan, 0.8, 0.3], [1, 0, 6, 0], [9, 0, 4, 0]) == fit([0.2, 0.8], [1, 6], [9, 4])


def test_pixels_at_exactly_zero_are_moved_by_no_temperature_but_by_an_isotonic_curve() -> None:
    p, landslide, clear = [0.0, 0.2, 0.8], [5, 1, 6], [95, 9, 4]
    assert fit_temperature(p, landslide, clear) == fit_temperature(p[1:], landslide[1:], clear[1:])
    with pytest.raises(HeadscarpError, match="0 landslide and 7 clear"):
        fit_temperature([0.0, 0.5], [3, 0], [3, 7])
    curve = fit_isotonic(p, landslide, clear)
    assert calibrate(p, curve) == pytest.approx([0.05, 0.1, 0.6])


@pytest.mark.parametrize("fit", [fit_temperature, fit_isotonic])
def test_a_score_is_no_probability(fit: Any) -> None:
    with pytest.raises(HeadscarpError, match="score"):
        fit([0.5, 2.5], [1, 1], [1, 1])
    with pytest.raises(HeadscarpError, match=r"2 values outside, such as -0\.5"):
        calibrate(np.array([0.5, -0.5, 1.5]), SQUEEZE)


def test_calibrate_by_hand() -> None:
    p = np.array([[0.1, 0.5, 0.9], [np.nan, 0.0, 1.0]], dtype=np.float32)
    warm = calibrate(p, Temperature(temperature=2.0))
    top = 1 / (1 + np.sqrt(1e-7 / (1 - 1e-7)))
    np.testing.assert_allclose(warm, [[0.25, 0.5, 0.75], [np.nan, 0, top]], rtol=1e-6)
    curved = calibrate(np.array([0.05, 0.1, 0.3, 0.7, 0.9, 0.95]), CURVE)
    np.testing.assert_allclose(curved, [0.0, 0.0, 0.1, 0.4, 0.6, 0.6], atol=1e-7)
    assert warm.dtype == curved.dtype == np.float32
    tiny = calibrate(np.array([0.0, 1e-30]), Temperature(temperature=2.0))
    assert tiny == pytest.approx([0.0, 1e-15], rel=1e-6, abs=0)


@given(
    hnp.arrays(np.float32, st.integers(2, 50), elements=st.floats(0, 1, width=32)),
    st.sampled_from([CURVE, SQUEEZE, STRETCH]),
)
def test_calibration_keeps_the_order_and_stays_a_probability(p: NDArray[Any], with_: Calibration) -> None:
    calibrated = calibrate(np.sort(p), with_)
    assert (np.diff(calibrated) >= 0).all()
    assert ((calibrated >= 0) & (calibrated <= 1)).all()


@given(hnp.arrays(np.float32, 200, elements=st.floats(0, 1, width=32)), st.floats(0.15, 0.85))
def test_temperature_draws_the_pixels_that_the_threshold_drew(p: NDArray[Any], threshold: float) -> None:
    stored = validation(threshold=float(np.float32(threshold)))
    # closer than this, two probabilities are one after calibration in float32
    apart = p[(np.abs(p - threshold) > 1e-6) | (p == np.float32(threshold))]
    drawn = calibrate(apart, stored.temperature) >= np.float32(stored.threshold_for("temperature"))
    np.testing.assert_array_equal(drawn, apart >= np.float32(stored.threshold))


# what is stored


def test_thresholds_go_through_the_same_map() -> None:
    stored = validation()
    assert stored.threshold_for("none") == 0.7
    assert stored.threshold_for("temperature") == pytest.approx(expit(logit(0.7) / 2.5), rel=1e-6)
    assert stored.threshold_for("isotonic") == pytest.approx(0.4, rel=1e-6)
    for lowest in (0.0, 0.1):
        curve = Isotonic(probability=(0.1, 0.5), calibrated=(lowest, 0.2))
        with pytest.raises(OptionsError, match="every pixel would be drawn"):
            validation(threshold=0.05, isotonic=curve).threshold_for("isotonic")


def test_a_validation_reads_back_from_its_file_and_its_folder(tmp_path: Path) -> None:
    stored = validation()
    file = write_validation(tmp_path, stored)
    assert file == tmp_path / "validation.json"
    assert [path.name for path in tmp_path.iterdir()] == ["validation.json"]
    assert read_validation(tmp_path) == read_validation(file) == stored
    other = write_validation(tmp_path / "other.json", validation(threshold=0.25))
    assert read_validation(other).threshold == 0.25
    assert stored.ground == "0123456789ab"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "No such file"),
        ("{", "Invalid JSON"),
        ("{}", "headscarp: Field required"),
        ({"threshold": 0.0}, "threshold"),
        ({"unknown": 1}, "unknown"),
        ({"label_sha256": "abc"}, "label_sha256"),
        ({"temperature": {"method": "temperature", "temperature": -1}}, "temperature.temperature"),
        ({"isotonic": {"method": "isotonic", "probability": [0.5, 0.4], "calibrated": [0, 1]}}, "knots must"),
        ({"isotonic": {"method": "isotonic", "probability": [0.4, 0.5], "calibrated": [1, 0]}}, "knots must"),
    ],
)
def test_a_validation_that_is_none_is_refused_in_four_parts(tmp_path: Path, text: Any, told: str) -> None:
    if isinstance(text, dict):
        text = json.dumps(json.loads(validation().model_dump_json()) | text)
    if text is not None:
        (tmp_path / "validation.json").write_text(text, encoding="utf-8")
    with pytest.raises(OptionsError, match=r"(?s)validation\.json.*evaluation on validation ground") as error:
        read_validation(tmp_path)
    assert told in error.value.given


@pytest.mark.parametrize(
    ("probability", "calibrated"),
    [((), ()), ((0.1, 0.2), (0.1,)), ((0.1, 0.1), (0, 1)), ((0.1, 0.2), (0.1, 1.2)), ((-0.1, 0.2), (0, 1))],
)
def test_an_isotonic_calibration_must_be_a_rising_curve(
    probability: tuple[float, ...], calibrated: tuple[float, ...]
) -> None:
    with pytest.raises(ValidationError):
        Isotonic(probability=probability, calibrated=calibrated)
