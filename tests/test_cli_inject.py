"""``headscarp inject`` and ``headscarp sensitivity`` as people type them."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pytest

from tests.inject.conftest import quiet_stack
from tests.pipeline.conftest import EVENT_DATE
from tests.test_cli import assert_refused, run

__all__ = ["quiet_stack"]

PLANT = ("--event-date", EVENT_DATE, "--sizes-ha", "0.5,2", "--landslides", "6")


def test_both_commands_tell_their_purpose() -> None:
    shown = run("--help").stdout
    assert "Plant landslides of known size and change into real scenes." in shown
    assert "Measure what can be found on a stack, by size and change." in shown
    planting = run("inject", "--help").stdout
    assert "negative is a loss" in planting
    assert "default: -3.0" in " ".join(planting.split())


def test_planting_ends_with_a_table_and_what_to_do_next(quiet_stack: Path, tmp_path: Path) -> None:
    out = tmp_path / "planted"
    done = run(
        "inject", quiet_stack, "--out", out, *PLANT, "--vh-db", "-5", "--vh-spread-db", "0", "--gap", "50"
    )
    assert done.returncode == 0, done.stderr
    for said in ("6 landslides", "0.5 ha", "3 of 3", "-5.0 to -5.0 dB", "4 planted in, 12 as they were"):
        assert said in done.stdout
    assert f"headscarp map {out}" in done.stdout
    assert "warning" not in done.stdout
    inventory = gpd.read_file(out / "inventory.gpkg")
    assert sorted(inventory["area_m2"].round()) == [5000.0] * 3 + [20_000.0] * 3
    assert set(inventory["vh_db"]) == {-5.0}
    assert_refused(("inject", quiet_stack, "--out", out, *PLANT), "--overwrite")
    quiet = run("inject", quiet_stack, "--out", out, *PLANT, "--overwrite", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_what_finds_no_room_is_a_warning(quiet_stack: Path, tmp_path: Path) -> None:
    done = run(
        "inject", quiet_stack, "--out", tmp_path / "out", "--event-date", EVENT_DATE,
        "--sizes-ha", "60", "--landslides", "20",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "injection.json").read_text())
    assert record["landslides_without_room"] > 0
    assert f"warning: {record['landslides_without_room']} of 20 landslides found no room." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("--shapes", "nowhere.gpkg"), "nowhere.gpkg"),
        (("--sizes-ha", "1,-3"), "above 0"),
        (("--sizes-ha", "big"), "sizes_ha"),
        (("--landslides", "-1"), "greater than or equal to 0"),
        (("--vh-spread-db", "-1"), "greater than or equal to 0"),
        (("--post", "2024-06-15", "2024-06-16"), "after the event"),
        (("--dem", "nowhere.tif"), "nowhere.tif"),
        (("--config", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_planting_refuses_bad_input(
    quiet_stack: Path, tmp_path: Path, arguments: tuple[str, ...], fragment: str
) -> None:
    stood = set(tmp_path.iterdir())
    call = ("inject", quiet_stack, "--out", tmp_path / "out", "--event-date", EVENT_DATE, *arguments)
    assert_refused(call, fragment)
    assert set(tmp_path.iterdir()) == stood


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("--sizes-ha", "500"), "one landslide of 500 ha"),
        (("--changes-db", "0"), "above 0"),
        (("--rates", ""), "rates"),
        (("--rounds", "0"), "greater than or equal to 1"),
        (("--detector", "crystal-ball"), "detect.detector"),
        (("--validation", "nowhere.json"), "nowhere.json"),
    ],
)
def test_sensitivity_refuses_bad_input(
    quiet_stack: Path, tmp_path: Path, arguments: tuple[str, ...], fragment: str
) -> None:
    stood = set(tmp_path.iterdir())
    call = ("sensitivity", quiet_stack, "--out", tmp_path / "out", "--event-date", EVENT_DATE, *arguments)
    assert_refused(call, fragment)
    assert set(tmp_path.iterdir()) == stood


def test_sensitivity_ends_with_tables_and_a_sentence(quiet_stack: Path, tmp_path: Path) -> None:
    call = (
        "sensitivity", quiet_stack, "--out", tmp_path / "out", "--event-date", EVENT_DATE,
        "--sizes-ha", "0.2,2", "--changes-db", "3,8", "--rates", "20,60", "--rounds", "1",
        "--each", "2", "--gap", "80",
    )  # fmt: skip
    done = run(*call)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "sensitivity.json").read_text())
    for said in (
        "20 false alarms per 100 km² allowed",
        "found of planted",
        "0.2 ha",
        "8 dB",
        *record["sentences"],
    ):
        assert said in done.stdout
    assert "sensitivity.png" in done.stdout
    again = run(*call, "--quiet")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
