"""The end of a training: the best weights judged and calibrated, the last ones kept, everything recorded."""

from __future__ import annotations

import statistics
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from headscarp.checkpoint import Card, Checkpoint, read_checkpoint, write_checkpoint
from headscarp.ingest.raster import read_sha256
from headscarp.models import Head, Network, count_parameters
from headscarp.train.batches import Normaliser
from headscarp.train.card import Origin
from headscarp.train.engine import Lesson
from headscarp.train.judge import Figures
from headscarp.train.log import write_curves
from headscarp.train.record import FINISHED, Ending, EpochRow, Forgetting, TrainRecord
from headscarp.train.residuals import ValueWorth, value_worth
from headscarp.train.score import Worth, f1_at, predictions, scores, worth
from headscarp.train.state import State

BEST, LAST = "best.safetensors", "last.safetensors"


def finish(
    folder: Path, origin: Origin, lesson: Lesson, state: State, ending: Ending, begun: Checkpoint | None
) -> TrainRecord:
    """Judge the best weights on the validation chips, write both checkpoints and the curves.

    Parameters
    ----------
    folder : Path
        Holds ``best.safetensors`` of the best epoch.
    origin : Origin
    lesson : Lesson
    state : State
        After the last epoch.
    ending : str
        Why it ended.
    begun : Checkpoint or None
        That the training began with.
    """
    best, last = state.best, state.history[-1]
    network = read_checkpoint(folder / BEST).network
    value = _worth(network, lesson)
    card = origin.card(best.epoch, {}, value)
    weights = network.cpu().state_dict()
    write_checkpoint(folder / BEST, card, weights)
    write_checkpoint(folder / LAST, origin.card(last.epoch, told(last)), state.weights)
    write_curves(folder, state.history, best.epoch)
    shown = lesson.shown
    return TrainRecord(
        headscarp=version("headscarp"),
        commit=origin.training.commit,
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        network=origin.network.network,
        filters=origin.network.filters,
        parameters=count_parameters(network),
        features=lesson.normaliser.features.name,
        chips={
            "train": len(shown.training),
            "validation": len(shown.validation),
            "replayed": len(shown.replayed),
        },
        epochs=state.epochs,
        best_epoch=best.epoch,
        best=best.measure,
        ending=ending,
        finished=ending in FINISHED,
        threshold=value.threshold if isinstance(value, Worth) else None,
        calibration=value.calibration if isinstance(value, Worth) else None,
        residual_std=value.residual.std if isinstance(value, ValueWorth) else None,
        metrics=value.metrics,
        seconds=round(sum(row.seconds for row in state.history), 3),
        chips_per_s=round(statistics.median(row.chips_per_s for row in state.history), 3),
        sha256={
            "store": lesson.sources.stores[0].facts.key,
            "split": origin.training.split_sha256,
            **{name: read_sha256(folder / name) for name in (BEST, LAST)},
        },
        init_from=origin.training.init_from,
        forgetting=_forgetting(lesson, begun, Checkpoint(card, network, "")),
    )


def told(row: EpochRow) -> Figures:
    """What a card says of an epoch that nobody has judged yet: F1 at one half, or the errors."""
    return {"f1_at_half": row.figures["f1"]} if row.measure.name == "f1" else row.figures


def _worth(network: Network, lesson: Lesson) -> Worth | ValueWorth:
    shown = (network, lesson.normaliser, lesson.sources, lesson.shown.validation)
    if network.options.head is Head.REGRESSION:
        return value_worth(predictions(*shown))
    return worth(scores(*shown))


def _forgetting(lesson: Lesson, begun: Checkpoint | None, best: Checkpoint) -> Forgetting | None:
    """What is still known of the ground that is replayed; none without one."""
    old = lesson.shown.remembered
    if begun is None or len(old) == 0:
        return None
    before, after = (
        f1_at(
            scores(each.network, _normaliser(each.card), lesson.sources, old),
            each.card.calibration,
            each.card.threshold,
        )
        for each in (begun, best)
    )
    return Forgetting(chips=len(old), f1_before=before, f1_after=after)


def _normaliser(card: Card) -> Normaliser:
    mean, std = (np.array(part, dtype=np.float32) for part in (card.task.mean, card.task.std))
    return Normaliser(card.task.features, mean, std)
