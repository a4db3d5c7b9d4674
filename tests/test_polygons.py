"""Landslides from probability: tiled equals whole, against scipy's labels and naive sums."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import scipy.ndimage
import shapely
import xarray as xr
from affine import Affine
from geopandas.testing import assert_geodataframe_equal
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pydantic import ValidationError
from pyproj import Geod, Transformer

from headscarp.grid import crs_wkt, tiles
from headscarp.polygons import ORBIT_SCORE, PolygonOptions, ProbabilityTile, draw_landslides, find_landslides

SPACING_M = 20.0
PIXEL_M2 = SPACING_M**2
THRESHOLD = 0.5
EVERYTHING = PolygonOptions(threshold=THRESHOLD, min_area_m2=0)
LAYERS = ("change_vv_db", "slope_mean_deg")

probabilities = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    # dense enough for shapes that wind through many tiles
    elements=st.one_of(
        st.sampled_from([0.5, 0.625, 0.75, 1.0]), st.sampled_from([0.0, 0.25]), st.just(math.nan)
    ),
)


def utm(shape: tuple[int, int]) -> GeoBox:
    return GeoBox(shape, Affine(SPACING_M, 0, 580000, 0, -SPACING_M, 4730000), "EPSG:32654")


def geographic(shape: tuple[int, int]) -> GeoBox:
    """The grid of Pan & Shi: 8.983e-5 degrees, no multiple of anything."""
    return GeoBox(shape, Affine(8.983e-5, 0, 142.1234567, 0, -8.983e-5, 42.7654321), "EPSG:4326")


def find(
    probability: NDArray[np.float32],
    geobox: GeoBox,
    size_px: int,
    layers: Mapping[str, NDArray[np.float32]] | None = None,
    options: PolygonOptions = EVERYTHING,
) -> gpd.GeoDataFrame:
    """Landslides of a map given in tiles; tiles without anything are left out, as a run leaves them out."""
    parts = [
        ProbabilityTile(
            tile,
            probability[tile.rows, tile.cols],
            {name: layer[tile.rows, tile.cols] for name, layer in (layers or {}).items()},
        )
        for tile in tiles(geobox, size_px)
        if np.isfinite(probability[tile.rows, tile.cols]).any()
    ]
    return find_landslides(parts, crs_wkt(geobox), options)


def naive_landslides(
    probability: NDArray[np.float32], geobox: GeoBox, layers: Mapping[str, NDArray[np.float32]]
) -> list[dict[str, Any]]:
    """Each landslide by scipy's labels and loops over its pixels, in the order that is promised."""
    labels, count = scipy.ndimage.label(probability >= THRESHOLD)
    found = []
    for number in range(1, count + 1):
        pixels = [(int(r), int(c)) for r, c in np.argwhere(labels == number)]
        values = [float(probability[p]) for p in pixels]
        row: dict[str, Any] = {
            "first": pixels[0],
            "area_m2": PIXEL_M2 * len(pixels),
            "probability_mean": math.fsum(values) / len(values),
            "probability_max": max(values),
            "geometry": shapely.union_all([shapely.box(*pixel_bounds(geobox, p)) for p in pixels]),
        }
        for name, layer in layers.items():
            valid = [float(layer[p]) for p in pixels if math.isfinite(layer[p])]
            row[name] = math.fsum(valid) / len(valid) if valid else math.nan
        found.append(row)
    return sorted(found, key=lambda r: (-round(r["probability_mean"] * r["area_m2"], 3), r["first"]))


def pixel_bounds(geobox: GeoBox, pixel: tuple[int, int]) -> tuple[float, float, float, float]:
    t, (row, col) = geobox.transform, pixel
    return t.c + t.a * col, t.f + t.e * (row + 1), t.c + t.a * (col + 1), t.f + t.e * row


def mask_of(*rows: str) -> NDArray[np.float32]:
    """A drawing: # is a certain landslide, . is none, ? was not observed."""
    codes = {"#": 1.0, ".": 0.0, "?": math.nan}
    return np.array([[codes[mark] for mark in row] for row in rows], dtype=np.float32)


def spiral(turns: int) -> NDArray[np.float32]:
    """One connected arm, a pixel wide, with a pixel between its turns."""
    size = 4 * turns + 1
    drawn = np.zeros((size, size), np.float32)
    row, col, (down, right) = 0, 0, (0, 1)
    drawn[0, 0] = 1
    for length in [size - 1, *(n for step in range(size - 1, 0, -2) for n in (step, step))][:-1]:
        for _ in range(length):
            row, col = row + down, col + right
            drawn[row, col] = 1
        down, right = right, -down
    return drawn


RING = mask_of("#####", "#...#", "#.#.#", "#...#", "#####")
U_SHAPES = mask_of("#.#.#.#", "#.#.#.#", "#.###.#", "#.....#", "#######")
DIAGONAL = mask_of("#..#", ".##.", ".##.", "#..#")
TOUCHING_HOLES = mask_of("#####", "#.###", "##.##", "###.#", "#####")
CLOSED_C = mask_of("###.", "#.#.", "#..#", "####")

# tiled equals whole


@settings(max_examples=100, deadline=None)
@given(probability=probabilities, size_px=st.integers(1, 10), seed=st.integers(0, 99))
@example(probability=RING, size_px=2, seed=0)
@example(probability=U_SHAPES, size_px=3, seed=0)
@example(probability=DIAGONAL, size_px=2, seed=0)
@example(probability=TOUCHING_HOLES, size_px=2, seed=0)
@example(probability=CLOSED_C, size_px=3, seed=0)
def test_any_tiling_gives_what_scipy_and_loops_give(
    probability: NDArray[np.float32], size_px: int, seed: int
) -> None:
    rng, geobox = np.random.default_rng(seed), utm(probability.shape)
    layers = {name: rng.normal(0, 3, probability.shape).astype(np.float32) for name in LAYERS}
    layers["change_vv_db"][rng.random(probability.shape) < 0.3] = np.nan
    found = find(probability, geobox, size_px, layers)
    expected = naive_landslides(probability, geobox, layers)
    assert len(found) == len(expected)
    for row, own in zip(found.itertuples(), expected, strict=True):
        assert row.geometry.geom_type == "Polygon"
        assert row.geometry.is_valid
        assert row.geometry.equals(own["geometry"])
        assert row.area_m2 == row.geometry.area == own["area_m2"]
        for name in ("probability_mean", "probability_max", *LAYERS):
            assert getattr(row, name) == pytest.approx(own[name], rel=1e-6, abs=1e-9, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(probability=probabilities, size_px=st.integers(1, 4))
@example(probability=spiral(2), size_px=2)
@example(probability=np.ones((9, 9), np.float32), size_px=1)
def test_geographic_tiles_join_without_a_gap(probability: NDArray[np.float32], size_px: int) -> None:
    """Corners of tiles in degrees differ in the last digit; landslides must not fall apart there."""
    geobox = geographic(probability.shape)
    found, expected = find(probability, geobox, size_px), naive_landslides(probability, geobox, {})
    assert found.geom_type.tolist() == ["Polygon"] * len(expected)
    assert found.is_valid.all()
    total = shapely.union_all(found.geometry.to_list())
    whole = shapely.union_all([own["geometry"] for own in expected])
    assert shapely.symmetric_difference(total, whole).area <= 1e-6 * 8.983e-5**2


@pytest.mark.parametrize("size_px", [1, 2, 3, 4, 5, 7, 16, 100])
@pytest.mark.parametrize("grid", [utm, geographic])
def test_a_spiral_is_one_landslide_in_any_tiling(size_px: int, grid: Any) -> None:
    drawn = spiral(5)
    assert scipy.ndimage.label(drawn)[1] == 1
    found, whole = find(drawn, grid(drawn.shape), size_px), find(drawn, grid(drawn.shape), 1000)
    assert len(found) == 1
    assert found.geom_type.tolist() == ["Polygon"]
    assert found["area_m2"].item() == pytest.approx(whole["area_m2"].item(), rel=1e-9)
    difference = found.geometry.item().symmetric_difference(whole.geometry.item())
    assert difference.area <= 1e-9 * whole.geometry.item().area


@pytest.mark.parametrize("size_px", [1, 2, 3, 100])
def test_pixels_that_touch_at_a_corner_do_not_connect(size_px: int) -> None:
    found = find(DIAGONAL, utm(DIAGONAL.shape), size_px)
    assert (found["area_m2"] / PIXEL_M2).tolist() == [4, 1, 1, 1, 1]


@pytest.mark.parametrize("size_px", [2, 3, 100])
def test_holes_stay_open_and_islands_in_them_are_their_own(size_px: int) -> None:
    found = find(RING, utm(RING.shape), size_px)
    ring, island = found.geometry
    assert [len(g.interiors) for g in (ring, island)] == [1, 0]
    assert (ring.area, island.area) == (16 * PIXEL_M2, PIXEL_M2)
    assert not ring.intersects(island)


@pytest.mark.parametrize("size_px", [2, 3, 100])
@pytest.mark.parametrize(
    ("drawn", "pixels", "holes"), [(TOUCHING_HOLES, 22, 3), (CLOSED_C, 11, None), (U_SHAPES, 15, None)]
)
def test_outlines_that_touch_themselves_are_valid(
    drawn: NDArray[np.float32], pixels: int, holes: int | None, size_px: int
) -> None:
    found = find(drawn, utm(drawn.shape), size_px)
    largest = found.geometry.iloc[0]
    assert found.is_valid.all()
    assert found.geom_type.eq("Polygon").all()
    assert found.geometry.area.sum() == PIXEL_M2 * np.count_nonzero(drawn == 1)
    assert largest.area == PIXEL_M2 * pixels
    assert holes is None or len(largest.interiors) == holes


@pytest.mark.parametrize("size_px", [1, 2, 3, 4, 5, 50])
def test_order_and_ids_are_the_same_in_any_tiling(size_px: int) -> None:
    """Likeliest area first: 2.4 of four pixels, then 2 of two; alike ones in reading order."""
    alike = [(0, 7), (1, 1), (1, 4), (2, 9), (3, 0), (3, 6), (5, 3), (7, 1)]
    probability = np.zeros((12, 12), np.float32)
    for place in alike:
        probability[place] = 0.75
    probability[9:11, 9:11] = 0.6
    probability[10, 4:6] = 1.0
    found = find(probability, utm(probability.shape), size_px)
    assert found["id"].tolist() == list(range(1, 11))
    assert (found["area_m2"] / PIXEL_M2).tolist() == [4, 2, *[1] * 8]
    places = [((4730000 - g.bounds[3]) / 20, (g.bounds[0] - 580000) / 20) for g in found.geometry[2:]]
    assert places == alike


def test_drawing_again_gives_the_same() -> None:
    probability = np.random.default_rng(0).random((40, 40)).astype(np.float32)
    first, second = (find(probability, utm((40, 40)), 16) for _ in range(2))
    assert len(first) > 50
    assert_geodataframe_equal(first, second)


def test_tiles_without_data_may_be_left_out() -> None:
    drawn = mask_of("##????##", "##????##", "????????", "????????", "##????##", "##????##")
    found = find(drawn, utm(drawn.shape), 2)
    assert (found["area_m2"] / PIXEL_M2).tolist() == [4] * 4


# what counts as a landslide


def test_the_threshold_is_inclusive() -> None:
    """0.8 as stored is a float32, a little above the 0.8 that was asked for, and the next below is not."""
    at = np.float32(0.8)
    probability = np.array([[at, 0, np.nextafter(at, np.float32(0)), 0, 1]], np.float32)
    found = find(probability, utm((1, 5)), 5, options=PolygonOptions(threshold=0.8, min_area_m2=0))
    assert found["probability_max"].tolist() == pytest.approx([1.0, 0.8])


def test_certainty_can_be_asked_for() -> None:
    probability = np.array([[1.0, 0.0, 0.999]], np.float32)
    found = find(probability, utm((1, 3)), 3, options=PolygonOptions(threshold=1.0, min_area_m2=0))
    assert found["probability_mean"].tolist() == [1.0]


def test_ground_that_was_not_observed_is_no_landslide() -> None:
    found = find(mask_of("#?#"), utm((1, 3)), 3)
    assert (found["area_m2"] / PIXEL_M2).tolist() == [1, 1]


@pytest.mark.parametrize("size_px", [1, 2, 3, 100])
def test_the_smallest_area_is_that_of_the_whole_landslide(size_px: int) -> None:
    """Three pixels across a seam are kept where three are asked for; two are not."""
    drawn = mask_of("###.##", "......", "....#.", "....#.", "....##")
    options = PolygonOptions(threshold=THRESHOLD, min_area_m2=3 * PIXEL_M2)
    found = find(drawn, utm(drawn.shape), size_px, options=options)
    assert (found["area_m2"] / PIXEL_M2).tolist() == [4, 3]


def test_areas_on_a_geographic_grid_are_those_of_the_ellipsoid() -> None:
    drawn = mask_of("##..", "##.#", "....")
    geobox = geographic(drawn.shape)
    geod = Geod(ellps="WGS84")
    pixel_m2 = {
        p: abs(geod.geometry_area_perimeter(shapely.box(*pixel_bounds(geobox, p)))[0])
        for p in [(0, 0), (0, 1), (1, 0), (1, 1), (1, 3)]
    }
    square = sum(area for p, area in pixel_m2.items() if p != (1, 3))
    # at 42.8° N a pixel of 10 m in latitude is 7.3 m wide
    assert pixel_m2[1, 3] == pytest.approx(10 * 7.34, rel=0.01)
    both = find(drawn, geobox, 2)
    assert both["area_m2"].tolist() == pytest.approx([square, pixel_m2[1, 3]], rel=1e-6)
    options = PolygonOptions(threshold=THRESHOLD, min_area_m2=80)
    assert find(drawn, geobox, 2, options=options)["area_m2"].tolist() == pytest.approx([square], rel=1e-6)


@pytest.mark.parametrize(
    "options", [{"threshold": 0}, {"threshold": 1.01}, {"threshold": math.nan}, {"min_area_m2": -1}]
)
def test_options_outside_their_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        PolygonOptions.model_validate(options)


# what is said of each


def test_orbits_agree_by_the_sign_and_size_of_their_own_mean_score() -> None:
    """Four landslides of two pixels, in columns; each orbit's score is its mean over both pixels."""
    probability = mask_of("#.#.#.#", "#.#.#.#")
    whole = [3.0, -3.0, 3.0, math.nan]
    by_orbit = {
        "ascending 68": [(1.0, 1.0), (-2.0, -2.0), (math.nan, 1.5), (2.0, 2.0)],
        "descending 46": [(0.5, 1.4), (2.0, 2.0), (math.nan, math.nan), (2.0, 2.0)],
        "descending 119": [(4.0, -1.0), (-0.9, -1.2), (-3.0, -3.0), (2.0, 2.0)],
    }
    layers = {name: np.full(probability.shape, np.nan, np.float32) for name in ("score", *by_orbit)}
    for i, col in enumerate(range(0, 7, 2)):
        layers["score"][:, col] = whole[i]
        for label, values in by_orbit.items():
            layers[label][:, col] = values[i]
    named = {name if name == "score" else ORBIT_SCORE + name: layer for name, layer in layers.items()}
    found = find(probability, utm(probability.shape), 2, named)
    # 1.0, 0.95 and 1.5; -2, +2 and -1.05; 1.5, nothing and -3; no score to agree with
    assert found["orbits_agreeing"].tolist() == [2, 2, 1, 0]
    assert not any("score" in column for column in found.columns)


def test_centroids_are_in_degrees() -> None:
    drawn = mask_of("....", ".##.", ".##.")
    found = find(drawn, utm(drawn.shape), 2)
    to_degrees = Transformer.from_crs("EPSG:32654", "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(580000 + 2 * SPACING_M, 4730000 - 2 * SPACING_M)
    assert found["centroid_lon"].tolist() == pytest.approx([lon], abs=1e-9)
    assert found["centroid_lat"].tolist() == pytest.approx([lat], abs=1e-9)


def test_centroids_on_a_geographic_grid_are_those_of_the_outline() -> None:
    found = find(mask_of("##", "##"), geographic((2, 2)), 1)
    assert found["centroid_lon"].item() == pytest.approx(142.1234567 + 8.983e-5, abs=1e-9)
    assert found["centroid_lat"].item() == pytest.approx(42.7654321 - 8.983e-5, abs=1e-9)


COLUMNS = {
    "id": "int64",
    "area_m2": "float64",
    "probability_mean": "float64",
    "probability_max": "float64",
    "change_vv_db": "float64",
    "slope_mean_deg": "float64",
    "orbits_agreeing": "int64",
    "centroid_lon": "float64",
    "centroid_lat": "float64",
    "geometry": "geometry",
}


@pytest.mark.parametrize("value", [1.0, 0.0, math.nan])
def test_columns_and_their_types_are_the_same_with_and_without_landslides(value: float) -> None:
    geobox = utm((3, 3))
    layers = {name: np.ones((3, 3), np.float32) for name in (*LAYERS, "score", f"{ORBIT_SCORE}a")}
    part = ProbabilityTile(next(tiles(geobox)), np.full((3, 3), value, np.float32), layers)
    found = find_landslides([part], crs_wkt(geobox), EVERYTHING)
    assert len(found) == (value == 1)
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == COLUMNS
    assert found.crs == "EPSG:32654"


def test_no_tile_at_all_gives_an_empty_table() -> None:
    found = find_landslides([], crs_wkt(utm((3, 3))), EVERYTHING)
    assert len(found) == 0
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {
        name: dtype for name, dtype in COLUMNS.items() if name not in LAYERS
    }


def test_arrays_in_memory_give_what_tiles_give() -> None:
    rng, geobox = np.random.default_rng(3), utm((30, 25))
    probability = rng.random((30, 25)).astype(np.float32)
    layer = rng.normal(size=(30, 25)).astype(np.float32)
    drawn = draw_landslides(
        xr.DataArray(probability.T, dims=("x", "y")),
        xr.Dataset({"change_vv_db": (("x", "y"), layer.T)}),
        geobox,
        EVERYTHING,
    )
    tiled = find(probability, geobox, 8, {"change_vv_db": layer})
    assert len(drawn) > 20
    assert drawn["id"].tolist() == tiled["id"].tolist()
    np.testing.assert_allclose(drawn["change_vv_db"], tiled["change_vv_db"], rtol=1e-5, atol=1e-7)
    assert all(a.equals(b) for a, b in zip(drawn.geometry, tiled.geometry, strict=True))


def test_inputs_are_left_alone() -> None:
    probability, layer = mask_of("##?", ".#."), np.ones((2, 3), np.float32)
    before = probability.copy()
    find(probability, utm((2, 3)), 2, {"change_vv_db": layer})
    np.testing.assert_array_equal(probability, before)
    assert (layer == 1).all()
