"""Attention U-Net."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from headscarp.models.blocks import Decoder, Gate
from headscarp.models.unet import UNet


class AttentionGate(nn.Module):
    r"""An additive gate: the coarser level says where a skip is to be heard.

    .. math::
        \alpha = \sigma\bigl(\psi^T \max(0,\ W_x x + W_g g + b_g) + b_\psi\bigr), \qquad
        \hat x = \text{up}(\alpha)\, x
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = width // 2
        self.skip = nn.Conv2d(width, inner, kernel_size=2, stride=2, bias=False)
        self.coarse = nn.Conv2d(2 * width, inner, kernel_size=1)
        self.psi = nn.Conv2d(inner, 1, kernel_size=1)

    def forward(self, skip: Tensor, coarse: Tensor) -> Tensor:
        """(batch, width, y, x) and (batch, 2 · width, y / 2, x / 2) to the first's shape."""
        heard = functional.relu(
            self.skip(skip) + self.coarse(coarse), inplace=True
        )  # (batch, w / 2, y / 2, x / 2)
        weights = self.psi(heard).sigmoid()  # (batch, 1, y / 2, x / 2)
        return skip * functional.interpolate(weights, scale_factor=2, mode="bilinear")


class AttentionUNet(UNet):
    """U-Net whose skips pass additive attention gates.

    As in the paper the finest skip has no gate, and the skip is brought to the grid of the gating signal by a
    strided convolution, the weights back by (bi)linear interpolation. Choices of ours: the gate's inner width
    is half the skip's, the strided kernel is 2 × 2, no normalisation within the gate, no deep supervision.

    References
    ----------
    Oktay et al. (2018), https://arxiv.org/abs/1804.03999
    """

    @staticmethod
    def make_decoder(filters: int) -> Decoder:
        """Gates on all skips but the finest."""
        return Decoder(filters, gate=lambda width: Gate() if width == filters else AttentionGate(width))
