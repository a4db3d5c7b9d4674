"""Siamese U-Net of a pre-event and a post-event scene."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from headscarp.models.blocks import Decoder, Encoder
from headscarp.models.body import Body, Takes


class SiameseUNet(Body):
    r"""FC-Siam-diff: one encoder for both scenes, whose skips are the absolute differences.

    .. math:: d_4 = e_4^{post}, \qquad \text{skip}_l = \lvert e_l^{post} - e_l^{pre} \rvert

    As in the paper the decoder starts from the post-event scene, so that the order of the two matters.
    Choices of ours: levels and widths of U-Net (two convolutions a level, doubled widths); both scenes enter
    the encoder in one batch and so share their batch statistics; no dropout.

    References
    ----------
    Daudt, Le Saux & Boulch (2018), https://arxiv.org/abs/1810.08462
    """

    takes: ClassVar[Takes] = Takes.PAIR
    cuts_halo: ClassVar[bool] = True

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__(channels, filters)
        self.encoder = Encoder(channels, filters)
        self.decoder = Decoder(filters)

    def forward(self, x: Tensor, halo_px: int = 0) -> Tensor:
        """(batch, 2, channel, y, x) to (batch, filters, y, x), inside the halo."""
        levels = [torch.unflatten(level, 0, x.shape[:2]) for level in self.encoder(x.flatten(0, 1))]
        skips = [(level[:, 1] - level[:, 0]).abs() for level in levels[:-1]]  # (batch, width, y / 2ˡ, x / 2ˡ)
        features: Tensor = self.decoder([*skips, levels[-1][:, 1]], halo_px)
        return features
