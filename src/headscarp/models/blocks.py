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


class DecoderLevel(nn.Module):
    """Transposed convolution, concatenation with the skip, whatever looks at both, two convolutions."""

    def __init__(self, width: int, gate: nn.Module, attention: nn.Module) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(2 * width, width, kernel_size=2, stride=2)
        self.gate = gate
        self.attention = attention
        self.convolve = convolutions(2 * width, width, width)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """(batch, 2 · width, y / 2, x / 2) and (batch, width, y, x) to (batch, width, y, x)."""
        both = torch.cat((self.gate(skip, coarse), self.up(coarse)), dim=1)  # (batch, 2 · width, y, x)
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

    def forward(self, features: list[Tensor]) -> Tensor:
        """Features as `Encoder` gives them to (batch, filters, y, x)."""
        *skips, x = features
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
