"""Options: one YAML file, one set of defaults, and errors that name the option."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from headscarp.config import (
    ChipsOptions,
    MapOptions,
    default_yaml,
    describe,
    load_chips_options,
    load_options,
)
from headscarp.errors import OptionsError


def dotted_names(model: type[BaseModel] = MapOptions, prefix: str = "") -> Iterator[str]:
    """Every option, and every section, by its dotted name."""
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from dotted_names(field.annotation, f"{prefix}{name}.")


NAMES = list(dotted_names())


def value_of(options: BaseModel, name: str) -> Any:
    value: Any = options
    for part in name.split("."):
        value = getattr(value, part)
    return value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "options.yaml"


# the default file


def test_default_yaml_reads_back_as_the_defaults(file: Path) -> None:
    file.write_text(default_yaml(), encoding="utf-8")
    assert load_options(file) == MapOptions() == load_options(None)


def test_default_yaml_names_every_option_once() -> None:
    found: list[str] = []

    def walk(values: dict[str, Any], prefix: str = "") -> None:
        for key, value in values.items():
            found.append(prefix + key)
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")

    walk(yaml.safe_load(default_yaml()))
    assert found == NAMES
    assert len(NAMES) > 30


def test_every_option_of_the_default_yaml_follows_a_comment() -> None:
    lines = [line for line in default_yaml().splitlines() if line]
    keys = [i for i, line in enumerate(lines) if not line.lstrip().startswith("#")]
    assert len(keys) == len(NAMES)
    for i in keys:
        indent = lines[i][: len(lines[i]) - len(lines[i].lstrip())]
        assert lines[i - 1].startswith(f"{indent}# "), lines[i]
        assert len(lines[i - 1].strip("# ")) > 10


@pytest.mark.parametrize("name", NAMES)
def test_every_option_can_be_described(name: str) -> None:
    text = describe(name)
    assert text[0].isupper()
    default = value_of(MapOptions(), name)
    is_section = isinstance(default, BaseModel)
    nothing = default in (None, ())
    assert is_section or ("[default:" in text) != nothing
    assert is_section or nothing or text.endswith(f"[default: {default}]")


@pytest.mark.parametrize("name", ["nothing", "event.nothing", "nothing.date", "event.date.year"])
def test_an_option_that_does_not_exist_cannot_be_described(name: str) -> None:
    with pytest.raises(KeyError):
        describe(name)


# files and overrides


def test_a_file_sets_what_it_names_and_leaves_the_rest(file: Path) -> None:
    file.write_text("polygons:\n  threshold: 0.9\ndetect:\n  direction: loss\n")
    options = load_options(file)
    assert options.polygons.threshold == 0.9
    assert options.detect.direction == "loss"
    changed = {n for n in NAMES if value_of(options, n) != value_of(MapOptions(), n)}
    assert changed == {"polygons", "polygons.threshold", "detect", "detect.direction"}


def test_overrides_win_over_the_file(file: Path) -> None:
    file.write_text("polygons: {threshold: 0.9, min_area_m2: 5}\nscenes: [a]\n")
    options = load_options(file, {"polygons.threshold": 0.7, "scenes": [Path("b"), Path("c")]})
    assert options.polygons.threshold == 0.7
    assert options.polygons.min_area_m2 == 5
    assert options.scenes == (Path("b"), Path("c"))


def test_an_override_of_none_leaves_the_file(file: Path) -> None:
    file.write_text("polygons: {threshold: 0.9}\nscenes: [a]\n")
    overrides = {"polygons.threshold": None, "scenes": None, "event.date": None}
    assert load_options(file, overrides) == load_options(file)


def test_falsy_overrides_are_no_none(file: Path) -> None:
    file.write_text("terrain: {min_slope_deg: 12}\n")
    assert load_options(file, {"terrain.min_slope_deg": 0.0}).terrain.min_slope_deg == 0


def test_overrides_make_the_sections_they_need(file: Path) -> None:
    file.write_text("detect:\n")
    options = load_options(file, {"detect.direction": "gain", "event.date": "2023-11-12"})
    assert (options.detect.direction, options.event.date) == ("gain", "2023-11-12")


def test_overrides_are_left_alone() -> None:
    overrides = {"polygons.threshold": 0.7}
    load_options(None, overrides)
    assert overrides == {"polygons.threshold": 0.7}


def test_an_empty_file_gives_the_defaults(file: Path) -> None:
    file.write_text("# nothing yet\n")
    assert load_options(file) == MapOptions()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2023-11-12", "2023-11-12"),
        ("'2023-11-12'", "2023-11-12"),
        ("'2023-11-12T18:07:59Z'", "2023-11-12T18:07:59Z"),
    ],
)
def test_dates_need_no_quotes(file: Path, written: str, read: str) -> None:
    file.write_text(f"event:\n  date: {written}\n  pre: [2023-10-01, 2023-11-11]\n")
    event = load_options(file).event
    assert (event.date, event.pre, event.post) == (read, ("2023-10-01", "2023-11-11"), None)


def test_the_day_of_as_of_needs_no_quotes(file: Path) -> None:
    file.write_text("event:\n  as_of: 2024-06-20\n")
    assert load_options(file).event.as_of == "2024-06-20"
    assert load_options(None).event.as_of is None


def test_windows_may_be_given_as_text_by_the_command_line() -> None:
    assert load_options(None, {"detect.windows_px": ["1", "3"]}).detect.windows_px == (1, 3)


def test_a_moment_without_quotes_is_the_same_moment(file: Path) -> None:
    file.write_text("event:\n  date: 2023-11-12T18:07:59Z\n")
    date = load_options(file).event.date
    assert date is not None
    assert date.replace(" ", "T").replace("+00:00", "Z") == "2023-11-12T18:07:59Z"


def test_options_do_not_change_once_made() -> None:
    with pytest.raises(ValueError, match="frozen"):
        MapOptions().polygons.threshold = 0.1  # type: ignore[misc]


# refusals


@pytest.mark.parametrize(
    ("text", "name", "given"),
    [
        ("colour: red\n", "colour", "'red'"),
        ("polygons: {treshold: 0.5}\n", "polygons.treshold", "0.5"),
        ("detect: {prior: 0.1}\n", "detect.prior", "0.1"),
        ("polygons: {threshold: 1.5}\n", "polygons.threshold", "1.5"),
        ("polygons: {threshold: 0}\n", "polygons.threshold", "0"),
        ("polygons: {threshold: .nan}\n", "polygons.threshold", "nan"),
        ("polygons: {min_area_m2: -1}\n", "polygons.min_area_m2", "-1"),
        ("terrain: {min_slope_deg: 90}\n", "terrain.min_slope_deg", "90"),
        ("detect: {detector: magic}\n", "detect.detector", "'magic'"),
        ("detect: {prior_landslide: 1}\n", "detect.prior_landslide", "1"),
        ("detect: {direction: up}\n", "detect.direction", "'up'"),
        ("detect: {windows_px: [1, 4]}\n", "detect.windows_px", "[1, 4]"),
        ("detect: {windows_px: [5, 3]}\n", "detect.windows_px", "[5, 3]"),
        ("detect: {windows_px: [3, 3]}\n", "detect.windows_px", "[3, 3]"),
        ("detect: {windows_px: [1, 33]}\n", "detect.windows_px", "[1, 33]"),
        ("detect: {windows_px: []}\n", "detect.windows_px", "[]"),
        ("event: {pre_days: 0}\n", "event.pre_days", "0"),
        ("event: {pre: [2023-10-01]}\n", "event.pre", ""),
        ("area: {spacing: wide}\n", "area.spacing", "'wide'"),
        ("polygons: high\n", "polygons", "'high'"),
        ("scenes: a.tif\n", "scenes", "'a.tif'"),
    ],
)
def test_what_is_unknown_or_out_of_range_is_refused_by_name(
    file: Path, text: str, name: str, given: str
) -> None:
    file.write_text(text)
    with pytest.raises(OptionsError) as caught:
        load_options(file)
    assert caught.value.expected.startswith(name)
    assert caught.value.given.startswith(given)
    assert str(file) in caught.value.given


def test_overrides_are_refused_by_name_too() -> None:
    with pytest.raises(OptionsError) as caught:
        load_options(None, {"polygons.threshold": 2})
    assert caught.value.expected.startswith("polygons.threshold:")
    assert caught.value.given == "2"


def test_a_section_that_is_none_is_refused_and_not_replaced_by_an_override(file: Path) -> None:
    """The date of `event: 2023-11-12` would be lost, silently."""
    file.write_text("event: 2023-11-12\n")
    with pytest.raises(OptionsError, match="event") as caught:
        load_options(file, {"event.pre_days": 30})
    assert "2023, 11, 12" in caught.value.given


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n", "a: [\n", "a: b: c\n", "7\n"])
def test_what_is_no_yaml_of_sections_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(OptionsError) as caught:
        load_options(file)
    assert str(file) in caught.value.given
    assert "headscarp config" in caught.value.fix


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    binary = tmp_path / "scene.tif"
    binary.write_bytes(b"II*\x00\xff\xfe\x80")
    for path in (tmp_path / "missing.yaml", tmp_path, binary):
        with pytest.raises(OptionsError) as caught:
            load_options(path)
        assert str(path) in caught.value.given


# a folder that describes itself


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    event = tmp_path / "event"
    event.mkdir()
    text = "scenes: [scenes, more/one.tif]\nevent: {date: 2024-06-15}\nterrain: {dem: dem.tif}\n"
    (event / "event.yaml").write_text(text, encoding="utf-8")
    return event


def test_an_event_folder_says_where_its_scenes_and_dem_are(folder: Path) -> None:
    options = load_options(None, {"scenes": [folder]})
    assert options.scenes == (folder / "scenes", folder / "more" / "one.tif")
    assert options.terrain.dem == folder / "dem.tif"
    assert options.event.date == "2024-06-15"


def test_the_command_line_wins_over_an_event_folder(folder: Path) -> None:
    given = {"scenes": [folder], "event.date": "2024-06-20", "terrain.dem": Path("other.tif")}
    options = load_options(None, given)
    assert options.event.date == "2024-06-20"
    assert options.terrain.dem == Path("other.tif")
    assert options.scenes[0] == folder / "scenes"


def test_a_config_file_wins_over_an_event_folder(folder: Path, file: Path) -> None:
    file.write_text("event: {date: 2020-01-01}\n", encoding="utf-8")
    options = load_options(file, {"scenes": [folder]})
    assert options.scenes == (folder,)
    assert options.event.date == "2020-01-01"


@pytest.mark.parametrize("more", [["other"], []])
def test_folders_among_others_or_without_a_description_are_scenes(folder: Path, more: list[str]) -> None:
    if not more:
        (folder / "event.yaml").unlink()
    options = load_options(None, {"scenes": [folder, *more]})
    assert options.scenes == (folder, *map(Path, more))
    assert options.event.date is None


def test_absolute_paths_stay_and_scenes_default_to_the_folder(folder: Path) -> None:
    (folder / "event.yaml").write_text("terrain: {dem: /elsewhere/dem.tif}\n", encoding="utf-8")
    options = load_options(None, {"scenes": [folder]})
    assert options.terrain.dem == Path("/elsewhere/dem.tif")
    assert options.scenes == (folder,)


def test_a_faulty_description_names_its_file(folder: Path) -> None:
    (folder / "event.yaml").write_text("evnt: {}\n", encoding="utf-8")
    with pytest.raises(OptionsError, match=r"evnt[\s\S]*event\.yaml"):
        load_options(None, {"scenes": [folder]})


def test_an_event_whose_folder_is_not_there_is_refused_for_that(tmp_path: Path) -> None:
    config = tmp_path / "train.yaml"
    config.write_text(f"events:\n- scenes: {tmp_path / 'nowhere'}\n", encoding="utf-8")
    with pytest.raises(OptionsError, match="nowhere, not there"):
        load_chips_options(ChipsOptions, config)
