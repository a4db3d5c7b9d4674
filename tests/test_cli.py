"""The command line: options reach the pipeline, bad input ends with four parts and exit code 2."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rasterio
import yaml

from headscarp.cli import main
from headscarp.config import MapOptions
from headscarp.run_folder import read_record
from tests.pipeline.conftest import EVENT_DATE, SmallEvent, backscatter, scene_path, small_event

__all__ = ["small_event"]

PARTS = ("expected:", "given:", "why:", "do:")


class Done(NamedTuple):
    """How a call of the command line ended."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object) -> Done:
    """Call the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["headscarp", *map(str, arguments)])
        patch.setenv("COLUMNS", "200")
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def assert_refused(arguments: Sequence[object], *fragments: str) -> None:
    """Hold a call against the promise: exit code 2, four parts, no traceback."""
    done = run(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for part in (*PARTS, *fragments):
        assert part in done.stderr, done.stderr


def test_a_run_ends_with_a_table_and_where_to_look(small_event: SmallEvent, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = run("map", small_event.scenes, "--event-date", EVENT_DATE, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "landslides" in done.stdout
    assert "false alarms" in done.stdout
    assert str(out / "report.html") in done.stdout
    again = run("polygons", out, "--threshold", "0.95", "--min-area-m2", "3000")
    assert again.returncode == 0, again.stderr
    assert read_record(out).detector.threshold == 0.95
    quiet = run("map", small_event.scenes, "--event-date", EVENT_DATE, "--out", out, "--overwrite", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert read_record(out).detector.threshold == 0.8


def test_the_command_line_overrides_the_configuration(small_event: SmallEvent, tmp_path: Path) -> None:
    config = tmp_path / "options.yaml"
    config.write_text(
        f"event:\n  date: {EVENT_DATE}\n  pre_days: 70\npolygons:\n  threshold: 0.9\n  min_area_m2: 2500\n"
    )
    out = tmp_path / "run"
    done = run("map", small_event.scenes, "--config", config, "--threshold", "0.7", "--out", out, "--quiet")
    assert done.returncode == 0, done.stderr
    record = read_record(out)
    assert record.detector.threshold == 0.7
    assert record.results.min_area_m2 == 2500
    assert len(record.orbits[0].pre_utc) == 6


def test_config_prints_the_defaults() -> None:
    done = run("config")
    assert done.returncode == 0
    assert MapOptions.model_validate(yaml.safe_load(done.stdout)) == MapOptions()


def test_bad_input_leaves_a_real_process_with_exit_code_2() -> None:
    command = [sys.executable, "-m", "headscarp", "map", "nowhere", "--event-date", EVENT_DATE, "--out", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith("headscarp ")
    flags = "aoi bbox dem crs spacing pre post threshold min-area-m2 config overwrite quiet detector verbose"
    for flag in flags.split():
        assert f"--{flag}" in run("map", "--help").stdout


class TestBadInput:
    """Each kind of bad input that the issue names."""

    def test_no_scene_after_says_when_the_last_one_was(self, real_data: Path, tmp_path: Path) -> None:
        enga = real_data / "opera_rtc_s1" / "T009_enga"
        arguments = ("map", enga, "--event-date", "2024-05-24", "--out", tmp_path / "run")
        assert_refused(arguments, "after the event", "2024-05-22")
        assert not any(tmp_path.iterdir())

    def test_no_scene_before(self, small_event: SmallEvent, tmp_path: Path) -> None:
        arguments = ("map", small_event.scenes, "--event-date", "2024-01-02", "--out", tmp_path / "run")
        assert_refused(arguments, "before the event", "2024-03-")

    def test_pieces_that_contradict_each_other(self, real_data: Path, tmp_path: Path) -> None:
        misplaced = real_data / "opera_rtc_s1" / "T137_misplaced"
        arguments = ("map", misplaced, "--event-date", "2024-09-01", "--out", tmp_path / "run")
        assert_refused(arguments, "T137-292319-IW2", "T137-292320-IW2", "same ground")

    def test_scenes_that_miss_the_area(self, small_event: SmallEvent, tmp_path: Path) -> None:
        arguments = ("map", small_event.scenes, "--event-date", EVENT_DATE, "--bbox", 10, 40, 11, 41)
        assert_refused((*arguments, "--out", tmp_path / "run"), "area of interest")

    def test_truncated_tiff(self, small_event: SmallEvent, tmp_path: Path) -> None:
        broken = scene_path(small_event.scenes, "ASC", -2)
        broken.write_bytes(broken.read_bytes()[:40_000])
        arguments = ("map", small_event.scenes, "--event-date", EVENT_DATE, "--out", tmp_path / "run")
        assert_refused(arguments, broken.name)
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize(("stored_db", "declared"), [(True, "linear"), (False, "db")])
    def test_scale_declared_against_the_values(
        self, tmp_path: Path, write_scene: Callable[..., Path], stored_db: bool, declared: str
    ) -> None:
        power = backscatter(np.random.default_rng(1), 0.1)
        values = 10 * np.log10(power) if stored_db else power
        for step in (-1, 0):
            write_scene(scene_path(tmp_path / "scenes", "ASC", step), {"VV": values})
        arguments = ("map", tmp_path / "scenes", "--event-date", EVENT_DATE, "--scale", declared)
        assert_refused((*arguments, "--out", tmp_path / "run"), "declared (--scale)")

    def test_future_date(self, small_event: SmallEvent, tmp_path: Path) -> None:
        tomorrow = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%d")
        arguments = ("map", small_event.scenes, "--event-date", tomorrow, "--out", tmp_path / "run")
        assert_refused(arguments, "in the past", tomorrow)

    def test_unwritable_out(self, small_event: SmallEvent, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("not a folder")
        out = tmp_path / "file" / "run"
        assert_refused(
            ("map", small_event.scenes, "--event-date", EVENT_DATE, "--out", out), "can be written"
        )

    def test_out_that_holds_a_run_is_kept_then_replaced(
        self, small_event: SmallEvent, tmp_path: Path
    ) -> None:
        out = tmp_path / "run"
        arguments = ("map", small_event.scenes, "--event-date", EVENT_DATE, "--out", out)
        assert run(*arguments).returncode == 0
        before = (out / "run.json").read_bytes()
        assert_refused(arguments, "--overwrite")
        assert (out / "run.json").read_bytes() == before
        assert run(*arguments, "--overwrite").returncode == 0
        assert (out / "run.json").read_bytes() != before
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    def test_a_failing_run_leaves_the_old_one_untouched(
        self, small_event: SmallEvent, tmp_path: Path
    ) -> None:
        out = tmp_path / "run"
        arguments = ("map", small_event.scenes, "--event-date", EVENT_DATE, "--out", out, "--overwrite")
        assert run(*arguments).returncode == 0
        before = (out / "run.json").read_bytes()
        broken = scene_path(small_event.scenes, "DSC", 1)
        broken.write_bytes(broken.read_bytes()[:40_000])
        assert_refused(arguments, broken.name)
        assert (out / "run.json").read_bytes() == before

    @pytest.mark.parametrize(
        ("arguments", "fragment"),
        [
            (["--threshold", "1.5"], "polygons.threshold"),
            (["--detector", "magic"], "detect.detector"),
            (["--crs", "EPSG:99999999"], "EPSG:99999999"),
            (["--pre", "2024-06-14", "2024-03-01"], "--pre"),
            (["--pre", "2024-03-01", "2024-06-20"], "overlap"),
            (["--config", "missing.yaml"], "missing.yaml"),
            (["--false-alarms-per-100km2", "0.0000001"], "false alarms"),
        ],
    )
    def test_options_outside_their_range(
        self, small_event: SmallEvent, tmp_path: Path, arguments: list[str], fragment: str
    ) -> None:
        if "overlap" in fragment:
            arguments = [*arguments, "--post", "2024-06-18", "2024-07-30"]
        if "false alarms" in fragment:
            # a quarter of the ground changed for good half-way through the pre-event dates
            arguments = ["--min-area-m2", "0", *arguments]
            change_for_good(small_event)
        base = ("map", small_event.scenes, "--event-date", EVENT_DATE, "--out", tmp_path / "run")
        assert_refused((*base, *arguments), fragment)

    def test_missing_arguments(self, tmp_path: Path, small_event: SmallEvent) -> None:
        assert_refused(("map", small_event.scenes, "--out", tmp_path / "run"), "--event-date")
        assert_refused(("map", "--event-date", EVENT_DATE, "--out", tmp_path / "run"), "at least one")
        done = run("map", small_event.scenes, "--event-date", EVENT_DATE)
        assert (done.returncode, "--out" in done.stderr) == (2, True)

    def test_polygons_of_a_folder_that_holds_no_run(self, tmp_path: Path) -> None:
        assert_refused(("polygons", tmp_path), "headscarp map")

    def test_polygons_with_a_threshold_outside_its_range(
        self, small_event: SmallEvent, tmp_path: Path
    ) -> None:
        out = tmp_path / "run"
        assert run("map", small_event.scenes, "--event-date", EVENT_DATE, "--out", out).returncode == 0
        assert_refused(("polygons", out, "--threshold", "2"), "threshold")


def test_zero_filled_edges_are_not_observed(
    tmp_path: Path, write_scene: Callable[..., Path], small_event: SmallEvent
) -> None:
    for path in small_event.scenes.glob("*.tif"):
        with rasterio.open(path, "r+") as dataset:
            values = dataset.read()
            values[:, :, :20] = 0.0
            dataset.write(values)
    out = tmp_path / "run"
    assert run("map", small_event.scenes, "--event-date", EVENT_DATE, "--out", out).returncode == 0
    with rasterio.open(out / "probability.tif") as source:
        probability = source.read(1)
    assert np.isnan(probability[:, :20]).all()
    assert np.isfinite(probability[:, 20:]).all()


def change_for_good(event: SmallEvent) -> None:
    """Darken many single pixels from step -3 on, so that every pseudo-event is full of false alarms."""
    rng = np.random.default_rng(3)
    spots = rng.random((128, 128)) < 0.01
    for orbit in ("ASC", "DSC"):
        for step in range(-3, 3):
            with rasterio.open(scene_path(event.scenes, orbit, step), "r+") as dataset:
                values = dataset.read()
                values[:, spots] *= 1e-3
                dataset.write(values)
