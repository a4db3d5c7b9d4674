"""A cell: a network trained on an area, judged on the chips that chose it and on other ground."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from odc.geo.geobox import GeoBox

from headscarp.checkpoint import read_checkpoint
from headscarp.config import ChipEventOptions, MapOptions
from headscarp.evaluate.options import EvaluateOptions
from headscarp.features.channels import FloatArray
from headscarp.features.sets import FeatureSet, feature_set
from headscarp.grid import Tile
from headscarp.pipeline.evaluate.run import run_evaluate
from headscarp.pipeline.map.run import run_map
from headscarp.pipeline.stages import Progress, silent
from headscarp.predict.ground import hold_ground, predict_ground
from headscarp.run_folder import RUN_JSON, RasterReader, RasterWriter, read_record
from headscarp.studies.areas import ready_event
from headscarp.studies.cells import Cell
from headscarp.studies.pan_shi.figures import DetectedFigures, TrainedFigures
from headscarp.studies.pan_shi.grounds import (
    Area,
    area_event,
    area_grid,
    area_store,
    cut_options,
    images_of,
    laid_on,
    refuse_missing_orbit,
)
from headscarp.studies.pan_shi.options import PanShiOptions, Row, StudyEvent
from headscarp.studies.pan_shi.training import CHECKPOINT, Chosen, Lesson, choose_training, choosing_figures
from headscarp.train.options import NetworkChoice

PROBABILITY, TRAINING_PROBABILITY = "probability.tif", "training_probability.tif"
EVALUATION, MAP = "evaluation", "map"
DETECTOR = "detector"
"""Value of the column ``split`` for what needs no training."""
BAND = "probability"


class _Ground(NamedTuple):
    """An event of the study, ready to be looked at."""

    study: StudyEvent
    event: ChipEventOptions


class _Map(NamedTuple):
    """What it took to map an area."""

    seconds: float
    pixels: int
    unseen_share: float


@dataclass(frozen=True)
class PanShiWork:
    """Does the cells of a study in its folder.

    Attributes
    ----------
    options : PanShiOptions
    root : Path
        Folder of the study.
    progress : callable
    """

    options: PanShiOptions
    root: Path
    progress: Progress = silent

    def __call__(self, cell: Cell, folder: Path, deadline: float | None) -> dict[str, Any]:
        """Figures of a cell: of the chips that chose the weights, and of the validation area."""
        study = next(event for event in self.options.events if event.name == cell.values["event"])
        ground = _Ground(study, ready_event(study, self.root, self.progress))
        if cell.values["split"] == DETECTOR:
            return self._detect(cell, ground, folder).model_dump()
        row = next(row for row in self.options.rows if row.name == cell.values["row"])
        features = feature_set(row.features)
        refuse_missing_orbit(features, images_of(ground.event, self.root), study.name)
        chosen = choose_training(self._lesson(cell, row, ground), folder, deadline, self.progress)
        self._map(chosen, features, ground, "training", folder / TRAINING_PROBABILITY)
        mapped = self._map(chosen, features, ground, "validation", folder / PROBABILITY)
        self._evaluate(cell, folder / PROBABILITY, ground, folder, chosen.record.threshold)
        return _trained_figures(chosen, mapped, self.options.chip_px).model_dump()

    def _lesson(self, cell: Cell, row: Row, ground: _Ground) -> Lesson:
        """Chips of the training area; the seed is of the weights, the order and the split."""
        seed = {"seed": cell.values["seed"]}
        split = getattr(self.options, str(cell.values["split"])).model_copy(update=seed)
        network = NetworkChoice(network=row.network, filters=self.options.filters)
        cut = cut_options(feature_set(row.features), self.options.chip_px, "training")
        store = area_store(ground.event, ground.study, "training", cut, self.root, self.progress)
        fit = self.options.train.model_copy(update=seed)
        return Lesson(store, split, network, fit, self.options.search)

    def _map(self, chosen: Chosen, features: FeatureSet, ground: _Ground, area: Area, path: Path) -> _Map:
        """Map an area by the best weights, on the area's grid."""
        cut = cut_options(features, self.options.chip_px, area)
        held = hold_ground(area_store(ground.event, ground.study, area, cut, self.root, self.progress))
        begun = time.perf_counter()
        probability = predict_ground(read_checkpoint(chosen.folder / CHECKPOINT), held)
        seconds = time.perf_counter() - begun
        geobox = area_grid(ground.event, ground.study, area, self.root)
        unseen = write_probability(path, geobox, laid_on(geobox, held, probability))
        return _Map(seconds, int(held.label.size), unseen)

    def _detect(self, cell: Cell, ground: _Ground, folder: Path) -> DetectedFigures:
        """Map the validation area by a detector without labels, and judge the map."""
        cut = area_event(ground.event, ground.study, "validation", self.root)
        values = cut.map_options().model_dump() | {"detect": {"detector": cell.values["row"]}}
        run = folder / MAP
        if not (run / RUN_JSON).exists():
            run_map(MapOptions.model_validate(values), run, progress=self.progress)
        record = read_record(run)
        geobox = area_grid(ground.event, ground.study, "validation", self.root)
        unseen = write_probability(folder / PROBABILITY, geobox, _read_probability(run / PROBABILITY))
        self._evaluate(cell, folder / PROBABILITY, ground, folder, record.detector.threshold)
        return DetectedFigures(
            threshold=record.detector.threshold,
            detection_s=round(sum(stage.seconds for stage in record.stages), 2),
            detection_px=int(np.prod(geobox.shape)),
            unseen_share=unseen,
            threads=torch.get_num_threads(),
        )

    def _evaluate(
        self, cell: Cell, prediction: Path, ground: _Ground, folder: Path, threshold: float | None
    ) -> None:
        """Judge a map of the validation area against the inventory; at 0.5 and at its own threshold."""
        event = ground.event
        judged = {
            "prediction": prediction,
            "truth": event.inventory,
            "event": f"{event.name} validation",
            "aoi": area_event(event, ground.study, "validation", self.root).area.aoi,
            "ignore": event.ignore,
            "dem": event.terrain.dem,
        }
        trained = cell.values["split"] != DETECTOR
        values = {
            "grounds": [judged],
            "name": label_of(cell),
            "seed": cell.values["seed"] if trained else None,
            "threshold": threshold,
            "inventory": event.dates,
        }
        options = EvaluateOptions.model_validate(values)
        run_evaluate(options, folder / EVALUATION, overwrite=True, progress=self.progress, with_report=False)


def label_of(cell: Cell) -> str:
    """Name of a row and its split, as tables and comparisons call it.

    Examples
    --------
    >>> label_of(Cell("x", {"row": "Group 1", "split": "blocks"}))
    'Group 1, blocks'
    """
    split = cell.values["split"]
    return f"{cell.values['row']}, blocks" if split == "blocks" else str(cell.values["row"])


def write_probability(path: Path, geobox: GeoBox, probability: FloatArray) -> float:
    """Write a map of an area, 0 where nothing was seen: what is not seen is not found.

    So every row is judged on the same ground, whatever its orbits saw of it.

    Parameters
    ----------
    path : Path
    geobox : GeoBox
    probability : ndarray of float32, shape (y, x)
        NaN where nothing was seen.

    Returns
    -------
    float
        Share of the area that was not seen.
    """
    unseen = np.isnan(probability)
    writer = RasterWriter(path, geobox, [BAND])
    rows, cols = geobox.shape
    whole = Tile(geobox, slice(0, rows), slice(0, cols))
    writer.write(whole, np.where(unseen, np.float32(0), probability)[None])
    writer.finish()
    return round(float(unseen.mean()), 6)


def _read_probability(path: Path) -> FloatArray:
    with RasterReader(path) as reader:
        rows, cols = reader.geobox.shape
        whole = Tile(reader.geobox, slice(0, rows), slice(0, cols))
        values: FloatArray = reader.read(whole, [BAND])[BAND]
    return values


def _trained_figures(chosen: Chosen, mapped: _Map, chip_px: int) -> TrainedFigures:
    record = chosen.record
    return TrainedFigures(
        choosing=choosing_figures(chosen.folder),
        threshold=record.threshold,
        epochs=record.epochs,
        best_epoch=record.best_epoch,
        chips=record.chips,
        chip_px=chip_px,
        parameters=record.parameters,
        trainings=chosen.trainings,
        training_s=record.seconds,
        all_trainings_s=round(chosen.all_s, 1),
        detection_s=round(mapped.seconds, 2),
        detection_px=mapped.pixels,
        unseen_share=mapped.unseen_share,
        threads=record.threads,
        device="cuda" if torch.cuda.is_available() else "cpu",
        sha256=record.sha256,
    )
