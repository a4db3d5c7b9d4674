"""What a study is made of, kept in its folder: another study in the same folder is refused, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from headscarp.errors import OutputError
from headscarp.run_folder import write_atomically

KEY_JSON = "key.json"
SHOWN = 6
"""So many differences are named."""


def claim_study(folder: Path, key: Mapping[str, Any]) -> None:
    """Claim a folder for a study, or go on with the one that stands there.

    Names that are new, such as those of a further row or event, are added; a name that stands there with
    another value is refused, since cells of two studies would stand in one table.

    Parameters
    ----------
    folder : Path
    key : mapping of str to JSON values
        Everything that decides about the cells, by dotted name.

    Raises
    ------
    OutputError
        If the folder holds another study, or something else.
    """
    path = folder / KEY_JSON
    _refuse_foreign(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{KEY_JSON}.lock"):
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        apart = [
            f"{name}: {_short(before[name])} there, {_short(value)} here"
            for name, value in key.items()
            if name in before and before[name] != value
        ]
        if apart:
            raise _other_study(folder, apart)
        write_atomically(path, json.dumps(before | dict(key), indent=2, sort_keys=True) + "\n")


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and (_is_empty(folder) or (folder / KEY_JSON).is_file())):
        raise OutputError(
            "an --out that is new, empty, or holds a study",
            f"{folder}, which holds something without {KEY_JSON}",
            "what stands there would be mixed with the study's files",
            "choose another folder",
        )


def _is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing but the lock of a study that begins at this moment."""
    return all(path.name == f".{KEY_JSON}.lock" for path in folder.iterdir())


def _other_study(folder: Path, apart: list[str]) -> OutputError:
    more = f"; and {len(apart) - SHOWN} more" if len(apart) > SHOWN else ""
    return OutputError(
        "an --out that is new, or holds the study of the same options",
        f"{folder}, whose study differs in {'; '.join(apart[:SHOWN])}{more}",
        "cells of two studies would stand in one table",
        "choose another folder, or give a row, event or detector that differs another name",
    )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
