"""The options of the study, read and held against what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headscarp.config import load
from headscarp.errors import OptionsError
from headscarp.studies.pan_shi.options import PanShiOptions


def load_study(path: Path, overrides: dict[str, Any] | None = None) -> PanShiOptions:
    """Read the options of a study; see :func:`headscarp.config.load`.

    Raises
    ------
    OptionsError
        If the file cannot be read, an option is wrong, or it names no event or no row.
    """
    options = load(PanShiOptions, path, overrides)
    lacking = [name for name in ("events", "rows") if not getattr(options, name)]
    if lacking:
        raise OptionsError(
            "a study with events and rows",
            f"{path} without {' and '.join(lacking)}",
            "there would be no cell to do",
            "start from --preset small or --preset paper (docs/pan_shi.md)",
        )
    return options
