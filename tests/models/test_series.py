"""ConvLSTM and temporal attention, against their equations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from headscarp.models import count_parameters
from headscarp.models.convlstm_unet import ConvLSTM
from headscarp.models.dates import by_date, mean_over_dates, valid_scenes
from headscarp.models.temporal_attention import GroupNorm, TemporalAttention, positions, weigh_dates
from headscarp.models.utae import UTAE, Residual
from tests.models.chips import inputs_of, network_of, settle
from tests.models.test_unets import unet_parameters

VALID = torch.tensor([[True, False, True], [False, True, False]])


def test_convlstm_unet_adds_one_cell_to_unet() -> None:
    width = 16 * 16
    cell = 9 * 2 * width * 4 * width + 4 * width
    assert count_parameters(network_of("convlstm_unet", 2, 16)) == unet_parameters(2, 16) + cell


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def convolved(x: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 3 × 3 convolution with zeros around, pixel by pixel."""
    _, size_y, size_x = x.shape
    framed = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    out = np.zeros((weight.shape[0], size_y, size_x))
    for y in range(size_y):
        for column in range(size_x):
            window = framed[:, y : y + 3, column : column + 3]
            out[:, y, column] = (weight * window).sum(axis=(1, 2, 3))
    return out


@pytest.mark.parametrize("dates", [1, 3])
def test_a_convlstm_is_its_equations(dates: int) -> None:
    torch.manual_seed(0)
    width = 3
    cell = ConvLSTM(width)
    cell.open_forget_gate()
    scenes = torch.randn(dates, width, 4, 5)
    w_x, w_h, bias = (
        weight.detach().double().numpy()
        for weight in (cell.from_input.weight, cell.from_hidden.weight, cell.from_input.bias)
        if weight is not None
    )
    hidden, memory = np.zeros((width, 4, 5)), np.zeros((width, 4, 5))
    for scene in scenes.double().numpy():
        gates = convolved(scene, w_x) + convolved(hidden, w_h) + bias[:, None, None]
        i, f, g, o = np.split(gates, 4)
        memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(memory)
    with torch.no_grad():
        last = cell(scenes, torch.ones(1, dates, dtype=torch.bool))
    np.testing.assert_allclose(last[0].numpy(), hidden, rtol=1e-5, atol=1e-6)


def test_the_forget_gate_starts_open() -> None:
    lstm = network_of("convlstm_unet").body.lstm
    assert isinstance(lstm, ConvLSTM)
    assert lstm.from_input.bias is not None
    assert lstm.from_input.bias.view(4, -1).mean(dim=1).tolist() == [0.0, 1.0, 0.0, 0.0]


def test_a_convlstm_forgets_nothing_over_padding() -> None:
    torch.manual_seed(0)
    cell = ConvLSTM(2)
    scenes = torch.randn(3, 2, 4, 4)
    with torch.no_grad():
        sparse = cell(scenes, VALID)
        first = cell(scenes[:2], torch.ones(1, 2, dtype=torch.bool))
        second = cell(scenes[2:], torch.ones(1, 1, dtype=torch.bool))
    torch.testing.assert_close(sparse, torch.cat((first, second)))


def test_scenes_are_laid_back_on_their_dates() -> None:
    x = torch.arange(6.0).view(2, 3, 1, 1, 1)
    scenes = valid_scenes(x, VALID)
    assert scenes.flatten().tolist() == [0, 2, 4]
    assert by_date(scenes + 10, VALID).flatten().tolist() == [10, 0, 12, 0, 14, 0]
    assert mean_over_dates(scenes, VALID).flatten().tolist() == [1, 4]
    assert mean_over_dates(x.flatten(0, 1), torch.ones_like(VALID)).flatten().tolist() == [1, 4]


def test_utae_has_the_parameters_of_its_layers() -> None:
    def conv(kernel: int, a: int, b: int) -> int:
        return kernel**2 * a * b + 2 * b  # normalisation, no bias

    def up(coarse: int, skip: int, fine: int) -> int:
        residual = conv(3, fine + skip, fine) + conv(3, fine, fine)
        return conv(4, coarse, fine) + conv(1, skip, skip) + residual

    def down(a: int, b: int) -> int:
        return conv(4, a, a) + conv(3, a, b) + conv(3, b, b)

    f, half = 64, 32
    encoder = conv(3, 2, f) + conv(3, f, f) + 2 * down(f, f) + down(f, 2 * f)
    # group normalisations, lift to 256, 16 keys of 4, queries, MLP
    attention = 2 * (2 * 128) + (128 * 256 + 256) + (256 * 64 + 64) + 64 + conv(1, 256, 128)
    decoder = up(2 * f, f, f) + up(f, f, half) + up(half, f, half)
    last = conv(3, half, half) + 9 * half + 1
    # the paper states 1.1 million
    assert count_parameters(network_of("utae", 2, 64)) == encoder + attention + decoder + last == 1_075_553


def test_positions_are_sines_and_cosines_of_the_day() -> None:
    days = torch.tensor([[0.0, 12.0, -36.0]])
    given = positions(days, 4)
    slow = 1000 ** (2 / 4)
    for day, row in zip(days[0].tolist(), given[0].tolist(), strict=True):
        expected = [math.sin(day), math.cos(day), math.sin(day / slow), math.cos(day / slow)]
        assert row == pytest.approx(expected, abs=1e-5)


def test_temporal_attention_is_its_equations() -> None:
    """One pixel, one sample: softmax over dates of q·k / 2 for each head, on its share of the channels."""
    torch.manual_seed(0)
    attention = TemporalAttention(16).eval()
    assert attention.heads == 8
    x, days = torch.randn(1, 3, 16, 1, 1), torch.tensor([[0.0, 5.0, 40.0]])
    valid = torch.tensor([[True, True, False]])
    with torch.no_grad():
        features, weights = attention(x, valid, days)
        normed = attention.norm_in(x, valid)[0, :, :, 0, 0]
        values = normed @ attention.lift.weight[:, :, 0, 0].T + attention.lift.bias
        values = values + positions(days, 4)[0].repeat(1, 8)
        keys = values @ attention.keys.weight[:, :, 0, 0].T + attention.keys.bias
        mixed = []
        for head in range(8):
            scores = keys[:2, 4 * head : 4 * head + 4] @ attention.queries[head] / 2
            share = functional.softmax(scores, dim=0)
            torch.testing.assert_close(weights[0, :2, head, 0, 0], share)
            mixed.append(share @ values[:2, 4 * head : 4 * head + 4])
        collapsed = attention.mlp(torch.cat(mixed)[None, :, None, None])
        expected = attention.norm_out(collapsed[:, None], torch.ones(1, 1, dtype=torch.bool))[:, 0]
    assert not bool(weights[:, 2].any())
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5)


def test_group_normalisation_is_torchs_where_all_dates_are_valid() -> None:
    torch.manual_seed(0)
    norm = GroupNorm(16)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = torch.randn(2, 3, 16, 4, 5)
    pixels = x.permute(0, 3, 4, 2, 1).reshape(-1, 16, 3)
    expected = functional.group_norm(pixels, 2, norm.weight, norm.bias)
    with torch.no_grad():
        given = norm(x, torch.ones(2, 3, dtype=torch.bool)).permute(0, 3, 4, 2, 1).reshape(-1, 16, 3)
    torch.testing.assert_close(given, expected.detach(), rtol=1e-4, atol=1e-5)


def test_a_residual_pair_adds_its_second_convolution_to_its_first() -> None:
    torch.manual_seed(0)
    pair = Residual(2, 3).eval()
    x = torch.randn(1, 2, 4, 4)
    with torch.no_grad():
        first = pair.first(x)
        torch.testing.assert_close(pair(x), first + pair.second(first))
        pair.second.norm.weight.zero_()
        torch.testing.assert_close(pair(x), first)
    assert bool(first.any())


def test_heads_weigh_their_own_channels() -> None:
    features = torch.tensor([[1.0, 2, 3, 4], [10, 20, 30, 40]]).view(1, 2, 4, 1, 1)
    weights = torch.tensor([[0.25, 1], [0.75, 0]]).view(1, 2, 2, 1, 1)
    assert weigh_dates(features, weights).flatten().tolist() == [7.75, 15.5, 3, 4]


def test_weights_of_a_coarse_level_are_enlarged_and_still_sum_to_one() -> None:
    torch.manual_seed(0)
    weights = torch.randn(2, 3, 4, 2, 2).softmax(dim=1)
    ones = UTAE.collapse(torch.ones(2, 3, 8, 16, 16), weights)
    torch.testing.assert_close(ones, torch.ones(2, 8, 16, 16))
    level = torch.randn(2, 3, 8, 4, 4)
    by_hand: Tensor = torch.zeros(2, 8, 4, 4)
    for date in range(3):
        fine = functional.interpolate(weights[:, date], scale_factor=2, mode="bilinear")
        by_hand += fine.repeat_interleave(2, dim=1) * level[:, date]
    torch.testing.assert_close(UTAE.collapse(level, weights), by_hand)


def test_utae_refuses_a_series_without_days() -> None:
    network = network_of("utae")
    with pytest.raises(ValueError, match="utae expected `days`"):
        network(inputs_of(network).x)


def test_convlstm_unet_with_one_date_is_unet_with_a_cell_between() -> None:
    network, unet = settle(network_of("convlstm_unet")), settle(network_of("unet"))
    unet.load_state_dict(network.state_dict(), strict=False)
    lstm = network.body.lstm
    assert isinstance(lstm, ConvLSTM)
    one = torch.ones(1, 1, dtype=torch.bool)
    hook = unet.body.encoder.register_forward_hook(  # type: ignore[union-attr]
        lambda module, given, levels: [*levels[:-1], lstm(levels[-1], one)]
    )
    x = inputs_of(unet, batch=1).x
    with torch.no_grad():
        torch.testing.assert_close(network(x[:, None]), unet(x), rtol=1e-4, atol=1e-5)
        hook.remove()
        assert not torch.allclose(network(x[:, None]), unet(x), rtol=1e-2)
