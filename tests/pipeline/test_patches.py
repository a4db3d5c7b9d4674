"""Patches: where they lie, what they hold beyond themselves, and what of them is learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from headscarp.features.change import Change
from headscarp.grid import Tile, tiles
from headscarp.pipeline.map.patches import (
    PATCH_PX,
    cut_patches,
    join,
    lay_patches,
    patch_stride,
    read_sample,
    write_sample,
)
from tests.detect.made_change import THREE_ORBITS, change_from

SHAPE = (150, 200)
HALO_PX = 4
TILE_PX = 2 * PATCH_PX
GRID = GeoBox(SHAPE, Affine(20, 0, 580000, 0, -20, 4730000), "EPSG:32654")


@pytest.fixture(scope="module")
def whole() -> Change:
    """The map with nothing observed around it; each pixel's value is its own number."""
    numbers = np.arange(SHAPE[0] * SHAPE[1], dtype=np.float32).reshape(SHAPE)
    values = np.stack([np.stack([numbers, -numbers])] * 3)
    made = change_from(values, THREE_ORBITS)
    slope = xr.DataArray(numbers / 1000, dims=("y", "x"))
    named = made.assign(slope_deg=slope, observable=xr.full_like(slope, 3, dtype=np.uint8))
    fill = {name: np.nan if named[name].dtype.kind == "f" else 0 for name in named.data_vars}
    bare = named.drop_vars(["y", "x"])
    return bare.pad(y=(HALO_PX, HALO_PX), x=(HALO_PX, HALO_PX), constant_values=fill)


def of_tile(whole: Change, tile: Tile) -> Change:
    """A tile's change with its halo."""
    return whole.isel(
        y=slice(tile.rows.start, tile.rows.stop + 2 * HALO_PX),
        x=slice(tile.cols.start, tile.cols.stop + 2 * HALO_PX),
    )


def seen_on(change: Change) -> np.ndarray:
    return np.isfinite(change["change_db"].values).any(axis=(0, 1))


def patches_of(whole: Change, stride: int = 1, learnable: np.ndarray | None = None) -> list[Change]:
    found = []
    for tile in tiles(GRID, TILE_PX):
        change = of_tile(whole, tile)
        seen = seen_on(change)
        if learnable is not None:
            seen &= np.pad(learnable, HALO_PX)[
                tile.rows.start : tile.rows.stop + 2 * HALO_PX, tile.cols.start : tile.cols.stop + 2 * HALO_PX
            ]
        patches = cut_patches(change, lay_patches(tile, HALO_PX, stride, seen))
        found += [] if patches is None else [patches]
    return found


def counted_numbers(patches: Change) -> np.ndarray:
    """Numbers of the pixels that are learned from."""
    values = patches["change_db"].values[0, 0]
    return values[patches["counted"].values]


def test_every_pixel_is_counted_once(whole: Change) -> None:
    found = np.sort(np.concatenate([counted_numbers(part) for part in patches_of(whole)]))
    np.testing.assert_array_equal(found, np.arange(SHAPE[0] * SHAPE[1]))


def test_every_variable_is_in_step_and_on_its_dimensions(whole: Change) -> None:
    for part in patches_of(whole):
        assert part["change_db"].dims == ("orbit", "polarization", "patch", "y", "x")
        assert part["slope_deg"].dims == part["counted"].dims == ("patch", "y", "x")
        assert part.sizes["y"] == part.sizes["x"] == PATCH_PX + 2 * HALO_PX
        numbers = part["change_db"].values[0, 0]
        np.testing.assert_array_equal(part["change_db"].values[2, 1], -numbers)
        np.testing.assert_array_equal(part["slope_deg"], numbers / np.float32(1000))
        assert part["counted"].dtype == np.bool_
        assert part["pre_count"].dtype == np.uint16
        assert part["orbit_state"].values.tolist() == list(THREE_ORBITS.values())


def test_the_halo_of_a_patch_is_what_the_map_holds_there(whole: Change) -> None:
    """Also across the border of tiles, and nothing beyond the rim of the grid."""
    by_number = whole["change_db"].values[0, 0]
    checked = 0
    for part in patches_of(whole):
        for i in range(part.sizes["patch"]):
            one = part.isel(patch=i)
            values = one["change_db"].values[0, 0]
            # the patch's first own pixel tells where it lies
            row, col = divmod(int(values[HALO_PX, HALO_PX]), SHAPE[1])
            expected = by_number[row : row + len(values), col : col + len(values)]
            lacking = [(0, len(values) - n) for n in expected.shape]
            expected = np.pad(expected, lacking, constant_values=np.nan)
            np.testing.assert_array_equal(values, expected)
            beyond = np.isnan(values)
            assert (one["pre_count"].values[:, :, beyond] == 0).all()
            assert (one["observable"].values[beyond] == 0).all()
            assert not one["counted"].values[beyond].any()
            checked += 1
    assert checked == 3 * 4


@pytest.mark.parametrize("stride", [2, 3, 5])
def test_every_so_manieth_patch_counts_none_twice(whole: Change, stride: int) -> None:
    parts = patches_of(whole, stride)
    found = np.concatenate([counted_numbers(part) for part in parts])
    assert len(np.unique(found)) == len(found)
    assert 0 < sum(part.sizes["patch"] for part in parts) <= -(-12 // stride) + 2
    # the choice is that of the grid's rows and columns of patches, whatever the tiles
    places = {(int(n) // SHAPE[1] // PATCH_PX, int(n) % SHAPE[1] // PATCH_PX) for n in found}
    assert places == {(i, j) for i in range(3) for j in range(4) if (7 * i + j) % stride == 0}


def test_ground_that_is_not_learned_from_is_kept_and_not_counted(whole: Change) -> None:
    learnable = np.zeros(SHAPE, bool)
    learnable[70:90, 10:30] = True
    parts = patches_of(whole, learnable=learnable)
    assert sum(part.sizes["patch"] for part in parts) == 1
    numbers = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)[learnable]
    np.testing.assert_array_equal(np.sort(counted_numbers(parts[0])), numbers)
    assert np.isfinite(parts[0]["change_db"].values[0, 0]).sum() > len(numbers)


def test_a_tile_without_ground_to_learn_from_has_no_patches(whole: Change) -> None:
    assert patches_of(whole, learnable=np.zeros(SHAPE, bool)) == []


def test_patches_of_tiles_are_joined_one_after_the_other(whole: Change) -> None:
    parts = patches_of(whole)
    together = join(parts)
    assert together.sizes["patch"] == 12
    np.testing.assert_array_equal(
        together["change_db"].isel(patch=slice(0, parts[0].sizes["patch"])), parts[0]["change_db"]
    )
    np.testing.assert_array_equal(together["slope_deg"].isel(patch=-1), parts[-1]["slope_deg"].isel(patch=-1))


def test_a_sample_comes_back_from_its_file(whole: Change, tmp_path: Path) -> None:
    part = patches_of(whole)[0]
    write_sample(tmp_path / "sample.npz", part)
    xr.testing.assert_identical(read_sample(tmp_path / "sample.npz"), part.drop_attrs())


@pytest.mark.parametrize(
    ("covered", "wanted", "stride"), [(0, 100, 1), (100, 100, 1), (101, 100, 2), (1000, 100, 10)]
)
def test_the_stride_keeps_the_sample_small(covered: float, wanted: int, stride: int) -> None:
    assert patch_stride(covered, wanted) == stride
