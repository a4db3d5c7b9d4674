"""The page a person reads after a run: one file that loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import jinja2
import pandas as pd
import pyogrio
import pyproj
from pydantic import ValidationError
from pyogrio.errors import DataSourceError

from headscarp.errors import OutputError
from headscarp.record import RunRecord
from headscarp.report.figures import draw_change, draw_score, draw_timeline, figure_uri
from headscarp.report.layers import EXCLUDED, NOT_OBSERVED
from headscarp.report.maps import read_map
from headscarp.report.method import tell_method, tell_pseudo_event
from headscarp.report.overlay import Landslide
from headscarp.report.rasters import read_grid
from headscarp.report.tables import FILES, false_alarm_rows, firming_rows, landslide_table, scene_passes
from headscarp.report.wording import (
    flatten,
    key_numbers,
    say_km2,
    say_number,
    say_time,
)

_MOST_OUTLINES = 300
_LAYER = "landslides"
_LONGEST_CODE = 40
"""Characters of an authority code such as ``EPSG:32611``; a CRS in full is longer."""


def _read_record(path: Path) -> RunRecord:
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise OutputError(
            "a run folder with the run.json of this version of headscarp",
            f"{path}: {error}",
            "the report is drawn from it",
            "name the folder of a finished run, or run headscarp map again",
        ) from error


def _read_attributes(path: Path) -> pd.DataFrame:
    """Read every landslide without its outline, the largest expected area first."""
    try:
        frame = pyogrio.read_dataframe(path, layer=_LAYER, read_geometry=False, fid_as_index=True)
    except DataSourceError as error:
        raise OutputError(
            "a run folder with landslides.gpkg",
            f"{path}: {error}",
            "the report lists and outlines its polygons",
            "run headscarp map again, or name another run folder",
        ) from error
    if {"area_m2", "probability_mean"} <= set(frame.columns):
        expected = frame["area_m2"] * frame["probability_mean"]
        frame = frame.loc[expected.sort_values(ascending=False, kind="stable").index]
    return pd.DataFrame(frame)


def _title(landslide: Mapping[Any, Any], number: str) -> str:
    words = [f"Landslide {number}"]
    if "area_m2" in landslide:
        words.append(f"{say_number(landslide['area_m2'] / 10_000)} ha")
    for key, name in (("probability_mean", "mean"), ("probability_max", "max")):
        if key in landslide:
            words.append(f"{name} probability {landslide[key]:.2f}")
    return ", ".join(words)


def _read_outlines(path: Path, attributes: pd.DataFrame, crs: str) -> list[Landslide]:
    """Read the outlines of the largest landslides in the grid's CRS."""
    largest = attributes.head(_MOST_OUTLINES)
    if largest.empty:
        return []
    shapes: gpd.GeoDataFrame = pyogrio.read_dataframe(
        path, layer=_LAYER, fids=list(largest.index), columns=[], fid_as_index=True
    )
    geometries = shapes.to_crs(crs).geometry
    landslides = []
    for fid, row in zip(largest.index, largest.to_dict("records"), strict=True):
        number = str(row.get("id", fid))
        if geometries[fid] is not None:
            landslides.append(Landslide(number, _title(row, number), geometries[fid]))
    return landslides


def _read_files(folder: Path) -> list[tuple[str, str, str]]:
    """List name, size and purpose of the folder's files."""
    found = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    rows = [
        (path.name, f"{say_number(path.stat().st_size / 1e6)} MB", FILES.get(path.name, ""))
        for path in found
        if path.name != "report.html"
    ]
    return [*rows, ("report.html", "", FILES["report.html"])]


def _figures(record: RunRecord) -> dict[str, Any]:
    return {
        "changes": {
            pol: figure_uri(draw_change(pol, record.histograms[pol]))
            for pol in record.polarizations
            if pol in record.histograms
        },
        "score": figure_uri(draw_score(record.detector)),
        "timeline": figure_uri(draw_timeline(record)),
    }


def _words(record: RunRecord) -> dict[str, Any]:
    return {
        "event": say_time(record.event_utc, record.event_is_instant),
        "tiles": key_numbers(record),
        "false_alarms": false_alarm_rows(record),
        "firming": firming_rows(record),
        "pseudo_event": tell_pseudo_event(record),
        "method": tell_method(record),
        "used": scene_passes(record, rejected=False),
        "rejected": scene_passes(record, rejected=True),
        "fitted": list(flatten(record.detector.fitted)),
        "options": list(flatten(record.options)),
    }


def _name_crs(crs: str) -> str:
    """Keep an authority code; name a CRS that is written out in full."""
    return crs if len(crs) <= _LONGEST_CODE else f"{pyproj.CRS(crs).name} (no EPSG code)"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=say_number, time=say_time, km2=say_km2)
    return environment


def write_report(folder: Path) -> Path:
    """Write the page of a run, ``report.html``, into the run's folder.

    The page holds its pictures, styles and script, and loads nothing: it reads the same offline. It
    stays below about 4 MB, and is drawn in bounded memory, whatever the size of the grid.

    Parameters
    ----------
    folder : Path
        A run folder with ``run.json``, ``probability.tif``, ``change.tif``, ``observations.tif``,
        ``landslides.gpkg`` and, with a DEM, ``terrain.tif``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    OutputError
        If the folder lacks one of these files, or its ``run.json`` is not of this version.
    """
    record = _read_record(folder / "run.json")
    polygons = folder / "landslides.gpkg"
    attributes = _read_attributes(polygons)
    outlines = _read_outlines(polygons, attributes, read_grid(folder / "probability.tif").crs)
    page = (
        _environment()
        .get_template("page.html")
        .render(
            record=record,
            crs=_name_crs(record.grid.crs),
            map=read_map(folder, record, outlines),
            has_terrain=(folder / "terrain.tif").exists(),
            hatching=NOT_OBSERVED,
            excluded=EXCLUDED,
            landslides=landslide_table(attributes),
            total=len(attributes),
            outlined=len(outlines),
            figures=_figures(record),
            files=_read_files(folder),
            **_words(record),
        )
    )
    part = folder / "report.html.part"
    part.write_text(page, encoding="utf-8")
    return part.replace(folder / "report.html")
