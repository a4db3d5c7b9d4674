"""A search as an Optuna study on disk: combinations wait, are trained, and are told; any process may help."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import optuna
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from headscarp.errors import HeadscarpError
from headscarp.search.cells import Cell
from headscarp.search.options import GridOptions

JOURNAL = "search.journal"
STUDY = "search"
CELL, VALUES, EPOCHS, SECONDS, BEST, ERROR = "cell", "values", "epochs", "seconds", "best_f1", "error"
"""Attributes of a trial."""


class Outcome(NamedTuple):
    """What a training came to.

    Attributes
    ----------
    f1 : float
        Best validation F1.
    epochs : int
    finished : bool
        False: it stopped for the time limit, and would go on.
    """

    f1: float
    epochs: int
    finished: bool


class Objective(Protocol):
    """Trains one combination."""

    def __call__(self, cell: Cell, on_epoch: Callable[[int, float], bool]) -> Outcome:
        """Train; after each epoch ask `on_epoch`, with its number and validation F1, whether to stop."""
        ...


def open_study(folder: Path, options: GridOptions) -> optuna.Study:
    """Open the study of a folder, or begin it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    return optuna.create_study(
        storage=storage, study_name=STUDY, direction="maximize", load_if_exists=True, pruner=_pruner(options)
    )


def enqueue(study: optuna.Study, wanted: Sequence[Cell]) -> int:
    """Let combinations wait that are not in the study yet, and those that were cut off; return how many wait.

    Call it before any worker begins: what is still running then was killed. A combination that was cut off
    is taken up again, and its folder knows how far it came; one that failed is not.
    """
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    known = {trial.user_attrs.get(CELL) for trial in study.trials if not is_cut_off(trial)}
    for cell in wanted:
        if cell.name not in known:
            study.enqueue_trial(cell._asdict(), user_attrs={CELL: cell.name, VALUES: cell._asdict()})
    return len(study.get_trials(states=(TrialState.WAITING,)))


def is_cut_off(trial: FrozenTrial) -> bool:
    """Whether a trial ended for want of time, or with its process, rather than for an error."""
    return trial.state is TrialState.FAIL and ERROR not in trial.user_attrs


def work(study: optuna.Study, objective: Objective, deadline: float | None = None) -> None:
    """Train waiting combinations one after the other until none waits, or until the deadline.

    Parameters
    ----------
    study : Study
        Other processes may work on it at the same time.
    objective : callable
    deadline : float, optional
        By :func:`time.time`; no combination is begun after it.
    """
    while study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        if deadline is not None and time.time() >= deadline:
            return
        trial = study.ask()
        if CELL not in trial.user_attrs:  # another process was faster, and this one is nobody's wish
            study.tell(trial, state=TrialState.FAIL)
            return
        _train(study, trial, objective, deadline)


def _train(study: optuna.Study, trial: Trial, objective: Objective, deadline: float | None) -> None:
    cell = Cell(**trial.user_attrs[VALUES])
    trial.suggest_int("batch_size", cell.batch_size, cell.batch_size)
    trial.suggest_int("filters", cell.filters, cell.filters)
    trial.suggest_float("learning_rate", cell.learning_rate, cell.learning_rate)
    begun, pruned = time.time(), False

    def on_epoch(epoch: int, f1: float) -> bool:
        nonlocal pruned
        trial.report(f1, epoch)
        pruned = trial.should_prune()
        return pruned or (deadline is not None and time.time() >= deadline)

    try:
        outcome = objective(cell, on_epoch)
    except HeadscarpError as error:
        _fail(study, trial, f"{error.expected}; given {error.given}")
    except (RuntimeError, OSError, MemoryError) as error:
        _fail(study, trial, str(error).splitlines()[0] if str(error) else type(error).__name__)
    else:
        trial.set_user_attr(EPOCHS, outcome.epochs)
        trial.set_user_attr(SECONDS, round(time.time() - begun, 1))
        trial.set_user_attr(BEST, outcome.f1)
        if pruned:
            study.tell(trial, state=TrialState.PRUNED)
        elif outcome.finished:
            study.tell(trial, outcome.f1)
        else:
            study.tell(trial, state=TrialState.FAIL)


def _fail(study: optuna.Study, trial: Trial, reason: str) -> None:
    trial.set_user_attr(ERROR, reason)
    study.tell(trial, state=TrialState.FAIL)


def _pruner(options: GridOptions) -> BasePruner:
    if options.method != "halving":
        return NopPruner()
    return SuccessiveHalvingPruner(min_resource=options.first_epochs, reduction_factor=options.reduction)
