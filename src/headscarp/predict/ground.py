"""A whole ground predicted from the chips of a store, which lie side by side: a network sees across them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.special import expit

from headscarp.calibration import scale
from headscarp.checkpoint import Checkpoint, CheckpointError
from headscarp.chips.store import IGNORE, ChipError, ChipStore, StoreFacts
from headscarp.features.channels import FloatArray
from headscarp.features.sets import normalise
from headscarp.models import for_inference
from headscarp.predict.network import network_halo_px

BLOCK_PX = 512
"""Side of what is predicted at a time, a multiple of every network's stride."""


@dataclass(frozen=True)
class HeldGround:
    """Channels and label of a ground, put together from chips that do not overlap.

    Attributes
    ----------
    geobox : GeoBox
    x : ndarray of float32, shape (channel, y, x) or (2, channel, y, x)
        NaN where there is no value, and where no chip lies.
    label : ndarray of uint8, shape (y, x)
        1 landslide, 0 none, 255 left out, and where no chip lies.
    target : ndarray of float32, shape (y, x), or None
        Values to regress on, NaN where there is none; None in a store of landslides.
    """

    geobox: GeoBox
    x: FloatArray
    label: NDArray[np.uint8]
    target: FloatArray | None = None


def hold_ground(store: ChipStore) -> HeldGround:
    """Put the chips of a store together.

    Parameters
    ----------
    store : ChipStore
        Its chips lie side by side, on one event.

    Raises
    ------
    ChipError
        If they overlap, show dates one by one, or belong to several events or CRSs.
    """
    facts = store.facts
    _refuse_scattered(facts)
    left, top, corners = _lattice(facts)
    shape = tuple((corners.max(axis=0) + facts.size_px).tolist())
    sides = (2,) if facts.features.form == "pair" else ()
    x = np.full((*sides, facts.features.network_channels, *shape), np.nan, np.float32)
    label = np.full(shape, IGNORE, np.uint8)
    target = None if facts.target == "landslide" else np.full(shape, np.nan, np.float32)
    for place, (row, col) in enumerate(corners.tolist()):
        here = slice(row, row + facts.size_px), slice(col, col + facts.size_px)
        values, own, _ = store.read([place])
        x[..., here[0], here[1]], label[here] = values[0], own[0]
        learned = store.read_target([place])
        if target is not None and learned is not None:
            target[here] = learned[0]
    transform = Affine(facts.spacing_m, 0, left, 0, -facts.spacing_m, top)
    return HeldGround(GeoBox(shape, transform, facts.chips[0].crs), x, label, target)


def predict_ground(checkpoint: Checkpoint, ground: HeldGround, block_px: int = BLOCK_PX) -> FloatArray:
    """Calibrated probability of a landslide over a ground; NaN where nothing is labelled.

    The ground is gone over in blocks with a halo of the network's receptive field, so that no block shows.

    Parameters
    ----------
    checkpoint : Checkpoint
        Of a network of scenes or pairs.
    ground : HeldGround
        With the checkpoint's channels.
    block_px : int
        Side of a block, a multiple of the network's stride.

    Returns
    -------
    ndarray of float32, shape (y, x)

    Raises
    ------
    CheckpointError
        If the ground has other channels than the network was trained on.
    """
    task = checkpoint.card.task
    if ground.x.shape[-3] != task.features.network_channels:
        raise CheckpointError(
            f"{task.features.network_channels} channels, as the network was trained on",
            f"{ground.x.shape[-3]}",
            "its weights are for those",
            "hold the ground of a store of the same features",
        )
    logits = _logits(checkpoint, ground, block_px)
    calibration = checkpoint.card.calibration
    scaled = logits if calibration is None else scale(logits, calibration)
    return np.where(ground.label == IGNORE, np.nan, expit(scaled)).astype(np.float32)


def _refuse_scattered(facts: StoreFacts) -> None:
    grounds = {(chip.event, chip.crs) for chip in facts.chips}
    if facts.stride_px != facts.size_px or facts.features.form == "series" or len(grounds) != 1:
        raise ChipError(
            "chips of one event that lie side by side, of a scene or a pair",
            f"{len(grounds)} grounds, chips of {facts.size_px} px every {facts.stride_px} px, "
            f"form {facts.features.form}",
            "they make no one ground",
            "cut them with stride_px equal to size_px, one event at a time",
        )


def _lattice(facts: StoreFacts) -> tuple[float, float, NDArray[np.int64]]:
    """Left and top edge of all chips, and row and column of each chip's first pixel from there."""
    bounds = np.array([chip.bounds for chip in facts.chips])
    left, top = float(bounds[:, 0].min()), float(bounds[:, 3].max())
    corners = np.stack([top - bounds[:, 3], bounds[:, 0] - left], axis=1) / facts.spacing_m
    return left, top, np.round(corners).astype(np.int64)


def _logits(checkpoint: Checkpoint, ground: HeldGround, block_px: int) -> FloatArray:
    """Logits over a ground, block by block."""
    task = checkpoint.card.task
    mean, std = (np.array(own, dtype=np.float32) for own in (task.mean, task.std))
    halo = network_halo_px(checkpoint.card.options.network)
    network: Any = for_inference(checkpoint.network)
    rows, cols = ground.label.shape
    logits = np.empty((_up(rows, block_px), _up(cols, block_px)), np.float32)
    for top, left, part in _blocks(ground, block_px, halo):
        x = torch.from_numpy(normalise(part, task.features, mean, std))[None]
        with torch.inference_mode():
            found = network(x, halo_px=halo)
        logits[top : top + block_px, left : left + block_px] = found[0, 0].numpy()
    return logits[:rows, :cols]


def _blocks(ground: HeldGround, block_px: int, halo_px: int) -> Iterator[tuple[int, int, FloatArray]]:
    """First row and column of each block, and its channels with a halo, NaN beyond the ground."""
    rows, cols = ground.label.shape
    around = [(halo_px, halo_px + _up(side, block_px) - side) for side in (rows, cols)]
    wide = np.pad(ground.x, [(0, 0)] * (ground.x.ndim - 2) + around, constant_values=np.nan)
    side = block_px + 2 * halo_px
    for top in range(0, rows, block_px):
        for left in range(0, cols, block_px):
            yield top, left, wide[..., top : top + side, left : left + side]


def _up(side: int, block_px: int) -> int:
    """Side up to whole blocks."""
    return -(-side // block_px) * block_px
