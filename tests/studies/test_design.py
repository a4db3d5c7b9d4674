"""What a study is made of: options, presets, cells, areas, and what it refuses before any work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pydantic import ValidationError
from rasterio.warp import transform_bounds
from typer.testing import CliRunner

from headscarp.cli import app
from headscarp.errors import GridError, HeadscarpError, OptionsError, OutputError
from headscarp.features.sets import feature_set
from headscarp.grid import WGS84
from headscarp.predict.ground import HeldGround
from headscarp.simulate.land.site import NORTH_M, WEST_M
from headscarp.studies.cells import CELLS, CellRecord, SkippedError
from headscarp.studies.key import KEY_JSON, claim_study
from headscarp.studies.pan_shi.check import check_study, differing_images
from headscarp.studies.pan_shi.estimate import chips_of
from headscarp.studies.pan_shi.grounds import EventImages, cut_options, laid_on, refuse_missing_orbit
from headscarp.studies.pan_shi.load import load_study
from headscarp.studies.pan_shi.options import PanShiOptions, StudyEvent
from headscarp.studies.pan_shi.plan import plan_cells
from headscarp.studies.pan_shi.published import published_event, read_published
from headscarp.studies.pan_shi.run import study_key
from headscarp.studies.presets import PRESETS, study_file
from headscarp.studies.sharing import minutes_until
from tests.studies.made import tiny, twin


def test_overlapping_areas_are_refused() -> None:
    event = twin()
    with pytest.raises(ValidationError, match="overlap"):
        StudyEvent.model_validate(event | {"validation": event["training"]})
    left, bottom, right, top = event["validation"]
    with pytest.raises(ValidationError, match="overlap"):
        StudyEvent.model_validate(event | {"validation": [left - 10, bottom, right, top]})
    assert StudyEvent.model_validate(event)  # areas that touch share no ground


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"events": [twin(), twin()]}, "told apart"),
        ({"rows": [{"name": "a"}, {"name": "a"}]}, "told apart"),
        ({"seeds": [1, 1]}, "told apart"),
        ({"seeds": [-1]}, "not negative"),
        ({"rows": [{"name": "a", "features": "group7"}]}, "feature set"),
        ({"rows": [{"name": "a", "network": "vgg"}]}, "unet"),
        ({"train": {"seed": 3}}, "taken from seeds"),
        ({"train": {"max_minutes": 3}}, "max-minutes"),
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        tiny(**wrong)


def test_cells_are_every_row_split_and_seed() -> None:
    rows = [{"name": "Group 1", "splits": ["random", "blocks"]}, {"name": "1-UNet", "network": "unet"}]
    options = tiny(rows=rows, seeds=[4, 5], detectors=["fusion"], events=[twin("a", 1), twin("b", 2)])
    cells = plan_cells(options)
    expected = {
        *((event, "fusion", "detector", 0) for event in "ab"),
        *(
            (event, row, split, seed)
            for event in "ab"
            for row, split in (("Group 1", "random"), ("Group 1", "blocks"), ("1-UNet", "random"))
            for seed in (4, 5)
        ),
    }
    assert {tuple(cell.values.values()) for cell in cells} == expected
    assert len({cell.name for cell in cells}) == len(cells) == 14
    seeds = [cell.values["seed"] for cell in cells[2:]]
    assert seeds == sorted(seeds)  # a study that is stopped has whole tables of its first seeds


@pytest.mark.parametrize("name", PRESETS["pan_shi"])
def test_presets_are_whole(name: str) -> None:
    options = load_study(study_file("pan_shi", None, name))
    assert [row.name for row in options.rows][:8] == list(read_published().events["hokkaido"].rows)
    blocked = [row.name for row in options.rows if "blocks" in row.splits]
    assert blocked == ["Group 1", "Group 4"]
    assert options.train.dice_classes == "both"
    assert options.train.paper_augmentation
    assert all(published_event(event.name) is not None for event in options.events)


def test_areas_of_the_paper_have_its_sizes() -> None:
    options = load_study(study_file("pan_shi", None, "paper"))
    sizes = {(e.name, a): chips_of(e, a, 128) for e in options.events for a in ("training", "validation")}
    assert list(sizes.values()) == [81, 441, 484, 1764]
    for event in options.events:
        printed = published_event(event.name)
        assert printed is not None
        for state, count in event.images.items():
            assert (count.pre, count.post) == (printed.pre_images[state], printed.post_images[state])
        assert event.event.date is not None
        assert event.event.date.rstrip("Z") == printed.event_utc.isoformat()
    assert options.trainings_a_cell == 36


def test_areas_of_the_paper_lie_where_it_says() -> None:
    hokkaido, guinea = load_study(study_file("pan_shi", None, "paper")).events
    west, south, east, north = read_published().events["hokkaido"].extent_deg or (0, 0, 0, 0)
    degrees = [
        transform_bounds("EPSG:32654", WGS84, *bounds) for bounds in (hokkaido.training, hokkaido.validation)
    ]
    for own in degrees:
        assert own[0] > west - 0.01
        assert south < (own[1] + own[3]) / 2 < north
    assert degrees[0][2] < east < degrees[1][2]  # there is no room for both
    middle = (
        (guinea.training[0] + guinea.validation[2]) / 2,
        (guinea.validation[1] + guinea.validation[3]) / 2,
    )
    assert middle == pytest.approx((694119, 9328743), abs=30)  # 142.754° E, 6.070° S in EPSG:32754


def test_twins_hold_their_areas() -> None:
    for event in load_study(study_file("pan_shi", None, "small")).events:
        assert event.simulate is not None
        assert event.simulate.size_px is not None
        extent = event.simulate.size_px * event.simulate.spacing_m
        for left, bottom, right, top in (event.training, event.validation):
            assert WEST_M <= left < right <= WEST_M + extent
            assert NORTH_M - extent <= bottom < top <= NORTH_M
        assert [chips_of(event, area, 128) for area in ("training", "validation")] == [81, 140]


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(OptionsError, match="small or paper"):
        study_file("pan_shi", None, "large")


def test_a_study_without_events_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("rows: [{name: Group 1}]", encoding="utf-8")
    with pytest.raises(OptionsError, match="without events"):
        load_study(tmp_path / "study.yaml")


def test_other_options_in_the_folder_are_refused_by_name(tmp_path: Path) -> None:
    claim_study(tmp_path, study_key(tiny()))
    before = (tmp_path / KEY_JSON).read_text(encoding="utf-8")
    for changed, name in (
        (tiny(filters=16), "filters: 8 there, 16 here"),
        (tiny(train={"epochs": 3, "batch_size": 8, "learning_rate": 2e-3}), "train.epochs: 2 there, 3 here"),
        (tiny(rows=[{"name": "Group 1", "network": "unet"}]), "rows.Group 1"),
        (tiny(events=[twin(seed=32)]), "events.twin"),
    ):
        with pytest.raises(OutputError, match=name.replace(".", r"\.")):
            claim_study(tmp_path, study_key(changed))
    assert (tmp_path / KEY_JSON).read_text(encoding="utf-8") == before


def test_more_rows_seeds_and_splits_are_added(tmp_path: Path) -> None:
    claim_study(tmp_path, study_key(tiny()))
    rows = [{"name": "Group 1", "splits": ["random", "blocks"]}, {"name": "1-UNet", "network": "unet"}]
    claim_study(tmp_path, study_key(tiny(rows=rows, seeds=[0, 1], detectors=["fusion"])))
    claim_study(tmp_path, study_key(tiny()))
    assert {"rows.Group 1", "rows.1-UNet"} <= json.loads((tmp_path / KEY_JSON).read_text()).keys()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="holds something"):
        claim_study(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


BOTH = EventImages(pre={"ascending": 3, "descending": 3}, post={"ascending": 1, "descending": 1})
NO_DESCENDING = EventImages(pre={"ascending": 3, "descending": 3}, post={"ascending": 1, "descending": 0})


@pytest.mark.parametrize(
    ("features", "is_skipped"),
    [
        ("group1", True),
        ("group2", False),
        ("group3", True),
        ("group4", False),
        ("pair", True),
        ("orbits", True),
    ],
)
def test_a_row_that_needs_a_missing_orbit_is_skipped(features: str, is_skipped: bool) -> None:
    refuse_missing_orbit(feature_set(features), BOTH, "storm")
    if not is_skipped:
        refuse_missing_orbit(feature_set(features), NO_DESCENDING, "storm")
        return
    with pytest.raises(SkippedError, match="storm without descending"):
        refuse_missing_orbit(feature_set(features), NO_DESCENDING, "storm")


def test_image_counts_that_differ_are_told() -> None:
    stated = {"ascending": {"pre": 3, "post": 2}, "descending": {"pre": 3, "post": 1}}
    event = StudyEvent.model_validate(twin(images=stated))
    assert differing_images(event, BOTH) == ["twin: 1 ascending images post-event, Table 2 has 2"]


def test_what_is_missing_is_listed(tmp_path: Path) -> None:
    event = twin(scenes=[tmp_path / "none"], inventory=[tmp_path], where="at the library")
    del event["simulate"]
    (found,) = check_study(tiny(events=[event]), tmp_path)
    assert found.missing == [str(tmp_path / "none")]
    assert found.where == "at the library"
    assert not found.is_ready
    assert check_study(tiny(), tmp_path)[0].is_ready
    assert list(tmp_path.iterdir()) == []


def _held(row: int, col: int, shape: tuple[int, int]) -> HeldGround:
    transform = Affine(10, 0, 580_000 + 10 * col, 0, -10, 4_730_000 - 10 * row)
    x = np.zeros((2, *shape), np.float32)
    return HeldGround(GeoBox(shape, transform, "EPSG:32654"), x, np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("row", "col", "shape"), [(0, 0, (8, 9)), (2, 3, (4, 4)), (-2, -1, (20, 20)), (4, 5, (9, 9))]
)
def test_a_ground_is_laid_where_it_lies(row: int, col: int, shape: tuple[int, int]) -> None:
    area = GeoBox((8, 9), Affine(10, 0, 580_000, 0, -10, 4_730_000), "EPSG:32654")
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    laid = laid_on(area, _held(row, col, shape), values)
    for r in range(8):
        for c in range(9):
            inside = 0 <= r - row < shape[0] and 0 <= c - col < shape[1]
            expected = values[r - row, c - col] if inside else np.nan
            assert np.array_equal(laid[r, c], expected, equal_nan=True)


def test_another_lattice_is_refused() -> None:
    area = GeoBox((8, 9), Affine(10, 0, 580_005, 0, -10, 4_730_000), "EPSG:32654")
    with pytest.raises(GridError, match="lattice"):
        laid_on(area, _held(0, 0, (4, 4)), np.zeros((4, 4), np.float32))


def test_the_validation_area_keeps_every_chip_that_shows_anything() -> None:
    training, validation = (
        cut_options(feature_set("group1"), 64, area) for area in ("training", "validation")
    )
    assert (training.size_px, training.stride_px) == (64, 64)
    assert validation.min_observed * 64 * 64 < 1 < training.min_observed * 64 * 64


def test_time_left() -> None:
    assert minutes_until(None) is None
    assert minutes_until(0.0) == 0.01


RUN = CliRunner()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--preset", "small", "--config", "x.yaml"],
        ["--preset", "large"],
        ["--preset", "small", "--seeds", "one"],
        ["--preset", "small", "--seeds", "1,1"],
        ["--preset", "small", "--only", "nobody"],
        ["--config", "none.yaml"],
    ],
)
def test_bad_commands_end_with_code_2_and_write_nothing(arguments: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = RUN.invoke(app, ["study", "pan-shi", "--out", str(out), *arguments])
    assert isinstance(found.exception, HeadscarpError)
    assert found.exception.exit_code == 2
    assert not out.exists()


def test_check_tells_and_writes_nothing(tmp_path: Path) -> None:
    found = RUN.invoke(
        app, ["study", "pan-shi", "--preset", "paper", "--out", str(tmp_path / "o"), "--check"]
    )
    assert found.exit_code == 1
    assert "missing: scenes/hokkaido" in found.output
    assert "Tanyas" in found.output
    assert not (tmp_path / "o").exists()


def test_a_dry_run_prints_cells_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headscarp.studies.pan_shi.estimate.seconds_a_chip", lambda *_: 0.5)
    command = ["study", "pan-shi", "--preset", "small", "--out", str(tmp_path / "o"), "--dry-run"]
    found = RUN.invoke(app, [*command, "--only", "hokkaido_twin-group_1-blocks"])
    assert found.exit_code == 0
    assert "3 cells, 3 trainings" in found.output
    # 65 chips train and 16 choose in 30 epochs, 221 are mapped; those that are not trained on cost a third
    hours = 3 * (0.5 * (65 + 16 / 3) * 30 + 0.5 * (140 + 81) / 3 + 140 * 128**2 * 8e-6) / 3600
    assert f"at most {hours:.2g} hours" in found.output
    assert "by the cells that are done" not in found.output
    assert not (tmp_path / "o").exists()


def test_a_dry_run_goes_by_the_cells_that_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headscarp.studies.pan_shi.estimate.seconds_a_chip", lambda *_: 0.5)
    options = load_study(study_file("pan_shi", None, "small"))
    done = next(cell for cell in plan_cells(options) if cell.name == "hokkaido_twin-group_1-blocks-seed0")
    record = CellRecord(name=done.name, values=dict(done.values), state="done", seconds=90.0)
    folder = tmp_path / "o" / CELLS / done.name
    folder.mkdir(parents=True)
    (folder / "cell.json").write_text(record.model_dump_json())
    command = ["study", "pan-shi", "--preset", "small", "--out", str(tmp_path / "o"), "--dry-run"]
    found = RUN.invoke(app, [*command, "--only", "hokkaido_twin-group_1-blocks"])
    assert "2 cells, 2 trainings" in found.output
    assert "by the cells that are done: about 3 minutes of one process" in found.output


def test_presets_are_options_without_defaults_written_twice() -> None:
    """A preset states what differs, and no more of the training's options than it means."""
    plain = PanShiOptions()
    small = load_study(study_file("pan_shi", None, "small"))
    assert small.train.loss == plain.train.loss
    assert small.random == plain.random
