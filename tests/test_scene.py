"""Layer 1: the schema of a stack, and the names that scenes go by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from headscarp.errors import SceneError
from headscarp.scene import (
    Scene,
    SceneFile,
    Stack,
    check_stack,
    in_order,
    orbit_label,
    polarizations_of,
)
from headscarp.vocabulary import POLARIZATIONS, BackscatterScale, OrbitState, Role

FILE = SceneFile(
    path=Path("a.tif"),
    reader="GeoTIFF",
    acquired=datetime(2018, 9, 5, 8, 42, tzinfo=UTC),
    day_only=False,
    orbit_state=OrbitState.ASCENDING,
    orbit_state_source="file name",
    relative_orbit=68,
    relative_orbit_source="file name",
    bands={"VH": 1},
    scale=BackscatterScale.POWER,
    scale_source="declared",
    geobox=GeoBox((2, 3), Affine(20, 0, 0, 0, -20, 0), "EPSG:32654"),
)


def good() -> Stack:
    shape = (2, 2, 3)
    return xr.Dataset(
        {"VV": (("time", "y", "x"), np.ones(shape, np.float32))},
        coords={"time": pd.to_datetime(["2023-01-01", "2023-01-13"])},
        attrs={"orbit_state": "ascending", "relative_orbit": 68},
    )


def test_a_stack_that_obeys_the_schema_passes() -> None:
    check_stack(good())


BREAKS: dict[str, tuple[Callable[[Stack], Any], str]] = {
    "no polarisation": (lambda s: s.rename(VV="gamma0"), "no polarisation among ['gamma0']"),
    "dimension order": (lambda s: s.transpose("y", "x", "time"), "not (time, y, x)"),
    "no time": (lambda s: s.drop_vars("time"), "no UTC times along time"),
    "times as numbers": (lambda s: s.assign_coords(time=[0, 1]), "no UTC times along time"),
    "falling times": (lambda s: s.isel(time=[1, 0]), "times that do not rise"),
    "repeated times": (lambda s: s.isel(time=[0, 0]), "times that do not rise"),
    "unknown direction": (lambda s: s.assign_attrs(orbit_state="up"), "orbit_state 'up'"),
    "no direction": (lambda s: s.drop_attrs(), "orbit_state None"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_stack_that_breaks_the_schema_is_refused_by_the_point(name: str) -> None:
    mangle, complaint = BREAKS[name]
    with pytest.raises(SceneError) as caught:
        check_stack(mangle(good()))
    assert complaint in caught.value.given


def test_every_broken_point_is_told_at_once() -> None:
    with pytest.raises(SceneError) as caught:
        check_stack(good().transpose("y", "x", "time").assign_attrs(orbit_state="up"))
    assert caught.value.given.count(";") == 1


def test_polarisations_come_in_the_order_of_the_vocabulary() -> None:
    assert POLARIZATIONS == ("VV", "VH", "HH", "HV")
    assert in_order({"HV", "VH", "VV"}) == ("VV", "VH", "HV")
    assert in_order(set()) == ()
    assert polarizations_of(good().assign(VH=good()["VV"], angle=good()["VV"])) == ("VV", "VH")


def test_orbits_are_labelled_with_their_number_where_it_is_known() -> None:
    assert orbit_label(OrbitState.DESCENDING, 46) == "descending 46"
    assert orbit_label(OrbitState.DESCENDING, None) == "descending"
    assert FILE.orbit_label == "ascending 68"


def test_a_scene_speaks_for_its_first_file_and_for_the_polarisations_of_all() -> None:
    second = replace(FILE, acquired=datetime(2018, 9, 5, 8, 43, tzinfo=UTC), bands={"VV": 1})
    scene = Scene((FILE, second))
    assert scene.acquired == FILE.acquired
    assert scene.orbit_label == "ascending 68"
    assert not scene.day_only
    assert scene.polarizations == ("VV", "VH")


def test_the_words_of_the_house_are_stable() -> None:
    """Written into run.json and STAC: a changed word is a changed format."""
    assert [s.value for s in OrbitState] == ["ascending", "descending"]
    assert [r.value for r in Role] == ["pre_event", "post_event", "rejected"]
