"""Layer 1: pass direction and relative orbit against arithmetic by hand and real products."""

from __future__ import annotations

import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headscarp.geometry.orbit import (
    BURST_CYCLE_S,
    BURST_ORBIT_S,
    ORBIT_S,
    heading_deg,
    local_solar_time_h,
    look_azimuth_deg,
    orbit_state_from_burst,
    orbit_state_from_solar_time,
    relative_orbit_from_absolute,
    relative_orbit_from_time,
    seconds_since_node,
)
from headscarp.vocabulary import OrbitState

ASCENDING, DESCENDING = OrbitState.ASCENDING, OrbitState.DESCENDING
OPERA = re.compile(
    r"_T(?P<track>\d{3})-(?P<burst>\d{6})-IW\d_(?P<acquired>\d{8}T\d{6})Z_\w+Z_(?P<platform>S1[AB])_"
)


def test_the_burst_formula_by_hand() -> None:
    # 292319 × 2.758273 = 806295.604…; + 2.2998 − 136 × 5924.57 (805741.52) = 556.38 s: 33.8°
    assert seconds_since_node(292319, 137) == pytest.approx(806295.6051 + 2.2998 - 805741.52, abs=1e-3)
    # 19294 × 2.758273 = 53218.119…; + 2.2998 − 8 × 5924.57 (47396.56) = 5823.86 s: 353.9°
    assert seconds_since_node(19294, 9) == pytest.approx(53218.1193 + 2.2998 - 47396.56, abs=1e-3)


@pytest.mark.parametrize(("burst", "track"), [(292319, 137), (292320, 137), (292323, 137), (19294, 9)])
def test_the_bursts_of_the_test_data_are_ascending(burst: int, track: int) -> None:
    assert orbit_state_from_burst(burst, track) is ASCENDING


def test_a_burst_half_an_orbit_later_is_descending() -> None:
    half_orbit = round(BURST_ORBIT_S / 2 / BURST_CYCLE_S)
    assert orbit_state_from_burst(292319 + half_orbit, 137) is DESCENDING
    assert orbit_state_from_burst(19294 - half_orbit, 9) is DESCENDING


@pytest.mark.parametrize(
    ("angle_deg", "state"),
    [(1, ASCENDING), (89.5, ASCENDING), (90.5, DESCENDING), (180, DESCENDING), (269.5, DESCENDING),
     (270.5, ASCENDING), (359, ASCENDING)],
)  # fmt: skip
def test_a_burst_is_ascending_within_a_quarter_of_the_node(angle_deg: float, state: OrbitState) -> None:
    for track in (1, 64, 175):
        since_node_s = angle_deg / 360 * BURST_ORBIT_S
        burst = round((since_node_s + (track - 1) * BURST_ORBIT_S - 2.2998) / BURST_CYCLE_S)
        assert orbit_state_from_burst(burst, track) is state


def test_an_orbit_lasts_the_175th_part_of_twelve_days() -> None:
    assert pytest.approx(5924.571428, abs=1e-6) == ORBIT_S


@pytest.mark.parametrize(
    ("utc_h", "longitude", "expected_h"),
    [(12.0, 0.0, 12.0), (2.0, -120.0, 18.0), (20.0, 145.0, 20 + 145 / 15 - 24), (0.5, -15.0, 23.5)],
)
def test_local_solar_time_by_hand(utc_h: float, longitude: float, expected_h: float) -> None:
    moment = datetime(2023, 5, 1, tzinfo=UTC) + timedelta(hours=utc_h)
    assert local_solar_time_h(moment, longitude) == pytest.approx(expected_h)


@settings(deadline=None)
@given(minutes=st.integers(0, 1439), longitude=st.floats(-180, 180))
def test_local_solar_time_stays_within_a_day(minutes: int, longitude: float) -> None:
    hour = local_solar_time_h(datetime(2023, 5, 1, tzinfo=UTC) + timedelta(minutes=minutes), longitude)
    assert 0 <= hour < 24
    assert (hour - minutes / 60 - longitude / 15) % 24 == pytest.approx(0, abs=1e-6) or (
        hour - minutes / 60 - longitude / 15
    ) % 24 == pytest.approx(24, abs=1e-6)


@pytest.mark.parametrize(
    ("moment", "longitude", "latitude", "state"),
    [
        ("2023-11-16T01:59:09", -119.8, 34.5, ASCENDING),  # T137, Santa Barbara
        ("2024-01-23T08:47:48", 143.3, -5.4, ASCENDING),  # T009, Enga
        ("2021-12-23T05:11:22", 12.5, 42.0, DESCENDING),  # Rome, its manifest says descending
        ("2018-09-05T08:42:00", 142.0, 42.7, ASCENDING),  # Hokkaido at 18 h local
        ("2018-09-05T20:42:00", 142.0, 42.7, DESCENDING),
        ("2023-11-16T12:00:00", 0.0, 34.5, None),  # noon: not an hour that Sentinel-1 keeps
        ("2023-11-16T15:31:00", 0.0, 34.5, ASCENDING),
        ("2023-11-16T15:29:00", 0.0, 34.5, None),
        ("2023-11-16T08:31:00", 0.0, 34.5, None),
        ("2023-11-16T08:29:00", 0.0, 34.5, DESCENDING),
        ("2023-11-16T18:00:00", 0.0, 61.0, None),
        ("2023-11-16T18:00:00", 0.0, -61.0, None),
        ("2023-11-16T18:00:00", 0.0, 59.0, ASCENDING),
    ],
)
def test_solar_time_gives_the_direction_away_from_the_poles(
    moment: str, longitude: float, latitude: float, state: OrbitState | None
) -> None:
    acquired = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert orbit_state_from_solar_time(acquired, longitude, latitude) is state


@pytest.mark.parametrize(
    ("platform", "absolute", "relative"),
    [
        ("S1A", 23580, 58),  # 23580 − 73 = 23507 = 134 × 175 + 57; 57 + 1
        ("S1A", 73, 1),
        ("S1A", 247, 175),
        ("S1A", 248, 1),
        ("S1B", 27, 1),
        ("S1C", 172, 1),
    ],
)
def test_relative_orbits_by_hand(platform: str, absolute: int, relative: int) -> None:
    assert relative_orbit_from_absolute(platform, absolute) == relative


def test_platforms_without_known_orbits_give_none() -> None:
    assert relative_orbit_from_absolute("S1D", 100) is None
    assert relative_orbit_from_time("S1C", datetime(2025, 5, 1, 5, tzinfo=UTC)) is None


def manifests(folder: Path) -> list[str]:
    texts = [path.read_text() for path in sorted(folder.glob("*.SAFE/manifest.safe"))]
    for path in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith("manifest.safe"))
            texts.append(archive.read(name).decode())
    return texts


def test_real_manifests_agree_with_orbits_from_number_and_from_time(real_data: Path) -> None:
    texts = manifests(real_data / "safe_grd")
    assert len(texts) == 3
    for text in texts:
        facts = {
            name: re.search(pattern, text)[1]  # type: ignore[index]
            for name, pattern in {
                "absolute": r'orbitNumber type="start">(\d+)',
                "relative": r'relativeOrbitNumber type="start">(\d+)',
                "node": r"ascendingNodeTime>([\d:T-]+)",
                "letter": r"<safe:number>([AB])<",
            }.items()
        }
        platform, relative = f"S1{facts['letter']}", int(facts["relative"])
        assert relative_orbit_from_absolute(platform, int(facts["absolute"])) == relative
        node = datetime.fromisoformat(facts["node"]).replace(tzinfo=UTC)
        for minutes in (2, 40, 96):
            assert relative_orbit_from_time(platform, node + timedelta(minutes=minutes)) == relative


def test_every_real_burst_agrees_with_its_track_and_direction(real_data: Path) -> None:
    names = [OPERA.search(path.name) for path in sorted((real_data / "opera_rtc_s1").rglob("*.tif"))]
    assert len(names) == 192 + 88 + 88 + 10
    for name in names:
        assert name is not None
        track = int(name["track"])
        acquired = datetime.strptime(name["acquired"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        # Enga's burst starts 101 s before the node, where the orbit number turns.
        assert relative_orbit_from_time(name["platform"], acquired) == track
        assert orbit_state_from_burst(int(name["burst"]), track) is ASCENDING


def test_the_orbit_is_not_guessed_within_a_minute_of_the_node() -> None:
    node = datetime(2023, 1, 3, 18, 0, 45, tzinfo=UTC)  # of relative orbit 1, S1A
    found = [relative_orbit_from_time("S1A", node + timedelta(seconds=s)) for s in (-70, -50, 0, 50, 70)]
    assert found == [175, None, None, None, 1]


@settings(deadline=None)
@given(cycles=st.integers(-80, 80), orbit=st.integers(1, 175), share=st.floats(0.02, 0.98))
def test_every_orbit_of_every_cycle_is_found(cycles: int, orbit: int, share: float) -> None:
    node = datetime(2023, 1, 9, 17, 59, 58, tzinfo=UTC)  # of relative orbit 1, S1B
    moment = node + timedelta(days=12 * cycles, seconds=(orbit - 1 + share) * ORBIT_S)
    assert relative_orbit_from_time("S1B", moment) == orbit


@pytest.mark.parametrize("latitude_deg", [-70.0, -30.0, 0.0, 42.0, 75.0])
def test_ascending_passes_go_north_and_descending_ones_mirror_them(latitude_deg: float) -> None:
    up, down = (heading_deg(state, latitude_deg) for state in (ASCENDING, DESCENDING))
    assert 270.0 < up < 360.0
    assert down == pytest.approx((180.0 - up) % 360.0)
    assert heading_deg(ASCENDING, -latitude_deg) == pytest.approx(up)
    assert (look_azimuth_deg(ASCENDING, latitude_deg) - up) % 360.0 == pytest.approx(90.0)


def test_beyond_the_orbit_the_heading_is_that_of_its_turn() -> None:
    assert heading_deg(ASCENDING, 90.0) == pytest.approx(270.0, abs=1.0)


def test_headings_agree_with_real_annotations(real_data: Path) -> None:
    """platformHeading and the scene's latitude as ESA's processor wrote them."""
    found = 0
    for text in annotations(real_data / "safe_grd"):
        heading = float(re.search(r"<platformHeading>([^<]+)<", text)[1])  # type: ignore[index]
        latitudes = [float(each) for each in re.findall(r"<latitude>([^<]+)<", text)]
        state = OrbitState(re.search(r"<pass>([^<]+)<", text)[1].lower())  # type: ignore[index]
        middle = (min(latitudes) + max(latitudes)) / 2.0
        assert heading_deg(state, middle) == pytest.approx(heading % 360.0, abs=0.5)
        found += 1
    assert found >= 3


def annotations(folder: Path) -> list[str]:
    """Annotations of all products, unzipped or not."""
    texts = [path.read_text() for path in sorted(folder.glob("*.SAFE/annotation/*.xml"))]
    for path in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if re.search(r"/annotation/s1[^/]*\.xml$", n)]
            texts += [archive.read(name).decode() for name in names]
    return texts
