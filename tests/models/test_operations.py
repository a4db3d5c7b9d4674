"""Operations counted by hooks, against torch's own counter and against hand-worked numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from headscarp.models import BODIES, count_operations
from tests.models.chips import inputs_of, network_of


@pytest.mark.parametrize("name", sorted(BODIES))
def test_operations_are_those_that_torch_counts_at_dispatch(name: str) -> None:
    network = network_of(name, filters=16).eval()
    inputs = inputs_of(network, size=(32, 64))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs)
    # torch's counter knows the fused kernel of attention on some builds only
    known = counter.get_total_flops()
    counted = count_operations(network, *inputs)
    assert counted == known if name != "segformer" else known <= counted <= 1.1 * known


def test_unet_counts_by_hand() -> None:
    f, channels, pixels = 8, 3, 32 * 32
    total = 0
    widths = [f << level for level in range(5)]
    for level, (before, width) in enumerate(zip([channels, *widths], widths, strict=False)):
        total += 2 * 9 * (before * width + width * width) * pixels // 4**level
    for level, width in enumerate(widths[:-1]):
        convolutions = 9 * (2 * width * width + width * width)
        total += 2 * (convolutions + 2 * width * width) * pixels // 4**level
    total += 2 * f * pixels
    network = network_of("unet")
    assert count_operations(network, *inputs_of(network, batch=1)) == total
    assert count_operations(network, *inputs_of(network, batch=3)) == 3 * total


def test_attention_costs_two_products() -> None:
    network = network_of("segformer")
    inputs = inputs_of(network, batch=1, size=(64, 64))
    whole = count_operations(network, *inputs)
    modules = [m for m in network.modules() if type(m).__name__ == "ScaledDotProduct"]
    attention = 0
    # tokens n, reduced tokens m, width f · heads, two blocks a stage
    for n, m, width in ((256, 4, 8), (64, 4, 16), (16, 4, 40), (4, 4, 64)):
        attention += 2 * 4 * n * m * width
    for module in modules:
        module.__class__ = nn.Module
        module.forward = lambda query, key, value: query  # type: ignore[method-assign]
    assert whole - count_operations(network, *inputs) == attention


def test_counting_leaves_the_network_as_it_was() -> None:
    network = network_of("unet").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count_operations(network, *inputs_of(network))
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
