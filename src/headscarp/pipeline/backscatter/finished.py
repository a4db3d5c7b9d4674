"""Passes that are finished: kept whole, and taken again where they would come out the same."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from headscarp import __version__
from headscarp.backscatter.options import BackscatterOptions
from headscarp.backscatter.record import AcquisitionRecord, read_backscatter_record
from headscarp.errors import OutputError
from headscarp.grid import crs_wkt
from headscarp.pipeline.backscatter.plan import Pass, Plan
from headscarp.pipeline.backscatter.write import files_of
from headscarp.run_folder import write_atomically

FINISHED = "finished"
"""Folder of finished passes among the work of a run that was stopped."""


def claim_of(one: Pass, plan: Plan, options: BackscatterOptions, block_px: int) -> str:
    """Hash of all that a pass's pixels follow from: another value of any of it, and they are made again.

    Files are told by name, size and time of change; the area by the grid that followed from it; an orbit
    file by its name.
    """
    files = [part.product.safe.path for part in one.slices] + [plan.ground.path]
    files += [options.geoid] if options.geoid is not None else []
    told = {
        "headscarp": __version__,
        "options": options.model_dump(mode="json", exclude={"products", "area", "orbit", "fetch_orbits"}),
        "products": [part.product.safe.name for part in one.slices],
        "orbits": [part.orbit.source for part in one.slices],
        "files": [(str(path), _stamp(path)) for path in files],
        "grid": [crs_wkt(plan.geobox), list(plan.geobox.transform)[:6], list(plan.geobox.shape)],
        "block_px": block_px,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def keep(folder: Path, done: AcquisitionRecord) -> None:
    """Declare a pass's files in a folder finished; what has no such note is not."""
    write_atomically(_note(folder, done.file), done.model_dump_json())


def find_kept(folder: Path, file: str, claim: str) -> AcquisitionRecord | None:
    """A pass that :func:`keep` declared finished, if it follows from the same."""
    try:
        done = AcquisitionRecord.model_validate_json(_note(folder, file).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
    return done if done.claim == claim and _whole(folder, file) else None


def find_written(out: Path, file: str, claim: str) -> AcquisitionRecord | None:
    """A pass in a folder that an earlier call wrote, if it follows from the same."""
    try:
        passes = read_backscatter_record(out).acquisitions
    except OutputError:
        return None
    same = [one for one in passes if one.file == file and one.claim == claim]
    return same[0] if same and _whole(out, file) else None


def bring(source: Path, target: Path, done: AcquisitionRecord) -> None:
    """Bring a pass's files into another folder: the same files under a second name, where the disk can."""
    for name in files_of(done.file):
        (target / name).parent.mkdir(exist_ok=True)
        try:
            (target / name).hardlink_to(source / name)
        except OSError:
            shutil.copy2(source / name, target / name)


def _whole(folder: Path, file: str) -> bool:
    return all((folder / name).is_file() for name in files_of(file))


def _note(folder: Path, file: str) -> Path:
    return (folder / file).with_suffix(".json")


def _stamp(path: Path) -> list[Any]:
    """Size and time of change of a file, or of every file of a folder."""
    inside = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    return [(item.name, item.stat().st_size, item.stat().st_mtime_ns) for item in inside]
