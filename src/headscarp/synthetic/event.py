"""A small simulated event: Sentinel-1 scenes, a height model and the true landslides.

A stand-in. It knows neither layover nor shadow, nor how backscatter changes with the look angle,
beyond one decibel of residual terrain modulation; it exists so that the demonstration and the
tests run without a download. A full simulator replaces it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio import Affine

from headscarp.errors import OptionsError, OutputError
from headscarp.synthetic import backscatter
from headscarp.synthetic.ground import landslides, relief_m, survey
from headscarp.vocabulary import OrbitState

EVENT_DATE = date(2024, 6, 15)
CRS = "EPSG:32654"
WEST_M, NORTH_M = 580_000.0, 4_730_000.0
"""Upper left corner, near 142° E, 42.7° N."""

REPEAT = timedelta(days=12)
DEM_MARGIN_PX = 10
DEM_NODATA_M = -9999.0
LEAST_SIZE_PX = 64


class Orbit(NamedTuple):
    """One relative orbit, as it passes over the event's region."""

    state: OrbitState
    relative_orbit: int
    last_pre_event: datetime
    look_azimuth_deg: float
    footprint_from: float
    """Share of the columns, counted from the west, that the swath misses."""

    def acquisitions(self, pre: int, post: int) -> list[datetime]:
        """Return the times of `pre` passes before the event and `post` after it, oldest first."""
        return [self.last_pre_event + REPEAT * step for step in range(1 - pre, post + 1)]

    def scene_name(self, acquired: datetime) -> str:
        """Return the file name, such as ``S1A_20240609T083218_ASC_R068.tif``."""
        state = "ASC" if self.state is OrbitState.ASCENDING else "DSC"
        return f"S1A_{acquired:%Y%m%dT%H%M%S}_{state}_R{self.relative_orbit:03d}.tif"


def _utc(day: date, hour: int, minute: int, second: int) -> datetime:
    return datetime.combine(day, time(hour, minute, second), UTC)


ASCENDING = Orbit(OrbitState.ASCENDING, 68, _utc(date(2024, 6, 9), 8, 32, 18), 78.0, 0.0)
"""Near 18 h local solar time."""

DESCENDING = Orbit(OrbitState.DESCENDING, 46, _utc(date(2024, 6, 7), 20, 32, 5), 282.0, 0.15)
"""Near 6 h local solar time: 22 orbits, a day and a half, before the ascending pass."""


def write_demo_event(
    folder: Path,
    seed: int = 7,
    size_px: int = 384,
    spacing_m: float = 20.0,
    pre: int = 8,
    post: int = 3,
) -> Path:
    """Write scenes of two orbits, a height model and the true landslides.

    ``scenes/*.tif`` hold gamma0 in linear power, bands VV and VH; ``dem.tif`` heights in metres on
    the same grid with a margin; ``inventory.gpkg`` the polygons. The event is on 2024-06-15.

    Parameters
    ----------
    folder : Path
        Made where it is missing; files of an earlier run are replaced.
    seed : int
        The same seed gives the same rasters, byte for byte.
    size_px : int
        Rows and columns of a scene, at least 64.
    spacing_m : float
        Metres from pixel to pixel.
    pre, post : int
        Dates before and after the event, of each orbit, every 12 days.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OptionsError
        If a number is outside its range.
    OutputError
        If ``folder/scenes`` holds scenes of something else, which would be taken for this event's.
    """
    _check_options(seed, size_px, spacing_m, pre, post)
    _prepare(folder, pre, post)
    transform = Affine(spacing_m, 0.0, WEST_M, 0.0, -spacing_m, NORTH_M)
    height_m = relief_m(size_px + 2 * DEM_MARGIN_PX, spacing_m, np.random.default_rng([seed, 1]))
    ground = survey(height_m, spacing_m, DEM_MARGIN_PX)
    outlines = landslides(ground, transform, np.random.default_rng([seed, 2]))
    factor = backscatter.landslide_factor(
        outlines, transform, ground.cover.shape, np.random.default_rng([seed, 3])
    )
    write_dem(folder / "dem.tif", height_m, transform)
    write_inventory(folder / "inventory.gpkg", outlines)
    for orbit in (ASCENDING, DESCENDING):
        mean = backscatter.mean_gamma0(ground, orbit.look_azimuth_deg, np.random.default_rng([seed, 4]))
        for acquired in orbit.acquisitions(pre, post):
            seen = mean * factor if acquired.date() > EVENT_DATE else mean
            gamma0 = observe(seen, orbit, acquired, seed)
            write_scene(folder / "scenes" / orbit.scene_name(acquired), gamma0, transform)
    return folder


def observe(mean: NDArray[np.float32], orbit: Orbit, acquired: datetime, seed: int) -> NDArray[np.float32]:
    """Return one pass over the mean gamma0: that day's moisture, its speckle, the swath's edge.

    Parameters
    ----------
    mean : float32 array of shape (2, rows, columns)
        Linear power without speckle.
    orbit, acquired
        The pass; every pass has randomness of its own, whatever other passes there are.
    seed : int
        Of the event.

    Returns
    -------
    float32 array of shape (2, rows, columns)
        Linear power; NaN outside the swath.
    """
    rng = np.random.default_rng([seed, orbit.relative_orbit, acquired.toordinal()])
    factor = np.float32(backscatter.moisture_factor(rng))
    gamma0 = mean * factor * backscatter.speckle(mean.shape, rng)
    gamma0[..., : round(orbit.footprint_from * mean.shape[-1])] = np.nan
    return gamma0


def write_scene(path: Path, gamma0: NDArray[np.float32], transform: Affine) -> None:
    """Write one dual-polarised scene, VV before VH, in linear power."""
    profile = _profile(gamma0.shape, transform, np.nan)
    with _moved_into_place(path) as part, rasterio.open(part, "w", **profile) as scene:
        scene.write(gamma0)
        scene.descriptions = ("VV", "VH")
        scene.update_tags(UNITS="linear power", headscarp="simulated")


def write_dem(path: Path, height_m: NDArray[np.float32], transform: Affine) -> None:
    """Write heights that surround the scenes' grid by ``DEM_MARGIN_PX``."""
    margin_m = DEM_MARGIN_PX * transform.a
    west_m, north_m = transform.c - margin_m, transform.f + margin_m
    shifted = Affine(transform.a, 0.0, west_m, 0.0, transform.e, north_m)
    profile = _profile((1, *height_m.shape), shifted, DEM_NODATA_M)
    with _moved_into_place(path) as part, rasterio.open(part, "w", **profile) as dem:
        dem.write(height_m, 1)
        dem.descriptions = ("height",)
        dem.update_tags(UNITS="m", headscarp="simulated")


def write_inventory(path: Path, outlines: list[shapely.Polygon]) -> None:
    """Write the true landslides, with ``area_m2``, to the layer ``landslides``."""
    frame = gpd.GeoDataFrame(
        {"area_m2": np.array([outline.area for outline in outlines], dtype=np.float64)},
        geometry=outlines,
        crs=CRS,
    )
    with _moved_into_place(path) as part:
        frame.to_file(part, layer="landslides", driver="GPKG", engine="pyogrio")


def _profile(shape: tuple[int, ...], transform: Affine, nodata: float) -> dict[str, Any]:
    count, height, width = shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width}
    layout = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    place = {"crs": CRS, "transform": transform, "nodata": nodata}
    return profile | layout | place | {"dtype": "float32", "interleave": "band"}


@contextmanager
def _moved_into_place(path: Path) -> Iterator[Path]:
    """Give a name to write to, which becomes `path` when, and only when, the writing succeeds."""
    part = path.with_name(f".part-{path.name}")
    part.unlink(missing_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _check_options(seed: int, size_px: int, spacing_m: float, pre: int, post: int) -> None:
    enough = seed >= 0 and size_px >= LEAST_SIZE_PX and min(pre, post) >= 1
    if not (enough and 0.0 < spacing_m < np.inf):
        raise OptionsError(
            f"seed >= 0, size >= {LEAST_SIZE_PX} px, spacing > 0 m, a date before and one after",
            f"seed={seed}, size_px={size_px}, spacing_m={spacing_m}, pre={pre}, post={post}",
            "smaller scenes have no room for mountains; a change needs two sides",
            "leave the options out, or raise the one that is too small",
        )


def _prepare(folder: Path, pre: int, post: int) -> None:
    """Make the folders, and refuse one where foreign scenes would mix with the simulated ones."""
    scenes = folder / "scenes"
    try:
        scenes.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        given = f"{folder} ({error.strerror})"
        why, fix = "the event is written there", "name a folder that can be made and written to"
        raise OutputError("a folder to write to", given, why, fix) from error
    orbits = (ASCENDING, DESCENDING)
    ours = {o.scene_name(time_utc) for o in orbits for time_utc in o.acquisitions(pre, post)}
    foreign = sorted(p.name for p in scenes.iterdir() if p.suffix == ".tif" and p.name not in ours)
    if foreign:
        raise OutputError(
            "a scenes folder that is empty, or holds this event",
            f"{scenes} with {len(foreign)} other scenes, such as {foreign[0]}",
            "all scenes of a folder are mapped together; real and simulated ones must not mix",
            "name another folder, or empty this one",
        )
