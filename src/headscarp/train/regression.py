r"""Losses of regression, such as of an NDVI in [-1, 1]: sums over pixels first, one ratio after.

============  ============================================================================================
name          minimised
============  ============================================================================================
``l1``        :math:`\frac1n \sum |v - t|`
``ssim``      one minus the mean structural similarity of Gaussian windows that hold no pixel left out
``gradient``  :math:`\frac1m \sum |\partial v - \partial t|`, differences of neighbours along x and along y
``l1_ssim_gradient``  their weighted sum
============  ============================================================================================

References
----------
Wang, Bovik, Sheikh & Simoncelli (2004), IEEE Transactions on Image Processing 13, 600-612 (SSIM); Mathieu,
Couprie & LeCun (2016), Deep multi-scale video prediction beyond mean square error, ICLR (gradient).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from headscarp.evaluate.similarity import SimilarityOptions
from headscarp.train.losses import Loss, mean_value

_K1, _K2 = 0.01, 0.03
"""Constants of Wang et al. (2004), shares of the data range."""


def l1_loss() -> Loss:
    """Mean absolute difference."""

    def sums(values: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        apart = torch.where(mask, values - target, 0).abs()
        return torch.stack([apart.sum(), mask.sum().to(apart.dtype)])

    return Loss(sums, mean_value)


def gradient_loss() -> Loss:
    """Mean absolute difference of the gradients, where both neighbours count."""

    def sums(values: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        apart = torch.where(mask, values - target, 0)
        steps = [(apart.diff(dim=axis), _pairs(mask, axis)) for axis in (-1, -2)]
        total = sum((torch.where(both, step, 0).abs().sum() for step, both in steps), apart.new_zeros(()))
        count = sum((both.sum() for _, both in steps), apart.new_zeros(()))
        return torch.stack([total, count])

    return Loss(sums, mean_value)


def ssim_loss(options: SimilarityOptions | None = None) -> Loss:
    """One minus the mean structural similarity, as :mod:`headscarp.evaluate.similarity` defines it.

    Parameters
    ----------
    options : SimilarityOptions, optional
        Its data range; the window is always Gaussian.
    """
    options = options or SimilarityOptions()
    weights = torch.from_numpy(options.weights)
    c1, c2 = (_K1 * options.data_range) ** 2, (_K2 * options.data_range) ** 2

    def sums(values: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        x, y = torch.where(mask, values, 0), torch.where(mask, target, 0)
        mean_x, mean_y, xx, yy, xy = (_smooth(part, weights) for part in (x, y, x * x, y * y, x * y))
        covariance = (2 * mean_x * mean_y + c1) * (2 * (xy - mean_x * mean_y) + c2)
        variance = (mean_x**2 + mean_y**2 + c1) * (xx - mean_x**2 + yy - mean_y**2 + c2)
        whole = _whole_windows(mask, len(weights))
        unlike = torch.where(whole, 1 - covariance / variance, 0)
        return torch.stack([unlike.sum(), whole.sum().to(unlike.dtype)])

    return Loss(sums, mean_value)


def weighted_loss(parts: Sequence[Loss], weights: Sequence[float]) -> Loss:
    r"""Weighted sum of losses, :math:`\sum_k w_k L_k`; each is a ratio of sums of its own.

    Parameters
    ----------
    parts : sequence of Loss
        Each of a total and a count.
    weights : sequence of float

    Examples
    --------
    >>> loss = weighted_loss((l1_loss(), l1_loss()), (1.0, 0.5))
    >>> float(loss(torch.tensor([2.0]), torch.tensor([0.0]), torch.tensor([True])))
    3.0
    """

    def sums(values: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        return torch.cat([part.sums(values, target, mask) for part in parts])

    def value(sums: Tensor) -> Tensor:
        own = sums.reshape(len(parts), -1)
        terms = [weight * part.value(row) for part, weight, row in zip(parts, weights, own, strict=True)]
        return torch.stack(terms).sum()

    return Loss(sums, value)


def _pairs(mask: Tensor, axis: int) -> Tensor:
    size = mask.shape[axis]
    return mask.narrow(axis, 0, size - 1) & mask.narrow(axis, 1, size - 1)


def _smooth(image: Tensor, weights: Tensor) -> Tensor:
    """Windows that lie inside, shape (batch, 1, y − 10, x − 10)."""
    w = weights.to(image)
    return functional.conv2d(functional.conv2d(image, w.view(1, 1, 1, -1)), w.view(1, 1, -1, 1))


def _whole_windows(mask: Tensor, side: int) -> Tensor:
    return -functional.max_pool2d(-mask.float(), side, stride=1) > 0
