"""Composites despeckled: noise goes, edges of the ground stay, nothing moves far."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from headscarp.detect.despeckle import HALO_PX, Despeckle, DespeckledDetector
from headscarp.detect.log_ratio import LogRatio
from headscarp.detect.robust import robust_std
from headscarp.detect.statistic import StatisticDetector
from headscarp.detect.t_test import TTest
from headscarp.features.change import Change
from tests.detect.made_change import ONE_ORBIT, change_from, ground_from_dates

EDGE_DB = 9.0
NOISE_DB = 1.2


@pytest.fixture
def change(rng: np.random.Generator) -> Change:
    """Flat noise; from column 24 on the ground changed, and was brighter before: an edge in both."""
    values = rng.normal(0, NOISE_DB, (1, 2, 44, 48))
    made = change_from(values, ONE_ORBIT)
    for name in ("change_db", "mean_change_db"):
        made[name].values[..., 24:] += EDGE_DB
    made["pre_db"].values[:] = -12 + rng.normal(0, NOISE_DB, values.shape)
    made["pre_db"].values[..., 24:] += EDGE_DB
    return made


def despeckle(names: tuple[str, ...] = ("change_db",)) -> Despeckle:
    noise = {name: np.full((1, 2), NOISE_DB, np.float32) for name in ("change_db", *names)}
    return Despeckle(tuple(ONE_ORBIT), ("VV", "VH"), noise, np.full((1, 2), -12, np.float32))


def test_flat_noise_shrinks_and_an_edge_stays(change: Change) -> None:
    before, after = change["change_db"].values, despeckle().apply(change)["change_db"].values
    flat = (slice(None), slice(None), slice(8, -8), slice(4, 20))
    assert after[flat].std() < 0.5 * before[flat].std()
    assert after[flat].mean() == pytest.approx(before[flat].mean(), abs=0.15)
    steps = after[..., 24].mean() - after[..., 23].mean()
    assert steps == pytest.approx(before[..., 24].mean() - before[..., 23].mean(), rel=0.1)
    # a plain mean of 5 x 5 would have left 1.8 dB of 9 between those columns
    assert steps > 0.85 * EDGE_DB


def test_all_that_carries_the_change_is_despeckled_and_the_rest_is_not(change: Change) -> None:
    names = ("mean_change_db", "cusum_db")
    found = despeckle(names).apply(change)
    for name in ("change_db", *names):
        assert not np.array_equal(found[name], change[name]), name
    for name in ("pre_db", "pre_variance_db2", "post_variance_db2", "pre_count", "post_count"):
        np.testing.assert_array_equal(found[name], change[name], err_msg=name)


def test_what_was_not_observed_stays_so_and_nothing_else_is_lost(
    change: Change, rng: np.random.Generator
) -> None:
    missing = rng.random(change["change_db"].shape) < 0.2
    gappy = change.assign(change_db=change["change_db"].where(~missing))
    found = despeckle().apply(gappy)["change_db"].values
    np.testing.assert_array_equal(np.isnan(found), missing)


def test_nothing_moves_beyond_the_halo(change: Change) -> None:
    other = change.copy(deep=True)
    other["change_db"].values[0, :, 20, 12] += 4.0
    moved = np.abs((despeckle().apply(other) - despeckle().apply(change))["change_db"]).max(
        ("orbit", "polarization")
    )
    rows, cols = np.nonzero(moved.values > 1e-3)
    assert moved.values[20, 12] > 0.1
    assert np.abs(rows - 20).max() <= HALO_PX
    assert np.abs(cols - 12).max() <= HALO_PX


def test_tiles_with_their_halo_are_the_whole(change: Change) -> None:
    whole = despeckle().apply(change)["change_db"]
    part = despeckle().apply(change.isel(y=slice(20 - HALO_PX, 32 + HALO_PX)))["change_db"]
    inner = part.isel(y=slice(HALO_PX, HALO_PX + 12))
    np.testing.assert_allclose(inner, whole.isel(y=slice(20, 32)), atol=1e-3)


def test_patches_are_pictures_of_their_own(change: Change) -> None:
    """Two halves along a patch dimension are despeckled as each alone."""
    halves = [change.isel(y=slice(0, 22)), change.isel(y=slice(22, 44))]
    stacked = xr.concat([half.drop_vars(["y", "x"]) for half in halves], dim="patch")
    found = despeckle().apply(stacked.transpose("orbit", "polarization", "patch", "y", "x"))["change_db"]
    for i, half in enumerate(halves):
        np.testing.assert_allclose(
            found.isel(patch=i), despeckle().apply(half)["change_db"].values, rtol=1e-5, atol=1e-5
        )


def test_the_noise_of_each_channel_and_the_typical_level_are_learned(change: Change) -> None:
    flat = change.isel(x=slice(0, 24))
    fitted = DespeckledDetector(LogRatio()).fit(flat)
    learned = fitted.despeckle
    for name, values in learned.noise_db.items():
        expected = robust_std(flat[name].values.reshape(1, 2, -1))
        np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert set(learned.noise_db) == {"change_db"}
    np.testing.assert_allclose(learned.level_db, -12, atol=0.3)
    # the detector learns on what is despeckled, or its scores would be too small
    score = fitted.score(flat).values
    assert robust_std(score.ravel()) == pytest.approx(1, abs=0.1)
    assert fitted.record()["despeckle"]["method"] == "non-local means"


def test_only_what_the_detector_needs_is_despeckled() -> None:
    detector = DespeckledDetector(StatisticDetector(TTest()))
    assert {"change_db", "pre_db", *TTest().needs} == set(detector.needs)
    made = ground_from_dates(np.random.default_rng(0), (30, 30))
    assert set(detector.fit(made).despeckle.noise_db) == {"change_db", "mean_change_db"}


def test_identical_composites_come_back_as_they_are() -> None:
    same = change_from(np.zeros((1, 2, 20, 20)), ONE_ORBIT, date_std_db=0.0)
    found = DespeckledDetector(LogRatio()).fit(same).despeckle.apply(same)["change_db"]
    assert (found == 0).all()
