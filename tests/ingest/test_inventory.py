"""Inventories as they come: every feature has one fate, whatever the format, the CRS and the faults."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pydantic import ValidationError
from pyproj import Geod

from headscarp.errors import GridError
from headscarp.geometry.areas import polygon_areas_m2
from headscarp.ingest.inventory import Inventory, InventoryFacts, InventoryOptions, read_inventory
from headscarp.ingest.inventory_dates import date_of

UTM = "EPSG:32653"
LEFT, BOTTOM = 700_000.0, 4_140_000.0
COLUMNS = {"id": "int64", "source": "object", "date": "object", "area_m2": "float64", "geometry": "geometry"}
BOW = shapely.Polygon([(LEFT + x, BOTTOM + y) for x, y in ((0, 0), (10, 10), (10, 0), (0, 10))])
NOTO = {
    "noto2024_hokai_all_20240106_suzu-wajimaEAST.geojson": 1213,
    "noto2024_hokai_all_20240115_wajimaCENTRAL_Re2.geojson": 358,
    "noto2024_hokai_all_20240118_anamizu.geojson": 162,
    "noto2024_hokai_20240122_wajimaWEST.geojson": 537,
    "noto2024_hokai_all_20240118_nanao.geojson": 75,
}


def box(left: float, bottom: float = 0.0, side: float = 10.0) -> shapely.Geometry:
    return shapely.box(LEFT + left, BOTTOM + bottom, LEFT + left + side, BOTTOM + bottom + side)


def save(path: Path, *shapes: shapely.Geometry | None, crs: str | None = UTM, **columns: Any) -> Path:
    frame = gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(list(shapes), crs=UTM))
    frame.to_crs("EPSG:4326" if path.suffix == ".geojson" else crs).to_file(path)
    return path


def assert_every_feature_has_one_fate(facts: InventoryFacts, undated_dropped: int = 0) -> None:
    features = sum(file.features for file in facts.files)
    left_out = facts.outside_dates + undated_dropped + facts.outside_area + facts.duplicates
    assert facts.polygons_read == facts.kept + left_out
    assert features == facts.polygons_read + facts.not_polygons + facts.empty


def sources(inventory: Inventory) -> list[str]:
    return inventory.landslides["source"].tolist()


# Formats


@pytest.mark.parametrize("suffix", ["shp", "gpkg", "geojson"])
def test_every_format_gives_the_same_table(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a.{suffix}", box(0), box(50, side=20.0), event_date=["2024-01-01", "2024-01-02"])
    landslides, facts = read_inventory([path], UTM)
    assert {name: str(dtype) for name, dtype in landslides.dtypes.items()} == COLUMNS
    assert landslides.crs == UTM
    assert landslides["id"].tolist() == [1, 2]
    assert landslides["date"].tolist() == ["2024-01-01", "2024-01-02"]
    assert landslides["area_m2"].tolist() == pytest.approx([100.0, 400.0], rel=1e-4)
    assert landslides.geometry.iloc[0].symmetric_difference(box(0)).area < 0.01
    (file,) = facts.files
    assert (file.path, file.layer, file.features) == (str(path), "a", 2)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts.kept == 2
    assert facts.notes == []


def test_all_layers_of_a_geopackage_and_their_crs(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    for layer, crs, left in (("north", "EPSG:6668", 0), ("south", UTM, 50)):
        gpd.GeoSeries([box(left)], crs=UTM).to_crs(crs).to_file(path, layer=layer)
    landslides, facts = read_inventory([path], UTM)
    assert [(file.layer, file.crs) for file in facts.files] == [("north", "EPSG:6668"), ("south", UTM)]
    moved = [
        g.symmetric_difference(box(left)).area for g, left in zip(landslides.geometry, (0, 50), strict=True)
    ]
    assert max(moved) < 0.01


def test_files_and_folders_together_and_no_file_twice(tmp_path: Path) -> None:
    first = save(tmp_path / "a.gpkg", box(0))
    (tmp_path / "deep" / "er").mkdir(parents=True)
    save(tmp_path / "deep" / "er" / "b.geojson", box(50))
    (tmp_path / "run.json").write_text("{}")
    both = read_inventory([tmp_path, first, str(first)], UTM)
    assert sources(both) == ["a.gpkg", "b.geojson"]
    assert len(both.facts.files) == 2


@pytest.mark.parametrize("suffix", ["shp", "gpkg", "geojson"])
def test_a_file_without_features_is_an_empty_truth(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"a.{suffix}", box(0))
    frame = gpd.read_file(tmp_path / f"a.{suffix}").iloc[:0]
    path = tmp_path / f"none.{suffix}"
    if suffix == "geojson":
        path.write_text('{"type": "FeatureCollection", "features": []}')
    else:
        frame.to_file(path)
    options = InventoryOptions(first_date=date(2024, 1, 1))
    landslides, facts = read_inventory([path], UTM, box(0), options)
    assert {name: str(dtype) for name, dtype in landslides.dtypes.items()} == COLUMNS
    assert landslides.crs == UTM
    assert (len(landslides), facts.polygons_read, facts.kept) == (0, 0, 0)


# Geometry


def test_faults_are_counted_each_once(tmp_path: Path) -> None:
    line = shapely.LineString([(LEFT, BOTTOM), (LEFT + 5, BOTTOM)])
    flat = shapely.Polygon([(LEFT + x, BOTTOM) for x in (0, 5, 9)])
    bundle = shapely.GeometryCollection([box(200), line, shapely.MultiPolygon([box(220), box(240)])])
    shapes = [box(100), BOW, None, shapely.Polygon(), shapely.Point(LEFT, BOTTOM), line, flat, bundle]
    landslides, facts = read_inventory([save(tmp_path / "a.gpkg", *shapes)], UTM)
    expected = {"polygons_read": 3, "kept": 3, "repaired": 1, "not_polygons": 2, "empty": 3, "undated": 3}
    assert {name: getattr(facts, name) for name in expected} == expected
    assert_every_feature_has_one_fate(facts)
    assert landslides.is_valid.all()
    assert landslides["area_m2"].tolist() == pytest.approx([100.0, 50.0, 300.0])
    assert set(landslides.geom_type) == {"Polygon", "MultiPolygon"}
    assert len(facts.notes) == 3


def test_a_repair_that_leaves_lines_keeps_the_polygon(tmp_path: Path) -> None:
    spike = shapely.Polygon(
        [(LEFT + x, BOTTOM + y) for x, y in ((0, 0), (10, 0), (10, 10), (10, 30), (10, 10), (0, 10))]
    )
    assert shapely.make_valid(spike).geom_type == "GeometryCollection"
    landslides, facts = read_inventory([save(tmp_path / "a.gpkg", spike)], UTM)
    assert facts.repaired == 1
    assert landslides.geometry.item().area == pytest.approx(100)


def test_several_parts_are_one_landslide_and_heights_are_dropped(tmp_path: Path) -> None:
    parts = shapely.force_3d(shapely.MultiPolygon([box(0), box(50)]), 123.0)
    landslides, _ = read_inventory([save(tmp_path / "a.gpkg", parts)], UTM)
    assert len(landslides) == 1
    assert not landslides.has_z.any()
    assert landslides["area_m2"].item() == pytest.approx(200)


def test_outlines_read_before_are_left_out_whatever_their_crs(tmp_path: Path) -> None:
    first = save(tmp_path / "a.gpkg", box(0), box(50))
    second = save(tmp_path / "b.geojson", box(50), box(100), box(0.2))
    third = save(tmp_path / "c.gpkg", box(100), box(100), crs="EPSG:6668")
    inventory = read_inventory([first, second, third], UTM)
    assert sources(inventory) == ["a.gpkg", "a.gpkg", "b.geojson", "b.geojson"]
    assert inventory.facts.duplicates == 3
    assert_every_feature_has_one_fate(inventory.facts)
    assert read_inventory([first, second, third], "EPSG:4326").facts.duplicates == 3


def test_the_area_leaves_out_what_lies_beyond_and_keeps_what_crosses_whole(tmp_path: Path) -> None:
    path = save(tmp_path / "a.gpkg", box(20), box(95), box(100), box(500), box(0))
    landslides, facts = read_inventory([path], UTM, box(0, side=100.0))
    # inside; across the right edge; touching it from outside; far away; inside, along the left edge
    assert (facts.kept, facts.outside_area, facts.crossing) == (3, 2, 1)
    assert landslides["area_m2"].tolist() == pytest.approx([100.0] * 3)
    assert landslides["id"].tolist() == [1, 2, 3]
    assert_every_feature_has_one_fate(facts)


# Areas


def test_areas_on_the_ellipsoid_are_those_of_the_geodesic() -> None:
    hole = shapely.Polygon(
        shapely.box(137, 37, 137.01, 37.01).exterior, [shapely.box(137.002, 37.002, 137.004, 37.006).exterior]
    )
    both = shapely.MultiPolygon([hole, shapely.box(137.1, 37, 137.11, 37.01)])
    geod = Geod(ellps="GRS80")
    ring = [
        abs(geod.geometry_area_perimeter(shapely.Polygon(r))[0]) for r in (hole.exterior, hole.interiors[0])
    ]
    other = abs(geod.geometry_area_perimeter(both.geoms[1])[0])
    measured = polygon_areas_m2(np.array([hole, both, shapely.reverse(hole)]), "EPSG:6668")
    single = ring[0] - ring[1]
    np.testing.assert_allclose(measured, [single, single + other, single], rtol=1e-12)
    assert single == pytest.approx(111_000 * 88_900 * (1e-4 - 8e-6), rel=0.01)
    assert polygon_areas_m2(np.array([], dtype=object), "EPSG:4326").shape == (0,)


def test_areas_in_feet_are_in_square_metres() -> None:
    square = np.array([shapely.box(0, 0, 100, 10)])
    assert polygon_areas_m2(square, "EPSG:2229")[0] == pytest.approx(1000 * (1200 / 3937) ** 2)
    assert polygon_areas_m2(square, UTM)[0] == 1000


# Dates


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2018-09-06", date(2018, 9, 6)),
        ("20180906", date(2018, 9, 6)),
        (20180906, date(2018, 9, 6)),
        (20180906.0, date(2018, 9, 6)),
        (" 2018/09/06 ", date(2018, 9, 6)),
        ("2018/09/06 03:08", date(2018, 9, 6)),
        ("2018-09-06T03:08:00+09:00", date(2018, 9, 5)),
        (datetime(2018, 9, 6, 3, 8), date(2018, 9, 6)),
        (pd.Timestamp("2018-09-06 03:08", tz="Asia/Tokyo"), date(2018, 9, 5)),
        (datetime(2018, 9, 6, 23, 59, tzinfo=UTC), date(2018, 9, 6)),
        (date(2018, 9, 6), date(2018, 9, 6)),
        ("06.09.2018", None),
        ("09/06/2018", None),
        ("2018", None),
        (2018, None),
        (0.5, None),
        ("20181306", None),
        ("unknown", None),
        ("", None),
    ],
)
def test_dates_as_they_are_written(value: Any, day: date | None) -> None:
    assert date_of(value) == day


DATES = ["2018-09-05", "2018-09-06", None, "2018-09-07", "unknown", "2018-09-08"]


@pytest.mark.parametrize(
    ("options", "kept", "outside"),
    [
        ({}, [0, 1, 2, 3, 4, 5], 0),
        ({"first_date": "2018-09-06"}, [1, 2, 3, 4, 5], 1),
        ({"last_date": "2018-09-06"}, [0, 1, 2, 4], 2),
        ({"first_date": "2018-09-06", "last_date": "2018-09-07", "undated": "drop"}, [1, 3], 2),
        ({"undated": "drop"}, [0, 1, 3, 5], 0),
        ({"date_column": "EVENT_DATE", "first_date": "2018-09-08"}, [2, 4, 5], 3),
        ({"date_column": "mapped", "first_date": "2018-09-08"}, [0, 1, 2, 3, 4, 5], 0),
    ],
)
def test_dates_are_filtered_both_ends_included(
    tmp_path: Path, options: dict[str, Any], kept: list[int], outside: int
) -> None:
    columns = {"mapped": ["2020-01-01"] * 6, "Event_Date": DATES}
    path = save(tmp_path / "a.gpkg", *(box(20.0 * i) for i in range(6)), **columns)
    wanted = InventoryOptions.model_validate(options)
    landslides, facts = read_inventory([path], UTM, options=wanted)
    lefts = [round((g.bounds[0] - LEFT) / 20) for g in landslides.geometry]
    assert lefts == kept
    assert facts.outside_dates == outside
    undated = 0 if wanted.date_column == "mapped" else 2
    assert facts.undated == undated
    assert_every_feature_has_one_fate(facts, undated_dropped=undated if wanted.undated == "drop" else 0)
    assert any("unknown" in note for note in facts.notes) is bool(undated)
    assert any("without a date were" in note for note in facts.notes) is bool(undated and wanted.needs_dates)


def test_a_filter_without_a_column_of_dates_is_refused_naming_the_columns(tmp_path: Path) -> None:
    path = save(tmp_path / "a.gpkg", box(0), name=["x"], when=["2018-09-06"])
    for options, wanted in (
        ({"first_date": "2018-09-06"}, "event_date"),
        ({"undated": "drop"}, "event_date"),
        ({"date_column": "day"}, "day"),
    ):
        with pytest.raises(GridError, match="a column of dates") as caught:
            read_inventory([path], UTM, options=InventoryOptions.model_validate(options))
        assert wanted in caught.value.expected
        assert "name, when" in caught.value.given


@pytest.mark.parametrize(
    "wrong",
    [{"first_date": "2018-09-07", "last_date": "2018-09-06"}, {"undated": "guess"}, {"dates": "2018"}],
)
def test_options_that_contradict_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        InventoryOptions.model_validate(wrong)


# Refusals


def test_a_file_without_a_crs_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.shp", box(0))
    path.with_suffix(".prj").unlink()
    with pytest.raises(GridError, match="with a CRS") as caught:
        read_inventory([path], UTM)
    assert str(path) in caught.value.given


@pytest.mark.parametrize("content", [None, b"no vector", b""])
def test_a_missing_or_broken_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.geojson"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GridError, match="an inventory") as caught:
        read_inventory([path], UTM)
    assert str(path) in caught.value.given


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("name,value\na,1\n")
    for paths in ([], [tmp_path], [table]):
        with pytest.raises(GridError, match="an inventory"):
            read_inventory(paths, UTM)


def test_points_alone_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.gpkg", shapely.Point(LEFT, BOTTOM), shapely.Point(LEFT, BOTTOM + 1))
    with pytest.raises(GridError, match="2 points or lines"):
        read_inventory([path], UTM)


def test_coordinates_that_contradict_their_crs_are_refused(tmp_path: Path) -> None:
    metres = gpd.GeoSeries([box(0)], crs="EPSG:4326")
    metres.to_file(tmp_path / "a.gpkg")
    with pytest.raises(GridError, match="layer's own CRS"):
        read_inventory([tmp_path / "a.gpkg"], UTM)


@pytest.mark.parametrize("crs", ["EPSG:1", "nonsense", "EPSG:4978"])
def test_a_crs_without_a_plane_or_degrees_is_refused(tmp_path: Path, crs: str) -> None:
    with pytest.raises(GridError, match="projected or geographic"):
        read_inventory([save(tmp_path / "a.gpkg", box(0))], crs)


# Real inventories


def test_noto_as_it_comes(real_data: Path) -> None:
    paths = [real_data / "inventories" / name for name in NOTO]
    landslides, facts = read_inventory(paths, UTM)
    assert [file.features for file in facts.files] == list(NOTO.values())
    assert [file.crs for file in facts.files] == ["EPSG:4326"] * 4 + ["EPSG:6668"]
    assert (facts.polygons_read, facts.kept, facts.repaired, facts.undated) == (2345, 2345, 3, 2345)
    assert (facts.not_polygons, facts.empty, facts.duplicates) == (0, 0, 0)
    assert landslides.groupby("source").size().to_dict() == NOTO
    assert landslides.is_valid.all()
    assert landslides["area_m2"].sum() == pytest.approx(8_858_160, abs=5)
    degrees = read_inventory(paths, "EPSG:4326").landslides["area_m2"]
    np.testing.assert_allclose(degrees, landslides["area_m2"], rtol=5e-4)  # UTM's scale, squared


def test_noto_files_hold_each_landslide_once(real_data: Path) -> None:
    """Two pairs overlap, both within one file; no outline is shared between files."""
    landslides, _ = read_inventory([real_data / "inventories" / name for name in NOTO], UTM)
    shapes, source = landslides.geometry.to_numpy(), landslides["source"].to_numpy()
    i, j = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    i, j = i[i < j], j[i < j]
    shared = shapely.area(shapely.intersection(shapes[i], shapes[j]))
    i, j, shared = i[shared > 0.01], j[shared > 0.01], shared[shared > 0.01]
    assert {*source[i], *source[j]} == {"noto2024_hokai_20240122_wajimaWEST.geojson"}
    assert len(shared) == 2
    assert shared.sum() == pytest.approx(1737, abs=1)


def test_noto_within_an_area(real_data: Path) -> None:
    paths = [real_data / "inventories" / name for name in NOTO]
    whole = read_inventory(paths, UTM).landslides
    left, bottom, right, top = whole.total_bounds
    area = shapely.box(left, bottom, (left + right) / 2, top)
    _, facts = read_inventory(paths, UTM, area)
    within, meets = whole.within(area).sum(), whole.intersects(area).sum()
    assert (facts.kept, facts.crossing, facts.outside_area) == (meets, meets - within, 2345 - meets)
    assert facts.crossing > 0


def test_enga_has_its_date(real_data: Path) -> None:
    path = real_data / "inventories" / "enga_2024.geojson"
    landslides, facts = read_inventory([path], "EPSG:32754")
    assert landslides["date"].tolist() == ["2024-05-24"]
    assert facts.undated == 0
    later = InventoryOptions(first_date=date(2024, 5, 25))
    assert read_inventory([path], "EPSG:32754", options=later).facts.outside_dates == 1


def test_a_filter_on_undated_noto_is_refused(real_data: Path) -> None:
    options = InventoryOptions(first_date=date(2024, 1, 1))
    with pytest.raises(GridError, match="a column of dates") as caught:
        read_inventory([real_data / "inventories"], UTM, options=options)
    assert "_fillColor" in caught.value.given
