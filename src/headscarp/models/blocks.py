"""What the networks share: convolution with batch normalisation, encoder, decoder, first weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

DEPTH = 4
Merge = Callable[[int], nn.Module]


class ConvNormRelu(nn.Module):
    r"""A convolution, batch normalisation and a rectifier.

    .. math:: y = \max\bigl(0,\ \gamma\,(w * x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta\bigr)

    The convolution has no bias of its own: the normalisation would take it out again.
    """

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, y, x) to (batch, out, y / stride, x / stride)."""
        return functional.relu(self.norm(self.conv(x)), inplace=True)


def conv_norm_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> ConvNormRelu:
    """A padded convolution with its normalisation: sizes are divided by the stride, no more."""
    padding = (kernel - stride + 1) // 2
    return ConvNormRelu(nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False))


def convolutions(*widths: int) -> nn.Sequential:
    """3 × 3 convolutions, each with its normalisation, from width to width."""
    return nn.Sequential(*(conv_norm_relu(a, b) for a, b in pairwise(widths)))


def level_widths(filters: int, depth: int = DEPTH) -> list[int]:
    """Channels of each level, finest first: doubled at each downsampling.

    Examples
    --------
    >>> level_widths(16)
    [16, 32, 64, 128, 256]
    """
    return [filters << level for level in range(depth + 1)]


class Encoder(nn.Module):
    """The contracting path of U-Net: two convolutions a level, 2 × 2 maxima between levels."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        widths = level_widths(filters)
        self.levels = nn.ModuleList(
            convolutions(a, b, b) for a, b in zip([channels, *widths], widths, strict=False)
        )
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(batch, channel, y, x) to level l of (batch, filters · 2ˡ, y / 2ˡ, x / 2ˡ), finest first."""
        features: list[Tensor] = []
        for number, level in enumerate(self.levels):
            x = level(self.pool(x) if number else x)
            features.append(x)
        return features


class Gate(nn.Module):
    """The open gate of U-Net: a skip passes as it is, whatever the coarser level says."""

    def forward(self, skip: Tensor, coarse: Tensor) -> Tensor:
        """(batch, width, y, x) and (batch, 2 · width, y / 2, x / 2) to the first's shape."""
        return skip


SEEN_PX = 2
"""How far the two convolutions of a level see."""
SPARE_PX = 1
"""Of the coarser level: what a gate interpolates at the rim is cut away again."""


def trimmed(x: Tensor, px: int) -> Tensor:
    """(…, y, x) without its outermost pixels, at each side; a view."""
    return x[..., px:-px, px:-px] if px else x


def rims(depth: int = DEPTH) -> list[int]:
    """Pixels of each level, finest first, around what is wanted that the level above it has to give.

    Examples
    --------
    >>> rims()
    [0, 2, 3, 4, 4]
    """
    found = [0]
    for _ in range(depth):
        found.append(-(-(found[-1] + SEEN_PX) // 2) + SPARE_PX)
    return found


class DecoderLevel(nn.Module):
    """Transposed convolution, concatenation with the skip, whatever looks at both, two convolutions."""

    def __init__(self, width: int, gate: nn.Module, attention: nn.Module) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(2 * width, width, kernel_size=2, stride=2)
        self.gate = gate
        self.attention = attention
        self.convolve = convolutions(2 * width, width, width)

    def forward(self, coarse: Tensor, skip: Tensor, cut: int = 0) -> Tensor:
        """(batch, 2 · width, y / 2, x / 2) and (batch, width, y, x) to (batch, width, y, x), less a rim."""
        both = torch.cat((trimmed(self.gate(skip, coarse), cut), trimmed(self.up(coarse), cut)), dim=1)
        features: Tensor = self.convolve(self.attention(both))
        return features


class Decoder(nn.Module):
    """The expanding path of U-Net; `gate` and `attention` are made from each level's width."""

    def __init__(
        self, filters: int, gate: Merge = lambda _: Gate(), attention: Merge = lambda _: nn.Identity()
    ) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            DecoderLevel(w, gate(w), attention(w)) for w in level_widths(filters)[:-1]
        )

    def forward(self, features: list[Tensor], halo_px: int = 0) -> Tensor:
        """Features as `Encoder` gives them to (batch, filters, y, x), or to what lies inside a halo.

        The encoder needs a wide halo, the decoder a few pixels of it at each level: the rest is not computed.
        """
        *skips, x = features
        rim = rims(len(skips))
        if halo_px >> len(skips) < rim[-1]:
            return trimmed(self._whole(skips, x), halo_px)
        x = trimmed(x, (halo_px >> len(skips)) - rim[-1])
        for number in reversed(range(len(skips))):
            given = 2 * rim[number + 1]  # pixels of this level around what is wanted
            skip = trimmed(skips[number], (halo_px >> number) - given)
            x = self.levels[number](x, skip, cut=given - rim[number] - SEEN_PX)
            x = trimmed(x, SEEN_PX)
        return x

    def _whole(self, skips: list[Tensor], x: Tensor) -> Tensor:
        for level, skip in zip(reversed(self.levels), reversed(skips), strict=True):
            x = level(x, skip)
        return x


def initialise(module: nn.Module) -> None:
    r"""He's first weights of a convolution: normal, mean 0, variance 2 / fan-in; biases 0.

    The fan-in of a transposed convolution is what reaches one output pixel,
    :math:`c_{in}\,k^2 / s^2`. Other modules keep torch's own.

    References
    ----------
    He et al. (2015), Delving deep into rectifiers, https://arxiv.org/abs/1502.01852
    """
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return
    fan_in = module.in_channels // module.groups * math.prod(module.kernel_size)
    if isinstance(module, nn.ConvTranspose2d):
        fan_in //= math.prod(module.stride)
    nn.init.normal_(module.weight, std=math.sqrt(2 / fan_in))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
