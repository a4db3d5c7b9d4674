"""Which orbits can see the ground of a map: from the DEM and nominal orbit geometry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.features.terrain import TerrainOptions
from headscarp.geometry.incidence import grid_look_azimuth_deg, visibility_index
from headscarp.geometry.observable import Observable, observable
from headscarp.geometry.visibility import Spacings, reach_px
from headscarp.grid import Tile, expand, spacing_m
from headscarp.ingest.dem import read_height, read_relief
from headscarp.vocabulary import OrbitState


@dataclass(frozen=True)
class View:
    """Nominal looks over a map, taken once, so that tiles share their lines of sight.

    Attributes
    ----------
    dem : Path
    looks_deg : dict of OrbitState to float
        Look azimuth of each orbit state, clockwise from the grid's north.
    incidence_deg : float
    halo_px : int
        Ground to read around a tile: as far as layover and shadow reach.
    """

    dem: Path
    looks_deg: dict[OrbitState, float]
    incidence_deg: float
    halo_px: int

    def of_tile(self, tile: Tile, margin_px: int = 0) -> NDArray[np.uint8]:
        """Code of each pixel of a tile and its margin: :class:`headscarp.geometry.observable.Observable`."""
        wide = expand(tile.geobox, self.halo_px + margin_px)
        looks = (self.looks_deg[OrbitState.ASCENDING], self.looks_deg[OrbitState.DESCENDING])
        code = observable(read_height(self.dem, wide), spacing_m(wide), *looks, self.incidence_deg)
        inner = (slice(self.halo_px, -self.halo_px), slice(self.halo_px, -self.halo_px))
        return code[inner]

    def index(
        self, state: OrbitState, height_m: NDArray[np.float32], spacing: Spacings
    ) -> NDArray[np.float32]:
        """R-index of an orbit state: :func:`headscarp.geometry.incidence.visibility_index`."""
        return visibility_index(height_m, spacing, self.looks_deg[state], self.incidence_deg)


def sees(state: OrbitState, code: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where an orbit state sees the ground, from codes of :class:`View`; not where that is not known."""
    bit = Observable.ASCENDING if state is OrbitState.ASCENDING else Observable.DESCENDING
    return np.asarray((code != Observable.UNKNOWN) & (code & bit > 0))


def plan_view(options: TerrainOptions, geobox: GeoBox) -> View | None:
    """Decide the looks over a map and how far they reach; none without a DEM.

    Parameters
    ----------
    options : TerrainOptions
        DEM and incidence angle.
    geobox : GeoBox
        Grid of the map.
    """
    if options.dem is None:
        return None
    looks = {state: grid_look_azimuth_deg(geobox, state) for state in OrbitState}
    relief_m = read_relief(options.dem, geobox)
    reach = reach_px(relief_m, spacing_m(geobox), options.incidence_deg)
    return View(options.dem, looks, options.incidence_deg, reach)
