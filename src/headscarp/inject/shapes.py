"""Outlines to plant, in metres around their own centroid: rough slides, or those of an inventory.

Whatever their source, they are turned by a random angle and have exactly the area that is asked for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from headscarp.errors import GridError
from headscarp.evaluate.frequency_area import draw_inverse_gamma
from headscarp.grid import WGS84
from headscarp.ingest.inventory import read_inventory
from headscarp.inject.options import HECTARE_M2, PlantOptions
from headscarp.simulate import fields
from headscarp.simulate.landslides.outlines import draw_forms, draw_outlines
from headscarp.simulate.landslides.runout import STEPS, Paths
from headscarp.simulate.options import Trigger

FloatArray = NDArray[np.float64]
Geometries = NDArray[np.object_]

_SEMI_MAJOR_M, _ECCENTRICITY2 = 6_378_137.0, 0.00669437999014
"""Of the ellipsoid WGS 84."""


def draw_areas_m2(options: PlantOptions) -> FloatArray:
    """Areas of the landslides, m²: equal numbers of each given size, or drawn from the inverse gamma.

    Where the number is no multiple of the sizes, the first ones have one more.

    Returns
    -------
    float64 array of shape (landslides,)

    Examples
    --------
    >>> draw_areas_m2(PlantOptions(landslides=5, sizes_ha=(0.3, 1.0))).tolist()
    [3000.0, 3000.0, 3000.0, 10000.0, 10000.0]
    """
    if options.sizes_ha:
        sizes = np.asarray(options.sizes_ha) * HECTARE_M2
        return np.sort(np.resize(sizes, options.landslides))
    rng = fields.generator(options.seed, "planted areas")
    smallest, largest = options.min_area_m2, options.max_area_m2
    return draw_inverse_gamma(options.landslides, rng, smallest_m2=smallest, largest_m2=largest)


def draw_shapes(areas_m2: FloatArray, seed: int, inventory: Geometries | None = None) -> Geometries:
    """Draw outlines of given areas, turned at random, around their centroids.

    Parameters
    ----------
    areas_m2 : float64 array of shape (n,)
    seed : int
    inventory : array of polygons, optional
        In metres, as :func:`read_shapes` gives them: each outline is one of these, drawn with replacement.
        None: rough slides (:func:`headscarp.simulate.landslides.outlines.draw_outlines`) along straight
        paths, about 2.2 times as long as wide.

    Returns
    -------
    array of polygons of shape (n,)
        In metres, the centroid at (0, 0).
    """
    if not len(areas_m2):
        return np.empty(0, dtype=object)
    rng = fields.generator(seed, "planted shapes")
    if inventory is None:
        unscaled = _rough(areas_m2, seed)
    else:
        unscaled = inventory[rng.integers(len(inventory), size=len(areas_m2))]
    angles = rng.uniform(0.0, 2.0 * np.pi, len(areas_m2))
    out = np.empty(len(areas_m2), dtype=object)
    out[:] = [_turned(*each) for each in zip(unscaled, angles.tolist(), areas_m2.tolist(), strict=True)]
    return out


def read_shapes(path: Path) -> Geometries:
    """Read the outlines of an inventory, in metres, each around its own place.

    Of an outline of several parts the largest is taken. Places are flattened on the ellipsoid at the
    outline's own middle, so that its form does not depend on where on Earth it was mapped.

    Parameters
    ----------
    path : Path
        Vector file, or folder of them, in any CRS.

    Raises
    ------
    GridError
        If the inventory cannot be read or holds no polygon.
    """
    mapped = read_inventory([path], WGS84).landslides.geometry.to_numpy()
    outlines = [_flat(_largest_part(outline)) for outline in mapped]
    sound = [outline for outline in outlines if shapely.is_valid(outline) and shapely.area(outline) > 0]
    if not sound:
        raise GridError(
            "an inventory with outlines of landslides",
            f"{path}, without a polygon",
            "there is no form to plant",
            "give another --shapes, or leave it out: rough slides are drawn then",
        )
    out = np.empty(len(sound), dtype=object)
    out[:] = sound
    return out


def _rough(areas_m2: FloatArray, seed: int) -> Geometries:
    """Slides along straight paths to the east."""
    forms = draw_forms(areas_m2, Trigger.EARTHQUAKE, seed)
    step_m = forms.length_m / STEPS
    east_m = step_m[:, None] * np.arange(STEPS + 1)
    steps = np.full(len(areas_m2), STEPS, dtype=np.int64)
    return draw_outlines(forms, Paths(east_m, np.zeros_like(east_m), steps, step_m), 0.0, 0.0).outline


def _turned(outline: shapely.Geometry, angle: float, area_m2: float) -> shapely.Geometry:
    """Outline of an area, turned, its centroid at (0, 0)."""
    centre = shapely.get_coordinates(shapely.centroid(outline))
    scale = np.sqrt(area_m2 / shapely.area(outline))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return shapely.transform(outline, lambda places: (places - centre) @ turn.T)


def _largest_part(outline: shapely.Geometry) -> shapely.Geometry:
    parts = shapely.get_parts(outline)
    largest: shapely.Geometry = parts[int(np.argmax(shapely.area(parts)))]
    return largest


def _flat(outline: shapely.Geometry) -> shapely.Geometry:
    """Outline in degrees as metres to the east and north of its centroid."""
    centre = shapely.get_coordinates(shapely.centroid(outline))
    latitude = np.deg2rad(centre[0, 1])
    bend = 1.0 - _ECCENTRICITY2 * np.sin(latitude) ** 2
    east = np.cos(latitude) * _SEMI_MAJOR_M / np.sqrt(bend)
    north = _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY2) / bend**1.5
    return shapely.transform(outline, lambda places: np.deg2rad(places - centre) * [east, north])
