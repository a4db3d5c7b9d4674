"""Kinds of land over which figures are told apart, tile by tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headscarp.evaluate.strata import (
    FACINGS,
    SLOPE_NAMES,
    UNKNOWN,
    Stratum,
    code_stratum,
    facing_stratum,
    slope_stratum,
)
from headscarp.geometry.incidence import grid_look_azimuth_deg
from headscarp.geometry.terrain import HALO_PX, aspect_deg, slope_deg
from headscarp.grid import Tile, expand, spacing_m
from headscarp.ingest.categories import read_class_names, read_codes
from headscarp.ingest.dem import read_height
from headscarp.pipeline.evaluate.ground import Ground
from headscarp.pipeline.evaluate.label import LabelFacts
from headscarp.vocabulary import OrbitState

EVENT, REGION, SLOPE, LANDCOVER = "event", "region", "slope", "land_cover"
FACING = "facing_"
"""Prefix of the strata of facing, one an orbit state."""


@dataclass(frozen=True)
class Land:
    """Strata of one ground; their classes are those of all grounds.

    Attributes
    ----------
    ground : Ground
    classes : mapping of str to tuple of str
        Names of the classes of each stratum, over all grounds.
    codes : mapping of int to str
        Names of the codes of land cover, over all grounds.
    """

    ground: Ground
    classes: Mapping[str, tuple[str, ...]]
    codes: Mapping[int, str]

    def strata(self, tile: Tile) -> dict[str, Stratum]:
        """Strata of a tile; −1 where this ground does not know the class."""
        known = self._terrain(tile)
        for name, value in ((EVENT, self.ground.options.event), (REGION, self.ground.options.region)):
            if value in self.classes.get(name, ()):
                image = np.full(tile.shape, self.classes[name].index(value), dtype=np.int16)
                known[name] = Stratum(self.classes[name], image)
        if self.ground.options.landcover is not None:
            known[LANDCOVER] = code_stratum(
                read_codes(self.ground.options.landcover, tile.geobox), self.codes
            )
        unknown = np.full(tile.shape, UNKNOWN, dtype=np.int16)
        return {name: known.get(name, Stratum(names, unknown)) for name, names in self.classes.items()}

    def _terrain(self, tile: Tile) -> dict[str, Stratum]:
        dem = self.ground.options.dem
        if dem is None:
            return {}
        halo = expand(tile.geobox, HALO_PX)
        inner = (slice(HALO_PX, -HALO_PX), slice(HALO_PX, -HALO_PX))
        height, spacing = read_height(dem, halo), spacing_m(halo)
        slope, aspect = slope_deg(height, spacing)[inner], aspect_deg(height, spacing)[inner]
        return {SLOPE: slope_stratum(slope)} | {
            FACING + state: facing_stratum(slope, aspect, grid_look_azimuth_deg(self.ground.geobox, state))
            for state in self.ground.orbit_states
        }


def survey(grounds: Sequence[Ground], facts: Sequence[LabelFacts]) -> list[Land]:
    """Find the strata and classes that any of the grounds knows."""
    classes: dict[str, tuple[str, ...]] = {}
    for name, values in (
        (EVENT, [ground.options.event for ground in grounds]),
        (REGION, [ground.options.region for ground in grounds]),
    ):
        named = tuple(dict.fromkeys(value for value in values if value))
        if named:
            classes[name] = named
    with_dem = [ground for ground in grounds if ground.options.dem is not None]
    if with_dem:
        classes[SLOPE] = SLOPE_NAMES
        states: list[OrbitState] = sorted({state for ground in with_dem for state in ground.orbit_states})
        classes |= {FACING + state: FACINGS for state in states}
    codes = _land_cover(grounds, facts)
    if codes:
        classes[LANDCOVER] = tuple(codes.values())
    return [Land(ground, classes, codes) for ground in grounds]


def _land_cover(grounds: Sequence[Ground], facts: Sequence[LabelFacts]) -> dict[int, str]:
    """Names of all codes that occur; a code that no raster names is called by its number."""
    named: dict[int, str] = {}
    for ground in grounds:
        if ground.options.landcover is not None:
            named |= read_class_names(ground.options.landcover)
    occurring = sorted({code for each in facts for code in each.classes})
    return {code: named.get(code, f"class {code}") for code in occurring}
