"""From a product with known ground to GeoTIFFs: targets found, pattern kept, noise told from signal."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator
from typer.testing import CliRunner

import headscarp.cli.backscatter  # noqa: F401  (registers its command)
from headscarp.backscatter.options import BackscatterOptions
from headscarp.backscatter.record import read_backscatter_record
from headscarp.cli.app import app
from headscarp.errors import HeadscarpError
from headscarp.ingest.files import read_scene_files
from headscarp.pipeline.backscatter.blocks import BlockMaker
from headscarp.pipeline.backscatter.run import run_backscatter
from headscarp.vocabulary import BackscatterScale, OrbitState
from tests.backscatter.conftest import Known, make_known, pattern
from tests.backscatter.writer import (
    UTM,
    Frame,
    GroundPoints,
    copy_safe,
    fill,
    plain,
    split,
    tables,
    write_measurement,
    zip_safe,
)

NAME = "S1B_20211223T051122_DESC_R022.tif"
Values = NDArray[np.float64]


def options_of(known: Known, **more: object) -> BackscatterOptions:
    values = {
        "products": (known.frame.safe,), "dem": known.dem, "heights": "ellipsoid",
        "area": {"bbox": known.frame.bbox(), "crs": UTM}, "visibility": False,
    }  # fmt: skip
    return BackscatterOptions.model_validate(values | more)


class Made:
    """A file that was made, and where its pixels are."""

    def __init__(self, path: Path) -> None:
        with rasterio.open(path) as raster:
            self.values = raster.read().astype(np.float64)
            self.tags, self.transform = raster.tags(), raster.transform
        rows, cols = self.values.shape[1:]
        self.x = self.transform.c + self.transform.a * (np.arange(cols) + 0.5)
        self.y = self.transform.f + self.transform.e * (np.arange(rows) + 0.5)

    def expected(self, known: Known) -> Values:
        x, y = np.meshgrid(self.x, self.y)
        return pattern(GroundPoints(x, y, x, x, y))

    def targets(self, known: Known) -> Values:
        """Column and row of the targets, by the geolocation grid."""
        line, sample = (np.array(part, float) for part in zip(*known.targets, strict=True))
        ground = known.frame.ground(line, sample)
        t = self.transform
        return np.stack([(ground.x - t.c) / t.a - 0.5, (ground.y - t.f) / t.e - 0.5], axis=1)


def missed_px(made: Made, known: Known, band: int = 0) -> Values:
    """Where targets are found, less where they are: centroids of what is far above the pattern."""
    missed = []
    for col, row in made.targets(known):
        rows, cols = np.mgrid[round(row) - 3 : round(row) + 4, round(col) - 3 : round(col) + 4]
        power = made.values[band, rows, cols] - made.expected(known)[rows, cols]
        power = np.where(power > 1.0, power, 0.0)
        missed.append([(cols * power).sum() / power.sum() - col, (rows * power).sum() / power.sum() - row])
    return np.array(missed)


def away_from_targets(made: Made, known: Known) -> NDArray[np.bool_]:
    x, y = np.meshgrid(np.arange(made.x.size), np.arange(made.y.size))
    return np.logical_and.reduce([np.hypot(x - c, y - r) > 4 for c, r in made.targets(known)])


@pytest.fixture(scope="module")
def made(known: Known, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "out"
    run_backscatter(options_of(known, visibility=True), out)
    return out


def check_targets_and_pattern(made: Made, known: Known) -> None:
    missed = missed_px(made, known)
    assert len(missed) == 6
    assert np.abs(missed.mean(axis=0)).max() <= 0.25
    assert np.hypot(*missed.T).max() <= 1.0
    clear = away_from_targets(made, known)
    for band, factor in ((0, 1.0), (1, 0.2)):
        error_db = 10 * np.log10(made.values[band] / (factor * made.expected(known)))[clear]
        held = np.isfinite(error_db)
        assert held.sum() > 30_000
        assert np.abs(error_db[held]).max() < 0.2
        assert abs(error_db[held].mean()) < 0.02


def test_targets_are_found_and_the_pattern_is_kept(known: Known, made: Path) -> None:
    check_targets_and_pattern(Made(made / NAME), known)


@pytest.mark.slow
@pytest.mark.parametrize(("line", "sample"), [(2005, 400), (6015, 8700), (12030, 21000), (14035, 25400)])
def test_so_they_are_across_the_swath(rome_safe: Path, tmp_path: Path, line: int, sample: int) -> None:
    known = make_known(rome_safe, tmp_path, line, sample)
    run_backscatter(options_of(known), tmp_path / "out")
    check_targets_and_pattern(Made(tmp_path / "out" / NAME), known)


def test_a_wrong_height_moves_the_targets(known: Known, tmp_path: Path) -> None:
    low = known.frame.write_dem(tmp_path / "low.tif", 1500.0, raise_m=-16.0)
    run_backscatter(options_of(known, dem=low), tmp_path / "out")
    missed = missed_px(Made(tmp_path / "out" / NAME), known)
    assert np.hypot(*missed.mean(axis=0)) == pytest.approx(16 / np.tan(np.deg2rad(38.8)) / 10, abs=0.3)


def test_the_files_are_scenes_as_they_are(made: Path) -> None:
    found = read_scene_files([made])
    [scene] = found.files
    assert (scene.orbit_state, scene.relative_orbit, scene.platform) == (OrbitState.DESCENDING, 22, "S1B")
    assert scene.scale is BackscatterScale.POWER and scene.scale_source == "tag UNITS"
    assert dict(scene.bands) == {"VV": 1, "VH": 2}
    assert f"{scene.acquired:%Y-%m-%d %H:%M:%S}" == "2021-12-23 05:11:22" and not scene.day_only
    assert sorted(path.name.split("_S1B")[0] for path, _ in found.skipped) == [
        "layover_shadow",
        "local_incidence",
    ]


def test_every_step_is_in_the_tags_and_in_the_record(made: Path) -> None:
    tags, record = Made(made / NAME).tags, read_backscatter_record(made)
    assert tags["THERMAL_NOISE"] == "VV subtracted (noiseRangeVector); VH subtracted (noiseRangeVector)"
    assert tags["CALIBRATION"] == "gamma0" and tags["ORBIT"] == "annotation"
    assert tags["HEIGHTS"] == "ellipsoidal as they are" and tags["DEM_COVERAGE"] == "1.0000"
    assert tags["TERRAIN_FLATTENING"] == "none" and tags["BORDER_NOISE"].startswith("removed")
    assert tags["PRODUCTS"].startswith("S1B_IW_GRDH_1SDV_20211223T051122")
    assert record.acquisitions[0].file == NAME and not record.left_out
    assert not list(made.parent.glob(".*"))  # nothing is left of the work


def test_local_incidence_and_view_lie_beside(made: Path) -> None:
    beside = made / "geometry"
    with (
        rasterio.open(beside / f"local_incidence_{NAME}") as angle,
        rasterio.open(beside / f"layover_shadow_{NAME}") as view,
    ):
        angles, bits = angle.read(1), view.read(1)
    known_angles = angles[np.isfinite(angles)]
    assert known_angles.min() > 25.0 and known_angles.max() < 55.0
    assert known_angles.mean() == pytest.approx(38.8, abs=1.0)
    assert not bits[np.isfinite(angles)].any()  # slopes of 8° neither fold over nor hide


def test_a_coefficient_is_that_of_its_own_table(known: Known, made: Path, tmp_path: Path) -> None:
    run_backscatter(options_of(known, coefficient="sigma0"), tmp_path / "out")
    ratio = Made(tmp_path / "out" / NAME).values[0] / Made(made / NAME).values[0]
    lines, samples = np.array([8020.0]), np.array([13240.0])
    gamma, sigma = (
        tables(known.frame.safe, lines, samples, name)[0][0, 0] for name in ("gamma", "sigmaNought")
    )
    assert np.nanmedian(ratio) == pytest.approx((gamma / sigma) ** 2, rel=2e-3)


@pytest.mark.parametrize("block_px", [128])
def test_blocks_leave_no_trace(known: Known, made: Path, tmp_path: Path, block_px: int) -> None:
    run_backscatter(options_of(known), tmp_path / "out", block_px=block_px)
    found, whole = Made(tmp_path / "out" / NAME).values, Made(made / NAME).values
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(whole))
    np.testing.assert_allclose(found, whole, rtol=2e-5)


def test_a_stopped_run_goes_on(
    known: Known, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    make = BlockMaker.make

    def failing(self: BlockMaker, tile: object) -> object:
        calls.append(1)
        if len(calls) > 4:
            raise KeyboardInterrupt
        return make(self, tile)  # type: ignore[arg-type]

    monkeypatch.setattr(BlockMaker, "make", failing)
    with pytest.raises(KeyboardInterrupt):
        run_backscatter(options_of(known), tmp_path / "out", block_px=128)
    assert not (tmp_path / "out").exists()
    kept = len(list((tmp_path / ".out.backscatter-work").rglob("*.npz")))
    assert 1 <= kept <= 4

    def counting(self: BlockMaker, tile: object) -> object:
        calls.append(1)
        return make(self, tile)  # type: ignore[arg-type]

    calls.clear()
    monkeypatch.setattr(BlockMaker, "make", counting)
    run_backscatter(options_of(known), tmp_path / "out", block_px=128)
    resumed = len(calls)
    np.testing.assert_allclose(Made(tmp_path / "out" / NAME).values, Made(made / NAME).values, rtol=2e-5)
    calls.clear()
    run_backscatter(options_of(known), tmp_path / "again", block_px=128)
    assert len(calls) == resumed + kept


def test_work_of_other_options_is_thrown_away(known: Known, tmp_path: Path) -> None:
    work = tmp_path / ".out.backscatter-work" / NAME.removesuffix(".tif")
    work.mkdir(parents=True)
    (work / "claim").write_text("of others", encoding="utf-8")
    (work / "000000_000000.npz").touch()  # would be an empty block
    run_backscatter(options_of(known), tmp_path / "out")
    assert np.isfinite(Made(tmp_path / "out" / NAME).values).any()


def test_a_zip_gives_the_same_numbers(known: Known, made: Path, tmp_path: Path) -> None:
    zipped = zip_safe(known.frame.safe, tmp_path / known.frame.safe.name.replace(".SAFE", ".zip"))
    run_backscatter(options_of(known, products=(zipped,)), tmp_path / "out")
    np.testing.assert_array_equal(Made(tmp_path / "out" / NAME).values, Made(made / NAME).values)


def test_slices_leave_no_seam(known: Known, made: Path, tmp_path: Path) -> None:
    whole = known.frame
    with rasterio.open(next(whole.safe.glob("measurement/*-vv-*"))) as source:
        numbers = source.read(1, window=((whole.lines[0], whole.lines[1]), tuple(whole.samples)))
    bare = copy_safe(Path(whole.safe), tmp_path, both=False)
    shutil.rmtree(bare / "measurement")
    (bare / "measurement").mkdir()
    (tmp_path / "halves").mkdir()
    at = 8020
    for half, first in zip(split(bare, at, tmp_path / "halves"), (0, at), strict=True):
        lines = (whole.lines[0], at) if first == 0 else (0, whole.lines[1] - at)
        part = Frame.__new__(Frame)
        part.safe, part.lines, part.samples = half, lines, whole.samples
        part.size = (at if first == 0 else whole.size[0] - at, whole.size[1])
        taken = numbers[: at - whole.lines[0]] if first == 0 else numbers[at - whole.lines[0] :]
        for pol in ("vv", "vh"):
            write_measurement(part, pol, taken)
    record = run_backscatter(options_of(known, products=(tmp_path / "halves",)), tmp_path / "out")
    assert len(record.acquisitions[0].slices) == 2
    found = Made(tmp_path / "out" / record.acquisitions[0].file).values[0]
    expected = Made(made / NAME).values[0]
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    away = np.abs(10 * np.log10(found / expected))
    assert np.nanquantile(away, 0.97) < 1e-3  # all but the two lines at the seam
    smooth = away_from_targets(Made(made / NAME), known)
    assert np.nanmax(away[smooth]) < 0.1


def constant(value: float) -> object:
    return lambda ground: np.full(np.shape(ground.x), value)


@pytest.fixture(scope="module")
def dark(rome_safe: Path, tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Ground that returns nothing: the measurement holds noise, without speckle in VV, with it in VH."""
    folder = tmp_path_factory.mktemp("dark")
    frame = Frame(copy_safe(rome_safe, folder), (8000, 8060), (8800, 9000), plain)
    fill(frame, constant(0.0))  # type: ignore[arg-type]
    fill(frame, constant(0.0), polarizations={"vh": 1.0}, rng=np.random.default_rng(3))  # type: ignore[arg-type]
    return Known(frame, frame.write_dem(folder / "dem.tif", 1000.0), [])


def inner(made: Made, dark: Known) -> NDArray[np.bool_]:
    """Pixels well inside the window."""
    return np.isfinite(made.values).all(axis=0)


def test_noise_only_ground_never_ends_as_signal(dark: Known, tmp_path: Path) -> None:
    record = run_backscatter(options_of(dark, border_noise=False), tmp_path / "out")
    made = Made(tmp_path / "out" / NAME)
    run_backscatter(options_of(dark, border_noise=False, thermal_noise=False), tmp_path / "off")
    off = Made(tmp_path / "off" / NAME)
    held = inner(made, dark)
    noise = off.values[0][held]  # noise-equivalent gamma0
    vv, vh = made.values[0][held], made.values[1][held]
    assert held.sum() > 3000
    assert (vv > 0).all() and (vh > 0).all()  # no zeros, nothing negative: decibels are finite
    # digital numbers are whole, noise is some 50 of them squared: half a number is 2 %
    assert vv.max() < 0.11 * noise.max()
    assert vh.mean() < 0.35 * noise.mean()
    assert off.values[1][held].mean() == pytest.approx(noise.mean(), rel=0.05)
    assert record.acquisitions[0].floor_share > 0.5
    assert off.tags["THERMAL_NOISE"].startswith("VV not denoised (switched off)")


def test_with_the_step_off_the_difference_is_the_noise_table(
    known: Known, made: Path, tmp_path: Path
) -> None:
    run_backscatter(options_of(known, thermal_noise=False), tmp_path / "out")
    off, on = Made(tmp_path / "out" / NAME), Made(made / NAME)
    line, sample = known.frame.window
    calibration, noise = tables(known.frame.safe, line[:, 0], sample[0])
    ground = known.frame.ground(line, sample)
    difference = off.values[0] - on.values[0]
    at = RegularGridInterpolator((on.y[::-1], on.x), difference[::-1], bounds_error=False)
    found = at(np.stack([ground.y, ground.x], axis=-1)[5:-5, 5:-5])
    held = np.isfinite(found)
    assert held.mean() > 0.95
    np.testing.assert_allclose(found[held], (noise / calibration**2)[5:-5, 5:-5][held], rtol=5e-3)


def test_empty_noise_tables_are_told(known: Known, tmp_path: Path) -> None:
    safe = tmp_path / known.frame.safe.name
    shutil.copytree(known.frame.safe, safe)
    for path in (safe / "annotation" / "calibration").glob("noise-*"):
        text = path.read_text(encoding="utf-8")
        head, _, _ = text.partition("<noiseAzimuthVectorList")
        start = head.split("<noiseRangeLut")
        zeros = [part.split(">", 1) for part in start[1:]]
        cut = [
            "<noiseRangeLut"
            + a
            + ">"
            + " ".join(["0"] * len(b.split("<", 1)[0].split()))
            + "<"
            + b.split("<", 1)[1]
            for a, b in zeros
        ]
        path.write_text(start[0] + "".join(cut) + "</noise>", encoding="utf-8")
    record = run_backscatter(options_of(known, products=(safe,)), tmp_path / "out")
    assert (
        "not denoised: the product's noise table is all zeros"
        in Made(tmp_path / "out" / NAME).tags["THERMAL_NOISE"]
    )
    assert record.acquisitions[0].floor_share == 0.0


def test_a_dem_that_ends_leaves_nodata_and_is_told(known: Known, tmp_path: Path) -> None:
    with rasterio.open(known.dem) as dem:
        profile, heights = dem.profile, dem.read(1)
    heights[:, : heights.shape[1] // 2] = -9999.0
    with rasterio.open(tmp_path / "half.tif", "w", **profile) as dem:
        dem.write(heights, 1)
    record = run_backscatter(options_of(known, dem=tmp_path / "half.tif"), tmp_path / "out")
    made = Made(tmp_path / "out" / NAME)
    assert 0.3 < record.dem_coverage < 0.7
    assert np.isnan(made.values[:, :, : made.x.size // 3]).all()
    assert np.isfinite(made.values[:, :, -made.x.size // 3 :]).any()


def test_single_polarisation(known: Known, tmp_path: Path) -> None:
    safe = tmp_path / known.frame.safe.name
    shutil.copytree(known.frame.safe, safe, ignore=shutil.ignore_patterns("*-vh-*"))
    record = run_backscatter(options_of(known, products=(safe,)), tmp_path / "out")
    assert record.acquisitions[0].polarizations == ["VV"]
    assert Made(tmp_path / "out" / NAME).values.shape[0] == 1


def test_coarse_pixels_are_means_of_samples(known: Known, made: Path, tmp_path: Path) -> None:
    bbox = known.frame.bbox()
    coarse = options_of(known, area={"bbox": bbox, "crs": UTM, "spacing": 30.0})
    run_backscatter(coarse, tmp_path / "out")
    found = Made(tmp_path / "out" / NAME)
    fine = Made(made / NAME)
    at = RegularGridInterpolator((fine.y[::-1], fine.x), fine.expected(known)[::-1], bounds_error=False)
    expected = at(np.stack(np.meshgrid(found.y, found.x, indexing="ij"), axis=-1))
    held = np.isfinite(found.values[0]) & np.isfinite(expected)
    # a target's power is shared by the nine samples of a pixel
    assert np.nanmax(found.values[0]) < 0.2 * np.nanmax(fine.values[0])
    assert np.nanmedian(np.abs(10 * np.log10(found.values[0] / expected))[held]) < 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dem": None}, "--dem FILE"),
        ({"flatten": True, "coefficient": "sigma0"}, "gamma0 with terrain flattening"),
        ({"area": {"bbox": (20.0, 50.0, 20.1, 50.1)}}, "inside a product's swath"),
        ({"heights": "auto"}, "--heights geoid"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    known: Known, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(HeadscarpError) as error:
        run_backscatter(options_of(known, **change), tmp_path / "out")
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_dem_of_elsewhere_is_refused(known: Known, real_data: Path, tmp_path: Path) -> None:
    with pytest.raises(HeadscarpError, match="covers none of it"):
        run_backscatter(options_of(known, dem=real_data / "dem" / "bigtujunga.tif"), tmp_path / "out")


def test_all_zeros_are_refused_unless_allowed(rome_safe: Path, known: Known, tmp_path: Path) -> None:
    with pytest.raises(HeadscarpError, match="all zeros"):
        run_backscatter(options_of(known, products=(rome_safe,)), tmp_path / "out")
    assert not list(tmp_path.iterdir())
    record = run_backscatter(options_of(known, products=(rome_safe,), allow_empty=True), tmp_path / "out")
    assert record.acquisitions[0].observed_share == 0.0


def test_the_command_line(known: Known, tmp_path: Path) -> None:
    bbox = [str(edge) for edge in known.frame.bbox()]
    arguments = ["backscatter", str(known.frame.safe), "--dem", str(known.dem), "--heights", "ellipsoid"]
    out = tmp_path / "out"
    result = CliRunner().invoke(
        app, [*arguments, "--bbox", *bbox, "--no-visibility", "--spacing", "20", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    assert "VV VH" in result.output and "orbit: annotation" in result.output
    assert (out / NAME).is_file()
    again = CliRunner().invoke(app, [*arguments, "--bbox", *bbox, "--out", str(out), "--quiet"])
    assert isinstance(again.exception, HeadscarpError) and "--overwrite" in str(again.exception)


def test_products_of_one_pass_share_one_grid_and_others_are_left_out(known: Known, tmp_path: Path) -> None:
    bare = copy_safe(Path(known.frame.safe), tmp_path, both=False)
    (tmp_path / "halves").mkdir()
    first, second = split(bare, 4000, tmp_path / "halves")
    for half, lines in ((first, 4000), (second, known.frame.size[0] - 4000)):
        part = Frame.__new__(Frame)
        part.safe, part.lines, part.samples = half, (3000, 3002), known.frame.samples
        part.size = (lines, known.frame.size[1])
        for pol in ("vv", "vh"):
            write_measurement(part, pol, np.full((2, 480), 90, np.uint16))
    options = options_of(known, products=(first, second), allow_empty=True)
    record = run_backscatter(options, tmp_path / "out")
    assert list(record.left_out) == [first.name.removesuffix(".SAFE")]
    assert "does not reach" in record.left_out[first.name.removesuffix(".SAFE")]
    assert dataclasses.is_dataclass(known)
