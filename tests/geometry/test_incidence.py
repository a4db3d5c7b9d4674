"""Layer 1: incidence angles against planes, vectors, geodesics and real annotations."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Geod, Transformer

from headscarp.errors import GridError, OptionsError
from headscarp.geometry.incidence import (
    FAR_INCIDENCE_DEG,
    NEAR_INCIDENCE_DEG,
    NOMINAL_INCIDENCE_DEG,
    grid_look_azimuth_deg,
    local_incidence_deg,
    nominal_incidence_deg,
    visibility_index,
)
from headscarp.geometry.orbit import look_azimuth_deg
from headscarp.vocabulary import OrbitState
from tests.geometry import test_orbit
from tests.geometry.test_terrain import INNER, plane_m, rough_m

LOOKS_DEG = [0.0, 45.0, 78.0, 123.0, 180.0, 282.0]


def local_by_vectors(tilt_deg: float, aspect_deg: float, look_deg: float, incidence_deg: float) -> float:
    """Angle between two unit vectors: up from the plane, and from the ground to the radar."""
    tilt, aspect, look, theta = np.deg2rad([tilt_deg, aspect_deg, look_deg, incidence_deg])
    normal = [math.sin(tilt) * math.sin(aspect), math.sin(tilt) * math.cos(aspect), math.cos(tilt)]
    radar = [-math.sin(theta) * math.sin(look), -math.sin(theta) * math.cos(look), math.cos(theta)]
    return math.degrees(math.acos(float(np.dot(normal, radar))))


@pytest.mark.parametrize("look_deg", LOOKS_DEG)
@pytest.mark.parametrize(
    ("tilt_deg", "incidence_deg"), [(0.0, 39.0), (25.0, 30.4), (39.0, 46.1), (70.0, 35.0)]
)
def test_planes_add_or_subtract_their_tilt(look_deg: float, tilt_deg: float, incidence_deg: float) -> None:
    spacing_m = (10.0, 25.0)
    facing = plane_m(look_deg + 180.0, tilt_deg, spacing_m, (5, 6))
    away = plane_m(look_deg, tilt_deg, spacing_m, (5, 6))
    towards = local_incidence_deg(facing, spacing_m, look_deg, incidence_deg)
    np.testing.assert_allclose(towards[INNER], abs(incidence_deg - tilt_deg), atol=0.02)
    behind = local_incidence_deg(away, spacing_m, look_deg, incidence_deg)
    np.testing.assert_allclose(behind[INNER], incidence_deg + tilt_deg, atol=0.02)


@pytest.mark.parametrize("look_deg", LOOKS_DEG)
@pytest.mark.parametrize("aspect", [10.0, 100.0, 215.0, 300.0])
def test_planes_of_any_aspect_have_the_angle_between_vectors(look_deg: float, aspect: float) -> None:
    local = local_incidence_deg(plane_m(aspect, 33.0, (10.0, 10.0), (5, 5)), (10.0, 10.0), look_deg, 41.0)
    np.testing.assert_allclose(local[INNER], local_by_vectors(33.0, aspect, look_deg, 41.0), atol=0.01)


def test_incidence_may_vary_by_pixel() -> None:
    height, angles = rough_m((8, 9)), np.linspace(30.0, 46.0, 9)[None, :]
    local = local_incidence_deg(height, (10.0, 10.0), 78.0, angles)
    for column, angle in enumerate(angles[0].tolist()):
        alone = local_incidence_deg(height, (10.0, 10.0), 78.0, angle)
        np.testing.assert_array_equal(local[:, column], alone[:, column])


def test_unknown_heights_leave_the_angle_unknown() -> None:
    height = rough_m((9, 9))
    height[4, 3] = np.nan
    local = local_incidence_deg(height, (10.0, 10.0), 78.0, 39.0)
    assert np.isnan(local[3:6, 2:5]).all()
    assert np.isfinite(local[INNER]).sum() == 49 - 9


@pytest.mark.parametrize("angle", [0.0, -5.0, 90.0, np.array([[39.0] * 4 + [95.0]])])
def test_impossible_incidence_is_refused(angle: Any) -> None:
    with pytest.raises(OptionsError, match="above 0° and below 90°"):
        local_incidence_deg(np.zeros((5, 5)), (10.0, 10.0), 78.0, angle)


@pytest.mark.parametrize("angle", [np.full((5, 4), 39.0), np.full(3, 39.0)])
def test_incidence_of_another_grid_is_refused(angle: NDArray[np.float64]) -> None:
    with pytest.raises(GridError, match=r"broadcasts to the heights"):
        local_incidence_deg(np.zeros((5, 5)), (10.0, 10.0), 78.0, angle)


def test_nominal_incidence_grows_from_edge_to_edge() -> None:
    angles = [nominal_incidence_deg(place) for place in np.linspace(0.0, 1.0, 11).tolist()]
    assert (angles[0], angles[-1]) == pytest.approx((NEAR_INCIDENCE_DEG, FAR_INCIDENCE_DEG))
    assert np.all(np.diff(angles) > 0.0)
    assert nominal_incidence_deg() == pytest.approx(NOMINAL_INCIDENCE_DEG, abs=0.1)


def test_nominal_swath_is_as_wide_as_the_mode() -> None:
    """250 km, of the Earth's 40 030: the angle at the Earth's centre is incidence less look angle."""
    angles = [NEAR_INCIDENCE_DEG, nominal_incidence_deg(0.5), FAR_INCIDENCE_DEG]
    centre = [math.radians(each) for each in angles]
    centre = [theta - math.asin(6371.0 / (6371.0 + 693.0) * math.sin(theta)) for theta in centre]
    assert 6371.0 * (centre[2] - centre[0]) == pytest.approx(250.0, abs=10.0)
    assert centre[1] == pytest.approx((centre[0] + centre[2]) / 2.0, abs=1e-9)


@pytest.mark.parametrize("place", [-0.01, 1.01, math.nan])
def test_place_outside_the_swath_is_refused(place: float) -> None:
    with pytest.raises(OptionsError, match="place in the swath"):
        nominal_incidence_deg(place)


def test_nominal_incidence_agrees_with_real_annotations(real_data: Path) -> None:
    """The geolocation grid's incidence at both edges, and the middle as ESA's processor wrote it."""
    found = 0
    for text in test_orbit.annotations(real_data / "safe_grd"):
        angles = [float(each) for each in re.findall(r"<incidenceAngle>([^<]+)<", text)]
        middle = float(re.search(r"<incidenceAngleMidSwath>([^<]+)<", text)[1])  # type: ignore[index]
        assert min(angles) == pytest.approx(NEAR_INCIDENCE_DEG, abs=0.3)
        assert max(angles) == pytest.approx(FAR_INCIDENCE_DEG, abs=0.3)
        assert middle == pytest.approx(nominal_incidence_deg(), abs=0.15)
        found += 1
    assert found >= 3


@pytest.mark.parametrize(
    ("crs", "longitude", "latitude"),
    [
        ("EPSG:32611", -119.9, 34.4),
        ("EPSG:32611", -114.1, 60.0),
        ("EPSG:32754", 143.3, -5.4),
        ("EPSG:3413", -150.0, 65.0),
        ("EPSG:3413", 45.0, 70.0),
        ("EPSG:3031", 100.0, -70.0),
        ("EPSG:4326", 12.0, 41.9),
    ],
)
@pytest.mark.parametrize("state", list(OrbitState))
def test_look_on_the_grid_follows_the_geodesic(
    crs: str, longitude: float, latitude: float, state: OrbitState
) -> None:
    to_grid = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = to_grid.transform(longitude, latitude)
    step = 1e-5 if crs == "EPSG:4326" else 20.0
    geobox = GeoBox((10, 10), Affine(step, 0, x - 5 * step, 0, -step, y + 5 * step), crs)
    look = look_azimuth_deg(state, latitude)
    ahead_lon, ahead_lat, _ = Geod(ellps="WGS84").fwd(longitude, latitude, look, 500.0)
    dx, dy = np.subtract(to_grid.transform(ahead_lon, ahead_lat), (x, y))
    if crs == "EPSG:4326":
        dx *= math.cos(math.radians(latitude))
    expected = math.degrees(math.atan2(dx, dy))
    assert (grid_look_azimuth_deg(geobox, state) - expected + 180.0) % 360.0 == pytest.approx(180.0, abs=0.15)


@pytest.mark.parametrize("look_deg", LOOKS_DEG)
@pytest.mark.parametrize(("turned_deg", "sign"), [(180.0, -1.0), (0.0, 1.0), (90.0, 0.0)])
def test_visibility_is_the_sine_of_incidence_less_the_slope_towards_the_radar(
    look_deg: float, turned_deg: float, sign: float
) -> None:
    """A plane that falls towards the radar, away from it, and across."""
    plane = plane_m(look_deg + turned_deg, 30.0, (10.0, 25.0), (5, 6))
    found = visibility_index(plane, (10.0, 25.0), look_deg, 39.0)[INNER]
    assert found == pytest.approx(math.sin(math.radians(39.0 + sign * 30.0)), abs=1e-4)


def test_visibility_is_how_fast_slant_range_grows_along_the_slope() -> None:
    """Metres of slant range for a metre up the slope, from the positions themselves."""
    theta, beta = math.radians(39.0), math.radians(20.0)
    ground = np.array([math.cos(beta), math.sin(beta)])
    away_from_radar = np.array([math.sin(theta), -math.cos(theta)])
    plane = plane_m(270.0, 20.0, (10.0, 10.0), (5, 5))
    found = visibility_index(plane, (10.0, 10.0), 90.0, 39.0)[2, 2]
    assert found == pytest.approx(float(ground @ away_from_radar), abs=1e-5)
