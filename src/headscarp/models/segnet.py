"""SegNet."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from headscarp.models.blocks import convolutions
from headscarp.models.body import Body

CONVOLUTIONS = (2, 2, 3, 3, 3)


class SegNet(Body):
    r"""SegNet: the 13 convolutions of VGG-16, mirrored; the decoder unpools to where the maxima were.

    .. math:: (e_l,\ i_l) = \text{maxpool}\bigl(\text{conv}^{n_l}(e_{l-1})\bigr), \qquad
        d_{l-1} = \text{conv}^{n_l}\bigl(\text{unpool}(d_l,\ i_l)\bigr)

    Widths are the filters times 1, 2, 4, 8, 8 (VGG-16 at 64). As in the paper the very last convolution, 3 ×
    3, is the classifier: here it is the network's head. Choice of ours: weights start from He's, not from
    ImageNet's.

    References
    ----------
    Badrinarayanan, Kendall & Cipolla (2017), https://arxiv.org/abs/1511.00561
    """

    stride: ClassVar[int] = 32
    head_kernel: ClassVar[int] = 3

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__(channels, filters)
        widths = [filters * times for times in (1, 2, 4, 8, 8)]
        finer = [channels, *widths[:-1]]
        counts = list(zip(finer, widths, CONVOLUTIONS, strict=True))
        self.down = nn.ModuleList(convolutions(a, *[b] * count) for a, b, count in counts)
        # the finest level's second convolution is the head
        up = [([filters] * 2)] + [[b] * count + [a] for a, b, count in counts[1:]]
        self.up = nn.ModuleList(convolutions(*level) for level in up)
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, y, x) to (batch, filters, y, x)."""
        places = []
        for down in self.down:
            x, place = self.pool(down(x))  # (batch, width, y / 2, x / 2), halved at each of five levels
            places.append(place)
        for up, place in zip(reversed(self.up), reversed(places), strict=True):
            x = up(self.unpool(x, place))
        return x
