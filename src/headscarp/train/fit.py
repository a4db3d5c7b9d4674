"""The loop itself, Lightning's: on one device, or in several processes that train as one."""

from __future__ import annotations

import logging
import re
import warnings

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer
from pytorch_lightning.strategies import DDPStrategy
from torch.multiprocessing.spawn import ProcessRaisedException

from headscarp.errors import HeadscarpError, OptionsError
from headscarp.train.engine import Engine
from headscarp.train.errors import TrainError
from headscarp.train.keeper import Keeper
from headscarp.train.options import FitOptions


def fit(engine: Engine, keeper: Keeper) -> None:
    """Train until the keeper says that it is over.

    Raises
    ------
    OptionsError
        If the machine has no such devices or arithmetic.
    TrainError
        If the loss becomes NaN.
    CheckpointError
        If there is no room to write.
    """
    options = engine.lesson.options
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        _silence()
        try:
            trainer = _trainer(options, options.epochs - engine.first_epoch, keeper)
        except (MisconfigurationException, ValueError) as error:
            raise _no_such_machine(options, error) from error
        try:
            trainer.fit(engine)
        except ProcessRaisedException as error:
            raise _trouble(error) or error from None


def _trainer(options: FitOptions, epochs: int, keeper: Keeper) -> Trainer:
    """The loop with nothing of its own: order, log, checkpoints and ending are the engine's and keeper's."""
    on_gpu = options.accelerator == "gpu" or (options.accelerator == "auto" and torch.cuda.is_available())
    if options.precision == "16-mixed" and not on_gpu:
        raise MisconfigurationException("16-mixed is arithmetic of GPUs")
    together = options.devices > 1
    if together:
        keeper.stay_here()
    return Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=options.devices,
        strategy=_strategy(on_gpu) if together else "auto",
        sync_batchnorm=together and on_gpu,
        precision=options.precision,
        accumulate_grad_batches=options.accumulate,
        max_epochs=epochs,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        callbacks=[keeper],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=keeper.folder,
    )


def _strategy(on_gpu: bool) -> DDPStrategy:
    """Processes that add their gradients; buffers are the same in all of them as it is."""
    backend = "nccl" if on_gpu else "gloo"
    return DDPStrategy(start_method="spawn", process_group_backend=backend, broadcast_buffers=False)


def _silence() -> None:
    """Warnings of Lightning about what is so on purpose."""
    for message in (
        r"GPU available but not used",  # --accelerator cpu
        r".*does not have many workers",  # batches are made by a thread of ours
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # torch's own trees, within Lightning
        r"The `srun` command is available",  # on clusters, outside a job
    ):
        warnings.filterwarnings("ignore", message=message)


def _no_such_machine(options: FitOptions, error: Exception) -> OptionsError:
    asked = f"accelerator {options.accelerator}, devices {options.devices}, precision {options.precision}"
    return OptionsError(
        "accelerator, devices and precision that this machine has",
        f"{asked} ({str(error).splitlines()[0]})",
        "the training cannot begin",
        "leave them at their defaults, or train on another machine",
    )


def _trouble(raised: Exception) -> HeadscarpError | None:
    """The error that ended another process, if it was one for people: its four parts end its traceback."""
    found = re.search(r"expected: (.*)\ngiven: +(.*)\nwhy: +(.*)\ndo: +(.*)", str(raised))
    return None if found is None else TrainError(*found.groups())
