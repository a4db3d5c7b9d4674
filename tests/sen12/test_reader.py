"""Patches as the release writes them, read with our code and with plain xarray and numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from headscarp.errors import HeadscarpError, OptionsError
from headscarp.ingest.sen12.facts import PatchError, Release
from headscarp.ingest.sen12.patch import read_patch
from headscarp.ingest.sen12.values import once
from headscarp.scene import check_stack
from tests.sen12.made import (
    DAYS,
    LEFT,
    PX,
    TOP,
    file_of,
    height,
    optical,
    power,
    square,
    to_db,
    write,
)

Write = Callable[..., Path]


@pytest.fixture
def patch(tmp_path: Path) -> Write:
    def made(release: str = "raw", sensor: str = "s1asc", **content: Any) -> Path:
        path = tmp_path / f"data_{release}" / sensor / f"hokkaido_{sensor}_463.nc"
        return write(path, file_of(sensor, **content))

    return made


@pytest.mark.parametrize("dims", [("time", "y", "x"), ("time", "x", "y"), ("y", "x", "time")])
@pytest.mark.parametrize("release", ["raw", "harmonized"])
def test_values_are_those_of_plain_xarray(patch: Write, release: str, dims: tuple[str, str, str]) -> None:
    linear = power(5)
    stored = linear if release == "raw" else to_db(linear)
    path = patch(release, bands={"VV": stored[0], "VH": stored[1]}, dims=dims)
    with xr.open_dataset(path) as opened:
        plain = opened.load().transpose("time", "y", "x", ...)
    found = read_patch(path)
    check_stack(found)
    for pol in ("VV", "VH"):
        values = plain[pol].values
        expected = values if release == "raw" else 10 ** (values / 10)
        assert found[pol].dims == ("time", "y", "x")
        assert found[pol].dtype == np.float32
        assert found[pol].attrs["units"] == "1"
        np.testing.assert_allclose(found[pol].values, expected, rtol=2e-6)
    np.testing.assert_array_equal(found["label"].values, plain["MASK"].values[0])
    np.testing.assert_array_equal(found["height_m"].values, plain["DEM"].values[3])
    np.testing.assert_array_equal(found["time"].values, plain["time"].values)


def test_coordinates_become_centres(patch: Write) -> None:
    found = read_patch(patch())
    assert (float(found.x[0]), float(found.y[0])) == (LEFT + 5, TOP - 5)
    assert (float(found.x[-1]), float(found.y[-1])) == (LEFT + 1275, TOP - 1275)
    assert found.odc.geobox.boundingbox.bbox == (LEFT, TOP - 1280, LEFT + 1280, TOP)
    assert found.attrs["facts"].bounds == (LEFT, TOP - 1280, LEFT + 1280, TOP)
    assert found.attrs["facts"].centre == (LEFT + 640, TOP - 640)


def test_rows_that_run_north_are_turned(patch: Write) -> None:
    content = file_of()
    turned = read_patch(
        write(patch().with_name("hokkaido_s1asc_9.nc"), content.isel(y=slice(None, None, -1)))
    )
    np.testing.assert_array_equal(turned["VV"].values, content["VV"].values)
    assert float(turned.y[0]) == TOP - 5


def test_what_was_not_observed_is_nan(patch: Write) -> None:
    raw, db = power(2), to_db(power(2))
    raw[0, 1, 3, 4], raw[1, 2, 5, 6], raw[0, 0, 7, 8] = -9999, np.nan, 0
    db[0, 1, 3, 4], db[1, 2, 5, 6] = -9999, np.nan
    dem = height()
    dem[0, 0] = -9999
    first = read_patch(patch(bands={"VV": raw[0], "VH": raw[1]}, dem=dem))
    second = read_patch(patch("harmonized", bands={"VV": db[0], "VH": db[1]}))
    assert np.argwhere(np.isnan(first["VV"].values)).tolist() == [[0, 7, 8], [1, 3, 4]]
    assert np.argwhere(np.isnan(second["VV"].values)).tolist() == [[1, 3, 4]]
    for found in (first, second):
        assert np.argwhere(np.isnan(found["VH"].values)).tolist() == [[2, 5, 6]]
    assert np.argwhere(np.isnan(first["height_m"].values)).tolist() == [[0, 0]]


def test_clipped_values_are_counted(patch: Write) -> None:
    raw, db = power(2), to_db(power(2))
    raw[0, 0, :3, 0], raw[1, 5, 0, :4] = 1.0, 1.0
    db[0, 0, :3, 0], db[1, 5, 0, :4], db[1, 5, 1, 1] = 10.0, -50.0, 9.99
    assert read_patch(patch(bands={"VV": raw[0], "VH": raw[1]})).attrs["clipped_values"] == 7
    assert read_patch(patch("harmonized", bands={"VV": db[0], "VH": db[1]})).attrs["clipped_values"] == 7


def test_units_are_checked(patch: Write) -> None:
    raw = patch()
    with pytest.raises(PatchError, match=r"decibels[\s\S]*hokkaido_s1asc_463.nc"):
        read_patch(raw, Release.HARMONIZED)
    linear = power(5)
    db = to_db(linear)
    with pytest.raises(PatchError, match="linear power"):
        read_patch(patch("harmonized", bands={"VV": db[0], "VH": db[1]}), Release.RAW)
    for limit in (-50.5, 10.5):
        db[1, 0, 0, 0] = limit
        with pytest.raises(PatchError, match="VH of hokkaido_463"):
            read_patch(patch("harmonized", bands={"VV": db[0], "VH": db[1]}))
    linear[0, 0, 0, 0] = 1.1
    with pytest.raises(PatchError, match=r"1\.1 in VV"):
        read_patch(patch(bands={"VV": linear[0], "VH": linear[1]}))


def test_a_patch_that_was_never_observed_is_empty_not_refused(patch: Write) -> None:
    nothing = np.full((len(DAYS), PX, PX), -9999, np.float32)
    found = read_patch(patch("harmonized", bands={"VV": nothing, "VH": nothing}))
    assert np.isnan(found["VV"].values).all()


def test_the_release_is_told_by_a_folder_or_asked_for(patch: Write, tmp_path: Path) -> None:
    assert read_patch(patch()).attrs["release"] == "raw"
    untold = write(tmp_path / "drawings" / "s1asc" / "hokkaido_s1asc_463.nc", file_of())
    with pytest.raises(OptionsError, match="give the release"):
        read_patch(untold)
    assert read_patch(untold, Release.RAW).attrs["release"] == "raw"


def test_repeated_dates_are_merged_and_counted(patch: Write) -> None:
    days = (DAYS[0], DAYS[1], DAYS[1], DAYS[1], DAYS[3], DAYS[4])
    values = power(4)
    values[0, 1, :5] = -9999
    values[0, 2, :2] = -9999
    found = read_patch(patch(bands={"VV": values[0], "VH": values[1]}, days=days))
    assert found.attrs["repeated_dates"] == 2
    assert found.sizes["time"] == 4
    expected = values[0, 1].copy()
    expected[2:5], expected[:2] = values[0, 2, 2:5], values[0, 3, :2]
    np.testing.assert_array_equal(found["VV"].values[1], expected)
    np.testing.assert_array_equal(found["VH"].values[1], values[1, 1])
    np.testing.assert_array_equal(found["VV"].values[2], values[0, 4])
    first, last = found.attrs["facts"].brackets[0]
    assert (str(first), str(last)) == (DAYS[1], DAYS[3])


def test_layers_that_do_not_repeat_are_refused(patch: Write) -> None:
    mask = np.repeat(square()[None], len(DAYS), axis=0)
    mask[4, 0, 0] = 1
    with pytest.raises(PatchError, match="MASK the same at every date"):
        read_patch(patch(mask=mask))
    dem = np.repeat(height()[None], len(DAYS), axis=0)
    dem[1, 5, 5] += 1
    with pytest.raises(PatchError, match="1 of 6 dates"):
        read_patch(patch(dem=dem))
    with pytest.raises(PatchError, match="0 and 1"):
        read_patch(patch(mask=square() * np.uint8(3)))
    assert once(np.ones((1, 2, 2)), "MASK").shape == (2, 2)


def test_sentinel_2_keeps_digital_numbers(patch: Write) -> None:
    bands = optical()
    bands["B04"][2, 3, 4] = -9999
    bands["SCL"][1, 1, 1] = 255
    found = read_patch(patch(sensor="s2", bands=bands, dims=("time", "x", "y")))
    np.testing.assert_array_equal(found["B12"].values, bands["B12"])
    assert found["B12"].attrs["units"] == "DN"
    assert np.argwhere(np.isnan(found["B04"].values)).tolist() == [[2, 3, 4]]
    assert (found["SCL"].values[1, 1, 1], found["SCL"].dtype) == (0, np.uint8)
    assert found["SCL"].values[0, 0, 0] == bands["SCL"][0, 0, 0]
    assert found.attrs["facts"].orbit_state is None


def _small() -> xr.Dataset:
    return file_of().isel(x=slice(0, 64))


def _wide() -> xr.Dataset:
    content = file_of(transform=False)
    return content.assign_coords(x=LEFT + np.arange(PX) * 20.0)


def _shifted() -> xr.Dataset:
    content = file_of()
    return content.assign_coords(x=content.x + 5.0, y=content.y - 5.0)


BROKEN = {
    "no VH": lambda: file_of().drop_vars("VH"),
    "no DEM": lambda: file_of().drop_vars("DEM"),
    "128 × 64 pixels": _small,
    "10 to 20 apart, not 10": _wide,
    "but a GeoTransform from": _shifted,
    "640 m off": lambda: file_of(attributes={"center_lon": str(LEFT)}),
    "crs WGS 84 / UTM zone 53N": lambda: file_of(attributes={"crs": "EPSG:32653"}),
    "crs 'nowhere'": lambda: file_of(attributes={"crs": "nowhere"}),
    "satellite 's1-dsc'": lambda: file_of(attributes={"satellite": "s1-dsc"}),
    "annotated 'perhaps'": lambda: file_of(attributes={"annotated": "perhaps"}),
    "times of type int64": lambda: file_of().assign_coords(time=np.arange(len(DAYS))),
    "no coordinate x": lambda: file_of().drop_vars("x"),
}


@pytest.mark.parametrize("problem", BROKEN)
def test_files_that_break_the_format_are_refused(tmp_path: Path, problem: str) -> None:
    path = write(tmp_path / "raw" / "s1asc" / "hokkaido_s1asc_463.nc", BROKEN[problem]())
    with pytest.raises(PatchError) as refused:
        read_patch(path)
    assert problem in refused.value.given
    assert "hokkaido_s1asc_463.nc" in refused.value.given


def test_corrupt_files_are_refused(patch: Write) -> None:
    path = patch()
    whole = path.read_bytes()
    damaged = whole[:600] + bytes(3000) + whole[3600:]
    for content in (b"", b"no netcdf", whole[: len(whole) // 2], damaged):
        path.write_bytes(content)
        with pytest.raises(HeadscarpError):
            read_patch(path)
    path.unlink()
    with pytest.raises(PatchError, match="463"):
        read_patch(path)
