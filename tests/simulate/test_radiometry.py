"""Layer 2: brightness by class, slope and look, against planes by hand and the statistics asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from headscarp.simulate.ground import LandCover
from headscarp.simulate.options import Product
from headscarp.simulate.radar.radiometry import (
    COVER,
    DEBRIS_VH_SPREAD_DB,
    DEPOSIT_DB,
    TEXTURE_CORRELATION,
    debris_gamma0,
    debris_offsets_db,
    from_db,
    gamma0,
    mean_db,
    texture,
)
from headscarp.simulate.radar.sensor import (
    AREA_MAX,
    DARKEST_DB,
    NOISE_DB,
    RTC_RESIDUAL,
    facet_area,
    noise_power,
    rise_along_look,
    seen,
    subtract_noise,
)

NOISE = 10.0 ** (NOISE_DB / 10.0)
KNOWN = [cover for cover in LandCover if cover is not LandCover.UNKNOWN]


def f32(*values: float) -> NDArray[np.float32]:
    return np.array([values], np.float32)


def db(power: NDArray[np.floating]) -> NDArray[np.float64]:
    return 10.0 * np.log10(np.asarray(power, np.float64))


@pytest.mark.parametrize("cover", KNOWN)
def test_every_cover_has_its_mean_and_its_angle(cover: LandCover) -> None:
    codes = np.full((1, 2), cover, np.uint8)
    found = mean_db(codes, f32(39.0, 34.0))
    signature = COVER[cover]
    assert found[:, 0, 0] == pytest.approx([signature.vv_db, signature.vh_db])
    steeper = [signature.vv_db - 5.0 * signature.vv_per_deg, signature.vh_db - 5.0 * signature.vh_per_deg]
    assert found[:, 0, 1] == pytest.approx(steeper)
    assert found[0, 0, 0] > found[1, 0, 0] + 4.0
    assert found[0, 0, 1] > found[0, 0, 0]


def test_covers_stand_in_the_order_of_the_literature() -> None:
    vv, vh = mean_db(np.array([KNOWN], np.uint8), np.full((1, len(KNOWN)), 39.0, np.float32))[:, 0]
    by_vh = [KNOWN[k].name for k in np.argsort(-vh)]
    assert by_vh == ["BUILT", "FOREST", "SHRUB_GRASS", "CROP", "ROCK", "WATER"]
    assert KNOWN[int(np.argmax(vv))] is LandCover.BUILT
    assert KNOWN[int(np.argmin(vv))] is LandCover.WATER


def test_unknown_cover_and_slope_stay_unknown() -> None:
    zeros, angle = np.zeros((2, 1, 2), np.float32), f32(39.0, 39.0)
    power = gamma0(np.array([[LandCover.UNKNOWN, LandCover.FOREST]], np.uint8), angle, zeros)
    assert np.isnan(power[:, 0, 0]).all()
    assert np.isfinite(power[:, 0, 1]).all()
    for product in Product:
        area = facet_area(f32(math.nan, 0.1), angle)
        image = subtract_noise(
            seen(np.ones((2, 1, 2), np.float32), area, angle, product), noise_power(area, product)
        )
        assert np.isnan(image[:, 0, 0]).all()
        assert np.isfinite(image[:, 0, 1]).all()


def test_spread_multiplies_texture_in_decibels() -> None:
    cover = np.array([[LandCover.BUILT, LandCover.FOREST]], np.uint8)
    angle = f32(39.0, 39.0)
    steps = np.array([[[1.0, -2.0]], [[0.5, 3.0]]], np.float32)
    change = db(gamma0(cover, angle, steps)) - mean_db(cover, angle)
    spread = np.array([COVER[LandCover.BUILT].spread_db, COVER[LandCover.FOREST].spread_db])
    assert change == pytest.approx(steps * spread, abs=1e-4)


def test_rise_is_the_gradient_along_the_look() -> None:
    east, north = f32(0.3, 0.3), f32(0.1, 0.1)
    assert rise_along_look(east, north, 90.0) == pytest.approx(east)
    assert rise_along_look(east, north, 180.0) == pytest.approx(-north, abs=1e-7)
    assert rise_along_look(east, north, 300.0)[0, 0] == pytest.approx(-0.3 * math.sqrt(0.75) + 0.1 * 0.5)


@pytest.mark.parametrize("incidence", [31.0, 39.0, 46.0])
@pytest.mark.parametrize("slope", [-44.0, -43.0, -20.0, 0.0, 10.0, 25.0])
def test_facet_area_by_hand(slope: float, incidence: float) -> None:
    theta, alpha = math.radians(incidence), math.radians(slope)
    area = facet_area(f32(math.tan(alpha)), f32(incidence))[0, 0]
    if incidence - slope >= 90.0:
        assert area == pytest.approx(0.0, abs=1e-6)
    else:
        # A metre of ground range holds 1/cos(alpha) of slope; it fills sin(theta - alpha)/cos(alpha) of
        # slant range, where flat ground fills sin(theta); gamma0 counts area across the ray.
        across_ray = math.cos(theta - alpha) / math.cos(alpha)
        slant = math.sin(theta - alpha) / math.cos(alpha) / math.sin(theta)
        assert area == pytest.approx(across_ray / slant, rel=1e-4)


def test_layover_is_bright_but_bounded() -> None:
    slopes = np.array([30.0, 38.9, 39.0, 39.1, 50.0, 60.0])
    area = facet_area(np.tan(np.deg2rad(slopes))[None].astype(np.float32), np.full((1, 6), 39.0, np.float32))[
        0
    ]
    assert area[1:4] == pytest.approx(AREA_MAX)
    beyond = math.sin(math.radians(39.0)) / math.tan(math.radians(21.0))
    assert area[5] == pytest.approx(beyond, rel=1e-4)
    assert (area > math.cos(math.radians(39.0))).all()


def test_flat_ground_differs_between_products_by_the_cosine() -> None:
    angle, power = f32(32.0, 39.0, 45.0), np.full((2, 1, 3), 0.1, np.float32)
    area = facet_area(f32(0.0, 0.0, 0.0), angle)
    clear = {p: seen(power, area, angle, p) - noise_power(area, p) for p in Product}
    cosine = np.cos(np.deg2rad(angle))
    assert clear[Product.RTC] == pytest.approx(power, rel=1e-4)
    assert clear[Product.GTC] == pytest.approx(power * cosine, rel=1e-4)
    assert noise_power(area, Product.GTC) == pytest.approx(NOISE * np.ones((1, 3)))
    assert noise_power(area, Product.RTC) == pytest.approx(NOISE / cosine, rel=1e-4)


def test_terrain_correction_leaves_a_tenth_of_the_modulation() -> None:
    slopes = np.tan(np.deg2rad([-30.0, 0.0, 20.0]))[None].astype(np.float32)
    angle, power = np.full((1, 3), 39.0, np.float32), np.full((2, 1, 3), 0.1, np.float32)
    area = facet_area(slopes, angle)
    left = {p: db(seen(power, area, angle, p) - noise_power(area, p))[0, 0] for p in Product}
    modulation = left[Product.GTC] - left[Product.GTC][1]
    assert modulation[0] < -4.0
    assert modulation[2] > 3.0
    assert left[Product.RTC] - left[Product.RTC][1] == pytest.approx(RTC_RESIDUAL * modulation, abs=1e-3)


def test_shadow_holds_noise_and_then_nothing() -> None:
    angle, power = f32(39.0), np.full((2, 1, 1), 0.1, np.float32)
    area = facet_area(f32(-2.0), angle)
    for product in Product:
        image, noise = seen(power, area, angle, product), noise_power(area, product)
        assert image[:, 0, 0] == pytest.approx([noise[0, 0]] * 2)
        assert db(subtract_noise(image, noise)) == pytest.approx(DARKEST_DB, abs=1e-4)


def test_texture_has_unit_spread_and_the_stated_correlation() -> None:
    both = texture(2, slice(0, 700), slice(0, 700), 30.0)
    assert both.mean() == pytest.approx(0.0, abs=0.1)
    assert both.std(axis=(1, 2)) == pytest.approx(1.0, abs=0.06)
    assert np.corrcoef(*both.reshape(2, -1))[0, 1] == pytest.approx(TEXTURE_CORRELATION, abs=0.05)
    near = np.corrcoef(both[0, :, :-1].ravel(), both[0, :, 1:].ravel())[0, 1]
    far = np.corrcoef(both[0, :, :-40].ravel(), both[0, :, 40:].ravel())[0, 1]
    assert near > 0.5
    assert abs(far) < 0.1


def test_texture_belongs_to_the_place() -> None:
    whole = texture(2, slice(0, 300), slice(0, 290), 10.0)
    rows, cols = slice(17, 280), slice(200, 289)
    np.testing.assert_array_equal(texture(2, rows, cols, 10.0), whole[:, rows, cols])


def test_brightness_does_not_depend_on_the_window() -> None:
    rng = np.random.default_rng(4)
    shape = (67, 83)
    cover = rng.integers(0, 7, shape).astype(np.uint8)
    rise, angle = (
        rng.normal(0.0, 0.4, shape).astype(np.float32),
        rng.uniform(30, 46, shape).astype(np.float32),
    )
    rough = rng.standard_normal((2, *shape)).astype(np.float32)
    part = (slice(3, 50), slice(11, 78))

    def image(p: tuple[slice, slice], product: Product) -> NDArray[np.float32]:
        area = facet_area(rise[p], angle[p])
        grounds = (
            gamma0(cover[p], angle[p], rough[:, *p]),
            debris_gamma0(rise[p], angle[p], rough[:, *p], np.abs(rough[0][p])),
        )
        images = [seen(ground, area, angle[p], product) for ground in grounds]
        return subtract_noise(np.concatenate(images), noise_power(area, product))

    for product in Product:
        whole = image((slice(0, 67), slice(0, 83)), product)
        assert whole.dtype == np.float32
        np.testing.assert_array_equal(image(part, product), whole[:, *part])


def test_landslides_in_forest_lose_vh_and_change_vv_either_way() -> None:
    count = 4000
    offsets = debris_offsets_db(count, 3)
    assert offsets.std(axis=1)[1] == pytest.approx(DEBRIS_VH_SPREAD_DB, rel=0.05)
    angle, flat = np.full((1, count), 39.0, np.float32), np.zeros((1, count), np.float32)
    deposit = (np.arange(count) % 2)[None].astype(np.float32)
    forest = gamma0(
        np.full((1, count), LandCover.FOREST, np.uint8), angle, np.zeros((2, 1, count), np.float32)
    )
    change = db(debris_gamma0(flat, angle, offsets[:, None], deposit)) - db(forest)
    assert change[1].mean() == pytest.approx(-4.5, abs=0.2)
    assert np.mean(change[1] < 0.0) > 0.99
    assert 0.25 < np.mean(change[0] > 0.0) < 0.5
    assert 0.3 < np.corrcoef(*offsets)[0, 1] < 0.7


def test_debris_is_rougher_below_and_brighter_where_it_faces_the_radar() -> None:
    angle, nothing = f32(39.0, 39.0), np.zeros((2, 1, 2), np.float32)
    source, deposit = db(debris_gamma0(f32(0.0, 0.0), angle, nothing, f32(0.0, 1.0)))[:, 0].T
    assert deposit - source == pytest.approx(DEPOSIT_DB, abs=1e-4)
    facing = math.tan(math.radians(10.0))
    towards, away = db(debris_gamma0(f32(facing, -facing), angle, nothing, f32(0.5, 0.5)))[:, 0].T
    assert towards - away == pytest.approx([20 * 0.12, 20 * 0.08], abs=1e-3)
    steep, steeper = db(debris_gamma0(f32(1.0, 2.0), angle, nothing, f32(0.5, 0.5)))[:, 0].T
    assert steep == pytest.approx(steeper)


def test_a_landslides_offset_does_not_depend_on_the_number_of_others() -> None:
    few, many = debris_offsets_db(5, 3), debris_offsets_db(500, 3)
    assert debris_offsets_db(0, 3).shape == (2, 0)
    np.testing.assert_array_equal(few, many[:, :5])
    assert not np.array_equal(few, debris_offsets_db(5, 4))


def test_decibels_are_ten_times_the_logarithm() -> None:
    assert from_db(f32(-10.0, 0.0, 3.0))[0] == pytest.approx([0.1, 1.0, 1.995262])
