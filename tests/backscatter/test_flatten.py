"""Terrain flattening: ground of one brightness stays so on its slopes; against areas from the grid alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from headscarp.backscatter.options import BackscatterOptions
from headscarp.pipeline.backscatter.run import run_backscatter
from tests.backscatter.writer import UTM, Array, Frame, copy_safe, tables, write_measurement

NAME = "S1B_20211223T051122_DESC_R022.tif"
BRIGHTNESS = 0.15


def steep(x: Array, y: Array) -> Array:
    """Slopes of up to 20°."""
    return np.asarray(300.0 + 100.0 * np.sin(x / 400.0) * np.cos(y / 450.0))


def level(x: Array, y: Array) -> Array:
    return np.full(np.shape(x), 300.0)


def shown_over_plane(frame: Frame) -> Array:
    """Area that a sample's ground shows the radar, over the sample's own area in slant range and track.

    From where the geolocation grid puts the corners of samples, the grid's incidence angle and slant range.
    """
    line, sample = frame.window
    ground = frame.ground(line, sample)
    to_fixed = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    places = np.stack(to_fixed.transform(ground.longitude, ground.latitude, ground.height), axis=-1)
    facet = np.cross(np.gradient(places, axis=0), np.gradient(places, axis=1))
    at = frame.swath.sight(line, sample)
    az = np.deg2rad(at["azimuth"])
    lon, lat = np.deg2rad(ground.longitude), np.deg2rad(ground.latitude)
    up = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)], axis=-1)
    north = np.cross(up, east)
    flat = np.sin(az)[..., None] * east + np.cos(az)[..., None] * north
    towards = np.sin(at["incidence"])[..., None] * flat + np.cos(at["incidence"])[..., None] * up
    shown = np.abs((facet * towards).sum(axis=-1))
    slant = np.gradient(at["slant"], axis=1)
    along = np.linalg.norm(np.cross(np.gradient(places, axis=0), flat), axis=-1)
    level_along = float(np.median(along))
    return shown / (np.abs(slant) * level_along)


@pytest.mark.parametrize(("terrain", "limit_db"), [(level, 0.05), (steep, 0.1)])
def test_ground_of_one_brightness_stays_so(
    rome_safe: Path, tmp_path: Path, terrain: object, limit_db: float
) -> None:
    frame = Frame(copy_safe(rome_safe, tmp_path, both=False), (7960, 8080), (13000, 13400), terrain)  # type: ignore[arg-type]
    line, sample = frame.window
    beta, noise = tables(frame.safe, line[:, 0], sample[0], "betaNought")
    squared = BRIGHTNESS * shown_over_plane(frame) * beta**2 + noise
    write_measurement(frame, "vv", np.rint(np.sqrt(squared)).astype(np.uint16))
    values = {
        "products": (frame.safe,), "heights": "ellipsoid",
        "dem": frame.write_dem(tmp_path / "dem.tif", 4500.0),
        "area": {"bbox": frame.bbox(), "crs": UTM}, "visibility": False,
    }  # fmt: skip
    errors = {}
    for flatten in (True, False):
        out = tmp_path / f"out_{flatten}"
        run_backscatter(BackscatterOptions.model_validate(values | {"flatten": flatten}), out)
        with rasterio.open(out / NAME) as raster:
            found, tags = raster.read(1), raster.tags()
        inner = found[np.isfinite(found)]
        errors[flatten] = 10 * np.log10(inner / BRIGHTNESS)
        assert inner.size > 30_000
        assert ("flattened" in tags["BACKSCATTER"]) == flatten
    assert abs(np.median(errors[True])) < 0.05
    assert np.quantile(np.abs(errors[True]), 0.99) < limit_db
    if terrain is steep:
        assert errors[False].std() > 5 * errors[True].std()
    else:
        assert np.median(errors[False]) == pytest.approx(np.median(errors[True]), abs=0.05)
