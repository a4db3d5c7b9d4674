"""``headscarp sen12`` as people type it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from pyproj import Transformer
from typer.testing import CliRunner

import headscarp.cli.sen12  # noqa: F401  (it registers the commands)
from headscarp.cli.app import app
from headscarp.errors import HeadscarpError
from headscarp.split import SplitFile, read_split
from tests.sen12.made import EPSG

COMMAND = "import headscarp.cli.sen12; from headscarp.cli import main; main()"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sen12", *map(str, arguments)])


@pytest.fixture(scope="module")
def task(made_splits: list[SplitFile], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task folder of the made places, as the release writes it."""
    folder = tmp_path_factory.mktemp("task") / "harmonized"
    to_lonlat = Transformer.from_crs(EPSG, "EPSG:4326", always_xy=True)
    names = {"train": "train", "validation": "val", "test": "test"}
    for split in made_splits:
        series = split.chips[0].series
        members: dict[str, list[dict[str, object]]] = {"train": [], "val": [], "test": []}
        features = []
        for chip in split.chips:
            part = names[chip.split]
            members[part].append({"id": chip.id, "pixel_annotated": 144, "inventory": "hokkaido"})
            left, bottom, _, _ = chip.bounds
            lon, lat = to_lonlat.transform(left + 640, bottom + 640)
            known = {"patch_id": chip.id, "split": part, "lon": lon, "lat": lat, "crs_original": EPSG}
            features.append({"type": "Feature", "properties": known})
        aligned = "_aligned" if series == "aligned" else ""
        own = folder if aligned else folder / series
        own.mkdir(parents=True, exist_ok=True)
        (own / f"splits{aligned}.json").write_text(json.dumps(members))
        locations = {"type": "FeatureCollection", "features": features}
        (own / f"patch_locations{aligned}.geojson").write_text(json.dumps(locations))
    return folder


def test_chips_and_splits_end_with_tables(made_root: Path, task: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(made_root, tmp_path / "data_harmonized"))
    (root / "s1asc" / "hokkaido_s1asc_1.nc").write_bytes(b"corrupt")
    checked = run("check", root, "--task", task)
    assert checked.exit_code == 0, checked.output
    assert "s1asc (harmonized): 5 of 6 usable" in checked.output
    assert "left out hokkaido_1" in checked.output
    assert "s1dsc (harmonized): 6 of 6 usable" in checked.output
    out = tmp_path / "g.zarr"
    few = run("chips", root, "--task", task, "--out", out, "--folds", 2)
    assert "at least 3 folds" in str(few.exception)
    small = run("chips", root, "--task", task, "--out", out, "--folds", 5)
    assert "blocks" in str(small.exception)  # six patches are not ground enough


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("check", "nowhere"), "no such folder"),
        (("check", "ROOT", "--release", "raw", "--event-date", "6.9.2018"), "ISO 8601"),
        (("chips", "ROOT", "--out", "a.zarr"), "--task"),
        (("chips", "ROOT", "--task", "TASK"), "--out"),
        (("chips", "ROOT", "--task", "TASK", "--out", "OUT", "--features", "nothing"), "a feature set"),
        (("chips", "ROOT", "--task", "nowhere", "--out", "OUT"), "splits.json"),
        (("simulate", "--out", "OUT"), "--task"),
        (("simulate", "--task", "TASK", "--out", "OUT", "--inventory", "noto"), "noto"),
        (("simulate", "--task", "TASK", "--out", "OUT", "--dim-order", "x y"), "time y x"),
        (("simulate", "--task", "TASK", "--out", "OUT", "--event-date", "2199-01-01"), "past"),
    ],
)
def test_bad_input_ends_with_code_2(
    made_root: Path, task: Path, tmp_path: Path, arguments: tuple[str, ...], fragment: str
) -> None:
    places = {"ROOT": str(made_root), "TASK": str(task), "OUT": str(tmp_path / "out.zarr")}
    done = run(*[places.get(word, word) for word in arguments])
    assert isinstance(done.exception, HeadscarpError) or done.exit_code == 2
    assert fragment in f"{done.exception} {done.output}"
    assert list(tmp_path.iterdir()) == []


def test_errors_are_told_in_four_parts() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "sen12", "check", "nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()[-4:]] == [
        "expected",
        "given",
        "why",
        "do",
    ]


def test_splits_stand_beside_the_store(
    task: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    made_root: Path,
) -> None:
    """In one process, with blocks as small as the made ground."""
    from headscarp.cli.sen12 import chips_command
    from headscarp.pipeline.sen12 import splits

    monkeypatch.setattr(splits.blocked_folds, "__defaults__", (5, 1280.0, 0.0, 0))
    chips_command(made_root, task, tmp_path / "g.zarr", "group1", folds=3)
    told = capsys.readouterr().out
    assert "s1asc, s1dsc (harmonized): 6 of 6 chips" in told
    names = ["official_s1asc", "official_s1dsc", "official_aligned", "blocked_0", "blocked_1", "blocked_2"]
    for name in names:
        assert name in told
        assert read_split(tmp_path / f"g.{name}.json").chips
