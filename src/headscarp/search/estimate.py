"""What a search will cost, from one step of each width: said before hours are spent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from headscarp.models import NetworkOptions, Takes, make_network
from headscarp.search.cells import Cell

CHIPS = 4
"""In the step that is timed; a step's time grows with its chips, whatever their number."""
STEPS = 2
"""Steps taken; the last is timed, since the first also reserves memory."""
VALIDATION_COST = 1.0 / 3.0
"""Of a validation chip to a training chip: forward alone, of forward and twice as much backward."""


def seconds_a_chip(options: NetworkOptions, size_px: int, dates: int = 1) -> float:
    """Seconds of training for one chip: forward, backward and Adam, on this machine now.

    Parameters
    ----------
    options : NetworkOptions
    size_px : int
        Side of a chip.
    dates : int
        Of a series; ignored for other networks.
    """
    with torch.random.fork_rng(devices=[]):
        network = make_network(options)
    shape = {Takes.SCENE: (), Takes.PAIR: (2,), Takes.SERIES: (dates,)}[network.takes]
    x = torch.zeros(CHIPS, *shape, options.channels, size_px, size_px)
    extra: tuple[Tensor, ...] = ()
    if network.takes is Takes.SERIES:
        extra = (torch.ones(CHIPS, dates, dtype=torch.bool), torch.arange(dates).expand(CHIPS, -1))
    optimiser = torch.optim.Adam(network.parameters(), fused=True)
    seconds = 0.0
    for _ in range(STEPS):
        begun = time.perf_counter()
        optimiser.zero_grad()
        logits = network(x, *extra)
        torch.autograd.backward(functional.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits)))
        optimiser.step()
        seconds = time.perf_counter() - begun
    return seconds / CHIPS


def estimate_hours(
    cells: Sequence[Cell], seconds: Mapping[int, float], chips: tuple[int, int], epochs: int
) -> float:
    """Hours on this machine if every combination ran all its epochs.

    Parameters
    ----------
    cells : sequence of Cell
    seconds : mapping of int to float
        Seconds a chip, by filters.
    chips : (int, int)
        Training and validation chips.
    epochs : int

    Examples
    --------
    36 s a chip and 90 + 30 chips, of which the latter cost a third: an hour an epoch.

    >>> estimate_hours([Cell(8, 1e-3, 16)], {16: 36.0}, (90, 30), 2)
    2.0
    """
    an_epoch = chips[0] + VALIDATION_COST * chips[1]
    return sum(seconds[cell.filters] for cell in cells) * an_epoch * epochs / 3600.0
