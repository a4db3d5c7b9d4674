"""The state of a training on disk: what it was asked (``key.json``), and how far it is (``state.pt``).

The state is written at the end of each epoch, beside its place, and moved there: whatever happens, a whole
state stands, and an epoch that was cut off is done again. It is a file of tensors and plain values, read
without running code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from headscarp.run_folder import write_atomically
from headscarp.train.errors import TrainError
from headscarp.train.record import EpochRow

KEY_JSON, STATE = "key.json", "state.pt"
CHIPS = "chips.zarr"
"""The store in the folder of a training that has none elsewhere: it, and its parts, may be there before."""
ALWAYS_FREE = ("train.max_minutes", "train.licence", "train.patience")
"""Options that another run of the same training may change: they decide about no weight."""
FREE_WHEN_CONSTANT = ("train.epochs",)
"""May be changed while the learning rate does not depend on it."""


@dataclass
class State:
    """How far a training is.

    Attributes
    ----------
    history : list of EpochRow
        Epochs done.
    weights, optimiser, scaler : dict
        ``state_dict()`` of the network, the optimiser and the precision's gradient scaler.
    """

    history: list[EpochRow] = field(default_factory=list)
    weights: dict[str, Any] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return len(self.history)

    @property
    def best(self) -> EpochRow:
        """The first epoch of the highest rank."""
        return max(self.history, key=lambda row: (row.rank, -row.epoch))


def write_state(folder: Path, state: State) -> None:
    """Write the state; the one before it survives where there is no room.

    Raises
    ------
    TrainError
        If it cannot be written.
    """
    beside = folder / f".{STATE}.part"
    content = {
        "history": [row.model_dump() for row in state.history],
        "weights": state.weights,
        "optimiser": state.optimiser,
        "scaler": state.scaler,
    }
    try:
        torch.save(content, beside)
        beside.replace(folder / STATE)
    except (OSError, RuntimeError) as error:  # torch's writer of zip files tells a full disk by the latter
        beside.unlink(missing_ok=True)
        raise TrainError(
            "a folder with room for the state of a training",
            f"{folder / STATE} ({getattr(error, 'strerror', None) or str(error).splitlines()[0]})",
            f"epoch {state.epochs} is not kept; the state of the epoch before it is untouched",
            "free some space and run the same command again: it goes on where it stopped",
        ) from error


def read_state(folder: Path) -> State:
    """Read the state of a folder; an empty one where there is none.

    Raises
    ------
    TrainError
        If it is damaged.
    """
    path = folder / STATE
    if not path.exists():
        return State()
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        history = [EpochRow.model_validate(row) for row in content.pop("history")]
        return State(history, **content)
    except Exception as error:  # whatever a damaged file makes of the unpickler
        raise TrainError(
            "the state that an earlier run of this command wrote",
            f"{path} ({str(error).splitlines()[0]})",
            "the training cannot go on from it",
            "delete the folder to begin anew, or train into another one",
        ) from error


def claim_folder(folder: Path, key: dict[str, Any]) -> None:
    """Make a folder that of one training, or find that it is already.

    Parameters
    ----------
    folder : Path
    key : dict
        Everything that decides about the weights, by dotted name.

    Raises
    ------
    TrainError
        If it holds something else, or a training that was asked for otherwise.
    """
    path = folder / KEY_JSON
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            _refuse_another(json.loads(path.read_text(encoding="utf-8")), key, folder)
        elif any(CHIPS not in entry.name for entry in folder.iterdir()):
            raise _taken(folder)
        write_atomically(path, json.dumps(key, indent=2) + "\n")
    except (OSError, ValueError) as error:
        raise TrainError(
            "an --out in a folder that can be written",
            f"{folder} ({getattr(error, 'strerror', None) or error})",
            "what is learned would be lost",
            "choose another folder, or change its permissions",
        ) from error


def _refuse_another(old: dict[str, Any], new: dict[str, Any], folder: Path) -> None:
    free = set(ALWAYS_FREE)
    if old.get("train.schedule") == new.get("train.schedule") == "constant":
        free |= set(FREE_WHEN_CONSTANT)
    names = [n for n in dict.fromkeys([*old, *new]) if n not in free and old.get(n) != new.get(n)]
    if not names:
        return
    was = "; ".join(f"{name}: {_short(old.get(name))}, now {_short(new.get(name))}" for name in names)
    raise TrainError(
        "the options, chips and split that the training in --out began with",
        f"{was} ({folder})",
        "a training that goes on with others is neither the one nor the other",
        "restore them, or train into another folder",
    )


def _taken(folder: Path) -> TrainError:
    return TrainError(
        "an --out that is new, empty, or holds a training that is to go on",
        f"{folder}, which holds something else",
        "what stands there would be mixed with checkpoints",
        "choose another folder",
    )


def _short(value: object, limit: int = 60) -> str:
    text = str(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
