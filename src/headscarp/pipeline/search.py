"""``headscarp search``: a training for each combination of hyperparameters, one or several at a time."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import optuna
import torch
from filelock import FileLock, Timeout
from optuna.trial import TrialState

from headscarp import __version__
from headscarp.chips.draw import split_places
from headscarp.chips.store import ChipStore, open_store
from headscarp.config import SearchOptions
from headscarp.errors import OptionsError, OutputError
from headscarp.models import NetworkOptions
from headscarp.pipeline.chips.run import choose_split
from headscarp.pipeline.provenance import source_commit
from headscarp.pipeline.stages import Progress, silent
from headscarp.pipeline.train import open_or_make
from headscarp.run_folder import write_atomically
from headscarp.search.cells import Cell, cells
from headscarp.search.estimate import estimate_hours, seconds_a_chip
from headscarp.search.figure import write_figure
from headscarp.search.record import SearchRecord, rows_of, write_search
from headscarp.search.study import VALUES, Objective, Outcome, enqueue, open_study, work
from headscarp.split import SplitFile, read_split, write_split
from headscarp.train.run import SPLIT_JSON, train

KEY_JSON, PICTURE, LOCK = "key.json", "search.png", ".lock"
STORE_TXT = ".store"
"""Names the store for the processes of the search."""
POLL_S = 0.5
STAGE = "combinations"
OPEN = (TrialState.WAITING, TrialState.RUNNING)

Estimated = Callable[[float, int], None]


def run_search(
    options: SearchOptions, out: Path, progress: Progress = silent, estimated: Estimated | None = None
) -> SearchRecord:
    """Train a network with every combination of hyperparameters, or go on with a search that was stopped.

    Parameters
    ----------
    options : SearchOptions
    out : Path
        Folder: a training for each combination, ``search.csv``, ``search.json``, ``search.png``.
    progress : callable, optional
        Told how many combinations are done.
    estimated : callable, optional
        Told, before anything is trained, the hours that all waiting combinations would take if each ran all
        its epochs, and how many wait.

    Returns
    -------
    SearchRecord
        As in ``search.json``.

    Raises
    ------
    HeadscarpError
        On bad input, or if another search runs in the folder, or one of other options stands there.
    """
    _refuse_values(options)
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        store = open_or_make(options, out, progress)
        split = choose_split(store, options.split)
        _claim(out, options, store)
        write_split(out / SPLIT_JSON, split)
        write_atomically(out / STORE_TXT, str(store.path.resolve()))
        wanted = cells(options.search)
        study = open_study(out, options.search)
        waiting = enqueue(study, wanted)
        hours = _estimate(options, store, split, _waiting(study))
        if estimated is not None:
            estimated(hours, waiting)
        deadline = None if options.search.max_hours is None else time.time() + 3600 * options.search.max_hours
        _train_waiting(options, out, study, waiting, deadline, progress)
        record = SearchRecord(
            headscarp=__version__,
            commit=source_commit(),
            network=options.network.network,
            features=store.facts.features.name,
            estimate_hours=round(hours, 3),
            rows=rows_of(study, wanted),
        )
        write_search(out, record)
        write_figure(out / PICTURE, record.rows)
    return record


def _refuse_values(options: SearchOptions) -> None:
    if options.network.head == "regression":
        raise OptionsError(
            "a network of landslides",
            "network.head regression",
            "the search compares combinations by F1, which values such as NDVI have not",
            "train each with headscarp train, or headscarp study sar2ndvi",
        )


def _train_waiting(
    options: SearchOptions,
    out: Path,
    study: optuna.Study,
    waiting: int,
    deadline: float | None,
    progress: Progress,
) -> None:
    """Train what waits, here or in several processes, and tell how far it is."""

    def tell() -> None:
        progress(STAGE, waiting - len(study.get_trials(deepcopy=False, states=OPEN)), waiting)

    tell()
    workers = min(options.search.workers, waiting)
    if workers <= 1:
        objective = _objective(options, out)

        def told(cell: Cell, on_epoch: Callable[[int, float], bool]) -> Outcome:
            tell()
            return objective(cell, on_epoch)

        work(study, told, deadline)
        tell()
        return
    context = multiprocessing.get_context("spawn")
    arguments = (options.model_dump_json(), out, workers, deadline)
    processes: list[BaseProcess] = [context.Process(target=_worker, args=arguments) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        while any(process.is_alive() for process in processes):
            time.sleep(POLL_S)
            tell()
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _worker(options_json: str, out: Path, workers: int, deadline: float | None) -> None:
    """Train what waits, in one process of several."""
    options = SearchOptions.model_validate_json(options_json)
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    work(open_study(out, options.search), _objective(options, out), deadline)


def _objective(options: SearchOptions, out: Path) -> Objective:
    """Trains a combination in its own folder."""
    store = open_store(Path((out / STORE_TXT).read_text(encoding="utf-8")))
    split = read_split(out / SPLIT_JSON)

    def objective(cell: Cell, on_epoch: Callable[[int, float], bool]) -> Outcome:
        network = options.network.model_copy(update={"filters": cell.filters})
        fit = options.train.model_copy(
            update={"batch_size": cell.batch_size, "learning_rate": cell.learning_rate}
        )
        record = train(store, split, network, fit, out / cell.name, commit=source_commit(), watch=on_epoch)
        return Outcome(record.best_f1 or 0.0, record.epochs, record.finished)

    return objective


def _estimate(options: SearchOptions, store: ChipStore, split: SplitFile, waiting: Sequence[Cell]) -> float:
    """Hours that the waiting combinations would take, from a step of each width."""
    facts = store.facts
    dates = int(store.arrays["x"].shape[1]) if facts.features.form == "series" else 1
    channels = facts.features.network_channels
    seconds = {
        filters: seconds_a_chip(
            NetworkOptions(network=options.network.network, channels=channels, filters=filters),
            facts.size_px,
            dates,
        )
        for filters in sorted({cell.filters for cell in waiting})
    }
    places = split_places(facts, split)
    return estimate_hours(
        waiting, seconds, (len(places["train"]), len(places["validation"])), options.train.epochs
    )


def _waiting(study: optuna.Study) -> list[Cell]:
    return [Cell(**trial.user_attrs[VALUES]) for trial in study.get_trials(states=(TrialState.WAITING,))]


def _claim(out: Path, options: SearchOptions, store: ChipStore) -> None:
    """Refuse a folder with the search of other options: its combinations would stand in one table.

    Raises
    ------
    OutputError
    """
    fixed = {
        "store": store.facts.key,
        "split": options.split.model_dump(mode="json"),
        "network": options.network.model_dump(mode="json", exclude={"filters"}),
        "train": options.train.model_dump(mode="json", exclude={"batch_size", "learning_rate"}),
        "method": options.search.method,
        "seed": options.search.seed,
    }
    text = json.dumps(fixed, indent=2, sort_keys=True) + "\n"
    path = out / KEY_JSON
    if not path.exists():
        write_atomically(path, text)
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    apart = [name for name, value in fixed.items() if before.get(name) != value]
    if apart:
        raise OutputError(
            "an --out that is new, or holds the search of the same chips, split, network and training",
            f"{out}, whose search differs in {', '.join(apart)}",
            "combinations of two searches would stand in one table",
            "choose another folder",
        )


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder; a search that was killed lets go of it."""
    try:
        with FileLock(out / LOCK, timeout=0):
            yield
    except Timeout as error:
        raise OutputError(
            "a folder in which no other search runs",
            f"{out}, which another process holds",
            "what it is training would be taken for cut off",
            "wait for it, or use --workers there; several machines need folders of their own",
        ) from error
