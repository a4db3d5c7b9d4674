"""Chips of whole events: what a map sees, labelled, cut, kept, resumed, reused; and every refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from headscarp.chips.labels import Outlines
from headscarp.chips.options import CutOptions, SplitOptions
from headscarp.chips.store import IGNORE, ChipError, ChipStore
from headscarp.config import ChipEventOptions
from headscarp.errors import GridError, HeadscarpError, OptionsError, OutputError
from headscarp.features.change import fuse
from headscarp.features.sets import FeatureSet, feature_set, form_features
from headscarp.grid import Tile
from headscarp.pipeline.chips import run as chips_run
from headscarp.pipeline.chips.run import SPLIT_JSON, choose_split, keep_split, make_chips
from headscarp.pipeline.map.observe import observe, read_land
from headscarp.pipeline.map.plan import make_plan
from headscarp.split import read_split
from tests.pipeline.conftest import EVENT_DATE, LANDSLIDE, SIZE_PX, TIMES, scene_bands, scene_path

LEFT, TOP, SPACING, CRS = 580000.0, 4730000.0, 20.0, "EPSG:32654"
CUT = CutOptions(size_px=32, stride_px=32)
NO_CHIP = 77
"""Value of ground without a chip in a mosaic."""


def ground(rows: slice, cols: slice) -> shapely.Geometry:
    """Outline of pixels."""
    left, right = LEFT + cols.start * SPACING, LEFT + cols.stop * SPACING
    return shapely.box(left, TOP - rows.stop * SPACING, right, TOP - rows.start * SPACING)


def write_polygons(path: Path, *polygons: shapely.Geometry, crs: str = CRS) -> Path:
    gpd.GeoDataFrame(geometry=list(polygons), crs=CRS).to_crs(crs).to_file(path)
    return path


@pytest.fixture
def event(tmp_path: Path, write_scene: Callable[..., Path]) -> dict[str, Any]:
    """Options of a small event: two orbits, three dates before and two after, and its landslide mapped."""
    for seed, orbit in enumerate(TIMES):
        for step in range(-3, 2):
            write_scene(scene_path(tmp_path / "scenes", orbit, step), scene_bands(seed, step))
    height = np.tile(0.5 * np.arange(SIZE_PX + 20) * SPACING, (SIZE_PX + 20, 1)).astype(np.float32)
    edge = 10 * SPACING
    return {
        "name": "small",
        "scenes": [tmp_path / "scenes"],
        "event": {"date": EVENT_DATE},
        "terrain": {
            "dem": write_scene(tmp_path / "dem.tif", {"height": height}, left=LEFT - edge, top=TOP + edge)
        },
        "inventory": [write_polygons(tmp_path / "inventory.gpkg", ground(*LANDSLIDE))],
    }


def options(event: dict[str, Any], **more: Any) -> ChipEventOptions:
    return ChipEventOptions.model_validate(event | more)


def whole(event: ChipEventOptions, features: FeatureSet) -> np.ndarray:
    """Features of the whole grid, formed in one go as a map forms them."""
    plan = make_plan(event.map_options())
    rows, cols = (slice(0, n) for n in plan.geobox.shape)
    looked = observe(plan, Tile(plan.geobox, rows, cols), 0)
    change = looked.change(plan.splits, features.needs)
    land = read_land(plan, looked.tile, change, 0, features.needs)
    needed = {name: (("y", "x"), values) for name, values in land.items() if name in features.needs}
    return form_features(features, change.assign(needed))


def mosaic(store: ChipStore, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Chips laid back onto the grid by their bounds."""
    size = store.facts.size_px
    out = np.full((*values.shape[1:-2], *shape), NO_CHIP, values.dtype)
    for chip, own in zip(store.facts.chips, values, strict=True):
        left, _, _, top = chip.bounds
        row, col = round((TOP - top) / SPACING), round((left - LEFT) / SPACING)
        assert chip.id == f"small_r{row:05d}_c{col:05d}"
        part = own[..., : shape[0] - row, : shape[1] - col]
        out[..., row : row + size, col : col + size] = part
    return out


def test_chips_are_what_a_map_sees_and_labels_are_the_inventory(
    event: dict[str, Any], tmp_path: Path
) -> None:
    store = make_chips([options(event)], CUT, tmp_path / "s.zarr")
    x, label, days = store.read(range(len(store)))
    assert days is None
    assert len(store) == 16
    shape = (SIZE_PX, SIZE_PX)
    np.testing.assert_array_equal(mosaic(store, x, shape), whole(options(event), feature_set("group1")))
    expected = np.zeros(shape, np.uint8)
    expected[LANDSLIDE] = 1
    np.testing.assert_array_equal(mosaic(store, label, shape), expected)
    assert sum(chip.landslide_px for chip in store.facts.chips) == 120
    assert [chip.landslide_px for chip in store.facts.chips] == [int((own == 1).sum()) for own in label]
    plan = make_plan(options(event).map_options())
    looked = observe(plan, Tile(plan.geobox, slice(0, SIZE_PX), slice(0, SIZE_PX)), 0)
    np.testing.assert_allclose(mosaic(store, x, shape), fuse(looked.change(plan.splits)).values, rtol=1e-6)


def test_facts_of_a_store(event: dict[str, Any], tmp_path: Path) -> None:
    facts = make_chips([options(event)], CUT, tmp_path / "s.zarr").facts
    assert (facts.size_px, facts.stride_px, facts.spacing_m, facts.pooling) == (
        32,
        32,
        20.0,
        "relative_orbit",
    )
    (own,) = facts.events
    assert (own.name, own.pre_dates, own.post_dates) == ("small", (3, 3), (2, 2))
    assert {chip.crs for chip in facts.chips} == {CRS}
    assert len({chip.content_sha256 for chip in facts.chips}) == 16


@pytest.mark.parametrize(("size", "stride", "count"), [(64, 32, 9), (96, 96, 4), (48, 48, 9)])
def test_overlapping_and_partial_chips(
    event: dict[str, Any], tmp_path: Path, size: int, stride: int, count: int
) -> None:
    cut = CutOptions(size_px=size, stride_px=stride, min_observed=0.05)
    store = make_chips([options(event)], cut, tmp_path / "s.zarr")
    assert len(store) == count
    x, label, _ = store.read(range(count))
    shape = (SIZE_PX, SIZE_PX)
    np.testing.assert_array_equal(mosaic(store, x, shape), whole(options(event), feature_set("group1")))
    beyond = np.isnan(x).all(axis=1)
    assert (label[beyond] == IGNORE).all(), "what lies beyond the grid is left out"
    assert sum(c.ignored_px for c in store.facts.chips) == beyond.sum()
    assert beyond.any() == (size in (96, 48))


def test_terrain_rasters_and_pairs_come_as_in_a_map(
    event: dict[str, Any], tmp_path: Path, write_scene: Callable[..., Path]
) -> None:
    rng = np.random.default_rng(0)
    rain = write_scene(tmp_path / "rain.tif", {"rain": rng.normal(100, 9, (70, 70))}, spacing=41.0)
    codes = write_scene(
        tmp_path / "codes.tif",
        {"code": rng.integers(1, 4, (70, 70)).astype(np.uint8)},
        spacing=41.0,
        nodata=0,
    )
    given = options(event, rasters={"rain": rain, "geology": codes})
    own = FeatureSet(
        name="own",
        channels=("change_vv_fused_db", "slope_deg", "aspect_east", "raster:rain", "raster:geology=2"),
    )
    cut = CutOptions(features=own, size_px=64, stride_px=64)
    store = make_chips([given], cut, tmp_path / "s.zarr")
    x, _, _ = store.read(range(4))
    laid = mosaic(store, x, (SIZE_PX, SIZE_PX))
    np.testing.assert_array_equal(laid, whole(given, own))
    assert np.nanmedian(laid[1]) == pytest.approx(np.rad2deg(np.arctan(0.5)), abs=1)
    assert np.nanmedian(laid[2]) == -1
    assert set(np.unique(laid[4])) == {0, 1}, "categories are never blended"
    assert len(np.unique(laid[3])) > 10_000, "quantities are interpolated"
    pair = make_chips([given], CutOptions(features="pair", size_px=64, stride_px=64), tmp_path / "pair.zarr")
    assert pair.read([0])[0].shape == (1, 2, 4, 64, 64)


def test_series_of_events_of_other_lengths_share_a_store(event: dict[str, Any], tmp_path: Path) -> None:
    short = options(
        event | {"name": "short", "event": {"date": EVENT_DATE, "pre": ["2024-05-20", "2024-06-14"]}}
    )
    cut = CutOptions(features="series_ascending", size_px=64, stride_px=64)
    store = make_chips([options(event), short], cut, tmp_path / "s.zarr")
    x, _, days = store.read(range(8))
    assert x.shape == (8, 5, 2, 64, 64)
    assert days is not None
    np.testing.assert_allclose(days[0], np.arange(-3, 2) * 12)
    dates = int(np.isfinite(days[4]).sum())
    assert [e.pre_dates[0] + e.post_dates[0] for e in store.facts.events] == [5, dates]
    assert dates == 4
    np.testing.assert_array_equal(x[4, :dates], x[0, -dates:])
    assert np.isnan(x[4, dates:]).all()


def test_ignored_and_unobserved_ground_is_left_out(event: dict[str, Any], tmp_path: Path) -> None:
    ignore = write_polygons(tmp_path / "clouds.gpkg", ground(slice(0, 45), slice(0, 128)), crs="EPSG:4326")
    aoi = write_polygons(tmp_path / "aoi.gpkg", ground(slice(0, 128), slice(0, 70)))
    given = options(event, ignore=[ignore], area={"aoi": aoi})
    store = make_chips([given], CutOptions(size_px=32, stride_px=32, min_observed=0.1), tmp_path / "s.zarr")
    shape = (SIZE_PX, 70)
    _, label, _ = store.read(range(len(store)))
    laid = mosaic(store, label, shape)
    expected = np.zeros(shape, np.uint8)
    expected[LANDSLIDE] = 1
    expected[:45] = IGNORE
    assert {chip.id for chip in store.facts.chips}.isdisjoint({"small_r00000_c00000", "small_r00000_c00032"})
    kept = laid != NO_CHIP
    assert kept[32:].all()
    assert (laid == expected)[kept].mean() > 0.999, "to a pixel at the edges of a reprojected outline"
    strict = make_chips([given], CutOptions(size_px=32, stride_px=32), tmp_path / "strict.zarr")
    assert not any(chip.id.endswith("c00064") for chip in strict.facts.chips), "6 of 32 columns observed"


def test_all_touched_labels_more(event: dict[str, Any], tmp_path: Path) -> None:
    half = shapely.affinity.translate(ground(*LANDSLIDE), 3.0, 3.0)
    given = options(event, inventory=[write_polygons(tmp_path / "moved.gpkg", half)])
    counts = [
        sum(
            chip.landslide_px
            for chip in make_chips(
                [given],
                CutOptions(size_px=32, stride_px=32, all_touched=touched),
                tmp_path / f"{touched}.zarr",
            ).facts.chips
        )
        for touched in (False, True)
    ]
    assert counts == [12 * 10, 13 * 11]


def test_a_store_is_reused_and_others_are_not_lost(event: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    first = make_chips([options(event)], CUT, path)
    stages: list[str] = []
    again = make_chips([options(event)], CUT, path, lambda stage, done, total: stages.append(stage))
    assert again.facts == first.facts
    assert not any(stage.startswith("cutting") for stage in stages)
    other = CutOptions(size_px=64, stride_px=64)
    with pytest.raises(OutputError, match="16 chips of other options"):
        make_chips([options(event)], other, path)
    assert len(make_chips([options(event)], other, path, overwrite=True)) == 4
    inventory = write_polygons(tmp_path / "inventory.gpkg", ground(slice(0, 9), slice(0, 9)))
    assert inventory == event["inventory"][0]
    with pytest.raises(OutputError, match="4 chips of other"):
        make_chips([options(event)], other, path)
    (tmp_path / "notes").mkdir()
    with pytest.raises(OutputError, match="no store of chips"):
        make_chips([options(event)], other, tmp_path / "notes", overwrite=True)


def test_a_store_is_the_same_wherever_its_files_lie(event: dict[str, Any], tmp_path: Path) -> None:
    first = make_chips([options(event)], CUT, tmp_path / "s.zarr")
    scenes = tmp_path / "moved"
    event["scenes"][0].rename(scenes)
    again = make_chips([options(event, scenes=[scenes])], CUT, tmp_path / "s.zarr")
    assert again.facts == first.facts


def test_it_is_taken_up_where_it_stopped(
    event: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = CutOptions(size_px=16, stride_px=16)
    monkeypatch.setattr("headscarp.chips.lattice.TILE_PX", 64)  # four regions
    wanted = make_chips([options(event)], cut, tmp_path / "whole.zarr")
    done: list[str] = []
    real = chips_run.cut_region

    def dying(event: Any, cut: Any, region: Any) -> Any:
        if len(done) >= 2:
            raise KeyboardInterrupt
        done.append(region.name)
        return real(event, cut, region)

    path = tmp_path / "s.zarr"
    monkeypatch.setattr(chips_run, "cut_region", dying)
    with pytest.raises(KeyboardInterrupt):
        make_chips([options(event)], cut, path)
    assert not path.exists()
    part = tmp_path / ".s.zarr.part" / "journal.jsonl"
    journal = [json.loads(line) for line in part.read_text().splitlines()]
    kept = {line["region"] for line in journal[1:]}
    later: list[str] = []

    def counting(event: Any, cut: Any, region: Any) -> Any:
        later.append(f"small/{region.name}")
        return real(event, cut, region)

    monkeypatch.setattr(chips_run, "cut_region", counting)
    store = make_chips([options(event)], cut, path)
    assert len(later) + len(kept) == 4
    assert kept.isdisjoint(later), "what is done is not done again"
    assert store.facts == wanted.facts
    for own, other in zip(store.read(range(64)), wanted.read(range(64)), strict=True):
        np.testing.assert_array_equal(own, other)


def test_the_split_is_drawn_kept_and_read(event: dict[str, Any], tmp_path: Path) -> None:
    store = make_chips([options(event)], CUT, tmp_path / "s.zarr")
    # the one landslide lies in one chip or two: a seed that leaves it to the training
    given = SplitOptions(method="blocks", block_m=640.0, buffer_m=0.0, shares=(0.75, 0.25, 0.0))
    split = choose_split(store, given)
    path = tmp_path / SPLIT_JSON
    keep_split(path, split)
    keep_split(path, split)
    assert read_split(path) == split
    assert choose_split(store, SplitOptions(file=path)) == split
    other = choose_split(store, given.model_copy(update={"seed": 5}))
    with pytest.raises(OutputError, match="overwrite"):
        keep_split(path, other)
    assert read_split(path) == split
    keep_split(path, other, overwrite=True)
    assert read_split(path) == other
    more = make_chips([options(event)], CutOptions(size_px=64, stride_px=64), tmp_path / "t.zarr")
    with pytest.raises(ChipError, match="that it has not"):
        choose_split(more, SplitOptions(file=path))


def refused(
    kind: type[HeadscarpError], events: list[dict[str, Any]], store: Path, cut: CutOptions = CUT
) -> str:
    with pytest.raises(kind) as error:
        make_chips([options(event) for event in events], cut, store)
    assert not store.exists()
    return str(error.value)


def with_channels(*names: str) -> CutOptions:
    return CutOptions(features=FeatureSet(name="own", channels=names), size_px=32, stride_px=32)


def test_what_features_need_and_is_not_given_is_refused(
    event: dict[str, Any], tmp_path: Path, write_scene: Callable[..., Path]
) -> None:
    store = tmp_path / "s.zarr"
    bare = event | {"terrain": {}}
    assert "slope_deg" in refused(
        OptionsError, [bare], store, with_channels("change_vv_fused_db", "slope_deg")
    )
    rain = with_channels("change_vv_fused_db", "raster:rain", "raster:soil=4")
    message = refused(OptionsError, [event | {"rasters": {"rain": "rain.tif"}}], store, rain)
    assert "none named soil for small" in message
    soil = write_scene(tmp_path / "soil.tif", {"code": np.ones((128, 128), np.float32)})
    message = refused(
        OptionsError,
        [event | {"rasters": {"soil": soil}}],
        store,
        with_channels("change_vv_fused_db", "raster:soil=4"),
    )
    assert "holds fractions" in message
    message = refused(
        ChipError, [event], store, with_channels("change_vv_fused_db", "change_hh_ascending_db")
    )
    assert "none for change_hh_ascending_db in small" in message


def test_an_orbit_that_only_one_event_has_is_not_refused(event: dict[str, Any], tmp_path: Path) -> None:
    ascending = tmp_path / "ascending"
    ascending.mkdir()
    for path in event["scenes"][0].glob("*ASC*"):
        (ascending / path.name).symlink_to(path)
    one = event | {"name": "one", "scenes": [ascending]}
    cut = with_channels("change_vv_ascending_db", "change_vv_descending_db")
    assert "change_vv_descending_db in one" in refused(ChipError, [one], tmp_path / "s.zarr", cut)
    store = make_chips([options(event), options(one)], cut, tmp_path / "s.zarr")
    x, label, _ = store.read(range(32))
    assert np.isnan(x[16:, 1]).all()
    assert np.isfinite(x[:, 0]).all()
    assert (label != IGNORE).all()


def test_inventories_that_cannot_be_used_are_refused(
    event: dict[str, Any], tmp_path: Path, write_scene: Callable[..., Path]
) -> None:
    store = tmp_path / "s.zarr"
    assert "no inventory" in refused(OptionsError, [event | {"inventory": []}], store)
    raster = write_scene(tmp_path / "label.tif", {"label": np.ones((4, 4), np.uint8)}, nodata=None)
    assert "polygons" in refused(OptionsError, [event | {"inventory": [raster]}], store)
    elsewhere = write_polygons(tmp_path / "elsewhere.gpkg", ground(slice(900, 910), slice(0, 9)))
    assert "1 polygons, all elsewhere" in refused(GridError, [event | {"inventory": [elsewhere]}], store)


def test_an_event_without_landslides_is_legal_but_no_training_alone(
    event: dict[str, Any], tmp_path: Path
) -> None:
    dated = event | {"dates": {"undated": "drop", "date_column": "day"}}
    frame = gpd.GeoDataFrame({"day": ["none"]}, geometry=[ground(*LANDSLIDE)], crs=CRS)
    frame.to_file(event["inventory"][0])
    store = make_chips([options(dated)], CUT, tmp_path / "s.zarr")
    assert sum(chip.landslide_px for chip in store.facts.chips) == 0
    with pytest.raises(ChipError, match="landslide pixels in the training chips"):
        choose_split(store, SplitOptions(method="random"))


def test_events_that_do_not_go_together_are_refused(event: dict[str, Any], tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    assert "small, small" in refused(ChipError, [event, event], store)
    coarse = event | {"name": "coarse", "area": {"spacing": 40.0}}
    assert "small 20 m, coarse 40 m" in refused(ChipError, [event, coarse], store)
    pooled = event | {"name": "pooled", "change": {"pooling": "orbit_state"}}
    assert "orbit_state, relative_orbit" in refused(ChipError, [event, pooled], store)
    degrees = event | {"area": {"crs": "EPSG:4326", "spacing": 0.0002}}
    assert "in metres" in refused(GridError, [degrees], store)
    with pytest.raises(OptionsError, match="at least one event"):
        make_chips([], CUT, store)


def test_an_event_without_enough_observed_ground_is_refused(event: dict[str, Any], tmp_path: Path) -> None:
    message = refused(
        ChipError, [event], tmp_path / "s.zarr", CutOptions(size_px=512, stride_px=512, min_observed=0.9)
    )
    assert "none, of 1 places" in message
    assert Outlines.of(np.array([], dtype=object)).polygons.size == 0
    with rasterio.open(next(event["scenes"][0].glob("*.tif"))) as scene:
        assert scene.transform == Affine(20, 0, LEFT, 0, -20, TOP)
