"""The folder of a sensitivity: begun, taken up again, or refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from headscarp import __version__
from headscarp.config import SensitivityOptions
from headscarp.errors import OutputError
from headscarp.ingest.raster import read_sha256
from headscarp.pipeline.map.plan import Plan
from headscarp.pipeline.provenance import source_commit
from headscarp.vocabulary import Role

STARTED = "started.json"
"""What the rounds in a folder stand on: they are taken up again only for the same."""
UNTOUCHED, ROUNDS = "untouched", "rounds"
SCRATCH = ".round."
"""Prefix of the folder of the round that is under way."""


def key_of(options: SensitivityOptions, plan: Plan) -> dict[str, Any]:
    """What the counts of a round follow from; the number of rounds is none of it."""
    values = options.model_dump(mode="json")
    del values["sensitivity"]["rounds"]
    used = {
        file.path
        for assigned in plan.assigned
        if assigned.role is not Role.REJECTED
        for file in assigned.scene.files
    }
    lines = sorted(f"{path.name} {read_sha256(path)}" for path in used)
    scenes = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return {"headscarp": __version__, "commit": source_commit(), "inputs_sha256": scenes, "options": values}


def prepare_folder(out: Path, key: dict[str, Any], overwrite: bool) -> bool:
    """Make the folder, or take it up again; tell whether it is begun anew.

    Raises
    ------
    OutputError
        If the place is taken by something else, or cannot be written.
    """
    started, text = out / STARTED, json.dumps(key, indent=2, sort_keys=True) + "\n"
    taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if taken and started.is_file() and started.read_text(encoding="utf-8") == text:
        for stale in out.glob(f"{SCRATCH}*"):
            shutil.rmtree(stale, ignore_errors=True)
        return False
    if taken and not (overwrite and started.is_file()):
        raise _taken(out, started.is_file())
    if taken:
        shutil.rmtree(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        started.write_text(text, encoding="utf-8")
    except OSError as error:
        with suppress(OSError):
            out.rmdir()
        raise OutputError(
            "an --out in a folder that can be written",
            f"{out} ({error.strerror})",
            "finished rounds could not be kept",
            "choose another folder, or change its permissions",
        ) from error
    return True


def _taken(out: Path, other: bool) -> OutputError:
    return OutputError(
        "an --out that is new, empty, or holds a sensitivity of the same options, scenes and version",
        f"{out}, which holds " + ("one of others" if other else f"something without {STARTED}"),
        "rounds of different settings would be added up, or what stands there lost",
        "pass --overwrite to begin anew" if other else "choose another folder",
    )
