"""Layer 3: from paths to scene files: what is found, skipped, derived and refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import rasterio
from affine import Affine

from headscarp.errors import SceneError
from headscarp.ingest.files import read_scene_files
from headscarp.ingest.options import IngestOptions
from headscarp.ingest.raster import read_on_grid
from headscarp.scene import SceneFile
from headscarp.vocabulary import BackscatterScale, OrbitState
from tests.conftest import scene_name, speckled

WriteScene = Callable[..., Path]
MOMENT = datetime(2018, 9, 5, 8, 42, 50, tzinfo=UTC)  # 18 h local solar time at 142° E
NAME = scene_name(MOMENT)
POWER = speckled(np.random.default_rng(0), (40, 40), 0.05)
DECIBEL = (10 * np.log10(POWER)).astype(np.float32)
ASCENDING, DESCENDING = OrbitState.ASCENDING, OrbitState.DESCENDING


def only(*paths: Path, **options: Any) -> SceneFile:
    (file,) = read_scene_files(paths, IngestOptions(**options)).files
    return file


# Finding


def test_folders_are_searched_to_their_depth(tmp_path: Path, write_scene: WriteScene) -> None:
    names = [scene_name(MOMENT.replace(day=day)) for day in (5, 17, 29)]
    for name, folder in zip(names, ("", "a", "a/b"), strict=True):
        write_scene(tmp_path / folder / name, {"VV": POWER})
    (tmp_path / "a" / names[1]).rename(tmp_path / "a" / names[1].replace(".tif", ".TIFF"))
    (tmp_path / "notes.txt").write_text("no raster")
    (tmp_path / "folder.tif").mkdir()
    found = read_scene_files([tmp_path])
    assert [f.acquired.day for f in found.files] == [5, 17, 29]
    assert found.skipped == ()


def test_a_file_named_twice_counts_once(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / NAME, {"VV": POWER})
    link = tmp_path / "linked"
    link.symlink_to(tmp_path, target_is_directory=True)
    assert len(read_scene_files([path, tmp_path, path, str(link)]).files) == 1


def test_files_come_in_the_order_of_their_times(tmp_path: Path, write_scene: WriteScene) -> None:
    for name in ("z_20180905_ASC_VV.tif", "a_20180917_ASC_VV.tif", "b_20180905_ASC_VH.tif"):
        write_scene(tmp_path / name, {"": POWER}, describe=False)
    names = [f.path.name[0] for f in read_scene_files([tmp_path]).files]
    assert names == ["b", "z", "a"]


def test_other_rasters_in_a_folder_are_skipped_with_a_reason(tmp_path: Path, write_scene: WriteScene) -> None:
    write_scene(tmp_path / NAME, {"VV": POWER})
    write_scene(tmp_path / "dem.tif", {"height": POWER * 1000})
    write_scene(tmp_path / "no_date_VV.tif", {"VV": POWER})
    write_scene(tmp_path / "coherence_20180905_20180917.tif", {"": POWER}, describe=False)
    found = read_scene_files([tmp_path])
    assert [f.path.name for f in found.files] == [NAME]
    assert [p.name for p, _ in found.skipped] == [
        "coherence_20180905_20180917.tif",
        "dem.tif",
        "no_date_VV.tif",
    ]
    assert {reason for _, reason in found.skipped} == {"no date, or no polarisation: not a scene"}


@pytest.mark.parametrize("with_folder", [False, True])
def test_a_raster_that_is_no_scene_is_refused_when_named(
    tmp_path: Path, write_scene: WriteScene, with_folder: bool
) -> None:
    write_scene(tmp_path / NAME, {"VV": POWER})
    dem = write_scene(tmp_path / "dem.tif", {"height": POWER})
    with pytest.raises(SceneError, match="silently be left out") as caught:
        read_scene_files([tmp_path, dem] if with_folder else [dem])
    assert caught.value.given.endswith("dem.tif")


def test_no_scene_at_all_is_refused_with_what_was_searched(tmp_path: Path, write_scene: WriteScene) -> None:
    with pytest.raises(SceneError, match="at least one Sentinel-1 scene") as caught:
        read_scene_files([tmp_path])
    assert str(tmp_path) in caught.value.given and "(0 rasters" in caught.value.given
    write_scene(tmp_path / "dem.tif", {"height": POWER})
    with pytest.raises(SceneError, match="1 rasters"):
        read_scene_files([tmp_path])


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="which does not exist") as caught:
        read_scene_files([tmp_path / "nowhere"])
    assert "nowhere" in caught.value.given


def test_a_broken_scene_in_a_folder_is_refused_by_name(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / NAME, {"VV": speckled(np.random.default_rng(0), (300, 300), 0.1)})
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(SceneError) as caught:
        read_scene_files([tmp_path])
    assert NAME in caught.value.given
    assert caught.value.expected == "a raster file that GDAL can read to its end"


def test_a_scene_without_a_crs_is_refused_by_name(tmp_path: Path) -> None:
    with rasterio.open(tmp_path / NAME, "w", driver="GTiff", height=2, width=2, count=1,
                       dtype="float32", transform=Affine(20, 0, 0, 0, -20, 0)) as dataset:  # fmt: skip
        dataset.write(np.ones((1, 2, 2), np.float32))
    with pytest.raises(SceneError, match="no CRS") as caught:
        read_scene_files([tmp_path])
    assert NAME in caught.value.given


# Scale


@pytest.mark.parametrize(
    ("values", "scale"), [(POWER, BackscatterScale.POWER), (DECIBEL, BackscatterScale.DECIBEL)]
)
def test_the_scale_is_detected_and_said_to_be(
    tmp_path: Path, write_scene: WriteScene, values: Any, scale: BackscatterScale
) -> None:
    file = only(write_scene(tmp_path / NAME, {"VV": values}))
    assert (file.scale, file.scale_source) == (scale, "detected from values")


@pytest.mark.parametrize(
    ("values", "declared"),
    [
        (DECIBEL, "linear"),
        (DECIBEL, "amplitude"),
        (POWER, "db"),
        (POWER * 3000, "linear"),
        (POWER * 3000, "db"),
    ],
)
def test_values_that_contradict_the_declared_scale_are_refused(
    tmp_path: Path, write_scene: WriteScene, values: Any, declared: Literal["linear", "db", "amplitude"]
) -> None:
    path = write_scene(tmp_path / NAME, {"VV": values})
    with pytest.raises(SceneError, match="make every change wrong") as caught:
        only(path, scale=declared)
    assert "--scale" in caught.value.expected
    assert NAME in caught.value.given


@pytest.mark.parametrize(("values", "name", "tags"), [
    (POWER, "S1A_20180905T084250_ASC_R068_dB.tif", {}),
    (POWER, NAME, {"units": "dB"}),
    (DECIBEL, NAME, {"units": "linear"}),
])  # fmt: skip
def test_values_that_contradict_the_file_itself_are_refused(
    tmp_path: Path, write_scene: WriteScene, values: Any, name: str, tags: dict[str, str]
) -> None:
    path = write_scene(tmp_path / name, {"VV": values}, tags=tags)
    with pytest.raises(SceneError, match="make every change wrong"):
        only(path)


def test_a_declared_scale_wins_over_the_files_own(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / NAME, {"VV": POWER}, tags={"units": "dB"})
    file = only(path, scale="linear")
    assert (file.scale, file.scale_source) == (BackscatterScale.POWER, "declared (--scale)")


def test_real_power_declared_as_decibels_is_refused(real_data: Path) -> None:
    path = sorted((real_data / "opera_rtc_s1" / "T137").glob("*_VV.tif"))[0]
    with pytest.raises(SceneError, match="values in dB, from declared"):
        only(path, scale="db")


def test_uncalibrated_numbers_are_refused_unless_declared_amplitude(
    tmp_path: Path, write_scene: WriteScene
) -> None:
    path = write_scene(tmp_path / NAME, {"VV": POWER * 3000})
    with pytest.raises(SceneError, match="calibrated backscatter") as caught:
        only(path)
    numbers = f"values from {float(POWER.min()) * 3000:.4g} to {float(POWER.max()) * 3000:.4g}"
    assert numbers in caught.value.given
    assert only(path, scale="amplitude").scale is BackscatterScale.AMPLITUDE


def test_an_empty_scene_is_said_to_be_assumed(tmp_path: Path, write_scene: WriteScene) -> None:
    file = only(write_scene(tmp_path / NAME, {"VV": np.zeros((5, 5), np.float32)}))
    assert file.scale_source == "assumed: no valid value in the sample"


@pytest.mark.parametrize("values", [POWER, DECIBEL])
@pytest.mark.parametrize("nodata", [None, np.nan, -9999.0])
def test_zero_filled_edges_become_nan(
    tmp_path: Path, write_scene: WriteScene, values: Any, nodata: float | None
) -> None:
    filled = values.copy()
    filled[:, :7] = 0
    filled[-3:] = 0
    file = only(write_scene(tmp_path / NAME, {"VV": filled}, nodata=nodata))
    power = read_on_grid(file.path, 1, file.geobox, file.nodata, file.scale, file.geobox)
    assert np.isnan(power[:, :7]).all() and np.isnan(power[-3:]).all()
    np.testing.assert_allclose(power[:-3, 7:], POWER[:-3, 7:], rtol=1e-5)


# Pass direction and relative orbit


def test_tags_give_the_direction_before_name_and_time(tmp_path: Path, write_scene: WriteScene) -> None:
    tags = {"ORBIT_PASS_DIRECTION": "descending", "TRACK_NUMBER": "46"}
    file = only(write_scene(tmp_path / NAME, {"VV": POWER}, tags=tags), orbit_state="ascending")
    assert (file.orbit_state, file.orbit_state_source) == (DESCENDING, "tag ORBIT_PASS_DIRECTION")
    assert (file.relative_orbit, file.relative_orbit_source) == (46, "tag TRACK_NUMBER")


@pytest.mark.parametrize(("hour", "state"), [(8, ASCENDING), (20, DESCENDING)])
def test_local_solar_time_gives_the_direction(
    tmp_path: Path, write_scene: WriteScene, hour: int, state: OrbitState
) -> None:
    path = write_scene(tmp_path / f"S1A_20180905T{hour:02d}4250_VV.tif", {"VV": POWER})
    file = only(path)
    assert (file.orbit_state, file.orbit_state_source) == (state, "local solar time")


def test_solar_time_is_that_of_the_place_across_the_antimeridian(
    tmp_path: Path, write_scene: WriteScene
) -> None:
    values = np.tile(POWER, (3, 3))[:100, :100]
    path = write_scene(
        tmp_path / "S1A_20201217T063000_VV.tif", {"VV": values},
        left=750000.0, top=8150000.0, spacing=1000.0, crs="EPSG:32760",
    )  # fmt: skip
    assert only(path).orbit_state is ASCENDING  # 6:30 UTC at 180° is 18:30


def test_a_declared_direction_serves_where_nothing_else_does(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(tmp_path / "S1A_20180905_VV.tif", {"VV": POWER})
    file = only(path, orbit_state="descending", relative_orbit=46)
    assert (file.orbit_state, file.orbit_state_source) == (DESCENDING, "declared (--orbit-state)")
    assert (file.relative_orbit, file.relative_orbit_source) == (46, "declared")


@pytest.mark.parametrize("name", ["S1A_20180905_VV.tif", "S1A_20180905T030000_VV.tif"])
def test_a_direction_is_never_guessed(tmp_path: Path, write_scene: WriteScene, name: str) -> None:
    path = write_scene(tmp_path / name, {"VV": POWER})
    with pytest.raises(SceneError, match="must not mix") as caught:
        only(path)
    assert name in caught.value.given and "2018-09-05" in caught.value.given
    assert ("at 03:00 UTC" in caught.value.given) == ("T03" in name)
    assert "--orbit-state" in caught.value.fix


def test_near_the_poles_time_does_not_give_the_direction(tmp_path: Path, write_scene: WriteScene) -> None:
    path = write_scene(
        tmp_path / "S1A_20180905T172500_VV.tif", {"VV": POWER}, left=5e5, top=8.7e6, crs="EPSG:32633"
    )
    with pytest.raises(SceneError, match="--orbit-state"):
        only(path)


def test_an_unknown_relative_orbit_is_said_to_be(tmp_path: Path, write_scene: WriteScene) -> None:
    file = only(write_scene(tmp_path / "20180905_ASC_VV.tif", {"VV": POWER}))
    assert (file.relative_orbit, file.relative_orbit_source) == (None, "not known")
    assert file.orbit_label == "ascending"
