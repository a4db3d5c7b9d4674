"""``overview.png``: what a simulated event looks like, to the eye and to the radar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from headscarp.geometry.terrain import hillshade
from headscarp.simulate.event import SimulatedEvent
from headscarp.simulate.fields import Field
from headscarp.simulate.ground import LandCover

OVERVIEW = "overview.png"
MAX_PX = 512
"""Side of the part, in the middle of the scenes, that is drawn."""
MAX_SCENES = 8
"""Scenes that a median is taken of."""
COLOURS = {
    LandCover.UNKNOWN: "#ffffff",
    LandCover.FOREST: "#4d8a57",
    LandCover.SHRUB_GRASS: "#b5c77a",
    LandCover.CROP: "#e6cf72",
    LandCover.ROCK: "#a39a8f",
    LandCover.WATER: "#4b8bc4",
    LandCover.BUILT: "#c4473d",
}
_VV_DB, _VH_DB, _RATIO_DB = (-14.0, -4.0), (-21.0, -11.0), (3.0, 11.0)
"""Ranges drawn in red, green and blue."""


def draw_event(folder: Path, event: SimulatedEvent) -> None:
    """Draw land cover, the median of an orbit's scenes before and after the event, and the change of NDVI."""
    figure = Figure(figsize=(10.0, 10.4), layout="constrained")
    axes = figure.subplots(2, 2)
    part = _middle(event.ground.shape)
    _draw_cover(axes[0, 0], event, part)
    for axis, is_post_event in ((axes[0, 1], False), (axes[1, 1], True)):
        _draw_median(axis, event, part, is_post_event)
    _draw_ndvi(axes[1, 0], event, part)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.savefig(folder / OVERVIEW, dpi=90)


def _middle(shape: tuple[int, int]) -> tuple[slice, slice]:
    spans = []
    for size in shape:
        length = min(size, MAX_PX)
        spans.append(slice((size - length) // 2, (size - length) // 2 + length))
    return spans[0], spans[1]


def _draw_median(axis: Axes, event: SimulatedEvent, part: tuple[slice, slice], is_post_event: bool) -> None:
    orbit = event.passes[0].orbit
    passes = [p for p in event.passes if p.orbit is orbit]
    shown = [p for p in passes if p.is_post_event is is_post_event][:MAX_SCENES]
    median = np.median(np.stack([event.observe(p, *part) for p in shown]), axis=0)
    axis.imshow(_false_colour(median), interpolation="nearest")
    side = "after" if is_post_event else "before"
    axis.set_title(f"Median of {len(shown)} {orbit.state.value} scenes {side}: VV, VH, VV/VH", fontsize=10)


def _draw_cover(axis: Axes, event: SimulatedEvent, part: tuple[slice, slice]) -> None:
    spacing = (event.ground.spacing_m, event.ground.spacing_m)
    shade = hillshade(event.ground.height_m[part], spacing) / 255.0
    palette = ListedColormap([COLOURS[cover] for cover in LandCover])
    axis.imshow(shade, cmap="gray", vmin=0.0, vmax=1.0)
    axis.imshow(event.cover[part], cmap=palette, vmin=-0.5, vmax=len(LandCover) - 0.5, alpha=0.55)
    _outline(axis, event.label[part], "black")
    axis.set_title(f"Land cover; {len(event.inventory)} landslides in black", fontsize=10)
    shown = [cover for cover in LandCover if (event.cover[part] == cover).any()]
    names = [cover.name.lower().replace("_", " or ") for cover in shown]
    handles = [Patch(color=COLOURS[cover], label=name) for cover, name in zip(shown, names, strict=True)]
    axis.legend(handles=handles, loc="lower left", fontsize=8, framealpha=0.9)


def _draw_ndvi(axis: Axes, event: SimulatedEvent, part: tuple[slice, slice]) -> None:
    change = event.ndvi_post[part] - event.ndvi_pre[part]
    image = axis.imshow(change, cmap="RdBu", vmin=-0.7, vmax=0.7, interpolation="nearest")
    inset = axis.inset_axes((0.03, 0.03, 0.35, 0.03))
    axis.figure.colorbar(image, cax=inset, orientation="horizontal", ticks=[-0.7, 0.0, 0.7])
    inset.xaxis.set_ticks_position("top")
    _outline(axis, event.label[part], "black")
    _outline(axis, (event.patches.share[part] > 0).astype(np.uint8), "#b8860b")
    axis.set_title("Change of NDVI; other changes outlined in ochre", fontsize=10)


def _outline(axis: Axes, mask: NDArray[np.uint8], colour: str) -> None:
    if mask.any() and not mask.all():
        axis.contour(mask, levels=[0.5], colors=colour, linewidths=0.7)


def _false_colour(scene: Field) -> NDArray[np.float32]:
    """VV, VH and their ratio as red, green and blue; white where nothing was observed."""
    db = 10.0 * np.log10(np.maximum(scene, 1e-6))
    bands = (db[0], db[1], db[0] - db[1])
    scaled = [
        np.clip((band - low) / (high - low), 0.0, 1.0)
        for band, (low, high) in zip(bands, (_VV_DB, _VH_DB, _RATIO_DB), strict=True)
    ]
    return np.asarray(np.nan_to_num(np.dstack(scaled), nan=1.0), dtype=np.float32)
