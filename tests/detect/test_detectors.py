"""The contract of label-free detectors: one suite, run over every detector the options can name."""

from __future__ import annotations

import json
import typing

import numpy as np
import pytest
import xarray as xr

from headscarp.detect.options import DetectOptions, DetectorName, make_detector
from headscarp.detect.protocol import Detector, FittedDetector
from headscarp.errors import HeadscarpError
from headscarp.features.change import Change
from tests.detect.made_change import (
    ONE_ORBIT,
    THREE_ORBITS,
    change_from,
    changed_by,
    ground_from_dates,
    pixels_of,
    planted,
    still_ground,
    with_gaps,
    without,
)

NAMES: tuple[str, ...] = typing.get_args(DetectorName)
SIGNED = ("log-ratio", "t-test", "mahalanobis", "cusum")
CASES = {
    **{f"{name}, pixels": {"detector": name, "windows_px": (1,)} for name in NAMES},
    **{name: {"detector": name} for name in NAMES},
    "log-ratio, despeckled": {"detector": "log-ratio", "windows_px": (1,), "despeckle": True},
    "fusion, despeckled": {"detector": "fusion", "despeckle": True},
}
LANDSLIDE = {"y": slice(40, 50), "x": slice(30, 42)}
TILE_PX = 41
FAR_PX = 12
"""Beyond every halo."""


@pytest.fixture(scope="module", params=CASES)
def options(request: pytest.FixtureRequest) -> DetectOptions:
    return DetectOptions.model_validate(CASES[request.param])


@pytest.fixture(scope="module")
def detector(options: DetectOptions) -> Detector:
    return make_detector(options)


@pytest.fixture(scope="module")
def change() -> Change:
    """Three orbits of two states with gaps, a corner never seen, and a landslide that loses 6 dB."""
    rng = np.random.default_rng(20231112)
    return with_gaps(planted(still_ground(rng, (72, 76), THREE_ORBITS), LANDSLIDE, 6.0), rng)


@pytest.fixture(scope="module")
def fitted(detector: Detector, change: Change) -> FittedDetector:
    return detector.fit(change)


def observed(change: Change) -> np.ndarray:
    return np.isfinite(change["change_db"].transpose(..., "y", "x").values).any(axis=(0, 1))


def landslide(change: Change) -> np.ndarray:
    inside = np.zeros((change.sizes["y"], change.sizes["x"]), bool)
    inside[LANDSLIDE["y"], LANDSLIDE["x"]] = True
    return inside


def test_every_detector_is_known_by_its_name(options: DetectOptions, detector: Detector) -> None:
    assert detector.name == options.detector
    assert set(NAMES) == {"fusion", *SIGNED}


def test_halo_is_that_of_the_widest_window_and_of_the_search(
    options: DetectOptions, detector: Detector
) -> None:
    widest = (options.windows_px or ((9,) if options.detector == "fusion" else (5,)))[-1]
    assert detector.halo_px == widest // 2 + (7 if options.despeckle else 0) < FAR_PX


def test_needs_and_counts_are_all_it_takes(
    detector: Detector, change: Change, fitted: FittedDetector
) -> None:
    assert len(set(detector.needs)) == len(detector.needs)
    # the walk keeps change_db whatever is asked for: it tells where anything was observed
    bare = change[[*dict.fromkeys((*detector.needs, "change_db", "pre_count", "post_count"))]]
    xr.testing.assert_identical(detector.fit(bare).score(bare), fitted.score(change))


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


def test_the_score_of_a_single_orbit_is_its_own(
    options: DetectOptions, detector: Detector, change: Change
) -> None:
    """The fusion's in units of what is usual for the orbit: its score as such is no standard one."""
    one = change.sel(orbit=["ascending 170"])
    fitted = detector.fit(one)
    own = fitted.orbit_scores(one).sel(orbit="ascending 170", drop=True)
    score = fitted.score(one)
    if options.detector == "fusion":
        centre = float(score.median())
        score = (score - centre) / (1.4826 * float(np.abs(score - centre).median()))
    np.testing.assert_allclose(own, score, rtol=1e-3, atol=1e-3)


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
    options: DetectOptions, fitted: FittedDetector, change: Change
) -> None:
    loss, gain, none = (fitted.score(changed_by(change, shift_db)) for shift_db in (5.0, -5.0, 0.0))
    assert float(loss.min()) > 1
    # the sign that a distance takes is not centred with its parts; what despeckling leaves is in units of
    # so little noise that the median of the raw change is no zero
    near = 0.1 if options.detector == "mahalanobis" else 0.02
    assert (np.abs(none) < (float(loss.min()) / 5 if options.despeckle else near)).all()
    if options.detector in SIGNED:
        assert float(gain.max()) < -1


@pytest.mark.parametrize("options", [case for case in CASES if "fusion" in case], indirect=True)
def test_the_fusion_takes_a_gain_of_vh_for_no_landslide(fitted: FittedDetector, change: Change) -> None:
    of_vh = xr.DataArray([0.0, 1.0], dims="polarization", coords={"polarization": ["VV", "VH"]})
    loss, gain = (fitted.score(changed_by(change, of_vh * shift_db)) for shift_db in (5.0, -5.0))
    assert (loss > 1).all()
    assert (gain < -1).all()
    assert float(fitted.probability(gain).max()) == 0
    assert float(fitted.probability(loss).median()) > 0.5


def test_a_landslide_is_found_and_still_ground_is_not(
    detector: Detector, fitted: FittedDetector, change: Change
) -> None:
    probability = fitted.probability(fitted.score(change)).values
    inside, seen = landslide(change), observed(change)
    assert np.median(probability[inside & seen]) > 0.95
    # what neighbours share spills over the outline, as far as the halo reaches
    rows, cols = (slice(s.start - detector.halo_px, s.stop + detector.halo_px) for s in LANDSLIDE.values())
    apart = np.ones(inside.shape, bool)
    apart[rows, cols] = False
    assert (probability[apart & seen] >= 0.5).mean() < 0.005


def test_fit_and_score_are_pure(detector: Detector, change: Change) -> None:
    before = change.copy(deep=True)
    first, second = detector.fit(change), detector.fit(change)
    assert first.record() == second.record()
    score = first.score(change)
    score_before = score.copy(deep=True)
    xr.testing.assert_identical(first.score(change), second.score(change))
    xr.testing.assert_identical(first.orbit_scores(change), first.orbit_scores(change))
    xr.testing.assert_identical(first.probability(score), second.probability(score))
    xr.testing.assert_identical(change, before)
    xr.testing.assert_identical(score, score_before)


def test_the_order_of_dimensions_does_not_matter(fitted: FittedDetector, change: Change) -> None:
    expected = fitted.score(change)
    turned = fitted.score(change.transpose("y", "polarization", "x", "orbit"))
    assert turned.dims == ("y", "x")
    np.testing.assert_allclose(turned, expected, rtol=1e-6)
    swapped = fitted.score(change.transpose("orbit", "polarization", "x", "y")).transpose("y", "x")
    np.testing.assert_allclose(swapped, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [case for case in CASES if "pixels" in case], indirect=True)
def test_pixels_in_a_row_score_as_they_do_on_a_map(fitted: FittedDetector, change: Change) -> None:
    in_a_row = fitted.score(pixels_of(change))
    assert in_a_row.dims == ("pixel",)
    np.testing.assert_array_equal(in_a_row, fitted.score(change).values.ravel())


@pytest.mark.parametrize("name", SIGNED)
def test_a_row_of_pixels_is_sample_enough_for_detectors_without_neighbours(name: str, change: Change) -> None:
    detector = make_detector(DetectOptions.model_validate({"detector": name, "windows_px": (1,)}))
    assert detector.fit(pixels_of(change)).record() == detector.fit(change).record()


def test_tile_by_tile_is_the_whole(detector: Detector, fitted: FittedDetector, change: Change) -> None:
    """Tiles are cut with the detector's halo, scored, and cut back to themselves."""
    whole, whole_orbits = fitted.score(change), fitted.orbit_scores(change)
    halo, seen = detector.halo_px, 0
    for top in range(0, change.sizes["y"], TILE_PX):
        for left in range(0, change.sizes["x"], TILE_PX):
            corner = max(top - halo, 0), max(left - halo, 0)
            wide = {
                "y": slice(corner[0], top + TILE_PX + halo),
                "x": slice(corner[1], left + TILE_PX + halo),
            }
            own = {"y": slice(top - corner[0], top - corner[0] + TILE_PX),
                   "x": slice(left - corner[1], left - corner[1] + TILE_PX)}  # fmt: skip
            place = {"y": slice(top, top + TILE_PX), "x": slice(left, left + TILE_PX)}
            part = fitted.score(change.isel(wide)).isel(own)
            np.testing.assert_allclose(part, whole.isel(place), rtol=1e-4, atol=1e-4)
            orbits = fitted.orbit_scores(change.isel(wide)).isel(own)
            np.testing.assert_allclose(orbits, whole_orbits.isel(place), rtol=1e-4, atol=1e-4)
            seen += part.size
    assert seen == whole.size


def test_nothing_beyond_the_halo_matters(detector: Detector, fitted: FittedDetector, change: Change) -> None:
    other = change.copy(deep=True)
    place = {"y": slice(20, 21), "x": slice(60, 61)}
    far = planted(other, place, 30.0)
    moved = np.abs(fitted.score(far) - fitted.score(change)).values > 1e-4
    rows, cols = np.nonzero(moved)
    assert moved.any()
    assert max(np.abs(rows - 20).max(), np.abs(cols - 60).max()) <= detector.halo_px


def test_the_order_of_orbits_and_polarizations_does_not_matter(detector: Detector, change: Change) -> None:
    turned = change.isel(orbit=[2, 0, 1], polarization=[1, 0])
    expected, other = detector.fit(change), detector.fit(turned)
    for score in (expected.score(turned), other.score(change), other.score(turned)):
        np.testing.assert_allclose(score, expected.score(change), rtol=1e-3, atol=1e-3)
    by_label = other.orbit_scores(change).sel(orbit=list(THREE_ORBITS))
    np.testing.assert_allclose(by_label, expected.orbit_scores(change), rtol=1e-3, atol=1e-3)


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


def test_the_record_survives_json_and_tells_shifts_and_prior(fitted: FittedDetector) -> None:
    record = fitted.record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert set(record["regional_shift_db"]) == set(THREE_ORBITS)
    assert set(record["regional_shift_db"]["ascending 68"]) == {"VV", "VH"}
    assert record["prior_landslide"] == 0.01


def test_the_probability_can_be_redrawn_from_the_record(fitted: FittedDetector, change: Change) -> None:
    """The recorded table is that of the very score that the map holds, pooled or not."""
    score = fitted.score(change)
    table = fitted.record()["probability_table"]
    redrawn: np.ndarray = np.interp(score.values, table["score"], table["probability"])
    np.testing.assert_allclose(redrawn, fitted.probability(score), atol=1e-4)


# what to learn from


def test_ground_that_is_not_counted_teaches_nothing(
    detector: Detector, fitted: FittedDetector, change: Change
) -> None:
    """The uppermost rows are not counted and hold anything, farther from the others than any halo."""
    counted = np.ones((change.sizes["y"], change.sizes["x"]), bool)
    counted[: 10 + FAR_PX] = False
    told = change.assign(counted=(("y", "x"), counted))
    strange = planted(told, {"y": slice(0, 10), "x": slice(0, None)}, 25.0)
    one, two = detector.fit(told), detector.fit(strange)
    np.testing.assert_allclose(two.score(change), one.score(change), rtol=1e-3, atol=1e-3)
    # and they would have taught something
    assert np.nanmax(np.abs(fitted.score(change) - one.score(change))) > 2e-3


def test_what_is_counted_is_all_that_is_needed(detector: Detector, change: Change) -> None:
    """Rows that are not counted but lie next to counted ones lend their values to the windows alone."""
    counted = np.zeros((change.sizes["y"], change.sizes["x"]), bool)
    counted[15:60, 18:64] = True
    whole = detector.fit(change.assign(counted=(("y", "x"), counted)))
    halo = detector.halo_px
    near = {"y": slice(15 - halo, 60 + halo), "x": slice(18 - halo, 64 + halo)}
    part = detector.fit(change.assign(counted=(("y", "x"), counted)).isel(near))
    np.testing.assert_allclose(part.score(change), whole.score(change), rtol=1e-3, atol=1e-3)


def test_patches_that_tile_a_map_teach_what_the_map_teaches(detector: Detector, change: Change) -> None:
    """Four patches with their halos, which overlap; beyond the map nothing was observed."""
    halo = detector.halo_px
    wide = change.isel(y=slice(0, 72), x=slice(0, 72)).drop_vars(["y", "x"])
    names = {name: np.nan if wide[name].dtype.kind == "f" else 0 for name in wide.data_vars}
    padded = wide.pad(y=(halo, halo), x=(halo, halo), constant_values=names)
    counted = np.zeros((72 + 2 * halo,) * 2, bool)
    counted[halo : halo + 72, halo : halo + 72] = True
    own = np.zeros((36 + 2 * halo,) * 2, bool)
    own[halo : halo + 36, halo : halo + 36] = True
    patches = xr.concat(
        [
            padded.isel(y=slice(top, top + len(own)), x=slice(left, left + len(own)))
            for top in (0, 36) for left in (0, 36)
        ], dim="patch", data_vars="all",
    ).assign(counted=(("patch", "y", "x"), np.stack([own] * 4)))  # fmt: skip
    on_map = detector.fit(padded.assign(counted=(("y", "x"), counted)))
    on_patches = detector.fit(patches.transpose("orbit", "polarization", "patch", "y", "x"))
    np.testing.assert_allclose(on_patches.score(change), on_map.score(change), rtol=1e-3, atol=1e-3)
    tables = [fit.record()["probability_table"]["probability"] for fit in (on_map, on_patches)]
    np.testing.assert_allclose(tables[1], tables[0], atol=1e-2)


# little to go by


@pytest.mark.parametrize("polarizations", [["VV"], ["VH"]])
@pytest.mark.parametrize("orbits", [["ascending 68"], ["descending 46", "ascending 170"]])
def test_fewer_orbits_and_polarizations_work(
    detector: Detector, change: Change, polarizations: list[str], orbits: list[str]
) -> None:
    part = change.sel(polarization=polarizations, orbit=orbits)
    fitted = detector.fit(part)
    score = fitted.score(part)
    np.testing.assert_array_equal(np.isfinite(score), observed(part))
    probability = fitted.probability(score).values
    assert np.median(probability[landslide(part) & observed(part)]) > 0.5
    json.dumps(fitted.record(), allow_nan=False)


@pytest.mark.parametrize("polarizations", [["VV", "VH"], ["VV"]])
def test_a_single_date_after_the_event_works(detector: Detector, polarizations: list[str]) -> None:
    made = ground_from_dates(np.random.default_rng(3), (64, 70), (6, 1), place=LANDSLIDE, loss_db=7.0)
    one = made.sel(polarization=polarizations)
    assert np.isnan(one["post_variance_db2"]).all()
    fitted = detector.fit(one)
    score = fitted.score(one)
    assert np.isfinite(score).all()
    inside = landslide(one)
    assert np.median(score.values[inside]) > np.quantile(score.values[~inside], 0.95)
    json.dumps(fitted.record(), allow_nan=False)


def test_a_single_date_on_either_side_works(detector: Detector) -> None:
    pair = ground_from_dates(np.random.default_rng(4), (50, 50), (1, 1), orbits=THREE_ORBITS)
    fitted = detector.fit(pair)
    score = fitted.score(pair)
    assert np.isfinite(score).all()
    assert 0.5 < float(score.std()) < 3
    assert (fitted.probability(score) >= 0.8).mean() < 0.005


def test_a_landslide_is_less_certain_by_one_date_than_by_eight(
    options: DetectOptions, detector: Detector
) -> None:
    """The same loss, as small as the detector can just tell from eight noisy dates: one shows less."""
    found = []
    loss_db = 1.5 if options.despeckle else 5.5 if options.windows_px == (1,) else 2.0
    for post in (1, 8):
        made = ground_from_dates(
            np.random.default_rng(5), (72, 76), (8, post), place=LANDSLIDE, loss_db=loss_db, looks=3.0
        )
        fitted = detector.fit(made)
        found.append(fitted.probability(fitted.score(made)).values)
    inside = landslide(made)
    assert np.median(found[0][inside]) <= np.median(found[1][inside])
    assert found[0][inside].mean() < found[1][inside].mean() - 0.05
    assert np.median(found[1][inside]) > 0.5
    for probability in found:
        assert (probability[~inside] >= 0.8).mean() < 0.02


def test_an_orbit_that_saw_nothing_changes_nothing(detector: Detector, change: Change) -> None:
    missing = np.zeros(change["change_db"].shape, bool)
    missing[list(THREE_ORBITS).index("descending 46")] = True
    blind = without(change, missing)
    fitted = detector.fit(blind)
    part = change.sel(orbit=["ascending 68", "ascending 170"])
    expected = detector.fit(part).score(part)
    np.testing.assert_allclose(fitted.score(blind), expected, rtol=1e-3, atol=1e-3)
    assert np.isnan(fitted.orbit_scores(blind).sel(orbit="descending 46")).all()
    json.dumps(fitted.record(), allow_nan=False)


def test_identical_scenes_score_zero_and_flag_nothing(detector: Detector) -> None:
    same = change_from(np.zeros((1, 2, 20, 20)), ONE_ORBIT, date_std_db=0.0)
    fitted = detector.fit(same)
    score = fitted.score(same)
    np.testing.assert_allclose(score, 0, atol=1e-6)
    assert (fitted.probability(score) < 0.5).all()
    json.dumps(fitted.record(), allow_nan=False)


@pytest.mark.parametrize("seen", [0, 99])
def test_too_little_ground_is_refused(detector: Detector, seen: int) -> None:
    values = np.full((1, 2, 20, 20), np.nan)
    values.reshape(2, -1)[:, :seen] = np.linspace(-1, 1, seen)
    with pytest.raises(HeadscarpError) as caught:
        detector.fit(change_from(values, ONE_ORBIT))
    assert caught.value.given == str(seen)


def test_real_ground_where_nothing_happened_is_hardly_flagged(
    options: DetectOptions, detector: Detector, t137_change: Change
) -> None:
    fitted = detector.fit(t137_change)
    score = fitted.score(t137_change)
    np.testing.assert_array_equal(np.isfinite(score), observed(t137_change))
    flagged = (fitted.probability(score) >= 0.8).sum() / np.isfinite(score).sum()
    # fields change, and what neighbours share makes them stand out: shares as they are, not as wanted
    most = 0.06 if options.despeckle else 0.005 if options.detector == "fusion" else 0.025
    assert flagged < most
