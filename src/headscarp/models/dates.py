"""Series of scenes: an encoder that sees each valid date once, and what becomes of the dates after it."""

from __future__ import annotations

import torch
from torch import Tensor


def valid_scenes(x: Tensor, valid: Tensor) -> Tensor:
    """The scenes that are no padding, one after the other.

    Padding is left out before the encoder, so that it costs nothing and cannot enter the batch statistics.

    Parameters
    ----------
    x : Tensor, shape (batch, time, channel, y, x)
    valid : Tensor of bool, shape (batch, time)

    Returns
    -------
    Tensor, shape (scene, channel, y, x)
    """
    return x.flatten(0, 1)[valid.flatten()].contiguous(memory_format=torch.channels_last)


def by_date(features: Tensor, valid: Tensor) -> Tensor:
    """Features of scenes laid back on their dates, zero where a date is padding.

    Parameters
    ----------
    features : Tensor, shape (scene, channel, y, x)
    valid : Tensor of bool, shape (batch, time)

    Returns
    -------
    Tensor, shape (batch, time, channel, y, x)
    """
    if bool(valid.all()):
        return torch.unflatten(features, 0, valid.shape)
    laid = features.new_zeros(valid.numel(), *features.shape[1:])
    laid = laid.index_copy(0, valid.flatten().nonzero()[:, 0], features)
    return torch.unflatten(laid, 0, valid.shape)


def mean_over_dates(features: Tensor, valid: Tensor) -> Tensor:
    """Mean over the valid dates: (scene, channel, y, x) to (batch, channel, y, x)."""
    mean = by_date(features, valid).sum(dim=1) / valid.sum(dim=1)[:, None, None, None]
    return mean.contiguous(memory_format=torch.channels_last)
