"""Rasters that a user declares: quantities interpolated, categories never blended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from headscarp.config import StackOptions
from headscarp.errors import OptionsError
from headscarp.features.sets import FeatureSet
from headscarp.grid import Tile
from headscarp.pipeline.map.declared import holds_codes, refuse_undeclared
from headscarp.pipeline.map.observe import read_rasters

LEFT, TOP = 580000.0, 4730000.0
GRID = GeoBox((20, 30), Affine(20, 0, LEFT + 37, 0, -20, TOP - 53), "EPSG:32654")
TILE = Tile(GRID, slice(0, 20), slice(0, 30))
WriteScene = Callable[..., Path]


def centres(geobox: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = geobox.shape
    t = geobox.transform
    return np.meshgrid(t.c + t.a * (np.arange(cols) + 0.5), t.f + t.e * (np.arange(rows) + 0.5))


def test_a_plane_stays_a_plane(tmp_path: Path, write_scene: WriteScene) -> None:
    source = GeoBox((60, 60), Affine(30, 0, LEFT - 300, 0, -30, TOP + 300), "EPSG:32654")
    x, y = centres(source)
    plane = (0.01 * (x - LEFT) - 0.02 * (y - TOP)).astype(np.float32)
    plane[0, 0] = -9999
    path = write_scene(
        tmp_path / "rain.tif", {"rain": plane}, left=LEFT - 300, top=TOP + 300, spacing=30.0, nodata=-9999
    )
    read = read_rasters(["raster:rain", "change_db"], {"rain": path, "other": path}, TILE, 3)
    assert list(read) == ["raster:rain"]
    x, y = centres(GRID.pad(3))
    np.testing.assert_allclose(read["raster:rain"], 0.01 * (x - LEFT) - 0.02 * (y - TOP), atol=1e-3)


def test_codes_are_those_of_the_nearest_pixel(tmp_path: Path, write_scene: WriteScene) -> None:
    codes = np.random.default_rng(0).integers(1, 9, (12, 14)).astype(np.int16)
    codes[4, 5] = 0
    path = write_scene(tmp_path / "soil.tif", {"soil": codes}, spacing=50.0, nodata=0)
    read = read_rasters(["raster:soil"], {"soil": path}, TILE, 0)["raster:soil"]
    x, y = centres(GRID)
    col, row = np.floor((x - LEFT) / 50).astype(int), np.floor((TOP - y) / 50).astype(int)
    expected = np.full(GRID.shape, np.nan)
    within = (col < 14) & (row < 12)
    expected[within] = codes[row[within], col[within]]
    expected[expected == 0] = np.nan
    assert np.isnan(expected).sum() > 4
    np.testing.assert_array_equal(read, expected)


def test_nothing_is_known_beyond_a_raster(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / "rain.tif", {"rain": np.ones((6, 6), np.float32)}, left=LEFT + 9e5)
    assert np.isnan(read_rasters(["raster:rain"], {"rain": path}, TILE, 0)["raster:rain"]).all()


@pytest.mark.parametrize(("dtype", "codes"), [("uint8", True), ("int32", True), ("float32", False)])
def test_whole_numbers_are_codes(tmp_path: Path, write_scene: WriteScene, dtype: str, codes: bool) -> None:
    path = write_scene(tmp_path / "a.tif", {"a": np.ones((4, 4), dtype)}, nodata=None)
    assert holds_codes(path) == codes


def test_what_a_set_needs_must_be_declared(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / "a.tif", {"a": np.ones((4, 4), np.float32)})
    plain = FeatureSet(name="plain", channels=("change_vv_fused_db", "raster:a"))
    one = FeatureSet(name="one", channels=("change_vv_fused_db", "raster:a=1"))
    declared = StackOptions(rasters={"a": path})
    assert refuse_undeclared(plain, declared, "x") is None
    with pytest.raises(OptionsError, match="holds fractions"):
        refuse_undeclared(one, declared, "x")
    with pytest.raises(OptionsError, match="none named a for the map"):
        refuse_undeclared(plain, StackOptions(), "the map")
    with pytest.raises(OptionsError, match="aspect_deg"):
        ground = FeatureSet(name="ground", channels=("change_vv_fused_db", "aspect_east"))
        refuse_undeclared(ground, StackOptions(), "the map")
