"""Attention over the dates of a series, pixel by pixel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from headscarp.models.blocks import conv_norm_relu

MOST_HEADS = 16
KEY_CHANNELS = 4
CHANNELS_A_GROUP = 8
LONGEST_PERIOD_DAYS = 1000.0
VARIANCE_FLOOR = 1e-5


class GroupNorm(nn.Module):
    """Group normalisation of each pixel over its valid dates: padding does not count, neighbours neither."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """(batch, time, width, y, x) to the same shape."""
        groups = torch.unflatten(x, 2, (-1, CHANNELS_A_GROUP))  # (batch, time, group, 8, y, x)
        weight = (
            valid[:, :, None, None, None, None]
            / (valid.sum(1) * CHANNELS_A_GROUP)[:, None, None, None, None, None]
        )
        centred = groups - (groups * weight).sum(dim=(1, 3), keepdim=True)
        variance = (centred.square() * weight).sum(dim=(1, 3), keepdim=True)
        scaled = (centred * (variance + VARIANCE_FLOOR).rsqrt()).flatten(2, 3)
        return scaled * self.weight[:, None, None] + self.bias[:, None, None]


def positions(days: Tensor, channels: int) -> Tensor:
    r"""Sines and cosines of the day, (batch, time) to (batch, time, channels).

    .. math:: p_i(d) = \sin\bigl(d / 1000^{2 \lfloor i/2 \rfloor / c} + (i \bmod 2)\,\pi/2\bigr)

    Examples
    --------
    >>> positions(torch.tensor([[0.0]]), 4)
    tensor([[[0., 1., 0., 1.]]])
    """
    number = torch.arange(channels, device=days.device)
    angle = days[..., None].float() / LONGEST_PERIOD_DAYS ** (2 * (number // 2) / channels)
    return torch.where(number % 2 == 0, angle.sin(), angle.cos())


class TemporalAttention(nn.Module):
    r"""L-TAE: for each pixel, heads with a learned query each weigh the dates.

    .. math:: a^h = \text{softmax}_t\bigl(q_h \cdot k^h_t / \sqrt{d_k}\bigr), \qquad
        o = \text{MLP}\Bigl(\Bigl[\sum_t a^h_t\, v^h_t\Bigr]_h\Bigr)

    where v are the input's channels at four times the filters plus the positions of the days, split among the
    heads.

    References
    ----------
    Garnot & Landrieu (2020), https://arxiv.org/abs/2007.00586
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = math.gcd(MOST_HEADS, width // 2)
        self.norm_in = GroupNorm(width)
        self.lift = nn.Conv2d(width, 2 * width, kernel_size=1)
        self.keys = nn.Conv2d(2 * width, self.heads * KEY_CHANNELS, kernel_size=1)
        self.queries = nn.Parameter(torch.randn(self.heads, KEY_CHANNELS) * math.sqrt(2 / KEY_CHANNELS))
        self.mlp = conv_norm_relu(2 * width, width, kernel=1)
        self.norm_out = GroupNorm(width)

    def forward(self, x: Tensor, valid: Tensor, days: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, time, width, y, x) to (batch, width, y, x) and weights (batch, time, head, y, x)."""
        lifted = torch.unflatten(self.lift(self.norm_in(x, valid).flatten(0, 1)), 0, valid.shape)
        place = positions(days, lifted.shape[2] // self.heads).repeat(1, 1, self.heads)
        values = lifted + place[..., None, None]  # (batch, time, 2 · width, y, x)
        keys = torch.unflatten(self.keys(values.flatten(0, 1)), 1, (self.heads, -1))
        keys = torch.unflatten(keys, 0, valid.shape)  # (batch, time, head, 4, y, x)
        scores = (keys * self.queries[..., None, None]).sum(3) / math.sqrt(KEY_CHANNELS)
        weights = scores.masked_fill(~valid[:, :, None, None, None], -math.inf).softmax(dim=1)
        mixed = weigh_dates(values, weights).contiguous(memory_format=torch.channels_last)
        alone = torch.ones_like(valid[:, :1])
        return self.norm_out(self.mlp(mixed)[:, None], alone)[:, 0], weights


def weigh_dates(features: Tensor, weights: Tensor) -> Tensor:
    """Sum over dates, each head's weights on its share of the channels.

    Parameters
    ----------
    features : Tensor, shape (batch, time, width, y, x)
    weights : Tensor, shape (batch, time, head, y, x)

    Returns
    -------
    Tensor, shape (batch, width, y, x)
    """
    shares = torch.unflatten(features, 2, (weights.shape[2], -1))  # (batch, time, head, width / heads, y, x)
    return (shares * weights[:, :, :, None]).sum(dim=1).flatten(1, 2)
