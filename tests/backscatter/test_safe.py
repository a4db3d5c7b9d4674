"""Products as folders and zips: found, checked, grouped; what is bad is refused by name."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from headscarp.backscatter.documents import parse_document
from headscarp.backscatter.passes import Product, group, read_product, seam_s
from headscarp.backscatter.safe import find_products, open_safe, require
from headscarp.errors import SceneError
from headscarp.vocabulary import OrbitState
from tests.backscatter.conftest import PAIR, ROME
from tests.backscatter.writer import copy_safe, split, zip_safe

Products = dict[str, Product]


def test_facts_of_the_real_products(products: Products) -> None:
    rome, pair = products["rome"], products["6D00"]
    assert (rome.annotation.platform, rome.annotation.orbit_state) == ("S1B", OrbitState.DESCENDING)
    assert (rome.annotation.lines, rome.annotation.samples) == (16705, 26102)
    assert list(rome.annotations) == ["VV"] and list(pair.annotations) == ["VV", "VH"]
    assert rome.processed.startswith("2021-12-23T06:06:18") and pair.processed.startswith("2016-04-18")
    assert products["FEC3"].processed.startswith("2015-02-03")


@pytest.mark.parametrize("name", ["rome", "6D00", "FEC3"])
def test_annotation_against_xarray_sentinel(products: Products, name: str) -> None:
    product = products[name]
    path = product.safe.path
    place = str(path) if path.is_dir() else f"zip://{product.safe.inside.rstrip('/')}::{path}"
    orbit, conversion = (
        xr.open_dataset(place, engine="sentinel-1", group=f"IW/VV/{group}")
        for group in ("orbit", "coordinate_conversion")
    )
    ours = product.annotation
    np.testing.assert_array_equal(ours.orbit.utc, orbit.azimuth_time.values)
    np.testing.assert_array_equal(ours.orbit.position_m, orbit.position.transpose("azimuth_time", "axis"))
    np.testing.assert_array_equal(ours.orbit.velocity_m_s, orbit.velocity.transpose("azimuth_time", "axis"))
    theirs = conversion.grsrCoefficients.sortby("degree").transpose("azimuth_time", "degree").values
    np.testing.assert_allclose(ours.ground_range.coefficients, theirs, rtol=1e-12)
    since = (conversion.azimuth_time.values - ours.first_line) / np.timedelta64(1, "s")
    np.testing.assert_allclose(ours.ground_range.time_s, since, atol=1e-8)


def test_two_processings_of_a_slice_count_once(products: Products) -> None:
    acquisitions, dropped = group(products.values())
    names = [[part.safe.name[-4:] for part in one.slices] for one in acquisitions]
    assert names == [["6D00"], ["5371"]]
    assert [(one.name[-4:], "6D00" in one.reason) for one in dropped] == [("FEC3", True)]
    assert acquisitions[1].name == "S1B_20211223T051122_DESC_R022"
    assert acquisitions[0].relative_orbit == 7
    assert group(reversed(list(products.values())))[1] == dropped


def test_slices_of_a_pass_are_one_acquisition(rome_safe: Path, tmp_path: Path) -> None:
    safe = copy_safe(rome_safe, tmp_path, both=False)
    (tmp_path / "halves").mkdir()
    halves = [read_product(open_safe(path)) for path in split(safe, 8000, tmp_path / "halves")]
    acquisitions, dropped = group(reversed(halves))
    assert not dropped and len(acquisitions) == 1
    first, second = acquisitions[0].slices
    assert first.annotation.first_line < second.annotation.first_line
    assert first.annotation.lines + second.annotation.lines == 16705
    assert abs(seam_s(first.annotation, second.annotation)) < 1e-6


def test_products_are_found_in_folders_and_by_name(real_data: Path) -> None:
    folder = real_data / "safe_grd"
    found = [path.name for path in find_products([folder, folder / ROME])]
    assert sorted(found) == sorted([ROME, PAIR.format("6D00"), PAIR.format("FEC3")])
    with pytest.raises(SceneError, match="holds none"):
        find_products([real_data / "dem"])
    with pytest.raises(SceneError, match="does not exist"):
        find_products([folder / "nothing"])


@pytest.mark.parametrize(
    ("change", "given"),
    [
        (("IW_GRDH_1SDV", "IW_SLC__1SDV"), r"IW SLC \(DV\)"),
        (("IW_GRDH_1SDV", "EW_GRDM_1SDV"), r"EW GRDM \(DV\)"),
        (("IW_GRDH_1SDV", "IW_GRDH_1SDH"), r"IW GRDH \(DH\)"),
    ],
)
def test_other_modes_and_types_are_named(tmp_path: Path, change: tuple[str, str], given: str) -> None:
    folder = tmp_path / ROME.replace(*change)
    (folder / "annotation").mkdir(parents=True)
    with pytest.raises(SceneError, match=given):
        open_safe(folder)


@pytest.mark.parametrize(
    ("kind", "noise", "message"),
    [
        ("calibration-", True, "the calibration of VV"),
        ("noise-", True, "no-thermal-noise"),
        ("noise-", False, None),
    ],
)
def test_missing_tables_are_told(
    rome_safe: Path, tmp_path: Path, kind: str, noise: bool, message: str | None
) -> None:
    safe = copy_safe(rome_safe, tmp_path, both=False)
    stem = next((safe / "annotation").glob("*.xml")).stem
    (safe / "measurement" / f"{stem}.tiff").touch()
    next((safe / "annotation" / "calibration").glob(f"{kind}*")).unlink()
    if message is None:
        require(open_safe(safe), "VV", noise)
        return
    with pytest.raises(SceneError, match=message):
        require(open_safe(safe), "VV", noise)


def test_a_missing_measurement_is_told(products: Products) -> None:
    with pytest.raises(SceneError, match="the measurement of VH"):
        require(products["6D00"].safe, "VH", True)


@pytest.mark.parametrize("member", ["../evil.xml", "/etc/evil", "a/../../evil", "..\\evil"])
def test_a_zip_whose_members_leave_their_folder_is_refused(
    rome_safe: Path, tmp_path: Path, member: str
) -> None:
    path = tmp_path / ROME.replace(".SAFE", ".zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{ROME}/manifest.safe", "<a/>")
        archive.writestr(member, "x")
    with pytest.raises(SceneError, match="stay in their folder"):
        open_safe(path)


def test_broken_zips_are_refused(rome_safe: Path, tmp_path: Path) -> None:
    path = tmp_path / ROME.replace(".SAFE", ".zip")
    path.write_bytes(b"PK nothing")
    with pytest.raises(SceneError, match="zip that is whole"):
        open_safe(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("loose.xml", "<a/>")
    with pytest.raises(SceneError, match=r"one \.SAFE folder"):
        open_safe(path)


def test_a_zip_reads_as_its_folder(rome_safe: Path, tmp_path: Path) -> None:
    safe = copy_safe(rome_safe, tmp_path, both=False)
    zipped = open_safe(zip_safe(safe, tmp_path / ROME.replace(".SAFE", ".zip")))
    folder = open_safe(safe)
    assert zipped.zipped and not folder.zipped
    assert (zipped.name, zipped.channels, zipped.manifest) == (folder.name, folder.channels, folder.manifest)
    member = folder.channels["VV"].noise
    assert zipped.read(member) == folder.read(member)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        '<!DOCTYPE a SYSTEM "http://example.org/a.dtd"><a/>',
        '<!DOCTYPE a [<!ENTITY x "xxxxxxxx">]><a>&x;</a>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_documents_with_entities_are_refused(text: str, encoding: str) -> None:
    with pytest.raises(SceneError, match="document type"):
        parse_document(text.encode(encoding), "a.xml")


def test_broken_annotation_is_refused(rome_safe: Path, tmp_path: Path) -> None:
    safe = copy_safe(rome_safe, tmp_path, both=False)
    path = next((safe / "annotation").glob("*.xml"))
    whole = path.read_text(encoding="utf-8")
    for text, message in (
        (whole[: len(whole) // 2], "XML that is whole"),
        (whole.replace("<productType>GRD", "<productType>SLC"), "IW SLC"),
        (whole.replace("geolocationGridPoint>", "nothing>"), "geolocationGridPoint"),
        (whole.replace("numberOfSamples>", "nothing>"), "numberOfSamples"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(SceneError, match=message):
            read_product(open_safe(safe))


def test_a_product_without_annotation_is_refused(tmp_path: Path, rome_safe: Path) -> None:
    safe = copy_safe(rome_safe, tmp_path, both=False)
    shutil.rmtree(safe / "annotation")
    with pytest.raises(SceneError, match="no annotation"):
        open_safe(safe)
    nameless = safe.rename(tmp_path / "product.SAFE")
    with pytest.raises(SceneError, match="product's own name"):
        open_safe(nameless)
