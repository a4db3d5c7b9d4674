"""What a network says of the chips of a store, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from headscarp.calibration import scale
from headscarp.checkpoint import Checkpoint, CheckpointError
from headscarp.chips.store import ChipStore
from headscarp.features.channels import FloatArray
from headscarp.features.sets import normalise
from headscarp.models import for_inference


class PredictedChip(NamedTuple):
    """A chip and what a network says of it.

    Attributes
    ----------
    id : str
    probability : ndarray of float32, shape (y, x)
        Calibrated, also where the label leaves a pixel out.
    raw : ndarray of float32, shape (y, x)
        The network's own, uncalibrated.
    label : ndarray of uint8, shape (y, x)
        1 landslide, 0 none, 255 left out.
    """

    id: str
    probability: FloatArray
    raw: FloatArray
    label: NDArray[np.uint8]


def predict_chips(checkpoint: Checkpoint, store: ChipStore, places: Sequence[int]) -> Iterator[PredictedChip]:
    """Calibrated probability of a landslide on chips of a store, in the order of their places.

    Each chip is seen by itself, as in training: beyond its rim there is nothing.

    Parameters
    ----------
    checkpoint : Checkpoint
    store : ChipStore
        Of the checkpoint's channels.
    places : sequence of int

    Raises
    ------
    CheckpointError
        If the store holds other channels.
    """
    task = checkpoint.card.task
    if store.facts.features.channels != task.features.channels:
        raise CheckpointError(
            f"a store of the channels {', '.join(task.features.channels)}",
            ", ".join(store.facts.features.channels),
            "the network was trained on those",
            "cut the chips with the features of the checkpoint",
        )
    mean, std = (np.array(own, dtype=np.float32) for own in (task.mean, task.std))
    network = for_inference(checkpoint.network)
    calibration = checkpoint.card.calibration
    for place in places:
        x, label, days = store.read([place])
        inputs = _inputs(x, days, lambda values: normalise(values, task.features, mean, std))
        with torch.inference_mode():
            logits = network(*inputs)[0, 0].numpy()
        scaled = logits if calibration is None else scale(logits, calibration)
        calibrated, raw = (expit(values).astype(np.float32) for values in (scaled, logits))
        yield PredictedChip(store.facts.chips[place].id, calibrated, raw, label[0])


def _inputs(x: FloatArray, days: FloatArray | None, normalised: Any) -> list[torch.Tensor]:
    """Tensors of one chip; of a series without the dates that pad it."""
    if days is None:
        return [torch.from_numpy(normalised(x))]
    dated = np.isfinite(days[0])
    values, own = torch.from_numpy(normalised(x[:, dated])), torch.from_numpy(days[:, dated])
    return [values, torch.ones(own.shape, dtype=torch.bool), own]
