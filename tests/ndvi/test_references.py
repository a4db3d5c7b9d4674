"""NDVI of Sentinel-2 products and of rasters: offsets, masks, grids; and every refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.errors import SceneError
from headscarp.ingest.ndvi import read_ndvi, read_reference
from headscarp.ingest.sentinel2 import find_product

CRS, LEFT, TOP = "EPSG:32654", 580000.0, 4730000.0
SHAPE = (24, 30)
WriteScene = Callable[..., Path]


def grid(shape: tuple[int, int] = SHAPE, spacing: float = 10.0, shift: float = 0.0) -> GeoBox:
    return GeoBox(shape, Affine(spacing, 0, LEFT + shift, 0, -spacing, TOP - shift), CRS)


def numbers(seed: int) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(1100, 5000, SHAPE).astype(np.uint16)


def write_bands(
    folder: Path, write: WriteScene, classes: NDArray[Any] | None = None, name: str = "T54_{}_{}m.tif"
) -> tuple[NDArray[Any], NDArray[Any]]:
    """B04, B08 at 10 m and SCL at 20 m, vegetation (4) where not said otherwise."""
    red, nir = numbers(1), numbers(2)
    own = np.full((12, 15), 4, np.uint8) if classes is None else classes
    for band, values, spacing in (("B04", red, 10), ("B08", nir, 10), ("SCL", own, 20)):
        write(
            folder / name.format(band, spacing),
            {band: values},
            left=LEFT,
            top=TOP,
            spacing=spacing,
            nodata=0,
        )
    return red.astype(float), nir.astype(float)


def ratio(red: NDArray[Any], nir: NDArray[Any], offset: float) -> NDArray[Any]:
    return (nir - red) / (nir + red + 2 * offset)


def write_safe(folder: Path, write: WriteScene, offsets: dict[int, int] | None, baseline: str) -> Path:
    safe = folder / "S2A_MSIL2A_20240409T023531_N0510_R089_T51QUG_20240409T060053.SAFE"
    bands = safe / "GRANULE" / "L2A" / "IMG_DATA"
    write_bands(bands / "R10m", write)
    write_bands(bands / "R20m", write)  # B04 is there at 20 m, too
    for name in ("T54_SCL_20m.tif",):
        (bands / "R10m" / name).unlink()
    listed = "" if offsets is None else "".join(
        f'<BOA_ADD_OFFSET band_id="{k}">{v}</BOA_ADD_OFFSET>' for k, v in offsets.items()
    )  # fmt: skip
    (safe / "MTD_MSIL2A.xml").write_text(
        '<?xml version="1.0"?><n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/x">'
        "<n1:General_Info><Product_Info><PRODUCT_START_TIME>2024-04-09T02:35:31.024Z</PRODUCT_START_TIME>"
        f"<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE></Product_Info>"
        f"<BOA_ADD_OFFSET_VALUES_LIST>{listed}</BOA_ADD_OFFSET_VALUES_LIST></n1:General_Info>"
        "</n1:Level-2A_User_Product>"
    )
    return safe


def test_the_offset_of_a_safe_product_is_that_of_its_metadata(
    tmp_path: Path, write_scene: WriteScene
) -> None:
    safe = write_safe(tmp_path, write_scene, {2: -7, 3: -1000, 7: -1000, 8: -9}, "05.10")
    reference = read_reference(safe)
    assert reference.acquired == datetime(2024, 4, 9, 2, 35, 31, tzinfo=UTC)
    assert reference.product is not None
    assert "R10m" in str(reference.product.red)
    assert {path.name for path in reference.files} == {
        "T54_B04_10m.tif",
        "T54_B08_10m.tif",
        "T54_SCL_20m.tif",
    }
    red, nir = numbers(1).astype(float), numbers(2).astype(float)
    np.testing.assert_allclose(read_ndvi(reference, grid()), ratio(red, nir, -1000), atol=1e-6)


@pytest.mark.parametrize(
    ("offsets", "baseline", "offset"),
    [({3: 0, 7: 0}, "05.10", 0.0), (None, "02.14", 0.0), ({3: -1000, 7: -1000}, "02.14", -1000.0)],
)
def test_what_metadata_say_of_the_offset(
    tmp_path: Path, write_scene: WriteScene, offsets: dict[int, int] | None, baseline: str, offset: float
) -> None:
    product = find_product(write_safe(tmp_path, write_scene, offsets, baseline))
    assert product is not None
    assert product.offset == offset


@pytest.mark.parametrize(
    ("offsets", "baseline", "declared", "given"),
    [
        (None, "05.10", None, "none stated"),
        (None, "04.00", None, "none stated"),
        (None, "", None, "none stated"),
        ({3: -1000, 7: 0}, "05.10", None, "-1000, 0"),
        ({3: -1000, 7: -1000}, "05.10", 0.0, "-1000, 0"),
        ({3: -1000}, "05.10", None, "none stated"),
    ],
)
def test_an_offset_that_is_not_known_is_refused(
    tmp_path: Path, write_scene: WriteScene, offsets: Any, baseline: str, declared: float | None, given: str
) -> None:
    safe = write_safe(tmp_path, write_scene, offsets, baseline)
    with pytest.raises(SceneError, match=given) as refused:
        read_reference(safe, declared)
    assert "ndvi_offset" in refused.value.fix


def test_a_declared_offset_is_used_where_nothing_is_stated(tmp_path: Path, write_scene: WriteScene) -> None:
    red, nir = write_bands(tmp_path / "bands", write_scene)
    with pytest.raises(SceneError, match="none stated"):
        read_reference(tmp_path / "bands")
    for offset in (0.0, -1000.0):
        values = read_ndvi(read_reference(tmp_path / "bands", offset), grid())
        np.testing.assert_allclose(values, ratio(red, nir, offset), atol=1e-6)


def write_item(folder: Path, properties: dict[str, Any], red: Any, nir: Any) -> Path:
    own = {"datetime": "2024-04-09T02:35:31Z"} | properties
    assets = {
        "red": {"href": "T54_B04_10m.tif"} | red,
        "B08": {"href": "./T54_B08_10m.tif"} | nir,
        "scl": {"href": "T54_SCL_20m.tif"},
    }
    (folder / "item.json").write_text(json.dumps({"properties": own, "assets": assets}))
    return folder / "item.json"


SCALED = {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]}


@pytest.mark.parametrize(
    ("properties", "band", "offset"),
    [
        ({}, SCALED, -1000.0),
        ({}, {"raster:scale": 0.0001, "raster:offset": 0}, 0.0),
        ({}, {"bands": [{"name": "x", "raster:scale": 0.0001, "raster:offset": -0.1}]}, -1000.0),
        ({"earthsearch:boa_offset_applied": True}, SCALED, 0.0),
        ({"earthsearch:boa_offset_applied": False}, SCALED, -1000.0),
    ],
)
def test_the_offset_of_a_stac_item(
    tmp_path: Path, write_scene: WriteScene, properties: dict[str, Any], band: Any, offset: float
) -> None:
    write_bands(tmp_path, write_scene)
    reference = read_reference(write_item(tmp_path, properties, band, band))
    assert reference.product is not None
    assert reference.product.offset == offset
    assert reference.acquired == datetime(2024, 4, 9, 2, 35, 31, tzinfo=UTC)


def test_items_that_say_too_little_are_refused(tmp_path: Path, write_scene: WriteScene) -> None:
    write_bands(tmp_path, write_scene)
    with pytest.raises(SceneError, match="none stated"):
        read_reference(write_item(tmp_path, {}, {}, SCALED))
    (tmp_path / "T54_B08_10m.tif").unlink()
    with pytest.raises(SceneError, match="without B08"):
        read_reference(write_item(tmp_path, {}, SCALED, SCALED))
    (tmp_path / "bad.json").write_text('{"assets": {}}')
    with pytest.raises(SceneError, match=r"bad\.json"):
        read_reference(tmp_path / "bad.json")


def test_clouds_shadows_snow_and_nodata_hide_the_ground(tmp_path: Path, write_scene: WriteScene) -> None:
    classes = np.full((12, 15), 4, np.uint8)
    classes[0, :12] = np.arange(12)
    red, _ = write_bands(tmp_path, write_scene, classes)
    values = read_ndvi(read_reference(tmp_path, 0.0), grid())
    hidden = np.isnan(values[0, :24:2])
    assert np.flatnonzero(hidden).tolist() == [0, 1, 3, 8, 9, 10, 11]
    assert np.isfinite(values[2:]).all()
    assert not np.isnan(values[:2, 24:]).any()
    assert (np.repeat(np.repeat(hidden[None], 2, 0), 2, 1) == np.isnan(values[:2, :24])).all()
    assert red[0, 0] > 0


def test_on_another_grid_masked_pixels_do_not_bleed(tmp_path: Path, write_scene: WriteScene) -> None:
    """Half a pixel apart a value holds parts of its neighbours: clouds spoil one pixel more."""
    classes = np.full((12, 15), 4, np.uint8)
    classes[5, 7] = 9
    write_bands(tmp_path, write_scene, classes)
    clouded = read_reference(tmp_path, 0.0)
    values = read_ndvi(clouded, grid((20, 26), shift=25.0))
    red_path = tmp_path / "T54_B04_10m.tif"
    with rasterio.open(red_path, "r+") as red:
        bright = red.read(1)
        bright[10:12, 14:16] = 15_000
        red.write(bright, 1)
    again = read_ndvi(clouded, grid((20, 26), shift=25.0))
    np.testing.assert_array_equal(values, again)
    # centres lie on the edges of pixels of 10 m: those of the cloud are 7, 8 by 11, 12, and one around them
    assert np.argwhere(np.isnan(values)).min(axis=0).tolist() == [6, 10]
    assert np.argwhere(np.isnan(values)).max(axis=0).tolist() == [9, 13]


def test_no_data_of_a_band_is_no_ndvi(tmp_path: Path, write_scene: WriteScene) -> None:
    write_bands(tmp_path, write_scene)
    with rasterio.open(tmp_path / "T54_B08_10m.tif", "r+") as nir:
        values = nir.read(1)
        values[3, 4] = 0
        nir.write(values, 1)
    assert np.argwhere(np.isnan(read_ndvi(read_reference(tmp_path, 0.0), grid()))).tolist() == [[3, 4]]


def test_a_raster_of_ndvi_is_read_on_any_grid(tmp_path: Path, write_scene: WriteScene) -> None:
    rows, cols = np.indices(SHAPE)
    plane = (0.3 + 0.01 * cols - 0.005 * rows).astype(np.float32)
    plane[0, 0] = -9
    path = write_scene(
        tmp_path / "ndvi.tif",
        {"NDVI": plane},
        spacing=10.0,
        nodata=-9,
        tags={"TIFFTAG_DATETIME": "2024:04:09 10:00:00"},
    )
    reference = read_reference(path)
    assert reference.acquired == datetime(2024, 4, 9, 10, tzinfo=UTC)
    assert reference.files == (path,)
    values = read_ndvi(reference, grid())
    assert np.isnan(values[0, 0])
    np.testing.assert_allclose(values.ravel()[1:], plane.ravel()[1:], atol=1e-6)
    moved = read_ndvi(reference, grid((10, 10), shift=45.0))
    np.testing.assert_allclose(moved[2, 3], 0.3 + 0.01 * 7.5 - 0.005 * 6.5, atol=1e-5)
    assert np.isnan(read_ndvi(reference, grid((4, 4), shift=1000.0))).all()


def test_values_that_are_rounded_beyond_1_count_as_1(tmp_path: Path, write_scene: WriteScene) -> None:
    rounded = np.full(SHAPE, 1.0005, np.float32)
    path = write_scene(tmp_path / "ndvi.tif", {"NDVI": rounded}, spacing=10.0)
    np.testing.assert_array_equal(read_ndvi(read_reference(path), grid()), 1.0)


def test_values_that_are_no_ndvi_are_refused(tmp_path: Path, write_scene: WriteScene) -> None:
    scaled = write_scene(tmp_path / "scaled.tif", {"NDVI": np.full((9, 9), 4000.0, np.float32)}, spacing=10.0)
    with pytest.raises(SceneError, match="values from 4000 to 4000"):
        read_reference(scaled)
    few = np.full((900, 900), 0.5, np.float32)
    path = write_scene(tmp_path / "few.tif", {"NDVI": few}, spacing=10.0)
    reference = read_reference(path)
    with rasterio.open(path, "r+") as raster:
        few[700, 3] = 1.5
        raster.write(few, 1)
    with pytest.raises(SceneError, match=r"to 1\.5"):
        read_ndvi(reference, grid((900, 900)))
    with pytest.raises(SceneError):
        read_reference(tmp_path / "nowhere.tif")


@pytest.mark.parametrize("name", ["282D_485L_3_3", "38D_378R_2_3", "433D_629L_3_1"])
def test_real_products_match_the_ndvi_shipped_with_them(
    real_data: Path, tmp_path: Path, write_scene: WriteScene, name: str
) -> None:
    """Bands as shipped, no offset declared: what somebody else computed of them."""
    with rasterio.open(real_data / f"sar_ndvi_patches/S2L2A/{name}.tif") as source:
        bands, box = source.read(), GeoBox(source.shape, source.transform, source.crs.to_wkt())
    given: dict[str, Any] = {"left": box.transform.c, "top": box.transform.f, "crs": box.crs.to_wkt()}
    parts = {"B04": bands[3], "B08": bands[7], "SCL": np.full(box.shape, 4, np.uint8)}
    for band, values in parts.items():
        write_scene(tmp_path / f"{band}.tif", {band: values}, spacing=10.0, nodata=0, **given)
    shipped = read_ndvi(read_reference(real_data / f"sar_ndvi_patches/NDVI/{name}.tif"), box)
    ours = read_ndvi(read_reference(tmp_path, 0.0), box)
    apart = np.abs(ours - shipped)
    assert np.isfinite(apart).mean() > 0.99
    assert np.nanmedian(apart) < 1e-3
