"""A simulated event, whole: its ground, its truth, and every pass over it, computed where it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.event import Event, EventOptions
from headscarp.grid import lonlat_centre
from headscarp.ingest.stack import ReadPart, lazy_stack
from headscarp.scene import Stack
from headscarp.simulate.distractors.plan import Distractors, plan_distractors
from headscarp.simulate.fields import Field, generator
from headscarp.simulate.ground import Ground
from headscarp.simulate.land.landcover import land_cover
from headscarp.simulate.land.site import MARGIN_PX, make_site
from headscarp.simulate.land.terrain import survey
from headscarp.simulate.landslides.outlines import Landslide
from headscarp.simulate.landslides.plan import landslide_outlines, merge, plan_landslides
from headscarp.simulate.landslides.shapes import Shapes, read_shapes
from headscarp.simulate.landslides.trigger import landslide_count
from headscarp.simulate.ndvi import ndvi_after, ndvi_before
from headscarp.simulate.options import SimulateOptions
from headscarp.simulate.radar import radiometry, sensor, weather
from headscarp.simulate.radar.look import Look, Slides, look_at
from headscarp.simulate.radar.passes import Pass, all_passes, footprint_cols, window_days
from headscarp.simulate.radar.speckle import default_looks, speckle
from headscarp.simulate.safe.overpass import Overpass, read_overpass
from headscarp.simulate.zones import Zones, label_of, rasterise
from headscarp.vocabulary import OrbitState, Polarization

POLARIZATIONS: tuple[Polarization, Polarization] = ("VV", "VH")
KEPT_BITS = 12
"""Bits of the fraction that backscatter keeps: steps of 0.001 dB, a hundredth of speckle's least spread."""

Step = Callable[[str], None]


@dataclass(frozen=True)
class SimulatedEvent:
    """An event whose every fact is known.

    Attributes
    ----------
    options : SimulateOptions
    ground : Ground
    cover : uint8 array of shape (rows, columns)
        Land cover before the event.
    shapes : Shapes
        Landslides as drawn or read, before overlapping ones are united, and how many found no room.
    inventory : GeoDataFrame
        The truth: landslides after uniting, in the grid's CRS.
    slides : Slides
        Landslides on the grid.
    distractors : Distractors
        What changed and is no landslide.
    patches : Zones
        Their outlines on the grid.
    passes : list of Pass
        All acquisitions, orbit by orbit.
    looks : dict of OrbitState to Look
        What each orbit sees.
    overpass : Overpass or None
        The real product that place, orbit and dates are taken from.
    """

    options: SimulateOptions
    ground: Ground
    cover: NDArray[np.uint8]
    shapes: Shapes
    inventory: gpd.GeoDataFrame
    slides: Slides
    distractors: Distractors
    patches: Zones
    passes: list[Pass]
    looks: dict[OrbitState, Look]
    overpass: Overpass | None = None

    @property
    def landslides(self) -> list[Landslide]:
        """Landslides before overlapping ones are united."""
        return self.shapes.landslides

    @property
    def geobox(self) -> GeoBox:
        """Grid of the scenes and of all rasters but the heights."""
        return self.ground.geobox

    @cached_property
    def label(self) -> NDArray[np.uint8]:
        """1 where the middle of a pixel lies in a landslide, else 0."""
        return label_of(self.inventory, self.geobox)

    @cached_property
    def ndvi_pre(self) -> Field:
        """NDVI at the last pass before the event."""
        when = max(p.acquired for p in self.passes if not p.is_post_event)
        return ndvi_before(self.options.seed, self.ground, self.cover, when, self.distractors, self.patches)

    @cached_property
    def ndvi_post(self) -> Field:
        """NDVI at the last pass after the event."""
        when = max(p.acquired for p in self.passes)
        return ndvi_after(
            self.options.seed,
            self.ground,
            self.cover,
            when,
            self.slides.zones,
            self.distractors,
            self.patches,
        )

    @property
    def event_options(self) -> EventOptions:
        """Day of the event, and windows that hold every pass."""
        windows = [window_days(self.passes, after) for after in (False, True)]
        return EventOptions(date=self.options.date, pre=windows[0], post=windows[1])

    @property
    def stacks(self) -> dict[str, Stack]:
        """Backscatter by orbit label, in the schema of :mod:`headscarp.scene`; computed where it is read."""
        orbits = [look.orbit for look in self.looks.values()]
        return {orbit.label: self._stack([p for p in self.passes if p.orbit is orbit]) for orbit in orbits}

    def observe(self, acquisition: Pass, rows: slice, cols: slice) -> Field:
        """Backscatter of a part of a scene.

        Parameters
        ----------
        acquisition : Pass
        rows, cols : slice
            The part; its numbers do not depend on how the whole is cut.

        Returns
        -------
        float32 array of shape (2, rows, columns)
            Linear power, VV before VH; NaN where nothing is observed.
        """
        scene = self._mean(acquisition, rows, cols)
        scene *= self._date_factor(acquisition, rows, cols)
        looks = self.options.looks or default_looks(self.ground.spacing_m)
        for band, pol in enumerate(POLARIZATIONS):
            names = ("speckle", acquisition.name, pol)
            scene[band] *= speckle(self.options.seed, names, rows, cols, self.ground.spacing_m, looks)
        noise = self.looks[acquisition.orbit.state].noise[rows, cols]
        scene = sensor.subtract_noise(scene, noise)
        seen = footprint_cols(self.ground.shape[1], acquisition.orbit)
        scene[..., : max(seen.start - cols.start, 0)] = np.nan
        return _rounded(scene)

    def unspeckled(self, acquisition: Pass, rows: slice, cols: slice) -> Field:
        """Backscatter of a part of a scene without speckle and thermal noise; shape as of :meth:`observe`."""
        noise = self.looks[acquisition.orbit.state].noise[rows, cols]
        scene = np.maximum(self._mean(acquisition, rows, cols) - noise, np.float32(0.0))
        return np.asarray(scene * self._date_factor(acquisition, rows, cols), dtype=np.float32)

    def _mean(self, acquisition: Pass, rows: slice, cols: slice) -> Field:
        """Mean of a part, shifted by the scene's error of geolocation."""
        look = self.looks[acquisition.orbit.state]
        mean = look.after if acquisition.is_post_event else look.before
        if self.options.jitter_m == 0.0:
            return mean[:, rows, cols].copy()
        rng = generator(self.options.seed, "jitter", acquisition.name)
        shift_px = rng.standard_normal(2) * self.options.jitter_m / self.ground.spacing_m
        return _shifted(mean, rows, cols, shift_px)

    def _date_factor(self, acquisition: Pass, rows: slice, cols: slice) -> Field:
        cover, (_, latitude_deg) = self.cover[rows, cols], lonlat_centre(self.geobox)
        factor = weather.date_factor(
            self.options.seed,
            acquisition.name,
            acquisition.acquired,
            latitude_deg,
            cover,
            rows,
            cols,
            self.ground.spacing_m,
        )
        return factor * self.distractors.factor(
            acquisition.acquired,
            self.patches.index[rows, cols],
            self.patches.share[rows, cols],
            self.ground.height_m[rows, cols],
            cover,
            rows,
            cols,
        )

    def _stack(self, passes: list[Pass]) -> Stack:
        orbit = passes[0].orbit

        def reader(band: int) -> ReadPart:
            return lambda number, rows, cols: self.observe(passes[number], rows, cols)[band]

        return lazy_stack(
            [p.acquired for p in passes],
            self.geobox,
            {pol: reader(band) for band, pol in enumerate(POLARIZATIONS)},
            {
                "orbit_state": orbit.state.value,
                "relative_orbit": orbit.relative_orbit,
                "label": orbit.label,
            },
        )


def simulate_event(options: SimulateOptions | None = None, step: Step = lambda _: None) -> SimulatedEvent:
    """Simulate an event: ground, landslides, what else changes, and two orbits that look at it.

    Scenes are not computed here but where they are read: see :meth:`SimulatedEvent.observe` and
    :attr:`SimulatedEvent.stacks`.

    Parameters
    ----------
    options : SimulateOptions, optional
    step : callable, optional
        Told what is being made.

    Raises
    ------
    HeadscarpError
        If the day, the DEM or the shapes cannot be used.
    """
    options = options or SimulateOptions()
    event_time = Event.from_options(EventOptions(date=options.date)).time_utc
    step("terrain")
    overpass = read_overpass(options)
    site = make_site(options, overpass.geobox if overpass else None)
    ground = survey(site.wide_height_m, site.geobox, MARGIN_PX)
    step("land cover")
    cover = land_cover(ground, options.seed)
    step("landslides")
    shapes = _shapes(ground, cover, options)
    zones = rasterise(landslide_outlines(shapes.landslides), ground.geobox)
    slides = Slides(zones, radiometry.debris_offsets_db(len(shapes.landslides), options.seed))
    step("other changes")
    dates = (options.date, options.pre, options.post)
    passes = overpass.passes(*dates) if overpass else all_passes(ground.geobox, *dates)
    times = sorted(p.acquired for p in passes)
    distractors = plan_distractors(ground, cover, times, event_time + timedelta(hours=12), options)
    patches = rasterise(distractors.outlines, ground.geobox)
    looks = {}
    for orbit in dict.fromkeys(p.orbit for p in passes):
        step(f"{orbit.state.value} look")
        looks[orbit.state] = look_at(ground, cover, slides, orbit, options.product, options.seed)
    inventory = merge(shapes.landslides, ground, options)
    return SimulatedEvent(
        options, ground, cover, shapes, inventory, slides, distractors, patches, passes, looks, overpass
    )


def _shapes(ground: Ground, cover: NDArray[np.uint8], options: SimulateOptions) -> Shapes:
    """Landslides as read, or as drawn."""
    if options.shapes is not None:
        return read_shapes(options.shapes, ground)
    drawn = plan_landslides(ground, cover, options)
    asked = options.landslides
    asked = landslide_count(ground, options.trigger) if asked is None else asked
    return Shapes(drawn, (0.0, 0.0), asked - len(drawn))


def _shifted(mean: Field, rows: slice, cols: slice, shift_px: NDArray[np.float64]) -> Field:
    """Part of an image, moved by a fraction of pixels, bilinearly; its edge pixels are repeated."""
    down, right = (float(np.floor(part)) for part in shift_px)
    weights = (np.float32(shift_px[0] - down), np.float32(shift_px[1] - right))
    row, col = np.arange(rows.start, rows.stop) + int(down), np.arange(cols.start, cols.stop) + int(right)
    corners = [
        mean[:, np.clip(row + i, 0, mean.shape[1] - 1)[:, None], np.clip(col + j, 0, mean.shape[2] - 1)]
        for i in (0, 1)
        for j in (0, 1)
    ]
    one = np.float32(1.0)
    upper = (one - weights[1]) * corners[0] + weights[1] * corners[1]
    lower = (one - weights[1]) * corners[2] + weights[1] * corners[3]
    return np.ascontiguousarray((one - weights[0]) * upper + weights[0] * lower)


def _rounded(values: Field) -> Field:
    """Values with ``KEPT_BITS`` bits of fraction, which compress to half; NaN stays."""
    dropped = np.finfo(np.float32).nmant - KEPT_BITS
    bits = np.ascontiguousarray(values).view(np.uint32)
    half, mask = np.uint32(1 << (dropped - 1)), np.uint32((0xFFFFFFFF >> dropped) << dropped)
    return np.where(np.isnan(values), values, ((bits + half) & mask).view(np.float32))
