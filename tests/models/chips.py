"""Chips of the shape that each network takes, small enough for a test."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from headscarp.models import Head, Network, NetworkOptions, Takes, make_network

CHANNELS = 3
FILTERS = 8


class Dated(NamedTuple):
    x: Tensor
    valid: Tensor | None = None
    days: Tensor | None = None


def network_of(
    name: str, channels: int = CHANNELS, filters: int = FILTERS, head: str = "classification"
) -> Network:
    torch.manual_seed(0)
    return make_network(NetworkOptions(network=name, channels=channels, filters=filters, head=Head(head)))


def dates_of(network: Network, dates: int) -> tuple[int, ...]:
    return {Takes.SCENE: (), Takes.PAIR: (2,), Takes.SERIES: (dates,)}[network.takes]


def inputs_of(
    network: Network, batch: int = 2, size: tuple[int, int] = (32, 32), dates: int = 3, seed: int = 1
) -> Dated:
    """Noise; of a series the dates are 12 days apart and all valid."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, *dates_of(network, dates), network.options.channels, *size)
    x = torch.randn(shape, generator=generator)
    if network.takes is not Takes.SERIES:
        return Dated(x)
    days = 12.0 * torch.arange(dates).expand(batch, -1)
    return Dated(x, torch.ones(batch, dates, dtype=torch.bool), days)


def settle(network: Network) -> Network:
    """Evaluation mode, with batch statistics that are neither 0 nor 1."""
    generator = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator) / 4)
            module.running_var.copy_(0.5 + torch.rand(module.num_features, generator=generator))
    return network.eval()
