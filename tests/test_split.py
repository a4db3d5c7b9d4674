"""A split file comes back as it was written; one that breaks the format is told apart in four parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from headscarp.split import Chip, SplitError, SplitFile, read_split, split_json, write_split

KNOWN: dict[str, Any] = {
    "id": "hokkaido_1",
    "split": "test",
    "event": "hokkaido",
    "crs": "EPSG:32654",
    "bounds": (580000.0, 4730000.0, 581280.0, 4731280.0),
}


def chip(**more: Any) -> Chip:
    return Chip.model_validate({**KNOWN, **more})


def example() -> SplitFile:
    full = chip(
        id="hokkaido_2", split="train", region="hokkaido_north", series="s1asc", landslide_px=0, px=16384,
        low_quality=True, content_sha256="ab" * 32,
    )  # fmt: skip
    return SplitFile(
        name="by hand", seed=3, made={"method": "blocks", "block_m": 1e4}, spacing_m=10, chips=(chip(), full)
    )


def stored(**changes: Any) -> str:
    """The example as text, its first chip changed."""
    content = json.loads(split_json(example()))
    content["chips"][0].update(changes)
    return json.dumps(content)


def test_a_split_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_split(tmp_path / "split.json", example())
    assert read_split(tmp_path / "split.json") == example()
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]


def test_one_chip_a_line(tmp_path: Path) -> None:
    lines = split_json(example()).splitlines()
    assert [line.strip()[:18] for line in lines if '"id"' in line] == [
        '{"id":"hokkaido_1"',
        '{"id":"hokkaido_2"',
    ]


WORDS = st.text(st.sampled_from('aZ0_- "\\é雪\n\u2028{}'), min_size=1, max_size=8)


@given(st.floats(-1e7, 1e7), st.floats(-1e7, 1e7), st.floats(1, 1e5), WORDS, st.none() | WORDS)
@settings(max_examples=40, deadline=None)
def test_any_chip_survives_json(
    left: float, bottom: float, size: float, name: str, region: str | None
) -> None:
    given_chip = chip(id=name, region=region, bounds=(left, bottom, left + size, bottom + size))
    split = example().model_copy(update={"chips": (given_chip,)})
    assert SplitFile.model_validate_json(split_json(split)) == split


def test_tolerance_is_half_a_pixel() -> None:
    assert example().tolerance_m == 5.0


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"split": "val"}, "'train', 'validation' or 'test'"),
        ({"id": ""}, "chips.0.id"),
        ({"event": ""}, "chips.0.event"),
        ({"bounds": [1, 2, 3]}, "chips.0.bounds"),
        ({"bounds": [10, 0, 5, 5]}, "left < right"),
        ({"bounds": [0, 10, 5, 5]}, "bottom < top"),
        ({"crs": "EPSG:4326"}, "projected CRS in metres"),
        ({"crs": "EPSG:2225"}, "projected CRS in metres"),
        ({"crs": "nowhere"}, "PROJ knows"),
        ({"landslide_px": 17, "px": 16}, "landslide_px exceeds px"),
        ({"landslide_px": -1}, "landslide_px"),
        ({"px": 0}, "px"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_chip_that_breaks_the_format(tmp_path: Path, changes: dict[str, Any], fragment: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(stored(**changes))
    with pytest.raises(SplitError) as refused:
        read_split(path)
    assert fragment in str(refused.value)
    assert str(path) in refused.value.given


@pytest.mark.parametrize(
    ("text", "fragment"),
    [("{", "JSON"), ("", "JSON"), ("[]", "whole file"), ('{"name": "x"}', "spacing_m")],
)
def test_a_file_that_is_no_split(tmp_path: Path, text: str, fragment: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(SplitError, match=fragment):
        read_split(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match=r"nowhere\.json"):
        read_split(tmp_path / "nowhere.json")


def test_a_later_format_is_not_guessed(tmp_path: Path) -> None:
    content = json.loads(split_json(example()))
    path = tmp_path / "split.json"
    path.write_text(json.dumps({**content, "format_version": 2}))
    with pytest.raises(SplitError, match="format_version"):
        read_split(path)


def test_a_split_without_chips_is_refused() -> None:
    with pytest.raises(ValidationError):
        SplitFile(name="empty", spacing_m=10, chips=())


def test_chips_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        chip().split = "train"  # type: ignore[misc]
