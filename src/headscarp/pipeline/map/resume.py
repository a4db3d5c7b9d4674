"""A map that goes on where it was killed: its scratch folder beside ``--out``, and the key that fits it.

The folder holds what was finished of each tile. Every file is written beside its name and moved there, the
tile's own last, so what has its name is whole. The key is a hash of all that decides what the files hold: the
options, the inputs by name, size and time of change, the detector's file by content, version and commit.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from headscarp.config import MapOptions
from headscarp.errors import HeadscarpError, OutputError
from headscarp.ingest.raster import read_sha256
from headscarp.pipeline.map.plan import Plan
from headscarp.run_folder import unwritable, write_atomically
from headscarp.validation import VALIDATION_JSON

try:
    import fcntl
except ImportError:  # Windows: two runs into one folder are not told apart there
    fcntl = None  # type: ignore[assignment]

KEY, LOCK, PART = "key", "lock", ".part"
TILE_GLOB = "tile_*.done"
Tell = Callable[[str], None]


def tell_nobody(text: str) -> None:
    """A sentence that nobody reads."""


@contextmanager
def scratch_folder(out: Path, key: str, tell: Tell = tell_nobody) -> Iterator[Path]:
    """Give the scratch folder of a run: as an interrupted run of the same key left it, else empty.

    It is removed when all went well, or when the input turned out to be bad; whatever else ends the run
    leaves it for the same command to go on from.

    Parameters
    ----------
    out : Path
        Run folder; the scratch folder stands beside it.
    key : str
        Of the run: :func:`run_key`. What a run of another key left is removed.
    tell : callable
        Told that the run goes on, or what was left for the next one.

    Raises
    ------
    OutputError
        If the place cannot be written, or another run is writing it.
    """
    place = out.resolve()
    folder = place.with_name(f".{place.name}.scratch")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise unwritable(out, error) from error
    with lock:
        _refuse_shared(lock, out)
        try:
            _begin(folder, key, tell)
            yield folder
        except HeadscarpError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except BaseException:
            tell(f"What was finished is kept in {folder}: the same command goes on from there.")
            raise
        shutil.rmtree(folder, ignore_errors=True)


def run_key(plan: Plan, facts: dict[str, Any]) -> str:
    """Hash of all that decides what a run's scratch files hold.

    Parameters
    ----------
    plan : Plan
        Its options and input files.
    facts : dict
        Further values, such as version and commit.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits.
    """
    files = [file.path for a in plan.assigned for file in a.scene.files]
    others = [path for path in (plan.options.terrain.dem, plan.options.area.aoi) if path is not None]
    told = {
        "options": plan.options.model_dump(mode="json"),
        "files": sorted({_told(path) for path in (*files, *others, *plan.options.rasters.values())}),
        "content": _content(plan.options),
        **facts,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays so that a file of that name is whole whenever the process ends."""
    beside = path.with_name(path.name + PART)
    with beside.open("wb") as file:
        np.savez(file, **arrays)
    beside.replace(path)


def write_array(path: Path, values: np.ndarray[Any, Any]) -> None:
    """The same for a single array."""
    beside = path.with_name(path.name + PART)
    with beside.open("wb") as file:
        np.save(file, values)
    beside.replace(path)


def _told(path: Path) -> tuple[str, int, int]:
    facts = path.stat()
    return str(path.resolve()), facts.st_size, facts.st_mtime_ns


def _content(options: MapOptions) -> list[str]:
    """Hashes of the small files that decide much: the checkpoint, the validation."""
    given: Iterable[Path | str | None] = (options.detect.detector, options.detect.validation)
    paths = [path / VALIDATION_JSON if path.is_dir() else path for path in given if isinstance(path, Path)]
    return [read_sha256(path) for path in paths]


def _begin(folder: Path, key: str, tell: Tell) -> None:
    """Keep what fits the key, remove all else."""
    known = folder / KEY
    if known.is_file() and known.read_text(encoding="utf-8") == key:
        for half in folder.glob(f"*{PART}"):
            _remove(half)
        for half in folder.glob(f".*{PART}"):
            _remove(half)
        done = sum(1 for _ in folder.glob(TILE_GLOB))
        if done:
            tell(f"Going on with a run that was interrupted: {done} tiles are there.")
        return
    stale = [path for path in folder.iterdir() if path.name != LOCK]
    if any(path.match(TILE_GLOB) for path in stale):
        tell(f"What an interrupted run with other options, inputs or version left in {folder} is removed.")
    for path in stale:
        _remove(path)
    write_atomically(known, key)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _refuse_shared(lock: Any, out: Path) -> None:
    """Refuse to write where another process does; the system lets go of the lock when that ends."""
    if fcntl is None:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OutputError(
            "an --out that no other run is writing",
            f"{out}, which another headscarp map is working on",
            "both would write the same files",
            "wait for it, stop it, or choose another folder",
        ) from error
