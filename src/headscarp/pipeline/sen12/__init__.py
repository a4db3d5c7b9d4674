"""Patches of Sen12Landslides to chips and splits, and simulated patches at their places.

What is named here is imported when it is asked for: stores need zarr, which the command line does without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headscarp.pipeline.sen12.check import check_patches
    from headscarp.pipeline.sen12.chips import make_patch_chips
    from headscarp.pipeline.sen12.options import PatchSimulateOptions
    from headscarp.pipeline.sen12.report import PatchReport, read_patch_report
    from headscarp.pipeline.sen12.simulate import PatchSimulation, simulate_patches
    from headscarp.pipeline.sen12.splits import blocked_folds, official_splits

__all__ = [
    "PatchReport",
    "PatchSimulateOptions",
    "PatchSimulation",
    "blocked_folds",
    "check_patches",
    "make_patch_chips",
    "official_splits",
    "read_patch_report",
    "simulate_patches",
]

_MODULES = {
    "PatchReport": "report",
    "PatchSimulateOptions": "options",
    "PatchSimulation": "simulate",
    "blocked_folds": "splits",
    "check_patches": "check",
    "make_patch_chips": "chips",
    "official_splits": "splits",
    "read_patch_report": "report",
    "simulate_patches": "simulate",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
