"""A network made ready to predict: batch normalisation folded away, weights laid out for the processor."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from headscarp.models.blocks import ConvNormRelu
from headscarp.models.network import Network

ONEDNN: Any = torch.ops.mkldnn
Sides = tuple[int, ...]


def for_inference(network: Network) -> Network:
    r"""A copy that predicts the same, faster, and cannot be trained.

    Batch normalisation is folded into the convolution before it,

    .. math:: s = \gamma / \sqrt{\sigma^2 + \epsilon}, \qquad w' = s w, \qquad b' = \beta - s \mu

    and on a processor (float32, oneDNN) convolution and rectifier become one operation over weights packed
    once. Call it under ``torch.inference_mode()``, with batches of a few chips: larger ones leave the caches.

    Parameters
    ----------
    network : Network
        Left as it is.

    Returns
    -------
    Network
        Its outputs differ by rounding alone.
    """
    ready = copy.deepcopy(network).eval().requires_grad_(False)
    _replace(ready)
    return ready


class PackedConvolution(nn.Module):
    """A convolution, and a rectifier where there was one, in one operation where oneDNN has it."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, stride: Sides, padding: Sides, rectify: bool = False
    ) -> None:
        super().__init__()
        self.stride, self.padding = list(stride), list(padding)
        self.rectify = rectify
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", bias)
        self._packed: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, y, x) to (batch, out, y / stride, x / stride)."""
        weight, bias = self.get_buffer("weight"), getattr(self, "bias", None)
        if not _has_onednn(x):
            y = functional.conv2d(x, weight, bias, self.stride, self.padding)
            return y.relu_() if self.rectify else y
        sides = (self.stride, [1, 1])
        if self._packed is None:
            self._packed = ONEDNN._reorder_convolution_weight(weight, self.padding, *sides, 1, list(x.shape))
        then = "relu" if self.rectify else "none"
        packed: Tensor = ONEDNN._convolution_pointwise(
            x, self._packed, bias, self.padding, *sides, 1, then, [], ""
        )
        return packed


class FoldedTransposed(nn.Module):
    """A transposed convolution with the normalisation after it, and the rectifier."""

    def __init__(self, weight: Tensor, bias: Tensor, stride: Sides, padding: Sides) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, y, x) to (batch, out, y · stride, x · stride)."""
        weight, bias = self.get_buffer("weight"), self.get_buffer("bias")
        return functional.conv_transpose2d(x, weight, bias, self.stride, self.padding).relu_()


def _has_onednn(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(ONEDNN, "_convolution_pointwise")
        and hasattr(ONEDNN, "_reorder_convolution_weight")
        and not torch.is_grad_enabled()
    )


def _steps(conv: nn.Conv2d | nn.ConvTranspose2d) -> tuple[Sides, Sides]:
    """Stride and padding, along y and x."""
    return tuple(conv.stride), tuple(int(side) for side in conv.padding)


def _replace(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, ConvNormRelu):
            setattr(module, name, _folded(child))
        elif isinstance(child, nn.Conv2d) and child.groups == 1:
            bias = None if child.bias is None else child.bias.detach()
            setattr(module, name, PackedConvolution(child.weight.detach(), bias, *_steps(child)))
        else:
            _replace(child)


def _folded(block: ConvNormRelu) -> nn.Module:
    norm, conv = block.norm, block.conv
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("expected running batch statistics, given none")
    scale = norm.weight.detach() * (norm.running_var + norm.eps).rsqrt()
    bias = norm.bias.detach() - norm.running_mean * scale
    weight = conv.weight.detach()
    if isinstance(conv, nn.ConvTranspose2d):
        return FoldedTransposed(weight * scale[:, None, None], bias, *_steps(conv))
    return PackedConvolution(weight * scale[:, None, None, None], bias, *_steps(conv), rectify=True)
