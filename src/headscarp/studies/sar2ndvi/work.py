"""A cell of the study: a network trained on windows of one side, or a baseline; judged on the mosaic."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headscarp.checkpoint import read_checkpoint
from headscarp.chips.options import CutOptions
from headscarp.chips.store import ChipStore, open_store
from headscarp.config import ChipEventOptions
from headscarp.features.channels import FloatArray
from headscarp.features.sets import FeatureSet, feature_set, normalise
from headscarp.grid import Tile
from headscarp.pipeline.chips.run import choose_split, make_chips
from headscarp.pipeline.provenance import source_commit
from headscarp.pipeline.stages import Progress, silent
from headscarp.predict.mosaic import predict_mosaic
from headscarp.predict.values import ValuePredictor
from headscarp.run_folder import RasterWriter
from headscarp.split import SplitFile
from headscarp.studies.areas import area_event, ready_event
from headscarp.studies.cells import Cell, SkippedError, UnfinishedError
from headscarp.studies.sar2ndvi.ground import JudgedGround, judged_ground
from headscarp.studies.sar2ndvi.options import Baseline, NdviEvent, Row, Sar2NdviOptions
from headscarp.studies.sar2ndvi.plan import BASELINE
from headscarp.studies.sar2ndvi.score import figures_of, sum_errors, write_errors
from headscarp.studies.sharing import held, minutes_until
from headscarp.train.baselines import fit_baseline
from headscarp.train.card import split_sha256
from headscarp.train.run import train

STORES, TRAINING, NDVI_TIF, ERRORS = "stores", "training", "ndvi.tif", "errors.npz"
CHECKPOINT = "best.safetensors"
JUDGED_PX = 128
"""Side of the chips that the judged area is put together from."""
ANY_PIXEL = 1e-6


@dataclass(frozen=True)
class Sar2NdviWork:
    """Does the cells of a study in its folder.

    Attributes
    ----------
    options : Sar2NdviOptions
    root : Path
        Folder of the study.
    progress : callable
    """

    options: Sar2NdviOptions
    root: Path
    progress: Progress = silent

    def __call__(self, cell: Cell, folder: Path, deadline: float | None) -> dict[str, Any]:
        """Figures of a cell on the mosaic of the judged area."""
        study = self._study()
        event = ready_event(study, self.root, self.progress)
        if cell.values["kind"] == BASELINE:
            row = Row(name="baseline", features=self.options.baseline_features)
        else:
            row = next(own for own in self.options.rows if own.name == cell.values["row"])
        features = feature_set(row.features).at(self.options.moment)
        store = self._training_store(event, study, row, features)
        split = choose_split(store, self.options.split)
        ground = judged_ground(self._judged_store(event, study, features), event, study)
        if cell.values["kind"] == BASELINE:
            name = next(own for own in self.options.baselines if own == cell.values["row"])
            predicted, facts = self._baseline(name, store, split, ground)
        else:
            predicted, facts = self._network(int(cell.values["seed"]), store, split, ground, folder, deadline)
        write_ndvi(folder / NDVI_TIF, ground, predicted)
        errors = sum_errors(predicted, ground.truth, ground.geobox, ground.strata, self.options.intervals)
        write_errors(folder / ERRORS, errors)
        return {
            **figures_of(errors, self.options.intervals),
            "features": features.model_dump(mode="json"),
            "size_px": row.size_px,
            "stride_px": row.stride_px,
            "chips": len(store),
            "sha256": {"store": store.facts.key, "split": split_sha256(split)},
            **facts,
        }

    def _study(self) -> NdviEvent:
        if self.options.event is None:
            raise SkippedError(
                "an event", "none", "there is nothing to learn from", "name one in the config: event"
            )
        return self.options.event

    def _network(
        self,
        seed: int,
        store: ChipStore,
        split: SplitFile,
        ground: JudgedGround,
        folder: Path,
        deadline: float | None,
    ) -> tuple[FloatArray, dict[str, Any]]:
        options = self.options
        fit = options.train.model_copy(update={"seed": seed, "max_minutes": minutes_until(deadline)})
        training = folder / TRAINING
        record = train(store, split, options.network, fit, training, self.progress, commit=source_commit())
        if not record.finished:
            raise UnfinishedError
        checkpoint = read_checkpoint(training / CHECKPOINT)
        predictor = ValuePredictor(checkpoint)
        task = checkpoint.card.task
        mean, std = (np.array(own, dtype=np.float32) for own in (task.mean, task.std))
        begun = time.perf_counter()
        x = normalise(ground.x, task.features, mean, std)
        predicted = predict_mosaic(predictor.predict, x, predictor.halo())
        facts = {
            "training": record.model_dump(mode="json", exclude={"notes", "forgetting"}),
            "prediction_s": round(time.perf_counter() - begun, 2),
            "prediction_px": int(ground.truth.size),
            "threads": torch.get_num_threads(),
            "sha256": record.sha256,
        }
        return seen_only(predicted, ground), facts

    def _baseline(
        self, name: Baseline, store: ChipStore, split: SplitFile, ground: JudgedGround
    ) -> tuple[FloatArray, dict[str, Any]]:
        begun = time.perf_counter()
        fitted = fit_baseline(name, store, split)
        predicted = fitted.predict(fitted.normaliser(ground.x))
        return seen_only(predicted, ground), {"training_s": round(time.perf_counter() - begun, 2)}

    def _training_store(
        self, event: ChipEventOptions, study: NdviEvent, row: Row, features: FeatureSet
    ) -> ChipStore:
        cut = CutOptions(features=features, size_px=row.size_px, stride_px=row.stride_px, target="ndvi")
        name = f"{row.features}_{row.size_px}_{row.stride_px}_training"
        return self._store(area_event(event, study.training, "training", self.root), cut, name)

    def _judged_store(self, event: ChipEventOptions, study: NdviEvent, features: FeatureSet) -> ChipStore:
        cut = CutOptions(
            features=features,
            size_px=JUDGED_PX,
            stride_px=JUDGED_PX,
            target="ndvi",
            min_observed=ANY_PIXEL,
        )
        own = area_event(event, study.validation, "validation", self.root)
        return self._store(own, cut, f"{features.name}_validation")

    def _store(self, event: ChipEventOptions, cut: CutOptions, name: str) -> ChipStore:
        path = self.root / STORES / f"{name}.zarr"
        with held(path):
            return open_store(path) if path.exists() else make_chips([event], cut, path, self.progress)


def seen_only(predicted: FloatArray, ground: JudgedGround) -> FloatArray:
    """A prediction where any channel has a value; NaN elsewhere."""
    return np.where(np.isfinite(ground.x).any(axis=0), predicted, np.float32(np.nan))


def write_ndvi(path: Path, ground: JudgedGround, predicted: FloatArray) -> None:
    """Write the prediction and its error, predicted less reference."""
    rows, cols = ground.geobox.shape
    writer = RasterWriter(path, ground.geobox, ["ndvi", "error"])
    whole = Tile(ground.geobox, slice(0, rows), slice(0, cols))
    writer.write(whole, np.stack([predicted, predicted - ground.truth]).astype(np.float32))
    writer.finish()
