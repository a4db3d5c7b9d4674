"""How far a pixel of the output sees, found by tracing what one unknown value reaches."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from headscarp.models.body import Takes
from headscarp.models.catalogue import BODIES, make_network
from headscarp.models.network import LEAST_COARSE_PX
from headscarp.models.options import NetworkOptions

# reach grows with depth and kernels, never with width
TRACED_FILTERS = 8
LONGEST_PX = 4096


class ReceptiveField(NamedTuple):
    """Pixels of the input that a pixel of the output depends on, along y and along x alike.

    Attributes
    ----------
    size_px : int
        Extent from the first to the last of them, for the output pixel that sees most.
    halo_px : int
        The largest distance to one of them: what a tile needs around it.
    stride_px : int
        Tiles must start at multiples of it, or pooling falls on other pixels.
    """

    size_px: int
    halo_px: int
    stride_px: int


def receptive_field(network: str, dates: int = 2) -> ReceptiveField | None:
    """Receptive field of a network, or None where every pixel sees the whole scene (SegFormer).

    A column of the input is made NaN, one for each place it can have within the stride; NaN survives every
    convolution, maximum and sum, so the columns of the output that are NaN are those that depend on it,
    whatever the weights. Where a maximum is unpooled, the place it came from may change, so the
    value reaches the whole window.

    Parameters
    ----------
    network : str
        A name of `headscarp.models.catalogue.BODIES`.
    dates : int
        Dates of a series: a ConvLSTM sees one coarse pixel farther at each.

    Examples
    --------
    >>> receptive_field("unet")
    ReceptiveField(size_px=204, halo_px=107, stride_px=16)
    """
    with torch.random.fork_rng(devices=[]):
        longest = _reached(network, dates, LONGEST_PX, places=1)
        if bool(longest[:, [0, -1]].any()):
            return None
        stride = BODIES[network].stride
        margin = longest.nonzero()[:, 1].sub(LONGEST_PX // 2).abs().max().item() // stride + 3
        return _measured(_reached(network, dates, 2 * int(margin) * stride, places=stride))


def _reached(name: str, dates: int, length: int, places: int) -> Tensor:
    """Columns of the output (place, x) that depend on column ``length / 2 + place``."""
    network = make_network(NetworkOptions(network=name, channels=1, filters=TRACED_FILTERS)).eval()
    for module in network.modules():
        if isinstance(module, nn.MaxUnpool2d):
            module.register_forward_hook(_whole_window)
    place = torch.arange(places)
    x = torch.zeros(places, 1, LEAST_COARSE_PX * network.stride, length)
    x[place, :, :, length // 2 + place] = math.nan
    inputs: tuple[Tensor, ...] = (x,)
    if network.takes is not Takes.SCENE:
        dates = 2 if network.takes is Takes.PAIR else dates
        inputs = (x[:, None].expand(-1, dates, -1, -1, -1),)
    if network.takes is Takes.SERIES:
        inputs = (
            *inputs,
            torch.ones(places, dates, dtype=torch.bool),
            torch.arange(dates).expand(places, -1),
        )
    with torch.no_grad():
        reached: Tensor = network(*inputs).isnan().any(dim=2)[:, 0]
    return reached


def _whole_window(module: nn.Module, given: tuple[Any, ...], result: Tensor) -> Tensor:
    return functional.interpolate(given[0], size=result.shape[-2:])


def _measured(reached: Tensor) -> ReceptiveField:
    stride, length = reached.shape
    seen: defaultdict[int, list[int]] = defaultdict(list)
    for place, column in reached.nonzero().tolist():
        # output columns a stride apart see the same, shifted
        seen[column % stride].append(length // 2 + place - column)
    size = max(max(offsets) - min(offsets) + 1 for offsets in seen.values())
    halo = max(abs(offset) for offsets in seen.values() for offset in offsets)
    return ReceptiveField(size, halo, stride)
