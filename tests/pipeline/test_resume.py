"""A map that is killed goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import headscarp as hs
from headscarp.errors import HeadscarpError, OutputError
from headscarp.pipeline.map.plan import make_plan
from headscarp.pipeline.map.resume import run_key, scratch_folder, write_array, write_arrays
from tests.pipeline.conftest import EVENT_DATE, SIZE_PX, SmallEvent, scene_path
from tests.predict.made import make_checkpoint

RASTERS = ("probability.tif", "score.tif", "change.tif", "observations.tif")
TILES = 4
DRIVER = """
import os, signal, sys, threading
from pathlib import Path
from headscarp.cli import main
from headscarp.grid import tiles
from headscarp.pipeline.map import narrate, run, tiles as walk

os.cpu_count = lambda: 1
for module in (walk, narrate):
    module.tiles = lambda geobox: tiles(geobox, {side})
log, place, count = Path(sys.argv.pop(1)), sys.argv.pop(1), int(sys.argv.pop(1))
lock, seen = threading.Lock(), dict(read=0, score=0, write=0)

def told(name, function):
    def call(*arguments, **more):
        with lock:
            if name == place and seen[name] == count:
                os.kill(os.getpid(), signal.SIGKILL)
            seen[name] += 1
            log.write_text(" ".join(str(value) for value in seen.values()))
        return function(*arguments, **more)
    return call

walk.observe = told("read", walk.observe)
run.write_report = told("write", run.write_report)
if any(word.endswith(".safetensors") for word in sys.argv):
    import torch
    from headscarp.predict import network
    torch.set_num_threads(1)
    network.BLOCKS_PX = ({side},)
    network.FittedNetwork.score_inside = told("score", network.FittedNetwork.score_inside)
main()
"""


def headscarp(folder: Path, arguments: list[object], place: str = "", count: int = -1) -> tuple[int, str]:
    """Run the command in a process that kills itself before one of its steps; its code and what it said."""
    driver = folder / "driver.py"
    driver.write_text(DRIVER.replace("{side}", str(SIZE_PX // 2)))
    command = [sys.executable, str(driver), str(folder / "log"), place, str(count), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return done.returncode, " ".join(done.stderr.split())


def counts(folder: Path) -> list[int]:
    """Tiles read, blocks scored and reports begun by the last process."""
    return [int(word) for word in (folder / "log").read_text().split()]


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def assert_same_rasters(run: Path, other: Path) -> None:
    for name in RASTERS:
        assert (run / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.slow
def test_a_killed_map_of_a_network_reads_and_scores_nothing_twice(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    checkpoint = make_checkpoint(tmp_path, task={"mean": (0.0, 0.0), "std": (1.0, 1.0)})
    arguments = ["map", small_event.scenes, "--event-date", EVENT_DATE, "--detector", checkpoint]
    code, _ = headscarp(tmp_path, [*arguments, "--out", "whole"])
    assert (code, counts(tmp_path)) == (0, [TILES, 2 * TILES, 1])
    killed = [*arguments, "--out", "killed"]
    code, _ = headscarp(tmp_path, killed, "read", 2)
    assert (code, hidden(tmp_path)) == (-signal.SIGKILL, [".killed.scratch"])
    assert not (tmp_path / "killed").exists()
    code, told = headscarp(tmp_path, killed, "score", 3)
    assert (code, counts(tmp_path)) == (-signal.SIGKILL, [TILES - 2, 3, 0])
    assert "Going on with a run that was interrupted: 2 tiles are there." in told
    code, told = headscarp(tmp_path, killed, "write", 0)
    assert (code, counts(tmp_path)) == (-signal.SIGKILL, [0, 2 * TILES - 3, 0])
    assert "interrupted: 4 tiles are there." in told
    code, _ = headscarp(tmp_path, killed)
    assert (code, counts(tmp_path), hidden(tmp_path)) == (0, [0, 0, 1], [])
    assert_same_rasters(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_map_of_a_detector_that_learns_ends_the_same(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    for step in range(-8, 3):
        scene_path(small_event.scenes, "DSC", step).unlink()
    arguments = ["map", small_event.scenes, "--event-date", EVENT_DATE, "--detector", "t-test"]
    assert headscarp(tmp_path, [*arguments, "--out", "whole"])[0] == 0
    assert headscarp(tmp_path, [*arguments, "--out", "killed"], "read", 3)[0] == -signal.SIGKILL
    code, told = headscarp(tmp_path, [*arguments, "--out", "killed"])
    assert (code, counts(tmp_path), hidden(tmp_path)) == (0, [TILES - 3, 0, 1], [])
    assert "3 tiles are there" in told
    assert_same_rasters(tmp_path / "killed", tmp_path / "whole")
    whole, killed = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("whole", "killed"))
    for part in ("detector", "pseudo_event", "passes", "histograms", "results", "notes"):
        assert killed[part] == whole[part]


# the folder


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"key", "lock"}


def begin(out: Path, key: str, names: tuple[str, ...], told: list[str]) -> set[str]:
    """What a run that is interrupted finds; it leaves files of the names."""
    with pytest.raises(RuntimeError), scratch_folder(out, key, told.append) as folder:
        found = left(folder)
        for name in names:
            (folder / name).touch()
        raise RuntimeError
    return found


def test_the_same_key_goes_on_with_whole_files_only(tmp_path: Path) -> None:
    told: list[str] = []
    names = ("tile_0_0.done", "tile_0_0.npz", "tile_0_64.npz.part", ".run.abc.part")
    assert begin(tmp_path / "run", "a", names, told) == set()
    assert begin(tmp_path / "run", "a", (), told) == {"tile_0_0.done", "tile_0_0.npz"}
    assert "the same command goes on from there" in told[0]
    assert told[1] == "Going on with a run that was interrupted: 1 tiles are there."


def test_another_key_begins_anew_and_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    begin(tmp_path / "run", "a", ("tile_0_0.done", "tile_0_0.npz"), told)
    (tmp_path / ".run.scratch" / ".run.abc.part").mkdir()
    assert begin(tmp_path / "run", "b", (), told) == set()
    assert "with other options, inputs or version" in told[1]
    assert begin(tmp_path / "run", "b", (), told) == set()


def test_nothing_is_left_of_a_run_that_ended(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "run", "a") as folder:
        (folder / "tile_0_0.done").touch()
        assert folder == tmp_path / ".run.scratch"
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_a_run_on_bad_input(tmp_path: Path) -> None:
    with pytest.raises(HeadscarpError, match="wanted"), scratch_folder(tmp_path / "run", "a"):
        raise HeadscarpError("wanted", "given", "why", "fix")
    assert not list(tmp_path.iterdir())


def test_an_interrupt_keeps_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch_folder(tmp_path / "run", "a") as folder:
        (folder / "tile_0_0.done").touch()
        raise KeyboardInterrupt
    assert left(tmp_path / ".run.scratch") == {"tile_0_0.done"}


def test_two_runs_into_one_folder_are_refused(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "run", "a") as folder:
        (folder / "tile_0_0.done").touch()
        with (
            pytest.raises(OutputError, match="no other run is writing"),
            scratch_folder(tmp_path / "run", "b"),
        ):
            pytest.fail("the work began")
        assert left(folder) == {"tile_0_0.done"}


def test_arrays_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_arrays(tmp_path / "a.npz", {"x": np.arange(3)})
    write_array(tmp_path / "b.npy", np.arange(3))

    def half(file: object, *_: object, **__: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", half)
    monkeypatch.setattr(np, "save", half)
    for path, write in ((tmp_path / "a.npz", write_arrays), (tmp_path / "b.npy", write_array)):
        with pytest.raises(OSError, match="disk full"):
            write(path, {"x": np.zeros(9)})  # type: ignore[operator]
    with np.load(tmp_path / "a.npz") as stored:
        assert stored["x"].tolist() == [0, 1, 2]
    assert np.load(tmp_path / "b.npy").tolist() == [0, 1, 2]


# the key


def test_the_key_hangs_on_options_inputs_weights_and_version(small_event: SmallEvent, tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path)

    def key(version: str = "1", **more: object) -> str:
        wanted = {
            "scenes": [small_event.scenes], "event.date": EVENT_DATE, "terrain.dem": small_event.dem,
            "detect.detector": checkpoint,
        }  # fmt: skip
        return run_key(make_plan(hs.load_options(None, wanted | more)), {"version": version})

    first = key()
    assert first == key()
    keys = [first, key(version="2"), key(**{"polygons.threshold": 0.6}), key(**{"detect.detector": "fusion"})]
    scene = scene_path(small_event.scenes, "ASC", -1)
    os.utime(scene, ns=(1, 1))
    keys.append(key())
    os.utime(small_event.dem, ns=(1, 1))
    keys.append(key())
    make_checkpoint(tmp_path, threshold=0.6)
    keys.append(key())
    assert len(set(keys)) == len(keys)
    assert all(len(own) == 64 for own in keys)
