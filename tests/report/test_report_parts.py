"""The parts of the page: decimation, extents, frames, colours, numbers."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from shapely.geometry import box

from headscarp.record import HistogramRecord
from headscarp.report.extents import Extent, find_islands, observed_extent
from headscarp.report.layers import change_ramp, change_span, count_ramp, paint, probability_ramp
from headscarp.report.overlay import (
    Landslide,
    corner_positions,
    draw_landslides,
    frame_extent,
    scale_bar,
)
from headscarp.report.png import indexed_png
from headscarp.report.rasters import MapGrid, block_max, read_max
from headscarp.report.tables import _poisson_interval
from headscarp.report.wording import say_number

UTM_GRID = Affine(10, 0, 500_000, 0, -10, 4_100_000)


def test_block_max_against_a_loop() -> None:
    values = np.random.default_rng(3).normal(size=(11, 17)).astype(np.float32)
    values[values < 0.3] = np.nan
    found = block_max(values, 4)
    assert found.shape == (3, 5)
    for row, col in np.ndindex(found.shape):
        block = values[4 * row : 4 * row + 4, 4 * col : 4 * col + 4]
        block = block[np.isfinite(block)]
        expected = block.max() if block.size else np.nan
        np.testing.assert_equal(found[row, col], expected)


def test_one_pixel_landslide_survives_decimation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.zeros((600, 700), np.float32)
    values[411, 503] = 1
    path = tmp_path / "probability.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=600, width=700, count=1, dtype="float32",
        crs="EPSG:32611", transform=UTM_GRID, nodata=np.nan,
    ) as target:  # fmt: skip
        target.write(values, 1)
    monkeypatch.setattr("headscarp.report.rasters._STRIP_PIXELS", 40_000)
    found = read_max(path, Extent(10, 20, 580, 660), 7)
    assert found.shape == (83, 95)
    assert np.argwhere(found == 1).tolist() == [[(411 - 10) // 7, (503 - 20) // 7]]


def test_extent_bounds_the_observed_ground() -> None:
    observed = np.zeros((100, 200), bool)
    observed[40:60, 50:150] = True
    extent = observed_extent(observed, (1000, 2000))
    assert 300 < extent.row < 400
    assert 600 < extent.row + extent.height < 700
    assert 400 < extent.col < 500
    assert 1500 < extent.col + extent.width < 1600
    assert observed_extent(~observed & False, (1000, 2000)) == Extent(0, 0, 1000, 2000)


def test_islands_only_where_one_picture_would_not_do() -> None:
    observed = np.zeros((100, 800), bool)
    observed[40:50, 10:20] = True
    assert find_islands(observed, (100, 800)) == []
    observed[40:50, 780:790] = True
    assert len(find_islands(observed, (100, 800))) == 2
    observed[40:50, 10:790] = True
    assert find_islands(observed, (100, 800)) == []


def test_frame_scale_and_corners() -> None:
    grid = MapGrid("EPSG:32611", UTM_GRID, (1000, 1000))  # on the central meridian
    frame = frame_extent(grid, Extent(0, 0, 1000, 1000), 1000.0)
    assert frame.pixel_m == pytest.approx((10.004, 10.004), abs=0.002)
    assert abs(frame.north_deg) < 0.1
    bar = scale_bar(frame)
    assert bar.label == "2 km"
    assert bar.length == pytest.approx(200, rel=1e-3)
    name, lat, lon = corner_positions(frame)[0]
    assert name == "upper left"
    assert (lat, lon) == pytest.approx((37.0468, -117.0), abs=1e-3)


def test_north_turns_with_the_grid() -> None:
    away = MapGrid("EPSG:32611", Affine(10, 0, 800_000, 0, -10, 4_100_000), (100, 100))
    # meridian convergence east of the central meridian: (λ - λ0) sin φ, here about 3.37° sin 37°
    frame = frame_extent(away, Extent(0, 0, 100, 100), 100.0)
    assert frame.north_deg == pytest.approx(-2.03, abs=0.06)


def test_numbers_never_cover_one_another() -> None:
    grid = MapGrid("EPSG:32611", UTM_GRID, (100, 100))
    frame = frame_extent(grid, Extent(0, 0, 100, 100), 100.0)
    near = [
        Landslide(str(i), "", box(500_300 + 20 * i, 4_099_500, 500_310 + 20 * i, 4_099_510)) for i in range(3)
    ]
    outside = Landslide("9", "", box(0, 0, 10, 10))
    drawn = draw_landslides([*near, outside], frame)
    assert [outline.number for outline in drawn] == ["0", "1", "2"]
    assert [outline.label is not None for outline in drawn] == [True, False, False]
    assert all(outline.ring for outline in drawn)


def test_change_colours_are_centred_on_zero() -> None:
    ramp = change_ramp("VV", 5.0)
    assert ramp.low == -ramp.high
    low, middle, high = ramp.colors[0], ramp.colors[len(ramp.colors) // 2], ramp.colors[-1]
    assert middle[:3].min() > 235
    assert high[0] > high[2]  # loss is red
    assert low[2] > low[0]  # gain is blue


def test_change_span_covers_nearly_all() -> None:
    edges = np.linspace(-20, 20, 401)
    narrow = HistogramRecord(edges=edges.tolist(), counts=[0] * 195 + [9] * 10 + [0] * 195)
    wide = HistogramRecord(edges=edges.tolist(), counts=[1] * 400)
    assert (change_span(narrow), change_span(wide), change_span(None)) == (3.0, 10.0, 6.0)


@pytest.mark.parametrize("highest", [0, 1, 8, 9, 60])
def test_counts_have_colours_of_their_own(highest: int) -> None:
    ramp = count_ramp(highest)
    assert all(0 <= place <= 1 for place, _ in ramp.ticks)
    assert ramp.ticks[-1][1] == str(max(1, highest))


def test_layers_keep_clear_where_probability_is_nil() -> None:
    ramp = probability_ramp(0.8)
    assert ramp.colors[0, 3] == 0
    assert ramp.colors[-1, 3] > 200
    uri = paint(np.array([[0.0, 1.0, np.nan]], np.float32), ramp, np.array([[0, 0, 1]], bool))
    image = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGBA")
    assert [image.getpixel((x, 0))[3] for x in range(3)] == [0, int(ramp.colors[-1, 3]), 255]  # type: ignore[index]


def test_indexed_png_round_trip() -> None:
    rng = np.random.default_rng(5)
    palette = rng.integers(0, 256, (7, 4), np.uint8)
    index = rng.integers(0, 7, (13, 19), np.uint8)
    image = Image.open(io.BytesIO(indexed_png(index, palette))).convert("RGBA")
    np.testing.assert_array_equal(np.asarray(image), palette[index])


def test_poisson_interval_against_published_values() -> None:
    # exact 95 % limits of a Poisson mean: 0 to 3.69 for 0, 4.80 to 18.39 for 10 (Garwood 1936)
    assert _poisson_interval(0, 100.0) == "0 to 3.7"
    assert _poisson_interval(10, 100.0) == "4.8 to 18"
    assert _poisson_interval(3, 0.0) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0012345, "0.00123"), (-3.456, "−3.46"), (12345.6, "12\u202f346"), (100.0, "100")],
)
def test_numbers_are_written_shortly(value: float, text: str) -> None:
    assert say_number(value) == text
