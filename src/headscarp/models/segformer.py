"""SegFormer."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from headscarp.models.blocks import conv_norm_relu
from headscarp.models.body import Body

HEADS = (1, 2, 5, 8)
REDUCTIONS = (8, 4, 2, 1)
BLOCKS_A_STAGE = 2
EXPANSION = 4
DECODER_TIMES = 8
LINEAR_STD = 0.02


class ScaledDotProduct(nn.Module):
    r"""Attention, :math:`\text{softmax}(q k^T / \sqrt{d})\, v`; a module, so that a hook can count it."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(batch, head, n, d), twice (batch, head, m, d), to (batch, head, n, d)."""
        return functional.scaled_dot_product_attention(query, key, value)


class EfficientAttention(nn.Module):
    """Self-attention whose keys and values are taken on a grid that is coarser by the reduction."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.project = nn.Linear(width, width)
        self.attend = ScaledDotProduct()
        self.reduce: nn.Module = nn.Identity()
        self.norm: nn.Module = nn.Identity()
        if reduction > 1:
            self.reduce = nn.Conv2d(width, width, kernel_size=reduction, stride=reduction)
            self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, y, x, width) to the same shape."""
        coarse = self.norm(self.reduce(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        # (batch, token, width) to (batch, head, token, width / heads)
        tokens = [part.flatten(1, 2) for part in (self.query(x), *self.key_value(coarse).chunk(2, dim=-1))]
        heads = [torch.unflatten(part, 2, (self.heads, -1)).transpose(1, 2) for part in tokens]
        mixed = torch.unflatten(self.attend(*heads).transpose(1, 2).flatten(2), 1, x.shape[1:3])
        projected: Tensor = self.project(mixed)
        return projected


class MixFeedForward(nn.Module):
    """Two linear layers with a 3 × 3 depthwise convolution between them, which tells positions apart."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = EXPANSION * width
        self.widen = nn.Linear(width, inner)
        self.mix = nn.Conv2d(inner, inner, kernel_size=3, padding=1, groups=inner)
        self.narrow = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, y, x, width) to the same shape."""
        mixed = self.mix(self.widen(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        narrowed: Tensor = self.narrow(functional.gelu(mixed))
        return narrowed


class Block(nn.Module):
    """Attention and feed-forward, each normalised before and added to what came in."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.norm_attention, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = EfficientAttention(width, heads, reduction)
        self.feed = MixFeedForward(width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, y, x, width) to the same shape."""
        x = x + self.attention(self.norm_attention(x))
        features: Tensor = x + self.feed(self.norm_feed(x))
        return features


class Stage(nn.Module):
    """Overlapping patches embedded by a strided convolution, then blocks."""

    def __init__(self, inputs: int, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        kernel, stride = (3, 2) if reduction < max(REDUCTIONS) else (7, 4)
        self.embed = nn.Conv2d(inputs, width, kernel, stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.Sequential(*(Block(width, heads, reduction) for _ in range(BLOCKS_A_STAGE)))
        self.norm_out = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, y, x) to (batch, width, y / stride, x / stride)."""
        tokens = self.norm(self.embed(x).permute(0, 2, 3, 1))  # channels last already: (batch, y, x, width)
        features: Tensor = self.norm_out(self.blocks(tokens))
        return features.permute(0, 3, 1, 2)


class SegFormer(Body):
    r"""SegFormer: a hierarchical transformer without position codes, and a decoder of linear layers.

    .. math:: F = \text{conv}_{1\times1}\bigl(\bigl[\text{up}(L_1 e_1), \dots, \text{up}(L_4 e_4)\bigr]\bigr)

    Widths are the filters times 1, 2, 5, 8 with 1, 2, 5, 8 heads, two blocks a stage and a decoder eight
    times as wide as the filters: 32 filters are exactly MiT-B0 with its decoder of 256. Features have a
    quarter of the input's resolution and are enlarged bilinearly, as in the paper. Choices of ours: other
    numbers of filters scale all widths; no stochastic depth, no dropout; nothing pretrained.

    References
    ----------
    Xie et al. (2021), https://arxiv.org/abs/2105.15203
    """

    stride: ClassVar[int] = 32
    coarser: ClassVar[int] = 4

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__(channels, filters)
        self.width = DECODER_TIMES * filters
        widths = [filters * heads for heads in HEADS]
        finer = [channels, *widths[:-1]]
        stages = zip(finer, widths, HEADS, REDUCTIONS, strict=True)
        self.stages = nn.ModuleList(Stage(*numbers) for numbers in stages)
        self.level = nn.ModuleList(nn.Conv2d(width, self.width, kernel_size=1) for width in widths)
        self.fuse = conv_norm_relu(len(widths) * self.width, self.width, kernel=1)

    def initialise(self) -> None:
        """He's first weights of convolutions, a narrow normal distribution of linear layers."""
        super().initialise()
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=LINEAR_STD)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, y, x) to (batch, 8 · filters, y / 4, x / 4)."""
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        size = levels[0].shape[-2:]
        same = [
            functional.interpolate(level(x), size=size, mode="bilinear")
            for level, x in zip(self.level, levels, strict=True)
        ]
        fused: Tensor = self.fuse(torch.cat(same, dim=1))
        return fused
