"""Layer 3: one contract for every reader, in each style that people's files come in.

A style is a way to name, tag and describe one VH acquisition of 2018-09-05. The contract: exactly one
reader claims the file, its facts are complete and say where they come from, and the values arrive as the
linear power that was meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from headscarp.errors import SceneError
from headscarp.ingest.files import READERS, read_scene_files
from headscarp.ingest.options import IngestOptions
from headscarp.ingest.raster import read_header, read_on_grid
from headscarp.scene import SceneFile
from headscarp.vocabulary import BackscatterScale, OrbitState, Polarization

ASCENDING, DESCENDING = OrbitState.ASCENDING, OrbitState.DESCENDING
POWER, DECIBEL, AMPLITUDE = BackscatterScale
MOMENT = datetime(2018, 9, 5, 8, 42, 50, tzinfo=UTC)
DAY = datetime(2018, 9, 5, tzinfo=UTC)
ESA = "S1A_IW_GRDH_1SDV_20180905T084250_20180905T084315_023580_028F6B_A79E"
OPERA = "OPERA_L2_RTC-S1_T068-145120-IW2_20180905T084250Z_20250101T000102Z_S1A_30_v1.0"
HYP3 = "S1A_IW_20180905T084250_DVP_RTC20_G_g{scale}uned_FD6A"
OPERA_TAGS = {
    "BURST_ID": "t068_145120_iw2",
    "PLATFORM": "Sentinel-1A",
    "POLARIZATION": "VV VH",  # a product may list all of its own; the name says which this file holds
    "ORBIT_PASS_DIRECTION": "descending",
    "TRACK_NUMBER": "46",
    "ZERO_DOPPLER_START_TIME": "2018-09-05T08:42:51.250000Z",
    "PROCESSING_DATETIME": "2025-02-02T00:00:00Z",
    "PROCESSING_INFORMATION_OUTPUT_BACKSCATTER_EXPRESSION_CONVENTION": "linear backscatter intensity",
}
# Relative orbit 7 crossed its node at 2015-02-03T03:52:25 (a real manifest). 1310 days, 4 h 50 min 25 s later
# are 109 cycles and 190225 s: 32.1 orbits, so relative orbit 39. (The made-up ESA name above says 58.)
FROM_TIME = 39
HYP3_README = f"# ASF RTC Data Package\n\nThe source granule used was:\n{ESA}\n"

WriteScene = Callable[..., Path]


@dataclass(frozen=True)
class Style:
    """One way in which a file says what it is, and what must be read from it."""

    name: str
    file: str
    reader: str
    descriptions: tuple[str, ...] = ("",)
    bands: dict[Polarization, int] = field(default_factory=lambda: {"VH": 1})
    stored: BackscatterScale = POWER
    scale_source: str = "detected from values"
    acquired: datetime = MOMENT
    day_only: bool = False
    state: OrbitState = ASCENDING
    state_source: str = "local solar time"
    orbit: int | None = 68
    orbit_source: str = "file name"
    platform: str | None = "S1A"
    processed: datetime | None = None
    burst: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    readme: str | None = None
    options: IngestOptions = field(default_factory=IngestOptions)


STYLES = [
    Style(
        "OPERA without tags", f"{OPERA}_VH.tif", "OPERA RTC-S1",
        scale_source="product definition", orbit_source="burst identifier",
        # 145120 × 2.758273 + 2.2998 − 67 × 5924.57 = 3336.7 s after the node: 202.7°
        state=DESCENDING, state_source="burst identifier",
        processed=datetime(2025, 1, 1, 0, 1, 2, tzinfo=UTC), burst="T068-145120-IW2",
    ),
    Style(
        "OPERA with tags", f"{OPERA}_VH.tif", "OPERA RTC-S1", tags=OPERA_TAGS,
        acquired=MOMENT.replace(second=51), orbit=46, orbit_source="tag TRACK_NUMBER",
        state=DESCENDING, state_source="tag ORBIT_PASS_DIRECTION",
        scale_source="tag PROCESSING_INFORMATION_OUTPUT_BACKSCATTER_EXPRESSION_CONVENTION",
        processed=datetime(2025, 2, 2, tzinfo=UTC), burst="T068-145120-IW2",
    ),
    Style(
        "OPERA tags under another name", "rtc_of_september.tif", "OPERA RTC-S1",
        tags={**OPERA_TAGS, "POLARIZATION": "VH"},
        acquired=MOMENT.replace(second=51), orbit=46, orbit_source="tag TRACK_NUMBER",
        state=DESCENDING, state_source="tag ORBIT_PASS_DIRECTION",
        scale_source="tag PROCESSING_INFORMATION_OUTPUT_BACKSCATTER_EXPRESSION_CONVENTION",
        processed=datetime(2025, 2, 2, tzinfo=UTC), burst="T068-145120-IW2",
    ),
    *(
        Style(
            f"HyP3 {scale.value}{' with README' if readme else ''}",
            f"{HYP3.format(scale=letter)}_VH.tif", "HyP3 RTC", stored=scale, scale_source="product name",
            readme=f"{HYP3.format(scale=letter)}.README.md.txt" if readme else None,
            orbit=58 if readme else FROM_TIME,
            orbit_source="absolute orbit in the name" if readme else "time in the 12-day repeat cycle",
        )
        for letter, scale in (("p", POWER), ("a", AMPLITUDE), ("d", DECIBEL))
        for readme in (False, True)
    ),
    Style(
        "Earth Engine, one image in dB", "hokkaido_export.tif", "GeoTIFF",
        descriptions=(f"{ESA}_VV", f"{ESA}_VH", f"{ESA}_angle"), bands={"VV": 1, "VH": 2},
        stored=DECIBEL, orbit=58, orbit_source="absolute orbit in the name",
    ),
    Style(
        "SNAP Sigma0", f"{ESA}_Orb_NR_Cal_TC.tif", "GeoTIFF",
        descriptions=("Sigma0_VH", "Sigma0_VV"), bands={"VH": 1, "VV": 2},
        orbit=58, orbit_source="absolute orbit in the name",
    ),
    Style(
        "SNAP Gamma0 in dB", f"{ESA}_Orb_NR_Cal_TF_TC_dB.tif", "GeoTIFF", descriptions=("Gamma0_VH_db",),
        stored=DECIBEL, scale_source="band description",
        orbit=58, orbit_source="absolute orbit in the name",
    ),
    Style(
        "headscarp's own names", "S1A_20180905T084250_DSC_R046.tif", "GeoTIFF", descriptions=("VV", "VH"),
        bands={"VV": 1, "VH": 2}, state=DESCENDING, state_source="file name", orbit=46,
    ),
    Style(
        "day, direction and polarisation in the name", "s1_2018-09-05_ASC_T068_VH_dB.tif", "GeoTIFF",
        acquired=DAY, day_only=True, stored=DECIBEL, scale_source="file name", state_source="file name",
        platform=None,
    ),
    Style(
        "MGRS tile and spacing in the name", "S1A_T54TWN_20180905T084250_R10m_VH.tif", "GeoTIFF",
        orbit=FROM_TIME, orbit_source="time in the 12-day repeat cycle",
    ),
    Style(
        "date in a tag with an offset", "scene_VH.tif", "GeoTIFF",
        tags={"DATETIME": "2018-09-05T17:42:50+09:00", "ORBIT_STATE": "descending",
              "RELATIVE_ORBIT": "46", "units": "amplitude"},
        stored=AMPLITUDE, scale_source="tag UNITS", state=DESCENDING, state_source="tag ORBIT_STATE",
        orbit=46, orbit_source="tag RELATIVE_ORBIT", platform=None,
    ),
    Style(
        "direction and orbit in the band description", "stack.tif", "GeoTIFF",
        descriptions=("S1A_20180905T084250_DSC_R046_VH",), state=DESCENDING,
        state_source="band description", orbit=46, orbit_source="band description",
    ),
    Style(
        "declared pattern", "area7-S1A-track068-ascending-20180905T084250-VH.tif", "GeoTIFF",
        options=IngestOptions(
            name_pattern="{any}-{platform}-{relative_orbit}-{orbit_state}-{acquired}-{polarization}"
        ),
        state_source="file name",
    ),
    Style(
        "declared bands", "S1A_20180905T084250_R068.tif", "GeoTIFF", descriptions=("", "b2", ""),
        bands={"VH": 1, "VV": 2}, options=IngestOptions(bands=("VH", "VV")),
    ),
    Style(
        "everything declared", "x_20180905_VH.tif", "GeoTIFF", acquired=DAY, day_only=True,
        stored=AMPLITUDE, scale_source="declared (--scale)", state=DESCENDING,
        state_source="declared (--orbit-state)", orbit=46, orbit_source="declared", platform=None,
        options=IngestOptions(scale="amplitude", orbit_state=DESCENDING, relative_orbit=46),
    ),
]  # fmt: skip


def power_of(band: int) -> NDArray[np.float64]:
    """Linear power of land that each band was meant to hold."""
    return np.random.default_rng(band).gamma(8.0, 0.05 / 8.0, (30, 30)) * band


def as_stored(power: NDArray[np.float64], scale: BackscatterScale) -> NDArray[np.float32]:
    stored = {POWER: power, DECIBEL: 10.0 * np.log10(power), AMPLITUDE: np.sqrt(power)}
    return stored[scale].astype(np.float32)


def write_style(folder: Path, style: Style, write_scene: WriteScene) -> Path:
    if style.readme:
        (folder / style.readme).write_text(HYP3_README)
    bands = {
        description or f"#{band}": as_stored(power_of(band), style.stored)
        for band, description in enumerate(style.descriptions, start=1)
    }
    return write_scene(
        folder / style.file, bands, tags=style.tags, describe=any(style.descriptions)
    )  # fmt: skip


@pytest.fixture(params=STYLES, ids=lambda style: style.name)
def style(request: pytest.FixtureRequest) -> Style:
    chosen: Style = request.param
    return chosen


@pytest.fixture
def scene_file(style: Style, tmp_path: Path, write_scene: WriteScene) -> SceneFile:
    path = write_style(tmp_path, style, write_scene)
    (found,) = read_scene_files([path], style.options).files
    return found


def test_the_first_reader_that_claims_a_file_is_its_own(
    style: Style, tmp_path: Path, write_scene: WriteScene
) -> None:
    header = read_header(write_style(tmp_path, style, write_scene))
    claims = [reader.name for reader in READERS if reader.recognises(header)]
    assert claims[0] == style.reader
    assert len(set(claims) - {"GeoTIFF"}) == (style.reader != "GeoTIFF")


def test_the_facts_are_those_of_the_file(style: Style, scene_file: SceneFile) -> None:
    facts = {
        "reader": scene_file.reader, "bands": scene_file.bands, "acquired": scene_file.acquired,
        "day_only": scene_file.day_only, "state": scene_file.orbit_state,
        "orbit": scene_file.relative_orbit, "platform": scene_file.platform,
        "processed": scene_file.processed, "burst": scene_file.burst, "stored": scene_file.scale,
    }  # fmt: skip
    assert facts == {name: getattr(style, name) for name in facts}


def test_the_facts_say_where_they_come_from(style: Style, scene_file: SceneFile) -> None:
    assert scene_file.orbit_state_source == style.state_source
    assert scene_file.relative_orbit_source == style.orbit_source
    assert scene_file.scale_source == style.scale_source


def test_every_band_arrives_as_linear_power(scene_file: SceneFile) -> None:
    for band in scene_file.bands.values():
        values = read_on_grid(
            scene_file.path, band, scene_file.geobox, scene_file.nodata, scene_file.scale, scene_file.geobox
        )
        np.testing.assert_allclose(values, power_of(band), rtol=2e-6)


def test_times_are_utc(scene_file: SceneFile) -> None:
    offsets = [t.utcoffset() for t in (scene_file.acquired, scene_file.processed) if t]
    assert offsets and not any(offsets)


# What only one reader does


def write_bands(path: Path, descriptions: list[str], write_scene: WriteScene, **options: Any) -> Path:
    bands = {d: as_stored(power_of(i), DECIBEL) for i, d in enumerate(descriptions, start=1)}
    return write_scene(path, bands, **options)


def test_earth_engine_stacks_are_split_by_date(tmp_path: Path, write_scene: WriteScene) -> None:
    descriptions = [
        f"S1A_IW_GRDH_1SDV_{day}T{time}_{day}T{time}_{orbit}_028F6B_A79E_{pol}"
        for day, time, orbit in (("20180905", "084250", "023580"), ("20180901", "204145", "023529"))
        for pol in ("VV", "VH")
    ]
    path = write_bands(tmp_path / "stack_2018_dB.tif", descriptions, write_scene)
    first, second = read_scene_files([path]).files
    assert (first.acquired.day, first.bands) == (1, {"VV": 3, "VH": 4})
    assert (second.acquired.day, second.bands) == (5, {"VV": 1, "VH": 2})
    assert (first.orbit_state, second.orbit_state) == (DESCENDING, ASCENDING)
    # (23529 − 73) mod 175 + 1 = 7; (23580 − 73) mod 175 + 1 = 58
    assert (first.relative_orbit, second.relative_orbit) == (7, 58)
    assert first.scale is DECIBEL
    assert first.path == second.path


def test_days_in_band_descriptions_win_over_several_in_the_name(
    tmp_path: Path, write_scene: WriteScene
) -> None:
    path = write_bands(tmp_path / "ASC_20180801_20180930.tif", ["20180905_VV", "20180917_VV"], write_scene)
    found = read_scene_files([path]).files
    assert [(f.acquired.day, f.bands) for f in found] == [(5, {"VV": 1}), (17, {"VV": 2})]
    assert all(f.day_only and f.orbit_state is ASCENDING for f in found)


def test_two_dates_in_a_plain_name_are_no_date(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_bands(tmp_path / "S1A_ASC_20180905_20180917_VV.tif", ["VV"], write_scene)
    with pytest.raises(SceneError, match="one date in the name") as caught:
        read_scene_files([path])
    assert "20180905 20180917" in caught.value.given
    pattern = IngestOptions(name_pattern="{platform}_{orbit_state}_{acquired}_{any}_{polarization}")
    assert read_scene_files([path], pattern).files[0].acquired == DAY


@pytest.mark.parametrize("descriptions", [["Sigma0_VV", "Gamma0_VV"], ["Sigma0_VV", "Sigma0_VV_db"]])
def test_two_bands_for_one_polarisation_are_refused(
    descriptions: list[str], tmp_path: Path, write_scene: WriteScene
) -> None:
    path = write_bands(tmp_path / f"{ESA}.tif", descriptions, write_scene)
    with pytest.raises(SceneError, match="one band for each polarisation") as caught:
        read_scene_files([path])
    assert descriptions[0] in caught.value.given and descriptions[1] in caught.value.given


def test_a_name_that_the_declared_pattern_does_not_fit_is_refused(
    tmp_path: Path, write_scene: WriteScene
) -> None:
    path = write_bands(tmp_path / "20180905_VV.tif", ["VV"], write_scene)
    with pytest.raises(SceneError, match="names like") as caught:
        read_scene_files([path], IngestOptions(name_pattern="{platform}_{acquired}"))
    assert caught.value.given == "20180905_VV.tif"


def test_opera_layers_other_than_backscatter_are_no_scenes(tmp_path: Path, write_scene: WriteScene) -> None:
    write_bands(tmp_path / f"{OPERA}_mask.tif", ["mask"], write_scene)
    write_scene(tmp_path / f"{OPERA}_VH.tif", {"VH": as_stored(power_of(1), POWER)})
    found = read_scene_files([tmp_path])
    assert [f.path.name for f in found.files] == [f"{OPERA}_VH.tif"]
    assert [p.name for p, _ in found.skipped] == [f"{OPERA}_mask.tif"]


def test_hyp3_incidence_map_and_dem_are_no_scenes(tmp_path: Path, write_scene: WriteScene) -> None:
    product = HYP3.format(scale="p")
    for layer in ("inc_map", "dem", "ls_map", "VH"):
        write_scene(tmp_path / f"{product}_{layer}.tif", {"": as_stored(power_of(1), POWER)}, describe=False)
    found = read_scene_files([tmp_path])
    assert [f.path.name for f in found.files] == [f"{product}_VH.tif"]
    assert len(found.skipped) == 3


def test_a_hyp3_readme_without_a_granule_gives_no_orbit(tmp_path: Path, write_scene: WriteScene) -> None:
    product = HYP3.format(scale="p")
    (tmp_path / f"{product}.README.md.txt").write_text("nothing of use")
    path = write_scene(tmp_path / f"{product}_VH.tif", {"VH": as_stored(power_of(1), POWER)})
    assert read_scene_files([path]).files[0].relative_orbit_source == "time in the 12-day repeat cycle"


def test_real_opera_files_are_read_as_their_names_say(real_data: Path) -> None:
    found = read_scene_files([real_data / "opera_rtc_s1"])
    assert len(found.files) == 192 + 88 + 88 + 10
    assert found.skipped == ()
    for file in found.files:
        track = int(file.path.name.split("_T")[1][:3])
        (band,) = file.bands.items()
        assert (file.reader, file.relative_orbit, file.orbit_state) == ("OPERA RTC-S1", track, ASCENDING)
        assert file.orbit_state_source == "burst identifier"
        assert band == ("VH" if "_VH" in file.path.name else "VV", 1)
        assert file.scale is POWER
