"""The central structure: what a scene is, and the schema of a backscatter stack.

A *scene* is one acquisition: one pass over the ground, mosaicked from its files. A *stack* is an
``xarray.Dataset`` of the scenes of one relative orbit:

- dimensions ``(time, y, x)``; ``time`` is UTC, rising, without repetition;
- a variable for each polarisation ("VV", "VH"), float32 linear power, NaN where not observed,
  ``units`` "1";
- the coordinate ``spatial_ref`` with the CRS; equal grids across stacks;
- attributes ``orbit_state``, ``relative_orbit`` (0: not known) and ``label``.

Ascending and descending stacks meet only after the change features.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from headscarp.errors import SceneError
from headscarp.vocabulary import POLARIZATIONS, BackscatterScale, OrbitState, Polarization

Stack = xr.Dataset
"""A Dataset that obeys the schema above."""


@dataclass(frozen=True)
class SceneFile:
    """One file of one acquisition, with every fact that the mapping needs and where it came from.

    Attributes
    ----------
    path : Path
    reader : str
        Name of the reader that recognised it.
    acquired : datetime
        UTC; midnight where only the day is known.
    day_only : bool
        Whether the time of day is not known.
    orbit_state, orbit_state_source : OrbitState, str
        Direction of the pass, and how it was found.
    relative_orbit, relative_orbit_source : int or None, str
        1 to 175, and how it was found.
    bands : dict of Polarization to int
        Band number (from 1) of each polarisation.
    scale, scale_source : BackscatterScale, str
        How values are stored, and how that is known.
    geobox : GeoBox
        The file's own grid.
    nodata : float or None
        Declared nodata value.
    platform : str or None
        "S1A", "S1B"…
    processed : datetime or None
        When the product was made, UTC.
    burst : str or None
        Burst identifier, for products by burst.
    """

    path: Path
    reader: str
    acquired: datetime
    day_only: bool
    orbit_state: OrbitState
    orbit_state_source: str
    relative_orbit: int | None
    relative_orbit_source: str
    bands: dict[Polarization, int]
    scale: BackscatterScale
    scale_source: str
    geobox: GeoBox
    nodata: float | None = None
    platform: str | None = None
    processed: datetime | None = None
    burst: str | None = None

    @property
    def orbit_label(self) -> str:
        """Such as "ascending 137", or "ascending" where the relative orbit is not known."""
        return orbit_label(self.orbit_state, self.relative_orbit)


@dataclass(frozen=True)
class Scene:
    """One acquisition: the files of one pass, in the order in which they fill the ground."""

    files: tuple[SceneFile, ...]

    @property
    def acquired(self) -> datetime:
        """Moment of the first file, UTC."""
        return self.files[0].acquired

    @property
    def day_only(self) -> bool:
        """Whether the time of day is not known."""
        return self.files[0].day_only

    @property
    def orbit_label(self) -> str:
        """Such as "ascending 137"."""
        return self.files[0].orbit_label

    @property
    def polarizations(self) -> tuple[Polarization, ...]:
        """Polarisations of any of its files, in the order of the vocabulary."""
        return in_order({pol for file in self.files for pol in file.bands})


def orbit_label(orbit_state: OrbitState, relative_orbit: int | None) -> str:
    """Name of an orbit: its direction and, where known, its number."""
    return f"{orbit_state.value} {relative_orbit}" if relative_orbit else orbit_state.value


def in_order(polarizations: set[Polarization]) -> tuple[Polarization, ...]:
    """Sort polarisations as the vocabulary does: VV, VH, HH, HV."""
    return tuple(pol for pol in POLARIZATIONS if pol in polarizations)


def polarizations_of(stack: Stack) -> tuple[Polarization, ...]:
    """Polarisations that a stack holds."""
    return tuple(pol for pol in POLARIZATIONS if pol in stack.data_vars)


def check_stack(stack: Stack) -> None:
    """Hold a stack against the schema.

    Raises
    ------
    SceneError
        Where the stack breaks it.
    """
    problems = _problems(stack)
    if problems:
        raise SceneError(
            "a stack as headscarp.scene describes it",
            "; ".join(problems),
            "the change would be computed from the wrong numbers",
            "build stacks with headscarp.open_stacks, or mend these points",
        )


def _problems(stack: Stack) -> list[str]:
    found = []
    if not polarizations_of(stack):
        found.append(f"no polarisation among {sorted(map(str, stack.data_vars))}")
    found += [
        f"{pol} has dimensions {stack[pol].dims}, not (time, y, x)"
        for pol in polarizations_of(stack)
        if stack[pol].dims != ("time", "y", "x")
    ]
    if "time" not in stack.coords or not np.issubdtype(stack["time"].dtype, np.datetime64):
        return [*found, "no UTC times along time"]
    if not stack.indexes["time"].is_monotonic_increasing or stack.indexes["time"].has_duplicates:
        found.append("times that do not rise")
    if stack.attrs.get("orbit_state") not in set(OrbitState):
        found.append(f"orbit_state {stack.attrs.get('orbit_state')!r}")
    return found
