"""SegNet and SegFormer, against published counts and their equations."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from headscarp.models import Network, count_parameters
from headscarp.models.segformer import Block, EfficientAttention, MixFeedForward
from tests.models.chips import inputs_of, network_of, settle


def test_segnet_mirrors_vgg16() -> None:
    f = 16
    down = [2, f, f, 2 * f, 2 * f, 4 * f, 4 * f, 4 * f, 8 * f, 8 * f, 8 * f, 8 * f, 8 * f, 8 * f]
    up = [8 * f, 8 * f, 8 * f, 8 * f, 8 * f, 8 * f, 4 * f, 4 * f, 4 * f, 2 * f, 2 * f, f, f]
    layers = [*pairwise(down), *pairwise(up)]
    expected = sum(9 * a * b + 2 * b for a, b in layers) + 9 * f + 1
    assert len(layers) == 13 + 12
    network = network_of("segnet", 2, f)
    assert count_parameters(network) == expected
    met: list[tuple[int, int]] = []
    for module in network.body.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, given, out: met.append((given[0].shape[1], out.shape[1])))
    network(*inputs_of(network))
    assert met == layers


def test_segnet_puts_maxima_back_where_they_were() -> None:
    network = settle(network_of("segnet"))
    taken, given = [], []
    network.body.pool.register_forward_hook(lambda m, x, out: taken.append((x[0], *out)))  # type: ignore[union-attr]
    network.body.unpool.register_forward_hook(lambda m, x, out: given.append((x[0], out)))  # type: ignore[union-attr]
    with torch.no_grad():
        network(*inputs_of(network))
    assert len(taken) == len(given) == 5
    for (before, pooled, places), (small, large) in zip(taken, reversed(given), strict=True):
        assert large.shape == before.shape
        assert torch.equal(large.flatten(2).gather(2, places.flatten(2)).view_as(small), small)
        assert int((large != 0).sum()) == int((small != 0).sum())
        assert torch.equal(before.flatten(2).gather(2, places.flatten(2)).view_as(pooled), pooled)


def encoder_parameters(network: Network) -> int:
    return count_parameters(network.body.stages)  # type: ignore[arg-type]


def test_segformer_with_32_filters_is_b0() -> None:
    network = network_of("segformer", channels=3, filters=32)
    # MiT-B0, as published in Hugging Face's nvidia/mit-b0 without its classifier
    assert encoder_parameters(network) == 3_319_392
    widths, decoder = (32, 64, 160, 256), 256
    linear = sum(width * decoder + decoder for width in widths)
    fuse, head = 4 * decoder * decoder + 2 * decoder, decoder + 1
    assert count_parameters(network) == 3_319_392 + linear + fuse + head


def test_attention_over_the_full_grid_is_softmax_of_products() -> None:
    torch.manual_seed(0)
    attention = EfficientAttention(width=8, heads=2, reduction=1)
    x = torch.randn(1, 2, 3, 8)
    with torch.no_grad():
        tokens = x.view(6, 8)
        query = attention.query(tokens)
        key, value = attention.key_value(tokens).chunk(2, dim=1)
        mixed = []
        for part in (slice(0, 4), slice(4, 8)):
            weights = torch.softmax(query[:, part] @ key[:, part].T / math.sqrt(4), dim=1)
            mixed.append(weights @ value[:, part])
        expected = attention.project(torch.cat(mixed, dim=1)).view(1, 2, 3, 8)
        torch.testing.assert_close(attention(x), expected, rtol=1e-4, atol=1e-5)


def test_reduced_attention_looks_at_a_coarser_grid() -> None:
    attention = EfficientAttention(width=8, heads=2, reduction=4)
    seen: list[tuple[int, ...]] = []
    attention.attend.register_forward_hook(lambda m, given, out: seen.append(tuple(given[1].shape)))
    with torch.no_grad():
        assert attention(torch.randn(3, 8, 12, 8)).shape == (3, 8, 12, 8)
    assert seen == [(3, 2, 2 * 3, 4)]


def test_feed_forward_mixes_neighbours_channel_by_channel() -> None:
    torch.manual_seed(0)
    feed = MixFeedForward(2)
    x = torch.randn(1, 4, 5, 2)
    with torch.no_grad():
        wide = feed.widen(x)[0].numpy()
        inner = torch.zeros(8)
        for channel in range(8):
            window = torch.from_numpy(wide[0:3, 1:4, channel])
            inner[channel] = (feed.mix.weight[channel, 0] * window).sum() + feed.mix.bias[channel]  # type: ignore[index]
        gelu = inner * 0.5 * (1 + torch.erf(inner / math.sqrt(2)))
        torch.testing.assert_close(feed(x)[0, 1, 2], feed.narrow(gelu), rtol=1e-4, atol=1e-5)


def test_a_block_adds_to_what_came_in() -> None:
    block = Block(width=8, heads=2, reduction=1)
    x = torch.randn(1, 3, 4, 8)
    with torch.no_grad():
        for last in (block.attention.project, block.feed.narrow):
            last.weight.zero_()
            last.bias.zero_()
        assert torch.equal(block(x), x)
        block.attention.project.bias.fill_(1.0)
        assert torch.equal(block(x), x + 1)


@pytest.mark.parametrize("size", [(64, 64), (40, 70)])
def test_segformer_enlarges_a_quarter_of_the_resolution(size: tuple[int, int]) -> None:
    network = settle(network_of("segformer"))
    coarse: list[tuple[int, ...]] = []
    network.head.register_forward_hook(lambda m, given, out: coarse.append(tuple(out.shape[-2:])))
    with torch.no_grad():
        assert network(*inputs_of(network, size=size)).shape[-2:] == size
    padded = tuple(-(-side // 32) * 8 for side in size)
    assert coarse == [padded]


def test_linear_layers_start_narrow() -> None:
    network = network_of("segformer", filters=32)
    weights = torch.cat([m.weight.flatten() for m in network.modules() if isinstance(m, nn.Linear)])
    assert float(weights.detach().std()) == pytest.approx(0.02, rel=0.01)
