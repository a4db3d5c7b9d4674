"""Run folders with a known content, in the formats of a real run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import box

from headscarp.record import (
    DetectorRecord,
    FalseAlarms,
    GridRecord,
    HistogramRecord,
    InputRecord,
    OrbitRecord,
    PassRecord,
    PseudoEventRecord,
    ResultRecord,
    RunRecord,
    StageRecord,
    TerrainRecord,
)
from headscarp.report import write_report
from headscarp.vocabulary import OrbitState, Role

EVENT = datetime(2022, 9, 18, 6, 44, 15, tzinfo=UTC)
UTM = Affine(30, 0, 480_000, 0, -30, 4_100_000)
ORBITS = ((137, OrbitState.ASCENDING), (64, OrbitState.DESCENDING))


@dataclass
class RunSpec:
    """What the fake run is like."""

    shape: tuple[int, int] = (200, 300)
    crs: str = "EPSG:32611"
    transform: Affine = UTM
    polarizations: list[str] = field(default_factory=lambda: ["VV", "VH"])
    dem: bool = True
    slides: list[tuple[int, int, int, int]] = field(
        default_factory=lambda: [(40, 60, 8, 5), (120, 90, 20, 12)]
    )
    """Row, column, height and width of each landslide in pixels."""
    observed: list[tuple[slice, slice]] = field(default_factory=lambda: [(slice(10, 190), slice(20, 240))])
    pseudo: bool = True
    notes: list[str] = field(default_factory=lambda: ["Only one pass after the event."])
    paths: str = "scenes/{date}.tif"
    passes: int = 4
    rejected: int = 2
    firming: int = 0
    """Rows of the table that shows how the map firmed up."""


def _observed(spec: RunSpec) -> NDArray[np.bool_]:
    mask = np.zeros(spec.shape, bool)
    for rows, cols in spec.observed:
        mask[rows, cols] = True
    return mask


def _write_raster(path: Path, spec: RunSpec, bands: dict[str, NDArray[Any]], nodata: float | None) -> None:
    plain = path.with_suffix(".plain.tif")
    first = next(iter(bands.values()))
    with rasterio.open(
        plain, "w", driver="GTiff", height=spec.shape[0], width=spec.shape[1], count=len(bands),
        dtype=first.dtype, nodata=nodata, crs=spec.crs, transform=spec.transform,
    ) as target:  # fmt: skip
        for index, (name, values) in enumerate(bands.items(), start=1):
            target.write(values, index)
            target.set_band_description(index, name)
    rasterio.shutil.copy(plain, path, driver="COG", compress="deflate", blocksize=256)
    plain.unlink()


def _write_rasters(folder: Path, spec: RunSpec) -> None:
    rng = np.random.default_rng(0)
    seen = _observed(spec)
    probability = np.where(seen, rng.uniform(0, 0.3, spec.shape), np.nan).astype(np.float32)
    if spec.dem:
        probability[:, 201:] *= 0
    changes = {}
    for pol in spec.polarizations:
        change = rng.normal(0, 1.2, spec.shape)
        for row, col, height, width in spec.slides:
            change[row : row + height, col : col + width] += 5
        changes[f"change_{pol.lower()}_fused_db"] = np.where(seen, change, np.nan).astype("float32")
    changes |= {name.replace("fused", "ascending"): values for name, values in changes.items()}
    for row, col, height, width in spec.slides:
        probability[row : row + height, col : col + width] = 0.97
    counts = {
        f"{side}_count_{state}_{number}": np.where(seen, n, 0).astype(np.uint16)
        for number, state in ORBITS
        for side, n in (("pre", spec.passes), ("post", 1))
    }
    _write_raster(folder / "probability.tif", spec, {"probability": probability}, np.nan)
    _write_raster(folder / "change.tif", spec, changes, np.nan)
    _write_raster(folder / "observations.tif", spec, counts, None)
    if spec.dem:
        y, x = np.mgrid[: spec.shape[0], : spec.shape[1]].astype(np.float32)
        hills = 128 + 100 * np.sin(x / 17) * np.cos(y / 23)
        terrain = {
            "slope_deg": np.abs(hills - 128) / 4,
            "hillshade": hills,
            "exclusion": np.where(x > 200, 1, 0),
        }
        bands = {name: values.astype(np.float32) for name, values in terrain.items()}
        _write_raster(folder / "terrain.tif", spec, bands, np.nan)


def _place(spec: RunSpec, col: float, row: float) -> tuple[float, float]:
    t = spec.transform
    return t.a * col + t.c, t.e * row + t.f


def _write_landslides(folder: Path, spec: RunSpec) -> None:
    corners = [
        (_place(spec, col, row + height), _place(spec, col + width, row))
        for row, col, height, width in spec.slides
    ]
    outlines = gpd.GeoSeries([box(*low, *high) for low, high in corners], crs=spec.crs)
    pixels = np.array([height * width for _, _, height, width in spec.slides], float)
    lonlat = [outline.centroid for outline in outlines.to_crs("EPSG:4326")]
    columns: dict[str, Any] = {
        "id": np.arange(1, len(pixels) + 1),
        "area_m2": pixels * 900.0,
        "probability_mean": np.full(len(pixels), 0.912),
        "probability_max": np.full(len(pixels), 0.987),
    }
    for pol in spec.polarizations:
        columns[f"change_{pol.lower()}_db"] = np.full(len(pixels), 4.85)
    if spec.dem:
        columns["slope_mean_deg"] = np.full(len(pixels), 31.4)
    columns["orbits_agreeing"] = np.full(len(pixels), 2)
    columns["centroid_lon"] = np.array([point.x for point in lonlat], float)
    columns["centroid_lat"] = np.array([point.y for point in lonlat], float)
    frame = gpd.GeoDataFrame(columns, geometry=outlines, crs=spec.crs)
    frame.to_file(folder / "landslides.gpkg", layer="landslides", driver="GPKG", geometry_type="Polygon")


def _input(spec: RunSpec, when: datetime, orbit: int, role: Role, reason: str) -> InputRecord:
    number, state = ORBITS[orbit]
    return InputRecord(
        path=spec.paths.format(date=f"{when:%Y%m%d}"),
        sha256="0" * 64,
        reader="opera",
        platform="Sentinel-1A",
        acquired_utc=when,
        processed_utc=None,
        relative_orbit=number,
        relative_orbit_source="file name",
        orbit_state=state,
        orbit_state_source="metadata of the product",
        polarizations=spec.polarizations,
        scale="linear power",
        scale_source="product specification",
        crs=spec.crs,
        spacing=30.0,
        role=role,
        reason=reason,
    )


def _inputs(spec: RunSpec) -> list[InputRecord]:
    inputs = []
    for orbit in range(2):
        for index in range(1, spec.passes + 1):
            when = EVENT - timedelta(days=12 * index, hours=3 * orbit)
            for burst in range(2):
                at = when + timedelta(seconds=3 * burst)
                inputs.append(_input(spec, at, orbit, Role.PRE_EVENT, "in the pre-event window"))
        after = EVENT + timedelta(days=4 + orbit)
        inputs.append(_input(spec, after, orbit, Role.POST_EVENT, "in the post-event window"))
    for index in range(spec.rejected):
        when = EVENT - timedelta(days=400 + 12 * index)
        inputs.append(_input(spec, when, 0, Role.REJECTED, "before the pre-event window"))
    return inputs


def _orbits(spec: RunSpec) -> list[OrbitRecord]:
    return [
        OrbitRecord(
            label=f"{state} {number}",
            relative_orbit=number,
            orbit_state=state,
            orbit_state_source="metadata of the product",
            pre_utc=[EVENT - timedelta(days=12 * i) for i in range(spec.passes, 0, -1)],
            post_utc=[EVENT + timedelta(days=4.25 + orbit)],
            days_to_first_pass=4.25 + orbit,
            regional_shift_db=dict.fromkeys(spec.polarizations, -0.31),
        )
        for orbit, (number, state) in enumerate(ORBITS)
    ]


def _pseudo_event(spec: RunSpec) -> PseudoEventRecord:
    if not spec.pseudo:
        return PseudoEventRecord(
            date_utc=None, orbits=[], pre_dates=0, post_dates=0, area_km2=0.0, false_alarms=[],
            note="Needs three dates before the event; one orbit has two.",
        )  # fmt: skip
    rows = [(0.5, 41, 34.2, 0.004), (0.8, 9, 7.5, 0.0011), (0.95, 0, 0.0, 0.0)]
    return PseudoEventRecord(
        date_utc=EVENT - timedelta(days=60),
        orbits=["ascending 137"],
        pre_dates=3,
        post_dates=1,
        area_km2=120.0,
        false_alarms=[
            FalseAlarms(threshold=t, objects=n, per_100km2=rate, flagged_share=share)
            for t, n, rate, share in rows
        ],
        note="Split at the longest gap.",
    )


def _histogram(spec: RunSpec) -> HistogramRecord:
    edges = np.linspace(-8, 8, 121)
    center = (edges[1:] + edges[:-1]) / 2
    counts = 20_000 * np.exp(-(center**2) / 3) + 300 * np.exp(-((center - 5) ** 2))
    empty = not spec.observed
    return HistogramRecord(edges=edges.tolist(), counts=[0 if empty else int(count) for count in counts])


def _detector(spec: RunSpec) -> DetectorRecord:
    score = _histogram(spec)
    center = (np.asarray(score.edges)[1:] + np.asarray(score.edges)[:-1]) / 2
    return DetectorRecord(
        name="log-ratio",
        threshold=0.8,
        threshold_source="default",
        fitted={"null": {"mean": 0.02, "std": 1.1}, "prior_landslide": 0.01},
        score=score,
        score_name="standardised fused change",
        null_density=(20_000 * np.exp(-(center**2) / 3)).tolist(),
    )


def _firming(spec: RunSpec) -> list[PassRecord]:
    """Half of the final map is found after the first pass, and none of what was flagged then is kept."""
    last = spec.firming - 1
    return [
        PassRecord(
            until_utc=EVENT + timedelta(days=4 + k),
            orbit="ascending 137",
            passes=k + 1,
            observed_share=1.0 if k else 0.75,
            flagged_share=0.0123 * k,
            found_share=0.5 + 0.5 * k / max(last, 1),
            kept_share=(0.8 if k < last else 1.0) if k else None,
        )
        for k in range(spec.firming)
    ]


def _results(spec: RunSpec) -> ResultRecord:
    area_km2 = sum(height * width for _, _, height, width in spec.slides) * 900e-6
    seen = float(_observed(spec).sum()) * 900e-6
    return ResultRecord(
        area_of_interest_km2=54.0,
        observed_km2=seen,
        not_observed_km2=54.0 - seen,
        flagged_km2=area_km2 * 1.1,
        flagged_share=area_km2 * 1.1 / seen if seen else 0.0,
        landslides=len(spec.slides),
        landslides_km2=area_km2,
        min_area_m2=1000.0,
    )


def make_record(spec: RunSpec) -> RunRecord:
    """Compose the record of a fake run."""
    t = spec.transform
    terrain = TerrainRecord(
        path="dem.tif", sha256="0" * 64, min_slope_deg=10.0, gentle_km2=3.2, water_km2=0.4,
        missing_km2=0.0, note="Probability is 0 there.",
    )  # fmt: skip
    return RunRecord(
        headscarp="0.1.0",
        command=["headscarp", "map", "scenes", "--out", "run"],
        started_utc=EVENT + timedelta(days=6),
        finished_utc=EVENT + timedelta(days=6, minutes=3),
        options={"detect": {"prior_landslide": 0.01}, "polygons": {"min_area_m2": 1000.0}},
        event_utc=EVENT,
        event_is_instant=True,
        pre_window=(EVENT - timedelta(days=90), EVENT),
        post_window=(EVENT, EVENT + timedelta(days=30)),
        windows_source="default",
        inputs=_inputs(spec),
        orbits=_orbits(spec),
        polarizations=spec.polarizations,
        grid=GridRecord(
            crs=spec.crs, transform=(t.a, t.b, t.c, t.d, t.e, t.f), height_px=spec.shape[0],
            width_px=spec.shape[1], spacing=t.a, unit="m", source="the scenes",
        ),
        histograms={pol: _histogram(spec) for pol in spec.polarizations},
        detector=_detector(spec),
        pseudo_event=_pseudo_event(spec),
        passes=_firming(spec),
        terrain=terrain if spec.dem else None,
        results=_results(spec),
        notes=spec.notes,
        stages=[StageRecord(name="map", seconds=12.3, peak_memory_mb=311.0)],
        versions={"numpy": "2.4.6"},
    )  # fmt: skip


def write_run(folder: Path, spec: RunSpec) -> Path:
    """Write a run folder as a real run leaves it, before its report."""
    folder.mkdir()
    _write_rasters(folder, spec)
    _write_landslides(folder, spec)
    (folder / "run.json").write_text(make_record(spec).model_dump_json(), encoding="utf-8")
    return folder


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a run folder; keywords change ``RunSpec``."""
    return lambda **changes: write_run(tmp_path / "run", RunSpec(**changes))


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of the run that ``RunSpec`` describes, drawn once."""
    folder = write_run(tmp_path_factory.mktemp("report") / "run", RunSpec())
    return write_report(folder).read_text(encoding="utf-8")
