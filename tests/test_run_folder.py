"""A run folder appears whole or not at all, and its files are what a GIS expects."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from headscarp.errors import OutputError
from headscarp.grid import TILE_PX, Tile, crs_wkt, tiles
from headscarp.polygons import PolygonOptions, ProbabilityTile, find_landslides
from headscarp.record import (
    DetectorRecord,
    GridRecord,
    HistogramRecord,
    PseudoEventRecord,
    ResultRecord,
    RunRecord,
)
from headscarp.run_folder import (
    LANDSLIDES,
    LANDSLIDES_GEOJSON,
    LAYER,
    RUN_JSON,
    RasterReader,
    RasterWriter,
    read_record,
    staged_folder,
    write_atomically,
    write_landslides,
    write_record,
)


def grid(height: int, width: int) -> GeoBox:
    return GeoBox((height, width), Affine(20, 0, 580000, 0, -20, 4730000), "EPSG:32654")


def fill(folder: Path, text: str) -> None:
    (folder / RUN_JSON).write_text(text)
    (folder / "maps").mkdir()
    (folder / "maps" / "a.tif").write_text(text)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# the folder


def test_a_run_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    final = tmp_path / "run"
    with staged_folder(final, overwrite=False) as staged:
        fill(staged, "new")
        assert not final.exists()
        assert staged.parent == tmp_path, "beside its final name: one move, on one file system"
    assert names(tmp_path) == {"run"}
    assert names(final) == {RUN_JSON, "maps"}


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_run_that_fails_leaves_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), staged_folder(tmp_path / "run", overwrite=False) as staged:
        fill(staged, "half")
        raise failure
    assert names(tmp_path) == set()


def test_a_run_that_fails_leaves_the_old_one_untouched(tmp_path: Path) -> None:
    final = tmp_path / "run"
    final.mkdir()
    fill(final, "old")
    with pytest.raises(RuntimeError), staged_folder(final, overwrite=True) as staged:
        fill(staged, "half")
        raise RuntimeError
    assert names(tmp_path) == {"run"}
    assert (final / "maps" / "a.tif").read_text() == "old"


def test_a_run_is_refused_without_overwrite_before_any_work(tmp_path: Path) -> None:
    final = tmp_path / "run"
    final.mkdir()
    fill(final, "old")
    with pytest.raises(OutputError) as caught, staged_folder(final, overwrite=False):
        pytest.fail("the work began")
    assert "--overwrite" in caught.value.fix
    assert str(final) in caught.value.given
    assert (final / RUN_JSON).read_text() == "old"


def test_overwrite_replaces_the_whole_run(tmp_path: Path) -> None:
    final = tmp_path / "run"
    final.mkdir()
    fill(final, "old")
    (final / "stale.tif").touch()
    with staged_folder(final, overwrite=True) as staged:
        fill(staged, "new")
        assert (final / RUN_JSON).read_text() == "old"
    assert names(tmp_path) == {"run"}
    assert names(final) == {RUN_JSON, "maps"}
    assert (final / "maps" / "a.tif").read_text() == "new"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_run_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    final = tmp_path / "thesis"
    final.mkdir()
    (final / "chapter.tex").write_text("years of work")
    with pytest.raises(OutputError) as caught, staged_folder(final, overwrite):
        pytest.fail("the work began")
    assert "--overwrite" not in caught.value.fix
    assert (final / "chapter.tex").read_text() == "years of work"
    assert names(tmp_path) == {"thesis"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    final = tmp_path / "notes.txt"
    final.write_text("mine")
    with pytest.raises(OutputError), staged_folder(final, overwrite):
        pytest.fail("the work began")
    assert final.read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with staged_folder(tmp_path / "run", overwrite=False) as staged:
        fill(staged, "new")
    assert (tmp_path / "run" / RUN_JSON).read_text() == "new"
    assert names(tmp_path) == {"run"}


def test_missing_parents_are_made(tmp_path: Path) -> None:
    final = tmp_path / "runs" / "2024" / "noto"
    with staged_folder(final, overwrite=False) as staged:
        fill(staged, "new")
    assert names(final) == {RUN_JSON, "maps"}


@pytest.mark.parametrize("below", ["run", "deep/run"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught, staged_folder(tmp_path / "file" / below, overwrite=False):
        pytest.fail("the work began")
    assert str(tmp_path / "file") in caught.value.given


def test_the_current_folder_can_be_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--out .` in an empty folder: it has no name to write beside."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with staged_folder(Path(), overwrite=False) as staged:
        fill(staged, "new")
    assert names(tmp_path) == {"here"}
    assert names(here) == {RUN_JSON, "maps"}


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_kept_and_its_target_filled(tmp_path: Path, exists: bool) -> None:
    disk, link = tmp_path / "disk", tmp_path / "run"
    disk.mkdir()
    if exists:
        (disk / "run").mkdir()
    link.symlink_to(disk / "run")
    with staged_folder(link, overwrite=False) as staged:
        fill(staged, "new")
    assert link.is_symlink()
    assert names(disk) == {"run"}
    assert (link / RUN_JSON).read_text() == "new"


def test_the_old_run_comes_back_when_the_new_one_cannot_move_in(tmp_path: Path) -> None:
    final = tmp_path / "run"
    final.mkdir()
    fill(final, "old")
    with pytest.raises(OSError), staged_folder(final, overwrite=True) as staged:
        staged.rmdir()  # the disk is gone
    assert names(tmp_path) == {"run"}
    assert (final / "maps" / "a.tif").read_text() == "old"


def test_others_may_read_a_run_as_any_folder_made_here(tmp_path: Path) -> None:
    with staged_folder(tmp_path / "run", overwrite=False):
        pass
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "run").stat().st_mode == (tmp_path / "plain").stat().st_mode


# rasters


def test_a_raster_is_a_cog_with_its_names_tags_and_nodata(tmp_path: Path) -> None:
    geobox = grid(700, 1100)
    values = np.random.default_rng(0).random((2, 700, 1100)).astype(np.float32)
    writer = RasterWriter(tmp_path / "map.tif", geobox, ["probability", "score"], tags={"event_utc": "2024"})
    for tile in tiles(geobox):
        writer.write(tile, values[:, tile.rows, tile.cols])
    writer.finish()
    assert names(tmp_path) == {"map.tif"}
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.block_shapes == [(TILE_PX, TILE_PX)] * 2 == [(512, 512)] * 2
        assert [dataset.overviews(band) for band in (1, 2)] == [[2, 4]] * 2
        assert dataset.dtypes == ("float32", "float32")
        assert np.isnan(dataset.nodata)
        assert dataset.descriptions == ("probability", "score")
        assert dataset.tags()["event_utc"] == "2024"
        assert dataset.crs.to_epsg() == 32654
        assert dataset.transform == geobox.transform
        np.testing.assert_array_equal(dataset.read(), values)
        # of a factor of two, averaged
        overview = dataset.read(1, out_shape=(350, 550))
        np.testing.assert_allclose(overview, values[0].reshape(350, 2, 550, 2).mean(axis=(1, 3)), rtol=1e-5)


def test_a_small_raster_needs_no_overview(tmp_path: Path) -> None:
    geobox = grid(30, 40)
    writer = RasterWriter(tmp_path / "map.tif", geobox, ["probability"])
    writer.write(next(tiles(geobox)), np.ones((1, 30, 40), np.float32))
    writer.finish()
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (dataset.read(1) == 1).all()


def test_tiles_never_written_read_as_nodata_and_take_no_room(tmp_path: Path) -> None:
    geobox = grid(4096, 4096)
    writer = RasterWriter(tmp_path / "map.tif", geobox, ["probability"])
    second = list(tiles(geobox))[1]
    writer.write(second, np.full((1, 512, 512), 0.25, np.float32))
    writer.finish()
    with rasterio.open(tmp_path / "map.tif") as dataset:
        values = dataset.read(1)
        offsets = [dataset.get_tag_item(f"BLOCK_OFFSET_{col}_0", "TIFF", bidx=1) for col in range(8)]
    assert [offset is not None for offset in offsets] == [False, True] + [False] * 6
    assert (values[second.rows, second.cols] == 0.25).all()
    assert np.isfinite(values).sum() == 512 * 512


def test_counts_are_integers_without_nodata(tmp_path: Path) -> None:
    geobox = grid(20, 600)
    writer = RasterWriter(tmp_path / "n.tif", geobox, ["pre_count", "post_count"], "uint16", None)
    writer.write(next(tiles(geobox)), np.full((2, 20, 512), 7, np.uint16))
    writer.finish(resampling="mode")
    with rasterio.open(tmp_path / "n.tif") as dataset:
        assert dataset.nodata is None
        assert dataset.dtypes == ("uint16", "uint16")
        values = dataset.read()
    assert (values[..., :512] == 7).all()
    assert (values[..., 512:] == 0).all()


def test_a_geographic_raster_keeps_its_grid(tmp_path: Path) -> None:
    geobox = GeoBox((5, 6), Affine(8.983e-5, 0, 142.1, 0, -8.983e-5, 42.7), "EPSG:4326")
    writer = RasterWriter(tmp_path / "map.tif", geobox, ["probability"])
    writer.finish()
    with RasterReader(tmp_path / "map.tif") as reader:
        assert reader.geobox == geobox


def test_bands_are_read_by_name_and_tile(tmp_path: Path) -> None:
    geobox = grid(60, 70)
    values = np.arange(3 * 60 * 70, dtype=np.float32).reshape(3, 60, 70)
    writer = RasterWriter(tmp_path / "map.tif", geobox, ["a", "b", "c"])
    writer.write(Tile(geobox, slice(0, 60), slice(0, 70)), values)
    writer.finish()
    tile = Tile(geobox[10:30, 40:70], slice(10, 30), slice(40, 70))
    with RasterReader(tmp_path / "map.tif") as reader:
        assert reader.bands == ("a", "b", "c")
        assert reader.geobox == geobox
        picked, every = reader.read(tile, ["c", "a"]), reader.read(tile)
    assert list(picked) == ["c", "a"]
    assert list(every) == ["a", "b", "c"]
    np.testing.assert_array_equal(picked["c"], values[2, 10:30, 40:70])
    np.testing.assert_array_equal(picked["a"], every["a"])


def test_a_tile_lands_where_rasterio_reads_it(tmp_path: Path) -> None:
    geobox = grid(1030, 520)
    writer = RasterWriter(tmp_path / "map.tif", geobox, ["probability"])
    for number, tile in enumerate(tiles(geobox), start=1):
        writer.write(tile, np.full((1, *tile.shape), number, np.float32))
    writer.finish()
    with rasterio.open(tmp_path / "map.tif") as dataset:
        corner = dataset.read(1, window=Window(511, 1023, 9, 7))
    assert corner[0].tolist() == [3, 4, 4, 4, 4, 4, 4, 4, 4]
    assert corner[1].tolist() == [5, 6, 6, 6, 6, 6, 6, 6, 6]


# landslides


def landslides(threshold: float = 0.5) -> gpd.GeoDataFrame:
    """Two landslides, one with a hole and without a value of VV."""
    geobox = grid(5, 9)
    probability = np.zeros((5, 9), np.float32)
    probability[:3, :3], probability[1, 1] = 0.9, 0.0
    probability[4, 5:9] = 0.7
    change = np.full((5, 9), 2.5, np.float32)
    change[:3, :3] = np.nan
    part = ProbabilityTile(next(tiles(geobox)), probability, {"change_vv_db": change})
    return find_landslides([part], crs_wkt(geobox), PolygonOptions(threshold=threshold, min_area_m2=0))


def test_landslides_are_written_for_a_gis(tmp_path: Path) -> None:
    drawn = landslides()
    write_landslides(tmp_path, drawn)
    assert names(tmp_path) == {LANDSLIDES, LANDSLIDES_GEOJSON}
    assert pyogrio.list_layers(tmp_path / LANDSLIDES).tolist() == [[LAYER, "MultiPolygon"]]
    assert LAYER == "landslides"
    read = gpd.read_file(tmp_path / LANDSLIDES, layer="landslides")
    assert read.crs.to_epsg() == 32654
    assert read.columns.tolist() == drawn.columns.tolist()
    assert read.is_valid.all()
    assert all(a.equals(b) for a, b in zip(read.geometry, drawn.geometry, strict=True))
    np.testing.assert_array_equal(read["id"], [1, 2])
    np.testing.assert_allclose(read["area_m2"], [8 * 400, 4 * 400])
    np.testing.assert_array_equal(read["change_vv_db"], [np.nan, 2.5])


def test_geojson_is_in_degrees_and_says_the_same(tmp_path: Path) -> None:
    drawn = landslides()
    write_landslides(tmp_path, drawn)
    plain = json.loads((tmp_path / LANDSLIDES_GEOJSON).read_text())
    assert plain["name"] == "landslides"
    assert "crs" not in plain, "RFC 7946 knows degrees only"
    assert plain["features"][0]["properties"]["change_vv_db"] is None
    read = gpd.read_file(tmp_path / LANDSLIDES_GEOJSON)
    assert read.crs.to_epsg() == 4326
    assert read.columns.tolist() == drawn.columns.tolist()
    # seven decimals of a degree: about a centimetre
    back = read.to_crs(drawn.crs)
    for found, expected in zip(back.geometry, drawn.geometry, strict=True):
        assert shapely.hausdorff_distance(found, expected) < 0.02
    for point, row in zip(read.geometry.representative_point(), read.itertuples(), strict=True):
        assert abs(point.x - row.centroid_lon) < 0.001 > abs(point.y - row.centroid_lat)


def test_no_landslides_still_give_both_files_with_every_column(tmp_path: Path) -> None:
    empty = landslides(threshold=0.99)
    assert len(empty) == 0
    write_landslides(tmp_path, empty)
    package = gpd.read_file(tmp_path / LANDSLIDES, layer="landslides")
    assert len(package) == 0
    assert package.columns.tolist() == empty.columns.tolist()
    assert package.crs.to_epsg() == 32654
    assert json.loads((tmp_path / LANDSLIDES_GEOJSON).read_text())["features"] == []


def test_landslides_can_be_drawn_again_over_the_old_ones(tmp_path: Path) -> None:
    for threshold, count in ((0.5, 2), (0.8, 1), (0.99, 0), (0.5, 2)):
        write_landslides(tmp_path, landslides(threshold))
        assert len(gpd.read_file(tmp_path / LANDSLIDES, layer="landslides")) == count
        assert len(json.loads((tmp_path / LANDSLIDES_GEOJSON).read_text())["features"]) == count
    assert names(tmp_path) == {LANDSLIDES, LANDSLIDES_GEOJSON}


# run.json


def record() -> RunRecord:
    moment = datetime(2024, 1, 1, 7, 10, tzinfo=UTC)
    return RunRecord(
        headscarp="0.1.0",
        command=["headscarp", "map"],
        started_utc=moment,
        finished_utc=moment,
        options={"polygons": {"threshold": 0.8}},
        event_utc=moment,
        event_is_instant=True,
        pre_window=(moment, moment),
        post_window=(moment, moment),
        windows_source="default",
        inputs=[],
        orbits=[],
        polarizations=["VV"],
        grid=GridRecord(
            crs="EPSG:32654",
            transform=(20, 0, 580000, 0, -20, 4730000),
            height_px=5,
            width_px=9,
            spacing=20,
            unit="metre",
            source="the scenes' own",
        ),
        histograms={"VV": HistogramRecord(edges=[0, 1], counts=[7])},
        detector=DetectorRecord(
            name="log-ratio",
            threshold=0.8,
            threshold_source="default",
            fitted={"null_mean": 0.1},
            score=HistogramRecord(edges=[0, 1], counts=[7]),
            score_name="score",
            null_density=[6.5],
        ),
        pseudo_event=PseudoEventRecord(
            date_utc=None,
            orbits=[],
            pre_dates=0,
            post_dates=0,
            area_km2=0,
            false_alarms=[],
            note="Not run.",
        ),
        terrain=None,
        results=ResultRecord(
            area_of_interest_km2=1,
            observed_km2=1,
            not_observed_km2=0,
            flagged_km2=0,
            flagged_share=0,
            landslides=0,
            landslides_km2=0,
            min_area_m2=1000,
        ),
        notes=["Nobody looked at the ground — trust nothing."],
        stages=[],
        versions={"numpy": "2"},
    )


def test_a_record_is_read_back_as_written(tmp_path: Path) -> None:
    write_record(tmp_path, record())
    assert read_record(tmp_path) == record()
    assert names(tmp_path) == {RUN_JSON}
    assert (
        json.loads((tmp_path / RUN_JSON).read_text(encoding="utf-8"))["event_utc"] == "2024-01-01T07:10:00Z"
    )


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "{}", record().model_dump_json()[:-1] + ', "unknown": 1}']
)
def test_a_folder_without_a_readable_record_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / RUN_JSON).write_text(text)
    with pytest.raises(OutputError) as caught:
        read_record(tmp_path)
    assert str(tmp_path) in caught.value.given


def test_text_replaces_a_file_in_one_move(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old and longer")
    write_atomically(path, "é")
    assert path.read_bytes() == "é".encode()
    assert names(tmp_path) == {"report.html"}
