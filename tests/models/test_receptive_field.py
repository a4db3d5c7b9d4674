"""How far pixels see: against interval arithmetic, gradients, and tiles that equal the whole."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from headscarp.models import BODIES, ReceptiveField, receptive_field
from tests.models.chips import Dated, inputs_of, network_of, settle

FINITE = sorted(set(BODIES) - {"segformer"})
UNET = [*["conv", "conv", "pool"] * 4, "conv", "conv", *["up", "conv", "conv"] * 4]
SEGNET_CONVOLUTIONS = (2, 2, 3, 3, 3)
SEGNET = [
    *[layer for n in SEGNET_CONVOLUTIONS for layer in (*["conv"] * n, "pool")],
    *[layer for n in reversed(SEGNET_CONVOLUTIONS) for layer in ("up", *["conv"] * n)],
]
RESIDUAL = ["conv", "conv"]
UTAE = [*RESIDUAL, *["strided4", *RESIDUAL] * 3, *["up4", *RESIDUAL] * 3, "conv", "conv"]


def by_intervals(layers: list[str], stride: int) -> ReceptiveField:
    """From each output pixel back through the layers: the first and last pixel that it needs."""
    size = halo = 0
    start = 1000 * stride
    for place in range(start, start + stride):
        first = last = place
        for layer in reversed(layers):
            if layer == "conv":
                first, last = first - 1, last + 1
            elif layer == "pool":
                first, last = 2 * first, 2 * last + 1
            elif layer == "up":
                first, last = first // 2, last // 2
            elif layer == "strided4":
                first, last = 2 * first - 1, 2 * last + 2
            elif layer == "up4":
                # output o = 2 i - 1 + k with k from 0 to 3
                first, last = -(-(first - 2) // 2), (last + 1) // 2
        size, halo = max(size, last - first + 1), max(halo, place - first, last - place)
    return ReceptiveField(size, halo, stride)


@pytest.mark.parametrize(
    ("name", "layers", "stride"),
    [
        ("unet", UNET, 16),
        ("dppa_unet", UNET, 16),
        ("siamese_unet", UNET, 16),
        ("segnet", SEGNET, 32),
        ("utae", UTAE, 8),
    ],
)
def test_the_field_is_that_of_its_layers(name: str, layers: list[str], stride: int) -> None:
    assert receptive_field(name) == by_intervals(layers, stride)


def test_a_convlstm_sees_one_coarse_pixel_farther_each_date() -> None:
    fields = [receptive_field("convlstm_unet", dates) for dates in (1, 2, 3)]
    # the cell's own convolution, then one more a date
    for dates, field in enumerate(fields, start=1):
        assert field == by_intervals([*UNET[:14], *["conv"] * dates, *UNET[14:]], 16)
    assert [after.size_px - before.size_px for before, after in pairwise(fields) if before and after] == [
        32,
        32,
    ]


def test_attention_makes_every_pixel_see_the_whole_scene() -> None:
    assert receptive_field("segformer") is None


def test_looking_leaves_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    receptive_field("unet")
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("name", FINITE)
def test_gradients_stay_within_the_field_and_reach_far(name: str) -> None:
    field = receptive_field(name)
    assert field is not None
    network = settle(network_of(name, channels=1))
    side = -(-2 * field.halo_px // 32) * 32 + 64
    x = inputs_of(network, batch=1, size=(32, side), dates=2)
    x.x.requires_grad_(True)
    centre = side // 2 + 3
    network(*x)[..., centre].abs().sum().backward()
    assert x.x.grad is not None
    reached = x.x.grad.flatten(0, -2).abs().sum(dim=0).nonzero()[:, 0]
    first, last = int(reached.min()), int(reached.max())
    assert centre - field.halo_px <= first
    assert last <= centre + field.halo_px
    # maxima and rectifiers hide some of the rim
    assert last - first + 1 > 0.7 * field.size_px


@pytest.mark.parametrize("name", FINITE)
def test_a_tile_with_its_halo_is_the_whole(name: str) -> None:
    field = receptive_field(name)
    assert field is not None
    network = settle(network_of(name, channels=1))
    halo = -(-field.halo_px // field.stride_px) * field.stride_px
    side = 2 * halo + 4 * field.stride_px
    whole = inputs_of(network, batch=1, size=(32, side), dates=2)
    first, core = field.stride_px, slice(halo + field.stride_px, halo + 2 * field.stride_px)
    tile = whole.x[..., first : core.stop + halo]
    with torch.no_grad():
        expected = network(*whole)[..., core]
        given = network(*Dated(tile, *whole[1:]))[..., halo : halo + field.stride_px]
    torch.testing.assert_close(given, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))
