"""The change of a planted landslide, value by value, in every scale."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from headscarp.ingest.raster import to_power
from headscarp.inject.plant import change_column, factor_of, is_backscatter, planted
from headscarp.simulate.zones import FULL, Zones, rasterise
from headscarp.vocabulary import BackscatterScale

SCALES = list(BackscatterScale)


def stored(power: np.ndarray, scale: BackscatterScale) -> np.ndarray:
    if scale is BackscatterScale.DECIBEL:
        return (10 * np.log10(power)).astype(np.float32)
    return (np.sqrt(power) if scale is BackscatterScale.AMPLITUDE else power).astype(np.float32)


def some_zones(rng: np.random.Generator) -> tuple[Zones, np.ndarray]:
    share = rng.integers(0, FULL + 1, (20, 30)).astype(np.uint8)
    index = np.where(share > 0, rng.integers(1, 4, share.shape), 0).astype(np.int32)
    return Zones(index, share), np.array([-3.0, 2.5, -12.0])


@pytest.mark.parametrize("scale", SCALES)
def test_power_is_multiplied_by_the_formula_in_every_scale(scale: BackscatterScale) -> None:
    rng = np.random.default_rng(1)
    zones, change_db = some_zones(rng)
    power = rng.gamma(4, 0.02, zones.share.shape)
    before = stored(power, scale)
    after = planted(before, factor_of(zones, change_db), -9999.0, scale)
    assert after.dtype == before.dtype
    ratio = to_power(after, -9999.0, scale) / to_power(before, -9999.0, scale)
    for row in range(20):
        for col in range(30):
            share = zones.share[row, col] / 16
            delta = change_db[zones.index[row, col] - 1] if share else 0.0
            assert ratio[row, col] == pytest.approx(1 - share + share * 10 ** (delta / 10), rel=2e-6)


@pytest.mark.parametrize("scale", SCALES)
def test_without_a_change_every_bit_stays(scale: BackscatterScale) -> None:
    rng = np.random.default_rng(2)
    zones, _ = some_zones(rng)
    before = stored(rng.gamma(4, 0.02, zones.share.shape), scale)
    after = planted(before, factor_of(zones, np.zeros(3)), None, scale)
    assert after.tobytes() == before.tobytes()


@pytest.mark.parametrize("scale", SCALES)
def test_what_is_no_backscatter_stays(scale: BackscatterScale) -> None:
    values = np.array([[np.nan, 0.0, -9999.0, np.inf, -0.5, 0.5]], dtype=np.float32)
    after = planted(values, np.full(values.shape, 0.25), -9999.0, scale)
    same = (after == values) | (np.isnan(after) & np.isnan(values))
    assert same[0].tolist() == [True, True, True, True, scale is not BackscatterScale.DECIBEL, False]
    valid = np.isfinite(to_power(values, -9999.0, scale))
    assert (is_backscatter(values, -9999.0, scale) == valid).all()


def test_integers_are_rounded_and_never_become_fill() -> None:
    values = np.array([[0, 1, 2, 1000, 65535, 7]], dtype=np.uint16)
    after = planted(values, np.full(values.shape, 0.01), 65535.0, BackscatterScale.POWER)
    assert after.dtype == np.uint16
    assert after[0].tolist() == [0, 1, 1, 10, 65535, 1]
    gain = planted(values, np.full(values.shape, 1e4), 65535.0, BackscatterScale.POWER)
    assert gain[0].tolist() == [0, 10000, 20000, 65534, 65535, 65534]  # stays off nodata at the upper end


def test_cross_polarised_bands_take_the_change_of_vh() -> None:
    assert [change_column(pol) for pol in ("VV", "VH", "HH", "HV")] == ["vv_db", "vh_db", "vv_db", "vh_db"]


def test_partly_covered_pixels_change_by_their_part() -> None:
    grid = GeoBox((2, 3), Affine(30, 0, 0, 0, -30, 60), "EPSG:32611")
    zones = rasterise([box(0, 0, 45, 60)], grid)
    factor = factor_of(zones, np.array([-3.0]))
    full = 10**-0.3
    np.testing.assert_allclose(factor, [[full, 0.5 + 0.5 * full, 1.0]] * 2, rtol=1e-12)
