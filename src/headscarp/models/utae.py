"""U-TAE: U-Net with a temporal attention encoder."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from headscarp.models.blocks import ConvNormRelu, conv_norm_relu, convolutions
from headscarp.models.body import Body, Takes
from headscarp.models.dates import by_date, valid_scenes
from headscarp.models.temporal_attention import TemporalAttention, weigh_dates


class Residual(nn.Module):
    """Two 3 × 3 convolutions, the second on top of the first: c1 + conv2(c1)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = conv_norm_relu(inputs, outputs)
        self.second = conv_norm_relu(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, y, x) to (batch, out, y, x)."""
        x = self.first(x)
        summed: Tensor = x + self.second(x)
        return summed


def strided(inputs: int, outputs: int) -> nn.Sequential:
    """Half the size by a 4 × 4 convolution, then a residual pair."""
    return nn.Sequential(conv_norm_relu(inputs, inputs, kernel=4, stride=2), Residual(inputs, outputs))


class UpLevel(nn.Module):
    """A transposed 4 × 4 convolution, the skip through a 1 × 1 convolution, a residual pair."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.up = ConvNormRelu(nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
        self.skip = conv_norm_relu(skip, skip, kernel=1)
        self.convolve = Residual(outputs + skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(batch, in, y / 2, x / 2) and (batch, skip, y, x) to (batch, out, y, x)."""
        features: Tensor = self.convolve(torch.cat((self.up(x), self.skip(skip)), dim=1))
        return features


class UTAE(Body):
    r"""U-TAE: an encoder shared over dates; attention at its coarsest level collapses all levels' dates.

    .. math:: \text{skip}_l = W_l \bigl[\sum_t \text{up}(a^h_t)\, e^h_{l,t}\bigr]_h

    Widths are the filters times 1, 1, 1, 2 in the encoder and 1/2, 1/2, 1, 2 in the decoder, as the paper's
    64 give; 16 heads, keys of 4. Choices of ours: batch normalisation in the encoder, where the paper has
    group normalisation, whose statistics span the chip, so that a tile would differ from the whole; padded
    dates never enter any statistic; zero padding; groups of 8 channels (16 groups at 64 filters, as in the
    paper); the last convolution, 3 × 3, is the head, and linear; no dropout. The order of (scene, day) pairs
    does not matter.

    References
    ----------
    Garnot & Landrieu (2021), https://arxiv.org/abs/2107.07933
    """

    stride: ClassVar[int] = 8
    takes: ClassVar[Takes] = Takes.SERIES
    head_kernel: ClassVar[int] = 3

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__(channels, filters)
        self.width = filters // 2
        encoder, decoder = ([filters * times // 2 for times in row] for row in ((2, 2, 2, 4), (1, 1, 2, 4)))
        self.first = convolutions(channels, encoder[0], encoder[0])
        self.down = nn.ModuleList(strided(a, b) for a, b in pairwise(encoder))
        self.attention = TemporalAttention(encoder[-1])
        levels = zip(decoder[1:], encoder, decoder, strict=False)
        self.up = nn.ModuleList(UpLevel(coarse, skip, fine) for coarse, skip, fine in levels)
        self.last = conv_norm_relu(self.width, self.width)

    def forward(self, x: Tensor, valid: Tensor, days: Tensor | None) -> Tensor:
        """(batch, time, channel, y, x) to (batch, filters / 2, y, x)."""
        if days is None:
            raise ValueError("utae expected `days` of shape (batch, time), given none")
        levels = [self.first(valid_scenes(x, valid))]
        for down in self.down:
            levels.append(down(levels[-1]))  # (scene, width, y / 2ˡ, x / 2ˡ)
        features, weights = self.attention(by_date(levels.pop(), valid), valid, days)
        for up, level in zip(reversed(self.up), reversed(levels), strict=True):
            features = up(features, self.collapse(by_date(level, valid), weights))
        collapsed: Tensor = self.last(features)
        return collapsed

    @staticmethod
    def collapse(level: Tensor, weights: Tensor) -> Tensor:
        """(batch, time, width, y, x) to (batch, width, y, x), by weights of a coarser level."""
        fine = functional.interpolate(weights.flatten(0, 1), size=level.shape[-2:], mode="bilinear")
        weighed = weigh_dates(level, torch.unflatten(fine, 0, weights.shape[:2]))
        return weighed.contiguous(memory_format=torch.channels_last)
