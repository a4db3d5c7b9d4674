"""A cell of the study: a model trained on a split and judged on its test patches; or the baseline judged."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from scipy.special import expit

from headscarp.calibration import Scaling, scale
from headscarp.checkpoint import read_checkpoint
from headscarp.chips.draw import split_places
from headscarp.chips.store import IGNORE, ChipStore
from headscarp.features.channels import FloatArray
from headscarp.pipeline.provenance import source_commit
from headscarp.pipeline.stages import Progress, silent
from headscarp.predict.chips import PredictedChip, predict_chips
from headscarp.split import SplitFile
from headscarp.studies.cells import Cell, UnfinishedError
from headscarp.studies.sen12.figures import write_figures
from headscarp.studies.sen12.grounds import Grounds
from headscarp.studies.sen12.options import Model, Sen12Options, SplitChoice
from headscarp.studies.sen12.score import HALF, count_patches, figures_of, write_counts
from headscarp.studies.sharing import minutes_until
from headscarp.train.card import split_sha256
from headscarp.train.options import NetworkChoice
from headscarp.train.run import train
from headscarp.train.score import worth

TRAINING, COUNTS, CHECKPOINT = "training", "counts.npz", "best.safetensors"


class Judge(NamedTuple):
    """Whatever gives probabilities for patches, and the threshold that validation patches chose."""

    threshold: float
    facts: dict[str, Any]
    predict: Any
    """Chips of a store at places, as :func:`headscarp.predict.chips.predict_chips` gives them."""


@dataclass(frozen=True)
class Sen12Work:
    """Does the cells of a study in its folder.

    Attributes
    ----------
    options : Sen12Options
    root : Path
        Folder of the study.
    progress : callable
    """

    options: Sen12Options
    root: Path
    progress: Progress = silent

    def __call__(self, cell: Cell, folder: Path, deadline: float | None) -> dict[str, Any]:
        """Figures of a cell on its test patches."""
        grounds = Grounds(self.options, self.root, self.progress)
        choice, fold = cast(SplitChoice, cell.values["split"]), int(cell.values["fold"])
        model = next((own for own in self.options.models if own.name == cell.values["model"]), None)
        store = grounds.store("change" if model is None else model.look, choice)
        split = grounds.split(store, choice, fold)
        if model is None:
            judge = judge_by_change(store, split)
        else:
            judge = self._trained(model, int(cell.values["seed"]), store, split, folder, deadline)
        places = split_places(store.facts, split)
        begun = time.perf_counter()
        chips: list[PredictedChip] = list(judge.predict(places["test"]))
        seconds = time.perf_counter() - begun
        counts = count_patches(chips, judge.threshold)
        write_counts(folder / COUNTS, counts)
        write_figures(folder, cell, store, places["test"], chips, counts, judge.threshold)
        return {
            **figures_of(counts, self.options.intervals),
            "threshold": judge.threshold,
            "patches": {name: len(own) for name, own in places.items()},
            "seconds_a_patch": round(seconds / max(len(chips), 1), 5),
            "sha256": {"store": store.facts.key, "split": split_sha256(split)},
            "members_sha256": members_sha256(split),
            "features": store.facts.features.model_dump(mode="json"),
            **judge.facts,
        }

    def _trained(
        self,
        model: Model,
        seed: int,
        store: ChipStore,
        split: SplitFile,
        folder: Path,
        deadline: float | None,
    ) -> Judge:
        patches = len(split_places(store.facts, split)["train"])
        own = {"seed": seed, "max_minutes": minutes_until(deadline)}
        fit = self.options.fit_on(patches).model_copy(update=own)
        network = NetworkChoice(network=model.network, filters=self.options.filters)
        training = folder / TRAINING
        record = train(store, split, network, fit, training, self.progress, commit=source_commit())
        if not record.finished:
            raise UnfinishedError
        checkpoint = read_checkpoint(training / CHECKPOINT)
        told = record.model_dump(mode="json", exclude={"metrics", "notes", "forgetting"})
        facts = {"training": told, "options": checkpoint.card.training.options, "sha256": record.sha256}
        threshold = HALF if record.threshold is None else record.threshold
        return Judge(threshold, facts, lambda places: predict_chips(checkpoint, store, places))


def members_sha256(split: SplitFile) -> str:
    """Hash of which patch is in which part: equal for models that see other channels of the same patches."""
    lines = sorted(f"{chip.id} {chip.split}" for chip in split.chips)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def judge_by_change(store: ChipStore, split: SplitFile) -> Judge:
    """The baseline: absolute change summed over the channels of the radar, dB, calibrated on validation."""
    validation = split_places(store.facts, split)["validation"]
    value = worth(_known(store, validation))
    facts = {"calibration": None if value.calibration is None else value.calibration.model_dump(mode="json")}

    def predict(places: Sequence[int]) -> Iterator[PredictedChip]:
        for place in places:
            score, label = _change(store, place)
            probability = _probability(score, value.calibration)
            yield PredictedChip(store.facts.chips[place].id, probability, probability, label)

    return Judge(value.threshold, facts, predict)


def _known(store: ChipStore, places: Sequence[int]) -> Iterator[tuple[FloatArray, Any]]:
    for place in places:
        score, label = _change(store, place)
        yield score[label != IGNORE], label[label != IGNORE] == 1


def _change(store: ChipStore, place: int) -> tuple[FloatArray, Any]:
    radar = np.array([own.radar for own in store.facts.features.parsed])
    x, label, _ = store.read([place])
    return np.nansum(np.abs(x[0, radar]), axis=0).astype(np.float32), label[0]


def _probability(score: FloatArray, calibration: Scaling | None) -> FloatArray:
    scaled = score if calibration is None else scale(score, calibration)
    return np.asarray(expit(scaled), dtype=np.float32)
