"""Calibration and noise tables, against xarray-sentinel, by hand, and where they are missing or empty."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import xarray as xr

from headscarp.backscatter.documents import Element, parse_document
from headscarp.backscatter.options import Coefficient
from headscarp.backscatter.passes import Product
from headscarp.backscatter.radiometry import FLOOR_SHARE, Radiometry
from headscarp.backscatter.tables import Noise, Table, read_calibration, read_noise
from headscarp.errors import SceneError
from tests.backscatter.writer import tables

Products = dict[str, Product]
NAMES = {Coefficient.BETA0: "betaNought", Coefficient.SIGMA0: "sigmaNought", Coefficient.GAMMA0: "gamma"}


def document(product: Product, kind: str, pol: str = "VV") -> Element:
    channel = product.safe.channels[pol]  # type: ignore[index]
    return parse_document(product.safe.read(getattr(channel, kind)), kind)


@pytest.mark.parametrize("coefficient", list(Coefficient))
def test_calibration_against_xarray_sentinel(
    products: Products, rome_safe: Path, coefficient: Coefficient
) -> None:
    theirs = xr.open_dataset(rome_safe, engine="sentinel-1", group="IW/VV/calibration")[NAMES[coefficient]]
    lines, samples = np.array([0.0, 333.0, 8020.5, 16704.0]), np.array([0.0, 20.0, 13_333.0, 26_101.0])
    expected = theirs.astype(float).interp(line=lines, pixel=samples)
    found = read_calibration(document(products["rome"], "calibration"), coefficient).at(lines, samples)
    np.testing.assert_allclose(found, expected.values, rtol=1e-6)


def test_noise_is_range_times_azimuth_of_each_sub_swath(products: Products, rome_safe: Path) -> None:
    lines, samples = np.array([7.0, 8020.0, 16_700.0]), np.array([10.0, 8889.0, 8890.0, 17_701.0, 26_000.0])
    noise = read_noise(document(products["rome"], "noise"))
    _, expected = tables(rome_safe, lines, samples)
    np.testing.assert_allclose(noise.at(lines, samples), expected, rtol=1e-5)
    assert noise.layout == "noiseRangeVector" and len(noise.azimuth) == 3 and not noise.empty
    ones = Noise(noise.table, (), "")
    factor = noise.at(lines, samples) / ones.at(lines, samples)
    assert factor[0, 0] == pytest.approx(np.interp(7, [0, 10], [1.091791, 1.094198]), rel=1e-5)
    assert np.ptp(factor[1]) > 0.01  # sub-swaths differ


def test_the_layout_of_products_before_2018(products: Products) -> None:
    root = document(products["6D00"], "noise", "VH")
    noise = read_noise(root)
    first = root.find(".//noiseVector")
    assert first is not None
    by_hand = np.array(first.findtext("noiseLut", "").split(), float)
    assert noise.layout == "noiseVector" and not noise.empty
    np.testing.assert_allclose(noise.at(np.array([0.0]), np.array([0.0, 40.0]))[0], by_hand[:2], rtol=1e-6)
    assert noise.at(np.array([0.0]), np.array([20.0]))[0, 0] == pytest.approx(by_hand[:2].mean(), rel=1e-6)


def test_a_table_of_zeros_is_told(products: Products) -> None:
    for pol in ("VV", "VH"):
        assert read_noise(document(products["FEC3"], "noise", pol)).empty


def test_vectors_may_have_samples_of_their_own() -> None:
    table = Table(
        np.array([0.0, 10.0, 30.0]),
        (np.array([0.0, 10.0]), np.array([0.0, 5.0, 10.0]), np.array([0.0, 10.0])),
        (np.array([1.0, 1.0]), np.array([2.0, 4.0, 2.0]), np.array([6.0, 6.0])),
    )
    found = table.at(np.array([-5.0, 0.0, 5.0, 10.0, 20.0, 30.0, 99.0]), np.array([0.0, 5.0, 7.5]))
    expected = [[1, 1, 1], [1, 1, 1], [1.5, 2.5, 2], [2, 4, 3], [4, 5, 4.5], [6, 6, 6], [6, 6, 6]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("window", [(0, 3), (100, 140), (16_000, 16_705)])
def test_a_window_is_the_part_of_the_whole(products: Products, window: tuple[int, int]) -> None:
    noise = read_noise(document(products["rome"], "noise"))
    samples = np.arange(8800.0, 8950.0)
    whole = noise.at(np.arange(16_705.0), samples)
    part = noise.at(np.arange(*window, dtype=float), samples)
    np.testing.assert_array_equal(part, whole[slice(*window)])


def test_power_by_hand() -> None:
    two = Table(np.array([0.0]), (np.array([0.0, 9.0]),), (np.array([10.0, 10.0]),))
    noise = Noise(Table(np.array([0.0]), (np.array([0.0, 9.0]),), (np.array([400.0, 400.0]),)), (), "")
    numbers = np.array([[0, 10, 20, 30]], np.uint16)
    at = (np.zeros(1), np.arange(4.0))
    np.testing.assert_allclose(Radiometry(two, noise).power(numbers, *at), [[np.nan, -3.0, 0.0, 5.0]])
    np.testing.assert_allclose(Radiometry(two, None).power(numbers, *at), [[np.nan, 1.0, 4.0, 9.0]])
    np.testing.assert_allclose(Radiometry(two, noise).floor(*at), np.full((1, 4), FLOOR_SHARE * 4.0))
    assert not Radiometry(two, None).floor(*at).any()


def mutate(root: Element, path: str, text: str) -> Element:
    found = root.find(path)
    assert found is not None
    found.text = text
    return root


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        (".//gamma", "0 1 2", "one finite calibration value"),
        (".//pixel", "0 1 2", "one finite calibration value"),
    ],
)
def test_tables_that_do_not_fit_are_refused(products: Products, path: str, text: str, message: str) -> None:
    root = mutate(document(products["rome"], "calibration"), path, text)
    with pytest.raises(SceneError, match=message):
        read_calibration(root, Coefficient.GAMMA0)


def test_calibration_of_zero_is_refused(products: Products) -> None:
    root = document(products["rome"], "calibration")
    values = root.findtext(".//gamma", "").split()
    with pytest.raises(SceneError, match="above 0"):
        read_calibration(mutate(root, ".//gamma", " ".join(["0", *values[1:]])), Coefficient.GAMMA0)


def test_documents_without_vectors_are_refused() -> None:
    with pytest.raises(SceneError, match="calibration vectors"):
        read_calibration(ElementTree.fromstring("<calibration/>"), Coefficient.GAMMA0)
    with pytest.raises(SceneError, match="noise vectors"):
        read_noise(ElementTree.fromstring("<noise/>"))
