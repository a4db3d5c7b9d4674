"""A ground with every land cover, whose every number follows from a formula."""

from __future__ import annotations

import numpy as np

from headscarp.simulate.ground import Ground
from tests.simulate.grounds import ground_of


def mountains(size_px: int = 300, spacing_m: float = 10.0) -> Ground:
    """A wide valley whose sides steepen from 10 to 55 degrees, a river in its floor."""
    margin = 2
    y, x = np.mgrid[-margin : size_px + margin, -margin : size_px + margin] * spacing_m
    away = np.maximum(np.abs(x - size_px * spacing_m / 2) - 400.0, 0.0)
    span = size_px * spacing_m / 2 - 400.0
    gentle, steep = np.tan(np.deg2rad((10.0, 55.0)))
    rise = gentle + (steep - gentle) * away / (2 * span)
    height = 100.0 + away * rise - 0.01 * y
    inner = (slice(margin, -margin), slice(margin, -margin))
    river = np.abs(x - size_px * spacing_m / 2) < spacing_m / 2
    catchment = np.where(river, 64e6, 1e3)
    return ground_of(height, spacing_m, margin, catchment[inner], (away * rise)[inner])
