"""The fusion: its terms and weights by hand, what it knows of sight, slope and vegetation."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
import xarray as xr

from headscarp.detect import fusion
from headscarp.detect.fusion import Fusion, Terms, Weights, read_weights, weigh
from headscarp.detect.null import NullOptions
from headscarp.detect.options import DetectOptions, make_detector
from headscarp.detect.pooling import Pooling
from headscarp.detect.robust import robust_std
from headscarp.errors import OptionsError
from headscarp.features.change import Change
from headscarp.geometry.observable import Observable
from tests.detect.made_change import changed_by, planted, still_ground, without

TWO_STATES = {"ascending 68": "ascending", "descending 46": "descending"}
WEIGHTS = Weights(
    loss_vh=1.5, loss_vh_vegetated=0.4, either_vv=0.7, signed_vv=-0.2, slope=0.3,
    either_vv_alone=0.9, signed_vv_alone=0.25, slope_vv_alone=0.35,
)  # fmt: skip
SIZE = (60, 64)


@pytest.fixture
def change(rng: np.random.Generator) -> Change:
    return still_ground(rng, SIZE, TWO_STATES)


def terms(
    vh: float, vegetated: float, vv: float, slope: float, has_vh: bool = True, seen: bool = True
) -> Terms:
    numbers = [np.array([v], np.float32) for v in (vh, vegetated, vv, slope)]
    return Terms(*numbers, np.array([has_vh]), np.array([seen]))


# the weights


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (terms(2.0, 0.5, -1.0, 1.5), (1.5 + 0.4 * 0.5) * 2 + 0.7 * 1 + 0.2 * 1 + 0.3 * 1.5),
        (terms(-2.0, 1.0, 3.0, 0.0), 1.9 * -2 + 0.7 * 3 - 0.2 * 3),
        (terms(0.0, 0.0, 0.0, -1.0), -0.3),
        (terms(0.0, 0.5, -1.0, 1.5, has_vh=False), 0.9 * 1 - 0.25 * 1 + 0.35 * 1.5),
        (terms(0.0, 0.5, 2.0, 0.0, has_vh=False), 0.9 * 2 + 0.25 * 2),
    ],
)
def test_score_is_the_weighted_sum(known: Terms, expected: float) -> None:
    assert weigh(known, WEIGHTS).item() == pytest.approx(expected, rel=1e-6)


def test_what_nobody_saw_has_no_score() -> None:
    assert np.isnan(weigh(terms(0.0, 0.5, 0.0, 1.0, has_vh=False, seen=False), WEIGHTS)).all()


def test_the_file_holds_every_weight_and_where_they_come_from() -> None:
    stored = json.loads(files("headscarp.detect").joinpath("fusion.json").read_text(encoding="utf-8"))
    assert set(stored) == {"weights", "provenance"}
    assert set(stored["weights"]) == set(Weights._fields)
    assert read_weights()._asdict() == stored["weights"]
    assert all(isinstance(name, str) for name in stored["provenance"])
    assert np.isfinite(list(stored["weights"].values())).all()


def test_the_weights_that_ship_point_the_way_landslides_do() -> None:
    w = read_weights()
    assert w.loss_vh > 0
    assert w.loss_vh + w.loss_vh_vegetated > 0
    assert w.either_vv > 0
    assert w.slope >= 0


# the evidence


def test_pooled_evidence_of_each_polarisation_has_variance_1(change: Change) -> None:
    fitted = Fusion().fit(change)
    known = fitted.evidence.terms(change)
    for values in (known.vh, known.vv):
        assert robust_std(values.ravel()) == pytest.approx(1, rel=1e-3)
    for orbit in TWO_STATES:
        own = fitted.evidence.terms(change, orbit)
        assert robust_std(own.vh.ravel()) == pytest.approx(1, rel=1e-3)
    assert known.has_vh.all()
    assert known.seen.all()


def test_score_is_made_of_its_terms(change: Change) -> None:
    fitted = Fusion().fit(change)
    expected = weigh(fitted.evidence.terms(change), fitted.weights)
    np.testing.assert_array_equal(fitted.score(change), expected)
    assert fitted.weights == read_weights()


def test_windows_are_as_given(change: Change) -> None:
    fitted = Fusion(windows_px=(1, 3)).fit(change)
    assert fitted.evidence.pooling["VH"].windows_px == (1, 3)
    assert fitted.record()["pooling"]["VV"]["windows_px"] == [1, 3]
    assert (Fusion(windows_px=(1, 3)).halo_px, Fusion().halo_px) == (1, 4)


# sight


def seen_by(change: Change, code: Observable | np.ndarray) -> Change:
    codes = np.full(SIZE, code, np.uint8) if isinstance(code, Observable) else code
    return change.assign(observable=(("y", "x"), codes.astype(np.uint8)))


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        (Observable.ASCENDING, ["ascending 68"]),
        (Observable.DESCENDING, ["descending 46"]),
        (Observable.BOTH, ["ascending 68", "descending 46"]),
        (Observable.NEITHER, ["ascending 68", "descending 46"]),
        (Observable.UNKNOWN, ["ascending 68", "descending 46"]),
    ],
)
def test_orbits_that_cannot_see_have_no_weight(change: Change, code: Observable, kept: list[str]) -> None:
    evidence = Fusion().fit(change).evidence
    found = evidence.fused(seen_by(change, code))
    expected = evidence.fused(change) if len(kept) == 2 else evidence.fused(change, kept[0])
    for pol in ("VV", "VH"):
        np.testing.assert_allclose(found[pol], expected[pol], rtol=1e-5, atol=1e-6)


def test_sight_is_that_of_each_pixel(change: Change) -> None:
    evidence = Fusion().fit(change).evidence
    codes = np.full(SIZE, Observable.BOTH, np.uint8)
    codes[:, 30:] = Observable.DESCENDING
    found = evidence.fused(seen_by(change, codes))["VH"]
    np.testing.assert_allclose(found[:, :30], evidence.fused(change)["VH"][:, :30], rtol=1e-5)
    alone = evidence.fused(change, "descending 46")["VH"]
    np.testing.assert_allclose(found[:, 30:], alone[:, 30:], rtol=1e-5)


def test_an_orbit_that_cannot_see_is_kept_where_the_other_did_not_pass(change: Change) -> None:
    """Something is better than nothing: descending alone can see, but only ascending was there."""
    missing = np.zeros(change["change_db"].shape, bool)
    missing[1] = True
    gone = without(change, missing)
    evidence = Fusion().fit(change).evidence
    found = evidence.fused(seen_by(gone, Observable.DESCENDING))["VH"]
    np.testing.assert_allclose(found, evidence.fused(change, "ascending 68")["VH"], rtol=1e-5, atol=1e-6)


def test_a_landslide_only_one_orbit_can_see_is_not_diluted(change: Change) -> None:
    place = {"y": slice(20, 30), "x": slice(20, 30)}
    slid = planted(change, place, 3.0)
    slid.loc[{"orbit": "descending 46"}] = change.sel(orbit="descending 46")
    codes = np.full(SIZE, Observable.BOTH, np.uint8)
    codes[place["y"], place["x"]] = Observable.ASCENDING
    blind, sighted = (
        Fusion().fit(part).score(part).values[22:28, 22:28] for part in (slid, seen_by(slid, codes))
    )
    assert np.median(sighted) > 1.2 * np.median(blind)


# slope


@pytest.mark.parametrize(
    ("slope_deg", "term"), [(25.0, 0.0), (35.0, 1.0), (5.0, -2.0), (40.0, 1.5), (70.0, 1.5), (np.nan, 0.0)]
)
def test_slope_term_by_hand(change: Change, slope_deg: float, term: float) -> None:
    fitted = Fusion().fit(change)
    sloping = change.assign(slope_deg=(("y", "x"), np.full(SIZE, slope_deg, np.float32)))
    known = fitted.evidence.terms(sloping)
    np.testing.assert_allclose(known.slope, term, atol=1e-6)
    difference = fitted.score(sloping) - fitted.score(change)
    np.testing.assert_allclose(difference, read_weights().slope * term, atol=1e-5)


# vegetation


def test_the_share_of_vegetation_rises_with_vh_before_the_event(change: Change) -> None:
    levels = np.linspace(-30, -5, SIZE[1], dtype=np.float32)
    change["pre_db"].values[:, 1] = levels
    fitted = Fusion().fit(change)
    share = fitted.evidence.terms(change).vegetated[0]
    assert (np.diff(share) >= 0).all()
    assert share[0] < 0.01
    assert share[-1] > 0.9
    level = fitted.evidence.vh_level_db
    assert level == pytest.approx(np.median(levels), abs=1e-4)
    # half vegetated 3 dB below the median; a logistic step of 1.5 dB
    by_hand = 1 / (1 + np.exp(-(levels - (level - 3.0)) / 1.5))
    np.testing.assert_allclose(share, by_hand, atol=1e-5)


def test_vegetation_is_the_mean_of_the_orbits_that_saw(change: Change) -> None:
    change["pre_db"].values[0, 1], change["pre_db"].values[1, 1] = -20.0, -14.0
    fitted = Fusion().fit(change)
    both = fitted.evidence.terms(change).vegetated
    missing = np.zeros(change["change_db"].shape, bool)
    missing[0, :, :30] = True
    missing[:, :, :10] = True
    known = fitted.evidence.terms(without(change, missing)).vegetated
    np.testing.assert_allclose(known[30:], both[30:])
    expected = 1 / (1 + np.exp(-(-14.0 - (fitted.evidence.vh_level_db - 3.0)) / 1.5))
    np.testing.assert_allclose(known[10:30], expected, rtol=1e-5)
    np.testing.assert_allclose(known[:10], 0.5)


# one polarisation


def test_vv_alone_uses_its_own_weights(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion, "read_weights", lambda: WEIGHTS)
    alone = change.sel(polarization=["VV"])
    fitted = Fusion().fit(alone)
    known = fitted.evidence.terms(alone)
    assert not known.has_vh.any()
    expected = 0.9 * np.abs(known.vv) + 0.25 * known.vv
    np.testing.assert_allclose(fitted.score(alone), expected, rtol=1e-5)
    np.testing.assert_allclose(known.vegetated, 0.5)


def test_where_vh_is_missing_vv_alone_decides(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion, "read_weights", lambda: WEIGHTS)
    fitted = Fusion().fit(change)
    missing = np.zeros(change["change_db"].shape, bool)
    missing[:, 1, 20:30] = True
    missing[:, 0, 40:45] = True
    gappy = without(change, missing)
    known, score = fitted.evidence.terms(gappy), fitted.score(gappy).values
    np.testing.assert_allclose(
        score[20:30], (0.9 * np.abs(known.vv) + 0.25 * known.vv)[20:30], rtol=1e-4, atol=1e-5
    )
    vegetated = known.vegetated[40:45]
    np.testing.assert_allclose(score[40:45], (1.5 + 0.4 * vegetated) * known.vh[40:45], rtol=1e-4, atol=1e-5)


# direction


def test_gains_alone_are_refused_in_four_parts(change: Change) -> None:
    with pytest.raises(OptionsError) as caught:
        make_detector(DetectOptions(detector="fusion", direction="gain")).fit(change)
    error = caught.value
    assert all([error.expected, error.given, error.why, error.fix])
    assert "gain" in error.given
    assert "--detector" in error.fix


@pytest.mark.parametrize("direction", [None, "loss", "either"])
def test_evidence_counts_on_its_upper_side_alone(change: Change, direction: str | None) -> None:
    """VV of either sign is in the score itself: a low score is evidence against."""
    options = DetectOptions.model_validate({"detector": "fusion", "direction": direction})
    fitted = make_detector(options).fit(change)
    assert fitted.record()["direction"] == "loss"
    low = xr.DataArray(np.linspace(-20, fitted.null.mean - 0.3, 30), dims="pixel")  # type: ignore[attr-defined]
    assert (fitted.probability(low) == 0).all()


def test_the_prior_is_stated(change: Change) -> None:
    fitted = Fusion(NullOptions(prior_landslide=0.2)).fit(change)
    assert fitted.record()["prior_landslide"] == 0.2
    assert isinstance(fitted.evidence.pooling["VV"], Pooling)


def test_a_loss_of_vh_outweighs_the_same_gain_of_it(change: Change) -> None:
    fitted = Fusion().fit(change)
    of_vh = xr.DataArray([0.0, 1.0], dims="polarization", coords={"polarization": ["VV", "VH"]})
    loss, gain = (float(fitted.score(changed_by(change, of_vh * s)).median()) for s in (3.0, -3.0))
    assert loss > 1
    assert gain < -1
