"""The main job, end to end, on small generated scenes and on real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import xarray as xr
from shapely.geometry import box

import headscarp as hs
from tests.pipeline.conftest import (
    EVENT_DATE,
    LANDSLIDE,
    SIZE_PX,
    SmallEvent,
    acquired,
    read_band,
    scene_bands,
    scene_path,
)

LEFT, TOP, SPACING_M = 580000.0, 4730000.0, 20.0
LEFT_UTM53, TOP_UTM53 = 1071390.0, 4753300.0
"""The same place in the neighbouring zone."""


def options(scenes: Path, **more: object) -> hs.MapOptions:
    return hs.load_options(None, {"scenes": [scenes], "event.date": EVENT_DATE, **more})


def truth() -> object:
    rows, cols = LANDSLIDE
    return box(
        LEFT + cols.start * SPACING_M, TOP - rows.stop * SPACING_M,
        LEFT + cols.stop * SPACING_M, TOP - rows.start * SPACING_M,
    )  # fmt: skip


def test_a_planted_landslide_is_found_and_little_else(small_event: SmallEvent, tmp_path: Path) -> None:
    record = hs.run_map(options(small_event.scenes, **{"terrain.dem": small_event.dem}), tmp_path / "run")
    landslides = gpd.read_file(tmp_path / "run" / "landslides.gpkg", layer="landslides")
    hit = landslides[landslides.intersects(truth())]
    assert hit["area_m2"].sum() > 0.7 * truth().area  # type: ignore[attr-defined]
    assert hit.iloc[0]["id"] == 1
    assert hit.iloc[0]["orbits_agreeing"] == 2
    # evidence pooled over 9 pixels spills over the outline of so clear a landslide, and thins its change
    assert hit["area_m2"].sum() < 2.8 * truth().area  # type: ignore[attr-defined]
    assert 2.0 < hit.iloc[0]["change_vh_db"] < 5.7
    assert 0.7 < hit.iloc[0]["change_vv_db"] < 2.7
    assert hit.iloc[0]["slope_mean_deg"] == pytest.approx(np.degrees(np.arctan(0.5)), abs=0.1)
    missed = record.results.flagged_km2 * 1e6 - hit["area_m2"].sum()
    assert missed < 0.005 * SIZE_PX**2 * SPACING_M**2


def test_pixel_by_pixel_the_outline_and_the_change_are_those_of_the_landslide(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    plain = {"detect.detector": "log-ratio", "detect.windows_px": (1,), "polygons.threshold": 0.5}
    hs.run_map(options(small_event.scenes, **plain), tmp_path / "run")
    landslides = gpd.read_file(tmp_path / "run" / "landslides.gpkg", layer="landslides")
    hit = landslides[landslides.intersects(truth())]
    assert hit["area_m2"].sum() == pytest.approx(truth().area, rel=0.25)  # type: ignore[attr-defined]
    assert hit.iloc[0]["change_vh_db"] == pytest.approx(5.0, abs=0.7)
    assert hit.iloc[0]["change_vv_db"] == pytest.approx(2.0, abs=0.7)


def test_every_output_is_there_and_gis_ready(small_event: SmallEvent, tmp_path: Path) -> None:
    run = tmp_path / "run"
    hs.run_map(options(small_event.scenes, **{"terrain.dem": small_event.dem}), run)
    expected = {
        "probability.tif", "change.tif", "score.tif", "observations.tif", "terrain.tif", "observable.tif",
        "landslides.gpkg", "landslides.geojson", "report.html", "run.json",
    }  # fmt: skip
    assert {path.name for path in run.iterdir()} == expected
    with rasterio.open(run / "probability.tif") as source:
        assert source.dtypes == ("float32",)
        assert np.isnan(source.nodata)
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    with rasterio.open(run / "change.tif") as source:
        assert source.descriptions[:2] == ("change_vv_fused_db", "change_vh_fused_db")
        assert "change_vh_descending_db" in source.descriptions
        assert "loss" in source.tags()["change"]
    with rasterio.open(run / "observations.tif") as source:
        assert source.descriptions[0] == "pre_count_ascending_68"
        assert [int(source.read(i).max()) for i in source.indexes] == [8, 3, 8, 3]
    geojson = gpd.read_file(run / "landslides.geojson")
    assert geojson.crs.to_epsg() == 4326
    assert geojson.geometry.is_valid.all()
    assert len(geojson) == len(gpd.read_file(run / "landslides.gpkg"))
    west, _, east, _ = geojson.total_bounds
    assert geojson["centroid_lon"].between(west, east).all()


def test_the_record_tells_what_went_in(small_event: SmallEvent, tmp_path: Path) -> None:
    hs.run_map(options(small_event.scenes), tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert len(record["inputs"]) == 22
    assert {len(entry["sha256"]) for entry in record["inputs"]} == {64}
    assert {entry["scale_source"] for entry in record["inputs"]} == {"detected from values"}
    assert record["orbits"][0]["days_to_first_pass"] == pytest.approx(3 + 8.5 / 24, abs=1e-6)
    assert record["options"]["event"]["date"] == EVENT_DATE
    assert all(stage["peak_memory_mb"] > 0 for stage in record["stages"])
    assert record["pseudo_event"]["pre_dates"] == 5
    assert any("No DEM" in note for note in record["notes"])


def test_the_python_interface_gives_the_map_that_the_run_wrote(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    plain = {"detect.detector": "log-ratio", "detect.windows_px": (1,)}
    hs.run_map(options(small_event.scenes, **plain), tmp_path / "run")
    event = hs.Event.from_options(hs.EventOptions(date=EVENT_DATE))
    files = hs.read_scene_files([small_event.scenes]).files
    grid = hs.choose_grid(files, hs.AreaOptions()).geobox
    stacks = hs.open_stacks(hs.group_scenes(hs.drop_repeats(files)[0]), grid)
    splits = {label: hs.split_dates(stack, event) for label, stack in stacks.items()}
    change = hs.change_of_stacks(stacks, splits)
    fitted = hs.LogRatio().fit(change)
    probability = fitted.probability(fitted.score(change))
    assert isinstance(probability, xr.DataArray)
    np.testing.assert_allclose(probability.values, read_band(tmp_path / "run" / "probability.tif"), atol=1e-6)


def test_change_is_before_minus_after_in_db(small_event: SmallEvent, tmp_path: Path) -> None:
    hs.run_map(options(small_event.scenes), tmp_path / "run")
    stacks = {
        orbit: [
            [read_band(scene_path(small_event.scenes, orbit, step), 2) for step in steps]
            for steps in (range(-8, 0), range(3))
        ]
        for orbit in ("ASC", "DSC")
    }
    per_orbit = [
        10 * np.log10(np.median(pre, axis=0)) - 10 * np.log10(np.median(post, axis=0))
        for pre, post in stacks.values()
    ]
    fused = (per_orbit[0] + per_orbit[1]) / 2
    np.testing.assert_allclose(read_band(tmp_path / "run" / "change.tif", 2), fused, atol=1e-4)


@pytest.mark.parametrize(
    ("keep", "note"),
    [("ASC", "Only ascending passes"), ("DSC", "Only descending passes")],
)
def test_one_orbit_only_works_and_says_what_is_lost(
    small_event: SmallEvent, tmp_path: Path, keep: str, note: str
) -> None:
    for path in small_event.scenes.glob("*.tif"):
        if keep not in path.name:
            path.unlink()
    record = hs.run_map(options(small_event.scenes), tmp_path / "run")
    assert len(record.orbits) == 1
    assert any(note in text for text in record.notes)


def test_an_orbit_without_a_pair_is_left_out_with_its_reason(small_event: SmallEvent, tmp_path: Path) -> None:
    for step in range(3):
        scene_path(small_event.scenes, "DSC", step).unlink()
    record = hs.run_map(options(small_event.scenes), tmp_path / "run")
    assert [orbit.label for orbit in record.orbits] == ["ascending 68"]
    reasons = {entry.reason for entry in record.inputs if entry.relative_orbit == 46}
    assert reasons == {"descending 46 has no scene after the event to compare with"}


def test_a_single_date_after_the_event_is_said(small_event: SmallEvent, tmp_path: Path) -> None:
    for orbit in ("ASC", "DSC"):
        for step in (1, 2):
            scene_path(small_event.scenes, orbit, step).unlink()
    record = hs.run_map(options(small_event.scenes), tmp_path / "run")
    assert sum("single date after" in note for note in record.notes) == 2


def test_the_area_of_interest_limits_the_map(small_event: SmallEvent, tmp_path: Path) -> None:
    area = box(LEFT + 600, TOP - 1800, LEFT + 1800, TOP - 400)
    aoi = tmp_path / "aoi.geojson"
    gpd.GeoSeries([area], crs="EPSG:32654").to_crs("EPSG:4326").to_file(aoi)
    record = hs.run_map(options(small_event.scenes, **{"area.aoi": aoi}), tmp_path / "run")
    assert record.results.observed_km2 == pytest.approx(area.area / 1e6, rel=0.02)
    assert record.results.area_of_interest_km2 == pytest.approx(area.area / 1e6, rel=0.01)
    assert record.grid.width_px < SIZE_PX


def test_another_crs_and_spacing_keep_the_landslide_where_it_is(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    geographic = {"area.crs": "EPSG:4326", "area.spacing": 8.983e-5 * 3}
    record = hs.run_map(options(small_event.scenes, **geographic), tmp_path / "run")
    assert record.grid.unit == "degree"
    landslides = gpd.read_file(tmp_path / "run" / "landslides.gpkg").to_crs("EPSG:32654")
    largest = landslides.sort_values("area_m2").iloc[-1]
    assert largest.geometry.intersection(truth()).area > 0.6 * truth().area  # type: ignore[attr-defined]
    assert largest["area_m2"] == pytest.approx(largest.geometry.area, rel=0.01)


def test_two_crss_and_two_spacings_meet_on_one_grid(
    small_event: SmallEvent, tmp_path: Path, write_scene: Callable[..., Path]
) -> None:
    for step in range(-8, 3):
        path = scene_path(small_event.scenes, "DSC", step)
        power = {name: band[::2, ::2] for name, band in scene_bands(1, step).items()}
        write_scene(path, power, left=LEFT_UTM53, top=TOP_UTM53, spacing=40.0, crs="EPSG:32653")
    record = hs.run_map(options(small_event.scenes), tmp_path / "run")
    assert record.grid.crs == "EPSG:32654"
    assert record.grid.spacing == 20.0
    assert "nearest UTM" in record.grid.source
    counts = read_band(tmp_path / "run" / "observations.tif", 3)
    assert (counts == 8).mean() > 0.5


def test_a_map_without_landslides_has_all_its_columns(small_event: SmallEvent, tmp_path: Path) -> None:
    none = {"polygons.min_area_m2": 1e9, "terrain.dem": small_event.dem}
    record = hs.run_map(options(small_event.scenes, **none), tmp_path / "run")
    drawn = gpd.read_file(tmp_path / "run" / "landslides.gpkg")
    assert record.results.landslides == len(drawn) == 0
    expected = {"id", "area_m2", "probability_mean", "probability_max", "change_vv_db", "change_vh_db",
                "slope_mean_deg", "orbits_agreeing", "centroid_lon", "centroid_lat"}  # fmt: skip
    assert expected <= set(drawn.columns)


def test_gentle_ground_and_water_have_no_probability(
    small_event: SmallEvent, tmp_path: Path, write_scene: Callable[..., Path]
) -> None:
    flat = np.full((SIZE_PX + 20, SIZE_PX + 20), 100.0, np.float32)
    flat[:, : SIZE_PX // 2] += np.arange(SIZE_PX // 2) * 10.0
    dem = write_scene(tmp_path / "flat.tif", {"height": flat}, left=LEFT - 200, top=TOP + 200, nodata=-9999.0)
    record = hs.run_map(options(small_event.scenes, **{"terrain.dem": dem}), tmp_path / "run")
    probability = read_band(tmp_path / "run" / "probability.tif")
    assert (probability[:, SIZE_PX // 2 + 5 :] == 0).all()
    assert (probability[:, : SIZE_PX // 2 - 15] > 0).any()
    assert record.terrain is not None
    assert record.terrain.gentle_km2 > 0.4 * record.results.observed_km2


def test_false_alarms_set_the_threshold(small_event: SmallEvent, tmp_path: Path) -> None:
    wanted = {"detect.false_alarms_per_100km2": 20.0, "polygons.min_area_m2": 0.0}
    record = hs.run_map(options(small_event.scenes, **wanted), tmp_path / "run")
    own = next(f for f in record.pseudo_event.false_alarms if f.threshold == record.detector.threshold)
    assert own.per_100km2 <= 20.0
    assert "20 false alarms" in record.detector.threshold_source
    loose = hs.run_map(
        options(small_event.scenes, **wanted | {"detect.false_alarms_per_100km2": 400.0}), tmp_path / "b"
    )
    assert loose.detector.threshold < record.detector.threshold


def test_pooling_tracks_gives_one_change_an_orbit_state(
    small_event: SmallEvent, tmp_path: Path, write_scene: Callable[..., Path]
) -> None:
    for step in range(-3, 2):
        time = acquired("ASC", step) + timedelta(days=5, minutes=8)
        name = f"S1A_{time:%Y%m%dT%H%M%S}_ASC_R141.tif"
        write_scene(small_event.scenes / name, scene_bands(7, step))
    apart = hs.run_map(options(small_event.scenes), tmp_path / "apart")
    pooled = hs.run_map(options(small_event.scenes, **{"change.pooling": "orbit_state"}), tmp_path / "pooled")
    assert [o.label for o in apart.orbits] == ["ascending 68", "ascending 141", "descending 46"]
    assert [o.label for o in pooled.orbits] == ["ascending", "descending"]
    assert len(pooled.orbits[0].pre_utc) == 11


def test_polygons_can_be_redrawn_from_the_stored_probability(small_event: SmallEvent, tmp_path: Path) -> None:
    run = tmp_path / "run"
    before = hs.run_map(
        options(small_event.scenes, **{"polygons.threshold": 0.3, "polygons.min_area_m2": 0.0}), run
    )
    after = hs.redraw_polygons(run, threshold=0.99, min_area_m2=5000.0)
    drawn = gpd.read_file(run / "landslides.gpkg")
    assert len(drawn) == after.results.landslides < before.results.landslides
    assert (drawn["area_m2"] >= 5000.0).all()
    assert after.results.flagged_km2 < before.results.flagged_km2
    again = hs.redraw_polygons(run, threshold=0.3, min_area_m2=before.results.min_area_m2)
    assert again.results == before.results


def test_real_t137_flags_at_most_half_a_per_cent(real_data: Path, tmp_path: Path) -> None:
    wanted = {
        "event.date": "2023-11-12",
        "event.pre": ("2023-10-01", "2023-11-11"),
        "event.post": ("2023-11-13", "2023-12-31"),
    }
    record = hs.run_map(options(real_data / "opera_rtc_s1" / "T137", **wanted), tmp_path / "run")
    assert record.results.observed_km2 == pytest.approx(36.0)
    assert 0 < record.results.flagged_share <= 0.005
    assert record.orbits[0].label == "ascending 137"
    assert record.orbits[0].orbit_state_source == "burst identifier"
    assert (len(record.orbits[0].pre_utc), len(record.orbits[0].post_utc)) == (4, 4)
    assert record.orbits[0].days_to_first_pass == pytest.approx(9.083, abs=0.01)
    assert record.pseudo_event.false_alarms


def test_real_single_polarisation_and_ragged_footprints(real_data: Path, tmp_path: Path) -> None:
    opera = real_data / "opera_rtc_s1"
    enga = hs.run_map(options(opera / "T009_enga", **{"event.date": "2024-03-17"}), tmp_path / "enga")
    assert enga.polarizations == ["VH"]
    assert any("Only VH" in note for note in enga.notes)
    assert enga.results.observed_km2 < 0.4 * enga.results.area_of_interest_km2
    ragged = hs.run_map(options(opera / "T137_ragged", **{"event.date": "2024-02-04"}), tmp_path / "ragged")
    assert ragged.results.observed_km2 == pytest.approx(4 * 0.75**2, rel=0.01)
