"""Several processes that train as one: sums are added before any ratio or statistic is taken of them."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn

from headscarp.train.batches import Shard


def shard() -> Shard:
    """Rank of this process, and how many there are."""
    if not _is_one_of_many():
        return Shard()
    return Shard(distributed.get_rank(), distributed.get_world_size())


def added(sums: Tensor) -> Tensor:
    """Sums of all processes together, with their gradient."""
    if not _is_one_of_many():
        return sums
    total: Tensor = _Added.apply(sums)  # type: ignore[no-untyped-call]
    return total


class _Added(torch.autograd.Function):
    """Sum over the processes; so is its gradient, since the loss of each depends on every part."""

    @staticmethod
    def forward(ctx: object, sums: Tensor) -> Tensor:
        total = sums.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total


class SharedBatchNorm(nn.BatchNorm2d):
    r"""Batch normalisation over the chips of all processes, on any device.

    .. math:: \mu = \frac1n \sum x, \qquad \sigma^2 = \frac1n \sum (x - \mu)^2

    torch's own ``SyncBatchNorm`` needs a GPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, y, x) to the same shape."""
        if not self.training or self.running_mean is None or self.running_var is None:
            return super().forward(x)
        count = added(x.new_tensor([x.numel() / x.shape[1]]))
        mean = added(x.sum(dim=(0, 2, 3))) / count
        centred = x - mean[:, None, None]
        variance = added(centred.square().sum(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean.detach(), self.momentum or 0.0)
            self.running_var.lerp_(variance.detach() * count / (count - 1), self.momentum or 0.0)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]


def share_batch_statistics(module: nn.Module) -> None:
    """Put `SharedBatchNorm` in the place of every batch normalisation, with its weights."""
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            shared = SharedBatchNorm(child.num_features, child.eps, child.momentum)
            shared.load_state_dict(child.state_dict())
            shared.train(child.training)
            for own, given in zip(shared.parameters(), child.parameters(), strict=True):
                own.requires_grad_(given.requires_grad)
            setattr(module, name, shared)
        else:
            share_batch_statistics(child)


def _is_one_of_many() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
