"""What happens at the end of each epoch: it is counted, kept on disk, and told; and when to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, Trainer

from headscarp.train.engine import Engine
from headscarp.train.log import write_log
from headscarp.train.options import FitOptions
from headscarp.train.record import Ending, EpochRow
from headscarp.train.state import State, write_state

Watch = Callable[[int, float], bool]
"""Told an epoch's number, from 1, and its rank (F1, or RMSE below 0); answers whether to stop."""
KeepBest = Callable[[EpochRow, dict[str, Any]], None]
"""Given the row and the weights of an epoch that is the best so far."""
Told = Callable[[str, int, int], None]
"""Progress: stage, done, total."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Ends:
    """When a training ends: at the last epoch, after long without a better one, or for want of time."""

    options: FitOptions
    deadline_s: float | None
    """By :func:`time.monotonic`."""

    def of(self, history: list[EpochRow], now_s: float) -> Ending | None:
        """Why it ends after these epochs; none: it goes on."""
        if len(history) >= self.options.epochs:
            return "epochs"
        if is_stale(history, self.options.patience):
            return "patience"
        if self.deadline_s is not None and now_s + history[-1].seconds > self.deadline_s:
            return "time"
        return None


def is_stale(history: list[EpochRow], patience: int) -> bool:
    """Whether the best epoch lies `patience` epochs back.

    Examples
    --------
    >>> is_stale([], 3)
    False
    """
    if not history:
        return False
    best = max(range(len(history)), key=lambda i: (history[i].rank, -i))
    return len(history) - 1 - best >= patience


class Keeper(Callback):
    """Keeps the state of a training, its log and its best weights.

    Parameters
    ----------
    folder : Path
    ends : Ends
    keep_best : callable
    told : callable
    watch : callable, optional
    """

    def __init__(
        self, folder: Path, ends: Ends, keep_best: KeepBest, told: Told, watch: Watch | None = None
    ) -> None:
        self.folder, self.ends, self.keep_best, self.told, self.watch = folder, ends, keep_best, told, watch
        self._start = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Engine) -> None:  # type: ignore[override]
        """Take the time."""
        self._start = time.perf_counter()

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: Engine, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Tell how far the epoch is."""
        if trainer.is_global_zero:
            self.told("epoch", batch_idx + 1, int(trainer.num_training_batches))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Engine) -> None:  # type: ignore[override]
        """Keep the epoch, and decide whether it was the last; validation has been run."""
        history = [*pl_module.state.history, self._row(pl_module)]
        state = State(
            history,
            pl_module.network.state_dict(),
            trainer.optimizers[0].state_dict(),
            trainer.precision_plugin.state_dict(),
        )
        if trainer.is_global_zero:
            if state.best is history[-1]:
                self.keep_best(history[-1], state.weights)
            write_state(self.folder, state)
            write_log(self.folder, history)
            self.told("epochs", len(history), self.ends.options.epochs)
        pl_module.state = State(history)
        trainer.should_stop = self._is_over(trainer, history)

    def stay_here(self) -> None:
        """Leave behind what cannot be sent to another process: nobody watches there."""
        self.told, self.watch = silent, None

    def _is_over(self, trainer: Trainer, history: list[EpochRow]) -> bool:
        """Whether any process says so: clocks differ."""
        row = history[-1]
        over = self.ends.of(history, time.monotonic()) is not None
        asked = self.watch is not None and self.watch(row.epoch, row.rank)
        return bool(trainer.strategy.reduce_boolean_decision(over or asked, all=False))

    def _row(self, engine: Engine) -> EpochRow:
        tally, seconds = engine.tally, time.perf_counter() - self._start
        shown = len(engine.lesson.shown.order(engine.lesson.options, engine.epoch))
        figures = engine.judge.figures(tally.counts.cpu().numpy())
        loss = float("nan") if tally.sums is None else float(engine.loss.value(tally.sums))
        return EpochRow(
            epoch=engine.epoch + 1,
            learning_rate=engine.learning_rate,
            train_loss=float(tally.losses) / max(tally.batches, 1),
            validation_loss=loss,
            seconds=round(seconds, 3),
            chips_per_s=round(shown / max(tally.training_s, 1e-9), 3),
            measure=engine.judge.measure(figures),
            figures=figures,
        )
