"""``headscarp simulate`` as people type it: what it prints, what it refuses, and in four parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_cli import assert_refused, run

SMALL = ("--size", "96", "--spacing", "30", "--pre", "2", "--post", "1", "--landslides", "12")


def test_an_event_ends_with_a_table_and_what_to_do_next(tmp_path: Path) -> None:
    out = tmp_path / "event"
    done = run(
        "simulate", "--out", out, *SMALL, "--product", "gtc", "--trigger", "rain", "--without", "flood"
    )
    assert done.returncode == 0, done.stderr
    for fragment in ("landslides", "ascending 68", "3 scenes", "overview.png", f"headscarp map {out}"):
        assert fragment in done.stdout
    assert "flood" not in done.stdout
    quiet = run("simulate", "--out", out, *SMALL, "--overwrite", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    mapped = run("map", out, "--out", tmp_path / "run", "--quiet")
    assert mapped.returncode == 0, mapped.stderr


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("--size", "63"), "greater than or equal to 64"),
        (("--seed", "-1"), "greater than or equal to 0"),
        (("--spacing", "0"), "greater than 0"),
        (("--pre", "0"), "greater than or equal to 1"),
        (("--looks", "0.5"), "greater than or equal to 1"),
        (("--event-date", "15.6.2024"), "2023-11-12"),
        (("--event-date", "2199-01-01"), "past"),
        (("--dem", "nowhere.tif"), "nowhere.tif"),
        (("--shapes", "nowhere.gpkg"), "nowhere.gpkg"),
        (("--product", "safe"), "--annotation with any IW GRD product"),
        (("--product", "safe", "--annotation", "nowhere.SAFE"), "nowhere.SAFE"),
        (("--config", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_bad_input_is_refused_in_four_parts(
    tmp_path: Path, arguments: tuple[str, ...], fragment: str
) -> None:
    assert_refused(("simulate", "--out", tmp_path / "event", *SMALL, *arguments), fragment)
    assert not list(tmp_path.iterdir())


def test_options_are_printed_for_a_config_file(tmp_path: Path) -> None:
    printed = run("config", "simulate")
    assert "trigger: earthquake" in printed.stdout
    file = tmp_path / "options.yaml"
    file.write_text(printed.stdout.replace("landslides: null", "landslides: 3"), encoding="utf-8")
    done = run("simulate", "--config", file, "--out", tmp_path / "event", *SMALL[:8], "--quiet")
    assert done.returncode == 0, done.stderr
    assert '"landslides_drawn": 3' in (tmp_path / "event" / "simulation.json").read_text()
