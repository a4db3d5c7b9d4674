"""The contract of label-free detectors: one suite, run over every detector the options can name."""

from __future__ import annotations

import json
import typing

import numpy as np
import pytest
import xarray as xr

from headscarp.detect.options import DetectOptions, make_detector
from headscarp.detect.protocol import Detector, FittedDetector
from headscarp.errors import HeadscarpError
from headscarp.features.change import Change
from tests.detect.made_change import THREE_ORBITS, change_from, pixels_of, still_ground, with_gaps

NAMES: tuple[str, ...] = typing.get_args(DetectOptions.model_fields["detector"].annotation)
LANDSLIDE = {"y": slice(60, 70), "x": slice(50, 62)}
TILE_PX = 37


@pytest.fixture(params=NAMES)
def detector(request: pytest.FixtureRequest) -> Detector:
    return make_detector(DetectOptions(detector=request.param))


@pytest.fixture
def change(rng: np.random.Generator) -> Change:
    """Three orbits of two states with gaps, a corner never seen, and a landslide that loses 6 dB."""
    made = still_ground(rng, orbits=THREE_ORBITS)
    made["change_db"].loc[{"y": made["y"][LANDSLIDE["y"]], "x": made["x"][LANDSLIDE["x"]]}] += 6
    return with_gaps(made, rng)


@pytest.fixture
def fitted(detector: Detector, change: Change) -> FittedDetector:
    return detector.fit(pixels_of(change))


def observed(change: Change) -> np.ndarray:
    return np.isfinite(change["change_db"].transpose(..., "y", "x").values).any(axis=(0, 1))


def test_every_detector_is_known_by_its_name() -> None:
    assert NAMES
    assert [make_detector(DetectOptions(detector=name)).name for name in NAMES] == list(NAMES)  # type: ignore[arg-type]


def test_score_is_missing_exactly_where_no_orbit_observed(fitted: FittedDetector, change: Change) -> None:
    score = fitted.score(change)
    assert score.dims == ("y", "x")
    assert score.dtype == np.float32
    np.testing.assert_array_equal(np.isfinite(score), observed(change))
    assert not np.isinf(score).any()
    assert not observed(change).all()


def test_orbit_scores_are_missing_exactly_where_that_orbit_did_not_observe(
    fitted: FittedDetector, change: Change
) -> None:
    scores = fitted.orbit_scores(change)
    assert scores.dims == ("orbit", "y", "x")
    assert scores["orbit"].values.tolist() == list(THREE_ORBITS)
    seen = np.isfinite(change["change_db"]).any("polarization")
    np.testing.assert_array_equal(np.isfinite(scores), seen)


def test_probability_is_in_0_to_1_and_missing_exactly_where_the_score_is(
    fitted: FittedDetector, change: Change
) -> None:
    score = fitted.score(change)
    probability = fitted.probability(score)
    assert probability.dims == score.dims
    assert probability.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(probability), np.isnan(score))
    values = probability.values[observed(change)]
    assert ((values >= 0) & (values <= 1)).all()


def test_a_loss_scores_positive_a_gain_negative_and_ground_as_the_area_scores_zero(
    fitted: FittedDetector, change: Change
) -> None:
    typical = change["change_db"].median(("y", "x"))
    scores = [
        fitted.score(change.assign(change_db=xr.full_like(change["change_db"], 0) + typical + shift_db))
        for shift_db in (5.0, -5.0, 0.0)
    ]
    assert float(scores[0].min()) > 1
    assert float(scores[1].max()) < -1
    np.testing.assert_allclose(scores[2], 0, atol=1e-2)


def test_a_landslide_is_found_and_still_ground_is_not(fitted: FittedDetector, change: Change) -> None:
    probability = fitted.probability(fitted.score(change))
    inside = np.zeros(probability.shape, bool)
    inside[LANDSLIDE["y"], LANDSLIDE["x"]] = True
    seen = observed(change)
    assert np.median(probability.values[inside & seen]) > 0.95
    assert (probability.values[~inside & seen] >= 0.5).mean() < 0.005


def test_fit_and_score_are_pure(detector: Detector, change: Change) -> None:
    before = change.copy(deep=True)
    sample = pixels_of(change)
    sample_before = sample.copy(deep=True)
    first, second = detector.fit(sample), detector.fit(sample)
    assert first.record() == second.record()
    score = first.score(change)
    score_before = score.copy(deep=True)
    xr.testing.assert_identical(first.score(change), second.score(change))
    xr.testing.assert_identical(first.orbit_scores(change), first.orbit_scores(change))
    xr.testing.assert_identical(first.probability(score), second.probability(score))
    xr.testing.assert_identical(change, before)
    xr.testing.assert_identical(sample, sample_before)
    xr.testing.assert_identical(score, score_before)


def test_the_order_of_dimensions_does_not_matter(fitted: FittedDetector, change: Change) -> None:
    expected = fitted.score(change)
    turned = fitted.score(change.transpose("y", "polarization", "x", "orbit"))
    assert turned.dims == ("y", "x")
    np.testing.assert_array_equal(turned, expected)
    swapped = fitted.score(change.transpose("orbit", "polarization", "x", "y"))
    np.testing.assert_array_equal(swapped.transpose("y", "x"), expected)


def test_pixels_in_a_row_score_as_they_do_on_a_map(fitted: FittedDetector, change: Change) -> None:
    in_a_row = fitted.score(pixels_of(change))
    assert in_a_row.dims == ("pixel",)
    np.testing.assert_array_equal(in_a_row, fitted.score(change).values.ravel())


def test_tile_by_tile_is_the_whole(fitted: FittedDetector, change: Change) -> None:
    whole, whole_orbits = fitted.score(change), fitted.orbit_scores(change)
    seen = 0
    for top in range(0, change.sizes["y"], TILE_PX):
        for left in range(0, change.sizes["x"], TILE_PX):
            place = {"y": slice(top, top + TILE_PX), "x": slice(left, left + TILE_PX)}
            part = fitted.score(change.isel(place))
            np.testing.assert_allclose(part, whole.isel(place), rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(
                fitted.orbit_scores(change.isel(place)), whole_orbits.isel(place), rtol=1e-5, atol=1e-6
            )
            seen += part.size
    assert seen == whole.size


def test_the_order_of_orbits_and_polarizations_does_not_matter(detector: Detector, change: Change) -> None:
    turned = change.isel(orbit=[2, 0, 1], polarization=[1, 0])
    expected = detector.fit(pixels_of(change))
    other = detector.fit(pixels_of(turned))
    for score in (expected.score(turned), other.score(change), other.score(turned)):
        np.testing.assert_allclose(score, expected.score(change), rtol=1e-4, atol=1e-4)
    by_label = other.orbit_scores(change).sel(orbit=list(THREE_ORBITS))
    np.testing.assert_allclose(by_label, expected.orbit_scores(change), rtol=1e-4, atol=1e-4)


def test_coordinates_of_the_ground_are_kept(fitted: FittedDetector, change: Change) -> None:
    placed = change.assign_coords(spatial_ref=((), 0, {"crs_wkt": "…"}))
    score = fitted.score(placed)
    for found in (score, fitted.orbit_scores(placed), fitted.probability(score)):
        xr.testing.assert_identical(found["x"].drop_vars("spatial_ref"), change["x"])
        xr.testing.assert_identical(found["y"].drop_vars("spatial_ref"), change["y"])
        assert found["spatial_ref"].attrs == {"crs_wkt": "…"}


def test_null_density_holds_most_of_the_scores_and_no_more_than_all(fitted: FittedDetector) -> None:
    z = np.linspace(-60, 60, 120_001)
    density = fitted.null_density(z)
    assert (density >= 0).all()
    assert 0.9 < np.trapezoid(density, z) <= 1.0


def test_the_record_survives_json(fitted: FittedDetector) -> None:
    record = fitted.record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize("polarizations", [["VV"], ["VH"]])
@pytest.mark.parametrize("orbits", [["ascending 68"], ["descending 46", "ascending 170"]])
def test_fewer_orbits_and_polarizations_work(
    detector: Detector, change: Change, polarizations: list[str], orbits: list[str]
) -> None:
    part = change.sel(polarization=polarizations, orbit=orbits)
    fitted = detector.fit(pixels_of(part))
    np.testing.assert_array_equal(np.isfinite(fitted.score(part)), observed(part))
    json.dumps(fitted.record(), allow_nan=False)


def test_an_orbit_that_saw_nothing_changes_nothing(detector: Detector, change: Change) -> None:
    blind = change.copy(deep=True)
    blind["change_db"].loc[{"orbit": "descending 46"}] = np.nan
    fitted = detector.fit(pixels_of(blind))
    without = change.sel(orbit=["ascending 68", "ascending 170"])
    expected = detector.fit(pixels_of(without)).score(without)
    np.testing.assert_allclose(fitted.score(blind), expected, rtol=1e-4, atol=1e-4)
    assert np.isnan(fitted.orbit_scores(blind).sel(orbit="descending 46")).all()
    json.dumps(fitted.record(), allow_nan=False)


def test_identical_scenes_score_zero_and_flag_nothing(detector: Detector) -> None:
    same = change_from(np.zeros((1, 2, 20, 20)), {"ascending 68": "ascending"})
    fitted = detector.fit(pixels_of(same))
    score = fitted.score(same)
    assert (score == 0).all()
    assert (fitted.probability(score) < 0.5).all()
    json.dumps(fitted.record(), allow_nan=False)


@pytest.mark.parametrize("seen", [0, 99])
def test_too_little_ground_is_refused(detector: Detector, seen: int) -> None:
    values = np.full((1, 2, 20, 20), np.nan)
    values.reshape(2, -1)[:, :seen] = np.linspace(-1, 1, seen)
    with pytest.raises(HeadscarpError, match=str(seen)):
        detector.fit(pixels_of(change_from(values, {"ascending 68": "ascending"})))


def test_real_ground_where_nothing_happened_is_hardly_flagged(
    detector: Detector, t137_change: Change
) -> None:
    fitted = detector.fit(pixels_of(t137_change))
    score = fitted.score(t137_change)
    np.testing.assert_array_equal(np.isfinite(score), observed(t137_change))
    flagged = (fitted.probability(score) >= 0.8).sum() / np.isfinite(score).sum()
    assert flagged < 0.005
