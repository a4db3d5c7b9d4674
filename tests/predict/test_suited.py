"""What a checkpoint needs of a stack, told before a pixel is read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headscarp.checkpoint import CheckpointError, Task
from headscarp.detect.protocol import StackFacts
from headscarp.features.sets import FEATURE_SETS
from headscarp.predict.suited import require_suited, suited_notes
from headscarp.vocabulary import OrbitState
from tests.predict.made import LAND, make_card

BOTH = frozenset({"VV", "VH"})
STACK = StackFacts(
    polarizations={OrbitState.ASCENDING: BOTH, OrbitState.DESCENDING: BOTH},
    has_dem=True,
    rasters=frozenset({"geology", "rain"}),
    spacing_m=20.0,
    pooling="relative_orbit",
    pre_dates=(5, 10),
    post_dates=(1, 3),
    series_dates=13,
)
NETWORK = {"pair": "siamese_unet", "series": "utae"}


def task(name: str) -> Task:
    features = LAND if name == "land" else FEATURE_SETS[name]
    return make_card(NETWORK.get(features.form, "unet"), features).task


def refusal(name: str, **lacks: object) -> str:
    with pytest.raises(CheckpointError) as caught:
        require_suited(task(name), replace(STACK, **lacks), "net")  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("name", [*FEATURE_SETS, "land"])
def test_a_stack_with_everything_suits(name: str) -> None:
    require_suited(task(name), STACK, "net")
    assert suited_notes(task(name), STACK) == ()


def test_a_lacking_polarisation_is_named() -> None:
    only_vv = {state: frozenset({"VV"}) for state in OrbitState}
    told = refusal("group1", polarizations=only_vv)
    assert "change_vh_fused_db (no VH of any orbit)" in told
    assert "none for change_vh_fused_db" in told
    assert "change_vv_fused_db (" not in told


@pytest.mark.parametrize("name", ["group2", "group4", "group5", "orbits", "pair", "series_ascending"])
def test_a_lacking_orbit_is_named(name: str) -> None:
    assert "of ascending orbit" in refusal(name, polarizations={OrbitState.DESCENDING: BOTH})


def test_a_fused_channel_is_content_with_one_orbit() -> None:
    one = replace(STACK, polarizations={OrbitState.DESCENDING: BOTH})
    require_suited(task("group1"), one, "net")
    assert suited_notes(task("group1"), one) == ()


def test_a_polarisation_must_be_of_the_orbit_that_is_looked_at() -> None:
    split = {OrbitState.ASCENDING: frozenset({"VV"}), OrbitState.DESCENDING: BOTH}
    assert "change_vh_ascending_db (no VH of ascending orbit)" in refusal("group2", polarizations=split)


def test_dem_and_rasters_are_asked_for_by_their_options() -> None:
    told = refusal("land", has_dem=False, rasters=frozenset({"rain"}))
    assert "slope_deg (no DEM)" in told
    assert "aspect_east (no DEM)" in told
    assert "raster:geology=3 (no raster geology)" in told
    assert "give --dem FILE and --raster geology=FILE" in told
    assert "rain (" not in told


@pytest.mark.parametrize(("spacing_m", "fine"), [(16.1, True), (24.9, True), (15.9, False), (25.1, False)])
def test_pixels_may_differ_by_a_quarter(spacing_m: float, fine: bool) -> None:
    if fine:
        require_suited(task("group1"), replace(STACK, spacing_m=spacing_m), "net")
        assert spacing_m / 20 <= 1.25
    else:
        told = refusal("group1", spacing_m=spacing_m)
        assert "about 20 m" in told
        assert f"{spacing_m:g} m" in told


def test_other_pooling_and_dates_are_noted() -> None:
    other = replace(STACK, pooling="orbit_state", pre_dates=(4, 10), post_dates=(1, 4))
    pooling, before, after = suited_notes(task("group1"), other)
    assert "pooled by relative_orbit; here they are pooled by orbit_state" in pooling
    assert "5 to 10 dates before the event; here orbits have 4 to 10" in before
    assert "1 to 3 dates after the event; here orbits have 1 to 4" in after
    (only,) = suited_notes(task("group1"), replace(STACK, pre_dates=(11, 11)))
    assert "here orbits have 11, and" in only
