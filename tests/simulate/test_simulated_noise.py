"""Layer 3: the comparison with real scenes: its statistics against numbers put in, and the real bursts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from benchmarks.simulated_noise import (
    CHECKED,
    OPERA_LOOKS,
    TUNED,
    Series,
    draw,
    noise_of,
    read_burst,
    seasons,
    simulated_series,
    table,
)
from scipy import stats

START = datetime(2022, 11, 1, tzinfo=UTC)
MOMENTS = [START + timedelta(days=day) for day in (0, 12, 24, 36, 48, 60, 365, 377, 389, 401, 413, 425)]


def test_seasons_are_split_at_gaps() -> None:
    assert seasons(MOMENTS) == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert seasons(MOMENTS[:1]) == [[0]]


def test_statistics_return_what_was_put_in() -> None:
    rng = np.random.default_rng(1)
    shape = (len(MOMENTS), 90, 90)
    shared, noise = rng.standard_normal(shape), rng.standard_normal((2, *shape))
    grain = np.stack([shared + noise[0], shared + noise[1]])
    grain[1] += np.roll(grain[1], 1, axis=-1)
    shift = rng.normal(0.0, 3.0, (2, len(MOMENTS), 1, 1))
    place = np.linspace(-10.0, 10.0, 90)
    season = np.where(np.arange(len(MOMENTS)) < 6, 0.0, 5.0)[:, None, None]
    found = noise_of(Series("made", MOMENTS, place + season + shift + grain))
    for share, column in ((0.1, 0), (0.5, 1), (0.9, 2)):
        of_ten = np.sqrt(stats.chi2.ppf(share, 10) / 10)
        assert found.temporal_std_db[:, column] == pytest.approx(
            of_ten * np.array([np.sqrt(2.0), 2.0]), rel=0.03
        )
    wanted = [
        np.sqrt(sum(p[h].var() for h in (slice(0, 6), slice(6, 12))) * 6 / 10) for p in shift[:, :, 0, 0]
    ]
    assert found.shift_std_db == pytest.approx(wanted, rel=0.03)
    assert found.along_x == pytest.approx(np.array([[0.0] * 3, [0.5, 0.0, 0.0]]), abs=0.02)
    assert found.along_y == pytest.approx(0.0, abs=0.02)
    assert found.vv_vh[0] == pytest.approx(1.0 / (np.sqrt(2.0) * 2.0), abs=0.02)
    assert found.mean_db[0, 2] - found.mean_db[0, 0] == pytest.approx(16.0, abs=0.6)


def test_simulated_noise_stands_beside_the_real_bursts(real_data: Path) -> None:
    real = [read_burst(real_data / "opera_rtc_s1" / "T137", burst) for burst in TUNED + CHECKED]
    assert [one.db.shape for one in real] == [(2, 24, 100, 100)] * 4
    assert real[0].moments == sorted(real[0].moments)
    series = [*real, simulated_series(real[0].moments, 7, OPERA_LOOKS)]
    *measured, simulated = [noise_of(one) for one in series]
    std = np.array([m.temporal_std_db[:, 1] for m in measured])
    assert simulated.temporal_std_db[0, 1] == pytest.approx(std[:, 0].mean(), rel=0.05)
    assert std[:, 1].min() <= simulated.temporal_std_db[1, 1] <= std[:, 1].max()
    for axis in ("along_x", "along_y"):
        lags = np.array([getattr(m, axis) for m in measured])
        assert (getattr(simulated, axis) < lags.max(axis=0) + 0.05).all()
        assert (getattr(simulated, axis) > lags.min(axis=0) - 0.05).all()
    text = table([one.name for one in series], [*measured, simulated])
    assert text.count("\n") == 14
    assert "292323 (checked on) | simulated, 11.5 looks |" in text
    assert len(draw(series).axes) == 6
