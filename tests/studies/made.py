"""A tiny study of a simulated event."""

from __future__ import annotations

from typing import Any

from headscarp.studies.pan_shi.options import PanShiOptions

LEFT_M, TOP_M, SIZE_PX, SPACING_M = 580_000.0, 4_730_000.0, 224, 10.0
"""Generated ground of the simulator."""
MIDDLE_M, BOTTOM_M = LEFT_M + 96 * SPACING_M, TOP_M - SIZE_PX * SPACING_M


def twin(name: str = "twin", seed: int = 31, **more: Any) -> dict[str, Any]:
    """A simulated event: 3 x 7 chips of 32 px train, 4 x 7 judge."""
    right = LEFT_M + SIZE_PX * SPACING_M
    return {
        "name": name,
        "simulate": {"seed": seed, "size_px": SIZE_PX, "pre": 3, "post": 2, "landslides": 90},
        "training": [LEFT_M, BOTTOM_M, MIDDLE_M, TOP_M],
        "validation": [MIDDLE_M, BOTTOM_M, right, TOP_M],
    } | more


def tiny(**more: Any) -> PanShiOptions:
    """A study of one twin, one row, one seed."""
    values: dict[str, Any] = {
        "events": [twin()],
        "rows": [{"name": "Group 1"}],
        "seeds": [0],
        "filters": 8,
        "chip_px": 32,
        "train": {"epochs": 2, "batch_size": 8, "learning_rate": 2e-3},
        "blocks": {"method": "blocks", "block_m": 640.0, "buffer_m": 0.0},
        "detectors": [],
    }
    return PanShiOptions.model_validate(values | more)
