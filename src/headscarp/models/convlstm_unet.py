"""U-Net over dates, with a ConvLSTM at the bottleneck."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from headscarp.models.blocks import Decoder, Encoder, level_widths
from headscarp.models.body import Body, Takes
from headscarp.models.dates import by_date, mean_over_dates, valid_scenes

GATES = 4


class State(NamedTuple):
    """What a ConvLSTM carries from date to date, each of shape (batch, width, y, x)."""

    hidden: Tensor
    cell: Tensor


class ConvLSTM(nn.Module):
    r"""Long short-term memory with 3 × 3 convolutions in the place of matrices.

    .. math::
        i, f, o = \sigma(W_x * x_t + W_h * h_{t-1} + b), \quad g = \tanh(W_x * x_t + W_h * h_{t-1} + b)

        c_t = f\, c_{t-1} + i\, g, \qquad h_t = o \tanh c_t, \qquad h_0 = c_0 = 0

    with weights of their own for each of i, f, g, o, in this order along the channels. A padded date leaves
    both states as they are. Choices of ours: no peephole connections (they would tie the weights to one
    size); the forget gate starts open, with bias 1 (Jozefowicz et al. 2015).

    References
    ----------
    Shi et al. (2015), https://arxiv.org/abs/1506.04214
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.from_input = nn.Conv2d(width, GATES * width, kernel_size=3, padding=1)
        self.from_hidden = nn.Conv2d(width, GATES * width, kernel_size=3, padding=1, bias=False)

    def open_forget_gate(self) -> None:
        """Set the bias of f to 1."""
        if self.from_input.bias is not None:
            nn.init.ones_(self.from_input.bias[self.width : 2 * self.width])

    def step(self, given: Tensor, state: State | None) -> State:
        """One date: (batch, 4 · width, y, x) of the input's part, and the state before it."""
        gates = given if state is None else given + self.from_hidden(state.hidden)
        i, f, g, o = gates.chunk(GATES, dim=1)
        cell = i.sigmoid() * g.tanh()
        if state is not None:
            cell = cell + f.sigmoid() * state.cell
        return State(o.sigmoid() * cell.tanh(), cell)

    def forward(self, scenes: Tensor, valid: Tensor) -> Tensor:
        """Features (scene, width, y, x) of the valid dates (batch, time) to the last hidden state."""
        given = by_date(self.from_input(scenes), valid)  # (batch, time, 4 · width, y, x)
        state: State | None = None
        for date in range(valid.shape[1]):
            after = self.step(given[:, date], state)
            keep = valid[:, date, None, None, None]
            before = state or State(torch.zeros_like(after.hidden), torch.zeros_like(after.cell))
            state = State(*(torch.where(keep, new, old) for new, old in zip(after, before, strict=True)))
        if state is None:
            raise ValueError("expected at least one date, given none")
        return state.hidden


class ConvLSTMUNet(Body):
    r"""An encoder for all dates, a ConvLSTM over its coarsest level, a decoder from the last state.

    .. math:: d_4 = \text{ConvLSTM}(e_4^{1}, \dots, e_4^{T}), \qquad \text{skip}_l = \frac1T \sum_t e_l^t

    Choices of ours: skips are the mean over the valid dates; the ConvLSTM is as wide as the level; dates are
    read in the order they are given, evenly spaced or not (`days` is ignored).

    References
    ----------
    After Rustowicz et al. (2019), Semantic segmentation of crop type in Africa, CVPR workshops; and
    Shi et al. (2015).
    """

    takes: ClassVar[Takes] = Takes.SERIES
    cuts_halo: ClassVar[bool] = True

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__(channels, filters)
        self.encoder = Encoder(channels, filters)
        self.lstm = ConvLSTM(level_widths(filters)[-1])
        self.decoder = Decoder(filters)

    def initialise(self) -> None:
        """He's first weights; the forget gate open."""
        super().initialise()
        self.lstm.open_forget_gate()

    def forward(self, x: Tensor, valid: Tensor, days: Tensor | None = None, halo_px: int = 0) -> Tensor:
        """(batch, time, channel, y, x) to (batch, filters, y, x), inside the halo."""
        *skips, coarse = self.encoder(valid_scenes(x, valid))  # (scene, width, y / 2ˡ, x / 2ˡ)
        means = [mean_over_dates(skip, valid) for skip in skips]
        features: Tensor = self.decoder([*means, self.lstm(coarse, valid)], halo_px)
        return features
