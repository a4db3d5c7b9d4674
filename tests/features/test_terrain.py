"""Ground where no landslide is expected: gentle slopes and water, by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from pydantic import ValidationError

from headscarp.features.change import Change
from headscarp.features.terrain import Exclusion, TerrainOptions, exclude, is_water

NAN = math.nan
OPTIONS = TerrainOptions(min_slope_deg=5.0, water_vv_db=-16.0, water_vh_db=-23.0, water_max_slope_deg=10.0)


def change_of(pre_db: dict[str, Sequence[Sequence[float]]]) -> Change:
    """A change whose pre-event medians are given as {polarization: [orbit][pixel]}, dB."""
    values = np.array(list(pre_db.values()), dtype=np.float32).transpose(1, 0, 2)[:, :, None, :]
    return xr.Dataset(
        {"pre_db": (("orbit", "polarization", "y", "x"), values)},
        coords={"orbit": [f"orbit {i}" for i in range(len(values))], "polarization": list(pre_db)},
    )


def row(*slopes_deg: float) -> NDArray[np.float32]:
    return np.array([slopes_deg], dtype=np.float32)


def test_gentle_slopes_are_excluded_up_to_the_limit() -> None:
    land = change_of({"VV": [[-8.0] * 4]})
    code = exclude(row(0, 4.99, 5.0, 60), land, OPTIONS)
    assert code.tolist() == [[Exclusion.GENTLE, Exclusion.GENTLE, Exclusion.NONE, Exclusion.NONE]]
    assert code.dtype == np.uint8


def test_no_slope_limit_excludes_no_slope() -> None:
    land = change_of({"VV": [[-8.0] * 2]})
    options = OPTIONS.model_copy(update={"min_slope_deg": 0.0})
    assert not exclude(row(0, 1), land, options).any()


def test_ground_without_a_height_is_never_excluded() -> None:
    """Dark as water in both polarisations, but nobody knows its slope."""
    water = change_of({"VV": [[-25.0, -25.0]], "VH": [[-32.0, -32.0]]})
    assert exclude(row(NAN, 0.0), water, OPTIONS).tolist() == [[Exclusion.NONE, Exclusion.WATER]]


@pytest.mark.parametrize(
    ("vv_db", "vh_db", "water"),
    [
        (-20.0, -28.0, True),
        (-20.0, -20.0, False),  # bright in VH
        (-10.0, -28.0, False),  # bright in VV
        (-16.0, -23.0, False),  # at the limits
        (-20.0, NAN, True),  # VV alone says so
        (NAN, -28.0, True),
        (NAN, -20.0, False),
        (NAN, NAN, False),  # never seen
    ],
)
def test_water_is_dark_in_every_polarization_at_hand(vv_db: float, vh_db: float, water: bool) -> None:
    change = change_of({"VV": [[vv_db]], "VH": [[vh_db]]})
    assert is_water(change["pre_db"], OPTIONS).tolist() == [[water]]


def test_water_outranks_a_gentle_slope_and_needs_ground_gentle_enough() -> None:
    """Layover and shadow are dark too, on slopes where no water lies."""
    dark = change_of({"VV": [[-25.0] * 4]})
    code = exclude(row(0, 9.99, 10.0, 45), dark, OPTIONS)
    assert code.tolist() == [[Exclusion.WATER, Exclusion.WATER, Exclusion.NONE, Exclusion.NONE]]


@pytest.mark.parametrize("polarization", ["VV", "VH"])
def test_one_polarization_is_enough(polarization: str) -> None:
    change = change_of({polarization: [[-30.0, -8.0]]})
    assert is_water(change["pre_db"], OPTIONS).tolist() == [[True, False]]


def test_polarizations_without_a_limit_say_nothing_of_water() -> None:
    assert not is_water(change_of({"HH": [[-40.0]]})["pre_db"], OPTIONS).any()
    with_vv = change_of({"VV": [[-30.0]], "HH": [[-3.0]]})
    assert is_water(with_vv["pre_db"], OPTIONS).all()


@pytest.mark.parametrize(
    ("first_db", "second_db", "water"),
    [
        (-20.0, -14.0, True),  # mean -17
        (-20.0, -10.0, False),  # mean -15, though the first alone is dark
        (-20.0, NAN, True),
        (NAN, -14.0, False),
    ],
)
def test_orbits_are_averaged_in_decibels_over_those_that_saw(
    first_db: float, second_db: float, water: bool
) -> None:
    change = change_of({"VV": [[first_db], [second_db]]})
    assert is_water(change["pre_db"], OPTIONS).tolist() == [[water]]


def test_the_order_of_dimensions_does_not_matter() -> None:
    change = change_of({"VV": [[-20.0, -5.0]], "VH": [[-30.0, -30.0]]})
    turned = change.transpose("x", "polarization", "y", "orbit")
    np.testing.assert_array_equal(exclude(row(1, 20), turned, OPTIONS), exclude(row(1, 20), change, OPTIONS))


def test_inputs_are_left_alone() -> None:
    slope, change = row(1, NAN, 20), change_of({"VV": [[-20.0, -5.0, NAN]]})
    slope_before, change_before = slope.copy(), change.copy(deep=True)
    exclude(slope, change, OPTIONS)
    np.testing.assert_array_equal(slope, slope_before)
    xr.testing.assert_identical(change, change_before)


@pytest.mark.parametrize("field", ["min_slope_deg", "water_max_slope_deg"])
@pytest.mark.parametrize("slope_deg", [-1.0, 90.0])
def test_slopes_beyond_the_vertical_are_refused(field: str, slope_deg: float) -> None:
    with pytest.raises(ValidationError, match=field):
        TerrainOptions.model_validate({field: slope_deg})
