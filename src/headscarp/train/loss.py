"""The loss by its name."""

from __future__ import annotations

from headscarp.models import Head
from headscarp.train.losses import (
    DiceClasses,
    Loss,
    bce_dice_loss,
    bce_loss,
    dice_loss,
    focal_loss,
    tversky_loss,
)
from headscarp.train.options import LossName
from headscarp.train.regression import gradient_loss, l1_loss, ssim_loss, weighted_loss

REGRESSION_LOSSES: tuple[LossName, ...] = ("l1", "ssim", "gradient", "l1_ssim_gradient")
EQUAL = (1.0, 1.0, 1.0)


def make_loss(
    name: LossName,
    dice_classes: DiceClasses = "landslide",
    weights: tuple[float, float, float] = EQUAL,
) -> Loss:
    """The loss that has a name.

    Parameters
    ----------
    name : str
    dice_classes : {"landslide", "both"}
        Classes of the Dice losses.
    weights : tuple of float
        Of L1, SSIM and gradient in their weighted sum.

    Examples
    --------
    >>> import torch
    >>> float(make_loss("l1")(torch.tensor([2.0]), torch.tensor([0.5]), torch.tensor([True])))
    1.5
    """
    match name:
        case "dice" | "dice_printed":
            return dice_loss(dice_classes, printed=name == "dice_printed")
        case "bce_dice":
            return bce_dice_loss(dice_classes)
        case "l1_ssim_gradient":
            return weighted_loss((l1_loss(), ssim_loss(), gradient_loss()), weights)
        case _:
            makers = {
                "bce": bce_loss,
                "focal": focal_loss,
                "tversky": tversky_loss,
                "l1": l1_loss,
                "ssim": ssim_loss,
                "gradient": gradient_loss,
            }
            return makers[name]()


def fits_head(name: LossName, head: Head) -> bool:
    """Whether a loss is of what a head gives."""
    return (name in REGRESSION_LOSSES) == (head is Head.REGRESSION)
