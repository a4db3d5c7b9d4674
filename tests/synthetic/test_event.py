"""The simulated event keeps its promises: names, grid, radiometry, truth, determinism."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import geometry_mask

from headscarp.errors import OptionsError, OutputError
from headscarp.geometry.terrain import slope_deg
from headscarp.synthetic import write_demo_event
from headscarp.synthetic.__main__ import main
from headscarp.synthetic.backscatter import landslide_factor, speckle
from headscarp.synthetic.event import ASCENDING, DESCENDING
from headscarp.synthetic.ground import LANDSLIDE_AREA_M2, fractal, landslide_areas_m2

SIZE_PX, SPACING_M = 128, 20.0
GRID = rasterio.Affine(SPACING_M, 0.0, 580_000.0, 0.0, -SPACING_M, 4_730_000.0)
NAME = re.compile(r"S1A_(?P<time>\d{8}T\d{6})_(?P<state>ASC|DSC)_R(?P<orbit>\d{3})\.tif")
LOOKS = 12.0
EVENT = datetime(2024, 6, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo_event(tmp_path_factory.mktemp("event"), size_px=SIZE_PX)


def facts(scene: Path) -> tuple[datetime, str, int]:
    match = NAME.fullmatch(scene.name)
    assert match is not None, scene.name
    acquired = datetime.strptime(match["time"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return acquired, match["state"], int(match["orbit"])


def scenes(folder: Path, state: str) -> list[Path]:
    return sorted(folder.glob(f"scenes/*_{state}_*.tif"))


def read(path: Path) -> NDArray[np.float32]:
    with rasterio.open(path) as reader:
        pixels: NDArray[np.float32] = reader.read()
    return pixels


def split(folder: Path, state: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scenes before and after the event, each (time, polarisation, y, x)."""
    paths = scenes(folder, state)
    pre = [read(p) for p in paths if facts(p)[0] < EVENT]
    post = [read(p) for p in paths if facts(p)[0] > EVENT]
    return np.stack(pre), np.stack(post)


def truth(folder: Path) -> gpd.GeoDataFrame:
    return gpd.read_file(folder / "inventory.gpkg", layer="landslides")


@pytest.mark.parametrize(("state", "orbit", "solar_hour"), [("ASC", 68, 18.0), ("DSC", 46, 6.0)])
def test_passes_repeat_every_twelve_days_around_the_event(
    folder: Path, state: str, orbit: int, solar_hour: float
) -> None:
    times = [facts(p)[0] for p in scenes(folder, state)]
    assert {facts(p)[2] for p in scenes(folder, state)} == {orbit}
    assert {b - a for a, b in pairwise(times)} == {timedelta(days=12)}
    assert sum(t < EVENT for t in times) == 8
    assert sum(t > EVENT + timedelta(days=1) for t in times) == 3
    local = times[0] + timedelta(hours=142.0 / 15.0)
    assert local.hour + local.minute / 60.0 == pytest.approx(solar_hour, abs=0.25)


def test_scene_files_are_as_promised(folder: Path) -> None:
    paths = sorted(folder.glob("scenes/*"))
    assert len(paths) == 22
    for path in paths:
        with rasterio.open(path) as scene:
            assert scene.crs.to_epsg() == 32654
            assert (scene.transform, scene.shape) == (GRID, (SIZE_PX, SIZE_PX))
            assert scene.descriptions == ("VV", "VH")
            assert set(scene.dtypes) == {"float32"}
            assert np.isnan(scene.nodata)
            assert scene.block_shapes == [(256, 256)] * 2
            assert scene.compression.value == "DEFLATE"
            assert scene.tags()["UNITS"] == "linear power"
            assert scene.tags()["headscarp"] == "simulated"


def test_descending_swath_misses_the_west_and_ascending_nothing(folder: Path) -> None:
    edge_px = round(0.15 * SIZE_PX)
    for path in scenes(folder, "DSC"):
        missing = np.isnan(read(path))
        assert missing[..., :edge_px].all()
        assert not missing[..., edge_px:].any()
    assert not any(np.isnan(read(path)).any() for path in scenes(folder, "ASC"))


def test_heights_surround_the_scenes_with_flat_water_and_steep_slopes(folder: Path) -> None:
    with rasterio.open(folder / "dem.tif") as dem:
        assert dem.crs.to_epsg() == 32654
        assert dem.nodata == -9999.0
        height = dem.read(1)
        assert dem.bounds.left == GRID.c - 10 * SPACING_M
        assert dem.bounds.top == GRID.f + 10 * SPACING_M
    assert height.shape == (SIZE_PX + 20, SIZE_PX + 20)
    slope = slope_deg(height, (SPACING_M, SPACING_M))[1:-1, 1:-1]
    assert np.nanpercentile(slope, 99.0) == pytest.approx(45.0, abs=1.5)
    assert np.mean(slope == 0.0) > 0.01


def test_fractal_has_the_power_law_of_mountains() -> None:
    size_px = 256
    surface = np.mean([_power(fractal(size_px, np.random.default_rng(s))) for s in range(8)], axis=0)
    wavenumber = np.hypot(np.fft.fftfreq(size_px)[:, None], np.fft.fftfreq(size_px))
    ring = (wavenumber > 0.02) & (wavenumber < 0.4)
    exponent = np.polyfit(np.log(wavenumber[ring]), np.log(surface[ring]), 1)[0]
    assert exponent == pytest.approx(-3.2, abs=0.1)


def _power(surface: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(np.fft.fft2(surface)) ** 2


def test_same_seed_same_bytes_and_another_seed_another_event(folder: Path, tmp_path: Path) -> None:
    again = write_demo_event(tmp_path / "again", size_px=SIZE_PX)
    other = write_demo_event(tmp_path / "other", size_px=SIZE_PX, seed=8)
    rasters = sorted(p.relative_to(folder) for p in folder.rglob("*.tif"))
    assert len(rasters) == 23
    for raster in rasters:
        assert (again / raster).read_bytes() == (folder / raster).read_bytes()
        assert (other / raster).read_bytes() != (folder / raster).read_bytes()
    assert truth(again).geometry.geom_equals(truth(folder).geometry).all()


def test_more_dates_leave_the_others_as_they_were(folder: Path, tmp_path: Path) -> None:
    fewer = write_demo_event(tmp_path, size_px=SIZE_PX, pre=2, post=1)
    kept = sorted(p.name for p in fewer.glob("scenes/*.tif"))
    assert len(kept) == 6
    for name in kept:
        assert (fewer / "scenes" / name).read_bytes() == (folder / "scenes" / name).read_bytes()


def test_landslides_are_valid_disjoint_steep_and_within_the_truncation(folder: Path) -> None:
    inventory = truth(folder)
    assert inventory.crs.to_epsg() == 32654
    assert 30 <= len(inventory) <= 40
    assert inventory.geometry.is_valid.all()
    np.testing.assert_allclose(inventory["area_m2"], inventory.geometry.area)
    smallest_m2, largest_m2 = LANDSLIDE_AREA_M2
    assert inventory["area_m2"].between(smallest_m2 - 0.01, largest_m2 + 0.01).all()
    assert shapely.union_all(inventory.geometry).area == pytest.approx(inventory["area_m2"].sum())
    with rasterio.open(folder / "dem.tif") as dem:
        slope = slope_deg(dem.read(1), (SPACING_M, SPACING_M))
        for outline in inventory.geometry:
            inside = geometry_mask([outline], slope.shape, dem.transform, invert=True, all_touched=True)
            assert slope[inside].mean() > 20.0


def test_landslides_run_downslope(folder: Path) -> None:
    with rasterio.open(folder / "dem.tif") as dem:
        for outline in truth(folder).geometry:
            ends = np.array(outline.exterior.coords)[[0, 12, 24, 36]]
            upper, one_side, lower, other_side = (h[0] for h in dem.sample(ends))
            assert upper - lower > abs(one_side - other_side)


def test_areas_follow_the_inverse_gamma_of_malamud() -> None:
    areas_km2 = landslide_areas_m2(40_000, np.random.default_rng(1)) / 1e6
    edges_km2 = np.geomspace(2e-3, 0.2, 9)
    fine_km2 = np.geomspace(2e-3, 0.2, 8 * 200 + 1)
    scaled = 1.28e-3 / (fine_km2 + 1.32e-4)
    density = scaled**2.4 * np.exp(-scaled)
    steps = (density[1:] + density[:-1]) / 2.0 * np.diff(fine_km2)
    expected = steps.reshape(8, 200).sum(axis=1) / steps.sum()
    share = np.histogram(areas_km2, edges_km2)[0] / areas_km2.size
    np.testing.assert_allclose(share, expected, atol=0.01)


@pytest.mark.parametrize("state", ["ASC", "DSC"])
def test_vh_drops_by_four_decibels_at_landslides_and_nowhere_else(folder: Path, state: str) -> None:
    pre, post = (np.median(part[:, 1], axis=0) for part in split(folder, state))
    change_db = 10.0 * np.log10(post / pre)
    outlines = truth(folder).geometry
    wholly = geometry_mask(
        outlines.buffer(-0.7 * SPACING_M).loc[lambda s: ~s.is_empty], change_db.shape, GRID, invert=True
    )
    away = geometry_mask(outlines.buffer(SPACING_M), change_db.shape, GRID)
    assert wholly.sum() > 100
    assert np.nanmedian(change_db[wholly]) - np.nanmedian(change_db[away]) == pytest.approx(-4.0, abs=1.0)
    assert np.nanmedian(change_db[away]) == pytest.approx(0.0, abs=0.6)


def test_covers_differ_as_promised(folder: Path) -> None:
    pre, _ = split(folder, "ASC")
    vv_db, vh_db = 10.0 * np.log10(pre.mean(axis=0))
    with rasterio.open(folder / "dem.tif") as dem:
        height = dem.read(1)[10:-10, 10:-10]
    lake = height == height.min()
    assert np.median(vv_db[lake]) == pytest.approx(-20.0, abs=0.5)
    assert np.median(vh_db[lake]) == pytest.approx(-27.0, abs=0.5)
    assert np.median(vv_db) == pytest.approx(-8.0, abs=0.7)
    assert np.median(vh_db) == pytest.approx(-14.0, abs=0.7)


def test_moisture_shifts_each_date_alike_in_both_polarisations(folder: Path) -> None:
    pre, _ = split(folder, "ASC")
    level_db = 10.0 * np.log10(pre.mean(axis=(2, 3)))
    shift_db = level_db - level_db.mean(axis=0)
    np.testing.assert_allclose(shift_db[:, 0], shift_db[:, 1], atol=0.06)
    assert 0.1 < shift_db.std() < 0.6


def test_speckle_has_its_looks_and_is_new_on_every_date(folder: Path) -> None:
    pre, _ = split(folder, "ASC")
    vv = pre[:, 0] / np.median(pre[:, 0], axis=(1, 2), keepdims=True)
    looks = 1.0 / np.mean(vv.var(axis=0, ddof=1) / vv.mean(axis=0) ** 2)
    assert looks == pytest.approx(LOOKS, rel=0.25)
    residual = np.log(vv) - np.log(vv).mean(axis=0)
    correlation = np.corrcoef(residual.reshape(len(pre), -1))
    off_diagonal = correlation[~np.eye(len(pre), dtype=bool)]
    np.testing.assert_allclose(off_diagonal, -1.0 / (len(pre) - 1), atol=0.05)


def test_speckle_is_gamma_of_mean_one_and_mildly_correlated() -> None:
    field = speckle((2, 512, 512), np.random.default_rng(5)).astype(np.float64)
    assert field.min() > 0.0
    assert field.mean() == pytest.approx(1.0, abs=0.005)
    assert field.mean() ** 2 / field.var() == pytest.approx(LOOKS, rel=0.05)
    skewness = ((field - field.mean()) ** 3).mean() / field.std() ** 3
    assert skewness == pytest.approx(2.0 / np.sqrt(LOOKS), rel=0.1)
    assert 0.1 < np.corrcoef(field[0, :, 1:].ravel(), field[0, :, :-1].ravel())[0, 1] < 0.5
    assert abs(np.corrcoef(field[0].ravel(), field[1].ravel())[0, 1]) < 0.01


def test_pixel_that_a_landslide_covers_by_half_changes_by_half() -> None:
    # Three columns wholly, and half of the fourth; both polarisations have their own change.
    block = shapely.box(580_000.0, 4_730_000.0 - 8 * SPACING_M, 580_000.0 + 3.5 * SPACING_M, 4_730_000.0)
    factor = landslide_factor([block], GRID, (8, 8), np.random.default_rng(2))
    whole = factor[:, 4, 0]
    assert (whole < 1.0).all()
    np.testing.assert_allclose(factor[:, 4, 3], 0.5 + 0.5 * whole, rtol=1e-5)
    np.testing.assert_array_equal(factor[:, :, 4:], 1.0)
    np.testing.assert_array_equal(landslide_factor([], GRID, (8, 8), np.random.default_rng(2)), 1.0)


def test_foreign_scenes_are_not_mixed_with_simulated_ones(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "real.tif").touch()
    with pytest.raises(OutputError, match=r"real\.tif"):
        write_demo_event(tmp_path, size_px=SIZE_PX)
    assert not (tmp_path / "dem.tif").exists()


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="a folder to write to"):
        write_demo_event(tmp_path / "file")


@pytest.mark.parametrize(
    "option", [{"seed": -1}, {"size_px": 63}, {"spacing_m": 0.0}, {"spacing_m": np.nan}, {"post": 0}]
)
def test_numbers_outside_their_range_are_refused(option: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=next(iter(option))):
        write_demo_event(tmp_path / "event", **option)  # type: ignore[arg-type]
    assert not (tmp_path / "event").exists()


def test_command_says_in_one_line_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--size", "64", "--seed", "3"]) == 0
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert "22 simulated scenes" in told
    assert str(tmp_path) in told
    assert not list(tmp_path.rglob(".part-*"))


def test_command_tells_bad_input_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--size", "5"]) == OptionsError.exit_code
    assert "size_px=5" in capsys.readouterr().err


def test_orbits_pass_a_day_and_a_half_apart() -> None:
    # 22 relative orbits of 98.74 minutes lie between orbit 46 and orbit 68.
    apart = ASCENDING.last_pre_event - DESCENDING.last_pre_event
    assert apart / timedelta(minutes=98.74) == pytest.approx(
        ASCENDING.relative_orbit - DESCENDING.relative_orbit, abs=0.6
    )
