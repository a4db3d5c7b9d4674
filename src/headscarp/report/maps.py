"""The map of the page: its layers, one picture or an overview with a picture an island."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headscarp.record import RunRecord
from headscarp.report.extents import Extent, find_islands, observed_extent
from headscarp.report.layers import (
    Ramp,
    change_ramp,
    change_span,
    count_ramp,
    hillshade_ramp,
    observable_ramp,
    paint,
    probability_ramp,
)
from headscarp.report.overlay import (
    Frame,
    Landslide,
    Outline,
    ScaleBar,
    corner_positions,
    draw_landslides,
    frame_extent,
    scale_bar,
)
from headscarp.report.rasters import (
    Band,
    MapGrid,
    fused_band,
    read_grid,
    read_max,
    read_mean,
    read_observed,
    read_post_counts,
    read_view,
)
from headscarp.run_folder import block_cache

_PICTURES_BYTES = 3_000_000
"""All pictures of the map together; the page stays below about 4 MB."""
_SIDES_PX = ((1200, 800, 460), (960, 640, 380), (720, 480, 300), (480, 320, 200))
"""Longer side of the only picture, of the overview and of an island, from fine to coarse."""
_SIDE_UNITS, _TALL_UNITS, _ISLAND_UNITS = 1060.0, 640.0, 520.0
"""Longer side of a map, of a narrow overview and of an island on the page, in CSS pixels."""
_LETTERS = "ABCDEF"


@dataclass(frozen=True)
class Layer:
    """A layer a reader can switch to."""

    key: str
    name: str
    ramp: Ramp


@dataclass(frozen=True)
class Picture:
    """One layer over one extent."""

    layer: str
    uri: str


@dataclass(frozen=True)
class Box:
    """An island, outlined on the overview."""

    letter: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Panel:
    """One map: a stack of pictures under one overlay."""

    title: str
    frame: Frame
    base: str | None
    """Hillshade; none without a DEM."""
    pictures: list[Picture]
    outlines: list[Outline]
    boxes: list[Box]
    bar: ScaleBar
    corners: list[tuple[str, float, float]]
    has_excluded: bool

    @property
    def picture_bytes(self) -> int:
        """Size of its pictures on the page."""
        return len(self.base or "") + sum(len(picture.uri) for picture in self.pictures)


@dataclass(frozen=True)
class MapView:
    """All that the page's map section draws."""

    layers: list[Layer]
    panels: list[Panel]
    islands: int

    @property
    def has_excluded(self) -> bool:
        """Whether any ground was observed and excluded."""
        return any(panel.has_excluded for panel in self.panels)

    @property
    def drawn(self) -> int:
        """Number of landslides drawn."""
        return len({line.number for panel in self.panels for line in panel.outlines})


def choose_layers(record: RunRecord) -> list[Layer]:
    """List the layers of a run's map, the first one shown first.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    list[Layer]
        Probability, change per polarisation, observations, and with a DEM what the orbits can see.
    """
    threshold = record.detector.threshold
    changes = [
        Layer(
            f"change-{pol.lower()}",
            f"Change {pol}",
            change_ramp(pol, change_span(record.histograms.get(pol))),
        )
        for pol in record.polarizations
    ]
    highest = sum(len(orbit.post_utc) for orbit in record.orbits)
    view = [Layer("observable", "What the orbits can see", observable_ramp())] if has_view(record) else []
    return [
        Layer("probability", "Probability", probability_ramp(threshold)),
        *changes,
        Layer("observations", "Observations after the event", count_ramp(highest)),
        *view,
    ]


def has_view(record: RunRecord) -> bool:
    """Tell whether the run worked out what the orbits can see."""
    return record.terrain is not None and record.terrain.incidence_deg is not None


def _read_changes(folder: Path, record: RunRecord, extent: Extent, step: int) -> list[Band]:
    unknown = np.full(extent.shape(step), np.nan, np.float32)
    read = (read_mean(folder / "change.tif", fused_band(pol), extent, step) for pol in record.polarizations)
    return [unknown if change is None else change for change in read]


def _read_excluded(folder: Path, probability: Band, extent: Extent, step: int) -> NDArray[np.bool_]:
    """Read where the terrain left no chance: slope too gentle, or water."""
    path = folder / "terrain.tif"
    code = read_mean(path, "exclusion", extent, step) if path.exists() else None
    if code is None:
        return np.zeros(probability.shape, np.bool_)
    return np.asarray((code > 0.5) & (probability == 0))


def _read_pictures(
    folder: Path, record: RunRecord, layers: list[Layer], extent: Extent, step: int
) -> tuple[list[Picture], bool]:
    """Paint every layer; also return whether ground was excluded."""
    probability = read_max(folder / "probability.tif", extent, step)
    changes = _read_changes(folder, record, extent, step)
    counts = read_post_counts(folder / "observations.tif", extent, step)
    excluded = _read_excluded(folder, probability, extent, step)
    painted = [paint(probability, layers[0].ramp, np.isnan(probability), excluded)]
    painted += [
        paint(change, layer.ramp, np.isnan(change))
        for change, layer in zip(changes, layers[1 : 1 + len(changes)], strict=True)
    ]
    painted.append(paint(counts, layers[1 + len(changes)].ramp, counts == 0))
    if has_view(record):
        painted.append(paint(read_view(folder / "observable.tif", extent, step), layers[-1].ramp))
    pictures = [Picture(layer.key, uri) for layer, uri in zip(layers, painted, strict=True)]
    return pictures, bool(excluded.any())


def _read_base(folder: Path, extent: Extent, step: int) -> str | None:
    path = folder / "terrain.tif"
    hillshade = read_mean(path, "hillshade", extent, step) if path.exists() else None
    return None if hillshade is None else paint(hillshade, hillshade_ramp())


def _box(letter: str, island: Extent, frame: Frame) -> Box:
    across = frame.width / frame.extent.width
    down = frame.height / frame.extent.height
    return Box(
        letter,
        round((island.col - frame.extent.col) * across, 1),
        round((island.row - frame.extent.row) * down, 1),
        round(island.width * across, 1),
        round(island.height * down, 1),
    )


def _read_panel(
    folder: Path,
    record: RunRecord,
    layers: list[Layer],
    title: str,
    frame: Frame,
    longest_px: int,
    landslides: Sequence[Landslide],
    boxes: list[Box],
) -> Panel:
    step = frame.extent.steps(longest_px)
    pictures, has_excluded = _read_pictures(folder, record, layers, frame.extent, step)
    return Panel(
        title=title,
        frame=frame,
        base=_read_base(folder, frame.extent, step),
        pictures=pictures,
        outlines=draw_landslides(landslides, frame),
        boxes=boxes,
        bar=scale_bar(frame),
        corners=corner_positions(frame),
        has_excluded=has_excluded,
    )


def _read_view(
    folder: Path,
    record: RunRecord,
    grid: MapGrid,
    extents: tuple[Extent, list[Extent]],
    sides_px: tuple[int, int, int],
    landslides: Sequence[Landslide],
) -> MapView:
    whole, islands = extents
    layers = choose_layers(record)
    frame = frame_extent(grid, whole, _SIDE_UNITS)
    if not islands:
        panel = _read_panel(folder, record, layers, "Map", frame, sides_px[0], landslides, [])
        return MapView(layers, [panel], 0)
    frame = frame_extent(grid, whole, _SIDE_UNITS if frame.width > _ISLAND_UNITS else _TALL_UNITS)
    boxes = [_box(letter, island, frame) for letter, island in zip(_LETTERS, islands, strict=False)]
    panels = [_read_panel(folder, record, layers, "Overview", frame, sides_px[1], [], boxes)]
    panels += [
        _read_panel(
            folder,
            record,
            layers,
            f"Area {box.letter}",
            frame_extent(grid, island, _ISLAND_UNITS),
            sides_px[2],
            landslides,
            [],
        )
        for box, island in zip(boxes, islands, strict=True)
    ]
    return MapView(layers, panels, len(islands))


def read_map(folder: Path, record: RunRecord, landslides: Sequence[Landslide]) -> MapView:
    """Read the rasters of a run into the map of its page.

    The picture is cropped to the observed ground. It is as fine as fits the page's size: at most
    1200 pixels along its longer side, fewer where the ground is so rough that the pictures grow
    too large.

    Parameters
    ----------
    folder : Path
        The run folder.
    record : RunRecord
        The run.
    landslides : Sequence[Landslide]
        Those to outline, the most important first.

    Returns
    -------
    MapView
        One panel, or an overview and a panel an island where islands lie far apart.
    """
    with block_cache():
        grid = read_grid(folder / "probability.tif")
        observed = read_observed(folder, record.polarizations)
        extents = (observed_extent(observed, grid.shape), find_islands(observed, grid.shape))
        for sides_px in _SIDES_PX:
            view = _read_view(folder, record, grid, extents, sides_px, landslides)
            if sum(panel.picture_bytes for panel in view.panels) <= _PICTURES_BYTES:
                break
    return view
