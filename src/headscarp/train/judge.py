r"""How an epoch is judged on the validation chips: counts that add up, figures of them, the one that chooses.

==================  =============================================  ==============================
head                figures                                        chooses
==================  =============================================  ==============================
classification      F1, precision, recall, IoU at 0.5              the highest F1
regression          :math:`\sqrt{\overline{e^2}}` (rmse),          the lowest rmse
                    :math:`\overline{|e|}` (mae),
                    :math:`\overline{e}` (bias)
==================  =============================================  ==============================

Counts of batches and of processes are added before any ratio is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headscarp.evaluate.confusion import OUTCOMES, pixel_metrics
from headscarp.models import Head
from headscarp.train.record import Measure

Figures = dict[str, float | None]


@dataclass(frozen=True)
class Judge:
    """What is counted on the validation chips, and what is told of it.

    Attributes
    ----------
    chief : str
        The figure that chooses.
    rises : bool
        Whether more of it is better.
    empty : Tensor
        Counts of nothing.
    counts : callable
        (values, target, mask) of one shape to counts that add up, of the shape of `empty`.
    figures : callable
        Such counts, summed, to figures by name.
    """

    chief: str
    rises: bool
    empty: Tensor
    counts: Callable[[Tensor, Tensor, Tensor], Tensor]
    figures: Callable[[NDArray[Any]], Figures]

    def measure(self, figures: Figures) -> Measure:
        """The figure that chooses."""
        return Measure(name=self.chief, value=figures[self.chief], rises=self.rises)


def judge_of(head: Head) -> Judge:
    """The judge of networks with a head."""
    if head is Head.REGRESSION:
        return Judge("rmse", False, torch.zeros(4, dtype=torch.float64), error_sums, error_figures)
    nothing = torch.zeros(len(OUTCOMES), dtype=torch.int64)
    return Judge("f1", True, nothing, outcome_counts, _pixel_figures)


def outcome_counts(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Confusion counts at a probability of one half, in the order of ``confusion.OUTCOMES``.

    Examples
    --------
    >>> z, y = torch.tensor([3.0, -1.0, 0.0, 2.0]), torch.tensor([1.0, 1.0, 0.0, 1.0])
    >>> outcome_counts(z, y, torch.tensor([True, True, True, False])).tolist()
    [0, 1, 1, 1]
    """
    code = 2 * (logits >= 0).long() + (target > 0.5).long()
    return torch.bincount(code[mask], minlength=len(OUTCOMES))


def error_sums(values: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Pixels, and sums of their errors, absolute errors and squared errors.

    Examples
    --------
    >>> v, t = torch.tensor([0.5, 0.0, 9.0]), torch.tensor([0.0, 0.25, 0.0])
    >>> error_sums(v, t, torch.tensor([True, True, False])).tolist()
    [2.0, 0.25, 0.75, 0.3125]
    """
    error = (values - target)[mask].double()
    parts = (torch.ones_like(error), error, error.abs(), error.square())
    return torch.stack([part.sum() for part in parts])


def error_figures(sums: NDArray[Any]) -> Figures:
    """Root mean square, mean absolute and mean error; none without a pixel.

    Examples
    --------
    >>> error_figures(np.array([4.0, -2.0, 3.0, 4.0]))
    {'rmse': 1.0, 'mae': 0.75, 'bias': -0.5}
    """
    pixels, error, absolute, squared = (float(value) for value in sums)
    if pixels == 0:
        return {"rmse": None, "mae": None, "bias": None}
    return {"rmse": float(np.sqrt(squared / pixels)), "mae": absolute / pixels, "bias": error / pixels}


def or_none(ratio: float | NDArray[Any]) -> float | None:
    """A ratio, none where nothing was to be measured."""
    return float(ratio) if np.isfinite(ratio) else None


def _pixel_figures(counts: NDArray[Any]) -> Figures:
    ratios = pixel_metrics(counts)
    return {name: or_none(ratios[name]) for name in ("f1", "precision", "recall", "iou")}
