"""U-Net."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from headscarp.models.blocks import Decoder, Encoder
from headscarp.models.body import Body


class UNet(Body):
    r"""U-Net with batch normalisation.

    .. math:: d_4 = e_4, \qquad d_l = \text{conv}^2\bigl([e_l,\ \text{up}(d_{l+1})]\bigr)

    Choices of ours: batch normalisation after each convolution; convolutions are padded with zeros, so that
    the output is as large as the input; 2 × 2 transposed convolutions with bias and without normalisation.

    References
    ----------
    Ronneberger, Fischer & Brox (2015), https://arxiv.org/abs/1505.04597
    """

    cuts_halo: ClassVar[bool] = True

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__(channels, filters)
        self.encoder = Encoder(channels, filters)
        self.decoder = self.make_decoder(filters)

    @staticmethod
    def make_decoder(filters: int) -> Decoder:
        """The expanding path; what makes a variant of U-Net overrides it."""
        return Decoder(filters)

    def forward(self, x: Tensor, halo_px: int = 0) -> Tensor:
        """(batch, channel, y, x) to (batch, filters, y, x), inside the halo."""
        features: Tensor = self.decoder(self.encoder(x), halo_px)
        return features
