"""``run_sensitivity`` end to end: recall rises, rounds are taken up again, bad input leaves nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from shapely.geometry import box

import headscarp as hs
from headscarp.config import SensitivityOptions, load_stack_options
from headscarp.errors import EventError, GridError, OutputError
from headscarp.pipeline.sensitivity import maps, run_sensitivity
from headscarp.pipeline.sensitivity import run as run_module
from headscarp.pipeline.sensitivity.maps import Untouched, count_round, draw_objects, find_thresholds
from headscarp.polygons import PolygonOptions
from headscarp.sensitivity.options import ProbeOptions
from headscarp.sensitivity.plan import Round
from headscarp.sensitivity.record import RateRecord, SensitivityRecord
from tests.pipeline.conftest import EVENT_DATE, backscatter, scene_path


def write_stack(scenes: Path) -> Path:
    """Six dates before and two after, of one orbit, without a landslide."""
    scenes.mkdir(parents=True)
    for step in range(-6, 2):
        rng = np.random.default_rng([5, step + 100])
        with rasterio.open(
            scene_path(scenes, "ASC", step), "w", driver="GTiff", height=128, width=128, count=2,
            dtype="float32", crs="EPSG:32654", nodata=np.nan,
            transform=rasterio.Affine(20, 0, 580_000, 0, -20, 4_730_000),
        ) as raster:  # fmt: skip
            raster.write(np.stack([backscatter(rng, 0.12), backscatter(rng, 0.03)]))
            raster.descriptions = ("VV", "VH")
    return scenes


def options(scenes: Path, **more: object) -> SensitivityOptions:
    values: dict[str, object] = {
        "scenes": [scenes],
        "event.date": EVENT_DATE,
        "sensitivity.sizes_ha": "0.2,3",
        "sensitivity.changes_db": "0.2,8",
        "sensitivity.rates": "20,60",
        "sensitivity.rounds": 2,
        "sensitivity.each": 3,
        "sensitivity.gap_m": 100.0,
        "detect.detector": "log-ratio",
    }
    return load_stack_options(
        SensitivityOptions, None, values | {k.replace("__", "."): v for k, v in more.items()}
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stack(tmp_path_factory.mktemp("stack") / "scenes")


@pytest.fixture(scope="module")
def whole(stack: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SensitivityRecord]:
    out = tmp_path_factory.mktemp("whole") / "out"
    return out, run_sensitivity(options(stack), out)


def recall(record: SensitivityRecord, rate: float, size: float, change: float) -> float:
    [cell] = [c for c in record.cells if (c.rate_per_100km2, c.size_ha, c.change_db) == (rate, size, change)]
    assert cell.recall is not None
    return cell.recall


def test_recall_rises_with_size_and_change_and_false_alarms(whole: tuple[Path, SensitivityRecord]) -> None:
    _, record = whole
    assert recall(record, 60.0, 3.0, 8.0) == 1.0
    assert recall(record, 60.0, 3.0, 8.0) > recall(record, 60.0, 3.0, 0.2)
    assert recall(record, 20.0, 3.0, 8.0) > recall(record, 20.0, 0.2, 0.2)
    by_rate = [sum(c.found for c in record.cells if c.rate_per_100km2 == rate) for rate in (20.0, 60.0)]
    assert by_rate[0] <= by_rate[1]
    assert [rate.threshold for rate in record.rates] == sorted(
        (r.threshold for r in record.rates), reverse=True
    )
    usual = [c for c in record.cells if (c.rate_per_100km2, c.change_db) == (60.0, 0.2)]
    assert f"{usual[1].found} of {usual[1].planted}" in record.sentences[1]


def test_the_folder_says_what_was_found(whole: tuple[Path, SensitivityRecord]) -> None:
    out, record = whole
    names = {path.name for path in out.iterdir()}
    assert names == {
        "sensitivity.json",
        "sensitivity.csv",
        "sensitivity.png",
        "started.json",
        "untouched",
        "rounds",
    }
    stored = SensitivityRecord.model_validate_json((out / "sensitivity.json").read_text())
    assert stored == record
    rows = list(csv.DictReader((out / "sensitivity.csv").read_text().splitlines()))
    assert [(float(r["recall"]), int(r["planted"])) for r in rows] == [
        (c.recall, c.planted) for c in record.cells
    ]
    rounds = [json.loads(path.read_text()) for path in sorted((out / "rounds").iterdir())]
    assert len(rounds) == 2
    planted = np.sum([r["planted"] for r in rounds], axis=0)
    assert planted.tolist() == [[c.planted for c in record.cells[i : i + 2]] for i in (0, 2)]
    assert planted.sum() + record.without_room == 2 * 12
    assert (out / "untouched" / "run.json").is_file()
    assert record.observed_km2 == pytest.approx(128 * 128 * 400 / 1e6)


def test_false_alarms_keep_to_the_rate_and_hardly_lower_would_not(
    whole: tuple[Path, SensitivityRecord],
) -> None:
    out, record = whole
    for rate in record.rates:
        assert rate.threshold is not None
        objects = draw_objects(out / "untouched", rate.threshold, PolygonOptions())
        assert len(objects) == rate.objects <= rate.rate_per_100km2 * record.observed_km2 / 100.0
        assert rate.per_100km2 == pytest.approx(rate.objects / record.observed_km2 * 100.0, abs=1e-4)
        odds = rate.threshold / (1 - rate.threshold) * np.exp(-0.02)
        lower = draw_objects(out / "untouched", odds / (1 + odds), PolygonOptions())
        assert len(lower) > rate.rate_per_100km2 * record.observed_km2 / 100.0


def test_an_interrupted_call_ends_as_if_it_had_not_been(
    whole: tuple[Path, SensitivityRecord], stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    real_round = run_module._round

    def interrupted(setting: object, number: int, out: Path) -> object:
        done.append(number)
        if done == [0, 1]:
            (out / ".round.stale").mkdir()
            raise KeyboardInterrupt
        return real_round(setting, number, out)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module, "_round", interrupted)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_sensitivity(options(stack), out)
    assert [path.name for path in (out / "rounds").iterdir()] == ["0000.json"]
    assert not (out / "sensitivity.json").exists()
    mapped: list[str] = []
    monkeypatch.setattr(maps, "run_map", lambda *_, **__: mapped.append("again"))
    record = run_sensitivity(options(stack), out)
    assert (done, mapped) == ([0, 1, 1], [])
    assert record == whole[1]
    for name in ("sensitivity.json", "sensitivity.csv", "rounds/0001.json"):
        assert (out / name).read_bytes() == (whole[0] / name).read_bytes()
    assert not list(out.glob(".round*"))


def test_the_same_call_again_does_no_round(
    whole: tuple[Path, SensitivityRecord], stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "_round", lambda *_: pytest.fail("a round was done again"))
    told: list[tuple[str, int, int]] = []
    again = run_sensitivity(options(stack), whole[0], progress=lambda *what: told.append(what))
    assert again == whole[1]
    assert ("rounds", 2, 2) in told
    fewer = run_sensitivity(options(stack, sensitivity__rounds=1), whole[0])
    assert (fewer.rounds, sum(c.planted for c in fewer.cells)) == (1, 12 * 2)
    run_sensitivity(options(stack), whole[0])


def test_other_options_are_refused_in_the_same_folder(
    whole: tuple[Path, SensitivityRecord], stack: Path
) -> None:
    for other in ({"sensitivity__seed": 8}, {"polygons__min_area_m2": 500.0}):
        with pytest.raises(OutputError, match="one of others"):
            run_sensitivity(options(stack, **other), whole[0])
    assert (whole[0] / "sensitivity.json").is_file()


def test_overwrite_begins_anew_but_never_over_something_else(stack: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "letters.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"without started\.json"):
        run_sensitivity(options(stack), out, overwrite=True)
    assert (out / "letters.txt").read_text() == "mine"
    (out / "letters.txt").unlink()
    (out / "started.json").write_text("{}")
    short = {"sensitivity__rounds": 1, "sensitivity__sizes_ha": "1", "sensitivity__changes_db": "3"}
    record = run_sensitivity(options(stack, **short), out, overwrite=True)
    assert record.rounds == 1


def test_bad_input_leaves_nothing_behind(stack: Path, tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, object], type[Exception], str]] = [
        ({"sensitivity__sizes_ha": "0.2,300"}, GridError, "one landslide of 300 ha"),
        ({"event__post": ("2024-06-15", "2024-06-16")}, EventError, "after the event"),
        ({"sensitivity__shapes": tmp_path / "nowhere.gpkg"}, GridError, "nowhere.gpkg"),
    ]
    for more, error, said in wrong:
        with pytest.raises(error, match=said):
            run_sensitivity(options(stack, **more), tmp_path / "out")
        assert not list(tmp_path.iterdir())


def test_a_rate_that_no_threshold_keeps_is_told(whole: tuple[Path, SensitivityRecord]) -> None:
    untouched = Untouched(whole[0] / "untouched", 1e-9, PolygonOptions())
    quiet, loud = find_thresholds(untouched, (10.0, 1e15))
    assert loud.threshold == pytest.approx(0.05)
    highest = len(draw_objects(untouched.folder, 0.999999, PolygonOptions()))
    assert (quiet.threshold is None) == (highest > 0)


def write_run(folder: Path, probability: np.ndarray) -> Path:
    folder.mkdir()
    with rasterio.open(
        folder / "probability.tif", "w", driver="GTiff", height=100, width=100, count=1, dtype="float32",
        crs="EPSG:32654", nodata=np.nan, transform=rasterio.Affine(20, 0, 580_000, 0, -20, 4_730_000),
    ) as raster:  # fmt: skip
        raster.write(probability.astype(np.float32), 1)
        raster.descriptions = ("probability",)
    return folder


def test_found_is_a_tenth_under_objects_that_are_large_enough(tmp_path: Path) -> None:
    probability = np.zeros((100, 100))
    probability[10:20, 10:11] = 0.9  # a tenth of the first: 10 of 100 pixels
    probability[10:19, 30:31] = 0.9  # less than a tenth of the second
    probability[50:52, 50:51] = 0.9  # half of the third, but two pixels are no object
    probability[70:80, 70:80] = 0.6  # all of the fourth, at a lower probability
    run = write_run(tmp_path / "run", probability)

    def square(row: int, col: int, size: int) -> shapely.Geometry:
        left, top = 580_000 + 20 * col, 4_730_000 - 20 * row
        return box(left, top - 20 * size, left + 20 * size, top)

    outlines = [square(10, 10, 10), square(10, 30, 10), square(50, 50, 2), square(70, 70, 10)]
    frame = gpd.GeoDataFrame(
        {"size": [0, 0, 1, 1], "change": [0, 1, 0, 1]}, geometry=outlines, crs="EPSG:32654"
    )
    rates = [
        RateRecord(rate_per_100km2=rate, threshold=threshold, objects=0, per_100km2=0.0)
        for rate, threshold in ((1, 0.8), (2, 0.5), (3, None))
    ]
    probe = ProbeOptions(sizes_ha=(0.16, 4.0), changes_db=(1.0, 3.0))
    counts = count_round(
        Round(frame, [[0, 0], [0, 2]]), run, rates, probe, PolygonOptions(min_area_m2=1000.0)
    )
    assert counts.planted == [[1, 1], [1, 1]]
    assert counts.without_room == [[0, 0], [0, 2]]
    assert counts.found == [[[1, 0], [0, 0]], [[1, 0], [0, 1]], [[0, 0], [0, 0]]]
    tiny = count_round(Round(frame, [[0, 0], [0, 0]]), run, rates, probe, PolygonOptions(min_area_m2=0.0))
    assert tiny.found[0] == [[1, 0], [1, 0]]
    empty = count_round(Round(frame.iloc[:0], [[1, 1], [1, 1]]), run, rates, probe, PolygonOptions())
    assert (np.sum(empty.planted), np.sum(empty.found)) == (0, 0)


def test_options_come_from_an_event_folder(stack: Path, tmp_path: Path) -> None:
    folder = tmp_path / "event"
    folder.mkdir()
    (folder / "event.yaml").write_text(
        f"scenes: [{stack}]\nevent: {{date: {EVENT_DATE}}}\npolygons: {{threshold: 0.7}}\n"
    )
    read = load_stack_options(SensitivityOptions, None, {"scenes": [folder], "sensitivity.rounds": 4})
    assert (read.event.date, read.sensitivity.rounds, read.polygons.threshold) == (EVENT_DATE, 4, 0.7)
    assert read.map_options() == hs.load_options(None, {"scenes": [folder]})
