"""Layer 3: the area of interest, and the grid chosen for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pydantic import ValidationError
from pyproj import Transformer

from headscarp.errors import GridError
from headscarp.grid import pixel_offset
from headscarp.ingest.area import AreaOptions, MapGrid, choose_grid, inside, read_area
from headscarp.ingest.files import read_scene_files
from headscarp.scene import SceneFile
from tests.conftest import scene_name

WriteScene = Callable[..., Path]
MOMENT = datetime(2018, 9, 5, 8, 42, 50, tzinfo=UTC)
LEFT, TOP = 580000.0, 4730000.0
POWER = np.full((50, 60), 0.1, np.float32)
WriteFiles = Callable[..., tuple[SceneFile, ...]]


@pytest.fixture
def write_files(tmp_path: Path, write_scene: WriteScene) -> WriteFiles:
    """Writer of scenes, each placed by its own keywords."""

    def write(*places: dict[str, Any]) -> tuple[SceneFile, ...]:
        for step, place in enumerate(places):
            write_scene(
                tmp_path / "scenes" / scene_name(MOMENT + timedelta(days=step)), {"VV": POWER}, **place
            )
        return read_scene_files([tmp_path / "scenes"]).files

    return write


def save(path: Path, *geometries: shapely.Geometry | None, crs: str | None = "EPSG:32654") -> Path:
    gpd.GeoSeries(list(geometries), crs=crs).to_file(path)
    return path


def area_of(path: Path) -> shapely.Geometry:
    area = read_area(AreaOptions(aoi=path))
    assert area is not None
    return area


SQUARE = shapely.box(LEFT + 210, TOP - 610, LEFT + 605, TOP - 205)


# The area


def test_no_area_is_none() -> None:
    assert read_area(AreaOptions()) is None


def test_a_box_is_west_south_east_north() -> None:
    assert read_area(AreaOptions(bbox=(141.9, 42.6, 142.1, 42.8))) == shapely.box(141.9, 42.6, 142.1, 42.8)


@pytest.mark.parametrize(
    "bbox",
    [
        (142.1, 42.6, 141.9, 42.8),
        (141.9, 42.8, 142.1, 42.6),
        (42.6, 141.9, 42.8, 142.1),
        (141.9, 42.6, 141.9, 42.8),
        (580000, 4720000, 590000, 4730000),
        (float("nan"), 42.6, 142.1, 42.8),
    ],
)
def test_a_box_in_the_wrong_order_or_units_is_refused(bbox: tuple[float, float, float, float]) -> None:
    with pytest.raises(GridError, match="west south east north") as caught:
        read_area(AreaOptions(bbox=bbox))
    assert caught.value.given == " ".join(str(float(edge)) for edge in bbox)


def test_a_file_and_a_box_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GridError, match="drop one of them"):
        read_area(AreaOptions(aoi=tmp_path / "a.gpkg", bbox=(0, 0, 1, 1)))


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp"])
def test_a_file_in_another_crs_is_read_in_degrees(tmp_path: Path, suffix: str) -> None:
    crs = "EPSG:4326" if suffix == "geojson" else "EPSG:32654"
    square = gpd.GeoSeries([SQUARE], crs="EPSG:32654").to_crs(crs)
    square.to_file(tmp_path / f"a.{suffix}")
    area = area_of(tmp_path / f"a.{suffix}")
    expected = gpd.GeoSeries([SQUARE], crs="EPSG:32654").to_crs("EPSG:4326").iloc[0]
    assert area.symmetric_difference(expected).area < 1e-4 * expected.area  # its edges follow the ground


def test_several_polygons_are_one_area(tmp_path: Path) -> None:
    other = shapely.box(LEFT, TOP - 2000, LEFT + 100, TOP - 1900)
    area = area_of(save(tmp_path / "a.gpkg", SQUARE, None, other))
    assert area.geom_type == "MultiPolygon"
    assert len(area.geoms) == 2


def test_an_invalid_polygon_is_repaired_not_dropped(tmp_path: Path) -> None:
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    assert not bow.is_valid
    area = area_of(save(tmp_path / "a.gpkg", bow, crs="EPSG:4326"))
    assert area.is_valid
    assert area.area == pytest.approx(0.5)  # two triangles of a quarter


def test_the_real_inventory_with_invalid_polygons_is_an_area(real_data: Path) -> None:
    frames = {path: gpd.read_file(path) for path in (real_data / "inventories").glob("noto2024_*.geojson")}
    path, frame = next((p, f) for p, f in frames.items() if len(f) == 1213)
    assert (~frame.geometry.is_valid).sum() == 3
    area = area_of(path)
    assert area.is_valid
    polygons = frame.to_crs("EPSG:4326").geometry.make_valid().to_numpy()
    assert area.area == pytest.approx(float(shapely.area(polygons).sum()), rel=0.02)  # a few overlap


@pytest.mark.parametrize("geometry", [shapely.Point(1, 2), shapely.LineString([(0, 0), (1, 1)]), None])
def test_a_file_without_polygons_is_refused(tmp_path: Path, geometry: shapely.Geometry | None) -> None:
    if geometry is None:
        path = tmp_path / "a.geojson"
        path.write_text('{"type": "FeatureCollection", "features": []}')
    else:
        path = save(tmp_path / "a.gpkg", geometry, crs="EPSG:4326")
    with pytest.raises(GridError, match="polygons and a CRS") as caught:
        area_of(path)
    assert str(path) in caught.value.given


def test_a_table_without_geometry_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,value\na,1\n")
    with pytest.raises(GridError, match="polygons and a CRS"):
        area_of(path)


def test_a_file_without_a_crs_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.shp", SQUARE)
    path.with_suffix(".prj").unlink()
    with pytest.raises(GridError, match="CRS None"):
        area_of(path)


@pytest.mark.parametrize("content", [None, b"no vector"])
def test_a_missing_or_broken_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.geojson"
    if content:
        path.write_bytes(content)
    with pytest.raises(GridError, match="a vector file") as caught:
        area_of(path)
    assert str(path) in caught.value.given


@pytest.mark.parametrize("wrong", [{"spacing": 0}, {"spacing": -10}, {"box": (0, 0, 1, 1)}])
def test_options_out_of_range_or_unknown_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AreaOptions.model_validate(wrong)


# The grid


def test_scenes_that_agree_give_their_own_grid(write_files: WriteFiles) -> None:
    files = write_files({}, {"left": LEFT + 400, "top": TOP + 200})
    chosen = choose_grid(files, AreaOptions())
    transform = Affine(20, 0, LEFT, 0, -20, TOP + 200)
    assert chosen == MapGrid(
        GeoBox((60, 80), transform, "EPSG:32654"), "CRS of the scenes; spacing of the scenes", None
    )


def test_the_scenes_pixels_are_kept_where_they_are_off_round_numbers(write_files: WriteFiles) -> None:
    (file,) = write_files({"left": LEFT + 7.5, "top": TOP - 3.25})
    area = AreaOptions(bbox=(141.978, 42.71, 141.985, 42.715))
    chosen = choose_grid([file], area)
    assert pixel_offset(file.geobox, chosen.geobox) is not None
    assert all(part < whole for part, whole in zip(chosen.geobox.shape, file.geobox.shape, strict=True))


@pytest.mark.parametrize("crs", [None, "EPSG:32654", "epsg:32654"])
def test_naming_the_scenes_own_crs_changes_nothing(write_files: WriteFiles, crs: str | None) -> None:
    (file,) = write_files({"left": LEFT + 7.5})
    assert choose_grid([file], AreaOptions(crs=crs)).geobox == file.geobox


def test_two_crs_meet_in_the_nearest_utm_zone(write_files: WriteFiles) -> None:
    files = write_files({}, {"left": 1072000.0, "top": 4759000.0, "crs": "EPSG:32653"})
    chosen = choose_grid(files, AreaOptions())
    assert chosen.geobox.crs.epsg == 32654
    assert chosen.source == "CRS EPSG:32654, nearest UTM: scenes come in 2 CRSs; spacing of the scenes"
    assert chosen.geobox.transform.a == 20.0


def test_two_geographic_datums_meet_in_utm_of_the_south(write_files: WriteFiles) -> None:
    place = {"left": 143.3, "top": -5.4, "spacing": 2e-4}
    files = write_files({**place, "crs": "EPSG:4326"}, {**place, "crs": "EPSG:4283"})
    chosen = choose_grid(files, AreaOptions())
    assert chosen.geobox.crs.epsg == 32754
    # 2e-4° there is 22.1 m both ways; two digits of it.
    assert chosen.geobox.transform.a == 22.0
    assert chosen.source.endswith("spacing nearest to the finest scene's")


def test_two_spacings_give_the_finest(write_files: WriteFiles) -> None:
    files = write_files({"spacing": 30.0}, {"spacing": 10.0})
    chosen = choose_grid(files, AreaOptions())
    assert chosen.geobox.transform.a == 10.0
    assert chosen.geobox.shape == (150, 180)
    assert chosen.source == "CRS of the scenes; spacing the finest of 2 in the scenes"


def test_given_crs_and_spacing_win(write_files: WriteFiles) -> None:
    files = write_files({})
    chosen = choose_grid(files, AreaOptions(crs="EPSG:4326", spacing=8.983e-5))
    assert chosen.geobox.crs.epsg == 4326
    assert chosen.geobox.transform.a == 8.983e-5
    assert chosen.source == "CRS as given; spacing as given"
    coarse = choose_grid(files, AreaOptions(spacing=100.0)).geobox
    assert coarse.shape == (10, 12)


def test_a_given_crs_gets_a_spacing_near_the_scenes(write_files: WriteFiles) -> None:
    files = write_files({"spacing": 30.0})
    chosen = choose_grid(files, AreaOptions(crs="EPSG:32653"))
    assert 29.0 <= chosen.geobox.transform.a <= 33.0  # a rotated pixel's bounds are a little larger
    assert chosen.source == "CRS as given; spacing nearest to the finest scene's"


def test_an_unknown_crs_is_refused(write_files: WriteFiles) -> None:
    files = write_files({})
    with pytest.raises(GridError, match="a CRS that PROJ knows") as caught:
        choose_grid(files, AreaOptions(crs="EPSG:0"))
    assert caught.value.given == "'EPSG:0'"


def test_the_grid_is_cut_to_the_area_in_step_with_the_scenes(tmp_path: Path, write_files: WriteFiles) -> None:
    files = write_files({})
    chosen = choose_grid(files, AreaOptions(aoi=save(tmp_path / "a.gpkg", SQUARE)))
    # SQUARE reaches from pixel 10.5 to 30.25 across, and from 10.25 to 30.5 down.
    assert pixel_offset(files[0].geobox, chosen.geobox) == (10, 10)
    assert chosen.geobox.shape == (21, 21)
    assert chosen.area is not None
    assert chosen.area.symmetric_difference(SQUARE).area < 0.01  # m²


def test_long_edges_stay_on_the_ground_they_followed(tmp_path: Path, write_files: WriteFiles) -> None:
    """A 100 km square of UTM zone 54 goes through degrees and comes back within a metre."""
    square = shapely.box(LEFT - 5e4, TOP - 5e4, LEFT + 5e4, TOP + 5e4)
    area = choose_grid(write_files({}), AreaOptions(aoi=save(tmp_path / "a.gpkg", square))).area
    assert area is not None
    assert shapely.hausdorff_distance(area, square, densify=0.01) < 1.0


def test_an_area_beyond_the_scenes_is_cut_to_them(write_files: WriteFiles) -> None:
    files = write_files({})
    chosen = choose_grid(files, AreaOptions(bbox=(140.0, 41.0, 144.0, 44.0)))
    assert chosen.geobox == files[0].geobox


def test_scenes_that_miss_the_area_are_refused_with_both_extents(write_files: WriteFiles) -> None:
    files = write_files({})
    with pytest.raises(GridError, match="an area of interest that the scenes cover") as caught:
        choose_grid(files, AreaOptions(bbox=(10.0, 45.0, 10.1, 45.1)))
    assert "scenes (580000, 4.729e+06, 581200, 4.73e+06)" in caught.value.given
    assert "area (" in caught.value.given


def test_the_edges_of_a_box_follow_their_parallels(write_files: WriteFiles) -> None:
    """Half a degree off the central meridian the parallel lies tens of metres off the straight line."""
    area = choose_grid(write_files({}), AreaOptions(bbox=(141.4, 42.6, 142.6, 42.8))).area
    assert area is not None
    transformer = Transformer.from_crs("EPSG:4326", "EPSG:32654", always_xy=True)
    for longitude in np.linspace(141.45, 142.55, 12):
        edge = shapely.Point(transformer.transform(longitude, 42.8))
        assert area.exterior.distance(edge) < 0.5


# The mask


def test_without_an_area_there_is_no_mask() -> None:
    assert inside(GeoBox((3, 3), Affine(1, 0, 0, 0, -1, 0), "EPSG:32654"), None) is None


vertices = st.tuples(st.floats(-3, 15), st.floats(-14, 4))


@settings(deadline=None, max_examples=60)
@given(points=st.lists(vertices, min_size=3, max_size=7))
def test_the_mask_holds_the_pixels_whose_centre_lies_inside(points: list[tuple[float, float]]) -> None:
    area = shapely.Polygon(points).buffer(0.3)
    geobox = GeoBox((10, 12), Affine(1, 0, 0, 0, -1, 0), "EPSG:32654")
    mask = inside(geobox, area)
    assert mask is not None
    assert mask.shape == (10, 12)
    for row in range(10):
        for col in range(12):
            centre = shapely.Point(col + 0.5, -row - 0.5)
            if area.boundary.distance(centre) > 1e-6:
                assert mask[row, col] == area.contains(centre)


def test_an_area_elsewhere_masks_everything_out() -> None:
    geobox = GeoBox((3, 3), Affine(1, 0, 0, 0, -1, 0), "EPSG:32654")
    mask = inside(geobox, shapely.box(100, 100, 101, 101))
    assert mask is not None
    assert not mask.any()
