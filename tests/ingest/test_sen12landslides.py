"""The official splits of Sen12Landslides: small made task folders, and the real files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyproj import Transformer

from headscarp.ingest.sen12landslides import read_low_quality, read_task_splits
from headscarp.split import SplitError

TASK = Path("sen12landslides/tasks/S12LS-LD/harmonized")

Entry = dict[str, Any]


def member(name: str, pixels: int = 60, inventory: str = "hokkaido") -> Entry:
    return {"id": name, "s1asc": f"s1asc/{name}.nc", "pixel_annotated": pixels, "inventory": inventory}


def place(name: str, split: str, x: float, y: float, crs: str = "EPSG:32654") -> Entry:
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    known = {"patch_id": name, "split": split, "lon": lon, "lat": lat, "crs_original": crs}
    return {"type": "Feature", "properties": {**known, "inventory": "hokkaido", "annotated_pixels": 60}}


SPLITS = {"train": [member("hokkaido_1")], "val": [member("hokkaido_2", 0)], "test": [member("usa_north_3")]}
PLACES = [
    place("hokkaido_1", "train", 580000, 4730000),
    place("hokkaido_2", "val", 581280, 4730000),
    place("usa_north_3", "test", 590000, 4740000),
]


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., Path]:
    """Writer of a task folder with one sensor, below a release's root."""

    def write(splits: object = SPLITS, places: object = PLACES, sensor: str = "s1asc") -> Path:
        folder = tmp_path / "release" / "tasks" / "task" / "harmonized"
        (folder / sensor).mkdir(parents=True, exist_ok=True)
        (folder / sensor / "splits.json").write_text(json.dumps(splits))
        collection = {"type": "FeatureCollection", "features": places}
        (folder / sensor / "patch_locations.geojson").write_text(json.dumps(collection))
        return folder

    return write


def test_patches_become_chips(task: Callable[..., Path]) -> None:
    (found,) = read_task_splits(task())
    first, second, third = found.split.chips
    assert [c.split for c in found.split.chips] == ["train", "validation", "test"]
    assert first.bounds == (579360.0, 4729360.0, 580640.0, 4730640.0)
    assert second.bounds[0] == first.bounds[2]
    assert (first.landslide_px, first.px, second.landslide_px) == (60, 16384, 0)
    assert (third.event, third.region, third.series) == ("hokkaido", "usa_north", "s1asc")
    assert (found.disagreeing, found.unlisted, found.low_quality_list) == ((), (), None)
    assert not any(c.low_quality for c in found.split.chips)


def test_the_split_file_is_followed_where_the_locations_disagree(task: Callable[..., Path]) -> None:
    places = [*PLACES[:2], place("usa_north_3", "train", 590000, 4740000), place("extra", "test", 0.0, 0.0)]
    (found,) = read_task_splits(task(places=places))
    assert found.split.chips[2].split == "test"
    assert (found.disagreeing, found.unlisted) == (("usa_north_3",), ("extra",))


def test_every_sensor_and_the_aligned_split_are_read(task: Callable[..., Path]) -> None:
    task(sensor="s1dsc")
    folder = task()
    (folder / "splits_aligned.json").write_text((folder / "s1asc" / "splits.json").read_text())
    locations = (folder / "s1asc" / "patch_locations.geojson").read_text()
    (folder / "patch_locations_aligned.geojson").write_text(locations)
    assert [t.split.chips[0].series for t in read_task_splits(folder)] == ["s1asc", "s1dsc", "aligned"]
    assert [t.split.chips[0].series for t in read_task_splits(folder / "s1dsc")] == ["s1dsc"]


@pytest.mark.parametrize("levels", [0, 1, 3, 4])
@pytest.mark.parametrize("inside", ["", "s1asc"])
def test_the_low_quality_list_is_found_above(task: Callable[..., Path], levels: int, inside: str) -> None:
    folder = task() / inside
    where = [folder, *folder.parents][levels]
    (where / "low_quality_patches.txt").write_text("usa_north_3\n\nelsewhere_1\n")
    (found,) = read_task_splits(folder)
    assert [c.low_quality for c in found.split.chips] == [False, False, True]
    assert found.low_quality_list == (where / "low_quality_patches.txt").resolve()


def test_a_list_that_is_given_wins(task: Callable[..., Path], tmp_path: Path) -> None:
    folder = task()
    (folder / "low_quality_patches.txt").write_text("usa_north_3\n")
    own = tmp_path / "mine.txt"
    own.write_text("hokkaido_1\n")
    (found,) = read_task_splits(folder, own)
    assert [c.low_quality for c in found.split.chips] == [True, False, False]


BROKEN = [
    ({"splits": {**SPLITS, "dev": []}}, "'dev'"),
    ({"splits": [1]}, "object of lists"),
    ({"splits": {"train": []}}, "no patch"),
    ({"splits": {"train": [{"id": "a"}]}}, "pixel_annotated"),
    ({"splits": {"train": [member("hokkaido_1", 16385)]}}, "pixel_annotated"),
    ({"places": PLACES[:2]}, "usa_north_3"),
    ({"places": "none"}, "features"),
    ({"places": [{"type": "Feature"}]}, "patch_locations.geojson"),
    ({"places": [*PLACES, place("hokkaido_1", "train", 1.0, 1.0)]}, "two locations of hokkaido_1"),
]


@pytest.mark.parametrize(("changes", "fragment"), BROKEN)
def test_files_that_break_the_format(task: Callable[..., Path], changes: Entry, fragment: str) -> None:
    with pytest.raises(SplitError) as refused:
        read_task_splits(task(**changes))
    assert fragment in str(refused.value)


@pytest.mark.parametrize("crs", ["EPSG:4326", "nowhere"])
def test_a_location_in_a_crs_that_cannot_be_used(task: Callable[..., Path], crs: str) -> None:
    odd = {**PLACES[0], "properties": {**PLACES[0]["properties"], "crs_original": crs}}
    with pytest.raises(SplitError, match="CRS"):
        read_task_splits(task(places=[odd, *PLACES[1:]]))


def test_json_that_is_cut_short(task: Callable[..., Path]) -> None:
    folder = task()
    path = folder / "s1asc" / "splits.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(SplitError, match="no JSON"):
        read_task_splits(folder)


def test_missing_files(task: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="no such folder"):
        read_task_splits(tmp_path / "nowhere")
    folder = task()
    (folder / "s1asc" / "patch_locations.geojson").unlink()
    with pytest.raises(SplitError, match="patch_locations"):
        read_task_splits(folder)
    with pytest.raises(SplitError, match=r"missing\.txt"):
        read_low_quality(tmp_path / "missing.txt")


class TestRealFiles:
    """What the README of the data says of the official files."""

    def test_counts(self, real_data: Path) -> None:
        found = read_task_splits(real_data / TASK)
        assert [t.split.chips[0].series for t in found] == ["s1asc", "s1dsc", "aligned"]
        assert [len(t.split.chips) for t in found] == [4793, 4666, 4392]
        assert [(t.disagreeing, t.unlisted) for t in found] == [((), ())] * 3
        hokkaido = [Counter(c.split for c in t.split.chips if c.event == "hokkaido") for t in found[:2]]
        assert hokkaido == [
            {"train": 93, "validation": 22, "test": 29},
            {"train": 92, "validation": 22, "test": 30},
        ]

    def test_centres_lie_on_whole_metres_and_patches_on_a_common_grid(self, real_data: Path) -> None:
        (found,) = read_task_splits(real_data / TASK / "s1asc")
        assert all(edge == round(edge) for c in found.split.chips for edge in c.bounds)
        steps = {(c.bounds[0] - found.split.chips[0].bounds[0]) % 1280
                 for c in found.split.chips if c.event == "chimanimani"}  # fmt: skip
        assert steps == {0.0}

    def test_low_quality(self, real_data: Path) -> None:
        (found,) = read_task_splits(real_data / TASK / "s1asc")
        bad = Counter(c.split for c in found.split.chips if c.low_quality)
        assert bad == {"train": 707, "validation": 187, "test": 213}
