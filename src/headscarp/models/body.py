"""What every network of this room is: a body that turns scenes into features, pixel by pixel."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from torch import nn

from headscarp.models.blocks import initialise


class Takes(Enum):
    """What a network looks at."""

    SCENE = "(batch, channel, y, x)"
    SERIES = "(batch, time, channel, y, x)"
    PAIR = "(batch, 2, channel, y, x), pre-event and post-event"


class Body(nn.Module):
    """A network without padding and head.

    `forward` takes ``(x)``, or ``(x, valid, days)`` for series, with y and x multiples of `stride`, and gives
    features of shape (batch, width, y / coarser, x / coarser).

    Attributes
    ----------
    stride : int
        Pixels of the input in one pixel of the coarsest level.
    takes : Takes
        What `forward` looks at.
    width : int
        Channels of the features.
    head_kernel : int
        Side of the last convolution, from features to the one output.
    cuts_halo : bool
        Whether `forward` takes ``halo_px``, a multiple of `stride`, and leaves out what lies in it.
    coarser : int
        How many times coarser than the input the features are; the output is enlarged bilinearly.
    """

    stride: ClassVar[int] = 16
    takes: ClassVar[Takes] = Takes.SCENE
    head_kernel: ClassVar[int] = 1
    coarser: ClassVar[int] = 1
    cuts_halo: ClassVar[bool] = False

    width: int

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.width = filters

    def initialise(self) -> None:
        """Draw the first weights (He et al. 2015)."""
        self.apply(initialise)
