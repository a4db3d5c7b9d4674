"""Passes: times that a radar keeps, names that the readers parse, angles across the swath."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from headscarp.geometry.orbit import local_solar_time_h, orbit_state_from_solar_time
from headscarp.ingest.geotiff import GeotiffReader
from headscarp.ingest.options import IngestOptions
from headscarp.ingest.protocol import Header
from headscarp.simulate.radar.passes import (
    ORBITS,
    all_passes,
    footprint_cols,
    incidence_deg,
    passes_of,
    window_days,
)
from headscarp.vocabulary import OrbitState
from tests.simulate.grounds import geobox_of

ASCENDING, DESCENDING = ORBITS
DAY = "2024-06-15"


@pytest.mark.parametrize("orbit", ORBITS)
@pytest.mark.parametrize("longitude_deg", [-179.0, -118.0, 0.0, 13.0, 142.0, 179.9])
def test_passes_lie_on_their_side_of_the_event_day(orbit, longitude_deg: float) -> None:  # type: ignore[no-untyped-def]
    passes = passes_of(orbit, DAY, 3, 2, longitude_deg)
    day = datetime(2024, 6, 15, tzinfo=UTC)
    assert [p.is_post_event for p in passes] == [False, False, False, True, True]
    assert all(p.acquired < day for p in passes[:3])
    assert all(p.acquired >= day + timedelta(days=1) for p in passes[3:])
    steps = {b.acquired - a.acquired for a, b in pairwise(passes)}
    assert steps == {timedelta(days=12)}
    for p in passes:
        solar_h = local_solar_time_h(p.acquired, longitude_deg)
        assert solar_h == pytest.approx(orbit.solar_h, abs=0.01)
        assert orbit_state_from_solar_time(p.acquired, longitude_deg, 40.0) is orbit.state


def test_the_generic_reader_parses_the_names() -> None:
    geobox = geobox_of((10, 10))
    for p in all_passes(geobox, DAY, 2, 1):
        header = Header(Path(f"{p.name}.tif"), {}, ("VV", "VH"), geobox, None)
        (facts,) = GeotiffReader().facts(header, IngestOptions())
        assert facts.acquired == p.acquired.replace(microsecond=0) == p.acquired
        assert facts.bands == {"VV": 1, "VH": 2}
        assert facts.platform == "S1A"
        assert facts.orbit_state is not None
        assert facts.orbit_state.value is p.orbit.state
        assert facts.relative_orbit is not None
        assert facts.relative_orbit.value == p.orbit.relative_orbit


def test_windows_span_the_passes_of_both_orbits() -> None:
    passes = all_passes(geobox_of((10, 10)), DAY, 2, 1)
    assert window_days(passes, False) == ("2024-05-26", "2024-06-09")
    assert window_days(passes, True) == ("2024-06-19", "2024-06-21")


def test_incidence_grows_along_the_look_across_the_swath() -> None:
    side_px = 2600  # 260 km: wider than the swath
    geobox = GeoBox((3, side_px), Affine(100.0, 0.0, 4e5, 0.0, -100.0, 4.7e6), "EPSG:32654")
    ascending, descending = (incidence_deg(geobox, orbit) for orbit in ORBITS)
    assert (np.diff(ascending[1]) >= 0).all()
    assert (np.diff(descending[1]) <= 0).all()
    for angles, middle in ((ascending, 36.6), (descending, 41.3)):
        assert angles.dtype == np.float32
        assert angles[1, side_px // 2] == pytest.approx(middle, abs=0.3)
        assert 30.0 < angles.min() < angles.max() < 46.5
    assert ascending.min() == pytest.approx(30.4, abs=0.05)  # the near edge, and constant beyond it
    assert descending.max() == pytest.approx(46.1, abs=0.05)


def test_only_the_descending_swath_misses_ground() -> None:
    assert footprint_cols(200, ASCENDING) == slice(0, 200)
    assert footprint_cols(200, DESCENDING) == slice(30, 200)
    assert {orbit.state for orbit in ORBITS} == set(OrbitState)
