"""Layer 3: stacks read what they are asked for, and any way of asking gives the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

import headscarp.ingest.stack
from headscarp.ingest.files import read_scene_files
from headscarp.ingest.passes import group_scenes
from headscarp.ingest.stack import open_stacks, read_scene, touches
from headscarp.scene import Scene, Stack, check_stack
from tests.conftest import scene_name, speckled

WriteScene = Callable[..., Path]
FloatArray = NDArray[np.float32]
LEFT, TOP, SPACING = 580000.0, 4730000.0, 20.0
MOMENT = datetime(2018, 9, 5, 8, 42, 50, tzinfo=UTC)
TIMES, ROWS, COLS = 3, 11, 13


def grid(height: int, width: int, row: int = 0, col: int = 0) -> GeoBox:
    transform = Affine(SPACING, 0, LEFT + SPACING * col, 0, -SPACING, TOP - SPACING * row)
    return GeoBox((height, width), transform, "EPSG:32654")


def scenes_in(folder: Path) -> list[Scene]:
    return group_scenes(read_scene_files([folder]).files)


@pytest.fixture
def values() -> FloatArray:
    """Backscatter of three dates on the grid of the stack."""
    rng = np.random.default_rng(0)
    out = np.stack([speckled(rng, (ROWS, COLS), 0.1) for _ in range(TIMES)])
    out[1, 2:5, 3:7] = np.nan
    return out


@pytest.fixture
def scenes(values: FloatArray, tmp_path: Path, write_scene: WriteScene) -> list[Scene]:
    for step, power in enumerate(values):
        write_scene(tmp_path / scene_name(MOMENT + timedelta(days=12 * step)), {"VV": power, "VH": power / 4})
    return scenes_in(tmp_path)


@pytest.fixture
def stack(scenes: list[Scene]) -> Stack:
    (only,) = open_stacks(scenes, grid(ROWS, COLS)).values()
    return only


class Reads(list[tuple[str, tuple[int, int]]]):
    """Files and shapes of the parts that were read."""


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reads]:
    seen = Reads()
    original = headscarp.ingest.stack.read_on_grid

    def counting(
        path: Path, band: int, source: GeoBox, nodata: Any, scale: Any, target: GeoBox
    ) -> FloatArray:
        seen.append((path.name, tuple(target.shape)))
        return original(path, band, source, nodata, scale, target)

    monkeypatch.setattr(headscarp.ingest.stack, "read_on_grid", counting)
    yield seen


# Schema


def test_a_stack_obeys_the_schema(stack: Stack, values: FloatArray) -> None:
    check_stack(stack)
    assert stack["VV"].dims == ("time", "y", "x")
    assert list(stack.data_vars) == ["VV", "VH"]
    assert {stack[pol].dtype for pol in ("VV", "VH")} == {np.dtype(np.float32)}
    assert {stack[pol].attrs["units"] for pol in ("VV", "VH")} == {"1"}
    assert stack.attrs == {"orbit_state": "ascending", "relative_orbit": 68, "label": "ascending 68"}
    expected = [np.datetime64((MOMENT + timedelta(days=12 * i)).replace(tzinfo=None)) for i in range(3)]
    assert stack["time"].values.tolist() == [t.astype("datetime64[ns]").astype(int) for t in expected]
    np.testing.assert_array_equal(stack["VV"].values, values)
    np.testing.assert_array_equal(stack["VH"].values, values / 4)


def test_coordinates_are_the_centres_of_pixels(stack: Stack) -> None:
    np.testing.assert_allclose(stack["x"], LEFT + SPACING * (np.arange(COLS) + 0.5))
    np.testing.assert_allclose(stack["y"], TOP - SPACING * (np.arange(ROWS) + 0.5))
    assert stack["spatial_ref"].attrs["crs_wkt"].startswith("PROJCRS") or "PROJC" in str(
        stack["spatial_ref"].attrs
    )
    assert stack.odc.geobox == grid(ROWS, COLS)


def test_a_geographic_stack_has_the_same_dimensions(scenes: list[Scene]) -> None:
    target = GeoBox((4, 5), Affine(2e-4, 0, 141.978, 0, -2e-4, 42.718), "EPSG:4326")
    (only,) = open_stacks(scenes, target).values()
    check_stack(only)
    assert only["VV"].dims == ("time", "y", "x")
    assert only["x"].values[0] == pytest.approx(141.9781)


def test_orbits_are_kept_apart_and_pooled_on_request(tmp_path: Path, write_scene: WriteScene) -> None:
    power = np.full((4, 4), 0.1, np.float32)
    for day, state, orbit in ((1, "ASC", 68), (2, "ASC", 141), (3, "DSC", 46), (13, "ASC", 68)):
        write_scene(tmp_path / scene_name(MOMENT.replace(day=day), state, orbit), {"VV": power})
    apart = open_stacks(scenes_in(tmp_path), grid(4, 4))
    assert {label: s.sizes["time"] for label, s in apart.items()} == {
        "ascending 68": 2, "ascending 141": 1, "descending 46": 1,
    }  # fmt: skip
    assert apart["ascending 141"].attrs["relative_orbit"] == 141
    pooled = open_stacks(scenes_in(tmp_path), grid(4, 4), pooling="orbit_state")
    assert {label: s.sizes["time"] for label, s in pooled.items()} == {"ascending": 3, "descending": 1}
    assert pooled["ascending"].attrs == {
        "orbit_state": "ascending",
        "relative_orbit": 0,
        "label": "ascending",
    }
    for pool in pooled.values():
        check_stack(pool)


def test_a_scene_without_a_polarisation_is_not_observed_in_it(
    tmp_path: Path, write_scene: WriteScene
) -> None:
    power = np.full((4, 4), 0.1, np.float32)
    write_scene(tmp_path / scene_name(MOMENT), {"VV": power})
    write_scene(tmp_path / scene_name(MOMENT + timedelta(days=12)), {"VV": power, "VH": power})
    (only,) = open_stacks(scenes_in(tmp_path), grid(4, 4)).values()
    assert np.isnan(only["VH"].values[0]).all()
    assert (only["VH"].values[1] == np.float32(0.1)).all()


# Laziness


def test_opening_reads_nothing(reads: Reads, stack: Stack) -> None:
    assert stack["VV"].shape == (TIMES, ROWS, COLS)
    part = stack["VV"].isel(time=1, y=slice(2, 5))
    assert part.shape == (3, COLS)
    assert reads == []


def test_a_part_costs_a_part(reads: Reads, stack: Stack, scenes: list[Scene]) -> None:
    stack["VV"].isel(time=[2], y=slice(2, 5), x=slice(1, 9)).load()
    assert reads == [(scenes[2].files[0].path.name, (3, 8))]


def test_a_mean_over_time_reads_each_file_once(reads: Reads, stack: Stack) -> None:
    stack["VH"].mean("time").load()
    assert [shape for _, shape in reads] == [(ROWS, COLS)] * TIMES


def test_files_elsewhere_are_not_read(reads: Reads, scenes: list[Scene]) -> None:
    (away,) = open_stacks(scenes, grid(5, 5, row=500)).values()
    assert np.isnan(away["VV"].values).all()
    assert reads == []


# Indexing


def backward_and_empty(part: slice, length: int) -> bool:
    """A selection that xarray itself cannot decompose for a lazy backend (IndexError in its indexing.py)."""
    return part.step is not None and part.step < 0 and not range(length)[part]


def parts(length: int) -> st.SearchStrategy[Any]:
    """Integers, slices with any step, lists and masks."""
    bound = st.none() | st.integers(-length - 2, length + 2)
    step = st.sampled_from([None, 1, 2, 3, -1, -2])
    return st.one_of(
        st.integers(-length, length - 1),
        st.builds(slice, bound, bound, step).filter(lambda s: not backward_and_empty(s, length)),
        st.lists(st.integers(-length, length - 1), max_size=4).map(lambda i: np.array(i, dtype=int)),
        st.lists(st.booleans(), min_size=length, max_size=length).map(lambda m: np.array(m, dtype=bool)),
    )


fixtures_are_not_changed = settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@fixtures_are_not_changed
@given(time=parts(TIMES), rows=parts(ROWS), cols=parts(COLS))
def test_any_selection_equals_that_of_the_loaded_array(
    stack: Stack, values: FloatArray, time: Any, rows: Any, cols: Any
) -> None:
    loaded = xr.DataArray(values, dims=("time", "y", "x"))
    selected = stack["VV"].isel(time=time, y=rows, x=cols)
    expected = loaded.isel(time=time, y=rows, x=cols)
    assert selected.shape == expected.shape
    np.testing.assert_array_equal(selected.values, expected.values)


@fixtures_are_not_changed
@given(first=parts(ROWS), second=st.integers(0, 3), third=st.sampled_from([None, 2, -1]))
def test_a_selection_of_a_selection_equals_numpys(
    stack: Stack, values: FloatArray, first: Any, second: int, third: int | None
) -> None:
    loaded = xr.DataArray(values, dims=("time", "y", "x")).isel(y=first)
    if "y" not in loaded.dims or loaded.sizes["y"] <= second:
        return
    window = slice(second, None, third)
    selected = stack["VV"].isel(y=first).isel(y=window, time=slice(None, None, -1))
    np.testing.assert_array_equal(selected.values, loaded.isel(y=window, time=slice(None, None, -1)).values)


def test_points_are_selected_one_by_one(stack: Stack, values: FloatArray) -> None:
    rows, cols = xr.DataArray([0, 5, -1], dims="point"), xr.DataArray([3, 3, 0], dims="point")
    picked = stack["VV"].isel(y=rows, x=cols).transpose("time", "point").values
    np.testing.assert_array_equal(picked, values[:, [0, 5, -1], [3, 3, 0]])


def test_a_stack_can_be_chunked(stack: Stack, values: FloatArray) -> None:
    pytest.importorskip("dask")
    chunked = stack.chunk({"time": 1, "y": 4, "x": 5})
    assert chunked["VV"].chunks is not None
    np.testing.assert_array_equal(chunked["VV"].compute(scheduler="sync").values, values)
    median = chunked["VV"].chunk({"time": -1}).median("time", skipna=True).compute(scheduler="sync")
    np.testing.assert_array_equal(median.values, np.nanmedian(values, axis=0))


# Mosaics


def test_the_first_valid_piece_fills_the_ground(tmp_path: Path, write_scene: WriteScene) -> None:
    first, second = np.full((6, 4), 0.1, np.float32), np.full((6, 4), 0.2, np.float32)
    first[4:, :2] = np.nan
    write_scene(tmp_path / scene_name(MOMENT), {"VV": first})
    write_scene(tmp_path / scene_name(MOMENT + timedelta(seconds=25)), {"VV": second}, top=TOP - 3 * SPACING)
    (scene,) = scenes_in(tmp_path)
    out = read_scene(scene, "VV", grid(11, 4))
    expected = np.full((11, 4), np.nan, np.float32)
    expected[3:9] = 0.2
    expected[:6] = np.where(np.isnan(first), expected[:6], 0.1)
    np.testing.assert_array_equal(out, expected)


def test_a_piece_that_adds_nothing_is_not_read(tmp_path: Path, write_scene: WriteScene, reads: Reads) -> None:
    power = np.full((6, 4), 0.1, np.float32)
    for seconds in (0, 25):
        write_scene(tmp_path / scene_name(MOMENT + timedelta(seconds=seconds)), {"VV": power})
    (scene,) = scenes_in(tmp_path)
    read_scene(scene, "VV", grid(6, 4))
    assert [name for name, _ in reads] == [scene.files[0].path.name]
    assert np.isnan(read_scene(scene, "HH", grid(6, 4))).all()


def test_a_window_of_a_mosaic_of_two_zones_equals_the_whole(tmp_path: Path, write_scene: WriteScene) -> None:
    rng = np.random.default_rng(1)
    write_scene(tmp_path / scene_name(MOMENT), {"VV": speckled(rng, (40, 40), 0.1)})
    write_scene(
        tmp_path / scene_name(MOMENT + timedelta(seconds=25)),
        {"VV": speckled(rng, (60, 60), 0.1)},
        left=1072000.0,
        top=4759000.0,
        crs="EPSG:32653",
    )
    (only,) = open_stacks(scenes_in(tmp_path), grid(40, 40)).values()
    whole = only["VV"].values
    window = only["VV"].isel(y=slice(7, 30), x=slice(11, 33)).values
    np.testing.assert_allclose(window, whole[:, 7:30, 11:33], rtol=0.02)


def test_ground_is_shared_when_areas_meet_not_edges() -> None:
    box = grid(10, 10)
    left, bottom, right, top = box.boundingbox.bbox
    assert touches((left + 1, bottom + 1, right + 50, top + 50), box)
    assert touches((left - 5, bottom - 5, right + 5, top + 5), box)
    assert not touches((right, bottom, right + 10, top), box)
    assert not touches((left, top, right, top + 10), box)
    assert not touches((left, bottom - 10, right, bottom), box)
