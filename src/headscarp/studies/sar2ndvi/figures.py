"""Pictures of the study: the paper's Figure 2 for each window, and errors against the window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from matplotlib.figure import Figure
from numpy.typing import NDArray

from headscarp.studies.cells import CellRecord
from headscarp.studies.drawing import BLUE, FAINT, GRID, INK, ORANGE, bare, new_figure, write_png
from headscarp.studies.sar2ndvi.options import Sar2NdviOptions
from headscarp.studies.sar2ndvi.tables import COLUMNS, figures_of_row, is_network, read_published
from headscarp.studies.sar2ndvi.work import NDVI_TIF

MOST_PX = 700
"""Side of a panel at most, pixels of the raster."""
LARGEST_ERROR = 0.3
Band = NDArray[np.float32]


def write_figures(folder: Path, cells: Path, options: Sar2NdviOptions, records: Sequence[CellRecord]) -> None:
    """Write ``figure_2_ROW.png`` for the first seed of every row, and ``windows.png``.

    Parameters
    ----------
    folder : Path
        Of the pictures.
    cells : Path
        Folder of the cells' folders.
    options : Sar2NdviOptions
    records : sequence of CellRecord
    """
    first = min(options.seeds)
    for record in records:
        if is_network(record) and record.values["seed"] == first:
            figure = draw_figure_2(cells / record.name / NDVI_TIF, record)
            write_png(folder / f"figure_2_{record.name.rsplit('-', 1)[0]}.png", figure)
    if any(is_network(record) for record in records):
        write_png(folder / "windows.png", draw_windows(options, records))


def draw_figure_2(path: Path, record: CellRecord) -> Figure:
    """Reference NDVI, predicted NDVI and the absolute error of a run, as the paper's Figure 2."""
    with rasterio.open(path) as raster:
        step = max(1, -(-max(raster.shape) // MOST_PX))
        shape = (2, raster.height // step, raster.width // step)
        predicted, error = raster.read(out_shape=shape, resampling=rasterio.enums.Resampling.nearest)
    figure = new_figure(10.5, 3.9)
    panels = figure.subplots(1, 3)
    titles = ("reference", "predicted", "absolute error")
    for axes, title, values in zip(
        panels, titles, (predicted - error, predicted, np.abs(error)), strict=True
    ):
        is_error = title == titles[-1]
        image = bare(axes).imshow(
            values,
            cmap="magma" if is_error else "RdYlGn",
            vmin=0 if is_error else -0.2,
            vmax=LARGEST_ERROR if is_error else 0.9,
            interpolation="nearest",
        )
        axes.set_title(title, size=10, color=INK)
        figure.colorbar(image, ax=axes, shrink=0.75, extend="max" if is_error else "both")
    rmse, name = record.figures["rmse"], record.values["row"]
    label = f"window {name}" if str(name).isdigit() else name
    figure.suptitle(f"NDVI, {label}, seed {record.values['seed']}: RMSE {rmse:.4f}", size=10, color=INK)
    return figure


def draw_windows(options: Sar2NdviOptions, records: Sequence[CellRecord]) -> Figure:
    """Each figure of Table 1 against the window: every seed, the mean, and the published values."""
    published = read_published().rows
    figure = new_figure(10.0, 5.6)
    for axes, (name, (title, _)) in zip(np.ravel(figure.subplots(2, 2)), COLUMNS.items(), strict=True):
        means = []
        for window in options.windows:
            values = [one[name] for one in figures_of_row(records, str(window)) if one[name] is not None]
            axes.plot([window] * len(values), values, "o", color=BLUE, markersize=3.5, alpha=0.6)
            means.append(np.mean(values) if values else np.nan)
        axes.plot(options.windows, means, "-", color=BLUE, label="ours: seeds and their mean")
        printed = [published[window][name] for window in options.windows if window in published]
        at = [window for window in options.windows if window in published]
        axes.plot(at, printed, "--s", color=ORANGE, markersize=3.5, label="published, other ground")
        axes.set_title(title, size=10, color=INK)
        axes.set_xlabel("window, pixels", size=9, color=INK)
        axes.set_xticks(options.windows)
        axes.tick_params(labelsize=8, colors=INK)
        axes.grid(color=GRID, linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
    figure.axes[0].legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure
