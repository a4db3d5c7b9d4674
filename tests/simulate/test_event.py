"""The event as a whole: what its scenes show of its truth, and that nothing depends on how it is cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from headscarp.event import Event
from headscarp.geometry.visibility import View, is_layover, is_shadow
from headscarp.scene import check_stack
from headscarp.simulate.distractors.plan import Distractors
from headscarp.simulate.event import SimulatedEvent, _rounded, _shifted, simulate_event
from headscarp.simulate.ground import LandCover
from headscarp.simulate.landslides import plan
from headscarp.simulate.landslides.trigger import landslide_count
from headscarp.simulate.options import Distractor, Product, Trigger
from headscarp.simulate.radar import weather
from headscarp.simulate.radar.passes import Pass
from headscarp.simulate.zones import FULL
from headscarp.vocabulary import OrbitState
from tests.simulate.conftest import SMALL

WHOLE = (slice(0, 192), slice(0, 192))
DARKEST = np.float32(1e-4)
"""-40 dB: what is left at least once noise is subtracted."""
NOISE = 10.0**-2.5
"""Thermal noise in sigma0: -25 dB."""


@pytest.fixture(scope="module")
def gtc() -> SimulatedEvent:
    return simulate_event(SMALL.model_copy(update={"product": Product.GTC}))


def medians_db(event: SimulatedEvent, state: OrbitState, *, post: bool) -> NDArray[np.float64]:
    """Median over the passes of an orbit on one side of the event, in decibels."""
    scenes = [
        event.observe(p, *WHOLE) for p in event.passes if p.orbit.state is state and p.is_post_event is post
    ]
    return 10.0 * np.log10(np.median(np.stack(scenes), axis=0).astype(np.float64))


def test_stacks_obey_the_schema_and_are_computed_where_they_are_read(small: SimulatedEvent) -> None:
    assert list(small.stacks) == ["ascending 68", "descending 46"]
    for label, stack in small.stacks.items():
        check_stack(stack)
        passes = [p for p in small.passes if p.orbit.label == label]
        part = stack.isel(time=1, y=slice(60, 70), x=slice(50, 80)).load()
        expected = small.observe(passes[1], slice(60, 70), slice(50, 80))
        assert np.array_equal(part["VV"].values, expected[0], equal_nan=True)
        assert np.array_equal(part["VH"].values, expected[1], equal_nan=True)


@pytest.mark.parametrize("window", [(0, 7, 100, 192), (33, 34, 33, 34), (100, 192, 0, 51)])
def test_a_part_is_the_part_of_the_whole(small: SimulatedEvent, window: tuple[int, int, int, int]) -> None:
    rows, cols = slice(*window[:2]), slice(*window[2:])
    for acquisition in (small.passes[0], small.passes[-1]):
        whole = small.observe(acquisition, *WHOLE)
        part = small.observe(acquisition, rows, cols)
        assert part.tobytes() == np.ascontiguousarray(whole[:, rows, cols]).tobytes()


def test_a_part_is_the_part_of_the_whole_with_jitter(small: SimulatedEvent) -> None:
    event = simulate_event(SMALL.model_copy(update={"jitter_m": 7.0}))
    rows, cols = slice(90, 150), slice(3, 77)
    whole, part = event.observe(event.passes[1], *WHOLE), event.observe(event.passes[1], rows, cols)
    assert part.tobytes() == np.ascontiguousarray(whole[:, rows, cols]).tobytes()
    assert not np.array_equal(whole, small.observe(small.passes[1], *WHOLE), equal_nan=True)


def test_one_seed_gives_one_event_and_another_seed_another() -> None:
    first, again = simulate_event(SMALL), simulate_event(SMALL)
    other = simulate_event(SMALL.model_copy(update={"seed": 8}))
    at = (first.passes[0], *WHOLE)
    assert first.observe(*at).tobytes() == again.observe(*at).tobytes()
    assert first.inventory.geometry.geom_equals(again.inventory.geometry).all()
    assert not np.array_equal(first.observe(*at), other.observe(*at), equal_nan=True)
    assert not np.array_equal(first.ground.wide_height_m, other.ground.wide_height_m)


def test_landslides_on_forest_lower_vh_more_than_vv(small: SimulatedEvent) -> None:
    state = OrbitState.ASCENDING
    change = medians_db(small, state, post=True) - medians_db(small, state, post=False)
    clear = (small.looks[state].view == 0) & (small.cover == LandCover.FOREST) & np.isfinite(change[0])
    full = clear & (small.slides.zones.share == FULL)
    none = clear & (small.slides.zones.share == 0) & (small.patches.share == 0)
    assert full.sum() > 100
    vv, vh = (np.median(change[k][full]) - np.median(change[k][none]) for k in range(2))
    assert -7.0 < vh < -2.5
    assert abs(vv) < 2.0
    assert vh < vv - 1.5


def test_before_the_event_there_is_no_landslide(small: SimulatedEvent) -> None:
    for look in small.looks.values():
        changed = np.nan_to_num(look.before) != np.nan_to_num(look.after)
        touched = small.slides.zones.share > 0
        assert not changed[:, ~touched & ~is_layover(look.view)].any()
        assert changed[:, touched & (look.view == 0)].mean() > 0.95


def test_what_one_orbit_cannot_see_is_missing_or_noise(small: SimulatedEvent, gtc: SimulatedEvent) -> None:
    for state, look in small.looks.items():
        shadow = is_shadow(look.view)
        if state is OrbitState.DESCENDING:
            assert shadow.any()
        assert np.isnan(look.before[:, shadow]).all()
        known = small.cover != LandCover.UNKNOWN
        assert np.isfinite(look.before[:, ~shadow & known]).all()
        noise = gtc.looks[state].before[:, shadow & ~is_layover(look.view)]
        assert np.allclose(10.0 * np.log10(noise), -25.0, atol=0.01)


def test_shadow_falls_to_the_darkest_value_once_noise_is_subtracted(gtc: SimulatedEvent) -> None:
    """Noise has a mean of -25 dB, and what is left of it none: half of the speckle lies below its mean."""
    checked = 0
    for acquisition in gtc.passes:
        view, scene = gtc.looks[acquisition.orbit.state].view, gtc.observe(acquisition, *WHOLE)
        shadow = ((view & View.ACTIVE_SHADOW) > 0) & ~is_layover(view) & np.isfinite(scene[0])
        assert np.nanmin(scene) == pytest.approx(DARKEST, rel=2e-4)
        if shadow.sum() > 20:
            checked += 1
            left = scene[:, shadow]
            assert 0.3 < (left < 1.001 * DARKEST).mean() < 0.9
            assert left.mean() < 0.5 * NOISE
    assert checked == SMALL.pre + SMALL.post


def still(event: SimulatedEvent) -> SimulatedEvent:
    """An event without speckle, and without what changes but the landslides."""
    options = event.options.model_copy(update={"looks": 1e8})
    return replace(event, options=options, distractors=nothing(event))


def nothing(event: SimulatedEvent) -> Distractors:
    return Distractors((), (), (), event.ground.shape)


def as_ever(*args: object) -> np.float32:
    """Weather that changes nothing."""
    return np.float32(1.0)


@pytest.mark.parametrize("product", [Product.RTC, Product.GTC])
def test_without_weather_and_speckle_a_scene_is_its_mean_less_its_noise(
    small: SimulatedEvent, gtc: SimulatedEvent, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = still(gtc if product is Product.GTC else small)
    monkeypatch.setattr(weather, "date_factor", as_ever)
    for acquisition in event.passes:
        look, scene = event.looks[acquisition.orbit.state], event.observe(acquisition, *WHOLE)
        mean = look.after if acquisition.is_post_event else look.before
        expected = np.maximum(mean - look.noise, DARKEST)
        if acquisition.orbit.state is OrbitState.DESCENDING:
            expected[..., : round(0.15 * 192)] = np.nan
        # what is left of speckle is 4e-4 of the mean, noise included
        assert np.allclose(scene, expected, rtol=1e-3, atol=1e-3 * np.nanmax(look.noise), equal_nan=True)


def brightening(
    event: SimulatedEvent, other: SimulatedEvent, acquisition: Pass, part: tuple[slice, slice] = WHOLE
) -> NDArray[np.float32]:
    """Power over that of another event, noise aside; NaN where either is as dark as can be, or unseen."""
    noise = event.looks[acquisition.orbit.state].noise[part]
    one, two = (e.observe(acquisition, *part) for e in (event, other))
    dark = (one < 1.001 * DARKEST) | (two < 1.001 * DARKEST)
    return np.where(dark, np.float32(np.nan), (one + noise) / (two + noise))


def test_what_is_drawn_and_no_landslide_shows_in_its_passes_by_its_decibels(small: SimulatedEvent) -> None:
    drawn = small.distractors.drawn
    event = replace(small, distractors=replace(small.distractors, snow=(), moisture=()))
    bare, index, share = replace(small, distractors=nothing(small)), small.patches.index, small.patches.share
    shown = set()
    for acquisition in small.passes:
        ratio = brightening(event, bare, acquisition)
        assert np.nanmax(np.abs(ratio[:, share == 0] - 1.0)) < 1e-6
        for number, change in enumerate(drawn, start=1):
            full = ratio[:, (index == number) & (share == FULL) & np.isfinite(ratio).all(axis=0)]
            has_begun = change.first_utc <= acquisition.acquired
            has_ended = change.last_utc is not None and change.last_utc < acquisition.acquired
            for band, decibels in enumerate((change.vv_db, change.vh_db)):
                expected = 10.0 ** (decibels / 10.0) if has_begun and not has_ended else 1.0
                assert np.allclose(full[band], expected, rtol=1e-3)
            if full.size and has_begun and not has_ended:
                shown.add((change.kind, acquisition.is_post_event))
    lasting = (Distractor.HARVEST, Distractor.CLEAR_CUT)
    assert shown >= {(kind, True) for kind in (*lasting, Distractor.FLOOD)} | {(Distractor.HARVEST, False)}
    assert (Distractor.FLOOD, False) not in shown


def test_wet_snow_lies_high_up_on_its_passes_only(small: SimulatedEvent) -> None:
    event = replace(small, distractors=replace(small.distractors, drawn=(), moisture=()))
    bare, height = replace(small, distractors=nothing(small)), small.ground.height_m
    snowy = {}
    for acquisition in small.passes:
        ratio = brightening(event, bare, acquisition)
        snow = [s for s in small.distractors.snow if s.change.is_active(acquisition.acquired)]
        if not snow:
            assert np.nanmax(np.abs(ratio - 1.0)) < 1e-6
            continue
        high = (height > snow[0].line_m + 60.0) & (small.cover == LandCover.ROCK) & np.isfinite(ratio).all(0)
        assert high.sum() > 100
        assert np.allclose(ratio[:, high], 10.0 ** (snow[0].change.vv_db / 10.0), rtol=1e-3)
        assert np.nanmax(np.abs(ratio[:, height < snow[0].line_m] - 1.0)) < 1e-6
        snowy[acquisition.name] = acquisition.is_post_event
    assert sorted(snowy.values()) == [False, True, True]


def test_wet_soil_brightens_fields_about_its_middle(small: SimulatedEvent) -> None:
    (wet,) = small.distractors.moisture
    event = replace(small, distractors=replace(small.distractors, drawn=(), snow=()))
    bare = replace(small, distractors=nothing(small))
    part = (slice(20, 140), slice(90, 192))
    row, col = np.mgrid[part] + 0.5
    bell = np.exp(-0.5 * ((row - wet.row) ** 2 + (col - wet.col) ** 2) / wet.radius_px**2)
    fields = small.cover[part] == LandCover.CROP
    wet_passes = 0
    for acquisition in small.passes:
        ratio = brightening(event, bare, acquisition, part)
        is_wet = wet.change.first_utc <= acquisition.acquired <= (wet.change.last_utc or acquisition.acquired)
        wet_passes += is_wet
        for band, decibels in enumerate((wet.change.vv_db, wet.change.vh_db)):
            seen = fields & np.isfinite(ratio[band])
            assert seen.sum() > 100
            expected = 10.0 ** (is_wet * decibels * bell[seen] / 10.0)
            assert np.allclose(ratio[band][seen], expected, rtol=1e-3)
    assert wet_passes >= 2


def test_landslides_asked_for_by_the_trigger_are_drawn_or_counted_as_without_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "ATTEMPTS", 1)
    event = simulate_event(SMALL.model_copy(update={"landslides": None, "trigger": Trigger.RAIN}))
    asked = landslide_count(event.ground, Trigger.RAIN)
    assert asked != landslide_count(event.ground, Trigger.EARTHQUAKE)
    assert 0 < len(event.landslides) < asked
    assert event.shapes.dropped == asked - len(event.landslides)


def test_gtc_slopes_are_bright_towards_the_radar_and_rtc_slopes_hardly() -> None:
    spread = {}
    for product in (Product.RTC, Product.GTC):
        event = simulate_event(SMALL.model_copy(update={"product": product, "landslides": 0}))
        look = event.looks[OrbitState.ASCENDING]
        clear = (look.view == 0) & (event.cover == LandCover.FOREST)
        near = clear & (look.local_incidence_deg < 20.0)
        away = clear & (look.local_incidence_deg > 60.0)
        assert near.sum() > 50
        assert away.sum() > 50
        db = 10.0 * np.log10(look.before[0])
        spread[product] = np.median(db[near]) - np.median(db[away])
    assert spread[Product.GTC] > 6.0
    assert 0.0 < spread[Product.RTC] < 2.5


def test_only_the_descending_swath_misses_the_west(small: SimulatedEvent) -> None:
    missed = round(0.15 * 192)
    for acquisition in (small.passes[0], small.passes[-1]):
        scene = small.observe(acquisition, *WHOLE)
        descending = acquisition.orbit.state is OrbitState.DESCENDING
        assert np.isnan(scene[:, :, :missed]).all() == descending
        assert np.isfinite(scene[:, :, missed:]).mean() > 0.8


def test_ndvi_falls_where_landslides_are(small: SimulatedEvent) -> None:
    change = small.ndvi_post - small.ndvi_pre
    forest = small.cover == LandCover.FOREST
    full = forest & (small.slides.zones.share == FULL)
    none = forest & (small.slides.zones.share == 0) & (small.patches.share == 0)
    assert np.median(change[full]) < -0.3
    assert abs(np.median(change[none])) < 0.1
    assert np.nanmin(small.ndvi_post) >= -1.0
    assert np.nanmax(small.ndvi_pre) <= 1.0


def test_the_event_knows_its_windows(small: SimulatedEvent) -> None:
    event = Event.from_options(small.event_options)
    assert not event.conflicts
    for p in small.passes:
        assert event.role_of(p.acquired)[0].value == ("post_event" if p.is_post_event else "pre_event")


def test_without_everything_only_landslides_change_the_ground() -> None:
    event = simulate_event(SMALL.model_copy(update={"without": tuple(Distractor)}))
    assert not event.patches.share.any()
    assert len(event.distractors.frame(event.geobox.crs.to_wkt())) == 0
    assert len(event.inventory) > 0


def test_without_landslides_there_is_no_truth_to_find() -> None:
    event = simulate_event(SMALL.model_copy(update={"landslides": 0}))
    assert len(event.inventory) == 0
    assert not event.label.any()
    for look in event.looks.values():
        assert np.array_equal(look.before, look.after, equal_nan=True)


def test_a_shift_by_hand() -> None:
    image = np.arange(12.0, dtype=np.float32).reshape(1, 3, 4)
    part = _shifted(image, slice(0, 3), slice(1, 3), np.array([0.5, -0.25]))
    # row 0: half of rows 0 and 1, a quarter of the column to the left: 1 + 2 - 0.25; the last row repeats
    assert part.tolist() == [[[2.75, 3.75], [6.75, 7.75], [8.75, 9.75]]]


def test_rounding_keeps_a_thousandth_of_a_decibel_and_what_is_missing() -> None:
    values = np.random.default_rng(0).lognormal(-3.0, 2.0, 5000).astype(np.float32)
    values[7] = np.nan
    rounded = _rounded(values)
    assert np.isnan(rounded[7])
    assert np.nanmax(np.abs(10.0 * np.log10(rounded / values))) < 0.001
    assert np.unique(rounded.view(np.uint32) & 0x7FF).tolist() == [0]
    assert abs(np.nanmean(np.log10(rounded / values))) < 1e-6
