"""A checkpoint as a detector: what a network says of a change, as score and probability."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from scipy.special import expit

from headscarp.calibration import scale
from headscarp.checkpoint import Checkpoint, CheckpointError
from headscarp.detect.protocol import StackFacts
from headscarp.detect.sample import spatial_coords
from headscarp.features.change import Change
from headscarp.models import BODIES, Head, Network, Takes, for_inference, receptive_field
from headscarp.predict.inputs import NetworkInput, network_input
from headscarp.predict.suited import require_suited, suited_notes

UNLIMITED_HALO_PX = 256
"""Halo of a network whose every pixel sees the whole scene: its map in blocks is that of the whole about."""
BLOCKS_PX = (2048, 1024, 512)
"""Sides of a block, the widest first: whole tiles, and multiples of every network's stride."""
BLOCK_BYTES = 6e9
"""Room for the feature maps of a block."""
MAPS_IN_FLIGHT = 12
"""So many of the finest feature maps a scene takes, all levels and what the allocator keeps included:
measured for U-Net with 64 filters, 4.9 to 6.0 GB for blocks of 1024 px."""
BYTES_A_VALUE = 4
NAMED_DIGITS = 12
"""Of the SHA-256 of a checkpoint, in the name of the detector."""


@dataclass(frozen=True)
class NetworkDetector:
    """A trained network in the place of a detector.

    Attributes
    ----------
    checkpoint : Checkpoint
    dates : int
        Dates of a series: recurrent networks see farther with more of them.
    notes : tuple of str
        Where a stack differs from the training.
    block_side_px : int or None
        Side of a block, instead of the one that memory has room for.

    Raises
    ------
    CheckpointError
        If the network gives no landslides.
    """

    checkpoint: Checkpoint
    dates: int = 2
    notes: tuple[str, ...] = ()
    block_side_px: int | None = None

    def __post_init__(self) -> None:
        head = self.checkpoint.card.options.head
        if head is not Head.CLASSIFICATION:
            raise CheckpointError(
                "a network with a head of classification",
                f"one of {head.value}",
                "its values are no log-odds of a landslide",
                "train one on landslides, or choose another checkpoint",
            )

    @property
    def name(self) -> str:
        """Network, features and the first digits of the file's SHA-256."""
        card = self.checkpoint.card
        return f"{card.options.network} {card.task.features.name} {self.checkpoint.sha256[:NAMED_DIGITS]}"

    @property
    def score_name(self) -> str:
        """What its score is."""
        return "log-odds that the network gives, uncalibrated"

    @property
    def about(self) -> str:
        """What its probability is, for the reader of a map."""
        return (
            f"The probability is that of a trained network, {self.name}: it holds as far as this event is "
            "like those it was trained on. It sees all orbits at once, so no orbit is scored alone."
        )

    @property
    def needs(self) -> tuple[str, ...]:
        """Variables that its channels are formed of."""
        return self.checkpoint.card.task.features.needs

    @property
    def halo_px(self) -> int:
        """Receptive field to one side and what the channels look at, up to a multiple of the stride."""
        card, stride = self.checkpoint.card, self.checkpoint.network.stride
        own = network_halo_px(card.options.network, self.dates) + card.task.features.halo_px
        return -(-own // stride) * stride

    @property
    def block_px(self) -> int:
        """Side of a block, the widest of :data:`BLOCKS_PX` whose feature maps have room."""
        if self.block_side_px is not None:
            return self.block_side_px
        return widest_block_px(self.checkpoint, self.dates)

    @property
    def threshold(self) -> float:
        """Calibrated probability of the best F1 on the validation chips."""
        return self.checkpoint.card.threshold

    def suited(self, stack: StackFacts) -> NetworkDetector:
        """The detector made ready for a stack.

        Raises
        ------
        CheckpointError
            If the stack lacks a channel, or its pixels are of another size.
        """
        task = self.checkpoint.card.task
        require_suited(task, stack, f"the checkpoint {self.checkpoint.sha256[:NAMED_DIGITS]}")
        return replace(self, dates=max(stack.series_dates, 2), notes=suited_notes(task, stack))

    def fit(self, sample: Change) -> FittedNetwork:
        """The network made ready to predict; it has learned already, the sample is not looked at."""
        return self._fitted

    @functools.cached_property
    def _fitted(self) -> FittedNetwork:
        """Made once: the event and the pseudo-event share its weights."""
        return FittedNetwork(self.checkpoint, for_inference(self.checkpoint.network))


@dataclass(frozen=True)
class FittedNetwork:
    """A network ready to predict.

    Attributes
    ----------
    checkpoint : Checkpoint
    network : Network
        Of :func:`headscarp.models.for_inference`.
    """

    checkpoint: Checkpoint
    network: Network
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def score(self, change: Change) -> xr.DataArray:
        """Log-odds of a landslide, uncalibrated; NaN where not observed, or where no orbit has a pair."""
        values = self.score_inside(change, 0)
        return xr.DataArray(values, dims=("y", "x"), coords=spatial_coords(change, ("y", "x")))

    def score_inside(self, change: Change, halo_px: int) -> NDArray[np.float32]:
        """The same of what lies inside a halo, which is looked at and no more.

        Parameters
        ----------
        change : Dataset
            On the ground and its halo.
        halo_px : int
            A multiple of the network's stride.
        """
        given = network_input(self.checkpoint.card.task, change)
        rows, cols = (slice(halo_px, size - halo_px) for size in given.seen.shape)
        seen = given.seen[rows, cols]
        logits = self._logits(given, halo_px) if seen.any() else np.zeros(seen.shape, np.float32)
        return np.where(seen, logits, np.float32(np.nan))

    def orbit_scores(self, change: Change) -> xr.DataArray:
        """NaN: the network was trained on all orbits together, and says nothing of one alone."""
        like = change["change_db"].isel(polarization=0, drop=True).transpose("orbit", "y", "x")
        return like.copy(data=np.full(like.shape, np.nan, np.float32))

    def probability(self, score: xr.DataArray) -> xr.DataArray:
        r"""Calibrated probability :math:`\sigma(z / T + b)`, in [0, 1]; NaN where the score is."""
        calibration = self.checkpoint.card.calibration
        logits = score.values if calibration is None else scale(score.values, calibration)
        return score.copy(data=expit(logits).astype(np.float32))

    def null_density(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """NaN: a network has no null."""
        return np.full(np.shape(score), np.nan)

    def record(self) -> dict[str, Any]:
        """Summary of the card, and the SHA-256 of the file."""
        card = self.checkpoint.card
        training = card.training
        return {
            "checkpoint_sha256": self.checkpoint.sha256,
            "network": card.network,
            "features": card.task.features.model_dump(mode="json"),
            "spacing_m": card.task.spacing_m,
            "calibration": None if card.calibration is None else card.calibration.model_dump(mode="json"),
            "threshold": card.threshold,
            "trained": {
                "headscarp": training.headscarp,
                "commit": training.commit,
                "seed": training.seed,
                "epochs": training.epochs,
                "created_utc": training.created_utc,
                "split_sha256": training.split_sha256,
            },
            "metrics": card.metrics,
            "licence": card.licence,
        }

    def _logits(self, given: NetworkInput, halo_px: int) -> NDArray[np.float32]:
        """One inference at a time: it has all cores of torch to itself."""
        inputs = [torch.from_numpy(given.x)[None]]
        if given.days is not None:
            days = torch.from_numpy(given.days)[None]
            inputs += [torch.ones(days.shape, dtype=torch.bool), days]
        with self._turn, torch.inference_mode():
            logits = self.network(*inputs, halo_px=halo_px)
        return np.asarray(logits[0, 0].numpy(), dtype=np.float32)


def widest_block_px(checkpoint: Checkpoint, dates: int = 2) -> int:
    """Side of a block, the widest of :data:`BLOCKS_PX` whose feature maps have room.

    Parameters
    ----------
    checkpoint : Checkpoint
    dates : int
        Of a series.
    """
    options, takes = checkpoint.card.options, checkpoint.network.takes
    scenes = {Takes.SCENE: 1, Takes.PAIR: 2, Takes.SERIES: dates}[takes]
    bytes_a_pixel = options.filters * BYTES_A_VALUE * MAPS_IN_FLIGHT * scenes
    halo = network_halo_px(options.network, dates)
    fitting = (side for side in BLOCKS_PX if (side + 2 * halo) ** 2 * bytes_a_pixel <= BLOCK_BYTES)
    return next(fitting, BLOCKS_PX[-1])


def network_stride_px(network: str) -> int:
    """Coarsest step of a network, pixels.

    Examples
    --------
    >>> network_stride_px("unet")
    16
    """
    return BODIES[network].stride


@functools.cache
def network_halo_px(network: str, dates: int = 2) -> int:
    """Pixels around a block that its logits depend on, a multiple of the stride.

    Parameters
    ----------
    network : str
        A name of :data:`headscarp.models.BODIES`.
    dates : int
        Of a series.

    Examples
    --------
    >>> network_halo_px("unet")
    112
    """
    reach = receptive_field(network, dates)
    if reach is None:
        return UNLIMITED_HALO_PX
    return -(-reach.halo_px // reach.stride_px) * reach.stride_px
