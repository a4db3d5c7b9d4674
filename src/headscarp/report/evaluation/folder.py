"""What the page of an evaluation is drawn from: the files of its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
from pydantic import ValidationError
from pyogrio.errors import DataSourceError

from headscarp.errors import OutputError
from headscarp.evaluate.files import (
    BLOCKS,
    CURVES,
    METRICS_CSV,
    METRICS_JSON,
    REPORT,
    SCORED,
    SCORED_LAYER,
    raster_name,
)
from headscarp.evaluate.record import Evaluation, GroundRecord
from headscarp.validation import VALIDATION_JSON

FILES = {
    METRICS_JSON: "every figure with its interval, and where it comes from, for machines",
    METRICS_CSV: "the same figures, a row each",
    CURVES: "precision, recall and false positive rate of each method at falling thresholds",
    BLOCKS: "counts by block of ground, for headscarp compare",
    VALIDATION_JSON: "threshold and calibration that this ground suggests for other ground",
    SCORED: "every landslide, mapped and predicted: hit, missed, false, not observed",
    REPORT: "this page",
}
"""What each file of an evaluation folder is."""
_CURVE_COLUMNS = {"method", "precision", "recall", "false_positive_rate"}


@dataclass(frozen=True)
class EvaluationFolder:
    """An evaluation, read.

    Attributes
    ----------
    path : Path
    evaluation : Evaluation
    curves : DataFrame
    landslides : GeoDataFrame or None
        None where there was no threshold.
    """

    path: Path
    evaluation: Evaluation
    curves: pd.DataFrame
    landslides: gpd.GeoDataFrame | None

    def raster(self, stem: str, ground: GroundRecord) -> Path:
        """Path of a ground's raster, whether or not it exists."""
        return self.path / raster_name(stem, ground.name, len(self.evaluation.grounds))

    def landslides_of(self, ground: GroundRecord) -> gpd.GeoDataFrame | None:
        """Landslides of one ground, in the CRS of all."""
        if self.landslides is None:
            return None
        return self.landslides[self.landslides["event"] == ground.name]


def read_folder(path: Path) -> EvaluationFolder:
    """Read an evaluation folder, without its rasters.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OutputError
        If ``metrics.json`` or ``curves.parquet`` is missing, or of another version.
    """
    return EvaluationFolder(
        path, read_metrics(path), _read_curves(path / CURVES), _read_landslides(path / SCORED)
    )


def read_metrics(folder: Path) -> Evaluation:
    """Read ``metrics.json`` of an evaluation folder.

    Raises
    ------
    OutputError
        If there is none, or it is of another version.
    """
    path = folder / METRICS_JSON
    try:
        return Evaluation.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise _unreadable(path, error) from error


def _read_curves(path: Path) -> pd.DataFrame:
    try:
        curves = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    missing = _CURVE_COLUMNS - set(curves.columns)
    if missing:
        raise _unreadable(path, f"no column {', '.join(sorted(missing))}")
    return curves


def _read_landslides(path: Path) -> gpd.GeoDataFrame | None:
    if not path.exists():
        return None
    try:
        return gpd.GeoDataFrame(pyogrio.read_dataframe(path, layer=SCORED_LAYER))
    except DataSourceError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, what: object) -> OutputError:
    return OutputError(
        f"an evaluation folder with the {path.name} of this version of headscarp",
        f"{path}: {str(what).splitlines()[0]}",
        "the report is drawn from it",
        "name the folder of a finished evaluation, or run headscarp evaluate again",
    )
