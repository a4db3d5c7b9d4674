"""Where the events and their areas lie, as the paper's Figure 6; drawn without tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from odc.geo.geobox import GeoBox

from headscarp.grid import WGS84, crs_wkt
from headscarp.ingest.inventory import read_inventory
from headscarp.studies.areas import ready_event
from headscarp.studies.drawing import BLUE, FAINT, GRID, INK, ORANGE, new_figure
from headscarp.studies.pan_shi.grounds import area_grid
from headscarp.studies.pan_shi.results import StudyResults

PANEL_IN, WORLD_WIDTH, LEGEND_IN = 4.2, 1.4, 0.6
WORLD_EAST, WORLD_NORTH = (-180, 180), (-60, 80)
COLOURS = {"training": ORANGE, "validation": BLUE}
BESIDE = 0.08
"""Room around the areas, in parts of their extent."""


@dataclass(frozen=True)
class Place:
    """An event on the globe.

    Attributes
    ----------
    name : str
    grids : dict of str to GeoBox
        Of its areas.
    landslides : GeoDataFrame
        In degrees.
    """

    name: str
    grids: dict[str, GeoBox]
    landslides: gpd.GeoDataFrame

    @property
    def outlines(self) -> dict[str, shapely.Polygon]:
        """Areas in degrees."""
        return {
            area: gpd.GeoSeries([shapely.box(*grid.boundingbox.bbox)], crs=crs_wkt(grid))
            .to_crs(WGS84)
            .iloc[0]
            for area, grid in self.grids.items()
        }


def read_places(results: StudyResults) -> list[Place]:
    """Places of the events that any cell is done of."""
    places = []
    for study in results.options.events:
        if not any(row.done for row in results.of_event(study.name)):
            continue
        event = ready_event(study, results.root)
        grids = {
            "training": area_grid(event, study, "training", results.root),
            "validation": area_grid(event, study, "validation", results.root),
        }
        within = shapely.union_all([shapely.box(*grid.boundingbox.bbox) for grid in grids.values()])
        wkt = crs_wkt(grids["training"])
        mapped = read_inventory(event.inventory, wkt, within, event.dates).landslides
        places.append(Place(study.name, grids, mapped.to_crs(WGS84)))
    return places


def draw_places(places: Sequence[Place]) -> Figure | None:
    """Draw the globe and each event; None without an event."""
    if not places:
        return None
    figure = new_figure(PANEL_IN * (WORLD_WIDTH + len(places)), PANEL_IN + LEGEND_IN)
    world, *panels = figure.subplots(1, 1 + len(places), width_ratios=(WORLD_WIDTH, *(1.0 for _ in places)))
    _world(world, places)
    for letter, (axes, place) in enumerate(zip(panels, places, strict=True), start=ord("b")):
        _place(axes, place, chr(letter))
    handles = panels[0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure


def _world(axes: Axes, places: Sequence[Place]) -> None:
    """Graticule and the middle of each event."""
    axes.set(xlim=WORLD_EAST, ylim=WORLD_NORTH, title="(a) locations", aspect="equal")
    axes.set_xticks(range(-180, 181, 60))
    axes.set_yticks(range(-60, 81, 20))
    axes.grid(color=GRID, linewidth=0.8)
    for number, place in enumerate(places):
        middle = shapely.union_all(list(place.outlines.values())).centroid
        axes.plot(middle.x, middle.y, "o", color=ORANGE, markersize=6)
        offset = (6, 6 + 12 * (number % 2))
        axes.annotate(place.name, (middle.x, middle.y), offset, textcoords="offset points", size=8, color=INK)
    _dress(axes)


def _place(axes: Axes, place: Place, letter: str) -> None:
    """Areas of an event, and its landslides."""
    place.landslides.plot(ax=axes, color=INK, edgecolor=INK, linewidth=0.2, aspect=None)
    for area, outline in place.outlines.items():
        axes.plot(*outline.exterior.xy, color=COLOURS[area], linewidth=1.6, label=area)
    left, bottom, right, top = shapely.total_bounds(list(place.outlines.values()))
    width, height = BESIDE * (right - left), BESIDE * (top - bottom)
    axes.set(xlim=(left - width, right + width), ylim=(bottom - height, top + height))
    axes.set_aspect(1.0 / np.cos(np.radians((bottom + top) / 2)))
    axes.set_title(f"({letter}) {place.name}: {len(place.landslides)} mapped landslides")
    axes.locator_params(nbins=4)
    axes.ticklabel_format(useOffset=False)
    _dress(axes)


def _dress(axes: Axes) -> None:
    axes.title.set(size=9, color=INK)
    axes.tick_params(labelsize=7, colors=INK)
    axes.set_xlabel("longitude, °", size=8, color=INK)
    axes.set_ylabel("latitude, °", size=8, color=INK)
    axes.spines[:].set(color=FAINT)
