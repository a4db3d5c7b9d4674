"""Layer 3: repeats counted once, pieces of a pass put together, contradictions refused by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from scipy.ndimage import gaussian_filter

from headscarp.errors import SceneError
from headscarp.ingest.files import read_scene_files
from headscarp.ingest.passes import (
    BLOCK_PX,
    MIN_BLOCKS,
    PASS_GAP,
    contradict,
    drop_repeats,
    group_scenes,
    refuse_contradictions,
)
from headscarp.ingest.raster import bounds_in
from headscarp.scene import Scene, SceneFile
from headscarp.vocabulary import BackscatterScale, OrbitState

WriteScene = Callable[..., Path]
FloatArray = NDArray[np.float32]
MOMENT = datetime(2018, 9, 5, 8, 42, 50, tzinfo=UTC)


def grid_at(row: int = 0, col: int = 0, height: int = 60, width: int = 60) -> GeoBox:
    transform = Affine(20, 0, 580000 + 20 * col, 0, -20, 4730000 - 20 * row)
    return GeoBox((height, width), transform, "EPSG:32654")


def fact(name: str = "a.tif", seconds: float = 0.0, geobox: GeoBox | None = None) -> SceneFile:
    """Facts of a file that need not exist."""
    return SceneFile(
        path=Path(name), reader="GeoTIFF", acquired=MOMENT + timedelta(seconds=seconds), day_only=False,
        orbit_state=OrbitState.ASCENDING, orbit_state_source="file name", relative_orbit=68,
        relative_orbit_source="file name", bands={"VV": 1}, scale=BackscatterScale.POWER,
        scale_source="declared", geobox=geobox or grid_at(), platform="S1A",
        processed=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def names(scenes: list[Scene]) -> list[list[str]]:
    return [[file.path.name for file in scene.files] for scene in scenes]


# Repeats


def test_the_newest_processing_of_a_burst_counts_and_the_other_names_it() -> None:
    old = replace(fact("old.tif"), burst="T068-1-IW2")
    new = replace(fact("new.tif", seconds=1), burst="T068-1-IW2", processed=datetime(2021, 1, 1, tzinfo=UTC))
    for files in ([old, new], [new, old]):
        kept, rejected = drop_repeats(files)
        assert kept == [new]
        assert rejected == [(old, "the same acquisition as new.tif, processed earlier")]


def test_of_three_processings_one_is_kept() -> None:
    files = [
        replace(fact(f"{year}.tif"), processed=datetime(year, 1, 1, tzinfo=UTC))
        for year in (2020, 2022, 2021)
    ]
    kept, rejected = drop_repeats(files)
    assert [f.path.name for f in kept] == ["2022.tif"]
    assert {f.path.name for f, _ in rejected} == {"2020.tif", "2021.tif"}


def test_plain_files_without_a_processing_time_go_by_their_own(
    tmp_path: Path, write_scene: WriteScene
) -> None:
    values = np.full((20, 20), 0.1, np.float32)
    paths = [write_scene(tmp_path / f"{n}_20180905T084250_ASC_R068_VV.tif", {"VV": values}) for n in "abc"]
    for path, made in zip(paths, (1000, 3000, 2000), strict=True):
        os.utime(path, (made, made))
    kept, rejected = drop_repeats(read_scene_files([tmp_path]).files)
    assert [f.path.name[0] for f in kept] == ["b"]
    assert {f.path.name[0] for f, _ in rejected} == {"a", "c"}
    assert all("b_20180905T084250" in reason for _, reason in rejected)


DIFFERENT = {
    "polarisation": replace(fact("b.tif"), bands={"VH": 1}),
    "platform": replace(fact("b.tif"), platform="S1B"),
    "relative orbit": replace(fact("b.tif"), relative_orbit=69),
    "direction": replace(fact("b.tif"), orbit_state=OrbitState.DESCENDING),
    "later": fact("b.tif", seconds=3),
    "another slice": fact("b.tif", geobox=grid_at(row=10)),
    "a burst and a scene": replace(fact("b.tif"), burst="T068-1-IW2"),
    "the next cycle": fact("b.tif", seconds=12 * 86400),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_files_that_differ_are_no_repeats(what: str) -> None:
    kept, rejected = drop_repeats([fact(), DIFFERENT[what]])
    assert len(kept) == 2
    assert rejected == []


def test_neighbouring_bursts_are_no_repeats_though_one_starts_within_seconds() -> None:
    a, b = (replace(fact(f"{n}.tif", seconds=n), burst=f"T068-{n}-IW2") for n in (1, 2))
    assert drop_repeats([a, b])[1] == []


def test_footprints_that_share_nine_tenths_are_one() -> None:
    near = fact("b.tif", seconds=1, geobox=grid_at(row=5))  # 55 of 60 rows: 92%
    assert len(drop_repeats([fact(), near])[0]) == 1
    far = fact("b.tif", seconds=1, geobox=grid_at(row=7))  # 88%
    assert len(drop_repeats([fact(), far])[0]) == 2


def test_kept_files_come_in_the_order_of_their_times() -> None:
    files = [fact(f"{n}.tif", seconds=-100 * n) for n in range(4)]
    assert [f.path.name for f in drop_repeats(files)[0]] == ["3.tif", "2.tif", "1.tif", "0.tif"]


# Grouping


def test_slices_25_seconds_apart_are_one_scene() -> None:
    slices = [fact(f"{n}.tif", seconds=25 * n, geobox=grid_at(row=55 * n)) for n in range(4)]
    assert names(group_scenes(slices[::-1])) == [["0.tif", "1.tif", "2.tif", "3.tif"]]


def test_a_long_pass_is_one_scene_as_long_as_its_pieces_follow() -> None:
    step = PASS_GAP.total_seconds()
    assert len(group_scenes([fact(f"{n}.tif", seconds=n * step) for n in range(3)])) == 1
    assert len(group_scenes([fact(f"{n}.tif", seconds=n * (step + 1)) for n in range(3)])) == 3


def test_bursts_and_polarisations_of_a_pass_are_one_scene() -> None:
    pieces = [
        replace(fact(f"{burst}{pol}.tif", seconds=2.76 * burst), bands={pol: 1}, burst=f"T068-{burst}-IW1")
        for burst in (1, 2)
        for pol in ("VV", "VH")
    ]
    (scene,) = group_scenes(pieces)
    assert len(scene.files) == 4
    assert scene.polarizations == ("VV", "VH")


def test_two_platforms_on_one_day_are_two_scenes_in_time_order() -> None:
    a = fact("a.tif", seconds=60)
    b = replace(fact("b.tif"), platform="S1B")
    assert names(group_scenes([a, b])) == [["b.tif"], ["a.tif"]]


def test_orbits_and_dates_are_kept_apart() -> None:
    files = [
        fact("asc.tif"),
        replace(fact("neighbour.tif"), relative_orbit=69),
        replace(fact("desc.tif"), orbit_state=OrbitState.DESCENDING),
        fact("later.tif", seconds=12 * 86400),
    ]
    assert len(group_scenes(files)) == 4


def test_the_real_bursts_of_t137_make_24_passes(real_data: Path) -> None:
    kept, rejected = drop_repeats(read_scene_files([real_data / "opera_rtc_s1" / "T137"]).files)
    assert rejected == []
    scenes = group_scenes(kept)
    assert len(scenes) == 24
    assert {len(scene.files) for scene in scenes} == {8}  # four bursts, two polarisations
    assert all(len({f.acquired.date() for f in scene.files}) == 1 for scene in scenes)


# Contradictions


def test_misplaced_bursts_are_refused_by_name(real_data: Path) -> None:
    files = read_scene_files([real_data / "opera_rtc_s1" / "T137_misplaced"]).files
    with pytest.raises(SceneError, match="the same ground with different") as caught:
        refuse_contradictions(group_scenes(files))
    assert caught.value.given.count("OPERA_L2_RTC-S1_T137-2923") == 2
    assert "100% of the smaller" in caught.value.given
    assert "misplaced" in caught.value.why


def test_every_pass_of_the_misplaced_bursts_is_refused(real_data: Path) -> None:
    scenes = group_scenes(read_scene_files([real_data / "opera_rtc_s1" / "T137_misplaced"]).files)
    assert len(scenes) == 11
    for scene in scenes:
        with pytest.raises(SceneError, match="claim the same ground"):
            refuse_contradictions([scene])


@pytest.mark.parametrize("folder", ["T137", "T137_ragged", "T009_enga"])
def test_well_placed_bursts_pass(real_data: Path, folder: str) -> None:
    files = read_scene_files([real_data / "opera_rtc_s1" / folder]).files
    refuse_contradictions(group_scenes(files))


def ground(seed: int, shape: tuple[int, int] = (100, 100), contrast_db: float = 3.0) -> FloatArray:
    """Mean power of land whose texture varies by some decibels over some ten pixels."""
    texture = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 6)
    return (0.05 * 10 ** (contrast_db / 10 * texture / texture.std())).astype(np.float32)


def seen(mean: FloatArray, seed: int, looks: float = 12.0) -> FloatArray:
    speckle = np.random.default_rng(seed).gamma(looks, 1 / looks, mean.shape)
    return (mean * speckle).astype(np.float32)


def two_slices(
    folder: Path, write: WriteScene, first: FloatArray, second: FloatArray, row: int
) -> list[Scene]:
    """Scene of two slices, the second starting some rows further down."""
    for name, values, top in (("20180905T084250", first, 0), ("20180905T084315", second, row)):
        write(folder / f"S1A_{name}_ASC_R068.tif", {"VV": values}, top=4730000.0 - 20 * top)
    (scene,) = group_scenes(read_scene_files([folder]).files)
    return [scene]


@pytest.mark.parametrize("row", [10, 40, 70])
def test_an_overlap_with_independent_speckle_passes(
    tmp_path: Path, write_scene: WriteScene, row: int
) -> None:
    land = ground(0, (100 + row, 100))
    # So few looks that single pixels hardly correlate; their averages do.
    pieces = seen(land[:100], 1, looks=1.5), seen(land[row:], 2, looks=1.5)
    overlap = [10 * np.log10(piece) for piece in (pieces[0][row:], pieces[1][: 100 - row])]
    assert np.corrcoef(overlap[0].ravel(), overlap[1].ravel())[0, 1] < 0.4
    refuse_contradictions(two_slices(tmp_path, write_scene, *pieces, row))


def test_an_overlap_with_the_same_values_passes(tmp_path: Path, write_scene: WriteScene) -> None:
    values = seen(ground(0, (140, 100)), 1)
    refuse_contradictions(two_slices(tmp_path, write_scene, values[:100], values[40:], 40))


@pytest.mark.parametrize("row", [0, 20, 60])
def test_unrelated_ground_is_refused(tmp_path: Path, write_scene: WriteScene, row: int) -> None:
    scenes = two_slices(tmp_path, write_scene, seen(ground(0), 1), seen(ground(7), 2), row)
    with pytest.raises(SceneError, match="claim the same ground") as caught:
        refuse_contradictions(scenes)
    assert "S1A_20180905T084250_ASC_R068.tif and S1A_20180905T084315_ASC_R068.tif" in caught.value.given
    assert f"VV values ({100 - row}% of the smaller)" in caught.value.given


def test_a_piece_shifted_by_its_own_texture_is_refused(tmp_path: Path, write_scene: WriteScene) -> None:
    land = ground(0, (200, 100))
    scenes = two_slices(tmp_path, write_scene, seen(land[:100], 1), seen(land[100:], 2), 10)
    with pytest.raises(SceneError, match="90% of the smaller"):
        refuse_contradictions(scenes)


def test_pieces_that_only_touch_are_not_compared(tmp_path: Path, write_scene: WriteScene) -> None:
    refuse_contradictions(two_slices(tmp_path, write_scene, seen(ground(0), 1), seen(ground(7), 2), 100))


def test_pieces_whose_valid_ground_does_not_meet_pass(tmp_path: Path, write_scene: WriteScene) -> None:
    first, second = seen(ground(0), 1), seen(ground(7), 2)
    first[50:], second[:50] = np.nan, np.nan
    refuse_contradictions(two_slices(tmp_path, write_scene, first, second, 0))


def test_pieces_in_two_zones_are_compared_on_one_grid(tmp_path: Path, write_scene: WriteScene) -> None:
    """Unrelated ground is noticed though the second piece comes in the neighbouring UTM zone."""
    write_scene(tmp_path / "S1A_20180905T084250_ASC_R068.tif", {"VV": seen(ground(0), 1)})
    left, _, _, top = bounds_in(grid_at(height=100, width=100), CRS("EPSG:32653"))
    write_scene(
        tmp_path / "S1A_20180905T084315_ASC_R068.tif",
        {"VV": seen(ground(7), 2)},
        left=left,
        top=top,
        crs="EPSG:32653",
    )
    with pytest.raises(SceneError, match="claim the same ground"):
        refuse_contradictions(group_scenes(read_scene_files([tmp_path]).files))


def test_an_offset_on_the_same_texture_is_no_misplacement() -> None:
    db = 10 * np.log10(ground(0))
    assert not contradict(db, db + 3, share=1.0)


def test_flat_pieces_contradict_each_other_by_their_level() -> None:
    flat = np.full((50, 50), -10, np.float32)
    assert not contradict(flat, flat + 0.9, share=1.0)
    assert contradict(flat, flat + 1.1, share=1.0)


def test_too_few_blocks_decide_nothing() -> None:
    few = np.full((BLOCK_PX * (MIN_BLOCKS - 1), BLOCK_PX), -10, np.float32)
    enough = np.full((BLOCK_PX * MIN_BLOCKS, BLOCK_PX), -10, np.float32)
    assert not contradict(few, few + 20, share=1.0)
    assert contradict(enough, enough + 20, share=1.0)
    enough[0, 0] = np.nan  # a block with a hole is no block
    assert not contradict(enough, enough + 20, share=1.0)
