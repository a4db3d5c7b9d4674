"""A checkpoint that predicts values, such as NDVI: what it looks at, its values, how far to believe them."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from headscarp.checkpoint import Checkpoint, CheckpointError, Residual
from headscarp.detect.protocol import StackFacts
from headscarp.features.change import Change
from headscarp.features.composite import Moment
from headscarp.features.sets import FeatureSet, form_inputs, normalise
from headscarp.models import Head, Network, for_inference
from headscarp.predict.mosaic import Blend, Halo
from headscarp.predict.network import NAMED_DIGITS, network_halo_px, network_stride_px, widest_block_px
from headscarp.predict.suited import require_suited, suited_notes

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class ValuePredictor:
    """A network of values with its card, ready to predict.

    Attributes
    ----------
    checkpoint : Checkpoint

    Raises
    ------
    CheckpointError
        If the network gives log-odds of landslides, or its card does not say how far it errs.
    """

    checkpoint: Checkpoint
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __post_init__(self) -> None:
        card = self.checkpoint.card
        if card.options.head is not Head.REGRESSION or card.residual is None:
            raise CheckpointError(
                "a network of values, with its errors on validation chips",
                f"one of {card.options.head.value}{'' if card.residual else ', without errors'}",
                "it gives no NDVI, or nobody could tell how far to believe it",
                "train one with chips.target ndvi (docs/ndvi.md); last.safetensors has no errors, best has",
            )

    @property
    def residual(self) -> Residual:
        """Errors on the validation chips."""
        residual = self.checkpoint.card.residual
        if residual is None:  # refused already
            raise RuntimeError("a network of values without errors")
        return residual

    @property
    def name(self) -> str:
        """Network, features and the first digits of the file's SHA-256."""
        card = self.checkpoint.card
        return f"{card.options.network} {card.task.features.name} {self.checkpoint.sha256[:NAMED_DIGITS]}"

    def features(self, moment: Moment) -> FeatureSet:
        """What it looks at, of one moment."""
        return self.checkpoint.card.task.features.at(moment)

    def require_suited(self, stack: StackFacts) -> tuple[str, ...]:
        """Refuse a stack that lacks what it looks at; tell where it differs from the training.

        Raises
        ------
        CheckpointError
        """
        task = self.checkpoint.card.task
        require_suited(task, stack, f"the checkpoint {self.checkpoint.sha256[:NAMED_DIGITS]}")
        return suited_notes(task, stack)

    def inputs(self, change: Change, moment: Moment) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Normalised channels (channel, y, x) of a moment, and where any of radar has a value."""
        task, features = self.checkpoint.card.task, self.features(moment)
        values, seen = form_inputs(features, change)
        mean, std = (np.array(own, dtype=np.float32) for own in (task.mean, task.std))
        return normalise(values, features, mean, std), seen

    def predict(self, x: FloatArray, halo_px: int = 0) -> FloatArray:
        """Values in [-1, 1] of what lies inside a halo; one inference at a time.

        Parameters
        ----------
        x : ndarray of float32, shape (channel, y, x)
            Normalised.
        halo_px : int
            A multiple of the network's stride.
        """
        with self._turn, torch.inference_mode():
            values = self._network(torch.from_numpy(np.ascontiguousarray(x))[None], halo_px=halo_px)
        return np.asarray(values[0, 0].numpy(), dtype=np.float32)

    @property
    def stride_px(self) -> int:
        """Coarsest step of the network: halos are multiples of it."""
        return network_stride_px(self.checkpoint.card.options.network)

    def halo(self) -> Halo:
        """Blocks that memory has room for, with all that their values depend on."""
        return Halo(widest_block_px(self.checkpoint), network_halo_px(self.checkpoint.card.options.network))

    def blend(self, window_px: int) -> Blend:
        """Windows of a side that overlap by half."""
        return Blend(window_px, window_px // 2)

    def record(self) -> dict[str, Any]:
        """Summary of the card, and the SHA-256 of the file."""
        card = self.checkpoint.card
        return {
            "checkpoint_sha256": self.checkpoint.sha256,
            "network": card.network,
            "features": card.task.features.model_dump(mode="json"),
            "spacing_m": card.task.spacing_m,
            "residual_std": self.residual.std,
            "trained": card.training.model_dump(mode="json", exclude={"options", "data_sha256"}),
            "metrics": card.metrics,
            "licence": card.licence,
        }

    @functools.cached_property
    def _network(self) -> Network:
        return for_inference(self.checkpoint.network)
