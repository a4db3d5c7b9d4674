"""Heights: ellipsoidal inside, whatever the DEM counts from, and never shifted by zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from headscarp.backscatter import heights
from headscarp.backscatter.heights import (
    Ground,
    ProjGeoid,
    geoid_on,
    open_ground,
    proj_geoid,
    read_geoid,
    reference_of,
)
from headscarp.backscatter.options import HeightReference
from headscarp.errors import GridError, SceneError
from headscarp.grid import grid_over
from headscarp.ingest.dem import read_height
from headscarp.ingest.raster import read_header

ROME_BOX = grid_over((289000, 4648000, 293000, 4652000), "EPSG:32633", 100.0)
AUTO, GEOID, ELLIPSOID = HeightReference.AUTO, HeightReference.GEOID, HeightReference.ELLIPSOID


def write_grid(
    path: Path,
    values: NDArray[np.float32],
    left: float,
    top: float,
    step: float,
    crs: str | None = "EPSG:4326",
) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1, dtype="float32",
        crs=crs, transform=rasterio.Affine(step, 0, left, 0, -step, top),
    ) as out:  # fmt: skip
        out.write(values, 1)
    return path


@pytest.fixture(scope="module")
def rome_dem(real_data: Path) -> Path:
    return real_data / "safe_grd" / "Rome-30m-DEM.tif"


def test_rome_is_raised_by_48_m(rome_dem: Path) -> None:
    ground = open_ground(rome_dem, AUTO, None, ROME_BOX)
    shift = ground.read(ROME_BOX) - read_height(rome_dem, ROME_BOX)
    assert np.isfinite(shift).mean() > 0.9
    assert np.nanmin(shift) > 47.5 and np.nanmax(shift) < 49.5
    assert "EGM2008" in ground.source


def test_proj_itself_shifts_by_zero_here_and_is_not_believed(rome_dem: Path) -> None:
    crs = CRS.from_wkt(read_header(rome_dem).geobox.crs.to_wkt())
    assert reference_of(crs) is GEOID
    to_ellipsoid = Transformer.from_crs(crs, "EPSG:4979", always_xy=True)
    if abs(to_ellipsoid.transform(12.5, 42.0, 10.0)[2] - 10.0) < 1e-6:
        assert proj_geoid(crs, ROME_BOX) is None
    else:
        geoid = proj_geoid(crs, ROME_BOX)
        assert geoid is not None
        assert geoid.above_ellipsoid(np.array([12.5]), np.array([42.0]))[0] == pytest.approx(48.5, abs=1.0)


def test_a_proj_that_has_its_grid_is_used(rome_dem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Shifting:
        def transform(
            self, lon: NDArray[np.float64], lat: NDArray[np.float64], height: NDArray[np.float64]
        ) -> object:
            return lon, lat, height + 48.0

    real = Transformer.from_crs

    def from_crs(source: object, target: object, **more: bool) -> object:
        return Shifting() if target == heights.ELLIPSOIDAL else real(source, target, **more)

    monkeypatch.setattr(heights.Transformer, "from_crs", from_crs)
    crs = CRS.from_epsg(9707)
    geoid = proj_geoid(crs, grid_over((12.4, 41.9, 12.6, 42.1), "EPSG:4326", 0.01))
    assert isinstance(geoid, ProjGeoid) and "EGM96" in geoid.source


def test_known_geoid_heights(rome_dem: Path) -> None:
    ground = open_ground(rome_dem, AUTO, None, ROME_BOX)
    assert ground.geoid is not None
    lon, lat = (
        np.array([0.0, -75.0, 80.0, 179.99, -179.99, 359.0]),
        np.array([0.0, 40.0, 5.0, 10.0, 10.0, 51.0]),
    )
    found = ground.geoid.above_ellipsoid(lon, lat)
    # EGM2008: 17.2 m in the Gulf of Guinea, -35 m off New York, about -100 m south of India
    assert found[0] == pytest.approx(17.2, abs=0.1)
    assert found[1] == pytest.approx(-34.0, abs=2.0)
    assert found[2] < -95.0
    assert found[3] == pytest.approx(found[4], abs=0.05)  # across the antimeridian
    assert np.isfinite(found).all()


def test_a_dem_that_does_not_say_is_asked_for(real_data: Path) -> None:
    dem = real_data / "dem" / "bigtujunga.tif"
    with pytest.raises(GridError, match="--heights geoid"):
        open_ground(dem, AUTO, None)
    assert open_ground(dem, ELLIPSOID, None).geoid is None
    box = grid_over((390000, 3790000, 392000, 3792000), "EPSG:32611", 100.0)
    shift = open_ground(dem, GEOID, None, box).read(box) - read_height(dem, box)
    assert np.nanmean(shift) == pytest.approx(-33.0, abs=3.0)


def test_a_declared_model_is_interpolated_between_its_nodes(tmp_path: Path, rome_dem: Path) -> None:
    lon, lat = np.meshgrid(np.arange(10.0, 15.1, 0.5), np.arange(45.0, 39.9, -0.5))
    model = write_grid(tmp_path / "g.tif", (lon + 2 * lat).astype(np.float32), 9.75, 45.25, 0.5)
    ground = open_ground(rome_dem, AUTO, model, ROME_BOX)
    assert ground.geoid is not None and ground.source == "geoid heights plus geoid g.tif"
    found = ground.geoid.above_ellipsoid(np.array([12.3]), np.array([41.9]))
    assert found[0] == pytest.approx(96.1, abs=1e-4)
    x, y = np.meshgrid(289000 + 100 * (np.arange(40) + 0.5), 4652000 - 100 * (np.arange(40) + 0.5))
    places = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(x, y)
    np.testing.assert_allclose(geoid_on(ROME_BOX, ground.geoid), places[0] + 2 * places[1], atol=2e-4)


def test_a_shift_of_zero_is_refused(tmp_path: Path, rome_dem: Path) -> None:
    model = write_grid(tmp_path / "g.tif", np.zeros((21, 21), np.float32), 7.75, 47.25, 0.5)
    with pytest.raises(GridError, match="zero everywhere"):
        open_ground(rome_dem, AUTO, model, ROME_BOX)


def test_a_model_of_elsewhere_is_refused(tmp_path: Path, rome_dem: Path) -> None:
    model = write_grid(tmp_path / "g.tif", np.full((5, 5), 9, np.float32), 100.0, 10.0, 0.5)
    with pytest.raises(GridError, match="without a value for part of it"):
        open_ground(rome_dem, AUTO, model, ROME_BOX)


def test_a_model_in_metres_is_refused(tmp_path: Path) -> None:
    model = write_grid(
        tmp_path / "g.tif", np.full((5, 5), 9, np.float32), 300000, 4700000, 1000.0, "EPSG:32633"
    )
    with pytest.raises(GridError, match="grid of degrees"):
        read_geoid(model, "g")
    with pytest.raises(SceneError):
        read_geoid(tmp_path / "none.gtx", "g")


def test_without_any_model_a_geoid_dem_is_refused(rome_dem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heights, "proj_geoid", lambda *_: None)
    monkeypatch.setattr(heights.importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(GridError, match="PROJ shifts them by zero"):
        open_ground(rome_dem, AUTO, None, ROME_BOX)


def test_where_there_is_no_dem_there_is_no_height(rome_dem: Path) -> None:
    far = grid_over((500000, 4000000, 501000, 4001000), "EPSG:32633", 100.0)
    assert np.isnan(Ground(rome_dem, None).read(far)).all()
