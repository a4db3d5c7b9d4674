"""Change fused by visibility, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from headscarp.features.channels import Mirror, channel
from headscarp.features.sets import feature_set, form_features


def change(values: list[list[float]], states: list[str], seen: tuple[list[float], list[float]]) -> xr.Dataset:
    """A change of VV on one row of pixels, orbits one below the other, and the R-index of either state."""
    db = np.array(values, np.float32)[:, None, None, :]
    return xr.Dataset(
        {
            "change_db": (("orbit", "polarization", "y", "x"), db),
            "visibility_ascending": (("y", "x"), np.array([seen[0]], np.float32)),
            "visibility_descending": (("y", "x"), np.array([seen[1]], np.float32)),
        },
        coords={"orbit_state": ("orbit", states), "polarization": ["VV"]},
    )


def test_states_are_weighed_by_what_they_resolve() -> None:
    """4 dB seen at 0.3 and 8 dB at 0.9; one state in layover; neither; unknown slope: equation 7."""
    nan = np.nan
    made = change(
        [[4, 4, 4, 4, nan, nan], [8, 8, 8, 8, 8, nan]],
        ["ascending", "descending"],
        ([0.3, -0.2, 0.0, nan, 0.9, 0.5], [0.9, 0.5, -0.5, nan, 0.1, 0.5]),
    )
    found = channel("change_vv_visible_db").compute(made)[0]
    assert found == pytest.approx([(1.2 + 7.2) / 1.2, 8, 6, 6, 8, nan], nan_ok=True)


def test_orbits_of_a_state_are_averaged_before_they_are_weighed() -> None:
    made = change([[2], [6], [10]], ["ascending", "ascending", "descending"], ([0.5], [0.5]))
    assert channel("change_vv_visible_db").compute(made)[0, 0] == pytest.approx(7.0)


def test_the_set_is_of_two_channels_that_flip_as_changes_do() -> None:
    own = feature_set("visible")
    assert own.channels == ("change_vv_visible_db", "change_vh_visible_db")
    assert own.needs == ("change_db", "visibility_ascending", "visibility_descending")
    assert {each.mirror for each in own.parsed} == {Mirror.SAME}
    made = change([[4], [8]], ["ascending", "descending"], ([0.5], [0.5]))
    assert form_features(own, made)[0, 0, 0] == pytest.approx(6.0)
