"""Dual-polarised pixel attention U-Net."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from headscarp.models.blocks import Decoder
from headscarp.models.unet import UNet

REDUCTION = 8


class PixelAttention(nn.Module):
    r"""One weight a pixel multiplies the features, and the product is added to them.

    .. math:: y = x + \sigma\bigl(w_2 \max(0, w_1 x + b_1) + b_2\bigr)\, x

    So a pixel leaves between once and twice as strong as it came: with all weights of the two convolutions
    zero the sigmoid is 1/2 and features are multiplied by 3/2; with the sigmoid at 1 they are doubled.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, width // REDUCTION, kernel_size=1)
        self.weigh = nn.Conv2d(width // REDUCTION, 1, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, y, x) to the same shape."""
        weights = self.weigh(functional.relu(self.reduce(x), inplace=True)).sigmoid()  # (batch, 1, y, x)
        return x.mul_(1 + weights) if torch.is_inference_mode_enabled() else x * (1 + weights)


class DPPAUNet(UNet):
    """U-Net with pixel attention on what each upsampling has concatenated with its skip.

    "Dual-polarised" is the input: channels of VV and of VH, in any number. The paper leaves open how the
    "Conv2D layers" of Figure 4 are sized. Ours: two 1 × 1 convolutions, the first to an eighth of the
    channels with a rectifier, the second to one weight a pixel, which all channels share (as the pixel
    attention of Qin et al. 2020, https://arxiv.org/abs/1911.07559); no normalisation within the module.

    References
    ----------
    Pan & Shi (2023), Remote Sensing 15, 5619, section 2.2.1, https://doi.org/10.3390/rs15235619
    """

    @staticmethod
    def make_decoder(filters: int) -> Decoder:
        """Pixel attention in every level."""
        return Decoder(filters, attention=lambda width: PixelAttention(2 * width))
