"""The cumulative sum as a statistic, by hand, and what stays against what passes."""

from __future__ import annotations

import numpy as np
import pytest

from headscarp.detect.cusum import Cusum, FittedCusum
from headscarp.detect.moderated import VariancePrior
from headscarp.features.moments import cusum
from tests.detect.made_change import ONE_ORBIT, change_from, ground_from_dates


def test_sum_is_in_units_of_what_noise_would_make_of_it() -> None:
    """6 dB over √((5·3 + 3·2)/8 · 4): the moderated scatter of a date, times the root of four dates."""
    change = change_from(np.full((1, 1, 1, 1), 1.5), ONE_ORBIT, ("VV",), 4, 4)
    change["pre_variance_db2"][:] = 2.0
    prior = VariancePrior(3.0, 5.0)
    fitted = FittedCusum(tuple(ONE_ORBIT), ("VV",), np.zeros((1, 1), np.float32), ((prior,),))
    assert fitted.channels(change).item() == pytest.approx(6.0 / np.sqrt(21 / 8 * 4), rel=1e-5)
    change["cusum_db"][:] = -6.0
    assert fitted.channels(change).item() == pytest.approx(-6.0 / np.sqrt(21 / 8 * 4), rel=1e-5)
    change["cusum_db"][:] = np.nan
    assert np.isnan(fitted.channels(change)).all()


def test_shifts_are_told() -> None:
    change = ground_from_dates(np.random.default_rng(1), (40, 40), (6, 3))
    change["mean_change_db"].values[0, 1] += 2.0
    fitted = Cusum().fit(change.stack(pixel=("y", "x"), create_index=False))
    assert fitted.shifts()["ascending 68"]["VH"] == pytest.approx(2.0, abs=0.1)
    assert set(fitted.record()["variance_prior"]["ascending 68"]) == {"VV", "VH"}


def test_what_stays_adds_at_every_date_and_what_passes_once() -> None:
    """3 dB on each of three dates is 9, on one of them 3; a return above the level takes it back."""
    before = np.full((5, 1), -10.0, np.float32)
    for after, expected in (
        ([-13.0, -13.0, -13.0], 9.0),
        ([-13.0, -10.0, -10.0], 3.0),
        ([-13.0, -7.0, -10.0], -3.0),
    ):
        assert cusum(before, np.array(after, np.float32)[:, None]).item() == pytest.approx(expected)
