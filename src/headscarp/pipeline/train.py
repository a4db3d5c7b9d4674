"""``headscarp train``: chips, their split, and a network trained on them."""

from __future__ import annotations

from pathlib import Path

from headscarp.chips.store import ChipStore, open_store
from headscarp.config import TrainOptions, default_yaml
from headscarp.pipeline.chips.run import choose_split, make_chips
from headscarp.pipeline.provenance import source_commit
from headscarp.pipeline.stages import Progress, silent
from headscarp.run_folder import write_atomically
from headscarp.train.record import TrainRecord
from headscarp.train.run import train
from headscarp.train.state import CHIPS

OPTIONS_YAML = "options.yaml"


def run_train(options: TrainOptions, out: Path, progress: Progress = silent) -> TrainRecord:
    """Cut chips or use those that are there, split them, and train; again: go on.

    Parameters
    ----------
    options : TrainOptions
        Without events, the store must be there already; without a store, it is written into the folder.
    out : Path
        Folder of the training.
    progress : callable

    Raises
    ------
    HeadscarpError
        On bad input; what was learned before is kept.
    """
    store = open_or_make(options, out, progress)
    split = choose_split(store, options.split)
    record = train(store, split, options.network, options.train, out, progress, commit=source_commit())
    write_atomically(out / OPTIONS_YAML, default_yaml(options))
    return record


def open_or_make(options: TrainOptions, out: Path, progress: Progress) -> ChipStore:
    """The store that the options name, or one in the folder; cut where it is not there yet."""
    path = options.store or out / CHIPS
    if not options.events and path.exists():
        return open_store(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return make_chips(options.events, options.chips, path, progress)
