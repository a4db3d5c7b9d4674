r"""Losses of segmentation: sums over pixels first, one ratio after.

With :math:`p` the probability and :math:`y \in \{0, 1\}` the label of a pixel, over the pixels that are not
left out:

================  =======================================================================================
name              minimised
================  =======================================================================================
``dice``          :math:`1 - \frac{2 \sum p y + s}{\sum p + \sum y + s}`
``dice_printed``  :math:`1 - \frac{\sum p y + s}{\sum p + \sum y + s}`
``bce``           :math:`-\frac1n \sum y \log p + (1 - y) \log(1 - p)`
``bce_dice``      the sum of ``bce`` and ``dice``
``focal``         :math:`-\frac1n \sum \alpha_t (1 - p_t)^\gamma \log p_t`
``tversky``       :math:`1 - \frac{\sum p y + s}{\sum p y + a \sum p (1 - y) + b \sum (1 - p) y + s}`
================  =======================================================================================

The sums are additive, so those of processes that share a batch are added before the ratio is taken, and a
batch without any pixel gives 0 with no gradient.

References
----------
Milletari, Navab & Ahmadi (2016), V-Net, 3DV (Dice); Pan & Shi (2023), Remote Sensing 15, 5619, equation 8
(printed without the factor 2 of the coefficient it describes); Lin, Goyal, Girshick, He & Dollár (2017),
Focal loss for dense object detection, ICCV; Salehi, Erdogmus & Gholipour (2017), Tversky loss function for
image segmentation, MLMI.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

DiceClasses = Literal["landslide", "both"]

SMOOTH_PX = 1.0
"""Pixels added to both sides of a ratio: 0/0 becomes 1, a perfect match of nothing."""
FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0
"""Weight of the landslide class and focus, as Lin et al. (2017) found best."""
TVERSKY_FALSE_POSITIVE, TVERSKY_FALSE_NEGATIVE = 0.3, 0.7
"""Weights of the two errors, as Salehi et al. (2017) found best."""


def _unchanged(sums: Tensor) -> Tensor:
    return sums


@dataclass(frozen=True)
class Loss:
    """A loss as additive sums, and the value that is taken of them.

    Attributes
    ----------
    sums : callable
        (logits, target, mask) of one shape (batch, 1, y, x) to additive sums, shape (sums,).
    value : callable
        Such sums to the loss, shape ().
    """

    sums: Callable[[Tensor, Tensor, Tensor], Tensor]
    value: Callable[[Tensor], Tensor]

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        mask: Tensor,
        together: Callable[[Tensor], Tensor] = _unchanged,
    ) -> Tensor:
        """Loss of a batch.

        Parameters
        ----------
        logits : Tensor, shape (batch, 1, y, x)
            Or values, for regression.
        target : Tensor of float, the same shape
            0 or 1, or values for regression.
        mask : Tensor of bool, the same shape
            False: left out, whatever the target says.
        together : callable
            Adds the sums of all processes.

        Returns
        -------
        Tensor, shape ()
        """
        return self.value(together(self.sums(logits, target, mask)))


def dice_loss(classes: DiceClasses = "landslide", printed: bool = False) -> Loss:
    r"""Soft Dice loss over the landslide class, or summed over it and its complement.

    .. math:: \sum_c \left(1 - \frac{k \sum p_c y_c + s}{\sum p_c + \sum y_c + s}\right)

    with k = 2, or 1 for the form that Pan & Shi (2023) print as equation 8: that one cannot fall below about
    1/2 a class, and orders predictions as the standard form does where :math:`\sum y` is fixed.

    Parameters
    ----------
    classes : {"landslide", "both"}
    printed : bool

    Examples
    --------
    Probabilities of one half, one landslide pixel in two: 1 − (2 · 0.5 + 1) / (1 + 1 + 1).

    >>> loss = dice_loss()(torch.zeros(2), torch.tensor([0.0, 1.0]), torch.ones(2, dtype=torch.bool))
    >>> round(float(loss), 4)
    0.3333
    """
    factor = 1.0 if printed else 2.0

    def value(sums: Tensor) -> Tensor:
        both, predicted, landslide, px = sums.unbind()
        loss = 1 - (factor * both + SMOOTH_PX) / (predicted + landslide + SMOOTH_PX)
        if classes == "landslide":
            return loss
        neither = px - predicted - landslide + both
        clear = 2 * px - predicted - landslide
        return loss + 1 - (factor * neither + SMOOTH_PX) / (clear + SMOOTH_PX)

    return Loss(_overlap, value)


def bce_loss() -> Loss:
    """Mean binary cross-entropy."""

    def sums(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return torch.stack([_total(each, mask), mask.sum().to(each.dtype)])

    return Loss(sums, mean_value)


def bce_dice_loss(classes: DiceClasses = "landslide") -> Loss:
    """Binary cross-entropy and Dice, added."""
    bce, dice = bce_loss(), dice_loss(classes)

    def sums(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        return torch.cat([part.sums(logits, target, mask) for part in (bce, dice)])

    def value(sums: Tensor) -> Tensor:
        return bce.value(sums[:2]) + dice.value(sums[2:])

    return Loss(sums, value)


def focal_loss(alpha: float = FOCAL_ALPHA, gamma: float = FOCAL_GAMMA) -> Loss:
    """Mean focal loss: cross-entropy that hardly hears what is right already.

    Parameters
    ----------
    alpha : float
        Weight of landslide pixels; others weigh 1 − alpha.
    gamma : float
        Focus; 0 leaves the cross-entropy.
    """

    def sums(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        # 1 - p_t = sigmoid(-z) for landslides, sigmoid(z) for others: no difference of nearly equal numbers
        wrong = torch.sigmoid(logits * (1 - 2 * target))
        weight = alpha * target + (1 - alpha) * (1 - target)
        return torch.stack([_total(weight * wrong**gamma * each, mask), mask.sum().to(each.dtype)])

    return Loss(sums, mean_value)


def tversky_loss(
    false_positive: float = TVERSKY_FALSE_POSITIVE, false_negative: float = TVERSKY_FALSE_NEGATIVE
) -> Loss:
    """Tversky loss of the landslide class: Dice whose two errors weigh differently.

    Parameters
    ----------
    false_positive, false_negative : float
        Weights of the errors; with 1/2 and 1/2 it is Dice, but for the smoothing.
    """

    def value(sums: Tensor) -> Tensor:
        both, predicted, landslide, _ = sums.unbind()
        errors = false_positive * (predicted - both) + false_negative * (landslide - both)
        return 1 - (both + SMOOTH_PX) / (both + errors + SMOOTH_PX)

    return Loss(_overlap, value)


def mean_value(sums: Tensor) -> Tensor:
    """Mean from a sum and a count; 0 where nothing was counted."""
    total, count = sums.unbind()
    return total / count.clamp(min=1)


def _overlap(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Sums of p·y, p, y and pixels."""
    p = torch.sigmoid(logits)
    parts = [_total(part, mask) for part in (p * target, p, target)]
    return torch.stack([*parts, mask.sum().to(p.dtype)])


def _total(values: Tensor, mask: Tensor) -> Tensor:
    """Sum of the pixels that count; what the others hold is never looked at."""
    return torch.where(mask, values, 0).sum()
