"""Lines and samples against the products' own geolocation grids, and against sarsen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sarsen.geocoding
import sarsen.orbit
import xarray as xr
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from headscarp.backscatter.angles import local_incidence, look_at
from headscarp.backscatter.block import view_block
from headscarp.backscatter.orbit import fit_orbit
from headscarp.backscatter.passes import Product
from headscarp.backscatter.range_doppler import (
    SPEED_OF_LIGHT_M_S,
    Imaging,
    Seen,
    earth_fixed,
    imaging_of,
    invert_ground_range,
    zero_doppler,
)
from headscarp.geometry.orbit import look_azimuth_deg
from headscarp.grid import grid_over
from headscarp.vocabulary import OrbitState

GROUND_SPEED_M_S = 6800.0
Products = dict[str, Product]


def imaging(product: Product) -> Imaging:
    annotation = product.annotation
    return imaging_of(annotation, fit_orbit(annotation.orbit, annotation), "nearest")


def grid_places(product: Product) -> np.ndarray:
    grid = product.annotation.grid
    return earth_fixed(grid.longitude_deg, grid.latitude_deg, grid.height_m)


@pytest.mark.parametrize(("name", "limit_m"), [("rome", 0.1), ("6D00", 1.0), ("FEC3", 4.0)])
def test_places_are_seen_when_and_where_the_geolocation_grid_says(
    products: Products, name: str, limit_m: float
) -> None:
    grid = products[name].annotation.grid
    seen = imaging(products[name]).see(grid_places(products[name]))
    along_m = (seen.time_s - grid.time_s) * GROUND_SPEED_M_S
    across_m = seen.range_m - grid.slant_range_time_s * SPEED_OF_LIGHT_M_S / 2
    assert grid.line.size == 210
    assert np.hypot(along_m, across_m).max() < limit_m


@pytest.mark.parametrize("name", ["rome", "6D00", "FEC3"])
def test_times_and_ranges_of_the_grid_become_its_lines_and_samples(products: Products, name: str) -> None:
    grid, at = products[name].annotation.grid, imaging(products[name])
    seen = Seen(grid.time_s, grid.slant_range_time_s * SPEED_OF_LIGHT_M_S / 2)
    line = at.line(seen)
    missed = np.abs(at.sample(seen.range_m, line) - grid.sample)
    assert np.abs(line - grid.line).max() < 0.002
    # the last line of FEC3 is 0.7 s after its last polynomial: the grid was made with one that it has not
    covered = grid.time_s < products[name].annotation.ground_range.time_s.max() + 0.5
    assert missed[covered].max() < 0.001
    assert covered.sum() == (189 if name == "FEC3" else 210)
    assert missed.max() < (1.2 if name == "FEC3" else 0.001)


@pytest.mark.parametrize(("name", "limit"), [("rome", 0.1), ("6D00", 0.1)])
def test_from_the_ground_to_lines_and_samples(products: Products, name: str, limit: float) -> None:
    grid, at = products[name].annotation.grid, imaging(products[name])
    seen = at.see(grid_places(products[name]))
    line = at.line(seen)
    assert np.abs(line - grid.line).max() < limit
    assert np.abs(at.sample(seen.range_m, line) - grid.sample).max() < limit


def test_without_the_delay_lines_are_wrong_by_more_than_a_tenth(products: Products) -> None:
    at, grid = imaging(products["rome"]), products["rome"].annotation.grid
    assert at.delay.slope_s_m == pytest.approx(1 / SPEED_OF_LIGHT_M_S, rel=1e-3)
    seen = at.see(grid_places(products["rome"]))
    undelayed = seen.time_s / at.line_interval_s
    assert np.abs(undelayed - grid.line).max() > 0.17


def test_a_grid_without_the_delay_gives_none(products: Products) -> None:
    annotation = products["rome"].annotation
    time_s = annotation.grid.line * annotation.line_interval_s
    plain = dataclasses.replace(annotation, grid=annotation.grid._replace(time_s=time_s))
    assert imaging_of(plain, fit_orbit(plain.orbit, plain), "nearest").delay.slope_s_m == 0.0


def test_linear_polynomials_meet_nearest_at_their_times_and_halfway_between(products: Products) -> None:
    nearest = imaging(products["rome"])
    linear = dataclasses.replace(nearest, selection="linear")
    times_s = nearest.ground_range.time_s[5:8]
    range_m = np.full(3, 9.3e5)
    at_times = times_s / nearest.line_interval_s
    np.testing.assert_allclose(linear.sample(range_m, at_times), nearest.sample(range_m, at_times), atol=1e-6)
    ends = nearest.sample(range_m[:2], at_times[:2])
    halfway = linear.sample(range_m[:1], (at_times[:1] + at_times[1:2]) / 2)
    assert halfway[0] == pytest.approx(ends.mean(), abs=1e-6)
    assert abs(ends[1] - ends[0]) > 1.0  # they really differ


def test_inverse_ground_range_against_the_polynomial_itself() -> None:
    coefficients = np.array([8.0e5, 0.5, 5e-7, -3e-13])
    ground_m = np.linspace(0.0, 2.6e5, 1001)
    range_m = np.polynomial.polynomial.polyval(ground_m, coefficients)
    np.testing.assert_allclose(
        invert_ground_range(coefficients, 0.0, range_m, 2.6e5), ground_m, rtol=0, atol=1e-5
    )
    assert np.isnan(invert_ground_range(coefficients, 0.0, np.array([1.0e6]), 2.0e4)).all()


def test_earth_fixed_against_proj() -> None:
    lon, lat, height = (
        np.array([12.5, -70.0, 179.9]),
        np.array([41.9, -33.0, 71.0]),
        np.array([50.0, 4000, -30]),
    )
    expected = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True).transform(lon, lat, height)
    np.testing.assert_allclose(earth_fixed(lon, lat, height), np.stack(expected, axis=-1), atol=1e-6)


def test_orbit_and_solver_against_sarsen(products: Products) -> None:
    annotation = products["rome"].annotation
    orbit = fit_orbit(annotation.orbit, annotation)
    positions = xr.DataArray(
        annotation.orbit.position_m,
        dims=("azimuth_time", "axis"),
        coords={"azimuth_time": annotation.orbit.utc, "axis": [0, 1, 2]},
    )
    theirs = sarsen.orbit.OrbitPolyfitInterpolator.from_position(positions)
    places = xr.DataArray(grid_places(products["rome"]).T, dims=("axis", "point"), coords={"axis": [0, 1, 2]})
    found = sarsen.geocoding.backward_geocode(places, theirs, zero_doppler_distance=1e-4)
    ours = zero_doppler(orbit, grid_places(products["rome"]), 12.0)
    since = (found.azimuth_time.values - annotation.first_line) / np.timedelta64(1, "ns") * 1e-9
    distance = np.sqrt((found.dem_distance.values**2).sum(axis=found.dem_distance.dims.index("axis")))
    # theirs are of all 16 vectors, ours of those within a minute of the image: half a millimetre apart
    assert np.abs(ours.time_s - since).max() * GROUND_SPEED_M_S < 0.002
    assert np.abs(ours.range_m - distance).max() < 0.002


def test_the_orbit_moves_as_its_derivatives_say(products: Products) -> None:
    annotation = products["rome"].annotation
    orbit = fit_orbit(annotation.orbit, annotation)
    step = 1e-3
    before, here, after = (orbit.at(np.array(10.0 + k * step)) for k in (-1, 0, 1))
    np.testing.assert_allclose(here.velocity, (after.position - before.position) / (2 * step), rtol=1e-6)
    np.testing.assert_allclose(here.acceleration, (after.velocity - before.velocity) / (2 * step), rtol=1e-5)


def test_a_place_without_a_solution_is_nan_and_leaves_the_others(products: Products) -> None:
    annotation = products["rome"].annotation
    orbit = fit_orbit(annotation.orbit, annotation)
    places = grid_places(products["rome"])[:2].copy()
    alone = zero_doppler(orbit, places[1:], 12.0)
    places[0] = np.nan
    found = zero_doppler(orbit, places, 12.0)
    assert found.time_s[1] == pytest.approx(alone.time_s[0], abs=1e-9)
    assert np.isnan(found.time_s[0]) and np.isnan(found.range_m[0])


@pytest.mark.parametrize("relief_m", [0.0, 1500.0, 4000.0])
def test_a_block_is_the_exact_solution(products: Products, relief_m: float) -> None:
    at = imaging(products["rome"])
    box = grid_over((290000, 4650000, 290000 + 5120, 4650000 + 5120), "EPSG:32633", 10.0)
    height_m = np.random.default_rng(0).uniform(0.0, relief_m, box.shape)
    height_m[3, 5] = np.nan
    found = view_block(at, box, 0.0, relief_m).place(height_m)
    rows, cols = (slice(None, None, 37),) * 2
    lon, lat = lonlat(box)
    seen = at.see(earth_fixed(lon[rows, cols], lat[rows, cols], height_m[rows, cols]))
    line = at.line(seen)
    assert np.abs(found.line[rows, cols] - line).max() < 1e-4
    assert np.abs(found.sample[rows, cols] - at.sample(seen.range_m, line)).max() < 1e-3
    assert np.isnan(found.line[3, 5]) and np.isnan(found.sample[3, 5])
    assert np.isfinite(found.sample).sum() == box.shape[0] * box.shape[1] - 1


def test_incidence_is_that_of_the_geolocation_grid(products: Products) -> None:
    grid, at = products["rome"].annotation.grid, imaging(products["rome"])
    for point in (25, 100, 140):
        to_utm = Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True)
        x, y = to_utm.transform(grid.longitude_deg[point], grid.latitude_deg[point])
        box = grid_over((x - 155, y - 155, x + 155, y + 155), "EPSG:32633", 10.0)
        look = look_at(at, box, 0.0, 2000.0)
        flat = np.full(box.shape, grid.height_m[point])
        middle = look.incidence_deg.at(flat)[16, 16]
        # the annotated angle is within 0.04° of that from the ellipsoid's normal and the orbit
        assert middle == pytest.approx(grid.incidence_deg[point], abs=0.05)
        nominal = look_azimuth_deg(OrbitState.DESCENDING, 42.0)
        assert look.azimuth_deg == pytest.approx(nominal, abs=3.0)


def test_local_incidence_of_a_plane_that_faces_the_radar(products: Products) -> None:
    at = imaging(products["rome"])
    box = grid_over((290000, 4650000, 291000, 4651000), "EPSG:32633", 10.0)
    wide = box.pad(1)
    look = look_at(at, wide, 0.0, 1.0)
    rows, cols = np.indices(wide.shape)
    away = np.deg2rad(look.azimuth_deg)
    rise = np.tan(np.deg2rad(10.0))  # away from the radar, so that the slope faces it
    height_m = (rise * 10.0 * (cols * np.sin(away) - rows * np.cos(away))).astype(np.float32)
    incidence = look_at(at, wide, float(height_m.min()), float(height_m.max())).incidence_deg.at(height_m)
    found = local_incidence(at, box, height_m)
    assert found.shape == box.shape
    np.testing.assert_allclose(found, incidence[1:-1, 1:-1] - 10.0, atol=0.02)


def lonlat(box: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    t = box.transform
    x = t.c + t.a * (np.arange(box.shape[1]) + 0.5)
    y = t.f + t.e * (np.arange(box.shape[0]) + 0.5)
    to_lonlat = Transformer.from_crs(box.crs.to_wkt(), "EPSG:4326", always_xy=True)
    lon, lat = to_lonlat.transform(*np.meshgrid(x, y))
    return np.asarray(lon), np.asarray(lat)
