"""One way to call every network: any size in, one value a pixel out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from headscarp.models.blocks import initialise, trimmed
from headscarp.models.body import Body, Takes
from headscarp.models.options import Head, NetworkOptions

# batch normalisation needs more than one value a channel, also of a batch of one at the coarsest level
LEAST_COARSE_PX = 2


class Network(nn.Module):
    r"""A body, padded to what it needs and cropped back, and a head.

    ``forward(x, valid, days)`` is the contract of all networks. Pixels must be finite; padded dates may hold
    anything, they are never looked at. Sizes are padded at the right and at the bottom by repeating the last
    pixel. Memory is laid out channels last inside, whatever the layout of `x`.

    .. math:: \text{logits} = w * \text{body}(x) + b, \qquad \text{regression: } \tanh(\text{logits})

    Parameters
    ----------
    options : NetworkOptions
        What was built, for the checkpoint.
    body : Body
        From scenes to features.
    """

    def __init__(self, options: NetworkOptions, body: Body) -> None:
        super().__init__()
        self.options = options
        self.body = body
        self.head = nn.Conv2d(body.width, 1, body.head_kernel, padding=body.head_kernel // 2)
        body.initialise()
        initialise(self.head)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def takes(self) -> Takes:
        """What the network looks at."""
        return self.body.takes

    @property
    def stride(self) -> int:
        """Pixels of the input in one pixel of the coarsest level: tiles start at its multiples."""
        return self.body.stride

    def forward(
        self, x: Tensor, valid: Tensor | None = None, days: Tensor | None = None, halo_px: int = 0
    ) -> Tensor:
        """Logits or values of each pixel.

        Parameters
        ----------
        x : Tensor, shape (batch, channel, y, x), (batch, time, channel, y, x) or (batch, 2, channel, y, x)
            As `takes` says; finite where valid.
        valid : Tensor of bool, shape (batch, time), optional
            False for dates that only pad a batch; all dates where not given. For networks of series.
        days : Tensor, shape (batch, time), optional
            Days since the event, or any common date. U-TAE needs them, other series ignore them.
        halo_px : int
            Pixels at each side that are only looked at, a multiple of `stride`: what lies in them is not
            asked for, and where a network can, it is not computed.

        Returns
        -------
        Tensor, shape (batch, 1, y - 2 · halo_px, x - 2 · halo_px)
            Logits, or values in [-1, 1].

        Raises
        ------
        ValueError
            If shapes disagree with each other or with `takes`, a sample has no valid date, or the halo is no
            multiple of the stride or leaves nothing.
        """
        self._check(x, valid, days)
        self._check_halo(x, halo_px)
        size_y, size_x = (size - 2 * halo_px for size in x.shape[-2:])
        padded = pad(x, self.stride)
        cut = {"halo_px": halo_px} if self.body.cuts_halo else {}
        if self.takes is Takes.SERIES:
            valid = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if valid is None else valid
            features = self.body(padded, valid, days, **cut)
        else:
            features = self.body(padded, **cut)
        values: Tensor = self.head(features)  # (batch, 1, padded y / coarser, padded x / coarser)
        if self.body.coarser > 1:
            values = functional.interpolate(values, scale_factor=self.body.coarser, mode="bilinear")
        values = trimmed(values, 0 if cut else halo_px)[..., :size_y, :size_x].contiguous()
        return torch.tanh(values) if self.options.head is Head.REGRESSION else values

    def _check_halo(self, x: Tensor, halo_px: int) -> None:
        fits = halo_px >= 0 and halo_px % self.stride == 0 and min(x.shape[-2:]) > 2 * halo_px
        if not fits:
            raise ValueError(
                f"expected a halo of a multiple of {self.stride} pixels within {tuple(x.shape)}, "
                f"given {halo_px}"
            )

    def _check(self, x: Tensor, valid: Tensor | None, days: Tensor | None) -> None:
        name, dims = self.options.network, 4 if self.takes is Takes.SCENE else 5
        if x.ndim != dims or (self.takes is Takes.PAIR and x.shape[1] != 2):
            raise ValueError(f"{name} expected {self.takes.value}, given the shape {tuple(x.shape)}")
        if x.shape[-3] != self.options.channels:
            raise ValueError(f"{name} expected {self.options.channels} channels, given {x.shape[-3]}")
        if not all(x.shape):
            raise ValueError(f"{name} expected at least one sample, date and pixel, given {tuple(x.shape)}")
        if self.takes is not Takes.SERIES and (valid is not None or days is not None):
            raise ValueError(f"{name} expected no dates, given `valid` or `days`")
        for dates in (valid, days):
            if dates is not None and dates.shape != x.shape[:2]:
                raise ValueError(f"{name} expected dates of {tuple(x.shape[:2])}, given {tuple(dates.shape)}")
        if valid is not None and (valid.dtype is not torch.bool or not bool(valid.any(dim=1).all())):
            raise ValueError(f"{name} expected booleans with a valid date in each sample, given {valid}")


def pad(x: Tensor, stride: int) -> Tensor:
    """Repeat the last row and column up to a multiple of the stride, two at least; channels last.

    Examples
    --------
    >>> tuple(pad(torch.zeros(1, 2, 33, 7), 16).shape)
    (1, 2, 48, 32)
    """
    below, right = (max(LEAST_COARSE_PX, -(-size // stride)) * stride - size for size in x.shape[-2:])
    scenes = x.flatten(0, -4)  # (batch · time, channel, y, x)
    if below or right:
        scenes = functional.pad(scenes, (0, right, 0, below), mode="replicate")
    return torch.unflatten(scenes.contiguous(memory_format=torch.channels_last), 0, x.shape[:-3])
