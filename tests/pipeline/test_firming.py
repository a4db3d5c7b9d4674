"""How a map firms up: the plan of its steps, the rows of the table, and maps as of a date."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import Polygon

import headscarp as hs
from headscarp.cli import main
from headscarp.features.change import Split
from headscarp.grid import tiles
from headscarp.pipeline.map import narrate
from headscarp.pipeline.map import tiles as walk
from headscarp.pipeline.map.firming import _row
from headscarp.pipeline.map.plan import MOST_STEPS, Step, plan_steps
from headscarp.record import RunRecord
from headscarp.report import write_report
from headscarp.run_folder import read_record
from headscarp.scene import Scene
from tests.pipeline.conftest import EVENT_DATE, SIZE_PX, SmallEvent, acquired, read_band, scene_path

START = datetime(2024, 6, 18, 8, tzinfo=UTC)


def passes(*days: float) -> list[Scene]:
    """Scenes of an orbit, by day."""
    return [cast(Scene, SimpleNamespace(acquired=START + timedelta(days=day))) for day in days]


# the steps


def test_one_pass_needs_no_steps() -> None:
    assert plan_steps({"a": passes(-12, 0)}, {"a": Split((0,), (1,))}) == ()


def test_two_orbits_of_three_passes_by_hand() -> None:
    """Six passes, interleaved: five steps, the second orbit left out until it has a pass."""
    scenes = {"a": passes(-12, 0, 12, 24), "b": passes(-6, 0.5, 12.5, 24.5)}
    steps = plan_steps(scenes, {"a": Split((0,), (1, 2, 3)), "b": Split((0,), (1, 2, 3))})
    assert [step.passes for step in steps] == [1, 2, 3, 4, 5]
    assert [step.label for step in steps] == ["a", "b", "a", "b", "a"]
    assert [step.until for step in steps] == [START + timedelta(days=d) for d in (0, 0.5, 12, 12.5, 24)]
    assert [step.splits for step in steps] == [
        {"a": Split((0,), (1,))},
        {"a": Split((0,), (1,)), "b": Split((0,), (1,))},
        {"a": Split((0,), (1, 2)), "b": Split((0,), (1,))},
        {"a": Split((0,), (1, 2)), "b": Split((0,), (1, 2))},
        {"a": Split((0,), (1, 2, 3)), "b": Split((0,), (1, 2))},
    ]


@pytest.mark.parametrize("count", [2, 5, 6, 7, 11, 40])
def test_steps_begin_with_the_first_pass_and_stop_before_the_last(count: int) -> None:
    steps = plan_steps({"a": passes(-1, *range(count))}, {"a": Split((0,), tuple(range(1, count + 1)))})
    numbers = [step.passes for step in steps]
    assert len(numbers) == min(count - 1, MOST_STEPS)
    assert numbers[0] == 1
    assert numbers[-1] < count
    assert numbers == sorted(set(numbers))
    if count > MOST_STEPS + 1:
        assert np.ptp(np.diff([*numbers, count])) <= 1
    for step in steps:
        assert step.splits["a"] == Split((0,), tuple(range(1, step.passes + 1)))


# the rows


def step() -> Step:
    return Step(START, "ascending 68", 2, {})


def test_a_row_by_hand() -> None:
    nan = np.nan
    early = np.array([1, 1, 1, 0, 0, nan, nan], np.float32)
    final = np.array([1, 1, 0, 1, 0, 1, 0], np.float32)
    row = _row(step(), early, final)
    assert (row.orbit, row.passes, row.until_utc) == ("ascending 68", 2, START)
    assert row.observed_share == pytest.approx(5 / 7)
    assert row.flagged_share == pytest.approx(3 / 5)
    assert row.found_share == pytest.approx(2 / 4)
    assert row.kept_share == pytest.approx(2 / 3)


def test_shares_of_nothing_are_none() -> None:
    row = _row(step(), np.zeros(4, np.float32), np.zeros(4, np.float32))
    assert (row.found_share, row.kept_share, row.flagged_share) == (None, None, 0)
    unseen = _row(step(), np.full(4, np.nan, np.float32), np.ones(4, np.float32))
    assert (unseen.observed_share, unseen.found_share, unseen.kept_share) == (0, 0, None)


# whole runs


def run(scenes: Path, out: Path, **more: Any) -> RunRecord:
    return hs.run_map(hs.load_options(None, {"scenes": [scenes], "event.date": EVENT_DATE, **more}), out)


def keep(event: SmallEvent, folder: Path, last: datetime) -> Path:
    """Folder with only the scenes until a moment."""
    folder.mkdir()
    for orbit in ("ASC", "DSC"):
        for number in range(-8, 3):
            if acquired(orbit, number) <= last:
                shutil.copy(scene_path(event.scenes, orbit, number), folder)
    return folder


def test_a_map_as_of_a_day_is_the_map_of_the_scenes_there_by_then(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    """30 June: both orbits passed on 18 June, and both on 30 June; the third passes are on 12 July."""
    fewer = keep(small_event, tmp_path / "fewer", acquired("DSC", 1))
    as_of = run(small_event.scenes, tmp_path / "as_of", **{"event.as_of": "2024-06-30"})
    then = run(fewer, tmp_path / "then")
    for name in ("probability.tif", "score.tif"):
        found, expected = (read_band(tmp_path / out / name) for out in ("as_of", "then"))
        np.testing.assert_array_equal(found, expected)
    assert [len(orbit.post_utc) for orbit in as_of.orbits] == [2, 2]
    assert as_of.detector.fitted == then.detector.fitted
    late = [entry for entry in as_of.inputs if entry.acquired_utc > acquired("DSC", 1)]
    assert len(late) == 2
    assert {entry.reason for entry in late} == {"not there yet by 2024-06-30 23:59, which --as-of states"}
    assert {entry.role for entry in late} == {"rejected"}
    assert as_of.options["event"]["as_of"] == "2024-06-30"
    assert [row.passes for row in as_of.passes] == [1, 2, 3, 4]
    assert "itself as of 2024-06-30" in " ".join((tmp_path / "as_of" / "report.html").read_text().split())


def test_a_moment_between_the_passes_of_a_day_takes_the_first(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    record = run(small_event.scenes, tmp_path / "run", **{"event.as_of": "2024-06-18T12:00Z"})
    assert [orbit.label for orbit in record.orbits] == ["ascending 68"]
    assert [len(orbit.post_utc) for orbit in record.orbits] == [1]
    assert record.passes == []
    assert "How the map firmed up" not in (tmp_path / "run" / "report.html").read_text()


def test_rows_rise_to_the_map_itself_and_the_report_shows_them(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    record = run(small_event.scenes, tmp_path / "run", **{"terrain.dem": small_event.dem})
    rows = record.passes
    assert [row.passes for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.orbit for row in rows] == ["ascending 68", "descending 46"] * 3
    assert [row.until_utc for row in rows] == [acquired(o, k) for k in range(3) for o in ("ASC", "DSC")]
    last = rows[-1]
    assert (last.observed_share, last.found_share, last.kept_share) == (1, 1, 1)
    assert 0 < rows[0].found_share < 1  # type: ignore[operator]
    assert rows[-2].found_share > 0.7  # type: ignore[operator]
    probability = read_band(tmp_path / "run" / "probability.tif")
    open_ground = read_band(tmp_path / "run" / "terrain.tif", 3) == 0
    # the map is small: all of its open ground is in the sample
    flagged = (probability[open_ground] >= record.detector.threshold).mean()
    assert last.flagged_share == pytest.approx(flagged, rel=1e-6)
    page = (tmp_path / "run" / "report.html").read_text()
    table = page[page.index("How the map firmed up") : page.index("Scenes used")]
    assert table.count("<tr><td>") == 5
    assert table.count('<tr class="own"><td>') == 1
    assert "2024-06-18 08:30" in table


def test_a_run_from_before_passes_were_recorded_still_has_its_page(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    for number in (1, 2):
        for orbit in ("ASC", "DSC"):
            scene_path(small_event.scenes, orbit, number).unlink()
    record = run(small_event.scenes, tmp_path / "run")
    old = record.model_dump(mode="json")
    del old["passes"]
    again = RunRecord.model_validate(old)
    assert again.passes == []
    (tmp_path / "run" / "run.json").write_text(again.model_dump_json(exclude={"passes"}), encoding="utf-8")
    assert "How the map firmed up" not in write_report(tmp_path / "run").read_text()


def test_as_of_before_the_event_is_refused_at_the_command_line(
    small_event: SmallEvent,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["map", small_event.scenes, "--event-date", EVENT_DATE, "--out", tmp_path / "run"]
    monkeypatch.setattr(sys, "argv", ["headscarp", *map(str, arguments), "--as-of", "2024-06-15"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "--as-of a day in the post-event window" in told
    assert "2024-06-15" in told
    assert "no scene after the event was there by then" in told
    assert "give a later --as-of" in told
    assert not (tmp_path / "run").exists()


def test_as_of_before_the_first_pass_says_that_none_was_there(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    with pytest.raises(hs.HeadscarpError, match="at least one scene after the event"):
        run(small_event.scenes, tmp_path / "run", **{"event.as_of": "2024-06-17"})


# tiles


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of one patch, so that the small map has four."""
    for module in (walk, narrate):
        monkeypatch.setattr(module, "tiles", lambda geobox: tiles(geobox, SIZE_PX // 2))


@pytest.fixture
def in_one_piece(small_event: SmallEvent, tmp_path: Path) -> Path:
    run(small_event.scenes, tmp_path / "whole", **{"terrain.dem": small_event.dem})
    return tmp_path / "whole"


def test_a_map_in_tiles_is_the_map_in_one_piece(
    in_one_piece: Path, small_event: SmallEvent, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("small_tiles")
    record = run(small_event.scenes, tmp_path / "tiled", **{"terrain.dem": small_event.dem})
    for name in ("probability.tif", "score.tif"):
        found, expected = (read_band(folder / name) for folder in (tmp_path / "tiled", in_one_piece))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    whole = read_record(in_one_piece)
    assert record.passes == whole.passes
    assert record.detector.score.counts == whole.detector.score.counts


def test_outside_the_area_of_interest_nothing_is_scored_or_learned(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    """An area cut across the map, with scenes around it: no moment of what lies beyond counts."""
    corners = [(580000.0, 4730000.0), (582560.0, 4730000.0), (580000.0, 4727440.0)]
    gpd.GeoSeries([Polygon(corners)], crs="EPSG:32654").to_file(tmp_path / "aoi.gpkg")
    run(small_event.scenes, tmp_path / "run", **{"area.aoi": tmp_path / "aoi.gpkg"})
    score = read_band(tmp_path / "run" / "score.tif")
    rows, cols = np.indices(score.shape)
    inside = rows + cols < SIZE_PX - 2
    outside = rows + cols > SIZE_PX
    assert score.shape == (SIZE_PX, SIZE_PX)
    assert np.isfinite(score[inside]).all()
    assert np.isnan(score[outside]).all()
    assert np.isnan(read_band(tmp_path / "run" / "probability.tif")[outside]).all()
