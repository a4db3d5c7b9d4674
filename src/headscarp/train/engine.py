"""The Lightning module: one network, its loss, its optimiser, its chips."""

from __future__ import annotations

import math
import os
import time
import warnings
from dataclasses import dataclass
from functools import cached_property

import torch
from pytorch_lightning import LightningModule
from torch import Tensor

from headscarp.chips.augment import allowed_flips
from headscarp.models import Network, keep_memory
from headscarp.train.batches import Augment, Batch, Batches, Normaliser, Shard
from headscarp.train.chips import Cache, Sources
from headscarp.train.errors import TrainError
from headscarp.train.judge import Judge, judge_of
from headscarp.train.loss import make_loss
from headscarp.train.losses import Loss
from headscarp.train.options import FitOptions
from headscarp.train.processes import added, shard, share_batch_statistics
from headscarp.train.shown import Numbers, Shown
from headscarp.train.state import State
from headscarp.train.transfer import freeze_encoder

_OF_SEVERAL_PROCESSES = (
    r"Grad strides do not match bucket view strides",  # of 1 × 1 kernels, which mean the same
    r"`broadcast_buffers` is deprecated",  # its successor is not in every torch that we support
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # torch's own trees, within Lightning
)
"""Warnings that say nothing to whoever trains."""
_NAMED_CHIPS = 8
"""Of a batch, in an error."""


@dataclass(frozen=True)
class Lesson:
    """All that is shown to a network, and how.

    Attributes
    ----------
    sources : Sources
    shown : Shown
    normaliser : Normaliser
    options : FitOptions
    """

    sources: Sources
    shown: Shown
    normaliser: Normaliser
    options: FitOptions


@dataclass
class Tally:
    """Sums of an epoch: of the loss of each training batch, and of all validation pixels."""

    losses: Tensor
    batches: int
    counts: Tensor
    sums: Tensor | None = None
    training_s: float = 0.0


class Engine(LightningModule):
    """Trains a network; epochs are counted from where an earlier run stopped.

    Parameters
    ----------
    network : Network
        With the weights to begin with.
    lesson : Lesson
    state : State
        How far an earlier run came; its weights are in the network already.
    """

    def __init__(self, network: Network, lesson: Lesson, state: State) -> None:
        super().__init__()
        self.network = network
        self.lesson = lesson
        self.state = state
        self.first_epoch = state.epochs
        self.frozen = freeze_encoder(network) if lesson.options.freeze_encoder else ()
        self.judge = judge_of(network.options.head)
        self._cache: Cache | None = None
        self.tally = _empty(self.judge)
        self._begun = 0.0

    def setup(self, stage: str) -> None:
        """Make ready a process that trains with others."""
        together = shard().processes
        if together > 1 and self.trainer.strategy.root_device.type == "cpu":
            keep_memory()
            torch.set_num_threads(max(1, (os.cpu_count() or 1) // together))
            share_batch_statistics(self.network)
            for message in _OF_SEVERAL_PROCESSES:
                warnings.filterwarnings("ignore", message=message)

    @cached_property
    def loss(self) -> Loss:
        """What is minimised; made where it is used, for it cannot be sent to another process."""
        options = self.lesson.options
        return make_loss(options.loss, options.dice_classes, options.loss_weights)

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 0, those of earlier runs included."""
        return self.first_epoch + int(self.current_epoch)

    @property
    def learning_rate(self) -> float:
        """Of the epoch; a function of its number alone."""
        return learning_rate(self.lesson.options, self.epoch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, with the moments of the epochs before."""
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        adam = torch.optim.Adam(trained, lr=self.learning_rate, fused=True)
        if self.state.optimiser:
            adam.load_state_dict(self.state.optimiser)
        return adam

    def train_dataloader(self) -> Batches:
        """Batches of the epoch; Lightning asks again for each."""
        options = self.lesson.options
        features = self.lesson.normaliser.features
        flips = allowed_flips(features, options.paper_augmentation)
        augment = Augment(flips, options.seed, self.epoch) if options.augment else None
        return self._batches(
            self.lesson.shown.order(options, self.epoch), options.batch_size, augment, shard()
        )

    def val_dataloader(self) -> Batches:
        """Batches of the validation chips; each process has its own, and as many as they make."""
        own = shard()
        size = self.lesson.options.batch_size // own.processes
        return self._batches(self.lesson.shown.validation[own.rank :: own.processes], size, None, Shard())

    def on_train_epoch_start(self) -> None:
        """Set what hangs on the number of the epoch."""
        self.tally, self._begun = _empty(self.judge, self.device), time.perf_counter()
        torch.manual_seed(self.lesson.options.seed + self.epoch)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.learning_rate
        for part in self.frozen:
            part.eval()

    def training_step(self, batch: Batch, number: int) -> Tensor:
        """Loss of a batch."""
        loss = self.loss(self._predict(batch), batch.target, batch.mask, added)
        self._refuse_nan(loss, batch)
        self.tally.losses += loss.detach()
        self.tally.batches += 1
        return loss

    def on_validation_start(self) -> None:
        """Training of the epoch is over."""
        self.tally.training_s = time.perf_counter() - self._begun

    def validation_step(self, batch: Batch, number: int) -> None:
        """Add the counts of a batch, and the sums of its loss."""
        logits = self._predict(batch)
        sums = self.loss.sums(logits, batch.target, batch.mask)
        self._refuse_nan(sums.sum(), batch)
        self.tally.sums = sums.double() if self.tally.sums is None else self.tally.sums + sums
        self.tally.counts += self.judge.counts(logits, batch.target, batch.mask)

    def on_validation_epoch_end(self) -> None:
        """Add what the other processes counted."""
        self.tally.counts = added(self.tally.counts)
        if self.tally.sums is not None:
            self.tally.sums = added(self.tally.sums)

    def _predict(self, batch: Batch) -> Tensor:
        dates = () if batch.valid is None else (batch.valid, batch.days)
        logits: Tensor = self.network(batch.x, *dates)
        return logits.float()

    def _batches(self, order: Numbers, size: int, augment: Augment | None, part: Shard) -> Batches:
        if self._cache is None:
            self._cache = Cache(self.lesson.sources)
        ids = [chip.id for chip in self.lesson.sources.chips]
        return Batches(self._cache, ids, order, size, self.lesson.normaliser, augment, part)

    def _refuse_nan(self, loss: Tensor, batch: Batch) -> None:
        if bool(loss.isfinite()):
            return
        names = [self.lesson.sources.chips[number].id for number in batch.numbers.tolist()]
        more = f" and {len(names) - _NAMED_CHIPS} more" if len(names) > _NAMED_CHIPS else ""
        raise TrainError(
            "a finite loss",
            f"{loss.item()} in epoch {self.epoch + 1}, chips {', '.join(names[:_NAMED_CHIPS])}{more}",
            "weights that have become NaN never recover; what was learned up to the epoch before is kept",
            "look at these chips for values out of range, or train with a lower learning rate",
        )


def learning_rate(options: FitOptions, epoch: int) -> float:
    r"""Learning rate of an epoch, from 0.

    .. math:: \eta_e = \eta_0, \qquad \text{or} \qquad
        \eta_e = \frac{\eta_0}{2} \left(1 + \cos \frac{\pi e}{E}\right)

    Examples
    --------
    >>> options = FitOptions(learning_rate=0.1, schedule="cosine", epochs=4)
    >>> [round(learning_rate(options, epoch), 3) for epoch in range(4)]
    [0.1, 0.085, 0.05, 0.015]
    """
    if options.schedule == "constant":
        return options.learning_rate
    return options.learning_rate * (1 + math.cos(math.pi * epoch / options.epochs)) / 2


def _empty(judge: Judge, device: torch.device | str = "cpu") -> Tally:
    return Tally(torch.zeros((), device=device), 0, judge.empty.clone().to(device))
