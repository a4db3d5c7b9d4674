"""Layer 3: heights on the grid of a run, from a height model in any CRS."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from headscarp.errors import GridError, SceneError
from headscarp.grid import tiles
from headscarp.ingest.dem import check_dem, read_height
from headscarp.ingest.raster import bounds_in, read_header

WriteScene = Callable[..., Path]
FloatArray = NDArray[np.float32]
LEFT, TOP = 580000.0, 4730000.0


def grid(height: int, width: int, spacing: float, dx: float = 0.0, dy: float = 0.0) -> GeoBox:
    return GeoBox((height, width), Affine(spacing, 0, LEFT + dx, 0, -spacing, TOP - dy), "EPSG:32654")


def plane_m(height: int = 60, width: int = 70) -> FloatArray:
    """Heights that rise by 3 m a pixel to the east and fall by 2 m a pixel to the south."""
    rows, cols = np.indices((height, width))
    return (1000 + 3 * cols - 2 * rows).astype(np.float32)


def test_heights_on_their_own_grid_are_kept(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / "dem.tif", {"height": plane_m().astype(np.int16)}, nodata=-32768)
    out = read_height(path, grid(60, 70, 20.0))
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, plane_m())


def test_sea_level_and_depressions_are_heights(tmp_path: Path, write_scene: WriteScene) -> None:
    """Zero is fill in backscatter, but a height in a height model."""
    heights = np.array([[0, -5], [3, 0]], np.float32)
    path = write_scene(tmp_path / "dem.tif", {"height": heights}, nodata=-9999.0)
    np.testing.assert_array_equal(read_height(path, grid(2, 2, 20.0)), heights)


def test_a_plane_is_interpolated_at_pixel_centres(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / "dem.tif", {"height": plane_m()}, spacing=30.0)
    target = grid(60, 70, 10.0, dx=205.0, dy=307.0)
    rows, cols = np.indices(target.shape)
    col = (205 + 10 * (cols + 0.5)) / 30 - 0.5
    row = (307 + 10 * (rows + 0.5)) / 30 - 0.5
    np.testing.assert_allclose(read_height(path, target), 1000 + 3 * col - 2 * row, atol=1e-3)


@pytest.mark.parametrize(("crs", "spacing"), [("EPSG:4326", 1.8e-4), ("EPSG:32653", 20.0)])
def test_a_dem_in_another_crs_arrives_at_its_place(
    tmp_path: Path, write_scene: WriteScene, crs: str, spacing: float
) -> None:
    """pyproj says, on its own, where in the height model each pixel of the map lies."""
    left, bottom, right, top = bounds_in(grid(60, 70, 20.0), CRS(crs))
    shape = (math.ceil((top - bottom) / spacing) + 6, math.ceil((right - left) / spacing) + 6)
    left, top = left - 3 * spacing, top + 3 * spacing
    path = write_scene(
        tmp_path / "dem.tif", {"height": plane_m(*shape)}, left=left, top=top, spacing=spacing, crs=crs
    )
    target = grid(60, 70, 20.0)
    x, y = np.meshgrid(LEFT + 20 * (np.arange(70) + 0.5), TOP - 20 * (np.arange(60) + 0.5))
    x, y = Transformer.from_crs("EPSG:32654", crs, always_xy=True).transform(x, y)
    expected = 1000 + 3 * ((x - left) / spacing - 0.5) - 2 * ((top - y) / spacing - 0.5)
    # Where a kernel is a little wider than two pixels a plane is matched to a tenth of a pixel.
    np.testing.assert_allclose(read_height(path, target), expected, atol=0.5)
    assert np.abs(read_height(path, target) - expected).mean() < 0.1


def test_beyond_the_dem_there_is_no_height(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / "dem.tif", {"height": plane_m()}, nodata=-9999.0)
    out = read_height(path, grid(80, 90, 20.0, dx=-200.0, dy=-200.0))
    np.testing.assert_array_equal(out[10:70, 10:80], plane_m())
    out[10:70, 10:80] = np.nan
    assert np.isnan(out).all()


@pytest.mark.parametrize("nodata", [32767, -32768, -9999])
@pytest.mark.parametrize("spacing", [20.0, 13.0, 60.0])
def test_nodata_is_no_height_and_its_number_never_enters_another(
    tmp_path: Path, write_scene: WriteScene, nodata: int, spacing: float
) -> None:
    """Heights beside a void are interpolated from the valid pixels alone; in the void there are none."""
    heights = plane_m().astype(np.int16)
    heights[20:35, 30:45] = nodata
    path = write_scene(tmp_path / "dem.tif", {"height": heights}, nodata=nodata)
    size = int(1200 / spacing)
    out = read_height(path, grid(size, size, spacing))
    assert np.nanmin(out) >= 1000 - 2 * 59
    assert np.nanmax(out) <= 1000 + 3 * 69
    # Well within the void: two source pixels from its edge.
    first_row, last_row = math.ceil(22 * 20 / spacing), math.floor(33 * 20 / spacing)
    first_col, last_col = math.ceil(32 * 20 / spacing), math.floor(43 * 20 / spacing)
    assert np.isnan(out[first_row:last_row, first_col:last_col]).all()
    assert np.isfinite(out[: int(18 * 20 / spacing)]).all()


def test_a_dem_without_nodata_value_is_all_height(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / "dem.tif", {"height": plane_m()}, nodata=None)
    np.testing.assert_array_equal(read_height(path, grid(60, 70, 20.0)), plane_m())
    assert np.isfinite(read_height(path, grid(30, 30, 17.0, dx=100, dy=100))).all()


@pytest.mark.parametrize(
    ("crs", "spacing"), [("EPSG:32611", 20.0), ("EPSG:32610", 30.0), ("EPSG:4326", 3e-4)]
)
def test_tiles_of_real_heights_equal_the_whole(real_data: Path, crs: str, spacing: float) -> None:
    path = real_data / "dem" / "bigtujunga.tif"
    source = read_header(path).geobox[250:370, 500:640]
    left, bottom, right, top = bounds_in(source, CRS(crs))
    shape = (int((top - bottom) / spacing), int((right - left) / spacing))
    target = GeoBox(shape, Affine(spacing, 0, left, 0, -spacing, top), crs)
    whole = read_height(path, target)
    stitched = np.full(whole.shape, np.nan, np.float32)
    for tile in tiles(target, 50):
        stitched[tile.rows, tile.cols] = read_height(path, tile.geobox)
    assert np.isfinite(whole).all()
    with rasterio.open(path) as dem:
        heights = dem.read(1)[240:380, 490:650]
    assert heights.min() <= whole.min() and whole.max() <= heights.max()
    # A hundredth of a 30 m pixel on a slope of 60° is half a metre.
    np.testing.assert_allclose(stitched, whole, atol=0.5)


def test_a_compound_crs_is_read_as_its_horizontal_part(real_data: Path) -> None:
    path = real_data / "safe_grd" / "Rome-30m-DEM.tif"
    target = GeoBox((50, 60), Affine(30, 0, 290000, 0, -30, 4655000), "EPSG:32633")
    out = read_height(path, target)
    assert np.isfinite(out).all()
    x, y = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(290915.0, 4654235.0)
    with rasterio.open(path) as dem:
        ((nearby,),) = dem.sample([(x, y)])
    assert out[25, 30] == pytest.approx(float(nearby), abs=15.0)
    check_dem(path, target)


def test_a_dem_that_covers_part_of_the_map_is_allowed(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / "dem.tif", {"height": plane_m()})
    check_dem(path, grid(100, 100, 20.0, dx=1000, dy=1000))
    check_dem(path, grid(5, 5, 2000.0, dx=-5000, dy=-5000))


@pytest.mark.parametrize(("dx", "dy"), [(1400.0, 0.0), (-1400.0, 0.0), (0.0, 1400.0), (0.0, -1400.0)])
def test_a_dem_of_another_place_is_refused(
    tmp_path: Path, write_scene: WriteScene, dx: float, dy: float
) -> None:
    path = write_scene(tmp_path / "dem.tif", {"height": plane_m()})
    with pytest.raises(GridError, match="a DEM that covers the map") as caught:
        check_dem(path, grid(60, 70, 20.0, dx=dx, dy=dy))
    assert "dem.tif" in caught.value.given


def test_a_dem_of_another_continent_is_refused(real_data: Path) -> None:
    with pytest.raises(GridError, match="covers none of it"):
        check_dem(real_data / "dem" / "bigtujunga.tif", grid(60, 70, 20.0))


def test_a_dem_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "dem.tif"
    path.write_bytes(b"not a raster")
    with pytest.raises(SceneError, match=r"dem\.tif"):
        check_dem(path, grid(5, 5, 20.0))
    with pytest.raises(SceneError, match=r"dem\.tif"):
        read_height(path, grid(5, 5, 20.0))
