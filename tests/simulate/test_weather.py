"""Layer 2: what the date changes: seasons by hemisphere, moisture by class, and windows of one field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from headscarp.simulate.ground import LandCover
from headscarp.simulate.radar.weather import (
    POLARISATION_CORRELATION,
    REGIONAL_SHARE,
    RESPONSES,
    date_factor,
    scene_shift_db,
    season_of,
)

JULY = datetime(2024, 7, 14, 6, tzinfo=UTC)
KNOWN = [cover for cover in LandCover if cover is not LandCover.UNKNOWN]
PASSES = [f"pass {k}" for k in range(1500)]


@lru_cache
def shifts(when: datetime = JULY, latitude_deg: float = 40.0) -> NDArray[np.float64]:
    """Shape (passes, 2, classes)."""
    return np.stack([scene_shift_db(3, name, when, latitude_deg) for name in PASSES])


@pytest.mark.parametrize(("latitude_deg", "peak"), [(45.0, 7), (-45.0, 1), (30.0, 7), (-10.0, 1)])
def test_vegetation_peaks_in_the_local_summer(latitude_deg: float, peak: int) -> None:
    days = [datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=k) for k in range(365)]
    season = np.array([season_of(day, latitude_deg) for day in days])
    assert days[int(np.argmax(season))].month == peak
    assert season.max() == pytest.approx(min(abs(latitude_deg) / 23.4, 1.0), abs=1e-3)
    assert season.min() == pytest.approx(-season.max(), abs=1e-3)
    assert season.mean() == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("cover", KNOWN)
def test_each_cover_answers_to_season_and_moisture_as_stated(cover: LandCover) -> None:
    stated = RESPONSES[cover]
    summer, winter = shifts()[..., cover], shifts(JULY + timedelta(days=183))[..., cover]
    season = (summer - winter) / 2.0
    assert season.std(axis=0) == pytest.approx(0.0, abs=1e-6)
    assert season.mean(axis=0) == pytest.approx([stated.season_vv_db, stated.season_vh_db], abs=2e-3)
    wanted = [stated.moisture_vv_db, stated.moisture_vh_db]
    assert summer.std(axis=0) == pytest.approx(wanted, rel=0.06)


def test_moisture_moves_both_polarisations_and_all_soils_together() -> None:
    found = shifts()
    crop, grass = found[..., LandCover.CROP], found[..., LandCover.SHRUB_GRASS]
    assert np.corrcoef(crop.T)[0, 1] == pytest.approx(POLARISATION_CORRELATION, abs=0.03)
    assert np.corrcoef(crop[:, 0], grass[:, 0])[0, 1] == pytest.approx(1.0)
    assert abs(np.corrcoef(crop[:-1, 0], crop[1:, 0])[0, 1]) < 0.08


def test_crops_answer_more_than_forest_and_wind_most() -> None:
    spread = shifts().std(axis=0)
    order = [LandCover.BUILT, LandCover.FOREST, LandCover.SHRUB_GRASS, LandCover.CROP, LandCover.WATER]
    for polarisation in (0, 1):
        answers = spread[polarisation, order]
        assert (np.diff(answers) > 0.0).all()


@pytest.mark.parametrize("cover", [LandCover.CROP, LandCover.WATER])
def test_a_factor_is_the_shift_and_what_places_add(cover: LandCover) -> None:
    window, stated = slice(0, 500), RESPONSES[cover]
    codes = np.full((500, 500), cover, np.uint8)
    names = PASSES[:12]
    found = [date_factor(3, name, JULY, 40.0, codes, window, window, 30.0) for name in names]
    assert found[0].dtype == np.float32
    local = 10.0 * np.log10(np.stack(found).astype(np.float64))
    local -= np.stack([scene_shift_db(3, name, JULY, 40.0)[:, cover] for name in names])[..., None, None]
    for polarisation, moisture in enumerate((stated.moisture_vv_db, stated.moisture_vh_db)):
        wanted = np.hypot(REGIONAL_SHARE * moisture, stated.field_db)
        assert local[:, polarisation].mean() == pytest.approx(0.0, abs=0.15)
        assert np.sqrt(np.mean(local[:, polarisation] ** 2)) == pytest.approx(wanted, rel=0.15)


def test_what_places_add_is_smooth_over_fields_and_regions() -> None:
    window, stated = slice(0, 500), RESPONSES[LandCover.CROP]
    cover = np.full((500, 500), LandCover.CROP, np.uint8)
    names = PASSES[:16]
    found = np.stack([date_factor(3, name, JULY, 40.0, cover, window, window, 10.0)[0] for name in names])
    common = np.array([scene_shift_db(3, name, JULY, 40.0)[0, LandCover.CROP] for name in names])
    local = 10.0 * np.log10(found.astype(np.float64)) - common[:, None, None]

    def between(lag: int) -> float:
        return float(np.mean(local[..., lag:] * local[..., : 500 - lag]) / np.mean(local**2))

    regional = (REGIONAL_SHARE * stated.moisture_vv_db) ** 2
    assert between(1) > 0.99
    assert between(60) == pytest.approx(regional / (regional + stated.field_db**2), abs=0.1)


def test_each_pixel_follows_its_own_cover() -> None:
    cover = np.array([[LandCover.UNKNOWN, LandCover.BUILT, LandCover.WATER]], np.uint8)
    window = (slice(0, 1), slice(0, 3))
    factor = date_factor(3, "gale", JULY, 40.0, cover, *window, 10.0)
    assert np.isnan(factor[:, 0, 0]).all()
    for col in (1, 2):
        alone = date_factor(3, "gale", JULY, 40.0, np.full_like(cover, cover[0, col]), *window, 10.0)
        np.testing.assert_array_equal(factor[:, :, col], alone[:, :, col])
    assert not np.allclose(factor[:, 0, 1], factor[:, 0, 2])


@pytest.mark.parametrize("spacing_m", [10.0, 30.0])
def test_a_window_holds_what_the_whole_does(spacing_m: float) -> None:
    cover = np.random.default_rng(1).integers(1, 7, (300, 290)).astype(np.uint8)
    whole = date_factor(3, "a", JULY, -20.0, cover, slice(0, 300), slice(0, 290), spacing_m)
    for rows, cols in ((slice(0, 300), slice(255, 258)), (slice(41, 287), slice(13, 290))):
        part = date_factor(3, "a", JULY, -20.0, cover[rows, cols], rows, cols, spacing_m)
        np.testing.assert_array_equal(part, whole[:, rows, cols])


def test_passes_and_seeds_differ() -> None:
    first = scene_shift_db(3, "a", JULY, 40.0)
    assert not np.allclose(first[:, 1:], scene_shift_db(3, "b", JULY, 40.0)[:, 1:])
    assert not np.allclose(first[:, 1:], scene_shift_db(4, "a", JULY, 40.0)[:, 1:])
    np.testing.assert_array_equal(first, scene_shift_db(3, "a", JULY, 40.0))
