"""A training from chips to checkpoints; the same call again goes on where the last one stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headscarp.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from headscarp.chips.statistics import channel_statistics
from headscarp.chips.store import ChipStore, open_store
from headscarp.errors import OptionsError
from headscarp.models import Head, Network, NetworkOptions, keep_memory, make_network
from headscarp.run_folder import write_atomically
from headscarp.split import SplitFile, read_split, write_split
from headscarp.train.batches import Normaliser
from headscarp.train.card import Origin, make_origin, split_sha256
from headscarp.train.chips import Sources
from headscarp.train.engine import Engine, Lesson
from headscarp.train.finish import BEST, finish, told
from headscarp.train.fit import fit
from headscarp.train.keeper import Ends, Keeper, Told, Watch, silent
from headscarp.train.loss import fits_head
from headscarp.train.options import FitOptions, NetworkChoice
from headscarp.train.record import FINISHED, TRAIN_JSON, EpochRow, TrainRecord
from headscarp.train.shown import what_is_shown
from headscarp.train.state import State, claim_folder, read_state
from headscarp.train.transfer import refuse_misfit

SPLIT_JSON = "split.json"


@dataclass(frozen=True)
class Replay:
    """The store that a checkpoint was trained on before, and its split."""

    store: ChipStore
    split: SplitFile


def train(
    store: ChipStore,
    split: SplitFile,
    network: NetworkChoice,
    options: FitOptions,
    out: Path,
    progress: Told = silent,
    *,
    commit: str | None = None,
    watch: Watch | None = None,
) -> TrainRecord:
    """Train a network, or go on with a training that was stopped.

    Parameters
    ----------
    store : ChipStore
    split : SplitFile
        Which of its chips train and which choose.
    network : NetworkChoice
    options : FitOptions
    out : Path
        Folder: ``best.safetensors``, ``last.safetensors``, ``log.csv``, ``curves.png``, ``split.json``,
        ``train.json``, and the state from which the same call goes on.
    progress : callable
    commit : str, optional
        Of the source, for the card.
    watch : callable, optional
        Asked after each epoch, with its number and rank, whether to stop; in one process only.

    Returns
    -------
    TrainRecord
        As in ``train.json``; ``finished`` is False where the time limit, or `watch`, ended it.

    Raises
    ------
    HeadscarpError
        If options contradict each other, chips or checkpoint do not fit, no chip has a landslide, the folder
        holds another training, the loss becomes NaN, or there is no room to write.
    """
    deadline = None if options.max_minutes is None else time.monotonic() + 60 * options.max_minutes
    _refuse_contradictions(network, options, watch, store)
    keep_memory()
    begun = None if options.init_from is None else read_checkpoint(options.init_from)
    replay = None if options.replay is None else _open_replay(options.replay, store)
    lesson = _lesson(store, split, replay, options, begun)
    _refuse_few_chips(lesson)
    wanted = _network_options(store, network)
    if begun is not None:
        refuse_misfit(begun, store.facts.features, wanted)
    claim_folder(out, _key(store, split, network, options, begun, replay))
    write_split(out / SPLIT_JSON, split)
    origin = make_origin(
        store.facts, split, lesson.normaliser, wanted, options, commit, begun.sha256 if begun else None
    )
    state = read_state(out)
    ends = Ends(options, deadline)
    if not (state.history and ends.of(state.history, -np.inf) in FINISHED):
        engine = Engine(_with_weights(wanted, state, begun, options.seed), lesson, state)
        fit(engine, Keeper(out, ends, _KeepBest(out, origin), progress, watch))
        state = read_state(out)
    ending = ends.of(state.history, time.monotonic()) or "asked"
    record = finish(out, origin, lesson, state, ending, begun)
    write_atomically(out / TRAIN_JSON, record.model_dump_json(indent=2) + "\n")
    return record


@dataclass(frozen=True)
class _KeepBest:
    """Writes the weights of an epoch that is the best so far."""

    folder: Path
    origin: Origin

    def __call__(self, row: EpochRow, weights: dict[str, Any]) -> None:
        card = self.origin.card(row.epoch, told(row))
        write_checkpoint(self.folder / BEST, card, weights)


def _lesson(
    store: ChipStore,
    split: SplitFile,
    replay: Replay | None,
    options: FitOptions,
    begun: Checkpoint | None,
) -> Lesson:
    sources = Sources((store,) if replay is None else (store, replay.store))
    shown = what_is_shown(sources, split, None if replay is None else replay.split, options)
    if begun is None:
        mean, std = channel_statistics(store, shown.training.tolist())
    else:  # the weights were learned for these
        mean, std = (np.array(part, dtype=np.float32) for part in (begun.card.task.mean, begun.card.task.std))
    return Lesson(sources, shown, Normaliser(store.facts.features, mean, std), options)


def _network_options(store: ChipStore, choice: NetworkChoice) -> NetworkOptions:
    channels = store.facts.features.network_channels
    return NetworkOptions(
        network=choice.network, channels=channels, filters=choice.filters, head=Head(choice.head)
    )


def _with_weights(options: NetworkOptions, state: State, begun: Checkpoint | None, seed: int) -> Network:
    """The network with the weights of the last epoch, of the checkpoint it begins with, or its first."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make_network(options)
    if state.weights:
        network.load_state_dict(state.weights)
    elif begun is not None:
        network.load_state_dict(begun.network.state_dict())
    return network


def _open_replay(path: Path, store: ChipStore) -> Replay:
    """The store that is replayed, and the split beside it."""
    replay = Replay(open_store(path), read_split(path.parent / SPLIT_JSON))
    pairs = {
        name: (getattr(replay.store.facts, name), getattr(store.facts, name))
        for name in ("features", "size_px", "spacing_m")
    }
    apart = [f"{name}: {old} there, {new} here" for name, (old, new) in pairs.items() if old != new]
    if apart:
        raise OptionsError(
            "a store to replay whose chips are like those of the training",
            f"{path} ({'; '.join(apart)})",
            "both are shown in the same batches",
            "cut the old events again with the options of the new ones (headscarp chips)",
        )
    return replay


def _key(
    store: ChipStore,
    split: SplitFile,
    network: NetworkChoice,
    options: FitOptions,
    begun: Checkpoint | None,
    replay: Replay | None,
) -> dict[str, Any]:
    """Everything that decides about the weights, by dotted name."""
    plain = options.model_dump(mode="json") | {
        "init_from": begun.sha256 if begun else None,
        "replay": [replay.store.facts.key, split_sha256(replay.split)] if replay else None,
    }
    return {
        "store": store.facts.key,
        "split": split_sha256(split),
        **{f"network.{name}": value for name, value in network.model_dump(mode="json").items()},
        **{f"train.{name}": value for name, value in plain.items()},
    }


def _refuse_few_chips(lesson: Lesson) -> None:
    fewest = min(len(lesson.shown.training), len(lesson.shown.validation))
    if fewest < lesson.options.devices:
        raise OptionsError(
            "a training and a validation chip at least for each of the devices",
            f"{fewest} chips for {lesson.options.devices} devices",
            "a process without chips cannot take part",
            "use fewer devices",
        )


def _refuse_contradictions(
    network: NetworkChoice, options: FitOptions, watch: Watch | None, store: ChipStore
) -> None:
    values = network.head == "regression"
    target = store.facts.target
    problems = {
        "freeze_encoder with init_from": options.freeze_encoder and options.init_from is None,
        "replay with init_from": options.replay is not None and options.init_from is None,
        f"a loss for the head {network.head}, not {options.loss}": not fits_head(
            options.loss, Head(network.head)
        ),
        f"a head for a store of {target}, not {network.head}": values != (target == "ndvi"),
        "replay of landslides: forgetting is told by F1": values and options.replay is not None,
        "batch_size of at least one chip a process": options.batch_size < options.devices,
        "one process where epochs are watched": watch is not None and options.devices > 1,
    }
    for expected, is_wrong in problems.items():
        if is_wrong:
            raise OptionsError(
                expected,
                "options of network and train that contradict each other",
                "the run would not do what you meant",
                "see docs/training.md",
            )
