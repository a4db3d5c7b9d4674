"""Simulated products: documents moved by whole cycles, samples on the ground, numbers of an instrument."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
import xarray as xr
from pyproj import Geod, Transformer
from scipy.ndimage import map_coordinates

from headscarp.backscatter.documents import parse_document
from headscarp.backscatter.options import BackscatterOptions
from headscarp.backscatter.orbit import fit_orbit
from headscarp.backscatter.passes import Acquisition, Product, read_product
from headscarp.backscatter.range_doppler import Imaging, earth_fixed, imaging_of
from headscarp.backscatter.safe import Safe, open_safe
from headscarp.errors import HeadscarpError
from headscarp.geometry.visibility import is_layover, is_shadow
from headscarp.pipeline.backscatter.run import run_backscatter
from headscarp.simulate.event import SimulatedEvent, simulate_event
from headscarp.simulate.options import SimulateOptions
from headscarp.simulate.safe.documents import write_documents
from headscarp.simulate.safe.image import digital_numbers
from headscarp.simulate.safe.overpass import read_overpass
from headscarp.simulate.safe.swath import EARTH_M, Relief, Swath
from headscarp.simulate.safe.write import image_part, write_product
from headscarp.simulate.write import write_raster

UTM = "EPSG:32633"
ROME = "S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371.SAFE"


@pytest.fixture(scope="module")
def rome(real_data: Path) -> Safe:
    return open_safe(real_data / "safe_grd" / ROME)


@pytest.fixture(scope="module")
def product(rome: Safe) -> Product:
    return read_product(rome)


def document(safe: Safe) -> ElementTree.Element:
    member = safe.channels["VV"].annotation
    return parse_document(safe.read(member), member)


@pytest.fixture(scope="module")
def imaging(product: Product) -> Imaging:
    """The solver of the backscatter room, which the simulator does not use."""
    one = product.annotation
    return imaging_of(one, fit_orbit(one.orbit, one), "nearest")


@pytest.fixture(scope="module")
def event(rome: Safe) -> SimulatedEvent:
    """Nearly without speckle, so that numbers tell."""
    return simulate_event(
        SimulateOptions(
            product="safe", annotation=rome.path, size_px=128, pre=2, post=1, landslides=25, looks=10_000.0
        )
    )


def test_documents_that_are_not_moved_are_the_products_own(rome: Safe, tmp_path: Path) -> None:
    copy = open_safe(write_documents(rome, tmp_path))
    for pol in ("VV", "VH"):
        assert copy.read(copy.channels[pol].calibration).replace(b">VH<", b">VV<") == rome.read(
            rome.channels["VV"].calibration
        )
    assert copy.read(copy.channels["VV"].annotation) == rome.read(rome.channels["VV"].annotation)
    assert copy.read("manifest.safe") == rome.read("manifest.safe")
    assert (
        ElementTree.fromstring(copy.read(copy.channels["VH"].annotation)).findtext(".//polarisation") == "VH"
    )


@pytest.mark.parametrize("cycles", [3, -2])
def test_moved_documents_are_of_the_same_orbit_some_cycles_later(
    rome: Safe, product: Product, tmp_path: Path, cycles: int
) -> None:
    moved = read_product(open_safe(write_documents(rome, tmp_path, cycles)))
    one, other = product.annotation, moved.annotation
    later = np.timedelta64(12 * cycles, "D")
    assert other.first_line - one.first_line == later == other.last_line - one.last_line
    assert other.absolute_orbit - one.absolute_orbit == 175 * cycles
    assert Acquisition((moved,)).relative_orbit == Acquisition((product,)).relative_orbit == 22
    assert (other.orbit.utc - one.orbit.utc == later).all()
    assert (other.orbit.position_m == one.orbit.position_m).all()
    for name in ("time_s", "longitude_deg", "slant_range_time_s"):
        assert (getattr(other.grid, name) == getattr(one.grid, name)).all()
    assert (other.ground_range.time_s == one.ground_range.time_s).all()
    day = {3: "20220128", -2: "20211129"}[cycles]
    assert (
        moved.safe.name
        == f"S1B_IW_GRDH_1SDV_{day}T051122_{day}T051147_{30148 + 175 * cycles:06d}_039993_5371"
    )
    assert all(day.lower() in channel.annotation for channel in moved.safe.channels.values())


def test_another_reader_agrees_with_the_moved_documents(rome: Safe, tmp_path: Path) -> None:
    moved = write_documents(rome, tmp_path, 1)
    orbits = [xr.open_dataset(p, engine="sentinel-1", group="IW/VV/orbit") for p in (rome.path, moved)]
    late = orbits[1]["azimuth_time"].values - orbits[0]["azimuth_time"].values
    assert (late == np.timedelta64(12, "D")).all()
    np.testing.assert_array_equal(orbits[0]["position"], orbits[1]["position"])
    assert orbits[1].attrs["orbit_number"] == 30148 + 175
    assert orbits[1].attrs["relative_orbit_number"] == 22
    assert orbits[1].attrs["start_time"] == "2022-01-04T05:11:22.594441"


def test_points_of_the_grid_are_where_the_grid_has_them(rome: Safe, product: Product) -> None:
    grid, swath = product.annotation.grid, Swath(document(rome))
    for k in np.random.default_rng(1).integers(0, grid.line.size, 12):
        height = float(grid.height_m[k])
        level = Relief(lambda x, _, h=height: np.full(np.shape(x), h), height - 5.0, height + 5.0, UTM)  # type: ignore[misc]
        found = swath.ground(grid.line[k : k + 1], grid.sample[k : k + 1], level)
        _, _, missed_m = Geod(ellps="WGS84").inv(
            found.longitude, found.latitude, grid.longitude_deg[k : k + 1], grid.latitude_deg[k : k + 1]
        )
        assert missed_m[0] < 2.0  # brought to height 0 and back up, by the angle in between


def hills(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(500.0 + 300.0 * np.sin(x / 900.0) * np.cos(y / 1100.0))


def test_the_search_for_the_ground_ends_where_a_naive_one_does(rome: Safe) -> None:
    swath = Swath(document(rome))
    line, sample = (part.astype(float) for part in np.mgrid[8000:8040:4, 12000:12400:20])
    found = swath.ground(line, sample, Relief(hills, 100.0, 900.0, UTM))
    at, to_utm = swath.sight(line, sample), Transformer.from_crs("EPSG:4326", UTM, always_xy=True)
    height = np.zeros(line.shape)
    for _ in range(60):  # up the line of equal slant range, height by height
        d = np.asarray(height / np.tan(at["incidence"]))
        across, up = at["slant"] * np.sin(at["incidence"]), at["slant"] * np.cos(at["incidence"])
        for _ in range(60):
            short = (across - d) ** 2 + (up - height + d**2 / (2 * EARTH_M)) ** 2 - at["slant"] ** 2
            d = d + short / (2 * across)
        lon, lat, _ = Geod(ellps="WGS84").fwd(at["lon"], at["lat"], at["azimuth"], d)
        x, y = to_utm.transform(lon, lat)
        height = hills(np.asarray(x), np.asarray(y))
    assert np.hypot(found.x - x, found.y - y).max() < 0.01
    np.testing.assert_allclose(found.height, height, atol=0.01)
    assert np.ptp(found.height) > 100.0


@pytest.mark.parametrize("first", [600, 7200, 9500, 13000])
def test_between_lines_of_the_grid_samples_follow_the_polynomials(
    rome: Safe, imaging: Imaging, first: int
) -> None:
    line, sample = (part.astype(float) for part in np.mgrid[first : first + 1400 : 53, 3000:24000:1500])
    errors = {}
    for stepped in (True, False):
        found = Swath(document(rome), stepped).ground(line, sample, Relief(hills, 100.0, 900.0, UTM))
        seen = imaging.see(earth_fixed(found.longitude, found.latitude, found.height))
        lines = imaging.line(seen)
        assert np.abs(lines - line).max() < 0.25
        errors[stepped] = np.abs(imaging.sample(seen.range_m, lines) - sample).max()
    assert errors[True] < 0.4
    assert errors[False] > 2 * errors[True]


def test_numbers_are_the_inverse_of_calibration() -> None:
    rng = np.random.default_rng(2)
    power, calibration = rng.uniform(0.01, 0.5, 500), rng.uniform(300.0, 700.0, 500)
    noise, grain = rng.uniform(100.0, 900.0, 500), rng.gamma(4.4, 1 / 4.4, 500)
    numbers = digital_numbers(power, calibration, noise, grain).astype(float)
    back = (numbers**2 / grain - noise) / calibration**2
    # a number is rounded by half at most: its square by itself, and a little
    np.testing.assert_array_less(np.abs(back - power), (numbers + 1) / grain / calibration**2)
    assert digital_numbers(np.array([np.nan, 1e9]), np.full(2, 500.0), np.zeros(2)).tolist() == [0, 65535]


def test_samples_of_an_event_show_its_ground(event: SimulatedEvent, imaging: Imaging) -> None:
    part, margin = image_part(event), event.ground.margin_px
    row, col = part.place
    inside = (row > 2) & (row < 125) & (col > 2) & (col < 125)
    assert inside.sum() > 0.8 * 128 * 128  # of 10 m each, foreshortening aside
    for edge in (row[[0, -1]], row[:, [0, -1]], col[[0, -1]], col[:, [0, -1]]):
        assert not ((edge > 0) & (edge < 127)).all()
    i, j = (found[::301] for found in np.nonzero(inside))
    x, y = event.geobox.transform * (col[i, j].astype(float) + 0.5, row[i, j].astype(float) + 0.5)
    height = map_coordinates(event.ground.wide_height_m, np.stack([row[i, j], col[i, j]]) + margin, order=1)
    lon, lat = Transformer.from_crs(str(event.geobox.crs), "EPSG:4326", always_xy=True).transform(x, y)
    seen = imaging.see(earth_fixed(np.asarray(lon), np.asarray(lat), height.astype(float)))
    line = imaging.line(seen)
    assert np.abs(line - part.lines[i]).max() < 0.3
    assert np.abs(imaging.sample(seen.range_m, line) - part.samples[j]).max() < 0.4


def test_a_product_comes_back_as_the_events_own_backscatter(event: SimulatedEvent, tmp_path: Path) -> None:
    acquisition = event.passes[-1]
    safe = write_product(tmp_path, event, image_part(event), acquisition)
    with rasterio.open(next(safe.glob("measurement/*-vh-*"))) as image:
        assert image.shape == (16705, 26102) and image.tags()["HEADSCARP"] == "simulated"
    assert sum(path.stat().st_size for path in safe.glob("measurement/*")) < 3_000_000
    wide = event.geobox.pad(event.ground.margin_px)
    write_raster(tmp_path / "dem.tif", event.ground.wide_height_m, wide, np.nan, ("height",), {})
    t, (rows, cols) = event.geobox.transform, event.geobox.shape
    lon, lat = Transformer.from_crs(str(event.geobox.crs), "EPSG:4326", always_xy=True).transform(
        [t.c, t.c + cols * t.a] * 2, [t.f, t.f, t.f + rows * t.e, t.f + rows * t.e]
    )
    options = BackscatterOptions.model_validate(
        {
            "products": (safe,), "dem": tmp_path / "dem.tif", "heights": "ellipsoid", "visibility": False,
            "coefficient": "sigma0", "border_noise": False,
            "area": {"bbox": (min(lon), min(lat), max(lon), max(lat)), "crs": str(event.geobox.crs)},
        }
    )  # fmt: skip
    record = run_backscatter(options, tmp_path / "out")
    with rasterio.open(tmp_path / "out" / record.acquisitions[0].file) as made:
        window = made.window(t.c, t.f + rows * t.e, t.c + cols * t.a, t.f)
        found = made.read(window=window)
    truth = event.unspeckled(acquisition, slice(0, rows), slice(0, cols))
    view = event.looks[acquisition.orbit.state].view
    clear = ~is_layover(view) & ~is_shadow(view) & np.isfinite(found).all(axis=0) & (truth > 0.01).all(axis=0)
    assert clear.mean() > 0.5
    for band in (0, 1):
        error_db = 10 * np.log10(found[band][clear] / truth[band][clear])
        assert abs(np.median(error_db)) < 0.1
        assert np.median(np.abs(error_db)) < 0.6  # twice interpolated, once on the way there, once back
    log = [np.log(np.where(clear, band, np.nan)) for band in (found[0], truth[0])]
    agreed = {
        (i, j): np.nanmean((log[0][8:-8, 8:-8] - np.roll(log[1], (i, j), (0, 1))[8:-8, 8:-8]) ** 2)
        for i in range(-2, 3)
        for j in range(-2, 3)
    }
    assert min(agreed, key=lambda shift: agreed[shift]) == (0, 0)


def test_one_orbit_at_the_products_own_time_and_track(event: SimulatedEvent, rome: Safe) -> None:
    assert [p.name for p in event.passes] == [
        "S1B_20240529T051122_DSC_R022",
        "S1B_20240610T051122_DSC_R022",
        "S1B_20240622T051122_DSC_R022",
    ]
    assert [p.is_post_event for p in event.passes] == [False, False, True]
    assert list(event.stacks) == ["descending 22"]
    options = event.options.model_copy(update={"product": "gtc"})
    other = read_overpass(options)
    assert other is not None and other.passes(options.date, 2, 1) == event.passes
    early = other.passes("2021-12-20", 1, 1)
    assert [other.cycles(p) for p in early] == [-1, 0]
    assert early[1].is_post_event and not early[0].is_post_event


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotation": None}, "--product safe without --annotation"),
        ({"dem": Path("dem.tif")}, "--annotation or --dem"),
        ({"date": "2024-06-22"}, "does not pass"),
        ({"size_px": 4096}, "at most 40 km"),
        ({"annotation": Path("nowhere.SAFE")}, "nowhere.SAFE"),
    ],
)
def test_what_cannot_be_simulated_is_refused(rome: Safe, change: dict[str, object], message: str) -> None:
    options = SimulateOptions(product="safe", annotation=rome.path, size_px=64, pre=1, post=1)
    with pytest.raises(HeadscarpError) as error:
        simulate_event(options.model_copy(update=change))
    assert message in str(error.value)
