"""`headscarp map` with a checkpoint: what stands in the run folder, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio

import headscarp as hs
from headscarp.checkpoint import read_checkpoint
from headscarp.cli import main
from headscarp.features.sets import FEATURE_SETS, FeatureSet
from headscarp.grid import tiles
from headscarp.pipeline.map import narrate
from headscarp.pipeline.map import tiles as walk
from headscarp.predict import network as predict
from headscarp.predict.network import NetworkDetector
from headscarp.record import RunRecord
from tests.pipeline.conftest import EVENT_DATE, SIZE_PX, SmallEvent, read_band, scene_path
from tests.predict.conftest import one_thread  # noqa: F401
from tests.predict.made import make_checkpoint, padded

LAND = FeatureSet(name="land", channels=("change_vv_fused_db", "slope_deg", "raster:geology=3"))
LIKE = {"mean": (0.0, 0.0), "std": (1.0, 1.0)}


def run(event: SmallEvent, out: Path, checkpoint: Path | str, **more: Any) -> RunRecord:
    wanted = {"scenes": [event.scenes], "event.date": EVENT_DATE, "detect.detector": checkpoint}
    return hs.run_map(hs.load_options(None, wanted | more), out)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path, task=LIKE)


def test_the_map_is_the_network_on_the_change_of_the_scenes(
    small_event: SmallEvent, checkpoint: Path, tmp_path: Path
) -> None:
    run(small_event, tmp_path / "run", checkpoint)
    event = hs.Event.from_options(hs.EventOptions(date=EVENT_DATE))
    files = hs.read_scene_files([small_event.scenes]).files
    geobox = hs.choose_grid(files, hs.AreaOptions()).geobox
    stacks = hs.open_stacks(hs.group_scenes(hs.drop_repeats(files)[0]), geobox)
    splits = {label: hs.split_dates(stack, event) for label, stack in stacks.items()}
    detector = NetworkDetector(read_checkpoint(checkpoint))
    change = hs.change_of_stacks(stacks, splits, detector.needs).drop_vars(["y", "x"])
    px, fitted = detector.halo_px, detector.fit(change)
    score = fitted.score(padded(change, px))
    inner = (slice(px, -px), slice(px, -px))
    np.testing.assert_allclose(read_band(tmp_path / "run" / "score.tif"), score.values[inner], atol=1e-4)
    probability = fitted.probability(score).values[inner]
    np.testing.assert_allclose(read_band(tmp_path / "run" / "probability.tif"), probability, atol=1e-5)
    assert np.ptp(probability) > 0.3


def test_the_record_tells_the_network_and_what_the_map_lacks(
    small_event: SmallEvent, checkpoint: Path, tmp_path: Path
) -> None:
    record = run(small_event, tmp_path / "run", checkpoint)
    detector, stored = record.detector, read_checkpoint(checkpoint)
    assert detector.name == f"unet group1 {stored.sha256[:12]}"
    assert detector.fitted["checkpoint_sha256"] == stored.sha256
    assert (detector.threshold, detector.threshold_source) == (
        0.4,
        "best F1 on the validation chips of the checkpoint",
    )
    assert detector.null_density == []
    assert sum(detector.score.counts) == SIZE_PX**2
    assert sum(record.histograms["VH"].counts) == SIZE_PX**2
    assert record.passes == []
    assert any("pass by pass was not worked out" in note for note in record.notes)
    assert any(f"trained network, {detector.name}" in note for note in record.notes)
    assert {f.threshold for f in record.pseudo_event.false_alarms} >= {0.4, 0.5}
    assert record.polarizations == ["VV", "VH"]
    assert (tmp_path / "run" / "report.html").is_file()


def test_no_orbit_is_scored_alone_and_none_is_said_to_agree(
    small_event: SmallEvent, checkpoint: Path, tmp_path: Path
) -> None:
    record = run(small_event, tmp_path / "run", checkpoint, **{"polygons.min_area_m2": 0.0})
    with rasterio.open(tmp_path / "run" / "score.tif") as source:
        assert source.descriptions == ("score",)
    drawn = gpd.read_file(tmp_path / "run" / "landslides.gpkg")
    assert len(drawn) == record.results.landslides > 0
    assert "orbits_agreeing" not in drawn.columns
    again = hs.redraw_polygons(tmp_path / "run", threshold=0.6)
    assert again.detector.threshold == 0.6
    assert "orbits_agreeing" not in gpd.read_file(tmp_path / "run" / "landslides.gpkg").columns


def test_dates_beyond_those_of_the_training_are_noted(small_event: SmallEvent, tmp_path: Path) -> None:
    few = make_checkpoint(tmp_path, task=LIKE | {"pre_dates": (2, 4), "pooling": "orbit_state"})
    record = run(small_event, tmp_path / "run", few)
    assert any("2 to 4 dates before the event; here orbits have 8" in note for note in record.notes)
    assert any("trained on medians pooled by orbit_state" in note for note in record.notes)
    assert not any("dates after the event; here" in note for note in record.notes)


def test_a_given_threshold_wins(small_event: SmallEvent, checkpoint: Path, tmp_path: Path) -> None:
    record = run(small_event, tmp_path / "run", checkpoint, **{"polygons.threshold": 0.7})
    assert record.detector.threshold == 0.7
    assert record.detector.threshold_source.startswith("given, not the best F1 on the validation chips")


@pytest.mark.parametrize(
    "network",
    [
        "unet",
        pytest.param("siamese_unet", marks=pytest.mark.slow),
        pytest.param("utae", marks=pytest.mark.slow),
    ],
)
def test_a_map_in_tiles_and_blocks_is_the_map_in_one_piece(
    network: str, small_event: SmallEvent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = FEATURE_SETS[{"unet": "orbits", "siamese_unet": "pair", "utae": "series_ascending"}[network]]
    stored = make_checkpoint(tmp_path, network, features)
    run(small_event, tmp_path / "whole", stored)
    for module in (walk, narrate):
        monkeypatch.setattr(module, "tiles", lambda geobox: tiles(geobox, SIZE_PX // 4))
    monkeypatch.setattr(predict, "BLOCKS_PX", (SIZE_PX // 2,))
    run(small_event, tmp_path / "tiled", stored)
    for name in ("score.tif", "probability.tif"):
        found, expected = (read_band(tmp_path / folder / name) for folder in ("tiled", "whole"))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert np.isfinite(read_band(tmp_path / "whole" / "score.tif")).all()


def test_the_land_and_a_raster_by_its_name_are_given(
    small_event: SmallEvent, tmp_path: Path, write_scene: Callable[..., Path]
) -> None:
    codes = np.full((SIZE_PX, SIZE_PX), 3, np.uint8)
    geology = write_scene(tmp_path / "geology.tif", {"code": codes}, nodata=0)
    other = write_scene(tmp_path / "other.tif", {"code": codes + 1}, nodata=0)
    task = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    stored = make_checkpoint(tmp_path, "unet", LAND, task=task)
    scores = []
    for name, path in (("a", geology), ("b", other)):
        run(
            small_event,
            tmp_path / name,
            stored,
            **{"terrain.dem": small_event.dem, "rasters": {"geology": path}},
        )
        scores.append(read_band(tmp_path / name / "score.tif"))
    assert np.abs(scores[0] - scores[1]).max() > 0.1


def refused(
    arguments: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setattr(sys, "argv", ["headscarp", "map", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert all(f"{part}:" in told for part in ("expected", "given", "why", "do"))
    return " ".join(told.split())


def case_of(name: str, event: SmallEvent, folder: Path) -> tuple[Path, list[str]]:
    """A checkpoint and arguments that do not go together."""
    if name == "land":
        return make_checkpoint(folder, "unet", LAND, task={"mean": (0.0,) * 3, "std": (1.0,) * 3}), []
    if name == "spacing":
        return make_checkpoint(folder, task=LIKE | {"spacing_m": 10.0}), []
    if name == "orbit":
        for step in range(-8, 3):
            scene_path(event.scenes, "DSC", step).unlink()
        return make_checkpoint(folder, "unet", FEATURE_SETS["group3"]), []
    stored = make_checkpoint(folder, task=LIKE)
    if name == "truncated":
        stored.write_bytes(stored.read_bytes()[:-5000])
    if name == "gone":
        stored.unlink()
    flags = {
        "direction": ["--direction", "gain"],
        "windows": ["--windows-px", "1,3"],
        "validation": ["--validation", "somewhere"],
        "raster": ["--raster", "geology"],
    }
    return stored, flags.get(name, [])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("land", "slope_deg (no DEM); raster:geology=3 (no raster geology)"),
        ("land", "give --dem FILE and --raster geology=FILE"),
        ("spacing", "about 10 m a pixel"),
        ("orbit", "change_vv_descending_db (no VV of descending orbit)"),
        ("truncated", "cut off"),
        ("gone", "a checkpoint that headscarp train wrote"),
        ("direction", "detect.direction: gain"),
        ("windows", "detect.windows_px: (1, 3)"),
        ("validation", "detect.validation: somewhere"),
        ("raster", "--raster NAME=PATH"),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_work(
    name: str,
    said: str,
    small_event: SmallEvent,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stored, flags = case_of(name, small_event, tmp_path)
    stood = sorted(tmp_path.iterdir())
    arguments = [small_event.scenes, "--event-date", EVENT_DATE, "--detector", stored, *flags]
    told = refused([*arguments, "--out", tmp_path / "run"], monkeypatch, capsys)
    assert said in told
    assert sorted(tmp_path.iterdir()) == stood


def test_an_unknown_detector_names_what_there_is() -> None:
    with pytest.raises(
        hs.HeadscarpError, match=r"t-test, mahalanobis, cusum or a checkpoint, \*.safetensors"
    ):
        hs.load_options(None, {"detect.detector": "magic"})


def test_a_detector_in_an_event_yaml_is_a_name_or_a_file_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "event.yaml").write_text("detect: {detector: t-test}\n")
    assert hs.load_options(None, {"scenes": [tmp_path]}).detect.detector == "t-test"
    (tmp_path / "event.yaml").write_text("detect: {detector: net.safetensors}\n")
    assert hs.load_options(None, {"scenes": [tmp_path]}).detect.detector == tmp_path / "net.safetensors"


def test_a_checkpoint_is_no_detector_by_name(checkpoint: Path) -> None:
    with pytest.raises(hs.HeadscarpError, match="its network is built"):
        hs.make_detector(hs.DetectOptions(detector=checkpoint))
