"""``headscarp chips``: events that describe themselves, a store, a split that the audit reads, a table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
import yaml

from headscarp.chips.store import open_store
from headscarp.cli import main
from headscarp.config import ChipsOptions, StackOptions, default_yaml, load_chips_options, load_stack_options
from headscarp.errors import OptionsError
from headscarp.split import read_split
from tests.pipeline.conftest import EVENT_DATE, TIMES, scene_bands, scene_path


@pytest.fixture
def folder(tmp_path: Path, write_scene: Callable[..., Path]) -> Path:
    """A folder of an event that describes itself; landslides in each corner."""
    event = tmp_path / "quake"
    for seed, orbit in enumerate(TIMES):
        for step in (-2, -1, 0):
            write_scene(scene_path(event / "scenes", orbit, step), scene_bands(seed, step))
    slides = [
        shapely.box(580000 + x, 4730000 - y - 200, 580200 + x, 4730000 - y)
        for x in (100, 2000)
        for y in (100, 2000)
    ]
    gpd.GeoDataFrame(geometry=slides, crs="EPSG:32654").to_file(event / "inventory.gpkg")
    rain = np.ones((8, 8), np.float32)
    write_scene(event / "rain.tif", {"rain": rain}, spacing=400.0)
    values = {
        "scenes": ["scenes"],
        "event": {"date": EVENT_DATE},
        "rasters": {"rain": "rain.tif"},
        "detect": {"detector": "log-ratio"},
    }
    (event / "event.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return event


def write_config(path: Path, **sections: Any) -> Path:
    path.write_text(yaml.safe_dump(sections), encoding="utf-8")
    return path


def headscarp(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["headscarp", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_an_event_is_what_its_folder_says(folder: Path, tmp_path: Path) -> None:
    config = write_config(
        tmp_path / "c.yaml",
        events=[
            {"scenes": str(folder)},
            {
                "scenes": [str(folder)],
                "name": "again",
                "inventory": ["other.gpkg"],
                "event": {"pre": ["2024-06-01", "2024-06-14"]},
            },
        ],
        chips={"size_px": 64},
    )
    options = load_chips_options(ChipsOptions, config, {"split.seed": 7, "chips.stride_px": 64})
    first, second = options.events
    assert first.name == "quake"
    assert first.scenes == (folder / "scenes",)
    assert first.inventory == (folder / "inventory.gpkg",)
    assert first.rasters == {"rain": folder / "rain.tif"}
    assert second.name == "again"
    assert second.inventory == (Path("other.gpkg"),)
    assert str(second.event.date) == EVENT_DATE
    assert second.event.pre is not None
    assert (options.chips.size_px, options.chips.stride_px, options.split.seed) == (64, 64, 7)


def test_rasters_of_an_event_folder_are_its_own(folder: Path) -> None:
    options = load_stack_options(StackOptions, None, {"scenes": [folder]})
    assert options.rasters == {"rain": folder / "rain.tif"}


def test_an_event_without_a_name_or_with_unknown_options_is_refused(tmp_path: Path) -> None:
    for event, named in (
        ({"scenes": [str(tmp_path), str(tmp_path)]}, "name"),
        ({"name": "x", "nonsense": 1}, "nonsense"),
    ):
        config = write_config(tmp_path / "c.yaml", events=[event])
        with pytest.raises(OptionsError, match=rf"events\.0\.{named}"):
            load_chips_options(ChipsOptions, config)
    with pytest.raises(OptionsError, match="events"):
        load_chips_options(ChipsOptions, write_config(tmp_path / "c.yaml", events="quake"))


def test_default_options_are_yaml_that_loads(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(default_yaml(ChipsOptions()), encoding="utf-8")
    assert load_chips_options(ChipsOptions, path) == ChipsOptions()


def test_the_command_writes_a_store_and_a_split_that_the_audit_reads(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = write_config(
        tmp_path / "c.yaml",
        events=[{"scenes": [str(folder)]}],
        chips={"size_px": 32, "stride_px": 32},
        split={"block_m": 1280.0, "buffer_m": 0, "shares": [0.75, 0.25, 0.0]},
    )
    out = tmp_path / "chips" / "store.zarr"
    assert headscarp(monkeypatch, "chips", "--config", config, "--out", out) == 0
    printed = capsys.readouterr().out
    store, split = open_store(out), read_split(tmp_path / "chips" / "split.json")
    assert len(store) == 16
    counts = {name: [c for c in split.chips if c.split == name] for name in ("train", "validation")}
    rows = [line.split() for line in printed.splitlines() if line.startswith("quake")]
    assert rows == [
        ["quake", name, str(len(own)), str(sum(c.landslide_px > 0 for c in own)), str(_px(own))]
        for name, own in counts.items()
    ]
    assert sum(len(own) for own in counts.values()) == 16
    assert headscarp(monkeypatch, "audit", tmp_path / "chips" / "split.json", "--quiet") == 0
    capsys.readouterr()
    assert headscarp(monkeypatch, "chips", "--config", config, "--out", out, "--quiet") == 0
    assert capsys.readouterr().out == ""
    assert headscarp(monkeypatch, "chips", "--config", config, "--out", out, "--split", "random") == 2
    assert "no other split" in capsys.readouterr().err
    assert read_split(tmp_path / "chips" / "split.json") == split
    forced = ("--split", "random", "--overwrite", "--quiet")
    assert headscarp(monkeypatch, "chips", "--config", config, "--out", out, *forced) == 0
    assert read_split(tmp_path / "chips" / "split.json").name == "random"


def _px(chips: list[Any]) -> int:
    return sum(chip.landslide_px for chip in chips)


def test_bad_input_ends_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert headscarp(monkeypatch, "chips", "--out", tmp_path / "s.zarr") == 2
    assert "at least one event" in capsys.readouterr().err
    assert headscarp(monkeypatch, "chips") == 2
    assert "--out" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
