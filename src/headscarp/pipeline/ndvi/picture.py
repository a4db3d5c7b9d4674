"""``ndvi.png``: the map and its uncertainty, side by side."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

PICTURE = "ndvi.png"
PICTURE_PX = 900
"""Side of a panel, at most; larger maps are thinned before."""
_LOW, _HIGH = -0.2, 0.9
"""NDVI of water and of dense forest."""


def draw_ndvi(folder: Path, ndvi: NDArray[np.float32], std: NDArray[np.float32], title: str) -> None:
    """Draw NDVI and its standard deviation; white where nothing was observed.

    Parameters
    ----------
    folder : Path
    ndvi, std : ndarray, shape (y, x)
    title : str
    """
    figure = Figure(figsize=(11.0, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _panel(left, ndvi, "YlGn", (_LOW, _HIGH), title)
    highest = float(np.nanmax(std)) if np.isfinite(std).any() else 1.0
    _panel(right, std, "magma_r", (0.0, highest), "One standard deviation")
    content = BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    (folder / PICTURE).write_bytes(content.getvalue())


def _panel(
    axes: Axes, values: NDArray[np.float32], colours: str, limits: tuple[float, float], title: str
) -> None:
    image = axes.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=10)
    axes.figure.colorbar(image, ax=axes, shrink=0.8)
