"""Chips with an NDVI to learn: what is in them, when they are kept, how they are split; and every refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import yaml
from numpy.typing import NDArray
from pydantic import ValidationError

from headscarp.chips.draw import draw_split
from headscarp.chips.options import CutOptions, SplitOptions
from headscarp.chips.store import IGNORE, ChipError, ChipStore
from headscarp.config import ChipEventOptions, ChipsOptions, load_chips_options
from headscarp.errors import HeadscarpError, OptionsError, SceneError
from headscarp.features.sets import FeatureSet, feature_set, form_features
from headscarp.grid import Tile
from headscarp.pipeline.chips.run import make_chips
from headscarp.pipeline.map.observe import observe, read_land
from headscarp.pipeline.map.plan import make_plan
from tests.pipeline.conftest import EVENT_DATE, LANDSLIDE, SIZE_PX, TIMES, scene_bands, scene_path
from tests.pipeline.test_chips import LEFT, SPACING, TOP, ground, write_polygons

CUT = CutOptions(features="ndvi9_5", target="ndvi", size_px=32, stride_px=32)
WriteScene = Callable[..., Path]


def reference(seed: int) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).uniform(-0.2, 0.9, (SIZE_PX, SIZE_PX)).astype(np.float32)
    values[10:20, 10:90] = np.nan
    return values


@pytest.fixture
def event(tmp_path: Path, write_scene: WriteScene) -> dict[str, Any]:
    """A small event of two orbits with an NDVI before and after; a gap in one scene's ground."""
    for seed, orbit in enumerate(TIMES):
        for step in range(-3, 2):
            bands = scene_bands(seed, step)
            for values in bands.values():
                values[100:110, 100:120] = np.nan
                values[50, 50] = np.nan
            write_scene(scene_path(tmp_path / "scenes", orbit, step), bands)
    height = np.tile(0.5 * np.arange(SIZE_PX + 20) * SPACING, (SIZE_PX + 20, 1)).astype(np.float32)
    edge = 10 * SPACING
    tags = {"pre": "2024-06-01T01:00:00", "post": "2024-06-20T01:00:00"}
    ndvi = {
        f"ndvi_{name}": write_scene(
            tmp_path / f"ndvi_{name}.tif", {"NDVI": reference(seed)}, tags={"datetime": tags[name]}
        )
        for seed, name in enumerate(("pre", "post"))
    }
    return {
        "name": "small",
        "scenes": [tmp_path / "scenes"],
        "event": {"date": EVENT_DATE},
        "terrain": {
            "dem": write_scene(tmp_path / "dem.tif", {"height": height}, left=LEFT - edge, top=TOP + edge)
        },
        **ndvi,
    }


def options(event: dict[str, Any], **more: Any) -> ChipEventOptions:
    return ChipEventOptions.model_validate(event | more)


def whole(event: ChipEventOptions, features: FeatureSet) -> NDArray[np.float32]:
    """Features of the whole grid, formed in one go, with a halo on which nothing was observed."""
    plan = make_plan(event.map_options())
    rows, cols = (slice(0, n) for n in plan.geobox.shape)
    halo = features.halo_px
    looked = observe(plan, Tile(plan.geobox, rows, cols), halo)
    change = looked.change(plan.splits, features.needs)
    land = read_land(plan, looked.tile, change, halo, features.needs)
    needed = {name: (("y", "x"), values) for name, values in land.items() if name in features.needs}
    return form_features(features, change.assign(needed))[:, halo:-halo, halo:-halo]


def places(store: ChipStore) -> list[tuple[str, slice, slice]]:
    """Moment, rows and columns of each chip, by its id and held against its bounds."""
    found = []
    for chip in store.facts.chips:
        name, row, col = chip.id.rsplit("_", 2)
        top, left = int(row[1:]), int(col[1:])
        assert chip.bounds[0] == LEFT + left * SPACING
        assert chip.bounds[3] == TOP - top * SPACING
        size = store.facts.size_px
        found.append((name.removeprefix("small_"), slice(top, top + size), slice(left, left + size)))
    return found


def test_chips_hold_both_moments_and_their_references(event: dict[str, Any], tmp_path: Path) -> None:
    store = make_chips([options(event)], CUT, tmp_path / "s.zarr")
    x, label, _ = store.read(range(len(store)))
    target = store.read_target(range(len(store)))
    assert target is not None
    assert (len(store), store.facts.target) == (32, "ndvi")
    assert store.facts.features == feature_set("ndvi9_5")
    references = {"pre": reference(0), "post": reference(1)}
    formed = {m: whole(options(event), feature_set("ndvi9_5").at(m)) for m in ("pre", "post")}  # type: ignore[arg-type]
    seen = np.isfinite(formed["post"][0])
    assert seen[50, 50], "isolated: filled"
    assert not seen[104, 110]
    for i, (moment, rows, cols) in enumerate(places(store)):
        expected = np.where(seen, formed[moment], np.nan)[:, rows, cols]
        np.testing.assert_array_equal(x[i], expected)
        ndvi = np.where(seen, references[moment], np.nan)[rows, cols]
        np.testing.assert_array_equal(target[i], ndvi)
        np.testing.assert_array_equal(label[i] == IGNORE, np.isnan(ndvi))
    assert {moment for moment, _, _ in places(store)} == {"pre", "post"}


def test_landslides_are_marked_where_they_are_mapped(event: dict[str, Any], tmp_path: Path) -> None:
    mapped = write_polygons(tmp_path / "inventory.gpkg", ground(*LANDSLIDE))
    store = make_chips([options(event, inventory=[mapped])], CUT, tmp_path / "s.zarr")
    _, label, _ = store.read(range(len(store)))
    assert (label == 1).sum() == 2 * 120
    assert sum(chip.landslide_px for chip in store.facts.chips) == 2 * 120


def test_facts_name_the_days_between_image_and_scenes(event: dict[str, Any], tmp_path: Path) -> None:
    store = make_chips([options(event)], CUT, tmp_path / "s.zarr")
    (own,) = store.facts.events
    # passes before: 13 and 25 May, 6 June of both orbits; after: 18 and 30 June
    assert own.ndvi_days["pre"] == pytest.approx(7, abs=1)
    assert own.ndvi_days["post"] == pytest.approx(-4, abs=1)


def test_a_chip_is_kept_by_what_is_observed_and_has_a_reference(
    event: dict[str, Any], tmp_path: Path
) -> None:
    def kept(least: float) -> set[str]:
        cut = CUT.model_copy(update={"min_observed": least, "features": feature_set("ndvi9_5").at("post")})
        store = make_chips([options(event)], cut, tmp_path / f"{least}.zarr")
        return {chip.id for chip in store.facts.chips}

    # rows 0–31 lose ten rows of the reference, less at both ends; one corner loses 200 px to the radar
    of_reference, of_radar = "small_post_r00000_c00032", "small_post_r00096_c00096"
    fewer, between, more = kept(1 - 10 / 32 - 1e-3), kept(1 - 10 / 32 + 1e-3), kept(1 - 200 / 1024 + 1e-3)
    assert fewer - between == {of_reference}
    assert between - more >= {of_radar}


def test_one_moment_is_cut_where_the_set_or_the_references_say_so(
    event: dict[str, Any], tmp_path: Path
) -> None:
    bound = CUT.model_copy(update={"features": feature_set("ndvi9_5").at("pre")})
    store = make_chips([options(event)], bound, tmp_path / "pre.zarr")
    assert {moment for moment, _, _ in places(store)} == {"pre"}
    assert store.facts.features.moment == "pre"
    store = make_chips([options(event, ndvi_pre=None)], CUT, tmp_path / "post.zarr")
    assert {moment for moment, _, _ in places(store)} == {"post"}
    assert store.facts.features.moment is None


def test_landslides_can_be_learned_of_one_moment(event: dict[str, Any], tmp_path: Path) -> None:
    mapped = write_polygons(tmp_path / "inventory.gpkg", ground(*LANDSLIDE))
    features = feature_set("ndvi9_5").at("post")
    cut = CutOptions(features=features, size_px=32, stride_px=32)
    store = make_chips([options(event, inventory=[mapped])], cut, tmp_path / "s.zarr")
    assert store.read_target([0]) is None
    assert store.facts.target == "landslide"
    np.testing.assert_array_equal(store.read([0])[0][0, 0], whole(options(event), features)[0, :32, :32])


def test_another_reference_is_another_store(
    event: dict[str, Any], tmp_path: Path, write_scene: WriteScene
) -> None:
    path = tmp_path / "s.zarr"
    first = make_chips([options(event)], CUT, path).facts
    assert make_chips([options(event)], CUT, path).facts.key == first.key
    other = write_scene(tmp_path / "other.tif", {"NDVI": reference(7)})
    with pytest.raises(HeadscarpError, match="overwrite"):
        make_chips([options(event, ndvi_post=other)], CUT, path)
    again = make_chips([options(event, ndvi_post=other)], CUT, path, overwrite=True).facts
    hashes = [{chip.id: chip.content_sha256 for chip in facts.chips} for facts in (first, again)]
    apart = {name for name in hashes[0] if hashes[0][name] != hashes[1][name]}
    assert apart == {name for name in hashes[0] if "_post_" in name}


@pytest.mark.parametrize("method", ["blocks", "folds"])
def test_overlapping_chips_of_any_moment_never_straddle_a_split(
    event: dict[str, Any], tmp_path: Path, method: str
) -> None:
    cut = CUT.model_copy(update={"size_px": 16, "stride_px": 8, "features": "ndvi4"})
    store = make_chips([options(event)], cut, tmp_path / "s.zarr")
    given: dict[str, Any] = {"shares": (0.6, 0.2, 0.2)} if method == "blocks" else {"folds": 3}
    split = draw_split(store.facts, SplitOptions(method=method, block_m=640.0, seed=2, **given))  # type: ignore[arg-type]
    boxes = {
        name: shapely.union_all([shapely.box(*c.bounds) for c in split.chips if c.split == name])
        for name in {chip.split for chip in split.chips}
    }
    assert len(boxes) == (3 if method == "blocks" else 2)
    names = sorted(boxes)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert shapely.area(shapely.intersection(boxes[one], boxes[other])) == 0
    of_place: dict[Any, set[str]] = {}
    for chip in split.chips:
        of_place.setdefault(chip.bounds, set()).add(chip.split)
    assert all(len(own) == 1 for own in of_place.values()), "both moments of a place go together"
    assert all(split.made[key] is not None for key in ("left_out",))


def test_an_event_of_a_folder_brings_its_own_references(tmp_path: Path, write_scene: WriteScene) -> None:
    folder = tmp_path / "quake"
    (folder).mkdir()
    (folder / "event.yaml").write_text(yaml.safe_dump({"scenes": ["scenes"], "event": {"date": EVENT_DATE}}))
    write_scene(folder / "ndvi_post.tif", {"NDVI": reference(0)})
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"events": [{"scenes": [str(folder)]}]}))
    (own,) = load_chips_options(ChipsOptions, config).events
    assert (own.ndvi_pre, own.ndvi_post) == (None, folder / "ndvi_post.tif")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"target": "ndvi"}, "an NDVI is of one moment"),
        ({"features": "ndvi9_11"}, "their moment said"),
        ({"features": "ndvi9_10", "target": "ndvi"}, "odd number"),
    ],
)
def test_options_that_cannot_be_are_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises((ValidationError, OptionsError), match=why):
        CutOptions(**given)


def refused(kind: type[HeadscarpError], event: dict[str, Any], store: Path, cut: CutOptions = CUT) -> str:
    with pytest.raises(kind) as error:
        make_chips([options(event)], cut, store)
    assert not store.exists()
    return str(error.value)


def test_references_that_cannot_be_used_are_refused(
    event: dict[str, Any], tmp_path: Path, write_scene: WriteScene
) -> None:
    store = tmp_path / "s.zarr"
    nothing = event | {"ndvi_pre": None, "ndvi_post": None}
    assert "ndvi_post" in refused(OptionsError, nothing, store)
    bound = CUT.model_copy(update={"features": feature_set("ndvi9_5").at("pre")})
    assert "ndvi_pre" in refused(OptionsError, event | {"ndvi_pre": None}, store, bound)
    swapped = event | {"ndvi_pre": event["ndvi_post"], "ndvi_post": event["ndvi_pre"]}
    assert "of 2024-06-20 01:00 UTC" in refused(OptionsError, swapped, store)
    assert "of 2024-06-01 01:00 UTC" in refused(OptionsError, swapped | {"ndvi_pre": None}, store)
    large = write_scene(tmp_path / "large.tif", {"NDVI": np.full((128, 128), 7000.0, np.float32)})
    assert "values from 7000" in refused(SceneError, event | {"ndvi_post": large}, store)
    assert "slope_deg" in refused(OptionsError, event | {"terrain": {}}, store)
    far = write_scene(tmp_path / "far.tif", {"NDVI": reference(0)}, left=LEFT + 90_000)
    only = event | {"ndvi_pre": None, "ndvi_post": far}
    assert "and have an NDVI" in refused(ChipError, only, store)
