"""The log-ratio detector against hand-computed scores and noise of known size."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from pydantic import ValidationError

from headscarp.detect.log_ratio import MIN_NOISE_DB, FittedLogRatio, LogRatio
from headscarp.detect.null import Direction, EmpiricalNull, NullOptions
from headscarp.features.change import Change, Split, change_of_stacks
from tests.detect.made_change import ONE_ORBIT, THREE_ORBITS, change_from, pixels_of, still_ground

TWO_STATES = {"ascending 68": "ascending", "descending 46": "descending"}


@pytest.fixture(scope="module")
def null() -> EmpiricalNull:
    return EmpiricalNull.fit(np.random.default_rng(0).standard_t(6, 20_000), 0.01)


def fitted_by_hand(
    null: EmpiricalNull,
    orbits: Mapping[str, str] = ONE_ORBIT,
    shift_db: list[list[float]] | None = None,
    noise_db: tuple[float, ...] = (1.0, 1.0),
    correlation: float = 0.0,
) -> FittedLogRatio:
    """A detector whose every number is given."""
    n = len(noise_db)
    matrix = np.full((n, n), correlation, np.float32)
    np.fill_diagonal(matrix, 1)
    return FittedLogRatio(
        orbits=tuple(orbits),
        polarizations=("VV", "VH")[:n],
        shift_db=np.array(shift_db or [[0.0] * n] * len(orbits), np.float32),
        noise_db=np.array(noise_db, np.float32),
        fused_noise_db=np.array(noise_db, np.float32),
        correlation=matrix,
        null=null,
    )


def pixel(values_db: list[list[float]], orbits: Mapping[str, str] = ONE_ORBIT, **counts: object) -> Change:
    """One pixel from values by orbit and polarisation."""
    values = np.array(values_db, np.float32)[:, :, None, None]
    given = {name: np.array(n)[:, None, None, None] for name, n in counts.items()}
    return change_from(values, orbits, ("VV", "VH")[: values.shape[1]], **given)


# the score, by hand


@pytest.mark.parametrize(
    ("pre", "post", "gain"), [(1, 1, math.sqrt(2)), (4, 4, math.sqrt(0.5)), (3, 2, 0.9129)]
)
def test_noise_falls_with_the_dates_of_one_orbit(
    null: EmpiricalNull, pre: int, post: int, gain: float
) -> None:
    change = pixel([[3.0]], pre_count=[pre], post_count=[post])
    score = fitted_by_hand(null, noise_db=(1.0,)).score(change)
    assert score.item() == pytest.approx(3.0 / gain, rel=1e-4)


def test_noise_falls_with_the_orbits_that_saw(null: EmpiricalNull) -> None:
    """g² = ½²·(1/4 + 1/2) + ½²·(1/1 + 1/2) = 0.5625, so g = 0.75; the fused change is 3 dB."""
    change = pixel([[2.0], [4.0]], TWO_STATES, pre_count=[4, 1], post_count=[2, 2])
    fitted = fitted_by_hand(null, TWO_STATES, noise_db=(1.0,))
    assert fitted.score(change).item() == pytest.approx(3.0 / 0.75, rel=1e-5)


def test_noise_with_two_orbits_of_one_state(null: EmpiricalNull) -> None:
    """Weights ¼, ¼, ½ with one date on each side: g² = 2·(1/16 + 1/16 + 1/4) = 0.75."""
    change = pixel([[1.0], [3.0], [8.0]], THREE_ORBITS, pre_count=[1] * 3, post_count=[1] * 3)
    fitted = fitted_by_hand(null, THREE_ORBITS, noise_db=(1.0,))
    assert fitted.score(change).item() == pytest.approx(5.0 / math.sqrt(0.75), rel=1e-5)


def test_an_orbit_that_did_not_see_leaves_its_weight_to_the_others(null: EmpiricalNull) -> None:
    change = pixel([[2.0], [math.nan]], TWO_STATES, pre_count=[2, 0], post_count=[2, 3])
    fitted = fitted_by_hand(null, TWO_STATES, noise_db=(1.0,))
    assert fitted.score(change).item() == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.6])
def test_two_polarizations_combine_by_their_correlation(null: EmpiricalNull, correlation: float) -> None:
    """VV: 3 / 1.5 = 2; VH: 4 / 0.8 = 5; with g = 1 their sum is 7 over √(2 + 2ρ)."""
    change = pixel([[3.0, 4.0]], pre_count=[2], post_count=[2])
    fitted = fitted_by_hand(null, noise_db=(1.5, 0.8), correlation=correlation)
    assert fitted.score(change).item() == pytest.approx(7.0 / math.sqrt(2 + 2 * correlation), rel=1e-5)


@pytest.mark.parametrize(("vv", "vh", "score"), [(3.0, math.nan, 2.0), (math.nan, 4.0, 5.0)])
def test_a_missing_polarization_leaves_the_other(
    null: EmpiricalNull, vv: float, vh: float, score: float
) -> None:
    fitted = fitted_by_hand(null, noise_db=(1.5, 0.8), correlation=0.6)
    found = fitted.score(pixel([[vv, vh]], pre_count=[2], post_count=[2]))
    assert found.item() == pytest.approx(score, rel=1e-5)


def test_the_regional_shift_of_each_orbit_is_taken_out_before_fusion(null: EmpiricalNull) -> None:
    """(2 − 0.5 + 4 + 1.5) / 2 = 3.5 with g = 1/√2; with one orbit missing, its shift is missing too."""
    fitted = fitted_by_hand(null, TWO_STATES, [[0.5], [-1.5]], noise_db=(1.0,))
    both = pixel([[2.0], [4.0]], TWO_STATES, pre_count=[2, 2], post_count=[2, 2])
    assert fitted.score(both).item() == pytest.approx(3.5 * math.sqrt(2), rel=1e-5)
    one = pixel([[2.0], [math.nan]], TWO_STATES, pre_count=[2, 2], post_count=[2, 2])
    assert fitted.score(one).item() == pytest.approx(1.5, rel=1e-5)


def test_each_orbit_is_scored_alone(null: EmpiricalNull) -> None:
    fitted = fitted_by_hand(null, THREE_ORBITS, [[0.0], [1.0], [0.0]], noise_db=(2.0,))
    change = pixel([[4.0], [3.0], [math.nan]], THREE_ORBITS, pre_count=[2, 1, 1], post_count=[2, 1, 1])
    scores = fitted.orbit_scores(change).values.ravel()
    assert scores.tolist() == pytest.approx([2.0, 1 / math.sqrt(2), math.nan], rel=1e-5, nan_ok=True)


# the probability


@pytest.mark.parametrize(("direction", "kept"), [("loss", 1), ("gain", -1)])
def test_direction_leaves_the_other_sign_out(direction: Direction, kept: int) -> None:
    """Landslides that lose 5 dB in one corner and gain 5 dB in another: one of them is left out."""
    change = still_ground(np.random.default_rng(3), noise_db=(0.9, 0.9))
    change["change_db"].values[..., 10:20, 10:20] += 5.0
    change["change_db"].values[..., 40:50, 40:50] -= 5.0
    either, one = (
        LogRatio(NullOptions(direction=d)).fit(change)
        for d in ("either", direction)  # type: ignore[arg-type]
    )
    score = one.score(change)
    xr.testing.assert_identical(score, either.score(change))
    both, own = either.probability(score).values, one.probability(score).values
    out = np.sign(score.values - one.null.mean) == -kept
    far = np.abs(score.values - one.null.mean) > 0.2 * one.null.std  # a bin of the table straddles the mean
    assert (own[out & far] == 0).all()
    assert np.median(both[10:20, 10:20]) > 0.8 < np.median(both[40:50, 40:50])
    slid = own[10:20, 10:20] if kept > 0 else own[40:50, 40:50]
    assert np.median(slid) > 0.8


@pytest.mark.parametrize(
    "options", [{"direction": "up"}, {"prior_landslide": 0}, {"prior_landslide": 1}, {"prior": 0.1}]
)
def test_options_outside_their_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NullOptions.model_validate(options)


# the fit


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.3, 0.8])
def test_noise_and_correlation_of_normal_changes_are_found(
    rng: np.random.Generator, correlation: float
) -> None:
    """With 4 dates on each side g = 1/√2, so the noise of single dates is √2 times that of the change."""
    fitted = LogRatio().fit(still_ground(rng, (200, 200), noise_db=(1.2, 1.5), correlation=correlation))
    assert fitted.fused_noise_db.tolist() == pytest.approx([1.2, 1.5], rel=0.03)
    assert fitted.noise_db.tolist() == pytest.approx([1.2 * math.sqrt(2), 1.5 * math.sqrt(2)], rel=0.03)
    assert fitted.correlation[0, 1] == fitted.correlation[1, 0] == pytest.approx(correlation, abs=0.03)
    assert fitted.null.mean == pytest.approx(0, abs=0.05)
    assert fitted.null.std == pytest.approx(1, abs=0.03)


def test_outliers_hardly_touch_noise_and_correlation(rng: np.random.Generator) -> None:
    change = still_ground(rng, (200, 200))
    clean = LogRatio().fit(change)
    change["change_db"].values[..., :10, :] += 20.0  # 5 % of the ground
    dirty = LogRatio().fit(change)
    np.testing.assert_allclose(dirty.noise_db, clean.noise_db, rtol=0.1)
    np.testing.assert_allclose(dirty.shift_db, clean.shift_db, atol=0.15)
    # plain estimates would say 4.5 dB and a correlation of 0.9
    assert change["change_db"].values[0, 0].std() > 4
    assert abs(dirty.correlation[0, 1]) < 0.2


def test_dates_of_each_pixel_are_told_apart_in_the_noise(rng: np.random.Generator) -> None:
    """Half of the ground has 8 dates a side, half 1: noise scaled by g gives both a score of spread 1."""
    n = np.ones((1, 2, 100, 200), dtype=int)
    n[..., 100:] = 8
    values = rng.normal(0, 1.0, n.shape) * np.sqrt(2 / n)
    change = change_from(values, ONE_ORBIT, pre_count=n, post_count=n)
    score = LogRatio().fit(change).score(change).values
    assert score[:, :100].std() == pytest.approx(1, abs=0.04)
    assert score[:, 100:].std() == pytest.approx(1, abs=0.04)


def power_stack(rng: np.random.Generator, orbit_state: str, post_shift_db: float = 0.0) -> xr.Dataset:
    """Eight scenes of speckle; those after the fourth shifted by a constant."""
    shift = 10 ** (np.repeat([0.0, post_shift_db], 4) / 10)[:, None, None]
    bands = {
        pol: (("time", "y", "x"), (level * rng.gamma(6, 1 / 6, (8, 40, 50)) * shift).astype(np.float32))
        for pol, level in (("VV", 0.1), ("VH", 0.02))
    }
    times = np.datetime64("2024-01-01", "ns") + 12 * np.arange(8) * np.timedelta64(1, "D")
    return xr.Dataset(bands, coords={"time": times}, attrs={"orbit_state": orbit_state})


@pytest.mark.parametrize("shift_db", [-3.0, 0.7])
def test_a_shift_shared_by_the_whole_area_changes_no_score_and_is_reported(shift_db: float) -> None:
    """Wet ground after the event brightens every post-event scene of one orbit."""
    splits = dict.fromkeys(TWO_STATES, Split((0, 1, 2, 3), (4, 5, 6, 7)))
    dry, wet = (
        change_of_stacks(
            {
                "ascending 68": power_stack(np.random.default_rng(1), "ascending", shift),
                "descending 46": power_stack(np.random.default_rng(2), "descending"),
            },
            splits,
        )
        for shift in (0.0, shift_db)
    )
    before, after = LogRatio().fit(dry), LogRatio().fit(wet)
    np.testing.assert_allclose(after.score(wet), before.score(dry), atol=1e-3)
    for pol in ("VV", "VH"):
        reported = {label: after.shifts()[label][pol] - before.shifts()[label][pol] for label in TWO_STATES}
        # a gain of backscatter is a negative change
        assert reported == pytest.approx({"ascending 68": -shift_db, "descending 46": 0}, abs=1e-4)


def test_scores_do_not_depend_on_the_scale_of_the_noise(rng: np.random.Generator) -> None:
    change = still_ground(rng, correlation=0.4)
    louder = change.assign(change_db=change["change_db"] * np.float32(2.5))
    quiet, loud = LogRatio().fit(change), LogRatio().fit(louder)
    np.testing.assert_allclose(loud.noise_db, 2.5 * quiet.noise_db, rtol=1e-5)
    np.testing.assert_allclose(loud.score(louder), quiet.score(change), atol=1e-4)


def test_noise_has_a_floor_so_that_identical_scenes_score_zero() -> None:
    same = change_from(np.zeros((2, 2, 15, 15)), TWO_STATES)
    fitted = LogRatio().fit(same)
    assert fitted.noise_db.tolist() == pytest.approx([MIN_NOISE_DB] * 2)
    assert (fitted.score(same) == 0).all()
    assert np.isfinite(fitted.null.table).all()


def test_one_landslide_on_identical_scenes_is_found() -> None:
    values = np.zeros((1, 2, 40, 40))
    values[..., 5:9, 5:9] = 4.0
    change = change_from(values, ONE_ORBIT)
    fitted = LogRatio().fit(change)
    probability = fitted.probability(fitted.score(change)).values
    np.testing.assert_array_equal(probability > 0.8, values[0, 0] > 0)


@pytest.mark.parametrize("loss_db", [4.0, -4.0])
def test_a_planted_change_of_4_db_is_found_and_still_ground_is_not(
    rng: np.random.Generator, loss_db: float
) -> None:
    """Noise of 0.9 dB: 4 dB in both polarisations stand 6 standard deviations out."""
    change = still_ground(rng, noise_db=(0.9, 0.9))
    inside = np.zeros((120, 130), bool)
    inside[50:60, 70:85] = True
    change["change_db"].values[..., inside] += loss_db
    fitted = LogRatio().fit(change)
    score = fitted.score(change)
    probability = fitted.probability(score).values
    assert (probability[inside] > 0.8).mean() > 0.95
    assert (probability[~inside] > 0.8).mean() < 0.001
    assert (np.sign(score.values[inside]) == np.sign(loss_db)).all()


def test_polarizations_that_disagree_cancel(null: EmpiricalNull) -> None:
    """The stated price of one signed number."""
    assert fitted_by_hand(null).score(pixel([[5.0, -5.0]])).item() == 0


@pytest.mark.parametrize("stride", [2, 3])
def test_a_regular_sample_fits_nearly_as_all_of_it(rng: np.random.Generator, stride: int) -> None:
    change = still_ground(rng, (300, 300), TWO_STATES, correlation=0.3)
    change["change_db"].values[..., 100:130, 100:130] += 4.0
    whole, sampled = LogRatio().fit(change), LogRatio().fit(pixels_of(change, stride))
    np.testing.assert_allclose(sampled.noise_db, whole.noise_db, rtol=0.04)
    np.testing.assert_allclose(sampled.shift_db, whole.shift_db, atol=0.05)
    np.testing.assert_allclose(sampled.correlation, whole.correlation, atol=0.05)
    flagged = [fit.probability(fit.score(change)).values >= 0.8 for fit in (whole, sampled)]
    assert (flagged[0] != flagged[1]).mean() < 0.003
    assert flagged[0].mean() > 0.005


def test_a_map_fits_as_its_pixels_do(rng: np.random.Generator) -> None:
    change = still_ground(rng, (30, 40))
    assert LogRatio().fit(change).record() == LogRatio().fit(pixels_of(change)).record()


def test_record_holds_everything_that_was_fitted(rng: np.random.Generator) -> None:
    change = still_ground(rng, orbits=TWO_STATES)
    change["change_db"].loc[{"orbit": "descending 46", "polarization": "VV"}] = np.nan
    options = NullOptions(prior_landslide=0.02, direction="loss")
    fitted = LogRatio(options).fit(change)
    record = fitted.record()
    assert set(record["polarizations"]) == {"VV", "VH"}
    assert record["polarizations"]["VH"]["noise_single_dates_db"] == pytest.approx(fitted.noise_db[1])
    assert record["correlation"] == fitted.correlation.tolist()
    # what an orbit lacks has no shift, rather than one that JSON cannot hold
    shifts = record["regional_shift_db"]
    assert {label: set(own) for label, own in shifts.items()} == {
        "ascending 68": {"VV", "VH"},
        "descending 46": {"VH"},
    }
    assert (record["prior_landslide"], record["direction"]) == (0.02, "loss")
    assert (record["null_mean"], record["null_std"]) == (fitted.null.mean, fitted.null.std)


def test_probability_can_be_redrawn_from_the_record(rng: np.random.Generator) -> None:
    """The recorded table is the probability: interpolating it gives what the map holds."""
    change = still_ground(rng)
    fitted = LogRatio().fit(change)
    score = fitted.score(change)
    table = fitted.record()["probability_table"]
    redrawn: NDArray[np.float64] = np.interp(score.values, table["score"], table["probability"])
    np.testing.assert_allclose(redrawn, fitted.probability(score), atol=1e-5)
