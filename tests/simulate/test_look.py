"""One orbit's look: strips equal the whole, partial cover mixes by hand, noise follows the product."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from headscarp.geometry.incidence import local_incidence_deg
from headscarp.geometry.visibility import is_layover, view_mask
from headscarp.simulate.event import SimulatedEvent
from headscarp.simulate.ground import Ground, LandCover
from headscarp.simulate.options import Product
from headscarp.simulate.radar import look as module
from headscarp.simulate.radar import radiometry
from headscarp.simulate.radar.look import Slides, look_at
from headscarp.simulate.radar.passes import ORBITS, incidence_deg
from headscarp.simulate.radar.radiometry import COVER, DEBRIS, DEPOSIT_DB, Signature
from headscarp.simulate.zones import FULL, Zones
from tests.simulate.conftest import SMALL
from tests.simulate.grounds import ground_of

Pair = NDArray[np.float64]


def test_strips_see_what_the_whole_sees(small: SimulatedEvent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_VIEW_ROWS", 37)
    ground, orbit = small.ground, ORBITS[0]
    look = look_at(ground, small.cover, small.slides, orbit, SMALL.product, SMALL.seed)
    margin, spacing = ground.margin_px, (ground.spacing_m, ground.spacing_m)
    inner = (slice(margin, -margin), slice(margin, -margin))
    incidence = np.pad(incidence_deg(ground.geobox, orbit), margin, mode="edge")
    seen = (ground.wide_height_m, spacing, look.look_azimuth_deg, incidence)
    assert np.array_equal(look.view, view_mask(*seen)[inner])
    assert (look.view > 0).mean() > 0.01
    assert np.array_equal(look.local_incidence_deg, local_incidence_deg(*seen)[inner])


def flat_slides(shares: list[int]) -> Slides:
    """One row of pixels: the first half source of landslide 0, the second deposit of landslide 1."""
    index = np.array([[1] * 3 + [4] * 3], np.int32)
    share = np.array([shares], np.uint8)
    offsets = np.array([[0.5, -2.0], [0.0, 1.0]], np.float32)
    return Slides(Zones(np.where(share > 0, index, 0).astype(np.int32), share), offsets)


@pytest.mark.parametrize("product", Product)
def test_partial_cover_mixes_in_power_by_hand(product: Product) -> None:
    ground = ground_of(np.full((5, 10), 300.0))
    cover = np.full((1, 6), LandCover.FOREST, np.uint8)
    slides = flat_slides([0, 8, FULL, 0, 4, FULL])
    look = look_at(ground, cover, slides, ORBITS[0], product, 7)
    theta = np.deg2rad(incidence_deg(ground.geobox, ORBITS[0]))
    scale = np.cos(theta)[0] if product is not Product.RTC else np.ones(6)
    before, after = ((band - look.noise) / scale for band in (look.before, look.after))
    share = slides.zones.share / FULL
    from_nominal = np.rad2deg(theta) - 39.0
    means, per_deg = (DEBRIS.vv_db, DEBRIS.vh_db), (DEBRIS.vv_per_deg, DEBRIS.vh_per_deg)
    for k in range(2):
        offset = np.array([slides.offsets_db[k][0]] * 3 + [slides.offsets_db[k][1]] * 3)
        rough = DEPOSIT_DB[k] * np.array([-0.5] * 3 + [0.5] * 3)
        debris = 10.0 ** ((means[k] + per_deg[k] * from_nominal + offset + rough) / 10.0)
        assert after[k] == pytest.approx((1.0 - share) * before[k] + share * debris, rel=1e-4)
    assert np.array_equal(after[:, :, [0, 3]], before[:, :, [0, 3]])


def test_noise_is_even_in_gtc_and_follows_the_slope_in_rtc() -> None:
    rising_east = np.tile(np.arange(44) * 10.0 * np.tan(np.deg2rad(20.0)), (9, 1))
    ground = ground_of(rising_east)
    cover = np.full(ground.shape, LandCover.FOREST, np.uint8)
    none = Slides(
        Zones(np.zeros(ground.shape, np.int32), np.zeros(ground.shape, np.uint8)),
        np.zeros((2, 0), np.float32),
    )
    facing, away = (look_at(ground, cover, none, orbit, Product.RTC, 7).noise for orbit in ORBITS)
    assert np.median(facing) < 10.0**-2.5 < np.median(away)
    even = look_at(ground, cover, none, ORBITS[0], Product.GTC, 7).noise
    assert np.allclose(even, 10.0**-2.5)


SLOPE_DEG, SLOPE_PX = 60.0, 8
"""Of a steep slope between two plains; it rises to the east, towards the ascending look."""
BEFORE, ON, BEHIND = slice(18, 27), slice(28, 35), slice(36, 45)
"""Columns in layover: a plain, the slope and the plain above it, without the two edges of the slope."""
NOISE = 10.0**-2.5


def steep_ground() -> Ground:
    rising = np.tan(np.deg2rad(SLOPE_DEG)) * np.arange(1, SLOPE_PX + 1) * 10.0
    profile = np.concatenate([np.zeros(30), rising, np.full(30, rising[-1])])
    return ground_of(np.tile(profile, (60, 1)))


def slide_on_the_slope(ground: Ground) -> Slides:
    on_slope = np.zeros(ground.shape, np.bool_)
    on_slope[:, ON] = True
    zones = Zones(on_slope.astype(np.int32), np.where(on_slope, FULL, 0).astype(np.uint8))
    return Slides(zones, np.zeros((2, 1), np.float32))


def by_hand(signature: Signature, from_nominal_deg: float, more_db: tuple[float, float] = (0.0, 0.0)) -> Pair:
    """Linear gamma0 of a signature, VV and VH."""
    mean_db = np.array([signature.vv_db, signature.vh_db]) + np.array(more_db)
    slopes = np.array([signature.vv_per_deg, signature.vh_per_deg])
    return np.asarray(10.0 ** ((mean_db + slopes * from_nominal_deg) / 10.0))


@pytest.mark.parametrize("product", Product)
def test_layover_holds_the_sum_of_three_places_by_hand(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plain below, the slope and the plain above it have one slant range: every one shows all three."""
    monkeypatch.setattr(radiometry, "texture", without_texture)
    ground, row = steep_ground(), 28
    cover = np.full(ground.shape, LandCover.FOREST, np.uint8)
    cover[:, ON.start :], cover[:, BEHIND.start :] = LandCover.SHRUB_GRASS, LandCover.ROCK
    look = look_at(ground, cover, slide_on_the_slope(ground), ORBITS[0], product, 7)
    inside = np.r_[BEFORE, ON, BEHIND]
    assert is_layover(look.view)[row, inside].all()
    assert not is_layover(look.view)[row, [10, 55]].any()

    incidence = float(incidence_deg(ground.geobox, ORBITS[0])[row, 30])
    theta, azimuth = np.deg2rad(incidence), np.deg2rad(look.look_azimuth_deg)
    along_look = np.arctan(np.tan(np.deg2rad(SLOPE_DEG)) * np.sin(azimuth))
    flat, steep = np.cos(theta), np.sin(theta) / np.tan(along_look - theta)
    forest, shrub, rock = (
        by_hand(COVER[c], incidence - 39.0) for c in (LandCover.FOREST, LandCover.SHRUB_GRASS, LandCover.ROCK)
    )
    # the slope faces the radar so much that the angle counts as 20° below the nominal; a source is less rough
    debris = by_hand(DEBRIS, -20.0, (-0.5 * DEPOSIT_DB[0], -0.5 * DEPOSIT_DB[1]))
    area = 2.0 * flat + steep
    for seen, slope in ((look.before, shrub), (look.after, debris)):
        power = flat * forest + steep * slope + flat * rock
        if product is Product.RTC:
            power = power / area * (area / flat) ** 0.1
        noise = NOISE / area if product is Product.RTC else NOISE
        assert look.noise[row, inside] == pytest.approx(noise, rel=2e-3)
        assert seen[:, row, inside] - noise == pytest.approx(np.tile(power[:, None], inside.size), rel=2e-3)
        outside = (seen - look.noise)[:, row, [10, 55]] / (1.0 if product is Product.RTC else flat)
        assert outside == pytest.approx(np.stack([forest, rock], axis=1), rel=2e-3)


def without_texture(seed: int, rows: slice, cols: slice, spacing_m: float) -> NDArray[np.float32]:
    return np.zeros((2, rows.stop - rows.start, cols.stop - cols.start), np.float32)
