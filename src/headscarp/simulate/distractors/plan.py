r"""What changes backscatter and is no landslide, and the factor that it brings to each pass.

Floods, buildings, harvests and clear-cuts have outlines (:mod:`headscarp.simulate.distractors.changes`), laid
on the grid once; at their edges they mix in power,

.. math:: f = 1 + s (10^{d/10} - 1)

with :math:`d` the change in decibels and :math:`s` the share of the pixel that is covered. Wet snow and wet
soil (:mod:`headscarp.simulate.distractors.wetness`) follow from height and position. Factors of what overlaps
multiply.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from headscarp.simulate.distractors.changes import Change, Cover, plan_changes
from headscarp.simulate.distractors.timing import times_around
from headscarp.simulate.distractors.wetness import (
    Moisture,
    Snow,
    moisture_factor,
    plan_moisture,
    plan_snow,
    snow_factor,
)
from headscarp.simulate.fields import Field
from headscarp.simulate.ground import Float32, Ground
from headscarp.simulate.options import Distractor, SimulateOptions
from headscarp.simulate.zones import FULL


@dataclass(frozen=True)
class Distractors:
    """What changes and is no landslide.

    Attributes
    ----------
    drawn : tuple of Change
        With outlines to lay on the grid, disjoint, in the order of their numbers there (1 for the first).
    snow : tuple of Snow
    moisture : tuple of Moisture
    shape : tuple of (rows, columns)
        Of the grid.
    """

    drawn: tuple[Change, ...]
    snow: tuple[Snow, ...]
    moisture: tuple[Moisture, ...]
    shape: tuple[int, int]

    @property
    def outlines(self) -> list[shapely.Polygon | shapely.MultiPolygon]:
        """Those to lay on the grid, in order."""
        return [change.outline for change in self.drawn]

    @property
    def changes(self) -> tuple[Change, ...]:
        """All of them: the drawn, snow, moisture."""
        return (*self.drawn, *(s.change for s in self.snow), *(m.change for m in self.moisture))

    def frame(self, crs: Any) -> gpd.GeoDataFrame:
        """Table of every change, as ``distractors.gpkg`` holds it.

        Parameters
        ----------
        crs : CRS
            Of the grid.

        Returns
        -------
        GeoDataFrame
            ``id``, ``kind``, ``first_utc``, ``last_utc`` (ISO 8601; None where it stays), ``vv_db``,
            ``vh_db`` (where it is full), ``area_m2``, ``geometry``.
        """
        rows = self.changes
        columns: dict[str, Any] = {
            "id": np.arange(1, len(rows) + 1, dtype=np.int64),
            "kind": np.array([row.kind.value for row in rows], dtype=object),
            "first_utc": np.array([_iso(row.first_utc) for row in rows], dtype=object),
            "last_utc": np.array([_iso(row.last_utc) for row in rows], dtype=object),
            "vv_db": np.array([row.vv_db for row in rows], dtype=np.float64),
            "vh_db": np.array([row.vh_db for row in rows], dtype=np.float64),
            "area_m2": np.array([row.outline.area for row in rows], dtype=np.float64),
        }
        return gpd.GeoDataFrame(columns, geometry=[row.outline for row in rows], crs=crs)

    def factor(
        self,
        when: datetime,
        index: NDArray[np.int32],
        share: NDArray[np.uint8],
        height_m: Float32,
        cover: Cover,
        rows: slice,
        cols: slice,
    ) -> Field:
        """Factor that everything active brings to the power of a pass.

        Parameters
        ----------
        when : datetime
            Of the pass, with a time zone.
        index : int32 array of shape (rows, columns)
            Of the window: 1 + the number in ``drawn`` of what covers the pixel, 0 for nothing.
        share : uint8 array of shape (rows, columns)
            What it covers of the pixel, up to :data:`headscarp.simulate.zones.FULL`.
        height_m, cover : arrays of shape (rows, columns)
            Of the window; where heights are NaN, no snow lies.
        rows, cols : slice
            The window's place on the grid.

        Returns
        -------
        float32 array of shape (2, rows, columns)
            VV before VH; 1 where nothing changed.
        """
        out = np.ones((2, *index.shape), np.float32)
        active = self._is_active(when)
        if active.any():
            gain = np.where(active, self._powers, np.float32(1.0)) - np.float32(1.0)
            covered = share.astype(np.float32) / np.float32(FULL)
            for band in range(2):
                out[band] += covered * np.append(np.float32(0.0), gain[band])[index]
        for snow in self.snow:
            if snow.change.is_active(when):
                out *= snow_factor(snow, height_m, cover)
        for wet in self.moisture:
            if wet.change.is_active(when):
                out *= moisture_factor(wet, self.shape, cover, rows, cols)
        return out

    def _is_active(self, when: datetime) -> NDArray[np.bool_]:
        at = when.timestamp()
        return np.asarray((self._seconds[0] <= at) & (at <= self._seconds[1]))

    @cached_property
    def _seconds(self) -> NDArray[np.float64]:
        """Begin and end of the drawn changes, of shape (2, changes)."""
        ends = [math.inf if c.last_utc is None else c.last_utc.timestamp() for c in self.drawn]
        return np.array([[c.first_utc.timestamp() for c in self.drawn], ends])

    @cached_property
    def _powers(self) -> Field:
        """Factors of the drawn changes, of shape (2, changes)."""
        decibels = np.array([[c.vv_db for c in self.drawn], [c.vh_db for c in self.drawn]])
        return np.asarray(10.0 ** (decibels / 10.0), dtype=np.float32)


def plan_distractors(
    ground: Ground, cover: Cover, pass_times: Sequence[datetime], event: datetime, options: SimulateOptions
) -> Distractors:
    """Plan everything that changes and is no landslide, but what the options leave out.

    Parameters
    ----------
    ground : Ground
    cover : uint8 array of shape (rows, columns)
        Codes of :class:`headscarp.simulate.ground.LandCover`.
    pass_times : sequence of datetime
        Of all orbits, with time zones.
    event : datetime
        With a time zone.
    options : SimulateOptions
        Seed, trigger, and what to leave out; leaving one kind out changes no other.

    Raises
    ------
    EventError
        If a time has no zone.

    Notes
    -----
    How many of each there are is documented with the constants of
    :mod:`headscarp.simulate.distractors.changes` and :mod:`headscarp.simulate.distractors.wetness`. Each kind
    is present where its land cover is, snow and wet soil wherever heights are known; but scenes of a square
    kilometre or so may hold no place for one.
    """
    times = times_around(pass_times, event)
    drawn = plan_changes(ground, cover, times, options.trigger, options.seed)
    kept = tuple(change for change in drawn if change.kind not in options.without)
    snow = () if Distractor.WET_SNOW in options.without else plan_snow(ground, times, options.seed)
    wet = Distractor.SOIL_MOISTURE not in options.without
    moisture = plan_moisture(ground, times, options.trigger, options.seed) if wet else ()
    return Distractors(kept, snow, moisture, ground.shape)


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.astimezone(UTC).isoformat()
