"""Layer 2: facts in names and tags."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headscarp.errors import SceneError
from headscarp.ingest.geotiff import compile_pattern
from headscarp.ingest.names import (
    ORBIT_STATE_TAGS,
    RELATIVE_ORBIT_TAGS,
    SCALE_TAGS,
    SENTINEL1_PRODUCT,
    orbit_state_in_tags,
    parse_orbit_state,
    parse_time,
    polarization_in,
    relative_orbit_in_product,
    relative_orbit_in_tags,
    scale_in,
    scale_in_tags,
)
from headscarp.ingest.protocol import Known
from headscarp.vocabulary import BackscatterScale, OrbitState, Polarization

MOMENT = datetime(2018, 9, 5, 8, 42, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["20180905T084250", "20180905T084250Z", "20180905_084250", "20180905-084250", "20180905084250",
     "2018-09-05T08:42:50Z", "2018-09-05T08:42:50.123456Z", "2018-09-05 08:42:50", "2018:09:05 08:42:50",
     "2018-09-05T08:42:50+00:00", "2018-09-05T17:42:50+09:00", "2018-09-05T17:42:50.5+0900",
     "2018-09-05T03:42:50-05:00"],
)  # fmt: skip
def test_times_of_every_style_are_one_moment_in_utc(text: str) -> None:
    assert parse_time(text) == (MOMENT, False)


@pytest.mark.parametrize("text", ["20180905T0842", "2018-09-05T08:42", "2018-09-05T08:42Z"])
def test_a_time_without_seconds_keeps_its_minutes(text: str) -> None:
    assert parse_time(text) == (MOMENT.replace(second=0), False)


@pytest.mark.parametrize("text", ["20180905", "2018-09-05", "2018_09_05"])
def test_a_day_is_told_from_a_moment(text: str) -> None:
    assert parse_time(text) == (datetime(2018, 9, 5, tzinfo=UTC), True)


@pytest.mark.parametrize(
    "text", ["", "2018", "20181305", "20180905T2500", "20180905T256000", "soon", "201809051"]
)
def test_what_is_no_time_raises(text: str) -> None:
    with pytest.raises(ValueError):  # the message is Python's own
        parse_time(text)


@settings(deadline=None)
@given(st.datetimes(datetime(2014, 1, 1), datetime(2040, 1, 1)))
def test_a_written_time_is_read_back(moment: datetime) -> None:
    whole = moment.replace(microsecond=0, tzinfo=UTC)
    for text in (f"{whole:%Y%m%dT%H%M%S}", whole.isoformat()):
        assert parse_time(text) == (whole, False)


@pytest.mark.parametrize(
    ("text", "polarization"),
    [("VV", "VV"), ("vh", "VH"), ("Sigma0_VV", "VV"), ("Gamma0_VH_db", "VH"), ("20180905_VV", "VV"),
     ("S1A_IW_GRDH_1SDV_20180905T084250_20180905T084315_023505_028F6B_A79E_VH", "VH"),
     ("VV_VH", None), ("angle", None), ("", None), ("1SDV", None), ("VVH", None), ("hv", "HV")],
)  # fmt: skip
def test_the_one_polarisation_of_a_text(text: str, polarization: Polarization | None) -> None:
    assert polarization_in(text) == polarization


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Gamma0_VH_db", True),
        ("vv_dB", True),
        ("in dB", True),
        ("handbook", False),
        ("adb", False),
        ("VV", False),
    ],
)
def test_decibels_in_a_text(text: str, found: bool) -> None:
    expected = Known(BackscatterScale.DECIBEL, "band description") if found else None
    assert scale_in(text, "band description") == expected


@pytest.mark.parametrize("text", ["A", "asc", "ASCENDING", " Ascending "])
def test_ascending_in_words(text: str) -> None:
    assert parse_orbit_state(text) is OrbitState.ASCENDING


@pytest.mark.parametrize("text", ["D", "dsc", "DES", "desc", "DESCENDING"])
def test_descending_in_words(text: str) -> None:
    assert parse_orbit_state(text) is OrbitState.DESCENDING


@pytest.mark.parametrize("text", ["", "up", "ascendant", "VV"])
def test_no_direction_in_words(text: str) -> None:
    assert parse_orbit_state(text) is None


@pytest.mark.parametrize("tag", ORBIT_STATE_TAGS)
def test_the_direction_in_tags_names_its_tag(tag: str) -> None:
    assert orbit_state_in_tags({tag: "Descending"}) == Known(OrbitState.DESCENDING, f"tag {tag.upper()}")
    assert orbit_state_in_tags({tag: "?"}) is None


@pytest.mark.parametrize("tag", RELATIVE_ORBIT_TAGS)
def test_the_relative_orbit_in_tags_names_its_tag(tag: str) -> None:
    assert relative_orbit_in_tags({tag: " 137 "}) == Known(137, f"tag {tag.upper()}")
    assert relative_orbit_in_tags({tag: "T137"}) is None


@pytest.mark.parametrize("outside", ["0", "176", "999"])
def test_a_relative_orbit_that_sentinel1_does_not_fly_is_no_fact(outside: str) -> None:
    assert relative_orbit_in_tags({"relative_orbit": outside}) is None


@pytest.mark.parametrize("tag", SCALE_TAGS)
@pytest.mark.parametrize(
    ("word", "scale"),
    [("linear backscatter intensity", BackscatterScale.POWER), ("dB", BackscatterScale.DECIBEL),
     ("Amplitude", BackscatterScale.AMPLITUDE), ("Linear Power", BackscatterScale.POWER)],
)  # fmt: skip
def test_the_scale_in_tags_names_its_tag(tag: str, word: str, scale: BackscatterScale) -> None:
    assert scale_in_tags({tag: word}) == Known(scale, f"tag {tag.upper()}")
    assert scale_in_tags({tag: "metres"}) is None


@pytest.mark.parametrize(
    ("name", "absolute", "relative"),
    [
        # Relative orbits from these products' own manifests.
        ("S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371", "030148", 22),
        ("S1A_IW_GRDH_1SDV_20150203T043109_20150203T043134_004454_00574F_6D00", "004454", 7),
        ("x_S1A_IW_SLC__1SDV_20180906T084250_20180906T084315_023580_028F6B_A79E_Orb_Cal_TC", "023580", 58),
    ],
)
def test_esas_product_name_inside_other_names(name: str, absolute: str, relative: int) -> None:
    match = SENTINEL1_PRODUCT.search(name)
    assert match is not None
    assert match["absolute_orbit"] == absolute
    assert relative_orbit_in_product(match) == Known(relative, "absolute orbit in the name")


def test_a_platform_without_known_orbits_gives_no_relative_orbit() -> None:
    match = SENTINEL1_PRODUCT.search("S1D_IW_GRDH_1SDV_20260105T043109_20260105T043134_004454_00574F_6D00")
    assert match is not None
    assert relative_orbit_in_product(match) is None


def test_a_pattern_reads_its_fields() -> None:
    pattern = compile_pattern("{any}_{acquired}_{orbit_state}_{relative_orbit}_{polarization}")
    match = pattern.match("my.area_2018-09-05T08:42:50_desc_T046_vh")
    assert match is not None
    assert match.groupdict() == {
        "acquired": "2018-09-05T08:42:50", "orbit_state": "desc", "relative_orbit": "046",
        "polarization": "vh",
    }  # fmt: skip


def test_a_pattern_takes_other_characters_literally() -> None:
    pattern = compile_pattern("a.b({acquired})")
    assert pattern.match("a.b(20180905)")
    assert not pattern.match("aXb(20180905)")


def test_a_pattern_may_skip_several_parts() -> None:
    match = compile_pattern("{any}_{acquired}_{any}_{polarization}").match("x_y_20180905_z_VV")
    assert match is not None
    assert match["acquired"] == "20180905"


@pytest.mark.parametrize("pattern", ["{date}_{acquired}", "{platform}", "S1A", "{acquired}_{acquired}"])
def test_a_pattern_without_its_date_or_with_unknown_or_repeated_fields_is_refused(pattern: str) -> None:
    with pytest.raises(SceneError, match="a name pattern with") as caught:
        compile_pattern(pattern)
    assert caught.value.given == repr(pattern)
