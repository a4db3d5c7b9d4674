"""What one pass through a network costs, counted where it happens."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from headscarp.models.network import Network
from headscarp.models.segformer import ScaledDotProduct

COUNTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, ScaledDotProduct)


def count_parameters(network: nn.Module) -> int:
    """Number of weights that training may change."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def count_operations(network: Network, *inputs: Tensor | None) -> int:
    r"""Floating-point operations of one forward pass: 2 a multiply-add.

    Convolutions, linear layers and the two products of attention are counted, by a hook on each of these
    modules, so each application counts with the shapes that it met; normalisation, rectifiers, pooling,
    interpolation and sums are not (they are bound by memory, not by arithmetic). The network must not be one
    of `for_inference`.

    .. math:: \text{convolution: } 2\,k^2\,(c_{in} / g)\,c_{out}\,n_{out}, \qquad
        \text{transposed: } 2\,k^2\,(c_{in} / g)\,c_{out}\,n_{in}, \qquad \text{attention: } 4\,n\,m\,d

    Parameters
    ----------
    network : Network
        Left as it was, also its batch statistics.
    *inputs : Tensor or None
        As `Network.forward` takes them.

    Examples
    --------
    A 3 × 3 convolution from 2 to 8 channels on 32 × 32 pixels is 2 · 9 · 2 · 8 · 1024 = 294 912 operations.
    """
    total = 0

    def add(module: nn.Module, given: tuple[Any, ...], result: Tensor) -> None:
        nonlocal total
        total += _operations(module, given, result)

    hooks = [m.register_forward_hook(add) for m in network.modules() if isinstance(m, COUNTED)]
    try:
        with torch.no_grad(), evaluating(network):
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return total


def _operations(module: nn.Module, given: tuple[Any, ...], result: Tensor) -> int:
    if isinstance(module, ScaledDotProduct):
        query, key, _ = given
        return 4 * int(query.numel()) * int(key.shape[-2])
    if isinstance(module, nn.ConvTranspose2d):
        # every input value meets one kernel of each output channel
        return 2 * int(given[0].numel()) * module.weight[0].numel()
    if isinstance(module, nn.Conv2d | nn.Linear):
        # every output value is one product with the weights of its channel
        return 2 * result.numel() * math.prod(module.weight.shape[1:])
    raise TypeError(f"expected a module of {COUNTED}, given {type(module)}")


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Batch statistics frozen within, the mode restored after."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)
