"""Layer 2: values arrive as linear power, on any grid, whole or in tiles, or not at all."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import odc.geo.crs
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from headscarp.errors import SceneError
from headscarp.grid import tiles
from headscarp.ingest.raster import (
    SAMPLE_VALUES,
    bounds_in,
    read_header,
    read_on_grid,
    read_sample,
    read_sha256,
    scale_of,
    to_power,
)
from headscarp.vocabulary import BackscatterScale
from tests.conftest import speckled

POWER, DECIBEL, AMPLITUDE = BackscatterScale
LEFT, TOP, SPACING = 580000.0, 4730000.0, 20.0
APPROXIMATION_PX = 0.02
"""GDAL interpolates the reprojection between exact points: stray positions of a warped pixel."""

WriteScene = Callable[..., Path]
FloatArray = NDArray[np.float32]


def read(path: Path, target: GeoBox, scale: BackscatterScale = POWER, band: int = 1) -> FloatArray:
    header = read_header(path)
    return read_on_grid(path, band, header.geobox, header.nodata, scale, target)


def grid(height: int, width: int, spacing: float = SPACING, dx: float = 0.0, dy: float = 0.0) -> GeoBox:
    """Grid that starts dx metres right of and dy metres below the origin of the scenes."""
    return GeoBox((height, width), Affine(spacing, 0, LEFT + dx, 0, -spacing, TOP - dy), "EPSG:32654")


def grid_around(source: GeoBox, crs: str, spacing: float, margin: int = 3) -> GeoBox:
    left, bottom, right, top = bounds_in(source, odc.geo.crs.CRS(crs))
    shape = (
        math.ceil((top - bottom) / spacing) + 2 * margin,
        math.ceil((right - left) / spacing) + 2 * margin,
    )
    return GeoBox(
        shape, Affine(spacing, 0, left - margin * spacing, 0, -spacing, top + margin * spacing), crs
    )


# Conversion


def test_power_is_kept_and_what_is_no_power_becomes_nan() -> None:
    values = np.array([0.1, 0.0, -0.1, np.nan, np.inf, -np.inf, -9999, 7.0], np.float32)
    expected = [np.float32(0.1)] + [np.nan] * 6 + [7.0]
    np.testing.assert_array_equal(to_power(values, -9999.0, POWER), np.array(expected, np.float32))


def test_decibels_become_power_and_zero_fill_becomes_nan() -> None:
    values = np.array([-10.0, 10.0, -30.0, 0.0, np.nan, -9999.0], np.float32)
    expected = [0.1, 10.0, 0.001, np.nan, np.nan, np.nan]
    np.testing.assert_allclose(to_power(values, -9999.0, DECIBEL), expected, rtol=1e-6)


def test_amplitude_is_squared_and_never_negative() -> None:
    values = np.array([0.5, -0.5, 0.0, 255.0], np.float32)
    expected = [0.25, np.nan, np.nan, np.nan]
    np.testing.assert_array_equal(to_power(values, 255.0, AMPLITUDE), np.array(expected, np.float32))


@pytest.mark.parametrize("nodata", [None, math.nan])
def test_without_a_nodata_value_only_values_decide(nodata: float | None) -> None:
    out = to_power(np.array([0.2, -9999, np.nan], np.float32), nodata, POWER)
    assert np.isfinite(out).tolist() == [True, False, False]


stored_values = st.just(0.0) | st.floats(-40, -0.125, width=32) | st.floats(0.125, 40, width=32)


@settings(deadline=None)
@given(
    values=hnp.arrays(np.float32, 12, elements=stored_values),
    nodata=st.sampled_from([None, -9999.0, 5.0]),
    scale=st.sampled_from(list(BackscatterScale)),
)
def test_power_is_positive_or_nan_and_matches_a_loop(
    values: FloatArray, nodata: float | None, scale: BackscatterScale
) -> None:
    def one(value: float) -> float:
        if value in (0, nodata) or (scale is not DECIBEL and value < 0):
            return math.nan
        return {POWER: value, DECIBEL: 10 ** (value / 10), AMPLITUDE: value * value}[scale]

    out = to_power(values, nodata, scale)
    assert out.dtype == np.float32
    assert not (out < 0).any()
    np.testing.assert_allclose(out, [one(float(v)) for v in values], rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.01, 0.05, 0.2, 1.5], POWER),
        ([-7.0, -12.0, -20.0, 1.0], DECIBEL),
        ([0.01, 0.05] * 15 + [-0.001], POWER),  # 3% negative: noise subtraction, still power
        ([0.01, 0.05] * 5 + [-0.001], None),  # 9% negative: neither
        ([120.0, 90.0, 400.0], None),  # digital numbers
        ([3.5, 2.0, 4.0], None),
        ([], None),
    ],
)
def test_the_scale_of_values(values: list[float], scale: BackscatterScale | None) -> None:
    assert scale_of(np.array(values, np.float32)) is scale


def test_the_scale_of_real_land(real_data: Path) -> None:
    for path in sorted((real_data / "opera_rtc_s1").rglob("*.tif"))[::25]:
        power = read_sample(path, 1, read_header(path).nodata)
        assert scale_of(power) is POWER
        assert scale_of(10 * np.log10(power)) is DECIBEL


# Headers and samples


def test_a_header_says_what_a_file_says(tmp_path: Path, write_scene: WriteScene) -> None:
    values = np.ones((3, 4), np.float32)
    path = write_scene(tmp_path / "a.tif", {"VV": values, "VH": values}, nodata=-1.0, tags={"Key": "Value"})
    header = read_header(path)
    assert header.descriptions == ("VV", "VH")
    assert header.tags["key"] == "Value"
    assert header.nodata == -1.0
    assert header.geobox == grid(3, 4)


def test_a_file_without_crs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with rasterio.open(path, "w", driver="GTiff", height=2, width=2, count=1, dtype="float32",
                       transform=Affine(20, 0, LEFT, 0, -20, TOP)) as dataset:  # fmt: skip
        dataset.write(np.ones((1, 2, 2), np.float32))
    with pytest.raises(SceneError, match="no CRS") as caught:
        read_header(path)
    assert str(path) in caught.value.given


@pytest.mark.parametrize(
    "transform",
    [
        Affine(20, 0, LEFT, 0, 20, TOP),
        Affine.translation(LEFT, TOP) @ Affine.rotation(9) @ Affine.scale(20, -20),
    ],
)
def test_a_grid_that_is_not_north_up_is_refused(tmp_path: Path, transform: Affine) -> None:
    path = tmp_path / "a.tif"
    with rasterio.open(path, "w", driver="GTiff", height=2, width=2, count=1, dtype="float32",
                       crs="EPSG:32654", transform=transform) as dataset:  # fmt: skip
        dataset.write(np.ones((1, 2, 2), np.float32))
    with pytest.raises(SceneError, match="gdalwarp"):
        read_header(path)


def test_a_sample_holds_valid_values_only(tmp_path: Path, write_scene: WriteScene) -> None:
    values = np.array([[0.5, 0.0, -9999], [np.nan, np.inf, 0.25]], np.float32)
    path = write_scene(tmp_path / "a.tif", {"VV": values}, nodata=-9999.0)
    assert sorted(read_sample(path, 1, -9999.0).tolist()) == [0.25, 0.5]


def test_a_sample_of_nothing_is_empty(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / "a.tif", {"VV": np.zeros((9, 9), np.float32)})
    assert read_sample(path, 1, None).size == 0


def write_tiled(path: Path, values: FloatArray) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1, dtype="float32",
        crs="EPSG:32654", transform=Affine(SPACING, 0, LEFT, 0, -SPACING, TOP), tiled=True,
        blockxsize=128, blockysize=128, compress="deflate", nodata=np.nan,
    ) as dataset:  # fmt: skip
        dataset.write(values, 1)
    return path


def test_a_sample_is_small_and_spread_over_a_large_file(tmp_path: Path) -> None:
    values = np.repeat(np.linspace(0.1, 0.9, 1024, dtype=np.float32)[:, None], 1024, axis=1)
    values[:, ::300] = np.nan
    sample = read_sample(write_tiled(tmp_path / "a.tif", values), 1, None)
    assert SAMPLE_VALUES <= sample.size < values.size / 8
    values[np.random.default_rng(0).random(values.shape) > 0.002] = np.nan  # few valid: more blocks
    sample = read_sample(write_tiled(tmp_path / "b.tif", values), 1, None)
    assert sample.min() < 0.2 and sample.max() > 0.8


@pytest.mark.parametrize("place", [(0, 0), (70, 900), (500, 500), (1023, 0), (1023, 1023)])
def test_a_few_valid_values_anywhere_in_a_file_are_found(tmp_path: Path, place: tuple[int, int]) -> None:
    values = np.full((1024, 1024), np.nan, np.float32)
    values[place] = -7.0
    assert read_sample(write_tiled(tmp_path / "a.tif", values), 1, None).tolist() == [-7.0]


@pytest.mark.parametrize("share", [0.98, 0.6, 0.01])
def test_a_truncated_file_is_named(tmp_path: Path, share: float) -> None:
    path = write_tiled(tmp_path / "cut.tif", speckled(np.random.default_rng(0), (512, 512), 0.1))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SceneError) as caught:
        read_sample(path, 1, read_header(path).nodata)
    assert "cut.tif" in caught.value.given
    assert "download the file again" in caught.value.fix


@pytest.mark.parametrize("content", [b"", b"not a tiff", b"II*\0"])
def test_what_is_no_raster_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.tif"
    path.write_bytes(content)
    with pytest.raises(SceneError) as caught:
        read_header(path)
    assert "broken.tif" in caught.value.given


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 1000)
    assert read_sha256(path) == hashlib.sha256(b"abc" * 1000).hexdigest()
    with pytest.raises(SceneError, match=r"gone\.bin"):
        read_sha256(tmp_path / "gone.bin")


# Reading in step


@settings(deadline=None, max_examples=40)
@given(
    row=st.integers(-12, 14), col=st.integers(-12, 14), height=st.integers(1, 20), width=st.integers(1, 20)
)
def test_reading_in_step_equals_slicing(
    row: int, col: int, height: int, width: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = np.arange(1, 121, dtype=np.float32).reshape(10, 12) / 100
    path = tmp_path_factory.getbasetemp() / "in_step.tif"
    if not path.exists():
        write_tiled(path, values)
    padded = np.full((60, 60), np.nan, np.float32)
    padded[20:30, 20:32] = values
    out = read(path, grid(height, width, dx=col * SPACING, dy=row * SPACING))
    np.testing.assert_array_equal(out, padded[20 + row : 20 + row + height, 20 + col : 20 + col + width])


def test_a_real_crop_is_read_as_it_is(real_data: Path) -> None:
    path = sorted((real_data / "opera_rtc_s1" / "T009_enga").glob("*.tif"))[0]
    with rasterio.open(path) as source:
        raw = source.read(1)
    geobox = read_header(path).geobox
    np.testing.assert_array_equal(read(path, geobox), raw)
    np.testing.assert_array_equal(read(path, geobox[50:90, 200:260]), raw[50:90, 200:260])


# Resampling


def test_resampling_averages_power_not_decibels(tmp_path: Path, write_scene: WriteScene) -> None:
    # 0 dB itself is zero fill; a millionth of a decibel is not.
    db = np.array([[1e-6, 20.0], [1e-6, 20.0]], np.float32)
    path = write_scene(tmp_path / "a.tif", {"VV": db})
    ((power,),) = read(path, grid(1, 1, 2 * SPACING), DECIBEL)
    assert 10 * math.log10(power) == pytest.approx(10 * math.log10(50.5), abs=1e-4)
    ((between,),) = read(path, grid(1, 1, SPACING, dx=SPACING / 2, dy=SPACING / 2), DECIBEL)
    assert between == pytest.approx(50.5, rel=1e-5)


def test_coarse_pixels_average_every_valid_source_pixel(tmp_path: Path, write_scene: WriteScene) -> None:
    values = speckled(np.random.default_rng(1), (12, 15), 0.1)
    values[0:3, 0:3] = np.nan
    values[4, 4] = -9999
    path = write_scene(tmp_path / "a.tif", {"VV": values}, nodata=-9999.0)
    out = read(path, grid(4, 5, 3 * SPACING))
    for row in range(4):
        for col in range(5):
            block = values[3 * row : 3 * row + 3, 3 * col : 3 * col + 3]
            valid = [float(v) for v in block.ravel() if v > 0]
            expected = sum(valid) / len(valid) if valid else math.nan
            assert out[row, col] == pytest.approx(expected, rel=1e-5, nan_ok=True)
    assert np.isnan(out[0, 0])


def naive_bilinear(values: FloatArray, row: float, col: float) -> float:
    """Weighted mean of the four nearest pixels, NaN where any of them is missing."""
    r, c = math.floor(row), math.floor(col)
    total = 0.0
    for i, wi in ((r, 1 - (row - r)), (r + 1, row - r)):
        for j, wj in ((c, 1 - (col - c)), (c + 1, col - c)):
            total += wi * wj * float(values[i, j])
    return total


def test_bilinear_reading_on_a_shifted_grid_is_the_weighted_mean(
    tmp_path: Path, write_scene: WriteScene
) -> None:
    values = speckled(np.random.default_rng(2), (20, 22), 0.1)
    path = write_scene(tmp_path / "a.tif", {"VV": values})
    out = read(path, grid(10, 11, SPACING, dx=4.3 * SPACING, dy=5.6 * SPACING))
    for row in range(10):
        for col in range(11):
            expected = naive_bilinear(values, row + 5.6, col + 4.3)
            assert out[row, col] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("nodata", [-9999.0, math.nan, 0.0])
@pytest.mark.parametrize(("dx", "dy"), [(0.5, 0.5), (0.3, 0.0), (0.9, 0.2)])
def test_nodata_stays_nodata_and_never_bleeds(
    nodata: float, dx: float, dy: float, tmp_path: Path, write_scene: WriteScene
) -> None:
    values = speckled(np.random.default_rng(3), (20, 20), 0.1)
    hole = np.zeros(values.shape, bool)
    hole[6:12, 7:13] = True
    values[hole] = nodata
    path = write_scene(tmp_path / "a.tif", {"VV": values}, nodata=nodata)
    out = read(path, grid(19, 19, SPACING, dx=dx * SPACING, dy=dy * SPACING))
    low, high = values[~hole].min(), values[~hole].max()
    for row in range(19):
        for col in range(19):
            rows = slice(row, row + 1 + (dy > 0))
            cols = slice(col, col + 1 + (dx > 0))
            around = hole[rows, cols]
            if around.all():
                assert np.isnan(out[row, col])
            elif not around.any():
                assert np.isfinite(out[row, col])
    assert np.nanmin(out) >= low * 0.999
    assert np.nanmax(out) <= high * 1.001


def test_there_is_nothing_beyond_the_source(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / "a.tif", {"VV": speckled(np.random.default_rng(4), (20, 20), 0.1)})
    far = GeoBox((5, 5), Affine(0.001, 0, 10.0, 0, -0.001, 50.0), "EPSG:4326")
    assert np.isnan(read(path, far)).all()
    out = read(path, grid(40, 40, SPACING, dx=-10.5 * SPACING, dy=-10.5 * SPACING))
    assert np.isnan(out[:10]).all() and np.isnan(out[:, :10]).all()
    assert np.isnan(out[31:]).all() and np.isnan(out[:, 31:]).all()
    assert np.isfinite(out[11:30, 11:30]).all()


TARGETS = [
    ("EPSG:32653", 20.0),
    ("EPSG:32653", 29.8),
    ("EPSG:32653", 34.5),
    ("EPSG:32653", 60.0),
    ("EPSG:4326", 8.983e-5),
    ("EPSG:4326", 2e-4),
    ("EPSG:32654", 27.0),
]


@pytest.fixture
def speckle(tmp_path: Path) -> Path:
    values = speckled(np.random.default_rng(5), (120, 150), 0.1, looks=4)
    values[40:60, 30:50] = np.nan
    return write_tiled(tmp_path / "speckle.tif", values)


@pytest.mark.parametrize("size_px", [16, 37])
@pytest.mark.parametrize(("crs", "spacing"), TARGETS)
def test_tiles_stitched_equal_the_whole(speckle: Path, crs: str, spacing: float, size_px: int) -> None:
    target = grid_around(read_header(speckle).geobox, crs, spacing)
    whole = read(speckle, target)
    stitched = np.full(whole.shape, np.nan, np.float32)
    for tile in tiles(target, size_px):
        stitched[tile.rows, tile.cols] = read(speckle, tile.geobox)
    assert np.isfinite(whole).sum() > 1000
    assert (np.isnan(whole) != np.isnan(stitched)).mean() < 1e-3
    # A pixel's value strays by its stray position times the steepest slope, 0.8 a pixel at most here.
    np.testing.assert_allclose(
        np.nan_to_num(stitched - whole, nan=0.0), 0.0, atol=APPROXIMATION_PX * np.nanmax(whole)
    )


@pytest.mark.parametrize(("crs", "spacing"), TARGETS)
def test_narrow_tiles_are_resampled_like_wide_ones(speckle: Path, crs: str, spacing: float) -> None:
    target = grid_around(read_header(speckle).geobox, crs, spacing)
    whole = read(speckle, target)
    middle = target.shape[1] // 2
    strip = read(speckle, target[:, middle : middle + 1])
    differs = np.abs(strip - whole[:, middle : middle + 1])
    assert np.nanmax(differs) <= APPROXIMATION_PX * np.nanmax(whole)


@pytest.mark.parametrize(("crs", "spacing"), TARGETS)
def test_a_plane_arrives_at_its_place_in_another_crs(tmp_path: Path, crs: str, spacing: float) -> None:
    """An independent transformation (pyproj) says where each pixel of the target lies in the source."""
    rows, cols = np.indices((120, 150), dtype=np.float32)
    path = write_tiled(tmp_path / "plane.tif", 1 + 0.01 * cols + 0.02 * rows)
    target = grid_around(read_header(path).geobox, crs, spacing)
    out = read(path, target)
    t = target.transform
    x, y = np.meshgrid(
        t.c + t.a * (np.arange(target.shape[1]) + 0.5), t.f + t.e * (np.arange(target.shape[0]) + 0.5)
    )
    x, y = Transformer.from_crs(crs, "EPSG:32654", always_xy=True).transform(x, y)
    col, row = (x - LEFT) / SPACING - 0.5, (TOP - y) / SPACING - 0.5
    inner = (col > 3) & (col < 146) & (row > 3) & (row < 116)
    assert inner.sum() > 1000
    expected = 1 + 0.01 * col + 0.02 * row
    # A kernel wider than two pixels is a sum of few samples, and so a little off a plane; averages weigh
    # whole pixels under a rotated one.
    exact = (crs, spacing) in {("EPSG:32653", 20.0), ("EPSG:4326", 8.983e-5)}
    allowed_px = 0.35 if spacing == 60.0 else APPROXIMATION_PX if exact else 0.1
    np.testing.assert_allclose(out[inner], expected[inner], atol=allowed_px * 0.03)


def test_bounds_in_another_crs_hold_every_edge() -> None:
    source = grid(200, 300)
    west, south, east, north = bounds_in(source, odc.geo.crs.CRS("EPSG:4326"))
    t = source.transform
    edge = np.linspace(0, 1, 101)
    cols = np.concatenate([300 * edge, 300 * edge, 0 * edge, 0 * edge + 300])
    rows = np.concatenate([0 * edge, 0 * edge + 200, 200 * edge, 200 * edge])
    transformer = Transformer.from_crs("EPSG:32654", "EPSG:4326", always_xy=True)
    x, y = transformer.transform(t.c + t.a * cols, t.f + t.e * rows)
    assert (west, south, east, north) == pytest.approx((x.min(), y.min(), x.max(), y.max()), abs=1e-7)
    assert bounds_in(source, source.crs) == tuple(source.boundingbox.bbox)
